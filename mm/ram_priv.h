/* SPDX-License-Identifier: MIT */
/* For the tests of mm/ram.c. */
#pragma once

#include "arch/machine.h"

/* Cuts ranges to whole pages, leaves out page 0 (an address of 0 means "nothing" in many places),
 * sorts by address and takes overlaps away from the later range: firmware's map is input. Returns
 * how many ranges are left. */
size_t ram_clean_ranges(struct range *r, size_t count);
