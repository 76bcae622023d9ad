/* SPDX-License-Identifier: MIT */
/*
 * The walker on tables of anybody: every reason for which a walk ends, by name; levels as they were
 * seen; dumps as runs; the first difference between shadow and memory.
 */
#include "tests/unit/gpu_space.h"

#include "mm/gpu/format_priv.h"

static const struct gpu_pte_attrs plain;
static struct space s;

static struct gpu_walk walk(const struct gpu_mmu_format *f, uint64_t va)
{
    struct gpu_walk w;
    must_be(gpu_walk(&s.mem, f, SPACE_TABLES, va, &w, &s.fail), FL_OK, &s.fail);
    return w;
}

static void poke(uint64_t off, uint64_t word)
{
    put_le64(space_at(&s, SPACE_TABLES + off, 8), word);
}

static void bare(void)
{
    s = (struct space){.memory = calloc(1, SPACE_TABLE_BYTES)};
    assert_non_null(s.memory);
    s.mem = (struct gpu_mem){&space_ops, &s, SPACE_TABLES + SPACE_TABLE_BYTES};
}

/* Root at 0, directories at 1000, 2000, (3000), PD0 at 4000, 64K table at 5100, 4K table at 6000.
 */
static void chain(const struct gpu_mmu_format *f)
{
    const uint64_t at = SPACE_TABLES;
    for (uint32_t level = 0; level < gpu_level_pd0(f); level++) {
        const bool last = level + 1u == gpu_level_pd0(f);
        poke(level * 0x1000, f->encode_pde(at + (last ? 0x4000 : (level + 1u) * 0x1000)));
    }
    poke(0x4000, f->encode_big(at + 0x5100));
    poke(0x4008, f->encode_pde(at + 0x6000));
}

static void how_walks_end(void **state)
{
    static const struct gpu_mmu_format *const formats[] = {&gpu_mmu_v2, &gpu_mmu_v3};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        const struct gpu_mmu_format *f = formats[i];
        const uint32_t last = f->dirs + 1u; /* levels of a walk to the 4K table */
        const struct {
            uint64_t off, word; /* on top of the chain */
            enum gpu_walk_end end;
            const char *reason;
            uint32_t levels;
            uint64_t left;
        } rows[] = {
            {0x6000, f->encode_pte(0x3000, &plain), GPU_WALK_MAPPED, "", last + 1, 0x1000},
            {0x6000, 0, GPU_WALK_UNMAPPED, "PT4K: entry 0x0 is not valid", last + 1, 0x1000},
            {0x6000, f->sparse_pte, GPU_WALK_SPARSE, "PT4K: sparse", last + 1, 0x1000},
            {0x5100, f->encode_pte(MIB(1), &plain), GPU_WALK_MAPPED, "", last, KIB(64)},
            {0x5100, f->no_4k, GPU_WALK_UNMAPPED, "PT64K: entry", last, KIB(64)},
            {0x5100, f->sparse_pte, GPU_WALK_SPARSE, "PT64K: sparse", last, KIB(64)},
            {0x5100, f->encode_pte(0x8000, &plain), GPU_WALK_FAULT,
             "PT64K: a page of 64K at 0x8000", last, KIB(64)},
            {0x6000, f->encode_pte(0x200000000, &plain), GPU_WALK_FAULT,
             "PT4K: the page at 0x200000000 is outside of video memory", last + 1, 0x1000},
            {0x6000, f->encode_pte(0x200000000, &(struct gpu_pte_attrs){.aperture = GPU_PEER}),
             GPU_WALK_MAPPED, "", last + 1, 0x1000},
            {0x6000, f->encode_pte(0x3000, &(struct gpu_pte_attrs){.kind = 7}), GPU_WALK_FAULT,
             "PT4K: page kind 0x7 does not exist", last + 1, 0x1000},
            {0x4008, 0, GPU_WALK_UNMAPPED, "PT64K: entry 0x0 is not valid", last, KIB(64)},
            {0x4000, 0, GPU_WALK_UNMAPPED, "PT4K: entry 0x0 is not valid", last, 0x1000},
            {0x4000, f->sparse_pde, GPU_WALK_SPARSE, "PD0: sparse", f->dirs, MIB(2)},
            {0x4000, f->encode_pte(MIB(4), &plain), GPU_WALK_MAPPED, "", f->dirs, MIB(2)},
            {0x4008, f->encode_pde(0x200000000), GPU_WALK_FAULT,
             "PT4K: the table at 0x200000000 is outside of video memory", last + 1, 0x1000},
            {0x4008, f->encode_pde(0x200000000) + 2, GPU_WALK_FAULT,
             "PT4K: the table at 0x200000000 is in system memory", last + 1, 0x1000},
            {0x2000, f->sparse_pde, GPU_WALK_SPARSE, i == 0 ? "PD1: sparse" : "PD2: sparse", 3,
             i == 0 ? MIB(512) : GIB(256)},
            {0x2000, f->encode_pte(0x120000000, &plain), GPU_WALK_FAULT,
             i == 0 ? "PD1: the page at 0x120000000 is" : "PD2: entry 0x120000001 is a page", 3,
             i == 0 ? MIB(512) : GIB(256)},
            {0x0, 0, GPU_WALK_UNMAPPED, i == 0 ? "PD3: entry 0x0 names no table" : "PD4: entry 0x0",
             1, UINT64_C(1) << (i == 0 ? 47 : 56)},
            {0x0, f->encode_pte(0, &plain), GPU_WALK_FAULT,
             i == 0 ? "PD3: entry 0x1 is a page, which cannot be here" : "PD4: entry 0x1 is a page",
             1, UINT64_C(1) << (i == 0 ? 47 : 56)},
        };
        for (size_t r = 0; r < ARRAY_SIZE(rows); r++) {
            bare();
            chain(f);
            poke(rows[r].off, rows[r].word);
            const struct gpu_walk w = walk(f, 0x123);
            if (w.end != rows[r].end || strstr(w.reason, rows[r].reason) != w.reason ||
                w.levels != rows[r].levels || w.left != rows[r].left - 0x123) {
                fail_msg("%s, row %zu: %d, \"%s\", %u levels, 0x%llx left", f->name, r, w.end,
                         w.reason, w.levels, (unsigned long long)w.left);
            }
            assert_true(w.end != GPU_WALK_MAPPED || (w.pa & 0xfff) == 0x123);
            assert_int_equal(w.level[0].table, SPACE_TABLES);
            free(s.memory);
        }
    }
}

