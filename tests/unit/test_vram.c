/* SPDX-License-Identifier: MIT */
/*
 * A GPU's memory, managed, against the model: objects, contents by BAR1 and PRAMIN, address spaces,
 * what the GPU's own translation makes of them, and the ends of a GPU's life. One chip of each
 * format.
 */
#include "tests/unit/rig_assert.h"

#include "arch/host/host.h"
#include "arch/lockorder.h"
#include "gsp/gpu.h"
#include "gsp/hw/window.h"
#include "gsp/vram/vram_priv.h"
#include "mm/heap.h"

static const char *const chips[] = {"tu102", "ga102", "gh100", "gb202"};

static struct fl_fail fail;
static struct gsp_vram_client *client;

#define OK(call)       (fl_fail_clear(&fail), is_ok((call), #call, __LINE__))
#define ERR(err, call) (fl_fail_clear(&fail), assert_int_equal((call), (err)))
static void is_ok(enum fl_err err, const char *call, int line)
{
    if (err != FL_OK) {
        fail_msg("line %d: %s: %s: %s", line, call, fl_err_name(err), fail.text);
    }
}

static void open_chip(const char *chip)
{
    rig_open(&rig, &(struct rig_options){.chip = chip, .strict = MODEL_STRICT});
    assert_int_equal(rig_boot(&rig), FL_OK);
}

static void close_chip(void)
{
    no_violation();
    assert_int_equal(lockorder_inversions(), 0);
    assert_true(rig_close(&rig));
    assert_int_equal(heap_live(), 0);
}

/* What a test does, in a fiber, with a client of the ready GPU. */
static void (*body)(void);
static void with_client(void *arg)
{
    (void)arg;
    fl_fail_clear(&fail);
    client = gsp_vram_open(rig.gpu, &fail);
    if (client == NULL) {
        fail_msg("open: %s", fail.text);
    }
    body();
    gsp_vram_close(client);
}

static void on_each_chip(void (*fn)(void))
{
    for (size_t i = 0; i < ARRAY_SIZE(chips); i++) {
        open_chip(chips[i]);
        body = fn;
        rig_run(with_client, NULL);
        close_chip();
    }
}

static uint32_t alloc(uint64_t bytes)
{
    uint32_t handle = 0;
    OK(gsp_vram_alloc(client, &(struct gsp_vram_request){.bytes = bytes}, &handle, &fail));
    assert_int_not_equal(handle, 0);
    return handle;
}

static void fill(uint32_t o, uint64_t offset, uint64_t len, const char *bytes, uint32_t n)
{
    uint64_t done;
    OK(gsp_vram_fill(client, o, offset, len, bytes, n, GSP_VRAM_BAR1, UINT64_MAX, &done, &fail));
    assert_int_equal(done, len);
}

static void pattern(uint8_t *p, size_t n, unsigned seed)
{
    for (size_t i = 0; i < n; i++) {
        p[i] = (uint8_t)(i * 7 + seed + (i >> 8));
    }
}

/* ---- contents ---- */

static uint8_t out[10000], in[10000];

/* What goes in by one way comes out by the other, wherever it begins and whatever its length. */
static void both_ways(void)
{
    static const uint64_t offsets[] = {0, 1, 3, 4090, MIB(2) - 5, MIB(3) - 4096};
    const uint32_t o = alloc(MIB(3) + 8192);

    for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
        for (unsigned way = 0; way < 2; way++) {
            pattern(out, sizeof(out), (unsigned)i * 3 + way);
            OK(gsp_vram_write(client, o, offsets[i], out, sizeof(out), (enum gsp_vram_way)way,
                              &fail));
            OK(gsp_vram_read(client, o, offsets[i], in, sizeof(in), (enum gsp_vram_way) !way,
                             &fail));
            assert_memory_equal(in, out, sizeof(in));
        }
    }
    ERR(FL_EINVAL, gsp_vram_read(client, o, MIB(3), in, 8193, GSP_VRAM_BAR1, &fail));
    ERR(FL_EINVAL, gsp_vram_write(client, o, UINT64_MAX, out, 2, GSP_VRAM_BAR1, &fail));
    ERR(FL_ENOENT, gsp_vram_read(client, o + 100, 0, in, 1, GSP_VRAM_BAR1, &fail));
    fill(o, 4093, 5000, "abc", 3);
    OK(gsp_vram_read(client, o, 4092, in, 5002, GSP_VRAM_PRAMIN, &fail));
    assert_memory_equal(in + 1, "abcabcabc", 9);
    assert_int_equal(in[5000], "abc"[4999 % 3]);
    assert_int_not_equal(in[0], 'c');
    OK(gsp_vram_free(client, o, &fail));
    ERR(FL_ENOENT, gsp_vram_free(client, o, &fail));
}
static void test_both_ways(void **state)
{
    (void)state;
    on_each_chip(both_ways);
}

