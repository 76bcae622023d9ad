/* SPDX-License-Identifier: MIT */
/*
 * The RPC layer with a scripted GSP behind the rings: replies and events in any order, large
 * messages both ways, a ring that is full, replies that come late or never. Rings start before
 * their wrap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/host/host.h"
#include "gsp/rpc.h"

#define N GSP_QUEUE_SLOTS

struct rig {
    struct gsp_rpc rpc;
    uint8_t *region;
    uint32_t cmd_at, stat_at, seq; /* the GSP's side */
    uint8_t *in;                   /* request being gathered */
    uint32_t in_size, in_function, in_sequence, in_parts;
    /* behaviour */
    bool deaf;               /* does not take commands */
    bool mute;               /* takes them, does not answer */
    bool hold;               /* keeps the answer back until released */
    unsigned events_before;  /* sent before each answer */
    uint32_t wrong_function; /* answers with that first */
    uint32_t reply_result;
    uint32_t reply_shorter; /* bytes cut off the answer */
    enum fl_err idle_err, event_err;
    /* seen */
    unsigned idles, events, sent, received;
    uint32_t last_event_size;
};
static struct rig *r;

static uint8_t *word(uint32_t ring, uint32_t off) { return r->region + ring + off; }

static void gsp_put(uint32_t function, uint32_t sequence, uint32_t result, const uint8_t *p,
                    uint32_t size)
{
    const uint32_t slots = (80 + size + 4095) / 4096;
    const size_t room = (size_t)slots * 4096;
    uint8_t *m = calloc(1, room);
    put_le32(m + 0x24, r->seq++);
    put_le32(m + 0x28, slots);
    put_le32(m + 0x30, 0x03000000);
    put_le32(m + 0x34, 0x43505256);
    put_le32(m + 0x38, 32 + size);
    put_le32(m + 0x3c, function);
    put_le32(m + 0x40, result);
    put_le32(m + 0x48, sequence);
    if (size > 0) {
        memcpy(m + 80, p, size);
    }
    put_le32(m + 0x20, gsp_msg_checksum(m, 80 + size));
    for (size_t i = 0; i < room; i++) {
        word(GSP_QUEUE_STAT_OFFSET, 4096)[((size_t)r->stat_at * 4096 + i) % ((size_t)N * 4096)] =
            m[i];
    }
    free(m);
    r->stat_at = (r->stat_at + slots) % N;
    put_le32(word(GSP_QUEUE_STAT_OFFSET, 0x10), r->stat_at);
}

static void answer(void)
{
    uint32_t size = r->in_size - r->reply_shorter, at = 0;
    const uint32_t function = r->in_function;

    for (unsigned i = 0; i < r->events_before; i++) {
        gsp_put(0x1006, 0, 0, r->in, i);
    }
    if (r->wrong_function != 0) {
        gsp_put(r->wrong_function, 99, 0, r->in, 4);
    }
    for (uint32_t i = 0; i < r->in_size; i++) {
        r->in[i] ^= 0xff; /* visibly another one */
    }
    do { /* split like the request */
        const uint32_t part = size - at < 65456 ? size - at : 65456;
        gsp_put(at == 0 ? function : 71, r->in_sequence, r->reply_result, r->in + at, part);
        at += part;
    } while (at < size);
}

/* Takes every command that is there; answers when one is complete (its total in the first dword).
 */
static void gsp_works(void)
{
    while (!r->deaf && r->cmd_at != get_le32(word(GSP_QUEUE_CMD_OFFSET, 0x10))) {
        uint8_t *ring = word(GSP_QUEUE_CMD_OFFSET, 4096);
        const size_t base = (size_t)r->cmd_at * 4096;
        uint8_t head[80];
        for (size_t i = 0; i < 80; i++) {
            head[i] = ring[(base + i) % ((size_t)N * 4096)];
        }
        const uint32_t size = get_le32(head + 0x38) - 32, function = get_le32(head + 0x3c);
        if (function != 71) {
            r->in_size = 0;
            r->in_parts = 0;
            r->in_function = function;
            r->in_sequence = get_le32(head + 0x48);
        }
        for (size_t i = 0; i < size; i++) {
            r->in[r->in_size + i] = ring[(base + 80 + i) % ((size_t)N * 4096)];
        }
        r->in_size += size;
        r->in_parts++;
        r->cmd_at = (r->cmd_at + get_le32(head + 0x28)) % N;
        put_le32(word(GSP_QUEUE_STAT_OFFSET, 0x20), r->cmd_at);
        if (r->in_size >= 4 && r->in_size == get_le32(r->in) && !r->mute && !r->hold &&
            r->in_function >= 64) {
            answer();
        }
    }
}

