/* SPDX-License-Identifier: MIT */
/*
 * The small blocks: PMC, PBUS scratch and window, PTIMER, flushes, PFB, WPR2, PGC6 scratch, straps,
 * display, fuses, and the virtual function block apart from its interrupt tree (intr.c).
 * Values and rules: registers.md 1-6, 10, 11; measured.md 2-4.
 */
#include "tests/model/model_priv.h"

enum {
    GFW_RUNNING = 0x001,
    GFW_DONE = 0x3ff, /* whole-register readings, measured.md 3 */
    STRAP_27MHZ = 0x00400000,
    WPR2_GRANULE = 0x20000, /* HI names the last 128 KiB block inside, measured.md 4 */
    WPR2_LO_NONE = 0x1ffffe00,
    SCRUBBER_DONE = 0x60000000, /* hand-off 3 in 31:29 */
};
#define FB_SIZE_LOCKED 0xbadf5108u /* the size register before GFW has finished, measured.md 3 */

static uint64_t ptimer_now(struct gpu_model *m) { return model_now(m) + m->misc.ptimer_offset; }

static void ptimer_set(struct gpu_model *m, uint64_t mask, uint64_t value)
{
    const uint64_t now = ptimer_now(m);
    m->misc.ptimer_offset += ((now & ~mask) | value) - now;
}

static bool scratch_index(uint32_t off, uint32_t *i)
{
    *i = (off - NV_PBUS_SW_SCRATCH__OFFSET) / 4;
    return off >= NV_PBUS_SW_SCRATCH__OFFSET && *i < NV_PBUS_SW_SCRATCH__COUNT;
}

bool model_pmc_read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    uint32_t i;
    if (scratch_index(off, &i)) {
        *value = m->misc.sw_scratch[i];
        return true;
    }
    switch (off) {
    case NV_PMC_BOOT_0__OFFSET:
        *value = m->chip->boot0;
        return true;
    case NV_PMC_BOOT_1__OFFSET:
        *value = 0;
        return true;
    case NV_PMC_BOOT_42__OFFSET:
        *value = m->chip->boot42;
        return true;
    case NV_PMC_ENABLE__OFFSET:
        *value = m->misc.pmc_enable;
        return true;
    case NV_PBUS_BAR0_WINDOW__OFFSET:
        *value = m->vram.window;
        return m->chip->fsp == NULL;
    case NV_PBUS_INTR_EN_0__OFFSET:
        *value = m->misc.bus_intr_en;
        return true;
    case NV_PTIMER_TIME_0__OFFSET:
        *value = (uint32_t)ptimer_now(m) & ~0x1fu;
        return true;
    case NV_PTIMER_TIME_1__OFFSET:
        *value = (uint32_t)(ptimer_now(m) >> 32) & 0x1fffffff;
        return true;
    case NV_PTIMER_INTR_0__OFFSET:
        *value = m->misc.ptimer_intr;
        return true;
    case NV_PTIMER_INTR_EN_0__OFFSET:
        *value = m->misc.ptimer_intr_en;
        return true;
    case NV_PTIMER_NUMERATOR__OFFSET:
        *value = m->misc.ptimer_num;
        return true;
    case NV_PTIMER_DENOMINATOR__OFFSET:
        *value = m->misc.ptimer_den;
        return true;
    case NV_PTIMER_ALARM_0__OFFSET:
        *value = m->misc.ptimer_alarm;
        return true;
    case NV_UFLUSH_FB_FLUSH__OFFSET:
    case NV_UFLUSH_L2_SYSMEM_INVALIDATE__OFFSET:
    case NV_UFLUSH_L2_FLUSH_DIRTY__OFFSET:
        *value = 0;
        return true; /* done at once */
    default:
        return false;
    }
}

bool model_pmc_write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    uint32_t i;
    if (scratch_index(off, &i)) {
        m->misc.sw_scratch[i] = value;
        return true;
    }
    switch (off) {
    case NV_PMC_BOOT_1__OFFSET:
        return true; /* little endian it stays */
    case NV_PMC_ENABLE__OFFSET:
        m->misc.pmc_enable = value;
        return true;
    case NV_PBUS_BAR0_WINDOW__OFFSET:
        if (m->chip->fsp != NULL) {
            return false; /* it moved: NV_XAL_EP_BAR0_WINDOW */
        }
        m->vram.window = value & 0x03ffffff;
        return true;
    case NV_PBUS_INTR_EN_0__OFFSET:
        m->misc.bus_intr_en = value;
        return true;
    case NV_PTIMER_TIME_0__OFFSET:
        ptimer_set(m, 0xffffffffull, value & ~0x1fu);
        return true;
    case NV_PTIMER_TIME_1__OFFSET:
        ptimer_set(m, ~0xffffffffull, (uint64_t)(value & 0x1fffffff) << 32);
        return true;
    case NV_PTIMER_INTR_0__OFFSET:
        m->misc.ptimer_intr &= ~value;
        return true;
    case NV_PTIMER_INTR_EN_0__OFFSET:
        m->misc.ptimer_intr_en = value;
        return true;
    case NV_PTIMER_NUMERATOR__OFFSET:
        m->misc.ptimer_num = value;
        return true;
    case NV_PTIMER_DENOMINATOR__OFFSET:
        m->misc.ptimer_den = value;
        return true;
    case NV_PTIMER_ALARM_0__OFFSET:
        m->misc.ptimer_alarm = value;
        return true;
    case NV_UFLUSH_FB_FLUSH__OFFSET:
    case NV_UFLUSH_L2_SYSMEM_INVALIDATE__OFFSET:
    case NV_UFLUSH_L2_FLUSH_DIRTY__OFFSET:
        return true;
    default:
        return false;
    }
}

