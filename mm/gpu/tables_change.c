/* SPDX-License-Identifier: MIT */
/*
 * Mapping and unmapping in the shadow (tables.h). A change descends from the root; where an entry
 * as a whole is replaced it becomes a page, sparse or empty, and what hung below it dies; elsewhere
 * there must be a table below, and what the entry said before is spread over it. Below an entry of
 * PD0 there are two tables:
 *
 *   64K entry is a page or sparse   the 16 entries of 4K below it are 0
 *   64K entry is 0                  some entry of 4K below it is not 0
 *   64K entry says "no 4K page"     none is
 *
 * A table of 64K pages in which every entry says that is emptied, like one of zeros.
 */
#include "mm/gpu/tables_priv.h"

#define BIG_ENTRIES (GPU_BIG_BYTES / GPU_ENTRY_BYTES)

static uint64_t span_of(const struct gpu_tables *t, uint32_t level)
{
    return UINT64_C(1) << t->f->level[level].shift;
}

/* What an entry of that level says for the page at `at`. */
static uint64_t value_at(const struct gpu_change *c, uint32_t level, uint64_t at)
{
    const struct gpu_mmu_format *f = c->t->f;
    if (c->sparse) {
        return level < f->dirs ? f->sparse_pde : f->sparse_pte;
    }
    return c->fill ? c->pte | (c->pa + (at - c->va)) >> f->addr_shift : 0;
}

/* What one entry of `level` says, for entry k of the table that takes its place. */
static uint64_t spread(const struct gpu_tables *t, uint64_t old, uint32_t level, uint64_t k)
{
    if ((old & 1) == 0) {
        return level < t->f->dirs ? t->f->sparse_pde : t->f->sparse_pte;
    }
    return old + ((k << t->f->level[level].shift) >> t->f->addr_shift);
}

/* ---- counting ---- */

/* Words that count: a "no 4K page" does not. */
static void count(const struct gpu_tables *t, const struct gpu_table *table, uint32_t first,
                  uint32_t n, uint32_t *used, uint32_t *valid)
{
    const uint64_t empty = table->level == gpu_level_big(t->f) ? t->f->no_4k : 0;
    uint32_t u = 0, v = 0;

    for (uint32_t i = first; i < first + n; i++) {
        u += table->word[i] != 0 && table->word[i] != empty;
        v += (uint32_t)(table->word[i] & 1);
    }
    *used = u;
    *valid = v;
}

static void account(struct gpu_tables *t, struct gpu_table *table, uint32_t used, uint32_t valid,
                    uint32_t new_used, uint32_t new_valid)
{
    const enum gpu_page page = t->f->level[table->level].page;

    table->used = (uint16_t)(table->used - used + new_used);
    table->valid = (uint16_t)(table->valid - valid + new_valid);
    if (page != GPU_PAGE_COUNT) {
        t->stats.mapped[page] += (uint64_t)new_valid - valid;
    }
}

/* ---- entries of page tables ---- */

/* value, value + step, ...: the inner loop of every mapping, four vectors of 16 bytes at a time
 * (all that x86-64 has for sure; wider ones the compiler keeps in memory). */
static void store(uint64_t *word, uint32_t n, uint64_t value, uint64_t step)
{
    typedef uint64_t pair __attribute__((vector_size(16), aligned(8)));
    enum { AT_ONCE = 8 };
    const pair by = {AT_ONCE * step, AT_ONCE * step};
    pair a = {value, value + step}, b = a + 2 * step, c = b + 2 * step, d = c + 2 * step;
    const uint64_t *const vectors = word + n / AT_ONCE * AT_ONCE;

    for (; word < vectors; word += AT_ONCE) {
        *(pair *)&word[0] = a;
        *(pair *)&word[2] = b;
        *(pair *)&word[4] = c;
        *(pair *)&word[6] = d;
        a += by;
        b += by;
        c += by;
        d += by;
    }
    value = a[0];
    for (uint32_t i = 0; i < n % AT_ONCE; i++, value += step) {
        word[i] = value;
    }
}

