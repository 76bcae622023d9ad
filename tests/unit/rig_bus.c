/* SPDX-License-Identifier: MIT */
/* The bus between the driver and the GPU of a bench, from both ends (rig.h). */
#include "tests/unit/rig_priv.h"

#include <string.h>

#include "arch/clock.h"
#include "arch/host/host.h"

/* Where the firmware of a PC would have put the BARs. */
#define GPU_DEVFN           0x08u /* 00:01.0; behind the bridge there 01:00.0 */
#define BAR_LOW_BASE        0xa0000000ull
#define BAR_HIGH_BASE       0x6000000000ull
#define BAR_IO_BASE         0xe000u
#define PCI_CFG_COMMAND     0x04u
#define PCI_CFG_BAR0        0x10u
#define PCI_COMMAND_MASTER  4u
#define PCI_CFG_CAP_POINTER 0x34u
#define PCI_CAP_MSI         0x05u
#define PCI_CAP_MSIX        0x11u
#define MSI_ENABLE          1u
#define PCI_EXP_DEVCAP      4u
/* MSI-X: control word, place of the table, words of an entry. */
#define MSIX_CONTROL       2u
#define MSIX_ENABLE        0x8000u
#define MSIX_TABLE         4u
#define MSIX_BIR_MASK      7u
#define MSIX_ENTRY_WORDS   4u
#define MSIX_MASKED        1u
#define PCI_EXP_DEVCAP_FLR (1u << 28)
/* The bridge: a root port of QEMU's, as far as enumeration and resets look. */
#define BRIDGE_ID               0x000c1b36u
#define BRIDGE_CLASS_REV        0x06040000u
#define PCI_CFG_CLASS_REV       0x08u
#define PCI_CFG_HEADER_TYPE     0x0eu
#define PCI_HEADER_BRIDGE       1u
#define PCI_CFG_BUSES           0x18u
#define PCI_CFG_MEM_WINDOW      0x20u
#define PCI_CFG_PREF_WINDOW     0x24u
#define PCI_CFG_PREF_LIMIT_HIGH 0x2cu
#define PCI_CFG_BRIDGE_CONTROL  0x3eu
#define PCI_BRIDGE_BUS_RESET    0x40u

/* ---- the bus, as the driver sees it ---- */

static bool is_gpu(const struct rig *r, uint8_t bus, uint8_t devfn)
{
    return r->bridge ? bus == 1 && devfn == 0 : bus == 0 && devfn == GPU_DEVFN;
}

/* ---- a bridge with one bus below it ---- */

static bool is_bridge(const struct rig *r, uint8_t bus, uint8_t devfn)
{
    return r->bridge && bus == 0 && devfn == GPU_DEVFN;
}

static uint32_t bridge_read(struct rig *r, uint16_t off, unsigned size)
{
    uint8_t *c = r->bridge_cfg;

    put_le32(c, BRIDGE_ID);
    put_le32(c + PCI_CFG_CLASS_REV, BRIDGE_CLASS_REV);
    c[PCI_CFG_HEADER_TYPE] = PCI_HEADER_BRIDGE;
    put_le32(c + PCI_CFG_BUSES, 1u << 16 | 1u << 8); /* to bus 1 */
    put_le32(c + PCI_CFG_MEM_WINDOW, 0xfff00000u);   /* all memory is passed on */
    put_le32(c + PCI_CFG_PREF_WINDOW, 0xfff10001u);
    put_le32(c + PCI_CFG_PREF_LIMIT_HIGH, UINT32_MAX);
    if (off + size > sizeof(r->bridge_cfg)) {
        return 0;
    }
    return size == 4 ? get_le32(c + off) : size == 2 ? get_le16(c + off) : c[off];
}

static void bridge_write(struct rig *r, uint16_t off, unsigned size, uint32_t value)
{
    if (off == PCI_CFG_COMMAND && size == 2) {
        put_le16(r->bridge_cfg + off, (uint16_t)value);
    }
    if (off != PCI_CFG_BRIDGE_CONTROL || size != 2) {
        return;
    }
    const uint32_t was = get_le16(r->bridge_cfg + off);
    put_le16(r->bridge_cfg + off, (uint16_t)value);
    if ((was & PCI_BRIDGE_BUS_RESET) != 0 && (value & PCI_BRIDGE_BUS_RESET) == 0) {
        r->bus_resets++;
        model_reset(r->model, MODEL_RESET_BUS);
    }
}

