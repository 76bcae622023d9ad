/* SPDX-License-Identifier: MIT */
/*
 * Suspend and resume, Turing to Ada with both firmware versions: the GPU loses its power in
 * between, objects in the resource manager are still there afterwards, and everything ends clean;
 * again and again across the wrap of the queues; and what goes wrong is named and can be booted
 * over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/host/host.h"
#include "arch/log.h"
#include "gsp/hw/chips.h"
#include "mm/dma.h"
#include "tests/unit/rig_assert.h"

#define CYCLES 24 /* with some 7 messages each: twice around 63 slots */

static const struct {
    const char *chip, *version;
} cases[] = {
    {"tu102", "570.144"},    {"tu102", "535.113.01"}, {"tu116", "570.144"},
    {"ga100", "570.144"},    {"ga100", "535.113.01"}, {"ga102", "570.144"},
    {"ga102", "535.113.01"}, {"ad102", "570.144"},    {"ad102", "535.113.01"},
};

static enum fl_err result;
static void do_suspend(void *arg) { result = gsp_suspend(arg); }
static void do_resume(void *arg) { result = gsp_resume(arg); }

static enum fl_err suspend(void)
{
    rig_run(do_suspend, rig.gpu);
    return result;
}
static enum fl_err resume(void)
{
    rig_run(do_resume, rig.gpu);
    return result;
}

static void ok(enum fl_err err)
{
    if (err != FL_OK) {
        const struct gsp_snapshot s = rig_snapshot(&rig);
        no_violation();
        fail_msg("%s: %s: %s [%s]", s.chip, s.fail.stage, s.fail.text, s.fail.hint);
    }
}

/* An object of before answers: the board's name by its own subdevice. */
static void do_control(void *arg)
{
    enum { GPU_GET_NAME_STRING = 0x20800110, ASCII = 0 };
    uint8_t params[132] = {ASCII};
    uint32_t status = 1;
    struct fl_fail fail = {0};
    (void)arg;
    result = gsp_rm_control(rig.gpu, GSP_OBJECT_SUBDEVICE, GPU_GET_NAME_STRING, params,
                            sizeof(params), US_PER_S, &status, &fail);
    result = result == FL_OK && status != 0 ? FL_EIO : result;
}

static void open_case(unsigned i)
{
    const struct rig_options opt = {.chip = cases[i].chip,
                                    .version = cases[i].version,
                                    .strict = MODEL_STRICT,
                                    .compare = true};
    rig_open(&rig, &opt);
    boots();
}

static void there_and_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        open_case(i);
        ok(suspend());
        assert_int_equal(rig_snapshot(&rig).state, GSP_SUSPENDED);
        assert_false(model().wpr2_up || model().gsp_running);
        rig_power_cycle(&rig);
        ok(resume());
        assert_int_equal(rig_snapshot(&rig).state, GSP_READY);
        assert_true(model().gsp_running && model().wpr2_up);
        assert_int_equal(model().gsp_resumes, 1);
        const uint64_t irqs = rig.irqs;
        rig_run(do_control, NULL);
        assert_int_equal(result, FL_OK);
        assert_true(rig.irqs > irqs); /* the vector was set up anew */
        assert_int_equal(rig_unload(&rig), FL_OK);
        assert_false(model().wpr2_up || model().gsp_running);
        boots(); /* a cold boot as ever */
        no_violation();
        assert_true(rig_close(&rig));
    }
}

static void around_the_queues(void **state)
{
    struct dma_stats first, now;
    (void)state;
    for (unsigned i = 5; i < 7; i++) { /* both versions */
        open_case(i);
        dma_get_stats(&first);
        for (unsigned n = 0; n < CYCLES; n++) {
            ok(suspend());
            rig_power_cycle(&rig);
            ok(resume());
            rig_run(do_control, NULL);
            assert_int_equal(result, FL_OK);
            dma_get_stats(&now);
            assert_int_equal(now.live_bytes, first.live_bytes);
        }
        assert_int_equal(rig_unload(&rig), FL_OK);
        no_violation();
        assert_true(rig_close(&rig));
    }
}

/* Not every state and family can. */
static void refused(void **state)
{
    const struct rig_options fsp = {.chip = "gb202", .strict = MODEL_STRICT};
    (void)state;
    open_strict(NULL);
    assert_int_equal(suspend(), FL_ESTATE);
    boots();
    assert_int_equal(resume(), FL_ESTATE);
    ok(suspend());
    assert_int_equal(suspend(), FL_ESTATE);
    assert_int_equal(rig_unload(&rig), FL_ESTATE);
    boots(); /* what was saved is given up */
    no_violation();
    assert_true(rig_close(&rig));

    rig_open(&rig, &fsp);
    boots();
    assert_int_equal(suspend(), FL_ENOTSUP);
    assert_int_equal(rig_snapshot(&rig).state, GSP_READY);
    assert_true(rig_close(&rig));

    open_strict(NULL); /* destroyed while suspended */
    boots();
    ok(suspend());
    assert_true(rig_close(&rig));
}

/* Without memory for the save area nothing happens; a GPU that does not come back is named. */
static void what_goes_wrong(void **state)
{
    (void)state;
    open_strict(NULL);
    boots();
    (void)host_fail_alloc_at(2); /* 1: the stack of the fiber */
    ;
    assert_int_equal(suspend(), FL_ENOMEM);
    assert_int_equal(rig_snapshot(&rig).state, GSP_READY);
    ok(suspend());
    model_unplug(rig.model);
    assert_int_equal(resume(), FL_ELINKLOST);
    assert_string_equal(rig_snapshot(&rig).fail.stage, "resume");
    rig_power_cycle(&rig);
    boots();
    no_violation();
    assert_true(rig_close(&rig));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(around_the_queues),
        cmocka_unit_test(refused),
        cmocka_unit_test(what_goes_wrong),
    };
    log_set_level(LOG_DEBUG);
    host_log_to_stderr(getenv("RIG_LOG") != NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
