/* SPDX-License-Identifier: MIT */
/* The metrics of a GPU that is up and of one that is not: both forms, both families of names, what
 * is known and what is left out. Programs of others judge the whole text (tests/boot). */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/wait.h>

#include "arch/clock.h"
#include "arch/host/host.h"
#include "gsp/gpu.h"
#include "gsp/xid.h"
#include "net/api/api.h"
#include "net/api/metrics.h"
#include "net/http/http.h"
#include "tests/unit/rig_assert.h"

#define OPENMETRICS "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n"

static struct api_context ctx;
static struct text_buf answer;
static char labels[200]; /* of GPU 0, firstlight's */

static const char *scrape(const char *accept)
{
    struct http_conn *c = http_conn_new();
    char request[300];
    size_t n;
    const void *p;

    host_clock_advance(US_PER_S * NS_PER_US); /* nothing that was kept */
    text_free(&answer);
    snprintf(request, sizeof(request), "GET /metrics HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
             accept);
    assert_int_equal(http_conn_input(c, request, strlen(request)), strlen(request));
    while ((p = http_conn_output(c, &n)) != NULL) {
        text_append(&answer, p, n);
        http_conn_sent(c, n);
    }
    http_conn_free(c);
    return answer.data;
}

static void has(const char *line)
{
    char want[700];
    snprintf(want, sizeof(want), "\n%s\n", line);
    if (strstr(answer.data, want) == NULL) {
        fail_msg("no line '%s' in\n%s", line, answer.data);
    }
}

static void has_not(const char *text)
{
    const char *at = strstr(answer.data, text);
    if (at != NULL) {
        fail_msg("'%s' is there: %.200s", text, at);
    }
}

/* A sample of GPU 0: name, further labels, value. */
static void gpu_has(const char *name, const char *more, const char *value)
{
    char line[600];
    snprintf(line, sizeof(line), "%s{%s%s} %s", name, labels, more, value);
    has(line);
}

static void dcgm_has(const char *name, const char *value)
{
    const bool v49 = strstr(name, "_BYTES") != NULL || strstr(name, "_CELSIUS") != NULL ||
                     strstr(name, "_HERTZ") != NULL || strstr(name, "_RATIO") != NULL ||
                     strstr(name, "_WATTS") != NULL || strcmp(name, "XID_ERROR") == 0 ||
                     strcmp(name, "GPU_PSTATE") == 0 || strcmp(name, "ROW_REMAP_FAILED") == 0 ||
                     strcmp(name, "PCIE_REPLAY_TOTAL") == 0 || strstr(name, "TABLE_TOTAL") != NULL;
    char full[64], more[200];
    snprintf(full, sizeof(full), "DCGM_FI_DEV_%s", name);
    snprintf(more, sizeof(more),
             ",device=\"nvidia0\",modelName=\"NVIDIA GeForce RTX 3090\",hostname=\"bench\","
             "DCGM_FI_%s_VERSION=\"570.144\"",
             v49 ? "SYSTEM_DRIVER" : "DRIVER");
    gpu_has(full, more, value);
}

static void measured(enum gsp_sensor s, int64_t value)
{
    rig.gpu->sensors.sensor[s] =
        (struct gsp_sensor_value){.known = true, .value = value, .at_us = clock_now_us()};
}

/* Every sensor gets a value of its own. */
static void measure_all(void)
{
    for (int i = 0; i < GSP_SENSOR_COUNT; i++) {
        measured((enum gsp_sensor)i, 10 + i);
    }
    measured(GSP_SENSOR_TEMP_GPU, 41500);
    measured(GSP_SENSOR_TEMP_MEMORY, -5500);
    measured(GSP_SENSOR_POWER_GPU, 100250);
    measured(GSP_SENSOR_POWER_MODULE, 170001);
    measured(GSP_SENSOR_CLOCK_SM, 1410500000);
    measured(GSP_SENSOR_CLOCK_MEMORY, 9501000000);
    measured(GSP_SENSOR_USE_GPU, 7);
    measured(GSP_SENSOR_USE_MEMORY, 100);
    measured(GSP_SENSOR_THROTTLE, 5);
    measured(GSP_SENSOR_REMAP_PENDING, 1);
    measured(GSP_SENSOR_REMAP_FAILED, 0);
    rig.gpu->sensors.samples = 3;
    rig.gpu->sensors.period_us = US_PER_S;
    rig.gpu->sensors.torn = 2;
    rig.gpu->sensors.refusal_count = 1;
    rig.gpu->sensors.refusal[0] = (struct gsp_refusal){0x2080012f, 0x56, 4};
}