/* A fill stops when its time is over, and says how far it got; or when nobody wants it any more. */
static bool is_wanted(void *ctx) { return (*(unsigned *)ctx)-- > 0; }

static void fill_stops(void)
{
    const uint32_t o = alloc(MIB(2));
    unsigned pieces = 3;
    uint64_t done;

    fill(o, 0, MIB(2), "a", 1);
    OK(gsp_vram_fill(client, o, 0, MIB(2), "abc", 3, GSP_VRAM_BAR1, 0, &done, &fail));
    assert_in_range(done, 1, MIB(2) - 1);
    assert_int_equal(done % 3, 0); /* it goes on from there */
    OK(gsp_vram_read(client, o, done - 3, in, 5, GSP_VRAM_BAR1, &fail));
    assert_memory_equal(in, "abcaa", 5);
    gsp_vram_while(client, is_wanted, &pieces);
    ERR(FL_ECANCELED,
        gsp_vram_fill(client, o, 0, MIB(2), "x", 1, GSP_VRAM_BAR1, UINT64_MAX, &done, &fail));
    assert_non_null(strstr(fail.text, "who asked for it has gone"));
    assert_true(done >= 3 * 4096 && done < MIB(1));
    OK(gsp_vram_read(client, o, done - 1, in, 2, GSP_VRAM_BAR1, &fail));
    assert_true(in[0] == 'x' && in[1] != 'x');
    const uint64_t objects = client->object_count;
    uint32_t cleared;
    pieces = 1;
    ERR(FL_ECANCELED,
        gsp_vram_alloc(client, &(struct gsp_vram_request){.bytes = MIB(1), .clear = true}, &cleared,
                       &fail));
    assert_int_equal(client->object_count, objects);
    gsp_vram_while(client, NULL, NULL);
    OK(gsp_vram_fill(client, o, 0, 0, "x", 1, GSP_VRAM_BAR1, 0, &done, &fail));
    assert_int_equal(done, 0);
    OK(gsp_vram_free(client, o, &fail));
}
static void test_fill_stops(void **state)
{
    (void)state;
    on_each_chip(fill_stops);
}

/* The window is where it was found, also when somebody moves it by hand in between; neighbours cost
 * no move. */
