/* SPDX-License-Identifier: MIT */
/*
 * The metrics of NVIDIA's dcgm-exporter that mean the same here, under both families of names: the
 * classic ones and those of 4.9, which are in base units. What a GPU does not tell is left out.
 *
 * Sources: NVIDIA/dcgm-exporter etc/default-counters.csv and internal/pkg/rendermetrics (4.8),
 * NVIDIA/DCGM dcgmlib/dcgm_fields.h, NVIDIA/go-dcgm (names of 4.9).
 */
#include "net/api/metrics.h"

enum { MILLI = 3, HUNDREDTH = 2 }; /* decimals */
enum { HZ_PER_MHZ = 1000000, MILLIDEGREES = 1000 };

/* The number behind a row, and how many decimals it has; false: not known. */
struct number {
    int64_t value;
    unsigned decimals;
};
typedef bool dcgm_fn(const struct metrics_gpu *g, struct number *out);

static bool sensor(const struct metrics_gpu *g, enum gsp_sensor s, int64_t *out)
{
    *out = g->sensors.sensor[s].value;
    return g->sensors.sensor[s].known;
}

static int64_t rounded(int64_t v, int64_t by) { return (v + (v < 0 ? -by / 2 : by / 2)) / by; }

#define SENSOR(name, s, expression, digits)                                                        \
    static bool name(const struct metrics_gpu *g, struct number *out)                              \
    {                                                                                              \
        int64_t v;                                                                                 \
        const bool known = sensor(g, s, &v);                                                       \
        *out = (struct number){expression, digits};                                                \
        return known;                                                                              \
    }
SENSOR(sm_mhz, GSP_SENSOR_CLOCK_SM, rounded(v, HZ_PER_MHZ), 0)
SENSOR(sm_hz, GSP_SENSOR_CLOCK_SM, v, 0)
SENSOR(memory_mhz, GSP_SENSOR_CLOCK_MEMORY, rounded(v, HZ_PER_MHZ), 0)
SENSOR(memory_hz, GSP_SENSOR_CLOCK_MEMORY, v, 0)
SENSOR(memory_temp, GSP_SENSOR_TEMP_MEMORY, rounded(v, MILLIDEGREES), 0)
SENSOR(gpu_temp, GSP_SENSOR_TEMP_GPU, rounded(v, MILLIDEGREES), 0)
SENSOR(limit_watts, GSP_SENSOR_POWER_LIMIT_REQUESTED, v, MILLI)
SENSOR(enforced_watts, GSP_SENSOR_POWER_LIMIT_ENFORCED, v, MILLI)
SENSOR(replays, GSP_SENSOR_PCIE_REPLAYS, v, 0)
SENSOR(gpu_percent, GSP_SENSOR_USE_GPU, v, 0)
SENSOR(gpu_ratio, GSP_SENSOR_USE_GPU, v, HUNDREDTH)
SENSOR(memory_percent, GSP_SENSOR_USE_MEMORY, v, 0)
SENSOR(memory_ratio, GSP_SENSOR_USE_MEMORY, v, HUNDREDTH)
SENSOR(encoder_percent, GSP_SENSOR_USE_ENCODER, v, 0)
SENSOR(encoder_ratio, GSP_SENSOR_USE_ENCODER, v, HUNDREDTH)
SENSOR(decoder_percent, GSP_SENSOR_USE_DECODER, v, 0)
SENSOR(decoder_ratio, GSP_SENSOR_USE_DECODER, v, HUNDREDTH)
SENSOR(pstate, GSP_SENSOR_PSTATE, v, 0)
SENSOR(uncorrectable_rows, GSP_SENSOR_REMAP_UNCORRECTABLE, v, 0)
SENSOR(correctable_rows, GSP_SENSOR_REMAP_CORRECTABLE, v, 0)
SENSOR(remap_failed, GSP_SENSOR_REMAP_FAILED, v, 0)
SENSOR(remap_pending, GSP_SENSOR_REMAP_PENDING, v, 0)
SENSOR(sbe_volatile, GSP_SENSOR_ECC_CORRECTED_VOLATILE, v, 0)
SENSOR(dbe_volatile, GSP_SENSOR_ECC_UNCORRECTED_VOLATILE, v, 0)
SENSOR(sbe_aggregate, GSP_SENSOR_ECC_CORRECTED_AGGREGATE, v, 0)
SENSOR(dbe_aggregate, GSP_SENSOR_ECC_UNCORRECTED_AGGREGATE, v, 0)