static void every_level_is_shown(void **state)
{
    static const char *const names[] = {"PD4", "PD3", "PD2", "PD1", "PD0", "PT64K", "PT4K"};
    (void)state;
    bare();
    chain(&gpu_mmu_v3);
    poke(0x6000 + 0xab * 8, 0x3001);
    const struct gpu_walk w = walk(&gpu_mmu_v3, 0xab000);
    assert_int_equal(w.levels, GPU_WALK_LEVELS);
    for (uint32_t i = 0; i < GPU_WALK_LEVELS; i++) {
        assert_string_equal(w.level[i].name, names[i]);
    }
    assert_int_equal(w.level[6].index, 0xab);
    assert_int_equal(w.level[6].entry_at, SPACE_TABLES + 0x6558);
    assert_int_equal(w.level[6].entry[0], 0x3001);
    assert_int_equal(w.level[5].index, 0xa);
    assert_int_equal(w.level[5].entry_at, SPACE_TABLES + 0x5150);
    assert_int_equal(w.level[4].entry[1], SPACE_TABLES + 0x6012);
    free(s.memory);
}

static void what_is_refused(void **state)
{
    struct gpu_walk w;
    (void)state;
    bare();
    must_be(gpu_walk(&s.mem, &gpu_mmu_v2, SPACE_TABLES, UINT64_C(1) << 49, &w, &s.fail), FL_EINVAL,
            &s.fail);
    must_be(gpu_walk(&s.mem, &gpu_mmu_v2, SPACE_TABLES + 8, 0, &w, &s.fail), FL_EINVAL, &s.fail);
    must_be(gpu_walk(&s.mem, &gpu_mmu_v2, SPACE_TABLES + SPACE_TABLE_BYTES, 0, &w, &s.fail),
            FL_EINVAL, &s.fail);
    must_be(
        gpu_walk_range(&s.mem, &gpu_mmu_v2, SPACE_TABLES + 8, 0, KIB(4), 1, NULL, NULL, &s.fail),
        FL_EINVAL, &s.fail);
    must_be(gpu_walk_range(&s.mem, &gpu_mmu_v2, SPACE_TABLES, 0x10, KIB(4), 1, NULL, NULL, &s.fail),
            FL_EINVAL, &s.fail);
    free(s.memory);
}

static struct gpu_run runs[16];
static uint32_t run_count, stop_at;
static bool keep(void *ctx, const struct gpu_run *run)
{
    (void)ctx;
    assert_true(run_count < ARRAY_SIZE(runs));
    runs[run_count++] = *run;
    return run_count != stop_at;
}

