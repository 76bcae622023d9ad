/* SPDX-License-Identifier: MIT */
/* What the GSP tells about the GPU (static_info.h). */
#include "gsp/rm/static_info.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/log.h"
#include "gsp/gpu.h"
#include "gsp/rm/rm.h"
#include "gsp/rpc/status.h"

#define STATIC_INFO_TIMEOUT_US    (5 * US_PER_S)
#define GID_BYTES                 16u /* of a binary UUID */
#define CMD_INTR_GET_KERNEL_TABLE 0x20800a5cu
#define INTR_TIMEOUT_US           (5 * US_PER_S)
#define VECTOR_NONE               0xffffffffu

/* Text of a fixed field: ends at its first NUL, printable. FL_EPROTO without a NUL. */
static enum fl_err take_text(char *out, size_t room, const uint8_t *info, uint32_t size,
                             struct fw_field f, const char *what, struct fl_fail *fail)
{
    const char *text = fw_has(f) && range_ok(f.off, f.size, size) ? (const char *)info + f.off : "";
    const size_t max = fw_has(f) ? f.size : 1;
    size_t n = 0;

    while (n < max && text[n] != '\0') {
        n++;
    }
    if (n == max || n >= room) {
        return FL_FAIL(fail, FL_EPROTO, what,
                       "the %s in the static info does not end within %u bytes", what,
                       (unsigned)max);
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '.';
    }
    out[n] = '\0';
    return FL_OK;
}

static void take_uuid(struct gsp_gpu *g, const uint8_t *info, uint32_t size)
{
    const struct gsp_layout *l = g->layout;
    const uint32_t length = (uint32_t)fw_get(info, size, l->GspStaticConfigInfo.gidInfo_length);
    const struct fw_field f = l->GspStaticConfigInfo.gidInfo_data;
    const uint8_t *d = info + f.off;
    uint8_t any = 0;

    g->uuid[0] = '\0';
    if (!range_ok(f.off, f.size, size) || length > f.size || length < GID_BYTES) {
        return;
    }
    if (memcmp(d, "GPU-", 4) == 0) { /* ready-made text */
        size_t n = 0;
        while (n < length && n < sizeof(g->uuid) - 1 && d[n] > ' ' && d[n] <= '~') {
            g->uuid[n] = (char)d[n];
            n++;
        }
        g->uuid[n] = '\0';
        return;
    }
    for (uint32_t i = 0; i < GID_BYTES; i++) {
        any |= d[i];
    }
    if (any != 0) {
        snprintf(g->uuid, sizeof(g->uuid),
                 "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", d[0],
                 d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], d[10], d[11], d[12], d[13],
                 d[14], d[15]);
    }
}

/* Regions are inside VRAM, ascending and do not overlap: later code builds an allocator on them. */
static enum fl_err take_regions(struct gsp_gpu *g, const uint8_t *info, uint32_t size,
                                struct fl_fail *fail)
{
    const struct gsp_layout *l = g->layout;
    const uint32_t count =
        (uint32_t)fw_get(info, size, l->GspStaticConfigInfo.fbRegionInfoParams_numFBRegions);
    uint64_t next = 0;

