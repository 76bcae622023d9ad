/* SPDX-License-Identifier: MIT */
/* PDISP: where the VBIOS keeps its VGA workspace; of the display's registers nobody reads others.
 */
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/boards/boards.h"
#include "tests/model/gpu.h"

static bool read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    *value = m->board->vga_workspace;
    return off == NV_PDISP_VGA_WORKSPACE_BASE__OFFSET;
}

static const struct block_range ranges[] = {{0x625000, 0x625fff, F_ALL}, {0}};

const struct block pdisp_block = {.name = "PDISP", .ranges = ranges, .read = read};
