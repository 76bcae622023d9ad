/* SPDX-License-Identifier: MIT */
/* What firmware versions differ in besides their layouts. */
#pragma once

#include "gsp_layout.h"
#include "tests/model/gpu.h"

struct gsp_version {
    const char *name;
    uint32_t families;             /* that it is made for */
    uint32_t gsp_engine;           /* engineIdx in the interrupt table */
    uint32_t gr_engine;            /* likewise, of GR0 */
    uint32_t nocat_function;       /* 0: it sends none */
    uint32_t lockdown_function;    /* number of the lockdown notice */
    uint32_t shared_data_function; /* sent first, 0: none */
    uint32_t missing_info_result;  /* of GSP_INIT_DONE without commands 72 and 73; 0: it hangs */
    bool whole_slot_checksum;
    bool has_pstate;                     /* control 0x20802068 */
    uint32_t heap_min_mib, heap_max_mib; /* that libos 3 takes */
};
const struct gsp_version *model_gsp_version_find(const char *name);
/* The layout that is assumed when there are no files to tell: the one asked for, or the newest that
 * is made for the chip. */
const struct gsp_layout *model_gsp_default_layout(const struct gpu_model *m);
