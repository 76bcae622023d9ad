/* SPDX-License-Identifier: MIT */
/*
 * The buddy allocator in zones of 16 GiB (and 192 GiB) in pages of 4 KiB, in the situations in
 * which Linux's gpu_buddy was measured: fill, free in order and at random, steady state half and
 * nearly full, scattered, the fragmentation of its KUnit test; and requests in vain in
 * checkerboards, the slowest of them all. Every request has an address window. Lines of `name value
 * unit`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "mm/zones.h"

#define POOL_BYTES  GIB(16)
#define LARGE_BYTES GIB(192)
#define LOW_BYTES   MIB(64)
#define STEPS       1000000u
#define POOL_PAGES  (POOL_BYTES / FL_PAGE_SIZE)
#define HALF_FULL   50u /* per cent */
#define NEARLY_FULL 90u
#define REPEATS     5u /* of a call that is timed alone; the quickest counts */
#define EXTENTS     512u

static struct zones zones;
static void *meta;
static uint64_t *addrs; /* POOL_PAGES of them */
static uint64_t random_state = 1;

/* CPU time of this process. */
static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t next(uint64_t bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (random_state >> 20) % bound;
}

static void must(enum fl_err err)
{
    if (err != FL_OK) {
        fprintf(stderr, "bench_buddy: %s\n", fl_err_name(err));
        exit(1);
    }
}

/* Tables as the appliance has them, which maps its RAM in pages of 2 MiB. */
static void *tables(uint64_t bytes)
{
    uint64_t size = align_up_u64(bytes, MIB(2));
    void *at = aligned_alloc(MIB(2), size);

    if (at == NULL) {
        must(FL_ENOMEM);
    }
    (void)madvise(at, size, MADV_HUGEPAGE);
    return at;
}

/* The low zone, then `bytes` of usable memory. */
static void open_zones(uint64_t bytes)
{
    const struct zone_region region = {
        .limit = LOW_BYTES + bytes - 1, .compressed = true, .iso = true};
    const struct zones_layout layout = {.vram_bytes = LOW_BYTES + bytes,
                                        .regions = &region,
                                        .region_count = 1,
                                        .low_bytes = LOW_BYTES,
                                        .low_watermark = LOW_BYTES};

    must(zones_plan(&zones, &layout, NULL));
    meta = meta == NULL ? tables(zones_meta_bytes(&zones)) : meta;
    must(zones_init(&zones, meta, zones_meta_bytes(&zones)));
}

static void open_pool(void) { open_zones(POOL_BYTES); }

static uint64_t take_aligned(uint64_t pages, uint64_t align)
{
    const struct buddy_request want = {
        .pages = pages, .align = align, .min = FL_PAGE_SIZE, .max = zones.vram_bytes};
    uint64_t addr = 0;

    must(zones_alloc(&zones, ZONES_GENERAL, &want, &addr));
    return addr;
}

static uint64_t take(uint64_t pages) { return take_aligned(pages, 0); }

static void give(uint64_t addr, uint64_t pages)
{
    must(zones_free(&zones, addr, pages, BUDDY_DIRTY));
}

static void shuffle(uint64_t count)
{
    for (uint64_t i = count; i > 1; i--) {
        uint64_t k = next(i);
        uint64_t swap = addrs[i - 1];
        addrs[i - 1] = addrs[k];
        addrs[k] = swap;
    }
}

static void tell(const char *what, const char *size, double seconds, uint64_t count)
{
    printf("buddy_%s_%s %.1f ns\n", what, size, seconds / (double)count * 1e9);
}