static enum fl_err idle(void *ctx, uint32_t round, struct deadline d, struct fl_fail *fail)
{
    (void)ctx;
    (void)round;
    r->idles++;
    gsp_works();
    fiber_sleep_us(100);
    (void)d;
    return r->idle_err != FL_OK ? FL_FAIL(fail, r->idle_err, "link", "link lost") : FL_OK;
}
static enum fl_err on_event(void *ctx, const struct gsp_msg *m, struct fl_fail *fail)
{
    (void)ctx;
    r->events++;
    r->last_event_size = m->payload_size;
    return r->event_err != FL_OK ? FL_FAIL(fail, r->event_err, "event", "bad event") : FL_OK;
}
static void trace(void *ctx, bool sent, uint32_t function, uint32_t bytes, uint32_t result)
{
    (void)ctx;
    (void)function;
    (void)bytes;
    (void)result;
    r->sent += sent;
    r->received += !sent;
}
static const struct gsp_rpc_host host = {idle, on_event, trace};

static int setup(void **state)
{
    (void)state;
    static const uint32_t h[8] = {0, 0x40000, 4096, 63, 60, 1, 0x20, 4096};
    host_reset();
    r = calloc(1, sizeof(*r));
    r->region = aligned_alloc(4096, GSP_QUEUE_REGION_BYTES);
    r->in = malloc(MIB(2));
    assert_true(gsp_rpc_init(&r->rpc, &host, NULL));
    gsp_queue_init(&r->rpc.queue, r->region, (struct bus_addr){.raw = 0x1000}, &gsp_layout_570_144,
                   false, NULL, NULL);
    gsp_queue_start_at(&r->rpc.queue, 60);
    r->cmd_at = r->stat_at = 60;
    for (unsigned i = 0; i < 8; i++) {
        put_le32(word(GSP_QUEUE_STAT_OFFSET, 4 * i), h[i]);
    }
    gsp_rpc_open(&r->rpc);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    gsp_rpc_free(&r->rpc);
    free(r->region);
    free(r->in);
    free(r);
    return 0;
}

/* Each test body runs in a fiber: the RPC layer waits. */
static void (*body)(void);
static bool body_done;
static void fiber_body(void *arg)
{
    (void)arg;
    body();
    body_done = true;
}
static bool is_done(void *arg)
{
    (void)arg;
    return body_done;
}
static void in_fiber(void (*fn)(void))
{
    body = fn;
    body_done = false;
    assert_non_null(fiber_spawn("test", fiber_body, NULL, KIB(256)));
    fiber_run(is_done, NULL);
    assert_true(body_done);
}

static uint8_t *payload(uint32_t size)
{
    uint8_t *p = malloc(size);
    for (uint32_t i = 0; i < size; i++) {
        p[i] = (uint8_t)(i * 3 + 1);
    }
    put_le32(p, size);
    return p;
}
static void check_reply(const uint8_t *p, uint32_t size)
{
    assert_int_equal(get_le32(p), ~size);
    for (uint32_t i = 4; i < size; i++) {
        if (p[i] != (uint8_t)((i * 3 + 1) ^ 0xff)) {
            fail_msg("byte %u of %u", i, size);
        }
    }
}

