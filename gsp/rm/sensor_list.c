/* SPDX-License-Identifier: MIT */
/* The list of sensors (sensors.h). */
#include "gsp/sensors.h"

#define TEMP(n)  [GSP_SENSOR_TEMP_##n]
#define POWER(n) [GSP_SENSOR_POWER_##n]
#define CLOCK(n) [GSP_SENSOR_CLOCK_##n]
#define USE(n)   [GSP_SENSOR_USE_##n]
#define ECC(n)   [GSP_SENSOR_ECC_##n]
#define REMAP(n) [GSP_SENSOR_REMAP_##n]
#define PCIE(n)  [GSP_SENSOR_PCIE_##n]

static const struct gsp_sensor_info infos[GSP_SENSOR_COUNT] = {
    TEMP(GPU) = {"temperature_gpu", "temperature", "of the GPU", GSP_UNIT_MILLICELSIUS},
    TEMP(MEMORY) = {"temperature_memory", "temperature", "of the memory", GSP_UNIT_MILLICELSIUS},
    POWER(GPU) = {"power_gpu", "power", "of the GPU, average", GSP_UNIT_MILLIWATTS},
    POWER(MODULE) = {"power_module", "power", "of the whole board, average", GSP_UNIT_MILLIWATTS},
    POWER(MEMORY) = {"power_memory", "power", "of the memory, average", GSP_UNIT_MILLIWATTS},
    POWER(GPU_NOW) = {"power_gpu_now", "power", "of the GPU, now", GSP_UNIT_MILLIWATTS},
    POWER(MODULE_NOW) = {"power_module_now", "power", "of the whole board, now",
                         GSP_UNIT_MILLIWATTS},
    POWER(LIMIT_REQUESTED) = {"power_limit_requested", "power", "limit asked for",
                              GSP_UNIT_MILLIWATTS},
    POWER(LIMIT_ENFORCED) = {"power_limit_enforced", "power", "limit in force",
                             GSP_UNIT_MILLIWATTS},
    CLOCK(GRAPHICS) = {"clock_graphics", "clocks", "graphics, target", GSP_UNIT_HERTZ},
    CLOCK(MEMORY) = {"clock_memory", "clocks", "memory, target", GSP_UNIT_HERTZ},
    CLOCK(VIDEO) = {"clock_video", "clocks", "video, target", GSP_UNIT_HERTZ},
    CLOCK(SM) = {"clock_sm", "clocks", "SM, target", GSP_UNIT_HERTZ},
    USE(GPU) = {"utilization_gpu", "utilization", "of the GPU", GSP_UNIT_PERCENT},
    USE(MEMORY) = {"utilization_memory", "utilization", "of the memory", GSP_UNIT_PERCENT},
    USE(ENCODER) = {"utilization_encoder", "utilization", "of the encoders", GSP_UNIT_PERCENT},
    USE(DECODER) = {"utilization_decoder", "utilization", "of the decoders", GSP_UNIT_PERCENT},
    USE(JPEG) = {"utilization_jpeg", "utilization", "of the JPEG engines", GSP_UNIT_PERCENT},
    USE(OFA) = {"utilization_ofa", "utilization", "of the optical flow engine", GSP_UNIT_PERCENT},
    [GSP_SENSOR_PSTATE] = {"pstate", "pstate", "performance state, 0 is the fastest",
                           GSP_UNIT_NUMBER},
    [GSP_SENSOR_THROTTLE] = {"throttle", "throttle", "what holds the clocks down", GSP_UNIT_MASK},
    ECC(CORRECTED_VOLATILE) = {"ecc_corrected_volatile", "ecc", "corrected, since the boot",
                               GSP_UNIT_COUNT},
    ECC(CORRECTED_AGGREGATE) = {"ecc_corrected_aggregate", "ecc", "corrected, ever",
                                GSP_UNIT_COUNT},
    ECC(UNCORRECTED_VOLATILE) = {"ecc_uncorrected_volatile", "ecc", "uncorrected, since the boot",
                                 GSP_UNIT_COUNT},
    ECC(UNCORRECTED_AGGREGATE) = {"ecc_uncorrected_aggregate", "ecc", "uncorrected, ever",
                                  GSP_UNIT_COUNT},
    ECC(DRAM_CORRECTED_VOLATILE) = {"ecc_dram_corrected_volatile", "ecc",
                                    "in DRAM, corrected, since the boot", GSP_UNIT_COUNT},
    ECC(DRAM_CORRECTED_AGGREGATE) = {"ecc_dram_corrected_aggregate", "ecc",
                                     "in DRAM, corrected, ever", GSP_UNIT_COUNT},
    ECC(DRAM_UNCORRECTED_VOLATILE) = {"ecc_dram_uncorrected_volatile", "ecc",
                                      "in DRAM, uncorrected, since the boot", GSP_UNIT_COUNT},
    ECC(DRAM_UNCORRECTED_AGGREGATE) = {"ecc_dram_uncorrected_aggregate", "ecc",
                                       "in DRAM, uncorrected, ever", GSP_UNIT_COUNT},
    ECC(SRAM_CORRECTED_VOLATILE) = {"ecc_sram_corrected_volatile", "ecc",
                                    "in SRAM, corrected, since the boot", GSP_UNIT_COUNT},
    ECC(SRAM_CORRECTED_AGGREGATE) = {"ecc_sram_corrected_aggregate", "ecc",
                                     "in SRAM, corrected, ever", GSP_UNIT_COUNT},
    ECC(SRAM_UNCORRECTED_VOLATILE) = {"ecc_sram_uncorrected_volatile", "ecc",
                                      "in SRAM, uncorrected, since the boot", GSP_UNIT_COUNT},
    ECC(SRAM_UNCORRECTED_AGGREGATE) = {"ecc_sram_uncorrected_aggregate", "ecc",
                                       "in SRAM, uncorrected, ever", GSP_UNIT_COUNT},
    REMAP(CORRECTABLE) = {"remap_correctable", "remap", "rows remapped after correctable errors",
                          GSP_UNIT_COUNT},
    REMAP(UNCORRECTABLE) = {"remap_uncorrectable", "remap",
                            "rows remapped after uncorrectable errors", GSP_UNIT_COUNT},
    REMAP(PENDING) = {"remap_pending", "remap", "a row waits for the next reset", GSP_UNIT_FLAG},
    REMAP(FAILED) = {"remap_failed", "remap", "a row could not be remapped", GSP_UNIT_FLAG},
    PCIE(REPLAYS) = {"pcie_replays", "pcie", "replays", GSP_UNIT_COUNT},
    PCIE(REPLAY_ROLLOVERS) = {"pcie_replay_rollovers", "pcie", "replay number rollovers",
                              GSP_UNIT_COUNT},
    PCIE(NAKS_SENT) = {"pcie_naks_sent", "pcie", "NAKs sent", GSP_UNIT_COUNT},
    PCIE(NAKS_RECEIVED) = {"pcie_naks_received", "pcie", "NAKs received", GSP_UNIT_COUNT},
    PCIE(BAD_TLPS) = {"pcie_bad_tlps", "pcie", "bad TLPs", GSP_UNIT_COUNT},
    PCIE(BAD_DLLPS) = {"pcie_bad_dllps", "pcie", "bad DLLPs", GSP_UNIT_COUNT},
    PCIE(LCRC_ERRORS) = {"pcie_lcrc_errors", "pcie", "LCRC errors", GSP_UNIT_COUNT},
    PCIE(RECOVERIES) = {"pcie_recoveries", "pcie", "link recoveries", GSP_UNIT_COUNT},
    PCIE(CORRECTABLE) = {"pcie_correctable", "pcie", "correctable errors", GSP_UNIT_COUNT},
    PCIE(NON_FATAL) = {"pcie_non_fatal", "pcie", "non-fatal errors", GSP_UNIT_COUNT},
    PCIE(FATAL) = {"pcie_fatal", "pcie", "fatal errors", GSP_UNIT_COUNT},
    PCIE(UNSUPPORTED) = {"pcie_unsupported", "pcie", "unsupported requests", GSP_UNIT_COUNT},
    PCIE(SENT) = {"pcie_sent", "pcie", "sent", GSP_UNIT_BYTES_PER_SECOND},
    PCIE(RECEIVED) = {"pcie_received", "pcie", "received", GSP_UNIT_BYTES_PER_SECOND},
};

