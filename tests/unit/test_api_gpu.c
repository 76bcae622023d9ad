/* SPDX-License-Identifier: MIT */
/* The API with a GPU that is up: its logs and its flight record, what is not there, and what the
 * status and the metrics tell of it. */
#include <stdio.h>
#include <stdlib.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/log.h"
#include "gsp/gpu.h"
#include "gsp/sensors.h"
#include "net/api/api.h"
#include "net/http/http.h"
#include "tests/unit/rig_assert.h"

static struct api_context ctx;
static struct text_buf answer;

static const char *get_with(const char *path, const char *fields)
{
    struct http_conn *c = http_conn_new();
    char request[200];
    size_t n;
    const void *p;

    text_free(&answer);
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path,
             fields);
    assert_int_equal(http_conn_input(c, request, strlen(request)), strlen(request));
    while ((p = http_conn_output(c, &n)) != NULL) {
        text_append(&answer, p, n);
        http_conn_sent(c, n);
    }
    http_conn_free(c);
    return answer.data;
}

static const char *get(const char *path) { return get_with(path, ""); }

static void is_told(const char *path, const char *start, const char *words)
{
    const char *text = get(path);
    if (strncmp(text, start, strlen(start)) != 0 || strstr(text, words) == NULL) {
        fail_msg("%s: %s\nexpected %s, with %s", path, text, start, words);
    }
}

static void logs(void **state)
{
    static const char *const names[] = {"init", "intr", "rm"};
    (void)state;
    for (int l = 0; l < GSP_LOG_COUNT; l++) {
        char path[64];
        uint8_t *log = malloc(MIB(1));
        uint64_t off = 0;
        const size_t size = gsp_log_read(rig.gpu, (enum gsp_log)l, &off, log, MIB(1));
        snprintf(path, sizeof(path), "/api/v1/gpus/0/logs/%s", names[l]);
        is_told(path, "HTTP/1.1 200 OK\r\n", "application/octet-stream");
        assert_true(size > 0 && answer.len > size);
        assert_memory_equal(answer.data + answer.len - size, log, size);
        assert_memory_equal(answer.data + answer.len - size - 4, "\r\n\r\n", 4); /* all of it */
        free(log);
    }
    is_told("/api/v1/gpus/0/flight", "HTTP/1.1 200 OK\r\n", "stage identify");
    assert_non_null(strstr(answer.data, "stage ready"));
    assert_non_null(strstr(answer.data, "Content-Type: text/plain; charset=utf-8\r\n"));
}

/* The ROM as the registers show it, whole and in ranges that are no words; not while the card is
 * away. */
static void rom(void **state)
{
    static const char path[] = "/api/v1/gpus/0/rom";
    static uint8_t seen[GSP_ROM_BYTES];
    struct fl_fail fail = {0};
    (void)state;
    const uint64_t recorded = rig.gpu->hw.rec.total;
    assert_int_equal(gsp_rom_read(rig.gpu, 0, seen, sizeof(seen), &fail), FL_OK);
    assert_int_equal(get_le16(seen), 0xaa55);
    assert_in_range(rig.gpu->hw.rec.total - recorded, 0,
                    2); /* the flight recorder has other uses */
    is_told(path, "HTTP/1.1 200 OK\r\n", "Content-Length: 1048576\r\n");
    assert_memory_equal(answer.data + answer.len - sizeof(seen), seen, sizeof(seen));
    static const struct {
        const char *range;
        size_t from, size;
    } ranges[] = {{"bytes=1-1", 1, 1},
                  {"bytes=3-600", 3, 598},
                  {"bytes=255-256", 255, 2},
                  {"bytes=1048573-1048575", 1048573, 3},
                  {"bytes=1048575-", 1048575, 1}};
    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
        char field[64];
        snprintf(field, sizeof(field), "Range: %s\r\n", ranges[i].range);
        const char *text = get_with(path, field);
        if (strncmp(text, "HTTP/1.1 206 ", 13) != 0) {
            fail_msg("%s: %.300s", ranges[i].range, text);
        }
        const char *body = strstr(text, "\r\n\r\n") + 4;
        assert_int_equal(answer.len - (size_t)(body - text), ranges[i].size);
        assert_memory_equal(body, seen + ranges[i].from, ranges[i].size);
    }
    assert_int_equal(gsp_rom_read(rig.gpu, 2, seen, 4, &fail), FL_EINVAL);
    assert_int_equal(gsp_rom_read(rig.gpu, 0, seen, 2, &fail), FL_EINVAL);
    assert_int_equal(gsp_rom_read(rig.gpu, GSP_ROM_BYTES, seen, 4, &fail), FL_EINVAL);
    rig.gpu->hw.in_reset = true;
    is_told(path, "HTTP/1.1 409 ", "the card is in a reset");
    rig.gpu->hw.in_reset = false;
}

