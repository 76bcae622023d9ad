/* SPDX-License-Identifier: MIT */
/*
 * Maps, unmaps and sparse ranges at random, against a plain array of pages (small window, pages up
 * to 2M) and against a list of stretches (all sizes). What the walker sees in memory and in the
 * shadow is what the oracle says; in the end nothing is left.
 */
#include "tests/unit/gpu_space.h"

#include "mm/gpu/entry.h"

static const struct gpu_mmu_format *const formats[] = {&gpu_mmu_v2_turing, &gpu_mmu_v2, &gpu_mmu_v3,
                                                       &gpu_mmu_v3_blackwell};
static struct space s;

static uint64_t random_state;
static uint64_t next(uint64_t bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (random_state >> 20) % bound;
}

/* ---- one operation, and what it says about a page ---- */

enum what { NOTHING, SPARSE, PAGE };
struct said {
    enum what what;
    uint64_t pa;
    bool read_only;
    uint8_t kind;
};
struct op {
    uint64_t va, len;
    struct said to; /* of the first page */
    enum gpu_page largest;
};

static struct said said_at(const struct op *op, uint64_t va)
{
    struct said r = op->to;
    if (r.what == PAGE) {
        r.pa += va - op->va;
    }
    return r;
}

static void run(const struct op *op)
{
    const bool map = op->to.what == PAGE, exact = next(2) == 0 || op->len > MIB(64);
    const struct gpu_pte_attrs attrs = {
        .read_only = op->to.read_only,
        .kind = op->to.kind,
        .aperture = range_ok(op->to.pa, op->len, SPACE_VRAM) ? GPU_VIDMEM : GPU_SYSMEM_COHERENT};
    const struct gpu_table_need need =
        !exact ? gpu_tables_worst(gpu_tables_format(s.t), op->va, op->len)
        : map
            ? gpu_tables_worst_map(gpu_tables_format(s.t), op->va, op->to.pa, op->len, op->largest)
            : gpu_tables_worst_unmap(gpu_tables_format(s.t), op->va, op->len);

    must_be(gpu_tables_prepare_need(s.t, &need, &s.pool, &s.fail), FL_OK, &s.fail);
    if (map) {
        must_be(
            gpu_tables_map(s.t, &s.pool, op->va, op->to.pa, op->len, op->largest, &attrs, &s.fail),
            FL_OK, &s.fail);
    } else {
        must_be(gpu_tables_unmap(s.t, &s.pool, op->va, op->len, op->to.what == SPARSE, &s.fail),
                FL_OK, &s.fail);
    }
    if (next(4) != 0) {
        must_be(gpu_tables_commit(s.t, &s.fail), FL_OK, &s.fail);
    }
    gpu_tables_release(s.t, &s.pool);
}

static void same(const struct gpu_walk *w, const struct said *want, uint64_t va)
{
    static const enum gpu_walk_end ends[] = {GPU_WALK_UNMAPPED, GPU_WALK_SPARSE, GPU_WALK_MAPPED};

    if (w->end != ends[want->what] ||
        (want->what == PAGE && (w->pa != want->pa || w->attrs.read_only != want->read_only ||
                                w->attrs.kind != want->kind))) {
        fail_msg("VA 0x%llx: walk ends with %d at 0x%llx (%s), not %d at 0x%llx",
                 (unsigned long long)va, w->end, (unsigned long long)w->pa, w->reason,
                 ends[want->what], (unsigned long long)want->pa);
    }
}

/* Both walks of one VA. */
static void walk_both(uint64_t va, const struct said *want)
{
    struct gpu_walk a, b;
    must_be(gpu_walk(&s.mem, gpu_tables_format(s.t), gpu_tables_root(s.t), va, &a, &s.fail), FL_OK,
            &s.fail);
    must_be(gpu_tables_walk(s.t, va, &b, &s.fail), FL_OK, &s.fail);
    same(&a, want, va);
    same(&b, want, va);
    assert_int_equal(a.levels, b.levels);
    assert_int_equal(a.left, b.left);
}

