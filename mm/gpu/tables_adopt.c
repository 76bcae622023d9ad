/* SPDX-License-Identifier: MIT */
/*
 * Roots that somebody else made (tables.h). Every table below is read once and gets a node, so that
 * changes descend through it as through our own; words that mean something are marked foreign. What
 * cannot be followed (tables in system memory or outside of video memory) is foreign as a whole.
 */

#include "mm/gpu/tables_priv.h"
#include "mm/heap.h"

/* RM's BAR1 has a handful of tables; more is a tree that loops or maps everything. */
#define ADOPTED_MAX 1024u
#define BITS        64u

static void set_foreign(struct gpu_table *table, uint32_t word)
{
    table->foreign[word / BITS] |= UINT64_C(1) << (word % BITS);
}
static bool is_foreign(const struct gpu_table *table, uint32_t word)
{
    return (table->foreign[word / BITS] >> (word % BITS) & 1) != 0;
}

static uint64_t table_bytes(const struct gpu_tables *t, uint32_t level)
{
    return (uint64_t)gpu_level_words(t->f, level) * GPU_ENTRY_BYTES;
}

static bool overlaps_below(const struct gpu_tables *t, const struct gpu_table *table,
                           struct range place)
{
    bool hit = range_overlaps(place, (struct range){table->addr, table_bytes(t, table->level)});

    for (uint32_t i = 0; table->child != NULL && i < table->words && !hit; i++) {
        const struct gpu_table *child = table->child[i];
        hit = child != NULL && child->adopted && overlaps_below(t, child, place);
    }
    return hit;
}

bool gpu_tables_overlap(const struct gpu_tables *t, struct range place)
{
    return t->stats.adopted != 0 && overlaps_below(t, t->root, place);
}

static bool reachable(const struct gpu_tables *t, const struct gpu_pde *pde, uint32_t level)
{
    return !pde->sysmem && range_ok(pde->addr, table_bytes(t, level), t->mem.vram_bytes);
}

/* Reads one table; its children come later. */
static enum fl_err read_table(struct gpu_tables *t, uint64_t addr, uint32_t level,
                              struct gpu_table **out, struct fl_fail *fail)
{
    const uint32_t words = gpu_level_words(t->f, level);
    const struct range place = {addr, table_bytes(t, level)};

    if (t->stats.adopted == ADOPTED_MAX) {
        return FL_FAIL(fail, FL_EBADDATA, "page tables", "more than %u foreign tables",
                       ADOPTED_MAX);
    }
    if (gpu_tables_overlap(t, place)) {
        return FL_FAIL(fail, FL_EBADDATA, "page tables",
                       "the foreign %s at 0x%llx is linked twice, or lies in another table",
                       t->f->level[level].name, (unsigned long long)addr);
    }
    struct gpu_table *table = gpu_node_new(words, level < t->f->dirs, false);
    if (table != NULL) {
        table->level = (uint8_t)level;
        table->addr = addr;
        table->adopted = true;
        table->foreign = heap_zalloc(GPU_DIRTY_WORDS * sizeof(uint64_t));
    }
    if (table == NULL || table->foreign == NULL) {
        heap_free(table);
        return FL_FAIL(fail, FL_ENOMEM, "page tables", "no memory for a foreign table");
    }
    enum fl_err err = t->mem.ops->read(t->mem.ctx, addr, table->word, place.size, fail);
    if (err != FL_OK) {
        gpu_table_free(t, table);
        return err;
    }
    t->stats.adopted++;
    *out = table;
    return FL_OK;
}

static enum fl_err adopt(struct gpu_tables *t, struct gpu_table *table, struct fl_fail *fail);

/* A directory's word: FL_OK with *taken when it is foreign. */
static enum fl_err adopt_word(struct gpu_tables *t, struct gpu_table *table, uint32_t i,
                              bool *taken, struct fl_fail *fail)
{
    const bool pd0 = table->level == gpu_level_pd0(t->f);
    const struct gpu_pde pde = !pd0         ? t->f->decode_pde(table->word[i])
                               : i % 2 == 0 ? t->f->decode_big(table->word[i])
                                            : t->f->decode_small(table->word[i]);
    const uint32_t level = pd0 && i % 2 == 1 ? gpu_level_small(t->f) : table->level + 1u;

    if (pde.is == GPU_PDE_INVALID) {
        table->word[i] = 0; /* whatever else it says */
        return FL_OK;
    }
    if (pde.is != GPU_PDE_TABLE || !reachable(t, &pde, level)) {
        *taken = true;
        return FL_OK;
    }
    struct gpu_table *child = NULL;
    enum fl_err err = read_table(t, pde.addr, level, &child, fail);
    if (err != FL_OK) {
        return err;
    }
    table->child[i] = child;
    return adopt(t, child, fail);
}

/* 4K entries that a 64K entry hides: nobody may unhide them, so that entry is foreign. */
static void adopt_hidden(const struct gpu_tables *t, struct gpu_table *big,
                         const struct gpu_table *small)
{
    for (uint32_t i = 0; i < small->words; i++) {
        const uint32_t chunk = i / GPU_CHUNK_ENTRIES;
        if (small->word[i] != 0 && big->word[chunk] == t->f->no_4k) {
            set_foreign(big, chunk);
        }
    }
}

