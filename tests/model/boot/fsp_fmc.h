/* SPDX-License-Identifier: MIT */
/* The FMC: what the FSP starts on the GSP. */
#pragma once

#include <stdint.h>

struct gpu_model;

uint32_t model_fmc_run(struct gpu_model *m); /* 0, or the error that it leaves in MAILBOX0 */
