/* SPDX-License-Identifier: MIT */
/*
 * RPC functions: the two that set the GSP up, static info, the object tree, and unloading. What is
 * not known is refused and listed, never answered OK. Sources: rpc.md B2, C1-C4, D1; measured.md 8.
 */
#include "tests/model/gsp/gsp_rm.h"

#include "arch/base.h"
#include "gsp_layout.h"
#include "tests/model/boards/boards.h"
#include "tests/model/books/coverage.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/strict.h"
#include "tests/model/books/trace.h"
#include "tests/model/bus/bar.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_ctrl.h"
#include "tests/model/gsp/gsp_engine.h"
#include "tests/model/gsp/gsp_info.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/gsp/gsp_static.h"
#include "tests/model/gsp/gsp_status.h"
#include "tests/model/gsp/rm_objects.h"
#include "tests/model/host/channel.h"
#include "tests/model/host/engines.h"

enum { /* RPC functions, rpc.md B1 */
       FN_SET_GUEST_SYSTEM_INFO = 1,
       FN_FREE = 10,
       FN_DUP_OBJECT = 21,
       FN_UNLOADING_GUEST_DRIVER = 47,
       FN_SET_PAGE_DIRECTORY = 54,
       FN_GET_GSP_STATIC_INFO = 65,
       FN_UPDATE_BAR_PDE = 70,
       FN_GSP_SET_SYSTEM_INFO = 72,
       FN_SET_REGISTRY = 73,
       FN_GSP_RM_CONTROL = 76,
       FN_UNSET_PAGE_DIRECTORY = 79,
       FN_GSP_RM_ALLOC = 103,
};
#define RPC_UNKNOWN_FUNCTION 0xff100001u
#define RPC_BAD_FORMAT       0xff100002u

enum {
    DUP_BYTES = 28,
    VASPACE_PARAMS = 48,
    CHANNEL_GROUP_PARAMS = 20,
    CONTEXT_SHARE_PARAMS = 12,
    COPY_PARAMS = 8
};
enum { NOTIFY_CLIENT_RM = 0x04000000, NOTIFY_INDEX_MASK = 0xffff };

static void answer(struct gpu_model *m, const struct rm_call *c, uint32_t result)
{
    model_queue_send(m, c->function, result, c->sequence, c->payload, c->len, 0);
}

/* ---- objects ---- */

/* Parameter size of a class; false: not a class that is known. */
static bool class_params(const struct gpu_model *m, uint32_t cls, uint32_t *size, bool *root)
{
    const struct gsp_layout *l = m->gsp->l;
    *root = false;
    *size = 0;
    switch (cls) {
    case CLS_ROOT:
    case CLS_ROOT_NON_PRIV:
    case CLS_ROOT_CLIENT:
        *size = l->NV0000_ALLOC_PARAMETERS.total;
        *root = true;
        return true;
    case CLS_DEVICE:
        *size = l->NV0080_ALLOC_PARAMETERS.total;
        return true;
    case CLS_SUBDEVICE:
        *size = l->NV2080_ALLOC_PARAMETERS.total;
        return true;
    case CLS_EVENT:
    case CLS_EVENT_CALLBACK:
        *size = l->NV0005_ALLOC_PARAMETERS.total;
        return true;
    case CLS_VASPACE:
        *size = VASPACE_PARAMS;
        return true;
    case CLS_CHANNEL_GROUP:
        *size = CHANNEL_GROUP_PARAMS;
        return true;
    case CLS_CONTEXT_SHARE:
        *size = CONTEXT_SHARE_PARAMS;
        return true;
    default:
        break;
    }
    switch (model_class_kind(m, cls)) {
    case CLASS_CHANNEL:
        *size = l->NV_CHANNEL_ALLOC_PARAMS.total;
        return true;
    case CLASS_COPY:
        *size = COPY_PARAMS;
        return true;
    case CLASS_GRAPHICS:
        return true;
    case CLASS_DISPLAY:
        return m->board->display;
    case CLASS_OTHER:
    default:
        return false;
    }
}

/* What an object needs besides its place in the tree. */
static uint32_t set_up_object(struct gpu_model *m, const struct rm_object *up, struct rm_object *o,
                              uint8_t *params, uint32_t size)
{
    const struct gsp_layout *l = m->gsp->l;
    switch (model_class_kind(m, o->cls)) {
    case CLASS_CHANNEL:
        if (size == 0) {
            return RM_INVALID_PARAMS;
        }
        return model_channel_new(m, o, params, size);
    case CLASS_COPY:
    case CLASS_GRAPHICS:
        return model_class_kind(m, up->cls) == CLASS_CHANNEL ? RM_OK : RM_INVALID_PARENT;
    case CLASS_DISPLAY:
        return up->cls == CLS_DEVICE ? RM_OK : RM_INVALID_PARENT;
    case CLASS_OTHER:
    default:
        break;
    }
    if ((o->cls == CLS_EVENT || o->cls == CLS_EVENT_CALLBACK) && size != 0) {
        o->notify = (uint32_t)fw_get(params, size, l->NV0005_ALLOC_PARAMETERS.notifyIndex) &
                    NOTIFY_INDEX_MASK & ~(uint32_t)NOTIFY_CLIENT_RM;
    }
    return RM_OK;
}

