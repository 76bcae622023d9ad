/* SPDX-License-Identifier: MIT */
/* The flush page: a page of bus memory that the GPU reads to flush what it has written. */
#pragma once

#include "tests/model/chips.h"

struct flush_page_state {
    uint32_t lo[FLUSH_PAIRS], hi[FLUSH_PAIRS]; /* by the chip's pairs of registers */
};