static void window_is_put_back(void)
{
    const bool old = (rig.gpu->hw.family->parts & GSP_PART_FSP) == 0;
    const uint32_t off = old ? NV_PBUS_BAR0_WINDOW__OFFSET : NV_XAL_EP_BAR0_WINDOW__OFFSET;
    const uint32_t o = alloc(MIB(4));
    uint32_t value = 0;
    uint64_t moves;

    fill(o, 0, MIB(4), "q", 1);
    OK(gsp_reg_write(rig.gpu, off, 0x123, &fail));
    OK(gsp_vram_read(client, o, MIB(1) - 64, in, 4096, GSP_VRAM_PRAMIN, &fail));
    OK(gsp_reg_read(rig.gpu, off, &value, &fail));
    assert_int_equal(value, 0x123);
    gsp_window_begin(&rig.gpu->hw);
    OK(gsp_vram_read(client, o, 0, in, 64, GSP_VRAM_PRAMIN, &fail));
    moves = rig.gpu->hw.window.moves;
    OK(gsp_vram_read(client, o, 64, in, 4096, GSP_VRAM_PRAMIN, &fail));
    assert_int_equal(rig.gpu->hw.window.moves, moves);
    OK(gsp_reg_write(rig.gpu, off, 0x456, &fail));
    OK(gsp_vram_read(client, o, 4096, in, 64, GSP_VRAM_PRAMIN, &fail));
    assert_int_equal(in[0], 'q');
    assert_true(rig.gpu->hw.window.moves > moves);
    gsp_window_end(&rig.gpu->hw);
    OK(gsp_reg_read(rig.gpu, off, &value, &fail));
    assert_int_equal(value, 0x456);
    OK(gsp_reg_write(rig.gpu, off, 0, &fail));
    OK(gsp_vram_free(client, o, &fail));
}
static void test_window(void **state)
{
    (void)state;
    on_each_chip(window_is_put_back);
}

/* ---- allocation ---- */

static void allocation(void)
{
    struct gsp_vram_stats before, now;
    struct gsp_vram_info info;
    uint32_t a, b, cursor = 0;

    gsp_vram_get_stats(rig.gpu, &before);
    assert_true(before.managed);
    assert_true(before.free_bytes > GIB(1));
    OK(gsp_vram_alloc(
        client,
        &(struct gsp_vram_request){.bytes = MIB(5) + 1, .align = MIB(2), .contiguous = true}, &a,
        &fail));
    OK(gsp_vram_describe(client, a, &info, &fail));
    assert_int_equal(info.bytes, MIB(5) + 4096);
    assert_int_equal(info.extent_count, 1);
    assert_int_equal(info.extent[0].base % MIB(2), 0);
    OK(gsp_vram_alloc(
        client, &(struct gsp_vram_request){.bytes = 4096, .min = GIB(1), .max = GIB(1) + MIB(1)},
        &b, &fail));
    OK(gsp_vram_describe(client, b, &info, &fail));
    assert_in_range(info.extent[0].base, GIB(1), GIB(1) + MIB(1) - 4096);
    gsp_vram_get_stats(rig.gpu, &now);
    assert_int_equal(now.objects, 2);
    assert_int_equal(now.object_bytes, MIB(5) + 8192);
    assert_int_equal(before.free_bytes - now.free_bytes, MIB(5) + 8192);
    assert_true(gsp_vram_list(rig.gpu, &cursor, &info) && info.handle == a);
    assert_true(gsp_vram_list(rig.gpu, &cursor, &info) && info.handle == b);
    assert_false(gsp_vram_list(rig.gpu, &cursor, &info));
    ERR(FL_EINVAL, gsp_vram_alloc(client, &(struct gsp_vram_request){.bytes = 0}, &a, &fail));
    ERR(FL_EINVAL,
        gsp_vram_alloc(client, &(struct gsp_vram_request){.bytes = UINT64_MAX}, &a, &fail));
    ERR(FL_EINVAL, gsp_vram_alloc(client, &(struct gsp_vram_request){.bytes = 4096, .align = 12345},
                                  &a, &fail));
    ERR(FL_ENOMEM,
        gsp_vram_alloc(client, &(struct gsp_vram_request){.bytes = now.free_bytes + MIB(6)}, &a,
                       &fail));
    assert_non_null(strstr(fail.text, "are free"));
    gsp_vram_get_stats(rig.gpu, &now);
    assert_int_equal(now.evictions, 0); /* it would not have helped */
    /* All that is left, in as many pieces as it takes. */
    OK(gsp_vram_alloc(client, &(struct gsp_vram_request){.bytes = now.free_bytes}, &a, &fail));
    OK(gsp_vram_free(client, a, &fail));
}
static void test_allocation(void **state)
{
    (void)state;
    on_each_chip(allocation);
}

/* ---- address spaces ---- */

