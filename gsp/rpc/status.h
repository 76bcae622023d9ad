/* SPDX-License-Identifier: MIT */
/* NV_STATUS codes: what the GSP's resource manager answers, and what its RPC layer does. */
#pragma once

#include "arch/base.h"

enum nv_status {
#define NV_STATUS(name, code) name = (code),
#include "gsp/rpc/status.def"
#undef NV_STATUS
};

/* NVIDIA's name, "NV_ERR_NOT_SUPPORTED"; of codes of the RPC layer (0xff1000xx) a description.
 * "unknown status" otherwise. Never NULL. */
const char *gsp_status_name(uint32_t status);
