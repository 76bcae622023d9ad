/* SPDX-License-Identifier: MIT */
/*
 * Orders to the GPU's fiber: each in each state, two at once, one in the middle of a boot, one
 * whose giver has gone, resets of every kind and after a failure; calls that are under way
 * meanwhile.
 */
#include "tests/unit/rig_assert.h"

#include <stdlib.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "arch/lockorder.h"
#include "gsp/gpu.h"

#define CMD_GSP_GET_FEATURES 0x20803601u

static volatile bool stop;
static bool ended;
static struct fl_fail fail;

static void runs(void *arg)
{
    (void)arg;
    gsp_run(rig.gpu, &stop);
    ended = true;
}
static enum gsp_state state_now(void) { return rig_snapshot(&rig).state; }
static void until(enum gsp_state s)
{
    while (state_now() != s) {
        fiber_sleep_us(1000);
    }
}
static void starts(void)
{
    stop = ended = false;
    assert_non_null(fiber_spawn("gpu", runs, NULL, FIBER_STACK_DEFAULT * 2));
}
static void stops(void)
{
    stop = true;
    while (!ended) {
        fiber_sleep_us(1000);
    }
}
static enum fl_err order_of(enum gsp_order o, enum gsp_reset_kind k)
{
    fl_fail_clear(&fail);
    return gsp_order(rig.gpu, o, k, deadline_in_us(300 * US_PER_S), &fail);
}
static enum fl_err order(enum gsp_order o) { return order_of(o, GSP_RESET_AUTO); }
static void refused(enum gsp_order o, enum fl_err err, const char *words)
{
    assert_int_equal(order(o), err);
    assert_int_equal(fail.err, err);
    if (strstr(fail.text, words) == NULL) {
        fail_msg("\"%s\" is not in: %s", words, fail.text);
    }
}
static enum fl_err call(uint64_t timeout_us)
{
    uint8_t p[72] = {0};
    uint32_t status = 0xdead;
    const enum fl_err err = gsp_rm_control(rig.gpu, GSP_OBJECT_SUBDEVICE, CMD_GSP_GET_FEATURES, p,
                                           sizeof(p), timeout_us, &status, NULL);
    return err == FL_OK && status != 0 ? FL_EIO : err;
}

static void on_a_gpu(const struct rig_options *opt, void (*body)(void *arg))
{
    rig_open(&rig, opt);
    rig_run(body, NULL);
    assert_int_equal(lockorder_inversions(), 0);
    no_violation();
    assert_true(rig_close(&rig));
}
static const struct rig_options plain = {.strict = MODEL_STRICT};

/* ---- each in each state ---- */

static void each_in_each(void *arg)
{
    (void)arg;
    refused(GSP_ORDER_BOOT, FL_ESTATE, "fiber does not run");
    starts();
    until(GSP_READY);
    refused(GSP_ORDER_BOOT, FL_ESTATE, "ready already");
    refused((enum gsp_order)3, FL_EINVAL, "no such order");
    assert_int_equal(order_of(GSP_ORDER_RESET, (enum gsp_reset_kind)3), FL_EINVAL);

    const uint64_t start = clock_now_us();
    assert_int_equal(order(GSP_ORDER_UNLOAD), FL_OK);
    assert_true(clock_now_us() - start < 200 * US_PER_MS); /* virtual time: taken at once */
    assert_int_equal(state_now(), GSP_UNLOADED);
    assert_false(model().wpr2_up || model().gsp_running);
    refused(GSP_ORDER_UNLOAD, FL_ESTATE, "unloaded, there is nothing");

    assert_int_equal(order(GSP_ORDER_BOOT), FL_OK);
    assert_int_equal(state_now(), GSP_READY);
    assert_int_equal(call(US_PER_S), FL_OK);

    assert_int_equal(order(GSP_ORDER_RESET), FL_OK); /* of one that runs */
    assert_int_equal(state_now(), GSP_UNLOADED);
    assert_false(model().wpr2_up || model().gsp_running);
    assert_false(rig.gpu->hw.intr.enabled); /* nothing of ours is set up in it any more */
    assert_int_equal(call(US_PER_S), FL_ESTATE);
    assert_int_equal(order(GSP_ORDER_RESET), FL_OK); /* of one that does not */
    assert_int_equal(state_now(), GSP_UNLOADED);
    assert_int_equal(order(GSP_ORDER_BOOT), FL_OK);
    assert_int_equal(call(US_PER_S), FL_OK);
    assert_int_equal(rig_snapshot(&rig).fail.err, FL_OK);
    stops();
    refused(GSP_ORDER_UNLOAD, FL_ESTATE, "fiber does not run");
}
static void in_each_state(void **state)
{
    static const char *const chips[] = {"ga102", "tu102", "ga100", "gh100", "gb202"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(chips); i++) {
        on_a_gpu(&(struct rig_options){.chip = chips[i], .strict = MODEL_STRICT}, each_in_each);
    }
}

