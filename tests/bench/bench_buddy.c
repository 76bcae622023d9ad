/* SPDX-License-Identifier: MIT */
/*
 * The buddy allocator on a pool of 16 GiB in pages of 4 KiB, in the situations in which Linux's
 * gpu_buddy was measured: fill, free in order and at random, steady state half and nearly full,
 * a request in vain. Lines of `name value unit`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "mm/buddy.h"

#define POOL_BYTES  GIB(16)
#define STEPS       1000000u
#define POOL_PAGES  (POOL_BYTES / FL_PAGE_SIZE)
#define HALF_FULL   50u /* per cent */
#define NEARLY_FULL 90u

static struct buddy pool;
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

static void open_pool(void)
{
    uint64_t bytes = buddy_meta_bytes(0, POOL_BYTES, FL_PAGE_SHIFT);

    must(buddy_init(&pool, "bench", 0, POOL_BYTES, FL_PAGE_SHIFT, meta, bytes));
    must(buddy_add(&pool, 0, POOL_BYTES));
}

static uint64_t take(uint64_t pages)
{
    struct buddy_request want = {.pages = pages};
    uint64_t addr = 0;

    must(buddy_alloc(&pool, &want, &addr));
    return addr;
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
            must(buddy_free(&pool, addrs[i], pages));
        }
        tell(random != 0 ? "free_random" : "free_in_order", size, now_s() - start, count);
        if (buddy_largest_free(&pool) != POOL_PAGES) {
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
        must(buddy_free(&pool, addrs[k], pages));
        addrs[k] = take(pages);
    }
    tell(what, size, now_s() - start, STEPS);
}

/* Every second page taken: nothing larger than a page is left, and a window does not help. */
static void in_vain(void)
{
    const uint32_t tries = 100000;
    uint64_t addr;

    open_pool();
    for (uint64_t i = 0; i < POOL_PAGES; i++) {
        addrs[i] = take(1);
    }
    for (uint64_t i = 0; i < POOL_PAGES; i++) {
        if ((addrs[i] >> FL_PAGE_SHIFT) % 2 == 0) {
            must(buddy_free(&pool, addrs[i], 1));
        }
    }
    struct buddy_request odd = {.pages = 1, .min = FL_PAGE_SIZE, .max = 2 * FL_PAGE_SIZE};
    double start = now_s();
    for (uint32_t i = 0; i < tries; i++) {
        if (buddy_alloc(&pool, &odd, &addr) != FL_ENOMEM) {
            must(FL_EBADDATA);
        }
    }
    tell("window_in_vain", "4k", now_s() - start, tries);
    struct buddy_request two = {.pages = 2};
    struct buddy_request three = {.pages = 3};
    start = now_s();
    if (buddy_alloc(&pool, &two, &addr) != FL_ENOMEM) {
        must(FL_EBADDATA);
    }
    tell("run_in_vain_checkerboard", "8k", now_s() - start, 1);
    start = now_s();
    for (uint32_t i = 0; i < tries; i++) {
        if (buddy_alloc(&pool, &three, &addr) != FL_ENOMEM) {
            must(FL_EBADDATA);
        }
    }
    tell("run_in_vain_checkerboard", "12k", now_s() - start, tries);
}

int main(void)
{
    meta = malloc(buddy_meta_bytes(0, POOL_BYTES, FL_PAGE_SHIFT));
    addrs = malloc(POOL_PAGES * sizeof(*addrs));
    if (meta == NULL || addrs == NULL) {
        return 1;
    }
    printf("buddy_meta_16g %.2f MiB\n",
           (double)buddy_meta_bytes(0, POOL_BYTES, FL_PAGE_SHIFT) / (double)MIB(1));
    fill_and_drain("4k", 1);
    fill_and_drain("64k", 16);
    fill_and_drain("2m", 512);
    steady("4k", 1, HALF_FULL, "alloc_and_free_half_full");
    steady("4k", 1, NEARLY_FULL, "alloc_and_free_90_full");
    steady("64k", 16, HALF_FULL, "alloc_and_free_half_full");
    in_vain();
    free(addrs);
    free(meta);
    return 0;
}
