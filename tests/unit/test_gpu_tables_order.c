/* SPDX-License-Identifier: MIT */
/*
 * The order of what reaches the GPU, held at every single write: no table is linked before it was
 * written and flushed, none is freed before an invalidate has followed its unlinking, and what a
 * change does not touch is mapped at every moment. And what happens when something fails: the n-th
 * allocation, the n-th write.
 */
#include "tests/unit/gpu_space.h"

#include "mm/gpu/format_priv.h"

static const struct gpu_mmu_format *const formats[] = {&gpu_mmu_v2_turing, &gpu_mmu_v2, &gpu_mmu_v3,
                                                       &gpu_mmu_v3_blackwell};
static const struct gpu_pte_attrs plain;
static struct space s;

static uint64_t random_state;
static uint64_t next(uint64_t bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (random_state >> 20) % bound;
}

/* ---- the watcher: by slots of 256 bytes, the smallest table ---- */

#define SLOTS (SPACE_TABLE_BYTES / GPU_BIG_BYTES)
enum { WINDOW_PAGES = 1024, CHANGES = 120 };

static struct {
    uint8_t unflushed[SLOTS];
    uint8_t linked[SLOTS]; /* reachable, or was since the last invalidate */
    uint8_t now[SLOTS];
    uint64_t base;
    uint64_t pa[WINDOW_PAGES]; /* before the operation; 0: not mapped */
    uint64_t busy, busy_end;   /* what it changes */
    bool off;
} watch;

static void mark(uint64_t addr, uint32_t level)
{
    const uint64_t bytes = gpu_level_words(gpu_tables_format(s.t), level) * GPU_ENTRY_BYTES;
    for (uint64_t at = 0; at < bytes; at += GPU_BIG_BYTES) {
        watch.now[(addr - SPACE_TABLES + at) / GPU_BIG_BYTES] = 1;
    }
}

/* Every table that the entries in memory lead to. */
static void reach(uint64_t addr, uint32_t level)
{
    const struct gpu_mmu_format *f = gpu_tables_format(s.t);

    mark(addr, level);
    for (uint32_t i = 0; level < f->dirs && i < gpu_level_words(f, level); i++) {
        const uint64_t e = space_word(&s, addr + (uint64_t)i * 8);
        const bool pd0 = level == gpu_level_pd0(f);
        const struct gpu_pde d = !pd0         ? f->decode_pde(e)
                                 : i % 2 == 0 ? f->decode_big(e)
                                              : f->decode_small(e);
        if (d.is == GPU_PDE_TABLE) {
            reach(d.addr, pd0 && i % 2 == 1 ? gpu_level_small(f) : level + 1);
        } else if (pd0 && d.is == GPU_PDE_PAGE) {
            i++; /* the high half is ignored */
        }
    }
}

static void look(void)
{
    memset(watch.now, 0, sizeof(watch.now));
    reach(gpu_tables_root(s.t), 0);
    for (uint64_t i = 0; i < SLOTS; i++) {
        if (watch.now[i] != 0 && watch.linked[i] == 0 && watch.unflushed[i] != 0) {
            fail_msg("a table at slot 0x%llx is linked before it was flushed",
                     (unsigned long long)i);
        }
        watch.linked[i] |= watch.now[i];
    }
    for (uint64_t i = 0; i < WINDOW_PAGES; i++) {
        const uint64_t va = watch.base + i * FL_PAGE_SIZE;
        struct gpu_walk w;
        if (va >= watch.busy && va < watch.busy_end) {
            continue;
        }
        must_be(gpu_walk(&s.mem, gpu_tables_format(s.t), gpu_tables_root(s.t), va, &w, &s.fail),
                FL_OK, &s.fail);
        if ((w.end == GPU_WALK_MAPPED ? w.pa : 0) != watch.pa[i]) {
            fail_msg("VA 0x%llx, which is not changed, is at 0x%llx instead of 0x%llx meanwhile",
                     (unsigned long long)va, (unsigned long long)w.pa,
                     (unsigned long long)watch.pa[i]);
        }
    }
}

