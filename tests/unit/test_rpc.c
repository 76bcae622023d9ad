/* SPDX-License-Identifier: MIT */
/*
 * The RPC layer with a scripted GSP behind the rings: replies and events in any order, large
 * messages both ways, a ring that is full, replies that come late or never. Rings start before
 * their wrap.
 */
#include "tests/unit/rpc_rig.h"

static void calls_body(void)
{
    static const uint32_t sizes[] = {4, 8, 4016, 4017, 65456, 65457, 70000, 131000, 240000};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct fl_fail fail = {0};
        uint8_t *p = payload(sizes[i]);
        assert_int_equal(rpc_call(76, p, sizes[i], US_PER_S, NULL, &fail), FL_OK);
        check_reply(p, sizes[i]);
        assert_int_equal(r->in_parts, (sizes[i] + 65455) / 65456);
        free(p);
    }
}
static void calls(void **state)
{
    (void)state;
    in_fiber(calls_body);
}

static void events_between_body(void)
{
    struct fl_fail fail = {0};
    uint8_t *p = payload(100);
    r->events_before = 5;
    r->wrong_function = 65; /* an answer that nobody waits for: dropped */
    assert_int_equal(rpc_call(76, p, 100, US_PER_S, NULL, &fail), FL_OK);
    check_reply(p, 100);
    assert_int_equal(r->events, 5);
    assert_int_equal(r->rpc.late, 1);
    free(p);
}
static void events_between(void **state)
{
    (void)state;
    in_fiber(events_between_body);
}

static void results_body(void)
{
    struct fl_fail fail = {0};
    uint8_t *p = payload(100);
    uint32_t result = 0;
    r->reply_result = 0x56;
    assert_int_equal(rpc_call(76, p, 100, US_PER_S, NULL, &fail), FL_EIO);
    assert_non_null(strstr(fail.text, "0x56 (NV_ERR_NOT_SUPPORTED)"));
    free(p);
    p = payload(100);
    assert_int_equal(rpc_call(76, p, 100, US_PER_S, &result, NULL), FL_OK);
    assert_int_equal(result, 0x56);
    free(p);
    r->reply_result = 0;
    r->reply_shorter = 1;
    p = payload(100);
    fl_fail_clear(&fail);
    assert_int_equal(rpc_call(76, p, 100, US_PER_S, NULL, &fail), FL_EPROTO);
    assert_int_equal(fail.seen, 99);
    free(p);
    p = payload(8);
    assert_int_equal(rpc_call(76, p, (uint32_t)GSP_RPC_PAYLOAD_MAX + 1, US_PER_S, NULL, NULL),
                     FL_EINVAL);
    free(p);
}
static void results(void **state)
{
    (void)state;
    in_fiber(results_body);
}

/* A call of 100 bytes whose reply has that many. */
static enum fl_err short_reply(const struct gsp_rpc_function *f, uint32_t bytes,
                               struct fl_fail *fail)
{
    struct gsp_payload m = {payload(100), 100};

    fl_fail_clear(fail);
    r->reply_shorter = m.size - bytes;
    const enum fl_err err = gsp_rpc_call(&r->rpc, f, &m, US_PER_S, NULL, fail);
    r->reply_shorter = 0;
    free(m.data);
    return err;
}

/* What a reply and a request must have at least is the function's. */
static void least_body(void)
{
    enum { HEAD = 24 }; /* of a control, both versions (OGKM g_rpc-structures.h) */
    static const struct gsp_rpc_function undemanding = {
        .number = 76, .name = "any", .least = GSP_RPC_NOTHING};
    struct fl_fail fail = {0};

    assert_int_equal(short_reply(&gsp_rpc_GSP_RM_CONTROL, HEAD, &fail), FL_OK);
    assert_int_equal(short_reply(&gsp_rpc_GSP_RM_CONTROL, HEAD - 1, &fail), FL_EPROTO);
    assert_int_equal(fail.seen, HEAD - 1);
    assert_int_equal(fail.expected, HEAD);
    assert_int_equal(short_reply(&undemanding, 0, &fail), FL_OK);
    const unsigned sent = r->sent;
    struct gsp_payload m = {payload(HEAD), HEAD - 1};
    assert_int_equal(gsp_rpc_call(&r->rpc, &gsp_rpc_GSP_RM_CONTROL, &m, US_PER_S, NULL, NULL),
                     FL_EINVAL);
    assert_int_equal(gsp_rpc_post(&r->rpc, &gsp_rpc_GSP_RM_CONTROL, &m, US_PER_S, NULL), FL_EINVAL);
    assert_int_equal(r->sent, sent);
    free(m.data);
}
static void least(void **state)
{
    (void)state;
    in_fiber(least_body);
}