static void fill_and_drain(const char *size, uint64_t pages)
{
    uint64_t count = POOL_PAGES / pages;

    for (int random = 0; random <= 1; random++) {
        open_pool();
        double start = now_s();
        for (uint64_t i = 0; i < count; i++) {
            addrs[i] = take(pages);
        }
        double filled = now_s();
        if (random == 0) {
            tell("alloc", size, filled - start, count);
        } else {
            shuffle(count);
        }
        start = now_s();
        for (uint64_t i = 0; i < count; i++) {
            give(addrs[i], pages);
        }
        tell(random != 0 ? "free_random" : "free_in_order", size, now_s() - start, count);
        if (buddy_longest_run(&zones.buddies[ZONE_USABLE]) != POOL_PAGES) {
            must(FL_EBADDATA);
        }
    }
}

static void steady(const char *size, uint64_t pages, unsigned per_cent, const char *what)
{
    uint64_t count = POOL_PAGES / pages * per_cent / 100;

    open_pool();
    for (uint64_t i = 0; i < count; i++) {
        addrs[i] = take(pages);
    }
    double start = now_s();
    for (uint32_t i = 0; i < STEPS; i++) {
        uint64_t k = next(count);
        give(addrs[k], pages);
        addrs[k] = take(pages);
    }
    tell(what, size, now_s() - start, STEPS);
}

/* Linux's KUnit test of fragmentation: 8 KiB at multiples of 64 KiB, freed in two colours, so that
 * neighbours come back at different times; then blocks of 64 KiB. */
static void fragmentation(void)
{
    const uint64_t count = GIB(4) / KIB(64);

    open_zones(GIB(4));
    double start = now_s();
    for (uint64_t i = 0; i < count; i++) {
        addrs[i] = take_aligned(2, KIB(64));
    }
    printf("buddy_fragment_alloc_8k_at_64k %.2f ms\n", (now_s() - start) * 1e3);
    start = now_s();
    for (uint64_t i = 0; i < 2 * count; i++) {
        uint64_t k = i < count ? i : i - count;
        if ((k % 2 == 0) == (i < count)) {
            give(addrs[k], 2);
        }
    }
    printf("buddy_fragment_free_two_colours %.2f ms\n", (now_s() - start) * 1e3);
    start = now_s();
    for (uint64_t i = 0; i < count; i++) {
        addrs[i] = take(16);
    }
    printf("buddy_fragment_alloc_64k %.2f ms\n", (now_s() - start) * 1e3);
    start = now_s();
    for (uint64_t i = 0; i < count; i++) {
        give(addrs[i], 16);
    }
    printf("buddy_fragment_free_64k %.2f ms\n", (now_s() - start) * 1e3);
}

/* Every second block of 2^order pages taken. */
static void checkerboard(uint64_t bytes, uint32_t order)
{
    const uint64_t size = FL_PAGE_SIZE << order;

    open_zones(bytes);
    for (uint64_t at = LOW_BYTES; at < zones.vram_bytes; at += 2 * size) {
        must(zones_reserve(&zones, at, size));
    }
}

/* 1 MiB out of single pages. */
static void scattered(void)
{
    static struct buddy_extent out[EXTENTS];
    const struct buddy_request want = {
        .pages = MIB(1) / FL_PAGE_SIZE, .min = FL_PAGE_SIZE, .max = zones.vram_bytes};
    const uint32_t times = 1000;
    uint32_t count = 0;

    checkerboard(POOL_BYTES, 0);
    double start = now_s();
    for (uint32_t i = 0; i < times; i++) {
        must(zones_alloc_scattered(&zones, ZONES_GENERAL, &want, 1, out, EXTENTS, &count));
    }
    tell("scattered_block_checkerboard", "4k", now_s() - start, (uint64_t)times * count);
}

