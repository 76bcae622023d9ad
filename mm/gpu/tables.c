/* SPDX-License-Identifier: MIT */
/* An address space's tables: their life, and what a change is checked for (tables.h). */
#include "mm/gpu/tables.h"

#include "arch/fiber.h"
#include "mm/gpu/tables_priv.h"
#include "mm/heap.h"

static enum fl_err make_root(struct gpu_tables *t, struct fl_fail *fail)
{
    enum fl_err err = gpu_table_new(t, true, false, &t->root, fail);

    if (err != FL_OK) {
        return err;
    }
    /* The caller binds it when he likes. */
    err = gpu_tables_write(t, t->root->addr, t->root->word, GPU_TABLE_BYTES, fail);
    t->root->words = (uint16_t)gpu_level_words(t->f, 0);
    t->root->fresh = false;
    t->stats.tables = 1;
    err = FL_THEN(err, gpu_tables_flush(t, fail));
    if (err != FL_OK) {
        gpu_table_free(t, t->root);
    }
    return err;
}

enum fl_err gpu_tables_create(const struct gpu_mem *mem, const struct gpu_mmu_format *format,
                              const struct gpu_table_source *source, uint64_t root, bool hub_only,
                              struct gpu_tables **out, struct fl_fail *fail)
{
    struct gpu_tables *t = heap_zalloc(sizeof(*t));
    if (t == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, "page tables", "no memory for an address space");
    }
    t->mem = *mem;
    t->f = format;
    t->source = *source;
    t->hub_only = hub_only;
    enum fl_err err = root == 0 ? make_root(t, fail) : gpu_tables_adopt(t, root, fail);
    if (err != FL_OK) {
        heap_free(t);
        return err;
    }
    *out = t;
    return FL_OK;
}

void gpu_tables_free_below(struct gpu_tables *t, struct gpu_table *table)
{
    for (uint32_t i = 0; table->child != NULL && i < table->words; i++) {
        if (table->child[i] != NULL) {
            gpu_tables_free_below(t, table->child[i]);
        }
    }
    gpu_table_free(t, table);
}

void gpu_tables_destroy(struct gpu_tables *t)
{
    if (t == NULL) {
        return;
    }
    struct gpu_table_pool pool = {0};
    struct fl_fail fail = {0};
    t->lost = t->root->adopted && gpu_tables_withdraw(t, &pool, &fail) != FL_OK;
    gpu_tables_release(t, &pool);
    for (struct gpu_table *table; (table = gpu_list_pop(&t->limbo)) != NULL;) {
        gpu_table_free(t, table);
    }
    gpu_tables_free_below(t, t->root);
    heap_free(t);
}

uint64_t gpu_tables_root(const struct gpu_tables *t) { return t->root->addr; }
uint64_t gpu_tables_va_size(const struct gpu_tables *t) { return gpu_format_va_size(t->f); }
const struct gpu_mmu_format *gpu_tables_format(const struct gpu_tables *t) { return t->f; }
void gpu_tables_get_stats(const struct gpu_tables *t, struct gpu_table_stats *out)
{
    *out = t->stats;
}

/* ---- changes ---- */

static bool has(const struct gpu_table_pool *pool, const struct gpu_table_need *need)
{
    return pool->directories.count >= need->directories &&
           pool->small.count >= need->tables - need->directories && pool->big.count >= need->big;
}

/* Where to begin: at the root, or at the PD0 that has all of a change that only adds. Nothing above
 * it is touched then. */
static struct gpu_table *lowest(const struct gpu_change *c)
{
    const struct gpu_mmu_format *f = c->t->f;
    const uint32_t pd0 = gpu_level_pd0(f), shift = f->level[pd0].shift;
    const uint64_t index = c->va >> shift >> f->level[pd0].bits;
    struct gpu_table *table = c->t->root;

    if (!c->fill || c->va >> shift != (c->end - 1) >> shift) {
        return table;
    }
    if (c->t->near != NULL && c->t->near_index == index) {
        return c->t->near;
    }
    for (uint32_t level = 0; table != NULL && level < pd0; level++) {
        table = table->child[gpu_level_index(f, level, c->va)];
    }
    c->t->near = table;
    c->t->near_index = index;
    return table != NULL ? table : c->t->root;
}

