/* SPDX-License-Identifier: MIT */
/*
 * A GSP that never stops sending, in real time: it is a thread of its own that keeps the status
 * ring full while the CPU's side calls with a time-out of 100 ms and gets no answer. How late does
 * the call end (the median, and the worst with what other processes do to it), and how long does
 * another fiber wait for its turn at worst (in this thread's own time)? The same rules in virtual
 * time: tests/unit/test_rpc_flood.c. And what a call costs when all is well. Lines of `name value
 * unit`.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arch/host/host.h"
#include "arch/log.h"
#include "gsp/rpc/rpc.h"

#define CALL_US    (100 * US_PER_MS)
#define CALLS      10u
#define FAST_CALLS 200000u
#define EVENT      0x1006u
#define HEAD       80u

static struct gsp_rpc rpc;
static uint8_t *region;
static uint32_t events;

static uint8_t *word(uint32_t ring, uint32_t off) { return region + ring + off; }
static uint32_t load(const uint8_t *p)
{
    return __atomic_load_n((const uint32_t *)(const void *)p, __ATOMIC_ACQUIRE);
}
static void store(uint8_t *p, uint32_t v)
{
    __atomic_store_n((uint32_t *)(void *)p, v, __ATOMIC_RELEASE);
}

/* ---- the GSP ---- */

static struct {
    uint8_t message[GSP_MSG_MAX_BYTES];
    uint32_t slots, at, seq;
    atomic_bool stop;
} gsp;

static void prepare(uint32_t function, uint32_t sequence, uint32_t payload)
{
    uint8_t *m = gsp.message;

    gsp.slots = (HEAD + payload + GSP_MSG_SLOT - 1) / GSP_MSG_SLOT;
    memset(m, 0, HEAD + (size_t)payload);
    put_le32(m + 0x28, gsp.slots);
    put_le32(m + 0x30, 0x03000000);
    put_le32(m + 0x34, 0x43505256);
    put_le32(m + 0x38, 32 + payload);
    put_le32(m + 0x3c, function);
    put_le32(m + 0x48, sequence);
    put_le32(m + 0x20, gsp_msg_checksum(m, HEAD + payload));
}

/* The number and the checksum share a word of the sum: one makes up for the other. */
static void put_prepared(void)
{
    uint8_t *ring = word(GSP_QUEUE_STAT_OFFSET, GSP_MSG_SLOT);
    uint8_t *first = ring + (size_t)gsp.at * GSP_MSG_SLOT;

    for (size_t i = 0; i < gsp.slots; i++) {
        memcpy(ring + (gsp.at + i) % GSP_QUEUE_SLOTS * GSP_MSG_SLOT, gsp.message + i * GSP_MSG_SLOT,
               gsp.slots == 1 ? 512 : GSP_MSG_SLOT);
    }
    put_le32(first + 0x24, gsp.seq);
    put_le32(first + 0x20, get_le32(gsp.message + 0x20) ^ gsp.seq);
    gsp.seq++;
    gsp.at = (gsp.at + gsp.slots) % GSP_QUEUE_SLOTS;
    store(word(GSP_QUEUE_STAT_OFFSET, 0x10), gsp.at);
}

static void *gsp_thread(void *arg)
{
    (void)arg;
    while (!gsp.stop) {
        const uint32_t read = load(word(GSP_QUEUE_CMD_OFFSET, 0x20));
        if ((read + GSP_QUEUE_SLOTS - gsp.at - 1) % GSP_QUEUE_SLOTS >= gsp.slots) {
            put_prepared();
        }
    }
    return NULL;
}

/* ---- the CPU's side ---- */

static bool answers;
static enum fl_err idle(void *ctx, uint32_t round, struct deadline d, struct fl_fail *fail)
{
    (void)ctx;
    (void)round;
    (void)d;
    (void)fail;
    if (answers) { /* at once: only the CPU's side is measured */
        store(word(GSP_QUEUE_STAT_OFFSET, 0x20), load(word(GSP_QUEUE_CMD_OFFSET, 0x10)));
        prepare(gsp_rpc_GSP_RM_CONTROL.number, rpc.sequence, 64);
        put_prepared();
    } else {
        fiber_sleep_us(100);
    }
    return FL_OK;
}
static enum fl_err on_event(void *ctx, const struct gsp_msg *m, struct deadline until,
                            struct fl_fail *fail)
{
    static struct log_limit limit;
    (void)ctx;
    (void)until;
    (void)fail;
    events++;
    log_limited(&limit, LOG_ERROR, "gsp", "event 0x%x, %u bytes", (unsigned)m->function,
                (unsigned)m->payload_size);
    return FL_OK;
}
static const struct gsp_rpc_host host = {.idle = idle, .event = on_event};

