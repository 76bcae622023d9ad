/* SPDX-License-Identifier: MIT */
/*
 * Random bind jobs and what they must lead to: a plain table of the pages of a window of VA, that
 * straddles the border of the largest directories. The tables in memory are walked and compared
 * with it.
 */
#pragma once

#include "mm/gpu/jobs_priv.h"
#include "tests/unit/prng.h"
#include "tests/unit/vm_rig.h"

#define WORLD_PAGES 8192u /* 32 MiB, 16 on each side of a border of 128 TiB */
#define WORLD_BASE  ((UINT64_C(1) << 47) - MIB(16))
#define WORLD_OPS   3u

struct cell {
    uint64_t pa;   /* 0: nothing, 1: sparse */
    uint8_t flags; /* bit 0: read only, bit 1: generic kind */
};

struct world {
    struct rig r;
    struct cell cell[WORLD_PAGES];
};

struct job {
    struct gpu_bind_op ops[WORLD_OPS];
    uint32_t count;
};

static inline void world_open(struct world *w, const struct gpu_mmu_format *f, uint64_t seed)
{
    memset(w, 0, sizeof(*w));
    rig_open(&w->r, f, false);
    prng_seed(seed);
}

static inline void world_close(struct world *w) { rig_close(&w->r); }

static inline struct gpu_bind_op op_random(const struct world *w)
{
    const uint32_t shape = prng_below(8);
    uint32_t len = 1 + prng_below(shape == 0 ? 4096 : shape < 3 ? 600 : 24);
    uint32_t first = prng_below(WORLD_PAGES);
    struct gpu_bind_op op;

    if (prng_below(4) == 0) { /* borders of large pages */
        first &= ~511u;
        len = (len + 511) & ~511u;
    } else if (prng_below(4) == 0) {
        first &= ~15u;
    }
    len = len > WORLD_PAGES - first ? WORLD_PAGES - first : len;
    const uint64_t va = WORLD_BASE + (uint64_t)first * KIB(4);
    const uint32_t kind = prng_below(10);
    if (kind < 3) {
        return rig_unmap(va, len * KIB(4));
    }
    if (kind == 3) {
        return rig_sparse(va, len * KIB(4));
    }
    op = rig_map(&w->r, va, len * KIB(4), prng_below(RIG_OBJECTS), 0);
    /* Mostly at the offset that lines up with all others of the object. */
    op.want.offset = prng_below(3) != 0 ? first * KIB(4) : prng_below(WORLD_PAGES) * KIB(4);
    op.want.how.largest =
        prng_below(3) == 0 ? (enum gpu_page)prng_below(GPU_PAGE_COUNT) : GPU_PAGE_2M;
    op.want.how.attrs.read_only = prng_below(5) == 0;
    op.want.how.attrs.kind = prng_below(5) == 0 ? GPU_KIND_GENERIC : GPU_KIND_PITCH;
    return op;
}

static inline struct job job_random(const struct world *w)
{
    struct job j = {.count = 1 + (prng_below(3) == 0 ? prng_below(WORLD_OPS) : 0)};

    for (uint32_t i = 0; i < j.count; i++) {
        j.ops[i] = op_random(w);
    }
    return j;
}

/* The job is done: the oracle does it as well, page by page. */
static inline void job_done(struct world *w, const struct job *j)
{
    for (uint32_t i = 0; i < j->count; i++) {
        const struct gpu_want *want = &j->ops[i].want;
        struct cell *cell = &w->cell[(want->va - WORLD_BASE) / KIB(4)];
        struct gpu_extent e = {0};

        for (uint64_t at = 0; at < want->len; at += KIB(4), cell++) {
            cell->pa = j->ops[i].kind == GPU_BIND_MAP;
            cell->flags = 0;
            if (want->object != NULL) {
                if (e.len == 0) {
                    e = gpu_object_piece(want->object, want->offset + at, want->len - at);
                }
                cell->pa = e.pa;
                cell->flags = (uint8_t)((want->how.attrs.read_only ? 1 : 0) |
                                        (want->how.attrs.kind != 0 ? 2 : 0));
                e.pa += KIB(4);
                e.len -= KIB(4);
            }
        }
    }
}

struct seen {
    const struct world *w;
    uint64_t next; /* VA up to which all is compared */
};

static inline void assert_nothing(const struct seen *s, uint64_t end)
{
    for (uint64_t va = s->next; va < end; va += KIB(4)) {
        assert_int_equal(s->w->cell[(va - WORLD_BASE) / KIB(4)].pa, 0);
    }
}

static inline bool compare_run_with_cells(void *ctx, const struct gpu_run *run)
{
    struct seen *s = ctx;

    assert_nothing(s, run->va);
    for (uint64_t at = 0; at < run->len; at += KIB(4)) {
        const struct cell *cell = &s->w->cell[(run->va + at - WORLD_BASE) / KIB(4)];
        if (run->end == GPU_WALK_SPARSE) {
            assert_int_equal(cell->pa, 1);
            continue;
        }
        assert_int_equal(run->end, GPU_WALK_MAPPED);
        assert_int_equal(run->pa + at, cell->pa);
        assert_int_equal(run->attrs.read_only, cell->flags & 1);
        assert_int_equal(run->attrs.kind != 0, cell->flags >> 1);
    }
    s->next = run->va + run->len;
    return true;
}

/* What the GPU would see in the window is what the oracle says, and nothing lies outside. */
static inline void world_compare(struct world *w)
{
    struct rig *r = &w->r;
    struct seen s = {w, WORLD_BASE};

    must_be(gpu_walk_range(&r->s.mem, gpu_tables_format(r->s.t), gpu_tables_root(r->s.t), 0,
                           gpu_tables_va_size(r->s.t), UINT64_MAX, compare_run_with_cells, &s,
                           &r->s.fail),
            FL_OK, &r->s.fail);
    assert_nothing(&s, WORLD_BASE + WORLD_PAGES * KIB(4));
    assert_true(gpu_vm_check(r->vm));
}
