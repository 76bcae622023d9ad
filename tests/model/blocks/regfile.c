/* SPDX-License-Identifier: MIT */
/*
 * Where an access to a BAR goes: handlers by range, faults, trace, and the books on what nobody
 * models. An access has one of three answers: modelled; not modelled (reads 0, counted); refused by
 * the part that owns the register.
 */
#include <string.h>

#include "tests/model/bus/border.h"
#include "tests/model/model_priv.h"

static bool gsp_falcon_read(struct gpu_model *m, uint32_t off, uint32_t *v)
{
    return model_falcon_read(m, &m->gsp_falcon, off - NV_PGSP_BASE, v);
}
static bool gsp_falcon_write(struct gpu_model *m, uint32_t off, uint32_t v)
{
    return model_falcon_write(m, &m->gsp_falcon, off - NV_PGSP_BASE, v);
}
static bool sec2_read(struct gpu_model *m, uint32_t off, uint32_t *v)
{
    return model_falcon_read(m, &m->sec2, off - NV_PSEC_BASE, v);
}
static bool sec2_write(struct gpu_model *m, uint32_t off, uint32_t v)
{
    return model_falcon_write(m, &m->sec2, off - NV_PSEC_BASE, v);
}
/* THERM on Turing to Ada: the temperature; from Hopper on: whether the FSP is there. */
static bool therm_read(struct gpu_model *m, uint32_t off, uint32_t *v)
{
    struct NV_THERM_SENSOR r = {0};
    if (off != NV_THERM_SENSOR__OFFSET || m->chip->fsp != NULL) {
        return model_fsp_read(m, off, v);
    }
    r = NV_THERM_SENSOR__with_VALID(r, 1);
    *v = NV_THERM_SENSOR__with_CELSIUS(r, model_celsius(m)).raw;
    return true;
}
static bool mirror_read(struct gpu_model *m, uint32_t off, uint32_t *v)
{
    if (off - m->chip->mirror_base >= CFG_SIZE) {
        return false;
    }
    *v = model_config_read(m, off - m->chip->mirror_base, 4);
    return true;
}
static bool mirror_write(struct gpu_model *m, uint32_t off, uint32_t v)
{
    if (off - m->chip->mirror_base >= CFG_SIZE) {
        return false;
    }
    model_config_write(m, off - m->chip->mirror_base, 4, v);
    return true;
}
/* The place of the PRAMIN window, from Hopper on: video memory only. */
static bool xal_read(struct gpu_model *m, uint32_t off, uint32_t *v)
{
    *v = m->vram.window;
    return off == NV_XAL_EP_BAR0_WINDOW__OFFSET && m->chip->window_mask != 0;
}
static bool xal_write(struct gpu_model *m, uint32_t off, uint32_t v)
{
    if (off != NV_XAL_EP_BAR0_WINDOW__OFFSET || m->chip->window_mask == 0) {
        return false;
    }
    m->vram.window = v & m->chip->window_mask;
    return true;
}
static bool prom_window_read(struct gpu_model *m, uint32_t off, uint32_t *v)
{
    *v = model_prom_read(m, off - NV_PROM_BASE);
    return true;
}
static bool prom_window_write(struct gpu_model *m, uint32_t off, uint32_t v)
{
    model_rule_broken(m, RULE_PROM_WRITE, "wrote 0x%08x to 0x%06x in the PROM window", v, off);
    return true;
}

static bool ce_read(struct gpu_model *m, uint32_t off, uint32_t *v)
{
    *v = model_grce_mask(m);
    return off == NV_CE_GRCE_MASK__OFFSET && m->chip->family == F_GB20X;
}

