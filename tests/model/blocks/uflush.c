/* SPDX-License-Identifier: MIT */
/* UFLUSH: flushes of caches on the way to memory. Here they are done at once. */
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/gpu.h"

static bool is_flush(uint32_t off)
{
    return off == NV_UFLUSH_FB_FLUSH__OFFSET || off == NV_UFLUSH_L2_SYSMEM_INVALIDATE__OFFSET ||
           off == NV_UFLUSH_L2_FLUSH_DIRTY__OFFSET;
}

static bool read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    (void)m;
    *value = 0;
    return is_flush(off);
}

static bool write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    (void)m;
    (void)value;
    return is_flush(off);
}

static const struct block_range ranges[] = {{0x070000, 0x070fff, F_ALL}, {0}};

const struct block uflush_block = {
    .name = "UFLUSH", .ranges = ranges, .read = read, .write = write};
