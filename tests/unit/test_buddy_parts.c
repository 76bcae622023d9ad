/* SPDX-License-Identifier: MIT */
/* The buddy allocator: scattered requests, trim, clear memory, and the situations in which Linux's
 * KUnit tests put gpu_buddy. */
#include "tests/unit/buddy_pool.h"

static void *clear_meta;

/* A pool that knows clear memory; buddies of two kinds stay apart from an order on. */
static void open_clear(struct pool *p, uint64_t base, uint64_t pages, uint32_t apart)
{
    uint64_t bytes = buddy_clear_bytes(base, pages * PAGE, SHIFT);

    pool_open(p, base, pages);
    clear_meta = malloc(bytes);
    assert_non_null(clear_meta);
    assert_int_equal(buddy_track_clear(&p->b, apart, clear_meta, bytes - 1), FL_EINVAL);
    assert_int_equal(buddy_track_clear(&p->b, BUDDY_ORDERS, clear_meta, bytes), FL_EINVAL);
    assert_int_equal(buddy_track_clear(&p->b, apart, clear_meta, bytes), FL_OK);
    assert_int_equal(buddy_track_clear(&p->b, apart, clear_meta, bytes), FL_EINVAL); /* once */
}

static void close_clear(struct pool *p)
{
    pool_close(p);
    free(clear_meta);
}

/* Takes exactly these pages and gives them back as what they are said to hold. */
static void make(struct pool *p, uint64_t page, uint64_t pages, enum buddy_contents contents)
{
    assert_int_equal(buddy_reserve(&p->b, p->base + page * PAGE, pages * PAGE), FL_OK);
    assert_int_equal(buddy_free_as(&p->b, p->base + page * PAGE, pages, contents), FL_OK);
}

static enum fl_err scattered(struct pool *p, uint64_t pages, uint64_t block,
                             struct buddy_extent *out, uint32_t room, uint32_t *count)
{
    struct buddy_request want = {.pages = pages};

    return buddy_alloc_scattered(&p->b, &want, block, out, room, count);
}

/* ---- lowest first ---- */

static void the_lowest_address_when_asked(void **state)
{
    struct pool p;
    struct buddy_request want = {.pages = 4, .lowest = true};
    uint64_t addr;

    (void)state;
    pool_open(&p, 0, 64);
    assert_int_equal(buddy_alloc(&p.b, &want, &addr), FL_OK);
    assert_int_equal(addr, 0);
    want.min = 5 * PAGE; /* within a free block: the first place behind it */
    assert_int_equal(buddy_alloc(&p.b, &want, &addr), FL_OK);
    assert_int_equal(addr, 8 * PAGE);
    want.max = 14 * PAGE; /* 12-13 are too few, 5-7 too */
    assert_int_equal(buddy_alloc(&p.b, &want, &addr), FL_ENOMEM);
    want.pages = 3;
    want.max = 15 * PAGE; /* a run, both of 5-7 and of 12-14 */
    assert_int_equal(buddy_alloc(&p.b, &want, &addr), FL_OK);
    assert_int_equal(addr, 5 * PAGE);
    assert_int_equal(buddy_free(&p.b, addr, 3), FL_OK);
    want.lowest = false;
    assert_int_equal(buddy_alloc(&p.b, &want, &addr), FL_OK);
    assert_int_equal(addr, 12 * PAGE);
    assert_int_equal(buddy_free(&p.b, addr, 3), FL_OK);
    assert_int_equal(buddy_free(&p.b, 0, 4), FL_OK);
    assert_int_equal(buddy_free(&p.b, 8 * PAGE, 4), FL_OK);
    pool_close(&p);
}

/* ---- scattered ---- */