static void calls_body(void)
{
    static const uint32_t sizes[] = {4, 8, 4016, 4017, 65456, 65457, 70000, 131000, 240000};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct fl_fail fail = {0};
        uint8_t *p = payload(sizes[i]);
        assert_int_equal(gsp_rpc_call(&r->rpc, 76, p, sizes[i], sizes[i], US_PER_S, NULL, &fail),
                         FL_OK);
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
    assert_int_equal(gsp_rpc_call(&r->rpc, 76, p, 100, 100, US_PER_S, NULL, &fail), FL_OK);
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
    assert_int_equal(gsp_rpc_call(&r->rpc, 76, p, 100, 100, US_PER_S, NULL, &fail), FL_EIO);
    assert_non_null(strstr(fail.text, "0x56 (NOT_SUPPORTED)"));
    free(p);
    p = payload(100);
    assert_int_equal(gsp_rpc_call(&r->rpc, 76, p, 100, 100, US_PER_S, &result, NULL), FL_OK);
    assert_int_equal(result, 0x56);
    free(p);
    r->reply_result = 0;
    r->reply_shorter = 1;
    p = payload(100);
    fl_fail_clear(&fail);
    assert_int_equal(gsp_rpc_call(&r->rpc, 76, p, 100, 100, US_PER_S, NULL, &fail), FL_EPROTO);
    assert_int_equal(fail.seen, 99);
    free(p);
    p = payload(100);
    assert_int_equal(gsp_rpc_call(&r->rpc, 76, p, 100, 99, US_PER_S, NULL, NULL), FL_OK);
    free(p);
    p = payload(8);
    assert_int_equal(
        gsp_rpc_call(&r->rpc, 76, p, (uint32_t)GSP_RPC_PAYLOAD_MAX + 1, 0, US_PER_S, NULL, NULL),
        FL_EINVAL);
    free(p);
}
static void results(void **state)
{
    (void)state;
    in_fiber(results_body);
}

static void late_reply_body(void)
{
    struct fl_fail fail = {0};
    uint8_t *p = payload(100);
    r->hold = true;
    const uint64_t start = clock_now_us();
    assert_int_equal(gsp_rpc_call(&r->rpc, 76, p, 100, 100, 50 * US_PER_MS, NULL, &fail),
                     FL_ETIMEDOUT);
    assert_in_range(clock_now_us() - start, 50 * US_PER_MS, 60 * US_PER_MS);
    assert_in_range(fail.waited_us, 50 * US_PER_MS, 60 * US_PER_MS);
    assert_non_null(strstr(fail.text, "GSP_RM_CONTROL"));
    free(p);
    answer(); /* now it comes, in front of the next one's */
    r->hold = false;
    p = payload(200);
    assert_int_equal(gsp_rpc_call(&r->rpc, 76, p, 200, 200, US_PER_S, NULL, NULL), FL_OK);
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
        assert_int_equal(gsp_rpc_post(&r->rpc, 10, p, 65000, US_PER_MS, &fail), FL_OK);
    }
    assert_int_equal(gsp_rpc_post(&r->rpc, 10, p, 65000, 20 * US_PER_MS, &fail), FL_ETIMEDOUT);
    assert_non_null(strstr(fail.text, "does not take messages"));
    r->deaf = false;
    assert_int_equal(gsp_rpc_post(&r->rpc, 10, p, 65000, 20 * US_PER_MS, NULL), FL_OK);
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
    uint8_t *p = payload(100);
    r->mute = true;
    r->idle_err = FL_ELINKLOST;
    assert_int_equal(gsp_rpc_call(&r->rpc, 76, p, 100, 100, US_PER_S, NULL, &fail), FL_ELINKLOST);
    assert_int_equal(r->idles, 1);
    r->idle_err = FL_OK;
    r->mute = false;
    r->events_before = 1;
    r->event_err = FL_EBADDATA;
    fl_fail_clear(&fail);
    assert_int_equal(gsp_rpc_call(&r->rpc, 76, p, 100, 100, US_PER_S, NULL, &fail), FL_EBADDATA);
    gsp_rpc_close(&r->rpc);
    fl_fail_clear(&fail);
    assert_int_equal(gsp_rpc_call(&r->rpc, 76, p, 100, 100, US_PER_S, NULL, &fail), FL_ESTATE);
    assert_int_equal(gsp_rpc_post(&r->rpc, 76, p, 100, US_PER_S, NULL), FL_ESTATE);
    assert_int_equal(gsp_rpc_pump(&r->rpc, NULL), FL_ESTATE);
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
    const uint8_t b[8] = {0};
    gsp_put(0x1001, 0, 0, b, 8);
    gsp_put(0x1002, 0, 0, b, 8);
    assert_int_equal(gsp_rpc_pump(&r->rpc, &fail), FL_OK);
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
        T(calls),     T(events_between),      T(results),          T(late_reply),
        T(full_ring), T(errors_end_the_wait), T(waits_for_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
