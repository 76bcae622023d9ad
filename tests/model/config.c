/* SPDX-License-Identifier: MIT */
/*
 * Configuration space: a 4 KiB image and a write mask. Status bits that a write of 1 clears
 * are never set, so they need no third table. Layout P1, Turing
 * to Ada with display (measured.md 1.1-1.3). The few writes with an effect: function level reset
 * (Device Control bit 15) and the MSI re-arm at 0x704 (interrupts.md 5). The 0x88000 mirror in BAR0
 * is the same space.
 */
#include <string.h>

#include "tests/model/model_priv.h"

enum { /* PCI standard offsets */
       PCI_COMMAND = 0x04,
       PCI_STATUS = 0x06,
       PCI_BAR0 = 0x10,
       PCI_BAR1 = 0x14,
       PCI_BAR3 = 0x1c,
       PCI_BAR5 = 0x24,
       PCI_SUBSYSTEM = 0x2c,
       PCI_CAP_PTR = 0x34,
       PCI_INT_LINE = 0x3c,
       PCI_INT_PIN = 0x3d,
       PCI_COMMAND_MASTER = 1 << 2,
       PCI_COMMAND_WRITABLE = 0x0547, /* IO, memory, master, parity, SERR, INTx disable */
       PCI_STATUS_CAPS = 1 << 4,
       MSI_CONTROL = 2,
       MSI_ENABLE = 1 << 0,
       MSI_64BIT = 1 << 7,
       PCIE_DEVCAP = 4,
       PCIE_DEVCTL = 8,
       PCIE_DEVCTL_FLR = 1 << 15,
};
enum { /* where P1 has its capabilities, and what else is there */
       P1_PM = 0x60,
       P1_MSI = 0x68,
       P1_PCIE = 0x78,
       P1_VENDOR = 0xb4,
       P1_VC = 0x100,
       P1_PWR_BUDGET = 0x128,
       P1_LTR = 0x250,
       P1_L1SS = 0x258,
       P1_AER = 0x420,
       P1_VSEC = 0x600,
       P1_SECPCI = 0x900,
       P1_REBAR = 0xbb0,
       P1_PL16G = 0xc1c,
       P1_LMR = 0xd00,
       P1_DLF = 0xe00,
       P1_ROM_SHADOW = 0x50,  /* bit 0; nouveau toggles it around PROM reads (vbios.md 1) */
       P1_HDA_ENABLE = 0x488, /* Linux's quirk wants plain storage (vfio-user.md 4) */
       P1_MSI_REARM = 0x704,
};
/* Linux PCI ids of extended capabilities (PCI Express base specification). */
enum {
    EXT_AER = 1,
    EXT_VC = 2,
    EXT_PWR = 4,
    EXT_VSEC = 0xb,
    EXT_REBAR = 0x15,
    EXT_LTR = 0x18,
    EXT_SECPCI = 0x19,
    EXT_L1SS = 0x1e,
    EXT_DLF = 0x25,
    EXT_PL16G = 0x26,
    EXT_LMR = 0x27
};

static void put16(struct cfgspace *c, uint32_t off, uint32_t v, uint32_t writable)
{
    put_le16(c->image + off, (uint16_t)v);
    put_le16(c->wmask + off, (uint16_t)writable);
}

static void put32(struct cfgspace *c, uint32_t off, uint32_t v, uint32_t writable)
{
    put_le32(c->image + off, v);
    put_le32(c->wmask + off, writable);
}

static void put_ext(struct cfgspace *c, uint32_t off, uint32_t id, uint32_t version, uint32_t next)
{
    put32(c, off, id | version << 16 | next << 20, 0);
}

static uint32_t log2_u64(uint64_t v)
{
    uint32_t n = 0;
    while (v > 1) {
        v >>= 1;
        n++;
    }
    return n;
}

static void set_bar(struct cfgspace *c, unsigned index, uint64_t size, uint32_t type)
{
    const uint32_t off = PCI_BAR0 + 4 * index;
    const uint64_t mask = ~(size - 1);
    c->bar[index] = (struct model_bar){
        .size = size,
        .is_io = (type & 1) != 0,
        .is_64bit = (type & 1) == 0 && (type & 4) != 0,
        .prefetchable = (type & 1) == 0 && (type & 8) != 0,
    };
    put32(c, off, type, (uint32_t)mask);
    if (c->bar[index].is_64bit) {
        put32(c, off + 4, 0, (uint32_t)(mask >> 32));
    }
}

