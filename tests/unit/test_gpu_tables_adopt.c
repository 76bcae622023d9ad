/* SPDX-License-Identifier: MIT */
/*
 * Roots that somebody else made: what is valid there stays as it is, byte for byte, while we map
 * beside it and after we are gone; and foreign tables that lie.
 */
#include "tests/unit/gpu_space.h"

#include "mm/gpu/format_priv.h"

static const struct gpu_mmu_format *const formats[] = {&gpu_mmu_v2_turing, &gpu_mmu_v2, &gpu_mmu_v3,
                                                       &gpu_mmu_v3_blackwell};
static const struct gpu_pte_attrs plain;
static struct space s;
static struct gpu_tables *theirs; /* on the same memory */
static uint8_t *snapshot;
static uint32_t their_live;

static void their_change(uint64_t va, uint64_t pa, uint64_t len, enum gpu_page page, bool sparse)
{
    struct gpu_tables *ours = s.t;
    s.t = theirs;
    if (sparse) {
        space_unmap(&s, va, len, true);
    } else {
        space_map(&s, va, pa, len, page, &plain);
    }
    s.t = ours;
}

/* Foreign: a 2M page at 2M, 64K at 6M, a page at 6M + 128K, 4K pages at 8M + 40K, sparse at 1G. */
static void open_both(const struct gpu_mmu_format *f)
{
    space_open(&s, f);
    theirs = s.t;
    their_change(MIB(2), MIB(2), MIB(2), GPU_PAGE_2M, false);
    their_change(MIB(6), MIB(4), KIB(64), GPU_PAGE_64K, false);
    their_change(MIB(6) + KIB(128), MIB(5), KIB(4), GPU_PAGE_4K, false);
    their_change(MIB(8) + KIB(40), MIB(7), KIB(8), GPU_PAGE_4K, false);
    their_change(GIB(1), 0, MIB(512), GPU_PAGE_4K, true);
    their_live = s.live;
    snapshot = malloc(SPACE_TABLE_BYTES);
    assert_non_null(snapshot);
    memcpy(snapshot, s.memory, SPACE_TABLE_BYTES);
    s.t = NULL;
}

static void adopt(void)
{
    must_be(gpu_tables_create(&s.mem, gpu_tables_format(theirs), &s.source, gpu_tables_root(theirs),
                              true, &s.t, &s.fail),
            FL_OK, &s.fail);
}

static void close_theirs(void)
{
    free(snapshot);
    s.t = theirs;
    space_close(&s);
}

static void untouched(void)
{
    for (uint32_t i = 0; i < SPACE_PAGES; i++) {
        if (s.taken[i]) {
            assert_memory_equal(s.memory + (size_t)i * FL_PAGE_SIZE,
                                snapshot + (size_t)i * FL_PAGE_SIZE, FL_PAGE_SIZE);
        }
    }
}

