/* SPDX-License-Identifier: MIT */
/* Zones of video memory: how it is divided, what each class of requests gets, hostile layouts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/host/host.h"
#include "mm/zones.h"

#define PAGE FL_PAGE_SIZE

static struct zones z;
static void *meta;

/* A board of 256 MiB: a protected region first, then usable memory with a reserved tail of 16 MiB,
 * then some without ISO; WPR2 within the tail, 8 MiB of RM's in the middle of the usable part. */
static const struct zone_region board[] = {
    {.base = 0, .limit = MIB(8) - 1, .compressed = true, .iso = true, .is_protected = true},
    {.base = MIB(8), .limit = MIB(224) - 1, .reserved = MIB(16), .compressed = true, .iso = true},
    {.base = MIB(224), .limit = MIB(240) - 1, .reserved = MIB(2), .compressed = true},
    {.base = MIB(240), .limit = MIB(248) - 1, .iso = true},
};
static const struct zone_carveout carveouts[] = {
    {.range = {MIB(212), MIB(4)}, .zone = ZONE_WPR},
    {.range = {MIB(100), MIB(8)}, .zone = ZONE_RM_RESERVED},
    {.range = {MIB(104), MIB(8)}, .zone = ZONE_WPR}, /* overlaps the one before */
};
static const struct zones_layout usual = {
    .vram_bytes = MIB(256),
    .regions = board,
    .region_count = ARRAY_SIZE(board),
    .carveouts = carveouts,
    .carveout_count = ARRAY_SIZE(carveouts),
    .low_bytes = MIB(4),
    .low_watermark = MIB(1),
    .bar1_bytes = MIB(64),
};

static void open_zones(const struct zones_layout *layout)
{
    struct fl_fail fail = {0};

    assert_int_equal(zones_plan(&z, layout, &fail), FL_OK);
    uint64_t bytes = zones_meta_bytes(&z);
    meta = malloc(bytes);
    assert_non_null(meta);
    memset(meta, 0xff, bytes);
    assert_int_equal(zones_init(&z, meta, bytes - 1), FL_EINVAL);
    assert_int_equal(zones_init(&z, meta, bytes), FL_OK);
}

static int setup(void **state)
{
    (void)state;
    host_reset();
    open_zones(&usual);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < ZONES_BUDDIES; i++) {
        assert_true(z.hulls[i].size == 0 || buddy_check(&z.buddies[i]));
    }
    free(meta);
    return 0;
}

static enum fl_err take(enum zones_class class, uint64_t pages, uint64_t *addr)
{
    struct buddy_request want = {.pages = pages};

    return zones_alloc(&z, class, &want, addr);
}

static void the_map_names_every_address(void **state)
{
    const struct {
        uint64_t base;
        enum zone zone;
    } map[] = {
        {0, ZONE_UNUSABLE},           {MIB(8), ZONE_LOW},           {MIB(12), ZONE_USABLE},
        {MIB(100), ZONE_RM_RESERVED}, {MIB(108), ZONE_WPR},         {MIB(112), ZONE_USABLE},
        {MIB(208), ZONE_RM_RESERVED}, {MIB(212), ZONE_WPR},         {MIB(216), ZONE_RM_RESERVED},
        {MIB(224), ZONE_UNUSABLE},    {MIB(238), ZONE_RM_RESERVED}, {MIB(240), ZONE_UNUSABLE},
        {MIB(248), ZONE_UNKNOWN},
    };

    (void)state;
    assert_int_equal(z.span_count, ARRAY_SIZE(map));
    for (size_t i = 0; i < ARRAY_SIZE(map); i++) {
        uint64_t end = i + 1 < ARRAY_SIZE(map) ? map[i + 1].base : MIB(256);
        assert_int_equal(zones_of(&z, map[i].base), map[i].zone);
        assert_int_equal(zones_of(&z, end - 1), map[i].zone);
        assert_int_equal(z.spans[i].range.base, map[i].base);
        assert_int_equal(range_end(z.spans[i].range), end);
    }
    assert_int_equal(zones_of(&z, MIB(256)), ZONE_UNKNOWN);
    assert_int_equal(zones_of(&z, UINT64_MAX), ZONE_UNKNOWN);
    assert_true(zones_visible(&z, 0));
    assert_true(zones_visible(&z, MIB(64) - 1));
    assert_false(zones_visible(&z, MIB(64)));
    assert_string_equal(zone_name(ZONE_WPR), "wpr");
    assert_string_equal(zone_name(ZONE_COUNT), "unknown");
    struct zone_stats s;
    zones_get_stats(&z, ZONE_USABLE, &s);
    assert_int_equal(s.total_bytes, MIB(88 + 96));
    assert_int_equal(s.free_bytes, MIB(88 + 96));
    assert_int_equal(s.longest_run_bytes, MIB(96));
    zones_get_stats(&z, ZONE_RM_RESERVED, &s);
    assert_int_equal(s.total_bytes, MIB(8 + 4 + 8 + 2));
    assert_int_equal(s.free_bytes, 0);
    zones_get_stats(&z, ZONE_UNUSABLE, &s);
    assert_int_equal(s.total_bytes, MIB(8 + 22));
}

