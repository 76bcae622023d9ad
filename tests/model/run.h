/* SPDX-License-Identifier: MIT */
/* Resets of a model that exists. */
#pragma once

#include "tests/model/gpu.h"

/* Every block, whether the link is there or not; model_reset() is for those outside. */
void model_reset_blocks(struct gpu_model *m, enum model_reset kind);