/* The tables that a change inside of one entry of a PD0 can write to are there. */
static inline bool has_both(const struct gpu_change *c, const struct gpu_table *pd0)
{
    const struct gpu_mmu_format *f = c->t->f;
    const uint32_t level = pd0->level;
    struct gpu_table *const *child =
        &pd0->child[gpu_level_index(f, level, c->va) << f->level[level].entry_bits];

    return child[1] != NULL && (child[0] != NULL || !gpu_plan_whole(f, &c->plan, gpu_level_big(f)));
}

/* The worst case is known from the numbers; what is really missing is counted where that is as
 * quick, or where the pool has less, as when an earlier call of the job has taken from it. */
static bool enough(const struct gpu_change *c, const struct gpu_table *from,
                   struct gpu_table_need *missing)
{
    if (from == c->t->root && c->t->stats.adopted == 0) {
        const struct gpu_table_need worst = gpu_change_worst(c);
        if (has(c->pool, &worst)) {
            return true;
        }
    } else if (from != c->t->root && has_both(c, from)) {
        return true;
    }
    *missing = gpu_change_missing(c, from);
    return has(c->pool, missing);
}

static enum fl_err apply(struct gpu_change *c, struct fl_fail *fail)
{
    struct gpu_tables *t = c->t;
    struct gpu_table_need missing;
    const uint64_t taken = gpu_tables_foreign(t, c->va, c->end);

    if (taken != c->end) {
        return FL_FAIL_MORE(fail, FL_EBUSY, "page tables", (FL_SAW(taken, c->va, 0)),
                            "VA 0x%llx is mapped by somebody else", (unsigned long long)taken);
    }
    struct gpu_table *from = lowest(c);
    if (!enough(c, from, &missing)) {
        return FL_FAIL_MORE(
            fail, FL_ESTATE, "page tables",
            (.hint = "a bug: prepare what the operation needs before it runs"),
            "%llu directories, %llu tables of 4K and %llu of 64K pages are missing; prepared "
            "are %llu, %llu, %llu",
            (unsigned long long)missing.directories,
            (unsigned long long)(missing.tables - missing.directories),
            (unsigned long long)missing.big, (unsigned long long)c->pool->directories.count,
            (unsigned long long)c->pool->small.count, (unsigned long long)c->pool->big.count);
    }
    t->serial++;
    gpu_change_below(c, from, c->va, c->end);
    return gpu_tables_sync(t, fail);
}

static enum fl_err bad_range(const struct gpu_tables *t, uint64_t va, uint64_t len,
                             struct fl_fail *fail)
{
    return FL_FAIL(fail, FL_EINVAL, "page tables",
                   "VA 0x%llx, 0x%llx bytes: not pages of 4 KiB inside of %u bits",
                   (unsigned long long)va, (unsigned long long)len, t->f->va_bits);
}

enum fl_err gpu_tables_map(struct gpu_tables *t, struct gpu_table_pool *pool, uint64_t va,
                           uint64_t pa, uint64_t len, enum gpu_page largest,
                           const struct gpu_pte_attrs *attrs, struct fl_fail *fail)
{
    const char *refused = gpu_format_refuses(t->f, pa, len, attrs);

    if (!gpu_format_range_ok(t->f, va, len)) {
        return bad_range(t, va, len, fail);
    }
    if (refused == NULL && largest >= GPU_PAGE_COUNT) {
        refused = "there is no such page size";
    }
    if (refused == NULL && attrs->aperture == GPU_VIDMEM && !range_ok(pa, len, t->mem.vram_bytes)) {
        refused = "it reaches beyond video memory";
    }
    if (refused != NULL) {
        return FL_FAIL(fail, FL_EINVAL, "page tables", "cannot map 0x%llx, 0x%llx bytes: %s",
                       (unsigned long long)pa, (unsigned long long)len, refused);
    }
    struct gpu_change c = {.t = t,
                           .pool = pool,
                           .va = va,
                           .end = va + len,
                           .fill = true,
                           .plan = {.congruent = va ^ pa, .largest = largest},
                           .pa = pa,
                           .pte = t->f->encode_pte(0, attrs)};
    return apply(&c, fail);
}

enum fl_err gpu_tables_unmap(struct gpu_tables *t, struct gpu_table_pool *pool, uint64_t va,
                             uint64_t len, bool sparse, struct fl_fail *fail)
{
    struct gpu_change c = {
        .t = t, .pool = pool, .va = va, .end = va + len, .sparse = sparse, .plan = {.all = true}};

    if (!gpu_format_range_ok(t->f, va, len)) {
        return bad_range(t, va, len, fail);
    }
    return apply(&c, fail);
}
