/* SPDX-License-Identifier: MIT */
/* Boots in several attempts, with the card's reset in between (gsp.h tells when). */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

struct gsp_gpu;

/* The whole bring-up, in as many attempts as the options allow and make sense. Yields. */
FL_MUST_CHECK enum fl_err gsp_attempts_boot(struct gsp_gpu *g);
