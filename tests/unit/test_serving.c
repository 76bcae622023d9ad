/* SPDX-License-Identifier: MIT */
/*
 * A GPU that runs: events, controls and many callers at once, unloading amid calls, a GPU that
 * falls off the bus.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "arch/lockorder.h"
#include "arch/log.h"
#include "gsp/gpu.h"
#include "gsp/rpc/events.h"
#include "gsp/rpc/version.h"
#include "mm/dma.h"
#include "tests/unit/rig_assert.h"

/* ---- a running GPU ---- */

static void inject_xid(void *arg)
{
    uint8_t p[272] = {0};
    (void)arg;
    fiber_sleep_us(1000);
    put_le32(p, 79);
    put_le32(p + 8, 0xffffffff);
    strcpy((char *)p + 12, "GPU has fallen off the bus\n");
    model_inject_event(rig.model, 0x1006, p, sizeof(p), 0);
    model_inject_event(rig.model, 0x1fff, p, 8, 0); /* of no version: counted, no more */
    fiber_sleep_us(1000);
    serve_stop = true;
    while (!serve_done) {
        fiber_sleep_us(1000);
    }
}
static void serves_events(void **state)
{
    (void)state;
    open_strict(NULL);
    boots();
    const uint64_t generation = gsp_generation(rig.gpu), interrupts = rig_snapshot(&rig).interrupts;
    serve_stop = serve_done = false;
    assert_non_null(fiber_spawn("serve", serve, NULL, FIBER_STACK_DEFAULT));
    rig_run(inject_xid, NULL);
    const struct gsp_snapshot s = rig_snapshot(&rig);
    assert_int_equal(s.state, GSP_READY);
    assert_int_equal(s.xid_count, 1);
    assert_int_equal(s.last_xid, 79);
    assert_string_equal(s.last_xid_text, "GPU has fallen off the bus");
    assert_true(s.interrupts > interrupts);
    assert_true(gsp_generation(rig.gpu) != generation);
    no_violation();
    assert_true(rig_close(&rig));
}

/* ---- what the firmware says of itself ---- */

static void inject_words(void *arg)
{
    uint8_t p[300] = {0};
    (void)arg;
    fiber_sleep_us(1000);
    model_inject_event(rig.model, 0x1020, p, sizeof(p), 0); /* no words in it */
    memcpy(p + 12, "short", 5);
    memcpy(p + 40, "kgspBootstrap", 13);
    memcpy(p + sizeof(p) - 8, "at line!", 8); /* up to the last byte */
    p[100] = 0x7f;
    model_inject_event(rig.model, 0x1020, p, sizeof(p), 0);
    memcpy(p + 40, "something else", 14);
    model_inject_event(rig.model, 0x1020, p, sizeof(p), 0);
    uint8_t action[8] = {2, 0, 0, 0, 0};
    model_inject_event(rig.model, 0x1022, action, 5, 0); /* withdrawn: no Xid */
    fiber_sleep_us(1000);
    assert_int_equal(rig_snapshot(&rig).xid_count, 0);
    action[4] = 1;
    model_inject_event(rig.model, 0x1022, action, 5, 0);
    fiber_sleep_us(1000);
    serve_stop = true;
    while (!serve_done) {
        fiber_sleep_us(1000);
    }
}
static void says_what_is_wrong(void **state)
{
    (void)state;
    open_strict(NULL);
    boots();
    serve_stop = serve_done = false;
    assert_non_null(fiber_spawn("serve", serve, NULL, FIBER_STACK_DEFAULT));
    rig_run(inject_words, NULL);
    assert_string_equal(gsp_get_journal(rig.gpu), "kgspBootstrap, at line!");
    const struct gsp_snapshot s = rig_snapshot(&rig);
    assert_int_equal(s.last_xid, GSP_XID_RECOVERY);
    assert_string_equal(s.last_xid_text, "the GSP asks for recovery action 2 (reboot)");
    assert_int_equal(rig_unload(&rig), FL_OK);
    boots();
    assert_string_equal(gsp_get_journal(rig.gpu), ""); /* of this boot */
    assert_int_equal(rig_unload(&rig), FL_OK);
    assert_true(rig_close(&rig));
}

