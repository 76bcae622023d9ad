/* SPDX-License-Identifier: MIT */
/* /healthz and /health: each condition that fails or degrades alone, what does not, several at
 * once, and how long an answer is kept. */
#include <stdio.h>
#include <stdlib.h>

#include "arch/clock.h"
#include "arch/host/host.h"
#include "gsp/gpu.h"
#include "gsp/xid.h"
#include "net/api/api.h"
#include "net/api/cache.h"
#include "net/api/health.h"
#include "net/http/http.h"
#include "tests/unit/rig_assert.h"

static struct api_context ctx;
static struct text_buf answer;
static struct gsp_sensors measures, *sensors = &measures;

/* In the place of the sampler's (rules.mk). */
void __wrap_gsp_get_sensors(struct gsp_gpu *g, struct gsp_sensors *out);
void __wrap_gsp_get_sensors(struct gsp_gpu *g, struct gsp_sensors *out)
{
    (void)g;
    *out = measures;
}

static const char *get(const char *path)
{
    struct http_conn *c = http_conn_new();
    char request[100];
    size_t n;
    const void *p;

    text_free(&answer);
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    assert_int_equal(http_conn_input(c, request, strlen(request)), strlen(request));
    while ((p = http_conn_output(c, &n)) != NULL) {
        text_append(&answer, p, n);
        http_conn_sent(c, n);
    }
    http_conn_free(c);
    return answer.data;
}

/* Status and text, of now. */
static void is(const char *status, const char *text)
{
    static const char *const paths[] = {"/healthz", "/health"};
    for (size_t i = 0; i < 2; i++) {
        host_clock_advance(API_KEEP_US * NS_PER_US);
        const char *seen = get(paths[i]);
        const char *body = strstr(seen, "\r\n\r\n") + 4;
        if (strncmp(seen + 9, status, 3) != 0 || strcmp(body, text) != 0) {
            fail_msg("seen %.12s: %sexpected %s: %s", seen, body, status, text);
        }
    }
}

static void measured(enum gsp_sensor s, int64_t value)
{
    sensors->sensor[s] =
        (struct gsp_sensor_value){.known = true, .value = value, .at_us = clock_now_us()};
}

static int forget(void **state)
{
    (void)state;
    memset(sensors, 0, sizeof(*sensors));
    ctx.probing = false;
    ctx.expect_gpus = 0;
    return 0;
}

