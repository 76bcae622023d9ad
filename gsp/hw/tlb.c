/* SPDX-License-Identifier: MIT */
/* Invalidation of the GPU's TLBs (tlb.h). */
#include "gsp/hw/tlb.h"

#include "arch/clock.h"
#include "arch/lockorder.h"
#include "gsp/hw/hw.h"

#define UPPER_SHIFT 40u /* what UPPER_PDB counts */
#define PDB_SHIFT   12u

static LOCK_CLASS(tlb_class, "TLB invalidate");

static const struct wait wait_done = {
    .what = "the TLB invalidate to end",
    .hint = "the GPU's MMU hangs: reset it",
    .timeout_us = 2 * US_PER_S,
    .step_us = 2,
};

void gsp_tlb_init(struct gsp_hw *hw)
{
    hw->tlb = (struct gsp_tlb){0};
    mutex_init(&hw->tlb.lock, &tlb_class);
}

static enum fl_err until_done(struct gsp_hw *hw, struct fl_fail *fail)
{
    return gsp_io_poll(&hw->io, NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE__OFFSET,
                       NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE__TRIGGER_MASK, 0, &wait_done, NULL,
                       fail);
}

static void command(struct gsp_hw *hw, uint64_t root, bool root_in_sysmem, bool hub_only)
{
    struct NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE_PDB pdb = {0};
    struct NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE_UPPER_PDB upper = {0};
    struct NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE c = {0};

    pdb = NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE_PDB__with_APERTURE(pdb, root_in_sysmem);
    pdb = NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE_PDB__with_ADDR(
        pdb,
        (uint32_t)(root >> PDB_SHIFT) & (NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE_PDB__ADDR_MASK >>
                                         NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE_PDB__ADDR_SHIFT));
    upper = NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE_UPPER_PDB__with_ADDR(
        upper, (uint32_t)(root >> UPPER_SHIFT));
    c = NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE__with_ALL_VA(c, 1);
    c = NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE__with_HUBTLB_ONLY(c, hub_only);
    if (!hub_only && hw->family->family == F_TU) { /* only Turing's needs telling */
        c = NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE__with_SYS_MEMBAR(c, 1);
        c = NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE__with_ACK(
            c, NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE__ACK_GLOBALLY);
    }
    c = NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE__with_TRIGGER(c, 1);
    REG_WRITE(&hw->io, NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE_PDB, pdb);
    REG_WRITE(&hw->io, NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE_UPPER_PDB, upper);
    REG_WRITE(&hw->io, NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE, c);
}

enum fl_err gsp_tlb_invalidate(struct gsp_hw *hw, uint64_t root, bool root_in_sysmem, bool hub_only,
                               struct fl_fail *fail)
{
    mutex_lock(&hw->tlb.lock);
    enum fl_err err = until_done(hw, fail);
    if (err == FL_OK) {
        command(hw, root, root_in_sysmem, hub_only);
        hw->tlb.invalidates++;
        err = until_done(hw, fail);
    }
    mutex_unlock(&hw->tlb.lock);
    return err;
}