static void pieces_add_up_the_largest_first(void **state)
{
    struct pool p;
    struct buddy_extent out[16];
    uint32_t count = 99;

    (void)state;
    pool_open(&p, 0, 64);
    for (uint64_t i = 8; i < 64; i += 16) { /* free: 8 at 0, 16, 32 and 48 */
        assert_int_equal(buddy_reserve(&p.b, i * PAGE, 8 * PAGE), FL_OK);
    }
    struct buddy before = p.b;
    assert_int_equal(scattered(&p, 0, 1, out, 16, &count), FL_EINVAL);
    assert_int_equal(scattered(&p, 6, 0, out, 16, &count), FL_EINVAL);
    assert_int_equal(scattered(&p, 6, 3, out, 16, &count), FL_EINVAL); /* no power of two */
    assert_int_equal(scattered(&p, 6, 4, out, 16, &count), FL_EINVAL); /* does not divide it */
    assert_memory_equal(&before.stats, &p.b.stats, sizeof(before.stats));
    assert_int_equal(scattered(&p, 22, 2, out, 16, &count), FL_OK);
    assert_int_equal(count, 4);
    const uint64_t sizes[] = {8, 8, 4, 2};
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(out[i].pages, sizes[i]);
        assert_true(is_aligned_u64(out[i].addr, out[i].pages * PAGE));
        assert_int_equal(buddy_pages_at(&p.b, out[i].addr), out[i].pages);
        assert_false(out[i].clear);
    }
    assert_int_equal(p.b.stats.free_pages, 32 - 22);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(buddy_free(&p.b, out[i].addr, out[i].pages), FL_OK);
    }
    for (uint64_t i = 8; i < 64; i += 16) {
        assert_int_equal(buddy_free(&p.b, i * PAGE, 8), FL_OK);
    }
    pool_close(&p);
}

static void a_short_one_is_undone_as_a_whole(void **state)
{
    struct pool p;
    struct buddy_extent out[16];
    struct buddy_request want = {.pages = 8, .min = PAGE, .max = 10 * PAGE};
    uint32_t count = 99;

    (void)state;
    open_clear(&p, 0, 64, 0);
    make(&p, 16, 16, BUDDY_CLEAR);
    for (uint64_t i = 1; i < 16; i += 2) {
        assert_int_equal(buddy_reserve(&p.b, i * PAGE, PAGE), FL_OK);
    }
    struct buddy_stats before = p.b.stats;
    before.failures++;
    assert_int_equal(scattered(&p, 56, 1, out, 5, &count), FL_ENOSPC); /* needs 32, 16, 8 single */
    assert_int_equal(count, 0);
    assert_memory_equal(&before, &p.b.stats, sizeof(before)); /* the clear ones are so still */
    before.failures++;
    assert_int_equal(scattered(&p, 50, 2, out, 16, &count), FL_ENOMEM);
    assert_memory_equal(&before, &p.b.stats, sizeof(before));
    before.failures++;
    assert_int_equal(scattered(&p, 57, 1, out, 16, &count), FL_ENOMEM);
    assert_memory_equal(&before, &p.b.stats, sizeof(before));
    before.failures++;
    assert_int_equal(scattered(&p, 128, 128, out, 16, &count),
                     FL_ENOMEM); /* a block that is none */
    assert_memory_equal(&before, &p.b.stats, sizeof(before));
    before.failures++;
    assert_int_equal(buddy_alloc_scattered(&p.b, &want, 1, out, 16, &count), FL_ENOMEM);
    assert_memory_equal(&before, &p.b.stats, sizeof(before)); /* four of eight pages are there */
    assert_true(buddy_check(&p.b));
    for (uint64_t i = 1; i < 16; i += 2) {
        assert_int_equal(buddy_free(&p.b, i * PAGE, 1), FL_OK);
    }
    close_clear(&p);
}

static void scattered_fails_on_purpose(void **state)
{
    struct pool p;
    struct buddy_extent out[4];
    uint32_t count;

    (void)state;
    pool_open(&p, 0, 16);
    host_fail_alloc_at(1);
    assert_int_equal(scattered(&p, 4, 1, out, 4, &count), FL_ENOMEM);
    assert_int_equal(p.b.stats.failures, 1);
    pool_close(&p);
}

/* ---- trim ---- */

static void trim_keeps_a_part(void **state)
{
    struct pool p;

    (void)state;
    pool_open(&p, 0x100000, 256);
    for (uint64_t pages = 1; pages <= 70; pages += 3) { /* allocations of up to three blocks */
        for (uint64_t from = 0; from < pages; from += 1 + pages / 9) {
            for (uint64_t keep = 1; keep <= pages - from; keep += 1 + pages / 11) {
                uint64_t addr = alloc(&p, pages);
                uint64_t kept = addr + from * PAGE;
                assert_int_equal(buddy_trim(&p.b, addr, pages, kept, keep, BUDDY_DIRTY), FL_OK);
                assert_true(buddy_check(&p.b));
                assert_int_equal(p.b.stats.free_pages, 256 - keep);
                assert_int_equal(buddy_pages_at(&p.b, kept), keep);
                assert_int_equal(buddy_free(&p.b, addr, pages), keep == pages ? FL_OK : FL_EINVAL);
                if (keep != pages) {
                    assert_int_equal(buddy_free(&p.b, kept, keep), FL_OK);
                }
                assert_int_equal(p.b.stats.rounded_pages, 0);
            }
        }
    }
    pool_close(&p);
}

