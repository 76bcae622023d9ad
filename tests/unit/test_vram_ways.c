/* SPDX-License-Identifier: MIT */
/* The two ways to video memory, BAR1's windows and PRAMIN's, at their edges: what an access costs,
 * how short it may be, how far a window reaches. */
#include "tests/unit/rig_assert.h"

#include <stdlib.h>

#include "gsp/gpu.h"
#include "gsp/hw/window.h"
#include "gsp/vram/vram_priv.h"
#include "mm/heap.h"

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

static void (*body)(void);
static void with_client(void *arg)
{
    (void)arg;
    client = gsp_vram_open(rig.gpu, &fail);
    assert_non_null(client);
    body();
    gsp_vram_close(client);
}

static void on_a_chip(const char *chip, bool strict, void (*fn)(void))
{
    rig_open(&rig,
             &(struct rig_options){.chip = chip, .strict = strict ? MODEL_STRICT : MODEL_LENIENT});
    assert_int_equal(rig_boot(&rig), FL_OK);
    body = fn;
    rig_run(with_client, NULL);
    if (strict) {
        no_violation();
    }
    assert_true(rig_close(&rig));
    assert_int_equal(heap_live(), 0);
}

static uint32_t alloc(uint64_t bytes)
{
    uint32_t handle = 0;
    OK(gsp_vram_alloc(client, &(struct gsp_vram_request){.bytes = bytes}, &handle, &fail));
    return handle;
}

static void fill(uint32_t o, uint8_t byte)
{
    uint64_t done;
    OK(gsp_vram_fill(client, o, 0, MIB(1), &byte, 1, GSP_VRAM_BAR1, UINT64_MAX, &done, &fail));
}

/* ---- how short ---- */

/* Memory of just so many bytes on our side: nothing beside them is looked at. */
static void short_ones(void)
{
    static const uint8_t want[] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
    const uint32_t o = alloc(MIB(1));

    fill(o, 7);
    for (unsigned way = 0; way < 2; way++) {
        for (size_t n = 1; n < sizeof(want); n++) {
            uint8_t *p = malloc(n);
            assert_non_null(p);
            OK(gsp_vram_read(client, o, 5, p, n, (enum gsp_vram_way)way, &fail));
            assert_memory_equal(p, want, n);
            OK(gsp_vram_write(client, o, 5, p, n, (enum gsp_vram_way)way, &fail));
            free(p);
        }
    }
}
static void test_short(void **state)
{
    (void)state;
    on_a_chip("ga102", true, short_ones);
}

/* ---- what it costs ---- */

static uint64_t cost_of(uint32_t o, bool write)
{
    static uint8_t bytes[64];
    const struct gsp_snapshot before = rig_snapshot(&rig);

    if (write) {
        OK(gsp_vram_write(client, o, 0, bytes, sizeof(bytes), GSP_VRAM_BAR1, &fail));
    } else {
        OK(gsp_vram_read(client, o, 0, bytes, sizeof(bytes), GSP_VRAM_BAR1, &fail));
    }
    const struct gsp_snapshot now = rig_snapshot(&rig);
    return now.reg_reads + now.reg_writes - before.reg_reads - before.reg_writes;
}

/* All ones may be data or a GPU that is gone: only then one more read of a register tells. */
static void ones_are_looked_at(void)
{
    enum { BYTES = 64 / 8, WINDOW = 1 }; /* the window's register is read before each call */
    const uint32_t o = alloc(MIB(1));

    fill(o, 0x7f);
    assert_int_equal(cost_of(o, false), BYTES + WINDOW);
    fill(o, 0xff);
    assert_int_equal(cost_of(o, false), BYTES + WINDOW + 1);
    assert_int_equal(cost_of(o, true), BYTES + WINDOW);
}
static void test_ones(void **state)
{
    (void)state;
    on_a_chip("ga102", true, ones_are_looked_at);
}

/* ---- how far ---- */

static uint64_t reach;
static void to_the_end(void)
{
    struct gsp_hw *hw = &rig.gpu->hw;
    uint32_t word = 0;

    gsp_window_begin(hw);
    OK(gsp_window_read(hw, reach - sizeof(word), &word, sizeof(word), &fail));
    ERR(FL_EINVAL, gsp_window_read(hw, reach - 3, &word, sizeof(word), &fail));
    ERR(FL_EINVAL, gsp_window_write(hw, reach, &word, 1, &fail));
    ERR(FL_EINVAL, gsp_window_read(hw, 0, &word, reach + 1, &fail));
    ERR(FL_EINVAL, gsp_window_read(hw, UINT64_MAX, &word, 2, &fail));
    gsp_window_end(hw);
}
static void test_reach(void **state)
{
    static const struct {
        const char *chip;
        unsigned bits; /* of the register that moves the window, which counts 64 KiB */
    } chips[] = {{"tu102", 24}, {"ad102", 24}, {"gh100", 22}, {"gb202", 23}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(chips); i++) {
        reach = KIB(64) << chips[i].bits;
        on_a_chip(chips[i].chip, false, to_the_end); /* no board has so much: the model says so */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short),
        cmocka_unit_test(test_ones),
        cmocka_unit_test(test_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
