/* SPDX-License-Identifier: MIT */
/* Checks of the two mandatory commands. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct gpu_model;

/* len bytes exist at p. False: a rule was broken; a wrong system info also decides INIT_DONE. */
bool model_rm_check_system_info(struct gpu_model *m, const uint8_t *p, uint32_t len);
bool model_rm_check_registry(struct gpu_model *m, const uint8_t *p, uint32_t len);
