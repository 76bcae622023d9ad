/* SPDX-License-Identifier: MIT */
/*
 * An independent witness: the GPU model walks tables that mm/gpu/ wrote into its video memory, by
 * its own code, on a chip of each format, and comes to the same end as ours.
 */
#include "tests/unit/mini_assert.h"

#include "mm/gpu/tables.h"
#include "mm/gpu/walk.h"
#include "tests/model/memory/mmu.h"
#include "tests/model/memory/vram.h"

static const struct {
    const char *chip;
    const struct gpu_mmu_format *f;
} chips[] = {
    {"tu102", &gpu_mmu_v2_turing},
    {"ga102", &gpu_mmu_v2},
    {"gh100", &gpu_mmu_v3},
    {"gb202", &gpu_mmu_v3_blackwell},
};

/* ---- the model's video memory ---- */

static enum fl_err vram_read(void *ctx, uint64_t addr, void *buf, uint64_t len,
                             struct fl_fail *fail)
{
    (void)ctx;
    (void)fail;
    return model_vram_read(d.m, addr, buf, len) ? FL_OK : FL_EIO;
}
static enum fl_err vram_write(void *ctx, uint64_t addr, const void *buf, uint64_t len,
                              struct fl_fail *fail)
{
    (void)ctx;
    (void)fail;
    return model_vram_write(d.m, addr, buf, len) ? FL_OK : FL_EIO;
}
static enum fl_err nothing(void *ctx, struct fl_fail *fail)
{
    (void)ctx;
    (void)fail;
    return FL_OK;
}
static enum fl_err no_tlb(void *ctx, uint64_t root, bool sysmem, bool hub_only,
                          struct fl_fail *fail)
{
    (void)ctx;
    (void)root;
    (void)sysmem;
    (void)hub_only;
    (void)fail;
    return FL_OK;
}
static const struct gpu_mem_ops ops = {vram_read, vram_write, nothing, no_tlb};

static uint64_t bump;
static enum fl_err table_take(void *ctx, uint64_t bytes, uint64_t align, uint64_t *addr)
{
    (void)ctx;
    bump = align_up_u64(bump, align);
    *addr = bump;
    bump += bytes;
    return FL_OK;
}
static void table_give(void *ctx, uint64_t addr, uint64_t bytes)
{
    (void)ctx;
    (void)addr;
    (void)bytes;
}

static struct gpu_mem mem;
static struct gpu_tables *t;
static struct gpu_table_pool pool;
static struct fl_fail failed;

static void ok(enum fl_err err)
{
    char line[FL_FAIL_LINE_MAX];
    if (err != FL_OK) {
        (void)fl_fail_format(&failed, line, sizeof(line));
        fail_msg("%s", line);
    }
}

static void open_space(size_t i)
{
    const struct gpu_table_source source = {table_take, table_give, NULL};
    open_chip(chips[i].chip, false);
    mem = (struct gpu_mem){&ops, NULL, d.m->vram->size};
    bump = MIB(64);
    ok(gpu_tables_create(&mem, chips[i].f, &source, 0, false, &t, &failed));
}

static void close_space(void)
{
    gpu_tables_destroy(t);
    mini_close(&d);
    d.m = NULL;
}

static void change(uint64_t va, uint64_t pa, uint64_t len, enum gpu_page page,
                   const struct gpu_pte_attrs *a, bool sparse)
{
    const struct gpu_table_need need =
        a != NULL ? gpu_tables_worst_map(gpu_tables_format(t), va, pa, len, page)
                  : gpu_tables_worst_unmap(gpu_tables_format(t), va, len);
    ok(gpu_tables_prepare_need(t, &need, &pool, &failed));
    ok(a != NULL ? gpu_tables_map(t, &pool, va, pa, len, page, a, &failed)
                 : gpu_tables_unmap(t, &pool, va, len, sparse, &failed));
    ok(gpu_tables_commit(t, &failed));
    gpu_tables_release(t, &pool);
}

/* ---- both walks ---- */

static void agree(uint64_t va)
{
    const struct page_dir dir = {.root = gpu_tables_root(t), .valid = true};
    struct mmu_page theirs = {0};
    struct gpu_walk ours;
    const enum mmu_result r = model_mmu_walk(d.m, &dir, va, &theirs);
    bool same = false;

    ok(gpu_walk(&mem, gpu_tables_format(t), gpu_tables_root(t), va, &ours, &failed));
    switch (ours.end) {
    case GPU_WALK_MAPPED:
        same = ours.attrs.aperture == GPU_PEER
                   ? r == MMU_FAULT_APERTURE
                   : r == MMU_MAPPED && !theirs.sparse && theirs.addr == ours.pa &&
                         theirs.read_only == ours.attrs.read_only && theirs.left == ours.left &&
                         theirs.sysmem == (ours.attrs.aperture != GPU_VIDMEM);
        break;
    case GPU_WALK_SPARSE:
        same = r == MMU_MAPPED && theirs.sparse && theirs.left == ours.left;
        break;
    case GPU_WALK_UNMAPPED:
        same = r == MMU_FAULT_PTE || r == MMU_FAULT_PDE;
        break;
    case GPU_WALK_FAULT:
        break;
    }
    if (!same) {
        fail_msg("%s, VA 0x%llx: the model says 0x%x, 0x%llx, %llu left%s; we %d, 0x%llx, %llu "
                 "left: %s",
                 d.chip, (unsigned long long)va, r, (unsigned long long)theirs.addr,
                 (unsigned long long)theirs.left, theirs.sparse ? ", sparse" : "", ours.end,
                 (unsigned long long)ours.pa, (unsigned long long)ours.left, ours.reason);
    }
}