static void ok(void **state)
{
    (void)state;
    is("200", "ok\n");
    assert_non_null(strstr(get("/healthz"), "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
    measured(GSP_SENSOR_TEMP_GPU, 40000);
    for (int i = 0; i < 4; i++) { /* it does not sample: nothing can be too old */
        host_clock_advance(60 * US_PER_S * NS_PER_US);
    }
    measured(GSP_SENSOR_REMAP_PENDING, 0);
    measured(GSP_SENSOR_REMAP_FAILED, 0);
    measured(GSP_SENSOR_ECC_UNCORRECTED_VOLATILE, 0);
    measured(GSP_SENSOR_ECC_CORRECTED_VOLATILE, 7);
    measured(GSP_SENSOR_ECC_UNCORRECTED_AGGREGATE, 7);
    measured(GSP_SENSOR_THROTTLE, 1 | 2 | 4 | 16 | 32 | 256); /* by software, or at rest */
    measured(GSP_SENSOR_PSTATE, 8);
    is("200", "ok\n");
}

static void counts(void **state)
{
    (void)state;
    ctx.expect_gpus = 1;
    is("200", "ok\n");
    ctx.expect_gpus = 2;
    is("503", "1 of 2 GPUs that are expected\n");
    ctx.probing = true;
    is("503", "looking for GPUs\n");
}

static void each_reason(void **state)
{
    static const struct {
        enum gsp_sensor sensor;
        int64_t value;
        const char *text;
    } rows[] = {
        {GSP_SENSOR_REMAP_FAILED, 1, "a memory row could not be remapped: the card needs service"},
        {GSP_SENSOR_REMAP_PENDING, 1, "a memory row waits for a reset to be remapped"},
        {GSP_SENSOR_ECC_UNCORRECTED_VOLATILE, 3, "3 uncorrected ECC errors since the boot"},
        {GSP_SENSOR_THROTTLE, 8 | 1, "throttled, hw_slowdown"},
        {GSP_SENSOR_THROTTLE, 64, "throttled, hw_thermal_slowdown"},
        {GSP_SENSOR_THROTTLE, 128, "throttled, hw_power_brake_slowdown"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        char text[200];
        forget(state);
        measured(rows[i].sensor, rows[i].value);
        snprintf(text, sizeof(text), "degraded: gpu 0: %s\n", rows[i].text);
        is("200", text);
    }
    measured(GSP_SENSOR_REMAP_PENDING, 1);
    is("200", "degraded: gpu 0: a memory row waits for a reset to be remapped; gpu 0: throttled, "
              "hw_power_brake_slowdown\n");
    ctx.expect_gpus = 3;
    is("503", "1 of 3 GPUs that are expected; gpu 0: a memory row waits for a reset to be "
              "remapped; gpu 0: throttled, hw_power_brake_slowdown\n");
}

/* The newest reading counts. */
static void old_readings(void **state)
{
    char reason[HEALTH_REASON_MAX] = "";
    static struct gsp_snapshot s;
    const struct pci_state pci = {0};
    struct gsp_sensors *m = sensors;
    (void)state;
    s = rig_snapshot(&rig);
    m->period_us = US_PER_S;
    uint64_t newest_us = 0;
#define AT(us) health_of_gpu(&(struct health_input){rig.gpu, &s, m, &pci, us}, &newest_us, reason)
    assert_int_equal(AT(100 * US_PER_S), HEALTH_OK); /* nothing was read yet */
    m->sensor[GSP_SENSOR_TEMP_GPU] = (struct gsp_sensor_value){true, 1, 50 * US_PER_S};
    m->sensor[GSP_SENSOR_PSTATE] = (struct gsp_sensor_value){true, 8, 20 * US_PER_S};
    assert_int_equal(AT(53 * US_PER_S), HEALTH_OK);
    assert_int_equal(AT(49 * US_PER_S), HEALTH_OK);
    assert_string_equal(reason, "");
    assert_int_equal(AT(53 * US_PER_S + 1), HEALTH_DEGRADED);
    assert_string_equal(reason, "the newest sensor reading is 3000 ms old, read every 1000 ms\n");
    assert_int_equal(AT(60 * US_PER_S), HEALTH_DEGRADED);
    assert_int_equal(AT(60 * US_PER_S + 1), HEALTH_FAILED);
    m->period_us = 20 * US_PER_S; /* slow ones: three periods are the limit for both */
    assert_int_equal(AT(110 * US_PER_S), HEALTH_OK);
    assert_int_equal(AT(110 * US_PER_S + 1), HEALTH_FAILED);
    m->period_us = 0;
    assert_int_equal(AT(900 * US_PER_S), HEALTH_OK);
    /* What fails is worse than what degrades. */
    m->period_us = US_PER_S;
    measured(GSP_SENSOR_REMAP_PENDING, 1);
    m->sensor[GSP_SENSOR_REMAP_PENDING].at_us = 0;
    assert_int_equal(AT(900 * US_PER_S), HEALTH_FAILED);
    /* Those too old to be known are missed as well, until the next boot. */
    memset(m->sensor, 0, sizeof(m->sensor));
    assert_int_equal(AT(900 * US_PER_S), HEALTH_FAILED);
    s.state = GSP_UNLOADED;
    assert_int_equal(AT(900 * US_PER_S), HEALTH_FAILED);
    s.state = GSP_READY;
    assert_int_equal(AT(900 * US_PER_S), HEALTH_OK);
    m->sensor[GSP_SENSOR_TEMP_GPU] = (struct gsp_sensor_value){true, 1, 50 * US_PER_S};
    /* A reason that is longer than there is room is cut, not written over the end. */
    for (int i = 0; i < 20; i++) {
        (void)AT(900 * US_PER_S);
    }
    assert_int_equal(strlen(reason), HEALTH_REASON_MAX - 1);
#undef AT
}

static void links(void **state)
{
    char reason[HEALTH_REASON_MAX] = "";
    static struct gsp_snapshot s;
    struct pci_state pci = {.link = {true, 4, 16, 5, 16}, .speed = 4, .width = 16};
    (void)state;
    s = rig_snapshot(&rig);
    uint64_t newest_us = 0;
    const struct health_input in = {rig.gpu, &s, sensors, &pci, 1};
#define NOW() (reason[0] = '\0', health_of_gpu(&in, &newest_us, reason))
    assert_int_equal(NOW(), HEALTH_OK); /* the port cannot do more */
    pci.link.width = 8;
    assert_int_equal(NOW(), HEALTH_DEGRADED);
    assert_string_equal(reason, "its link has 8 lanes of 16\n");
    pci.link.width = 16;
    pci.link.speed = 1;
    assert_int_equal(NOW(), HEALTH_OK); /* nobody says that it works */
    measured(GSP_SENSOR_PSTATE, 5);
    assert_int_equal(NOW(), HEALTH_OK);
    measured(GSP_SENSOR_PSTATE, 4);
    assert_int_equal(NOW(), HEALTH_DEGRADED);
    assert_string_equal(reason, "its link runs at 2.5 GT/s of 16.0 GT/s\n");
    measured(GSP_SENSOR_THROTTLE, 1);
    assert_int_equal(NOW(), HEALTH_OK);
    measured(GSP_SENSOR_THROTTLE, 0);
    assert_int_equal(NOW(), HEALTH_DEGRADED);
    pci.link.valid = false;
    assert_int_equal(NOW(), HEALTH_OK);
#undef NOW
}

/* Those of the running boot that somebody has to do something about. */
static void xids(void **state)
{
    (void)state;
    gsp_gpu_xid(rig.gpu, 31, "a fault of a client's");
    is("200", "ok\n");
    gsp_gpu_xid(rig.gpu, 48, "a bad bit");
    const char *seen = get("/healthz");
    assert_non_null(strstr(seen, "200 OK"));
    assert_non_null(strstr(seen, "degraded: gpu 0: Xid 48, double-bit ECC error: memory has lost "
                                 "data: gpu.reset"));
    assert_true(gsp_xid_find(9999)->needs_action);
    assert_false(gsp_xid_find(43)->needs_action);
    assert_false(gsp_xid_find(92)->needs_action); /* the catalogue: IGNORE */
    assert_int_equal(rig_unload(&rig), FL_OK);
    is("503", "gpu 0 is unloaded\n");
    host_clock_advance(US_PER_S * NS_PER_US);
    assert_int_equal(rig_boot(&rig), FL_OK);
    is("200", "ok\n");
}

/* An answer holds until something happens, or for a tenth of a second. */
static void kept(void **state)
{
    (void)state;
    struct api_age a = {0};
    assert_false(api_still(&a));
    assert_true(api_still(&a));
    host_clock_advance((API_KEEP_US - 2) * NS_PER_US); /* a look costs some of the second one */
    assert_true(api_still(&a));
    host_clock_advance(UINT64_C(2) * NS_PER_US);
    assert_false(api_still(&a));
    assert_true(api_still(&a));
    gsp_gpu_changed(rig.gpu);
    assert_false(api_still(&a));
    assert_true(api_still(&a));
    ctx.probing = true;
    assert_false(api_still(&a));
    ctx.probing = false;
    ctx.gpu_count = 0;
    assert_false(api_still(&a));
    ctx.gpu_count = 1;
    assert_false(api_still(&a));
    static const char post[] = "POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
                               "Content-Type: application/json\r\n\r\n{}";
    struct http_conn *c = http_conn_new();
    assert_int_equal(http_conn_input(c, post, sizeof(post) - 1), sizeof(post) - 1);
    size_t n;
    while (http_conn_output(c, &n) != NULL) {
        http_conn_sent(c, n);
    }
    http_conn_free(c);
    assert_false(api_still(&a)); /* it may have changed something */
    (void)get("/api/v1");
    assert_true(api_still(&a));

    /* The same body again, and not a byte of it made anew; one that is being sent stays. */
    static const char request[] = "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct http_conn *one = http_conn_new(), *two = http_conn_new();
    const void *body[2];
    for (int i = 0; i < 2; i++) {
        struct http_conn *k = i == 0 ? one : two;
        assert_int_equal(http_conn_input(k, request, sizeof(request) - 1), sizeof(request) - 1);
        (void)http_conn_output(k, &n);
        http_conn_sent(k, n); /* the head */
        body[i] = http_conn_output(k, &n);
    }
    assert_ptr_equal(body[0], body[1]);
    char *copy = malloc(n);
    memcpy(copy, body[0], n);
    http_conn_sent(two, n);
    http_conn_free(two);
    host_clock_advance(API_KEEP_US * NS_PER_US);
    assert_ptr_not_equal(get("/api/v1/status"), NULL);
    assert_memory_equal(http_conn_output(one, &n), copy, n);
    http_conn_sent(one, n);
    http_conn_free(one);
    free(copy);
}

static void failed(void **state)
{
    (void)state;
    assert_int_equal(rig_unload(&rig), FL_OK);
    model_unplug(rig.model);
    assert_int_equal(rig_boot(&rig), FL_ELINKLOST);
    host_clock_advance(API_KEEP_US * NS_PER_US);
    assert_non_null(strstr(get("/healthz"), "503"));
    assert_non_null(strstr(answer.data, "gpu 0 failed: identify: "));
}

static int group_setup(void **state)
{
    (void)state;
    open_strict(NULL);
    boots();
    ctx = (struct api_context){.version = "test", .gpu_count = 1};
    ctx.gpus[0].pci = rig.dev;
    ctx.gpus[0].gpu = rig.gpu;
    api_init(&ctx);
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
#define T(f) cmocka_unit_test_setup(f, forget)
        T(ok), T(counts), T(each_reason), T(old_readings), T(links), T(xids), T(kept), T(failed),
#undef T
    };
    return cmocka_run_group_tests_name("health", tests, group_setup, group_teardown);
}
