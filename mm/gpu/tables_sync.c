/* SPDX-License-Identifier: MIT */
/*
 * From the shadow to video memory: one ops->write per run of words that changed, in this order:
 *
 *   1  tables that nothing reachable links yet, and a flush
 *   2  4K entries that are not 0, and links to new tables of them: before a 64K entry above them
 *      steps back, or a 2M page becomes tables
 *   3  64K entries
 *   4  directories, upwards: they link what 1 wrote and unlink the emptied
 *   5  4K entries that became 0: after a 64K entry or a 2M page took their place
 *
 * so that what is mapped before and after a change never faults in between. What fails stays dirty
 * and is written by the next call.
 */
#include "mm/gpu/tables_priv.h"

#define BITS 64u

static void set_bits(struct gpu_table *table, uint32_t first, uint32_t end)
{
    for (uint32_t at = first; at < end;) {
        const uint32_t bit = at % BITS, here = end - at < BITS - bit ? end - at : BITS - bit;
        table->dirty[at / BITS] |= (~UINT64_C(0) >> (BITS - here)) << bit;
        at += here;
    }
}

/* From one run to bits. */
static void scatter(struct gpu_table *table)
{
    if (!table->scattered) {
        set_bits(table, table->dirty_first, table->dirty_end);
        table->scattered = true;
    }
}

void gpu_table_dirty(struct gpu_tables *t, struct gpu_table *table, uint32_t first, uint32_t n)
{
    const uint32_t end = first + n;

    if (!table->listed) {
        table->listed = true;
        table->dirty_next = t->dirty[table->level];
        t->dirty[table->level] = table;
        t->dirty_levels |= 1u << table->level;
        table->dirty_first = (uint16_t)first;
        table->dirty_end = (uint16_t)end;
    } else if (!table->scattered && first <= table->dirty_end && end >= table->dirty_first) {
        table->dirty_first = (uint16_t)min_u64(first, table->dirty_first);
        table->dirty_end = (uint16_t)max_u64(end, table->dirty_end);
    } else {
        scatter(table);
        set_bits(table, first, end);
    }
}

enum fl_err gpu_tables_write(struct gpu_tables *t, uint64_t addr, const void *words, uint64_t bytes,
                             struct fl_fail *fail)
{
    enum fl_err err = t->mem.ops->write(t->mem.ctx, addr, words, bytes, fail);

    if (err == FL_OK) {
        t->stats.writes++;
        t->stats.entries_written += bytes / GPU_ENTRY_BYTES;
    }
    return err;
}

enum fl_err gpu_tables_flush(struct gpu_tables *t, struct fl_fail *fail)
{
    enum fl_err err = t->mem.ops->flush(t->mem.ctx, fail);

    if (err == FL_OK) {
        t->stats.flushes++;
    }
    return err;
}

enum which { ALL, ZERO, NOT_ZERO, HIGH_HALVES };

static bool wanted(const struct gpu_table *table, uint32_t i, enum which which)
{
    if ((table->dirty[i / BITS] >> (i % BITS) & 1) == 0) {
        return false;
    }
    switch (which) {
    case ZERO:
        return table->word[i] == 0;
    case NOT_ZERO:
        return table->word[i] != 0;
    case HIGH_HALVES:
        return i % 2 == 1 && table->word[i] != 0;
    case ALL:
    default:
        return true;
    }
}

/* The first dirty word from i on; words: none. */
static uint32_t next_dirty(const struct gpu_table *table, uint32_t i)
{
    while (i < table->words) {
        const uint64_t left = table->dirty[i / BITS] >> (i % BITS);
        if (left != 0) {
            return i + (uint32_t)__builtin_ctzll(left);
        }
        i = (i / BITS + 1) * BITS;
    }
    return table->words;
}

/* The end of the dirty run that begins at i. */
static uint32_t run_end(const struct gpu_table *table, uint32_t i, enum which which)
{
    while (i < table->words) {
        if (which == ALL) {
            const uint64_t clean = ~table->dirty[i / BITS] >> (i % BITS);
            if (clean != 0) {
                i += (uint32_t)__builtin_ctzll(clean);
                break;
            }
            i = (i / BITS + 1) * BITS;
        } else if (wanted(table, i, which)) {
            i++;
        } else {
            break;
        }
    }
    return i < table->words ? i : table->words;
}

static void clean(struct gpu_table *table, uint32_t first, uint32_t end)
{
    for (uint32_t at = first; at < end;) {
        const uint32_t bit = at % BITS, here = end - at < BITS - bit ? end - at : BITS - bit;
        table->dirty[at / BITS] &= ~((~UINT64_C(0) >> (BITS - here)) << bit);
        at += here;
    }
}