static void runs_of_a_range(void **state)
{
    static const struct {
        uint64_t va, len;
        enum gpu_walk_end end;
        enum gpu_page page;
        uint64_t pa;
        bool read_only;
    } want[] = {
        {MIB(1) + KIB(64), MIB(1) - KIB(64), GPU_WALK_MAPPED, GPU_PAGE_64K, MIB(17) + KIB(64),
         false},
        {MIB(2), MIB(4), GPU_WALK_MAPPED, GPU_PAGE_2M, MIB(18), false},
        {MIB(6), KIB(16), GPU_WALK_MAPPED, GPU_PAGE_4K, MIB(22), false},
        {MIB(6) + KIB(16), KIB(4), GPU_WALK_MAPPED, GPU_PAGE_4K, MIB(22) + KIB(16), true},
        {MIB(6) + KIB(20), KIB(8), GPU_WALK_MAPPED, GPU_PAGE_4K, 0, true},
        {GIB(2), MIB(514), GPU_WALK_SPARSE, GPU_PAGE_COUNT, 0, false},
    };
    const struct gpu_pte_attrs ro = {.read_only = true};
    const uint64_t from = want[0].va, len = GIB(2) + MIB(514) - from;
    (void)state;
    space_open(&s, &gpu_mmu_v2);
    space_map(&s, MIB(1), MIB(17), MIB(5), GPU_PAGE_2M, &plain);
    space_map(&s, MIB(6), MIB(22), KIB(16), GPU_PAGE_4K, &plain);
    space_map(&s, MIB(6) + KIB(16), MIB(22) + KIB(16), KIB(4), GPU_PAGE_4K, &ro);
    space_map(&s, MIB(6) + KIB(20), 0, KIB(8), GPU_PAGE_4K, &ro);
    space_unmap(&s, GIB(2), GIB(1), true);
    for (int shadow = 0; shadow < 2; shadow++) {
        run_count = stop_at = 0;
        must_be(shadow ? gpu_tables_walk_range(s.t, from, len, 1000, keep, NULL, &s.fail)
                       : gpu_walk_range(&s.mem, &gpu_mmu_v2, gpu_tables_root(s.t), from, len, 1000,
                                        keep, NULL, &s.fail),
                FL_OK, &s.fail);
        assert_int_equal(run_count, ARRAY_SIZE(want));
        for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
            assert_int_equal(runs[i].va, want[i].va);
            assert_int_equal(runs[i].len, want[i].len);
            assert_int_equal(runs[i].end, want[i].end);
            assert_int_equal(runs[i].page, want[i].page);
            assert_int_equal(runs[i].pa, want[i].pa);
            assert_int_equal(runs[i].attrs.read_only, want[i].read_only);
        }
        run_count = 0;
        stop_at = 2;
        must_be(gpu_tables_walk_range(s.t, from, len, 1000, keep, NULL, &s.fail), FL_OK, &s.fail);
        assert_int_equal(run_count, 2);
        stop_at = 0;
        must_be(gpu_tables_walk_range(s.t, from, len, 20, keep, NULL, &s.fail), FL_ENOSPC, &s.fail);
    }
    space_close(&s);
}

static void first_difference_is_named(void **state)
{
    (void)state;
    space_open(&s, &gpu_mmu_v2);
    space_map(&s, GIB(1), MIB(2), MIB(4), GPU_PAGE_4K, &plain);
    must_be(gpu_tables_compare(s.t, &s.fail), FL_OK, &s.fail);
    struct gpu_walk w;
    must_be(gpu_tables_walk(s.t, GIB(1) + MIB(2) + KIB(40), &w, &s.fail), FL_OK, &s.fail);
    const uint64_t at = w.level[w.levels - 1].entry_at, is = space_word(&s, at);
    put_le64(space_at(&s, at, 8), 0xdead);
    assert_int_equal(gpu_tables_compare(s.t, &s.fail), FL_EBADDATA);
    assert_int_equal(s.fail.seen, 0xdead);
    assert_int_equal(s.fail.expected, is);
    assert_non_null(strstr(s.fail.text, "PT4K at 0x"));
    assert_non_null(strstr(s.fail.text, "entry 10 (VA 0x4020a000)"));
    fl_fail_clear(&s.fail);
    put_le64(space_at(&s, at, 8), is);
    must_be(gpu_tables_compare(s.t, &s.fail), FL_OK, &s.fail);
    space_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(how_walks_end),
        cmocka_unit_test(every_level_is_shown),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(runs_of_a_range),
        cmocka_unit_test(first_difference_is_named),
    };
    return cmocka_run_group_tests_name("GPU page-table walker", tests, NULL, NULL);
}
