/* SPDX-License-Identifier: MIT */
/* What a GPU measures, as one JSON object: only what is known, each value with its age. */
#include "arch/clock.h"
#include "gsp/sensors.h"
#include "net/api/api_priv.h"

static void put_value(struct jw *j, const struct gsp_sensor_info *info,
                      const struct gsp_sensor_value *v, uint64_t now_us)
{
    jw_object(j, info->key);
    jw_i64(j, "value", v->value);
    jw_str(j, "unit", gsp_sensor_unit_name(info->unit));
    jw_str(j, "group", info->group);
    jw_u64(j, "age_ms", (now_us - v->at_us) / US_PER_MS);
    jw_end_object(j);
}

static void put_reasons(struct jw *j, const struct gsp_sensor_value *throttle)
{
    const char *name;

    if (!throttle->known) {
        return;
    }
    jw_array(j, "throttle_reasons");
    for (unsigned bit = 0; (name = gsp_throttle_name(bit)) != NULL; bit++) {
        if ((throttle->value & (int64_t)1 << bit) != 0) {
            jw_str(j, NULL, name);
        }
    }
    jw_end_array(j);
}

static void put_refused(struct jw *j, const struct gsp_sensors *s)
{
    jw_array(j, "refused");
    for (uint32_t i = 0; i < s->refusal_count; i++) {
        jw_object(j, NULL);
        jw_fmt(j, "cmd", "0x%08x", (unsigned)s->refusal[i].cmd);
        jw_fmt(j, "status", "0x%x", (unsigned)s->refusal[i].rm_status);
        jw_u64(j, "count", s->refusal[i].count);
        jw_end_object(j);
    }
    jw_end_array(j);
}

bool api_put_sensors_members(struct jw *j, uint32_t gpu)
{
    static struct gsp_sensors s; /* nothing yields here */
    struct gsp_gpu *g = api_context()->gpus[gpu].gpu;

    if (g == NULL) {
        return false;
    }
    gsp_get_sensors(g, &s);
    const uint64_t now_us = clock_now_us();
    jw_str(j, "source", s.source);
    jw_u64(j, "samples", s.samples);
    jw_u64(j, "period_ms", s.period_us / US_PER_MS);
    jw_object(j, "values");
    for (unsigned i = 0; i < GSP_SENSOR_COUNT; i++) {
        if (s.sensor[i].known) {
            put_value(j, gsp_sensor_info((enum gsp_sensor)i), &s.sensor[i], now_us);
        }
    }
    jw_end_object(j);
    put_reasons(j, &s.sensor[GSP_SENSOR_THROTTLE]);
    put_refused(j, &s);
    jw_object(j, "page_faults");
    jw_u64(j, "torn", s.torn);
    jw_u64(j, "stale", s.stale);
    jw_u64(j, "backwards", s.backwards);
    jw_u64(j, "out_of_range", s.out_of_range);
    jw_end_object(j);
    return s.samples > 0;
}

void api_put_sensors(struct jw *j, const char *key, uint32_t gpu)
{
    if (api_context()->gpus[gpu].gpu == NULL) { /* it could not be created */
        jw_null(j, key);
        return;
    }
    jw_object(j, key);
    (void)api_put_sensors_members(j, gpu);
    jw_end_object(j);
}