static void late_reply_body(void)
{
    struct fl_fail fail = {0};
    uint8_t *p = payload(100);
    r->hold = true;
    const uint64_t start = clock_now_us();
    assert_int_equal(rpc_call(76, p, 100, 50 * US_PER_MS, NULL, &fail), FL_ETIMEDOUT);
    assert_in_range(clock_now_us() - start, 50 * US_PER_MS, 60 * US_PER_MS);
    assert_in_range(fail.waited_us, 50 * US_PER_MS, 60 * US_PER_MS);
    assert_non_null(strstr(fail.text, "GSP_RM_CONTROL"));
    free(p);
    answer(); /* now it comes, in front of the next one's */
    r->hold = false;
    p = payload(200);
    assert_int_equal(rpc_call(76, p, 200, US_PER_S, NULL, NULL), FL_OK);
    check_reply(p, 200);
    assert_int_equal(r->rpc.late, 1);
    free(p);
}
static void late_reply(void **state)
{
    (void)state;
    in_fiber(late_reply_body);
}

static void full_ring_body(void)
{
    struct fl_fail fail = {0};
    uint8_t *p = payload(65000);
    r->deaf = true;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rpc_post(10, p, 65000, US_PER_MS, &fail), FL_OK);
    }
    assert_int_equal(rpc_post(10, p, 65000, 20 * US_PER_MS, &fail), FL_ETIMEDOUT);
    assert_non_null(strstr(fail.text, "does not take messages"));
    r->deaf = false;
    assert_int_equal(rpc_post(10, p, 65000, 20 * US_PER_MS, NULL), FL_OK);
    assert_int_equal(r->sent, 4);
    free(p);
}
static void full_ring(void **state)
{
    (void)state;
    in_fiber(full_ring_body);
}

static void errors_end_the_wait_body(void)
{
    struct fl_fail fail = {0};
    bool more;
    uint8_t *p = payload(100);
    r->mute = true;
    r->idle_err = FL_ELINKLOST;
    assert_int_equal(rpc_call(76, p, 100, US_PER_S, NULL, &fail), FL_ELINKLOST);
    assert_int_equal(r->idles, 1);
    r->idle_err = FL_OK;
    r->mute = false;
    r->events_before = 1;
    r->event_err = FL_EBADDATA;
    fl_fail_clear(&fail);
    assert_int_equal(rpc_call(76, p, 100, US_PER_S, NULL, &fail), FL_EBADDATA);
    gsp_rpc_close(&r->rpc);
    fl_fail_clear(&fail);
    assert_int_equal(rpc_call(76, p, 100, US_PER_S, NULL, &fail), FL_ESTATE);
    assert_int_equal(rpc_post(76, p, 100, US_PER_S, NULL), FL_ESTATE);
    assert_int_equal(gsp_rpc_pump(&r->rpc, &more, NULL), FL_ESTATE);
    free(p);
}
static void errors_end_the_wait(void **state)
{
    (void)state;
    in_fiber(errors_end_the_wait_body);
}

static bool three_events(void *ctx)
{
    (void)ctx;
    return r->events >= 3;
}
static void waits_for_events_body(void)
{
    struct fl_fail fail = {0};
    bool more;
    const uint8_t b[8] = {0};
    gsp_put(0x1001, 0, 0, b, 8);
    gsp_put(0x1002, 0, 0, b, 8);
    assert_int_equal(gsp_rpc_pump(&r->rpc, &more, &fail), FL_OK);
    assert_false(more);
    assert_int_equal(r->events, 2);
    assert_int_equal(
        gsp_rpc_wait(&r->rpc, three_events, 30 * US_PER_MS, "a third event", "try", &fail),
        FL_ETIMEDOUT);
    assert_non_null(strstr(fail.text, "a third event"));
    assert_string_equal(fail.hint, "try");
    gsp_put(0x1003, 0, 0, b, 8);
    assert_int_equal(
        gsp_rpc_wait(&r->rpc, three_events, 30 * US_PER_MS, "a third event", NULL, NULL), FL_OK);
}
static void waits_for_events(void **state)
{
    (void)state;
    in_fiber(waits_for_events_body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(calls),     T(events_between),      T(results),          T(least), T(late_reply),
        T(full_ring), T(errors_end_the_wait), T(waits_for_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
