/* SPDX-License-Identifier: MIT */
/* PEXTDEV: straps. */
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/gpu.h"

enum { STRAP_27MHZ = NV_PEXTDEV_BOOT_0__STRAP_CRYSTAL_1_SHIFT };

static bool read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    (void)m;
    *value = 1u << STRAP_27MHZ;
    return off == NV_PEXTDEV_BOOT_0__OFFSET;
}

static const struct block_range ranges[] = {{0x101000, 0x101fff, F_ALL}, {0}};

const struct block pextdev_block = {.name = "PEXTDEV", .ranges = ranges, .read = read};
