/* SPDX-License-Identifier: MIT */
/* Page tables of a GPU: what lies in memory after a change, and that nothing is left behind. */
#include "tests/unit/gpu_space.h"

static const struct gpu_mmu_format *const formats[] = {&gpu_mmu_v2_turing, &gpu_mmu_v2, &gpu_mmu_v3,
                                                       &gpu_mmu_v3_blackwell};
static const struct gpu_pte_attrs plain;

static struct space s;

static uint64_t tables(void)
{
    struct gpu_table_stats st;
    gpu_tables_get_stats(s.t, &st);
    return st.tables + st.big_tables;
}

static void a_page_comes_and_goes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        struct gpu_table_stats st;
        space_open(&s, formats[i]);
        const uint64_t va = gpu_tables_va_size(s.t) - 3 * FL_PAGE_SIZE;
        space_map(&s, va, 0x234567000, FL_PAGE_SIZE, GPU_PAGE_4K, &plain);
        gpu_tables_get_stats(s.t, &st);
        assert_int_equal(st.mapped[GPU_PAGE_4K], 1);
        assert_int_equal(st.tables, i < 2 ? 5 : 6);
        space_unmap(&s, va, FL_PAGE_SIZE, false);
        assert_int_equal(tables(), 1);
        space_close(&s);
    }
}

/* Not all of a commit succeeds: what it covers is not freed, and the next one does all of it. */
static void a_commit_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        for (int which = 0; which < 2; which++) {
            struct gpu_table_stats before, st;
            space_open(&s, formats[i]);
            space_map(&s, MIB(2), MIB(4), KIB(4), GPU_PAGE_4K, &plain);
            must_be(gpu_tables_unmap(s.t, &s.pool, MIB(2), KIB(4), false, &s.fail), FL_OK, &s.fail);
            gpu_tables_get_stats(s.t, &before);
            const uint32_t live = s.live, flushes = s.flushes;
            *(which == 0 ? &s.fail_flush_at : &s.fail_invalidate_at) = 1;
            must_be(gpu_tables_commit(s.t, &s.fail), FL_ELINKLOST, &s.fail);
            gpu_tables_get_stats(s.t, &st);
            assert_int_equal(st.flushes - before.flushes, which);
            assert_int_equal(st.invalidates, before.invalidates);
            gpu_tables_release(s.t, &s.pool);
            assert_int_equal(s.live, live); /* the GPU may still walk them */
            must_be(gpu_tables_commit(s.t, &s.fail), FL_OK, &s.fail);
            assert_int_equal(s.flushes - flushes, 1 + which);
            gpu_tables_get_stats(s.t, &st);
            assert_int_equal(st.invalidates, before.invalidates + 1);
            gpu_tables_release(s.t, &s.pool);
            assert_int_equal(s.live, 1);
            space_close(&s);
        }
    }
}

/* The flush between new tables and what links them: nothing links them before it succeeded. */
static void the_flush_of_new_tables_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        struct gpu_walk w;
        space_open(&s, formats[i]);
        must_be(gpu_tables_prepare(s.t, MIB(2), KIB(4), &s.pool, &s.fail), FL_OK, &s.fail);
        s.fail_flush_at = 1;
        must_be(gpu_tables_map(s.t, &s.pool, MIB(2), MIB(4), KIB(4), GPU_PAGE_4K, &plain, &s.fail),
                FL_ELINKLOST, &s.fail);
        must_be(gpu_walk(&s.mem, formats[i], gpu_tables_root(s.t), MIB(2), &w, &s.fail), FL_OK,
                &s.fail);
        assert_int_not_equal(w.end, GPU_WALK_MAPPED);
        must_be(gpu_tables_commit(s.t, &s.fail), FL_OK, &s.fail);
        must_be(gpu_tables_compare(s.t, &s.fail), FL_OK, &s.fail);
        must_be(gpu_walk(&s.mem, formats[i], gpu_tables_root(s.t), MIB(2), &w, &s.fail), FL_OK,
                &s.fail);
        assert_int_equal(w.end, GPU_WALK_MAPPED);
        space_close(&s);
    }
}

/* A walk in memory that cannot be read says so, at each of its levels. */
static void a_read_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        uint64_t n = 0;
        enum fl_err err = FL_ELINKLOST;
        space_open(&s, formats[i]);
        space_map(&s, MIB(2), MIB(4), KIB(4), GPU_PAGE_4K, &plain);
        while (err == FL_ELINKLOST) {
            struct gpu_walk w;
            s.fail_read_at = ++n;
            err = gpu_walk(&s.mem, formats[i], gpu_tables_root(s.t), MIB(2), &w, &s.fail);
            must_be(err, s.fail_read_at == 0 ? FL_ELINKLOST : FL_OK, &s.fail);
        }
        assert_in_range(n, 5, 16);
        s.fail_read_at = 1;
        must_be(gpu_tables_compare(s.t, &s.fail), FL_ELINKLOST, &s.fail);
        s.fail_read_at = 0;
        space_close(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_commit_fails),
        cmocka_unit_test(the_flush_of_new_tables_fails),
        cmocka_unit_test(a_read_fails),
        cmocka_unit_test(a_page_comes_and_goes),
    };
    return cmocka_run_group_tests_name("GPU page tables", tests, NULL, NULL);
}
