/* SPDX-License-Identifier: MIT */
/* The GSP's life, from booter on. */
#pragma once

#include "tests/model/gsp/gsp_state.h"

void model_gsp_forget(struct gpu_model *m);       /* all that it knows; frees what it has */
void model_gsp_engine_reset(struct gpu_model *m); /* the driver pulsed the GSP engine */
void model_gsp_boot(struct gpu_model *m, uint64_t libos_args); /* the RISC-V core was started */
bool model_gsp_resume(struct gpu_model *m);    /* booter resumed it; false: refused */
void model_gsp_have_info(struct gpu_model *m); /* both mandatory commands are there */
void model_gsp_step(struct gpu_model *m);      /* WORK_GSP */
