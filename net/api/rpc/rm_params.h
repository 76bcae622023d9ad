/* SPDX-License-Identifier: MIT */
/* Parameter structures of the resource manager as JSON: named fields, or bytes in base64. */
#pragma once

#include "net/api/rpc/rpc.h"

struct rm_params {
    const struct rm_struct *layout; /* NULL: bytes only */
    void *data;                     /* owned; NULL when there are none */
    uint32_t size;
};

/* What a call carries: named (an object, or NULL) needs a layout, base64 (or NULL) any bytes.
 * False: the call has failed. Free with rm_params_free() in any case. */
bool rm_params_take(struct rpc_call *c, const struct rm_struct *layout, const json_t *named,
                    const char *base64, struct rm_params *out);
void rm_params_free(struct rm_params *p);
/* "params": {...} where there is a layout, and "data": base64. */
void rm_params_put(struct jw *j, const struct rm_params *p);