static void nothing_measured(void **state)
{
    (void)state;
    scrape("");
    has_not("DCGM_FI_DEV_GPU_TEMP");
    has_not("DCGM_FI_DEV_XID_ERROR"); /* there was none */
    has_not("temperature");
    has_not("power");
    has_not("firstlight_gpu_sensor_age");
    has_not("discards");
    has_not("firstlight_rm_refused_total");
    has_not("throttled");
    has_not("=\"\"");
    gpu_has("firstlight_gpu_sensor_rounds_total", "", "0");
    dcgm_has("FB_TOTAL", "24568");
    dcgm_has("FB_CAPACITY_BYTES", "25761415168");
    gpu_has("firstlight_gpu_ready", "", "1");
    gpu_has("firstlight_gpu_state", ",state=\"ready\"", "1");
    gpu_has("firstlight_gpu_info",
            ",chip=\"ga102\",model=\"NVIDIA GeForce RTX 3090\",gsp_firmware=\"570.144\","
            "vbios=\"94.02.4b.00.0b\"",
            "1");
    has("firstlight_build_info{version=\"test\"} 1");
    has("firstlight_gpus 2");
    /* One that could not be created has all labels that can be known, and no empty ones. */
    has("firstlight_gpu_ready{gpu=\"1\",pci_bus_id=\"00000000:00:01.0\"} 0");
    has("firstlight_gpu_state{gpu=\"1\",pci_bus_id=\"00000000:00:01.0\",state=\"failed\"} 1");
    has("firstlight_gpu_info{gpu=\"1\",pci_bus_id=\"00000000:00:01.0\",model=\"NVIDIA Device "
        "2204\"} 1");
    has("DCGM_FI_DEV_PCIE_LINK_GEN{gpu=\"1\",pci_bus_id=\"00000000:00:01.0\",device=\"nvidia1\","
        "modelName=\"NVIDIA Device 2204\",hostname=\"bench\"} 4");
}

static void stages_and_times(void **state)
{
    const struct gsp_snapshot s = rig_snapshot(&rig);
    (void)state;
    scrape("");
    for (uint32_t i = 0; i < s.stage_count; i++) {
        char more[60], value[40];
        snprintf(more, sizeof(more), ",stage=\"%s\"", s.stage[i].name);
        snprintf(value, sizeof(value), "0.%06llu", (unsigned long long)s.stage[i].us);
        if (s.stage[i].state == GSP_STAGE_OK) {
            gpu_has("firstlight_gpu_stage_seconds", more, value);
        }
    }
    struct gsp_rpc_latency l;
    assert_true(gsp_get_rpc_latency(rig.gpu, 0, &l));
    assert_false(gsp_get_rpc_latency(rig.gpu, 99, &l));
    assert_true(gsp_get_rpc_latency(rig.gpu, 2, &l)); /* three allocations */
    assert_string_equal(l.name, "GSP_RM_ALLOC");
    uint64_t count = 0;
    char line[200];
    static const char *const le[] = {"0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025",
                                     "0.05",   "0.1",   "0.25",   "1.0",   "+Inf"};
    for (size_t i = 0; i < ARRAY_SIZE(le); i++) { /* cumulative */
        count += l.took.bucket[i];
        snprintf(line, sizeof(line),
                 "firstlight_gpu_rpc_duration_seconds_bucket{gpu=\"0\",function=\"GSP_RM_ALLOC\","
                 "le=\"%s\"} %llu",
                 le[i], (unsigned long long)count);
        has(line);
    }
    assert_int_equal(count, 3);
    has("firstlight_gpu_rpc_duration_seconds_count{gpu=\"0\",function=\"GSP_RM_ALLOC\"} 3");
    snprintf(
        line, sizeof(line),
        "firstlight_gpu_rpc_duration_seconds_sum{gpu=\"0\",function=\"GSP_RM_ALLOC\"} 0.%06llu",
        (unsigned long long)l.took.sum_us);
    has(line);
    has("# TYPE firstlight_http_request_duration_seconds histogram");
    assert_non_null(strstr(answer.data, "\nfirstlight_http_request_duration_seconds_bucket{le=\""));
    assert_non_null(strstr(answer.data, "firstlight_lwip_packets_total{protocol=\"tcp\",event=\""
                                        "xmit\"} "));
}

