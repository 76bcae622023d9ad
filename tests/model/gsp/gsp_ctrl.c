/* SPDX-License-Identifier: MIT */
/*
 * RM controls that the model answers: a table of number, parameter size by firmware version, and
 * handler. Everything else is NV_ERR_NOT_SUPPORTED and listed. Sources: rpc.md D2-D4, interrupts.md
 * 4, measured.md 8.4.
 */
#include "tests/model/gsp/gsp_ctrl.h"

#include <stdlib.h>
#include <string.h>

#include "arch/base.h"
#include "arch/text.h"
#include "gsp/hw/regs/regs.h"
#include "gsp_layout.h"
#include "tests/model/blocks/ptimer.h"
#include "tests/model/boards/boards.h"
#include "tests/model/books/coverage.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/strict.h"
#include "tests/model/boot/rom.h"
#include "tests/model/bus/config.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_display.h"
#include "tests/model/gsp/gsp_engine.h"
#include "tests/model/gsp/gsp_sensors.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/gsp/gsp_static.h"
#include "tests/model/gsp/rm_objects.h"
#include "tests/model/gsp/rusd.h"
#include "tests/model/host/engines.h"
#include "tests/model/memory/vram.h"

struct ctrl {
    uint32_t cmd;
    uint32_t (*size)(const struct gsp_layout *l); /* NULL: fixed */
    uint32_t fixed;
    bool internal; /* only for the internal client */
    uint32_t (*run)(struct gpu_model *m, const struct rm_object *o, uint8_t *p, uint32_t len);
};

static uint32_t gsp_get_features(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                 uint32_t len)
{
    const struct gsp_layout *l = m->gsp->l;
    (void)o;
    memset(p, 0, len);
    fw_put(p, len, l->NV2080_CTRL_GSP_GET_FEATURES_PARAMS.gspFeatures, 1);
    fw_put(p, len, l->NV2080_CTRL_GSP_GET_FEATURES_PARAMS.bValid, 1);
    fw_put(p, len, l->NV2080_CTRL_GSP_GET_FEATURES_PARAMS.bDefaultGspRmGpu, 1);
    char *v = fw_bytes(p, len, l->NV2080_CTRL_GSP_GET_FEATURES_PARAMS.firmwareVersion);
    if (v != NULL) {
        snprintf(v, l->NV2080_CTRL_GSP_GET_FEATURES_PARAMS.firmwareVersion.size, "%s", l->version);
    }
    return RM_OK;
}

static uint32_t get_gid_info(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                             uint32_t len)
{
    enum { FORMAT_MASK = 3, FORMAT_BINARY = 2, GID_BYTES = 16 };
    const struct gsp_layout *l = m->gsp->l;
    uint8_t gid[GID_BYTES];
    char text[64];
    (void)o;
    if (fw_get(p, len, l->NV2080_CTRL_GPU_GET_GID_INFO_PARAMS.index) != 0) {
        return RM_INVALID_ARGUMENT;
    }
    uint8_t *data = fw_bytes(p, len, l->NV2080_CTRL_GPU_GET_GID_INFO_PARAMS.data);
    model_rm_gid(m, gid);
    if ((fw_get(p, len, l->NV2080_CTRL_GPU_GET_GID_INFO_PARAMS.flags) & FORMAT_MASK) ==
        FORMAT_BINARY) {
        memcpy(data, gid, sizeof(gid));
        fw_put(p, len, l->NV2080_CTRL_GPU_GET_GID_INFO_PARAMS.length, sizeof(gid));
        return RM_OK;
    }
    struct text t = text_on(text, sizeof(text));
    text_str(&t, "GPU-");
    for (size_t i = 0; i < sizeof(gid); i++) { /* 8-4-4-4-12 */
        text_fmt(&t, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", gid[i]);
    }
    memcpy(data, text, t.used + 1);
    fw_put(p, len, l->NV2080_CTRL_GPU_GET_GID_INFO_PARAMS.length, t.used + 1);
    return RM_OK;
}

/* Lists of {index, data}: count at 0, entries of 8 bytes from 4. */
static uint32_t info_list(struct gpu_model *m, uint8_t *p, uint32_t len,
                          bool (*get)(struct gpu_model *m, uint32_t index, uint32_t *data))
{
    const uint32_t count = get_le32(p);
    if (!range_ok(4, (uint64_t)count * 8, len)) {
        return RM_INVALID_ARGUMENT;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *e = p + 4 + (size_t)i * 8;
        uint32_t data = 0;
        if (!get(m, get_le32(e), &data)) {
            return RM_INVALID_ARGUMENT;
        }
        put_le32(e + 4, data);
    }
    return RM_OK;
}

/* "94.02.4b.00.0b": four bytes are the revision, the fifth the OEM revision. */
static bool bios_info(struct gpu_model *m, uint32_t index, uint32_t *data)
{
    enum { REVISION = 0, OEM_REVISION = 1 };
    uint32_t parts[5] = {0};
    const char *s = m->rom->version;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        char *end;
        parts[i] = (uint32_t)strtoul(s, &end, 16) & 0xff;
        s = *end == '.' ? end + 1 : end;
    }
    *data =
        index == REVISION ? parts[0] << 24 | parts[1] << 16 | parts[2] << 8 | parts[3] : parts[4];
    return index <= OEM_REVISION;
}