const struct gsp_sensor_info *gsp_sensor_info(enum gsp_sensor s)
{
    return (unsigned)s < GSP_SENSOR_COUNT ? &infos[s] : NULL;
}

const char *gsp_sensor_unit_name(enum gsp_sensor_unit u)
{
    static const char *const names[] = {
        [GSP_UNIT_MILLICELSIUS] = "millicelsius",
        [GSP_UNIT_MILLIWATTS] = "milliwatts",
        [GSP_UNIT_HERTZ] = "hertz",
        [GSP_UNIT_PERCENT] = "percent",
        [GSP_UNIT_COUNT] = "count",
        [GSP_UNIT_BYTES_PER_SECOND] = "bytes_per_second",
        [GSP_UNIT_NUMBER] = "number",
        [GSP_UNIT_FLAG] = "flag",
        [GSP_UNIT_MASK] = "mask",
    };
    return (unsigned)u < ARRAY_SIZE(names) ? names[u] : "?";
}

const char *gsp_throttle_name(unsigned bit)
{
    static const char *const names[] = {
        "gpu_idle",
        "applications_clocks_setting",
        "sw_power_cap",
        "hw_slowdown",
        "sync_boost",
        "sw_thermal_slowdown",
        "hw_thermal_slowdown",
        "hw_power_brake_slowdown",
        "display_clocks_setting",
    };
    return bit < ARRAY_SIZE(names) ? names[bit] : NULL;
}
