/* SPDX-License-Identifier: MIT */
/* The loader that fetches FWSEC, Turing and GA100. */
#pragma once

#include "tests/model/gpu.h"

/* The small loader that fetches a version 2 FWSEC was started. 0: FWSEC is in IMEM
 * and DMEM now; else a rule was broken and this is the mailbox. */
uint32_t model_fwsec_loader(struct gpu_model *m);
enum { FWSEC_BAD_SIGNATURE = 0x02 }; /* what booter says to a wrong signature, measured.md 6 */
