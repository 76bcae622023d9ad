/* SPDX-License-Identifier: MIT */
/*
 * The buddy allocator at random, against a plain table of who owns which page; and a large pool.
 */
#include "tests/unit/buddy_pool.h"

#define OWNERS_MAX 4096u

struct owned {
    uint64_t addr, pages;
};

struct world {
    struct pool p;
    uint16_t *owner; /* per page: 0 free, 1 hole, else index + 2 */
    struct owned live[OWNERS_MAX];
    uint32_t count;
};

/* Whether a run of pages exists that satisfies the request: by looking at every page. */
static bool model_can(const struct world *w, const struct buddy_request *want)
{
    uint64_t align = max_u64(want->align, PAGE);
    uint64_t max = want->max == 0 ? UINT64_MAX : want->max;
    uint64_t run = 0;

    for (uint64_t i = w->p.pages; i > 0; i--) { /* backwards: run counts the free pages from here */
        uint64_t addr = w->p.base + (i - 1) * PAGE;
        run = w->owner[i - 1] == 0 && addr + PAGE <= max && addr >= want->min ? run + 1 : 0;
        if (run >= want->pages && is_aligned_u64(addr, align)) {
            return true;
        }
    }
    return false;
}

/* Whether it must be found: all that exists for the alignments and sizes that are complete, else
 * what has room to spare (buddy_alloc). */
static bool model_must(const struct world *w, const struct buddy_request *want)
{
    struct buddy_request more = *want;
    uint64_t align = max_u64(want->align, PAGE);

    if (align == PAGE || align == KIB(64) || align == MIB(2) || align == want->pages * PAGE) {
        return model_can(w, want);
    }
    more.pages += align / PAGE - 1;
    more.align = 0;
    return model_can(w, &more);
}

static void model_take(struct world *w, uint64_t addr, uint64_t pages)
{
    uint64_t first = (addr - w->p.base) / PAGE;

    assert_true(range_ok(first, pages, w->p.pages));
    for (uint64_t i = first; i < first + pages; i++) {
        assert_int_equal(w->owner[i], 0); /* nobody's page is given out twice */
        w->owner[i] = (uint16_t)(w->count + 2);
    }
    w->live[w->count++] = (struct owned){addr, pages};
}

static void model_drop(struct world *w, uint32_t i)
{
    struct owned gone = w->live[i];
    uint64_t first = (gone.addr - w->p.base) / PAGE;

    assert_int_equal(buddy_free(&w->p.b, gone.addr, gone.pages), FL_OK);
    memset(&w->owner[first], 0, gone.pages * sizeof(*w->owner));
    w->live[i] = w->live[--w->count];
    if (i < w->count) {
        uint64_t moved = (w->live[i].addr - w->p.base) / PAGE;
        for (uint64_t k = 0; k < w->live[i].pages; k++) {
            w->owner[moved + k] = (uint16_t)(i + 2);
        }
    }
}

static void random_request(struct world *w)
{
    struct buddy_request want = {.pages = next(4) == 0 ? 1 + next(100) : 1 + next(5)};
    uint64_t size = w->p.pages * PAGE;
    uint64_t addr = 0;

    if (next(3) == 0) {
        want.align = (uint64_t)PAGE << next(next(2) == 0 ? 6 : 14);
    }
    if (next(3) == 0) {
        want.min = w->p.base + next(size);
    }
    if (next(3) == 0) {
        want.max = w->p.base + 1 + next(size);
    }
    enum fl_err err = buddy_alloc(&w->p.b, &want, &addr);
    if (err != FL_OK) {
        assert_int_equal(err, FL_ENOMEM);
        assert_false(model_must(w, &want));
    } else {
        assert_true(model_can(w, &want));
        assert_true(addr >= want.min && is_aligned_u64(addr, max_u64(want.align, PAGE)));
        assert_true(want.max == 0 || addr + want.pages * PAGE <= want.max);
        model_take(w, addr, want.pages);
    }
}

static void random_reserve(struct world *w)
{
    uint64_t first = next(w->p.pages);
    uint64_t pages = 1 + next(min_u64(20, w->p.pages - first));
    bool can = true;

    for (uint64_t i = first; i < first + pages; i++) {
        can = can && w->owner[i] == 0;
    }
    uint64_t addr = w->p.base + first * PAGE;
    assert_int_equal(buddy_reserve(&w->p.b, addr, pages * PAGE), can ? FL_OK : FL_EBUSY);
    if (can) {
        model_take(w, addr, pages);
    }
}

