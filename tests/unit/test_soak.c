/* SPDX-License-Identifier: MIT */
/*
 * A long time in a short one: a GPU on the model, the network stack on a wire, one client that
 * polls status and metrics, one that listens to the events, in virtual time. Now and then an Xid, a
 * burst of events of the firmware, an unload and a boot. Nothing may leak, be lost, or drift.
 *
 * `make test` lets 20 minutes pass, `make soak` a day: SOAK_MINUTES.
 */
#include "arch/clock.h"
#include "arch/fiber.h"
#include "lwip/stats.h"
#include "mm/dma.h"
#include "mm/ram.h"
#include "net/api/api.h"
#include "net/api/cache.h"
#include "net/api/events.h"
#include "net/http/http.h"
#include "tests/unit/rig_assert.h"
#include "tests/unit/sse.h"
#include "tests/unit/wire.h"

#define MINUTES_DEFAULT 20u
#define WARM_UP_S       600u /* what is allocated once is allocated by then: two boots more */
#define STEP_US         (250 * US_PER_MS)
#define STATUS_S        2u
#define METRICS_S       15u
#define XID_S           60u
#define BURST_S         150u
#define REBOOT_S        280u

static struct api_context ctx = {.version = "soak", .access = {.hosts = "x"}};
static unsigned seconds;

/* ---- two clients ---- */

static struct wire_peer asks, listens;
static struct sse ear;
static char answer[96 * 1024];
static size_t answer_len, matched;
static uint64_t last_id;
static unsigned counts[3]; /* states, xids, stages */

static void take_answer(struct wire_peer *p, const char *data, size_t len)
{
    (void)p;
    assert_true(len < sizeof(answer) - answer_len);
    memcpy(answer + answer_len, data, len);
    answer_len += len;
    answer[answer_len] = '\0';
}

/* Every event that has an id comes, once, in order; then it is forgotten. */
static void take_events(struct wire_peer *p, const char *data, size_t len)
{
    static const char end[] = "\r\n\r\n";
    size_t at = 0;
    (void)p;
    for (; at < len && matched < 4; at++) {
        matched = data[at] == end[matched] ? matched + 1 : data[at] == '\r';
    }
    sse_take(&ear, data + at, len - at);
    for (size_t i = 0; i < ear.count; i++) {
        struct sse_event *e = &ear.event[i];
        assert_string_not_equal(e->name, "gap");
        assert_true(e->id == 0 || last_id == 0 || e->id == last_id + 1);
        last_id = e->id != 0 ? e->id : last_id;
        counts[0] += strcmp(e->name, "state") == 0;
        counts[1] += strcmp(e->name, "xid") == 0;
        counts[2] += strcmp(e->name, "stage") == 0;
        json_decref(e->data);
    }
    ear.count = 0;
}

static void round_trip(void)
{
    events_poll();
    http_poll();
    wire_run_us(1);
}

static const char *ask(const char *path)
{
    char request[128];
    answer_len = 0;
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    wire_say(&asks, request);
    round_trip();
    assert_int_equal(asks.state, WIRE_UP);
    assert_int_equal(strncmp(answer, "HTTP/1.1 200 OK\r\n", 17), 0);
    const char *body = strstr(answer, "\r\n\r\n");
    const char *length = strstr(answer, "Content-Length: ");
    assert_true(body != NULL && length != NULL);
    assert_int_equal(strlen(body + 4), strtoul(length + 16, NULL, 10));
    return body + 4;
}

/* ---- what must stay as it is ---- */

/* Of AddressSanitizer, whose header not every compiler brings: bytes that malloc has given out. */
size_t __sanitizer_get_current_allocated_bytes(void);

struct level {
    size_t heap;
    uint64_t dma, http, pbufs, pcbs;
    uint32_t fibers, streams;
};

static struct level level(void)
{
    struct dma_stats dma;
    struct http_stats http;
    struct fiber_stats fibers;
    struct event_stats events;
    dma_get_stats(&dma);
    api_keep_nothing();
    http_get_stats(&http);
    fiber_get_stats(&fibers);
    events_get_stats(&events);
    return (struct level){.heap = __sanitizer_get_current_allocated_bytes(),
                          .dma = dma.live_bytes,
                          .http = http.memory_used,
                          .pbufs = lwip_stats.memp[MEMP_PBUF_POOL]->used,
                          .pcbs = lwip_stats.memp[MEMP_TCP_PCB]->used,
                          .fibers = fibers.live,
                          .streams = events.streams};
}

/* ---- the day ---- */

static volatile bool stop;
static bool ended;
static void gpu_fiber(void *arg)
{
    (void)arg;
    gsp_run(rig.gpu, &stop);
    ended = true;
}

static void burst(void)
{
    static uint8_t p[272];
    for (unsigned i = 0; i < 200; i++) {
        model_inject_event(rig.model, i % 3 != 0 ? 0x1003 : 0x1007, p, 32, 0);
    }
}

static void xid(void)
{
    uint8_t p[272] = {0};
    put_le32(p, 31);
    memcpy(p + 12, "MMU fault", 10);
    model_inject_event(rig.model, 0x1006, p, sizeof(p), 0);
}

