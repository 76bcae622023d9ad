/* SPDX-License-Identifier: MIT */
/* PCE: which copy engines belong to graphics. */
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/gpu.h"
#include "tests/model/host/engines.h"

static bool read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    *value = model_grce_mask(m);
    return off == NV_CE_GRCE_MASK__OFFSET;
}

static const struct block_range ranges[] = {{0x104000, 0x104fff, F_GB20X}, {0}};

const struct block pce_block = {.name = "PCE", .ranges = ranges, .read = read};
