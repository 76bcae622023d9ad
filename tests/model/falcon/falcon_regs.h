/* SPDX-License-Identifier: MIT */
/* The registers of a falcon engine. */
#pragma once

#include "tests/model/falcon/falcon.h"

/* off: within the engine. False: no register of a falcon. */
bool model_falcon_read(struct gpu_model *m, struct falcon *f, uint32_t off, uint32_t *value);
bool model_falcon_write(struct gpu_model *m, struct falcon *f, uint32_t off, uint32_t value);
