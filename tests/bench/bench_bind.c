/* SPDX-License-Identifier: MIT */
/*
 * GPU address spaces: VA allocation, the algebra of requests over many mappings in the situations
 * in which Linux's drm_gpuvm was measured, and whole bind jobs on plain memory. Lines of `name
 * value unit`; processor time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mm/gpu/jobs.h"
#include "mm/gpu/steps.h"
#include "mm/gpu/va.h"

#define LIVE       200000u /* ranges, mappings */
#define STEPS      1000000u
#define OVERLAPS   400000u
#define SLOT       KIB(64)
#define JOBS       20000u
#define TABLES_AT  GIB(1)
#define TABLES_LEN MIB(64)

static uint64_t random_state = 1;

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
        fprintf(stderr, "bench_bind: %s\n", fl_err_name(err));
        exit(1);
    }
}

static void *zeros(size_t count, size_t size)
{
    void *p = calloc(count, size);
    must(p != NULL ? FL_OK : FL_ENOMEM);
    return p;
}

static void tell(const char *what, double seconds, uint64_t count)
{
    printf("%s %.1f ns\n", what, seconds / (double)count * 1e9);
}

/* ---- VA ---- */

static void bench_va(void)
{
    static struct gpu_va_space s;
    struct gpu_va_node *nodes = zeros(LIVE, sizeof(*nodes));
    const struct gpu_va_request want = {.len = SLOT, .align = SLOT};
    const struct gpu_va_request large = {.len = MIB(2), .align = MIB(2), .top_down = true};

    must(gpu_va_init(&s, (struct range){0, UINT64_C(1) << 47}));
    double start = now_s();
    for (uint32_t i = 0; i < LIVE; i++) {
        must(gpu_va_alloc(&s, &want, &nodes[i]));
    }
    tell("va_alloc_64k", now_s() - start, LIVE);
    start = now_s();
    for (uint32_t i = 0; i < STEPS; i++) {
        struct gpu_va_node *n = &nodes[next(LIVE)];
        must(gpu_va_free(&s, n));
        must(gpu_va_alloc(&s, next(2) != 0 ? &want : &large, n));
    }
    tell("va_free_and_alloc_200k_live", now_s() - start, STEPS);
    free(nodes);
}

/* ---- steps ---- */

static struct gpu_maps maps;
static struct gpu_mapping *spare; /* a list */

static enum fl_err apply(void *ctx, const struct gpu_step *s)
{
    const struct gpu_want *want = ctx;
    const struct gpu_part parts[3] = {s->prev, s->next, {want->va, want->len, want->offset}};

    if (s->kind != GPU_STEP_MAP) {
        gpu_maps_remove(&maps, s->old);
    }
    for (uint32_t i = s->kind == GPU_STEP_MAP ? 2 : 0; i < (s->kind == GPU_STEP_MAP ? 3u : 2u);
         i++) {
        if (parts[i].len != 0) {
            struct gpu_mapping *m = spare;
            spare = m->next;
            m->va = parts[i].va;
            m->len = parts[i].len;
            m->offset = parts[i].offset;
            must(gpu_maps_insert(&maps, m));
        }
    }
    if (s->kind != GPU_STEP_MAP) {
        s->old->next = spare;
        spare = s->old;
    }
    return FL_OK;
}

static void request(bool map, uint64_t va, uint64_t len)
{
    struct gpu_want want = {.va = va, .len = len};
    must(map ? gpu_steps_map(&maps, &want, apply, &want)
             : gpu_steps_unmap(&maps, va, len, apply, &want));
}

static void bench_steps(void)
{
    struct gpu_mapping *nodes = zeros(4u * LIVE, sizeof(*nodes));
    volatile uint64_t found = 0;

    for (uint32_t i = 0; i < 4u * LIVE; i++) {
        nodes[i].next = spare;
        spare = &nodes[i];
    }
    double start = now_s();
    for (uint32_t i = 0; i < LIVE; i++) {
        request(true, i * SLOT, SLOT);
    }
    tell("steps_map_in_order", now_s() - start, LIVE);
    start = now_s();
    for (uint32_t i = 0; i < STEPS; i++) {
        found += gpu_maps_find(&maps, next(LIVE) * SLOT) != NULL;
    }
    tell("steps_find_200k_live", now_s() - start, STEPS);
    start = now_s();
    for (uint32_t i = 0; i < STEPS; i++) {
        request(true, next(LIVE) * SLOT, SLOT);
    }
    tell("steps_map_again_200k_live", now_s() - start, STEPS);
    start = now_s();
    for (uint32_t i = 0; i < LIVE; i++) {
        request(false, i * SLOT, SLOT);
    }
    tell("steps_unmap_in_order", now_s() - start, LIVE);
    start = now_s();
    for (uint32_t i = 0; i < OVERLAPS; i++) {
        request(next(2) != 0, next(LIVE) * KIB(4), (1 + next(16)) * KIB(4));
    }
    tell("steps_random_overlaps", now_s() - start, OVERLAPS);
    must(found > 0 ? FL_OK : FL_EBADDATA);
    free(nodes);
}