    if (count == 0 || count > GSP_MAX_FB_REGIONS) {
        return FL_FAIL(fail, FL_EPROTO, "memory regions",
                       "the GSP names %u memory regions, expected 1 to %u", (unsigned)count,
                       GSP_MAX_FB_REGIONS);
    }
    for (uint32_t i = 0; i < count; i++) {
        struct gsp_fb_region r = {
            .base =
                fw_get_at(info, size, l->GspStaticConfigInfo.fbRegionInfoParams_fbRegion_base, i),
            .limit =
                fw_get_at(info, size, l->GspStaticConfigInfo.fbRegionInfoParams_fbRegion_limit, i),
            .reserved = fw_get_at(info, size,
                                  l->GspStaticConfigInfo.fbRegionInfoParams_fbRegion_reserved, i),
            .performance = (uint32_t)fw_get_at(
                info, size, l->GspStaticConfigInfo.fbRegionInfoParams_fbRegion_performance, i),
            .compressed =
                fw_get_at(info, size,
                          l->GspStaticConfigInfo.fbRegionInfoParams_fbRegion_supportCompressed,
                          i) != 0,
            .iso = fw_get_at(info, size,
                             l->GspStaticConfigInfo.fbRegionInfoParams_fbRegion_supportISO, i) != 0,
            .is_protected =
                fw_get_at(info, size, l->GspStaticConfigInfo.fbRegionInfoParams_fbRegion_bProtected,
                          i) != 0,
        };
        if (r.base < next || r.limit < r.base || r.limit >= g->fb.fb_bytes ||
            r.reserved > r.limit - r.base + 1) {
            return FL_FAIL(fail, FL_EPROTO, "memory regions",
                           "region %u is 0x%llx to 0x%llx with 0x%llx reserved; expected from "
                           "0x%llx on and below 0x%llx",
                           (unsigned)i, (unsigned long long)r.base, (unsigned long long)r.limit,
                           (unsigned long long)r.reserved, (unsigned long long)next,
                           (unsigned long long)g->fb.fb_bytes);
        }
        next = r.limit + 1;
        g->fb_region[i] = r;
    }
    g->fb_region_count = count;
    return FL_OK;
}

/* Path B: where the firmware has put what we gave it only the sizes of. */
static enum fl_err take_places(struct gsp_gpu *g, const uint8_t *info, uint32_t size,
                               struct fl_fail *fail)
{
    const struct gsp_layout *l = g->layout;
    const uint64_t heap =
        fw_get(info, size, l->GspStaticConfigInfo.fwWprLayoutOffset_nonWprHeapOffset);
    const uint64_t frts = fw_get(info, size, l->GspStaticConfigInfo.fwWprLayoutOffset_frtsOffset);

    if (!range_ok(heap, g->fb.non_wpr_bytes, g->fb.fb_bytes) ||
        !range_ok(frts, g->fb.frts_bytes, g->fb.fb_bytes)) {
        return FL_FAIL(fail, FL_EPROTO, "WPR layout",
                       "the GSP puts its heap at 0x%llx and FRTS at 0x%llx; expected below 0x%llx",
                       (unsigned long long)heap, (unsigned long long)frts,
                       (unsigned long long)g->fb.fb_bytes);
    }
    g->fb.non_wpr_start = heap;
    g->fb.frts_start = frts;
    return FL_OK;
}

enum fl_err gsp_static_info_take(struct gsp_gpu *g, const void *data, uint32_t size,
                                 struct fl_fail *fail)
{
    const struct gsp_layout *l = g->layout;
    const uint8_t *info = data;
    enum fl_err err;

    err = take_text(g->name, sizeof(g->name), info, size, l->GspStaticConfigInfo.gpuNameString,
                    "GPU name", fail);
    if (err == FL_OK) {
        err = take_text(g->short_name, sizeof(g->short_name), info, size,
                        l->GspStaticConfigInfo.gpuShortNameString, "short GPU name", fail);
    }
    if (err == FL_OK) {
        err = take_regions(g, info, size, fail);
    }
    if (err == FL_OK && (g->hw.family->parts & GSP_PART_FSP) != 0) {
        err = take_places(g, info, size, fail);
    }
    if (err != FL_OK) {
        return err;
    }
    take_uuid(g, info, size);
    g->fb_length = fw_get(info, size, l->GspStaticConfigInfo.fb_length);
    g->fb_bus_width = (uint32_t)fw_get(info, size, l->GspStaticConfigInfo.fb_bus_width);
    g->fb_ram_type = (uint32_t)fw_get(info, size, l->GspStaticConfigInfo.fb_ram_type);
    g->bar1_root = fw_get(info, size, l->GspStaticConfigInfo.bar1PdeBase);
    g->internal_client = (uint32_t)fw_get(info, size, l->GspStaticConfigInfo.hInternalClient);
    g->internal_device = (uint32_t)fw_get(info, size, l->GspStaticConfigInfo.hInternalDevice);
    g->internal_subdevice = (uint32_t)fw_get(info, size, l->GspStaticConfigInfo.hInternalSubdevice);
    log_info(g->hw.label, "%s (%s), %s, %u memory regions",
             g->name[0] != '\0' ? g->name : "unnamed GPU", g->short_name,
             g->uuid[0] != '\0' ? g->uuid : "no UUID", (unsigned)g->fb_region_count);
    return FL_OK;
}