static bool fb_info(struct gpu_model *m, uint32_t index, uint32_t *data)
{
    const uint32_t kib = (uint32_t)(m->vram->size >> 10);
    switch (index) {
    case 0x05:
        *data = m->board->bar1_mib << 10;
        return true;
    case 0x07: /* RAM_SIZE, TOTAL_RAM_SIZE, USABLE_RAM_SIZE */
    case 0x08:
    case 0x20:
        *data = kib;
        return true;
    case 0x0b:
        *data = m->board->bus_width;
        return true;
    case 0x0d:
        *data = m->board->ram_type;
        return true;
    case 0x1b:
        *data = m->board->l2_bytes;
        return true;
    case 0x1c:
        *data = 1;
        return true; /* memory vendor */
    case 0x22:
        *data = (uint32_t)__builtin_popcount(m->board->fbp_mask) * 2;
        return true; /* LTCs */
    default:
        return false;
    }
}

static bool bus_info(struct gpu_model *m, uint32_t index, uint32_t *data)
{
    const uint32_t link_cap = model_config_read(m, m->cfg->pcie + 12u, 4);
    const uint32_t link = model_config_read(m, m->cfg->pcie + 16u, 4);
    const uint32_t gen = link_cap & 0xf, now = link >> 16 & 0xf;
    switch (index) {
    case 0x03:
        *data = (link_cap & 0x3ff) | gen << 12 | now << 16 | gen << 20;
        return true;
    case 0x07:
        *data = link;
        return true;
    case 0x11:
    case 0x15:
        *data = 0;
        return true; /* no errors */
    case 0x2d:
        *data = (gen - 1) << 12 | (now - 1) << 16 | (gen - 1) << 20;
        return true;
    default:
        return false;
    }
}

static uint32_t bios_get_info(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                              uint32_t len)
{
    (void)o;
    return info_list(m, p, len, bios_info);
}
static uint32_t fb_get_info(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                            uint32_t len)
{
    (void)o;
    return info_list(m, p, len, fb_info);
}
static uint32_t bus_get_info(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                             uint32_t len)
{
    (void)o;
    return info_list(m, p, len, bus_info);
}

static uint32_t set_notification(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                 uint32_t len)
{
    enum { ACTION_MAX = 2 };
    const struct gsp_layout *l = m->gsp->l;
    const uint32_t event =
        (uint32_t)fw_get(p, len, l->NV2080_CTRL_EVENT_SET_NOTIFICATION_PARAMS.event);
    const uint32_t action =
        (uint32_t)fw_get(p, len, l->NV2080_CTRL_EVENT_SET_NOTIFICATION_PARAMS.action);
    if (action > ACTION_MAX) {
        return RM_INVALID_ARGUMENT;
    }
    bool found = false;
    for (size_t i = 0; i < m->gsp->object_count; i++) {
        struct rm_object *e = &m->gsp->objects[i];
        if (e->client == o->client && e->parent == o->handle && e->notify == event &&
            (e->cls == 0x7e || e->cls == 0x5)) {
            e->action = action;
            found = true;
        }
    }
    return found ? RM_OK : RM_OBJECT_NOT_FOUND;
}

