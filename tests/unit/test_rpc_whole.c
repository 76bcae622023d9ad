/* SPDX-License-Identifier: MIT */
/*
 * Replies of any length that come back whole: longer and shorter than the request, over several
 * continuation records, of the maximal size across the ring's wrap, longer than may be; with and
 * without a length in the first message.
 */
#include "tests/unit/rpc_rig.h"

enum { RECORD = 65456, HEAD = 24, PARAMS_SIZE_AT = 16, CONTROL = 76, UNTOLD = 78 };

/* The reply that the GSP gives, in as many records as it needs, when there is room for the next. */
static uint8_t *reply;
static uint32_t reply_size, reply_at, records;
static uint32_t cut; /* full records only, then nothing more */

static void next_record(void)
{
    while (reply_at < reply_size && gsp_room() >= 16) {
        const uint32_t part = reply_size - reply_at < RECORD ? reply_size - reply_at : RECORD;
        gsp_put(reply_at == 0 ? r->in_function : 71, r->in_sequence, r->reply_result,
                reply + reply_at, part);
        reply_at += part;
        records++;
        if (records == cut) {
            reply_at = reply_size;
        }
    }
}
static uint32_t ask_size;
static bool asked;
static enum fl_err gsp_idle(void *ctx, uint32_t round, struct deadline d, struct fl_fail *fail)
{
    (void)ctx;
    (void)round;
    (void)d;
    (void)fail;
    gsp_works();
    asked = asked || r->in_size >= ask_size;
    if (asked) {
        next_record();
    }
    fiber_sleep_us(100);
    return FL_OK;
}
static const struct gsp_rpc_host slow_host = {gsp_idle, on_event, trace};

/* A call of `ask` bytes, answered with `size`; told: what the first message says of the whole. */
static struct gsp_payload m;
static enum fl_err calls(uint32_t function, uint32_t ask, uint32_t size, uint32_t told,
                         struct fl_fail *fail)
{
    static const struct gsp_rpc_function untold = {.number = UNTOLD, .name = "untold"};
    r->rpc.host = &slow_host;
    r->mute = true;
    r->in_size = 0;
    asked = false;
    ask_size = ask;
    reply = malloc(size + 1);
    for (uint32_t i = 0; i < size; i++) {
        reply[i] = (uint8_t)(i * 7 + i / 251);
    }
    if (told != 0) {
        put_le32(reply + PARAMS_SIZE_AT, told - HEAD);
    }
    reply_size = size;
    reply_at = records = 0;
    m = (struct gsp_payload){.data = calloc(1, ask), .size = ask};
    return gsp_rpc_call_whole(&r->rpc, function == CONTROL ? &gsp_rpc_GSP_RM_CONTROL : &untold, &m,
                              US_PER_S, NULL, fail);
}
static void done(void)
{
    free(reply);
    free(m.data);
}
static void whole_told(uint32_t function, uint32_t ask, uint32_t size, uint32_t told)
{
    struct fl_fail fail = {0};
    const enum fl_err err = calls(function, ask, size, told, &fail);
    if (err != FL_OK || m.size != size || memcmp(m.data, reply, size) != 0) {
        fail_msg("%u bytes for %u: %s, %u bytes, %s", size, ask, fl_err_name(err), m.size,
                 fail.text);
    }
    assert_int_equal(records, size == 0 ? 0 : (size + RECORD - 1) / RECORD);
    assert_int_equal(r->rpc.history.ring[(r->rpc.history.total - 1) % 128].reply_bytes, size);
    assert_int_equal(r->rpc.late, 0); /* nothing is left over, for nobody */
    done();
}
static void whole(uint32_t function, uint32_t ask, uint32_t size)
{
    whole_told(function, ask, size, function == CONTROL ? size : 0);
}

static void any_length_body(void)
{
    static const uint32_t sizes[] = {24,
                                     25,
                                     4016,
                                     4017,
                                     RECORD - 1,
                                     RECORD,
                                     RECORD + 1,
                                     3 * RECORD,
                                     3 * RECORD + 1000,
                                     (uint32_t)GSP_RPC_PAYLOAD_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        whole(CONTROL, HEAD, sizes[i]);
        whole(CONTROL, 1000, sizes[i]);
        whole(CONTROL, sizes[i], sizes[i]);
    }
    whole(UNTOLD, 100, 60);
    whole(UNTOLD, 100, 3 * RECORD + 1);
    whole(UNTOLD, 2 * RECORD, 2 * RECORD); /* ends with the request's size */
    whole(UNTOLD, 100, GSP_RPC_PAYLOAD_MAX / RECORD * RECORD + 5);
}
static void any_length(void **state)
{
    (void)state;
    in_fiber(any_length_body);
}