static void open_rings(void)
{
    static const uint32_t h[8] = {0, 0x40000, 4096, 63, 0, 1, 0x20, 4096};

    host_reset();
    if (!gsp_rpc_init(&rpc, &host, NULL)) {
        abort();
    }
    gsp_queue_init(&rpc.queue, region, (struct bus_addr){.raw = 0x1000}, &gsp_layout_570_144, false,
                   NULL, NULL);
    for (unsigned i = 0; i < 8; i++) {
        put_le32(word(GSP_QUEUE_STAT_OFFSET, 4 * i), h[i]);
    }
    gsp_rpc_open(&rpc);
    gsp.at = gsp.seq = 0;
    gsp.stop = false;
}

/* Of this thread: what another process on a busy machine takes is not ours. */
static uint64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * US_PER_S + (uint64_t)t.tv_nsec / NS_PER_US;
}

static bool done;
static uint64_t call_us[CALLS], longest_gap_us;
static void caller(void *arg)
{
    uint8_t p[64] = {0};
    (void)arg;
    for (unsigned i = 0; i < CALLS; i++) {
        const uint64_t start = clock_now_us();
        struct gsp_payload m = {p, sizeof(p)};
        if (gsp_rpc_call(&rpc, &gsp_rpc_GSP_RM_CONTROL, &m, CALL_US, NULL, NULL) != FL_ETIMEDOUT) {
            abort();
        }
        call_us[i] = clock_now_us() - start;
    }
    done = true;
}
static void other(void *arg)
{
    uint64_t last = cpu_us();
    (void)arg;
    while (!done) {
        fiber_yield();
        const uint64_t now = cpu_us();
        longest_gap_us = now - last > longest_gap_us ? now - last : longest_gap_us;
        last = now;
    }
}

static int by_size(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void flooded(const char *name, uint32_t function, uint32_t sequence, uint32_t payload)
{
    pthread_t thread;

    open_rings();
    rpc.match.echo = GSP_RPC_ECHO_YES; /* as after any first reply */
    prepare(function, sequence, payload);
    done = answers = false;
    longest_gap_us = 0;
    host_clock_use_real();
    if (pthread_create(&thread, NULL, gsp_thread, NULL) != 0 ||
        fiber_spawn("caller", caller, NULL, FIBER_STACK_DEFAULT) == NULL ||
        fiber_spawn("other", other, NULL, FIBER_STACK_DEFAULT) == NULL) {
        abort();
    }
    const uint64_t start = clock_now_us();
    fiber_run(NULL, NULL);
    const double seconds = (double)(clock_now_us() - start) / 1e6;
    gsp.stop = true;
    pthread_join(thread, NULL);
    qsort(call_us, CALLS, sizeof(call_us[0]), by_size);
    printf("flood_%s_call %.3f ms\n", name, (double)call_us[CALLS / 2] / 1000);
    printf("flood_%s_call_worst %.3f ms\n", name, (double)call_us[CALLS - 1] / 1000);
    printf("flood_%s_other_waits %.3f ms\n", name, (double)longest_gap_us / 1000);
    printf("flood_%s_rate %.0f messages/s\n", name, (double)rpc.received / seconds);
    gsp_rpc_free(&rpc);
}

static void fast_caller(void *arg)
{
    uint8_t p[64] = {0};
    (void)arg;
    for (unsigned i = 0; i < FAST_CALLS; i++) {
        struct gsp_payload m = {p, sizeof(p)};
        if (gsp_rpc_call(&rpc, &gsp_rpc_GSP_RM_CONTROL, &m, US_PER_S, NULL, NULL) != FL_OK) {
            abort();
        }
    }
}

int main(void)
{
    region = aligned_alloc(GSP_MSG_SLOT, GSP_QUEUE_REGION_BYTES);
    if (region == NULL) {
        return 1;
    }
    flooded("events", EVENT, 0, 272);
    flooded("16_slots", EVENT, 0, 65456);
    flooded("replies", gsp_rpc_GSP_RM_CONTROL.number, UINT32_MAX, 64);

    open_rings();
    answers = true;
    host_clock_use_real();
    const uint64_t start = clock_now_ns();
    if (fiber_spawn("caller", fast_caller, NULL, FIBER_STACK_DEFAULT) == NULL) {
        return 1;
    }
    fiber_run(NULL, NULL);
    printf("rpc_call %.3f us\n", (double)(clock_now_ns() - start) / 1000 / FAST_CALLS);
    gsp_rpc_free(&rpc);
    free(region);
    return 0;
}