static void all_measured(void **state)
{
    static const struct {
        const char *name, *value;
    } dcgm[] = {
        {"SM_CLOCK", "1411"},
        {"SM_CLOCK_HERTZ", "1410500000"},
        {"MEM_CLOCK", "9501"},
        {"MEMORY_CLOCK_HERTZ", "9501000000"},
        {"MEMORY_TEMP", "-6"},
        {"MEMORY_TEMP_CELSIUS", "-6"},
        {"GPU_TEMP", "42"},
        {"GPU_TEMP_CELSIUS", "42"},
        {"POWER_USAGE", "170.001"},
        {"BOARD_POWER_WATTS", "170.001"},
        {"POWER_MGMT_LIMIT", "0.017"},
        {"ENFORCED_POWER_LIMIT", "0.018"},
        {"GPU_UTIL", "7"},
        {"GPU_UTIL_RATIO", "0.07"},
        {"MEM_COPY_UTIL", "100"},
        {"MEMORY_UTIL_RATIO", "1.00"},
        {"ENC_UTIL", "25"},
        {"ENC_UTIL_RATIO", "0.25"},
        {"DEC_UTIL", "26"},
        {"DEC_UTIL_RATIO", "0.26"},
        {"PSTATE", "29"},
        {"GPU_PSTATE", "29"},
        {"ECC_SBE_VOL_TOTAL", "31"},
        {"ECC_SBE_AGG_TOTAL", "32"},
        {"ECC_DBE_VOL_TOTAL", "33"},
        {"ECC_DBE_AGG_TOTAL", "34"},
        {"CORRECTABLE_REMAPPED_ROWS", "43"},
        {"ROW_REMAP_CORRECTABLE_TOTAL", "43"},
        {"UNCORRECTABLE_REMAPPED_ROWS", "44"},
        {"ROW_REMAP_UNCORRECTABLE_TOTAL", "44"},
        {"ROW_REMAP_PENDING", "1"},
        {"ROW_REMAP_FAILURE", "0"},
        {"ROW_REMAP_FAILED", "0"},
        {"PCIE_REPLAY_COUNTER", "47"},
        {"PCIE_REPLAY_TOTAL", "47"},
    };
    (void)state;
    measure_all();
    scrape("");
    for (size_t i = 0; i < ARRAY_SIZE(dcgm); i++) {
        dcgm_has(dcgm[i].name, dcgm[i].value);
    }
    gpu_has("firstlight_gpu_temperature_celsius", ",sensor=\"gpu\"", "41.500");
    gpu_has("firstlight_gpu_temperature_celsius", ",sensor=\"memory\"", "-5.500");
    gpu_has("firstlight_gpu_power_watts", ",part=\"gpu\",kind=\"average\"", "100.250");
    gpu_has("firstlight_gpu_power_watts", ",part=\"module\",kind=\"average\"", "170.001");
    gpu_has("firstlight_gpu_power_watts", ",part=\"module\",kind=\"now\"", "0.016");
    gpu_has("firstlight_gpu_throttled", ",reason=\"gpu_idle\"", "1");
    gpu_has("firstlight_gpu_throttled", ",reason=\"applications_clocks_setting\"", "0");
    gpu_has("firstlight_gpu_throttled", ",reason=\"sw_power_cap\"", "1");
    gpu_has("firstlight_gpu_ecc_errors_total",
            ",memory=\"sram\",kind=\"uncorrected\",since=\"ever\"", "42");
    gpu_has("firstlight_gpu_pcie_errors_total", ",kind=\"unsupported_request\"", "58");
    gpu_has("firstlight_gpu_pcie_throughput_bytes_per_second", ",direction=\"received\"", "60");
    gpu_has("firstlight_gpu_sensor_discards_total", ",reason=\"torn\"", "2");
    gpu_has("firstlight_gpu_sensor_age_seconds", "", "1.000000");
    gpu_has("firstlight_rm_refused_total", ",cmd=\"0x2080012f\"", "4");
    has_not("DCGM_FI_DEV_XID");

    /* A board without a meter for all of it says 0 there. */
    measured(GSP_SENSOR_POWER_MODULE, 0);
    measured(GSP_SENSOR_POWER_MODULE_NOW, 0);
    scrape("");
    dcgm_has("POWER_USAGE", "100.250");
    rig.gpu->sensors.sensor[GSP_SENSOR_POWER_GPU].known = false;
    measured(GSP_SENSOR_POWER_GPU_NOW, 90000);
    scrape("");
    dcgm_has("POWER_USAGE", "90.000");
    measured(GSP_SENSOR_POWER_GPU_NOW, 0);
    scrape("");
    has_not("DCGM_FI_DEV_POWER_USAGE");
    gpu_has("firstlight_gpu_power_watts", ",part=\"gpu\",kind=\"now\"", "0.000");
}

