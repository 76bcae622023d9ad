/* SPDX-License-Identifier: MIT */
/* How the GSP takes commands. */
#pragma once

#include <stdint.h>

struct gpu_model;

/* The driver wrote QUEUE_HEAD(queue). */
void model_gsp_doorbell(struct gpu_model *m, uint32_t queue, uint32_t value);
