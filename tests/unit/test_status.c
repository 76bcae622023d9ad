/* SPDX-License-Identifier: MIT */
/* The status in nvidia-smi's words, as JSON and as text: what is known, with its unit, and what is
 * not: absent in the one, N/A in the other. BARs, AER, health. */
#include "gsp/gpu.h"
#include "net/api/cache.h"
#include "net/api/pci_watch.h"
#include "tests/unit/metrics_lab.h"

static const char *get(const char *path)
{
    struct http_conn *c = http_conn_new();
    char request[200];
    size_t n;
    const void *p;

    host_clock_advance(API_KEEP_US * NS_PER_US);
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

static void tells(const char *text)
{
    if (strstr(answer.data, text) == NULL) {
        fail_msg("no %s in\n%s", text, answer.data);
    }
}

static const char *const sections[] = {
    "utilization",        "ecc_errors",           "remapped_rows",     "temperature",
    "gpu_power_readings", "clocks_event_reasons", "performance_state", "replay_counter"};

static void unknown(void **state)
{
    (void)state;
    memset(&measures, 0, sizeof(measures));
    get("/api/v1/status");
    tells("\"nvidia_smi\":{\"product_name\":\"NVIDIA GeForce RTX 3090\",\"product_architecture\":"
          "\"Ampere\",\"vbios_version\":\"94.02.4b.00.0b\",\"gsp_firmware_version\":\"570.144\"");
    tells("\"pci_device_id\":\"220410DE\",\"pci_bus_id\":\"00000000:00:01.0\"");
    tells("\"pci_gpu_link_info\":{\"pcie_gen\":{\"max_link_gen\":4,\"current_link_gen\":4,"
          "\"max_device_link_gen\":4},\"link_widths\":{\"max_link_width\":16,"
          "\"current_link_width\":16}}");
    tells("\"fb_memory_usage\":{\"total_mib\":24568,");
    tells("\"bar1_memory_usage\":{\"total_mib\":256}");
    tells("{\"bar\":1,\"kind\":\"mem64\",\"prefetchable\":true,\"address\":\"0x6000000000\","
          "\"size\":268435456,\"min_size\":67108864,\"max_size\":34359738368}");
    tells("\"aer\":{\"correctable\":[],\"uncorrectable\":[]}");
    tells("\"health\":{\"state\":\"ok\",\"reasons\":[]}");
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
        has_not(sections[i]);
    }
    has_not("N/A");
    /* One that could not be created. */
    tells("\"health\":{\"state\":\"failed\",\"reasons\":[\"failed: : reads as all ones\"]}");
    tells("\"nvidia_smi\":{\"product_name\":\"NVIDIA Device 2204\",\"pci\":{");
}

static void all_known(void **state)
{
    (void)state;
    measure_all();
    measured(GSP_SENSOR_TEMP_MEMORY, 71900);
    measured(GSP_SENSOR_PSTATE, 8);
    measured(GSP_SENSOR_PCIE_SENT, 1999000);
    get("/api/v1/status");
    for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
        tells(sections[i]);
    }
    tells("\"performance_state\":\"P8\"");
    tells("\"clocks_event_reason_gpu_idle\":true,\"clocks_event_reason_applications_clocks_setting"
          "\":false,\"clocks_event_reason_sw_power_cap\":true");
    tells("\"utilization\":{\"gpu_util_percent\":7,\"memory_util_percent\":100");
    tells("\"temperature\":{\"gpu_temp_c\":41,\"memory_temp_c\":71}");
    tells("\"gpu_power_readings\":{\"average_power_draw_w\":100.25,");
    tells("\"module_power_readings\":{\"average_power_draw_w\":170.00,");
    tells("\"mem_clock_mhz\":9501");
    tells("\"remapped_row_pending\":true,\"remapped_row_failure\":false");
    tells("\"dram_uncorrectable\":37");
    tells("\"tx_util_kb_per_s\":1999");
    tells("\"replay_counter\":47");
    tells("\"health\":{\"state\":\"degraded\",\"reasons\":[\"a memory row waits for a reset to be "
          "remapped\",\"33 uncorrected ECC errors since the boot\"");
}

