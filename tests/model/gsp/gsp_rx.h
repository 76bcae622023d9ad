/* SPDX-License-Identifier: MIT */
/* Commands to the GSP. */
#pragma once

#include <stdint.h>

struct gpu_model;

/* The driver wrote QUEUE_HEAD(queue). */
void model_gsp_doorbell(struct gpu_model *m, uint32_t queue, uint32_t value);