static enum fl_err watched_write(void *ctx, uint64_t addr, const void *buf, uint64_t len,
                                 struct fl_fail *fail)
{
    assert_true(addr % 4 == 0 && len % 4 == 0 && len > 0);
    enum fl_err err = space_write(ctx, addr, buf, len, fail);
    const uint64_t first = (addr - SPACE_TABLES) / GPU_BIG_BYTES;
    const uint64_t last = (addr + len - 1 - SPACE_TABLES) / GPU_BIG_BYTES;
    memset(&watch.unflushed[first], 1, last - first + 1);
    if (!watch.off) {
        look();
    }
    return err;
}

static enum fl_err watched_flush(void *ctx, struct fl_fail *fail)
{
    memset(watch.unflushed, 0, sizeof(watch.unflushed));
    return space_flush(ctx, fail);
}

static enum fl_err watched_invalidate(void *ctx, uint64_t root, bool sysmem, bool hub_only,
                                      struct fl_fail *fail)
{
    for (uint64_t i = 0; i < SLOTS; i++) {
        assert_int_equal(watch.unflushed[i], 0);
    }
    memset(watch.now, 0, sizeof(watch.now));
    reach(root, 0);
    memcpy(watch.linked, watch.now, sizeof(watch.linked));
    return space_invalidate(ctx, root, sysmem, hub_only, fail);
}

static void watched_free(void *ctx, uint64_t addr, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes / GPU_BIG_BYTES; i++) {
        if (watch.linked[(addr - SPACE_TABLES) / GPU_BIG_BYTES + i] != 0 && !watch.off) {
            fail_msg("0x%llx is freed while the GPU may walk it", (unsigned long long)addr);
        }
    }
    space_free(ctx, addr, bytes);
}

static const struct gpu_mem_ops watched_ops = {space_read, watched_write, watched_flush,
                                               watched_invalidate};

static void open_watched(const struct gpu_mmu_format *f)
{
    memset(&watch, 0, sizeof(watch));
    watch.off = true;
    s = (struct space){.memory = malloc(SPACE_TABLE_BYTES)};
    assert_non_null(s.memory);
    s.mem = (struct gpu_mem){&watched_ops, &s, SPACE_VRAM};
    s.source = (struct gpu_table_source){space_alloc, watched_free, &s};
    must_be(gpu_tables_create(&s.mem, f, &s.source, 0, true, &s.t, &s.fail), FL_OK, &s.fail);
    watch.base = (UINT64_C(1) << 47) - WINDOW_PAGES / 2 * FL_PAGE_SIZE;
    watch.off = false;
}

static void random_change(void)
{
    static const uint64_t grain[] = {1, 16, 512};
    const uint64_t g = grain[next(ARRAY_SIZE(grain))], first = next(WINDOW_PAGES / g) * g;
    const uint64_t n = min_u64((1 + next(g == 512 ? 3 : 40)) * g, WINDOW_PAGES - first);
    const uint64_t va = watch.base + first * FL_PAGE_SIZE, len = n * FL_PAGE_SIZE;
    const uint64_t pa = MIB(2) * (1 + next(1000)) + (va & (MIB(2) - 1));
    const bool map = next(3) != 0;

    must_be(gpu_tables_prepare(s.t, va, len, &s.pool, &s.fail), FL_OK, &s.fail);
    watch.busy = va;
    watch.busy_end = va + len;
    must_be(map ? gpu_tables_map(s.t, &s.pool, va, pa, len, (enum gpu_page)next(GPU_PAGE_COUNT),
                                 &plain, &s.fail)
                : gpu_tables_unmap(s.t, &s.pool, va, len, next(3) == 0, &s.fail),
            FL_OK, &s.fail);
    for (uint64_t i = 0; i < n; i++) {
        watch.pa[first + i] = map ? pa + i * FL_PAGE_SIZE : 0;
    }
    watch.busy_end = watch.busy; /* from now on all of it stays */
    if (next(3) != 0) {
        must_be(gpu_tables_commit(s.t, &s.fail), FL_OK, &s.fail);
    }
    gpu_tables_release(s.t, &s.pool);
}

static void order_of_writes(void **state)
{
    (void)state;
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        open_watched(formats[f]);
        random_state = 99 + f;
        for (int i = 0; i < CHANGES; i++) {
            random_change();
        }
        must_be(gpu_tables_compare(s.t, &s.fail), FL_OK, &s.fail);
        watch.off = true;
        space_close(&s);
    }
}

