/* SPDX-License-Identifier: MIT */
/* Intel 82574L gigabit controller: on many server boards, and QEMU's e1000e. */
#pragma once

#include "net/nic/nic.h"

extern const struct nic_driver e1000e_driver;
