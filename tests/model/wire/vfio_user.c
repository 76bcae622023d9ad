/* SPDX-License-Identifier: MIT */
/*
 * vfio-user server: framing and dispatch. Regions, DMA and interrupts are in files of their own.
 *
 * Three rules that the protocol leaves to the reader, learnt from QEMU's behaviour:
 *  - read exactly the 16 header bytes, then exactly the rest: messages are pipelined, and one large
 *    read would hand the descriptors of a later message to an earlier one;
 *  - never send a request of our own while the client waits for a reply: it holds its lock;
 *  - offer no region for mmap unasked: one mappable region makes every posted write a round trip.
 */
#include "tests/model/wire/vfio_user.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/base.h"
#include "tests/model/bus/border.h"
#include "tests/model/model.h"
#include "tests/model/wire/serve.h"
#include "tests/model/wire/vfio_dma.h"
#include "tests/model/wire/vfio_irq.h"
#include "tests/model/wire/vfio_prom.h"
#include "tests/model/wire/vfio_region.h"
#include "tests/model/wire/vfio_socket.h"

enum vfu_command {
    VFU_VERSION = 1,
    VFU_DMA_MAP = 2,
    VFU_DMA_UNMAP = 3,
    VFU_GET_INFO = 4,
    VFU_GET_REGION_INFO = 5,
    VFU_GET_REGION_IO_FDS = 6,
    VFU_GET_IRQ_INFO = 7,
    VFU_SET_IRQS = 8,
    VFU_REGION_READ = 9,
    VFU_REGION_WRITE = 10,
    VFU_DEVICE_RESET = 13,
    VFU_REGION_WRITE_MULTI = 15,
    VFU_DEVICE_FEATURE = 16,
};

enum {
    HEADER_BYTES = 16,
    FLAG_TYPE_MASK = 0xf,
    FLAG_REPLY = 1,
    FLAG_NO_REPLY = 1 << 4,
    FLAG_ERROR = 1 << 5,

    DEVICE_FLAG_RESET = 1,
    DEVICE_FLAG_PCI = 2,

    WRITE_MULTI_MAX = 200, /* records in one message */
    WRITE_MULTI_RECORD = 24,
};

struct vfu_server {
    int listen_fd, client_fd;
    struct vfio_socket socket;
    struct model_bus bus;
    struct vfio_dma *dma;
    struct vfio_irqs irqs;
    struct vfio_prom prom;
    int reply_fd;                       /* goes with the reply in hand; -1: none */
    bool stay_powered, machine_started; /* see vfu_stay_powered(); of this client */
    uint64_t lost_seen;                 /* transfers into lost memory that are dealt with */
    struct vfu_stats stats;
    uint8_t *in, *out; /* one message each */
};

static enum model_dma_result bus_dma(void *ctx, uint64_t addr, void *buf, size_t *len,
                                     enum model_dma_dir dir)
{
    struct vfu_server *s = ctx;
    return vfio_dma_copy(s->dma, addr, buf, len, dir);
}

static void bus_irq(void *ctx, unsigned vector)
{
    struct vfu_server *s = ctx;
    vfio_irq_raise(&s->irqs, vector);
}

static void bus_intx(void *ctx, bool asserted)
{
    struct vfu_server *s = ctx;
    vfio_irq_intx(&s->irqs, asserted);
}

static void trouble(struct vfu_server *s, const char *words)
{
    if (s->stats.trouble[0] == '\0') {
        snprintf(s->stats.trouble, sizeof(s->stats.trouble), "%s", words);
    }
}

/* The client has taken away memory that it had mapped: nothing that the GPU does can be relied on
 * any more. */
static bool memory_lost(struct vfu_server *s)
{
    if (vfio_dma_lost(s->dma) == s->lost_seen) {
        return false;
    }
    s->lost_seen = vfio_dma_lost(s->dma);
    trouble(s, "memory was taken away after DMA_MAP (its file was shortened)");
    return true;
}

void vfu_drop_client(struct vfu_server *s, struct gpu_model *m)
{
    vfio_prom_drop(&s->prom, m);
    vfio_irq_drop(&s->irqs);
    vfio_dma_clear(s->dma);
}

