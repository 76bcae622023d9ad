/* SPDX-License-Identifier: MIT */
/* The shadow of page tables, for tables*.c and walk*.c. */
#pragma once

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
    struct gpu_table *parent;  /* NULL: the root, or not linked */
    struct gpu_table **child;  /* by word of the entry; NULL in page tables */
    struct gpu_big_page *page; /* where a table of 64K pages lies */
    uint64_t *foreign;         /* adopted tables: bit i, word i is not ours */
    uint64_t addr;
    uint64_t died;        /* tables.serial when it was unlinked */
    uint16_t parent_word; /* of the entry that links it */
    uint16_t words;
    uint16_t used;  /* words that are links, pages or sparse */
    uint16_t valid; /* of these, pages */
    uint8_t level;
    bool big;         /* 256 bytes */
    bool fresh;       /* no reachable entry in video memory links it yet */
    bool adopted;     /* somebody else's memory */
    bool dead;        /* unlinked */
    bool listed;      /* on tables.dirty */
    bool cleared;     /* page tables: words that became 0 wait to be written ... */
    bool filled;      /* ... and others */
    bool small_first; /* PD0: a page became tables, so the high halves are written first */
    uint64_t dirty[GPU_DIRTY_WORDS]; /* bit i: word i is not written yet */
    uint64_t word[];                 /* as in video memory; x86 and GPU are little endian */
};

struct gpu_tables {
    struct gpu_mem mem;
    const struct gpu_mmu_format *f;
    struct gpu_table_source source;
    struct gpu_table *root;
    struct gpu_table *dirty[GPU_LEVELS_MAX]; /* by level: tables with words to write */
    struct gpu_table_list limbo;             /* dead, released, but not committed yet */
    struct gpu_big_page *big_pages;          /* with a free slot */
    uint64_t serial;                         /* of changes */
    uint64_t committed;                      /* what the GPU has seen of them */
    bool hub_only;
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
FL_MUST_CHECK enum fl_err gpu_tables_write(struct gpu_tables *t, uint64_t addr, const void *words,
                                           uint64_t bytes, struct fl_fail *fail);

/* tables_adopt.c */
FL_MUST_CHECK enum fl_err gpu_tables_adopt(struct gpu_tables *t, uint64_t root,
                                           struct fl_fail *fail);
/* The first VA in [va, end) that something foreign covers; end: none. */
uint64_t gpu_tables_foreign(const struct gpu_tables *t, uint64_t va, uint64_t end);
