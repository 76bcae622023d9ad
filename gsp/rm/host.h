/* SPDX-License-Identifier: MIT */
/* A GPU as the RPC layer sees it: what happens while somebody waits, and where messages go. */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "gsp/rpc/rpc.h"

struct gsp_gpu;

/* ctx: the struct gsp_gpu. */
extern const struct gsp_rpc_host gsp_gpu_rpc_host;

/* FL_EIO with words when the GSP, which should run, has stopped by itself: it crashed. One register
 * read at most, none while its registers are to be left alone. */
FL_MUST_CHECK enum fl_err gsp_core_check(struct gsp_gpu *g, struct fl_fail *fail);
/* While that is on, a wait for one of NVIDIA's programs (gsp_io_wait_program) ends with that error,
 * too, as soon as the log shows that the core has run and it does not run any more. */
void gsp_core_beside(struct gsp_gpu *g, bool on);
