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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_page_comes_and_goes),
    };
    return cmocka_run_group_tests_name("GPU page tables", tests, NULL, NULL);
}
