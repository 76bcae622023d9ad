/* SPDX-License-Identifier: MIT */
/* The shadow of page tables, for tables*.c and walk*.c. */
#pragma once

#include "arch/range.h"
#include "mm/gpu/format_priv.h"
#include "mm/gpu/tables.h"

#define GPU_DIRTY_WORDS (GPU_TABLE_WORDS / 64)

/* 16 tables of 64K pages share a page of video memory. */
struct gpu_big_page {
    struct gpu_big_page *next, *prev; /* those with a free slot */
    uint64_t addr;
    uint32_t taken; /* bit i: slot i */
};

/* One table: a node of the tree, or in a list of a pool. */
struct gpu_table {
    struct gpu_table *next; /* in a pool, on the dead list */
    struct gpu_table *dirty_next;
    struct gpu_table **child;  /* by word of the entry; NULL in page tables */
    struct gpu_big_page *page; /* where a table of 64K pages lies */
    uint64_t *foreign;         /* adopted tables: bit i, word i is not ours */
    uint64_t addr;
    uint64_t died; /* tables.serial when it was unlinked */
    uint16_t words;
    uint16_t used;  /* words that are links, pages or sparse */
    uint16_t valid; /* of these, pages */
    uint8_t level;
    bool big;                        /* 256 bytes */
    bool adopted;                    /* somebody else's memory */
    bool dead;                       /* unlinked */
    bool fresh;                      /* no reachable entry in video memory links it yet */
    bool listed;                     /* on tables.dirty */
    bool cleared;                    /* page tables: words that became 0 wait to be written ... */
    bool filled;                     /* ... and others */
    bool small_first;                /* PD0: a high half links a new table */
    bool scattered;                  /* what is not written yet is no single run */
    uint16_t dirty_first, dirty_end; /* that run; else ... */
    uint64_t dirty[GPU_DIRTY_WORDS]; /* ... bit i: word i */
    uint64_t *word;                  /* as in video memory; x86 and GPU are little endian */
};

struct gpu_tables {
    struct gpu_mem mem;
    const struct gpu_mmu_format *f;
    struct gpu_table_source source;
    struct gpu_table *root;
    struct gpu_table *dirty[GPU_LEVELS_MAX]; /* by level: tables with words to write */
    uint32_t dirty_levels;                   /* bit: that list is not empty */
    bool any_fresh;                          /* a table on these lists is fresh */
    struct gpu_table *near;                  /* the PD0 of the last change in one of them ... */
    uint64_t near_index;            /* ... and its number among those that there could be */
    struct gpu_table_list limbo;    /* dead, released, but not committed yet */
    struct gpu_big_page *big_pages; /* with a free slot */
    uint64_t serial;                /* of changes */
    uint64_t committed;             /* what the GPU has seen of them */
    bool hub_only;
    bool lost; /* the GPU may still walk our tables: their memory is never freed */
    struct gpu_table_stats stats;
};

/* tables_list.c: allocation and lists. */
void gpu_list_push(struct gpu_table_list *list, struct gpu_table *table);
struct gpu_table *gpu_list_pop(struct gpu_table_list *list);
struct gpu_table *gpu_node_new(uint32_t words, bool directory, bool big);
void gpu_table_free(struct gpu_tables *t, struct gpu_table *table); /* and its video memory */
FL_MUST_CHECK enum fl_err gpu_table_new(struct gpu_tables *t, bool directory, bool big,
                                        struct gpu_table **out, struct fl_fail *fail);

/* tables_sync.c: from the shadow to video memory. */
void gpu_table_dirty(struct gpu_tables *t, struct gpu_table *table, uint32_t first, uint32_t n);
FL_MUST_CHECK enum fl_err gpu_tables_sync(struct gpu_tables *t, struct fl_fail *fail);
FL_MUST_CHECK enum fl_err gpu_tables_flush(struct gpu_tables *t, struct fl_fail *fail);
FL_MUST_CHECK enum fl_err gpu_tables_write(struct gpu_tables *t, uint64_t addr, const void *words,
                                           uint64_t bytes, struct fl_fail *fail);

/* tables.c: the table, and all below it. */
void gpu_tables_free_below(struct gpu_tables *t, struct gpu_table *table);

/* tables_adopt.c */
FL_MUST_CHECK enum fl_err gpu_tables_adopt(struct gpu_tables *t, uint64_t root,
                                           struct fl_fail *fail);
/* Tables that share memory would make the shadow of one wrong when the other changes. */
bool gpu_tables_overlap(const struct gpu_tables *t, struct range place);
/* The first VA in [va, end) that something foreign covers; end: none. */
uint64_t gpu_tables_foreign(const struct gpu_tables *t, uint64_t va, uint64_t end);
FL_MUST_CHECK enum fl_err gpu_tables_withdraw(struct gpu_tables *t, struct gpu_table_pool *pool,
                                              struct fl_fail *fail);

/* ---- one change ---- */

/* Which entries the change writes as a whole, so that no table below them is needed. */
struct gpu_plan {
    bool all;           /* any: nothing or sparse goes there */
    uint64_t congruent; /* pages as large as the alignment that VA and PA share: VA xor PA */
    enum gpu_page largest;
};

static inline bool gpu_plan_whole(const struct gpu_mmu_format *f, const struct gpu_plan *p,
                                  uint32_t level)
{
    const enum gpu_page page = f->level[level].page;
    return p->all || (page != GPU_PAGE_COUNT && page <= p->largest &&
                      is_aligned_u64(p->congruent, UINT64_C(1) << f->level[level].shift));
}

struct gpu_change {
    struct gpu_tables *t;
    struct gpu_table_pool *pool;
    uint64_t va, end;
    bool fill, sparse; /* neither: unmap */
    struct gpu_plan plan;
    uint64_t pa, pte; /* fill: where va leads, and the entry for address 0 */
};

/* The part of [lo, hi), inside of one entry of PD0, that 64K entries say; at hi: none. */
static inline struct range gpu_change_chunks(const struct gpu_change *c, uint64_t lo, uint64_t hi)
{
    const uint32_t level = gpu_level_big(c->t->f);
    const uint64_t size = UINT64_C(1) << c->t->f->level[level].shift;
    const uint64_t from = align_up_u64(lo, size), to = align_down_u64(hi, size);
    const bool any = from < to && gpu_plan_whole(c->t->f, &c->plan, level);
    return any ? (struct range){from, to - from} : (struct range){hi, 0};
}

/* Something below these words of a directory is not ours to unlink. */
static inline bool gpu_table_adopted_below(const struct gpu_table *table, uint32_t word, uint32_t n)
{
    for (uint32_t i = word; i < word + n; i++) {
        if (table->child[i] != NULL && table->child[i]->adopted) {
            return true;
        }
    }
    return false;
}

/* tables_change.c: the part [lo, hi) of the change that lies below the directory `table`. */
void gpu_change_below(const struct gpu_change *c, struct gpu_table *table, uint64_t lo,
                      uint64_t hi);

/* tables_need.c: what the change can need, whatever is there; what it needs beyond the tables that
 * there are below `from`, a table on its way. */
struct gpu_table_need gpu_change_worst(const struct gpu_change *c);
struct gpu_table_need gpu_change_missing(const struct gpu_change *c, const struct gpu_table *from);