static void foreign_entries_stay(void **state)
{
    static const struct {
        uint64_t va, len;
        enum fl_err want;
    } rows[] = {
        {0, MIB(2), FL_OK},
        {MIB(1), MIB(2), FL_EBUSY},
        {MIB(2), KIB(4), FL_EBUSY},
        {MIB(4) - KIB(4), KIB(4), FL_EBUSY},
        {MIB(4), MIB(2), FL_OK},
        {MIB(6) + KIB(60), KIB(4), FL_EBUSY},
        {MIB(6) + KIB(64), KIB(64), FL_OK},     /* 64K beside theirs */
        {MIB(6) + KIB(132), KIB(60), FL_OK},    /* 4K beside theirs */
        {MIB(6) + KIB(128), KIB(64), FL_EBUSY}, /* over their 4K */
        {MIB(7), MIB(1) + KIB(40), FL_OK},      /* into their 4K table */
        {MIB(7), MIB(1) + KIB(44), FL_EBUSY},
        {MIB(8) + KIB(48), MIB(2), FL_OK},
        {GIB(1) + MIB(2), MIB(2), FL_EBUSY},
        {GIB(1) + MIB(512), MIB(2), FL_OK},
        {0, GIB(4), FL_EBUSY},
    };
    (void)state;
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        open_both(formats[f]);
        adopt();
        for (int how = 0; how < 3; how++) {
            for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                const uint64_t pa = GIB(1) + rows[i].va;
                struct gpu_walk w;
                const uint32_t writes = s.writes;
                if (rows[i].len == GIB(4) && how == 0) {
                    continue;
                }
                if (rows[i].len < GIB(4)) {
                    must_be(gpu_tables_prepare(s.t, rows[i].va, rows[i].len, &s.pool, &s.fail),
                            FL_OK, &s.fail);
                }
                const uint32_t prepared = s.writes - writes;
                must_be(how == 0 ? gpu_tables_map(s.t, &s.pool, rows[i].va, pa, rows[i].len,
                                                  GPU_PAGE_512M, &plain, &s.fail)
                                 : gpu_tables_unmap(s.t, &s.pool, rows[i].va, rows[i].len, how == 1,
                                                    &s.fail),
                        rows[i].want, &s.fail);
                if (rows[i].want != FL_OK) {
                    assert_int_equal(s.writes - writes, prepared);
                }
                must_be(gpu_tables_commit(s.t, &s.fail), FL_OK, &s.fail);
                gpu_tables_release(s.t, &s.pool);
                must_be(gpu_tables_compare(s.t, &s.fail), FL_OK, &s.fail);
                if (rows[i].want == FL_OK) {
                    must_be(
                        gpu_walk(&s.mem, formats[f], gpu_tables_root(s.t), rows[i].va, &w, &s.fail),
                        FL_OK, &s.fail);
                    assert_int_equal(w.end, how == 0   ? GPU_WALK_MAPPED
                                            : how == 1 ? GPU_WALK_SPARSE
                                                       : GPU_WALK_UNMAPPED);
                    assert_true(how != 0 || w.pa == pa);
                }
            }
            /* What was theirs is theirs. */
            static const uint64_t their[] = {MIB(2), MIB(6), MIB(6) + KIB(128), MIB(8) + KIB(40)};
            static const uint64_t where[] = {MIB(2), MIB(4), MIB(5), MIB(7)};
            for (size_t i = 0; i < ARRAY_SIZE(their); i++) {
                struct gpu_walk w;
                must_be(gpu_walk(&s.mem, formats[f], gpu_tables_root(s.t), their[i], &w, &s.fail),
                        FL_OK, &s.fail);
                assert_int_equal(w.end, GPU_WALK_MAPPED);
                assert_int_equal(w.pa, where[i]);
            }
            if (how == 1) {
                how = 2; /* leave something mapped for destroy */
                must_be(gpu_tables_prepare(s.t, 0, MIB(2), &s.pool, &s.fail), FL_OK, &s.fail);
                must_be(
                    gpu_tables_map(s.t, &s.pool, 0, GIB(1), KIB(68), GPU_PAGE_64K, &plain, &s.fail),
                    FL_OK, &s.fail);
                gpu_tables_release(s.t, &s.pool);
            }
        }
        const uint32_t invalidates = s.invalidates;
        gpu_tables_destroy(s.t);
        assert_int_equal(s.invalidates, invalidates + 1);
        assert_int_equal(s.live, their_live);
        must_be(gpu_tables_compare(theirs, &s.fail), FL_OK, &s.fail);
        close_theirs();
    }
}

/* Adopted and given back: not a byte is different. */
static void nothing_is_written_for_nothing(void **state)
{
    (void)state;
    open_both(&gpu_mmu_v3);
    adopt();
    const uint32_t writes = s.writes;
    must_be(gpu_tables_compare(s.t, &s.fail), FL_OK, &s.fail);
    gpu_tables_destroy(s.t);
    assert_int_equal(s.writes, writes);
    untouched();
    close_theirs();
}

static void what_is_taken(void **state)
{
    static const struct range want[] = {{MIB(2), MIB(2)},
                                        {MIB(6), KIB(64)},
                                        {MIB(6) + KIB(128), KIB(4)},
                                        {MIB(8) + KIB(40), KIB(8)},
                                        {GIB(1), MIB(512)}};
    (void)state;
    open_both(&gpu_mmu_v2);
    assert_false(gpu_tables_taken(theirs, 0, &(struct range){0}));
    adopt();
    uint64_t va = 0;
    struct range r;
    for (size_t i = 0; i < ARRAY_SIZE(want); i++, va = range_end(r)) {
        assert_true(gpu_tables_taken(s.t, va, &r));
        assert_int_equal(r.base, want[i].base);
        assert_int_equal(r.size, want[i].size);
    }
    assert_false(gpu_tables_taken(s.t, va, &r));
    gpu_tables_destroy(s.t);
    close_theirs();
}