static enum fl_err write_words(struct gpu_tables *t, const struct gpu_table *table, uint32_t first,
                               uint32_t end, struct fl_fail *fail)
{
    return gpu_tables_write(t, table->addr + (uint64_t)first * GPU_ENTRY_BYTES, &table->word[first],
                            (uint64_t)(end - first) * GPU_ENTRY_BYTES, fail);
}

static enum fl_err write_runs(struct gpu_tables *t, struct gpu_table *table, enum which which,
                              struct fl_fail *fail)
{
    enum fl_err err = FL_OK;

    if (!table->scattered && which == ALL) {
        if (table->dirty_first < table->dirty_end) {
            err = write_words(t, table, table->dirty_first, table->dirty_end, fail);
            table->dirty_first = err == FL_OK ? table->dirty_end : table->dirty_first;
        }
        return err;
    }
    scatter(table);
    for (uint32_t i = next_dirty(table, 0); i < table->words; i = next_dirty(table, i)) {
        if (!wanted(table, i, which)) {
            i++;
            continue;
        }
        const uint32_t end = run_end(table, i, which);
        err = write_words(t, table, i, end, fail);
        if (err != FL_OK) {
            return err;
        }
        clean(table, i, end);
        i = end;
    }
    return FL_OK;
}

/* Every table of the level that is linked: fresh ones, or the others. */
static enum fl_err write_level(struct gpu_tables *t, uint32_t level, bool fresh, enum which which,
                               struct fl_fail *fail)
{
    enum fl_err err = FL_OK;

    for (struct gpu_table *p = t->dirty[level]; p != NULL && err == FL_OK; p = p->dirty_next) {
        if (p->dead || p->fresh != fresh || (which == NOT_ZERO && !p->filled) ||
            (which == ZERO && !p->cleared) || (which == HIGH_HALVES && !p->small_first)) {
            continue;
        }
        /* Looking at each word is for tables that have both. */
        const bool both = p->filled && p->cleared;
        err = write_runs(t, p, which == HIGH_HALVES || both ? which : ALL, fail);
    }
    return err;
}

static enum fl_err write_fresh(struct gpu_tables *t, struct fl_fail *fail)
{
    enum fl_err err = FL_OK;

    for (uint32_t level = GPU_LEVELS_MAX; level-- > 0 && err == FL_OK;) {
        err = write_level(t, level, true, ALL, fail);
    }
    return FL_THEN(err, gpu_tables_flush(t, fail));
}

static enum fl_err write_linked(struct gpu_tables *t, struct fl_fail *fail)
{
    const uint32_t small = gpu_level_small(t->f), only = t->dirty_levels;

    if ((only & (only - 1)) == 0 && !t->any_fresh) { /* one level, or none: no order to keep */
        return only != 0 ? write_level(t, (uint32_t)__builtin_ctz(only), false, ALL, fail) : FL_OK;
    }
    enum fl_err err = write_level(t, small, false, NOT_ZERO, fail);

    if ((t->dirty_levels & ((1u << small) - 1)) != 0) {
        err = FL_THEN(err, write_level(t, gpu_level_pd0(t->f), false, HIGH_HALVES, fail));
        for (uint32_t level = small; level-- > 0;) {
            err = FL_THEN(err, write_level(t, level, false, ALL, fail));
        }
    }
    return FL_THEN(err, write_level(t, small, false, ZERO, fail));
}

enum fl_err gpu_tables_sync(struct gpu_tables *t, struct fl_fail *fail)
{
    enum fl_err err = t->any_fresh ? write_fresh(t, fail) : FL_OK;

    err = FL_THEN(err, write_linked(t, fail));
    if (err != FL_OK) {
        return err;
    }
    for (uint32_t left = t->dirty_levels; left != 0; left &= left - 1) {
        struct gpu_table **list = &t->dirty[__builtin_ctz(left)];
        for (struct gpu_table *p; (p = *list) != NULL;) {
            *list = p->dirty_next;
            p->dirty_next = NULL;
            p->listed = p->fresh = p->cleared = p->filled = p->small_first = p->scattered = false;
        }
    }
    t->dirty_levels = 0;
    t->any_fresh = false;
    return FL_OK;
}

enum fl_err gpu_tables_commit(struct gpu_tables *t, struct fl_fail *fail)
{
    const uint64_t serial = t->serial;

    if (serial == t->committed) {
        return FL_OK;
    }
    enum fl_err err = gpu_tables_sync(t, fail);
    err = FL_THEN(err, gpu_tables_flush(t, fail));
    err = FL_THEN(err, t->mem.ops->invalidate(t->mem.ctx, t->root->addr, false, t->hub_only, fail));
    if (err == FL_OK) {
        t->stats.invalidates++;
        t->committed = max_u64(t->committed, serial);
    }
    return err;
}
