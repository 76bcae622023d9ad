/* SPDX-License-Identifier: MIT */
/* Where the flush page's address goes differs by family (chips.c). It is storage. */
#include "tests/model/blocks/flush_page.h"

#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/model.h"

/* The variable behind a register; NULL: not one of the chip's. */
static uint32_t *cell(struct gpu_model *m, uint32_t off, uint32_t *mask)
{
    for (size_t i = 0; i < FLUSH_PAIRS; i++) {
        const struct model_flush_reg *r = &m->chip->flush[i];
        *mask = 0xffffffff;
        if (r->lo != 0 && off == r->lo) {
            return &m->flush_page->lo[i];
        }
        *mask = r->hi_mask;
        if (r->hi != 0 && off == r->hi) {
            return &m->flush_page->hi[i];
        }
    }
    return NULL;
}

static bool read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    uint32_t mask;
    const uint32_t *v = cell(m, off, &mask);
    *value = v != NULL ? *v : 0;
    return v != NULL;
}

static bool write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    uint32_t mask, *v = cell(m, off, &mask);
    if (v != NULL) {
        *v = value & mask;
    }
    return v != NULL;
}

static void reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    *m->flush_page = (struct flush_page_state){0};
}

static const struct block_range ranges[] = {
    {0x100000, 0x100fff, F_ALL}, /* NISO, FBHUB */
    {0x870000, 0x870fff, F_ALL}, /* HSHUB */
    {0x8a1000, 0x8a1fff, F_ALL}, /* FBHUB0 */
    {0},
};
const struct block flush_page_block = {
    .name = "flush page",
    BLOCK_STATE(flush_page),
    .ranges = ranges,
    .read = read,
    .write = write,
    .reset = reset,
};
