/* SPDX-License-Identifier: MIT */
/*
 * Which call a reply belongs to: with a GSP that gives the numbers of calls back and with one that
 * does not, near the wrap of the number, after calls that were given up in every way.
 */
#include "tests/unit/rpc_rig.h"

#define WAIT_US (20 * US_PER_MS)

/* One call that gets `err`; what came is compared with the answer to just this request. */
static uint32_t call_number;
static void call(uint32_t function, enum fl_err err)
{
    struct fl_fail fail = {0};
    const uint32_t size = 100 + 4 * ++call_number; /* no two alike */
    uint8_t *p = payload(size);
    const enum fl_err got = rpc_call(function, p, size, WAIT_US, NULL, &fail);
    if (got != FL_OK || got != err) {
        free(p);
    }
    if (got != err) {
        fail_msg("call %u: %s (%s), expected %s", call_number, fl_err_name(got), fail.text,
                 fl_err_name(err));
    }
    if (got == FL_OK) {
        check_reply(p, size);
        free(p);
    }
}

/* The same, and the GSP keeps its answer back. */
static void call_in_vain(uint32_t function)
{
    r->hold = true;
    call(function, FL_ETIMEDOUT);
    r->hold = false;
}

static void late(uint32_t function, uint32_t sequence)
{
    uint8_t wrong[256];
    memset(wrong, 0xaa, sizeof(wrong));
    gsp_put(function, sequence, 0, wrong, sizeof(wrong));
}

/* Several calls of one function time out; their answers come in front of the next one's. */
static void several_late_replies_body(void)
{
    for (unsigned round = 0; round < 3; round++) { /* over the wrap: 0 is never used */
        uint32_t given_up[3];
        for (unsigned i = 0; i < 3; i++) {
            call_in_vain(76);
            given_up[i] = r->rpc.sequence;
        }
        for (unsigned i = 0; i < 3; i++) {
            late(76, r->echo_not ? 0 : given_up[i]);
        }
        call(76, FL_OK);
        assert_int_equal(r->rpc.late, 3 * (round + 1));
        call(76, FL_OK);
        assert_int_not_equal(r->rpc.sequence, 0);
    }
    assert_true(r->rpc.sequence < 100);
}
static void several_late_replies(void **state)
{
    (void)state;
    r->rpc.sequence = UINT32_MAX - 7;
    in_fiber(several_late_replies_body);
    assert_int_equal(r->rpc.match.echo, GSP_RPC_ECHO_YES);
}
static void several_late_replies_without_numbers(void **state)
{
    (void)state;
    r->rpc.sequence = UINT32_MAX - 7;
    r->echo_not = true;
    in_fiber(several_late_replies_body);
    assert_int_equal(r->rpc.match.echo, GSP_RPC_ECHO_NO);
}

/* ... or after it, or never, in any order. */
static void late_replies_out_of_order_body(void)
{
    call(76, FL_OK);
    call_in_vain(76);
    const uint32_t first = r->rpc.sequence;
    call_in_vain(103);
    const uint32_t second = r->rpc.sequence;
    late(103, second);
    call(76, FL_OK);
    late(76, first);
    call(76, FL_OK);
    call(103, FL_OK);
    assert_int_equal(r->rpc.late, 2);
    assert_int_equal(r->rpc.match.count, 0);
}
static void late_replies_out_of_order(void **state)
{
    (void)state;
    in_fiber(late_replies_out_of_order_body);
}

/* A GSP that numbers: what has another number is not ours, whatever else is right. */
static void foreign_number_body(void)
{
    call(76, FL_OK);
    const uint32_t numbers[] = {0, r->rpc.sequence, r->rpc.sequence + 2, 0x80000000, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        late(76,
             numbers[i] == r->rpc.sequence + 1 ? 0 : numbers[i]); /* the last reply again, too */
        call(76, FL_OK);
        assert_int_equal(r->rpc.late, i + 1);
    }
    late(76, 12345);
    call_in_vain(76); /* and when nothing else comes, it is no answer */
}
static void foreign_number(void **state)
{
    (void)state;
    in_fiber(foreign_number_body);
}

