/* SPDX-License-Identifier: MIT */
/* Interrupts of the vfio-user server (vfio_irq.h). Source of the numbers: Linux uapi vfio.h. */
#include "tests/model/wire/vfio_irq.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arch/base.h"

enum {
    IRQ_INTX = 0,
    IRQ_MSI = 1,
    IRQ_MSIX = 2,
    IRQ_ERR = 3,
    IRQ_REQ = 4,
    IRQ_FLAG_EVENTFD = 1,
    IRQ_FLAG_MASKABLE = 2,
    IRQ_FLAG_AUTOMASKED = 4,
    IRQ_FLAG_NORESIZE = 8,
    SET_IRQS_DATA_NONE = 1,
    SET_IRQS_DATA_EVENTFD = 4,
    SET_IRQS_DATA_BOOL = 2,
    SET_IRQS_ACTION_MASK = 8,
    SET_IRQS_ACTION_UNMASK = 16,
    SET_IRQS_ACTION_TRIGGER = 32,
    SET_IRQS_DATA_MASK = 7,
};

/* Whether fd is an eventfd: proc(5), /proc/pid/fd, gives the kind of a file without a name. */
static bool is_eventfd(int fd)
{
    static const char eventfd_name[] = "anon_inode:[eventfd]";
    char link[64], name[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    const ssize_t n = readlink(link, name, sizeof(name));
    return n == (ssize_t)sizeof(eventfd_name) - 1 && memcmp(name, eventfd_name, (size_t)n) == 0;
}

/* A counter that is full takes no more and would block: who does not read it does not listen. Its
 * O_NONBLOCK is left alone, for it is the client's, too. */
static bool has_room(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) != 0;
}

static bool signal_fd(struct vfio_irqs *s, int index, unsigned vector)
{
    const uint64_t one = 1;
    const int fd = s->fd[index][vector];
    if (fd < 0 || !has_room(fd) || write(fd, &one, sizeof(one)) != (ssize_t)sizeof(one)) {
        return false;
    }
    s->sent++;
    return true;
}

void vfio_irq_raise(struct vfio_irqs *s, unsigned vector)
{
    if (vector >= VFIO_IRQ_VECTORS ||
        (!signal_fd(s, IRQ_MSIX, vector) && !signal_fd(s, IRQ_MSI, vector))) {
        s->lost++;
    }
}

/* Told once while it is high; then it is masked until the client has seen to it. */
static void tell_intx(struct vfio_irqs *s)
{
    if (s->intx_asserted && !s->intx_masked && signal_fd(s, IRQ_INTX, 0)) {
        s->intx_masked = true;
    }
}

void vfio_irq_intx(struct vfio_irqs *s, bool asserted)
{
    s->intx_asserted = asserted;
    tell_intx(s);
}

static void drop_irqs(struct vfio_irqs *s, unsigned index)
{
    for (size_t v = 0; v < VFIO_IRQ_VECTORS; v++) {
        if (s->fd[index][v] >= 0) {
            close(s->fd[index][v]);
            s->fd[index][v] = -1;
        }
    }
}

void vfio_irq_init(struct vfio_irqs *s)
{
    *s = (struct vfio_irqs){0};
    memset(s->fd, 0xff, sizeof(s->fd)); /* all -1 */
}

void vfio_irq_drop(struct vfio_irqs *s)
{
    for (unsigned i = 0; i < VFIO_IRQ_COUNT; i++) {
        drop_irqs(s, i);
    }
    s->intx_masked = false;
}

static uint32_t irq_vectors(const struct gpu_model *m, uint32_t index)
{
    switch (index) {
    case IRQ_INTX:
        return 1;
    case IRQ_MSI:
        return model_msi_count(m);
    case IRQ_MSIX:
        return model_msix_count(m);
    default:
        return 1;
    }
}

long vfio_irq_info(const struct gpu_model *m, const uint8_t *p, size_t size, uint8_t *out)
{
    if (size < 16 || get_le32(p) < 16 || get_le32(p + 8) >= VFIO_IRQ_COUNT) {
        return -EINVAL;
    }
    static const uint32_t flags[VFIO_IRQ_COUNT] = {
        [IRQ_INTX] = IRQ_FLAG_EVENTFD | IRQ_FLAG_MASKABLE | IRQ_FLAG_AUTOMASKED,
        [IRQ_MSI] = IRQ_FLAG_EVENTFD,
        /* Without NORESIZE: with it QEMU tears all vectors down to add one. */
        [IRQ_MSIX] = IRQ_FLAG_EVENTFD,
        [IRQ_ERR] = IRQ_FLAG_EVENTFD | IRQ_FLAG_NORESIZE,
        [IRQ_REQ] = IRQ_FLAG_EVENTFD | IRQ_FLAG_NORESIZE,
    };
    uint32_t index = get_le32(p + 8);
    put_le32(out, 16);
    put_le32(out + 4, flags[index]);
    put_le32(out + 8, index);
    put_le32(out + 12, irq_vectors(m, index));
    return 16;
}

/* Only INTx has a mask. */
static long mask_irq(struct vfio_irqs *s, uint32_t flags, uint32_t index, uint32_t count,
                     const uint8_t *data, size_t size)
{
    const uint32_t action = flags & ~(uint32_t)SET_IRQS_DATA_MASK,
                   kind = flags & SET_IRQS_DATA_MASK;
    const bool by_bool = kind == SET_IRQS_DATA_BOOL;
    if (index != IRQ_INTX || count == 0 || (by_bool ? size == 0 : kind != SET_IRQS_DATA_NONE) ||
        (action != SET_IRQS_ACTION_MASK && action != SET_IRQS_ACTION_UNMASK)) {
        return -EINVAL;
    }
    if (!by_bool || data[0] != 0) {
        s->intx_masked = action == SET_IRQS_ACTION_MASK;
        tell_intx(s);
    }
    return 0;
}

long vfio_irq_set(struct vfio_irqs *s, const struct gpu_model *m, const uint8_t *p, size_t size,
                  int *fds, size_t fd_count, const char **why)
{
    if (size < 20) {
        return -EINVAL;
    }
    uint32_t flags = get_le32(p + 4), index = get_le32(p + 8), start = get_le32(p + 12),
             count = get_le32(p + 16);
    if (index >= VFIO_IRQ_COUNT ||
        !range_ok(start, count, min_u64(irq_vectors(m, index), VFIO_IRQ_VECTORS))) {
        return -EINVAL;
    }
    if ((flags & SET_IRQS_ACTION_TRIGGER) == 0) {
        return mask_irq(s, flags, index, count, p + 20, size - 20);
    }
    switch (flags & SET_IRQS_DATA_MASK) {
    case SET_IRQS_DATA_NONE:
        if (count == 0) {
            drop_irqs(s, index);
        }
        return 0;
    case SET_IRQS_DATA_EVENTFD:
        for (uint32_t i = 0; i < count && i < fd_count; i++) {
            if (!is_eventfd(fds[i])) {
                if (why != NULL) {
                    *why = "SET_IRQS: a descriptor is not an eventfd";
                }
                return -EINVAL;
            }
        }
        for (uint32_t i = 0; i < count; i++) {
            int *slot = &s->fd[index][start + i];
            if (*slot >= 0) {
                close(*slot);
                *slot = -1;
            }
            if (i < fd_count) {
                *slot = fds[i];
                fds[i] = -1; /* taken */
            }
        }
        if (index == IRQ_INTX) {
            s->intx_masked = false;
            tell_intx(s);
        }
        return 0;
    default:
        return -EINVAL;
    }
}