/* Every sensor is in one firstlight family: the number that only it has is there. */
static void every_sensor(void **state)
{
    (void)state;
    for (int i = 0; i < GSP_SENSOR_COUNT; i++) {
        char value[40];
        const struct gsp_sensor_info *info = gsp_sensor_info((enum gsp_sensor)i);
        for (int k = 0; k < GSP_SENSOR_COUNT; k++) {
            rig.gpu->sensors.sensor[k].known = false;
        }
        measured((enum gsp_sensor)i, 1);
        scrape("");
        snprintf(value, sizeof(value), "firstlight_gpu_%s",
                 strcmp(info->group, "clocks") == 0     ? "clock_hertz"
                 : strcmp(info->group, "remap") == 0    ? "remap"
                 : strcmp(info->group, "throttle") == 0 ? "throttled"
                                                        : info->group);
        if (strstr(answer.data, value) == NULL) {
            fail_msg("%s: no %s", info->key, value);
        }
    }
}

static void xids(void **state)
{
    (void)state;
    gsp_gpu_xid(rig.gpu, 31, "a fault");
    gsp_gpu_xid(rig.gpu, 48, "a bad bit");
    gsp_gpu_xid(rig.gpu, 31, "another");
    scrape("");
    dcgm_has("XID_ERRORS", "31");
    dcgm_has("XID_ERROR", "31");
    gpu_has("firstlight_gpu_xid_total", ",xid=\"31\"", "2");
    gpu_has("firstlight_gpu_xid_total", ",xid=\"48\"", "1");
    has_not("xid_last_timestamp"); /* the machine does not know what day it is */
    host_clock_set_unix(1700000000);
    scrape("");
    host_clock_set_unix(0);
    struct gsp_xid x[2];
    assert_int_equal(gsp_get_xids(rig.gpu, x, 2), 2);
    char value[40];
    snprintf(value, sizeof(value), "%llu.%06llu",
             (unsigned long long)(1700000000 + x[0].last_us / US_PER_S),
             (unsigned long long)(x[0].last_us % US_PER_S));
    gpu_has("firstlight_gpu_xid_last_timestamp_seconds", ",xid=\"31\"", value);
}