static void after_a_failure(void *arg)
{
    (void)arg;
    starts();
    until(GSP_FAILED);
    assert_string_equal(rig_snapshot(&rig).fail.stage, "booter");
    refused(GSP_ORDER_UNLOAD, FL_ESTATE, "failed, there is nothing");
    assert_int_equal(order(GSP_ORDER_RESET), FL_OK);
    assert_int_equal(state_now(), GSP_UNLOADED);
    assert_int_equal(rig_snapshot(&rig).fail.err, FL_OK);
    assert_int_equal(order(GSP_ORDER_BOOT), FL_OK);
    assert_int_equal(call(US_PER_S), FL_OK);
    stops();
}
static void reset_after_a_failure(void **state)
{
    static const char *const once[] = {"read:NV_PFALCON_FALCON_MAILBOX0@sec2:n=1:value=0x31", NULL};
    (void)state;
    rig_open(&rig, &(struct rig_options){.strict = MODEL_STRICT, .faults = once});
    rig.gsp_options.attempts = 1;
    rig_new_gpu(&rig);
    rig_run(after_a_failure, NULL);
    no_violation();
    assert_true(rig_close(&rig));
}

/* A boot that fails tells its giver why, each time. */
static void boot_that_fails(void *arg)
{
    (void)arg;
    starts();
    until(GSP_FAILED);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(order(GSP_ORDER_BOOT), FL_EIO);
        assert_string_equal(fail.stage, "booter");
        assert_int_equal(state_now(), GSP_FAILED);
    }
    stops();
}
static void failures_are_told(void **state)
{
    static const char *const faults[] = {"booter-mailbox=0x31", NULL};
    (void)state;
    on_a_gpu(&(struct rig_options){.strict = MODEL_STRICT, .faults = faults}, boot_that_fails);
}

/* ---- kinds of reset ---- */

