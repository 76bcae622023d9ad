/* SPDX-License-Identifier: MIT */
/* The copy engine. */
#pragma once

#include "tests/model/host/channel.h"

void model_ce_method(struct gpu_model *m, struct channel *c, uint32_t method, uint32_t data);
/* Goes on with the copy under way, if there is one. False: it is not done yet. */
bool model_ce_step(struct gpu_model *m, struct channel *c);
