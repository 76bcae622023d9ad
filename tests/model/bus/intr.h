/* SPDX-License-Identifier: MIT */
/* The interrupt tree and the ways out of it. */
#pragma once

#include "tests/model/gpu.h"

enum { INTR_LEAVES = 16 };
struct intr_state {
    uint32_t leaf[INTR_LEAVES], leaf_en[INTR_LEAVES];
    uint32_t top_en, delivered; /* delivered: D(N) as of the last look */
    bool armed;
    bool line;         /* INTx is asserted */
    uint32_t msix[48]; /* table words as last written; who delivers has his own copy */
};
void model_intr_latch(struct gpu_model *m, uint32_t vector);
void model_intr_rearm(struct gpu_model *m); /* the configuration write that re-arms MSI */
void model_intr_line(struct gpu_model *m);  /* what the INTx line depends on changed */