struct vfu_server *vfu_create_detached(void)
{
    struct vfu_server *s = calloc(1, sizeof(*s));
    if (s == NULL) {
        return NULL;
    }
    s->listen_fd = s->client_fd = s->reply_fd = -1;
    vfio_irq_init(&s->irqs);
    vfio_prom_init(&s->prom);
    s->bus = (struct model_bus){
        .ctx = s, .dma = bus_dma, .irq = bus_irq, .now_ns = serve_now_ns, .intx = bus_intx};
    s->dma = vfio_dma_create();
    s->in = malloc(VFU_MAX_MESSAGE);
    s->out = malloc(VFU_MAX_MESSAGE);
    if (s->dma == NULL || s->in == NULL || s->out == NULL) {
        vfu_close(s);
        return NULL;
    }
    return s;
}

void vfu_close(struct vfu_server *s)
{
    if (s == NULL) {
        return;
    }
    if (s->dma != NULL) {
        vfu_drop_client(s, NULL);
        vfio_dma_destroy(s->dma);
    }
    if (s->client_fd >= 0) {
        close(s->client_fd);
    }
    if (s->listen_fd >= 0) {
        close(s->listen_fd);
        vfio_socket_unlink(&s->socket);
    }
    free(s->in);
    free(s->out);
    free(s);
}

struct vfu_server *vfu_listen(const char *path, char *err, size_t err_size)
{
    struct vfu_server *s = vfu_create_detached();
    if (s == NULL) {
        snprintf(err, err_size, "out of memory");
        return NULL;
    }
    s->listen_fd = vfio_socket_listen(&s->socket, path, err, err_size);
    if (s->listen_fd < 0) {
        vfu_close(s);
        return NULL;
    }
    return s;
}

const struct model_bus *vfu_bus(const struct vfu_server *s) { return &s->bus; }
void vfu_stay_powered(struct vfu_server *s) { s->stay_powered = true; }
void vfu_map_prom(struct vfu_server *s) { s->prom.wanted = true; }
int vfu_reply_fd(const struct vfu_server *s) { return s->reply_fd; }

void vfu_get_stats(const struct vfu_server *s, struct vfu_stats *out)
{
    *out = s->stats;
    out->interrupts = s->irqs.sent;
    out->lost_interrupts = s->irqs.lost;
    out->lost_memory = vfio_dma_lost(s->dma);
}

/* ---- handlers: payload in, payload out; return the reply's payload length or -errno ---- */

static long on_version(const uint8_t *p, size_t size, uint8_t *out)
{
    static const char caps[] =
        "{\"capabilities\":{\"max_msg_fds\":16,\"max_data_xfer_size\":1048576,"
        "\"pgsizes\":4096,\"max_dma_maps\":65535,\"write_multiple\":true}}";
    static const char none[] = "{}";
    if (size < 4 || get_le16(p) != 0) {
        return -EINVAL;
    }
    /* QEMU refuses a reply longer than its request. */
    const char *text = 4 + sizeof(caps) <= size ? caps : none;
    size_t len = strlen(text) + 1;
    if (4 + len > size) {
        len = 0;
    }
    put_le16(out, 0);
    put_le16(out + 2, 0);
    memcpy(out + 4, text, len);
    return (long)(4 + len);
}

static long on_get_info(const uint8_t *p, size_t size, uint8_t *out)
{
    if (size < 16 || get_le32(p) < 16) {
        return -EINVAL;
    }
    put_le32(out, 16);
    put_le32(out + 4, DEVICE_FLAG_RESET | DEVICE_FLAG_PCI);
    put_le32(out + 8, VFIO_REGION_COUNT);
    put_le32(out + 12, VFIO_IRQ_COUNT);
    return 16;
}

static long on_region_info(struct vfu_server *s, struct gpu_model *m, const uint8_t *p, size_t size,
                           uint8_t *out)
{
    bool whole;
    const bool had = s->prom.fd >= 0;
    const int prom = vfio_prom_share(&s->prom, m);
    const long r = vfio_region_info(m, p, size, prom >= 0, out, &whole);
    s->stats.prom_maps += !had && prom >= 0;
    s->reply_fd = whole ? prom : -1;
    return r;
}

