/* SPDX-License-Identifier: MIT */
/* NV_STATUS codes: what the GSP's resource manager answers. Source: OGKM nvstatuscodes.h (rpc.md
 * B2). */
#pragma once

#include "arch/base.h"

enum {
    NV_OK = 0,
    NV_ERR_BUSY_RETRY = 0x3,
    NV_ERR_NOT_READY = 0x55,
    NV_ERR_NOT_SUPPORTED = 0x56,
    NV_ERR_TIMEOUT_RETRY = 0x66,
};
/* "NOT_SUPPORTED"; RPC-layer codes (0xff1000xx) too; "unknown status" otherwise. Never NULL. */
const char *gsp_status_name(uint32_t status);
