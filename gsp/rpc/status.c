/* SPDX-License-Identifier: MIT */
/* NV_STATUS codes (status.h). */
#include "gsp/rpc/status.h"

static const struct {
    uint32_t code;
    const char *name;
} table[] = {
#define NV_STATUS(name, code) {code, #name},
#include "gsp/rpc/status.def"
#undef NV_STATUS
    /* Source: OGKM vgpu/rpc_headers.h. */
    {0xff100001, "RPC: unknown function"},          {0xff100002, "RPC: invalid message format"},
    {0xff100003, "RPC: handle not found"},          {0xff100004, "RPC: handle exists"},
    {0xff100005, "RPC: unknown RM error"},          {0xff100007, "RPC: reserved handle"},
    {0xff100009, "RPC: API control not supported"},
};

const char *gsp_status_name(uint32_t status)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (table[i].code == status) {
            return table[i].name;
        }
    }
    return "unknown status";
}
