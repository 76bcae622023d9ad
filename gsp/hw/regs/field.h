/* SPDX-License-Identifier: MIT */
/* What the accessors of typed words (typed.h) stand on. */
#pragma once

#include "arch/base.h"

#define REG_MASK(hi, lo) ((uint32_t)((0xffffffffull >> (31 - (hi))) & (0xffffffffull << (lo))))

uint32_t reg_value_does_not_fit(void)
    __attribute__((error("register value does not fit its field")));
/* -O0 and run-time values: the excess is cut off and counted (reg_overflows in regs.c). */
uint32_t reg_field_overflow(uint32_t value, uint32_t max);
/* How often that happened since start: anything but 0 is a bug of ours. */
uint32_t reg_overflows(void);
