/* SPDX-License-Identifier: MIT */
/*
 * Zones and their allocators at random, against plain ownership and contents of each page. In two
 * regimes: crumbs in memory that is nearly full, and pieces of all sizes in half of it. Twice
 * 50,000 operations; FL_LONG=10000000 in the environment makes it that many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/host/host.h"
#include "mm/zones.h"

#define PAGE       FL_PAGE_SIZE
#define PAGES      3000u
#define LIVE_MAX   4000u
#define STEPS      50000u
#define EXTENTS    24u
#define CHECK_STEP 1000u

static uint64_t random_state;

static uint64_t next(uint64_t bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (random_state >> 20) % bound;
}

struct owned {
    uint64_t page, pages;
};

static struct world {
    struct zones z;
    uint8_t zone[PAGES];
    uint16_t owner[PAGES]; /* 0: free or never handed out; else index + 1 in live */
    bool zero[PAGES];      /* what a free page holds, were anybody to look */
    struct owned live[LIVE_MAX];
    uint32_t count;
    uint64_t used[ZONES_BUDDIES], total[ZONES_BUDDIES];
} w;

static const enum zone order_of[ZONES_CLASS_COUNT][ZONES_BUDDIES] = {
    [ZONES_TABLES] = {ZONE_LOW, ZONE_USABLE},
    [ZONES_GENERAL] = {ZONE_USABLE, ZONE_LOW},
    [ZONES_VISIBLE] = {ZONE_USABLE, ZONE_LOW},
};

#define WATERMARK 100u /* pages */
#define BAR1      1200u

static void open_world(void)
{
    const struct zone_region regions[] = {
        {.base = 7 * PAGE,
         .limit = 1500 * PAGE - 1,
         .reserved = PAGE,
         .compressed = true,
         .iso = true},
        {.base = 1500 * PAGE, .limit = 1600 * PAGE - 1, .compressed = true},
        {.base = 1601 * PAGE, .limit = (PAGES - 3) * PAGE - 1, .compressed = true, .iso = true},
    };
    const struct zone_carveout wpr = {.range = {2000 * PAGE, 33 * PAGE}, .zone = ZONE_WPR};
    const struct zones_layout layout = {
        .vram_bytes = PAGES * PAGE,
        .regions = regions,
        .region_count = ARRAY_SIZE(regions),
        .carveouts = &wpr,
        .carveout_count = 1,
        .low_bytes = 300 * PAGE,
        .low_watermark = WATERMARK * PAGE,
        .bar1_bytes = BAR1 * PAGE,
    };

    memset(&w, 0, sizeof(w));
    assert_int_equal(zones_plan(&w.z, &layout, NULL), FL_OK);
    uint64_t bytes = zones_meta_bytes(&w.z);
    assert_int_equal(zones_init(&w.z, malloc(bytes), bytes), FL_OK);
    for (uint64_t i = 0; i < PAGES; i++) {
        w.zone[i] = (uint8_t)zones_of(&w.z, i * PAGE);
        if (w.zone[i] < ZONES_BUDDIES) {
            w.total[w.zone[i]]++;
        }
    }
}

static bool is_free(uint64_t page, enum zone zone)
{
    return w.zone[page] == zone && w.owner[page] == 0;
}

/* The request in one zone: whether the class may, and the window then. */
static bool model_window(enum zones_class class, enum zone zone, const struct buddy_request *want,
                         uint64_t *min, uint64_t *max)
{
    *min = div_up_u64(want->min, PAGE);
    *max = want->max == 0 ? PAGES : min_u64(want->max / PAGE, PAGES);
    if (class == ZONES_VISIBLE) {
        *max = min_u64(*max, BAR1);
    }
    return class == ZONES_TABLES || zone != ZONE_LOW ||
           w.total[ZONE_LOW] - w.used[ZONE_LOW] >= want->pages + WATERMARK;
}

static bool model_run(enum zones_class class, enum zone zone, const struct buddy_request *want,
                      uint64_t pages, uint64_t align)
{
    uint64_t min;
    uint64_t max;
    uint64_t run = 0;

    if (!model_window(class, zone, want, &min, &max)) {
        return false;
    }
    for (uint64_t i = max; i > min; i--) {
        run = is_free(i - 1, zone) ? run + 1 : 0;
        if (run >= pages && is_aligned_u64(i - 1, align)) {
            return true;
        }
    }
    return false;
}

/* What buddy_alloc() promises. */
static bool model_must(enum zones_class class, enum zone zone, const struct buddy_request *want)
{
    uint64_t align = max_u64(want->align / PAGE, 1);

    if (align == 1 || align == 16 || align == 512 || align == want->pages) {
        return model_run(class, zone, want, want->pages, align);
    }
    return model_run(class, zone, want, want->pages + align - 1, 1);
}

