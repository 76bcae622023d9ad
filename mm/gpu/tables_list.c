/* SPDX-License-Identifier: MIT */
/*
 * Tables as things that are allocated, listed and freed: nodes in CPU memory and their place in
 * video memory. Tables of 64K pages have 256 bytes, so 16 of them share a page.
 */
#include "arch/fiber.h"
#include "mm/gpu/tables_priv.h"
#include "mm/heap.h"

#define BIG_SLOTS  ((uint32_t)(GPU_TABLE_BYTES / GPU_BIG_BYTES))
#define CACHE_LINE 64u
#define ALL_TAKEN  ((1u << BIG_SLOTS) - 1)

void gpu_list_push(struct gpu_table_list *list, struct gpu_table *table)
{
    table->next = list->first;
    list->first = table;
    list->count++;
}

struct gpu_table *gpu_list_pop(struct gpu_table_list *list)
{
    struct gpu_table *table = list->first;

    if (table != NULL) {
        list->first = table->next;
        list->count--;
        table->next = NULL;
    }
    return table;
}

/* Node, words and children in one piece; the words begin at a line of the cache. */
struct gpu_table *gpu_node_new(uint32_t words, bool directory, bool big)
{
    const size_t children = directory ? words * sizeof(struct gpu_table *) : 0;
    struct gpu_table *table =
        heap_zalloc(sizeof(*table) + CACHE_LINE + words * sizeof(uint64_t) + children);

    if (table != NULL) {
        table->words = (uint16_t)words;
        table->big = big;
        table->word = (void *)align_up_u64((uintptr_t)(table + 1), CACHE_LINE);
        table->child = directory ? (void *)&table->word[words] : NULL;
    }
    return table;
}

/* ---- slots of 256 bytes ---- */

static void page_list(struct gpu_tables *t, struct gpu_big_page *p)
{
    p->prev = NULL;
    p->next = t->big_pages;
    if (p->next != NULL) {
        p->next->prev = p;
    }
    t->big_pages = p;
}

static void page_unlist(struct gpu_tables *t, struct gpu_big_page *p)
{
    *(p->prev != NULL ? &p->prev->next : &t->big_pages) = p->next;
    if (p->next != NULL) {
        p->next->prev = p->prev;
    }
}

static enum fl_err vram_take(struct gpu_tables *t, uint64_t *addr)
{
    enum fl_err err = t->source.alloc(t->source.ctx, GPU_TABLE_BYTES, GPU_TABLE_BYTES, addr);

    if (err == FL_OK) {
        t->stats.bytes += GPU_TABLE_BYTES;
    }
    return err;
}

static void vram_give(struct gpu_tables *t, uint64_t addr)
{
    if (!t->lost) {
        t->source.free(t->source.ctx, addr, GPU_TABLE_BYTES);
    }
    t->stats.bytes -= GPU_TABLE_BYTES;
}

static enum fl_err slot_take(struct gpu_tables *t, struct gpu_table *table)
{
    if (t->big_pages == NULL) {
        struct gpu_big_page *p = heap_zalloc(sizeof(*p));
        enum fl_err err = p != NULL ? vram_take(t, &p->addr) : FL_ENOMEM;
        if (err != FL_OK) {
            heap_free(p);
            return err;
        }
        page_list(t, p);
    }
    struct gpu_big_page *p = t->big_pages;
    const uint32_t slot = (uint32_t)__builtin_ctz(~p->taken);
    p->taken |= 1u << slot;
    if (p->taken == ALL_TAKEN) {
        page_unlist(t, p);
    }
    table->page = p;
    table->addr = p->addr + slot * GPU_BIG_BYTES;
    return FL_OK;
}

static void slot_give(struct gpu_tables *t, const struct gpu_table *table)
{
    struct gpu_big_page *p = table->page;
    const uint32_t slot = (uint32_t)((table->addr - p->addr) / GPU_BIG_BYTES);

    if (p->taken == ALL_TAKEN) {
        page_list(t, p);
    }
    p->taken &= ~(1u << slot);
    if (p->taken == 0) {
        page_unlist(t, p);
        vram_give(t, p->addr);
        heap_free(p);
    }
}

/* ---- tables ---- */

void gpu_table_free(struct gpu_tables *t, struct gpu_table *table)
{
    if (table->page != NULL) {
        slot_give(t, table);
    } else if (!table->adopted) {
        vram_give(t, table->addr);
    }
    heap_free(table->foreign);
    heap_free(table);
}