static uint32_t alloc_object(struct gpu_model *m, const struct rm_call *c, uint32_t params_size)
{
    const struct gsp_layout *l = m->gsp->l;
    const uint8_t *p = c->payload;
    const uint32_t client = (uint32_t)fw_get(p, c->len, l->rpc_gsp_rm_alloc_v03_00.hClient);
    const uint32_t parent = (uint32_t)fw_get(p, c->len, l->rpc_gsp_rm_alloc_v03_00.hParent);
    const uint32_t handle = (uint32_t)fw_get(p, c->len, l->rpc_gsp_rm_alloc_v03_00.hObject);
    const uint32_t cls = (uint32_t)fw_get(p, c->len, l->rpc_gsp_rm_alloc_v03_00.hClass);
    uint32_t want;
    bool root;
    if (!class_params(m, cls, &want, &root)) {
        model_report_refused(m, REFUSED_CLASS, cls);
        return RM_NOT_SUPPORTED;
    }
    if (params_size != want && params_size != 0) {
        model_rule_broken(m, RULE_RM_PARAMS_SIZE, "class 0x%x: paramsSize %u, %s has %u", cls,
                          params_size, l->version, want);
        return RM_INVALID_PARAMS;
    }
    if (root) { /* drivers disagree on the other handles: only hClient counts */
        if (model_rm_find(m, client, client) != NULL) {
            return RM_INSERT_DUPLICATE;
        }
        return model_rm_add(m, client, 0, client, cls) != NULL ? RM_OK : RM_NO_MEMORY;
    }
    if (model_rm_find(m, client, client) == NULL) {
        return RM_INVALID_CLIENT;
    }
    const struct rm_object *up = model_rm_find(m, client, parent);
    if (up == NULL || (cls == CLS_SUBDEVICE && up->cls != CLS_DEVICE) ||
        (cls == CLS_DEVICE && up->handle != client)) {
        return RM_INVALID_PARENT;
    }
    if (model_rm_find(m, client, handle) != NULL) {
        return RM_INSERT_DUPLICATE;
    }
    const struct rm_object parent_was = *up; /* add() may move it */
    struct rm_object *o = model_rm_add(m, client, parent, handle, cls);
    if (o == NULL) {
        return RM_NO_MEMORY;
    }
    const uint32_t status = set_up_object(
        m, &parent_was, o, c->payload + l->rpc_gsp_rm_alloc_v03_00.total, params_size);
    if (status != RM_OK) {
        model_rm_remove(m, client, handle);
    }
    return status;
}

static void do_alloc(struct gpu_model *m, struct rm_call *c)
{
    const struct gsp_layout *l = m->gsp->l;
    const uint32_t head = l->rpc_gsp_rm_alloc_v03_00.total;
    const uint32_t size =
        (uint32_t)fw_get(c->payload, c->len, l->rpc_gsp_rm_alloc_v03_00.paramsSize);
    if (c->len < head || !range_ok(head, size, c->avail)) {
        model_rule_broken(m, RULE_RM_PAYLOAD, "GSP_RM_ALLOC: paramsSize %u in a payload of %u",
                          size, c->len);
        answer(m, c, RPC_BAD_FORMAT);
        return;
    }
    const uint32_t status = alloc_object(m, c, size);
    fw_put(c->payload, c->len, l->rpc_gsp_rm_alloc_v03_00.status, status);
    /* OGKM leaves the parameters out of rpc.length although they are in the slots. */
    const uint32_t extra = head + size > c->len ? head + size - c->len : 0;
    model_queue_send(m, c->function, status, c->sequence, c->payload, c->len, extra);
}

