/* SPDX-License-Identifier: MIT */
/* The buddy allocator, property by property. */
#include "tests/unit/buddy_pool.h"

/* ---- single properties ---- */

static void arguments_are_checked(void **state)
{
    struct pool p;
    uint64_t words[256];

    (void)state;
    assert_int_equal(buddy_meta_bytes(0, 0, SHIFT), 0);
    assert_int_equal(buddy_meta_bytes(1, PAGE, SHIFT), 0);
    assert_int_equal(buddy_meta_bytes(0, PAGE + 1, SHIFT), 0);
    assert_int_equal(buddy_meta_bytes(UINT64_MAX - PAGE + 1, 2 * PAGE, SHIFT), 0);
    assert_int_equal(buddy_meta_bytes(0, PAGE, 11), 0);
    assert_int_equal(buddy_meta_bytes(0, UINT64_C(1) << 62, SHIFT), 0);
    assert_int_equal(buddy_init(&p.b, "x", 0, 64 * PAGE, SHIFT, words,
                                buddy_meta_bytes(0, 64 * PAGE, SHIFT) - 1),
                     FL_EINVAL);
    pool_open(&p, 0x100000, 100);
    assert_int_equal(alloc_err(&p, 0, 0, 0, 0), FL_EINVAL);
    assert_int_equal(alloc_err(&p, 1, 3 * PAGE, 0, 0), FL_EINVAL);
    assert_int_equal(alloc_err(&p, UINT64_MAX, 0, 0, 0), FL_ENOMEM);
    assert_int_equal(alloc_err(&p, 101, 0, 0, 0), FL_ENOMEM);
    assert_int_equal(alloc_err(&p, 1, UINT64_C(1) << 63, 0, 0), FL_ENOMEM);
    assert_int_equal(alloc_err(&p, 1, 0, UINT64_MAX, 0), FL_ENOMEM);
    assert_int_equal(alloc_err(&p, 1, 0, 0, 1), FL_ENOMEM);
    assert_int_equal(alloc_err(&p, 1, 0, 0x120000, 0x110000), FL_ENOMEM);
    assert_int_equal(buddy_add(&p.b, 0x100000, PAGE), FL_EINVAL); /* known already */
    assert_int_equal(buddy_add(&p.b, 0, PAGE), FL_EINVAL);        /* outside */
    assert_int_equal(buddy_reserve(&p.b, 0x100000 + 99 * PAGE, 2 * PAGE), FL_EINVAL);
    assert_int_equal(buddy_reserve(&p.b, 0x100001, PAGE), FL_EINVAL);
    assert_int_equal(buddy_reserve(&p.b, 0x100000, 0), FL_EINVAL);
    pool_close(&p);
}

/* Odd sizes and places: every page can be had, one by one, and the start state comes back. */
static void every_page_is_reachable(void **state)
{
    const struct {
        uint64_t base, pages;
    } pools[] = {{0, 1},         {PAGE, 1},        {7 * PAGE, 100},   {0x100000, 1000},
                 {3 * PAGE, 63}, {0x123000, 4097}, {0xfffff000, 129}, {0, 1024}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(pools); i++) {
        struct pool p;
        pool_open(&p, pools[i].base, pools[i].pages);
        struct buddy_stats before;
        buddy_get_stats(&p.b, &before);
        uint64_t last = UINT64_MAX;
        for (uint64_t k = 0; k < p.pages; k++) {
            uint64_t addr = alloc(&p, 1);
            assert_true(addr >= p.base && addr < p.base + p.pages * PAGE);
            assert_true(addr != last);
            last = addr;
        }
        assert_int_equal(alloc_err(&p, 1, 0, 0, 0), FL_ENOMEM);
        assert_int_equal(p.b.stats.failures, 1);
        assert_int_equal(buddy_largest_free(&p.b), 0);
        assert_true(buddy_check(&p.b));
        for (uint64_t k = 0; k < p.pages; k++) { /* all of them were given out exactly once */
            assert_int_equal(buddy_free(&p.b, p.base + k * PAGE, 1), FL_OK);
        }
        struct buddy_stats after;
        buddy_get_stats(&p.b, &after);
        assert_memory_equal(before.free_blocks, after.free_blocks, sizeof(before.free_blocks));
        assert_int_equal(after.peak_pages, p.pages);
        pool_close(&p);
    }
}

