/* SPDX-License-Identifier: MIT */
/* Messages of vfio-user as a client writes them. Source: QEMU docs/interop/vfio-user.rst, "Header".
 */
#pragma once

#include <stdint.h>
#include <string.h>

#include "arch/base.h"

enum { HDR = 16 };

/* Header and payload to m; returns how many bytes that are. */
static inline size_t message(uint8_t *m, uint16_t cmd, uint32_t flags, const void *payload,
                             size_t len)
{
    put_le16(m, 0x1234);
    put_le16(m + 2, cmd);
    put_le32(m + 4, (uint32_t)(HDR + len));
    put_le32(m + 8, flags);
    put_le32(m + 12, 0);
    if (len > 0) {
        memcpy(m + HDR, payload, len);
    }
    return HDR + len;
}