/* Unmaps all of it, piece by piece. */
static void nothing_left(uint64_t va, uint64_t len, uint64_t piece)
{
    struct gpu_table_stats st;
    for (uint64_t at = 0; at < len; at += piece) {
        const struct op op = {.va = va + at, .len = min_u64(piece, len - at)};
        run(&op);
    }
    must_be(gpu_tables_commit(s.t, &s.fail), FL_OK, &s.fail);
    gpu_tables_release(s.t, &s.pool);
    gpu_tables_get_stats(s.t, &st);
    assert_int_equal(st.tables, 1);
    assert_int_equal(st.big_tables, 0);
    assert_int_equal(st.bytes, FL_PAGE_SIZE);
    for (int i = 0; i < GPU_PAGE_COUNT; i++) {
        assert_int_equal(st.mapped[i], 0);
    }
    assert_int_equal(s.live, 1);
    assert_int_equal(gpu_entry_overflows(), 0);
}

/* ---- an array of pages ---- */

enum { WINDOW_PAGES = 4096, OPS = 3000, CHECK_EVERY = 100 };

static struct said page[WINDOW_PAGES];

static void random_op(struct op *op, uint64_t base)
{
    static const uint64_t grain[] = {1, 1, 16, 16, 512};
    const uint64_t g = grain[next(ARRAY_SIZE(grain))];
    uint64_t first = next(WINDOW_PAGES / g) * g, n = (1 + next(next(2) == 0 ? 4 : 600)) * g;

    n = min_u64(n, WINDOW_PAGES - first);
    *op = (struct op){.va = base + first * FL_PAGE_SIZE,
                      .len = n * FL_PAGE_SIZE,
                      .largest = (enum gpu_page)next(GPU_PAGE_COUNT)};
    const uint64_t kind = next(8);
    op->to.what = kind < 5 ? PAGE : kind < 6 ? SPARSE : NOTHING;
    if (op->to.what == PAGE) {
        /* Congruent with VA in various powers of two. */
        const uint64_t step = (uint64_t)FL_PAGE_SIZE << next(11);
        op->to.pa = next(GIB(16) / step) * step + (op->va & (step - 1));
        op->to.read_only = next(3) == 0;
        op->to.kind = next(3) == 0 ? GPU_KIND_GENERIC : 0;
    }
}

static void against_pages(void **state)
{
    (void)state;
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        space_open(&s, formats[f]);
        random_state = 7 + f;
        memset(page, 0, sizeof(page));
        /* The middle of the window is where entries of all levels meet. */
        const uint64_t base =
            (UINT64_C(1) << 47) - WINDOW_PAGES / 2 * FL_PAGE_SIZE + (f & 1) * GIB(256);
        for (uint32_t i = 1; i <= OPS; i++) {
            struct op op;
            random_op(&op, base);
            run(&op);
            for (uint64_t at = 0; at < op.len; at += FL_PAGE_SIZE) {
                page[(op.va - base + at) / FL_PAGE_SIZE] = said_at(&op, op.va + at);
            }
            if (i % CHECK_EVERY != 0) {
                continue;
            }
            for (uint64_t k = 0; k < WINDOW_PAGES; k++) {
                walk_both(base + k * FL_PAGE_SIZE, &page[k]);
            }
            must_be(gpu_tables_compare(s.t, &s.fail), FL_OK, &s.fail);
        }
        nothing_left(base, (uint64_t)WINDOW_PAGES * FL_PAGE_SIZE, 37 * FL_PAGE_SIZE);
        space_close(&s);
    }
}

/* ---- a list of stretches: every page size, a window of 1 TiB around a boundary ---- */

enum { STRETCHES = 4096, LARGE_OPS = 1000 };
#define LARGE_WINDOW GIB(1024)

static struct op stretch[STRETCHES]; /* by VA, gapless */
static uint32_t stretches;

static void cut(uint64_t va)
{
    for (uint32_t i = 0; i < stretches; i++) {
        struct op *p = &stretch[i];
        if (va > p->va && va < p->va + p->len) {
            assert_true(stretches < STRETCHES);
            memmove(p + 1, p, (stretches - i) * sizeof(*p));
            stretches++;
            p[1].to = said_at(p, va);
            p[1].len = p->va + p->len - va;
            p[1].va = va;
            p->len = va - p->va;
            return;
        }
    }
}

