/* SPDX-License-Identifier: MIT */
/*
 * The history of calls and events: what a record says of each end a call can have, of events and
 * their handling; the ring near its wrap, and a call that it has overtaken.
 */
#include "tests/unit/rpc_rig.h"

static struct gsp_rpc_record last;
static void last_is(enum gsp_rpc_end end)
{
    uint64_t at = r->rpc.history.total;
    assert_true(gsp_history_next(&r->rpc.history, &at, &last));
    assert_int_equal(last.number, r->rpc.history.total);
    assert_string_equal(gsp_rpc_end_name(last.end), gsp_rpc_end_name(end));
}

/* A control on an object, as the layout has it (rpc.md C4): answered with status and reply. */
static void ends_body(void)
{
    enum { HEAD = 24, SIZE = HEAD + 16 };
    struct gsp_payload m = {payload(SIZE), SIZE};
    put_le32(m.data + 4, 0x5d1d0000);
    put_le32(m.data + 8, 0x20800110);
    uint64_t start = clock_now_us();
    assert_int_equal(gsp_rpc_call(&r->rpc, &gsp_rpc_GSP_RM_CONTROL, &m, US_PER_S, NULL, NULL),
                     FL_OK);
    last_is(GSP_RPC_ANSWERED);
    assert_int_equal(last.number, 1);
    assert_int_equal(last.at_us, start);
    assert_int_equal(last.us, clock_now_us() - start);
    assert_true(last.us > 0);
    assert_int_equal(last.function, 76);
    assert_string_equal(last.name, "GSP_RM_CONTROL");
    assert_false(last.event);
    assert_int_equal(last.client, SIZE); /* the scripted GSP wants its total there */
    assert_int_equal(last.object, 0x5d1d0000);
    assert_int_equal(last.cmd, 0x20800110);
    assert_int_equal(last.request_bytes, SIZE);
    assert_int_equal(last.reply_bytes, SIZE);
    assert_int_equal(last.result, 0);
    assert_int_equal(last.rm_status, get_le32(m.data + 12)); /* of the reply, not the request */

    const struct gsp_rpc_latency *took = r->rpc.history.latency;
    struct latency one = took[0].took;
    assert_string_equal(took[0].name, "GSP_RM_CONTROL");
    assert_int_equal(took[0].function, 76);
    assert_int_equal(one.sum_us, last.us);
    assert_null(took[1].name);

    put_le32(m.data, SIZE);
    r->reply_result = 0x56;
    r->reply_shorter = SIZE - 8;
    uint32_t result;
    assert_int_equal(gsp_rpc_call(&r->rpc, &gsp_rpc_GSP_RM_CONTROL, &m, US_PER_S, &result, NULL),
                     FL_OK);
    last_is(GSP_RPC_ANSWERED);
    assert_int_equal(last.result, 0x56);
    assert_int_equal(last.reply_bytes, 8);
    assert_int_equal(last.rm_status, 0); /* it did not come: nothing of the request is taken */
    r->reply_result = 0;
    put_le32(m.data, SIZE);
    assert_int_equal(gsp_rpc_call(&r->rpc, &gsp_rpc_GSP_RM_CONTROL, &m, US_PER_S, &result, NULL),
                     FL_EPROTO);
    last_is(GSP_RPC_FAILED);
    assert_int_equal(last.reply_bytes, 8);
    r->reply_shorter = 0;

    put_le32(m.data, SIZE);
    assert_int_equal(gsp_rpc_post(&r->rpc, &gsp_rpc_GSP_RM_CONTROL, &m, US_PER_S, NULL), FL_OK);
    last_is(GSP_RPC_POSTED);
    assert_int_equal(last.reply_bytes, 0);
    gsp_works();

    r->mute = true;
    put_le32(m.data, SIZE);
    put_le32(m.data + 4, 0x5d1d0000);
    start = clock_now_us();
    assert_int_equal(gsp_rpc_call(&r->rpc, &gsp_rpc_GSP_RM_CONTROL, &m, 50 * US_PER_MS, NULL, NULL),
                     FL_ETIMEDOUT);
    last_is(GSP_RPC_TIMED_OUT);
    assert_in_range(last.us, 50 * US_PER_MS, 60 * US_PER_MS);
    assert_int_equal(last.object, 0x5d1d0000);
    r->idle_err = FL_ELINKLOST;
    assert_int_equal(gsp_rpc_call(&r->rpc, &gsp_rpc_GSP_RM_CONTROL, &m, US_PER_S, NULL, NULL),
                     FL_ELINKLOST);
    last_is(GSP_RPC_FAILED);

    /* What never was a call leaves nothing. */
    const uint64_t total = r->rpc.history.total;
    m.size = HEAD - 1;
    assert_int_equal(gsp_rpc_call(&r->rpc, &gsp_rpc_GSP_RM_CONTROL, &m, US_PER_S, NULL, NULL),
                     FL_EINVAL);
    m.size = SIZE;
    gsp_rpc_close(&r->rpc);
    assert_int_equal(gsp_rpc_call(&r->rpc, &gsp_rpc_GSP_RM_CONTROL, &m, US_PER_S, NULL, NULL),
                     FL_ESTATE);
    assert_int_equal(gsp_rpc_post(&r->rpc, &gsp_rpc_GSP_RM_CONTROL, &m, US_PER_S, NULL), FL_ESTATE);
    assert_int_equal(r->rpc.history.total, total);
    /* Two were answered, and only they are in the histogram. */
    uint64_t answered = 0;
    for (unsigned i = 0; i <= LATENCY_BOUNDS; i++) {
        answered += took[0].took.bucket[i];
    }
    assert_int_equal(answered, 2);
    assert_true(took[0].took.sum_us > one.sum_us);
    assert_null(took[1].name);
    gsp_rpc_open(&r->rpc); /* and a new life forgets none */
    assert_int_equal(r->rpc.history.total, total);
    free(m.data);
}
static void ends(void **state)
{
    (void)state;
    in_fiber(ends_body);
    assert_string_equal(gsp_rpc_end_name((enum gsp_rpc_end)7), "?");
}

