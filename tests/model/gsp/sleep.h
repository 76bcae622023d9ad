/* SPDX-License-Identifier: MIT */
/* A GSP between suspend and resume. */
#pragma once

#include "tests/model/gsp/gsp_state.h"
#include "tests/model/memory/wpr2.h"

struct sleep_state {
    bool have, stored; /* the GSP has stopped; booter_unload has stored it */
    struct gsp_state gsp;
    struct wpr2 wpr2;
    uint64_t root, bytes; /* of the save area */
};
void model_sleep_begin(struct gpu_model *m); /* the GSP stops for a power transition */
bool model_sleep_store(struct gpu_model *m, uint64_t sr_metadata);
bool model_sleep_wake(struct gpu_model *m, uint64_t sr_metadata);
bool model_sleep_asked(struct gpu_model *m, uint64_t address); /* SR metadata lie there */
void model_sleep_drop(struct gpu_model *m); /* what was stored is of no use any more */