static void rom_of_a_lost_card(void **state)
{
    (void)state;
    is_told("/api/v1/gpus/0/rom", "HTTP/1.1 503 ", "link lost");
}

static void not_there(void **state)
{
    static const char *const paths[] = {
        "/api/v1/gpus/0/logs/",
        "/api/v1/gpus/0/logs/ini",
        "/api/v1/gpus/0/logs/initx",
        "/api/v1/gpus/0/log",
        "/api/v1/gpus/0/",
        "/api/v1/gpus/0/flights",
        "/api/v1/gpus/0",
        "/api/v1/gpus//flight",
        "/api/v1/gpus/a/flight",
        "/api/v1/gpus/00000/flight",
        "/api/v1/gpus/1/flight",
        "/api/v1/gpus/2/flight",
        "/api/v1/gpus/0:/flight",
        "/api/v1/gpus/10/flight",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        is_told(paths[i], "HTTP/1.1 404 Not Found\r\n", "\"detail\":");
    }
    is_told("/api/v1/gpus/0000/flight", "HTTP/1.1 200", "stage identify");
    is_told("/api/v1/gpus/1/flight", "HTTP/1.1 404", "there is no GPU 1; this machine has 2");
    is_told("/api/v1/gpus/0:/flight", "HTTP/1.1 404", "a GPU is named by its number");
    is_told("/api/v1/gpus/0/x", "HTTP/1.1 404", "nothing is at /api/v1/gpus/0/x");
}

static void status(void **state)
{
    const struct gsp_snapshot s = rig_snapshot(&rig);
    const char *text = get("/api/v1/status");
    char want[200];
    (void)state;
    assert_non_null(strstr(text, "\"chip\":\"ga102\""));
    assert_non_null(strstr(text, "\"state\":\"ready\""));
    const char *at = text;
    for (uint32_t i = 0; i < s.stage_count; i++) { /* every stage, in order */
        snprintf(want, sizeof(want),
                 "\"name\":\"%s\",\"state\":\"%s\",\"us\":%llu,\"waited_us\":%llu,"
                 "\"start_us\":%llu,\"reads\":%u,\"writes\":%u,\"error\":null}",
                 s.stage[i].name, gsp_stage_state_name(s.stage[i].state),
                 (unsigned long long)s.stage[i].us, (unsigned long long)s.stage[i].waited_us,
                 (unsigned long long)s.stage[i].start_us, (unsigned)s.stage[i].reg_reads,
                 (unsigned)s.stage[i].reg_writes);
        at = strstr(at, want);
        if (at == NULL) {
            fail_msg("no %s in %s", want, text);
        }
    }
    snprintf(want, sizeof(want), "%llu", (unsigned long long)s.vram_bytes);
    assert_non_null(strstr(text, want));
    assert_non_null(strstr(text, s.uuid));
    snprintf(want, sizeof(want), "\"name\":\"%s\"", s.name);
    assert_non_null(strstr(text, want));
    assert_non_null(strstr(text, s.firmware_version));
    static const char *const members[] = {"\"arp_limited\":0,",
                                          "\"fibers\":", "\"refused_connections\":0"};
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        assert_non_null(strstr(text, members[i]));
    }
    assert_non_null(strstr(text, "\"sensors\":{\"source\":\"\",\"samples\":0,\"period_ms\":0,"
                                 "\"values\":{},\"refused\":[],\"page_faults\":{"));
    assert_non_null(strstr(text, "\"sensors\":null")); /* the second one's */
    const char *index = get("/api/v1");
    assert_string_equal(index + strlen(index) - 3, "]}\n");
    is_told("/metrics", "HTTP/1.1 200", s.uuid);
    const char *line = strstr(answer.data, "\nfirstlight_gpu_state{");
    assert_non_null(line);
    const char *ready = strstr(line + 1, ",state=\"ready\"} 1\n");
    assert_true(ready != NULL && ready < strchr(line + 1, '\n'));
    is_told("/healthz", "HTTP/1.1 503", "gpu 1 failed");
}