static enum fl_err adopt_directory(struct gpu_tables *t, struct gpu_table *table,
                                   struct fl_fail *fail)
{
    const uint32_t n = 1u << t->f->level[table->level].entry_bits;
    enum fl_err err = FL_OK;

    for (uint32_t i = 0; i < table->words && err == FL_OK; i += n) {
        bool taken = false;
        /* The high half counts only where the low one is no page and not sparse. */
        for (uint32_t k = 0; k < n && err == FL_OK && !taken; k++) {
            err = adopt_word(t, table, i + k, &taken, fail);
        }
        for (uint32_t k = 0; k < n && taken; k++) {
            set_foreign(table, i + k);
        }
        if (n == 2 && err == FL_OK && table->child[i] != NULL && table->child[i + 1] != NULL) {
            adopt_hidden(t, table->child[i], table->child[i + 1]);
        }
    }
    return err;
}

static enum fl_err adopt(struct gpu_tables *t, struct gpu_table *table, struct fl_fail *fail)
{
    if (table->child != NULL) {
        return adopt_directory(t, table, fail);
    }
    for (uint32_t i = 0; i < table->words; i++) {
        switch (t->f->decode_pte(table->word[i]).is) {
        case GPU_PTE_INVALID:
            table->word[i] = 0;
            break;
        case GPU_PTE_NO_4K:
            table->word[i] = table->level == gpu_level_big(t->f) ? t->f->no_4k : 0;
            break;
        case GPU_PTE_SPARSE:
        case GPU_PTE_NOWHERE:
        case GPU_PTE_PAGE:
            set_foreign(table, i);
            break;
        }
    }
    return FL_OK;
}

enum fl_err gpu_tables_adopt(struct gpu_tables *t, uint64_t root, struct fl_fail *fail)
{
    if (!is_aligned_u64(root, GPU_TABLE_BYTES) ||
        !range_ok(root, table_bytes(t, 0), t->mem.vram_bytes)) {
        return FL_FAIL(fail, FL_EINVAL, "page tables",
                       "the root at 0x%llx is misaligned or outside of video memory",
                       (unsigned long long)root);
    }
    enum fl_err err = read_table(t, root, 0, &t->root, fail);
    err = FL_THEN(err, adopt(t, t->root, fail));
    if (err != FL_OK && t->root != NULL) {
        gpu_tables_free_below(t, t->root);
    }
    return err;
}

/* ---- what is taken ---- */

static struct range first_foreign(const struct gpu_tables *t, const struct gpu_table *table,
                                  uint64_t lo, uint64_t hi)
{
    const struct gpu_level *kind = &t->f->level[table->level];
    const uint64_t span = UINT64_C(1) << kind->shift;
    const uint32_t n = 1u << kind->entry_bits;

    for (uint64_t at = align_down_u64(lo, span); at < hi; at += span) {
        const uint32_t word = (uint32_t)gpu_level_index(t->f, table->level, at) << kind->entry_bits;
        if (is_foreign(table, word)) {
            return (struct range){at, span};
        }
        /* Both tables of a pair say something about the same VA. */
        struct range first = {hi, 0};
        for (uint32_t i = word; table->child != NULL && i < word + n; i++) {
            const struct gpu_table *child = table->child[i];
            if (child != NULL && child->adopted) {
                const struct range r =
                    first_foreign(t, child, max_u64(lo, at), min_u64(hi, at + span));
                first = r.size != 0 && r.base < first.base ? r : first;
            }
        }
        if (first.size != 0) {
            return first;
        }
    }
    return (struct range){hi, 0};
}

bool gpu_tables_taken(const struct gpu_tables *t, uint64_t va, struct range *taken)
{
    const uint64_t end = gpu_tables_va_size(t);
    struct range all = {0};

    while (t->stats.adopted != 0 && va < end) {
        const struct range r = first_foreign(t, t->root, va, end);
        if (r.size == 0 || (all.size != 0 && r.base > range_end(all))) {
            break;
        }
        all.base = all.size == 0 ? r.base : all.base;
        all.size = range_end(r) - all.base;
        va = range_end(r);
    }
    *taken = all;
    return all.size != 0;
}

uint64_t gpu_tables_foreign(const struct gpu_tables *t, uint64_t va, uint64_t end)
{
    if (t->stats.adopted == 0) {
        return end;
    }
    const struct range r = first_foreign(t, t->root, va, end);
    return r.size != 0 ? max_u64(r.base, va) : end;
}

/* Takes everything of ours out of foreign tables: all that lies between what is foreign. */
enum fl_err gpu_tables_withdraw(struct gpu_tables *t, struct gpu_table_pool *pool,
                                struct fl_fail *fail)
{
    const uint64_t end = gpu_tables_va_size(t);
    enum fl_err err = FL_OK;

    for (uint64_t va = 0; va < end && err == FL_OK;) {
        struct range taken = {end, 0};
        if (!gpu_tables_taken(t, va, &taken)) {
            taken = (struct range){end, 0};
        }
        if (taken.base > va) {
            err = gpu_tables_unmap(t, pool, va, taken.base - va, false, fail);
        }
        va = range_end(taken);
    }
    return FL_THEN(err, gpu_tables_commit(t, fail));
}
