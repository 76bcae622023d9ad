/* SPDX-License-Identifier: MIT */
/*
 * What BAR1 and BAR2 show: video memory itself, or what the page tables behind an instance block
 * say. A GSP binds both to directories of its own when it comes up; a driver then fills in BAR1's,
 * and has the GSP fill in entry 0 of BAR2's. It may bind them itself as well, by registers: that
 * takes a while, until then what was bound before is shown. Source: mmu.md 6-8.
 */
#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/strict.h"
#include "tests/model/bus/bar.h"
#include "tests/model/bus/work.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/mmu.h"
#include "tests/model/memory/mmu_check.h"
#include "tests/model/memory/tlb.h"
#include "tests/model/memory/vram.h"
#include "tests/model/model.h"

enum { BIND_NS = 2000 };

/* ---- by the GSP ---- */

void model_bar_gsp_bind(struct gpu_model *m, unsigned which, uint64_t inst, uint64_t root)
{
    static const uint8_t zero[FL_PAGE_SIZE];
    const struct page_dir dir = {.root = root, .valid = true};
    model_vram_write(m, root, zero, sizeof(zero));
    model_vram_write(m, inst, zero, sizeof(zero));
    model_mmu_put_instance(m, inst, &dir);
    m->bars->bind[which] = (struct bar_bind){.inst = inst, .is_virtual = true};
    m->bars->binding[which] = false;
    model_tlb_invalidate(m, root);
    model_tlb_bound(m, &dir, false);
}

void model_bar_gsp_unbind(struct gpu_model *m)
{
    for (unsigned i = 0; i < MODEL_MAPPED_BARS; i++) {
        m->bars->bind[i] = (struct bar_bind){0};
        m->bars->binding[i] = false;
    }
}

bool model_bar_set_pde(struct gpu_model *m, uint32_t which, uint64_t value, uint64_t shift)
{
    enum { ROOT_SHIFT_V2 = 47, ROOT_SHIFT_V3 = 56 };
    uint8_t raw[8];
    const uint64_t want = (m->chip->family & F_FSP) != 0 ? ROOT_SHIFT_V3 : ROOT_SHIFT_V2;
    if (which >= MODEL_MAPPED_BARS || !m->bars->bind[which].is_virtual || shift != want) {
        return false;
    }
    put_le64(raw, value);
    const struct bar_bind *b = &m->bars->bind[which];
    const struct page_dir dir = model_mmu_instance(m, b->inst, b->target != 0);
    model_tlb_invalidate(m, dir.root); /* the GSP changes it, and the GSP sees to this */
    return dir.valid && !dir.sysmem && model_vram_write(m, dir.root, raw, sizeof(raw));
}

/* ---- by registers ---- */

static void begin(struct gpu_model *m, unsigned which, uint64_t inst, uint32_t target,
                  bool is_virtual)
{
    struct bar_state *s = m->bars;
    s->next[which] = (struct bar_bind){.inst = inst, .target = target, .is_virtual = is_virtual};
    s->binding[which] = true;
    s->stuck[which] = s->stuck[which] || model_fault_never_done(m, BUSY_BIND);
    model_schedule(m, WORK_BIND, BIND_NS);
}

static void done(struct gpu_model *m)
{
    struct bar_state *s = m->bars;
    for (unsigned i = 0; i < MODEL_MAPPED_BARS; i++) {
        if (s->binding[i] && !s->stuck[i]) {
            s->bind[i] = s->next[i];
            s->binding[i] = false;
            if (s->bind[i].is_virtual) {
                const bool sysmem = s->bind[i].target != 0;
                const struct page_dir dir = model_mmu_instance(m, s->bind[i].inst, sysmem);
                model_mmu_check_instance(m, s->bind[i].inst, sysmem);
                model_tlb_bound(m, &dir, false);
            }
        }
    }
}

/* The registers of both BARs; 0: there is none. */
struct registers {
    uint32_t block, old_block; /* a word that binds: Turing to Ada */
    uint32_t low, high;        /* a pair, the second of which binds: Hopper on */
};
static struct registers get_registers(const struct gpu_model *m, unsigned which)
{
    static const struct registers one[MODEL_MAPPED_BARS] = {
        {.block = NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK__OFFSET,
         .old_block = NV_PBUS_BAR1_BLOCK__OFFSET},
        {.block = NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR2_BLOCK__OFFSET}};
    static const struct registers pair[MODEL_MAPPED_BARS] = {
        {.low = NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK_LOW_ADDR__OFFSET,
         .high = NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK_HIGH_ADDR__OFFSET},
        {.low = NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR2_BLOCK_LOW_ADDR__OFFSET,
         .high = NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR2_BLOCK_HIGH_ADDR__OFFSET}};
    return (m->chip->family & F_FALCON_BOOT) != 0 ? one[which] : pair[which];
}