static void takes_high_memory_first_and_best_fit(void **state)
{
    struct pool p;

    (void)state;
    pool_open(&p, 0, 64);
    assert_int_equal(alloc(&p, 1), 63 * PAGE);
    assert_int_equal(alloc(&p, 8), 48 * PAGE); /* the free 8 at 48, not half of the 32 below */
    assert_int_equal(alloc(&p, 1), 62 * PAGE); /* the crumb next to the first page */
    assert_int_equal(alloc(&p, 32), 0);
    assert_int_equal(buddy_free(&p.b, 0, 32), FL_OK);
    assert_int_equal(buddy_free(&p.b, 63 * PAGE, 1), FL_OK);
    assert_int_equal(buddy_free(&p.b, 48 * PAGE, 8), FL_OK);
    assert_int_equal(buddy_free(&p.b, 62 * PAGE, 1), FL_OK);
    assert_int_equal(p.b.stats.free_blocks[6], 1);
    pool_close(&p);
}

static void tail_of_an_odd_request_is_given_back(void **state)
{
    struct pool p;

    (void)state;
    pool_open(&p, 0, 64);
    uint64_t a = alloc(&p, 33);
    assert_int_equal(a, 0);
    assert_int_equal(p.b.stats.free_pages, 31);
    assert_int_equal(alloc(&p, 16), 48 * PAGE);
    assert_int_equal(alloc(&p, 15), 33 * PAGE); /* found only as a run: 1 + 2 + 4 + 8 */
    assert_int_equal(p.b.stats.free_pages, 0);
    assert_int_equal(p.b.stats.peak_rounded_pages, 64 + 16 + 16);
    assert_int_equal(p.b.stats.largest_request, 64);
    assert_int_equal(buddy_pages_at(&p.b, 0), 33);
    assert_int_equal(buddy_pages_at(&p.b, 33 * PAGE), 15);
    assert_int_equal(buddy_pages_at(&p.b, 32 * PAGE), 0); /* the middle of the first one */
    assert_int_equal(buddy_free(&p.b, 48 * PAGE, 16), FL_OK);
    assert_int_equal(buddy_free(&p.b, 0, 33), FL_OK);
    assert_int_equal(buddy_free(&p.b, 33 * PAGE, 15), FL_OK);
    pool_close(&p);
}

static void limits_and_alignment_hold(void **state)
{
    struct pool p;
    struct buddy_request want;
    uint64_t addr;

    (void)state;
    /* 8 GiB of 2 MiB pages across the 4 GiB line, as one free block at first. */
    uint64_t bytes = buddy_meta_bytes(0, GIB(8), 21);
    p.meta = malloc(bytes);
    assert_int_equal(buddy_init(&p.b, "big", 0, GIB(8), 21, p.meta, bytes), FL_OK);
    assert_int_equal(buddy_add(&p.b, 0, GIB(8)), FL_OK);
    want = (struct buddy_request){.pages = 1, .max = GIB(4)};
    assert_int_equal(buddy_alloc(&p.b, &want, &addr), FL_OK);
    assert_int_equal(addr, GIB(4) - MIB(2)); /* the highest below the line */
    want = (struct buddy_request){.pages = 1, .min = GIB(4), .max = GIB(4) + MIB(3)};
    assert_int_equal(buddy_alloc(&p.b, &want, &addr), FL_OK);
    assert_int_equal(addr, GIB(4));
    assert_int_equal(buddy_alloc(&p.b, &want, &addr), FL_ENOMEM); /* 1 MiB is left of the window */
    want = (struct buddy_request){.pages = 3, .align = GIB(1), .min = MIB(1)};
    assert_int_equal(buddy_alloc(&p.b, &want, &addr), FL_OK);
    assert_true(is_aligned_u64(addr, GIB(1)));
    uint64_t aligned = addr;
    want = (struct buddy_request){.pages = 1, .min = GIB(2) - MIB(3), .max = GIB(2) - MIB(1)};
    assert_int_equal(buddy_alloc(&p.b, &want, &addr), FL_ENOMEM); /* no whole page inside */
    assert_true(buddy_check(&p.b));
    assert_int_equal(buddy_free(&p.b, GIB(4) - MIB(2), 1), FL_OK);
    assert_int_equal(buddy_free(&p.b, GIB(4), 1), FL_OK);
    assert_int_equal(buddy_free(&p.b, aligned, 3), FL_OK);
    assert_int_equal(p.b.stats.free_blocks[12], 1);
    pool_close(&p);
}