static void by_both(void *arg)
{
    (void)arg;
    starts();
    until(GSP_READY);
    assert_int_equal(order_of(GSP_ORDER_RESET, GSP_RESET_BUS), FL_OK);
    assert_int_equal(rig.bus_resets, 1);
    assert_int_equal(order_of(GSP_ORDER_RESET, GSP_RESET_FUNCTION), FL_OK);
    assert_int_equal(order_of(GSP_ORDER_RESET, GSP_RESET_AUTO), FL_OK);
    assert_int_equal(rig.bus_resets, 1);
    assert_int_equal(order(GSP_ORDER_BOOT), FL_OK);
    stops();
}
static void by_the_bridge(void *arg)
{
    (void)arg;
    starts();
    until(GSP_READY);
    assert_int_equal(order_of(GSP_ORDER_RESET, GSP_RESET_FUNCTION), FL_ENOTSUP);
    assert_non_null(strstr(fail.text, "no function level reset"));
    assert_int_equal(state_now(), GSP_READY);
    assert_int_equal(call(US_PER_S), FL_OK); /* nothing has happened */
    assert_int_equal(order_of(GSP_ORDER_RESET, GSP_RESET_AUTO), FL_OK);
    assert_int_equal(rig.bus_resets, 1);
    assert_int_equal(order(GSP_ORDER_BOOT), FL_OK);
    stops();
}
static void by_none(void *arg)
{
    (void)arg;
    starts();
    until(GSP_READY);
    assert_int_equal(order_of(GSP_ORDER_RESET, GSP_RESET_BUS), FL_ENOTSUP);
    assert_int_equal(order_of(GSP_ORDER_RESET, GSP_RESET_AUTO), FL_ENOTSUP);
    assert_int_equal(call(US_PER_S), FL_OK);
    stops();
}
static void kinds_of_reset(void **state)
{
    (void)state;
    on_a_gpu(&(struct rig_options){.strict = MODEL_STRICT, .bridge = true}, by_both);
    on_a_gpu(&(struct rig_options){.strict = MODEL_STRICT, .bridge = true, .no_flr = true},
             by_the_bridge);
    on_a_gpu(&(struct rig_options){.strict = MODEL_STRICT, .no_flr = true}, by_none);
    assert_string_equal(gsp_reset_kind_name(GSP_RESET_AUTO), "auto");
    assert_string_equal(gsp_reset_kind_name(GSP_RESET_FUNCTION), "function");
    assert_string_equal(gsp_reset_kind_name(GSP_RESET_BUS), "bus");
    assert_string_equal(gsp_reset_kind_name((enum gsp_reset_kind)3), "?");
    assert_string_equal(gsp_order_name(GSP_ORDER_RESET), "reset");
    assert_string_equal(gsp_order_name((enum gsp_order)3), "?");
}

/* The card does not come back: the reset has failed, the GPU has, and no memory is left to it. */
static void reset_fails_body(void *arg)
{
    (void)arg;
    starts();
    until(GSP_READY);
    model_unplug(rig.model);
    assert_int_equal(order(GSP_ORDER_RESET), FL_ELINKLOST);
    assert_string_equal(fail.stage, "reset");
    assert_int_equal(state_now(), GSP_FAILED);
    assert_int_equal(rig_snapshot(&rig).fail.err, FL_ELINKLOST);
    assert_null(rig.gpu->mem.queues.cpu);
    model_reset(rig.model, MODEL_RESET_POWER);
    stops();
}
static void reset_fails(void **state)
{
    (void)state;
    on_a_gpu(&plain, reset_fails_body);
}

/* ---- at the same time ---- */

static struct giver {
    enum gsp_order order;
    uint64_t timeout_us;
    enum fl_err err;
    struct fl_fail fail;
    bool done;
} givers[2];
static void gives(void *arg)
{
    struct giver *g = arg;
    g->err = gsp_order(rig.gpu, g->order, GSP_RESET_AUTO, deadline_in_us(g->timeout_us), &g->fail);
    g->done = true;
}
static void give_in_a_fiber(unsigned i, enum gsp_order o, uint64_t timeout_us)
{
    givers[i] = (struct giver){.order = o, .timeout_us = timeout_us};
    assert_non_null(fiber_spawn("giver", gives, &givers[i], FIBER_STACK_DEFAULT));
}

static void two_at_once_body(void *arg)
{
    (void)arg;
    starts();
    until(GSP_READY);
    give_in_a_fiber(0, GSP_ORDER_UNLOAD, 300 * US_PER_S);
    give_in_a_fiber(1, GSP_ORDER_RESET, 300 * US_PER_S);
    while (!givers[0].done || !givers[1].done) {
        fiber_sleep_us(1000);
    }
    assert_int_equal(givers[0].err, FL_OK);
    assert_int_equal(givers[1].err, FL_EBUSY);
    assert_non_null(strstr(givers[1].fail.text, "an unload is under way"));
    assert_int_equal(state_now(), GSP_UNLOADED);
    stops();
}
static void two_at_once(void **state)
{
    (void)state;
    on_a_gpu(&plain, two_at_once_body);
}