/* Each value into the first bucket that holds it; the bounds belong to their bucket. */
static void buckets(void **state)
{
    struct latency l = {0};
    (void)state;
    latency_add(&l, 0);
    latency_add(&l, 500);
    latency_add(&l, 501);
    latency_add(&l, 1000000);
    latency_add(&l, 1000001);
    latency_add(&l, 7000000000ull);
    assert_int_equal(l.bucket[0], 2);
    assert_int_equal(l.bucket[1], 1);
    assert_int_equal(l.bucket[LATENCY_BOUNDS - 1], 1);
    assert_int_equal(l.bucket[LATENCY_BOUNDS], 2);
    assert_int_equal(l.sum_us, 7002001002);
    for (unsigned i = 1; i < LATENCY_BOUNDS; i++) {
        assert_true(latency_bound_us[i] > latency_bound_us[i - 1]);
    }
}

/* Functions have a histogram each. */
static void by_function(void **state)
{
    struct gsp_history h = {0};
    const struct gsp_payload p = {NULL, 0};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        const struct gsp_rpc_function *f = i == 1 ? &gsp_rpc_FREE : &gsp_rpc_GSP_RM_CONTROL;
        gsp_history_end(&h, gsp_history_begin(&h, f, &gsp_layout_570_144, &p, clock_now_us()),
                        FL_OK, GSP_RPC_ANSWERED, 0, 0, 0);
    }
    assert_string_equal(h.latency[0].name, "GSP_RM_CONTROL");
    assert_int_equal(h.latency[0].took.bucket[0], 2);
    assert_string_equal(h.latency[1].name, "FREE");
    assert_int_equal(h.latency[1].took.bucket[0], 1);
    assert_null(h.latency[2].name);
    unsigned rows = 0;
#define GSP_RPC(name, number, request, least) rows++;
#include "gsp/rpc/functions.def"
#undef GSP_RPC
    assert_int_equal(rows, GSP_RPC_FUNCTIONS);
}

/* Allocations and frees say what they are about, too; both versions have them alike. */
static void objects(void **state)
{
    uint8_t p[64];
    (void)state;
    for (unsigned i = 0; i < sizeof(p) / 4; i++) {
        put_le32(p + 4 * i, 0x100 + i);
    }
    const struct gsp_payload m = {p, sizeof(p)};
    const struct gsp_layout *const layouts[] = {&gsp_layout_570_144, &gsp_layout_535_113_01};
    for (unsigned i = 0; i < 2; i++) {
        const struct gsp_rpc_said a = gsp_rpc_read(103, layouts[i], &m);
        assert_int_equal(a.client, 0x100);
        assert_int_equal(a.object, 0x102);
        assert_int_equal(a.cmd, 0x103);
        assert_int_equal(a.status, 0x104);
        const struct gsp_rpc_said f = gsp_rpc_read(10, layouts[i], &m);
        assert_int_equal(f.client, 0x100);
        assert_int_equal(f.object, 0x102);
        assert_int_equal(f.cmd, 0);
        assert_int_equal(f.status, 0x103);
        const struct gsp_rpc_said d = gsp_rpc_read(21, layouts[i], &m);
        assert_int_equal(d.client, 0x100);
        assert_int_equal(d.object, 0x102);
        assert_int_equal(d.cmd, 0);
        assert_int_equal(d.status, 0x106);
        assert_int_equal(gsp_rpc_read(65, layouts[i], &m).client, 0);
    }
}