static void map_and_look(enum gsp_vm_kind kind)
{
    static const enum gpu_page pages[] = {GPU_PAGE_4K, GPU_PAGE_64K, GPU_PAGE_2M};
    const uint32_t o = alloc(MIB(8));
    struct gsp_vm_info info;
    uint32_t vm;

    OK(gsp_vm_create(client, kind, kind == GSP_VM_BAR1 ? MIB(64) : 0, &vm, &fail));
    for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
        struct gsp_vm_map m = {
            .object = o, .len = MIB(8), .va = GSP_VM_ANYWHERE, .largest = pages[i]};
        struct gpu_walk w;
        bool agrees = false;
        OK(gsp_vm_map(client, vm, &m, NULL, &fail));
        OK(gsp_vm_walk(client, vm, m.va + MIB(3) + 12345, &w, &agrees, &fail));
        assert_int_equal(w.end, GPU_WALK_MAPPED);
        assert_int_equal(w.page, pages[i]);
        assert_true(agrees);
        assert_in_range(w.levels, 4, GPU_WALK_LEVELS);
        pattern(out, sizeof(out), (unsigned)i);
        OK(gsp_vm_write(client, vm, m.va + MIB(2) - 777, out, sizeof(out), &fail));
        OK(gsp_vram_read(client, o, MIB(2) - 777, in, sizeof(in), GSP_VRAM_PRAMIN, &fail));
        assert_memory_equal(in, out, sizeof(in));
        memset(in, 0, sizeof(in));
        OK(gsp_vm_read(client, vm, m.va + MIB(2) - 777, in, sizeof(in), &fail));
        assert_memory_equal(in, out, sizeof(in));
    }
    ERR(FL_EBUSY, gsp_vram_free(client, o, &fail));
    OK(gsp_vm_describe(client, vm, &info, &fail));
    assert_true(info.mappings >= ARRAY_SIZE(pages));
    assert_true(info.table_bytes > 0);
    OK(gsp_vm_destroy(client, vm, &fail));
    ERR(FL_ENOENT, gsp_vm_destroy(client, vm, &fail));
    OK(gsp_vram_free(client, o, &fail));
}
static void engines(void) { map_and_look(GSP_VM_ENGINES); }
static void bar1(void) { map_and_look(GSP_VM_BAR1); }
static void test_spaces(void **state)
{
    (void)state;
    on_each_chip(engines);
    on_each_chip(bar1);
}

/* ---- places that are chosen ---- */

static uint64_t choose(uint32_t vm, uint32_t o, uint64_t len)
{
    struct gsp_vm_map m = {.object = o, .len = len, .va = GSP_VM_ANYWHERE};
    OK(gsp_vm_map(client, vm, &m, NULL, &fail));
    return m.va;
}

/* What is unmapped of a place is free, wherever in it; the rest is not. */
static void places(void)
{
    static const uint64_t cuts[][2] = {{2, 3}, {0, 1}, {7, 8}, {3, 5}, {1, 2}, {5, 7}};
    const uint32_t o = alloc(MIB(8));
    struct gsp_vm_map m = {.object = o, .len = MIB(1), .va = GSP_VM_ANYWHERE};
    struct gpu_walk w;
    uint32_t vm;

    OK(gsp_vm_create(client, GSP_VM_BAR1, MIB(8), &vm, &fail));
    const uint64_t base = choose(vm, o, MIB(8));
    ERR(FL_ENOSPC, gsp_vm_map(client, vm, &m, NULL, &fail));
    for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
        const uint64_t va = base + cuts[i][0] * MIB(1), len = (cuts[i][1] - cuts[i][0]) * MIB(1);
        OK(gsp_vm_unmap(client, vm, va, len, NULL, &fail));
        assert_int_equal(choose(vm, o, len), va);
        m.va = GSP_VM_ANYWHERE;
        ERR(FL_ENOSPC, gsp_vm_map(client, vm, &m, NULL, &fail));
        OK(gsp_vm_walk(client, vm, va, &w, NULL, &fail));
        assert_int_equal(w.end, GPU_WALK_MAPPED);
    }
    /* over two places and a part of a third */
    OK(gsp_vm_unmap(client, vm, base + MIB(2), MIB(4), NULL, &fail));
    assert_int_equal(choose(vm, o, MIB(4)), base + MIB(2));
    /* said where, then unmapped in part: what is left is not chosen */
    OK(gsp_vm_unmap(client, vm, base, MIB(8), NULL, &fail));
    m.va = base + MIB(1);
    m.len = MIB(4);
    OK(gsp_vm_map(client, vm, &m, NULL, &fail));
    assert_int_equal(choose(vm, o, MIB(2)), base + MIB(5));
    OK(gsp_vm_unmap(client, vm, base + MIB(2), MIB(2), NULL, &fail));
    assert_int_equal(choose(vm, o, MIB(2)), base + MIB(2));
    assert_int_equal(choose(vm, o, MIB(1)), base);
    assert_int_equal(choose(vm, o, MIB(1)), base + MIB(7));
    m.len = KIB(4);
    m.va = GSP_VM_ANYWHERE;
    ERR(FL_ENOSPC, gsp_vm_map(client, vm, &m, NULL, &fail));
    OK(gsp_vm_destroy(client, vm, &fail));
    OK(gsp_vram_free(client, o, &fail));
}
static void test_places(void **state)
{
    (void)state;
    on_each_chip(places);
}

