/* SPDX-License-Identifier: MIT */
/*
 * How many tables an operation needs: the formula against what mapping takes in an empty address
 * space, at every placement around the boundary where all levels meet; splits at both ends; pools
 * that are a table short.
 */
#include "tests/unit/gpu_space.h"

static const struct gpu_mmu_format *const formats[] = {&gpu_mmu_v2_turing, &gpu_mmu_v2, &gpu_mmu_v3,
                                                       &gpu_mmu_v3_blackwell};
static const struct gpu_pte_attrs plain;
static struct space s;

static bool is_v3(const struct gpu_mmu_format *f) { return f == formats[2] || f == formats[3]; }

/* Where two entries of the root meet, and so of every level. */
static uint64_t boundary(const struct gpu_mmu_format *f)
{
    return UINT64_C(1) << (is_v3(f) ? 56 : 47);
}

static struct gpu_table_stats stats(void)
{
    struct gpu_table_stats st;
    gpu_tables_get_stats(s.t, &st);
    return st;
}

/* What mapping [va, va + len) by pages of one size takes in the empty space s. */
static struct gpu_table_need taken(uint64_t va, uint64_t len, enum gpu_page page)
{
    must_be(gpu_tables_prepare(s.t, va, len, &s.pool, &s.fail), FL_OK, &s.fail);
    must_be(gpu_tables_map(s.t, &s.pool, va, va & (GIB(64) - 1), len, page, &plain, &s.fail), FL_OK,
            &s.fail);
    const struct gpu_table_need n = {
        .tables = stats().tables - 1, .big = stats().big_tables, .directories = s.pool.small.count};
    must_be(gpu_tables_unmap(s.t, &s.pool, va, len, false, &s.fail), FL_OK, &s.fail);
    must_be(gpu_tables_commit(s.t, &s.fail), FL_OK, &s.fail);
    gpu_tables_release(s.t, &s.pool);
    assert_int_equal(s.live, 1);
    return n;
}

static void formula_is_what_is_taken(void **state)
{
    (void)state;
    static const struct {
        uint64_t len, step;
    } rows[] = {
        {KIB(4), KIB(4)},  {KIB(8), KIB(4)},           {KIB(64), KIB(4)}, {KIB(128), KIB(64)},
        {MIB(2), KIB(64)}, {MIB(2) + KIB(4), KIB(64)}, {MIB(16), MIB(1)},
    };
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        space_open(&s, formats[f]);
        for (size_t r = 0; r < ARRAY_SIZE(rows); r++) {
            const uint64_t len = rows[r].len, edge = boundary(formats[f]);
            for (uint64_t va = edge - len; va <= edge; va += rows[r].step) {
                const struct gpu_table_need want = gpu_tables_worst(formats[f], va, len);
                const struct gpu_table_need small = taken(va, len, GPU_PAGE_4K);
                assert_int_equal(small.tables, want.tables);
                assert_int_equal(small.directories, 0); /* none of the small ones is left */
                if (((va | len) & (KIB(64) - 1)) == 0) {
                    assert_int_equal(taken(va, len, GPU_PAGE_64K).big, want.big);
                }
            }
        }
        space_close(&s);
    }
}

/* The largest of all placements, root excluded; the first rows are where a formula that rounds up
 * level by level (2 pages: 5 and 6 tables) is too small. */
static void worst_placements(void **state)
{
    (void)state;
    static const struct {
        uint64_t len, v2, v3;
    } rows[] = {
        {KIB(4), 4, 5},       {KIB(8), 8, 10},    {MIB(2), 8, 10},       {MIB(16), 15, 17},
        {MIB(512), 263, 265}, {GIB(1), 520, 522}, {GIB(16), 8230, 8232}, {GIB(256), 131590, 131592},
    };
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        for (size_t r = 0; r < ARRAY_SIZE(rows); r++) {
            const uint64_t len = rows[r].len;
            const uint64_t step = max_u64(FL_PAGE_SIZE, align_down_u64(len / 64, FL_PAGE_SIZE));
            uint64_t worst = 0;
            for (uint64_t at = 0; at <= len; at += at == 0 ? FL_PAGE_SIZE : step) {
                const struct gpu_table_need n =
                    gpu_tables_worst(formats[f], boundary(formats[f]) - at, len);
                worst = max_u64(worst, n.tables);
            }
            assert_int_equal(worst, is_v3(formats[f]) ? rows[r].v3 : rows[r].v2);
        }
    }
    space_open(&s, &gpu_mmu_v2);
    assert_int_equal(taken(boundary(&gpu_mmu_v2) - KIB(4), KIB(8), GPU_PAGE_4K).tables, 8);
    assert_int_equal(taken(boundary(&gpu_mmu_v2) - KIB(4), MIB(512), GPU_PAGE_4K).tables, 263);
    space_close(&s);
    space_open(&s, &gpu_mmu_v3);
    assert_int_equal(taken(boundary(&gpu_mmu_v3) - KIB(4), KIB(8), GPU_PAGE_4K).tables, 10);
    space_close(&s);
}

