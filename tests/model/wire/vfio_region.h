/* SPDX-License-Identifier: MIT */
/* Regions of the vfio-user device. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gpu_model;

enum { VFIO_REGION_COUNT = 9 };
/* VFIO_USER_DEVICE_GET_REGION_INFO: the length of the reply in out, or -errno. prom: the PROM
 * window may be mapped; *whole then: the reply says where, and its descriptor goes with it. A
 * client that leaves too little room for that learns how much it takes. */
long vfio_region_info(const struct gpu_model *m, const uint8_t *p, size_t size, bool prom,
                      uint8_t *out, bool *whole);
/* False: not inside a region; nothing was done. */
bool vfio_region_read(struct gpu_model *m, uint32_t region, uint64_t off, uint32_t count,
                      uint8_t *data);
bool vfio_region_write(struct gpu_model *m, uint32_t region, uint64_t off, uint32_t count,
                       const uint8_t *data);