/* What it measures, once somebody has sampled: each value with its unit, group and age. */
static struct gsp_sensors measured;
static void a_while(void *arg)
{
    (void)arg;
    fiber_sleep_us(5 * US_PER_S);
    gsp_get_sensors(rig.gpu, &measured);
    serve_stop = true;
    while (!serve_done) {
        fiber_sleep_us(1000);
    }
}
static void sensors(void **state)
{
    char want[200];
    (void)state;
    serve_stop = serve_done = false;
    assert_non_null(fiber_spawn("serve", serve, NULL, FIBER_STACK_DEFAULT));
    rig_run(a_while, NULL);
    const char *text = get("/api/v1/status");
    unsigned known = 0;
    snprintf(want, sizeof(want),
             "\"sensors\":{\"source\":\"shared page\",\"samples\":%llu,\"period_ms\":1000,",
             (unsigned long long)measured.samples);
    assert_non_null(strstr(text, want));
    for (unsigned s = 0; s < GSP_SENSOR_COUNT; s++) {
        const struct gsp_sensor_info *info = gsp_sensor_info((enum gsp_sensor)s);
        snprintf(want, sizeof(want), "\"%s\":{\"value\":", info->key);
        if ((strstr(text, want) != NULL) != measured.sensor[s].known) {
            fail_msg("%s", want);
        }
        known += measured.sensor[s].known;
    }
    assert_true(known > 20);
    const uint64_t age_ms =
        (clock_now_us() - measured.sensor[GSP_SENSOR_TEMP_GPU].at_us) / US_PER_MS;
    snprintf(want, sizeof(want),
             "\"temperature_gpu\":{\"value\":%lld,\"unit\":\"millicelsius\","
             "\"group\":\"temperature\",\"age_ms\":%llu}",
             (long long)measured.sensor[GSP_SENSOR_TEMP_GPU].value, (unsigned long long)age_ms);
    if (strstr(text, want) == NULL) {
        fail_msg("no %s", want);
    }
    assert_non_null(strstr(text, "\"throttle_reasons\":[\"gpu_idle\"],"));
    assert_non_null(strstr(text, "\"refused\":[{\"cmd\":\"0x20803400\",\"status\":\"0x56\","
                                 "\"count\":1}"));
}

/* A stage that failed says why, and no other one does. */
static void failed(void **state)
{
    (void)state;
    assert_int_equal(rig_unload(&rig), FL_OK);
    model_unplug(rig.model);
    assert_int_equal(rig_boot(&rig), FL_ELINKLOST);
    static const char first[] = "\"stages\":[{\"name\":\"identify\",\"state\":\"failed\",";
    const char *at = strstr(get("/api/v1/status"), first);
    assert_non_null(at);
    const char *second = strstr(at, "{\"name\":\"devinit\"");
    const char *error = strstr(at, "\"error\":{");
    assert_true(error != NULL && second != NULL && error < second);
    assert_non_null(strstr(second, "\"error\":null}"));
}

static void up(void *arg)
{
    (void)arg;
    ctx = (struct api_context){.version = "test", .gpu_count = 2};
    ctx.gpus[0].pci = ctx.gpus[1].pci = rig.dev;
    ctx.gpus[0].gpu = rig.gpu;
    (void)FL_FAIL(&ctx.gpus[1].fail, FL_EIO, "BAR0", "reads as all ones");
    api_init(&ctx);
}

static int group_setup(void **state)
{
    (void)state;
    open_strict(NULL);
    boots();
    rig_run(up, NULL);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    text_free(&answer);
    return rig_close(&rig) ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logs),
        cmocka_unit_test(not_there),
        cmocka_unit_test(status),
        cmocka_unit_test(sensors),
        cmocka_unit_test(rom),
        cmocka_unit_test(failed),
        cmocka_unit_test(rom_of_a_lost_card), /* "failed" has lost it */
    };
    log_set_level(LOG_DEBUG);
    return cmocka_run_group_tests_name("api_gpu", tests, group_setup, group_teardown);
}
