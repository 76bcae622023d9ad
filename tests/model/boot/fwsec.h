/* SPDX-License-Identifier: MIT */
/* FWSEC, as the GSP falcon runs it. */
#pragma once

struct gpu_model;

void model_fwsec_run(struct gpu_model *m); /* the GSP falcon was started some time ago */