static uint16_t cap_at(struct gpu_model *m, uint32_t id)
{
    uint8_t at = (uint8_t)model_cfg_read(m, PCI_CFG_CAP_POINTER, 1);

    for (unsigned i = 0; i < 48 && at >= 0x40; i++) {
        if (model_cfg_read(m, at, 1) == id) {
            return at;
        }
        at = (uint8_t)model_cfg_read(m, (uint16_t)(at + 1), 1);
    }
    return 0;
}

static uint32_t cfg_read(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                         unsigned size)
{
    struct rig *r = ctx;

    (void)seg;
    if (is_bridge(r, bus, devfn)) {
        return bridge_read(r, off, size);
    }
    if (!is_gpu(r, bus, devfn)) {
        return size == 4 ? UINT32_MAX : (1u << 8 * size) - 1;
    }
    uint32_t v = model_cfg_read(r->model, off, size);
    if (r->no_flr && r->dev != NULL && off == r->dev->cap_pcie + PCI_EXP_DEVCAP) {
        v &= ~PCI_EXP_DEVCAP_FLR;
    }
    const bool hidden =
        r->no_msi && off != 0 &&
        (off == cap_at(r->model, PCI_CAP_MSI) || off == cap_at(r->model, PCI_CAP_MSIX));
    return hidden ? v & ~0xffu : v; /* the id reads 0, as that of MSI on data-centre boards */
}

static void cfg_write(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                      unsigned size, uint32_t value)
{
    struct rig *r = ctx;

    (void)seg;
    if (is_bridge(r, bus, devfn)) {
        bridge_write(r, off, size, value);
    } else if (is_gpu(r, bus, devfn) && !r->cut) {
        model_cfg_write(r->model, off, size, value);
    }
}

static uint64_t bar_read(void *ctx, uint64_t off, unsigned size)
{
    const struct rig_bar *b = ctx;
    struct rig *r = b->rig;
    if (r->cut) {
        return UINT64_MAX;
    }
    uint64_t v = model_bar_read(r->model, b->bar, off, size);
    if (b->bar == 0) {
        if (++r->bar0_reads == r->repeat_read) {
            v = r->last_read;
        }
        r->last_read = v;
        if (r->bar0_reads == r->note_read) {
            r->noted_off = off;
        }
    }
    return v;
}
/* The MSI-X table is kept by who delivers, as QEMU does; the model stores it, too. */
static void keep_msix_entry(struct rig *r, unsigned bar, uint64_t off, unsigned size,
                            uint64_t value)
{
    const uint16_t cap = cap_at(r->model, PCI_CAP_MSIX);
    const uint32_t where = cap != 0 ? model_cfg_read(r->model, (uint16_t)(cap + MSIX_TABLE), 4) : 0;
    const uint64_t table = where & ~MSIX_BIR_MASK;
    if (cap != 0 && bar == (where & MSIX_BIR_MASK) && size == 4 && off >= table &&
        off - table < sizeof(r->msix)) {
        r->msix[(off - table) / 4] = (uint32_t)value;
    }
}

static void bar_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
    const struct rig_bar *b = ctx;
    if (!b->rig->cut) {
        keep_msix_entry(b->rig, b->bar, off, size, value);
        model_bar_write(b->rig->model, b->bar, off, size, value);
    }
}
static const struct mmio_ops bar_ops = {bar_read, bar_write};

static enum fl_err map_bar(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, unsigned bar,
                           struct mmio *out)
{
    struct rig *r = ctx;
    struct model_bar info;

    (void)seg;
    (void)bus;
    (void)devfn;
    model_bar_info(r->model, bar, &info);
    if (info.size == 0 || info.is_io) {
        return FL_ENOENT;
    }
    r->bar[bar] = (struct rig_bar){.rig = r, .bar = bar};
    *out = (struct mmio){.ops = &bar_ops, .ctx = &r->bar[bar], .size = info.size};
    return FL_OK;
}

