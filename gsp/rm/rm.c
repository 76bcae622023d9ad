/* SPDX-License-Identifier: MIT */
/* The resource manager's objects and controls (rm.h). */
#include "gsp/rm/rm.h"

#include <stdlib.h>
#include <string.h>

#include "gsp/gpu.h"
#include "gsp/rpc/status.h"

/* Classes. Source: OGKM ctrl/class headers (rpc.md D1). */
#define NV01_ROOT        0x0u
#define NV01_DEVICE_0    0x80u
#define NV20_SUBDEVICE_0 0x2080u
#define PROCESS_KERNEL   0xffffffffu /* processID of clients that are no process (nouveau) */
#define RM_TIMEOUT_US    (5 * US_PER_S)
#define ALLOC_PARAMS_MAX 256u
#define SMALL_MAX        64u /* of messages of a fixed size */

/* What travels: header and parameters in one buffer (the caller frees it), which the whole reply
 * replaces.
 */
static enum fl_err message_make(struct gsp_payload *m, uint32_t head, const void *params,
                                uint32_t size, struct fl_fail *fail)
{
    *m = (struct gsp_payload){.size = head + size};
    if (size > GSP_RPC_PAYLOAD_MAX - head) {
        return FL_FAIL(fail, FL_EINVAL, "RM call", "%u bytes of parameters; at most %u",
                       (unsigned)size, (unsigned)(GSP_RPC_PAYLOAD_MAX - head));
    }
    m->data = calloc(1, m->size);
    if (m->data == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, "RM call", "no memory for a message of %u bytes",
                       (unsigned)m->size);
    }
    if (size > 0) {
        memcpy(m->data + head, params, size);
    }
    return FL_OK;
}

/* A message of a fixed size fits on the stack. */
static enum fl_err small_size(struct gsp_payload *m, uint32_t size, const char *name,
                              struct fl_fail *fail)
{
    m->size = size;
    return size <= SMALL_MAX
               ? FL_OK
               : FL_FAIL(fail, FL_ENOTSUP, name, "the %s message of this firmware has %u bytes",
                         name, (unsigned)size);
}

static enum fl_err params_too_large(struct fl_fail *fail)
{
    return FL_FAIL(fail, FL_ENOTSUP, "RM objects",
                   "allocation parameters of this firmware are too large");
}

static enum fl_err not_ready(const struct gsp_gpu *g, struct fl_fail *fail)
{
    return FL_FAIL(fail, FL_ESTATE, "RM call", "the GPU is %s, not ready",
                   g->ending ? "being destroyed" : gsp_state_name(g->state));
}

/* A control. result: as gsp_rpc_call_whole takes it. *bytes: of the parameters that came. */
static enum fl_err control(struct gsp_gpu *g, uint32_t client, uint32_t object, uint32_t cmd,
                           void *params, uint32_t size, uint64_t timeout_us, uint32_t *result,
                           uint32_t *rm_status, uint32_t *bytes, struct fl_fail *fail)
{
    struct gsp_payload m;

    if (!g->undo.rm) {
        return not_ready(g, fail);
    }
    const struct gsp_layout *l = g->layout;
    const uint32_t head = l->rpc_gsp_rm_control_v03_00.params.off;
    enum fl_err err = message_make(&m, head, params, size, fail);
    if (err != FL_OK) {
        return err;
    }
    fw_put(m.data, m.size, l->rpc_gsp_rm_control_v03_00.hClient, client);
    fw_put(m.data, m.size, l->rpc_gsp_rm_control_v03_00.hObject, object);
    fw_put(m.data, m.size, l->rpc_gsp_rm_control_v03_00.cmd, cmd);
    fw_put(m.data, m.size, l->rpc_gsp_rm_control_v03_00.paramsSize, size);
    err = gsp_rpc_call_whole(&g->rpc, &gsp_rpc_GSP_RM_CONTROL, &m, timeout_us, result, fail);
    if (err == FL_OK && result != NULL && *result != NV_OK) {
        *rm_status = *result;
        *bytes = 0;
    } else if (err == FL_OK) {
        if (fw_get(m.data, m.size, l->rpc_gsp_rm_control_v03_00.cmd) != cmd ||
            fw_get(m.data, m.size, l->rpc_gsp_rm_control_v03_00.paramsSize) != size) {
            err = FL_FAIL(
                fail, FL_EPROTO, "RM control",
                "the reply to control 0x%08x with %u bytes is for 0x%08x with %u", (unsigned)cmd,
                (unsigned)size, (unsigned)fw_get(m.data, m.size, l->rpc_gsp_rm_control_v03_00.cmd),
                (unsigned)fw_get(m.data, m.size, l->rpc_gsp_rm_control_v03_00.paramsSize));
        } else {
            *rm_status = (uint32_t)fw_get(m.data, m.size, l->rpc_gsp_rm_control_v03_00.status);
            *bytes = (uint32_t)min_u64(m.size > head ? m.size - head : 0, size);
            if (size > 0) { /* of a shorter reply the rest is as it was sent */
                memcpy(params, m.data + head, size);
            }
        }
    }
    free(m.data);
    return err;
}

