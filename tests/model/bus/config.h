/* SPDX-License-Identifier: MIT */
/* Configuration space: the image, which bits a write changes, and what it says about the function.
 * What a write sets off is function.c's. */
#pragma once

#include "tests/model/gpu.h"

enum { CFG_SIZE = 4096, MODEL_BARS = 6 };

struct cfgspace {
    uint8_t image[CFG_SIZE];
    uint8_t wmask[CFG_SIZE];  /* bits a write changes */
    uint16_t msi, msix, pcie; /* offsets of capabilities, 0 = absent */
    uint16_t rearm;           /* a write here re-arms MSI, 0 = none */
    uint8_t vram_bar, inst_bar;
    struct model_bar bar[MODEL_BARS];
};

uint32_t model_config_read(struct gpu_model *m, uint32_t off, unsigned size);
/* What the write sets off, bits. */
enum { CFG_REARM = 1, CFG_FLR = 2 };
unsigned model_config_write(struct gpu_model *m, uint32_t off, unsigned size, uint32_t value);
bool model_config_bus_master(const struct gpu_model *m);
bool model_config_msi_enabled(const struct gpu_model *m);
bool model_config_msix_enabled(const struct gpu_model *m);
bool model_config_intx_disabled(const struct gpu_model *m);
void model_config_intx_pending(struct gpu_model *m, bool pending); /* its bit in the status word */
uint64_t model_config_bar_base(const struct gpu_model *m, unsigned bar);
