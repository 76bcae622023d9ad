/* SPDX-License-Identifier: MIT */
/* PMC: which chip it is, and the engine enables. Source: registers.md 1. */
#include "tests/model/blocks/pmc.h"

#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/blocks/pgc6.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/model.h"

static bool read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
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
    case NV_PMC_SCRATCH_RESET_2_CC__OFFSET:
        *value = model_cc_mode(m);
        return (m->chip->family & (F_GB10X | F_GB20X)) != 0;
    case NV_PMC_ENABLE__OFFSET:
        *value = m->pmc->enable;
        return true;
    default:
        return false;
    }
}

static bool write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    switch (off) {
    case NV_PMC_BOOT_1__OFFSET:
        return true; /* little endian it stays */
    case NV_PMC_ENABLE__OFFSET:
        m->pmc->enable = value;
        return true;
    default:
        return false;
    }
}

static void reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    m->pmc->enable = 0xffffffff;
}

static const struct block_range ranges[] = {{0x000000, 0x000fff, F_ALL}, {0}};

const struct block pmc_block = {
    .name = "PMC",
    BLOCK_STATE(pmc),
    .ranges = ranges,
    .read = read,
    .write = write,
    .reset = reset,
};