static void p1_capabilities(struct gpu_model *m)
{
    struct cfgspace *c = &m->cfg;
    /* Power management v3, PME from D0 and D3hot, no soft reset. */
    put16(c, P1_PM, 0x01 | P1_MSI << 8, 0);
    put16(c, P1_PM + 2, 0x4803, 0);
    put16(c, P1_PM + 4, 0x0008, 0x0103);
    /* MSI: one vector, 64-bit, not maskable. */
    c->msi = P1_MSI;
    put16(c, P1_MSI, 0x05 | P1_PCIE << 8, 0);
    put16(c, P1_MSI + MSI_CONTROL, MSI_64BIT, MSI_ENABLE | 0x70);
    put32(c, P1_MSI + 4, 0, ~3u);
    put32(c, P1_MSI + 8, 0, ~0u);
    put16(c, P1_MSI + 12, 0, 0xffff);
    /* PCI Express v2, Legacy Endpoint. DevCap: MPS 256, L0s unlimited, L1 < 64 us, ExtTag, RBE,
     * FLR. LnkCap of a 3090: 16 GT/s x16, ASPM L0s L1, L0s < 512 ns, L1 < 4 us, clock PM. */
    c->pcie = P1_PCIE;
    put16(c, P1_PCIE, 0x10 | P1_VENDOR << 8, 0);
    put16(c, P1_PCIE + 2, 0x0012, 0);
    put32(c, P1_PCIE + PCIE_DEVCAP, 0x10008de1, 0);
    put16(c, P1_PCIE + PCIE_DEVCTL, 0x2910, 0x7fff); /* MaxReadReq 512 */
    put32(c, P1_PCIE + 12, 0x00453d04, 0);
    put16(c, P1_PCIE + 16, 0x0040, 0x0fdb);
    put16(c, P1_PCIE + 18, 0x1104, 0);
    put32(c, P1_PCIE + 0x24, 0x00030813, 0); /* time-outs A B, LTR, 10-bit tags */
    put16(c, P1_PCIE + 0x28, 0, 0x14ff);
    put32(c, P1_PCIE + 0x2c, 0x0000001e, 0); /* 2.5 to 16 GT/s */
    put16(c, P1_PCIE + 0x30, 0x0004, 0x00ff);
    put16(c, P1_VENDOR, 0x09, 0);
    put16(c, P1_VENDOR + 2, 0x14, 0);

    put_ext(c, P1_VC, EXT_VC, 1, P1_LTR);
    put32(c, P1_VC + 0x14, 0x800000ff, 0x000000fe); /* VC0: enabled, all classes */
    put_ext(c, P1_LTR, EXT_LTR, 1, P1_L1SS);
    put32(c, P1_LTR + 4, 0, 0x1fff1fff);
    put_ext(c, P1_L1SS, EXT_L1SS, 1, P1_PWR_BUDGET);
    put32(c, P1_L1SS + 4, 0x0028ff1f, 0);
    put32(c, P1_L1SS + 8, 0, 0xe3ffff0f);
    put32(c, P1_L1SS + 12, 0x28, 0xfb);
    put_ext(c, P1_PWR_BUDGET, EXT_PWR, 1, P1_AER);
    put32(c, P1_PWR_BUDGET + 4, 0, 0xff);
    put_ext(c, P1_AER, EXT_AER, 2, P1_VSEC);
    put32(c, P1_AER + 8, 0, 0x03fff030);
    put32(c, P1_AER + 0xc, 0x00462030, 0x03fff030);
    put32(c, P1_AER + 0x14, 0xa000, 0xf1c1);
    put32(c, P1_AER + 0x18, 0xa0, 0x140);
    put_ext(c, P1_VSEC, EXT_VSEC, 1, P1_SECPCI);
    put32(c, P1_VSEC + 4, 0x02410001, 0); /* id 1, revision 1, length 0x24 */
    put_ext(c, P1_SECPCI, EXT_SECPCI, 1, P1_REBAR);
    put_ext(c, P1_REBAR, EXT_REBAR, 1, P1_PL16G);
    put_ext(c, P1_PL16G, EXT_PL16G, 1, P1_LMR);
    put_ext(c, P1_LMR, EXT_LMR, 1, P1_DLF);
    put_ext(c, P1_DLF, EXT_DLF, 1, 0);
    /* Resizable BAR, three entries: BAR0 and BAR3 one size each. The size field stays as it is: a
     * region's size is fixed at start (vfio-user.md 4). */
    const struct model_board *b = m->board;
    const uint32_t bar0_n = log2_u64(b->bar0_mib), bar1_n = log2_u64(b->bar1_mib);
    const uint32_t bar3_n = log2_u64(b->bar3_mib);
    put32(c, P1_REBAR + 0x04, 1u << (4 + bar0_n), 0);
    put32(c, P1_REBAR + 0x08, 0u | 3u << 5 | bar0_n << 8, 0);
    put32(c, P1_REBAR + 0x0c, b->bar1_sizes, 0);
    put32(c, P1_REBAR + 0x10, 1u | bar1_n << 8, 0);
    put32(c, P1_REBAR + 0x14, 1u << (4 + bar3_n), 0);
    put32(c, P1_REBAR + 0x18, 3u | bar3_n << 8, 0);

    put32(c, P1_ROM_SHADOW, 1, 1);
    put32(c, P1_HDA_ENABLE, 0, 0xffffffff);
    put32(c, P1_MSI_REARM, 0, 0);
}