/* One write per run: 512 pages are one, and so are 32 pages of 64K, 3 of 2M; a hole splits none. */
static void runs_are_written_at_once(void **state)
{
    (void)state;
    static const struct {
        uint64_t va, len;
        enum gpu_page page;
        uint32_t writes; /* the tables are there */
    } rows[] = {
        {0, MIB(2), GPU_PAGE_4K, 1},
        {MIB(2), MIB(2), GPU_PAGE_64K, 1},
        {MIB(4), MIB(6), GPU_PAGE_2M, 1},
        {KIB(40), KIB(20), GPU_PAGE_4K, 1},
    };
    space_open(&s, &gpu_mmu_v3);
    /* So that nothing has to be linked. */
    space_map(&s, MIB(2), MIB(2), MIB(2), GPU_PAGE_64K, &plain);
    space_map(&s, 0, MIB(2), MIB(2), GPU_PAGE_4K, &plain);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const uint64_t pa = MIB(4) + rows[i].va % MIB(2);
        const uint32_t before = s.writes, flushes = s.flushes;
        must_be(gpu_tables_map(s.t, &s.pool, rows[i].va, pa, rows[i].len, rows[i].page, &plain,
                               &s.fail),
                FL_OK, &s.fail);
        assert_int_equal(s.writes - before, rows[i].writes);
        assert_int_equal(s.flushes, flushes); /* nothing new was linked */
    }
    const uint32_t before = s.writes;
    must_be(gpu_tables_unmap(s.t, &s.pool, 0, MIB(2), false, &s.fail), FL_OK, &s.fail);
    assert_int_equal(s.writes - before, 1); /* the entry above; the table itself is dead */
    space_close(&s);
}

/* One unmap that changes a table of 4K pages and an entry of the root, and nothing between. */
static void leaf_and_root_at_once(void **state)
{
    (void)state;
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        const uint64_t half = UINT64_C(1) << formats[f]->level[0].shift;
        struct gpu_table_need need;
        space_open(&s, formats[f]);
        space_map(&s, half - KIB(8), MIB(2), KIB(12), GPU_PAGE_4K, &plain);
        need = gpu_tables_worst_unmap(formats[f], half - KIB(4), KIB(4) + half);
        must_be(gpu_tables_prepare_need(s.t, &need, &s.pool, &s.fail), FL_OK, &s.fail);
        const uint32_t writes = s.writes;
        must_be(gpu_tables_unmap(s.t, &s.pool, half - KIB(4), KIB(4) + half, false, &s.fail), FL_OK,
                &s.fail);
        assert_int_equal(s.writes - writes, 2);
        must_be(gpu_tables_compare(s.t, &s.fail), FL_OK, &s.fail);
        space_close(&s);
    }
}

/* ---- failures ---- */

static void nth_allocation_fails(void **state)
{
    (void)state;
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        const uint64_t va = (UINT64_C(1) << 47) - MIB(2), len = MIB(4);
        struct gpu_table_stats before, after;
        space_open(&s, formats[f]);
        space_map(&s, va, MIB(4), MIB(2), GPU_PAGE_2M, &plain);
        must_be(gpu_tables_prepare(s.t, va, KIB(4), &s.pool, &s.fail), FL_OK, &s.fail);
        const struct gpu_table_pool pool = s.pool;
        const uint32_t live = s.live;
        gpu_tables_get_stats(s.t, &before);
        uint64_t n = 1;
        for (;; n++) {
            host_fail_alloc_at(n);
            const enum fl_err err = gpu_tables_prepare(s.t, va, len, &s.pool, &s.fail);
            if (host_fail_alloc_at(0) != 0) {
                must_be(err, FL_OK, &s.fail);
                break;
            }
            must_be(err, FL_ENOMEM, &s.fail);
            assert_memory_equal(&pool, &s.pool, sizeof(pool));
            assert_int_equal(s.live, live);
            gpu_tables_get_stats(s.t, &after);
            assert_int_equal(after.bytes, before.bytes);
            assert_int_equal(after.tables, before.tables);
            must_be(gpu_tables_compare(s.t, &s.fail), FL_OK, &s.fail);
        }
        assert_true(n > 16); /* two allocations per table */
        /* The run stage allocates nothing. */
        host_fail_alloc_at(1);
        must_be(gpu_tables_map(s.t, &s.pool, va, 0x1000, len, GPU_PAGE_4K, &plain, &s.fail), FL_OK,
                &s.fail);
        must_be(gpu_tables_unmap(s.t, &s.pool, va + KIB(4), KIB(64), true, &s.fail), FL_OK,
                &s.fail);
        must_be(gpu_tables_commit(s.t, &s.fail), FL_OK, &s.fail);
        assert_int_equal(host_fail_alloc_at(0), 1);
        space_close(&s);
    }
}