static void trim_checks_its_arguments(void **state)
{
    struct pool p;

    (void)state;
    pool_open(&p, 0x100000, 64);
    uint64_t a = alloc(&p, 6);
    struct buddy before = p.b;
    assert_int_equal(buddy_trim(&p.b, a, 5, a, 2, BUDDY_DIRTY), FL_EINVAL);
    assert_int_equal(buddy_trim(&p.b, a, 0, a, 2, BUDDY_DIRTY), FL_EINVAL);
    assert_int_equal(buddy_trim(&p.b, a, 6, a, 0, BUDDY_DIRTY), FL_EINVAL);
    assert_int_equal(buddy_trim(&p.b, a, 6, a, 7, BUDDY_DIRTY), FL_EINVAL);
    assert_int_equal(buddy_trim(&p.b, a, 6, a + PAGE, 6, BUDDY_DIRTY), FL_EINVAL);
    assert_int_equal(buddy_trim(&p.b, a, 6, a - PAGE, 2, BUDDY_DIRTY), FL_EINVAL);
    assert_int_equal(buddy_trim(&p.b, a, 6, a + 1, 2, BUDDY_DIRTY), FL_EINVAL);
    assert_int_equal(buddy_trim(&p.b, a, 6, a, UINT64_MAX, BUDDY_DIRTY), FL_EINVAL);
    assert_int_equal(buddy_trim(&p.b, a + PAGE, 5, a + PAGE, 1, BUDDY_DIRTY), FL_EINVAL);
    assert_memory_equal(&before, &p.b, sizeof(before));
    assert_int_equal(buddy_free(&p.b, a, 6), FL_OK);
    pool_close(&p);
}

/* ---- clear memory ---- */

static void clear_memory_goes_to_those_who_ask(void **state)
{
    struct pool p;
    struct buddy_request dirty = {.pages = 4};
    struct buddy_request clear = {.pages = 4, .clear = true};
    uint64_t a;
    uint64_t b;

    (void)state;
    open_clear(&p, 0, 64, 0);
    make(&p, 0, 16, BUDDY_CLEAR);
    assert_int_equal(p.b.stats.clear_pages, 16);
    assert_int_equal(p.b.stats.clear_blocks[4], 1);
    assert_int_equal(buddy_alloc(&p.b, &clear, &a), FL_OK);
    assert_int_equal(a, 12 * PAGE);
    assert_true(buddy_was_clear(&p.b, a));
    assert_false(buddy_was_clear(&p.b, a + PAGE)); /* no allocation begins there */
    assert_int_equal(buddy_alloc(&p.b, &dirty, &b), FL_OK);
    assert_true(b >= 16 * PAGE);
    assert_false(buddy_was_clear(&p.b, b));
    assert_int_equal(buddy_free_as(&p.b, a, 4, BUDDY_UNTOUCHED), FL_OK);
    assert_int_equal(buddy_free_as(&p.b, b, 4, BUDDY_UNTOUCHED), FL_OK);
    assert_int_equal(p.b.stats.clear_pages, 16);
    assert_int_equal(p.b.stats.clear_blocks[4], 1); /* merged again */
    dirty.max = clear.max = 16 * PAGE; /* what is not preferred is better than nothing */
    assert_int_equal(buddy_alloc(&p.b, &dirty, &a), FL_OK);
    assert_true(buddy_was_clear(&p.b, a));
    assert_int_equal(buddy_free(&p.b, a, 4), FL_OK);
    assert_int_equal(p.b.stats.clear_pages, 12); /* what was handed out is clear no more */
    assert_int_equal(buddy_alloc(&p.b, &dirty, &a), FL_OK);
    assert_false(buddy_was_clear(&p.b, a));
    assert_int_equal(buddy_free(&p.b, a, 4), FL_OK);
    buddy_forget_clear(&p.b);
    assert_int_equal(p.b.stats.clear_pages, 0);
    assert_int_equal(p.b.stats.free_blocks[6], 1);
    close_clear(&p);
}