static void openmetrics(void **state)
{
    (void)state;
    measure_all();
    scrape(OPENMETRICS);
    assert_non_null(strstr(answer.data, "\r\nContent-Type: application/openmetrics-text; "
                                        "version=1.0.0; charset=utf-8\r\n"));
    assert_non_null(strstr(answer.data, "\r\nVary: Accept\r\n"));
    assert_string_equal(answer.data + answer.len - 7, "\n# EOF\n");
    has("# TYPE firstlight_http_requests counter\n"
        "# HELP firstlight_http_requests HTTP requests answered.");
    has_not("# TYPE firstlight_http_requests_total");
    assert_non_null(strstr(answer.data, "\nfirstlight_http_requests_total "));
    has("# TYPE firstlight_build info\n# HELP firstlight_build The appliance.\n"
        "firstlight_build_info{version=\"test\"} 1");
    has("# TYPE firstlight_uptime_seconds gauge\n# UNIT firstlight_uptime_seconds seconds\n"
        "# HELP firstlight_uptime_seconds Time since the hand-off by the firmware.");
    has("# TYPE DCGM_FI_DEV_PCIE_REPLAY_COUNTER unknown"); /* a counter must end in _total */
    has("# TYPE DCGM_FI_DEV_GPU_TEMP gauge");
    dcgm_has("PCIE_REPLAY_COUNTER", "47");

    scrape("");
    assert_non_null(strstr(answer.data, "\r\nContent-Type: text/plain; version=0.0.4; "
                                        "charset=utf-8\r\n"));
    assert_non_null(strstr(answer.data, "\r\nVary: Accept\r\n"));
    has("# HELP firstlight_http_requests_total HTTP requests answered.\n"
        "# TYPE firstlight_http_requests_total counter");
    has("# TYPE DCGM_FI_DEV_PCIE_REPLAY_COUNTER counter");
    has("# TYPE firstlight_build_info gauge");
    has_not("# UNIT");
    has_not("# EOF");
    scrape("Accept: application/openmetrics-text;q=x\r\n");
    assert_non_null(strstr(answer.data, "200 OK"));
    assert_non_null(strstr(answer.data, "version=0.0.4"));
}

/* ---- judged by programs of others, where the set-up has them ---- */

/* Gives the text of the last answer to a command; its output, NUL-terminated, and exit status. */
static int judge(const char *command, char *said, size_t size)
{
    char in[] = "/tmp/metrics-XXXXXX", whole[600];
    const char *body = strstr(answer.data, "\r\n\r\n") + 4;
    const int fd = mkstemp(in);
    assert_true(fd >= 0);
    const size_t len = answer.len - (size_t)(body - answer.data);
    assert_int_equal(write(fd, body, len), len);
    close(fd);
    snprintf(whole, sizeof(whole), "%s < %s 2>&1", command, in);
    FILE *out = popen(whole, "r");
    assert_non_null(out);
    said[fread(said, 1, size - 1, out)] = '\0';
    const int status = pclose(out);
    unlink(in);
    return WEXITSTATUS(status);
}

static size_t occurrences(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what)) {
        n++;
    }
    return n;
}

/* promtool of Prometheus: nothing about firstlight_*; about DCGM_* what their names bring along. */
static void promtool(void **state)
{
    static char said[65536];
    const char *dir = getenv("PROMETHEUS_DIR");
    char command[300];
    (void)state;
    if (dir == NULL) {
        skip();
    }
    snprintf(command, sizeof(command), "%s/promtool check metrics", dir);
    measure_all();
    scrape("");
    assert_int_equal(judge(command, said, sizeof(said)), 3); /* lints; 1 would be an error */
    if (strstr(said, "firstlight") != NULL) {
        fail_msg("%s", said);
    }
    const size_t samples = occurrences(answer.data, "\nDCGM_"); /* a lint for each */
    const size_t counters = occurrences(answer.data, "_ROWS counter\n") +
                            occurrences(answer.data, "_TOTAL counter\n") +
                            occurrences(answer.data, "_COUNTER counter\n");
    const size_t lines = occurrences(said, "\n");
    assert_true(samples > 40 && counters == 10);
    assert_int_equal(occurrences(said, " label names should be written in 'snake_case' not "
                                       "'camelCase'\n"),
                     samples);
    assert_int_equal(occurrences(said, " counter metrics should have \"_total\" suffix\n"),
                     counters);
    assert_int_equal(occurrences(said, "_PCIE_REPLAY_COUNTER metric name should not include type "
                                       "'counter'\n"),
                     1);
    assert_int_equal(lines, samples + counters + 1);
}