/* An alignment larger than the largest block: one place, 28 pages into the pool. */
static void alignments_beyond_the_largest_block(void **state)
{
    struct pool p;

    (void)state;
    pool_open(&p, 100 * PAGE, 100);
    assert_int_equal(alloc_err(&p, 20, 128 * PAGE, 0, 147 * PAGE), FL_ENOMEM);
    assert_int_equal(alloc_err(&p, 20, 128 * PAGE, 129 * PAGE, 0), FL_ENOMEM);
    assert_int_equal(alloc_err(&p, 73, 128 * PAGE, 0, 0), FL_ENOMEM);
    assert_int_equal(alloc_err(&p, 72, 128 * PAGE, 0, 0), FL_OK);
    assert_int_equal(buddy_free(&p.b, 128 * PAGE, 72), FL_OK);
    pool_close(&p);
}

static void wrong_frees_are_found_out(void **state)
{
    struct pool p;

    (void)state;
    pool_open(&p, 0x100000, 64);
    uint64_t a = alloc(&p, 6);
    uint64_t b = alloc(&p, 4);
    struct buddy before = p.b;
    assert_int_equal(buddy_free(&p.b, a, 5), FL_EINVAL);
    assert_int_equal(buddy_free(&p.b, a, 4), FL_EINVAL); /* its first block alone */
    assert_int_equal(buddy_free(&p.b, a, 7), FL_EINVAL);
    assert_int_equal(buddy_free(&p.b, a, 0), FL_EINVAL);
    assert_int_equal(buddy_free(&p.b, a + 4 * PAGE, 2), FL_EINVAL); /* its second block alone */
    assert_int_equal(buddy_free(&p.b, a + PAGE, 1), FL_EINVAL);
    assert_int_equal(buddy_free(&p.b, a + 1, 6), FL_EINVAL);
    assert_int_equal(buddy_free(&p.b, 0x100000, 1), FL_EINVAL); /* free */
    assert_int_equal(buddy_free(&p.b, 0, 1), FL_EINVAL);        /* foreign */
    assert_int_equal(buddy_free(&p.b, UINT64_MAX, 1), FL_EINVAL);
    assert_memory_equal(&before, &p.b, sizeof(before));
    assert_int_equal(buddy_free(&p.b, a, 6), FL_OK);
    assert_int_equal(buddy_free(&p.b, a, 6), FL_EINVAL); /* double */
    assert_int_equal(buddy_free(&p.b, b, 4), FL_OK);
    pool_close(&p);
}

static void reserving_exact_ranges(void **state)
{
    struct pool p;

    (void)state;
    pool_open(&p, 0x100000, 256);
    assert_int_equal(buddy_reserve(&p.b, 0x100000 + 3 * PAGE, 100 * PAGE), FL_OK);
    assert_true(buddy_check(&p.b));
    struct buddy before = p.b;
    assert_int_equal(buddy_reserve(&p.b, 0x100000 + 102 * PAGE, 2 * PAGE), FL_EBUSY);
    assert_int_equal(buddy_reserve(&p.b, 0x100000, 4 * PAGE), FL_EBUSY);
    assert_memory_equal(&before, &p.b, sizeof(before));
    assert_int_equal(buddy_reserve(&p.b, 0x100000, 3 * PAGE), FL_OK);
    assert_int_equal(buddy_reserve(&p.b, 0x100000 + 103 * PAGE, 153 * PAGE), FL_OK);
    assert_int_equal(p.b.stats.free_pages, 0);
    assert_int_equal(buddy_free(&p.b, 0x100000 + 3 * PAGE, 100), FL_OK);
    assert_int_equal(buddy_free(&p.b, 0x100000, 3), FL_OK);
    assert_int_equal(buddy_free(&p.b, 0x100000 + 103 * PAGE, 153), FL_OK);
    pool_close(&p);
}

