/* SPDX-License-Identifier: MIT */
/*
 * A GSP that keeps sending: each message that the CPU takes is followed by the next one at once, so
 * the ring is never empty. Waits end at their deadline, others run, the log stays readable. Time is
 * virtual, each message costs some of it; the figures in real time are bench_flood's.
 */
#include "tests/unit/rpc_rig.h"

#include "arch/log.h"
#include "arch/log_priv.h"

#define ENOUGH_US (4 * US_PER_S) /* a flood ends here, so that a wait that never looks up ends */

/* What the GSP floods with. */
struct flood {
    const char *name;
    uint32_t function, sequence, payload;
    uint64_t cost_us; /* of a message */
};
static const struct flood floods[] = {
    {"events", 0x1006, 0, 300, 20},
    {"events of 16 slots", 0x1020, 0, 65456, 400},
    {"one reply again and again", 76, 1, 100, 20},
    {"replies that are the call's, but for the number", 76, 0x7fffffff, 100, 20},
    {"continuation records", 71, 2, 65456, 400},
    {"continuation records without an end or a number", 71, 0, 65456, 400},
};
static const struct flood free_events = {"events that cost nothing", 0x100c, 0, 8, 0};
static const struct flood *now_flood;
static uint8_t flood_data[65456];
static uint64_t flooded;
static bool answers; /* the GSP does its work beside */

static void refill(void)
{
    host_clock_advance(now_flood->cost_us * NS_PER_US);
    const uint32_t slots = (80 + now_flood->payload + 4095) / 4096;
    while (clock_now_us() < ENOUGH_US && gsp_room() >= slots + 32) {
        gsp_put(now_flood->function, now_flood->sequence, 0, flood_data, now_flood->payload);
        flooded++;
    }
    if (answers) {
        gsp_works();
    }
}

/* The other fiber, and the longest it had to wait. */
static uint64_t longest_us, ran;
static void other(void *arg)
{
    uint64_t last = clock_now_us();
    (void)arg;
    while (!body_done) {
        fiber_sleep_us(100);
        const uint64_t now = clock_now_us();
        longest_us = now - last > longest_us ? now - last : longest_us;
        last = now;
        ran++;
    }
}

/* After one honest call, which shows that this GSP gives numbers back. */
static void (*in_flood)(void);
static void begin_flood(void)
{
    uint8_t *p = payload(64);
    assert_int_equal(rpc_call(76, p, 64, US_PER_S, NULL, NULL), FL_OK);
    free(p);
    r->on_message = refill;
    refill();
    assert_non_null(fiber_spawn("other", other, NULL, FIBER_STACK_DEFAULT));
    in_flood();
}

static void flooded_body(void (*fn)(void), const struct flood *f)
{
    print_message("  %s\n", f->name);
    now_flood = f;
    flooded = longest_us = ran = 0;
    in_flood = fn;
    in_fiber(begin_flood);
    fiber_run(NULL, NULL); /* the other one's end */
    assert_true(longest_us <= 10 * US_PER_MS);
}

static void all_floods(void (*fn)(void), void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(floods); i++) {
        teardown(state);
        setup(state);
        flooded_body(fn, &floods[i]);
    }
}

/* ---- a call that is never answered ---- */

static void call_ends_body(void)
{
    struct fl_fail fail = {0};
    uint8_t *p = payload(100);
    r->mute = true;
    const uint64_t start = clock_now_us();
    assert_int_equal(rpc_call(76, p, 100, 100 * US_PER_MS, NULL, &fail), FL_ETIMEDOUT);
    assert_in_range(clock_now_us() - start, 100 * US_PER_MS, 110 * US_PER_MS);
    assert_true(r->rpc.received > 200);
    assert_true(ran > 50);
    free(p);
}
static void call_ends(void **state)
{
    (void)state;
    answers = false;
    all_floods(call_ends_body, state);
}

/* ---- calls that are answered ---- */

