/* SPDX-License-Identifier: MIT */
/* JSON-RPC with GPUs: orders, controls by name, sessions and their objects, registers, a hung GSP.
 */
#include "tests/unit/rpc_lab.h"

/* --- orders
 * ------------------------------------------------------------------------------------------ */

static void orders_body(void *arg)
{
    (void)arg;
    until(GSP_READY);
    fails("gpu.boot", "{}", RPC_FAILED, "ready");
    assert_string_equal(text_at(result("gpu.unload", "{}"), "state"), "unloaded");
    fails("gpu.unload", "{}", RPC_FAILED, "");
    fails("rm.control", "{\"control\":\"NV2080_CTRL_CMD_GSP_GET_FEATURES\"}", RPC_FAILED,
          "unloaded");
    assert_string_equal(text_at(result("gpu.boot", "{\"gpu\":0}"), "state"), "ready");
    assert_string_equal(text_at(result("gpu.reset", "{\"kind\":\"function\"}"), "state"),
                        "unloaded");
    fails("gpu.reset", "{\"kind\":\"hard\"}", RPC_INVALID_PARAMS, "auto, function, bus");
    const json_t *boot = result("gpu.boot", "{}");
    assert_string_equal(text_at(boot, "state"), "ready");
    const json_t *attempts = json_object_get(boot, "attempts");
    assert_int_equal(json_integer_value(json_object_get(attempts, "total")), 3);
    char by_uuid[100];
    snprintf(by_uuid, sizeof(by_uuid), "{\"gpu\":\"%s\"}", rig_snapshot(&rig).uuid);
    assert_string_equal(text_at(result("gpu.status", by_uuid), "state"), "ready");
    stops();
}

static void orders(void **state)
{
    static const struct rig_options opt = {.strict = MODEL_STRICT};
    (void)state;
    on_a_gpu(&opt, orders_body);
}

/* A stage fails; a reset and another boot bring it up, from the network alone. */
static void recovery_body(void *arg)
{
    (void)arg;
    until(GSP_FAILED);
    const json_t *status = result("gpu.status", "{}");
    assert_string_equal(text_at(status, "state"), "failed");
    assert_string_equal(text_at(json_object_get(status, "error"), "stage"), "riscv");
    const json_t *tried = json_object_get(json_object_get(status, "attempts"), "last");
    assert_int_equal(json_array_size(tried), 1);
    assert_string_equal(text_at(json_object_get(json_array_get(tried, 0), "error"), "stage"),
                        "riscv");
    (void)result("gpu.reset", "{}");
    assert_string_equal(text_at(result("gpu.boot", "{}"), "state"), "ready");
    stops();
}

static void recovery(void **state)
{
    static const char *const faults[] = {"stuck=riscv:n=1", NULL};
    static const struct rig_options opt = {.faults = faults};
    (void)state;
    on_a_gpu(&opt, recovery_body);
}

/* --- controls
 * ---------------------------------------------------------------------------------------- */