/* The parser of OpenMetrics in Python's prometheus_client, which is strict: order and completeness
 * of metadata, units, histograms, the end. */
static void python_parser(void **state)
{
    static char said[4096];
    const char *dir = getenv("PROMETHEUS_DIR");
    char command[500];
    (void)state;
    if (dir == NULL) {
        skip();
    }
    snprintf(
        command, sizeof(command),
        "PYTHONPATH=%s/python python3 -c 'import sys\n"
        "from prometheus_client.openmetrics.parser import text_string_to_metric_families as p\n"
        "f = list(p(sys.stdin.read()))\n"
        "print(len(f), sum(len(x.samples) for x in f))'",
        dir);
    measure_all();
    scrape(OPENMETRICS);
    const int status = judge(command, said, sizeof(said));
    if (status != 0) {
        fail_msg("%s", said);
    }
    assert_int_equal(strtoul(said, NULL, 10), occurrences(answer.data, "# TYPE "));
}

/* The host's label as older dcgm-exporters call it, or none; a name with everything in it. */
static void the_labels(void **state)
{
    (void)state;
    ctx.host_label = "Hostname";
    scrape("");
    assert_non_null(strstr(answer.data, ",Hostname=\"bench\""));
    has_not("hostname=");
    ctx.host_label = NULL;
    scrape("");
    has_not("ostname=");
    ctx.host_label = "hostname";
    char name[64];
    memcpy(name, rig.gpu->name, sizeof(name));
    snprintf(rig.gpu->name, sizeof(rig.gpu->name), "A \"B\\\n\xff");
    scrape("");
    assert_non_null(strstr(answer.data, "modelName=\"A \\\"B\\\\\\n?\","));
    memcpy(rig.gpu->name, name, sizeof(name));
    char bus[GPU_BUS_ID_MAX];
    const struct pci_dev odd = {.segment = 0xabcd, .bus = 0xef, .devfn = 0xff};
    assert_string_equal(gpu_bus_id(&odd, bus), "0000ABCD:EF:1F.7");
}

/* A failed GPU keeps what is known of it. */
static void failed(void **state)
{
    (void)state;
    assert_int_equal(rig_unload(&rig), FL_OK);
    model_unplug(rig.model);
    assert_int_equal(rig_boot(&rig), FL_ELINKLOST);
    scrape("");
    has("firstlight_gpu_ready{gpu=\"0\",pci_bus_id=\"00000000:00:01.0\"} 0");
    assert_non_null(strstr(answer.data, ",state=\"failed\"} 1"));
    has_not("=\"\"");
    has_not("DCGM_FI_DEV_FB_TOTAL");
}

static int group_setup(void **state)
{
    (void)state;
    open_strict(NULL);
    boots();
    ctx = (struct api_context){.version = "test", .gpu_count = 2, .host_label = "hostname"};
    ctx.access.hostname = "bench";
    ctx.gpus[0].pci = ctx.gpus[1].pci = rig.dev;
    ctx.gpus[0].gpu = rig.gpu;
    (void)FL_FAIL(&ctx.gpus[1].fail, FL_EIO, "BAR0", "reads as all ones");
    api_init(&ctx);
    snprintf(labels, sizeof(labels), "gpu=\"0\",UUID=\"%s\",pci_bus_id=\"00000000:00:01.0\"",
             rig_snapshot(&rig).uuid);
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
        cmocka_unit_test(nothing_measured),
        cmocka_unit_test(stages_and_times),
        cmocka_unit_test(all_measured),
        cmocka_unit_test(every_sensor),
        cmocka_unit_test(xids),
        cmocka_unit_test(openmetrics),
        cmocka_unit_test(promtool),
        cmocka_unit_test(python_parser),
        cmocka_unit_test(the_labels),
        cmocka_unit_test(failed),
    };
    return cmocka_run_group_tests_name("metrics", tests, group_setup, group_teardown);
}