static uint32_t name_string(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                            uint32_t len)
{
    (void)o;
    if (get_le32(p) != 0) {
        return RM_INVALID_ARGUMENT; /* UTF-16 is in the static info */
    }
    memset(p + 4, 0, len - 4);
    snprintf((char *)p + 4, 64, "%s", m->title);
    return RM_OK;
}

static uint32_t arch_info(struct gpu_model *m, const struct rm_object *o, uint8_t *p, uint32_t len)
{
    const struct NV_PMC_BOOT_42 b = {m->chip->boot42};
    (void)o;
    memset(p, 0, len);
    put_le32(p, NV_PMC_BOOT_42__ARCHITECTURE(b) << 4);
    put_le32(p + 4, NV_PMC_BOOT_42__IMPLEMENTATION(b));
    put_le32(p + 8, 0xa1);
    return RM_OK;
}

static uint32_t pci_info(struct gpu_model *m, const struct rm_object *o, uint8_t *p, uint32_t len)
{
    (void)o;
    (void)len;
    put_le32(p, model_config_read(m, 0, 4));
    put_le32(p + 4, model_config_read(m, 0x2c, 4));
    put_le32(p + 8, model_config_read(m, 8, 1));
    put_le32(p + 12, model_config_read(m, 2, 2));
    return RM_OK;
}

static uint32_t gpc_info(struct gpu_model *m, const struct rm_object *o, uint8_t *p, uint32_t len)
{
    (void)o;
    (void)len;
    put_le32(p, m->board->gpc_mask);
    return RM_OK;
}

static uint32_t tpc_info(struct gpu_model *m, const struct rm_object *o, uint8_t *p, uint32_t len)
{
    (void)o;
    (void)len;
    const uint32_t gpc = get_le32(p);
    if (gpc >= 32 || (m->board->gpc_mask & 1u << gpc) == 0) {
        return RM_INVALID_ARGUMENT;
    }
    put_le32(p + 4, m->board->tpc_mask);
    return RM_OK;
}

static uint32_t get_time(struct gpu_model *m, const struct rm_object *o, uint8_t *p, uint32_t len)
{
    (void)o;
    (void)len;
    put_le64(p, model_ptimer_now(m) & ~0x1full);
    return RM_OK;
}

static uint32_t fault_buffer_size(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                  uint32_t len)
{
    (void)m;
    (void)o;
    (void)len;
    put_le32(p, 0x5000); /* GA106 */
    return RM_OK;
}

/* A table with no entries is a correct answer of a GPU whose engines the model does not have. */
static uint32_t empty_table(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                            uint32_t len)
{
    (void)m;
    (void)o;
    memset(p, 0, len);
    return RM_OK;
}

/* Off on the families that have MIG. Words: OGKM ctrl2080internal.h; that every other chip says
 * "unsupported" is a guess. */
static uint32_t smc_mode(struct gpu_model *m, const struct rm_object *o, uint8_t *p, uint32_t len)
{
    enum { SMC_UNSUPPORTED = 0, SMC_DISABLED = 2 };
    const struct fault *f = model_fault_get(m, FAULT_MIG_MODE);
    const bool has = (m->chip->family & (F_GA100 | F_GH100 | F_GB10X)) != 0;
    (void)o;
    (void)len;
    put_le32(p, f != NULL ? f->value : has ? SMC_DISABLED : SMC_UNSUPPORTED);
    return RM_OK;
}

#define SIZE_OF(fn, type)                                                                          \
    static uint32_t fn(const struct gsp_layout *l) { return l->type.total; }