enum fl_err gsp_rm_control_on(struct gsp_gpu *g, uint32_t client, uint32_t object, uint32_t cmd,
                              void *params, uint32_t size, uint64_t timeout_us, uint32_t *rm_status,
                              struct fl_fail *fail)
{
    uint32_t bytes;

    return control(g, client, object, cmd, params, size, timeout_us, NULL, rm_status, &bytes, fail);
}

enum fl_err gsp_rm_ask(struct gsp_gpu *g, uint32_t cmd, void *params, uint32_t size,
                       uint64_t timeout_us, struct gsp_rm_answer *answer, struct fl_fail *fail)
{
    uint32_t result = NV_OK;

    return control(g, GSP_OBJECT_CLIENT, GSP_OBJECT_SUBDEVICE, cmd, params, size, timeout_us,
                   &result, &answer->rm_status, &answer->bytes, fail);
}

enum fl_err gsp_rm_ask_internal(struct gsp_gpu *g, uint32_t cmd, void *params, uint32_t size,
                                uint64_t timeout_us, struct gsp_rm_answer *answer,
                                struct fl_fail *fail)
{
    uint32_t result = NV_OK;

    return control(g, g->internal_client, g->internal_subdevice, cmd, params, size, timeout_us,
                   &result, &answer->rm_status, &answer->bytes, fail);
}

enum fl_err gsp_rm_control(struct gsp_gpu *g, uint32_t object, uint32_t cmd, void *params,
                           uint32_t size, uint64_t timeout_us, uint32_t *rm_status,
                           struct fl_fail *fail)
{
    if (g->state != GSP_READY || !gsp_gpu_enter(g)) {
        return not_ready(g, fail);
    }
    const enum fl_err err = gsp_rm_control_on(g, GSP_OBJECT_CLIENT, object, cmd, params, size,
                                              timeout_us, rm_status, fail);
    gsp_gpu_leave(g);
    return err;
}

/* What the RPC layer itself refuses has such a code; below are NV_STATUS, which an answer may carry
 * in both places. Source: OGKM vgpu/rpc_headers.h; spec rpc.md A3, B2. */
#define RPC_LAYER_CODES 0xff000000u

static enum fl_err verdict(const struct gsp_rpc_function *f, uint32_t result, uint32_t status,
                           uint32_t *rm_status, struct fl_fail *fail)
{
    if (result >= RPC_LAYER_CODES) {
        return FL_FAIL_MORE(fail, FL_EIO, f->name, (FL_SAW(result, 0, 0)),
                            "the GSP answers %s with 0x%x (%s)", f->name, (unsigned)result,
                            gsp_status_name(result));
    }
    *rm_status = result != NV_OK ? result : status;
    return FL_OK;
}

