/* SPDX-License-Identifier: MIT */
/*
 * Configuration space: a 4 KiB image and a write mask. Status bits that a write of 1 clears
 * are never set, so they need no third table. What is where is data (cfg_layouts.c). The few writes
 * with an effect: function level reset (Device Control bit 15) and the MSI re-arm at 0x704 up to
 * Ada (interrupts.md 5). The mirror in BAR0 is the same space.
 */
#include "tests/model/bus/config.h"

#include <string.h>

#include "arch/base.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/boards/boards.h"
#include "tests/model/bus/cfg_layouts.h"
#include "tests/model/gpu.h"
#include "tests/model/model.h"

enum { /* PCI standard offsets */
       PCI_COMMAND = 0x04,
       PCI_STATUS = 0x06,
       PCI_BAR0 = 0x10,
       PCI_SUBSYSTEM = 0x2c,
       PCI_CAP_PTR = 0x34,
       PCI_INT_LINE = 0x3c,
       PCI_INT_PIN = 0x3d,
       PCI_COMMAND_MASTER = 1 << 2,
       PCI_COMMAND_WRITABLE = 0x0547, /* IO, memory, master, parity, SERR, INTx disable */
       PCI_COMMAND_INTX_DISABLE = 1 << 10,
       PCI_STATUS_INTX = 1 << 3,
       PCI_STATUS_CAPS = 1 << 4,
       MSI_CONTROL = 2,
       MSI_ENABLE = 1 << 0,
       PCIE_DEVCAP = 4,
       PCIE_DEVCTL = 8,
       PCIE_DEVCTL_FLR = 1 << 15,
};
#define PCIE_DEVCAP_FLR (1u << 28)
enum { /* offsets in capabilities, and bits */
       MSI_ADDRESS = 4,
       MSI_DATA_64 = 12,
       MSI_MASK_64 = 16,
       MSI_MASKABLE = 1 << 8,
       MSI_MME = 7 << 4,
       MSIX_CONTROL = 2,
       MSIX_TABLE = 4,
       MSIX_PBA = 8,
       MSIX_ENABLE = 1 << 15,
       MSIX_WRITABLE = 0xc000,   /* enable, mask all */
       TABLE_IN_BAR0 = 0xb90000, /* interrupts.md 5; BAR indicator 0 */
       PBA_IN_BAR0 = 0xba0000,
       PCIE_CAPS = 2,
       PCIE_VERSION = 2,
       PCIE_LEGACY = 1 << 4,
       PCIE_LNKCAP = 12,
       PCIE_LNKSTA = 18,
       PCIE_LNKCAP2 = 0x2c,
       PCIE_LNKCTL2 = 0x30,
       LNKSTA_X16 = 0x1100,
       REBAR_FIRST = 4,
       REBAR_ENTRY = 8,
       SRIOV_VFS = 0xc,
       SRIOV_OFFSET = 0x14,
       SRIOV_DEVICE = 0x18,
       SRIOV_PAGES = 0x1c,
       SRIOV_SYSTEM_PAGE = 0x20,
       SRIOV_PAGE_SIZES = 0x573,
       SRIOV_BAR0 = 0x24,
       SRIOV_BAR1 = 0x28,
       SRIOV_BAR2 = 0x2c,
       SRIOV_BAR3 = 0x30,
       SRIOV_BAR4 = 0x34,
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

static void put_chains(struct gpu_model *m, const struct cfg_layout *l)
{
    struct cfgspace *c = m->cfg;
    c->image[PCI_CAP_PTR] = l->caps[0].off;
    for (size_t i = 0; i < l->cap_count; i++) {
        const uint32_t next = i + 1 < l->cap_count ? l->caps[i + 1].off : 0;
        put16(c, l->caps[i].off, l->caps[i].id | next << 8, 0);
    }
    uint32_t last = 0;
    for (size_t i = 0; i < l->ext_count; i++) {
        const struct cfg_ext *e = &l->ext[i];
        if (e->min_gen > m->board->link_gen || (e->only_sriov && m->board->vf_count == 0)) {
            continue;
        }
        if (last != 0) {
            put_le32(c->image + last, get_le32(c->image + last) | (uint32_t)e->off << 20);
        }
        put32(c, e->off, e->id | (uint32_t)e->version << 16, 0);
        last = e->off;
    }
}

static void put_interrupts(struct gpu_model *m, const struct cfg_layout *l)
{
    struct cfgspace *c = m->cfg;
    c->msi = l->msi;
    c->msix = m->board->msix_vectors != 0 ? l->msix : 0;
    if (l->msi != 0) {
        put16(c, l->msi + MSI_CONTROL, l->msi_control, MSI_ENABLE | MSI_MME);
        put32(c, l->msi + MSI_ADDRESS, 0, ~3u);
        put32(c, l->msi + MSI_ADDRESS + 4u, 0, ~0u);
        put16(c, l->msi + MSI_DATA_64, 0, 0xffff);
        if ((l->msi_control & MSI_MASKABLE) != 0) {
            put32(c, l->msi + MSI_MASK_64, 0, (1u << m->board->msi_vectors) - 1);
        }
    }
    if (c->msix != 0) {
        put16(c, l->msix + MSIX_CONTROL, m->board->msix_vectors - 1, MSIX_WRITABLE);
        put32(c, l->msix + MSIX_TABLE, TABLE_IN_BAR0, 0);
        put32(c, l->msix + MSIX_PBA, PBA_IN_BAR0, 0);
    }
}

static void put_express(struct gpu_model *m, const struct cfg_layout *l)
{
    struct cfgspace *c = m->cfg;
    const uint32_t gen = m->board->link_gen;
    c->pcie = l->pcie;
    put16(c, l->pcie + PCIE_CAPS, PCIE_VERSION | (m->board->endpoint ? 0u : PCIE_LEGACY), 0);
    put32(c, l->pcie + PCIE_DEVCAP, m->board->no_flr ? l->devcap & ~PCIE_DEVCAP_FLR : l->devcap, 0);
    put32(c, l->pcie + PCIE_LNKCAP, l->linkcap | gen, 0);
    put16(c, l->pcie + PCIE_LNKSTA, LNKSTA_X16 | gen, 0);
    put32(c, l->pcie + PCIE_LNKCAP2, (2u << gen) - 2, 0);
    put16(c, l->pcie + PCIE_LNKCTL2, gen, 0xff);
}

static void put_rebar_entry(struct cfgspace *c, uint32_t off, uint32_t sizes, uint32_t bar,
                            uint32_t mib, uint32_t count)
{
    put32(c, off, sizes, 0);
    put32(c, off + 4, bar | count << 5 | log2_u64(mib) << 8, 0);
}

/* The size field stays as it is: a region's size is fixed at start (vfio-user.md 4). */
static void put_rebar(struct gpu_model *m, const struct cfg_layout *l)
{
    const struct model_board *b = m->board;
    struct cfgspace *c = m->cfg;
    uint32_t at = l->rebar + (uint32_t)REBAR_FIRST;
    if (!l->rebar_all) {
        put_rebar_entry(c, at, b->bar1_sizes, l->vram_bar, b->bar1_mib, 1);
        return;
    }
    put_rebar_entry(c, at, 1u << (4 + log2_u64(b->bar0_mib)), 0, b->bar0_mib, 3);
    at += REBAR_ENTRY;
    put_rebar_entry(c, at, b->bar1_sizes, l->vram_bar, b->bar1_mib, 0);
    at += REBAR_ENTRY;
    put_rebar_entry(c, at, 1u << (4 + log2_u64(b->bar3_mib)), l->inst_bar, b->bar3_mib, 0);
}

/* As an L20 shows it, with the board's count and id. It cannot be enabled: the model has no virtual
 * functions, and a driver that tries finds VF Enable 0. */
static void put_sriov(struct gpu_model *m, const struct cfg_layout *l)
{
    const struct model_board *b = m->board;
    struct cfgspace *c = m->cfg;
    if (l->sriov == 0 || b->vf_count == 0) {
        return;
    }
    put32(c, l->sriov + SRIOV_VFS, b->vf_count | b->vf_count << 16, 0);
    put32(c, l->sriov + SRIOV_OFFSET, 4 | 1u << 16, 0);
    put32(c, l->sriov + SRIOV_DEVICE, b->vf_device << 16, 0);
    put32(c, l->sriov + SRIOV_PAGES, SRIOV_PAGE_SIZES, 0);
    put32(c, l->sriov + SRIOV_SYSTEM_PAGE, 1, SRIOV_PAGE_SIZES);
    put32(c, l->sriov + SRIOV_BAR0, 0, ~(uint32_t)(KIB(256) - 1));
    put32(c, l->sriov + SRIOV_BAR1, 0xc, ~(uint32_t)(GIB(2) - 1));
    put32(c, l->sriov + SRIOV_BAR2, 0, ~0u);
    put32(c, l->sriov + SRIOV_BAR3, 0xc, ~(uint32_t)(MIB(32) - 1));
    put32(c, l->sriov + SRIOV_BAR4, 0, ~0u);
}

static void reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    struct cfgspace *c = m->cfg;
    const struct model_board *b = m->board;
    const struct cfg_layout *l = &model_cfg_layouts[b->layout];
    memset(c, 0, sizeof(*c));
    put16(c, 0x00, 0x10de, 0);
    put16(c, 0x02, b->device, 0);
    put16(c, PCI_COMMAND, 0, PCI_COMMAND_WRITABLE);
    put16(c, PCI_STATUS, PCI_STATUS_CAPS, 0);
    put32(c, 0x08, 0xa1 | b->class_code << 8, 0); /* revision a1 on every board seen */
    c->wmask[0x0c] = 0xff;                        /* cache line size */
    put32(c, PCI_SUBSYSTEM, (uint32_t)b->subvendor | (uint32_t)b->subdevice << 16, 0);
    c->wmask[PCI_INT_LINE] = 0xff;
    c->image[PCI_INT_PIN] = 1;
    /* No expansion ROM: what a ROM BAR shows does not hold FWSEC, and nobody needs it (vbios.md 1).
     */
    c->vram_bar = l->vram_bar;
    c->inst_bar = l->inst_bar;
    c->rearm = l->rearm;
    set_bar(c, 0, MIB(b->bar0_mib), l->regs_type);
    set_bar(c, l->vram_bar, MIB(b->bar1_mib), 0xc);
    set_bar(c, l->inst_bar, MIB(b->bar3_mib), 0xc);
    if (l->io_bar) {
        set_bar(c, 5, 128, 0x1);
    }
    put_chains(m, l);
    put_interrupts(m, l);
    put_express(m, l);
    put_rebar(m, l);
    put_sriov(m, l);
    for (size_t i = 0; i < l->word_count; i++) {
        const struct cfg_word *w = &l->words[i];
        (w->size == 2 ? put16 : put32)(c, w->off, w->value, w->writable);
    }
}

