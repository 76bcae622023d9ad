/* SPDX-License-Identifier: MIT */
/* Semaphores in memory, as channels release and acquire them. */
#pragma once

#include "tests/model/host/channel.h"

/* A release: payload of 4 or 8 bytes, or 16 with the time. */
bool model_semaphore_release(struct gpu_model *m, struct channel *c, uint64_t va, uint64_t payload,
                             bool wide, bool timestamp);
/* SEM_EXECUTE of the methods in c->sem. False: an acquire that does not hold yet, or a fault. */
bool model_semaphore_execute(struct gpu_model *m, struct channel *c, uint32_t data);
/* The form with SEMAPHOREA..D, which hosts up to Ada still have. */
bool model_semaphore_execute_old(struct gpu_model *m, struct channel *c, uint32_t data);