SIZE_OF(size_features, NV2080_CTRL_GSP_GET_FEATURES_PARAMS)
SIZE_OF(size_gid, NV2080_CTRL_GPU_GET_GID_INFO_PARAMS)
SIZE_OF(size_bios, NV2080_CTRL_BIOS_GET_INFO_V2_PARAMS)
SIZE_OF(size_fb, NV2080_CTRL_FB_GET_INFO_V2_PARAMS)
SIZE_OF(size_bus, NV2080_CTRL_BUS_GET_INFO_V2_PARAMS)
SIZE_OF(size_intr, NV2080_CTRL_INTERNAL_INTR_GET_KERNEL_TABLE_PARAMS)
SIZE_OF(size_notify, NV2080_CTRL_EVENT_SET_NOTIFICATION_PARAMS)
SIZE_OF(size_ecc, NV2080_CTRL_ECC_GET_CLIENT_EXPOSED_COUNTERS_PARAMS)
SIZE_OF(size_devices, NV2080_CTRL_FIFO_GET_DEVICE_INFO_TABLE_PARAMS)
SIZE_OF(size_memsys, NV2080_CTRL_INTERNAL_MEMSYS_GET_STATIC_CONFIG_PARAMS)
SIZE_OF(size_buffers, NV2080_CTRL_INTERNAL_STATIC_KGR_GET_CONTEXT_BUFFERS_INFO_PARAMS)
SIZE_OF(size_promote, NV2080_CTRL_GPU_PROMOTE_CTX_PARAMS)
SIZE_OF(size_set_pd, NV0080_CTRL_DMA_SET_PAGE_DIRECTORY_PARAMS)
SIZE_OF(size_unset_pd, NV0080_CTRL_DMA_UNSET_PAGE_DIRECTORY_PARAMS)
SIZE_OF(size_disp_info, NV2080_CTRL_INTERNAL_DISPLAY_GET_STATIC_INFO_PARAMS)
SIZE_OF(size_heads, NV0073_CTRL_SYSTEM_GET_NUM_HEADS_PARAMS)
SIZE_OF(size_supported, NV0073_CTRL_SYSTEM_GET_SUPPORTED_PARAMS)
SIZE_OF(size_rusd_init, NV2080_CTRL_INTERNAL_INIT_USER_SHARED_DATA_PARAMS)
SIZE_OF(size_rusd_poll, NV2080_CTRL_INTERNAL_USER_SHARED_DATA_SET_DATA_POLL_PARAMS)
SIZE_OF(size_thermal, NV2080_CTRL_THERMAL_SYSTEM_EXECUTE_V2_PARAMS)
SIZE_OF(size_pstate, NV2080_CTRL_PERF_GET_CURRENT_PSTATE_PARAMS)
SIZE_OF(size_pex, NV2080_CTRL_BUS_GET_PEX_COUNTERS_PARAMS)
SIZE_OF(size_pex_bytes, NV2080_CTRL_BUS_GET_PEX_UTIL_COUNTERS_PARAMS)
SIZE_OF(size_ecc_volatile, NV2080_CTRL_ECC_GET_VOLATILE_COUNTS_PARAMS)
SIZE_OF(size_rows, NV2080_CTRL_FB_GET_REMAPPED_ROWS_PARAMS)
SIZE_OF(size_histogram, NV2080_CTRL_FB_GET_ROW_REMAPPER_HISTOGRAM_PARAMS)
SIZE_OF(size_smc, NV2080_CTRL_INTERNAL_GPU_GET_SMC_MODE_PARAMS)
SIZE_OF(size_reserved, NV90F1_CTRL_VASPACE_COPY_SERVER_RESERVED_PDES_PARAMS)

