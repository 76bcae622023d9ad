/* SPDX-License-Identifier: MIT */
/* Words of messages and descriptors, typed as registers are (regs.h); messages.def lists them. */
#pragma once

#include "gsp/hw/regs/field.h"

#define REG_LIST "gsp/hw/regs/messages.def"
#include "gsp/hw/regs/typed.h"