/* A refusal where none is expected. */
static enum fl_err accepted(enum fl_err err, uint32_t status, uint32_t object, uint32_t cls,
                            struct fl_fail *fail)
{
    if (err != FL_OK || status == NV_OK) {
        return err;
    }
    return FL_FAIL_MORE(fail, FL_EIO, "RM allocation", (FL_SAW(status, NV_OK, 0)),
                        "object 0x%08x of class 0x%04x is refused: 0x%x (%s)", (unsigned)object,
                        (unsigned)cls, (unsigned)status, gsp_status_name(status));
}

enum fl_err gsp_rm_alloc_on(struct gsp_gpu *g, uint32_t client, uint32_t parent, uint32_t object,
                            uint32_t cls, void *params, uint32_t size, uint64_t timeout_us,
                            uint32_t *rm_status, struct fl_fail *fail)
{
    struct gsp_payload m;
    uint32_t result = 0;

    if (!g->undo.rm) {
        return not_ready(g, fail);
    }
    const struct gsp_layout *l = g->layout;
    const uint32_t head = l->rpc_gsp_rm_alloc_v03_00.params.off;
    enum fl_err err = message_make(&m, head, params, size, fail);
    if (err != FL_OK) {
        return err;
    }
    fw_put(m.data, m.size, l->rpc_gsp_rm_alloc_v03_00.hClient, client);
    fw_put(m.data, m.size, l->rpc_gsp_rm_alloc_v03_00.hParent, parent);
    fw_put(m.data, m.size, l->rpc_gsp_rm_alloc_v03_00.hObject, object);
    fw_put(m.data, m.size, l->rpc_gsp_rm_alloc_v03_00.hClass, cls);
    fw_put(m.data, m.size, l->rpc_gsp_rm_alloc_v03_00.paramsSize, size);
    err = gsp_rpc_call_whole(&g->rpc, &gsp_rpc_GSP_RM_ALLOC, &m, timeout_us, &result, fail);
    if (err == FL_OK) {
        err = verdict(&gsp_rpc_GSP_RM_ALLOC, result,
                      (uint32_t)fw_get(m.data, m.size, l->rpc_gsp_rm_alloc_v03_00.status),
                      rm_status, fail);
    }
    if (err == FL_OK && *rm_status == NV_OK && size > 0) {
        memcpy(params, m.data + head, size);
    }
    free(m.data);
    return err;
}

enum fl_err gsp_rm_free_on(struct gsp_gpu *g, uint32_t client, uint32_t object, uint64_t timeout_us,
                           uint32_t *rm_status, struct fl_fail *fail)
{
    uint8_t data[SMALL_MAX] = {0};
    struct gsp_payload m = {.data = data};
    uint32_t result = 0;

    if (!g->undo.rm) {
        return not_ready(g, fail);
    }
    const struct gsp_layout *l = g->layout;
    enum fl_err err = small_size(&m, l->rpc_free_v03_00.total, "FREE", fail);
    if (err != FL_OK) {
        return err;
    }
    fw_put(data, m.size, l->rpc_free_v03_00.params_hRoot, client);
    fw_put(data, m.size, l->rpc_free_v03_00.params_hObjectOld, object);
    err = gsp_rpc_call(&g->rpc, &gsp_rpc_FREE, &m, timeout_us, &result, fail);
    return err != FL_OK ? err
                        : verdict(&gsp_rpc_FREE, result,
                                  (uint32_t)fw_get(data, m.size, l->rpc_free_v03_00.params_status),
                                  rm_status, fail);
}

