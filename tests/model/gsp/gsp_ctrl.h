/* SPDX-License-Identifier: MIT */
/* RM controls. */
#pragma once

#include "tests/model/gsp/rm_objects.h"

/* NV_STATUS of a control on an object that exists; params are in and out. */
uint32_t model_rm_control(struct gpu_model *m, const struct rm_object *o, uint32_t cmd,
                          uint8_t *params, uint32_t size);
