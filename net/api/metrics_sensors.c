/* SPDX-License-Identifier: MIT */
/* What GPUs measure of themselves (gsp/sensors.h), in base units; and how that goes. */
#include "arch/clock.h"
#include "net/api/metrics.h"

enum { MICRO = 6, MILLI = 3, HUNDREDTH = 2 }; /* decimals */

/* A sample: which sensor, and its labels. */
struct row {
    enum gsp_sensor sensor;
    const char *label[3]; /* values of the family's keys */
};

static const struct {
    struct metric metric;
    const char *key[3]; /* of the labels; NULL: fewer */
    const struct row *rows;
    size_t count;
    unsigned decimals;
} families[] = {
#define FAMILY(name, type, unit, help, digits, k0, k1, k2, ...)                                    \
    {{"firstlight_gpu_" name, type, unit, help},                                                   \
     {k0, k1, k2},                                                                                 \
     (const struct row[]){__VA_ARGS__},                                                            \
     sizeof((const struct row[]){__VA_ARGS__}) / sizeof(struct row),                               \
     digits}
#define S(name) GSP_SENSOR_##name
    FAMILY("temperature_celsius", METRIC_GAUGE, "celsius", "Temperature.", MILLI, "sensor", NULL,
           NULL, {S(TEMP_GPU), {"gpu"}}, {S(TEMP_MEMORY), {"memory"}}),
    FAMILY("power_watts", METRIC_GAUGE, "watts",
           "Power: of the whole module, of the GPU, of the memory; average and now.", MILLI, "part",
           "kind", NULL, {S(POWER_GPU), {"gpu", "average"}},
           {S(POWER_MODULE), {"module", "average"}}, {S(POWER_MEMORY), {"memory", "average"}},
           {S(POWER_GPU_NOW), {"gpu", "now"}}, {S(POWER_MODULE_NOW), {"module", "now"}}),
    FAMILY("power_limit_watts", METRIC_GAUGE, "watts", "Power limit.", MILLI, "kind", NULL, NULL,
           {S(POWER_LIMIT_REQUESTED), {"requested"}}, {S(POWER_LIMIT_ENFORCED), {"enforced"}}),
    FAMILY("clock_hertz", METRIC_GAUGE, "hertz", "Clocks that the firmware aims at.", 0, "domain",
           NULL, NULL, {S(CLOCK_GRAPHICS), {"graphics"}}, {S(CLOCK_MEMORY), {"memory"}},
           {S(CLOCK_VIDEO), {"video"}}, {S(CLOCK_SM), {"sm"}}),
    FAMILY("utilization_ratio", METRIC_GAUGE, "ratio", "Share of the time that it was busy.",
           HUNDREDTH, "engine", NULL, NULL, {S(USE_GPU), {"gpu"}}, {S(USE_MEMORY), {"memory"}},
           {S(USE_ENCODER), {"encoder"}}, {S(USE_DECODER), {"decoder"}}, {S(USE_JPEG), {"jpeg"}},
           {S(USE_OFA), {"ofa"}}),
    FAMILY("pstate", METRIC_GAUGE, NULL, "Performance state, 0 is the fastest.", 0, NULL, NULL,
           NULL, {S(PSTATE), {NULL}}),
    FAMILY("ecc_errors_total", METRIC_COUNTER, NULL, "ECC errors.", 0, "memory", "kind", "since",
           {S(ECC_CORRECTED_VOLATILE), {"all", "corrected", "boot"}},
           {S(ECC_CORRECTED_AGGREGATE), {"all", "corrected", "ever"}},
           {S(ECC_UNCORRECTED_VOLATILE), {"all", "uncorrected", "boot"}},
           {S(ECC_UNCORRECTED_AGGREGATE), {"all", "uncorrected", "ever"}},
           {S(ECC_DRAM_CORRECTED_VOLATILE), {"dram", "corrected", "boot"}},
           {S(ECC_DRAM_CORRECTED_AGGREGATE), {"dram", "corrected", "ever"}},
           {S(ECC_DRAM_UNCORRECTED_VOLATILE), {"dram", "uncorrected", "boot"}},
           {S(ECC_DRAM_UNCORRECTED_AGGREGATE), {"dram", "uncorrected", "ever"}},
           {S(ECC_SRAM_CORRECTED_VOLATILE), {"sram", "corrected", "boot"}},
           {S(ECC_SRAM_CORRECTED_AGGREGATE), {"sram", "corrected", "ever"}},
           {S(ECC_SRAM_UNCORRECTED_VOLATILE), {"sram", "uncorrected", "boot"}},
           {S(ECC_SRAM_UNCORRECTED_AGGREGATE), {"sram", "uncorrected", "ever"}}),
    FAMILY("remapped_rows_total", METRIC_COUNTER, NULL, "Rows of memory that were remapped.", 0,
           "cause", NULL, NULL, {S(REMAP_CORRECTABLE), {"correctable"}},
           {S(REMAP_UNCORRECTABLE), {"uncorrectable"}}),
    FAMILY("remap_pending", METRIC_GAUGE, NULL, "1: a row waits for a reset to be remapped.", 0,
           NULL, NULL, NULL, {S(REMAP_PENDING), {NULL}}),
    FAMILY("remap_failed", METRIC_GAUGE, NULL, "1: a row could not be remapped.", 0, NULL, NULL,
           NULL, {S(REMAP_FAILED), {NULL}}),
    FAMILY("pcie_errors_total", METRIC_COUNTER, NULL,
           "Errors and repairs on the link, as the GPU counts them.", 0, "kind", NULL, NULL,
           {S(PCIE_REPLAYS), {"replay"}}, {S(PCIE_REPLAY_ROLLOVERS), {"replay_rollover"}},
           {S(PCIE_NAKS_SENT), {"nak_sent"}}, {S(PCIE_NAKS_RECEIVED), {"nak_received"}},
           {S(PCIE_BAD_TLPS), {"bad_tlp"}}, {S(PCIE_BAD_DLLPS), {"bad_dllp"}},
           {S(PCIE_LCRC_ERRORS), {"lcrc"}}, {S(PCIE_RECOVERIES), {"recovery"}},
           {S(PCIE_CORRECTABLE), {"correctable"}}, {S(PCIE_NON_FATAL), {"non_fatal"}},
           {S(PCIE_FATAL), {"fatal"}}, {S(PCIE_UNSUPPORTED), {"unsupported_request"}}),
    FAMILY("pcie_throughput_bytes_per_second", METRIC_GAUGE, NULL, "What goes over the link.", 0,
           "direction", NULL, NULL, {S(PCIE_SENT), {"sent"}}, {S(PCIE_RECEIVED), {"received"}}),
#undef S
#undef FAMILY
};

