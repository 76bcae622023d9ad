/* SPDX-License-Identifier: MIT */
/* THERM, Turing to Ada: the temperature. From Hopper on the page has the FSP's state (boot/fsp.c).
 */
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/blocks/measures.h"
#include "tests/model/gpu.h"

static bool read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    struct NV_THERM_SENSOR r = {0};
    r = NV_THERM_SENSOR__with_VALID(r, 1);
    *value = NV_THERM_SENSOR__with_CELSIUS(r, (uint32_t)model_celsius_now(m)).raw;
    return off == NV_THERM_SENSOR__OFFSET;
}

static const struct block_range ranges[] = {{0x020000, 0x020fff, F_FALCON_BOOT}, {0}};

const struct block therm_block = {.name = "THERM", .ranges = ranges, .read = read};
