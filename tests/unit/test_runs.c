/* SPDX-License-Identifier: MIT */
/* The tree of free runs against a plain array of pages, driven as a buddy allocator drives it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mm/runs.h"

static uint64_t random_state;

static uint64_t next(uint64_t bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (random_state >> 20) % bound;
}

struct world {
    struct runs r;
    uint64_t pages;
    void *memory;  /* exactly as large as asked for: ASan watches the edges */
    bool *is_free; /* per page */
    uint8_t *told; /* per page: order of the block that the tree was told of */
};

static void world_open(struct world *w, uint64_t pages)
{
    w->pages = pages;
    w->memory = malloc(runs_bytes(pages));
    w->is_free = calloc(pages, sizeof(*w->is_free));
    w->told = calloc(pages, sizeof(*w->told));
    assert_non_null(w->memory);
    assert_non_null(w->is_free);
    assert_non_null(w->told);
    memset(w->memory, 0xff, runs_bytes(pages));
    runs_init(&w->r, pages, w->memory);
}

static void world_close(struct world *w)
{
    assert_true(runs_check(&w->r));
    for (uint64_t i = 0; i < w->pages; i++) {
        assert_int_equal(runs_has(&w->r, i), w->is_free[i]);
    }
    free(w->memory);
    free(w->is_free);
    free(w->told);
}

/* One block changes: the pieces that its block is cut into keep their state, and are blocks now. */
static void tell(struct world *w, uint64_t page, uint32_t order, bool is_free)
{
    uint32_t within = w->told[page] > order ? w->told[page] : order;
    uint64_t start = page >> within << within;

    runs_set(&w->r, page, order, within, is_free);
    for (uint64_t i = start; i < start + (UINT64_C(1) << within); i++) {
        uint64_t apart = (i ^ page) >> order;
        w->told[i] = (uint8_t)(apart == 0 ? order : order + 63 - (uint32_t)__builtin_clzll(apart));
    }
    memset(w->is_free + page, is_free, UINT64_C(1) << order);
}

/* As the header says it: all that there are, or those with room to spare. */
static bool model_find(const struct world *w, const struct runs_query *q, uint64_t pages,
                       uint32_t align_order, uint64_t *place)
{
    uint64_t run = 0;
    bool found = false;

    for (uint64_t i = q->max; i > q->min; i--) {
        run = w->is_free[i - 1] ? run + 1 : 0;
        if (run >= pages && is_aligned_u64(i - 1, UINT64_C(1) << align_order)) {
            *place = i - 1;
            found = true;
            if (!q->lowest) {
                break;
            }
        }
    }
    return found;
}

static void ask(struct world *w, const struct runs_query *q)
{
    uint64_t place = 0;
    uint64_t expected = 0;
    uint64_t spare = (UINT64_C(1) << q->align_order) - 1;
    bool can = model_find(w, q, q->pages, q->align_order, &expected);
    bool found = runs_find(&w->r, q, &place);
    bool exact = q->align_order == 0 || q->align_order == 4 || q->align_order == 9;

    if (exact) {
        assert_int_equal(found, can);
    } else if (!found) {
        assert_false(can && q->pages == spare + 1);
        assert_false(model_find(w, q, q->pages + spare, 0, &expected));
    }
    if (found && exact) {
        assert_int_equal(place, expected); /* the lowest or the highest there is */
    } else if (found) {
        assert_true(is_aligned_u64(place, spare + 1) && place >= q->min);
        assert_true(range_ok(place, q->pages, q->max));
        for (uint64_t i = place; i < place + q->pages; i++) {
            assert_true(w->is_free[i]);
        }
    }
}

static void random_change(struct world *w, uint32_t order_max)
{
    uint32_t order = (uint32_t)next(order_max + 1);
    uint64_t page = next(w->pages) >> order << order;
    uint64_t pages = UINT64_C(1) << order;

    if (!range_ok(page, pages, w->pages)) {
        return;
    }
    for (uint64_t i = page; i < page + pages; i++) {
        if (w->told[i] < order && w->is_free[i] != w->is_free[page]) {
            order = w->told[page]; /* not of one state: change a block of it */
            page = page >> order << order;
            pages = UINT64_C(1) << order;
            break;
        }
    }
    bool state = !w->is_free[page];
    /* What becomes free may merge with free neighbours, and is told of as one. */
    while (state && order < order_max && range_ok((page >> order ^ 1) << order, pages, w->pages)) {
        uint64_t other = (page >> order ^ 1) << order;
        bool all = true;
        for (uint64_t i = other; i < other + pages; i++) {
            all = all && w->is_free[i];
        }
        if (!all) {
            break;
        }
        page = page & ~pages;
        pages *= 2;
        order++;
    }
    tell(w, page, order, state);
}

