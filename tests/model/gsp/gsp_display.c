/* SPDX-License-Identifier: MIT */
/*
 * The display as the GSP shows it: an engine with heads and windows, and a board without any
 * output. A driver finds nothing that could be connected and makes no display channel; what only
 * channels and outputs need is refused like any control that is not known. Sources: channels.md 16
 * (D1..D13), measured.md 8.4 (static info of a GA106).
 */
#include "tests/model/gsp/gsp_display.h"

#include <string.h>

#include "arch/base.h"
#include "gsp_layout.h"
#include "tests/model/boards/boards.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/gsp/rm_objects.h"
#include "tests/model/memory/vram.h"
#include "tests/model/memory/wpr2.h"

enum { HEADS = 4, HEAD_MASK = (1 << HEADS) - 1, WINDOW_MASK = 0xff, SYS_CAP = 0x0f0f };

/* Memory for the hash table that display channels look handles up in: there are none, so it is only
 * looked at. */
uint32_t model_ctrl_disp_inst_mem(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                  uint32_t len)
{
    enum { BASE = 0, SIZE = 8, SPACE = 16, SPACE_FB = 2, ALIGN = 0x10000 };
    const uint64_t base = get_le64(p + BASE), size = get_le64(p + SIZE);
    (void)o;
    (void)len;
    if (!m->board->display) {
        return RM_NOT_SUPPORTED;
    }
    if (get_le32(p + SPACE) != SPACE_FB || size == 0 || !is_aligned_u64(base, ALIGN) ||
        !range_ok(base, size, m->wpr2->reserved != 0 ? m->wpr2->reserved : m->vram->size)) {
        return RM_INVALID_ARGUMENT;
    }
    return RM_OK;
}

uint32_t model_ctrl_disp_static_info(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                     uint32_t len)
{
    const struct gsp_layout *l = m->gsp->l;
    (void)o;
    if (!m->board->display) {
        return RM_NOT_SUPPORTED;
    }
    memset(p, 0, len);
    fw_put(p, len, l->NV2080_CTRL_INTERNAL_DISPLAY_GET_STATIC_INFO_PARAMS.feHwSysCap, SYS_CAP);
    fw_put(p, len, l->NV2080_CTRL_INTERNAL_DISPLAY_GET_STATIC_INFO_PARAMS.windowPresentMask,
           WINDOW_MASK);
    if (fw_has(l->NV2080_CTRL_INTERNAL_DISPLAY_GET_STATIC_INFO_PARAMS.numHeads)) {
        fw_put(p, len, l->NV2080_CTRL_INTERNAL_DISPLAY_GET_STATIC_INFO_PARAMS.numHeads, HEADS);
    }
    return RM_OK;
}

/* What the machine's ACPI says about a panel's backlight; there is no panel. */
uint32_t model_ctrl_disp_backlight(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                   uint32_t len)
{
    enum { BYTES_USED = 4, DATA = 6, DATA_MAX = 4096 };
    (void)o;
    (void)len;
    if (!m->board->display) {
        return RM_NOT_SUPPORTED;
    }
    return get_le16(p + BYTES_USED) <= DATA_MAX ? RM_OK : RM_INVALID_ARGUMENT;
}

static bool first_subdevice(const uint8_t *p) { return get_le32(p) == 0; }

/* From now on the driver trains DisplayPort links itself; there is none. */
uint32_t model_ctrl_disp_manual_dp(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                   uint32_t len)
{
    (void)m;
    (void)o;
    (void)len;
    return first_subdevice(p) ? RM_OK : RM_INVALID_ARGUMENT;
}

uint32_t model_ctrl_disp_num_heads(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                   uint32_t len)
{
    (void)o;
    if (!first_subdevice(p)) {
        return RM_INVALID_ARGUMENT;
    }
    fw_put(p, len, m->gsp->l->NV0073_CTRL_SYSTEM_GET_NUM_HEADS_PARAMS.numHeads, HEADS);
    return RM_OK;
}

uint32_t model_ctrl_disp_head_mask(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                   uint32_t len)
{
    (void)m;
    (void)o;
    (void)len;
    if (!first_subdevice(p)) {
        return RM_INVALID_ARGUMENT;
    }
    put_le32(p + 4, HEAD_MASK);
    return RM_OK;
}

uint32_t model_ctrl_disp_supported(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                   uint32_t len)
{
    (void)o;
    if (!first_subdevice(p)) {
        return RM_INVALID_ARGUMENT;
    }
    fw_put(p, len, m->gsp->l->NV0073_CTRL_SYSTEM_GET_SUPPORTED_PARAMS.displayMask, 0);
    fw_put(p, len, m->gsp->l->NV0073_CTRL_SYSTEM_GET_SUPPORTED_PARAMS.displayMaskDDC, 0);
    return RM_OK;
}