static void holes_stay_holes(void **state)
{
    struct pool p;
    uint64_t addr[32];

    (void)state;
    pool_open_empty(&p, 0, 64);
    assert_int_equal(alloc_err(&p, 1, 0, 0, 0), FL_ENOMEM);
    assert_int_equal(buddy_add(&p.b, 0, 10 * PAGE), FL_OK);
    assert_int_equal(buddy_add(&p.b, 20 * PAGE, 22 * PAGE), FL_OK);
    assert_int_equal(buddy_add(&p.b, 5 * PAGE, 20 * PAGE), FL_EINVAL);  /* overlaps both */
    assert_int_equal(buddy_add(&p.b, 15 * PAGE, 10 * PAGE), FL_EINVAL); /* overlaps the second */
    assert_int_equal(buddy_add(&p.b, 41 * PAGE, 2 * PAGE), FL_EINVAL);
    assert_int_equal(buddy_reserve(&p.b, 9 * PAGE, 2 * PAGE), FL_EBUSY);
    assert_int_equal(buddy_free(&p.b, 15 * PAGE, 1), FL_EINVAL);
    assert_true(buddy_check(&p.b));
    for (size_t i = 0; i < 32; i++) {
        addr[i] = alloc(&p, 1);
        assert_true(addr[i] < 10 * PAGE || (addr[i] >= 20 * PAGE && addr[i] < 42 * PAGE));
    }
    assert_int_equal(buddy_add(&p.b, 15 * PAGE, 10 * PAGE), FL_EINVAL); /* known, though in use */
    for (uint64_t i = 0; i <= 10; i++) { /* one page that is in use, wherever it lies in the run */
        assert_int_equal(buddy_add(&p.b, (20 - i) * PAGE, (i + 1) * PAGE), FL_EINVAL);
        assert_int_equal(buddy_add(&p.b, 9 * PAGE, (i + 1) * PAGE), FL_EINVAL);
    }
    assert_int_equal(alloc_err(&p, 1, 0, 0, 0), FL_ENOMEM);
    assert_int_equal(buddy_add(&p.b, 10 * PAGE, 10 * PAGE), FL_OK); /* a hole is filled later */
    assert_int_equal(alloc(&p, 10), 10 * PAGE);
    assert_int_equal(buddy_free(&p.b, 10 * PAGE, 10), FL_OK);
    for (size_t i = 0; i < 32; i++) {
        assert_int_equal(buddy_free(&p.b, addr[i], 1), FL_OK);
    }
    pool_close(&p);
}

static void failure_on_purpose(void **state)
{
    struct pool p;

    (void)state;
    pool_open(&p, 0, 16);
    host_fail_alloc_at(2);
    uint64_t a = alloc(&p, 1);
    assert_int_equal(alloc_err(&p, 1, 0, 0, 0), FL_ENOMEM);
    uint64_t b = alloc(&p, 1);
    assert_int_equal(host_fail_alloc_at(5), 0);
    assert_int_equal(host_fail_alloc_at(0), 5);
    assert_int_equal(buddy_free(&p.b, a, 1), FL_OK);
    assert_int_equal(buddy_free(&p.b, b, 1), FL_OK);
    pool_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(arguments_are_checked, setup),
        cmocka_unit_test_setup(every_page_is_reachable, setup),
        cmocka_unit_test_setup(takes_high_memory_first_and_best_fit, setup),
        cmocka_unit_test_setup(tail_of_an_odd_request_is_given_back, setup),
        cmocka_unit_test_setup(limits_and_alignment_hold, setup),
        cmocka_unit_test_setup(alignments_beyond_the_largest_block, setup),
        cmocka_unit_test_setup(wrong_frees_are_found_out, setup),
        cmocka_unit_test_setup(reserving_exact_ranges, setup),
        cmocka_unit_test_setup(holes_stay_holes, setup),
        cmocka_unit_test_setup(failure_on_purpose, setup),
    };
    return cmocka_run_group_tests_name("buddy", tests, NULL, NULL);
}
