/* SPDX-License-Identifier: MIT */
/* Calls of the appliance's methods: JSON-RPC 2.0 over http_link.h. */
#pragma once

#include "client/client.h"

/* The result of a method, owned by the caller. params: an object or an array, taken over; NULL:
 * none. NULL: c has failed. */
json_t *rpc_call(struct client *c, const char *method, json_t *params, double timeout_s);
/* {"gpu": what --gpu says}, or {}: what nearly every method's parameters begin with. */
json_t *rpc_params(const struct client *c);
/* The GPU of --gpu, or the only one, as gpu.list shows it; owned by the caller. NULL: c has failed.
 */
json_t *rpc_find_gpu(struct client *c);
