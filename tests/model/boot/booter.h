/* SPDX-License-Identifier: MIT */
/* What SEC2 runs. */
#pragma once

struct gpu_model;

void model_booter_run(struct gpu_model *m); /* SEC2 was started some time ago */