static void each_class_has_its_zones_in_order(void **state)
{
    uint64_t addr;
    struct zone_stats s;

    (void)state;
    assert_int_equal(take(ZONES_TABLES, 1, &addr), FL_OK);
    assert_int_equal(zones_of(&z, addr), ZONE_LOW);
    assert_int_equal(zones_free(&z, addr, 1, BUDDY_DIRTY), FL_OK);
    assert_int_equal(take(ZONES_GENERAL, 1, &addr), FL_OK);
    assert_int_equal(addr, MIB(100) - PAGE); /* usable, the highest of the smallest blocks */
    assert_int_equal(take(ZONES_VISIBLE, 1, &addr), FL_OK);
    assert_true(zones_visible(&z, addr));
    assert_int_equal(take(ZONES_VISIBLE, MIB(40) / PAGE, &addr), FL_OK); /* GENERAL: from 112 on */
    assert_int_equal(zones_of(&z, addr), ZONE_USABLE);
    assert_true(addr + MIB(40) <= MIB(64));
    assert_int_equal(take(ZONES_VISIBLE, MIB(40) / PAGE, &addr), FL_ENOMEM);
    assert_int_equal(take(ZONES_CLASS_COUNT, 1, &addr), FL_EINVAL);
    assert_int_equal(take(ZONES_GENERAL, 0, &addr), FL_EINVAL);
    struct buddy_request wish = {.pages = 1, .max = MIB(16)}; /* its own limit is the lower one */
    assert_int_equal(zones_alloc(&z, ZONES_VISIBLE, &wish, &addr), FL_OK);
    assert_true(addr < MIB(16));
    /* Tables go on in the usable zone when the low one is used up. */
    for (uint64_t i = 0; i < MIB(4) / PAGE; i++) {
        assert_int_equal(take(ZONES_TABLES, 1, &addr), FL_OK);
        assert_int_equal(zones_of(&z, addr), ZONE_LOW);
    }
    assert_int_equal(take(ZONES_TABLES, 1, &addr), FL_OK);
    assert_int_equal(zones_of(&z, addr), ZONE_USABLE);
    zones_get_stats(&z, ZONE_LOW, &s);
    assert_int_equal(s.free_bytes, 0);
    assert_int_equal(s.allocs, MIB(4) / PAGE + 1);
}

