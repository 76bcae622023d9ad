/* SPDX-License-Identifier: MIT */
/*
 * From a VA to what the tables say about it, every level shown: from memory through ops->read
 * (tables of others, and what really arrived there) or from the shadow. Tables are input: their
 * addresses are checked before they are read, and a walk ends after the format's levels.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "mm/gpu/format.h"
#include "mm/gpu/ops.h"
#include "mm/gpu/tables.h"

#define GPU_WALK_LEVELS 7u /* v3: five directories, and both page tables */

struct gpu_walk_level {
    const char *name; /* "PD3" .. "PD0", "PT64K", "PT4K" */
    uint64_t table;   /* address */
    uint64_t index;
    uint64_t entry_at; /* address of the entry */
    uint64_t entry[2]; /* PD0: both halves; else [0] */
};

enum gpu_walk_end {
    GPU_WALK_UNMAPPED, /* an entry is invalid; reason: which */
    GPU_WALK_SPARSE,   /* reads as zero */
    GPU_WALK_MAPPED,
    GPU_WALK_FAULT, /* an entry that no GPU accepts, or a table that cannot be read; see reason */
};

struct gpu_walk {
    struct gpu_walk_level level[GPU_WALK_LEVELS];
    uint32_t levels; /* shown */
    enum gpu_walk_end end;
    char reason[96];            /* "" when mapped */
    uint64_t left;              /* bytes from va to the end of what the last entry covers */
    enum gpu_page page;         /* MAPPED */
    uint64_t pa;                /* MAPPED: address of the byte at va */
    struct gpu_pte_attrs attrs; /* MAPPED */
};

/* Reads at most one entry per level. FL_EINVAL: va is outside of the address space, root is
 * misaligned or outside of video memory; errors of ops->read. Everything that is wrong with the
 * tables is an answer (GPU_WALK_FAULT), not an error. Does not yield. */
FL_MUST_CHECK enum fl_err gpu_walk(const struct gpu_mem *mem, const struct gpu_mmu_format *f,
                                   uint64_t root, uint64_t va, struct gpu_walk *out,
                                   struct fl_fail *fail);
/* The same from the shadow: no access to the GPU. FL_EINVAL: va is outside. */
FL_MUST_CHECK enum fl_err gpu_tables_walk(const struct gpu_tables *t, uint64_t va,
                                          struct gpu_walk *out, struct fl_fail *fail);

/* A stretch of VA that is mapped evenly: contiguous pages of one size with the same attributes;
 * or sparse; or FAULT. */
struct gpu_run {
    uint64_t va, len;
    enum gpu_walk_end end; /* not UNMAPPED */
    enum gpu_page page;
    uint64_t pa;
    struct gpu_pte_attrs attrs;
};
/* Calls fn for every run of [va, va + len) in order of VA, cut at the ends of the range; unmapped
 * stretches are left out. fn returns false to stop. Steps over empty directories as a whole: the
 * cost grows with what is mapped, and ends after budget entries (FL_ENOSPC), for foreign tables may
 * map everything everywhere. FL_EINVAL; errors of ops->read. */
typedef bool gpu_run_fn(void *ctx, const struct gpu_run *run);
FL_MUST_CHECK enum fl_err gpu_walk_range(const struct gpu_mem *mem, const struct gpu_mmu_format *f,
                                         uint64_t root, uint64_t va, uint64_t len, uint64_t budget,
                                         gpu_run_fn *fn, void *ctx, struct fl_fail *fail);
FL_MUST_CHECK enum fl_err gpu_tables_walk_range(const struct gpu_tables *t, uint64_t va,
                                                uint64_t len, uint64_t budget, gpu_run_fn *fn,
                                                void *ctx, struct fl_fail *fail);

/* Reads every table and compares it with its shadow. FL_EBADDATA: fail names the first difference:
 * table, entry, VA, what memory holds (seen) and what the shadow holds (expected). Foreign entries
 * that changed since they were adopted count too. Cost: reads every table once. */
FL_MUST_CHECK enum fl_err gpu_tables_compare(const struct gpu_tables *t, struct fl_fail *fail);