/* Pages in aligned blocks. */
static uint64_t model_blocks(enum zones_class class, enum zone zone,
                             const struct buddy_request *want, uint64_t block)
{
    uint64_t min;
    uint64_t max;
    uint64_t sum = 0;

    if (!model_window(class, zone, want, &min, &max)) {
        return 0;
    }
    for (uint64_t i = align_up_u64(min, block); i + block <= max; i += block) {
        bool all = true;
        for (uint64_t k = i; k < i + block && all; k++) {
            all = is_free(k, zone);
        }
        sum += all ? block : 0;
    }
    return sum;
}

static void model_take(enum zones_class class, uint64_t addr, uint64_t pages, bool clear)
{
    const uint64_t page = addr / PAGE;

    assert_true(is_aligned_u64(addr, PAGE) && range_ok(page, pages, PAGES));
    assert_true(w.zone[page] < ZONES_BUDDIES);
    for (uint64_t i = page; i < page + pages; i++) {
        assert_int_equal(w.owner[i], 0);
        assert_int_equal(w.zone[i], w.zone[page]);
        assert_true(!clear || w.zero[i]); /* what is said to be clear holds zeroes */
        w.owner[i] = (uint16_t)(w.count + 1);
    }
    w.used[w.zone[page]] += pages;
    assert_true(class == ZONES_TABLES || w.zone[page] != ZONE_LOW ||
                w.total[ZONE_LOW] - w.used[ZONE_LOW] >= WATERMARK);
    w.live[w.count++] = (struct owned){page, pages};
}

static void model_release(uint64_t page, uint64_t pages, enum buddy_contents contents)
{
    for (uint64_t i = page; i < page + pages; i++) {
        w.owner[i] = 0;
        w.zero[i] = contents == BUDDY_CLEAR || (contents == BUDDY_UNTOUCHED && w.zero[i]);
    }
    w.used[w.zone[page]] -= pages;
}

static struct buddy_request random_request(bool crumbs)
{
    struct buddy_request want = {.pages = crumbs ? 1 + next(4) : 1 + next(next(4) == 0 ? 300 : 30),
                                 .lowest = next(4) == 0,
                                 .clear = next(3) == 0};

    if (next(4) == 0) {
        want.align = (uint64_t)PAGE << next(10);
    }
    if (next(4) == 0) {
        want.min = next(PAGES * PAGE);
    }
    if (next(4) == 0) {
        want.max = 1 + next(PAGES * PAGE);
    }
    return want;
}

static void random_alloc(bool crumbs)
{
    struct buddy_request want = random_request(crumbs);
    enum zones_class class = (enum zones_class)next(ZONES_CLASS_COUNT);
    uint64_t addr = 0;

    enum fl_err err = zones_alloc(&w.z, class, &want, &addr);
    for (uint32_t i = 0; i < ZONES_BUDDIES; i++) {
        enum zone zone = order_of[class][i];
        if (err != FL_OK) {
            assert_int_equal(err, FL_ENOMEM);
            assert_false(model_must(class, zone, &want));
        } else if (zone == w.zone[addr / PAGE]) {
            break;
        } else if (next(16) == 0) { /* the zones before it could not */
            assert_false(model_must(class, zone, &want));
        }
    }
    if (err == FL_OK) {
        assert_true(addr >= want.min && is_aligned_u64(addr, max_u64(want.align, PAGE)));
        assert_true(want.max == 0 || addr + want.pages * PAGE <= want.max);
        assert_true(class != ZONES_VISIBLE || addr + want.pages * PAGE <= BAR1 * PAGE);
        model_take(class, addr, want.pages, zones_was_clear(&w.z, addr));
    }
}

static void random_scattered(bool crumbs)
{
    struct buddy_request want = random_request(crumbs);
    enum zones_class class = (enum zones_class)next(ZONES_CLASS_COUNT);
    uint64_t block = UINT64_C(1) << next(crumbs ? 2 : 5);
    struct buddy_extent out[EXTENTS];
    uint32_t count = 0;
    uint64_t sum = 0;

    want.align = 0;
    want.pages = want.pages * block;
    enum fl_err err = zones_alloc_scattered(&w.z, class, &want, block, out, EXTENTS, &count);
    for (uint32_t i = 0; i < ZONES_BUDDIES && err == FL_ENOMEM; i++) {
        assert_true(model_blocks(class, order_of[class][i], &want, block) < want.pages);
    }
    assert_true(err == FL_OK || err == FL_ENOMEM || err == FL_ENOSPC);
    assert_true(err == FL_OK || count == 0);
    for (uint32_t i = 0; i < count; i++) {
        assert_true(out[i].pages >= block && is_aligned_u64(out[i].addr, out[i].pages * PAGE));
        assert_true(out[i].addr >= want.min);
        assert_true(want.max == 0 || out[i].addr + out[i].pages * PAGE <= want.max);
        model_take(class, out[i].addr, out[i].pages, out[i].clear);
        sum += out[i].pages;
    }
    assert_int_equal(sum, err == FL_OK ? want.pages : 0);
}