static const struct ctrl controls[] = {
    {0x00730102, size_heads, 0, false, model_ctrl_disp_num_heads},
    {0x00730107, size_supported, 0, false, model_ctrl_disp_supported}, /* r570 */
    {0x00730120, size_supported, 0, false, model_ctrl_disp_supported}, /* r535 */
    {0x00730287, NULL, 8, false, model_ctrl_disp_head_mask},
    {0x00731365, NULL, 4, false, model_ctrl_disp_manual_dp},
    {0x20800a01, size_disp_info, 0, true, model_ctrl_disp_static_info},
    {0x20800a49, NULL, 24, true, model_ctrl_disp_inst_mem},
    {0x20800ac6, NULL, 4104, true, model_ctrl_disp_backlight},
    {0x00801813, size_set_pd, 0, false, model_ctrl_set_page_directory},
    {0x00801814, size_unset_pd, 0, false, model_ctrl_unset_page_directory},
    {0x2080012b, size_promote, 0, false, model_ctrl_promote_ctx},
    {0x20800a1c, size_memsys, 0, true, model_ctrl_memsys_config},
    {0x20800a32, size_buffers, 0, true, model_ctrl_context_buffers},
    {0x90f10106, size_reserved, 0, false, model_ctrl_reserved_pdes},
    {0xa06f0103, NULL, 2, false, model_ctrl_schedule},
    {0xa06f0104, NULL, 4, false, model_ctrl_bind},
    {0xc36f0108, NULL, 4, false, model_ctrl_work_token},
    {0x20800110, NULL, 132, false, name_string},
    {0x20800137, NULL, 4, false, gpc_info},
    {0x20800138, NULL, 8, false, tpc_info},
    {0x2080014a, size_gid, 0, false, get_gid_info},
    {0x208001b0, NULL, 1284, false, empty_table}, /* constructed falcons, r570 */
    {0x20800301, size_notify, 0, false, set_notification},
    {0x20800403, NULL, 8, false, get_time},
    {0x20800810, size_bios, 0, false, bios_get_info},
    {0x20800a42, NULL, 1284, true, empty_table}, /* constructed falcons, r535 */
    {0x20800a4c, size_smc, 0, true, smc_mode},
    {0x20800a5c, size_intr, 0, true, model_ctrl_intr_table},
    {0x20800afe, size_rusd_init, 0, false, model_ctrl_rusd_init},
    {0x20800aff, size_rusd_poll, 0, false, model_ctrl_rusd_poll},
    {0x20801112, size_devices, 0, false, model_ctrl_device_info},
    {0x20801206, NULL, 40, false, empty_table}, /* zcull, r570 */
    {0x20801303, size_fb, 0, false, fb_get_info},
    {0x20801344, size_rows, 0, false, model_ctrl_remapped_rows},
    {0x20801347, size_histogram, 0, false, model_ctrl_row_histogram},
    {0x20801701, NULL, 16, false, arch_info},
    {0x20801801, NULL, 16, false, pci_info},
    {0x20801813, size_pex, 0, false, model_ctrl_pex_counters},
    {0x20801819, size_pex_bytes, 0, false, model_ctrl_pex_bytes},
    {0x20801823, size_bus, 0, false, bus_get_info},
    {0x20802068, size_pstate, 0, false, model_ctrl_pstate_570},
    {0x20802a08, NULL, 4, false, fault_buffer_size},
    {0x20803400, size_ecc, 0, false, model_ctrl_ecc_counters},
    {0x20803401, size_ecc_volatile, 0, false, model_ctrl_ecc_volatile},
    {0x20803601, size_features, 0, false, gsp_get_features},
    {0x20808513, size_thermal, 0, false, model_ctrl_thermal},
    {0x2080a068, size_pstate, 0, false, model_ctrl_pstate},
};

/* Channels of every class answer the controls of these older ones. */
static bool channel_control(uint32_t cls)
{
    return cls == 0xa06f || cls == 0xc36f || cls == 0x906f;
}

uint32_t model_rm_control(struct gpu_model *m, const struct rm_object *o, uint32_t cmd,
                          uint8_t *params, uint32_t size)
{
    enum { CLASS_SHIFT = 16 };
    for (size_t i = 0; i < ARRAY_SIZE(controls); i++) {
        const struct ctrl *c = &controls[i];
        if (c->cmd != cmd) {
            continue;
        }
        const uint32_t want = c->size != NULL ? c->size(m->gsp->l) : c->fixed;
        if (c->internal && o->client != RM_INTERNAL_CLIENT) {
            return RM_NO_PERMISSION;
        }
        if (o->cls != cmd >> CLASS_SHIFT && !(channel_control(cmd >> CLASS_SHIFT) &&
                                              model_class_kind(m, o->cls) == CLASS_CHANNEL)) {
            return RM_INVALID_ARGUMENT;
        }
        if (want == 0) {
            break; /* this firmware does not have it */
        }
        if (size != want) {
            model_rule_broken(m, RULE_RM_PARAMS_SIZE, "control 0x%08x: paramsSize %u, %s has %u",
                              cmd, size, m->gsp->l->version, want);
            return RM_INVALID_PARAMS;
        }
        return c->run(m, o, params, size);
    }
    model_report_refused(m, REFUSED_CONTROL, cmd);
    return RM_NOT_SUPPORTED;
}
