/* SPDX-License-Identifier: MIT */
/*
 * buddy_check() on pools that were broken on purpose, one thing at a time: a checker that finds
 * nothing proves nothing. And edges of the plan that other tests do not reach.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/host/host.h"
#include "mm/buddy.h"

enum { SHIFT = 12, PAGE = 1 << SHIFT, PAGES = 16 };
enum { FIRST = 0x40, LAST = 0x80, ORDER_0 = 31 }; /* of a head: mm/buddy_priv.h */

static struct buddy b;
static uint64_t meta[128];

/* Pages 0-3 are one allocation, 4-7 a free block of order 2, 8-15 one of order 3. */
static int setup(void **state)
{
    (void)state;
    host_reset();
    assert_true(buddy_meta_bytes(0, PAGES * PAGE, SHIFT) <= sizeof(meta));
    assert_int_equal(buddy_init(&b, "test", 0, PAGES * PAGE, SHIFT, meta, sizeof(meta)), FL_OK);
    assert_int_equal(buddy_add(&b, 0, PAGES * PAGE), FL_OK);
    assert_int_equal(buddy_reserve(&b, 0, 4 * PAGE), FL_OK);
    assert_true(buddy_check(&b));
    return 0;
}

static void set_free(uint64_t page, uint32_t order)
{
    bitset_add(&b.free[order], page >> order);
    b.stats.free_blocks[order]++;
    b.free_orders |= UINT32_C(1) << order;
    runs_set(&b.runs, page, order, order, true);
}

static void set_taken(uint64_t page, uint32_t order)
{
    bitset_remove(&b.free[order], page >> order);
    if (--b.stats.free_blocks[order] == 0) {
        b.free_orders &= ~(UINT32_C(1) << order);
    }
    runs_set(&b.runs, page, order, order, false);
}

static void blocks_that_overlap(void **state)
{
    (void)state;
    set_free(5, 0); /* inside 4-7 */
    assert_false(buddy_check(&b));
    b.stats.free_pages++;
    b.stats.total_pages++;
    assert_false(buddy_check(&b));
}

static void buddies_that_were_not_merged(void **state)
{
    (void)state;
    set_taken(4, 2);
    set_free(4, 1);
    set_free(6, 1);
    assert_false(buddy_check(&b));
    set_taken(4, 1);
    set_taken(6, 1);
    set_free(4, 2);
    assert_true(buddy_check(&b));
}

static void heads_in_free_memory(void **state)
{
    (void)state;
    b.heads[4] = FIRST | LAST | ORDER_0;
    assert_false(buddy_check(&b));
    b.heads[4] = 0;
    b.heads[7] = LAST | ORDER_0;
    assert_false(buddy_check(&b));
    b.heads[7] = 0;
    assert_true(buddy_check(&b));
}

static void an_allocation_at_an_odd_place(void **state)
{
    (void)state;
    set_taken(4, 2);
    b.heads[0] = FIRST | ORDER_0;
    b.heads[1] = ORDER_0 - 1; /* two pages at page 1 */
    b.heads[3] = ORDER_0;
    b.heads[4] = LAST | (ORDER_0 - 2);
    b.stats.free_pages -= 4;
    assert_false(buddy_check(&b));
    b.heads[1] = b.heads[2] = ORDER_0;
    assert_true(buddy_check(&b));
}

static void counts_that_are_off(void **state)
{
    (void)state;
    b.stats.free_pages--;
    assert_false(buddy_check(&b));
    b.stats.free_pages++;
    b.stats.total_pages++;
    assert_false(buddy_check(&b));
    b.stats.total_pages--;
    b.stats.free_blocks[3]++;
    assert_false(buddy_check(&b));
    b.stats.free_blocks[3]--;
    b.free_orders |= UINT32_C(1) << 5;
    assert_false(buddy_check(&b));
    b.free_orders &= ~(UINT32_C(1) << 5);
    b.stats.free_blocks[BUDDY_ORDERS - 1]++;
    assert_false(buddy_check(&b));
    b.stats.free_blocks[BUDDY_ORDERS - 1]--;
    assert_true(buddy_check(&b));
}