const struct pci_ops rig_pci_ops = {cfg_read, cfg_write, map_bar};

/* ---- the bus, as the GPU sees it ---- */

static enum model_dma_result bus_dma(void *ctx, uint64_t addr, void *buf, size_t *len,
                                     enum model_dma_dir dir)
{
    struct rig *r = ctx;

    if ((model_cfg_read(r->model, PCI_CFG_COMMAND, 2) & PCI_COMMAND_MASTER) == 0) {
        return MODEL_DMA_UNMAPPED; /* a device that is not a bus master reaches nothing */
    }
    void *p = host_dma_ptr(addr, len);
    if (p == NULL) {
        return MODEL_DMA_UNMAPPED;
    }
    memcpy(dir == MODEL_DMA_WRITE ? p : buf, dir == MODEL_DMA_WRITE ? buf : p, *len);
    return MODEL_DMA_DONE;
}

/* The message of a vector: false when the driver has not enabled it. */
static bool message_of(struct rig *r, unsigned vector, uint64_t *address, uint32_t *data)
{
    const uint16_t msi = cap_at(r->model, PCI_CAP_MSI), msix = cap_at(r->model, PCI_CAP_MSIX);

    if (msi != 0 && (model_cfg_read(r->model, (uint16_t)(msi + 2), 2) & MSI_ENABLE) != 0) {
        *address = model_cfg_read(r->model, (uint16_t)(msi + 4), 4) |
                   (uint64_t)model_cfg_read(r->model, (uint16_t)(msi + 8), 4) << 32;
        *data = model_cfg_read(r->model, (uint16_t)(msi + 12), 2);
        return true;
    }
    if (msix != 0 && vector < RIG_MSIX_MAX &&
        (model_cfg_read(r->model, (uint16_t)(msix + MSIX_CONTROL), 2) & MSIX_ENABLE) != 0) {
        const uint32_t *entry = r->msix + (size_t)vector * MSIX_ENTRY_WORDS;
        *address = entry[0] | (uint64_t)entry[1] << 32;
        *data = entry[2];
        return (entry[3] & MSIX_MASKED) == 0;
    }
    return false;
}

static void bus_irq(void *ctx, unsigned vector)
{
    struct rig *r = ctx;
    uint64_t address = 0;
    uint32_t data = 0;

    if (++r->irqs_sent == r->lose_irq) {
        r->irqs_lost++;
    } else if (message_of(r, vector, &address, &data) && host_irq_raise_msi(address, data)) {
        r->irqs++;
    } else {
        r->irqs_lost++;
    }
}

static uint64_t bus_now(void *ctx)
{
    (void)ctx;
    return clock_now_ns();
}

struct model_bus rig_model_bus(struct rig *r)
{
    return (struct model_bus){.ctx = r, .dma = bus_dma, .irq = bus_irq, .now_ns = bus_now};
}

uint64_t rig_idle(void *ctx)
{
    struct rig *r = ctx;
    model_run(r->model);
    return model_next_ns(r->model);
}

void rig_assign_bars(struct rig *r)
{
    uint64_t low = BAR_LOW_BASE, high = BAR_HIGH_BASE;

    for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
        struct model_bar b;
        model_bar_info(r->model, i, &b);
        const uint16_t off = (uint16_t)(PCI_CFG_BAR0 + 4 * i);
        if (b.size == 0) {
            continue;
        }
        if (b.is_io) {
            model_cfg_write(r->model, off, 4, BAR_IO_BASE);
        } else if (b.is_64bit) {
            high = align_up_u64(high, b.size);
            model_cfg_write(r->model, off, 4, (uint32_t)high);
            model_cfg_write(r->model, (uint16_t)(off + 4), 4, (uint32_t)(high >> 32));
            high += b.size;
            i++;
        } else {
            low = align_up_u64(low, b.size);
            model_cfg_write(r->model, off, 4, (uint32_t)low);
            low += b.size;
        }
    }
}