/* ---- tables that lie ---- */

static enum fl_err try_adopt(uint64_t root)
{
    s.t = NULL;
    const enum fl_err err =
        gpu_tables_create(&s.mem, gpu_tables_format(theirs), &s.source, root, true, &s.t, &s.fail);
    assert_true((err == FL_OK) == (s.t != NULL));
    return err;
}

static void poke(uint64_t addr, uint64_t word) { put_le64(space_at(&s, addr, 8), word); }

static void lying_tables(void **state)
{
    (void)state;
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        open_both(formats[f]);
        const uint64_t root = gpu_tables_root(theirs);
        const struct gpu_mmu_format *fmt = formats[f];
        const uint64_t first = space_word(&s, root);
        const uint64_t pd = fmt->decode_pde(first).addr;
        struct range r;
        const uint64_t vram_end = SPACE_TABLES + SPACE_TABLE_BYTES;
        s.mem.vram_bytes = vram_end;
        must_be(try_adopt(root + 0x800), FL_EINVAL, &s.fail);
        must_be(try_adopt(vram_end), FL_EINVAL, &s.fail);
        poke(root + 8, first); /* linked twice */
        must_be(try_adopt(root), FL_EBADDATA, &s.fail);
        poke(root + 8, fmt->encode_pde(root)); /* a circle */
        must_be(try_adopt(root), FL_EBADDATA, &s.fail);
        poke(root + 8, fmt->encode_pde(vram_end)); /* outside */
        must_be(try_adopt(root), FL_OK, &s.fail);
        const uint64_t half = UINT64_C(1) << fmt->level[0].shift;
        assert_true(gpu_tables_taken(s.t, GIB(2), &r));
        assert_int_equal(r.base, half);
        assert_int_equal(r.size, half);
        gpu_tables_destroy(s.t);
        poke(root + 8, f < 2 ? 0x12345670c : 0x1234567004); /* in system memory */
        must_be(try_adopt(root), FL_OK, &s.fail);
        must_be(gpu_tables_prepare(s.t, half, KIB(4), &s.pool, &s.fail), FL_OK, &s.fail);
        must_be(gpu_tables_map(s.t, &s.pool, half, 0, KIB(4), GPU_PAGE_4K, &plain, &s.fail),
                FL_EBUSY, &s.fail);
        gpu_tables_release(s.t, &s.pool);
        struct gpu_walk w;
        must_be(gpu_tables_walk(s.t, half, &w, &s.fail), FL_OK, &s.fail);
        assert_int_equal(w.end, GPU_WALK_FAULT);
        gpu_tables_destroy(s.t);
        poke(root + 8, 0);
        /* More tables than there can be: each entry of a directory names another page. */
        for (uint32_t i = 1; i < GPU_TABLE_WORDS; i++) {
            poke(pd + (uint64_t)i * 8, fmt->encode_pde(SPACE_TABLES + MIB(32) + i * 0x1000));
        }
        for (uint32_t i = 0; i < 512; i++) {
            for (uint32_t k = 0; k < 512; k++) {
                poke(SPACE_TABLES + MIB(32) + i * 0x1000 + k * 8,
                     k < 3 ? fmt->encode_pde(SPACE_TABLES + MIB(36) + (i * 3 + k) * 0x1000) : 0);
            }
        }
        memset(space_at(&s, SPACE_TABLES + MIB(36), MIB(8)), 0, MIB(8));
        must_be(try_adopt(root), FL_EBADDATA, &s.fail);
        memcpy(s.memory, snapshot, SPACE_TABLE_BYTES);
        close_theirs();
    }
}