static void the_watermark_keeps_memory_for_tables(void **state)
{
    uint64_t addr;
    uint64_t low = 0;

    (void)state;
    while (take(ZONES_GENERAL, 16, &addr) == FL_OK) {
        low += zones_of(&z, addr) == ZONE_LOW ? 16 : 0;
    }
    assert_int_equal(low * PAGE, MIB(4) - MIB(1)); /* as far as the watermark, not a page more */
    assert_int_equal(take(ZONES_VISIBLE, 1, &addr), FL_ENOMEM);
    struct buddy_request want = {.pages = 12};
    struct buddy_extent one;
    uint32_t count;
    /* Memory in one zone, for which there is no room, and none in the other. */
    assert_int_equal(zones_alloc_scattered(&z, ZONES_TABLES, &want, 1, &one, 1, &count), FL_ENOSPC);
    assert_int_equal(take(ZONES_TABLES, MIB(1) / PAGE, &addr), FL_OK);
    assert_int_equal(take(ZONES_TABLES, 1, &addr), FL_ENOMEM);
}

static void nothing_is_visible_without_bar1(void **state)
{
    struct zones_layout none = usual;
    uint64_t addr;

    (void)state;
    free(meta);
    none.bar1_bytes = 0;
    open_zones(&none);
    assert_int_equal(take(ZONES_VISIBLE, 1, &addr), FL_ENOMEM);
    assert_false(zones_visible(&z, 0));
}

static void pages_are_retired(void **state)
{
    uint64_t addr;
    struct buddy_request exactly = {.pages = 1, .min = MIB(30), .max = MIB(30) + PAGE};

    (void)state;
    assert_int_equal(zones_retire(&z, MIB(30)), FL_OK);
    assert_int_equal(zones_alloc(&z, ZONES_GENERAL, &exactly, &addr), FL_ENOMEM);
    assert_int_equal(zones_retire(&z, MIB(30)), FL_EBUSY); /* retired already */
    assert_int_equal(zones_retire(&z, MIB(210)), FL_OK);   /* RM's anyway */
    assert_int_equal(zones_retire(&z, MIB(30) + 1), FL_EINVAL);
    assert_int_equal(zones_retire(&z, MIB(256)), FL_EINVAL);
    assert_int_equal(z.retired_bytes, PAGE);
}

static void exact_ranges_and_wrong_addresses(void **state)
{
    struct buddy_extent out[8];
    struct buddy_request want = {.pages = 12};
    uint32_t count;

    (void)state;
    assert_int_equal(zones_reserve(&z, MIB(20), MIB(1)), FL_OK);
    assert_int_equal(zones_reserve(&z, MIB(20), PAGE), FL_EBUSY);
    assert_int_equal(zones_reserve(&z, MIB(99), MIB(2)), FL_EBUSY); /* sticks out of the zone */
    assert_int_equal(zones_reserve(&z, MIB(0), PAGE), FL_EINVAL);
    assert_int_equal(zones_free(&z, MIB(20), 1, BUDDY_DIRTY), FL_EINVAL);
    assert_int_equal(zones_trim(&z, MIB(20), MIB(1) / PAGE, MIB(20), 1, BUDDY_DIRTY), FL_OK);
    assert_int_equal(zones_free(&z, MIB(20), 1, BUDDY_CLEAR), FL_OK);
    assert_int_equal(zones_free(&z, MIB(20), 1, BUDDY_CLEAR), FL_EINVAL); /* double */
    assert_int_equal(zones_free(&z, MIB(100), 1, BUDDY_DIRTY), FL_EINVAL);
    assert_int_equal(zones_trim(&z, MIB(100), 1, MIB(100), 1, BUDDY_DIRTY), FL_EINVAL);
    assert_int_equal(zones_alloc_scattered(&z, ZONES_TABLES, &want, 1, out, 0, &count), FL_EINVAL);
    assert_int_equal(zones_alloc_scattered(&z, ZONES_TABLES, &want, 1, out, 1, &count), FL_ENOSPC);
    assert_int_equal(zones_alloc_scattered(&z, ZONES_TABLES, &want, 1, out, 8, &count), FL_OK);
    assert_int_equal(count, 2);
    assert_int_equal(zones_of(&z, out[0].addr), ZONE_LOW);
}