static void text(void **state)
{
    (void)state;
    memset(&measures, 0, sizeof(measures));
    get("/api/v1/status?format=nvidia-smi");
    assert_non_null(strstr(answer.data, "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
    has("Attached GPUs                                     : 2");
    has("Driver Version                                    : N/A");
    has("GPU 00000000:00:01.0");
    has("    Product Name                                  : NVIDIA GeForce RTX 3090");
    has("        GPU Current Temp                          : N/A");
    has("        Average Power Draw                        : N/A");
    has("        HW Slowdown                               : N/A");
    has("        Total                                     : 24568 MiB");
    has("                Max                               : 16x");
    measure_all();
    get("/api/v1/status?format=nvidia-smi");
    has("        GPU Current Temp                          : 41 C");
    has("        Average Power Draw                        : 100.25 W");
    has("        HW Slowdown                               : Not Active");
    has("        SW Power Cap                              : Active");
    has("        GPU                                       : 7 %");
    has("        SM                                        : 1410 MHz");
    has("        Pending                                   : Yes");
    has("        Remapping Failure Occurred                : No");
    /* Another format is none: JSON, as without. */
    get("/api/v1/status?format=xml");
    tells("Content-Type: application/json");
}

/* A mode that is not known is null, whatever else was read. */
static void confidential_computing(void **state)
{
    (void)state;
    get("/api/v1/status");
    tells("\"confidential_computing\":null,\"stages\"");
    rig.gpu->cc = (struct gsp_cc){.mode = GSP_CC_OFF, .bar0_firewall = true};
    get("/api/v1/status");
    tells("\"confidential_computing\":{\"mode\":\"off\",\"protected_pcie\":false,"
          "\"bar0_firewall\":true}");
    rig.gpu->cc = (struct gsp_cc){.mode = GSP_CC_DEVTOOLS, .protected_pcie = true};
    get("/api/v1/status");
    tells("{\"mode\":\"devtools\",\"protected_pcie\":true,\"bar0_firewall\":false}");
    rig.gpu->cc = (struct gsp_cc){0};
}

/* Only a board that has MIG shows a mode of it. */
static void mig(void **state)
{
    static const struct {
        enum gsp_mig_mode mode;
        const char *json, *text; /* NULL: not known */
    } cases[] = {
        {GSP_MIG_UNKNOWN, NULL, NULL},
        {GSP_MIG_UNSUPPORTED, NULL, NULL},
        {GSP_MIG_ENABLED, "{\"current_mig\":\"Enabled\",\"pending_mig\":\"Enabled\"}", "Enabled"},
        {GSP_MIG_DISABLED, "{\"current_mig\":\"Disabled\",\"pending_mig\":\"Disabled\"}",
         "Disabled"},
        {GSP_MIG_ENABLE_PENDING, "{\"current_mig\":\"Disabled\",\"pending_mig\":\"Enabled\"}",
         "Disabled"},
        {GSP_MIG_DISABLE_PENDING, "{\"current_mig\":\"Enabled\",\"pending_mig\":\"Disabled\"}",
         "Enabled"},
    };
    char line[120];
    (void)state;
    memset(&measures, 0, sizeof(measures));
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        measures.mig = cases[i].mode;
        get("/api/v1/status");
        if (cases[i].json == NULL) {
            has_not("mig_mode");
        } else {
            tells(cases[i].json);
        }
        get("/api/v1/status?format=nvidia-smi");
        snprintf(line, sizeof(line),
                 "    MIG Mode\n        Current                                   : %s\n",
                 cases[i].text != NULL ? cases[i].text : "N/A");
        tells(line);
    }
    measures.mig = GSP_MIG_UNKNOWN;
}

/* What the watch has read last is what is told, here and in the metrics; and it reads again. */
static void watched(void **state)
{
    (void)state;
    memset(&measures, 0, sizeof(measures));
    struct pci_state *p = (struct pci_state *)(uintptr_t)pci_watch_get(rig.dev);
    p->aer = (struct pci_aer){true, 1u << 14 | 1u << 1 | 1u << 20, 1u << 6 | 1u << 31};
    p->link.width = 4;
    p->link.speed = 1;
    get("/api/v1/status");
    tells("\"aer\":{\"correctable\":[\"bad_tlp\"],\"uncorrectable\":[\"completion_timeout\","
          "\"unsupported_request\"]}");
    tells("\"health\":{\"state\":\"degraded\",\"reasons\":[\"its link has 4 lanes of 16\"]}");
    tells("\"current_link_width\":4");
    tells("\"link\":{\"speed\":\"2.5 GT/s\",\"width\":4,\"max_speed\":\"16.0 GT/s\"");
    scrape("");
    gpu_has("firstlight_gpu_aer", ",severity=\"correctable\",error=\"bad_tlp\"", "1");
    gpu_has("firstlight_gpu_aer", ",severity=\"uncorrectable\",error=\"completion_timeout\"", "1");
    gpu_has("firstlight_gpu_pcie_lanes", ",which=\"now\"", "4");
    gpu_has("firstlight_gpu_pcie_lanes", ",which=\"possible\"", "16");
    dcgm_has("PCIE_LINK_WIDTH", "4");
    p->aer.valid = false;
    p->link.valid = false;
    get("/api/v1/status");
    tells("\"aer\":null");
    tells("\"link\":null");
    scrape("");
    has_not("firstlight_gpu_aer");
    has_not("firstlight_gpu_pcie_lanes");
    has_not("DCGM_FI_DEV_PCIE_LINK");
    pci_watch_round(&rig.pci);
    assert_true(p->link.valid && p->link.width == 16 && p->aer.valid);
    assert_true(clock_now_us() - p->at_us < US_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown), cmocka_unit_test(all_known),
        cmocka_unit_test(text),    cmocka_unit_test(confidential_computing),
        cmocka_unit_test(mig),     cmocka_unit_test(watched),
    };
    return cmocka_run_group_tests_name("status", tests, group_setup, group_teardown);
}
