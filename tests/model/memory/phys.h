/* SPDX-License-Identifier: MIT */
/* Physical memory as engines reach it: video memory, or the bus. */
#pragma once

#include "tests/model/gpu.h"

/* False: write-protected, or no memory there. */
bool model_phys_read(struct gpu_model *m, bool sysmem, uint64_t addr, void *buf, size_t len);
bool model_phys_write(struct gpu_model *m, bool sysmem, uint64_t addr, const void *buf, size_t len);