static long on_region_read(struct vfu_server *s, struct gpu_model *m, const uint8_t *p, size_t size,
                           uint8_t *out)
{
    const uint32_t count = size < 16 ? 0 : get_le32(p + 12);
    if (count == 0 || count > VFU_MAX_MESSAGE - 32 ||
        !vfio_region_read(m, get_le32(p + 8), get_le64(p), count, out + 16)) {
        return -EINVAL;
    }
    s->stats.region_reads++;
    memcpy(out, p, 16);
    return 16 + (long)count;
}

static long region_write(struct vfu_server *s, struct gpu_model *m, uint64_t off, uint32_t region,
                         uint32_t count, const uint8_t *data)
{
    if (!vfio_region_write(m, region, off, count, data)) {
        return -EINVAL;
    }
    s->stats.region_writes++;
    return 0;
}

static long on_region_write(struct vfu_server *s, struct gpu_model *m, const uint8_t *p,
                            size_t size, uint8_t *out)
{
    if (size < 16 || get_le32(p + 12) != size - 16) {
        return -EINVAL;
    }
    memcpy(out, p, 16);
    long r = region_write(s, m, get_le64(p), get_le32(p + 8), get_le32(p + 12), p + 16);
    return r < 0 ? r : 16;
}

static long on_write_multi(struct vfu_server *s, struct gpu_model *m, const uint8_t *p, size_t size)
{
    if (size < 8) {
        return -EINVAL;
    }
    uint64_t n = get_le64(p);
    if (n > WRITE_MULTI_MAX || size != 8 + n * WRITE_MULTI_RECORD) {
        return -EINVAL;
    }
    for (uint64_t i = 0; i < n; i++) {
        const uint8_t *r = p + 8 + i * WRITE_MULTI_RECORD;
        uint32_t len = get_le32(r + 12);
        if (len > 8) {
            return -EINVAL;
        }
        long e = region_write(s, m, get_le64(r), get_le32(r + 8), len, r + 16);
        if (e < 0) {
            return e;
        }
    }
    return 0;
}

/* QEMU sends the same message when its machine starts, when the machine is reset, and when the bus
 * above is. The first one of a client is the start: a warm reboot to a GPU that stayed powered. */
static long on_device_reset(struct vfu_server *s, struct gpu_model *m)
{
    const bool start = !s->machine_started;

    s->machine_started = true;
    model_reset(m, start && s->stay_powered ? MODEL_RESET_WARM : MODEL_RESET_BUS);
    return 0;
}

static long on_set_irqs(struct vfu_server *s, const struct gpu_model *m, const uint8_t *p,
                        size_t size, int *fds, size_t fd_count)
{
    const char *why = NULL;
    const long r = vfio_irq_set(&s->irqs, m, p, size, fds, fd_count, &why);
    if (why != NULL) {
        trouble(s, why);
    }
    return r;
}

static long dispatch(struct vfu_server *s, struct gpu_model *m, uint16_t command, const uint8_t *p,
                     size_t size, int *fds, size_t fd_count, uint8_t *out)
{
    switch ((enum vfu_command)command) {
    case VFU_VERSION:
        return on_version(p, size, out);
    case VFU_DMA_MAP:
        s->stats.dma_maps++;
        return vfio_dma_map(s->dma, p, size, fd_count > 0 ? fds[0] : -1);
    case VFU_DMA_UNMAP:
        return vfio_dma_unmap(s->dma, p, size);
    case VFU_GET_INFO:
        return on_get_info(p, size, out);
    case VFU_GET_REGION_INFO:
        return on_region_info(s, m, p, size, out);
    case VFU_GET_IRQ_INFO:
        return vfio_irq_info(m, p, size, out);
    case VFU_SET_IRQS:
        return on_set_irqs(s, m, p, size, fds, fd_count);
    case VFU_REGION_READ:
        return on_region_read(s, m, p, size, out);
    case VFU_REGION_WRITE:
        return on_region_write(s, m, p, size, out);
    case VFU_REGION_WRITE_MULTI:
        return on_write_multi(s, m, p, size);
    case VFU_DEVICE_RESET:
        return on_device_reset(s, m);
    case VFU_GET_REGION_IO_FDS:
    case VFU_DEVICE_FEATURE:
        return -ENOTTY;
    default:
        return -ENOSYS;
    }
}