/* What is bound, or will be: the registers keep what was written. */
static struct bar_bind latest(const struct gpu_model *m, unsigned which)
{
    return m->bars->binding[which] ? m->bars->next[which] : m->bars->bind[which];
}

static uint32_t block_word(const struct bar_bind *b)
{
    struct NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK r = {0};
    r = NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK__with_PTR(r, (uint32_t)(b->inst >> FL_PAGE_SHIFT));
    r = NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK__with_TARGET(r, b->target);
    return NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK__with_MODE(r, b->is_virtual).raw;
}

static uint32_t low_word(const struct gpu_model *m, unsigned which)
{
    struct NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK_LOW_ADDR r = {m->bars->low[which]};
    const bool busy = m->bars->binding[which];
    r = NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK_LOW_ADDR__with_PENDING(r, busy);
    return NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK_LOW_ADDR__with_OUTSTANDING(r, busy).raw;
}

static void bind_by_word(struct gpu_model *m, unsigned which, uint32_t value)
{
    const struct NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK r = {value};
    begin(m, which, (uint64_t)NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK__PTR(r) << FL_PAGE_SHIFT,
          NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK__TARGET(r),
          NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK__MODE(r) != 0);
}

static void bind_by_pair(struct gpu_model *m, unsigned which, uint32_t high)
{
    const struct NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK_LOW_ADDR r = {m->bars->low[which]};
    const uint32_t ptr = NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK_LOW_ADDR__PTR(r);
    if (!m->bars->low_written[which]) {
        model_rule_broken(m, RULE_BAR_BIND_HIGH_FIRST,
                          "the word that binds BAR%u, 0x%08x, was written before the low one",
                          which + 1, high);
    }
    m->bars->low_written[which] = false;
    m->bars->high[which] = high;
    begin(m, which, (uint64_t)high << 32 | (uint64_t)ptr << FL_PAGE_SHIFT,
          NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK_LOW_ADDR__TARGET(r),
          NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK_LOW_ADDR__MODE(r) != 0);
}

static bool read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    enum { BUSY = 3 };
    if (off == NV_VIRTUAL_FUNCTION_PRIV_FUNC_BIND_STATUS__OFFSET) {
        struct NV_VIRTUAL_FUNCTION_PRIV_FUNC_BIND_STATUS r = {0};
        r = NV_VIRTUAL_FUNCTION_PRIV_FUNC_BIND_STATUS__with_BAR1(
            r, m->bars->binding[MODEL_BAR1] ? BUSY : 0);
        r = NV_VIRTUAL_FUNCTION_PRIV_FUNC_BIND_STATUS__with_BAR2(
            r, m->bars->binding[MODEL_BAR2] ? BUSY : 0);
        *value = r.raw;
        return true;
    }
    for (unsigned which = 0; which < MODEL_MAPPED_BARS; which++) {
        const struct registers r = get_registers(m, which);
        const struct bar_bind b = latest(m, which);
        if (off == r.block || off == r.old_block) {
            *value = block_word(&b);
        } else if (off == r.low) {
            *value = low_word(m, which);
        } else if (off == r.high) {
            *value = m->bars->high[which];
        } else {
            continue;
        }
        return true;
    }
    return false;
}

static bool write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    for (unsigned which = 0; which < MODEL_MAPPED_BARS; which++) {
        const struct registers r = get_registers(m, which);
        if (off == r.block || off == r.old_block) {
            bind_by_word(m, which, value);
        } else if (off == r.low) {
            m->bars->low[which] = value;
            m->bars->low_written[which] = true;
        } else if (off == r.high) {
            bind_by_pair(m, which, value);
        } else {
            continue;
        }
        return true;
    }
    return false;
}

static void reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    *m->bars = (struct bar_state){0};
}

static const struct block_range ranges[] = {
    {0x001000, 0x001fff, F_FALCON_BOOT}, /* PBUS */
    {0xb80000, 0xb80fff, F_ALL},
    {0},
};

const struct block bar_block = {
    .name = "BAR1 and BAR2",
    BLOCK_STATE(bars),
    .ranges = ranges,
    .read = read,
    .write = write,
    .reset = reset,
    .work = {[WORK_BAR_FAULT] = model_bar_tell, [WORK_BIND] = done},
};