enum fl_err gpu_table_new(struct gpu_tables *t, bool directory, bool big, struct gpu_table **out,
                          struct fl_fail *fail)
{
    const uint32_t bytes = big ? GPU_BIG_BYTES : GPU_TABLE_BYTES;
    struct gpu_table *table = gpu_node_new(bytes / GPU_ENTRY_BYTES, directory, big);
    enum fl_err err = table == NULL ? FL_ENOMEM
                      : big         ? slot_take(t, table)
                                    : vram_take(t, &table->addr);

    if (err != FL_OK) {
        heap_free(table);
        return FL_FAIL_MORE(fail, err, "page tables",
                            (.hint = "unmap something, or give the GPU more memory"),
                            "no memory for a page table: %s", fl_err_name(err));
    }
    if (!range_ok(table->addr, bytes, t->mem.vram_bytes) || !is_aligned_u64(table->addr, bytes)) {
        err = FL_FAIL_MORE(
            fail, FL_EINVAL, "page tables", (FL_SAW(table->addr, t->mem.vram_bytes, 0)),
            "a page table at 0x%llx is misaligned or outside of %llu MiB of video "
            "memory",
            (unsigned long long)table->addr, (unsigned long long)(t->mem.vram_bytes / MIB(1)));
    }
    if (gpu_tables_overlap(t, (struct range){table->addr, bytes})) {
        err = FL_FAIL(fail, FL_EBADDATA, "page tables",
                      "the memory at 0x%llx was free, and foreign tables lie in it",
                      (unsigned long long)table->addr);
    }
    if (err != FL_OK) {
        gpu_table_free(t, table);
        return err;
    }
    table->fresh = true;
    *out = table;
    return FL_OK;
}

static enum fl_err add(struct gpu_tables *t, struct gpu_table_list *list, uint64_t count,
                       bool directory, bool big, struct fl_fail *fail)
{
    enum fl_err err = FL_OK;

    for (uint64_t i = 0; i < count && err == FL_OK; i++) {
        struct gpu_table *table = NULL;
        err = gpu_table_new(t, directory, big, &table, fail);
        if (err == FL_OK) {
            gpu_list_push(list, table);
        }
    }
    return err;
}

static void drop_to(struct gpu_tables *t, struct gpu_table_list *list, uint64_t count)
{
    while (list->count > count) {
        gpu_table_free(t, gpu_list_pop(list));
    }
}

enum fl_err gpu_tables_prepare_need(struct gpu_tables *t, const struct gpu_table_need *need,
                                    struct gpu_table_pool *pool, struct fl_fail *fail)
{
    const struct gpu_table_pool before = *pool;

    if (need->directories > need->tables) {
        return FL_FAIL(fail, FL_EINVAL, "page tables", "%llu directories among %llu tables",
                       (unsigned long long)need->directories, (unsigned long long)need->tables);
    }
    enum fl_err err = add(t, &pool->directories, need->directories, true, false, fail);
    err = FL_THEN(err, add(t, &pool->small, need->tables - need->directories, false, false, fail));
    err = FL_THEN(err, add(t, &pool->big, need->big, false, true, fail));
    if (err != FL_OK) {
        drop_to(t, &pool->directories, before.directories.count);
        drop_to(t, &pool->small, before.small.count);
        drop_to(t, &pool->big, before.big.count);
    }
    return err;
}

enum fl_err gpu_tables_prepare(struct gpu_tables *t, uint64_t va, uint64_t len,
                               struct gpu_table_pool *pool, struct fl_fail *fail)
{
    const struct gpu_table_need need = gpu_tables_worst(t->f, va, len);

    if (need.tables == 0) {
        return FL_FAIL(fail, FL_EINVAL, "page tables",
                       "VA 0x%llx, 0x%llx bytes: not pages of 4 KiB inside of %u bits",
                       (unsigned long long)va, (unsigned long long)len, t->f->va_bits);
    }
    return gpu_tables_prepare_need(t, &need, pool, fail);
}

/* Frees the dead ones that a commit has covered; the others go to keep. */
static void bury(struct gpu_tables *t, struct gpu_table_list dead, struct gpu_table_list *keep)
{
    for (struct gpu_table *table; (table = gpu_list_pop(&dead)) != NULL;) {
        if (table->died <= t->committed) {
            gpu_table_free(t, table);
        } else {
            gpu_list_push(keep, table);
        }
    }
}

void gpu_tables_release(struct gpu_tables *t, struct gpu_table_pool *pool)
{
    const struct gpu_table_list limbo = t->limbo;

    drop_to(t, &pool->directories, 0);
    drop_to(t, &pool->small, 0);
    drop_to(t, &pool->big, 0);
    t->limbo = (struct gpu_table_list){0};
    bury(t, limbo, &t->limbo);
    bury(t, pool->dead, &t->limbo);
    pool->dead = (struct gpu_table_list){0};
}