uint32_t model_config_read(struct gpu_model *m, uint32_t off, unsigned size)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < size && off + i < CFG_SIZE; i++) {
        v |= (uint32_t)m->cfg->image[off + i] << (8 * i);
    }
    return v;
}

unsigned model_config_write(struct gpu_model *m, uint32_t off, unsigned size, uint32_t value)
{
    struct cfgspace *c = m->cfg;
    const uint32_t devctl = c->pcie + (uint32_t)PCIE_DEVCTL;
    bool flr = false;
    for (unsigned i = 0; i < size && off + i < CFG_SIZE; i++) {
        const uint32_t at = off + i;
        const uint8_t v = (uint8_t)(value >> (8 * i));
        c->image[at] = (uint8_t)((c->image[at] & ~c->wmask[at]) | (v & c->wmask[at]));
        flr = flr || (at == devctl + 1 && (v & (PCIE_DEVCTL_FLR >> 8)) != 0);
    }
    flr = flr && (get_le32(c->image + c->pcie + PCIE_DEVCAP) & PCIE_DEVCAP_FLR) != 0;
    const bool rearm = c->rearm != 0 && off <= c->rearm && off + size > c->rearm;
    return (rearm ? CFG_REARM : 0u) | (flr ? CFG_FLR : 0u);
}

