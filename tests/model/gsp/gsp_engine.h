/* SPDX-License-Identifier: MIT */
/* Controls about engines, address spaces and channels, and the two RPCs that do the same. */
#pragma once

#include "tests/model/gsp/rm_objects.h"

model_ctrl model_ctrl_intr_table, model_ctrl_device_info, model_ctrl_context_buffers,
    model_ctrl_set_page_directory, model_ctrl_unset_page_directory, model_ctrl_reserved_pdes,
    model_ctrl_bind, model_ctrl_schedule, model_ctrl_work_token, model_ctrl_promote_ctx,
    model_ctrl_memsys_config;
uint32_t model_rm_set_page_directory(struct gpu_model *m, uint32_t client, const uint8_t *p,
                                     uint32_t len);
uint32_t model_rm_unset_page_directory(struct gpu_model *m, uint32_t client, const uint8_t *p,
                                       uint32_t len);
