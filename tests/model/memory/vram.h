/* SPDX-License-Identifier: MIT */
/* Video memory, sparse. */
#pragma once

#include "tests/model/gpu.h"

struct vram {
    uint64_t size; /* usable bytes */
    uint8_t ***chunks;
    size_t chunk_count;
    uint64_t limit; /* of stats.vram_held */
};
bool model_vram_read(struct gpu_model *m, uint64_t off, void *buf, size_t len);
/* False: outside, or the limit is reached (model_config). */
bool model_vram_write(struct gpu_model *m, uint64_t off, const void *buf, size_t len);
/* Accesses by the CPU: WPR2 is closed. */
uint64_t model_vram_cpu_read(struct gpu_model *m, uint64_t off, unsigned size);
void model_vram_cpu_write(struct gpu_model *m, uint64_t off, unsigned size, uint64_t value);