/* Two in line behind one that gets no answer: each has its record and its end. */
static enum fl_err err[3];
static unsigned left;
static void one_call(void *arg)
{
    const uintptr_t i = (uintptr_t)arg;
    uint8_t *p = payload(100);
    err[i] = rpc_call(76, p, 100, (i + 1) * 10 * US_PER_MS, NULL, NULL);
    left--;
    free(p);
}
static void cancel_body(void)
{
    r->mute = true;
    left = 3;
    for (uintptr_t i = 3; i-- > 0;) {
        assert_non_null(fiber_spawn("call", one_call, (void *)i, KIB(64)));
    }
    fiber_sleep_us(15 * US_PER_MS); /* the shortest has gone, from the line */
    assert_int_equal(left, 2);
    uint64_t at = 0;
    assert_true(gsp_history_next(&r->rpc.history, &at, &last));
    assert_int_equal(last.end, GSP_RPC_RUNNING);
    assert_in_range(last.us, 14 * US_PER_MS, 16 * US_PER_MS); /* so far */
    assert_true(gsp_history_next(&r->rpc.history, &at, &last));
    assert_int_equal(last.end, GSP_RPC_TIMED_OUT);
    assert_in_range(last.us, 10 * US_PER_MS, 11 * US_PER_MS);
    gsp_rpc_interrupt(&r->rpc);
    while (left > 0) {
        fiber_sleep_us(1000);
    }
    assert_int_equal(err[0], FL_ETIMEDOUT);
    assert_int_equal(err[1], FL_ECANCELED);
    assert_int_equal(err[2], FL_ECANCELED);
    at = 0;
    assert_true(gsp_history_next(&r->rpc.history, &at, &last));
    assert_int_equal(last.end, GSP_RPC_CANCELLED);
    last_is(GSP_RPC_CANCELLED);
    assert_int_equal(last.number, 3);
}
static void cancelled(void **state)
{
    (void)state;
    in_fiber(cancel_body);
}

/* The ring turns over; a call that it overtook ends without a record, and harms nobody's. */
static void wraps_body(void)
{
    uint8_t p[100] = {100};
    struct gsp_history *h = &r->rpc.history;
    const struct gsp_msg event = {.function = 0x1006, .result = 7, .payload_size = 272};
    const struct gsp_payload m = {p, sizeof(p)};
    struct gsp_rpc_record e;
    uint64_t at = 0;

    assert_false(gsp_history_next(h, &at, &e));
    assert_int_equal(at, 0);
    const struct gsp_rpc_function f = any_function(76);
    const uint64_t call = gsp_history_begin(h, &f, &gsp_layout_570_144, &m, 0);
    for (unsigned i = 0; i < GSP_HISTORY_RECORDS - 1; i++) {
        gsp_history_event(h, &event, "OS_ERROR_LOG");
    }
    assert_true(gsp_history_next(h, &at, &e)); /* still there */
    assert_int_equal(e.number, call);
    assert_int_equal(at, call + 1);
    const uint64_t handled = gsp_history_event(h, &event, "OS_ERROR_LOG");
    assert_int_equal(handled, call + GSP_HISTORY_RECORDS);
    gsp_history_end(h, call, FL_OK, GSP_RPC_ANSWERED, 5, 6, 7);
    fiber_sleep_us(300);
    gsp_history_handled(h, handled);
    at = 0;
    for (uint64_t n = 2; n <= handled; n++) {
        assert_true(gsp_history_next(h, &at, &e));
        assert_int_equal(e.number, n);
        assert_true(e.event);
        assert_int_equal(e.end, GSP_RPC_EVENT);
        assert_string_equal(e.name, "OS_ERROR_LOG");
        assert_int_equal(e.function, 0x1006);
        assert_int_equal(e.result, 7);
        assert_int_equal(e.reply_bytes, 272);
        assert_int_equal(e.us >= 300, n == handled);
    }
    assert_false(gsp_history_next(h, &at, &e));
    for (unsigned i = 0; i < GSP_HISTORY_RECORDS; i++) { /* overtaken while it was handled */
        gsp_history_event(h, &event, "OS_ERROR_LOG");
    }
    fiber_sleep_us(300);
    gsp_history_handled(h, handled);
    at = h->total; /* it has that place */
    assert_true(gsp_history_next(h, &at, &e));
    assert_int_equal(e.number, handled + GSP_HISTORY_RECORDS);
    assert_int_equal(e.us, 0);
}
static void wraps(void **state)
{
    (void)state;
    in_fiber(wraps_body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(ends),
        T(objects),
        T(cancelled),
        T(wraps),
#undef T
        cmocka_unit_test(buckets),
        cmocka_unit_test(by_function),
    };
    return cmocka_run_group_tests_name("rpc history", tests, NULL, NULL);
}
