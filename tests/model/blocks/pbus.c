/* SPDX-License-Identifier: MIT */
/* PBUS: scratch words, the bus's own interrupt enables. */
#include "tests/model/blocks/pbus.h"

#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/gpu.h"
#include "tests/model/model.h"

static uint32_t *cell(struct gpu_model *m, uint32_t off)
{
    const uint32_t i = (off - NV_PBUS_SW_SCRATCH__OFFSET) / 4;
    if (off >= NV_PBUS_SW_SCRATCH__OFFSET && i < NV_PBUS_SW_SCRATCH__COUNT) {
        return &m->pbus->sw_scratch[i];
    }
    return off == NV_PBUS_INTR_EN_0__OFFSET ? &m->pbus->intr_en : NULL;
}

static bool read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    const uint32_t *c = cell(m, off);
    *value = c != NULL ? *c : 0;
    return c != NULL;
}

static bool write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    uint32_t *c = cell(m, off);
    if (c != NULL) {
        *c = value;
    }
    return c != NULL;
}

static void reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    *m->pbus = (struct pbus_state){0};
}

static const struct block_range ranges[] = {{0x001000, 0x001fff, F_ALL}, {0}};

const struct block pbus_block = {
    .name = "PBUS",
    BLOCK_STATE(pbus),
    .ranges = ranges,
    .read = read,
    .write = write,
    .reset = reset,
};