/* Replies to messages that expect none teach nothing. */
static void replies_to_posts_body(void)
{
    late(72, 0);
    late(73, 0);
    call(76, FL_OK);
    assert_int_equal(r->rpc.match.echo, GSP_RPC_ECHO_YES);
    assert_int_equal(r->rpc.late, 2);
}
static void replies_to_posts(void **state)
{
    (void)state;
    in_fiber(replies_to_posts_body);
}

/* One that does not number: calls are answered all the same, also after one of another function
 * was never answered. */
static void without_numbers_body(void)
{
    for (unsigned i = 0; i < 5; i++) {
        call(76, FL_OK);
        call(103, FL_OK);
    }
    call_in_vain(65);
    call_in_vain(103);
    call(76, FL_OK);
    assert_int_equal(r->rpc.match.count, 0); /* the ring keeps its order: they are forgotten */
    call(103, FL_OK);
    call(65, FL_OK);
    assert_int_equal(r->rpc.late, 0);
}
static void without_numbers(void **state)
{
    (void)state;
    r->echo_not = true;
    in_fiber(without_numbers_body);
    assert_int_equal(r->rpc.match.echo, GSP_RPC_ECHO_NO);
}

/* A call that ended by a bad event was sent: its answer is still to come. */
static void ended_by_an_event_body(void)
{
    r->event_err = FL_EPROTO;
    r->hold = true;
    gsp_put(0x1006, 0, 0, r->in, 0);
    call(76, FL_EPROTO);
    gsp_works(); /* it takes the request */
    r->hold = false;
    r->event_err = FL_OK;
    late(76, r->echo_not ? 0 : r->rpc.sequence);
    call(76, FL_OK);
    assert_int_equal(r->rpc.late, 1);
}
static void ended_by_an_event(void **state)
{
    (void)state;
    in_fiber(ended_by_an_event_body);
}
static void ended_by_an_event_without_numbers(void **state)
{
    (void)state;
    r->echo_not = true;
    in_fiber(ended_by_an_event_body);
}

/* Nobody waits at all: the pump takes them, and none is left to be mistaken. */
static void late_while_nobody_waits_body(void)
{
    bool more;
    call_in_vain(76);
    call_in_vain(76);
    late(76, r->echo_not ? 0 : r->rpc.sequence - 1);
    late(76, r->echo_not ? 0 : r->rpc.sequence);
    late(76, r->echo_not ? 0 : r->rpc.sequence);
    assert_int_equal(gsp_rpc_pump(&r->rpc, &more, NULL), FL_OK);
    assert_int_equal(r->rpc.late, 3);
    assert_int_equal(r->rpc.match.count, 0);
    call(76, FL_OK);
}
static void late_while_nobody_waits(void **state)
{
    (void)state;
    in_fiber(late_while_nobody_waits_body);
}
static void late_while_nobody_waits_without_numbers(void **state)
{
    (void)state;
    r->echo_not = true;
    in_fiber(late_while_nobody_waits_body);
}

/* ---- continuation records ---- */

#define PART 65456u
#define LONG (2 * PART + 1000)

static uint8_t *part(uint8_t fill)
{
    uint8_t *p = malloc(PART);
    memset(p, fill, PART);
    return p;
}

/* Its first message came, the rest late; the next call's answer is long, too. */
static void rest_comes_late_body(void)
{
    struct fl_fail fail = {0};
    uint8_t *p = payload(LONG), *old = part(0xaa);

    r->hold = true;
    call(76, FL_ETIMEDOUT); /* echo is not known: learn from the next */
    r->hold = false;
    late(76, r->rpc.sequence);
    call(76, FL_OK);
    r->hold = true;
    const uint32_t mine = r->rpc.sequence + 1;
    gsp_put(76, mine, 0, old, PART);
    gsp_put(71, mine, 0, old, PART);
    assert_int_equal(rpc_call(76, p, LONG, WAIT_US, NULL, &fail), FL_ETIMEDOUT);
    assert_int_equal(r->rpc.match.count, 0); /* it was answered, though not in full */
    r->hold = false;
    gsp_put(71, mine, 0, old, 1000);
    free(p);
    p = payload(LONG);
    fl_fail_clear(&fail);
    assert_int_equal(rpc_call(76, p, LONG, US_PER_S, NULL, &fail), FL_OK);
    check_reply(p, LONG);
    free(p);
    free(old);
}
static void rest_comes_late(void **state)
{
    (void)state;
    in_fiber(rest_comes_late_body);
}