static void amid_a_boot_body(void *arg)
{
    static const enum gsp_order all[] = {GSP_ORDER_BOOT, GSP_ORDER_UNLOAD, GSP_ORDER_RESET};
    (void)arg;
    starts();
    until(GSP_BOOTING);
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        refused(all[i], FL_EBUSY, "a boot is under way");
    }
    until(GSP_READY);
    assert_int_equal(rig_snapshot(&rig).boots, 1);
    assert_int_equal(order(GSP_ORDER_UNLOAD), FL_OK);
    stops();
}
static void amid_a_boot(void **state)
{
    (void)state;
    on_a_gpu(&plain, amid_a_boot_body);
}

/* Who gave it has gone: it is done all the same, and the next one is free to ask. */
static void giver_goes_body(void *arg)
{
    (void)arg;
    starts();
    until(GSP_READY);
    fl_fail_clear(&fail);
    assert_int_equal(
        gsp_order(rig.gpu, GSP_ORDER_UNLOAD, GSP_RESET_AUTO, deadline_in_us(10), &fail),
        FL_ETIMEDOUT);
    assert_non_null(strstr(fail.text, "it goes on"));
    assert_null(rig.gpu->orders.giver); /* his stack is his own again */
    refused(GSP_ORDER_BOOT, FL_EBUSY, "an unload is under way");
    until(GSP_UNLOADED);
    assert_int_equal(order(GSP_ORDER_BOOT), FL_OK);
    /* One who does not want to know why. */
    assert_int_equal(gsp_order(rig.gpu, GSP_ORDER_BOOT, GSP_RESET_AUTO, deadline_never(), NULL),
                     FL_ESTATE);
    stops();
}
static void giver_goes(void **state)
{
    (void)state;
    on_a_gpu(&plain, giver_goes_body);
}

/* A reset while others wait for a GSP that hangs: they are sent away, and the next boot answers. */
static enum fl_err call_err[3];
static unsigned calls_left;
static void calls(void *arg)
{
    *(enum fl_err *)arg = call(600 * US_PER_S);
    calls_left--;
}
static void amid_calls_body(void *arg)
{
    (void)arg;
    starts();
    until(GSP_READY);
    calls_left = 3;
    for (unsigned i = 0; i < 3; i++) {
        assert_non_null(fiber_spawn("caller", calls, &call_err[i], FIBER_STACK_DEFAULT));
    }
    fiber_sleep_us(20 * US_PER_MS);
    assert_int_equal(calls_left, 3);
    const uint64_t start = clock_now_us();
    assert_int_equal(order(GSP_ORDER_RESET), FL_OK);
    assert_int_equal(calls_left, 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(call_err[i], FL_ECANCELED);
    }
    assert_true(clock_now_us() - start <
                2 * US_PER_S); /* nobody waited for the GSP: virtual time */
    assert_int_equal(order(GSP_ORDER_BOOT), FL_OK);
    assert_int_equal(call(US_PER_S), FL_OK);
    stops();
}
static void amid_calls(void **state)
{
    /* The boot itself gives five commands: static info, the interrupt table, three objects. */
    static const char *const faults[] = {"stuck=command:n=6", NULL};
    (void)state;
    on_a_gpu(&(struct rig_options){.strict = MODEL_STRICT, .faults = faults}, amid_calls_body);
}

/* The GSP answers nothing and sends an event: who serves does not get stuck behind a call. */
static void amid_events_body(void *arg)
{
    uint8_t xid[272] = {0};
    (void)arg;
    starts();
    until(GSP_READY);
    calls_left = 1;
    assert_non_null(fiber_spawn("caller", calls, &call_err[0], FIBER_STACK_DEFAULT));
    for (unsigned i = 0; i < 5; i++) {
        fiber_sleep_us(20 * US_PER_MS);
        model_inject_event(rig.model, 0x1006, xid, sizeof(xid), 0);
    }
    const uint64_t start = clock_now_us();
    assert_int_equal(order(GSP_ORDER_RESET), FL_OK);
    assert_true(clock_now_us() - start < 2 * US_PER_S); /* virtual time */
    assert_int_equal(call_err[0], FL_ECANCELED);
    stops();
}
static void amid_events(void **state)
{
    /* The eighth: after the two before the start. */
    static const char *const faults[] = {"command:n=8:drop", NULL};
    (void)state;
    on_a_gpu(&(struct rig_options){.strict = MODEL_STRICT, .faults = faults}, amid_events_body);
}

