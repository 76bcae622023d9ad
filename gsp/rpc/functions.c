/* SPDX-License-Identifier: MIT */
/* The functions of the GSP that we call (functions.h). */
#include "gsp/rpc/functions.h"

#include <string.h>

#define GSP_RPC(fn, num, request, low)                                                             \
    const struct gsp_rpc_function gsp_rpc_##fn = {                                                 \
        .number = (num),                                                                           \
        .least = GSP_RPC_##low,                                                                    \
        .name = #fn,                                                                               \
        .head = offsetof(struct gsp_layout, request.total),                                        \
    };
#include "gsp/rpc/functions.def"
#undef GSP_RPC

const char *gsp_rpc_name(uint32_t number)
{
    static const struct gsp_rpc_function *const all[] = {
#define GSP_RPC(fn, num, request, low) &gsp_rpc_##fn,
#include "gsp/rpc/functions.def"
#undef GSP_RPC
    };

    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        if (all[i]->number == number) {
            return all[i]->name;
        }
    }
    return number == GSP_RPC_CONTINUATION_RECORD ? "CONTINUATION_RECORD"
           : number >= GSP_RPC_FIRST_EVENT       ? "event"
                                                 : "function";
}

uint32_t gsp_rpc_head_bytes(const struct gsp_rpc_function *f, const struct gsp_layout *l)
{
    uint32_t total = 0;

    if (f->head != 0) {
        memcpy(&total, (const uint8_t *)l + f->head, sizeof(total));
    }
    return total;
}

enum fl_err gsp_rpc_check_size(const struct gsp_rpc_function *f, const struct gsp_layout *l,
                               const struct gsp_payload *p, struct fl_fail *fail)
{
    const uint32_t least = gsp_rpc_head_bytes(f, l);

    if (p->size >= least && p->size <= GSP_RPC_PAYLOAD_MAX) {
        return FL_OK;
    }
    return FL_FAIL(fail, FL_EINVAL, f->name, "a payload of %u bytes; at least %u, at most %u",
                   (unsigned)p->size, (unsigned)least, (unsigned)GSP_RPC_PAYLOAD_MAX);
}

/* Where the payloads of calls on objects have what. */
struct places {
    struct fw_field client, object, cmd, status, params, params_size;
};

static bool find_places(uint32_t function, const struct gsp_layout *l, struct places *out)
{
    if (function == gsp_rpc_GSP_RM_CONTROL.number) {
        *out = (struct places){.client = l->rpc_gsp_rm_control_v03_00.hClient,
                               .object = l->rpc_gsp_rm_control_v03_00.hObject,
                               .cmd = l->rpc_gsp_rm_control_v03_00.cmd,
                               .status = l->rpc_gsp_rm_control_v03_00.status,
                               .params = l->rpc_gsp_rm_control_v03_00.params,
                               .params_size = l->rpc_gsp_rm_control_v03_00.paramsSize};
    } else if (function == gsp_rpc_GSP_RM_ALLOC.number) {
        *out = (struct places){.client = l->rpc_gsp_rm_alloc_v03_00.hClient,
                               .object = l->rpc_gsp_rm_alloc_v03_00.hObject,
                               .cmd = l->rpc_gsp_rm_alloc_v03_00.hClass,
                               .status = l->rpc_gsp_rm_alloc_v03_00.status,
                               .params = l->rpc_gsp_rm_alloc_v03_00.params,
                               .params_size = l->rpc_gsp_rm_alloc_v03_00.paramsSize};
    } else if (function == gsp_rpc_FREE.number) {
        *out = (struct places){.client = l->rpc_free_v03_00.params_hRoot,
                               .object = l->rpc_free_v03_00.params_hObjectOld,
                               .status = l->rpc_free_v03_00.params_status};
    } else if (function == gsp_rpc_DUP_OBJECT.number) {
        *out = (struct places){.client = l->rpc_dup_object_v03_00.params_hClient,
                               .object = l->rpc_dup_object_v03_00.params_hObject,
                               .status = l->rpc_dup_object_v03_00.params_status};
    } else {
        return false;
    }
    return true;
}

struct gsp_rpc_said gsp_rpc_read(uint32_t function, const struct gsp_layout *l,
                                 const struct gsp_payload *p)
{
    struct places at;

    if (!find_places(function, l, &at)) {
        return (struct gsp_rpc_said){0};
    }
    return (struct gsp_rpc_said){
        .client = (uint32_t)fw_get(p->data, p->size, at.client),
        .object = (uint32_t)fw_get(p->data, p->size, at.object),
        .cmd = (uint32_t)fw_get(p->data, p->size, at.cmd),
        .status = (uint32_t)fw_get(p->data, p->size, at.status),
    };
}

uint64_t gsp_rpc_bytes(uint32_t function, const struct gsp_layout *l, const uint8_t *data,
                       uint32_t size)
{
    struct places at;

    return find_places(function, l, &at) && fw_has(at.params)
               ? at.params.off + fw_get(data, size, at.params_size)
               : 0;
}
