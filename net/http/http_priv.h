/* SPDX-License-Identifier: MIT */
/* Between the HTTP engine and its lwIP side. */
#pragma once

#include "net/http/http.h"

/* The counters, for the side that owns connections. Never NULL. */
struct http_stats *http_stats_mut(void);
/* What buffers of connections may take. Never NULL. */
struct text_budget *http_memory(void);