static void answered_body(void)
{
    const uint32_t sizes[] = {100, 5000, 100, 66000, 100};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct fl_fail fail = {0};
        uint8_t *p = payload(sizes[i]);
        if (rpc_call(76, p, sizes[i], US_PER_S, NULL, &fail) != FL_OK) {
            fail_msg("call %zu: %s", i, fail.text);
        }
        check_reply(p, sizes[i]);
        free(p);
    }
}
static void answered_all_the_same(void **state)
{
    (void)state;
    answers = true;
    for (size_t i = 0; i < ARRAY_SIZE(floods); i++) {
        if (floods[i].function != 76 && floods[i].function != 71) {
            teardown(state);
            setup(state);
            flooded_body(answered_body, &floods[i]);
        }
    }
}
/* Replies of an earlier call between: only the number tells. */
static void answered_among_old_replies(void **state)
{
    (void)state;
    answers = true;
    flooded_body(answered_body, &floods[3]);
}

/* ---- the other waits ---- */

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}
static void wait_ends_body(void)
{
    struct fl_fail fail = {0};
    const uint64_t start = clock_now_us();
    assert_int_equal(
        gsp_rpc_wait(&r->rpc, never, 100 * US_PER_MS, "GSP_INIT_DONE", "see its logs", &fail),
        FL_ETIMEDOUT);
    assert_in_range(clock_now_us() - start, 100 * US_PER_MS, 110 * US_PER_MS);
    assert_non_null(strstr(fail.text, "GSP_INIT_DONE; the GSP sent "));
}
static void wait_ends(void **state)
{
    (void)state;
    answers = false;
    all_floods(wait_ends_body, state);
}

static bool at_500(void *ctx)
{
    (void)ctx;
    return r->rpc.received >= 500;
}
static void wait_is_fulfilled_body(void)
{
    assert_int_equal(gsp_rpc_wait(&r->rpc, at_500, US_PER_S, "what", NULL, NULL), FL_OK);
    assert_in_range(r->rpc.received, 500, 500 + 256);
}
static void wait_is_fulfilled(void **state)
{
    (void)state;
    answers = false;
    all_floods(wait_is_fulfilled_body, state);
}

static void post_ends_body(void)
{
    struct fl_fail fail = {0};
    uint8_t *p = payload(65000);
    r->deaf = true;
    for (unsigned i = 0; i < 3; i++) { /* 48 of 62 slots */
        assert_int_equal(rpc_post(10, p, 65000, US_PER_MS, &fail), FL_OK);
    }
    const uint64_t start = clock_now_us();
    assert_int_equal(rpc_post(10, p, 65000, 100 * US_PER_MS, &fail), FL_ETIMEDOUT);
    assert_in_range(clock_now_us() - start, 100 * US_PER_MS, 110 * US_PER_MS);
    assert_non_null(strstr(fail.text, "does not take messages"));
    free(p);
}
static void post_ends(void **state)
{
    (void)state;
    answers = false;
    all_floods(post_ends_body, state);
}

/* A turn: a millisecond, or 256 messages where they cost nothing. */
static void pump_is_one_turn_body(void)
{
    for (unsigned i = 0; i < 3; i++) {
        const uint64_t start = clock_now_us(), before = r->rpc.received;
        bool more = false;
        assert_int_equal(gsp_rpc_pump(&r->rpc, &more, NULL), FL_OK);
        assert_true(more);
        assert_in_range(clock_now_us() - start, 0, US_PER_MS + 410);
        assert_in_range(r->rpc.received - before, 3, 256);
        assert_true(now_flood->cost_us != 0 || r->rpc.received - before == 256);
    }
    r->on_message = NULL;
    bool more = true;
    while (more) {
        assert_int_equal(gsp_rpc_pump(&r->rpc, &more, NULL), FL_OK);
    }
    assert_int_equal(r->rpc.received, flooded + 1);
}
static void pump_is_one_turn(void **state)
{
    (void)state;
    answers = false;
    all_floods(pump_is_one_turn_body, state);
    teardown(state);
    setup(state);
    flooded_body(pump_is_one_turn_body, &free_events);
}

/* ---- the log ---- */