static void clear_memory_by_zones(void **state)
{
    struct buddy_request want = {.pages = 1, .clear = true};
    struct zone_stats s;
    uint64_t addr;
    uint64_t again;

    (void)state;
    assert_int_equal(zones_alloc(&z, ZONES_TABLES, &want, &addr), FL_OK);
    assert_false(zones_was_clear(&z, addr));
    assert_int_equal(zones_free(&z, addr, 1, BUDDY_CLEAR), FL_OK);
    zones_get_stats(&z, ZONE_LOW, &s);
    assert_int_equal(s.clear_bytes, PAGE); /* a single table is kept clear */
    assert_int_equal(zones_alloc(&z, ZONES_TABLES, &want, &again), FL_OK);
    assert_int_equal(again, addr);
    assert_true(zones_was_clear(&z, addr));
    assert_false(zones_was_clear(&z, 0));
    assert_int_equal(zones_free(&z, addr, 1, BUDDY_CLEAR), FL_OK);
    zones_forget_clear(&z);
    zones_get_stats(&z, ZONE_LOW, &s);
    assert_int_equal(s.clear_bytes, 0);
}

static void failure_on_purpose(void **state)
{
    uint64_t addr;

    (void)state;
    host_fail_alloc_at(2);
    assert_int_equal(take(ZONES_GENERAL, 1, &addr), FL_OK);
    assert_int_equal(take(ZONES_TABLES, 1, &addr), FL_ENOMEM);
    assert_int_equal(take(ZONES_TABLES, 1, &addr), FL_OK);
}

/* ---- hostile layouts ---- */

static void refused(const struct zones_layout *layout, enum fl_err err, const char *words)
{
    struct fl_fail fail = {0};
    struct zones plan;
    uint64_t none = 0;

    assert_int_equal(zones_plan(&plan, layout, &fail), err);
    assert_non_null(strstr(fail.text, words));
    assert_int_equal(zones_init(&plan, &none, 0), FL_EINVAL); /* nothing came of it */
}