static void replace(const struct op *op)
{
    cut(op->va);
    cut(op->va + op->len);
    uint32_t first = 0;
    while (stretch[first].va != op->va) {
        first++;
    }
    uint32_t end = first;
    while (end < stretches && stretch[end].va < op->va + op->len) {
        end++;
    }
    memmove(&stretch[first + 1], &stretch[end], (stretches - end) * sizeof(*stretch));
    stretches -= end - first - 1;
    stretch[first] = *op;
}

struct dump {
    uint32_t at;   /* stretch */
    uint64_t done; /* all below is compared */
};

static bool check_run(void *ctx, const struct gpu_run *r)
{
    struct dump *d = ctx;
    uint64_t va = r->va;

    while (va < r->va + r->len) {
        const struct op *p = &stretch[d->at];
        if (va >= p->va + p->len) {
            assert_true(p->to.what == NOTHING || d->done >= p->va + p->len);
            d->at++;
            continue;
        }
        const struct said want = said_at(p, va);
        const struct gpu_walk w = {.end = r->end, .pa = r->pa + (va - r->va), .attrs = r->attrs};
        assert_true(want.what == NOTHING || d->done >= va || va == p->va);
        same(&w, &want, va);
        va = min_u64(p->va + p->len, r->va + r->len);
        d->done = va;
    }
    return true;
}

/* Every stretch that is not empty was met, from its begin to its end. */
static void check_all(uint64_t base, bool shadow)
{
    struct dump d = {.done = base};
    const enum fl_err err =
        shadow ? gpu_tables_walk_range(s.t, base, LARGE_WINDOW, 10000000, check_run, &d, &s.fail)
               : gpu_walk_range(&s.mem, gpu_tables_format(s.t), gpu_tables_root(s.t), base,
                                LARGE_WINDOW, 10000000, check_run, &d, &s.fail);
    must_be(err, FL_OK, &s.fail);
    for (uint32_t i = d.at; i < stretches; i++) {
        assert_true(stretch[i].to.what == NOTHING || d.done >= stretch[i].va + stretch[i].len);
    }
}

static void random_large(struct op *op, uint64_t base)
{
    static const uint64_t grains[] = {KIB(4), KIB(64), MIB(2), MIB(512), GIB(256)};
    const uint64_t g = grains[next(ARRAY_SIZE(grains))];
    /* Often where something is already, or near the boundary. */
    uint64_t at = next(2) == 0 ? stretch[next(stretches)].va - base : LARGE_WINDOW / 2;

    at = next(3) == 0 ? next(LARGE_WINDOW) : at + next(GIB(1)) - min_u64(at, MIB(512));
    at = min_u64(align_down_u64(at, g), LARGE_WINDOW - g);
    *op = (struct op){.va = base + at, .len = min_u64((1 + next(3)) * g, LARGE_WINDOW - at)};
    op->largest = (enum gpu_page)next(GPU_PAGE_COUNT);
    if (op->len >= GIB(1)) {
        op->largest = GPU_PAGE_256G; /* else there are too many tables */
    }
    const uint64_t kind = next(8);
    op->to.what = kind < 5 ? PAGE : kind < 6 ? SPARSE : NOTHING;
    op->to.pa = op->to.what == PAGE ? next(4) * MIB(512) + (op->va & (g - 1)) : 0;
    op->to.read_only = next(2) == 0;
}

static void against_stretches(void **state)
{
    (void)state;
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        space_open(&s, formats[f]);
        random_state = 77 + f;
        const uint64_t base = gpu_tables_va_size(s.t) / 2 - LARGE_WINDOW / 2;
        stretch[0] = (struct op){.va = base, .len = LARGE_WINDOW};
        stretches = 1;
        for (uint32_t i = 1; i <= LARGE_OPS; i++) {
            struct op op;
            random_large(&op, base);
            run(&op);
            replace(&op);
            if (i % CHECK_EVERY == 0) {
                check_all(base, false);
                check_all(base, true);
                must_be(gpu_tables_compare(s.t, &s.fail), FL_OK, &s.fail);
            }
        }
        nothing_left(base, LARGE_WINDOW, LARGE_WINDOW);
        space_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(against_pages),
        cmocka_unit_test(against_stretches),
    };
    return cmocka_run_group_tests_name("GPU page tables at random", tests, NULL, NULL);
}