static void put_row(struct metrics *m, const struct metrics_gpu *g, size_t f, const struct row *r)
{
    const struct gsp_sensor_value *v = &g->sensors.sensor[r->sensor];
    if (!v->known || (families[f].metric.type == METRIC_COUNTER && v->value < 0)) {
        return;
    }
    metrics_sample(m, g->own, g->own_len);
    for (size_t k = 0; k < ARRAY_SIZE(r->label) && r->label[k] != NULL; k++) {
        metrics_label(m, families[f].key[k], r->label[k]);
    }
    metrics_value(m, v->value, families[f].decimals);
}

static void put_throttle(struct metrics *m, const struct metrics_gpu *g)
{
    const struct gsp_sensor_value *v = &g->sensors.sensor[GSP_SENSOR_THROTTLE];
    const char *name;
    for (unsigned bit = 0; v->known && (name = gsp_throttle_name(bit)) != NULL; bit++) {
        metrics_sample(m, g->own, g->own_len);
        metrics_label(m, "reason", name);
        metrics_value(m, v->value >> bit & 1, 0);
    }
}

static void put_rounds(struct metrics *m, const struct metrics_gpu *g)
{
    metrics_sample(m, g->own, g->own_len);
    metrics_value(m, (int64_t)g->sensors.samples, 0);
}

static void put_age(struct metrics *m, const struct metrics_gpu *g)
{
    uint64_t newest_us = 0;
    bool known = false;
    for (size_t i = 0; i < GSP_SENSOR_COUNT; i++) {
        known = known || g->sensors.sensor[i].known;
        if (g->sensors.sensor[i].known) {
            newest_us = max_u64(newest_us, g->sensors.sensor[i].at_us);
        }
    }
    if (known) {
        metrics_sample(m, g->own, g->own_len);
        metrics_value(m, (int64_t)(clock_now_us() - newest_us), MICRO);
    }
}

static void put_discards(struct metrics *m, const struct metrics_gpu *g)
{
    const struct {
        const char *why;
        uint64_t count;
    } rows[] = {{"torn", g->sensors.torn},
                {"stale", g->sensors.stale},
                {"backwards", g->sensors.backwards},
                {"out_of_range", g->sensors.out_of_range}};
    for (size_t i = 0; g->sensors.samples > 0 && i < ARRAY_SIZE(rows); i++) {
        metrics_sample(m, g->own, g->own_len);
        metrics_label(m, "reason", rows[i].why);
        metrics_value(m, (int64_t)rows[i].count, 0);
    }
}

static void put_refusals(struct metrics *m, const struct metrics_gpu *g)
{
    static const char digits[] = "0123456789abcdef";
    for (uint32_t i = 0; i < g->sensors.refusal_count && i < GSP_MAX_REFUSALS; i++) {
        const struct gsp_refusal *r = &g->sensors.refusal[i];
        char cmd[11] = "0x";
        for (unsigned k = 0; k < 8; k++) {
            cmd[2 + k] = digits[r->cmd >> (28 - 4 * k) & 0xf];
        }
        metrics_sample(m, g->own, g->own_len);
        metrics_label(m, "cmd", cmd);
        metrics_value(m, (int64_t)r->count, 0);
    }
}

static const struct {
    struct metric metric;
    void (*put)(struct metrics *m, const struct metrics_gpu *g);
} others[] = {
    {{"firstlight_gpu_throttled", METRIC_GAUGE, NULL, "1 for what holds the clocks down now."},
     put_throttle},
    {{"firstlight_gpu_sensor_rounds_total", METRIC_COUNTER, NULL, "Times the sensors were read."},
     put_rounds},
    {{"firstlight_gpu_sensor_age_seconds", METRIC_GAUGE, "seconds", "Age of the newest reading."},
     put_age},
    {{"firstlight_gpu_sensor_discards_total", METRIC_COUNTER, NULL,
      "Readings that were not taken, by what was wrong with them."},
     put_discards},
    {{"firstlight_rm_refused_total", METRIC_COUNTER, NULL,
      "Controls for the sensors that the resource manager refused, by number."},
     put_refusals},
};

void metrics_put_sensors(struct metrics *m, const struct metrics_gpu *g, uint32_t count)
{
    for (size_t f = 0; f < ARRAY_SIZE(families); f++) {
        metrics_family(m, &families[f].metric);
        for (uint32_t i = 0; i < count; i++) {
            for (size_t r = 0; r < families[f].count; r++) {
                put_row(m, &g[i], f, &families[f].rows[r]);
            }
        }
    }
    for (size_t f = 0; f < ARRAY_SIZE(others); f++) {
        metrics_family(m, &others[f].metric);
        for (uint32_t i = 0; i < count; i++) {
            others[f].put(m, &g[i]);
        }
    }
}
