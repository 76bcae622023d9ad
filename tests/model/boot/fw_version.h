/* SPDX-License-Identifier: MIT */
/* Which firmware a driver starts, from what it hands over. */
#pragma once

#include "gsp_layout.h"
#include "tests/model/gpu.h"

const struct gsp_layout *model_recognise(struct gpu_model *m, uint64_t image_bytes,
                                         uint64_t libos_args);
const char *model_other_version(const struct gpu_model *m, uint32_t info_bytes, char *buf,
                                size_t size);
#define GSP_ID8_RMARGS 0x524d41524753ull