static void creating_fails(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        struct gpu_tables *t = NULL;
        struct space *p = &s;
        *p = (struct space){.memory = malloc(SPACE_TABLE_BYTES)};
        p->mem = (struct gpu_mem){&space_ops, p, SPACE_VRAM};
        p->source = (struct gpu_table_source){space_alloc, space_free, p};
        host_fail_alloc_at(n);
        const enum fl_err err =
            gpu_tables_create(&p->mem, &gpu_mmu_v2, &p->source, 0, false, &t, &p->fail);
        const bool all = host_fail_alloc_at(0) != 0;
        must_be(err, all ? FL_OK : FL_ENOMEM, &p->fail);
        gpu_tables_destroy(t);
        assert_int_equal(p->live, 0);
        free(p->memory);
        if (all) {
            assert_int_equal(n, 4); /* the space, a node, its page */
            return;
        }
    }
}

/* A source that gives what lies outside of video memory is found out. */
static void senseless_source(void **state)
{
    (void)state;
    space_open(&s, &gpu_mmu_v2);
    const struct gpu_table_stats before = {0};
    struct gpu_tables *t = NULL;
    struct gpu_mem small = s.mem;
    small.vram_bytes = SPACE_TABLES;
    must_be(gpu_tables_create(&small, &gpu_mmu_v2, &s.source, 0, false, &t, &s.fail), FL_EINVAL,
            &s.fail);
    assert_null(t);
    assert_int_equal(before.tables, 0);
    assert_int_equal(s.live, 1);
    space_close(&s);
}

/* The link is lost at the n-th write of a change: what was written stays consistent, and the next
 * commit writes the rest. */
static void nth_write_fails(void **state)
{
    (void)state;
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        for (uint64_t n = 1;; n++) {
            const uint64_t va = (UINT64_C(1) << 47) - MIB(2) - KIB(68), len = MIB(4);
            struct gpu_walk w;
            open_watched(formats[f]);
            watch.off = true;
            space_map(&s, va - MIB(1), MIB(2) + va % MIB(2), MIB(3), GPU_PAGE_2M, &plain);
            must_be(gpu_tables_prepare(s.t, va, len, &s.pool, &s.fail), FL_OK, &s.fail);
            s.fail_write_at = n;
            const enum fl_err err = gpu_tables_map(s.t, &s.pool, va, MIB(8) + va % KIB(64), len,
                                                   GPU_PAGE_64K, &plain, &s.fail);
            const bool all = s.fail_write_at != 0;
            s.fail_write_at = 0;
            must_be(err, all ? FL_OK : FL_ELINKLOST, &s.fail);
            if (!all) {
                gpu_tables_release(s.t, &s.pool); /* frees nothing that is linked */
                watch.off = false;
                watch.busy = va - MIB(1);
                watch.busy_end = watch.base + WINDOW_PAGES * FL_PAGE_SIZE;
            }
            must_be(gpu_tables_commit(s.t, &s.fail), FL_OK, &s.fail);
            must_be(gpu_tables_compare(s.t, &s.fail), FL_OK, &s.fail);
            must_be(gpu_walk(&s.mem, formats[f], gpu_tables_root(s.t), va + len - 1, &w, &s.fail),
                    FL_OK, &s.fail);
            assert_int_equal(w.end, GPU_WALK_MAPPED);
            watch.off = true;
            space_close(&s);
            if (all) {
                assert_true(n > 5);
                break;
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_of_writes),       cmocka_unit_test(runs_are_written_at_once),
        cmocka_unit_test(nth_allocation_fails),  cmocka_unit_test(creating_fails),
        cmocka_unit_test(leaf_and_root_at_once), cmocka_unit_test(senseless_source),
        cmocka_unit_test(nth_write_fails),
    };
    return cmocka_run_group_tests_name("GPU page tables: order and failures", tests, NULL, NULL);
}