/* ---- eviction ---- */

static bool is_evicted(uint32_t o)
{
    struct gsp_vram_info info;
    OK(gsp_vram_describe(client, o, &info, &fail));
    return info.evicted;
}

/* Short of room the oldest goes to RAM; contents and mappings are there when it comes back. */
static void eviction(void)
{
    struct gsp_vram_stats s;
    struct gpu_walk w;
    uint32_t vm, rest, extra, pinned;
    const uint32_t first = alloc(MIB(3) + 4096), second = alloc(MIB(2));
    struct gsp_vm_map m = {.object = first, .len = MIB(3), .va = GSP_VM_ANYWHERE};

    OK(gsp_vram_alloc(client, &(struct gsp_vram_request){.bytes = MIB(1), .pinned = true}, &pinned,
                      &fail));
    OK(gsp_vm_create(client, GSP_VM_ENGINES, 0, &vm, &fail));
    OK(gsp_vm_map(client, vm, &m, NULL, &fail));
    pattern(out, sizeof(out), 77);
    OK(gsp_vm_write(client, vm, m.va + MIB(2) - 50, out, sizeof(out), &fail));
    fill(second, 0, MIB(2), "x", 1);
    gsp_vram_get_stats(rig.gpu, &s);
    OK(gsp_vram_alloc(client, &(struct gsp_vram_request){.bytes = s.free_bytes, .pinned = true},
                      &rest, &fail));
    assert_false(is_evicted(first));
    extra = alloc(MIB(1)); /* `first` was used before `second` */
    assert_true(is_evicted(first));
    assert_false(is_evicted(second));
    gsp_vram_get_stats(rig.gpu, &s);
    assert_int_equal(s.evictions, 1);
    assert_int_equal(s.evicted_bytes, MIB(3) + 4096);
    OK(gsp_vm_walk(client, vm, m.va, &w, NULL, &fail));
    assert_int_equal(w.end, GPU_WALK_UNMAPPED);
    /* It comes back by its mapping; `second` and `extra` make room in that order. */
    memset(in, 0, sizeof(in));
    OK(gsp_vm_read(client, vm, m.va + MIB(2) - 50, in, sizeof(in), &fail));
    assert_memory_equal(in, out, sizeof(in));
    assert_false(is_evicted(first));
    assert_true(is_evicted(second));
    OK(gsp_vm_walk(client, vm, m.va, &w, NULL, &fail));
    assert_int_equal(w.end, GPU_WALK_MAPPED);
    /* By its handle, too, and freed while it is away. */
    OK(gsp_vram_free(client, extra, &fail));
    OK(gsp_vram_free(client, rest, &fail));
    OK(gsp_vram_read(client, second, MIB(2) - 9, in, 9, GSP_VRAM_PRAMIN, &fail));
    assert_memory_equal(in, "xxxxxxxxx", 9);
    gsp_vram_get_stats(rig.gpu, &s);
    assert_int_equal(s.evicted_bytes, 0);
    assert_int_equal(s.returns, s.evictions);
    OK(gsp_vram_alloc(client, &(struct gsp_vram_request){.bytes = s.free_bytes, .pinned = true},
                      &rest, &fail));
    extra = alloc(4096);
    assert_true(is_evicted(first) || is_evicted(second));
    assert_false(is_evicted(pinned));
    OK(gsp_vm_unmap(client, vm, m.va, MIB(3), NULL, &fail));
    OK(gsp_vram_free(client, first, &fail));
    OK(gsp_vram_free(client, second, &fail));
    gsp_vram_get_stats(rig.gpu, &s);
    assert_int_equal(s.evicted_bytes, 0);
}
static void test_eviction(void **state)
{
    (void)state;
    on_each_chip(eviction);
}

