/* SPDX-License-Identifier: MIT */
/* RPC functions. */
#pragma once

#include <stdint.h>

struct gpu_model;

/* One request, complete: answers it. avail >= len bytes exist at payload (the rest of the slots).
 */
struct rm_call {
    uint32_t function, sequence;
    uint8_t *payload;
    uint32_t len, avail;
};
void model_rm_request(struct gpu_model *m, struct rm_call *c);
