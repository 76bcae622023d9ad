/* SPDX-License-Identifier: MIT */
/* RM's side of an address space (vaspace.h). */
#include "gsp/vram/vaspace.h"

#include "arch/log.h"
#include "gsp/gpu.h"
#include "gsp/rm/rm.h"
#include "gsp/rpc/status.h"

#define FERMI_VASPACE_A          0x90f1u
#define FLAG_IS_EXTERNALLY_OWNED (1u << 3)
#define CMD_SET_PAGE_DIRECTORY   0x801813u
#define CMD_UNSET_PAGE_DIRECTORY 0x801814u
#define HANDLE_FIRST             0x90f10000u
#define PARAMS_MAX               64u
#define ROOT_ENTRIES_V2          4u
#define ROOT_ENTRIES_V3          2u
#define CALL_US                  (5 * US_PER_S)

static enum fl_err judge(enum fl_err err, uint32_t status, const char *what, struct fl_fail *fail)
{
    if (err == FL_OK && status != NV_OK) {
        return FL_FAIL_MORE(fail, FL_EIO, "GPU address space", (FL_SAW(status, NV_OK, 0)),
                            "%s is refused: 0x%x (%s)", what, (unsigned)status,
                            gsp_status_name(status));
    }
    return err;
}

static enum fl_err make_object(struct gsp_gpu *g, uint32_t handle, struct fl_fail *fail)
{
    const struct gsp_layout *l = g->layout;
    const uint32_t size = l->NV_VASPACE_ALLOCATION_PARAMETERS.total;
    uint8_t p[PARAMS_MAX] = {0};
    uint32_t status = NV_OK;

    if (size > sizeof(p)) {
        return FL_FAIL(fail, FL_ENOTSUP, "GPU address space",
                       "NV_VASPACE_ALLOCATION_PARAMETERS of this firmware has %u bytes",
                       (unsigned)size);
    }
    fw_put(p, size, l->NV_VASPACE_ALLOCATION_PARAMETERS.flags, FLAG_IS_EXTERNALLY_OWNED);
    const enum fl_err err = gsp_rm_alloc_on(g, GSP_OBJECT_CLIENT, GSP_OBJECT_DEVICE, handle,
                                            FERMI_VASPACE_A, p, size, CALL_US, &status, fail);
    return judge(err, status, "FERMI_VASPACE_A", fail);
}

static enum fl_err set_directory(struct gsp_gpu *g, uint32_t handle, const struct gpu_tables *t,
                                 struct fl_fail *fail)
{
    const struct gsp_layout *l = g->layout;
    const uint32_t size = l->NV0080_CTRL_DMA_SET_PAGE_DIRECTORY_PARAMS.total;
    const bool v3 = (g->hw.family->parts & GSP_PART_FSP) != 0;
    uint8_t p[PARAMS_MAX] = {0};
    uint32_t status = NV_OK;

    if (size > sizeof(p)) {
        return FL_FAIL(fail, FL_ENOTSUP, "GPU address space",
                       "NV0080_CTRL_DMA_SET_PAGE_DIRECTORY_PARAMS of this firmware has %u bytes",
                       (unsigned)size);
    }
#define PUT(field, value) fw_put(p, size, l->NV0080_CTRL_DMA_SET_PAGE_DIRECTORY_PARAMS.field, value)
    PUT(physAddress, gpu_tables_root(t));
    PUT(numEntries, v3 ? ROOT_ENTRIES_V3 : ROOT_ENTRIES_V2);
    PUT(hVASpace, handle);
#undef PUT
    const enum fl_err err =
        gsp_rm_control_on(g, GSP_OBJECT_CLIENT, GSP_OBJECT_DEVICE, CMD_SET_PAGE_DIRECTORY, p, size,
                          CALL_US, &status, fail);
    return judge(err, status, "SET_PAGE_DIRECTORY", fail);
}

enum fl_err vaspace_tell(struct gsp_gpu *g, uint32_t number, const struct gpu_tables *t,
                         struct fl_fail *fail)
{
    const uint32_t handle = HANDLE_FIRST + number;
    enum fl_err err = make_object(g, handle, fail);

    if (err != FL_OK) {
        return err;
    }
    err = set_directory(g, handle, t, fail);
    if (err != FL_OK) {
        uint32_t status;
        struct fl_fail ignored = {0};
        (void)!gsp_rm_free_on(g, GSP_OBJECT_CLIENT, handle, CALL_US, &status, &ignored);
    }
    return err;
}

void vaspace_forget(struct gsp_gpu *g, uint32_t number)
{
    const struct gsp_layout *l = g->layout;
    const uint32_t handle = HANDLE_FIRST + number;
    const uint32_t size = l->NV0080_CTRL_DMA_UNSET_PAGE_DIRECTORY_PARAMS.total;
    uint8_t p[PARAMS_MAX] = {0};
    uint32_t status = NV_OK;
    struct fl_fail fail = {0};

    if (!g->undo.rm || size > sizeof(p)) {
        return;
    }
    fw_put(p, size, l->NV0080_CTRL_DMA_UNSET_PAGE_DIRECTORY_PARAMS.hVASpace, handle);
    enum fl_err err = gsp_rm_control_on(g, GSP_OBJECT_CLIENT, GSP_OBJECT_DEVICE,
                                        CMD_UNSET_PAGE_DIRECTORY, p, size, CALL_US, &status, &fail);
    err = judge(err, status, "UNSET_PAGE_DIRECTORY", &fail);
    status = NV_OK;
    const enum fl_err freed = gsp_rm_free_on(g, GSP_OBJECT_CLIENT, handle, CALL_US, &status, &fail);
    err = FL_THEN(err, judge(freed, status, "FREE", &fail));
    if (err != FL_OK && g->undo.rm) {
        log_warn(g->hw.label, "an address space is left in RM: %s", fail.text);
    }
}