enum fl_err gsp_rm_dup_on(struct gsp_gpu *g, uint32_t client, uint32_t parent, uint32_t object,
                          uint32_t client_src, uint32_t object_src, uint64_t timeout_us,
                          uint32_t *rm_status, struct fl_fail *fail)
{
    uint8_t data[SMALL_MAX] = {0};
    struct gsp_payload m = {.data = data};
    uint32_t result = 0;

    if (!g->undo.rm) {
        return not_ready(g, fail);
    }
    const struct gsp_layout *l = g->layout;
    enum fl_err err = small_size(&m, l->rpc_dup_object_v03_00.total, "DUP_OBJECT", fail);
    if (err != FL_OK) {
        return err;
    }
    fw_put(data, m.size, l->rpc_dup_object_v03_00.params_hClient, client);
    fw_put(data, m.size, l->rpc_dup_object_v03_00.params_hParent, parent);
    fw_put(data, m.size, l->rpc_dup_object_v03_00.params_hObject, object);
    fw_put(data, m.size, l->rpc_dup_object_v03_00.params_hClientSrc, client_src);
    fw_put(data, m.size, l->rpc_dup_object_v03_00.params_hObjectSrc, object_src);
    err = gsp_rpc_call(&g->rpc, &gsp_rpc_DUP_OBJECT, &m, timeout_us, &result, fail);
    return err != FL_OK
               ? err
               : verdict(&gsp_rpc_DUP_OBJECT, result,
                         (uint32_t)fw_get(data, m.size, l->rpc_dup_object_v03_00.params_status),
                         rm_status, fail);
}

enum fl_err gsp_rm_make_client(struct gsp_gpu *g, uint32_t client, uint64_t timeout_us,
                               struct fl_fail *fail)
{
    const struct gsp_layout *l = g->layout;
    uint8_t params[ALLOC_PARAMS_MAX] = {0};
    uint32_t status = NV_OK;

    if (l->NV0000_ALLOC_PARAMETERS.total > sizeof(params)) {
        return params_too_large(fail);
    }
    fw_put(params, sizeof(params), l->NV0000_ALLOC_PARAMETERS.hClient, client);
    fw_put(params, sizeof(params), l->NV0000_ALLOC_PARAMETERS.processID, PROCESS_KERNEL);
    const enum fl_err err =
        gsp_rm_alloc_on(g, client, client, client, NV01_ROOT, params,
                        l->NV0000_ALLOC_PARAMETERS.total, timeout_us, &status, fail);
    return accepted(err, status, client, NV01_ROOT, fail);
}

/* One of our own objects. */
static enum fl_err make_own(struct gsp_gpu *g, uint32_t parent, uint32_t object, uint32_t cls,
                            void *params, uint32_t size, struct fl_fail *fail)
{
    uint32_t status = NV_OK;
    const enum fl_err err = gsp_rm_alloc_on(g, GSP_OBJECT_CLIENT, parent, object, cls, params, size,
                                            RM_TIMEOUT_US, &status, fail);

    return accepted(err, status, object, cls, fail);
}

enum fl_err gsp_rm_make_objects(struct gsp_gpu *g, struct fl_fail *fail)
{
    const struct gsp_layout *l = g->layout;
    uint8_t params[ALLOC_PARAMS_MAX] = {0};

    if (l->NV0080_ALLOC_PARAMETERS.total > sizeof(params) ||
        l->NV2080_ALLOC_PARAMETERS.total > sizeof(params)) {
        return params_too_large(fail);
    }
    enum fl_err err = gsp_rm_make_client(g, GSP_OBJECT_CLIENT, RM_TIMEOUT_US, fail);
    if (err != FL_OK) {
        return err;
    }
    fw_put(params, sizeof(params), l->NV0080_ALLOC_PARAMETERS.hClientShare, GSP_OBJECT_CLIENT);
    err = make_own(g, GSP_OBJECT_CLIENT, GSP_OBJECT_DEVICE, NV01_DEVICE_0, params,
                   l->NV0080_ALLOC_PARAMETERS.total, fail);
    if (err != FL_OK) {
        return err;
    }
    memset(params, 0, sizeof(params));
    return make_own(g, GSP_OBJECT_DEVICE, GSP_OBJECT_SUBDEVICE, NV20_SUBDEVICE_0, params,
                    l->NV2080_ALLOC_PARAMETERS.total, fail);
}
