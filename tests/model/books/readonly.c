/* SPDX-License-Identifier: MIT */
/*
 * Registers that cannot be written, from the register list: writing one has no effect on hardware,
 * and is no driver's intention.
 */
#include "tests/model/books/readonly.h"

#include <stdlib.h>

#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/books/strict.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/model.h"

static bool matters(const struct gpu_model *m, const struct reg_info *r)
{
    return (r->families & m->chip->family) != 0;
}

/* The places of a register in BAR0: one, or one in each engine. */
static size_t bases(const struct gpu_model *m, const struct reg_info *r, uint32_t out[2])
{
    out[0] = r->space == REG_SPACE_FALCON   ? (uint32_t)NV_PGSP_BASE
             : r->space == REG_SPACE_MIRROR ? m->chip->mirror_base
                                            : 0;
    out[1] = NV_PSEC_BASE;
    return r->space == REG_SPACE_FALCON ? 2 : 1;
}

/* Puts every offset of the registers of this kind of access into list; counts when NULL. */
static size_t offsets(const struct gpu_model *m, bool read_only, uint32_t *list)
{
    size_t n = 0;
    for (size_t i = 0; i < reg_list_count; i++) {
        const struct reg_info *r = &reg_list[i];
        uint32_t base[2];
        const size_t engines = bases(m, r, base);
        if (!matters(m, r) || (r->access == REG_ACC_RO) != read_only) {
            continue;
        }
        for (size_t e = 0; e < engines; e++) {
            for (uint32_t k = 0; k < r->count; k++, n++) {
                if (list != NULL) {
                    list[n] = base[e] + r->offset + k * r->stride;
                }
            }
        }
    }
    return n;
}

static int ascending(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static bool holds(const uint32_t *list, size_t n, uint32_t off)
{
    return n != 0 && bsearch(&off, list, n, sizeof(off), ascending) != NULL;
}

static bool create(struct gpu_model *m, const struct model_config *cfg, char *err, size_t err_size)
{
    (void)cfg;
    (void)err;
    (void)err_size;
    const size_t n = offsets(m, true, NULL), others = offsets(m, false, NULL);
    m->stats.registers_known = (uint32_t)(n + others);
    uint32_t *writable = calloc(others + 1, sizeof(*writable));
    m->readonly->offset = calloc(n + 1, sizeof(*m->readonly->offset));
    if (writable == NULL || m->readonly->offset == NULL) {
        free(writable);
        return false;
    }
    offsets(m, false, writable);
    qsort(writable, others, sizeof(*writable), ascending);
    offsets(m, true, m->readonly->offset);
    /* Two names for one place, as with aliases: writable when one of them is. */
    for (size_t i = 0; i < n; i++) {
        if (!holds(writable, others, m->readonly->offset[i])) {
            m->readonly->offset[m->readonly->count++] = m->readonly->offset[i];
        }
    }
    qsort(m->readonly->offset, m->readonly->count, sizeof(*m->readonly->offset), ascending);
    free(writable);
    return true;
}

void model_readonly_check(struct gpu_model *m, uint32_t off, uint32_t value)
{
    char name[96];
    if (!holds(m->readonly->offset, m->readonly->count, off)) {
        return;
    }
    reg_name(off, m->chip->family, name, sizeof(name));
    model_rule_broken(m, RULE_REG_READ_ONLY, "wrote 0x%08x to %s (0x%06x), which is read-only",
                      value, name, off);
}

static void destroy(struct gpu_model *m) { free(m->readonly->offset); }

const struct block readonly_block = {
    .name = "readonly", BLOCK_STATE(readonly), .create = create, .destroy = destroy};