static void controls_body(void *arg)
{
    const char *version = arg;
    (void)arg;
    until(GSP_READY);
    const json_t *r = result("rm.control", "{\"control\":\"NV2080_CTRL_CMD_GSP_GET_FEATURES\"}");
    assert_string_equal(text_at(r, "nv_status"), "NV_OK");
    const json_t *p = json_object_get(r, "params");
    assert_true(json_is_true(json_object_get(p, "bValid")));
    assert_string_equal(text_at(p, "firmwareVersion"), version);
    char data[400], again[500];
    snprintf(data, sizeof(data), "%s", text_at(r, "data"));
    /* the same by number, with what came back as bytes */
    snprintf(again, sizeof(again), "{\"control\":\"0x20803601\",\"data\":\"%s\"}", data);
    assert_string_equal(text_at(result("rm.control", again), "data"), data);
    snprintf(again, sizeof(again), "{\"control\":%u,\"object\":\"subdevice\"}", 0x20803601u);
    assert_string_equal(text_at(result("rm.control", again), "data"), data);
    /* fields go out: the GID as text needs a flag; and arrays of structures */
    r = result("rm.control", "{\"control\":\"NV2080_CTRL_CMD_GPU_GET_GID_INFO\",\"params\":{"
                             "\"flags\":0}}");
    assert_true(json_integer_value(json_object_get(json_object_get(r, "params"), "length")) > 0);
    /* refused, in NVIDIA's words */
    const json_t *why = fails("rm.control", "{\"control\":\"0x20809999\"}", RPC_REFUSED, "NV_ERR_");
    assert_string_equal(text_at(why, "nv_status"), "NV_ERR_NOT_SUPPORTED");
    assert_int_equal(json_integer_value(json_object_get(why, "nv_status_code")), 0x56);
    /* wrong before anything is sent */
    const uint64_t sent = rig_snapshot(&rig).rpc_sent;
    static const struct {
        const char *params, *words;
    } wrong[] = {
        {"{\"control\":\"NV2080_CTRL_CMD_NOTHING\"}", "not known"},
        {"{\"control\":\"NV2080_CTRL_CMD_GSP_GET_FEATURES\",\"params\":{\"x\":1}}", "no field 'x'"},
        {"{\"control\":\"NV2080_CTRL_CMD_GSP_GET_FEATURES\",\"params\":{\"bValid\":\"x\"}}",
         "expects a number"},
        {"{\"control\":\"NV2080_CTRL_CMD_GSP_GET_FEATURES\",\"params\":{\"bValid\":300}}", ""},
        {"{\"control\":\"NV2080_CTRL_CMD_GSP_GET_FEATURES\",\"data\":\"AAAA\"}", "3 bytes"},
        {"{\"control\":\"NV2080_CTRL_CMD_GSP_GET_FEATURES\",\"data\":\"!\"}", "not base64"},
        {"{\"control\":\"NV2080_CTRL_CMD_GSP_GET_FEATURES\",\"data\":\"\",\"params\":{}}",
         "either"},
        {"{\"control\":\"0x20809999\",\"params\":{\"a\":1}}", "as data, in base64"},
        {"{\"control\":1,\"object\":\"nobody\"}", "expected a handle"},
        {"{\"control\":1,\"session\":\"x\"}", ""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        fails("rm.control", wrong[i].params,
              i == ARRAY_SIZE(wrong) - 1 ? RPC_NO_SESSION : RPC_INVALID_PARAMS, wrong[i].words);
    }
    assert_int_equal(rig_snapshot(&rig).rpc_sent, sent);
    const json_t *list = result("rm.controls", "{\"match\":\"GSP_GET_FEATURES\"}");
    assert_int_equal(json_array_size(list), 1);
    assert_non_null(json_object_get(json_object_get(json_array_get(list, 0), "params"), "bValid"));
    stops();
}

static const char *version_now;
static void controls_of_version(void *arg)
{
    (void)arg;
    controls_body((void *)(uintptr_t)version_now);
}

static void controls(void **state)
{
    static const char *const versions[] = {"570.144", "535.113.01"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
        const struct rig_options opt = {.strict = MODEL_STRICT, .version = versions[i]};
        version_now = versions[i];
        on_a_gpu(&opt, controls_of_version);
    }
}

/* --- sessions
 * ---------------------------------------------------------------------------------------- */

static void sessions_body(void *arg)
{
    (void)arg;
    until(GSP_READY);
    open_one("{}");
    char device[20], client[20];
    snprintf(client, sizeof(client), "%s", text_at(json_object_get(last, "result"), "client"));
    const json_t *r = result("rm.alloc", with_session(",\"class\":\"NV01_DEVICE_0\""));
    snprintf(device, sizeof(device), "%s", text_at(r, "object"));
    char rest[200];
    snprintf(rest, sizeof(rest), ",\"class\":\"NV20_SUBDEVICE_0\",\"parent\":\"%s\",\"object\":77",
             device);
    assert_string_equal(text_at(result("rm.alloc", with_session(rest)), "object"), "0x0000004d");
    assert_string_equal(
        text_at(result("rm.control", with_session(",\"object\":77,\"control\":\"NV2080_CTRL_CMD_"
                                                  "GSP_GET_FEATURES\"")),
                "nv_status"),
        "NV_OK");
    fails("rm.alloc", with_session(",\"class\":\"NV01_NOTHING\""), RPC_INVALID_PARAMS, "not known");
    fails("rm.alloc", with_session(",\"class\":\"NV01_DEVICE_0\",\"parent\":5"), RPC_REFUSED, "");
    (void)result("rm.free", with_session(",\"object\":77"));
    fails("rm.free", with_session(",\"object\":77"), RPC_REFUSED, "NV_ERR_");
    fails("rm.control",
          with_session(",\"object\":77,\"control\":\"NV2080_CTRL_CMD_GSP_GET_FEATURES\""),
          RPC_REFUSED, "");
    (void)result("session.close", with_session(""));
    fails("session.close", with_session(""), RPC_NO_SESSION, "");
    fails("rm.free", with_session(",\"object\":1"), RPC_NO_SESSION, "");
    /* one that nobody uses ends by itself, and one that is used does not */
    open_one("{\"idle_s\":10}");
    for (unsigned i = 0; i < 5; i++) {
        fiber_sleep_us(9 * US_PER_S);
        fails("rm.free", with_session(",\"object\":77"), RPC_REFUSED, "");
    }
    assert_int_equal(session_count(), 1);
    fiber_sleep_us(10 * US_PER_S + US_PER_MS);
    assert_int_equal(session_count(), 0);
    fails("rm.free", with_session(",\"object\":1"), RPC_NO_SESSION, "");
    /* so many, and no more */
    char ids[SESSIONS_MAX][SESSION_ID_TEXT];
    for (unsigned i = 0; i < SESSIONS_MAX; i++) {
        open_one("{}");
        memcpy(ids[i], session, sizeof(session));
    }
    fails("session.open", "{}", RPC_BUSY, "16 sessions");
    for (unsigned i = 0; i < SESSIONS_MAX; i++) {
        memcpy(session, ids[i], sizeof(session));
        (void)result("session.close", with_session(""));
    }
    /* the GPU goes: the session stays, and says why it is of no use */
    open_one("{}");
    (void)result("gpu.reset", "{}");
    fails("rm.alloc", with_session(",\"class\":\"NV01_DEVICE_0\""), RPC_FAILED, "");
    (void)result("session.close", with_session(""));
    stops();
}

static void sessions_of_clients(void **state)
{
    static const struct rig_options opt = {.strict = MODEL_STRICT};
    (void)state;
    on_a_gpu(&opt, sessions_body);
}

/* --- registers, configuration space, logs
 * -------------------------------------------------------------- */

static void registers_body(void *arg)
{
    (void)arg;
    until(GSP_READY);
    const json_t *r = result("registers.read", "{\"register\":\"NV_PMC_BOOT_0\"}");
    char value[12];
    snprintf(value, sizeof(value), "0x%08x", (unsigned)rig_snapshot(&rig).boot0);
    assert_string_equal(text_at(r, "value"), value);
    assert_string_equal(text_at(r, "offset"), "0x000000");
    assert_string_equal(text_at(result("registers.read", "{\"register\":0}"), "value"), value);
    fails("registers.read", "{\"register\":\"NV_PMC_BOOT_9\"}", RPC_INVALID_PARAMS,
          "NV_PMC_BOOT_9");
    fails("registers.read", "{\"register\":2}", RPC_INVALID_PARAMS, "");
    assert_true(json_array_size(result("registers.list", "{}")) > 100);
    const json_t *list = result("registers.list", "{\"match\":\"pmc_boot_42\"}");
    assert_int_equal(json_array_size(list), 1);
    fails("registers.write", "{\"register\":\"NV_PMC_BOOT_0\"}", RPC_INVALID_PARAMS, "either");
    fails("registers.write", "{\"register\":\"NV_PMC_BOOT_0\",\"value\":\"0x100000000\"}",
          RPC_INVALID_PARAMS, "more than");
    fails("registers.write", "{\"register\":\"NV_PMC_BOOT_0\",\"fields\":{\"NO\":1}}",
          RPC_INVALID_PARAMS, "no field 'NO'");
    r = result("pci.config.read", "{\"offset\":0,\"width\":2,\"count\":2}");
    assert_string_equal(json_string_value(json_array_get(json_object_get(r, "values"), 0)),
                        "0x10de");
    assert_true(json_integer_value(json_object_get(
                    result("logs.read", "{\"log\":\"init\",\"bytes\":64}"), "next")) == 64);
    assert_non_null(strstr(text_at(result("flight.read", "{}"), "text"), "stage identify"));
    const json_t *history = result("rpc.history", "{}");
    const json_t *records = json_object_get(history, "records");
    assert_true(json_array_size(records) > 10);
    const json_t *report = result("gpu.report", "{}");
    assert_string_equal(text_at(report, "archive"), "/api/v1/gpus/0/report");
    assert_string_equal(text_at(json_object_get(report, "status"), "state"), "ready");
    assert_true(json_array_size(json_object_get(json_object_get(report, "history"), "records")) >
                10);
    history = result("rpc.history", "{}");
    const json_int_t next = json_integer_value(json_object_get(history, "next"));
    char params[60];
    snprintf(params, sizeof(params), "{\"cursor\":%lld}", next);
    history = result("rpc.history", params);
    assert_int_equal(json_array_size(json_object_get(history, "records")), 0);
    stops();
}

static void registers(void **state)
{
    static const struct rig_options opt = {0};
    (void)state;
    on_a_gpu(&opt, registers_body);
}

/* --- a GSP that answers no more
 * --------------------------------------------------------------------------- */

static void hung_body(void *arg)
{
    static const char slow[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"rm.control\",\"params\":{\"control\":\"NV2080_CTRL_CMD_"
        "GSP_GET_FEATURES\",\"timeout_ms\":2000},\"id\":1}";
    struct http_conn *waiting[RPC_JOBS_PER_GPU];
    int status;
    (void)arg;
    until(GSP_READY);
    for (unsigned i = 0; i < RPC_JOBS_PER_GPU; i++) {
        waiting[i] = begin(slow);
        assert_true(http_conn_working(waiting[i]));
    }
    json_t *busy = end(begin(slow), &status); /* and nobody waits for more */
    assert_int_equal(status, 503);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(busy, "error"), "code")),
                     RPC_BUSY);
    json_decref(busy);
    /* all else goes on */
    const uint64_t begin_us = clock_now_us();
    assert_string_equal(
        text_at(result("registers.read", "{\"register\":\"NV_PMC_BOOT_0\"}"), "offset"),
        "0x000000");
    assert_string_equal(text_at(result("gpu.status", "{}"), "state"), "ready");
    assert_true(clock_now_us() - begin_us < 10 * US_PER_MS);
    http_conn_free(waiting[2]); /* one loses patience */
    for (unsigned i = 0; i < RPC_JOBS_PER_GPU; i++) {
        if (i != 2) {
            json_t *v = end(waiting[i], &status);
            const json_t *e = json_object_get(v, "error");
            assert_int_equal(json_integer_value(json_object_get(e, "code")), RPC_FAILED);
            assert_non_null(strstr(text_at(e, "message"), "GSP_RM_CONTROL"));
            json_decref(v);
        }
    }
    assert_true(clock_now_us() - begin_us < 2100 * US_PER_MS);
    struct rpc_stats s;
    while (rpc_get_stats(&s), s.jobs != 0) {
        fiber_sleep_us(US_PER_MS);
    }
    (void)result("gpu.reset", "{}");
    stops();
}

static void hung(void **state)
{
    static const char *const faults[] = {"stuck=command:n=6", NULL};
    static const struct rig_options opt = {.faults = faults};
    (void)state;
    on_a_gpu(&opt, hung_body);
}

static int group_setup(void **state)
{
    (void)state;
    api_init(&ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders),    cmocka_unit_test(recovery),
        cmocka_unit_test(controls),  cmocka_unit_test(sessions_of_clients),
        cmocka_unit_test(registers), cmocka_unit_test(hung),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