/* Page tables only: n entries from first on; value 0: empty. */
static inline void set_entries(struct gpu_tables *t, struct gpu_table *table, uint32_t first,
                               uint32_t n, uint64_t value, uint64_t step)
{
    const uint64_t empty = table->level == gpu_level_big(t->f) ? t->f->no_4k : 0;
    const bool counts = value != 0 && value != empty;
    uint32_t used = table->used, valid = table->valid;

    if (table->adopted || (used != 0 && n != table->words)) {
        count(t, table, first, n, &used, &valid);
    }
    if (used == 0 && !counts) {
        return; /* nothing there, and nothing comes */
    }
    store(&table->word[first], n, value, step);
    account(t, table, used, valid, counts ? n : 0, (value & 1) != 0 ? n : 0);
    table->cleared |= value == 0;
    table->filled |= value != 0;
    gpu_table_dirty(t, table, first, n);
}

/* ---- tables come and go ---- */

static void die(const struct gpu_change *c, struct gpu_table *table)
{
    struct gpu_tables *t = c->t;

    for (uint32_t i = 0; table->child != NULL && table->used > 0 && i < table->words; i++) {
        if (table->child[i] != NULL) {
            die(c, table->child[i]);
        }
    }
    account(t, table, 0, table->valid, 0, 0);
    t->near = t->near == table ? NULL : t->near;
    *(table->big ? &t->stats.big_tables : &t->stats.tables) -= 1;
    table->dead = true;
    table->died = t->serial;
    gpu_list_push(&c->pool->dead, table);
}

/* Cuts off what hangs at a word and empties it. */
static void unlink_child(const struct gpu_change *c, struct gpu_table *table, uint32_t word)
{
    struct gpu_table *child = table->child[word];

    table->child[word] = NULL;
    table->word[word] = 0;
    account(c->t, table, 1, 0, 0, 0);
    gpu_table_dirty(c->t, table, word, 1);
    die(c, child);
}

/* A table from the pool below a word, whose own meaning the caller has spread or is losing. */
static struct gpu_table *link_child(const struct gpu_change *c, struct gpu_table *table,
                                    uint32_t word, uint32_t level)
{
    struct gpu_tables *t = c->t;
    const bool big = level == gpu_level_big(t->f), small = level == gpu_level_small(t->f);
    struct gpu_table *child = gpu_list_pop(big     ? &c->pool->big
                                           : small ? &c->pool->small
                                                   : &c->pool->directories);
    const uint64_t old = table->word[word];

    t->any_fresh = true;
    table->small_first |= small;
    child->level = (uint8_t)level;
    table->child[word] = child;
    table->word[word] = big ? t->f->encode_big(child->addr) : t->f->encode_pde(child->addr);
    account(t, table, old != 0, (uint32_t)(old & 1), 1, 0);
    gpu_table_dirty(t, table, word, 1);
    gpu_table_dirty(t, child, 0, child->words); /* its memory holds what it held before */
    *(big ? &t->stats.big_tables : &t->stats.tables) += 1;
    return child;
}

static void spread_over(struct gpu_tables *t, struct gpu_table *child, uint64_t old)
{
    const uint32_t stride = 1u << t->f->level[child->level].entry_bits, n = child->words / stride;

    for (uint32_t k = 0; k < n; k++) {
        child->word[k * stride] = spread(t, old, child->level, k);
    }
    account(t, child, 0, 0, n, (old & 1) != 0 ? n : 0);
    gpu_table_dirty(t, child, 0, child->words);
}

/* A directory entry as a whole becomes value: a page, sparse or 0. */
static void set_whole(const struct gpu_change *c, struct gpu_table *table, uint32_t word,
                      uint64_t value)
{
    const uint32_t n = 1u << c->t->f->level[table->level].entry_bits;
    bool changes = value != 0;

    for (uint32_t i = word; i < word + n; i++) {
        if (table->child[i] != NULL) {
            unlink_child(c, table, i);
            changes = true;
        }
    }
    const uint64_t old = table->word[word];
    if (changes || old != value) {
        table->word[word] = value;
        account(c->t, table, old != 0, (uint32_t)(old & 1), value != 0, (uint32_t)(value & 1));
        gpu_table_dirty(c->t, table, word, n);
    }
}