/* The time of one request, in us: the least of a few. */
static double one_us(const struct buddy_request *want, enum fl_err expected)
{
    double least = 1e9;

    for (uint32_t i = 0; i < REPEATS; i++) {
        struct timespec a;
        struct timespec b;
        uint64_t addr;
        clock_gettime(CLOCK_MONOTONIC, &a);
        enum fl_err err = zones_alloc(&zones, ZONES_GENERAL, want, &addr);
        clock_gettime(CLOCK_MONOTONIC, &b);
        if (err != expected) {
            must(FL_EBADDATA);
        }
        if (err == FL_OK) {
            give(addr, want->pages);
        }
        double us = (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
        least = us < least ? us : least;
    }
    return least;
}

/* The slowest request of many sizes, alignments and windows, in vain and served by a run. */
static void slowest(uint64_t bytes, const char *pool, uint32_t order, const char *block)
{
    const uint64_t unit = UINT64_C(1) << order;
    const uint64_t sizes[] = {unit + 1, 2 * unit, 3 * unit, 33 * unit, 4096, MIB(1)};
    const uint64_t aligns[] = {0, KIB(8), KIB(64), KIB(128), MIB(1), MIB(2), MIB(64), GIB(1)};
    const uint64_t end = LOW_BYTES + bytes;
    const struct {
        uint64_t min, max;
    } windows[] = {{0, 0},
                   {LOW_BYTES + FL_PAGE_SIZE, end - FL_PAGE_SIZE},
                   {LOW_BYTES + bytes / 3 + KIB(20), end - bytes / 5 - KIB(12)},
                   {end - GIB(1) - KIB(4), end - KIB(4)}};
    double in_vain = 0;
    double served = 0;

    checkerboard(bytes, order);
    for (uint32_t hole = 0; hole < 2; hole++) {
        if (hole == 1) { /* three free units in a row, in the last window */
            give(end - MIB(512), unit);
        }
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
            for (size_t k = 0; k < ARRAY_SIZE(aligns) * ARRAY_SIZE(windows) * 2; k++) {
                struct buddy_request want = {.pages = hole == 0 ? sizes[i] : 2 * unit + 1,
                                             .align = hole == 0 ? aligns[k / 8] : 0,
                                             .min = windows[k / 2 % 4].min,
                                             .max = windows[k / 2 % 4].max,
                                             .lowest = k % 2 != 0};
                bool fits = hole == 1 && k / 2 % 4 != 2;
                double us = one_us(&want, fits ? FL_OK : FL_ENOMEM);
                double *most = fits ? &served : &in_vain;
                *most = us > *most ? us : *most;
            }
        }
    }
    printf("buddy_in_vain_slowest_%s_%s %.3f us\n", block, pool, in_vain);
    printf("buddy_run_slowest_%s_%s %.3f us\n", block, pool, served);
}

static void meta_per_gib(uint64_t bytes, const char *pool)
{
    open_zones(bytes);
    printf("buddy_meta_per_gib_%s %.0f bytes\n", pool,
           (double)zones_meta_bytes(&zones) / (double)(zones.vram_bytes / MIB(1)) * 1024);
}

int main(void)
{
    static const struct {
        uint32_t order;
        const char *name;
    } boards[] = {{0, "4k"}, {1, "8k"}, {4, "64k"}};

    addrs = tables(POOL_PAGES * sizeof(*addrs));
    meta_per_gib(POOL_BYTES, "16g");
    fill_and_drain("4k", 1);
    fill_and_drain("64k", 16);
    fill_and_drain("2m", 512);
    steady("4k", 1, HALF_FULL, "alloc_and_free_half_full");
    steady("4k", 1, NEARLY_FULL, "alloc_and_free_90_full");
    steady("64k", 16, HALF_FULL, "alloc_and_free_half_full");
    steady("2m", 512, HALF_FULL, "alloc_and_free_half_full");
    fragmentation();
    scattered();
    for (size_t i = 0; i < ARRAY_SIZE(boards); i++) {
        slowest(POOL_BYTES, "16g", boards[i].order, boards[i].name);
    }
    free(meta);
    meta = NULL;
    meta_per_gib(LARGE_BYTES, "192g");
    for (size_t i = 0; i < ARRAY_SIZE(boards); i++) {
        slowest(LARGE_BYTES, "192g", boards[i].order, boards[i].name);
    }
    free(addrs);
    free(meta);
    return 0;
}
