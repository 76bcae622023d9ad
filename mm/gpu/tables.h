/* SPDX-License-Identifier: MIT */
/*
 * The page tables of one GPU address space, with a shadow of every table in CPU memory: nothing is
 * ever read back from the GPU. A change has three parts, so that its middle can run where nothing
 * may be allocated (behind a published fence):
 *
 *   submit    gpu_tables_prepare()   allocates whatever can be missing, into a pool
 *   run       gpu_tables_map(), gpu_tables_unmap(), then gpu_tables_commit()
 *   clean up  gpu_tables_release()   frees what is left in the pool, and the emptied tables
 *
 * Order of writes: a table is written whole before the entry that links it, with a flush between; a
 * table is freed after the entry that linked it was cleared, flushed and invalidated.
 *
 * The caller serialises all calls for one address space, except that others may run while commit
 * waits for the invalidate. Source of formats and order: open-gpu-kernel-modules 570.144, nouveau
 * nvkm/subdev/mmu, nova-core.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "arch/range.h"
#include "mm/gpu/format.h"
#include "mm/gpu/ops.h"

/* Where tables get their video memory. bytes and align are 4096. alloc may take locks and
 * allocate; FL_ENOMEM when there is none. Neither yields. */
struct gpu_table_source {
    enum fl_err (*alloc)(void *ctx, uint64_t bytes, uint64_t align, uint64_t *addr);
    void (*free)(void *ctx, uint64_t addr, uint64_t bytes);
    void *ctx;
};

struct gpu_tables; /* opaque */

/* An address space without mappings.
 * root 0: a root directory of our own is allocated and zeroed. Else the address of a root that
 * somebody else made (RM: bar1PdeBase): its tables are read once and adopted. What is valid there
 * is foreign: it is never changed, and its VA is taken. Empty entries are ours to fill.
 * mem, format and source are borrowed until gpu_tables_destroy (source is copied).
 * hub_only: the address space of a BAR. Allocates; does not yield.
 * FL_ENOMEM; FL_EINVAL: root misaligned or outside of video memory; FL_EBADDATA: foreign tables
 * that point into each other, or too many of them; errors of ops->read and ops->write. */
FL_MUST_CHECK enum fl_err gpu_tables_create(const struct gpu_mem *mem,
                                            const struct gpu_mmu_format *format,
                                            const struct gpu_table_source *source, uint64_t root,
                                            bool hub_only, struct gpu_tables **out,
                                            struct fl_fail *fail);
/* Frees everything, mapped or not; NULL is fine. Our own root is bound nowhere any more. From an
 * adopted root our entries are taken out first, with flush and invalidate (yields); when that fails
 * the video memory stays allocated, for the GPU may still walk it. All pools were released. */
void gpu_tables_destroy(struct gpu_tables *t);

uint64_t gpu_tables_root(const struct gpu_tables *t); /* address in video memory */
uint64_t gpu_tables_va_size(const struct gpu_tables *t);
const struct gpu_mmu_format *gpu_tables_format(const struct gpu_tables *t);

/* The first stretch that is foreign in an adopted root, at or behind va: *taken, and true. For who
 * gives out VA. Looks at the shadow only. */
bool gpu_tables_taken(const struct gpu_tables *t, uint64_t va, struct range *taken);

/* How many tables an operation can need, the root excluded. */
struct gpu_table_need {
    uint64_t tables;      /* of 4 KiB: directories and tables of 4K pages */
    uint64_t directories; /* how many of these are directories */
    uint64_t big;         /* of 256 bytes: tables of 64K pages */
};
/* The worst case of any operation on [va, va + len), whatever is mapped there before: splits of
 * larger pages at both ends included. Reached by 4K pages (tables) and by 64K pages (big) in an
 * empty address space. va and len as for gpu_tables_map; all zero when they are not valid.
 * N(S) = regions of S bytes touched; one table per level and region. Costs a few divisions. */
struct gpu_table_need gpu_tables_worst(const struct gpu_mmu_format *f, uint64_t va, uint64_t len);
/* The worst case of one call only, again whatever was there before: gpu_tables_map with these
 * arguments, or gpu_tables_unmap. Much less than gpu_tables_worst where large pages fit: nothing
 * below them needs a table, so that only both ends count. Not in an adopted root: a table of
 * others, even an empty one, stays where a larger page of ours would take its place, and smaller
 * pages beside it need a table each. There gpu_tables_worst() is enough. */