static void random_wrong_free(struct world *w)
{
    uint64_t addr = w->p.base + next(w->p.pages) * PAGE;
    uint64_t pages = 1 + next(8);
    uint16_t owner = w->owner[(addr - w->p.base) / PAGE];

    if (owner >= 2 && w->live[owner - 2].addr == addr && w->live[owner - 2].pages == pages) {
        return; /* right by chance */
    }
    assert_int_equal(buddy_free(&w->p.b, addr, pages), FL_EINVAL);
}

static void agrees_with_ownership(void **state)
{
    static struct world w;

    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        random_state = seed;
        w.count = 0;
        uint64_t pages = 1 + next(seed % 3 == 0 ? 40 : 1500);
        uint64_t base = next(5000) * PAGE;
        pool_open_empty(&w.p, base, pages);
        w.owner = calloc(pages, sizeof(*w.owner));
        assert_non_null(w.owner);
        for (uint64_t i = 0; i < pages;) { /* free ranges with holes between */
            uint64_t len = min_u64(1 + next(400), pages - i);
            assert_int_equal(buddy_add(&w.p.b, base + i * PAGE, len * PAGE), FL_OK);
            i += len;
            for (uint64_t hole = next(3); hole > 0 && i < pages; hole--) {
                w.owner[i++] = 1;
            }
        }
        struct buddy_stats before;
        buddy_get_stats(&w.p.b, &before);
        for (int step = 0; step < 2000; step++) {
            uint64_t what = next(100);
            bool full = w.count == OWNERS_MAX;
            uint64_t share = step / 500 % 2 == 0 ? 60 : 30; /* fill, then drain, twice */
            if (what < share && !full) {
                random_request(&w);
            } else if (what < share + 5 && !full) {
                random_reserve(&w);
            } else if (what < share + 10) {
                random_wrong_free(&w);
            } else if (w.count > 0) {
                model_drop(&w, (uint32_t)next(w.count));
            }
            if (step % 100 == 0) {
                assert_true(buddy_check(&w.p.b));
            }
        }
        while (w.count > 0) {
            model_drop(&w, (uint32_t)next(w.count));
        }
        struct buddy_stats after;
        buddy_get_stats(&w.p.b, &after);
        assert_memory_equal(before.free_blocks, after.free_blocks, sizeof(before.free_blocks));
        assert_int_equal(after.rounded_pages, 0);
        assert_int_equal(after.allocs, after.frees);
        free(w.owner);
        pool_close(&w.p);
    }
}

/* A large pool under fragmentation: 24 GiB of video memory in 4 KiB pages, every second one taken.
 * That a request for two neighbouring pages in vain ends quickly is what this would notice. */
static void large_pool_answers_quickly(void **state)
{
    struct pool p;
    const uint64_t pages = GIB(1) / PAGE;

    (void)state;
    pool_open(&p, GIB(24), pages);
    for (uint64_t i = 0; i < pages; i += 2) {
        assert_int_equal(buddy_reserve(&p.b, p.base + i * PAGE, PAGE), FL_OK);
    }
    for (int i = 0; i < 20000; i++) {
        assert_int_equal(alloc_err(&p, 1, 2 * PAGE, p.base + 5 * PAGE, p.base + 6 * PAGE),
                         FL_ENOMEM);
    }
    assert_int_equal(alloc_err(&p, 2, 0, 0, 0), FL_ENOMEM);
    assert_int_equal(buddy_largest_free(&p.b), 1);
    for (uint64_t i = 0; i < pages; i += 2) {
        assert_int_equal(buddy_free(&p.b, p.base + i * PAGE, 1), FL_OK);
    }
    assert_int_equal(buddy_largest_free(&p.b), pages);
    free(p.meta); /* buddy_check would look at each of 262144 pages at each level */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(agrees_with_ownership, setup),
        cmocka_unit_test_setup(large_pool_answers_quickly, setup),
    };
    return cmocka_run_group_tests_name("buddy_random", tests, NULL, NULL);
}