static bool power_watts(const struct metrics_gpu *g, struct number *out)
{
    out->decimals = MILLI;
    return gpu_power_milliwatts(&g->sensors, &out->value);
}

#define MEMORY(name, member)                                                                       \
    static bool name##_bytes(const struct metrics_gpu *g, struct number *out)                      \
    {                                                                                              \
        *out = (struct number){(int64_t)g->memory.member, 0};                                      \
        return g->memory.known;                                                                    \
    }                                                                                              \
    static bool name##_mib(const struct metrics_gpu *g, struct number *out)                        \
    {                                                                                              \
        *out = (struct number){(int64_t)(g->memory.member >> 20), 0};                              \
        return g->memory.known;                                                                    \
    }
MEMORY(fb_free, free)
MEMORY(fb_used, used)
MEMORY(fb_reserved, reserved)
MEMORY(fb_total, total)

/* Until the first one there is none: dcgm-exporter's 0 made people look for an Xid 0. */
static bool last_xid(const struct metrics_gpu *g, struct number *out)
{
    *out = (struct number){g->s.last_xid, 0};
    return g->s.xid_count > 0;
}
static bool link_generation(const struct metrics_gpu *g, struct number *out)
{
    *out = (struct number){g->pci->link.speed, 0};
    return g->pci->link.valid;
}
static bool link_width(const struct metrics_gpu *g, struct number *out)
{
    *out = (struct number){g->pci->link.width, 0};
    return g->pci->link.valid;
}