static void senseless_ranges_need_nothing(void **state)
{
    (void)state;
    static const struct {
        uint64_t va, len;
    } rows[] = {
        {0, 0},
        {0x800, 0x1000},
        {0, 0x1800},
        {UINT64_C(1) << 49, 0x1000},
        {(UINT64_C(1) << 49) - 0x1000, 0x2000},
        {0x1000, ~UINT64_C(0) & ~UINT64_C(0xfff)},
    };
    space_open(&s, &gpu_mmu_v2);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const uint64_t va = rows[i].va, len = rows[i].len;
        assert_int_equal(gpu_tables_worst(&gpu_mmu_v2, va, len).tables, 0);
        assert_int_equal(gpu_tables_worst_map(&gpu_mmu_v2, va, va, len, GPU_PAGE_2M).tables, 0);
        assert_int_equal(gpu_tables_worst_unmap(&gpu_mmu_v2, va, len).tables, 0);
        must_be(gpu_tables_prepare(s.t, va, len, &s.pool, &s.fail), FL_EINVAL, &s.fail);
        must_be(gpu_tables_map(s.t, &s.pool, va, 0, len, GPU_PAGE_4K, &plain, &s.fail), FL_EINVAL,
                &s.fail);
        must_be(gpu_tables_unmap(s.t, &s.pool, va, len, false, &s.fail), FL_EINVAL, &s.fail);
    }
    /* What cannot be in an entry, or is not there. */
    must_be(gpu_tables_prepare(s.t, 0, MIB(2), &s.pool, &s.fail), FL_OK, &s.fail);
    must_be(
        gpu_tables_map(s.t, &s.pool, 0, SPACE_VRAM - 0x1000, 0x2000, GPU_PAGE_4K, &plain, &s.fail),
        FL_EINVAL, &s.fail);
    s.mem.vram_bytes = 0; /* a copy was taken */
    must_be(gpu_tables_map(s.t, &s.pool, 0, 0, 0x2000, GPU_PAGE_COUNT, &plain, &s.fail), FL_EINVAL,
            &s.fail);
    must_be(gpu_tables_map(s.t, &s.pool, 0, 0x800, 0x2000, GPU_PAGE_4K, &plain, &s.fail), FL_EINVAL,
            &s.fail);
    const struct gpu_table_need wrong = {.tables = 1, .directories = 2};
    must_be(gpu_tables_prepare_need(s.t, &wrong, &s.pool, &s.fail), FL_EINVAL, &s.fail);
    assert_int_equal(stats().mapped[GPU_PAGE_4K], 0);
    assert_int_equal(s.invalidates, 0);
    space_close(&s);
}

