/* SPDX-License-Identifier: MIT */
/*
 * Where an access to a BAR goes: blocks by page, faults, trace, and the books on what nobody
 * models. An access has one of three answers: modelled; not modelled (reads 0, counted); refused by
 * the part that owns the register.
 */

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/books/coverage.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/readonly.h"
#include "tests/model/books/strict.h"
#include "tests/model/books/trace.h"
#include "tests/model/bus/bar.h"
#include "tests/model/bus/border.h"
#include "tests/model/bus/config.h"
#include "tests/model/bus/dispatch.h"
#include "tests/model/gpu.h"
#include "tests/model/model.h"

static uint32_t register_read(struct gpu_model *m, uint32_t off)
{
    uint32_t v = 0;
    if (!model_block_read(m, off, &v)) {
        model_report_unmodelled(m, off, false, 0);
        v = 0;
    }
    return v;
}

static void register_write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    if (!model_block_write(m, off, value)) {
        model_report_unmodelled(m, off, true, value);
    }
    model_readonly_check(m, off, value);
}

/* ---- registers, with faults and books ---- */

static bool was_pulled(struct gpu_model *m)
{
    const int pulls = m->pulled != NULL ? *m->pulled : 0;
    const bool again = pulls != m->pulls_seen;
    m->pulls_seen = pulls;
    return again;
}

static bool count_access(struct gpu_model *m)
{
    m->access++;
    if (!m->unplugged) {
        if (was_pulled(m) || (m->unplug_at != 0 && m->access >= m->unplug_at) ||
            (m->faults->count != 0 && model_fault_access(m))) {
            model_unplug(m);
        }
    }
    return !m->unplugged;
}

static uint32_t read32(struct gpu_model *m, uint32_t off)
{
    uint32_t v = register_read(m, off);
    model_report_touch(m, off);
    if (m->faults->count != 0) {
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
    if (m->faults->count != 0 && !model_fault_write(m, off, &v)) {
        return;
    }
    m->coverage->spin_count = 0;
    model_report_touch(m, off);
    register_write(m, off, v);
}

/* ---- BARs ---- */

/* A window takes an access of any size. */
static const struct block *window_at(const struct gpu_model *m, uint64_t off)
{
    const struct block *b = model_block_at(m, off, 0);
    return b != NULL && b->window_read != NULL ? b : NULL;
}

static uint64_t bar0_read(struct gpu_model *m, uint64_t off, unsigned size)
{
    const struct block *window = window_at(m, off);
    if (window != NULL) {
        const uint64_t v = window->window_read(m, (uint32_t)off, size);
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

static void narrow_write(struct gpu_model *m, uint32_t off, unsigned size, uint32_t value)
{
    const struct block *b;
    for (unsigned n = 0; (b = model_block_at(m, off, n)) != NULL; n++) {
        if (b->write_narrow != NULL) {
            b->write_narrow(m, off, size, value);
            return;
        }
    }
    model_rule_broken(m, RULE_BAR0_NARROW_WRITE, "%u-byte write of 0x%x to 0x%06x", size, value,
                      off);
}

static void bar0_write(struct gpu_model *m, uint64_t off, unsigned size, uint64_t value)
{
    const struct block *window = window_at(m, off);
    if (window != NULL) {
        if (m->trace_file != NULL) {
            model_trace_reg(m, true, (uint32_t)off, (uint32_t)value);
        }
        window->window_write(m, (uint32_t)off, size, value);
    } else if (size == 8) {
        write32(m, (uint32_t)off, (uint32_t)value);
        write32(m, (uint32_t)off + 4, (uint32_t)(value >> 32));
    } else if (size == 4) {
        write32(m, (uint32_t)off, (uint32_t)value);
    } else {
        narrow_write(m, (uint32_t)off, size, (uint32_t)value);
    }
}

/* BAR1 and BAR2 are the two after the registers; which PCI BARs they are depends on the board. */
static bool mapped_bar(const struct gpu_model *m, unsigned bar, unsigned *which)
{
    *which = bar == m->cfg->vram_bar ? MODEL_BAR1 : MODEL_BAR2;
    return bar == m->cfg->vram_bar || bar == m->cfg->inst_bar;
}

static void trace_bar(struct gpu_model *m, char what, unsigned which, uint64_t off, unsigned size,
                      uint64_t value)
{
    if (m->trace_bars) {
        model_trace_text(m, "%c %s 0x%llx, %u bytes = 0x%llx", what,
                         which == MODEL_BAR1 ? "BAR1" : "BAR2", (unsigned long long)off, size,
                         (unsigned long long)value);
    }
}

static uint64_t bar_read(struct gpu_model *m, unsigned bar, uint64_t off, unsigned size)
{
    unsigned which;
    m->stats.reads++;
    const uint64_t ones = ~0ull >> (64 - 8 * size);
    if (!count_access(m) || bar >= MODEL_BARS || !range_ok(off, size, m->cfg->bar[bar].size)) {
        return ones;
    }
    if (bar == 0) {
        return bar0_read(m, off, size) & ones;
    }
    if (mapped_bar(m, bar, &which)) {
        const uint64_t v = model_bar_read_mapped(m, which, off, size) & ones;
        trace_bar(m, 'R', which, off, size, v);
        return v;
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
    if (!count_access(m) || bar >= MODEL_BARS || !range_ok(off, size, m->cfg->bar[bar].size)) {
        return;
    }
    if (bar == 0) {
        bar0_write(m, off, size, value);
    } else if (mapped_bar(m, bar, &which)) {
        trace_bar(m, 'W', which, off, size, value);
        model_bar_write_mapped(m, which, off, size, value);
    } else {
        model_report_unmodelled(m, (uint32_t)bar << 28 | (uint32_t)(off & 0x0ffffffc), true,
                                (uint32_t)value);
    }
}
