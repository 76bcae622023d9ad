/* SPDX-License-Identifier: MIT */
/*
 * The registers by which a driver has remembered translations forgotten (mmu.md 10). A command
 * takes a while: TRIGGER reads 1 until it is done, and only then are the translations gone.
 */
#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/strict.h"
#include "tests/model/bus/work.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/posted.h"
#include "tests/model/memory/tlb.h"
#include "tests/model/model.h"

enum { INVALIDATE_NS = 2000 };

/* The command's bits. */
enum {
    ALL_VA = 1 << 0,
    ALL_PDB = 1 << 1,
    HUB_ONLY = 1 << 2,
    REPLAY_SHIFT = 3,
    REPLAY = 7,
    SYS_MEMBAR = 1 << 6,
    LEVEL_SHIFT = 24,
    LEVEL = 7,
};
#define LOWER_BITS ((UINT64_C(1) << 40) - 1) /* what the first of the two registers holds */

/* What the registers name. */
static struct tlb_scope get_scope(const struct gpu_model *m, uint32_t value)
{
    enum { LOW_BITS = 0xf, APERTURE_SYS = 1 << 1, ADDRESS_SHIFT = 8, UPPER_SHIFT = 40 };
    return (struct tlb_scope){
        .all = (value & ALL_PDB) != 0,
        .root = (uint64_t)m->tlb->upper_pdb << UPPER_SHIFT |
                (uint64_t)(m->tlb->pdb & ~(uint32_t)LOW_BITS) << ADDRESS_SHIFT,
        .sysmem = (m->tlb->pdb & APERTURE_SYS) != 0,
        .level = value >> LEVEL_SHIFT & LEVEL,
    };
}

/* The directory named is one that an address space has, or had a while ago. Another is not wrong by
 * itself, nouveau names such ones; it is when what should have gone is used. */
static void check_root(struct gpu_model *m, const struct tlb_scope *s)
{
    if (model_tlb_find_root(m, s->root, s->sysmem) != NULL || m->tlb->bound_count == TLB_ROOTS) {
        return;
    }
    if (model_tlb_find_root(m, s->root, !s->sysmem) != NULL) {
        model_rule_broken(m, RULE_MMU_INVALIDATE_APERTURE,
                          "the directory 0x%llx was named as one %s, where it is not",
                          (unsigned long long)s->root,
                          s->sysmem ? "on the bus" : "in video memory");
    } else if (model_tlb_may_know(m, s->root, LOWER_BITS)) {
        model_rule_broken(m, RULE_MMU_UPPER_STALE,
                          "the directory 0x%llx is no address space's; with other upper bits than "
                          "0x%x it would be",
                          (unsigned long long)s->root, m->tlb->upper_pdb);
    } else {
        m->tlb->nobodys = s->root;
    }
}

static void check_command(struct gpu_model *m, uint32_t value, const struct tlb_scope *s)
{
    const struct tlb_root *r = s->all ? NULL : model_tlb_find_root(m, s->root, s->sysmem);
    if ((value & ALL_VA) == 0 && (value >> REPLAY_SHIFT & REPLAY) == 0) {
        model_rule_broken(m, RULE_MMU_INVALIDATE_SCOPE,
                          "the command 0x%08x does not say ALL_VA, and nothing else says which "
                          "addresses",
                          value);
    }
    if ((value & HUB_ONLY) != 0 && r != NULL && r->graphics) {
        model_rule_broken(
            m, RULE_MMU_INVALIDATE_SCOPE,
            "the command 0x%08x is for the hub only, and the graphics engine uses the "
            "directory 0x%llx",
            value, (unsigned long long)s->root);
    }
    m->tlb->nobodys = 0;
    if (!s->all) {
        check_root(m, s);
    }
}

static void command(struct gpu_model *m, uint32_t value)
{
    const struct NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE c = {value};
    if (NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE__TRIGGER(c) == 0) {
        return;
    }
    if (m->tlb->busy) { /* what is under way goes on, another is not taken */
        model_rule_broken(m, RULE_MMU_INVALIDATE_BUSY,
                          "the command 0x%08x was given while TRIGGER of 0x%08x is still 1", value,
                          m->tlb->invalidate);
        return;
    }
    if ((value & SYS_MEMBAR) != 0) { /* tinygrad: what was written has arrived by then */
        model_posted_flushed(m);
    }
    model_posted_invalidate(m);
    m->tlb->busy = true;
    m->tlb->running = get_scope(m, value);
    check_command(m, value, &m->tlb->running);
    if (!model_fault_never_done(m, BUSY_INVALIDATE)) {
        model_schedule(m, WORK_INVALIDATE, INVALIDATE_NS);
    }
}

static void done(struct gpu_model *m)
{
    model_tlb_forget(m, &m->tlb->running);
    m->tlb->busy = false;
}

static bool read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    struct NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE c = {m->tlb->invalidate};
    switch (off) {
    case NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE_PDB__OFFSET:
        *value = m->tlb->pdb;
        return true;
    case NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE_UPPER_PDB__OFFSET:
        *value = m->tlb->upper_pdb;
        return true;
    case NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE__OFFSET:
        *value = NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE__with_TRIGGER(c, m->tlb->busy).raw;
        return true;
    default:
        return false;
    }
}

static bool write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    switch (off) {
    case NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE_PDB__OFFSET:
        m->tlb->pdb = value;
        return true;
    case NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE_UPPER_PDB__OFFSET:
        m->tlb->upper_pdb = value;
        return true;
    case NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE__OFFSET:
        if (!m->tlb->busy) {
            m->tlb->invalidate = value;
        }
        command(m, value);
        return true;
    default:
        return false;
    }
}

static void reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    m->tlb->pdb = m->tlb->upper_pdb = m->tlb->invalidate = 0;
    m->tlb->busy = false;
    m->tlb->bound_count = 0;
    m->tlb->nobodys = 0;
    model_tlb_invalidate(m, TLB_ALL_ROOTS);
}

static const struct block_range ranges[] = {{0xb83000, 0xb83fff, F_ALL}, {0}};

const struct block tlb_block = {
    .name = "TLB",
    BLOCK_STATE(tlb),
    .ranges = ranges,
    .read = read,
    .write = write,
    .reset = reset,
    .work = {[WORK_INVALIDATE] = done},
};
