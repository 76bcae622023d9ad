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
#include "tests/model/bus/work.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/tlb.h"
#include "tests/model/model.h"

enum { INVALIDATE_NS = 2000 };

/* The directory that the registers name. */
static uint64_t named_root(const struct gpu_model *m)
{
    enum { LOW_BITS = 0xf, ADDRESS_SHIFT = 8, UPPER_SHIFT = 40 };
    return (uint64_t)m->tlb->upper_pdb << UPPER_SHIFT |
           (uint64_t)(m->tlb->pdb & ~(uint32_t)LOW_BITS) << ADDRESS_SHIFT;
}

static void command(struct gpu_model *m, uint32_t value)
{
    enum { ALL_PDB = 1 << 1 };
    const struct NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE c = {value};
    if (m->tlb->busy || NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE__TRIGGER(c) == 0) {
        return; /* what is under way goes on, another is not taken */
    }
    m->tlb->busy = true;
    m->tlb->busy_root = (value & ALL_PDB) != 0 ? TLB_ALL_ROOTS : named_root(m);
    if (!model_fault_never_done(m, BUSY_INVALIDATE)) {
        model_schedule(m, WORK_INVALIDATE, INVALIDATE_NS);
    }
}

static void done(struct gpu_model *m)
{
    model_tlb_invalidate(m, m->tlb->busy_root);
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
        command(m, value);
        m->tlb->invalidate = value;
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
