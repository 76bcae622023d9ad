/* SPDX-License-Identifier: MIT */
/* Host methods. */
#pragma once

#include "tests/model/host/channel.h"

/* False: not done yet (an acquire that does not hold), or the channel is dead. */
bool model_host_method(struct gpu_model *m, struct channel *c, uint32_t subchannel, uint32_t method,
                       uint32_t data);
