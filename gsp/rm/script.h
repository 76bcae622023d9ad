/* SPDX-License-Identifier: MIT */
/* What a register script of the GSP may do to a GPU. */
#pragma once

#include "gsp/rpc/sequencer.h"

/* ctx: the struct gsp_gpu. */
extern const struct gsp_seq_ops gsp_gpu_seq_ops;