/* NV_PFB_PRI_MMU_LOCAL_MEMORY_RANGE of the marketing size: MAG << SCALE, in MiB, MAG 32 to 63
 * (8 GiB: 0x208, 40 GiB: 0x28a; registers.md 5). */
static uint32_t local_memory_range(const struct gpu_model *m)
{
    enum { MAG_MAX = 63 };
    uint64_t mag = (m->vram.size + m->board->vram_less) >> 20;
    uint32_t scale = 0;
    while (mag > MAG_MAX) {
        mag >>= 1;
        scale++;
    }
    struct NV_PFB_PRI_MMU_LOCAL_MEMORY_RANGE r = {0};
    r = NV_PFB_PRI_MMU_LOCAL_MEMORY_RANGE__with_LOWER_SCALE(r, scale);
    r = NV_PFB_PRI_MMU_LOCAL_MEMORY_RANGE__with_LOWER_MAG(r, (uint32_t)mag);
    return r.raw;
}

/* ---- the flush page: where its address goes differs by family (chips.c) ---- */

/* The variable behind a register; NULL: not one of the chip's. */
static uint32_t *flush_page(struct gpu_model *m, uint32_t off, uint32_t *mask)
{
    for (size_t i = 0; i < ARRAY_SIZE(m->chip->flush); i++) {
        const struct model_flush_reg *r = &m->chip->flush[i];
        *mask = 0xffffffff;
        if (r->lo != 0 && off == r->lo) {
            return &m->misc.flush_lo[i];
        }
        *mask = r->hi_mask;
        if (r->hi != 0 && off == r->hi) {
            return &m->misc.flush_hi[i];
        }
    }
    return NULL;
}

bool model_flush_page_read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    uint32_t mask;
    const uint32_t *v = flush_page(m, off, &mask);
    *value = v != NULL ? *v : 0;
    return v != NULL;
}

bool model_flush_page_write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    uint32_t mask, *v = flush_page(m, off, &mask);
    if (v != NULL) {
        *v = value & mask;
    }
    return v != NULL;
}

/* ---- lock range (GA100): the top of memory that is not the driver's ---- */

static bool lock_range(const struct gpu_model *m, uint32_t off, uint32_t *value)
{
    const uint64_t bytes = m->board->lock_bytes;
    if ((m->chip->family & F_GA100) == 0) {
        return false;
    }
    switch (off) {
    case NV_PFB_PRI_MMU_LOCK_CFG_PRIV_LEVEL_MASK__OFFSET:
        *value = 1;
        return true;
    case NV_PFB_PRI_MMU_LOCK_ADDR_LO__OFFSET:
        *value = bytes != 0 ? (uint32_t)((m->vram.size - bytes) >> 8) : WPR2_LO_NONE;
        return true;
    case NV_PFB_PRI_MMU_LOCK_ADDR_HI__OFFSET:
        *value = bytes != 0 ? (uint32_t)((m->vram.size - FL_PAGE_SIZE) >> 8) : 0;
        return true;
    default:
        return false;
    }
}

/* How far the board firmware is: it stays somewhere when a fault says so. */
static uint32_t gfw_progress(const struct gpu_model *m)
{
    const struct fault *f = model_fault_get(m, FAULT_GFW_STUCK);
    return f != NULL && f->value != 0 ? f->value : GFW_RUNNING;
}

bool model_pfb_read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    const bool wpr2_up = m->wpr2.hi > m->wpr2.lo;
    const bool gfw_done = m->misc.gfw_done;
    if (model_flush_page_read(m, off, value) || lock_range(m, off, value)) {
        return true;
    }
    switch (off) {
    case NV_PFB_PRI_MMU_LOCAL_MEMORY_RANGE__OFFSET:
        *value = local_memory_range(m);
        return true;
    case NV_PEXTDEV_BOOT_0__OFFSET:
        *value = STRAP_27MHZ;
        return true;
    case NV_PGC6_BSI_SECURE_SCRATCH_14__OFFSET:
        *value = m->misc.secure_scratch_14;
        return true;
    case NV_PGC6_BSI_SECURE_SCRATCH_15__OFFSET:
        *value = SCRUBBER_DONE;
        return true;
    case NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_PRIV_LEVEL_MASK__OFFSET:
        *value = 0xffffffff;
        return true;
    case NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_0_GFW_BOOT__OFFSET:
        *value = m->chip->fsp != NULL ? 0 : gfw_done ? GFW_DONE : gfw_progress(m);
        return true; /* always 0 on a GB205 (measured.md 3) */
    case NV_USABLE_FB_SIZE_IN_MB__OFFSET:
        *value = gfw_done ? (uint32_t)(m->vram.size >> 20) : FB_SIZE_LOCKED;
        return !m->chip->fb_range;
    case NV_PFB_PRI_MMU_WPR2_ADDR_LO__OFFSET:
        *value = wpr2_up ? (uint32_t)(m->wpr2.lo >> 8) : WPR2_LO_NONE;
        return true;
    case NV_PFB_PRI_MMU_WPR2_ADDR_HI__OFFSET:
        *value = wpr2_up ? (uint32_t)((m->wpr2.hi - WPR2_GRANULE) >> 8) : 0;
        return true;
    case NV_PDISP_VGA_WORKSPACE_BASE__OFFSET:
        *value = m->board->vga_workspace;
        return true;
    default:
        return false;
    }
}