long vfu_handle(struct vfu_server *s, struct gpu_model *m, const uint8_t *msg, size_t size,
                const int *fds, size_t fd_count, uint8_t *reply)
{
    int mine[VFIO_SOCKET_FDS];
    size_t n = fd_count < VFIO_SOCKET_FDS ? fd_count : VFIO_SOCKET_FDS;
    if (n > 0) {
        memcpy(mine, fds, n * sizeof(mine[0]));
    }
    long len = -1;
    s->reply_fd = -1;
    if (size >= HEADER_BYTES && get_le32(msg + 4) == size) {
        uint32_t flags = get_le32(msg + 8);
        if ((flags & FLAG_TYPE_MASK) == 0) {
            s->stats.messages++;
            len = dispatch(s, m, get_le16(msg + 2), msg + HEADER_BYTES, size - HEADER_BYTES, mine,
                           n, reply + HEADER_BYTES);
            if (len < 0) {
                s->stats.rejected++;
            }
            memcpy(reply, msg, 4);
            uint32_t total = HEADER_BYTES + (len > 0 ? (uint32_t)len : 0);
            put_le32(reply + 4, total);
            put_le32(reply + 8, FLAG_REPLY | (len < 0 ? FLAG_ERROR : 0));
            put_le32(reply + 12, len < 0 ? (uint32_t)-len : 0);
            len = (flags & FLAG_NO_REPLY) != 0 ? 0 : (long)total;
        } else {
            len = 0; /* a reply: we never ask, so there is nothing it could answer */
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (mine[i] >= 0) {
            close(mine[i]);
        }
    }
    vfio_prom_follow(&s->prom, m);
    MODEL_LEAVES(reply, len > 0 ? (size_t)len : 0);
    return memory_lost(s) ? -1 : len;
}

/* ---- the socket ---- */

static void serve_client(struct vfu_server *s, struct gpu_model *m,
                         const volatile sig_atomic_t *stop)
{
    while (serve_wait(s->client_fd, m, stop) && !memory_lost(s)) {
        int fds[VFIO_SOCKET_FDS];
        size_t fd_count = 0;
        int r = vfio_socket_receive(s->client_fd, s->in, HEADER_BYTES, fds, &fd_count, stop);
        if (r < 0) {
            continue;
        }
        uint32_t size = r > 0 ? get_le32(s->in + 4) : 0;
        bool ok = r > 0 && size >= HEADER_BYTES && size <= VFU_MAX_MESSAGE;
        ok = ok && vfio_socket_receive(s->client_fd, s->in + HEADER_BYTES, size - HEADER_BYTES,
                                       NULL, NULL, stop) > 0;
        long len = -1;
        if (ok) {
            len = vfu_handle(s, m, s->in, size, fds, fd_count, s->out);
        } else {
            for (size_t i = 0; i < fd_count; i++) {
                close(fds[i]);
            }
        }
        if (len < 0 ||
            (len > 0 && !vfio_socket_send(s->client_fd, s->out, (size_t)len, s->reply_fd, stop))) {
            return;
        }
    }
}

/* A client that goes without a word is none: it looked whether somebody listens. */
static bool is_client(struct vfu_server *s, struct gpu_model *m, const volatile sig_atomic_t *stop)
{
    int spoke = -1;
    while (spoke < 0 && serve_wait(s->client_fd, m, stop)) {
        spoke = vfio_socket_spoke(s->client_fd);
    }
    return spoke > 0;
}

static void serve_one(struct vfu_server *s, struct gpu_model *m, const volatile sig_atomic_t *stop)
{
    s->stats.clients++;
    s->machine_started = false;
    if (!s->stay_powered || s->stats.clients == 1) {
        model_reset(m, MODEL_RESET_POWER);
    }
    serve_client(s, m, stop);
}

int vfu_serve(struct vfu_server *s, struct gpu_model *m, const volatile sig_atomic_t *stop,
              bool once, char *err, size_t err_size)
{
    while (!*stop) {
        s->client_fd = serve_accept(s->listen_fd, stop, s->socket.path, err, err_size);
        if (s->client_fd < 0) {
            return err[0] == '\0' ? 0 : -1;
        }
        const bool spoke = is_client(s, m, stop);
        if (spoke) {
            serve_one(s, m, stop);
        }
        close(s->client_fd);
        s->client_fd = -1;
        vfu_drop_client(s, m);
        if (once && spoke) {
            break;
        }
    }
    return 0;
}
