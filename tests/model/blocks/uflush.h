/* SPDX-License-Identifier: MIT */
/* Flushes of caches on the way to memory. */
#pragma once

#include "tests/model/gpu.h"

enum { UFLUSH_FB, UFLUSH_SYSMEM, UFLUSH_DIRTY, UFLUSH_KINDS };
struct uflush_state {
    bool busy[UFLUSH_KINDS];
    bool stuck[UFLUSH_KINDS]; /* never done (--fault busy=flush) */
};
