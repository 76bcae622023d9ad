/* SPDX-License-Identifier: MIT */
/*
 * PFB: how large memory is, and which of it is closed: WPR2, the lock range of GA100. Sources:
 * registers.md 5; measured.md 4.
 */
#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/boards/boards.h"
#include "tests/model/books/strict.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/vram.h"
#include "tests/model/memory/wpr2.h"
#include "tests/model/model.h"

enum {
    WPR2_GRANULE = 0x20000, /* HI names the last 128 KiB block inside, measured.md 4 */
    WPR2_LO_NONE = 0x1ffffe00,
};

/* NV_PFB_PRI_MMU_LOCAL_MEMORY_RANGE of the marketing size: MAG << SCALE, in MiB, MAG 32 to 63
 * (8 GiB: 0x208, 40 GiB: 0x28a; registers.md 5). */
static uint32_t local_memory_range(const struct gpu_model *m)
{
    enum { MAG_MAX = 63 };
    uint64_t mag = (m->vram->size + m->board->vram_less) >> 20;
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

/* GA100: the top of memory that is not the driver's. */
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
        *value = bytes != 0 ? (uint32_t)((m->vram->size - bytes) >> 8) : WPR2_LO_NONE;
        return true;
    case NV_PFB_PRI_MMU_LOCK_ADDR_HI__OFFSET:
        *value = bytes != 0 ? (uint32_t)((m->vram->size - FL_PAGE_SIZE) >> 8) : 0;
        return true;
    default:
        return false;
    }
}

static bool read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    const bool up = m->wpr2->hi > m->wpr2->lo;
    switch (off) {
    case NV_PFB_PRI_MMU_LOCAL_MEMORY_RANGE__OFFSET:
        *value = local_memory_range(m);
        return true;
    case NV_PFB_PRI_MMU_WPR2_ADDR_LO__OFFSET:
        *value = up ? (uint32_t)(m->wpr2->lo >> 8) : WPR2_LO_NONE;
        return true;
    case NV_PFB_PRI_MMU_WPR2_ADDR_HI__OFFSET:
        *value = up ? (uint32_t)((m->wpr2->hi - WPR2_GRANULE) >> 8) : 0;
        return true;
    default:
        return lock_range(m, off, value);
    }
}

static bool write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    switch (off) {
    case NV_PFB_PRI_MMU_WPR2_ADDR_LO__OFFSET:
    case NV_PFB_PRI_MMU_WPR2_ADDR_HI__OFFSET:
        model_rule_broken(m, RULE_WPR2_REGISTER_WRITE, "wrote 0x%08x to 0x%06x", value, off);
        return true;
    default:
        return false;
    }
}

static void reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    *m->wpr2 = (struct wpr2){0};
}

static const struct block_range ranges[] = {
    {0x100000, 0x100fff, F_ALL}, /* FB's MMU */
    {0x1fa000, 0x1fafff, F_ALL}, /* its privileged part */
    {0},
};
const struct block pfb_block = {
    .name = "PFB",
    BLOCK_STATE(wpr2),
    .ranges = ranges,
    .read = read,
    .write = write,
    .reset = reset,
};
