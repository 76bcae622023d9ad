/* SPDX-License-Identifier: MIT */
/* Calls of the appliance's methods: JSON-RPC 2.0 over http_link.h. */
#pragma once

#include "client/client.h"

/* The result of a method, owned by the caller. params: an object or an array, taken over; NULL:
 * none. NULL: c has failed. */
json_t *rpc_call(struct client *c, const char *method, json_t *params, double timeout_s);
/* {"gpu": what --gpu says}, or {}: what nearly every method's parameters begin with. */
json_t *rpc_params(const struct client *c);
/* Is it this GPU, of gpu.list or of the status, that text means: index, UUID or PCI address? */
bool rpc_is_gpu(const json_t *gpu, const char *text);
/* The GPU of --gpu, or the only one, as gpu.list shows it; owned by the caller. NULL: c has failed.
 */
json_t *rpc_find_gpu(struct client *c);