struct range {
    uint32_t first, last;
    bool (*read)(struct gpu_model *m, uint32_t off, uint32_t *v);
    bool (*write)(struct gpu_model *m, uint32_t off, uint32_t v);
};
/* Ascending, so that a search may stop early. Blocks as in registers.md. */
static const struct range ranges[] = {
    {0x000000, 0x001fff, model_pmc_read, model_pmc_write}, /* PMC, PBUS */
    {0x009000, 0x009fff, model_pmc_read, model_pmc_write}, /* PTIMER */
    {0x020000, 0x020fff, therm_read, NULL},                /* THERM */
    {0x021000, 0x021fff, model_fuse_read, NULL},           /* fuses, Turing */
    {0x070000, 0x070fff, model_pmc_read, model_pmc_write}, /* flushes */
    {0x088000, 0x088fff, mirror_read, mirror_write},       /* to Ada */
    {0x092000, 0x092fff, mirror_read, mirror_write},       /* from Hopper on */
    {0x100000, 0x101fff, model_pfb_read, model_pfb_write}, /* PFB, straps */
    {0x104000, 0x104fff, ce_read, NULL},                   /* copy engines */
    {0x10f000, 0x10ffff, xal_read, xal_write},             /* endpoint, from Hopper on */
    {NV_PGSP_BASE, NV_PGSP_BASE + NV_FALCON_SPAN - 1, gsp_falcon_read, gsp_falcon_write},
    {0x118000, 0x118fff, model_pfb_read, model_pfb_write}, /* PGC6 */
    {0x1fa000, 0x1fafff, model_pfb_read, model_pfb_write}, /* MMU */
    {NV_PROM_BASE, NV_PROM_BASE + NV_PROM_SIZE - 1, prom_window_read, prom_window_write},
    {MODEL_VGA_BASE, MODEL_VGA_BASE + MODEL_VGA_BYTES - 1, model_vga_read, model_vga_write},
    {0x625000, 0x625fff, model_pfb_read, model_pfb_write}, /* display */
    {0x820000, 0x824fff, model_fuse_read, NULL},
    {NV_PSEC_BASE, NV_PSEC_BASE + NV_FALCON_SPAN - 1, sec2_read, sec2_write},
    {0x870000, 0x870fff, model_flush_page_read, model_flush_page_write}, /* HSHUB */
    {0x8a1000, 0x8a1fff, model_flush_page_read, model_flush_page_write}, /* FBHUB0 */
    {0x8f0000, 0x8f3fff, model_fsp_read, model_fsp_write},               /* FSP */
    {0xad0000, 0xad0fff, model_fsp_read, NULL},                          /* THERM on GB20x */
    {0xb80000, 0xb9ffff, model_vf_read, model_vf_write},
    {0xbb0000, 0xbbffff, model_vf_read, model_vf_write},
};

static const struct range *find_range(uint32_t off)
{
    size_t lo = 0, hi = ARRAY_SIZE(ranges);
    while (lo < hi) {
        const size_t mid = (lo + hi) / 2;
        if (off > ranges[mid].last) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < ARRAY_SIZE(ranges) && off >= ranges[lo].first ? &ranges[lo] : NULL;
}

uint32_t model_regfile_read(struct gpu_model *m, uint32_t off)
{
    const struct range *r = find_range(off);
    uint32_t v = 0;
    if (r == NULL || r->read == NULL || !r->read(m, off, &v)) {
        model_report_unmodelled(m, off, false, 0);
        v = 0;
    }
    return v;
}

void model_regfile_write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    const struct range *r = find_range(off);
    if (r == NULL || r->write == NULL || !r->write(m, off, value)) {
        model_report_unmodelled(m, off, true, value);
    }
    model_readonly_check(m, off, value);
}

/* ---- public: BAR accesses ---- */

static bool count_access(struct gpu_model *m)
{
    m->access++;
    if (!m->unplugged) {
        if ((m->unplug_at != 0 && m->access >= m->unplug_at) ||
            (m->faults.count != 0 && model_fault_access(m))) {
            model_unplug(m);
        }
    }
    return !m->unplugged;
}

static uint32_t read32(struct gpu_model *m, uint32_t off)
{
    uint32_t v = model_regfile_read(m, off);
    model_report_touch(m, off);
    if (m->faults.count != 0) {
        v = model_fault_read(m, off, v);
    }
    if (off < NV_PROM_BASE || off >= NV_PROM_BASE + NV_PROM_SIZE) {
        model_report_spin(m, off, v);
    }
    if (m->trace_file != NULL) {
        model_trace_reg(m, false, off, v);
    }
    return v;
}

static void write32(struct gpu_model *m, uint32_t off, uint32_t v)
{
    if (m->trace_file != NULL) {
        model_trace_reg(m, true, off, v);
    }
    if (m->faults.count != 0 && !model_fault_write(m, off, &v)) {
        return;
    }
    m->report.spin_count = 0;
    model_report_touch(m, off);
    model_regfile_write(m, off, v);
}

/* What the PRAMIN window shows at off: video memory or the bus. */
static uint64_t pramin_access(struct gpu_model *m, uint32_t off, unsigned size, bool write,
                              uint64_t value)
{
    const struct NV_PBUS_BAR0_WINDOW w = {m->vram.window};
    const uint64_t addr = ((uint64_t)NV_PBUS_BAR0_WINDOW__BASE(w) << 16) + off;
    if (NV_PBUS_BAR0_WINDOW__TARGET(w) != NV_PBUS_BAR0_WINDOW__TARGET_VID_MEM) {
        uint8_t b[8] = {0};
        if (write) {
            put_le64(b, value);
            model_dma_write(m, addr, b, size, "PRAMIN window");
            return 0;
        }
        model_dma_read(m, addr, b, size, "PRAMIN window");
        return get_le64(b);
    }
    if (write) {
        model_vram_cpu_write(m, addr, size, value);
        return 0;
    }
    return model_vram_cpu_read(m, addr, size);
}

