/* SPDX-License-Identifier: MIT */
/* VA allocation: every rule by itself, then at random against a plain table of pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "mm/gpu/va.h"
#include "tests/unit/prng.h"

#define PAGE GPU_VA_GRAIN

static struct gpu_va_space space;
static struct gpu_va_node nodes[64];

static void fresh(uint64_t base, uint64_t size)
{
    memset(nodes, 0, sizeof(nodes));
    assert_int_equal(gpu_va_init(&space, (struct range){base, size}), FL_OK);
}

static int setup(void **state)
{
    (void)state;
    fresh(0, GIB(4));
    return 0;
}

static uint64_t got(struct gpu_va_request want, struct gpu_va_node *n)
{
    assert_int_equal(gpu_va_alloc(&space, &want, n), FL_OK);
    assert_true(gpu_va_check(&space));
    return n->va;
}

static void refused(struct gpu_va_request want, enum fl_err err)
{
    struct gpu_va_node n = {0};
    const uint64_t before = space.free_bytes;

    assert_int_equal(gpu_va_alloc(&space, &want, &n), err);
    assert_null(n.space);
    assert_int_equal(space.free_bytes, before);
    assert_true(gpu_va_check(&space));
}

static void reserve(uint64_t va, uint64_t len, struct gpu_va_node *n)
{
    assert_int_equal(gpu_va_reserve(&space, va, len, n), FL_OK);
    assert_true(gpu_va_check(&space));
}

static void senseless_spaces(void **state)
{
    (void)state;
    assert_int_equal(gpu_va_init(&space, (struct range){0, 0}), FL_EINVAL);
    assert_int_equal(gpu_va_init(&space, (struct range){1, PAGE}), FL_EINVAL);
    assert_int_equal(gpu_va_init(&space, (struct range){0, PAGE + 1}), FL_EINVAL);
    assert_int_equal(gpu_va_init(&space, (struct range){UINT64_C(1) << 63, PAGE}), FL_EINVAL);
    assert_int_equal(gpu_va_init(&space, (struct range){PAGE, UINT64_C(1) << 63}), FL_EINVAL);
    assert_int_equal(gpu_va_init(&space, (struct range){0, UINT64_C(1) << 63}), FL_OK);
}

static void senseless_requests(void **state)
{
    (void)state;
    refused((struct gpu_va_request){.len = 0}, FL_EINVAL);
    refused((struct gpu_va_request){.len = PAGE + 1}, FL_EINVAL);
    refused((struct gpu_va_request){.len = PAGE, .guard = 1}, FL_EINVAL);
    refused((struct gpu_va_request){.len = PAGE, .align = 512}, FL_EINVAL);
    refused((struct gpu_va_request){.len = PAGE, .align = PAGE * 3}, FL_EINVAL);
    refused((struct gpu_va_request){.len = PAGE, .align = GIB(1)}, FL_EINVAL);
    refused((struct gpu_va_request){.len = PAGE, .prefer = PAGE + 1}, FL_EINVAL);
    refused((struct gpu_va_request){.len = UINT64_MAX - PAGE + 1}, FL_EINVAL);
    refused((struct gpu_va_request){.len = PAGE, .guard = UINT64_MAX - PAGE + 1}, FL_EINVAL);
    refused((struct gpu_va_request){.len = GIB(8)}, FL_ENOSPC);
    refused((struct gpu_va_request){.len = PAGE, .min = GIB(4)}, FL_ENOSPC);
    refused((struct gpu_va_request){.len = PAGE, .min = UINT64_MAX}, FL_ENOSPC);
    refused((struct gpu_va_request){.len = PAGE, .min = MIB(2), .max = MIB(1)}, FL_ENOSPC);
    refused((struct gpu_va_request){.len = MIB(2), .min = PAGE, .max = MIB(2)}, FL_ENOSPC);
}

static void lowest_and_highest(void **state)
{
    (void)state;
    fresh(MIB(1), GIB(1));
    assert_int_equal(got((struct gpu_va_request){.len = PAGE}, &nodes[0]), MIB(1));
    assert_int_equal(got((struct gpu_va_request){.len = PAGE}, &nodes[1]), MIB(1) + PAGE);
    assert_int_equal(got((struct gpu_va_request){.len = PAGE, .top_down = true}, &nodes[2]),
                     MIB(1) + GIB(1) - PAGE);
    assert_int_equal(got((struct gpu_va_request){.len = KIB(64), .top_down = true}, &nodes[3]),
                     MIB(1) + GIB(1) - PAGE - KIB(64));
    assert_int_equal(
        got((struct gpu_va_request){.len = PAGE, .align = MIB(512), .top_down = true}, &nodes[4]),
        GIB(1));
    assert_int_equal(gpu_va_count(&space), 5);
    assert_int_equal(space.free_bytes, GIB(1) - 4 * PAGE - KIB(64));
    assert_int_equal(gpu_va_free(&space, &nodes[0]), FL_OK);
    assert_int_equal(got((struct gpu_va_request){.len = PAGE}, &nodes[5]), MIB(1));
}

static void limits(void **state)
{
    (void)state;
    assert_int_equal(got((struct gpu_va_request){.len = PAGE, .min = GIB(1)}, &nodes[0]), GIB(1));
    assert_int_equal(got((struct gpu_va_request){.len = PAGE, .min = GIB(1) - 1}, &nodes[1]),
                     GIB(1) + PAGE);
    assert_int_equal(
        got((struct gpu_va_request){.len = PAGE, .max = GIB(2) + 1, .top_down = true}, &nodes[2]),
        GIB(2) - PAGE);
    assert_int_equal(
        got((struct gpu_va_request){.len = PAGE, .min = GIB(3), .max = GIB(3) + PAGE}, &nodes[3]),
        GIB(3));
    refused((struct gpu_va_request){.len = PAGE, .min = GIB(3), .max = GIB(3) + PAGE}, FL_ENOSPC);
}

/* Large enough, in the wrong place: the next one must be tried. Classes and between them. */
static void every_alignment_finds_the_only_gap(void **state)
{
    (void)state;
    for (uint64_t align = PAGE; align <= GPU_VA_ALIGN_MAX; align *= 2) {
        for (uint32_t top = 0; top < 2; top++) {
            fresh(0, GIB(32));
            /* Gaps: two that are longer than the request and lie badly (where the alignment
             * leaves any room for that), one that fits to the byte, one more of these. */
            const uint64_t bad = align > PAGE ? 2 * align - 2 * PAGE : PAGE;
            struct gpu_va_request want = {.len = align, .align = align, .top_down = top != 0};
            want.len = align > PAGE ? align : 2 * PAGE;
            const uint64_t fit = 8 * want.len;
            reserve(0, PAGE, &nodes[0]);
            reserve(PAGE + bad, fit - bad - PAGE, &nodes[1]);
            reserve(fit + want.len, want.len * 3 + PAGE, &nodes[2]);
            reserve(fit + want.len * 4 + PAGE + bad, want.len * 4 - bad - PAGE, &nodes[3]);
            reserve(fit + want.len * 9, GIB(32) - fit - want.len * 9, &nodes[4]);
            assert_int_equal(got(want, &nodes[5]), top != 0 ? fit + want.len * 8 : fit);
            assert_int_equal(got(want, &nodes[6]), top != 0 ? fit : fit + want.len * 8);
            refused(want, FL_ENOSPC);
        }
    }
}