static void reboot(void)
{
    struct fl_fail fail = {0};
    const struct deadline d = deadline_in_us(60 * US_PER_S);
    assert_int_equal(gsp_order(rig.gpu, GSP_ORDER_UNLOAD, GSP_RESET_AUTO, d, &fail), FL_OK);
    assert_int_equal(gsp_order(rig.gpu, GSP_ORDER_BOOT, GSP_RESET_AUTO, d, &fail), FL_OK);
}

static void is_right(unsigned s)
{
    json_t *v = json_loads(ask("/api/v1/status"), 0, NULL);
    assert_non_null(v);
    const json_t *a = json_object_get(v, "appliance");
    const json_t *g = json_array_get(json_object_get(v, "gpus"), 0);
    const uint64_t uptime_ms = (uint64_t)json_real_value(json_object_get(a, "uptime_ms"));
    assert_in_range(uptime_ms, clock_now_us() / US_PER_MS - 1, clock_now_us() / US_PER_MS);
    assert_string_equal(json_string_value(json_object_get(g, "state")), "ready");
    const json_t *x = json_object_get(g, "xid");
    const unsigned count = (unsigned)json_integer_value(json_object_get(x, "count"));
    assert_true(count == s / XID_S || (s % XID_S == 0 && count + 1 == s / XID_S)); /* on its way */
    json_decref(v);
}

static void a_day(void *arg)
{
    struct level before = {0};
    unsigned reboots = 0, xids = 0;
    (void)arg;
    assert_non_null(fiber_spawn("gpu", gpu_fiber, NULL, FIBER_STACK_DEFAULT * 2));
    while (rig_snapshot(&rig).state != GSP_READY) {
        fiber_sleep_us(US_PER_MS);
        round_trip();
    }
    const uint64_t begin_us = clock_now_us();
    for (unsigned s = 1; s <= seconds; s++) {
        while (clock_now_us() < begin_us + s * US_PER_S) {
            fiber_sleep_us(min_u64(STEP_US, begin_us + s * US_PER_S - clock_now_us()));
            round_trip();
        }
        if (s % XID_S == 0) {
            xid();
            xids++;
        }
        if (s % BURST_S == 0) {
            burst();
        }
        if (s % REBOOT_S == 0) {
            reboot();
            reboots++;
        }
        if (s % STATUS_S == 0) {
            is_right(s);
        }
        if (s % METRICS_S == 0) {
            assert_non_null(strstr(ask("/metrics"), "# TYPE "));
        }
        if (s < WARM_UP_S) { /* of the heap the most: the model's buffers shrink with a boot */
            const struct level most = before;
            before = level();
            before.heap = max_u64(before.heap, most.heap);
        }
    }
    for (unsigned s = seconds; s % REBOOT_S != (WARM_UP_S - 1) % REBOOT_S; s++) {
        (void)ask("/api/v1/status");
        fiber_sleep_us(US_PER_S); /* as long after a boot as before */
        round_trip();
    }
    assert_int_equal(listens.state, WIRE_UP);
    assert_int_equal(counts[0], 2 + 3 * reboots); /* booting, ready; unloaded, booting, ready */
    assert_int_equal(counts[1], xids);
    assert_int_equal(counts[2], (1 + reboots) * 2 * rig_snapshot(&rig).stage_count);
    const struct level after = level();
    assert_int_equal(after.dma, before.dma);
    assert_int_equal(after.http, 0);
    assert_int_equal(after.pbufs, 0);
    assert_int_equal(after.pcbs, before.pcbs);
    assert_int_equal(after.fibers, before.fibers);
    assert_int_equal(after.streams, 1);
    assert_in_range(after.heap, 1, before.heap);
    print_message("  %u s, %u boots, %u Xids, %llu events, heap %zu\n", seconds, reboots + 1, xids,
                  (unsigned long long)last_id, after.heap);
    stop = true;
    while (!ended) {
        fiber_sleep_us(STEP_US);
    }
}

static void soak(void **state)
{
    struct fl_fail fail = {0};
    const char *minutes = getenv("SOAK_MINUTES");
    (void)state;
    seconds = 60 * (minutes != NULL ? (unsigned)strtoul(minutes, NULL, 10) : MINUTES_DEFAULT);
    assert_true(seconds >= 2 * WARM_UP_S);
    wire_start();
    wire_answer_arp = true;
    assert_int_equal(ram_init(&fail), FL_OK);
    static const struct rig_options opt = {.strict = MODEL_STRICT, .beside = true};
    rig_open(&rig, &opt);
    ctx.gpu_count = 1;
    ctx.gpus[0] = (struct api_gpu){.gpu = rig.gpu, .pci = rig.dev};
    ctx.pci = &rig.pci;
    api_init(&ctx);
    http_start();
    wire_peer_init(&asks, WIRE_PEER);
    asks.take = take_answer;
    assert_true(wire_connect(&asks));
    wire_peer_init(&listens, WIRE_PEER + 1);
    listens.take = take_events;
    assert_true(wire_connect(&listens));
    wire_say(&listens, "GET /api/v1/events HTTP/1.0\r\nHost: x\r\n\r\n");
    rig_run(a_day, NULL);
    no_violation();
    assert_true(rig_close(&rig));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(soak)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
