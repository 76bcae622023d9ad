/* SPDX-License-Identifier: MIT */
/* How the GSP goes wrong: by itself, or as a fault says (--fault). */
#pragma once

#include "tests/model/books/fault.h"
#include "tests/model/gsp/rm_objects.h"

/* It answers nothing from now on. */
void model_gsp_crash(struct gpu_model *m);
/* The GSP is at a point of its life; true: that was as far as it got. */
bool model_fault_point(struct gpu_model *m, enum fault_point point);
void model_fault_run(struct gpu_model *m); /* WORK_FAULT */