static uint64_t unplugged_us;
static void unplug_later(void *arg)
{
    (void)arg;
    fiber_sleep_us(1000);
    model_unplug(rig.model);
    unplugged_us = clock_now_us();
    while (!serve_done) {
        fiber_sleep_us(1000);
    }
}
static void falls_off_while_serving(void **state)
{
    (void)state;
    open_strict(NULL);
    boots();
    serve_stop = serve_done = false;
    assert_non_null(fiber_spawn("serve", serve, NULL, FIBER_STACK_DEFAULT));
    rig_run(unplug_later, NULL);
    const struct gsp_snapshot s = rig_snapshot(&rig);
    assert_int_equal(s.state, GSP_FAILED);
    assert_int_equal(s.fail.err, FL_ELINKLOST);
    assert_string_equal(s.fail.stage, "ready");
    assert_true(s.fail.at_us - unplugged_us < 2 * US_PER_S);
    assert_non_null(strstr(s.fail.text, "configuration space is silent too"));
    assert_non_null(strstr(s.fail.hint, "cables"));
    assert_true(rig_close(&rig));
}

/* BAR0 is dead and configuration space is not: no cable is to blame. */
static void registers_die_alone(void **state)
{
    static const char *const faults[] = {"read:*:n=0:value=0xffffffff", NULL};
    (void)state;
    open_strict(faults);
    assert_int_equal(rig_boot(&rig), FL_ELINKLOST);
    const struct gsp_snapshot s = rig_snapshot(&rig);
    assert_string_equal(s.fail.stage, "identify");
    assert_non_null(strstr(s.fail.text, "configuration space answers, D0, link"));
    assert_non_null(strstr(s.fail.hint, "reset the card"));
    (void)rig_close(&rig);
}

/* ---- controls ---- */

#define CMD_GSP_GET_FEATURES 0x20803601u
#define CMD_UNKNOWN          0x20807fffu
static void controls_body(void *arg)
{
    uint8_t p[72] = {0};
    uint32_t status = 0xdead;
    struct fl_fail fail = {0};
    (void)arg;
    assert_int_equal(gsp_rm_control(rig.gpu, GSP_OBJECT_SUBDEVICE, CMD_GSP_GET_FEATURES, p,
                                    sizeof(p), US_PER_S, &status, &fail),
                     FL_OK);
    assert_int_equal(status, 0);
    assert_string_equal((const char *)p + 6, "570.144");
    assert_int_equal(
        gsp_rm_control(rig.gpu, GSP_OBJECT_SUBDEVICE, CMD_UNKNOWN, p, 4, US_PER_S, &status, &fail),
        FL_OK);
    assert_int_equal(status, 0x56);
    assert_int_equal(gsp_rm_control(rig.gpu, 0x12345678, CMD_GSP_GET_FEATURES, p, sizeof(p),
                                    US_PER_S, &status, &fail),
                     FL_OK);
    assert_int_not_equal(status, 0);
    assert_int_equal(fail.err, FL_OK);
}
static void controls(void **state)
{
    uint8_t p[4] = {0};
    uint32_t status;
    struct fl_fail fail = {0};
    (void)state;
    open_strict(NULL);
    assert_int_equal(
        gsp_rm_control(rig.gpu, GSP_OBJECT_SUBDEVICE, CMD_UNKNOWN, p, 4, US_PER_S, &status, &fail),
        FL_ESTATE);
    boots();
    rig_run(controls_body, NULL);
    no_violation();
    assert_true(rig_close(&rig));
}

/* A GSP whose answers have other lengths than the calls: never more is taken than was asked for,
 * one for other parameters is named, and what follows of it is no later call's. */
static const struct {
    uint32_t params, payload; /* bytes that it says, and has */
    enum fl_err err;
} lengths[] = {
    {16, 24 + 16, FL_OK},
    {16, 24 + 16 + 1000, FL_OK},
    {16, 24 + 4, FL_OK},
    {16, 24, FL_OK},
    {16, 23, FL_EPROTO},
    {17, 24 + 17, FL_EPROTO},
    {150000, 24 + 150000, FL_EPROTO}, /* three records */
    {(uint32_t)MIB(1), 24 + 16, FL_EPROTO},
};
static size_t length_at;
static void answer_by_hand(void *arg)
{
    uint8_t *p = malloc(200000);
    (void)arg;
    memset(p, 0x77, 200000);
    put_le32(p + 8, CMD_GSP_GET_FEATURES);
    put_le32(p + 12, 0);
    put_le32(p + 16, lengths[length_at].params);
    model_inject_event(rig.model, 76, p, lengths[length_at].payload, 0);
    free(p);
}
static void other_lengths_body(void *arg)
{
    (void)arg;
    rig.gpu->rpc.queue.doorbell = NULL; /* it does not hear the calls */
    rig.gpu->rpc.match.echo = GSP_RPC_ECHO_NO;
    for (length_at = 0; length_at < ARRAY_SIZE(lengths); length_at++) {
        struct {
            uint8_t params[16], guard[16];
        } mine;
        struct fl_fail fail = {0};
        uint32_t status = 0xdead;
        memset(&mine, 0x11, sizeof(mine));
        assert_non_null(fiber_spawn("gsp", answer_by_hand, NULL, FIBER_STACK_DEFAULT));
        const enum fl_err err = gsp_rm_control(rig.gpu, GSP_OBJECT_SUBDEVICE, CMD_GSP_GET_FEATURES,
                                               &mine, 16, US_PER_S, &status, &fail);
        if (err != lengths[length_at].err) {
            fail_msg("%zu: %s, %s", length_at, fl_err_name(err), fail.text);
        }
        for (unsigned i = 0; i < 16; i++) {
            const bool came = err == FL_OK && 24 + i < lengths[length_at].payload;
            assert_int_equal(mine.params[i], came ? 0x77 : 0x11);
            assert_int_equal(mine.guard[i], 0x11);
        }
        assert_int_equal(rig.gpu->rpc.late, 0);
    }
}
static void other_lengths(void **state)
{
    (void)state;
    open_strict(NULL);
    boots();
    rig_run(other_lengths_body, NULL);
    (void)rig_unload(&rig); /* which it does not hear either */
    assert_true(rig_close(&rig));
}

