/* SPDX-License-Identifier: MIT */
/* Bus memory as the GPU reaches it: by copy, with bus mastering on, within its address width. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gpu_model;

/* False: not reachable (said by a rule). what names it in that rule. */
bool model_dma_read(struct gpu_model *m, uint64_t addr, void *buf, size_t len, const char *what);
bool model_dma_write(struct gpu_model *m, uint64_t addr, const void *buf, size_t len,
                     const char *what);
/* The same without a rule: for a look at what may not be there. */
bool model_dma_try_read(struct gpu_model *m, uint64_t addr, void *buf, size_t len);