/* What needs memory of both kinds finds it, aligned as a block would be. */
static void both_kinds_make_a_run(void **state)
{
    struct pool p;
    struct buddy_request want = {.pages = 32, .align = 32 * PAGE};
    struct buddy_extent out;
    uint32_t count;
    uint64_t addr;

    (void)state;
    open_clear(&p, 0, 64, 0);
    for (uint64_t i = 0; i < 64; i += 2) {
        make(&p, i, 1, BUDDY_CLEAR);
    }
    assert_int_equal(buddy_largest_free(&p.b), 1);
    assert_int_equal(buddy_longest_run(&p.b), 64);
    assert_int_equal(p.b.stats.clear_blocks[0], 32);
    assert_int_equal(p.b.stats.free_blocks[0], 64);
    struct buddy_stats before = p.b.stats;
    assert_int_equal(buddy_alloc(&p.b, &want, &addr), FL_OK);
    assert_int_equal(addr, 32 * PAGE);
    assert_false(buddy_was_clear(&p.b, addr));
    assert_int_equal(buddy_pages_at(&p.b, addr), 32);
    assert_int_equal(buddy_free_as(&p.b, addr, 32, BUDDY_UNTOUCHED), FL_OK);
    assert_memory_equal(before.clear_blocks, p.b.stats.clear_blocks, sizeof(before.clear_blocks));
    assert_int_equal(scattered(&p, 64, 64, &out, 1, &count), FL_OK); /* one block, of both */
    assert_int_equal(buddy_free(&p.b, out.addr, 64), FL_OK);
    assert_int_equal(p.b.stats.free_blocks[6], 1);
    close_clear(&p);
}

static void small_pairs_of_both_kinds_merge(void **state)
{
    struct pool p;

    (void)state;
    open_clear(&p, 0, 64, 3);
    make(&p, 0, 4, BUDDY_CLEAR); /* smaller than 8 pages: its buddy is dirty */
    assert_int_equal(p.b.stats.clear_pages, 0);
    assert_int_equal(p.b.stats.free_blocks[6], 1);
    make(&p, 8, 8, BUDDY_CLEAR);
    assert_int_equal(p.b.stats.clear_pages, 8);
    assert_int_equal(p.b.stats.free_blocks[3], 2);
    make(&p, 9, 1, BUDDY_DIRTY); /* one page of it */
    assert_int_equal(p.b.stats.clear_pages, 0);
    close_clear(&p);
}

static void nothing_is_clear_unless_tracked(void **state)
{
    struct pool p;

    (void)state;
    pool_open(&p, 0, 16);
    make(&p, 0, 8, BUDDY_CLEAR);
    assert_int_equal(p.b.stats.clear_pages, 0);
    assert_int_equal(p.b.stats.free_blocks[4], 1);
    pool_close(&p);
}

/* ---- situations of gpu_buddy's KUnit tests ---- */

/* All of a pool whose size is no power of two, one order below the other. */
static void every_order_down_to_a_page(void **state)
{
    struct pool p;
    uint64_t addr[8];

    (void)state;
    pool_open(&p, 0, 255);
    for (uint32_t i = 0; i < 8; i++) { /* optimistic: 128 + 64 + ... + 1 */
        addr[i] = alloc(&p, UINT64_C(128) >> i);
    }
    assert_int_equal(p.b.stats.free_pages, 0);
    assert_int_equal(alloc_err(&p, 1, 0, 0, 0), FL_ENOMEM);
    for (uint32_t i = 0; i < 8; i++) { /* pessimistic: what is freed is all that can be had */
        assert_int_equal(buddy_free(&p.b, addr[i], UINT64_C(128) >> i), FL_OK);
        assert_int_equal(alloc_err(&p, (UINT64_C(128) >> i) + 1, 0, 0, 0), FL_ENOMEM);
        addr[i] = alloc(&p, UINT64_C(128) >> i);
    }
    for (uint32_t i = 0; i < 8; i++) {
        assert_int_equal(buddy_free(&p.b, addr[i], UINT64_C(128) >> i), FL_OK);
    }
    pool_close(&p);
}

/* Pathological: each order is split, half of it held, so that nothing larger than a page is left.
 */
static void holes_that_cannot_merge(void **state)
{
    struct pool p;

    (void)state;
    pool_open(&p, 0, 1024);
    for (uint64_t i = 0; i < 1024; i++) {
        (void)alloc(&p, 1);
    }
    for (uint64_t i = 0; i < 1024; i += 2) {
        assert_int_equal(buddy_free(&p.b, i * PAGE, 1), FL_OK);
    }
    for (uint64_t pages = 2; pages <= 1024; pages *= 2) {
        assert_int_equal(alloc_err(&p, pages, 0, 0, 0), FL_ENOMEM);
    }
    struct buddy_request odd = {.pages = 1, .align = 8 * PAGE};
    uint64_t addr; /* offset-aligned: a page at a multiple of more */
    for (uint64_t i = 0; i < 1024 / 8; i++) {
        odd.align = i % 2 == 0 ? 16 * PAGE : 512 * PAGE;
        odd.max = 0;
        enum fl_err err = buddy_alloc(&p.b, &odd, &addr);
        if (err == FL_OK) {
            assert_true(is_aligned_u64(addr, odd.align));
        } else { /* all of that alignment are taken: 64 of 64 KiB, 2 of 2 MiB among them */
            assert_true(i >= 2);
        }
    }
    assert_int_equal(p.b.stats.free_pages, 512 - 64);
    for (uint64_t i = 0; i < 1024; i++) {
        bool held = i % 2 == 1 || i % 16 == 0;
        assert_int_equal(buddy_free(&p.b, i * PAGE, 1), held ? FL_OK : FL_EINVAL);
    }
    pool_close(&p);
}

