/* SPDX-License-Identifier: MIT */
/* The index of BAR0's pages, and a register access through it. */
#include "tests/model/bus/dispatch.h"

#include "tests/model/blocks.h"
#include "tests/model/chips.h"

const struct block *model_block_at(const struct gpu_model *m, uint64_t off, unsigned n)
{
    const uint64_t page = off >> BAR0_PAGE_SHIFT;
    const unsigned index = page < BAR0_PAGES && n < PAGE_BLOCKS ? m->dispatch->page[page][n] : 0;
    return index != 0 ? m->blocks[index - 1] : NULL;
}

bool model_block_read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    const struct block *b;
    for (unsigned n = 0; (b = model_block_at(m, off, n)) != NULL; n++) {
        if (b->read != NULL && b->read(m, off, value)) {
            return true;
        }
    }
    return false;
}

bool model_block_write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    const struct block *b;
    for (unsigned n = 0; (b = model_block_at(m, off, n)) != NULL; n++) {
        if (b->write != NULL && b->write(m, off, value)) {
            return true;
        }
    }
    return false;
}

/* False: the page has no place left. */
static bool add(struct dispatch *d, uint32_t page, size_t index)
{
    for (unsigned n = 0; n < PAGE_BLOCKS; n++) {
        if (d->page[page][n] == 0) {
            d->page[page][n] = (uint8_t)(index + 1);
            return true;
        }
    }
    return false;
}

static bool create(struct gpu_model *m, const struct model_config *cfg, char *err, size_t err_size)
{
    (void)cfg;
    for (size_t i = 0; m->blocks[i] != NULL; i++) {
        const struct block_range *r = m->blocks[i]->ranges;
        for (; r != NULL && r->families != 0; r++) {
            if ((r->families & m->chip->family) == 0) {
                continue;
            }
            for (uint32_t page = r->first >> BAR0_PAGE_SHIFT; page <= r->last >> BAR0_PAGE_SHIFT;
                 page++) {
                if (!add(m->dispatch, page, i)) {
                    snprintf(err, err_size, "block %s: page 0x%06x of BAR0 has %d blocks already",
                             m->blocks[i]->name, page << BAR0_PAGE_SHIFT, PAGE_BLOCKS);
                    return false;
                }
            }
        }
    }
    return true;
}

const struct block dispatch_block = {.name = "dispatch", BLOCK_STATE(dispatch), .create = create};