/* ---- below one entry of PD0 ---- */

struct halves {
    struct gpu_table *pd0;
    uint32_t low; /* word of the half for 64K pages; the other half follows */
};

static struct gpu_table *big_of(const struct halves *p) { return p->pd0->child[p->low]; }
static struct gpu_table *small_of(const struct halves *p) { return p->pd0->child[p->low + 1]; }

static struct gpu_table *need_small(const struct gpu_change *c, const struct halves *p)
{
    struct gpu_table *small = small_of(p);
    return small != NULL ? small : link_child(c, p->pd0, p->low + 1, gpu_level_small(c->t->f));
}

static bool chunk_is_empty(const struct halves *p, uint32_t chunk)
{
    const struct gpu_table *small = small_of(p);
    uint64_t any = 0;

    for (uint32_t i = 0; small != NULL && i < GPU_CHUNK_ENTRIES; i++) {
        any |= small->word[chunk * GPU_CHUNK_ENTRIES + i];
    }
    return any == 0;
}

static bool says_something(const struct gpu_tables *t, uint64_t big_entry)
{
    return big_entry != 0 && big_entry != t->f->no_4k;
}

/* For each chunk whether 4K entries count, where the 64K entry says nothing itself. */
static void settle(const struct gpu_change *c, const struct halves *p, uint32_t first, uint32_t end)
{
    struct gpu_table *big = big_of(p);

    for (uint32_t i = first; big != NULL && i < end; i++) {
        if (says_something(c->t, big->word[i])) {
            continue;
        }
        const uint64_t want = chunk_is_empty(p, i) ? c->t->f->no_4k : 0;
        if (big->word[i] != want) {
            big->word[i] = want;
            gpu_table_dirty(c->t, big, i, 1);
        }
    }
}

static struct gpu_table *need_big(const struct gpu_change *c, const struct halves *p)
{
    if (big_of(p) == NULL) {
        (void)link_child(c, p->pd0, p->low, gpu_level_big(c->t->f));
        settle(c, p, 0, BIG_ENTRIES);
    }
    return big_of(p);
}

/* A 64K entry that is replaced in part becomes 16 of 4K. */
static void break_chunk(const struct gpu_change *c, const struct halves *p, uint32_t chunk)
{
    struct gpu_table *big = big_of(p);
    const uint64_t old = big != NULL ? big->word[chunk] : 0;

    if (!says_something(c->t, old)) {
        return;
    }
    struct gpu_table *small = need_small(c, p);
    const bool page = (old & 1) != 0;
    set_entries(c->t, small, chunk * GPU_CHUNK_ENTRIES, GPU_CHUNK_ENTRIES,
                spread(c->t, old, small->level, 0), page ? FL_PAGE_SIZE >> c->t->f->addr_shift : 0);
    set_entries(c->t, big, chunk, 1, 0, 0);
}

static uint32_t index_in(const struct gpu_tables *t, uint32_t level, uint64_t base, uint64_t at)
{
    return (uint32_t)((at - base) >> t->f->level[level].shift);
}

/* [lo, hi) by 4K entries; not empty. */
static void change_small(const struct gpu_change *c, const struct halves *p, uint64_t base,
                         uint64_t lo, uint64_t hi)
{
    const uint32_t level = gpu_level_small(c->t->f);
    const uint32_t first = index_in(c->t, level, base, lo), end = index_in(c->t, level, base, hi);
    const uint32_t chunk = first / GPU_CHUNK_ENTRIES, last = (end - 1) / GPU_CHUNK_ENTRIES;
    struct gpu_table *big = big_of(p);

    if (first % GPU_CHUNK_ENTRIES != 0) {
        break_chunk(c, p, chunk);
    }
    if (end % GPU_CHUNK_ENTRIES != 0) {
        break_chunk(c, p, last);
    }
    if (c->fill || c->sparse) {
        set_entries(c->t, need_small(c, p), first, end - first, value_at(c, level, lo),
                    c->sparse ? 0 : FL_PAGE_SIZE >> c->t->f->addr_shift);
    } else if (small_of(p) != NULL) {
        set_entries(c->t, small_of(p), first, end - first, 0, 0);
    }
    if (big == NULL) {
        return;
    }
    for (uint32_t i = chunk; i <= last; i++) {
        if (says_something(c->t, big->word[i])) {
            set_entries(c->t, big, i, 1, 0, 0);
        }
    }
    settle(c, p, chunk, last + 1);
}

