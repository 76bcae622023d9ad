/* SPDX-License-Identifier: MIT */
/* The programme that the CPU runs for the GSP (Turing to Ada). */
#pragma once

#include "tests/model/gpu.h"

/* Builds and sends the programme / checks what it left. */
void model_seq_send(struct gpu_model *m);
bool model_seq_check(struct gpu_model *m);
/* The GSP falcon was started while the programme runs: true when it was the programme's own code.
 */
bool model_seq_falcon_run(struct gpu_model *m);