struct gpu_table_need gpu_tables_worst_map(const struct gpu_mmu_format *f, uint64_t va, uint64_t pa,
                                           uint64_t len, enum gpu_page largest);
struct gpu_table_need gpu_tables_worst_unmap(const struct gpu_mmu_format *f, uint64_t va,
                                             uint64_t len);

/* Tables that one job may use and those that it emptied. Embedded in the job; all zero: empty. Its
 * contents are tables.c's. */
struct gpu_table;
struct gpu_table_list {
    struct gpu_table *first;
    uint64_t count;
};
struct gpu_table_pool {
    struct gpu_table_list directories, small, big; /* unused; their video memory holds anything */
    struct gpu_table_list dead;                    /* unlinked; the GPU may still walk them */
};

/* 1. submit. Adds to pool what gpu_tables_worst(va, len) says, resp. what need says. The GPU is not
 * reached: a table is written as a whole when it is used, and most are not. Allocates
 * (lock_class_alloc); does not yield. FL_EINVAL, also when the source's memory is outside of video
 * memory; FL_EBADDATA when adopted tables lie in it; FL_ENOMEM: pool and tables are as before. */
FL_MUST_CHECK enum fl_err gpu_tables_prepare(struct gpu_tables *t, uint64_t va, uint64_t len,
                                             struct gpu_table_pool *pool, struct fl_fail *fail);
FL_MUST_CHECK enum fl_err gpu_tables_prepare_need(struct gpu_tables *t,
                                                  const struct gpu_table_need *need,
                                                  struct gpu_table_pool *pool,
                                                  struct fl_fail *fail);

/* 2. run. [va, va + len) -> [pa, pa + len), replacing what was there. Every page is the largest
 * that VA, PA, the format and `largest` allow. va, pa and len are multiples of 4 KiB, len > 0, the
 * end is inside the address space. Video memory must lie inside of mem->vram_bytes.
 * Allocates nothing, takes tables from pool, neither locks nor yields. Cost: one write of 8 bytes
 * in the shadow per entry, plus one ops->write per run of changed entries. FL_EINVAL: arguments;
 * FL_EBUSY: something foreign is in the range; FL_ESTATE: pool has fewer tables than are missing;
 * nothing has changed then. An error of ops (the GPU is gone): the shadow already holds the change,
 * and what was not written is written by the next call or commit. */
FL_MUST_CHECK enum fl_err gpu_tables_map(struct gpu_tables *t, struct gpu_table_pool *pool,
                                         uint64_t va, uint64_t pa, uint64_t len,
                                         enum gpu_page largest, const struct gpu_pte_attrs *attrs,
                                         struct fl_fail *fail);
/* [va, va + len) is mapped nowhere afterwards or, sparse, reads as zero and swallows writes without
 * a fault. What reaches beyond the range is split. Emptied tables go to pool's dead list. As
 * gpu_tables_map otherwise. */
FL_MUST_CHECK enum fl_err gpu_tables_unmap(struct gpu_tables *t, struct gpu_table_pool *pool,
                                           uint64_t va, uint64_t len, bool sparse,
                                           struct fl_fail *fail);
/* Writes what an earlier failure left, flushes, invalidates and waits for it: afterwards the GPU
 * sees what was mapped and nothing of what was unmapped before the call. Nothing happens when all
 * is committed already. Yields; allocates nothing. Errors of ops: may be called again. */
FL_MUST_CHECK enum fl_err gpu_tables_commit(struct gpu_tables *t, struct fl_fail *fail);

/* 3. clean up. Frees what pool still has, unused and dead; pool is empty then. Dead tables that no
 * commit has covered yet are kept aside and freed later. Does not yield. */
void gpu_tables_release(struct gpu_tables *t, struct gpu_table_pool *pool);

struct gpu_table_stats {
    uint64_t tables;     /* of 4 KiB, linked, our own; the root included */
    uint64_t big_tables; /* of 256 bytes, linked, our own */
    uint64_t adopted;    /* foreign tables that were read */
    uint64_t bytes;      /* of video memory allocated: linked, in pools and not yet freed ones */
    uint64_t mapped[GPU_PAGE_COUNT];       /* our own leaf entries, by page size; sparse ones not */
    uint64_t entries_written;              /* words of 8 bytes handed to ops->write */
    uint64_t writes, flushes, invalidates; /* calls of ops that succeeded */
};
void gpu_tables_get_stats(const struct gpu_tables *t, struct gpu_table_stats *out);