void model_config_init(struct gpu_model *m)
{
    struct cfgspace *c = &m->cfg;
    const struct model_board *b = m->board;
    memset(c, 0, sizeof(*c));
    put16(c, 0x00, 0x10de, 0);
    put16(c, 0x02, b->device, 0);
    put16(c, PCI_COMMAND, 0, PCI_COMMAND_WRITABLE);
    put16(c, PCI_STATUS, PCI_STATUS_CAPS, 0);
    put32(c, 0x08, 0xa1 | b->class_code << 8, 0); /* revision a1 on every board seen */
    c->wmask[0x0c] = 0xff;                        /* cache line size */
    put32(c, PCI_SUBSYSTEM, (uint32_t)b->subvendor | (uint32_t)b->subdevice << 16, 0);
    c->image[PCI_CAP_PTR] = P1_PM;
    c->wmask[PCI_INT_LINE] = 0xff;
    c->image[PCI_INT_PIN] = 1;
    /* No expansion ROM: what a ROM BAR shows does not hold FWSEC, and nobody needs it (vbios.md 1).
     */
    set_bar(c, 0, MIB(b->bar0_mib), 0x0);
    set_bar(c, 1, MIB(b->bar1_mib), 0xc);
    set_bar(c, 3, MIB(b->bar3_mib), 0xc);
    set_bar(c, 5, 128, 0x1);
    p1_capabilities(m);
}

uint32_t model_config_read(struct gpu_model *m, uint32_t off, unsigned size)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < size && off + i < CFG_SIZE; i++) {
        v |= (uint32_t)m->cfg.image[off + i] << (8 * i);
    }
    return v;
}

void model_config_write(struct gpu_model *m, uint32_t off, unsigned size, uint32_t value)
{
    struct cfgspace *c = &m->cfg;
    const uint32_t devctl = c->pcie + (uint32_t)PCIE_DEVCTL;
    bool flr = false;
    for (unsigned i = 0; i < size && off + i < CFG_SIZE; i++) {
        const uint32_t at = off + i;
        const uint8_t v = (uint8_t)(value >> (8 * i));
        c->image[at] = (uint8_t)((c->image[at] & ~c->wmask[at]) | (v & c->wmask[at]));
        flr = flr || (at == devctl + 1 && (v & (PCIE_DEVCTL_FLR >> 8)) != 0);
    }
    if (off <= P1_MSI_REARM && off + size > P1_MSI_REARM) {
        model_intr_rearm(m);
    }
    if (flr && (get_le32(c->image + c->pcie + PCIE_DEVCAP) & 1u << 28) != 0) {
        model_trace_text(m, "function level reset");
        model_reset(m, MODEL_RESET_FLR);
    }
}

bool model_config_bus_master(const struct gpu_model *m)
{
    return (m->cfg.image[PCI_COMMAND] & PCI_COMMAND_MASTER) != 0;
}

bool model_config_msi_enabled(const struct gpu_model *m)
{
    return m->cfg.msi != 0 && (m->cfg.image[m->cfg.msi + MSI_CONTROL] & MSI_ENABLE) != 0;
}

uint64_t model_config_bar_base(const struct gpu_model *m, unsigned bar)
{
    const struct cfgspace *c = &m->cfg;
    const uint32_t off = PCI_BAR0 + 4 * bar;
    uint64_t v = get_le32(c->image + off) & get_le32(c->wmask + off);
    if (c->bar[bar].is_64bit) {
        v |= (uint64_t)get_le32(c->image + off + 4) << 32;
    }
    return v;
}

/* ---- public ---- */

uint32_t model_cfg_read(struct gpu_model *m, uint16_t off, unsigned size)
{
    if (m->unplugged) {
        return 0xffffffffu >> (32 - 8 * size);
    }
    return model_config_read(m, off, size);
}

void model_cfg_write(struct gpu_model *m, uint16_t off, unsigned size, uint32_t value)
{
    if (!m->unplugged) {
        model_config_write(m, off, size, value);
    }
}

void model_bar_info(const struct gpu_model *m, unsigned bar, struct model_bar *out)
{
    *out = bar < MODEL_BARS ? m->cfg.bar[bar] : (struct model_bar){0};
}

unsigned model_msi_count(const struct gpu_model *m) { return m->board->msi_vectors; }
unsigned model_msix_count(const struct gpu_model *m) { return m->board->msix_vectors; }
