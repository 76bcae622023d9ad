/* SPDX-License-Identifier: MIT */
/* /metrics of a bench with two GPUs, of which one is up and measured as a test says. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "arch/clock.h"
#include "arch/host/host.h"
#include "gsp/gpu.h"
#include "gsp/sensors.h"
#include "net/api/api.h"
#include "net/http/http.h"
#include "tests/unit/rig_assert.h"

#define OPENMETRICS "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n"

static struct api_context ctx;
static struct text_buf answer;
static struct gsp_sensors measures; /* of GPU 0 */

/* In the place of the sampler's (rules.mk). */
void __wrap_gsp_get_sensors(struct gsp_gpu *g, struct gsp_sensors *out);
void __wrap_gsp_get_sensors(struct gsp_gpu *g, struct gsp_sensors *out)
{
    (void)g;
    *out = measures;
}
static char labels[200]; /* of GPU 0, firstlight's */

static inline const char *scrape(const char *accept)
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

static inline void has(const char *line)
{
    char want[700];
    snprintf(want, sizeof(want), "\n%s\n", line);
    if (strstr(answer.data, want) == NULL) {
        fail_msg("no line '%s' in\n%s", line, answer.data);
    }
}

static inline void has_not(const char *text)
{
    const char *at = strstr(answer.data, text);
    if (at != NULL) {
        fail_msg("'%s' is there: %.200s", text, at);
    }
}

/* A sample of GPU 0: name, further labels, value. */
static inline void gpu_has(const char *name, const char *more, const char *value)
{
    char line[600];
    snprintf(line, sizeof(line), "%s{%s%s} %s", name, labels, more, value);
    has(line);
}

static inline void dcgm_has(const char *name, const char *value)
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

static inline void measured(enum gsp_sensor s, int64_t value)
{
    measures.sensor[s] =
        (struct gsp_sensor_value){.known = true, .value = value, .at_us = clock_now_us()};
}

/* Every sensor gets a value of its own. */
static inline void measure_all(void)
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
    measures.samples = 3;
    measures.period_us = US_PER_S;
    measures.torn = 2;
    measures.refusal_count = 1;
    measures.refusal[0] = (struct gsp_refusal){0x2080012f, 0x56, 4};
}

static inline int group_setup(void **state)
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

static inline int group_teardown(void **state)
{
    (void)state;
    text_free(&answer);
    return rig_close(&rig) ? 0 : -1;
}
