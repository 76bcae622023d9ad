/* SPDX-License-Identifier: MIT */
/* The RPC layer with a scripted GSP behind the rings, for the tests of it. One rig per program. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/host/host.h"
#include "gsp/rpc/rpc.h"

enum { N = GSP_QUEUE_SLOTS };

struct rig {
    struct gsp_rpc rpc;
    uint8_t *region;
    uint32_t cmd_at, stat_at, seq; /* the GSP's side */
    uint8_t *in;                   /* request being gathered */
    uint32_t in_size, in_function, in_sequence, in_parts;
    /* behaviour */
    bool deaf;               /* does not take commands */
    bool mute;               /* takes them, does not answer */
    bool echo_not;           /* does not give the numbers of calls back */
    bool hold;               /* keeps the answer back until released */
    unsigned events_before;  /* sent before each answer */
    uint32_t wrong_function; /* answers with that first */
    uint32_t reply_result;
    uint32_t reply_shorter; /* bytes cut off the answer */
    enum fl_err idle_err, event_err;
    void (*on_message)(void); /* each time the CPU has taken a message; may be NULL */
    /* seen */
    unsigned idles, events, sent, received;
    uint32_t last_event_size;
};
static struct rig *r;

/* A function of any number and size, whose reply is as long as the request. */
static inline struct gsp_rpc_function any_function(uint32_t number)
{
    return (struct gsp_rpc_function){
        .number = number, .name = gsp_rpc_name(number), .least = GSP_RPC_WHOLE};
}
static inline enum fl_err rpc_call(uint32_t number, uint8_t *p, uint32_t size, uint64_t timeout_us,
                                   uint32_t *result, struct fl_fail *fail)
{
    const struct gsp_rpc_function f = any_function(number);
    struct gsp_payload m = {p, size};

    return gsp_rpc_call(&r->rpc, &f, &m, timeout_us, result, fail);
}
static inline enum fl_err rpc_post(uint32_t number, uint8_t *p, uint32_t size, uint64_t timeout_us,
                                   struct fl_fail *fail)
{
    const struct gsp_rpc_function f = any_function(number);
    const struct gsp_payload m = {p, size};

    return gsp_rpc_post(&r->rpc, &f, &m, timeout_us, fail);
}

static inline uint8_t *word(uint32_t ring, uint32_t off) { return r->region + ring + off; }

static inline void gsp_put(uint32_t function, uint32_t sequence, uint32_t result, const uint8_t *p,
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
    for (uint32_t i = 0; i < slots; i++) {
        memcpy(word(GSP_QUEUE_STAT_OFFSET, 4096 + (r->stat_at + i) % N * 4096), m + i * 4096u,
               4096);
    }
    free(m);
    r->stat_at = (r->stat_at + slots) % N;
    put_le32(word(GSP_QUEUE_STAT_OFFSET, 0x10), r->stat_at);
}

static inline void answer(void)
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
        gsp_put(at == 0 ? function : 71, r->echo_not ? 0 : r->in_sequence, r->reply_result,
                r->in + at, part);
        at += part;
    } while (at < size);
}

/* Slots of the status ring that the GSP may fill. */
static inline uint32_t gsp_room(void)
{
    const uint32_t read = get_le32(word(GSP_QUEUE_CMD_OFFSET, 0x20));
    return (read + N - r->stat_at - 1) % N;
}

/* Takes every command that is there; answers when one is complete (its total in the first dword).
 */
static inline void gsp_works(void)
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

static inline enum fl_err idle(void *ctx, uint32_t round, struct deadline d, struct fl_fail *fail)
{
    (void)ctx;
    (void)round;
    r->idles++;
    gsp_works();
    fiber_sleep_us(100);
    (void)d;
    return r->idle_err != FL_OK ? FL_FAIL(fail, r->idle_err, "link", "link lost") : FL_OK;
}
static inline enum fl_err on_event(void *ctx, const struct gsp_msg *m, struct deadline until,
                                   struct fl_fail *fail)
{
    (void)ctx;
    (void)until;
    r->events++;
    r->last_event_size = m->payload_size;
    return r->event_err != FL_OK ? FL_FAIL(fail, r->event_err, "event", "bad event") : FL_OK;
}
static inline void trace(void *ctx, bool sent, uint32_t function, uint32_t bytes, uint32_t result)
{
    (void)ctx;
    (void)function;
    (void)bytes;
    (void)result;
    r->sent += sent;
    r->received += !sent;
    if (!sent && r->on_message != NULL) {
        r->on_message();
    }
}
static const struct gsp_rpc_host host = {idle, on_event, trace};

static inline int setup(void **state)
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
static inline int teardown(void **state)
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
static inline void fiber_body(void *arg)
{
    (void)arg;
    body();
    body_done = true;
}
static inline bool is_done(void *arg)
{
    (void)arg;
    return body_done;
}
static inline void in_fiber(void (*fn)(void))
{
    body = fn;
    body_done = false;
    assert_non_null(fiber_spawn("test", fiber_body, NULL, KIB(256)));
    fiber_run(is_done, NULL);
    assert_true(body_done);
}

static inline uint8_t *payload(uint32_t size)
{
    uint8_t *p = malloc(size);
    for (uint32_t i = 0; i < size; i++) {
        p[i] = (uint8_t)(i * 3 + 1);
    }
    put_le32(p, size);
    return p;
}
static inline void check_reply(const uint8_t *p, uint32_t size)
{
    assert_int_equal(get_le32(p), ~size);
    for (uint32_t i = 4; i < size; i++) {
        if (p[i] != (uint8_t)((i * 3 + 1) ^ 0xff)) {
            fail_msg("byte %u of %u", i, size);
        }
    }
}