/* ---- the end ---- */

/* An order that nobody takes any more is answered. */
static void ends_with_the_fiber_body(void *arg)
{
    (void)arg;
    starts();
    until(GSP_READY);
    stop = true; /* seen at the next look */
    give_in_a_fiber(0, GSP_ORDER_UNLOAD, 300 * US_PER_S);
    while (!givers[0].done) {
        fiber_sleep_us(1000);
    }
    assert_int_equal(givers[0].err, FL_ECANCELED);
    assert_non_null(strstr(givers[0].fail.text, "fiber has ended"));
    assert_int_equal(state_now(), GSP_READY);
    while (!ended) {
        fiber_sleep_us(1000);
    }
}
static void ends_with_the_fiber(void **state)
{
    (void)state;
    on_a_gpu(&plain, ends_with_the_fiber_body);
}

static void destroyed_body(void *arg)
{
    (void)arg;
    starts();
    until(GSP_READY);
    give_in_a_fiber(0, GSP_ORDER_UNLOAD, 300 * US_PER_S);
    fiber_yield();
    gsp_destroy(rig.gpu);
    rig.gpu = NULL;
    fiber_yield();
    assert_true(ended && givers[0].done);
    assert_true(givers[0].err == FL_OK || givers[0].err == FL_ECANCELED);
}
/* Nobody serves it and it is not up: the fiber is there, and goes at once. */
static void destroyed_idle_body(void *arg)
{
    (void)arg;
    starts();
    until(GSP_READY);
    assert_int_equal(order(GSP_ORDER_UNLOAD), FL_OK);
    fiber_sleep_us(US_PER_S);
    const uint64_t start = clock_now_us();
    gsp_destroy(rig.gpu);
    assert_true(clock_now_us() - start < 100 * US_PER_MS); /* not at the idle step: virtual time */
    rig.gpu = NULL;
    fiber_yield();
    assert_true(ended);
}
static void destroyed(void **state)
{
    (void)state;
    on_a_gpu(&plain, destroyed_body);
    on_a_gpu(&plain, destroyed_idle_body);
}

/* The GPU falls over while it serves; the fiber stays and takes orders. */
static void falls_over_body(void *arg)
{
    const uint8_t p[64] = {0};
    (void)arg;
    starts();
    until(GSP_READY);
    model_inject_event(rig.model, 0x1006, p, sizeof(p), 0); /* shorter than its structure */
    until(GSP_FAILED);
    assert_string_equal(rig_snapshot(&rig).fail.what, "OS_ERROR_LOG");
    assert_int_equal(order(GSP_ORDER_BOOT), FL_OK);
    assert_int_equal(call(US_PER_S), FL_OK);
    stops();
}
static void falls_over(void **state)
{
    (void)state;
    on_a_gpu(&plain, falls_over_body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(in_each_state),       cmocka_unit_test(reset_after_a_failure),
        cmocka_unit_test(failures_are_told),   cmocka_unit_test(kinds_of_reset),
        cmocka_unit_test(reset_fails),         cmocka_unit_test(two_at_once),
        cmocka_unit_test(amid_a_boot),         cmocka_unit_test(giver_goes),
        cmocka_unit_test(amid_calls),          cmocka_unit_test(amid_events),
        cmocka_unit_test(ends_with_the_fiber), cmocka_unit_test(destroyed),
        cmocka_unit_test(falls_over),
    };
    host_log_to_stderr(getenv("RIG_LOG") != NULL);
    return cmocka_run_group_tests_name("orders", tests, NULL, NULL);
}