/* Two fibers call while a third serves events: each gets its own answer. */
static unsigned calls_left;
static void caller(void *arg)
{
    const uint32_t object = *(const uint32_t *)arg;
    for (unsigned i = 0; i < 50; i++) {
        uint8_t p[72] = {0};
        uint32_t status = 0xdead;
        struct fl_fail fail = {0};
        if (gsp_rm_control(rig.gpu, object, CMD_GSP_GET_FEATURES, p, sizeof(p), US_PER_S, &status,
                           &fail) != FL_OK ||
            (status == 0) != (object == GSP_OBJECT_SUBDEVICE)) {
            print_message("call %u: status 0x%x, %s\n", i, status, fail.text);
            return; /* calls_left stays */
        }
    }
    calls_left--;
}
static void until_called(void *arg)
{
    (void)arg;
    for (unsigned i = 0; calls_left > 0 && i < 1000; i++) {
        fiber_sleep_us(1000);
    }
    assert_int_equal(calls_left, 0);
    assert_int_equal(gsp_unload(rig.gpu), FL_OK); /* under the feet of the one that serves */
    for (unsigned i = 0; !serve_done && i < 1000; i++) {
        fiber_sleep_us(1000);
    }
    assert_true(serve_done);
}
static void many_callers(void **state)
{
    static const uint32_t good = GSP_OBJECT_SUBDEVICE, bad = 0x12345678;
    (void)state;
    open_strict(NULL);
    boots();
    calls_left = 2;
    serve_stop = serve_done = false;
    assert_non_null(fiber_spawn("serve", serve, NULL, FIBER_STACK_DEFAULT));
    assert_non_null(fiber_spawn("good", caller, (void *)(uintptr_t)&good, FIBER_STACK_DEFAULT));
    assert_non_null(fiber_spawn("bad", caller, (void *)(uintptr_t)&bad, FIBER_STACK_DEFAULT));
    rig_run(until_called, NULL);
    assert_int_equal(rig_snapshot(&rig).state, GSP_UNLOADED);
    assert_int_equal(rig_snapshot(&rig).fail.err, FL_OK);
    assert_int_equal(lockorder_inversions(), 0);
    no_violation();
    assert_true(rig_close(&rig));
}

/* Unload while others call: whoever comes too late is told so, and touches nothing. */
static unsigned callers_alive, refused_calls;
static void stubborn_caller(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 200; i++) {
        uint8_t p[72] = {0};
        uint32_t status;
        const enum fl_err err = gsp_rm_control(rig.gpu, GSP_OBJECT_SUBDEVICE, CMD_GSP_GET_FEATURES,
                                               p, sizeof(p), US_PER_S, &status, NULL);
        if (err != FL_OK) {
            refused_calls += err == FL_ESTATE || err == FL_ECANCELED;
            break;
        }
    }
    callers_alive--;
}
static void unload_amid_calls(void *arg)
{
    (void)arg;
    fiber_sleep_us(500);
    const uint64_t start = clock_now_us();
    assert_int_equal(gsp_unload(rig.gpu), FL_OK);
    while (callers_alive > 0) {
        fiber_sleep_us(100);
    }
    assert_true(clock_now_us() - start < US_PER_S); /* nobody waited for a reply that never comes */
}
static void unload_under_calls(void **state)
{
    (void)state;
    open_strict(NULL);
    boots();
    callers_alive = 3;
    refused_calls = 0;
    for (unsigned i = 0; i < 3; i++) {
        assert_non_null(fiber_spawn("caller", stubborn_caller, NULL, FIBER_STACK_DEFAULT));
    }
    rig_run(unload_amid_calls, NULL);
    assert_int_equal(refused_calls, 3);
    no_violation();
    assert_true(rig_close(&rig));
}