static void random_reserve(void)
{
    uint64_t page = next(PAGES);
    uint64_t pages = 1 + next(min_u64(20, PAGES - page));
    bool can = w.zone[page] < ZONES_BUDDIES;

    for (uint64_t i = page; i < page + pages; i++) {
        can = can && is_free(i, w.zone[page]);
    }
    enum fl_err err = zones_reserve(&w.z, page * PAGE, pages * PAGE);
    assert_int_equal(err == FL_OK, can);
    if (can) {
        model_take(ZONES_TABLES, page * PAGE, pages, zones_was_clear(&w.z, page * PAGE));
    }
}

static void random_free(void)
{
    const uint32_t i = (uint32_t)next(w.count);
    const struct owned gone = w.live[i];
    const enum buddy_contents contents = (enum buddy_contents)next(3);

    if (next(4) == 0) {
        uint64_t from = next(gone.pages);
        uint64_t keep = 1 + next(gone.pages - from);
        assert_int_equal(zones_trim(&w.z, gone.page * PAGE, gone.pages, (gone.page + from) * PAGE,
                                    keep, contents),
                         FL_OK);
        if (from != 0) {
            model_release(gone.page, from, contents);
        }
        if (gone.pages != from + keep) {
            model_release(gone.page + from + keep, gone.pages - from - keep, contents);
        }
        w.live[i] = (struct owned){gone.page + from, keep};
        return;
    }
    assert_int_equal(zones_free(&w.z, gone.page * PAGE, gone.pages, contents), FL_OK);
    model_release(gone.page, gone.pages, contents);
    assert_int_equal(zones_free(&w.z, gone.page * PAGE, gone.pages, contents), FL_EINVAL);
    w.live[i] = w.live[--w.count];
    if (i < w.count) {
        for (uint64_t k = 0; k < w.live[i].pages; k++) {
            w.owner[w.live[i].page + k] = (uint16_t)(i + 1);
        }
    }
}

/* Sums of all zones, and that each allocator agrees with itself and with who owns what. */
static void check(void)
{
    for (uint32_t zone = 0; zone < ZONES_BUDDIES; zone++) {
        struct buddy *b = &w.z.buddies[zone];
        uint64_t zero = 0;
        assert_true(buddy_check(b));
        assert_int_equal(b->stats.total_pages, w.total[zone]);
        assert_int_equal(b->stats.free_pages, w.total[zone] - w.used[zone]);
        for (uint64_t i = 0; i < PAGES; i++) {
            if (w.zone[i] == zone) {
                assert_int_equal(runs_has(&b->runs, i - b->base / PAGE), w.owner[i] == 0);
                zero += w.owner[i] == 0 && w.zero[i];
            }
        }
        assert_true(b->stats.clear_pages <= zero);
        /* In the low zone nothing that is known to be clear is forgotten. */
        assert_true(zone != ZONE_LOW || b->stats.clear_pages == zero);
    }
}

static void run(uint64_t steps, bool crumbs)
{
    open_world();
    void *meta = w.z.buddies[ZONE_LOW].free[0].level[0]; /* the first table */
    uint64_t start[ZONES_BUDDIES][BUDDY_ORDERS];
    for (uint32_t i = 0; i < ZONES_BUDDIES; i++) {
        memcpy(start[i], w.z.buddies[i].stats.free_blocks, sizeof(start[i]));
    }
    for (uint64_t step = 0; step < steps; step++) {
        uint64_t used = w.used[ZONE_LOW] + w.used[ZONE_USABLE];
        uint64_t total = w.total[ZONE_LOW] + w.total[ZONE_USABLE];
        bool fill = used * 100 < total * (crumbs ? 92 : 50);
        uint64_t what = next(100);
        bool room = w.count + EXTENTS < LIVE_MAX;
        if (what < (fill ? 60u : 35u) && room) {
            random_alloc(crumbs);
        } else if (what < (fill ? 70u : 40u) && room) {
            random_scattered(crumbs);
        } else if (what == 99 && room) {
            random_reserve();
        } else if (w.count > 0) {
            random_free();
        }
        if (step % CHECK_STEP == 0) {
            check();
        }
    }
    while (w.count > 0) {
        random_free();
    }
    check();
    for (uint32_t i = 0; i < ZONES_BUDDIES; i++) { /* as at the start */
        struct buddy *b = &w.z.buddies[i];
        buddy_forget_clear(b);
        assert_int_equal(b->stats.allocs, b->stats.frees);
        assert_int_equal(b->stats.rounded_pages, 0);
        assert_memory_equal(b->stats.free_blocks, start[i], sizeof(start[i]));
    }
    free(meta);
}

static uint64_t steps_wanted(void)
{
    const char *text = getenv("FL_LONG");

    return text != NULL ? strtoull(text, NULL, 10) / 2 : STEPS;
}

static void crumbs_in_nearly_full_memory(void **state)
{
    (void)state;
    random_state = 11;
    run(steps_wanted(), true);
}

static void all_sizes_in_half_of_it(void **state)
{
    (void)state;
    random_state = 12;
    run(steps_wanted(), false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crumbs_in_nearly_full_memory),
        cmocka_unit_test(all_sizes_in_half_of_it),
    };
    return cmocka_run_group_tests_name("zones_random", tests, NULL, NULL);
}
