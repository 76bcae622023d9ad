/* SPDX-License-Identifier: MIT */
/*
 * What takes the GPU's memory a while in the model: a TLB invalidate, flushes.
 * The bits that are polled say so, the effect comes at the end, and a fault keeps it from ending.
 */
#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/bus/bar.h"
#include "tests/model/gsp/gsp_static.h"
#include "tests/unit/mini_assert.h"
#include "tests/unit/mini_channel.h"

enum { BAR1 = 1, OLD = 0x6000000, NEW = 0x6001000, ALL_VA = 1, ALL_PDB = 2, SECONDS = 10000000 };
#define TRIGGER    0x80000000u
#define INVALIDATE NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE__OFFSET

static const uint32_t flushes[] = {NV_UFLUSH_FB_FLUSH__OFFSET,
                                   NV_UFLUSH_L2_SYSMEM_INVALIDATE__OFFSET,
                                   NV_UFLUSH_L2_FLUSH_DIRTY__OFFSET};

static void open_with(const char *fault)
{
    const char *const faults[] = {fault, NULL};
    const struct model_config cfg = {.faults = fault != NULL ? faults : NULL};
    mini_open(&d, &cfg, false);
}

/* BAR1 shows OLD, which has been used; then the tables say NEW. */
static void mapped_elsewhere(const char *fault)
{
    uint64_t inst;
    open_with(fault);
    assert_true(mini_boot(&d));
    chan_put64(&d, model_rm_bar_root(d.m, MODEL_BAR1, &inst), chan_tables(&d));
    chan_put64(&d, OLD, 0x01d);
    chan_put64(&d, NEW, 0x2e7);
    chan_put64(&d, CHAN_PT, OLD >> 4 | 1);
    assert_int_equal(model_bar_read(d.m, BAR1, 0, 4), 0x01d);
    chan_put64(&d, CHAN_PT, NEW >> 4 | 1);
}

static void an_invalidate_takes_a_while(void **state)
{
    (void)state;
    mapped_elsewhere(NULL);
    mini_wr(&d, INVALIDATE, TRIGGER | ALL_VA | ALL_PDB);
    assert_int_equal(mini_rd(&d, INVALIDATE), TRIGGER | ALL_VA | ALL_PDB);
    model_run(d.m); /* no time has passed */
    assert_int_equal(mini_rd(&d, INVALIDATE), TRIGGER | ALL_VA | ALL_PDB);
    assert_true(mini_poll(&d, INVALIDATE, TRIGGER, 0, 100));
    assert_int_equal(mini_rd(&d, INVALIDATE), ALL_VA | ALL_PDB);
    assert_int_equal(model_bar_read(d.m, BAR1, 0, 4), 0x2e7);
    no_rule_broken();
}

static void its_effect_comes_at_the_end(void **state)
{
    (void)state;
    mapped_elsewhere(NULL);
    mini_wr(&d, INVALIDATE, TRIGGER | ALL_VA | ALL_PDB);
    assert_int_equal(model_bar_read(d.m, BAR1, 0, 4), 0x01d); /* not yet */
    assert_string_equal(model_first_violation(d.m)->rule, "mmu.invalidate-unawaited");
    assert_true(mini_poll(&d, INVALIDATE, TRIGGER, 0, 100));
    assert_int_equal(model_bar_read(d.m, BAR1, 0, 4), 0x2e7);
}

/* Not polled, but long enough ago: as good (tinygrad). */
static void waiting_is_as_good_as_polling(void **state)
{
    (void)state;
    mapped_elsewhere(NULL);
    mini_wr(&d, INVALIDATE, TRIGGER | ALL_VA | ALL_PDB);
    mini_pass(&d, 1000);
    assert_int_equal(model_bar_read(d.m, BAR1, 0, 4), 0x2e7);
    no_rule_broken();
}

static void one_that_never_ends(void **state)
{
    (void)state;
    mapped_elsewhere("busy=invalidate:n=2");
    mini_wr(&d, INVALIDATE, TRIGGER | ALL_VA | ALL_PDB);
    assert_true(mini_poll(&d, INVALIDATE, TRIGGER, 0, 100));
    mini_wr(&d, INVALIDATE, TRIGGER | ALL_VA | ALL_PDB);
    assert_false(mini_poll(&d, INVALIDATE, TRIGGER, 0, SECONDS));
    model_reset(d.m, MODEL_RESET_BUS);
    assert_int_equal(mini_rd(&d, INVALIDATE), 0);
}

static void flushes_take_a_while(void **state)
{
    (void)state;
    open_with(NULL);
    for (size_t i = 0; i < ARRAY_SIZE(flushes); i++) {
        assert_int_equal(mini_rd(&d, flushes[i]), 0);
        mini_wr(&d, flushes[i], 0); /* asks for nothing */
        assert_int_equal(mini_rd(&d, flushes[i]), 0);
        mini_wr(&d, flushes[i], 1);
        for (size_t k = 0; k < ARRAY_SIZE(flushes); k++) {
            assert_int_equal(mini_rd(&d, flushes[k]), k == i ? 3 : 0); /* pending, outstanding */
        }
        assert_true(mini_poll(&d, flushes[i], 3, 0, 100));
    }
    no_rule_broken();
}

static void a_flush_that_never_ends(void **state)
{
    (void)state;
    open_with("busy=flush");
    mini_wr(&d, flushes[0], 1);
    mini_wr(&d, flushes[1], 1);
    assert_true(mini_poll(&d, flushes[1], 3, 0, 100));
    assert_false(mini_poll(&d, flushes[0], 3, 0, SECONDS));
    model_reset(d.m, MODEL_RESET_BUS);
    assert_int_equal(mini_rd(&d, flushes[0]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_invalidate_takes_a_while, close_it),
        cmocka_unit_test_teardown(its_effect_comes_at_the_end, close_it),
        cmocka_unit_test_teardown(waiting_is_as_good_as_polling, close_it),
        cmocka_unit_test_teardown(one_that_never_ends, close_it),
        cmocka_unit_test_teardown(flushes_take_a_while, close_it),
        cmocka_unit_test_teardown(a_flush_that_never_ends, close_it),
    };
    return cmocka_run_group_tests_name("model waits", tests, NULL, NULL);
}
