/* SPDX-License-Identifier: MIT */
/* NV_STATUS codes (status.h). */
#include "gsp/rpc/status.h"

const char *gsp_status_name(uint32_t status)
{
    static const struct {
        uint32_t code;
        const char *name;
    } table[] = {
        {NV_OK, "OK"},
        {0x2, "BUFFER_TOO_SMALL"},
        {NV_ERR_BUSY_RETRY, "BUSY_RETRY"},
        {0xf, "GPU_IS_LOST"},
        {0x17, "IN_USE"},
        {0x19, "INSERT_DUPLICATE_NAME"},
        {0x1a, "INSUFFICIENT_RESOURCES"},
        {0x1b, "INSUFFICIENT_PERMISSIONS"},
        {0x1f, "INVALID_ARGUMENT"},
        {0x22, "INVALID_CLASS"},
        {0x23, "INVALID_CLIENT"},
        {0x24, "INVALID_COMMAND"},
        {0x25, "INVALID_DATA"},
        {0x2a, "INVALID_FUNCTION"},
        {0x31, "INVALID_OBJECT"},
        {0x33, "INVALID_OBJECT_HANDLE"},
        {0x34, "INVALID_OBJECT_NEW"},
        {0x36, "INVALID_OBJECT_PARENT"},
        {0x3a, "INVALID_PARAM_STRUCT"},
        {0x40, "INVALID_STATE"},
        {0x51, "NO_MEMORY"},
        {NV_ERR_NOT_READY, "NOT_READY"},
        {NV_ERR_NOT_SUPPORTED, "NOT_SUPPORTED"},
        {0x57, "OBJECT_NOT_FOUND"},
        {0x62, "RESET_REQUIRED"},
        {0x63, "STATE_IN_USE"},
        {0x65, "TIMEOUT"},
        {NV_ERR_TIMEOUT_RETRY, "TIMEOUT_RETRY"},
        {0xffff, "GENERIC"},
        {0xff100001, "RPC: unknown function"},
        {0xff100002, "RPC: invalid message format"},
        {0xff100003, "RPC: handle not found"},
        {0xff100004, "RPC: handle exists"},
        {0xff100005, "RPC: unknown RM error"},
        {0xff100007, "RPC: reserved handle"},
        {0xff100009, "RPC: API control not supported"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (table[i].code == status) {
            return table[i].name;
        }
    }
    return "unknown status";
}
