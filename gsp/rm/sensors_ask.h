/* SPDX-License-Identifier: MIT */
/*
 * Controls by which a GSP of any version tells what it measures: how each is asked, and what its
 * answer says. Only buffers: no GPU, nothing yields. Any of them may be refused on any board.
 *
 * Sources: OGKM ctrl/ctrl2080 at 570.144 and 535.113.01, layouts measured with a compiler. Not in
 * these headers: 0x20808513 (temperature; its structure is in those from 575.51 on, and a trace of
 * an R525 driver has the same size: NVIDIA/open-gpu-kernel-modules#446) and 0x2080a068 (P-state, in
 * traces of R525 and later drivers). Whether GSP 570.144 and 535.113.01 answer these two is not
 * proven here.
 */
#pragma once

#include "arch/base.h"
#include "gsp/rpc/version.h"
#include "gsp/sensors.h"

enum sensors_question {
    SENSORS_ASK_TEMPERATURE,
    SENSORS_ASK_PSTATE,
    SENSORS_ASK_PCIE_COUNTERS,
    SENSORS_ASK_PCIE_THROUGHPUT,
    SENSORS_ASK_ECC_AGGREGATE,
    SENSORS_ASK_ECC_VOLATILE,
    SENSORS_ASK_REMAPPED_ROWS,
    SENSORS_ASK_COUNT
};
#define SENSORS_ASK_BYTES_MAX 6400u /* room for the parameters of any of them */

/* What is remembered from one answer to the next. */
struct sensors_memory {
    bool thermal_v2; /* which version of the thermal interface is tried: 1, or 2 */
    /* PCI Express: the counters as they were, and when; 0: not yet. */
    uint64_t bytes_at_us;
    uint32_t sent, received;
};

/* One answer's values. */
struct sensors_answer {
    uint64_t mask; /* of the sensors that it gives: bit GSP_SENSOR_* */
    int64_t value[GSP_SENSOR_COUNT];
    unsigned out_of_range; /* values that cannot be true; not in mask */
};
_Static_assert(GSP_SENSOR_COUNT <= 64, "a mask of sensors");

/* The number of the control and the bytes of its parameters; false: that firmware has none. */
bool sensors_ask_control(enum sensors_question q, const struct gsp_version *v, uint32_t *cmd,
                         uint32_t *bytes);
/* Fills p, which is zero and has the bytes of sensors_ask_control(). */
void sensors_ask_fill(enum sensors_question q, const struct gsp_version *v,
                      const struct sensors_memory *m, uint8_t *p);
/* Reads the answer. now_us: when it came. */
void sensors_ask_read(enum sensors_question q, const struct gsp_version *v,
                      struct sensors_memory *m, const uint8_t *p, uint64_t now_us,
                      struct sensors_answer *out);
/* It was refused: the next time it is asked in another form, if there is one. True: that has not
 * been refused yet. */
bool sensors_ask_refused(enum sensors_question q, struct sensors_memory *m);
