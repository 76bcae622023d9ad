/* SPDX-License-Identifier: MIT */
/*
 * What a GPU measures of itself: temperature, power, clocks, use, errors. Its own fiber asks the
 * firmware on a period (gsp_run); readers get copies and never cause a question. A value that the
 * firmware does not give, refuses, or that fails a check is not known: it is left out, never made
 * up.
 */
#pragma once

#include "gsp/gsp.h"

/* The unit is of `value` below. */
enum gsp_sensor_unit {
    GSP_UNIT_MILLICELSIUS,
    GSP_UNIT_MILLIWATTS,
    GSP_UNIT_HERTZ,
    GSP_UNIT_PERCENT,
    GSP_UNIT_COUNT, /* events, ever or since the last reset of the counter */
    GSP_UNIT_BYTES_PER_SECOND,
    GSP_UNIT_NUMBER, /* P0 is 0 */
    GSP_UNIT_FLAG,   /* 0 or 1 */
    GSP_UNIT_MASK,   /* gsp_throttle_name() */
};

enum gsp_sensor {
    GSP_SENSOR_TEMP_GPU,
    GSP_SENSOR_TEMP_MEMORY,
    GSP_SENSOR_POWER_GPU, /* averages */
    GSP_SENSOR_POWER_MODULE,
    GSP_SENSOR_POWER_MEMORY,
    GSP_SENSOR_POWER_GPU_NOW,
    GSP_SENSOR_POWER_MODULE_NOW,
    GSP_SENSOR_POWER_LIMIT_REQUESTED,
    GSP_SENSOR_POWER_LIMIT_ENFORCED,
    GSP_SENSOR_CLOCK_GRAPHICS, /* targets */
    GSP_SENSOR_CLOCK_MEMORY,
    GSP_SENSOR_CLOCK_VIDEO,
    GSP_SENSOR_CLOCK_SM,
    GSP_SENSOR_USE_GPU,
    GSP_SENSOR_USE_MEMORY,
    GSP_SENSOR_USE_ENCODER,
    GSP_SENSOR_USE_DECODER,
    GSP_SENSOR_USE_JPEG,
    GSP_SENSOR_USE_OFA,
    GSP_SENSOR_PSTATE,
    GSP_SENSOR_THROTTLE,
    GSP_SENSOR_ECC_CORRECTED_VOLATILE, /* DRAM and SRAM together */
    GSP_SENSOR_ECC_CORRECTED_AGGREGATE,
    GSP_SENSOR_ECC_UNCORRECTED_VOLATILE,
    GSP_SENSOR_ECC_UNCORRECTED_AGGREGATE,
    GSP_SENSOR_ECC_DRAM_CORRECTED_VOLATILE,
    GSP_SENSOR_ECC_DRAM_CORRECTED_AGGREGATE,
    GSP_SENSOR_ECC_DRAM_UNCORRECTED_VOLATILE,
    GSP_SENSOR_ECC_DRAM_UNCORRECTED_AGGREGATE,
    GSP_SENSOR_ECC_SRAM_CORRECTED_VOLATILE,
    GSP_SENSOR_ECC_SRAM_CORRECTED_AGGREGATE,
    GSP_SENSOR_ECC_SRAM_UNCORRECTED_VOLATILE,
    GSP_SENSOR_ECC_SRAM_UNCORRECTED_AGGREGATE,
    GSP_SENSOR_REMAP_CORRECTABLE, /* rows remapped, by what made it necessary */
    GSP_SENSOR_REMAP_UNCORRECTABLE,
    GSP_SENSOR_REMAP_PENDING,
    GSP_SENSOR_REMAP_FAILED,
    GSP_SENSOR_PCIE_REPLAYS,
    GSP_SENSOR_PCIE_REPLAY_ROLLOVERS,
    GSP_SENSOR_PCIE_NAKS_SENT,
    GSP_SENSOR_PCIE_NAKS_RECEIVED,
    GSP_SENSOR_PCIE_BAD_TLPS,
    GSP_SENSOR_PCIE_BAD_DLLPS,
    GSP_SENSOR_PCIE_LCRC_ERRORS,
    GSP_SENSOR_PCIE_RECOVERIES,
    GSP_SENSOR_PCIE_CORRECTABLE,
    GSP_SENSOR_PCIE_NON_FATAL,
    GSP_SENSOR_PCIE_FATAL,
    GSP_SENSOR_PCIE_UNSUPPORTED,
    GSP_SENSOR_PCIE_SENT,
    GSP_SENSOR_PCIE_RECEIVED,
    GSP_SENSOR_COUNT
};

struct gsp_sensor_info {
    const char *key;   /* static: "temperature_gpu", as in the API */
    const char *group; /* static: "temperature", "power", "clocks", "utilization", ... */
    const char *text;  /* static: what it is, for people */
    enum gsp_sensor_unit unit;
};
const struct gsp_sensor_info *gsp_sensor_info(enum gsp_sensor s);
const char *gsp_sensor_unit_name(enum gsp_sensor_unit u); /* "millicelsius", ... */
/* Bits of GSP_SENSOR_THROTTLE: "gpu_idle", "sw_power_cap", ...; NULL: no such reason. */
const char *gsp_throttle_name(unsigned bit);

struct gsp_sensor_value {
    bool known;
    int64_t value;
    uint64_t at_us; /* when it was taken; its age is clock_now_us() - at_us */
};

/* A control that the firmware refused. */
struct gsp_refusal {
    uint32_t cmd;
    uint32_t rm_status; /* of the last one */
    uint64_t count;
};
#define GSP_MAX_REFUSALS 16

/* MIG, as the GSP tells; asked once in each life. */
enum gsp_mig_mode {
    GSP_MIG_UNKNOWN,
    GSP_MIG_UNSUPPORTED,
    GSP_MIG_ENABLED,
    GSP_MIG_DISABLED,
    GSP_MIG_ENABLE_PENDING,  /* disabled, enabled from the next reset on */
    GSP_MIG_DISABLE_PENDING, /* the other way round */
};

struct gsp_sensors {
    enum gsp_mig_mode mig;
    struct gsp_sensor_value sensor[GSP_SENSOR_COUNT];
    uint64_t samples;   /* rounds so far, since creation: changes when there is something new */
    uint64_t period_us; /* between two rounds; 0: it does not sample */
    const char *source; /* static: "shared page", "controls", "" */
    /* Of the shared page: copies given up as torn, stamps that stood still or ran backwards, values
     * out of range. */
    uint64_t torn, stale, backwards, out_of_range;
    uint32_t refusal_count;
    struct gsp_refusal refusal[GSP_MAX_REFUSALS];
};

/* A copy of what is known now. Any fiber. Does not yield. */
void gsp_get_sensors(struct gsp_gpu *g, struct gsp_sensors *out);
/* Its samples alone, for who only asks whether there is something new. */
uint64_t gsp_sensor_samples(const struct gsp_gpu *g);