static void do_control(struct gpu_model *m, struct rm_call *c)
{
    const struct gsp_layout *l = m->gsp->l;
    const uint32_t head = l->rpc_gsp_rm_control_v03_00.total;
    const uint32_t size =
        (uint32_t)fw_get(c->payload, c->len, l->rpc_gsp_rm_control_v03_00.paramsSize);
    if (c->len < head || !range_ok(head, size, c->len)) {
        model_rule_broken(m, RULE_RM_PAYLOAD, "GSP_RM_CONTROL: paramsSize %u in a payload of %u",
                          size, c->len);
        answer(m, c, RPC_BAD_FORMAT);
        return;
    }
    const uint32_t client =
        (uint32_t)fw_get(c->payload, c->len, l->rpc_gsp_rm_control_v03_00.hClient);
    const uint32_t handle =
        (uint32_t)fw_get(c->payload, c->len, l->rpc_gsp_rm_control_v03_00.hObject);
    const uint32_t cmd = (uint32_t)fw_get(c->payload, c->len, l->rpc_gsp_rm_control_v03_00.cmd);
    const struct rm_object *o = model_rm_find(m, client, handle);
    const struct fault *f = model_fault_control(m, cmd);
    const uint32_t status = f != NULL && f->status != 0                ? f->status
                            : model_rm_find(m, client, client) == NULL ? (uint32_t)RM_INVALID_CLIENT
                            : o == NULL ? (uint32_t)RM_OBJECT_NOT_FOUND
                                        : model_rm_control(m, o, cmd, c->payload + head, size);
    if (status != RM_OK) {
        model_trace_text(m, "control 0x%08x on 0x%08x/0x%08x, %u bytes: status 0x%x", cmd, client,
                         handle, size, status);
    }
    fw_put(c->payload, c->len, l->rpc_gsp_rm_control_v03_00.status, status);
    c->len = f != NULL && f->cut ? head + size / 2 : c->len;
    answer(m, c, 0);
}

static void do_free(struct gpu_model *m, struct rm_call *c)
{
    const struct gsp_layout *l = m->gsp->l;
    if (c->len < l->rpc_free_v03_00.total) {
        model_rule_broken(m, RULE_RM_PAYLOAD, "FREE has %u bytes", c->len);
        answer(m, c, RPC_BAD_FORMAT);
        return;
    }
    const uint32_t client = (uint32_t)fw_get(c->payload, c->len, l->rpc_free_v03_00.params_hRoot);
    const uint32_t handle =
        (uint32_t)fw_get(c->payload, c->len, l->rpc_free_v03_00.params_hObjectOld);
    uint32_t status = RM_OBJECT_NOT_FOUND;
    if (model_rm_find(m, client, handle) != NULL) {
        model_rm_remove(m, client, handle);
        model_channel_sweep(m);
        status = RM_OK;
    }
    fw_put(c->payload, c->len, l->rpc_free_v03_00.params_status, status);
    answer(m, c, status);
}

/* hClient, hParent, hObject, hClientSrc, hObjectSrc, flags, status: seven u32 (rpc.md B2). */
static void do_dup(struct gpu_model *m, struct rm_call *c)
{
    if (c->len < DUP_BYTES) {
        model_rule_broken(m, RULE_RM_PAYLOAD, "DUP_OBJECT has %u bytes", c->len);
        answer(m, c, RPC_BAD_FORMAT);
        return;
    }
    const uint8_t *p = c->payload;
    const struct rm_object *src = model_rm_find(m, get_le32(p + 12), get_le32(p + 16));
    uint32_t status = RM_OK;
    if (src == NULL) {
        status = RM_OBJECT_NOT_FOUND;
    } else if (model_rm_find(m, get_le32(p), get_le32(p + 4)) == NULL) {
        status = RM_INVALID_PARENT;
    } else if (model_rm_find(m, get_le32(p), get_le32(p + 8)) != NULL) {
        status = RM_INSERT_DUPLICATE;
    } else if (model_rm_add(m, get_le32(p), get_le32(p + 4), get_le32(p + 8), src->cls) == NULL) {
        status = RM_NO_MEMORY;
    }
    put_le32(c->payload + 24, status);
    answer(m, c, status);
}

static void do_static_info(struct gpu_model *m, struct rm_call *c)
{
    const uint32_t total = m->gsp->l->GspStaticConfigInfo.total;
    if (c->len < total) {
        model_rule_broken(m, RULE_RM_PAYLOAD, "GET_GSP_STATIC_INFO has %u bytes, %s has %u", c->len,
                          m->gsp->l->version, total);
        answer(m, c, RPC_BAD_FORMAT);
        return;
    }
    model_rm_fill_static_info(m, c->payload, total);
    answer(m, c, 0);
}

static void do_bar_pde(struct gpu_model *m, struct rm_call *c)
{
    const struct gsp_layout *l = m->gsp->l;
    if (c->len < l->rpc_update_bar_pde_v15_00.total) {
        model_rule_broken(m, RULE_RM_PAYLOAD, "UPDATE_BAR_PDE has %u bytes", c->len);
        answer(m, c, RPC_BAD_FORMAT);
        return;
    }
#define PDE(field) fw_get(c->payload, c->len, l->rpc_update_bar_pde_v15_00.info_##field)
    const bool ok =
        model_bar_set_pde(m, (uint32_t)PDE(barType), PDE(entryValue), PDE(entryLevelShift));
#undef PDE
    answer(m, c, ok ? RM_OK : RM_INVALID_ARGUMENT);
}

