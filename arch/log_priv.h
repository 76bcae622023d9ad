/* SPDX-License-Identifier: MIT */
/* For the tests of the log. */
#pragma once

#include "arch/base.h"

/* Empties the ring; the next line gets the number seq. */
void log_reset_at(uint64_t seq);
