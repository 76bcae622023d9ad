/* SPDX-License-Identifier: MIT */
/* Video memory, sparse. */
#pragma once

#include "tests/model/books/strict.h"
#include "tests/model/gpu.h"

/* A part that is not the driver's to write, or one inside such a part that is. */
enum { VRAM_GUARDS = 4 };
struct vram_guard {
    uint64_t lo, hi;
    bool open;
    enum model_rule rule;
};
struct vram {
    uint64_t size; /* usable bytes */
    uint8_t ***chunks;
    size_t chunk_count;
    uint64_t limit;                       /* of stats.vram_held */
    struct vram_guard guard[VRAM_GUARDS]; /* the first that fits counts */
    uint32_t guard_count;
};
bool model_vram_read(struct gpu_model *m, uint64_t off, void *buf, size_t len);
/* False: outside, or the limit is reached (model_config). */
bool model_vram_write(struct gpu_model *m, uint64_t off, const void *buf, size_t len);
/* Accesses by the CPU: WPR2 is closed. */
uint64_t model_vram_cpu_read(struct gpu_model *m, uint64_t off, unsigned size);
void model_vram_cpu_write(struct gpu_model *m, uint64_t off, unsigned size, uint64_t value);
/* What is not to be written from now on, in place of what was. */
void model_vram_guard(struct gpu_model *m, const struct vram_guard *guards, uint32_t count);
/* A driver writes there, itself or by an engine; the write is done all the same. */
void model_vram_check_write(struct gpu_model *m, const char *who, uint64_t off, uint64_t len);