/* Large pages need tables at their ends only. */
static void large_pages_need_few(void **state)
{
    (void)state;
    static const struct {
        uint64_t va, pa, len;
        enum gpu_page largest;
        uint64_t tables, directories, big; /* v2: mapping */
    } rows[] = {
        /* one directory chain; below it no page table */
        {MIB(2), MIB(4), GIB(16), GPU_PAGE_2M, 3 + 31 + 1, 35, 0},
        {0, 0, GIB(256), GPU_PAGE_512M, 1 + 1, 2, 0},
        {0, 0, MIB(512) + MIB(2), GPU_PAGE_512M, 1 + 1 + 1, 3, 0},
        {KIB(64), KIB(64), MIB(6), GPU_PAGE_2M, 3, 3, 2},
        {KIB(60), KIB(60), MIB(6), GPU_PAGE_2M, 3 + 2, 3, 2},
        {KIB(60), KIB(60), KIB(4), GPU_PAGE_2M, 3 + 1, 3, 1},
        {KIB(64), KIB(64), MIB(6), GPU_PAGE_64K, 3, 3, 4},
        {KIB(64), KIB(68), MIB(6), GPU_PAGE_2M, 3 + 4, 3, 2},
        {KIB(64), KIB(64), MIB(6), GPU_PAGE_4K, 3 + 4, 3, 2},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct gpu_table_need n =
            gpu_tables_worst_map(&gpu_mmu_v2, rows[i].va, rows[i].pa, rows[i].len, rows[i].largest);
        if (n.tables != rows[i].tables || n.directories != rows[i].directories ||
            n.big != rows[i].big) {
            fail_msg("row %zu: %llu, %llu, %llu", i, (unsigned long long)n.tables,
                     (unsigned long long)n.directories, (unsigned long long)n.big);
        }
    }
    /* Unmapping everything but the first page: one table per level. */
    const struct gpu_table_need n =
        gpu_tables_worst_unmap(&gpu_mmu_v2, KIB(4), (UINT64_C(1) << 49) - KIB(4));
    assert_int_equal(n.tables, 4);
    assert_int_equal(n.big, 1);
    assert_int_equal(gpu_tables_worst_unmap(&gpu_mmu_v2, 0, UINT64_C(1) << 49).tables, 0);
}

/* A page of every size is replaced from its second 4K page to its last but one: both ends split
 * down to 4K, with no more than what was prepared, and the rest stays. */
static void splits_at_both_ends(void **state)
{
    (void)state;
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        for (int p = GPU_PAGE_64K; p < GPU_PAGE_COUNT; p++) {
            const uint64_t size = gpu_page_bytes((enum gpu_page)p), va = 4 * size;
            const uint64_t in = va + KIB(4), len = size - KIB(8);
            const struct gpu_pte_attrs host = {.aperture = GPU_SYSMEM_COHERENT};
            struct gpu_walk w;
            if (!gpu_format_has_page(formats[f], (enum gpu_page)p)) {
                continue;
            }
            for (int how = 0; how < 3; how++) {
                struct gpu_table_need need =
                    gpu_tables_worst_map(formats[f], va, 8 * size, size, (enum gpu_page)p);
                space_open(&s, formats[f]);
                must_be(gpu_tables_prepare_need(s.t, &need, &s.pool, &s.fail), FL_OK, &s.fail);
                must_be(gpu_tables_map(s.t, &s.pool, va, 8 * size, size, (enum gpu_page)p, &host,
                                       &s.fail),
                        FL_OK, &s.fail);
                assert_int_equal(stats().mapped[p], 1);
                gpu_tables_release(s.t, &s.pool);
                need = how == 0 ? gpu_tables_worst_map(formats[f], in, 12 * size + KIB(4), len,
                                                       (enum gpu_page)p)
                                : gpu_tables_worst_unmap(formats[f], in, len);
                must_be(gpu_tables_prepare_need(s.t, &need, &s.pool, &s.fail), FL_OK, &s.fail);
                must_be(how == 0 ? gpu_tables_map(s.t, &s.pool, in, 12 * size + KIB(4), len,
                                                  (enum gpu_page)p, &host, &s.fail)
                                 : gpu_tables_unmap(s.t, &s.pool, in, len, how == 1, &s.fail),
                        FL_OK, &s.fail);
                const uint64_t at[] = {va, va + KIB(4), va + size - KIB(8), va + size - KIB(4)};
                for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
                    const bool inner = i == 1 || i == 2;
                    must_be(gpu_walk(&s.mem, formats[f], gpu_tables_root(s.t), at[i], &w, &s.fail),
                            FL_OK, &s.fail);
                    assert_int_equal(w.end, !inner || how == 0 ? GPU_WALK_MAPPED
                                            : how == 1         ? GPU_WALK_SPARSE
                                                               : GPU_WALK_UNMAPPED);
                    if (w.end == GPU_WALK_MAPPED) {
                        assert_int_equal(w.pa, (inner ? 12 : 8) * size + (at[i] - va));
                    }
                }
                must_be(gpu_tables_commit(s.t, &s.fail), FL_OK, &s.fail);
                space_close(&s);
            }
        }
    }
}