/* A record of another call right behind our first message: not spliced in. */
static void foreign_record_body(void)
{
    const struct {
        uint32_t add; /* to our number */
        bool ours;
    } cases[] = {{0, true}, {1, true}, {UINT32_MAX, false}, {2, false}, {0x1000, false}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct fl_fail fail = {0};
        uint8_t *p = payload(PART + 64), *a = part(0x11), *b = part(0x22);
        call(76, FL_OK);
        const uint32_t mine = r->rpc.sequence + 1;
        r->hold = true;
        gsp_put(76, mine, 0, a, PART);
        gsp_put(71, mine + cases[i].add, 0, b, 64);
        gsp_put(71, mine, 0, a, 64);
        assert_int_equal(rpc_call(76, p, PART + 64, WAIT_US, NULL, &fail), FL_OK);
        assert_int_equal(p[PART - 1], 0x11);
        assert_int_equal(p[PART], cases[i].ours ? 0x22 : 0x11);
        r->hold = false;
        free(p);
        free(a);
        free(b);
    }
}
static void foreign_record(void **state)
{
    (void)state;
    in_fiber(foreign_record_body);
}

/* A firmware that numbers replies but not the records behind them. */
static void records_without_number_body(void)
{
    uint8_t *p = payload(PART + 64), *a = part(0x11);
    call(76, FL_OK);
    r->hold = true;
    gsp_put(76, r->rpc.sequence + 1, 0, a, PART);
    gsp_put(71, 0, 0, a, 64);
    assert_int_equal(rpc_call(76, p, PART + 64, WAIT_US, NULL, NULL), FL_OK);
    free(p);
    free(a);
}
static void records_without_number(void **state)
{
    (void)state;
    in_fiber(records_without_number_body);
}

/* ---- many ---- */

/* So many unanswered calls that nothing could be told apart: said, not guessed. */
static void too_many_body(void)
{
    struct fl_fail fail = {0};
    uint8_t *p = payload(64);
    for (unsigned i = 0; i < GSP_RPC_LATE_MAX; i++) {
        call_in_vain(76);
    }
    assert_int_equal(rpc_call(76, p, 64, WAIT_US, NULL, &fail), FL_EPROTO);
    assert_non_null(strstr(fail.text, "64 calls unanswered"));
    assert_non_null(strstr(fail.hint, "boot"));
    gsp_rpc_open(&r->rpc); /* a boot makes new rings */
    free(p);
    call(76, FL_OK);
}
static void too_many(void **state)
{
    (void)state;
    in_fiber(too_many_body);
}
/* With numbers there is no such limit. */
static void many_with_numbers_body(void)
{
    call(76, FL_OK);
    const uint32_t first = r->rpc.sequence + 1;
    for (unsigned i = 0; i < GSP_RPC_LATE_MAX + 10; i++) {
        call_in_vain(76);
    }
    for (unsigned i = 0; i < 20; i++) { /* the first ones are forgotten, and still answer nobody */
        late(76, first + i);
    }
    call(76, FL_OK);
    assert_int_equal(r->rpc.late, 20);
}
static void many_with_numbers(void **state)
{
    (void)state;
    in_fiber(many_with_numbers_body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(several_late_replies),      T(several_late_replies_without_numbers),
        T(late_replies_out_of_order), T(foreign_number),
        T(replies_to_posts),          T(without_numbers),
        T(ended_by_an_event),         T(ended_by_an_event_without_numbers),
        T(late_while_nobody_waits),   T(late_while_nobody_waits_without_numbers),
        T(rest_comes_late),           T(foreign_record),
        T(records_without_number),    T(too_many),
        T(many_with_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
