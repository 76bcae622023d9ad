/* SPDX-License-Identifier: MIT */
/*
 * PGC6: secure scratch, and the board firmware (GFW) that runs after a reset and says in there how
 * far it is. Sources: registers.md 4, 5; measured.md 3, 6.
 */
#include "tests/model/blocks/pgc6.h"

#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/books/fault.h"
#include "tests/model/boot/fsp.h"
#include "tests/model/bus/work.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/vram.h"
#include "tests/model/model.h"

enum {
    GFW_RUNNING = 0x001,
    GFW_DONE = 0x3ff,           /* whole-register readings, measured.md 3 */
    GFW_BOOT_NS = 3000000,      /* how long the board firmware takes after a reset */
    SCRUBBER_DONE = 0x60000000, /* hand-off 3 in 31:29 */
};
#define FB_SIZE_LOCKED 0xbadf5108u /* the size register before GFW has finished, measured.md 3 */

/* It stays somewhere when a fault says so. */
static uint32_t progress(const struct gpu_model *m)
{
    const struct fault *f = model_fault_get(m, FAULT_GFW_STUCK);
    return f != NULL && f->value != 0 ? f->value : GFW_RUNNING;
}

static bool read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    const bool done = m->pgc6->gfw_done;
    switch (off) {
    case NV_PGC6_BSI_SECURE_SCRATCH_14__OFFSET:
        *value = m->pgc6->secure_scratch_14;
        return true;
    case NV_PGC6_BSI_SECURE_SCRATCH_15__OFFSET:
        *value = SCRUBBER_DONE;
        return true;
    case NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_PRIV_LEVEL_MASK__OFFSET:
        *value = 0xffffffff;
        return true;
    case NV_PGC6_AON_SECURE_SCRATCH_GROUP_05_0_GFW_BOOT__OFFSET:
        *value = m->chip->fsp != NULL ? 0 : done ? GFW_DONE : progress(m);
        return true; /* always 0 on a GB205 (measured.md 3) */
    case NV_PGC6_AON_SECURE_SCRATCH_GROUP_20__OFFSET:
        *value = model_cc_mode(m);
        return m->chip->family == F_GH100;
    case NV_USABLE_FB_SIZE_IN_MB__OFFSET:
        *value = done ? (uint32_t)(m->vram->size >> 20) : FB_SIZE_LOCKED;
        return !m->chip->fb_range;
    default:
        return false;
    }
}

/* Source: vgpu-mig.md 7 (OGKM, gpu-admin-tools). That other bits read 0 is a guess. */
uint32_t model_cc_mode(const struct gpu_model *m)
{
    const struct fault *f = model_fault_get(m, FAULT_CC_MODE);
    return f != NULL ? f->value : 0;
}

static void finish(struct gpu_model *m)
{
    if (model_fault_get(m, FAULT_GFW_STUCK) == NULL) {
        m->pgc6->gfw_done = true;
        model_fsp_ready(m);
    }
}

static void reset(struct gpu_model *m, enum model_reset kind)
{
    m->pgc6->gfw_done = false;
    if (kind != MODEL_RESET_FLR) {
        m->pgc6->secure_scratch_14 = 0;
    }
    /* After power-on the board firmware has long finished when a driver comes; after a reset not.
     */
    model_schedule(m, WORK_GFW, GFW_BOOT_NS);
    if (kind == MODEL_RESET_POWER) {
        finish(m);
    }
}

static const struct block_range ranges[] = {{0x118000, 0x118fff, F_ALL}, {0}};

const struct block pgc6_block = {
    .name = "PGC6",
    BLOCK_STATE(pgc6),
    .ranges = ranges,
    .read = read,
    .reset = reset,
    .work = {[WORK_GFW] = finish},
};