static void large_pages_are_preferred(void **state)
{
    (void)state;
    reserve(0, PAGE, &nodes[0]);
    assert_int_equal(got((struct gpu_va_request){.len = MIB(2), .prefer = MIB(2)}, &nodes[1]),
                     MIB(2));
    assert_int_equal(
        got((struct gpu_va_request){.len = MIB(2) - PAGE, .prefer = MIB(2)}, &nodes[2]), PAGE);
    /* Where nothing lies well: anywhere. */
    const struct gpu_va_request odd = {
        .len = MIB(2), .prefer = MIB(2), .min = MIB(8) + PAGE, .max = MIB(12) - PAGE};
    assert_int_equal(got(odd, &nodes[3]), MIB(8) + PAGE);
}

static void guards(void **state)
{
    (void)state;
    fresh(0, 16 * PAGE);
    const struct gpu_va_request want = {.len = 2 * PAGE, .guard = PAGE};
    assert_int_equal(got(want, &nodes[0]), PAGE);
    assert_int_equal(space.free_bytes, 12 * PAGE);
    assert_int_equal(got((struct gpu_va_request){.len = PAGE}, &nodes[1]), 4 * PAGE);
    assert_null(gpu_va_find(&space, 0));
    assert_null(gpu_va_find(&space, 3 * PAGE));
    assert_ptr_equal(gpu_va_find(&space, 3 * PAGE - 1), &nodes[0]);
    assert_int_equal(gpu_va_reserve(&space, 3 * PAGE, PAGE, &nodes[2]), FL_EBUSY);
    assert_int_equal(gpu_va_reserve(&space, 0, PAGE, &nodes[2]), FL_EBUSY);
    const struct gpu_va_request aligned = {.len = PAGE, .guard = PAGE, .align = 2 * PAGE};
    assert_int_equal(got(aligned, &nodes[2]), 6 * PAGE); /* 4 is taken; guard at 5 */
    refused((struct gpu_va_request){.len = 7 * PAGE, .guard = PAGE}, FL_ENOSPC);
    const struct gpu_va_request top = {.len = 6 * PAGE, .guard = PAGE, .top_down = true};
    assert_int_equal(got(top, &nodes[3]), 9 * PAGE); /* guards at 8 and 15: all is taken */
    assert_int_equal(space.free_bytes, 0);
    assert_int_equal(gpu_va_largest_gap(&space), 0);
}