static void agrees_with_a_plain_array(void **state)
{
    static const uint64_t sizes[] = {1,   2,   63,   64,   65,   127,  128,  129,  511,
                                     512, 513, 1024, 1025, 3000, 4096, 4097, 9000, 20000};
    (void)state;
    random_state = 3;
    for (size_t n = 0; n < ARRAY_SIZE(sizes); n++) {
        struct world w;
        world_open(&w, sizes[n]);
        const uint32_t order_max = 63 - (uint32_t)__builtin_clzll(sizes[n]);
        for (uint32_t step = 0; step < 4000; step++) {
            /* In turns: whole large blocks, and crumbs. */
            random_change(&w, step / 500 % 2 == 0 || order_max < 2 ? order_max : 2);
            struct runs_query q = {.pages = 1 + next(next(2) == 0 ? 6 : sizes[n] / 2 + 1),
                                   .align_order = (uint32_t)next(12),
                                   .max = sizes[n],
                                   .lowest = next(2) == 0};
            if (next(3) == 0) { /* the alignments that are complete */
                q.align_order = (const uint32_t[]){0, 4, 9}[next(3)];
            }
            if (next(5) == 0) {
                q.pages = UINT64_C(1) << q.align_order;
            }
            if (next(2) == 0) {
                q.min = next(sizes[n]);
                q.max = q.min + next(sizes[n] - q.min + 1);
            }
            if (step % 4 == 0) {
                ask(&w, &q);
            }
        }
        world_close(&w);
    }
}

/* Neighbours that were told of one by one make an aligned block all the same. */
static void blocks_of_several(void **state)
{
    struct world w;
    uint64_t place = 0;

    (void)state;
    world_open(&w, 4096);
    for (uint64_t i = 1024; i < 2048; i += 128) {
        tell(&w, i, 7, true);
    }
    for (uint32_t order = 8; order <= 10; order++) {
        struct runs_query q = {
            .pages = UINT64_C(1) << order, .align_order = order, .max = 4096, .lowest = true};
        assert_true(runs_find(&w.r, &q, &place));
        assert_int_equal(place, 1024);
        q.align_order = 11;
        q.pages = 1025;
        assert_false(runs_find(&w.r, &q, &place));
    }
    world_close(&w);
}

/* What lies below a block says what was there before; a window that ends inside is not misled. */
static void windows_that_end_in_a_block(void **state)
{
    struct world w;
    uint64_t place = 0;

    (void)state;
    for (uint32_t lowest = 0; lowest <= 1; lowest++) {
        world_open(&w, 4096);
        for (uint64_t i = 1025; i < 2048; i += 2) {
            tell(&w, i, 0, true);
        }
        tell(&w, 1024, 10, true);
        struct runs_query q = {.pages = 600, .lowest = lowest == 1};
        q.min = lowest == 1 ? 1000 : 1400;
        q.max = lowest == 1 ? 1700 : 2100;
        assert_true(runs_find(&w.r, &q, &place));
        assert_int_equal(place, lowest == 1 ? 1024 : 2048 - 600);
        world_close(&w);
    }
}

/* A block is cut and whole again before anything was recomputed. */
static void cut_and_mended(void **state)
{
    struct world w;

    (void)state;
    world_open(&w, 4096);
    tell(&w, 0, 12, true);
    assert_int_equal(runs_longest(&w.r), 4096);
    tell(&w, 5, 0, false);
    tell(&w, 5, 0, true);
    assert_int_equal(runs_longest(&w.r), 4096);
    world_close(&w);
}

/* Every second page, block of 64 KiB and so on: neither a change nor a question costs more steps
 * than there are levels, thrice. */
static void steps_are_bounded(void **state)
{
    const uint64_t pages = UINT64_C(1) << 20;
    (void)state;
    for (uint32_t order = 0; order <= 9; order += 3) {
        struct world w;
        world_open(&w, pages);
        tell(&w, 0, 20, true);
        for (uint64_t i = 0; i < pages; i += UINT64_C(2) << order) {
            uint64_t before = w.r.steps;
            runs_set(&w.r, i, order, w.told[i], false);
            memset(w.told + i, (int)order, UINT64_C(1) << order);
            for (uint32_t o = order; o < 20 && is_aligned_u64(i, UINT64_C(2) << o); o++) {
                w.told[i + (UINT64_C(1) << o)] = (uint8_t)o;
            }
            assert_in_range(w.r.steps - before, 0, w.r.levels);
            memset(w.is_free + i, 0, UINT64_C(1) << order);
        }
        assert_int_equal(runs_longest(&w.r), UINT64_C(1) << order);
        for (uint32_t align = 0; align < 20; align++) {
            struct runs_query q = {.pages = (UINT64_C(1) << order) + 1,
                                   .align_order = align,
                                   .min = 1,
                                   .max = pages - 1};
            uint64_t place;
            uint64_t before = w.r.steps;
            assert_false(runs_find(&w.r, &q, &place));
            q.pages--; /* exists, but not at every alignment */
            assert_int_equal(runs_find(&w.r, &q, &place), align <= order);
            q.min = 3; /* an odd window */
            q.max = pages - 5;
            q.lowest = true;
            (void)runs_find(&w.r, &q, &place);
            assert_in_range(w.r.steps - before, 0, 3 * 3 * 3 * w.r.levels);
        }
        world_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_a_plain_array),   cmocka_unit_test(blocks_of_several),
        cmocka_unit_test(windows_that_end_in_a_block), cmocka_unit_test(cut_and_mended),
        cmocka_unit_test(steps_are_bounded),
    };
    return cmocka_run_group_tests_name("runs", tests, NULL, NULL);
}
