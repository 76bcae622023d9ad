/* SPDX-License-Identifier: MIT */
/* Controls about a display without outputs. */
#pragma once

#include "tests/model/gsp/rm_objects.h"

model_ctrl model_ctrl_disp_inst_mem, model_ctrl_disp_static_info, model_ctrl_disp_backlight,
    model_ctrl_disp_manual_dp, model_ctrl_disp_num_heads, model_ctrl_disp_head_mask,
    model_ctrl_disp_supported;