static const struct {
    struct metric metric;
    dcgm_fn *number;
    bool v49; /* of 4.9: the label of the version is called otherwise */
} rows[] = {
#define G(name, unit, help, fn, v49) {{"DCGM_FI_DEV_" name, METRIC_GAUGE, unit, help}, fn, v49}
#define C(name, help, fn, v49)       {{"DCGM_FI_DEV_" name, METRIC_COUNTER, NULL, help}, fn, v49}
    G("SM_CLOCK", NULL, "SM clock frequency (in MHz).", sm_mhz, false),
    G("SM_CLOCK_HERTZ", NULL, "SM clock frequency.", sm_hz, true),
    G("MEM_CLOCK", NULL, "Memory clock frequency (in MHz).", memory_mhz, false),
    G("MEMORY_CLOCK_HERTZ", NULL, "Memory clock frequency.", memory_hz, true),
    G("MEMORY_TEMP", NULL, "Memory temperature (in C).", memory_temp, false),
    G("MEMORY_TEMP_CELSIUS", NULL, "Memory temperature.", memory_temp, true),
    G("GPU_TEMP", NULL, "GPU temperature (in C).", gpu_temp, false),
    G("GPU_TEMP_CELSIUS", NULL, "GPU temperature.", gpu_temp, true),
    G("POWER_USAGE", NULL, "Power draw (in W).", power_watts, false),
    G("BOARD_POWER_WATTS", NULL, "Power draw.", power_watts, true),
    G("POWER_MGMT_LIMIT", NULL, "Power limit that was asked for (in W).", limit_watts, false),
    G("ENFORCED_POWER_LIMIT", NULL, "Power limit in force (in W).", enforced_watts, false),
    C("PCIE_REPLAY_COUNTER", "Total number of PCIe retries.", replays, false),
    C("PCIE_REPLAY_TOTAL", "Total number of PCIe retries.", replays, true),
    G("GPU_UTIL", NULL, "GPU utilization (in %).", gpu_percent, false),
    G("GPU_UTIL_RATIO", NULL, "GPU utilization.", gpu_ratio, true),
    G("MEM_COPY_UTIL", NULL, "Memory utilization (in %).", memory_percent, false),
    G("MEMORY_UTIL_RATIO", NULL, "Memory utilization.", memory_ratio, true),
    G("ENC_UTIL", NULL, "Encoder utilization (in %).", encoder_percent, false),
    G("ENC_UTIL_RATIO", NULL, "Encoder utilization.", encoder_ratio, true),
    G("DEC_UTIL", NULL, "Decoder utilization (in %).", decoder_percent, false),
    G("DEC_UTIL_RATIO", NULL, "Decoder utilization.", decoder_ratio, true),
    G("PSTATE", NULL, "Performance state: 0 is the fastest.", pstate, false),
    G("GPU_PSTATE", NULL, "Performance state: 0 is the fastest.", pstate, true),
    G("XID_ERRORS", NULL, "Value of the last XID error encountered.", last_xid, false),
    G("XID_ERROR", NULL, "Value of the last XID error encountered.", last_xid, true),
    G("FB_TOTAL", NULL, "Framebuffer memory (in MiB).", fb_total_mib, false),
    G("FB_CAPACITY_BYTES", NULL, "Framebuffer memory.", fb_total_bytes, true),
    G("FB_FREE", NULL, "Framebuffer memory free (in MiB).", fb_free_mib, false),
    G("FB_FREE_BYTES", NULL, "Framebuffer memory free.", fb_free_bytes, true),
    G("FB_USED", NULL, "Framebuffer memory used (in MiB).", fb_used_mib, false),
    G("FB_USED_BYTES", NULL, "Framebuffer memory used.", fb_used_bytes, true),
    G("FB_RESERVED", NULL, "Framebuffer memory reserved (in MiB).", fb_reserved_mib, false),
    G("FB_RESERVED_BYTES", NULL, "Framebuffer memory reserved.", fb_reserved_bytes, true),
    C("UNCORRECTABLE_REMAPPED_ROWS", "Number of remapped rows for uncorrectable errors",
      uncorrectable_rows, false),
    C("ROW_REMAP_UNCORRECTABLE_TOTAL", "Number of remapped rows for uncorrectable errors",
      uncorrectable_rows, true),
    C("CORRECTABLE_REMAPPED_ROWS", "Number of remapped rows for correctable errors",
      correctable_rows, false),
    C("ROW_REMAP_CORRECTABLE_TOTAL", "Number of remapped rows for correctable errors",
      correctable_rows, true),
    G("ROW_REMAP_FAILURE", NULL, "Whether remapping of rows has failed", remap_failed, false),
    G("ROW_REMAP_FAILED", NULL, "Whether remapping of rows has failed", remap_failed, true),
    G("ROW_REMAP_PENDING", NULL, "Whether a row waits for a reset to be remapped", remap_pending,
      false),
    C("ECC_SBE_VOL_TOTAL", "Corrected ECC errors since the boot.", sbe_volatile, false),
    C("ECC_DBE_VOL_TOTAL", "Uncorrected ECC errors since the boot.", dbe_volatile, false),
    C("ECC_SBE_AGG_TOTAL", "Corrected ECC errors, ever.", sbe_aggregate, false),
    C("ECC_DBE_AGG_TOTAL", "Uncorrected ECC errors, ever.", dbe_aggregate, false),
    G("PCIE_LINK_GEN", NULL, "PCI Express generation now.", link_generation, false),
    G("PCIE_LINK_WIDTH", NULL, "PCI Express lanes now.", link_width, false),
#undef G
#undef C
};

void metrics_put_dcgm(struct metrics *m, const struct metrics_gpu *g, uint32_t count)
{
    for (size_t r = 0; r < ARRAY_SIZE(rows); r++) {
        metrics_family(m, &rows[r].metric);
        for (uint32_t i = 0; i < count; i++) {
            struct number n;
            if (!rows[r].number(&g[i], &n)) {
                continue;
            }
            metrics_sample(m, g[i].dcgm, g[i].dcgm_len);
            if (g[i].s.firmware_version[0] != '\0') {
                metrics_label(
                    m, rows[r].v49 ? "DCGM_FI_SYSTEM_DRIVER_VERSION" : "DCGM_FI_DRIVER_VERSION",
                    g[i].s.firmware_version);
            }
            metrics_value(m, n.value, n.decimals);
        }
    }
}
