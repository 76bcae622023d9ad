/* SPDX-License-Identifier: MIT */
/*
 * A GSP that is ready and hangs: noticed in time, by name, and brought up again where that is
 * wanted; one that lost a message is not taken for hung. Virtual time.
 */
#include "tests/unit/rig_assert.h"

#include <stdio.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "gsp/gpu.h"
#include "gsp/rpc/events.h"
#include "gsp/watch.h"
#include "gsp/xid.h"

static volatile bool stop;
static bool ended;

static void runs(void *arg)
{
    (void)arg;
    gsp_run(rig.gpu, &stop);
    ended = true;
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

static bool becomes(enum gsp_state s, uint64_t within_us)
{
    const struct deadline d = deadline_in_us(within_us);

    while (rig_snapshot(&rig).state != s && !deadline_passed(d)) {
        fiber_sleep_us(10 * US_PER_MS);
    }
    return rig_snapshot(&rig).state == s;
}

/* It is ready after its n-th boot. */
static bool is_back(uint32_t n, uint64_t within_us)
{
    const struct deadline d = deadline_in_us(within_us);

    while (!deadline_passed(d) &&
           (rig_snapshot(&rig).boots < n || rig_snapshot(&rig).state != GSP_READY)) {
        fiber_sleep_us(10 * US_PER_MS);
    }
    return rig_snapshot(&rig).boots == n && rig_snapshot(&rig).state == GSP_READY;
}

static uint64_t xids(uint32_t number)
{
    struct gsp_xid all[GSP_XIDS_MAX];
    const uint32_t n = gsp_get_xids(rig.gpu, all, GSP_XIDS_MAX);

    for (uint32_t i = 0; i < n; i++) {
        if (all[i].number == number) {
            return all[i].count;
        }
    }
    return 0;
}

static void with(const char *const *faults, void (*body)(void *))
{
    open_strict(faults);
    rig_run(body, NULL);
    no_violation();
    assert_true(rig_close(&rig));
}

/* ---- the question ---- */

static void asks_after_silence_body(void *arg)
{
    struct fl_fail fail = {0};
    (void)arg;
    assert_int_equal(gsp_boot(rig.gpu), FL_OK);
    const uint64_t begun = clock_now_us();
    const uint64_t sent = rig.gpu->rpc.sent;

    while (clock_now_us() - rig.gpu->rpc.heard_us < GSP_WATCH_PERIOD_US - US_PER_MS) {
        assert_int_equal(gsp_watch_step(rig.gpu, &fail), FL_OK);
        fiber_sleep_us(US_PER_MS);
    }
    assert_int_equal(rig.gpu->rpc.sent, sent);
    fiber_sleep_us(2 * US_PER_MS);
    assert_int_equal(gsp_watch_step(rig.gpu, &fail), FL_OK);
    assert_int_equal(rig.gpu->rpc.sent, sent + 1);
    assert_int_equal(rig.gpu->rpc.asked_us, 0); /* it was answered */
    assert_true(rig.gpu->rpc.heard_us > begun);
    assert_int_equal(gsp_watch_step(rig.gpu, &fail), FL_OK);
    assert_int_equal(rig.gpu->rpc.sent, sent + 1);
    assert_int_equal(gsp_unload(rig.gpu), FL_OK);
}
static void asks_after_silence(void **state)
{
    (void)state;
    with(NULL, asks_after_silence_body);
}

/* A refusal is a sign of life. */
static void refused_body(void *arg)
{
    (void)arg;
    starts();
    assert_true(becomes(GSP_READY, 60 * US_PER_S));
    fiber_sleep_us(600 * US_PER_S);
    assert_int_equal(rig_snapshot(&rig).state, GSP_READY);
    assert_int_equal(xids(GSP_XID_RPC_TIMEOUT), 0);
    stops();
    assert_int_equal(gsp_unload(rig.gpu), FL_OK);
}
static void refusals_are_signs_of_life(void **state)
{
    static const char *const faults[] = {"control=0x20803601:n=0:status=0x56", NULL};
    (void)state;
    with(faults, refused_body);
}

/* One answer that is lost is asked for again; by whom it was wanted does not matter. */
static void lost_answer_is_no_hang(void **state)
{
    char fault[64];
    const char *faults[] = {fault, NULL};
    (void)state;
    for (unsigned n = 12; n < 20; n++) {
        (void)snprintf(fault, sizeof(fault), "command:n=%u:drop", n);
        with(faults, refused_body);
    }
}

/* ---- the hang ---- */

static void hang_body(void *arg)
{
    (void)arg;
    starts();
    assert_true(becomes(GSP_READY, 60 * US_PER_S));
    while (rig.gpu->rpc.asked_us == 0) {
        fiber_sleep_us(US_PER_MS);
    }
    const uint64_t heard = rig.gpu->rpc.heard_us;
    const uint64_t asked = rig.gpu->rpc.asked_us;
    while (rig_snapshot(&rig).state == GSP_READY &&
           clock_now_us() - heard < 10 * GSP_HUNG_NOTICED_US) {
        fiber_sleep_us(US_PER_MS);
    }
    const struct gsp_snapshot s = rig_snapshot(&rig);
    assert_int_equal(s.state, GSP_FAILED);
    assert_true(clock_now_us() - asked >= GSP_HUNG_US);
    assert_true(clock_now_us() - heard <= GSP_HUNG_NOTICED_US);
    assert_int_equal(s.fail.err, FL_ETIMEDOUT);
    assert_string_equal(s.fail.stage, "ready");
    assert_non_null(strstr(s.fail.text, "the GSP hangs"));
    assert_non_null(strstr(s.fail.text, "it does not take messages"));
    assert_non_null(strstr(s.fail.hint, "when_hung"));
    assert_int_equal(xids(GSP_XID_RPC_TIMEOUT), 1);
    assert_int_equal(s.last_xid, GSP_XID_RPC_TIMEOUT);
    /* Nothing is done of itself; an order helps. */
    fiber_sleep_us(600 * US_PER_S);
    assert_int_equal(rig_snapshot(&rig).state, GSP_FAILED);
    struct fl_fail fail = {0};
    assert_int_equal(
        gsp_order(rig.gpu, GSP_ORDER_RESET, GSP_RESET_AUTO, deadline_in_us(60 * US_PER_S), &fail),
        FL_OK);
    assert_int_equal(
        gsp_order(rig.gpu, GSP_ORDER_BOOT, GSP_RESET_AUTO, deadline_in_us(60 * US_PER_S), &fail),
        FL_OK);
    stops();
    assert_int_equal(gsp_unload(rig.gpu), FL_OK);
}
static void a_hang_is_noticed(void **state)
{
    static const char *const faults[] = {"stuck=command:n=9", NULL};
    (void)state;
    with(faults, hang_body);
}

/* One that takes them, and says nothing, is told from that; and 20 s it is, not less. */
static void taken_body(void *arg)
{
    struct fl_fail fail = {0};
    (void)arg;
    assert_int_equal(gsp_boot(rig.gpu), FL_OK);
    fiber_sleep_us(2 * GSP_HUNG_US);
    rig.gpu->watch_us = clock_now_us(); /* no question now */
    rig.gpu->rpc.asked_us = clock_now_us() - GSP_HUNG_US + 1;
    assert_int_equal(gsp_watch_step(rig.gpu, &fail), FL_OK);
    rig.gpu->rpc.asked_us--;
    assert_int_equal(gsp_watch_step(rig.gpu, &fail), FL_ETIMEDOUT);
    assert_non_null(strstr(fail.text, "it took all messages"));
    assert_int_equal(gsp_unload(rig.gpu), FL_OK);
}
static void messages_are_taken(void **state)
{
    (void)state;
    with(NULL, taken_body);
}

/* ---- brought up again ---- */

static bool noted(const char *words)
{
    struct gsp_feed_entry e;
    uint64_t cursor = 0;
    uint64_t lost = 0;

    while (gsp_feed_read(rig.gpu, &cursor, &e, &lost)) {
        if (strstr(e.text, words) != NULL) {
            return true;
        }
    }
    return false;
}

static void revive_body(void *arg)
{
    (void)arg;
    rig.gpu->opt.revive = true;
    starts();
    assert_true(becomes(GSP_READY, 60 * US_PER_S));
    for (unsigned i = 1; i <= GSP_REVIVALS_MAX; i++) {
        assert_true(becomes(GSP_FAILED, 2 * GSP_HUNG_NOTICED_US) || xids(GSP_XID_RPC_TIMEOUT) == i);
        assert_true(becomes(GSP_READY, 60 * US_PER_S));
        assert_int_equal(xids(GSP_XID_RPC_TIMEOUT), i);
        assert_int_equal(rig_snapshot(&rig).fail.err, FL_OK);
    }
    assert_true(noted("brought up again: the GSP hangs"));
    assert_true(becomes(GSP_FAILED, 2 * GSP_HUNG_NOTICED_US));
    fiber_sleep_us(60 * US_PER_S);
    assert_int_equal(rig_snapshot(&rig).state, GSP_FAILED);
    assert_true(noted("not brought up again"));
    stops();
}
static void a_hang_is_mended(void **state)
{
    static const char *const faults[] = {"stuck=command:n=9", "stuck=command:n=21",
                                         "stuck=command:n=33", "stuck=command:n=45", NULL};
    (void)state;
    with(faults, revive_body);
}

/* After an hour the count begins anew. */
static void hours_body(void *arg)
{
    (void)arg;
    rig.gpu->opt.revive = true;
    starts();
    assert_true(becomes(GSP_READY, 60 * US_PER_S));
    rig.gpu->revivals = GSP_REVIVALS_MAX;
    rig.gpu->revived_us = clock_now_us();
    fiber_sleep_us(GSP_REVIVALS_WITHIN_US);
    while (rig_snapshot(&rig).boots == 1) {
        rig.gpu->rpc.asked_us = 1; /* hung, as far as the watch knows */
        fiber_sleep_us(US_PER_MS);
    }
    assert_true(is_back(2, 60 * US_PER_S));
    assert_int_equal(rig.gpu->revivals, 1);
    stops();
    assert_int_equal(gsp_unload(rig.gpu), FL_OK);
}
static void each_hour_has_its_own(void **state)
{
    (void)state;
    with(NULL, hours_body);
}

/* What crashed is mended likewise; a card that is gone is not. */
static void crash_body(void *arg)
{
    (void)arg;
    rig.gpu->opt.revive = true;
    starts();
    assert_true(becomes(GSP_READY, 60 * US_PER_S));
    assert_true(is_back(2, 60 * US_PER_S));
    assert_int_equal(xids(GSP_XID_GSP_CRASH), 1);
    stops();
    assert_int_equal(gsp_unload(rig.gpu), FL_OK);
}
static void a_crash_is_mended(void **state)
{
    static const char *const faults[] = {"crash=up:after=3000", NULL};
    (void)state;
    with(faults, crash_body);
}

static void gone_body(void *arg)
{
    (void)arg;
    rig.gpu->opt.revive = true;
    starts();
    assert_true(becomes(GSP_READY, 60 * US_PER_S));
    model_unplug(rig.model);
    assert_true(becomes(GSP_FAILED, 60 * US_PER_S));
    fiber_sleep_us(60 * US_PER_S);
    assert_int_equal(rig_snapshot(&rig).state, GSP_FAILED);
    assert_int_equal(rig.gpu->revivals, 0);
    stops();
}
static void a_card_that_is_gone_is_not(void **state)
{
    (void)state;
    open_strict(NULL);
    rig_run(gone_body, NULL);
    (void)rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_after_silence),         cmocka_unit_test(refusals_are_signs_of_life),
        cmocka_unit_test(lost_answer_is_no_hang),     cmocka_unit_test(a_hang_is_noticed),
        cmocka_unit_test(messages_are_taken),         cmocka_unit_test(a_hang_is_mended),
        cmocka_unit_test(each_hour_has_its_own),      cmocka_unit_test(a_crash_is_mended),
        cmocka_unit_test(a_card_that_is_gone_is_not),
    };
    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