static bool in_pramin(uint64_t off) { return off - NV_PRAMIN_BASE < NV_PRAMIN_SIZE; }

static uint64_t bar0_read(struct gpu_model *m, uint64_t off, unsigned size)
{
    if (in_pramin(off)) {
        const uint64_t v = pramin_access(m, (uint32_t)(off - NV_PRAMIN_BASE), size, false, 0);
        if (m->trace_file != NULL) {
            model_trace_reg(m, false, (uint32_t)off, (uint32_t)v);
        }
        return v;
    }
    if (size == 8) {
        const uint64_t lo = read32(m, (uint32_t)off);
        return lo | (uint64_t)read32(m, (uint32_t)off + 4) << 32;
    }
    const uint32_t v = read32(m, (uint32_t)off & ~3u);
    return (uint64_t)v >> (8 * (off & 3)) & (0xffffffffu >> (32 - 8 * size));
}

static void bar0_write(struct gpu_model *m, uint64_t off, unsigned size, uint64_t value)
{
    if (in_pramin(off)) {
        if (m->trace_file != NULL) {
            model_trace_reg(m, true, (uint32_t)off, (uint32_t)value);
        }
        pramin_access(m, (uint32_t)(off - NV_PRAMIN_BASE), size, true, value);
    } else if (size == 8) {
        write32(m, (uint32_t)off, (uint32_t)value);
        write32(m, (uint32_t)off + 4, (uint32_t)(value >> 32));
    } else if (size == 4) {
        write32(m, (uint32_t)off, (uint32_t)value);
    } else if (off - m->chip->mirror_base < CFG_SIZE) {
        model_config_write(m, (uint32_t)(off - m->chip->mirror_base), size, (uint32_t)value);
    } else if (off - MODEL_VGA_BASE < MODEL_VGA_BYTES) {
        model_vga_write_bytes(m, (uint32_t)off, size, (uint32_t)value);
    } else {
        model_rule_broken(m, RULE_BAR0_NARROW_WRITE, "%u-byte write of 0x%x to 0x%06x", size,
                          (unsigned)value, (unsigned)off);
    }
}

/* BAR1 and BAR2 are the two after the registers; which PCI BARs they are depends on the board. */
static bool mapped_bar(const struct gpu_model *m, unsigned bar, unsigned *which)
{
    *which = bar == m->cfg.vram_bar ? MODEL_BAR1 : MODEL_BAR2;
    return bar == m->cfg.vram_bar || bar == m->cfg.inst_bar;
}

static uint64_t bar_read(struct gpu_model *m, unsigned bar, uint64_t off, unsigned size)
{
    unsigned which;
    m->stats.reads++;
    const uint64_t ones = ~0ull >> (64 - 8 * size);
    if (!count_access(m) || bar >= MODEL_BARS || !range_ok(off, size, m->cfg.bar[bar].size)) {
        return ones;
    }
    if (bar == 0) {
        return bar0_read(m, off, size) & ones;
    }
    if (mapped_bar(m, bar, &which)) {
        return model_bar_read_mapped(m, which, off, size) & ones;
    }
    model_report_unmodelled(m, (uint32_t)bar << 28 | (uint32_t)(off & 0x0ffffffc), false, 0);
    return 0;
}

uint64_t model_bar_read(struct gpu_model *m, unsigned bar, uint64_t off, unsigned size)
{
    const uint64_t v = bar_read(m, bar, off, size);
    MODEL_LEAVES(&v, sizeof(v));
    return v;
}

void model_bar_write(struct gpu_model *m, unsigned bar, uint64_t off, unsigned size, uint64_t value)
{
    unsigned which;
    m->stats.writes++;
    if (!count_access(m) || bar >= MODEL_BARS || !range_ok(off, size, m->cfg.bar[bar].size)) {
        return;
    }
    if (bar == 0) {
        bar0_write(m, off, size, value);
    } else if (mapped_bar(m, bar, &which)) {
        model_bar_write_mapped(m, which, off, size, value);
    } else {
        model_report_unmodelled(m, (uint32_t)bar << 28 | (uint32_t)(off & 0x0ffffffc), true,
                                (uint32_t)value);
    }
}
