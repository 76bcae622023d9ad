/* SPDX-License-Identifier: MIT */
/*
 * Controls that tell what the board measures and has counted. Sources: OGKM ctrl/ctrl2080 (layouts,
 * measured with a compiler); the thermal control: the headers from 575.51 on; which boards refuse
 * what: reindertpelsma/kayfabe (GA106, AD10x).
 */
#pragma once

#include "tests/model/gsp/rm_objects.h"

model_ctrl model_ctrl_thermal, model_ctrl_pstate, model_ctrl_pstate_570, model_ctrl_pex_counters,
    model_ctrl_pex_bytes, model_ctrl_ecc_counters, model_ctrl_ecc_volatile,
    model_ctrl_remapped_rows, model_ctrl_row_histogram;
