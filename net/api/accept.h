/* SPDX-License-Identifier: MIT */
/* Which of the two forms of metrics a client wants (RFC 9110 12.5.1). Pure. */
#pragma once

#include "arch/base.h"

/* True: OpenMetrics 1.0.0. An Accept that names it, without a version or with 1.0.0, and likes no
 * other form that there is better (of two liked equally, the one named first). False: text 0.0.4;
 * also without an Accept, and for one that is malformed. */
bool accept_openmetrics(const char *accept);