/* ---- jobs ---- */

static uint8_t *memory;
static uint64_t tables_next;

static enum fl_err read_memory(void *ctx, uint64_t addr, void *buf, uint64_t len,
                               struct fl_fail *fail)
{
    (void)ctx;
    (void)fail;
    memcpy(buf, memory + (addr - TABLES_AT), len);
    return FL_OK;
}

static enum fl_err write_memory(void *ctx, uint64_t addr, const void *buf, uint64_t len,
                                struct fl_fail *fail)
{
    (void)ctx;
    (void)fail;
    memcpy(memory + (addr - TABLES_AT), buf, len);
    return FL_OK;
}

static enum fl_err flush_nothing(void *ctx, struct fl_fail *fail)
{
    (void)ctx;
    (void)fail;
    return FL_OK;
}

static enum fl_err invalidate_nothing(void *ctx, uint64_t root, bool sysmem, bool hub_only,
                                      struct fl_fail *fail)
{
    (void)root;
    (void)sysmem;
    (void)hub_only;
    return flush_nothing(ctx, fail);
}

/* A list of free pages in their own first bytes. */
static enum fl_err table_alloc(void *ctx, uint64_t bytes, uint64_t align, uint64_t *addr)
{
    (void)ctx;
    (void)align;
    if (tables_next == 0) {
        return FL_ENOMEM;
    }
    *addr = tables_next;
    return read_memory(NULL, *addr, &tables_next, bytes < sizeof(tables_next) ? bytes : 8, NULL);
}

static void table_free(void *ctx, uint64_t addr, uint64_t bytes)
{
    (void)bytes;
    must(write_memory(ctx, addr, &tables_next, sizeof(tables_next), NULL));
    tables_next = addr;
}

static void bind(struct gpu_vm *vm, struct gpu_object *o, uint64_t va, uint64_t len)
{
    const struct gpu_bind_op op = {
        .kind = o != NULL ? GPU_BIND_MAP : GPU_BIND_UNMAP,
        .want = {.va = va, .len = len, .object = o, .how = {.largest = GPU_PAGE_2M}}};
    const struct gpu_bind one = {.ops = &op, .op_count = 1};
    must(gpu_vm_bind_sync(vm, &one, NULL));
}

static void bench_jobs(void)
{
    static const struct gpu_mem_ops ops = {read_memory, write_memory, flush_nothing,
                                           invalidate_nothing};
    static const struct {
        const char *name;
        uint64_t len;
    } sizes[] = {{"4k", KIB(4)}, {"64k", KIB(64)}, {"2m", MIB(2)}, {"16m_4k_pages", MIB(16)}};
    const struct gpu_mem mem = {.ops = &ops, .vram_bytes = GIB(64)};
    const struct gpu_table_source source = {table_alloc, table_free, NULL};
    const struct gpu_vm_options options = {.name = "bench"};
    struct gpu_extent even = {.pa = GIB(8), .len = MIB(64)};
    struct gpu_extent odd = {.pa = GIB(9) + KIB(4), .len = MIB(64)}; /* 4K pages only */
    struct gpu_object *objects[2];
    struct gpu_tables *t = NULL;
    struct gpu_vm *vm = NULL;

    memory = zeros(1, TABLES_LEN);
    for (uint64_t at = TABLES_AT + TABLES_LEN; at > TABLES_AT; at -= FL_PAGE_SIZE) {
        table_free(NULL, at - FL_PAGE_SIZE, FL_PAGE_SIZE);
    }
    must(gpu_tables_create(&mem, &gpu_mmu_v3, &source, 0, false, &t, NULL));
    must(gpu_vm_create(&mem, t, &options, &vm, NULL));
    must(gpu_object_create("even", &even, 1, &objects[0], NULL));
    must(gpu_object_create("odd", &odd, 1, &objects[1], NULL));
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        const uint32_t jobs = sizes[i].len > MIB(2) ? JOBS / 40 : JOBS;
        char name[64];
        double start = now_s();
        for (uint32_t k = 0; k < jobs; k++) {
            bind(vm, objects[sizes[i].len > MIB(2)], MIB(64), sizes[i].len);
            bind(vm, NULL, MIB(64), sizes[i].len);
        }
        (void)snprintf(name, sizeof(name), "bind_map_and_unmap_%s", sizes[i].name);
        tell(name, now_s() - start, jobs);
    }
    gpu_vm_destroy(vm);
    gpu_tables_destroy(t);
    must(gpu_object_free(objects[0], NULL));
    must(gpu_object_free(objects[1], NULL));
    free(memory);
}

int main(void)
{
    bench_va();
    bench_steps();
    bench_jobs();
    return 0;
}
