/* SPDX-License-Identifier: MIT */
/*
 * Where a test makes the n-th allocation fail (host_fail_alloc_at in arch/host/host.h). In the
 * kernel nothing is left of it. Allocators ask once per request, before they change anything.
 */
#pragma once

#include "arch/base.h"

#if defined(FL_HOST)
bool fail_point_alloc(void);
#else
static inline bool fail_point_alloc(void) { return false; }
#endif
