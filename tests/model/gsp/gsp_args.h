/* SPDX-License-Identifier: MIT */
/* What the GSP is started with. */
#pragma once

#include <stdbool.h>

struct gpu_model;

/* Reads all of it, sets logs and queues up. False: a rule was broken and it cannot go on. */
bool model_gsp_read_arguments(struct gpu_model *m);
