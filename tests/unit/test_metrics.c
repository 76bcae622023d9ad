/* SPDX-License-Identifier: MIT */
/* The metrics of a GPU that is up and of one that is not: both forms, both families of names, what
 * is known and what is left out. Programs of others judge the whole text (test_metrics_judged.c).
 */
#include "gsp/xid.h"
#include "net/api/metrics.h"
#include "tests/unit/metrics_lab.h"

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
            snprintf(value, sizeof(value), "0.%06llu", (unsigned long long)s.stage[i].waited_us);
            gpu_has("firstlight_gpu_stage_waited_seconds", more, value);
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
    host_clock_set_step(0); /* the time stands still, so that ages are exact */
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
    host_clock_set_step(HOST_CLOCK_STEP_NS);
    has_not("DCGM_FI_DEV_XID");

    /* A board without a meter for all of it says 0 there. */
    measured(GSP_SENSOR_POWER_MODULE, 0);
    measured(GSP_SENSOR_POWER_MODULE_NOW, 0);
    scrape("");
    dcgm_has("POWER_USAGE", "100.250");
    measures.sensor[GSP_SENSOR_POWER_GPU].known = false;
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
            measures.sensor[k].known = false;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_measured),
        cmocka_unit_test(stages_and_times),
        cmocka_unit_test(all_measured),
        cmocka_unit_test(every_sensor),
        cmocka_unit_test(xids),
        cmocka_unit_test(openmetrics),
        cmocka_unit_test(the_labels),
        cmocka_unit_test(failed),
    };
    return cmocka_run_group_tests_name("metrics", tests, group_setup, group_teardown);
}
