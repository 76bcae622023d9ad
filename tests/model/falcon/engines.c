/* SPDX-License-Identifier: MIT */
/*
 * The two falcon engines that are there: PGSP runs FWSEC and then is the GSP's; PSEC (SEC2) runs
 * booter.
 */
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/boot/booter.h"
#include "tests/model/boot/fwsec.h"
#include "tests/model/falcon/falcon.h"
#include "tests/model/falcon/falcon_regs.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp.h"
#include "tests/model/gsp/gsp_rx.h"
#include "tests/model/model.h"

enum { VECTOR_GSP = 155 }; /* leaf 4 bit 27, interrupts.md 4 */

static const struct falcon_kind gsp_kind = {
    .name = "gsp",
    .base = NV_PGSP_BASE,
    .vector = VECTOR_GSP,
    .is_gsp = true,
    .work = WORK_GSP_FALCON,
    .engine_reset = model_gsp_engine_reset,
    .doorbell = model_gsp_doorbell,
};
static const struct falcon_kind sec2_kind = {
    .name = "sec2", .base = NV_PSEC_BASE, .work = WORK_SEC2};

static bool gsp_read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    return model_falcon_read(m, m->gsp_falcon, off - gsp_kind.base, value);
}

static bool gsp_write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    return model_falcon_write(m, m->gsp_falcon, off - gsp_kind.base, value);
}

static void gsp_reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    model_falcon_power_on(m, m->gsp_falcon, &gsp_kind);
}

static bool sec2_read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    return model_falcon_read(m, m->sec2, off - sec2_kind.base, value);
}

static bool sec2_write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    return model_falcon_write(m, m->sec2, off - sec2_kind.base, value);
}

static void sec2_reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    model_falcon_power_on(m, m->sec2, &sec2_kind);
}

static const struct block_range gsp_ranges[] = {
    {NV_PGSP_BASE, NV_PGSP_BASE + NV_FALCON_SPAN - 1, F_ALL}, {0}};
static const struct block_range sec2_ranges[] = {
    {NV_PSEC_BASE, NV_PSEC_BASE + NV_FALCON_SPAN - 1, F_ALL}, {0}};

const struct block pgsp_block = {
    .name = "PGSP",
    BLOCK_STATE(gsp_falcon),
    .ranges = gsp_ranges,
    .read = gsp_read,
    .write = gsp_write,
    .reset = gsp_reset,
    .work = {[WORK_GSP_FALCON] = model_fwsec_run},
};
const struct block psec_block = {
    .name = "PSEC",
    BLOCK_STATE(sec2),
    .ranges = sec2_ranges,
    .read = sec2_read,
    .write = sec2_write,
    .reset = sec2_reset,
    .work = {[WORK_SEC2] = model_booter_run},
};
