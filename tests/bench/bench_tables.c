/* SPDX-License-Identifier: MIT */
/*
 * Page tables of a GPU on plain memory: what one mapping of 2 MiB costs by pages of 4K, 64K and 2M,
 * each next to a memset of the same entries and a copy of them to where they go, which is the least
 * that any implementation with a shadow does. Lines of `name value unit`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mm/gpu/tables.h"
#include "mm/gpu/walk.h"

#define MEMORY     MIB(8)
#define ROUNDS     20000u
#define REPEATS    7u
#define LEN        MIB(2)
#define VA         GIB(3)
#define WALKS      1000000u
#define TABLE_WORD 8u

static uint8_t *memory;
static uint64_t used;
static struct fl_fail fail;

static void must(enum fl_err err)
{
    if (err != FL_OK) {
        fprintf(stderr, "bench_tables: %s: %s\n", fl_err_name(err), fail.text);
        exit(1);
    }
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static enum fl_err mem_read(void *ctx, uint64_t addr, void *buf, uint64_t len, struct fl_fail *f)
{
    (void)ctx;
    (void)f;
    memcpy(buf, memory + addr, len);
    return FL_OK;
}
static enum fl_err mem_write(void *ctx, uint64_t addr, const void *buf, uint64_t len,
                             struct fl_fail *f)
{
    (void)ctx;
    (void)f;
    memcpy(memory + addr, buf, len);
    return FL_OK;
}
static enum fl_err mem_flush(void *ctx, struct fl_fail *f)
{
    (void)ctx;
    (void)f;
    return FL_OK;
}
static enum fl_err mem_invalidate(void *ctx, uint64_t root, bool sysmem, bool hub_only,
                                  struct fl_fail *f)
{
    (void)ctx;
    (void)root;
    (void)sysmem;
    (void)hub_only;
    (void)f;
    return FL_OK;
}
static const struct gpu_mem_ops ops = {mem_read, mem_write, mem_flush, mem_invalidate};

static enum fl_err take(void *ctx, uint64_t bytes, uint64_t align, uint64_t *addr)
{
    (void)ctx;
    used = align_up_u64(used, align);
    *addr = used;
    used += bytes;
    return used <= MEMORY ? FL_OK : FL_ENOMEM;
}
static void give(void *ctx, uint64_t addr, uint64_t bytes)
{
    (void)ctx;
    (void)addr;
    (void)bytes;
}

static double smaller(double a, double b) { return a < b ? a : b; }

/* The tables exist, as when a range is mapped anew. */
static double map_once(struct gpu_tables *t, struct gpu_table_pool *pool, enum gpu_page page)
{
    const struct gpu_pte_attrs attrs = {0};
    const double start = now_s();

    for (uint32_t i = 0; i < ROUNDS; i++) {
        must(gpu_tables_map(t, pool, VA, LEN * (1 + i % 4), LEN, page, &attrs, &fail));
    }
    return (now_s() - start) / ROUNDS * 1e9;
}

static double least_once(uint64_t bytes)
{
    static uint8_t shadow[LEN / FL_PAGE_SIZE * TABLE_WORD] __attribute__((aligned(64)));
    const double start = now_s();

    for (uint32_t i = 0; i < ROUNDS; i++) {
        memset(shadow, (int)i, bytes);
        __asm__ volatile("" : : "r"(shadow) : "memory");
        must(ops.write(NULL, FL_PAGE_SIZE, shadow, bytes, &fail));
        __asm__ volatile("" : : "r"(memory) : "memory");
    }
    return (now_s() - start) / ROUNDS * 1e9;
}

/* In turns, the best of each: the machine has other work too. */
static void map_and_least(struct gpu_tables *t, enum gpu_page page, double *map, double *least)
{
    struct gpu_table_pool pool = {0};

    must(gpu_tables_prepare(t, VA, LEN, &pool, &fail));
    *map = *least = 1e9;
    for (uint32_t r = 0; r < REPEATS; r++) {
        *map = smaller(*map, map_once(t, &pool, page));
        *least = smaller(*least, least_once(LEN / gpu_page_bytes(page) * TABLE_WORD));
    }
    must(gpu_tables_commit(t, &fail));
    gpu_tables_release(t, &pool);
}

static double walk_ns(const struct gpu_tables *t)
{
    struct gpu_walk w;
    const double start = now_s();

    for (uint32_t i = 0; i < WALKS; i++) {
        must(gpu_tables_walk(t, VA + (i * FL_PAGE_SIZE) % LEN, &w, &fail));
    }
    return (now_s() - start) / WALKS * 1e9;
}

static void both(const char *name, const struct gpu_mmu_format *f)
{
    static const struct {
        enum gpu_page page;
        const char *name;
    } sizes[] = {{GPU_PAGE_4K, "4k"}, {GPU_PAGE_64K, "64k"}, {GPU_PAGE_2M, "2m"}};
    const struct gpu_mem mem = {&ops, NULL, MEMORY * 16};
    const struct gpu_table_source source = {take, give, NULL};

    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct gpu_tables *t = NULL;
        double ns, least;
        used = FL_PAGE_SIZE;
        must(gpu_tables_create(&mem, f, &source, 0, false, &t, &fail));
        map_and_least(t, sizes[i].page, &ns, &least);
        printf("tables_least_2m_by_%s_%s %.1f ns\n", sizes[i].name, name, least);
        printf("tables_map_2m_by_%s_%s %.1f ns\n", sizes[i].name, name, ns);
        if (sizes[i].page == GPU_PAGE_4K) {
            printf("tables_walk_4k_%s %.1f ns\n", name, walk_ns(t));
        }
        gpu_tables_destroy(t);
    }
}

int main(void)
{
    memory = malloc(MEMORY);
    if (memory == NULL) {
        return 1;
    }
    memset(memory, 0, MEMORY);
    both("v2", &gpu_mmu_v2);
    both("v3", &gpu_mmu_v3);
    free(memory);
    return 0;
}
