/* SPDX-License-Identifier: MIT */
/* The books on what nobody models, what is refused, and where a driver spins. */
#include "tests/model/books/coverage.h"

#include <stdlib.h>

#include "arch/base.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/books/trace.h"
#include "tests/model/gpu.h"
#include "tests/model/model.h"

enum {
    TABLE_START = 256,
    TABLE_MAX = 65536,
    SPIN_READS = 10000, /* reads in a row that make a spin */
};

static struct unmodelled *find_slot(struct unmodelled *table, uint32_t size, uint32_t off)
{
    uint32_t i = (off >> 2) * 2654435761u & (size - 1);
    while (table[i].used && table[i].off != off) {
        i = (i + 1) & (size - 1);
    }
    return &table[i];
}

/* Keeps the table at most half full. False: no memory, or absurdly many registers. */
static bool make_room(struct coverage_state *r)
{
    if (r->table != NULL && (r->table_used + 1) * 2 <= r->table_size) {
        return true;
    }
    const uint32_t size = r->table == NULL ? TABLE_START : r->table_size * 2;
    struct unmodelled *table = size <= TABLE_MAX ? calloc(size, sizeof(*table)) : NULL;
    if (table == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < r->table_size; i++) {
        if (r->table[i].used) {
            *find_slot(table, size, r->table[i].off) = r->table[i];
        }
    }
    free(r->table);
    r->table = table;
    r->table_size = size;
    return true;
}

void model_report_unmodelled(struct gpu_model *m, uint32_t off, bool write, uint32_t value)
{
    struct coverage_state *r = m->coverage;
    if (write) {
        m->stats.unmodelled_writes++;
    } else {
        m->stats.unmodelled_reads++;
    }
    if (!make_room(r)) {
        return;
    }
    struct unmodelled *u = find_slot(r->table, r->table_size, off);
    if (!u->used) {
        *u = (struct unmodelled){.off = off, .used = true};
        r->table_used++;
        m->stats.unmodelled_registers++;
        model_trace_text(m, "not modelled: 0x%06x", off);
    }
    if (write) {
        u->writes++;
        u->last_written = value;
    } else {
        u->reads++;
    }
}

void model_report_refused(struct gpu_model *m, uint32_t kind, uint32_t what)
{
    struct coverage_state *r = m->coverage;
    m->stats.refused++;
    model_trace_text(m, "refused: %s 0x%08x",
                     kind == REFUSED_CONTROL ? "control"
                     : kind == REFUSED_CLASS ? "class"
                                             : "function",
                     what);
    for (uint32_t i = 0; i < r->refused_count; i++) {
        if (r->refused[i].cls == kind && r->refused[i].what == what) {
            r->refused[i].count++;
            return;
        }
    }
    if (r->refused_count < ARRAY_SIZE(r->refused)) {
        r->refused[r->refused_count++] = (struct refused){.what = what, .cls = kind, .count = 1};
    }
}

void model_report_spin(struct gpu_model *m, uint32_t off, uint32_t value)
{
    struct coverage_state *r = m->coverage;
    if (off != r->spin_off || value != r->spin_value || r->spin_count == 0) {
        r->spin_off = off;
        r->spin_value = value;
        r->spin_count = 1;
        return;
    }
    if (++r->spin_count < SPIN_READS || model_next_ns(m) != UINT64_MAX) {
        return; /* something is still going to happen */
    }
    if (r->spun_count != 0 && r->spun[r->spun_count - 1].off == off) {
        r->spun[r->spun_count - 1].count = r->spin_count;
    } else if (r->spun_count < ARRAY_SIZE(r->spun)) {
        r->spun[r->spun_count].off = off;
        r->spun[r->spun_count].value = value;
        r->spun[r->spun_count++].count = r->spin_count;
    }
}

static bool create(struct gpu_model *m, const struct model_config *cfg, char *err, size_t err_size)
{
    (void)cfg;
    (void)err;
    (void)err_size;
    m->coverage->touched = calloc(TOUCH_WORDS, sizeof(*m->coverage->touched));
    return m->coverage->touched != NULL;
}

static void destroy(struct gpu_model *m)
{
    free(m->coverage->table);
    free(m->coverage->touched);
}

const struct block coverage_block = {
    .name = "coverage", BLOCK_STATE(coverage), .create = create, .destroy = destroy};