/* An event that is shorter than its structure ends the GPU's service, by name. */
static void inject_short(void *arg)
{
    const uint8_t p[64] = {0};
    (void)arg;
    fiber_sleep_us(1000);
    model_inject_event(rig.model, 0x1006, p, sizeof(p), 0);
    for (unsigned i = 0; !serve_done && i < 1000; i++) {
        fiber_sleep_us(1000);
    }
}
static void malformed_event(void **state)
{
    (void)state;
    open_strict(NULL);
    boots();
    serve_stop = serve_done = false;
    assert_non_null(fiber_spawn("serve", serve, NULL, FIBER_STACK_DEFAULT));
    rig_run(inject_short, NULL);
    const struct gsp_snapshot s = rig_snapshot(&rig);
    assert_int_equal(s.state, GSP_FAILED);
    assert_int_equal(s.fail.err, FL_EPROTO);
    assert_string_equal(s.fail.what, "OS_ERROR_LOG");
    assert_false(model().wpr2_up);
    boots(); /* and comes back */
    assert_true(rig_close(&rig));
}

/* The history tells what a boot said, and tells it after the GPU has failed. */
static bool remembers(const char *name, struct gsp_rpc_record *out)
{
    for (uint64_t at = 0; gsp_history_read(rig.gpu, &at, out);) {
        if (strcmp(out->name, name) == 0) {
            return true;
        }
    }
    return false;
}
static void history(void **state)
{
    struct gsp_rpc_record r;
    (void)state;
    open_strict(NULL);
    boots();
    assert_true(remembers("GSP_SET_SYSTEM_INFO", &r));
    assert_int_equal(r.end, GSP_RPC_POSTED);
    assert_true(remembers("GSP_RUN_CPU_SEQUENCER", &r));
    assert_true(r.event);
    assert_int_equal(r.function, 0x1002);
    assert_true(r.us > 0); /* the script takes time */
    assert_true(remembers("GSP_RM_ALLOC", &r));
    assert_int_equal(r.client, GSP_OBJECT_CLIENT);
    assert_int_equal(r.object, GSP_OBJECT_CLIENT);
    serve_stop = serve_done = false;
    assert_non_null(fiber_spawn("serve", serve, NULL, FIBER_STACK_DEFAULT));
    rig_run(inject_short, NULL);
    assert_int_equal(rig_snapshot(&rig).state, GSP_FAILED);
    assert_true(remembers("OS_ERROR_LOG", &r));
    assert_int_equal(r.reply_bytes, 64);
    assert_true(remembers("GSP_RUN_CPU_SEQUENCER", &r));
    assert_true(rig_close(&rig));
}

static const struct gsp_event_info *event_of(const char *version, uint32_t number)
{
    return gsp_event_find(&gsp_version_find(version)->events, number);
}

/* From 0x101b on the numbers differ (rpc.md B3). */
static void event_numbers(void **state)
{
    (void)state;
    assert_int_equal(event_of("570.144", 0x101c)->event, GSP_EV_LOCKDOWN_NOTICE);
    assert_int_equal(event_of("535.113.01", 0x101d)->event, GSP_EV_LOCKDOWN_NOTICE);
    assert_int_equal(event_of("570.144", 0x1020)->event, GSP_EV_POST_NOCAT_RECORD);
    assert_null(event_of("535.113.01", 0x1020));
    assert_string_equal(event_of("535.113.01", 0x101b)->name, "GSP_SEND_USER_SHARED_DATA");
    assert_string_equal(event_of("570.144", 0x101b)->name, "NVLINK_FAULT_UP");
    assert_int_equal(event_of("570.144", 0x1002)->event, GSP_EV_RUN_CPU_SEQUENCER);
    assert_int_equal(event_of("535.113.01", 0x1001)->event, GSP_EV_INIT_DONE);
    assert_null(event_of("570.144", 0x1023));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves_events),
        cmocka_unit_test(falls_off_while_serving),
        cmocka_unit_test(registers_die_alone),
        cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(controls),
        cmocka_unit_test(many_callers),
        cmocka_unit_test(unload_under_calls),
        cmocka_unit_test(malformed_event),
        cmocka_unit_test(event_numbers),
        cmocka_unit_test(history),
        cmocka_unit_test(other_lengths),
    };
    log_set_level(LOG_DEBUG);
    host_log_to_stderr(getenv("RIG_LOG") != NULL);
    return cmocka_run_group_tests_name("serving", tests, NULL, NULL);
}