static void fixed_places(void **state)
{
    (void)state;
    reserve(MIB(2), MIB(2), &nodes[0]);
    assert_int_equal(gpu_va_reserve(&space, MIB(2) - PAGE, 2 * PAGE, &nodes[1]), FL_EBUSY);
    assert_int_equal(gpu_va_reserve(&space, MIB(4) - PAGE, PAGE, &nodes[1]), FL_EBUSY);
    assert_int_equal(gpu_va_reserve(&space, 0, GIB(4), &nodes[1]), FL_EBUSY);
    assert_int_equal(gpu_va_reserve(&space, GIB(4), PAGE, &nodes[1]), FL_EINVAL);
    assert_int_equal(gpu_va_reserve(&space, 0, GIB(4) + PAGE, &nodes[1]), FL_EINVAL);
    assert_int_equal(gpu_va_reserve(&space, 0, 0, &nodes[1]), FL_EINVAL);
    assert_int_equal(gpu_va_reserve(&space, 1, PAGE, &nodes[1]), FL_EINVAL);
    assert_int_equal(gpu_va_reserve(&space, 0, UINT64_MAX - PAGE + 1, &nodes[1]), FL_EINVAL);
    assert_true(gpu_va_check(&space));
    assert_int_equal(space.free_bytes, GIB(4) - MIB(2));
    reserve(MIB(4), PAGE, &nodes[1]);
    reserve(MIB(2) - PAGE, PAGE, &nodes[2]);
    assert_int_equal(gpu_va_reserve(&space, 0, PAGE, &nodes[2]), FL_EBUSY); /* has a place */
    assert_int_equal(gpu_va_alloc(&space, &(struct gpu_va_request){.len = PAGE}, &nodes[2]),
                     FL_EBUSY);
    assert_ptr_equal(gpu_va_first(&space), &nodes[2]);
    assert_ptr_equal(gpu_va_next(&nodes[2]), &nodes[0]);
    assert_ptr_equal(gpu_va_next(&nodes[1]), NULL);
}

static void wrong_frees(void **state)
{
    struct gpu_va_space other;

    (void)state;
    assert_int_equal(gpu_va_init(&other, (struct range){0, PAGE}), FL_OK);
    assert_null(gpu_va_first(&space));
    assert_int_equal(gpu_va_free(&space, &nodes[0]), FL_EINVAL);
    reserve(0, PAGE, &nodes[0]);
    assert_int_equal(gpu_va_free(&other, &nodes[0]), FL_EINVAL);
    assert_int_equal(gpu_va_free(&space, &space.tail), FL_EINVAL);
    assert_int_equal(gpu_va_free(&space, &nodes[0]), FL_OK);
    assert_int_equal(gpu_va_free(&space, &nodes[0]), FL_EINVAL);
    assert_int_equal(space.free_bytes, GIB(4));
    assert_int_equal(gpu_va_largest_gap(&space), GIB(4));
}

/* gpu_va_check sees what it is for. */
static void check_notices(void **state)
{
    (void)state;
    reserve(MIB(2), MIB(2), &nodes[0]);
    reserve(MIB(8), MIB(2), &nodes[1]);
    nodes[1].gap -= PAGE;
    assert_false(gpu_va_check(&space));
    nodes[1].gap += PAGE;
    space.free_bytes++;
    assert_false(gpu_va_check(&space));
    space.free_bytes--;
    nodes[0].best[3]++;
    assert_false(gpu_va_check(&space));
    nodes[0].best[3]--;
    nodes[0].node.height++;
    assert_false(gpu_va_check(&space));
    nodes[0].node.height--;
    nodes[1].space = NULL;
    assert_false(gpu_va_check(&space));
    nodes[1].space = &space;
    assert_true(gpu_va_check(&space));
}

