/* SPDX-License-Identifier: MIT */
/* PMC. */
#pragma once

#include <stdint.h>

struct pmc_state {
    uint32_t enable;
};