/* More than the largest order: an answer, and a success where neighbours make it up. */
static void more_than_the_largest_order(void **state)
{
    struct pool p;

    (void)state;
    pool_open(&p, 0, 192); /* 128 and 64 */
    assert_int_equal(alloc_err(&p, 193, 0, 0, 0), FL_ENOMEM);
    uint64_t a = alloc(&p, 192);
    assert_int_equal(a, 0);
    assert_int_equal(buddy_free(&p.b, a, 192), FL_OK);
    a = alloc(&p, 129);
    assert_int_equal(buddy_free(&p.b, a, 129), FL_OK);
    pool_close(&p);
}

/* Requests within a bias window that moves over the pool: all of it can be had by windows. */
static void windows_one_by_one(void **state)
{
    struct pool p;

    (void)state;
    pool_open(&p, 0x40000000, 512);
    for (uint64_t i = 0; i < 16; i++) {
        struct buddy_request want = {.pages = 8, .min = p.base + i * 32 * PAGE};
        uint64_t addr;
        want.max = want.min + 32 * PAGE;
        for (int k = 0; k < 4; k++) {
            want.lowest = k % 2 == 0;
            assert_int_equal(buddy_alloc(&p.b, &want, &addr), FL_OK);
            assert_true(addr >= want.min && addr + 8 * PAGE <= want.max);
        }
        assert_int_equal(buddy_alloc(&p.b, &want, &addr), FL_ENOMEM);
    }
    assert_int_equal(p.b.stats.free_pages, 0);
    for (uint64_t i = 0; i < 512; i += 8) {
        assert_int_equal(buddy_free(&p.b, p.base + i * PAGE, 8), FL_OK);
    }
    pool_close(&p);
}

/* The same calls give the same addresses. */
static void deterministic(void **state)
{
    uint64_t seen[2][300];

    (void)state;
    for (int round = 0; round < 2; round++) {
        struct pool p;
        open_clear(&p, 0, 600, 2);
        random_state = 5;
        for (uint32_t i = 0; i < 300; i++) {
            struct buddy_request want = {.pages = 1 + next(6), .clear = next(2) == 0};
            seen[round][i] = UINT64_MAX;
            if (buddy_alloc(&p.b, &want, &seen[round][i]) == FL_OK && next(2) == 0) {
                assert_int_equal(buddy_free_as(&p.b, seen[round][i], want.pages,
                                               next(2) == 0 ? BUDDY_CLEAR : BUDDY_DIRTY),
                                 FL_OK);
            }
        }
        free(p.meta);
        free(clear_meta);
    }
    assert_memory_equal(seen[0], seen[1], sizeof(seen[0]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_lowest_address_when_asked, setup),
        cmocka_unit_test_setup(pieces_add_up_the_largest_first, setup),
        cmocka_unit_test_setup(a_short_one_is_undone_as_a_whole, setup),
        cmocka_unit_test_setup(scattered_fails_on_purpose, setup),
        cmocka_unit_test_setup(trim_keeps_a_part, setup),
        cmocka_unit_test_setup(trim_checks_its_arguments, setup),
        cmocka_unit_test_setup(clear_memory_goes_to_those_who_ask, setup),
        cmocka_unit_test_setup(both_kinds_make_a_run, setup),
        cmocka_unit_test_setup(small_pairs_of_both_kinds_merge, setup),
        cmocka_unit_test_setup(nothing_is_clear_unless_tracked, setup),
        cmocka_unit_test_setup(every_order_down_to_a_page, setup),
        cmocka_unit_test_setup(holes_that_cannot_merge, setup),
        cmocka_unit_test_setup(more_than_the_largest_order, setup),
        cmocka_unit_test_setup(windows_one_by_one, setup),
        cmocka_unit_test_setup(deterministic, setup),
    };
    return cmocka_run_group_tests_name("buddy_parts", tests, NULL, NULL);
}
