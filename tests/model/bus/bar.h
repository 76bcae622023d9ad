/* SPDX-License-Identifier: MIT */
/* BAR1 and BAR2, the two after the registers; BAR2 is PCI BAR 3 up to Ada. */
#pragma once

#include "tests/model/gpu.h"

enum { MODEL_BAR1 = 0, MODEL_BAR2 = 1, MODEL_MAPPED_BARS = 2 };
struct bar_bind {
    uint64_t inst;   /* of the instance block */
    uint32_t target; /* where that is; 0: in video memory */
    bool is_virtual; /* else the BAR shows video memory itself */
};
struct bar_state {
    struct bar_bind bind[MODEL_MAPPED_BARS];
    struct bar_bind next[MODEL_MAPPED_BARS]; /* being bound */
    bool binding[MODEL_MAPPED_BARS];
    bool low_written[MODEL_MAPPED_BARS];                      /* since the last bind */
    bool stuck[MODEL_MAPPED_BARS];                            /* --fault busy=bind */
    uint32_t low[MODEL_MAPPED_BARS], high[MODEL_MAPPED_BARS]; /* the pair, as last written */
    uint64_t quiet_until_ns; /* the driver has been told of a fault */
};
/* The GSP binds a BAR to a directory of its own, empty, by an instance block; and lets go of both.
 */
void model_bar_gsp_bind(struct gpu_model *m, unsigned which, uint64_t inst, uint64_t root);
void model_bar_gsp_unbind(struct gpu_model *m);
/* Entry 0 of the root directory of BAR1 (0) or BAR2 (1). False: no such BAR, or not bound. */
bool model_bar_set_pde(struct gpu_model *m, uint32_t which, uint64_t value, uint64_t shift);
/* Tells the driver that there was a fault. */
void model_bar_tell(struct gpu_model *m);
uint64_t model_bar_read_mapped(struct gpu_model *m, unsigned which, uint64_t off, unsigned size);
void model_bar_write_mapped(struct gpu_model *m, unsigned which, uint64_t off, unsigned size,
                            uint64_t value);