static void hostile_regions(void **state)
{
    const struct {
        struct zone_region r;
        const char *words;
    } bad[] = {
        {{.base = MIB(8), .limit = MIB(8) - 2}, "below base"},
        {{.base = 0, .limit = UINT64_MAX}, "whole pages"},
        {{.base = PAGE, .limit = UINT64_MAX}, "ends beyond"},
        {{.base = UINT64_MAX - PAGE + 1, .limit = UINT64_MAX}, "ends beyond"},
        {{.base = 1, .limit = PAGE}, "whole pages"},
        {{.base = 0, .limit = PAGE}, "whole pages"},
        {{.base = 0, .limit = MIB(256) + PAGE - 1}, "ends beyond"},
        {{.base = MIB(256), .limit = MIB(257) - 1}, "ends beyond"},
        {{.base = 0, .limit = PAGE - 1, .reserved = PAGE + 1}, "reserved"},
        {{.base = 0, .limit = PAGE - 1, .reserved = UINT64_MAX}, "reserved"},
        {{.base = MIB(101), .limit = MIB(102) - 1}, "overlaps"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        const struct zone_region regions[] = {{.base = MIB(100), .limit = MIB(104) - 1}, bad[i].r};
        struct zones_layout layout = {
            .vram_bytes = MIB(256), .regions = regions, .region_count = 2};
        refused(&layout, FL_EBADDATA, bad[i].words);
    }
}

static void hostile_carveouts_and_numbers(void **state)
{
    struct zone_carveout c = {.range = {MIB(1), MIB(1)}, .zone = ZONE_USABLE};
    struct zones_layout layout = {.vram_bytes = MIB(256), .carveouts = &c, .carveout_count = 1};

    (void)state;
    refused(&layout, FL_EINVAL, "expected wpr or rm-reserved");
    c = (struct zone_carveout){.range = {UINT64_MAX - PAGE + 1, 2 * PAGE}, .zone = ZONE_WPR};
    refused(&layout, FL_EBADDATA, "ends beyond");
    c.range = (struct range){MIB(1), 0};
    refused(&layout, FL_EBADDATA, "whole pages");
    c.range = (struct range){MIB(1) + 1, PAGE};
    refused(&layout, FL_EBADDATA, "whole pages");
    layout.carveout_count = 0;
    layout.vram_bytes = 0;
    refused(&layout, FL_EINVAL, "whole pages");
    layout.vram_bytes = PAGE + 1;
    refused(&layout, FL_EINVAL, "whole pages");
    layout = (struct zones_layout){.vram_bytes = MIB(1), .low_bytes = 1};
    refused(&layout, FL_EINVAL, "whole pages");
    layout =
        (struct zones_layout){.vram_bytes = MIB(1), .low_bytes = PAGE, .low_watermark = PAGE + 1};
    refused(&layout, FL_EINVAL, "watermark");
}

static void too_many_pieces(void **state)
{
    static struct zone_region regions[ZONES_SPANS_MAX];
    struct zones_layout layout = {.vram_bytes = MIB(256), .regions = regions};

    (void)state;
    for (uint32_t i = 0; i < ZONES_SPANS_MAX; i++) { /* with holes between */
        uint64_t base = (2 * i + 1) * PAGE;
        regions[i] = (struct zone_region){.base = base, .limit = base + PAGE - 1};
    }
    layout.region_count = ZONES_SPANS_MAX / 2 - 1; /* each two spans, and the hole behind */
    struct fl_fail fail = {0};
    struct zones plan;
    assert_int_equal(zones_plan(&plan, &layout, &fail), FL_OK);
    assert_int_equal(plan.span_count, ZONES_SPANS_MAX - 1);
    layout.region_count++;
    refused(&layout, FL_ENOSPC, "pieces");
}

/* A tail that is no whole page is one more page of RM's; no region at all, no memory. */
static void odd_tails_and_nothing_at_all(void **state)
{
    const struct zone_region r = {
        .base = 0, .limit = MIB(1) - 1, .reserved = PAGE + 1, .compressed = true, .iso = true};
    struct zones_layout layout = {.vram_bytes = MIB(1), .regions = &r, .region_count = 1};
    uint64_t addr;

    (void)state;
    free(meta);
    open_zones(&layout);
    assert_int_equal(zones_of(&z, MIB(1) - 2 * PAGE), ZONE_RM_RESERVED);
    assert_int_equal(zones_of(&z, MIB(1) - 2 * PAGE - 1), ZONE_USABLE);
    assert_int_equal(take(ZONES_TABLES, 1, &addr), FL_OK); /* there is no low zone */
    free(meta);
    layout.region_count = 0;
    struct fl_fail fail = {0};
    assert_int_equal(zones_plan(&z, &layout, &fail), FL_OK);
    assert_int_equal(zones_meta_bytes(&z), 0);
    meta = NULL;
    assert_int_equal(zones_init(&z, meta, 0), FL_OK);
    assert_int_equal(take(ZONES_TABLES, 1, &addr), FL_ENOMEM);
}

int main(void)
{
#define WITH_ZONES(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        WITH_ZONES(the_map_names_every_address),
        WITH_ZONES(each_class_has_its_zones_in_order),
        WITH_ZONES(the_watermark_keeps_memory_for_tables),
        WITH_ZONES(nothing_is_visible_without_bar1),
        WITH_ZONES(pages_are_retired),
        WITH_ZONES(exact_ranges_and_wrong_addresses),
        WITH_ZONES(clear_memory_by_zones),
        WITH_ZONES(failure_on_purpose),
        WITH_ZONES(odd_tails_and_nothing_at_all),
        cmocka_unit_test(hostile_regions),
        cmocka_unit_test(hostile_carveouts_and_numbers),
        cmocka_unit_test(too_many_pieces),
    };
    return cmocka_run_group_tests_name("zones", tests, NULL, NULL);
}