/* The largest at every place of the ring: 16 slots a record, so each wraps somewhere else. */
static void near_the_wrap_body(void)
{
    for (unsigned i = 0; i < N; i++) {
        struct fl_fail fail = {0};
        whole(CONTROL, HEAD, (uint32_t)GSP_RPC_PAYLOAD_MAX);
        uint8_t *p = payload(4); /* one slot on */
        r->rpc.host = &host;
        r->mute = false;
        assert_int_equal(rpc_call(UNTOLD, p, 4, US_PER_S, NULL, &fail), FL_OK);
        free(p);
    }
}
static void near_the_wrap(void **state)
{
    (void)state;
    in_fiber(near_the_wrap_body);
}

static void refused(uint32_t function, uint32_t size, uint32_t told, enum fl_err err,
                    const char *words)
{
    struct fl_fail fail = {0};
    assert_int_equal(calls(function, 100, size, told, &fail), err);
    if (strstr(fail.text, words) == NULL) {
        fail_msg("\"%s\" is not in: %s", words, fail.text);
    }
    assert_int_equal(m.size, 100);
}
static void too_long_body(void)
{
    refused(CONTROL, 200, (uint32_t)GSP_RPC_PAYLOAD_MAX + 1, FL_EPROTO, "1048577 bytes");
    done();
    refused(CONTROL, 200, UINT32_MAX, FL_EPROTO, "4294967295 bytes");
    done();
    /* One that does not say so, and does not end. What is left of it answers nobody. */
    refused(UNTOLD, (uint32_t)MIB(2), 0, FL_EPROTO, "at most 1048576");
    for (unsigned i = 0; i < 100; i++) {
        gsp_idle(NULL, 0, deadline_never(), NULL);
        bool more = true;
        while (more) {
            assert_int_equal(gsp_rpc_pump(&r->rpc, &more, NULL), FL_OK);
        }
    }
    assert_int_equal(reply_at, reply_size);
    done();
    assert_true(r->rpc.late > 10);
    r->rpc.late = 0;
    whole(CONTROL, 100, 300);
    whole_told(CONTROL, 100, 2 * RECORD, RECORD + 1); /* more than it said, and then no more */
    /* It says more than it gives: one that stops at a full record is waited for in vain. */
    cut = 2;
    refused(CONTROL, 3 * RECORD, 3 * RECORD, FL_ETIMEDOUT, "waited 1000 ms");
    done();
    cut = 0;
}
static void too_long(void **state)
{
    (void)state;
    in_fiber(too_long_body);
}

/* Without growing it is cut to the request's size, as ever; the room is never exceeded. */
static void not_asked_for_body(void)
{
    uint8_t data[100] = {0};
    struct gsp_payload fixed = {.data = data, .size = 50};
    free(calls(CONTROL, 100, 70, 70, NULL) == FL_OK ? m.data : NULL);
    reply_at = records = 0;
    asked = false;
    ask_size = 50;
    r->in_size = 0;
    memset(data, 0xa5, sizeof(data));
    assert_int_equal(gsp_rpc_call(&r->rpc, &gsp_rpc_GSP_RM_CONTROL, &fixed, US_PER_S, NULL, NULL),
                     FL_OK);
    assert_int_equal(fixed.size, 50);
    assert_memory_equal(data, reply, 50);
    assert_int_equal(data[50], 0xa5);
    free(reply);
}
static void not_asked_for(void **state)
{
    (void)state;
    in_fiber(not_asked_for_body);
}

/* A refusal ends it at once, however long it says that it is. */
static void refusal_body(void)
{
    struct fl_fail fail = {0};
    r->reply_result = 0x56;
    cut = 1;
    assert_int_equal(calls(CONTROL, 100, 3 * RECORD, 3 * RECORD, &fail), FL_EIO);
    assert_int_equal(m.size, RECORD);
    cut = 0;
    r->reply_result = 0;
    done();
}
static void refusal(void **state)
{
    (void)state;
    in_fiber(refusal_body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(any_length), T(near_the_wrap), T(too_long), T(not_asked_for), T(refusal),
#undef T
    };
    return cmocka_run_group_tests_name("rpc whole replies", tests, NULL, NULL);
}