/* Entries that are not zero and mean nothing are ours to fill. */
static void other_words_for_nothing(void **state)
{
    (void)state;
    open_both(&gpu_mmu_v3);
    const uint64_t root = gpu_tables_root(theirs);
    poke(root + 8, 0x10); /* invalid, no ATS */
    must_be(try_adopt(root), FL_OK, &s.fail);
    must_be(gpu_tables_compare(s.t, &s.fail), FL_OK, &s.fail);
    space_map(&s, UINT64_C(1) << 56, 0, KIB(4), GPU_PAGE_4K, &plain);
    must_be(gpu_tables_compare(s.t, &s.fail), FL_OK, &s.fail);
    poke(root + 8, 0x10);
    must_be(gpu_tables_compare(s.t, &s.fail), FL_EBADDATA, &s.fail);
    gpu_tables_destroy(s.t);
    poke(root + 8, 0);
    close_theirs();
}

/* 4K entries below a 64K entry that says there are none: nobody may unhide them. */
static void hidden_entries_stay_hidden(void **state)
{
    (void)state;
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        struct gpu_walk w;
        open_both(formats[f]);
        must_be(
            gpu_walk(&s.mem, formats[f], gpu_tables_root(theirs), MIB(6) + KIB(128), &w, &s.fail),
            FL_OK, &s.fail);
        const uint64_t big = w.level[w.levels - 2].entry_at;
        assert_int_equal(space_word(&s, big), 0);
        poke(big, formats[f]->no_4k);
        must_be(try_adopt(gpu_tables_root(theirs)), FL_OK, &s.fail);
        must_be(gpu_tables_prepare(s.t, MIB(6), MIB(2), &s.pool, &s.fail), FL_OK, &s.fail);
        must_be(gpu_tables_map(s.t, &s.pool, MIB(6) + KIB(160), 0, KIB(4), GPU_PAGE_4K, &plain,
                               &s.fail),
                FL_EBUSY, &s.fail);
        must_be(gpu_tables_map(s.t, &s.pool, MIB(6) + KIB(192), 0, KIB(4), GPU_PAGE_4K, &plain,
                               &s.fail),
                FL_OK, &s.fail);
        gpu_tables_release(s.t, &s.pool);
        gpu_tables_destroy(s.t);
        assert_int_equal(space_word(&s, big), formats[f]->no_4k);
        poke(big, 0);
        close_theirs();
    }
}

/* Memory that foreign tables lie in is given out as free. */
static void source_gives_their_memory(void **state)
{
    (void)state;
    open_both(&gpu_mmu_v2);
    adopt();
    struct gpu_walk w;
    must_be(gpu_tables_walk(s.t, MIB(8) + KIB(40), &w, &s.fail), FL_OK, &s.fail);
    const uint64_t page = (w.level[w.levels - 1].table - SPACE_TABLES) / FL_PAGE_SIZE;
    s.taken[page] = 0;
    s.next = (uint32_t)page;
    const struct gpu_table_need one = {.tables = 1};
    must_be(gpu_tables_prepare_need(s.t, &one, &s.pool, &s.fail), FL_EBADDATA, &s.fail);
    assert_int_equal(s.pool.small.count, 0);
    s.taken[page] = 1;
    gpu_tables_destroy(s.t);
    assert_int_equal(s.live, their_live);
    memcpy(s.memory, snapshot, SPACE_TABLE_BYTES);
    close_theirs();
}

static void nth_allocation_fails(void **state)
{
    (void)state;
    open_both(&gpu_mmu_v2);
    for (uint64_t n = 1;; n++) {
        host_fail_alloc_at(n);
        const enum fl_err err = try_adopt(gpu_tables_root(theirs));
        if (host_fail_alloc_at(0) != 0) {
            must_be(err, FL_OK, &s.fail);
            assert_true(n > 12);
            break;
        }
        must_be(err, FL_ENOMEM, &s.fail);
    }
    gpu_tables_destroy(s.t);
    assert_int_equal(s.live, their_live);
    close_theirs();
}