bool model_pfb_write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    if (model_flush_page_write(m, off, value)) {
        return true;
    }
    switch (off) {
    case NV_PFB_PRI_MMU_WPR2_ADDR_LO__OFFSET:
    case NV_PFB_PRI_MMU_WPR2_ADDR_HI__OFFSET:
        model_rule_broken(m, RULE_WPR2_REGISTER_WRITE, "wrote 0x%08x to 0x%06x", value, off);
        return true;
    default:
        return false;
    }
}

bool model_fuse_read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    const uint32_t sec2 = off - NV_FUSE_OPT_FPF_SEC2_UCODE1_VERSION__OFFSET;
    const uint32_t gsp = off - NV_FUSE_OPT_FPF_GSP_UCODE1_VERSION__OFFSET;
    const uint32_t nvdec = off - NV_FUSE_OPT_FPF_NVDEC_UCODE1_VERSION__OFFSET;
    enum { BANK = 16 * 4, BOOTER_UCODE_ID = 3 };
    *value = 0;
    if (m->chip->family == F_TU) { /* no version fuses; the others lie elsewhere */
        switch (off) {
        case NV_FUSE_STATUS_OPT_CE_TU__OFFSET:
            return true; /* none is fused off */
        case NV_FUSE_STATUS_OPT_DISPLAY_TU__OFFSET:
            *value = m->board->display ? 0 : 1;
            return true;
        case NV_FUSE_OPT_SECURE_GSP_DEBUG_DIS_TU__OFFSET:
            *value = 1;
            return true;
        default:
            return false;
        }
    }
    if (sec2 < BANK) {
        *value = sec2 / 4 == BOOTER_UCODE_ID - 1 ? m->board->fuse_sec2_booter : 0;
        return true;
    }
    if (gsp < BANK) {
        *value = gsp / 4 + 1 == m->fwsec.ucode_id ? m->fuse_fwsec : 0;
        return true;
    }
    switch (off) {
    case NV_FUSE_STATUS_OPT_DISPLAY__OFFSET:
        *value = m->board->display ? 0 : 1;
        return true;
    case NV_FUSE_OPT_SECURE_GSP_DEBUG_DIS__OFFSET:
        *value = 1;
        return true; /* production part */
    default:
        return nvdec < BANK;
    }
}

bool model_vf_read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    if (model_intr_read(m, off, value) || model_bar_reg_read(m, off, value)) {
        return true;
    }
    switch (off) {
    case NV_VIRTUAL_FUNCTION_PRIV_FUNC_BIND_STATUS__OFFSET:
        *value = 0;
        return true;
    case NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE_PDB__OFFSET:
        *value = m->misc.mmu_pdb[0];
        return true;
    case NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE_UPPER_PDB__OFFSET:
        *value = m->misc.mmu_pdb[1];
        return true;
    case NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE__OFFSET:
        *value = m->misc.mmu_inval & 0x7fffffff; /* the trigger has been served */
        return true;
    case NV_VIRTUAL_FUNCTION_TIME_0__OFFSET:
        *value = (uint32_t)ptimer_now(m) & ~0x1fu;
        return true;
    case NV_VIRTUAL_FUNCTION_TIME_1__OFFSET:
        *value = (uint32_t)(ptimer_now(m) >> 32) & 0x1fffffff;
        return true;
    default:
        return false;
    }
}

bool model_vf_write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    if (model_intr_write(m, off, value) || model_bar_reg_write(m, off, value)) {
        return true;
    }
    switch (off) {
    case NV_VIRTUAL_FUNCTION_DOORBELL__OFFSET:
    case NV_VIRTUAL_FUNCTION_PRIV_DOORBELL__OFFSET:
        model_host_doorbell(m, value);
        return true;
    case NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE_PDB__OFFSET:
        m->misc.mmu_pdb[0] = value;
        return true;
    case NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE_UPPER_PDB__OFFSET:
        m->misc.mmu_pdb[1] = value;
        return true;
    case NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE__OFFSET:
        m->misc.mmu_inval = value;
        model_tlb_command(m, m->misc.mmu_pdb[0], m->misc.mmu_pdb[1], value);
        return true;
    default:
        return false;
    }
}