/* [lo, hi), whole chunks, by 64K entries. */
static void change_big(const struct gpu_change *c, const struct halves *p, uint64_t base,
                       uint64_t lo, uint64_t hi)
{
    const uint32_t level = gpu_level_big(c->t->f);
    const uint32_t first = index_in(c->t, level, base, lo), end = index_in(c->t, level, base, hi);
    const bool something = c->fill || c->sparse;
    struct gpu_table *big = something ? need_big(c, p) : big_of(p), *small = small_of(p);

    if (big != NULL) {
        set_entries(c->t, big, first, end - first,
                    something ? value_at(c, level, lo) : c->t->f->no_4k,
                    c->fill ? span_of(c->t, level) >> c->t->f->addr_shift : 0);
    }
    if (small != NULL) {
        set_entries(c->t, small, first * GPU_CHUNK_ENTRIES, (end - first) * GPU_CHUNK_ENTRIES, 0,
                    0);
    }
    settle(c, p, first, end);
}

static void prune(const struct gpu_change *c, struct gpu_table *table, uint32_t word)
{
    const struct gpu_table *child = table->child[word];

    if (child != NULL && child->used == 0 && !child->adopted) {
        unlink_child(c, table, word);
    }
}

/* [lo, hi) below the entry of PD0 whose VA begins at base. */
static void change_pair(const struct gpu_change *c, const struct halves *p, uint64_t base,
                        uint64_t lo, uint64_t hi)
{
    const uint64_t old = p->pd0->word[p->low];
    const bool leaf = old != 0 && big_of(p) == NULL;

    if (leaf && hi - lo < GPU_SPAN_2M) {
        struct gpu_table *big = link_child(c, p->pd0, p->low, gpu_level_big(c->t->f));
        spread_over(c->t, big, old);
    } else if (leaf) {
        set_whole(c, p->pd0, p->low, 0);
    }
    const struct range chunks = gpu_change_chunks(c, lo, hi);
    if (chunks.size > 0) {
        change_big(c, p, base, chunks.base, range_end(chunks));
    }
    if (lo < chunks.base) {
        change_small(c, p, base, lo, chunks.base);
    }
    if (range_end(chunks) < hi) {
        change_small(c, p, base, range_end(chunks), hi);
    }
    prune(c, p->pd0, p->low);
    prune(c, p->pd0, p->low + 1);
}

/* ---- directories ---- */

void gpu_change_below(const struct gpu_change *c, struct gpu_table *table, uint64_t lo, uint64_t hi)
{
    const uint32_t level = table->level, entry_bits = c->t->f->level[level].entry_bits;
    const uint64_t span = span_of(c->t, level);

    for (uint64_t at = lo, next; at < hi; at = next) {
        const uint32_t word = (uint32_t)gpu_level_index(c->t->f, level, at) << entry_bits;
        const uint64_t base = align_down_u64(at, span);
        next = min_u64(base + span, hi);
        const bool full = next - at == span;
        if (full && gpu_plan_whole(c->t->f, &c->plan, level) &&
            !gpu_table_adopted_below(table, word, 1u << entry_bits)) {
            set_whole(c, table, word, value_at(c, level, at));
            continue;
        }
        if (level == gpu_level_pd0(c->t->f)) {
            const struct halves p = {table, word};
            change_pair(c, &p, base, at, next);
            continue;
        }
        const uint64_t old = table->word[word];
        if (table->child[word] == NULL) {
            if (old == 0 && !c->fill && !c->sparse) {
                continue;
            }
            struct gpu_table *child = link_child(c, table, word, level + 1);
            if (old != 0 && !full) {
                spread_over(c->t, child, old);
            }
        }
        gpu_change_below(c, table->child[word], at, next);
        prune(c, table, word);
    }
}