/* The GPU does not answer when we leave: what it may still walk is not freed. */
static void leaving_a_lost_gpu(void **state)
{
    (void)state;
    open_both(&gpu_mmu_v2);
    adopt();
    space_map(&s, 0, 0, KIB(4), GPU_PAGE_4K, &plain);
    const uint32_t live = s.live;
    s.fail_write_at = 1;
    gpu_tables_destroy(s.t);
    assert_true(s.live == live && live > their_live);
    for (uint32_t i = 0; i < SPACE_PAGES; i++) { /* by hand, for the books of the test */
        if (s.taken[i] && snapshot[(size_t)i * FL_PAGE_SIZE] == 0xa5) {
            s.taken[i] = 0;
        }
    }
    s.live = their_live;
    memcpy(s.memory, snapshot, SPACE_TABLE_BYTES);
    close_theirs();
}

/* A table of theirs in which nothing is left stays below a larger page of ours: more tables are
 * needed than without it, and gpu_tables_worst() is enough. */
static void need_beside_their_tables(void **state)
{
    (void)state;
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        open_both(formats[f]);
        for (uint64_t page = 0; page < 2; page++) {
            struct gpu_walk w;
            must_be(gpu_walk(&s.mem, formats[f], gpu_tables_root(theirs),
                             MIB(8) + KIB(40) + page * KIB(4), &w, &s.fail),
                    FL_OK, &s.fail);
            poke(w.level[w.levels - 1].entry_at, 0);
        }
        for (int sparse = 0; sparse < 2; sparse++) {
            const struct gpu_table_need few =
                sparse != 0 ? gpu_tables_worst_unmap(formats[f], MIB(8), MIB(2))
                            : gpu_tables_worst_map(formats[f], MIB(8), MIB(8), MIB(2), GPU_PAGE_2M);
            adopt();
            for (int enough = 0; enough < 2; enough++) {
                must_be(enough != 0 ? gpu_tables_prepare(s.t, MIB(8), MIB(2), &s.pool, &s.fail)
                                    : gpu_tables_prepare_need(s.t, &few, &s.pool, &s.fail),
                        FL_OK, &s.fail);
                must_be(sparse != 0 ? gpu_tables_unmap(s.t, &s.pool, MIB(8), MIB(2), true, &s.fail)
                                    : gpu_tables_map(s.t, &s.pool, MIB(8), MIB(8), MIB(2),
                                                     GPU_PAGE_2M, &plain, &s.fail),
                        enough != 0 ? FL_OK : FL_ESTATE, &s.fail);
                must_be(gpu_tables_compare(s.t, &s.fail), FL_OK, &s.fail);
            }
            must_be(gpu_tables_commit(s.t, &s.fail), FL_OK, &s.fail);
            gpu_tables_release(s.t, &s.pool);
            gpu_tables_destroy(s.t);
        }
        assert_int_equal(s.live, their_live);
        memcpy(s.memory, snapshot, SPACE_TABLE_BYTES);
        close_theirs();
    }
}

/* Their tables cannot be read: nothing is left of the attempt. */
static void nth_read_fails(void **state)
{
    enum fl_err err = FL_ELINKLOST;
    (void)state;
    open_both(&gpu_mmu_v2);
    for (uint64_t n = 1; err == FL_ELINKLOST; n++) {
        s.fail_read_at = n;
        err = gpu_tables_create(&s.mem, &gpu_mmu_v2, &s.source, gpu_tables_root(theirs), true, &s.t,
                                &s.fail);
        must_be(err, s.fail_read_at == 0 ? FL_ELINKLOST : FL_OK, &s.fail);
        assert_int_equal(s.live, their_live);
        assert_true(err == FL_OK || n < 64);
    }
    s.fail_read_at = 0;
    gpu_tables_destroy(s.t);
    untouched();
    close_theirs();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(foreign_entries_stay),
        cmocka_unit_test(nothing_is_written_for_nothing),
        cmocka_unit_test(what_is_taken),
        cmocka_unit_test(lying_tables),
        cmocka_unit_test(other_words_for_nothing),
        cmocka_unit_test(nth_allocation_fails),
        cmocka_unit_test(leaving_a_lost_gpu),
        cmocka_unit_test(need_beside_their_tables),
        cmocka_unit_test(nth_read_fails),
        cmocka_unit_test(hidden_entries_stay_hidden),
        cmocka_unit_test(source_gives_their_memory),
    };
    return cmocka_run_group_tests_name("GPU page tables of others", tests, NULL, NULL);
}