/* Each kind of table, one too few: refused, and nothing has changed. */
static void short_pools(void **state)
{
    (void)state;
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        const uint64_t dirs = is_v3(formats[f]) ? 4 : 3, va = MIB(2) - KIB(68), len = KIB(72);
        /* 64K pages up to the boundary, 4K pages behind it */
        for (int missing = 0; missing < 4; missing++) {
            const struct gpu_table_need need = {.tables =
                                                    dirs + 2 - (missing == 1) - (missing == 2),
                                                .directories = dirs - (missing == 1),
                                                .big = 1 - (missing == 3)};
            space_open(&s, formats[f]);
            must_be(gpu_tables_prepare_need(s.t, &need, &s.pool, &s.fail), FL_OK, &s.fail);
            const struct gpu_table_pool before = s.pool;
            const uint32_t writes = s.writes;
            must_be(gpu_tables_map(s.t, &s.pool, va, va, len, GPU_PAGE_64K, &plain, &s.fail),
                    missing == 0 ? FL_OK : FL_ESTATE, &s.fail);
            if (missing == 0) { /* exactly what was missing is gone */
                assert_int_equal(s.pool.directories.count, 0);
                assert_int_equal(s.pool.small.count, 0);
                assert_int_equal(s.pool.big.count, 0);
                must_be(gpu_tables_commit(s.t, &s.fail), FL_OK, &s.fail);
                /* A split of the 64K page, with nothing prepared and the table there. */
                must_be(gpu_tables_unmap(s.t, &s.pool, MIB(2) - KIB(64), KIB(4), false, &s.fail),
                        FL_OK, &s.fail);
            } else {
                assert_memory_equal(&before, &s.pool, sizeof(before));
                assert_int_equal(stats().tables, 1);
                assert_int_equal(s.writes, writes);
                must_be(gpu_tables_commit(s.t, &s.fail), FL_OK, &s.fail);
                assert_int_equal(s.invalidates, 0);
            }
            space_close(&s);
        }
    }
}

/* The same where the directories are known, and the one table that the change writes to is not. */
static void short_pools_below_a_directory(void **state)
{
    static const struct {
        uint64_t va, pa, len;
        enum gpu_page page;
        enum fl_err want;
    } rows[] = {
        {MIB(2), 0, KIB(4), GPU_PAGE_4K, FL_ESTATE},          /* no table of 4K pages there */
        {KIB(64), KIB(64), KIB(64), GPU_PAGE_64K, FL_ESTATE}, /* no table of 64K pages */
        {KIB(64), KIB(64), KIB(64), GPU_PAGE_4K, FL_OK},
        {KIB(64), KIB(68), KIB(64), GPU_PAGE_64K, FL_OK}, /* not congruent */
        {GIB(1), 0, KIB(4), GPU_PAGE_4K, FL_ESTATE},      /* in no directory that there is */
    };
    (void)state;
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
            space_open(&s, formats[f]);
            space_map(&s, 0, 0, KIB(4), GPU_PAGE_4K, &plain);
            for (int again = 0; again < 2; again++) { /* from the root, and from the directory */
                const uint32_t writes = s.writes;
                must_be(gpu_tables_map(s.t, &s.pool, rows[i].va, rows[i].pa, rows[i].len,
                                       rows[i].page, &plain, &s.fail),
                        rows[i].want, &s.fail);
                assert_true(rows[i].want == FL_OK || s.writes == writes);
            }
            must_be(gpu_tables_commit(s.t, &s.fail), FL_OK, &s.fail);
            must_be(gpu_tables_compare(s.t, &s.fail), FL_OK, &s.fail);
            space_close(&s);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formula_is_what_is_taken),      cmocka_unit_test(worst_placements),
        cmocka_unit_test(senseless_ranges_need_nothing), cmocka_unit_test(large_pages_need_few),
        cmocka_unit_test(splits_at_both_ends),           cmocka_unit_test(short_pools),
        cmocka_unit_test(short_pools_below_a_directory),
    };
    return cmocka_run_group_tests_name("GPU page tables needed", tests, NULL, NULL);
}