/* ---- the end of a life ---- */

static bool ignore_run(void *ctx, const struct gpu_run *run)
{
    (void)ctx;
    (void)run;
    return true;
}

static void unload_within(void)
{
    struct gsp_vm_info info;
    struct range hidden;
    uint64_t bytes;
    uint32_t vm, handle;
    const uint32_t o = alloc(MIB(4));
    struct gsp_vm_map m = {.object = o, .len = MIB(4), .va = GSP_VM_ANYWHERE};

    OK(gsp_vm_create(client, GSP_VM_BAR1, MIB(8), &vm, &fail)); /* stays mapped when all ends */
    OK(gsp_vm_map(client, vm, &m, NULL, &fail));
    m.va = GSP_VM_ANYWHERE;
    OK(gsp_vm_create(client, GSP_VM_ENGINES, 0, &vm, &fail));
    OK(gsp_vm_map(client, vm, &m, NULL, &fail));
    fill(o, 0, MIB(4), "z", 1);
    assert_int_equal(gsp_unload(rig.gpu), FL_OK);
    ERR(FL_ECANCELED, gsp_vram_read(client, o, 0, in, 16, GSP_VRAM_BAR1, &fail));
    ERR(FL_ECANCELED,
        gsp_vram_alloc(client, &(struct gsp_vram_request){.bytes = 1}, &handle, &fail));
    ERR(FL_ECANCELED, gsp_vm_unmap(client, vm, m.va, m.len, NULL, &fail));
    ERR(FL_ECANCELED, gsp_vm_dump(client, vm, m.va, m.len, 100, ignore_run, NULL, &fail));
    OK(gsp_vm_describe(client, vm, &info, &fail)); /* how it stood */
    assert_int_equal(info.mappings, 1);
    ERR(FL_ECANCELED, gsp_vm_destroy(client, vm, &fail));
    ERR(FL_ECANCELED, gsp_vram_free(client, o, &fail));
    ERR(FL_ECANCELED, gsp_vram_reach(client, &bytes, &hidden, &fail));
    ERR(FL_ECANCELED, gsp_vm_create(client, GSP_VM_ENGINES, 0, &vm, &fail));
    assert_non_null(strstr(fail.hint, "new session"));
    assert_null(gsp_vram_open(rig.gpu, &fail));
    assert_int_equal(gsp_boot(rig.gpu), FL_OK);
    ERR(FL_ECANCELED, gsp_vram_read(client, o, 0, in, 16, GSP_VRAM_BAR1, &fail));
    gsp_vram_close(client);
    client = gsp_vram_open(rig.gpu, &fail);
    assert_non_null(client);
    both_ways();
}
static void test_unload(void **state)
{
    (void)state;
    on_each_chip(unload_within);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways), cmocka_unit_test(test_fill_stops),
        cmocka_unit_test(test_window),    cmocka_unit_test(test_allocation),
        cmocka_unit_test(test_spaces),    cmocka_unit_test(test_places),
        cmocka_unit_test(test_eviction),  cmocka_unit_test(test_unload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
