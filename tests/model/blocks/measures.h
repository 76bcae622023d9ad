/* SPDX-License-Identifier: MIT */
/*
 * What the board measures: how much the GPU does, and what follows from it: performance state,
 * clocks, power, heat. Worked out when somebody asks, from the model's own time, so the same
 * accesses at the same times give the same values. Which values it takes between idle and busy is a
 * choice; that they move, and in which order, is as on boards.
 */
#pragma once

#include "tests/model/gpu.h"

enum {
    MEASURE_TEMP_ONE = 256, /* a degree Celsius */
    MEASURE_PERCENT = 100,
    PSTATE_BUSY = 0,
    PSTATE_IDLE = 8,
};
enum measure_clock { CLOCK_GRAPHICS, CLOCK_MEMORY, CLOCK_VIDEO, CLOCK_SM, MEASURE_CLOCKS };

struct measures {
    uint64_t at_ns; /* of these values; 0: none yet */
    uint64_t work_seen, dma_seen;
    int64_t temp;                    /* in MEASURE_TEMP_ONEs */
    uint32_t use, use_memory;        /* percent */
    uint32_t pstate;                 /* number: P0, P8 */
    uint32_t mhz[MEASURE_CLOCKS];    /* targets */
    uint32_t power_mw, power_avg_mw; /* of the board */
    uint32_t throttle;               /* reasons, as RUSD numbers them */
    uint32_t sent, received;         /* bytes over PCI Express; they go around */
};

/* Brings m->measures up to date. */
void model_measure(struct gpu_model *m);
/* What the GPU's sensor says, whole degrees; a fault may heat the board. */
int32_t model_celsius_now(struct gpu_model *m);
