/* SPDX-License-Identifier: MIT */
/* The PRAMIN window: 1 MiB of BAR0 that shows video memory or, up to Ada, the bus. */
#pragma once

#include <stdint.h>

struct pramin_state {
    uint32_t window; /* NV_PBUS_BAR0_WINDOW, NV_XAL_EP_BAR0_WINDOW from Hopper on */
};
