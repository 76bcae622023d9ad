/* SPDX-License-Identifier: MIT */
/* Write-protected region 2: made by FWSEC, booter or the FMC, closed to the CPU and to engines. */
#pragma once

#include <stdint.h>

/* WPR2, in bytes; lo == hi: none. The others are known once the GSP is in it. */
struct wpr2 {
    uint64_t lo, hi;
    uint64_t frts, non_wpr; /* where FRTS and the heap outside are */
    uint64_t reserved;      /* from here up nothing is the driver's */
};
