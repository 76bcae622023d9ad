/* SPDX-License-Identifier: MIT */
/* The board, as the resource manager knows it (board.h). */
#include "gsp/rm/board.h"

#include <stdio.h>

#include "arch/log.h"
#include "gsp/gpu.h"
#include "gsp/rm/rm.h"

#define CMD_BIOS_GET_INFO_V2 0x20800810u
#define BIOS_TIMEOUT_US      US_PER_S
#define BIOS_PARAMS_MAX      128u
enum { BIOS_REVISION = 0, BIOS_OEM_REVISION = 1, BIOS_ASKED = 2 }; /* indices of its list */

void gsp_rm_ask_vbios(struct gsp_gpu *g)
{
    uint8_t p[BIOS_PARAMS_MAX] = {0};
    uint32_t status = 0;
    struct fl_fail why = {0};
    const struct gsp_layout *l = g->layout;
    const uint32_t size = l->NV2080_CTRL_BIOS_GET_INFO_V2_PARAMS.total;

    if (g->vbios_version[0] != '\0' || size == 0 || size > sizeof(p)) {
        return;
    }
    fw_put(p, size, l->NV2080_CTRL_BIOS_GET_INFO_V2_PARAMS.biosInfoListSize, BIOS_ASKED);
    for (uint32_t i = 0; i < BIOS_ASKED; i++) {
        fw_put_at(p, size, l->NV2080_CTRL_BIOS_GET_INFO_V2_PARAMS.biosInfoList_index, i, i);
    }
    if (gsp_rm_control_on(g, GSP_OBJECT_CLIENT, GSP_OBJECT_SUBDEVICE, CMD_BIOS_GET_INFO_V2, p, size,
                          BIOS_TIMEOUT_US, &status, &why) != FL_OK ||
        status != 0) {
        log_debug(g->hw.label, "the version of the VBIOS is not told: status 0x%x %s",
                  (unsigned)status, why.text);
        return;
    }
    const uint32_t revision = (uint32_t)fw_get_at(
        p, size, l->NV2080_CTRL_BIOS_GET_INFO_V2_PARAMS.biosInfoList_data, BIOS_REVISION);
    const uint32_t oem = (uint32_t)fw_get_at(
        p, size, l->NV2080_CTRL_BIOS_GET_INFO_V2_PARAMS.biosInfoList_data, BIOS_OEM_REVISION);
    if (revision != 0) {
        snprintf(g->vbios_version, sizeof(g->vbios_version), "%02x.%02x.%02x.%02x.%02x",
                 (unsigned)(revision >> 24), (unsigned)(revision >> 16 & 0xff),
                 (unsigned)(revision >> 8 & 0xff), (unsigned)(revision & 0xff),
                 (unsigned)(oem & 0xff));
    }
}