enum fl_err gsp_static_info_get(struct gsp_gpu *g, struct fl_fail *fail)
{
    const uint32_t size = g->layout->GspStaticConfigInfo.total;
    uint8_t *info = calloc(1, size);

    if (info == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, "static info", "no memory for %u bytes", (unsigned)size);
    }
    enum fl_err err =
        gsp_rpc_call(&g->rpc, &gsp_rpc_GET_GSP_STATIC_INFO, &(struct gsp_payload){info, size},
                     STATIC_INFO_TIMEOUT_US, NULL, fail);
    if (err == FL_OK) {
        err = gsp_static_info_take(g, info, size, fail);
    }
    free(info);
    return err;
}

enum fl_err gsp_static_info_vector(struct gsp_gpu *g, uint32_t *vector, struct fl_fail *fail)
{
    const struct gsp_layout *l = g->layout;
    const uint32_t size = l->NV2080_CTRL_INTERNAL_INTR_GET_KERNEL_TABLE_PARAMS.total;
    const uint32_t index = g->version->gsp_engine_index;
    uint32_t status = 0;
    uint8_t *p = calloc(1, size);

    if (p == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, "interrupt table", "no memory for %u bytes",
                       (unsigned)size);
    }
    enum fl_err err =
        gsp_rm_control_on(g, g->internal_client, g->internal_subdevice, CMD_INTR_GET_KERNEL_TABLE,
                          p, size, INTR_TIMEOUT_US, &status, fail);
    if (err == FL_OK && status != NV_OK) {
        FL_FAIL_MORE(fail, FL_EIO, "interrupt table", (FL_SAW(status, NV_OK, 0)),
                     "the GSP refuses its interrupt table: 0x%x (%s)", (unsigned)status,
                     gsp_status_name(status));
        err = FL_EIO;
    }
    if (err == FL_OK) {
        const uint32_t max = l->NV2080_CTRL_INTERNAL_INTR_GET_KERNEL_TABLE_PARAMS.table.count;
        uint32_t count = (uint32_t)fw_get(
            p, size, l->NV2080_CTRL_INTERNAL_INTR_GET_KERNEL_TABLE_PARAMS.tableLen);
        bool found = false;
        if (count > max) {
            err = FL_FAIL(fail, FL_EPROTO, "interrupt table",
                          "the interrupt table has %u entries, at most %u fit", (unsigned)count,
                          (unsigned)max);
            count = 0;
        }
        for (uint32_t i = 0; i < count && !found; i++) {
            if (fw_get_at(p, size,
                          l->NV2080_CTRL_INTERNAL_INTR_GET_KERNEL_TABLE_PARAMS.table_engineIdx,
                          i) == index) {
                *vector = (uint32_t)fw_get_at(
                    p, size, l->NV2080_CTRL_INTERNAL_INTR_GET_KERNEL_TABLE_PARAMS.table_vectorStall,
                    i);
                found = *vector != VECTOR_NONE;
            }
        }
        if (err == FL_OK && !found) {
            err = FL_FAIL(fail, FL_EPROTO, "interrupt table",
                          "no vector for the GSP (engine %u) among %u entries", (unsigned)index,
                          (unsigned)count);
        } else if (err == FL_OK && *vector >= g->hw.family->intr_leaves * 32) {
            err = FL_FAIL(fail, FL_EPROTO, "interrupt table",
                          "the GSP's vector is %u; this family has %u", (unsigned)*vector,
                          (unsigned)(g->hw.family->intr_leaves * 32));
        }
    }
    free(p);
    return err;
}