bool model_config_bus_master(const struct gpu_model *m)
{
    return (m->cfg->image[PCI_COMMAND] & PCI_COMMAND_MASTER) != 0;
}

bool model_config_msi_enabled(const struct gpu_model *m)
{
    return m->cfg->msi != 0 && (m->cfg->image[m->cfg->msi + MSI_CONTROL] & MSI_ENABLE) != 0;
}

bool model_config_msix_enabled(const struct gpu_model *m)
{
    return m->cfg->msix != 0 &&
           (get_le16(m->cfg->image + m->cfg->msix + MSIX_CONTROL) & MSIX_ENABLE) != 0;
}

bool model_config_intx_disabled(const struct gpu_model *m)
{
    return (get_le16(m->cfg->image + PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE) != 0;
}

void model_config_intx_pending(struct gpu_model *m, bool pending)
{
    uint8_t *status = m->cfg->image + PCI_STATUS;
    *status = (uint8_t)(pending ? *status | PCI_STATUS_INTX : *status & ~PCI_STATUS_INTX);
}

uint64_t model_config_bar_base(const struct gpu_model *m, unsigned bar)
{
    const struct cfgspace *c = m->cfg;
    const uint32_t off = PCI_BAR0 + 4 * bar;
    uint64_t v = get_le32(c->image + off) & get_le32(c->wmask + off);
    if (c->bar[bar].is_64bit) {
        v |= (uint64_t)get_le32(c->image + off + 4) << 32;
    }
    return v;
}

const struct block config_block = {
    .name = "configuration space", BLOCK_STATE(cfg), .reset = reset, .resets_warm = true};