static void log_is_limited_body(void)
{
    struct log_entry e;
    uint64_t cursor = 0, lines = 0, said = 0;
    call_ends_body();
    while (log_read(&cursor, &e, NULL)) {
        lines += strstr(e.text, "dropped") != NULL;
        said += strstr(e.text, "lines like this suppressed") != NULL;
    }
    assert_int_equal(lines, LOG_LIMIT_LINES); /* all within a second */
    assert_int_equal(said, 0);
    log_limit_flush(&r->rpc.limit, "gsp");
    assert_true(log_read(&cursor, &e, NULL));
    assert_non_null(strstr(e.text, "lines like this suppressed"));
    assert_int_equal(strtoull(e.text, NULL, 10) + LOG_LIMIT_LINES, r->rpc.late); /* each one */
}
static void log_is_limited(void **state)
{
    (void)state;
    answers = false;
    log_reset_at(0);
    flooded_body(log_is_limited_body, &floods[3]);
}

/* ---- one call behind another ---- */

static enum fl_err second_err;
static uint64_t second_us;
static struct fl_fail second_fail;
static void second_caller(void *arg)
{
    uint8_t p[64] = {64};
    const uint64_t start = clock_now_us();
    (void)arg;
    second_fail = (struct fl_fail){0};
    second_err = rpc_call(103, p, 64, 100 * US_PER_MS, NULL, &second_fail);
    second_us = clock_now_us() - start;
}
static void queueing_counts_body(void)
{
    uint8_t *p = payload(100);
    r->mute = true;
    assert_non_null(fiber_spawn("second", second_caller, NULL, FIBER_STACK_DEFAULT));
    assert_int_equal(rpc_call(76, p, 100, US_PER_S, NULL, NULL), FL_ETIMEDOUT);
    assert_int_equal(second_err, FL_ETIMEDOUT);
    assert_in_range(second_us, 100 * US_PER_MS, 110 * US_PER_MS);
    assert_non_null(strstr(second_fail.text, "for other calls to end"));
    assert_int_equal(r->sent, 1);            /* the second one was never sent, */
    assert_int_equal(r->rpc.match.count, 1); /* so nothing of it will come */
    free(p);
}
static void queueing_counts(void **state)
{
    (void)state;
    in_fiber(queueing_counts_body);
}

/* ---- being sent away ---- */

static void interrupt_later(void *arg)
{
    (void)arg;
    fiber_sleep_us(5 * US_PER_MS);
    gsp_rpc_interrupt(&r->rpc);
}
static void interrupted_body(void)
{
    struct fl_fail fail = {0};
    uint8_t *p = payload(100);
    r->mute = true;
    assert_non_null(fiber_spawn("later", interrupt_later, NULL, FIBER_STACK_DEFAULT));
    assert_non_null(fiber_spawn("second", second_caller, NULL, FIBER_STACK_DEFAULT));
    const uint64_t start = clock_now_us();
    assert_int_equal(rpc_call(76, p, 100, US_PER_S, NULL, &fail), FL_ECANCELED);
    assert_true(clock_now_us() - start < 10 * US_PER_MS);
    assert_non_null(strstr(fail.text, "taken down"));
    fiber_sleep_us(US_PER_MS);
    assert_int_equal(second_err, FL_ECANCELED); /* who queued, too */
    free(p);
    r->mute = false;
    gsp_put(76, r->rpc.sequence, 0, r->in, 100); /* its answer comes all the same */
    p = payload(100);
    fl_fail_clear(&fail);
    assert_int_equal(rpc_call(76, p, 100, US_PER_S, NULL, &fail), FL_OK);
    check_reply(p, 100);
    assert_int_equal(r->rpc.late, 1);
    free(p);
}
static void interrupted(void **state)
{
    (void)state;
    in_fiber(interrupted_body);
}
/* Also under a flood, where nobody idles; and who waits for an event. */
static void interrupted_flood_body(void)
{
    const uint64_t start = clock_now_us();
    assert_non_null(fiber_spawn("later", interrupt_later, NULL, FIBER_STACK_DEFAULT));
    assert_int_equal(gsp_rpc_wait(&r->rpc, never, US_PER_S, "x", NULL, NULL), FL_ECANCELED);
    assert_true(clock_now_us() - start < 10 * US_PER_MS);
}
static void interrupted_in_a_flood(void **state)
{
    (void)state;
    answers = false;
    flooded_body(interrupted_flood_body, &floods[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(call_ends),        T(answered_all_the_same),  T(answered_among_old_replies),
        T(wait_ends),        T(wait_is_fulfilled),      T(post_ends),
        T(pump_is_one_turn), T(log_is_limited),         T(queueing_counts),
        T(interrupted),      T(interrupted_in_a_flood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