/* The RPCs carry the same parameters as the controls 0x801813 and 0x801814. */
static void do_page_directory(struct gpu_model *m, struct rm_call *c)
{
    const struct gsp_layout *l = m->gsp->l;
    const bool set = c->function == FN_SET_PAGE_DIRECTORY;
    const uint32_t total =
        set ? l->rpc_set_page_directory_v1E_05.total : l->rpc_unset_page_directory_v1E_05.total;
    const struct fw_field params =
        set ? l->rpc_set_page_directory_v1E_05.params : l->rpc_unset_page_directory_v1E_05.params;
    const struct fw_field owner =
        set ? l->rpc_set_page_directory_v1E_05.hClient : l->rpc_unset_page_directory_v1E_05.hClient;
    if (c->len < total) {
        model_rule_broken(m, RULE_RM_PAYLOAD, "function %u has %u bytes", c->function, c->len);
        answer(m, c, RPC_BAD_FORMAT);
        return;
    }
    const uint32_t client = (uint32_t)fw_get(c->payload, c->len, owner);
    const uint8_t *p = c->payload + params.off;
    answer(m, c,
           set ? model_rm_set_page_directory(m, client, p, params.size)
               : model_rm_unset_page_directory(m, client, p, params.size));
}

static void count_left(struct gpu_model *m)
{
    uint32_t objects = 0, channels = 0;
    for (size_t i = 0; i < m->gsp->object_count; i++) {
        const struct rm_object *o = &m->gsp->objects[i];
        objects += o->client != RM_INTERNAL_CLIENT;
        channels += model_class_kind(m, o->cls) == CLASS_CHANNEL;
    }
    m->stats.objects_left = (uint32_t)max_u64(m->stats.objects_left, objects);
    m->stats.channels_left = (uint32_t)max_u64(m->stats.channels_left, channels);
}

static void do_unload(struct gpu_model *m, struct rm_call *c)
{
    if (c->len < m->gsp->l->rpc_unloading_guest_driver_v1F_07.total) {
        model_rule_broken(m, RULE_RM_PAYLOAD, "UNLOADING_GUEST_DRIVER has %u bytes", c->len);
        answer(m, c, RPC_BAD_FORMAT);
        return;
    }
    const struct gsp_layout *l = m->gsp->l;
    const bool pm =
        fw_get(c->payload, c->len, l->rpc_unloading_guest_driver_v1F_07.bInPMTransition) != 0;
    m->gsp->pm_level =
        pm ? (uint32_t)fw_get(c->payload, c->len, l->rpc_unloading_guest_driver_v1F_07.newLevel)
           : 0;
    c->len = 0; /* an answer without a payload, which is what nova-core's authors expect */
    answer(m, c, 0);
    model_queue_check_status_slots(m);
    if (!pm) {
        count_left(m);
    }
    m->gsp->phase = GSPP_SUSPENDED;
}

void model_rm_request(struct gpu_model *m, struct rm_call *c)
{
    const bool set_up = c->function == FN_GSP_SET_SYSTEM_INFO || c->function == FN_SET_REGISTRY ||
                        c->function == FN_UNLOADING_GUEST_DRIVER;
    if (!set_up && m->gsp->phase != GSPP_UP) {
        model_rule_broken(m, RULE_RM_EARLY, "function %u before GSP_INIT_DONE", c->function);
        answer(m, c, RM_INVALID_STATE);
        return;
    }
    model_rm_make_internal(m);
    switch (c->function) {
    case FN_GSP_SET_SYSTEM_INFO:
        model_rm_check_system_info(m, c->payload, c->len);
        m->gsp->have_info = true;
        return; /* no answer to this and the next one */
    case FN_SET_REGISTRY:
        model_rm_check_registry(m, c->payload, c->len);
        m->gsp->have_registry = true;
        return;
    case FN_GET_GSP_STATIC_INFO:
        do_static_info(m, c);
        return;
    case FN_GSP_RM_ALLOC:
        do_alloc(m, c);
        return;
    case FN_GSP_RM_CONTROL:
        do_control(m, c);
        return;
    case FN_FREE:
        do_free(m, c);
        return;
    case FN_DUP_OBJECT:
        do_dup(m, c);
        return;
    case FN_UNLOADING_GUEST_DRIVER:
        do_unload(m, c);
        return;
    case FN_UPDATE_BAR_PDE:
        do_bar_pde(m, c);
        return;
    case FN_SET_PAGE_DIRECTORY:
    case FN_UNSET_PAGE_DIRECTORY:
        do_page_directory(m, c);
        return;
    case FN_SET_GUEST_SYSTEM_INFO:
        answer(m, c, 0);
        return;
    default:
        model_report_refused(m, REFUSED_FUNCTION, c->function);
        answer(m, c, RPC_UNKNOWN_FUNCTION);
        return;
    }
}
