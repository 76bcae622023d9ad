/* SPDX-License-Identifier: MIT */
/*
 * The two messages that wait in the queue when the GSP starts: what the machine is, and the
 * registry. Without them real firmware hangs or fails its start (measured.md 8.1). Source: rpc.md
 * C1, C2.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

struct gsp_gpu;

/* Puts both into the command ring. Yields only when the ring is full. */
FL_MUST_CHECK enum fl_err gsp_init_rpc_queue(struct gsp_gpu *g, struct fl_fail *fail);