static void agree_around(uint64_t va, uint64_t len)
{
    const uint64_t at[] = {va - 1,       va,           va + 1,       va + 0x1000,
                           va + 0xfffff, va + len / 2, va + len - 1, va + len};
    for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
        agree(at[i]);
    }
}

static void what(uint64_t va, enum gpu_walk_end end, enum gpu_page page, uint64_t pa)
{
    struct gpu_walk w;
    ok(gpu_walk(&mem, gpu_tables_format(t), gpu_tables_root(t), va, &w, &failed));
    assert_int_equal(w.end, end);
    if (end == GPU_WALK_MAPPED) {
        assert_int_equal(w.page, page);
        assert_int_equal(w.pa, pa);
    }
}

static void every_page_size(void **state)
{
    static const struct gpu_pte_attrs kinds[] = {
        {0},
        {.read_only = true, .kind = GPU_KIND_GENERIC},
        {.aperture = GPU_SYSMEM_COHERENT, .volatile_ = true},
        {.aperture = GPU_SYSMEM_NONCOHERENT, .privileged = true, .no_access_counting = true},
        {.aperture = GPU_PEER, .peer = 5, .no_atomics = true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(chips); i++) {
        open_space(i);
        for (int p = 0; p < GPU_PAGE_COUNT; p++) {
            const uint64_t size = gpu_page_bytes((enum gpu_page)p);
            if (!gpu_format_has_page(chips[i].f, (enum gpu_page)p)) {
                continue;
            }
            for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
                const uint64_t va = (UINT64_C(1) << (43 + p)) + 4 * (k + 1) * size;
                const bool host = kinds[k].aperture == GPU_SYSMEM_COHERENT ||
                                  kinds[k].aperture == GPU_SYSMEM_NONCOHERENT;
                const uint64_t pa = host                ? GIB(512) + 4 * size
                                    : p < GPU_PAGE_512M ? 4 * size
                                                        : size;
                if (!host && pa + size > mem.vram_bytes && kinds[k].aperture == GPU_VIDMEM) {
                    continue; /* 256G in video memory: no such board */
                }
                change(va, pa, size, (enum gpu_page)p, &kinds[k], false);
                what(va + size / 2, GPU_WALK_MAPPED, (enum gpu_page)p, pa + size / 2);
                agree_around(va, size);
                const struct page_dir dir = {.root = gpu_tables_root(t), .valid = true};
                struct mmu_page theirs = {0};
                if (model_mmu_walk(d.m, &dir, va, &theirs) == MMU_MAPPED) {
                    assert_int_equal(theirs.read_only, kinds[k].read_only);
                    assert_int_equal(theirs.sysmem, host);
                } else {
                    assert_int_equal(kinds[k].aperture, GPU_PEER);
                }
                const uint64_t in = p == GPU_PAGE_4K ? 0 : size / 4;
                change(va + in, 0, size - 2 * in, GPU_PAGE_4K, NULL, k % 2 == 0);
                what(va + size / 2, k % 2 == 0 ? GPU_WALK_SPARSE : GPU_WALK_UNMAPPED, GPU_PAGE_4K,
                     0);
                agree_around(va, size);
                agree_around(va + in, size - 2 * in);
            }
        }
        /* sparse, by entries of every directory that can be whole */
        change(UINT64_C(1) << 42, 0, GIB(256) + MIB(512) + MIB(2) + KIB(68), GPU_PAGE_4K, NULL,
               true);
        agree_around(UINT64_C(1) << 42, GIB(256) + MIB(512) + MIB(2) + KIB(68));
        what((UINT64_C(1) << 42) + GIB(256) + MIB(514) + KIB(66), GPU_WALK_SPARSE, GPU_PAGE_4K, 0);
        close_space();
    }
}

static uint64_t random_state = 5;
static uint64_t next(uint64_t bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (random_state >> 20) % bound;
}

static void at_random(void **state)
{
    enum { PAGES = 1536, CHANGES = 150, LOOK_EVERY = 10 };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(chips); i++) {
        open_space(i);
        const uint64_t base = (UINT64_C(1) << 47) - PAGES / 2 * FL_PAGE_SIZE;
        for (int n = 1; n <= CHANGES; n++) {
            static const uint64_t grain[] = {1, 16, 512};
            const uint64_t g = grain[next(3)], first = next(PAGES / g) * g;
            const uint64_t len = min_u64((1 + next(20)) * g, PAGES - first) * FL_PAGE_SIZE;
            const uint64_t va = base + first * FL_PAGE_SIZE;
            const struct gpu_pte_attrs a = {.read_only = next(2) == 0};
            const uint64_t pa = MIB(2) * (1 + next(500)) + (va & (MIB(2) - 1));
            change(va, pa, len, (enum gpu_page)next(GPU_PAGE_COUNT), next(3) != 0 ? &a : NULL,
                   next(2) == 0);
            for (uint64_t k = 0; n % LOOK_EVERY == 0 && k < PAGES; k++) {
                agree(base + k * FL_PAGE_SIZE);
            }
        }
        close_space();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_page_size, close_it),
        cmocka_unit_test_teardown(at_random, close_it),
    };
    return cmocka_run_group_tests_name("GPU page tables and the model", tests, NULL, NULL);
}