/* A free block that begins below the pool's first page, or ends behind its last. */
static void blocks_that_stick_out(void **state)
{
    (void)state;
    memset(meta, 0, sizeof(meta));
    assert_int_equal(buddy_init(&b, "test", 3 * PAGE, 10 * PAGE, SHIFT, meta, sizeof(meta)), FL_OK);
    const uint64_t first = b.first, end = b.first + b.pages;
    assert_int_equal(buddy_add(&b, 4 * PAGE, 4 * PAGE), FL_OK);
    assert_true(buddy_check(&b));
    set_free(first - 1, 0);
    b.stats.free_pages++;
    b.stats.total_pages++;
    assert_false(buddy_check(&b));
    set_taken(first - 1, 0);
    const uint64_t last = end - 1; /* of the pool: even, so that a block of order 1 begins there */
    assert_int_equal(last % 2, 0);
    set_free(last, 1);
    b.stats.free_pages++;
    b.stats.total_pages++;
    assert_false(buddy_check(&b));
}

/* The tail of an allocation is no memory that could be added, at whatever place it begins. */
static void memory_in_use_is_not_added(void **state)
{
    (void)state;
    for (uint64_t page = 0; page < 4; page++) {
        for (uint64_t pages = 1; pages <= 4 - page; pages++) {
            assert_int_equal(buddy_add(&b, page * PAGE, pages * PAGE), FL_EINVAL);
        }
    }
    assert_true(buddy_check(&b));
}

/* The largest pool has 2^31 pages, and blocks of order 31 at most. */
static void the_largest_order(void **state)
{
    (void)state;
    const uint64_t pages = UINT64_C(1) << (BUDDY_ORDERS - 1);
    uint64_t bytes = pages + runs_bytes(pages); /* the heads, the runs */
    for (uint32_t order = 0; order < BUDDY_ORDERS; order++) {
        bytes += bitset_words(pages >> order) * sizeof(uint64_t);
    }
    assert_true(buddy_meta_bytes(0, pages << SHIFT, SHIFT) == bytes);
    assert_int_equal(buddy_meta_bytes(0, (pages + 1) << SHIFT, SHIFT), 0);
    /* Page numbers begin at a multiple of the largest block, not of what would be the next. */
    assert_true(buddy_meta_bytes(pages << SHIFT, pages << SHIFT, SHIFT) == bytes);
    assert_int_not_equal(buddy_meta_bytes(0, UINT64_C(1) << 33, 30), 0);
    for (unsigned shift = 31; shift < 70; shift++) { /* pages of 2 GiB and more */
        assert_int_equal(buddy_meta_bytes(0, UINT64_C(1) << 63, shift), 0);
    }
}

/* The tree of runs says otherwise than the blocks. */
static void runs_that_are_off(void **state)
{
    (void)state;
    runs_set(&b.runs, 5, 0, 2, false);
    assert_false(buddy_check(&b));
    runs_set(&b.runs, 5, 0, 0, true);
    assert_true(buddy_check(&b));
    runs_set(&b.runs, 1, 0, 2, true);
    assert_false(buddy_check(&b));
    runs_set(&b.runs, 1, 0, 0, false);
    assert_true(buddy_check(&b));
    b.runs.group[0].leaf[0].sums ^= 1; /* its prefix */
    assert_false(buddy_check(&b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(blocks_that_overlap, setup),
        cmocka_unit_test_setup(buddies_that_were_not_merged, setup),
        cmocka_unit_test_setup(heads_in_free_memory, setup),
        cmocka_unit_test_setup(an_allocation_at_an_odd_place, setup),
        cmocka_unit_test_setup(counts_that_are_off, setup),
        cmocka_unit_test_setup(blocks_that_stick_out, setup),
        cmocka_unit_test_setup(memory_in_use_is_not_added, setup),
        cmocka_unit_test_setup(the_largest_order, setup),
        cmocka_unit_test_setup(runs_that_are_off, setup),
    };
    return cmocka_run_group_tests_name("buddy check", tests, NULL, NULL);
}
