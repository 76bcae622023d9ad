/* SPDX-License-Identifier: MIT */
/* The life of an address space's tables (tables.h). */
#include "mm/gpu/tables.h"

#include <stdlib.h>

#include "arch/fail_point.h"
#include "arch/fiber.h"
#include "arch/lockorder.h"
#include "mm/gpu/tables_priv.h"

static enum fl_err make_root(struct gpu_tables *t, struct fl_fail *fail)
{
    enum fl_err err = gpu_table_new(t, true, false, &t->root, fail);

    if (err != FL_OK) {
        return err;
    }
    t->root->words = (uint16_t)gpu_level_words(t->f, 0);
    t->root->fresh = false;
    t->stats.tables = 1;
    /* The caller binds it when it likes. */
    err = gpu_tables_flush(t, fail);
    if (err != FL_OK) {
        gpu_table_free(t, t->root);
    }
    return err;
}

enum fl_err gpu_tables_create(const struct gpu_mem *mem, const struct gpu_mmu_format *format,
                              const struct gpu_table_source *source, uint64_t root, bool hub_only,
                              struct gpu_tables **out, struct fl_fail *fail)
{
    lockorder_point(&lock_class_alloc, FL_WHERE);
    struct gpu_tables *t = fail_point_alloc() ? NULL : calloc(1, sizeof(*t));
    if (t == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, "page tables", "no memory for an address space");
    }
    t->mem = *mem;
    t->f = format;
    t->source = *source;
    t->hub_only = hub_only;
    enum fl_err err = root == 0 ? make_root(t, fail) : gpu_tables_adopt(t, root, fail);
    if (err != FL_OK) {
        free(t);
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
    free(t);
}

uint64_t gpu_tables_root(const struct gpu_tables *t) { return t->root->addr; }
uint64_t gpu_tables_va_size(const struct gpu_tables *t) { return gpu_format_va_size(t->f); }
const struct gpu_mmu_format *gpu_tables_format(const struct gpu_tables *t) { return t->f; }
void gpu_tables_get_stats(const struct gpu_tables *t, struct gpu_table_stats *out)
{
    *out = t->stats;
}