/* The figures of the subtrees, by hand. */
static void room_by_alignment(void **state)
{
    (void)state;
    fresh(PAGE, GIB(1));
    reserve(MIB(3), GIB(1) + PAGE - MIB(3), &nodes[0]);
    assert_int_equal(gpu_va_largest_gap(&space), MIB(3) - PAGE);
    assert_int_equal(nodes[0].best[1], MIB(3) - KIB(64));
    assert_int_equal(nodes[0].best[2], MIB(1));
    assert_int_equal(nodes[0].best[3], 0);
}

/* ---- at random ---- */

#define PAGES 2048u

static uint8_t taken[PAGES];
static struct gpu_va_node many[PAGES];

/* Where the request goes, by looking at every place; PAGES: nowhere. */
static uint32_t oracle(const struct gpu_va_request *w)
{
    const uint64_t max = w->max == 0 ? UINT64_MAX : w->max;
    const uint32_t len = (uint32_t)(w->len / PAGE);
    const uint32_t guard = (uint32_t)(w->guard / PAGE);
    uint32_t found = PAGES;

    for (uint32_t at = guard; at + len + guard <= PAGES; at++) {
        bool free = true;
        if (at * PAGE < w->min || (at + len) * PAGE > max || !is_aligned_u64(at * PAGE, w->align)) {
            continue;
        }
        for (uint32_t i = at - guard; i < at + len + guard && free; i++) {
            free = taken[i] == 0;
        }
        if (free) {
            found = at;
            if (!w->top_down) {
                break;
            }
        }
    }
    return found;
}

static void mark(const struct gpu_va_node *n, uint8_t what)
{
    for (uint64_t i = (n->va - n->guard) / PAGE; i < (n->va + n->len + n->guard) / PAGE; i++) {
        assert_int_not_equal(taken[i], what);
        taken[i] = what;
    }
}

static struct gpu_va_request random_request(uint32_t round)
{
    struct gpu_va_request w = {.len = PAGE * (1 + prng_below(prng_below(4) == 0 ? 200 : 6)),
                               .align = PAGE << prng_below(9),
                               .top_down = prng_below(2) == 0};

    if (prng_below(3) == 0) {
        w.guard = PAGE * prng_below(4);
    }
    if (prng_below(3) == 0) {
        w.min = prng_below(PAGES) * PAGE + prng_below(2) * 7;
    }
    if (prng_below(3) == 0) {
        w.max = w.min + prng_below(PAGES) * PAGE + round % 2 + 1;
    }
    return w;
}

static void at_random(void **state)
{
    uint32_t failures = 0;

    (void)state;
    prng_seed(7);
    fresh(0, PAGES * PAGE);
    memset(many, 0, sizeof(many));
    memset(taken, 0, sizeof(taken));
    for (uint32_t round = 0; round < 30000; round++) {
        struct gpu_va_node *n = &many[prng_below(round % 3000 < 1500 ? 200 : PAGES)];
        if (n->space != NULL) {
            mark(n, 0);
            assert_int_equal(gpu_va_free(&space, n), FL_OK);
        } else {
            const struct gpu_va_request w = random_request(round);
            const uint32_t want = oracle(&w);
            const enum fl_err err = gpu_va_alloc(&space, &w, n);
            assert_int_equal(err, want == PAGES ? FL_ENOSPC : FL_OK);
            failures += err != FL_OK;
            if (err == FL_OK) {
                assert_int_equal(n->va, want * PAGE);
                mark(n, 1);
            }
        }
        if (round % 64 == 0) {
            assert_true(gpu_va_check(&space));
        }
    }
    assert_in_range(failures, 1000, 20000); /* it was full often enough */
    for (uint32_t i = 0; i < PAGES; i++) {
        if (many[i].space != NULL) {
            assert_int_equal(gpu_va_free(&space, &many[i]), FL_OK);
        }
    }
    assert_true(gpu_va_check(&space));
    assert_int_equal(gpu_va_largest_gap(&space), PAGES * PAGE);
    assert_int_equal(gpu_va_count(&space), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(senseless_spaces, setup),
        cmocka_unit_test_setup(senseless_requests, setup),
        cmocka_unit_test_setup(lowest_and_highest, setup),
        cmocka_unit_test_setup(limits, setup),
        cmocka_unit_test_setup(every_alignment_finds_the_only_gap, setup),
        cmocka_unit_test_setup(large_pages_are_preferred, setup),
        cmocka_unit_test_setup(guards, setup),
        cmocka_unit_test_setup(fixed_places, setup),
        cmocka_unit_test_setup(wrong_frees, setup),
        cmocka_unit_test_setup(check_notices, setup),
        cmocka_unit_test_setup(room_by_alignment, setup),
        cmocka_unit_test_setup(at_random, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
