/* SPDX-License-Identifier: MIT */
#include "tests/unit/fake_virtio.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arch/host/host.h"
#include "pci/pci_regs.h"

/* BAR 4: common, device configuration and notify area at 0, 0x1000, 0x2000; BAR 1: MSI-X table. */
#define AREA_COMMON   0x0000u
#define AREA_DEVICE   0x1000u
#define AREA_NOTIFY   0x2000u
#define BAR_BYTES     0x4000u
#define NOTIFY_STRIDE 4u
#define HEADER        12u

static void rule(struct fake_virtio *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void rule(struct fake_virtio *f, const char *fmt, ...)
{
    if (f->broken_rule[0] == '\0') {
        va_list args;
        va_start(args, fmt);
        vsnprintf(f->broken_rule, sizeof(f->broken_rule), fmt, args);
        va_end(args);
    }
}

/* --- queues ----------------------------------------------------------------------------------- */

static uint8_t *mem(uint64_t bus) { return (uint8_t *)(uintptr_t)bus; }

void fv_interrupt(struct fake_virtio *f, uint16_t vector)
{
    if (vector == 0xffff) {
        return;
    }
    const uint8_t *entry = f->regs + 16u * vector;
    uint16_t control = get_le16(f->cfg + 0x98 + 2);
    if (vector >= 3 || (control & PCI_MSIX_ENABLE) == 0 ||
        (control & PCI_MSIX_FUNCTION_MASK) != 0 || (get_le32(entry + 12) & 1) != 0) {
        return; /* masked; real devices keep it pending, our driver must not count on it */
    }
    if ((f->cfg[PCI_CFG_COMMAND] & PCI_COMMAND_MASTER) == 0) {
        rule(f, "interrupt without bus mastering");
        return;
    }
    f->interrupts++;
    if (!host_irq_raise_msi(get_le64(entry), get_le32(entry + 8))) {
        rule(f, "message 0x%llx that nobody waits for", (unsigned long long)get_le64(entry));
    }
}

static bool event_idx(const struct fake_virtio *f) { return (f->accepted >> 29 & 1) != 0; }

static void used_interrupt(struct fake_virtio *f, struct fv_queue *q)
{
    uint16_t old = q->told;
    q->told = q->used_idx;
    if (event_idx(f)) {
        uint16_t event = get_le16(mem(q->avail) + 4 + 2u * q->size);
        if ((uint16_t)(q->used_idx - event - 1) >= (uint16_t)(q->used_idx - old)) {
            return;
        }
    } else if ((get_le16(mem(q->avail)) & 1) != 0) {
        return;
    }
    fv_interrupt(f, q->vector);
}

/* Next descriptor that the driver made available, -1 = none. */
static int next_avail(struct fake_virtio *f, struct fv_queue *q)
{
    if (!q->enabled || (f->status & 4) == 0) {
        return -1;
    }
    uint16_t idx = get_le16(mem(q->avail) + 2);
    if ((uint16_t)(idx - q->seen) > q->size) {
        rule(f, "avail index %u is more than the ring ahead of %u", idx, q->seen);
        return -1;
    }
    if (idx == q->seen) {
        return -1;
    }
    uint16_t id = get_le16(mem(q->avail) + 4 + 2u * (q->seen % q->size));
    q->seen++;
    if (id >= q->size) {
        rule(f, "descriptor %u of %u", id, q->size);
        return -1;
    }
    return id;
}

static void put_used(struct fv_queue *q, uint32_t id, uint32_t len)
{
    uint8_t *elem = mem(q->used) + 4 + 8u * (q->used_idx % q->size);
    put_le32(elem, id);
    put_le32(elem + 4, len);
    q->used_idx++;
    put_le16(mem(q->used) + 2, q->used_idx);
}

/* Tells the driver when the next notification is wanted: with the next entry. */
static void want_notify(struct fake_virtio *f, struct fv_queue *q)
{
    if (event_idx(f)) {
        put_le16(mem(q->used) + 4 + 8u * q->size, q->seen);
    }
}

bool fv_receive(struct fake_virtio *f, const void *frame, size_t len)
{
    struct fv_queue *q = &f->q[0];
    int id = next_avail(f, q);
    if (id < 0) {
        return false;
    }
    const uint8_t *desc = mem(q->desc) + 16u * (unsigned)id;
    if (get_le16(desc + 12) != 2) {
        rule(f, "receive descriptor with flags 0x%x", get_le16(desc + 12));
    }
    if (get_le32(desc + 8) < HEADER + len) {
        rule(f, "receive buffer of %u bytes", get_le32(desc + 8));
        return false;
    }
    uint8_t *buf = mem(get_le64(desc));
    memset(buf, 0, HEADER);
    buf[10] = 1; /* num_buffers */
    memcpy(buf + HEADER, frame, len);
    put_used(q, (uint32_t)id, (uint32_t)(HEADER + len));
    used_interrupt(f, q);
    return true;
}

void fv_transmit(struct fake_virtio *f, unsigned max)
{
    struct fv_queue *q = &f->q[1];
    int id;
    if (!q->enabled) {
        return;
    }
    while (max-- > 0 && (id = next_avail(f, q)) >= 0) {
        const uint8_t *desc = mem(q->desc) + 16u * (unsigned)id;
        uint32_t len = get_le32(desc + 8);
        const uint8_t *buf = mem(get_le64(desc));
        static const uint8_t zero[HEADER];
        if (get_le16(desc + 12) != 0) {
            rule(f, "transmit descriptor with flags 0x%x", get_le16(desc + 12));
        }
        if (len < HEADER + 14 || len > HEADER + 1518) {
            rule(f, "transmit descriptor of %u bytes", len);
        } else if (memcmp(buf, zero, HEADER) != 0) {
            rule(f, "transmit header asks for an offload");
        } else {
            f->sent_count++;
            if (f->sent != NULL) {
                f->sent(f->ctx, buf + HEADER, len - HEADER);
            }
        }
        put_used(q, (uint32_t)id, 0);
    }
    want_notify(f, q);
    used_interrupt(f, q);
}

void fv_write_used(struct fake_virtio *f, unsigned queue, uint32_t id, uint32_t len,
                   uint16_t advance)
{
    struct fv_queue *q = &f->q[queue];
    if (!q->enabled) {
        return;
    }
    put_used(q, id, len);
    q->used_idx = (uint16_t)(q->used_idx - 1 + advance);
    put_le16(mem(q->used) + 2, q->used_idx);
    used_interrupt(f, q);
}

void fv_set_link(struct fake_virtio *f, bool up)
{
    f->link = up ? 1 : 0;
    fv_interrupt(f, f->config_vector);
}

/* --- registers -------------------------------------------------------------------------------- */

static uint64_t common_read(struct fake_virtio *f, uint64_t off)
{
    struct fv_queue *q = &f->q[f->queue_select % FV_QUEUES];
    bool exists = f->queue_select < f->num_queues;
    switch (off) {
    case 0x04:
        return f->feature_select[0] < 2 ? (uint32_t)(f->offered >> 32 * f->feature_select[0]) : 0;
    case 0x10:
        return f->config_vector;
    case 0x12:
        return f->num_queues;
    case 0x14:
        return f->status;
    case 0x18:
        return exists ? q->size : 0;
    case 0x1a:
        return q->vector;
    case 0x1c:
        return q->enabled;
    case 0x1e:
        return f->queue_select;
    default:
        return 0;
    }
}

static void set_half(uint64_t *v, bool high, uint32_t x)
{
    *v = high ? (*v & 0xffffffffu) | (uint64_t)x << 32 : (*v & ~(uint64_t)0xffffffffu) | x;
}

static void reset(struct fake_virtio *f)
{
    memset(f->q, 0, sizeof(f->q));
    for (unsigned i = 0; i < FV_QUEUES; i++) {
        f->q[i].size = f->queue_max[i];
        f->q[i].vector = 0xffff;
    }
    f->config_vector = 0xffff;
    f->accepted = 0;
    f->status = f->stuck_in_reset ? 0x80 : 0;
}

static void write_status(struct fake_virtio *f, uint8_t v)
{
    if (v == 0) {
        reset(f);
        return;
    }
    if ((v & f->status) != f->status && !f->stuck_in_reset) {
        rule(f, "status 0x%x after 0x%x: bits may only be added", v, f->status);
    }
    if ((v & 8) != 0 && (f->status & 8) == 0) {
        if ((f->accepted & ~f->offered) != 0) {
            rule(f, "features 0x%llx were never offered",
                 (unsigned long long)(f->accepted & ~f->offered));
        }
        if (f->refuse_features) {
            v &= (uint8_t)~8u;
        }
    }
    if ((v & 4) != 0 && (v & 0xb) != 0xb) {
        rule(f, "DRIVER_OK with status 0x%x", v);
    }
    f->status = v;
}

static void common_write(struct fake_virtio *f, uint64_t off, uint32_t v)
{
    struct fv_queue *q = &f->q[f->queue_select % FV_QUEUES];
    if (off >= 0x18 && (f->status & 8) == 0) {
        rule(f, "queue register 0x%x written before FEATURES_OK", (unsigned)off);
    }
    if (off >= 0x18 && q->enabled) {
        rule(f, "queue register 0x%x written while the queue is enabled", (unsigned)off);
    }
    switch (off) {
    case 0x00:
        f->feature_select[0] = v;
        break;
    case 0x08:
        f->feature_select[1] = v;
        break;
    case 0x0c:
        if ((f->status & 8) != 0) {
            rule(f, "features written after FEATURES_OK");
        }
        if (f->feature_select[1] < 2) {
            set_half(&f->accepted, f->feature_select[1] == 1, v);
        }
        break;
    case 0x10:
        f->config_vector = (uint16_t)v;
        break;
    case 0x14:
        write_status(f, (uint8_t)v);
        break;
    case 0x16:
        f->queue_select = (uint16_t)v;
        break;
    case 0x18:
        if (v > q->size || (v & (v - 1)) != 0) {
            rule(f, "queue size %u", v);
        }
        q->size = (uint16_t)v;
        break;
    case 0x1a:
        q->vector = (uint16_t)v;
        break;
    case 0x1c:
        if (q->desc % 16 != 0 || q->avail % 2 != 0 || q->used % 4 != 0) {
            rule(f, "queue memory is not aligned");
        }
        q->enabled = (uint16_t)v;
        want_notify(f, q);
        break;
    case 0x20:
    case 0x24:
        set_half(&q->desc, off == 0x24, v);
        break;
    case 0x28:
    case 0x2c:
        set_half(&q->avail, off == 0x2c, v);
        break;
    case 0x30:
    case 0x34:
        set_half(&q->used, off == 0x34, v);
        break;
    default:
        rule(f, "write to common configuration 0x%x", (unsigned)off);
        break;
    }
}

static uint64_t bar_read(void *ctx, uint64_t off, unsigned size)
{
    struct fake_virtio *f = ctx;
    if (off < AREA_DEVICE) {
        return common_read(f, off);
    }
    off -= AREA_DEVICE;
    if (off < 6 && size == 1) {
        return f->mac[off];
    }
    if (off == 6 && size == 2) {
        return f->link;
    }
    rule(f, "read of %u bytes at device configuration 0x%x", size, (unsigned)off);
    return 0;
}

static void bar_write(void *ctx, uint64_t off, unsigned size, uint64_t v)
{
    struct fake_virtio *f = ctx;
    if (off < AREA_DEVICE) {
        common_write(f, off, (uint32_t)v);
        return;
    }
    unsigned queue = (unsigned)((off - AREA_NOTIFY) / NOTIFY_STRIDE);
    if (off < AREA_NOTIFY || size != 2 || queue >= FV_QUEUES || v != queue ||
        (f->status & 4) == 0) {
        rule(f, "notification 0x%llx at 0x%x", (unsigned long long)v, (unsigned)off);
        return;
    }
    f->q[queue].notifies++;
    if (queue == 1 && !f->lazy) {
        fv_transmit(f, UINT32_MAX);
    }
}

static uint64_t msix_read(void *ctx, uint64_t off, unsigned size)
{
    struct fake_virtio *f = ctx;
    (void)size;
    return get_le32(f->regs + off);
}

static void msix_write(void *ctx, uint64_t off, unsigned size, uint64_t v)
{
    struct fake_virtio *f = ctx;
    (void)size;
    put_le32(f->regs + off, (uint32_t)v);
}

/* --- configuration space ---------------------------------------------------------------------- */

static uint32_t cfg_read(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                         unsigned size)
{
    struct fake_virtio *f = ctx;
    if (seg != 0 || bus != 0 || devfn != PCI_DEVFN(2, 0) || off >= 256) {
        return 0xffffffff;
    }
    return size == 1 ? f->cfg[off] : size == 2 ? get_le16(f->cfg + off) : get_le32(f->cfg + off);
}

static void cfg_write(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                      unsigned size, uint32_t v)
{
    struct fake_virtio *f = ctx;
    if (seg != 0 || bus != 0 || devfn != PCI_DEVFN(2, 0) || off >= 256) {
        return;
    }
    if (off >= 0x10 && off < 0x28) {
        uint32_t mask = f->bar_mask[(off - 0x10) / 4];
        put_le32(f->cfg + off, (get_le32(f->cfg + off) & ~mask) | (v & mask));
    } else if (size == 2) {
        put_le16(f->cfg + off, (uint16_t)v);
    } else if (size == 4) {
        put_le32(f->cfg + off, v);
    }
}

static enum fl_err map_bar(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, unsigned bar,
                           struct mmio *out)
{
    static const struct mmio_ops bar_ops = {bar_read, bar_write};
    static const struct mmio_ops msix_ops = {msix_read, msix_write};
    (void)seg;
    (void)bus;
    (void)devfn;
    *out =
        bar == 1 ? (struct mmio){&msix_ops, ctx, 0x1000} : (struct mmio){&bar_ops, ctx, BAR_BYTES};
    return FL_OK;
}

const struct pci_ops fv_ops = {cfg_read, cfg_write, map_bar};

static void vendor_cap(struct fake_virtio *f, uint8_t at, uint8_t type, uint32_t off, uint32_t len)
{
    uint8_t *cap = f->cfg + at;
    cap[0] = PCI_CAP_VENDOR;
    cap[1] = f->cfg[PCI_CFG_CAP_PTR];
    cap[2] = type == 2 ? 20 : 16;
    cap[3] = type;
    cap[4] = 4;
    put_le32(cap + 8, off);
    put_le32(cap + 12, len);
    put_le32(cap + 16, type == 2 ? NOTIFY_STRIDE : 0);
    f->cfg[PCI_CFG_CAP_PTR] = at;
}

void fv_init(struct fake_virtio *f)
{
    memset(f, 0, sizeof(*f));
    put_le32(f->cfg, 0x10001af4);
    put_le32(f->cfg + PCI_CFG_CLASS_REV, 0x02000000);
    f->cfg[PCI_CFG_COMMAND] = PCI_COMMAND_MASTER; /* a firmware's driver was here */
    f->cfg[PCI_CFG_STATUS] = PCI_STATUS_CAP_LIST;
    f->bar_mask[1] = 0xfffff000;
    put_le32(f->cfg + 0x14, 0xfea00000);
    f->bar_mask[4] = 0xffffc000;
    f->bar_mask[5] = 0xffffffff;
    put_le32(f->cfg + 0x20, 0x0000000c);
    put_le32(f->cfg + 0x24, 0xc0);
    vendor_cap(f, 0x40, 1, AREA_COMMON, 0x38);
    vendor_cap(f, 0x54, 4, AREA_DEVICE, 0x40);
    vendor_cap(f, 0x68, 2, AREA_NOTIFY, 0x1000);
    vendor_cap(f, 0x7c, 5, 0, 0); /* configuration access window: not for us */
    f->cfg[0x98] = PCI_CAP_MSIX;
    f->cfg[0x99] = f->cfg[PCI_CFG_CAP_PTR];
    f->cfg[PCI_CFG_CAP_PTR] = 0x98;
    put_le16(f->cfg + 0x9a, 2);
    put_le32(f->cfg + 0x9c, 1); /* table in BAR 1 */
    f->offered = 1ull << 5 | 1ull << 16 | 1ull << 29 | 1ull << 32 | 1ull << 15 | 1ull << 33;
    memcpy(f->mac, (const uint8_t[]){0x52, 0x54, 0, 0x12, 0x34, 0x56}, 6);
    f->link = 1;
    f->queue_max[0] = f->queue_max[1] = FV_QUEUE_MAX;
    f->num_queues = FV_QUEUES;
    reset(f);
}
