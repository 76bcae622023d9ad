/* SPDX-License-Identifier: MIT */
/* PBUS: scratch words that firmware and driver share. */
#pragma once

#include "gsp/hw/regs/regs.h"

struct pbus_state {
    uint32_t sw_scratch[NV_PBUS_SW_SCRATCH__COUNT];
    uint32_t intr_en;
};
