/* SPDX-License-Identifier: MIT */
/* rm.*: controls and objects of the resource manager, by NVIDIA's names or by number. */
#include <stdlib.h>
#include <string.h>

#include "net/api/rpc/rm_params.h"
#include "net/api/rpc/session.h"

#define RM_MS_DEFAULT 5000u
#define RM_MS_MOST    60000u

/* --- names and numbers
 * ---------------------------------------------------------------------------- */

static bool number_of(const json_t *v, uint32_t *out)
{
    const char *text = json_string_value(v);
    char *end;
    if (json_is_integer(v)) {
        *out = (uint32_t)json_integer_value(v);
        return json_integer_value(v) >= 0 && json_integer_value(v) <= UINT32_MAX;
    }
    if (text == NULL || *text < '0' || *text > '9') {
        return false;
    }
    const unsigned long long n =
        strtoull(text, &end, text[0] == '0' && (text[1] | 0x20) == 'x' ? 16 : 10);
    *out = (uint32_t)n;
    return *end == '\0' && n <= UINT32_MAX;
}

/* The handle of a parameter: a number, or the name of one that everybody has. */
static bool object_of(struct rpc_call *c, unsigned param, struct session *s, uint32_t fallback,
                      uint32_t *out)
{
    static const struct {
        const char *name;
        uint32_t handle;
    } ours[] = {{"client", GSP_OBJECT_CLIENT},
                {"device", GSP_OBJECT_DEVICE},
                {"subdevice", GSP_OBJECT_SUBDEVICE}};
    const json_t *v = c->arg[param].value;
    const char *name = json_string_value(v);
    *out = fallback;
    if (!rpc_given(c, param) || number_of(v, out)) {
        return true;
    }
    if (s != NULL && name != NULL && strcmp(name, "client") == 0) {
        *out = 0; /* the session's own */
        return true;
    }
    for (size_t i = 0; s == NULL && name != NULL && i < ARRAY_SIZE(ours); i++) {
        if (strcmp(name, ours[i].name) == 0) {
            *out = ours[i].handle;
            return true;
        }
    }
    rpc_fail(c, RPC_INVALID_PARAMS, "%s: expected a handle%s", c->method->params[param].name,
             s != NULL ? ", or \"client\"" : ", \"client\", \"device\" or \"subdevice\"");
    return false;
}

/* --- rm.control
 * ----------------------------------------------------------------------------------- */

enum { CTL_GPU, CTL_CONTROL, CTL_PARAMS, CTL_DATA, CTL_OBJECT, CTL_SESSION, CTL_TIMEOUT };

static uint32_t usual_object(const struct rm_control *row)
{
    const uint32_t cls = row != NULL ? rm_control_class(row) : 0;
    return cls == 0x0080u   ? GSP_OBJECT_DEVICE
           : cls == 0x2080u ? GSP_OBJECT_SUBDEVICE
                            : GSP_OBJECT_CLIENT;
}

static bool find_control(struct rpc_call *c, const struct rm_control **row, uint32_t *cmd)
{
    const json_t *v = c->arg[CTL_CONTROL].value;
    if (number_of(v, cmd)) {
        *row = rm_control_by_number(*cmd);
        return true;
    }
    *row = json_is_string(v) ? rm_control_by_name(json_string_value(v)) : NULL;
    if (*row == NULL) {
        rpc_fail(c, RPC_INVALID_PARAMS,
                 "control: this name is not known (rm.controls lists those "
                 "that are); its number works, too");
        return false;
    }
    *cmd = rm_control_number(*row);
    return true;
}

static void put_result(struct rpc_call *c, const struct rm_params *p, uint32_t object)
{
    jw_object(c->out, "result");
    jw_str(c->out, "nv_status", gsp_status_name(NV_OK));
    if (object != 0) {
        jw_fmt(c->out, "object", "0x%08x", (unsigned)object);
    }
    if (p != NULL) {
        rm_params_put(c->out, p);
    }
    jw_end_object(c->out);
}

static void send_control(struct rpc_call *c, struct session *s, uint32_t cmd, uint32_t object,
                         struct rm_params *p)
{
    const uint64_t timeout_us = c->arg[CTL_TIMEOUT].u * US_PER_MS;
    uint32_t status = NV_OK;
    enum fl_err err;
    if (s != NULL) {
        struct gsp_rm_call call = {.object = object,
                                   .cls_or_cmd = cmd,
                                   .params = p->data,
                                   .size = p->size,
                                   .timeout_us = timeout_us};
        err = gsp_rm_session_control(session_rm(s), &call, &c->fail);
        status = call.rm_status;
    } else {
        err = gsp_rm_control(c->gpu, object, cmd, p->data, p->size, timeout_us, &status, &c->fail);
    }
    if (err != FL_OK) {
        rpc_failed(c);
    } else if (status != NV_OK) {
        rpc_refused(c, status, "the control");
    } else {
        put_result(c, p, 0);
    }
}

/* The session that the parameter names; NULL without one. False: the call has failed. */
static bool enter(struct rpc_call *c, unsigned param, struct session **s)
{
    *s = rpc_given(c, param) ? session_enter(c, c->arg[param].text) : NULL;
    return c->code == 0;
}

static void control(struct rpc_call *c)
{
    const struct rm_control *row;
    struct rm_params p = {0};
    struct session *s;
    uint32_t cmd, object;
    if (!enter(c, CTL_SESSION, &s)) {
        return;
    }
    if (find_control(c, &row, &cmd) &&
        object_of(c, CTL_OBJECT, s, s != NULL ? 0 : usual_object(row), &object) &&
        rm_params_take(c, row != NULL ? rm_control_params(row, gsp_running_version(c->gpu)) : NULL,
                       rpc_given(c, CTL_PARAMS) ? c->arg[CTL_PARAMS].value : NULL,
                       rpc_given(c, CTL_DATA) ? c->arg[CTL_DATA].text : NULL, &p)) {
        send_control(c, s, cmd, object, &p);
    }
    rm_params_free(&p);
    if (s != NULL) {
        session_leave(s);
    }
}

/* --- rm.alloc, rm.free, rm.dup
 * --------------------------------------------------------------------- */

enum {
    ALLOC_SESSION,
    ALLOC_CLASS,
    ALLOC_PARAMS,
    ALLOC_DATA,
    ALLOC_PARENT,
    ALLOC_OBJECT,
    ALLOC_TIMEOUT
};

static bool find_class(struct rpc_call *c, const struct rm_class **row, uint32_t *cls)
{
    const json_t *v = c->arg[ALLOC_CLASS].value;
    if (number_of(v, cls)) {
        *row = rm_class_by_number(*cls);
        return true;
    }
    *row = json_is_string(v) ? rm_class_by_name(json_string_value(v)) : NULL;
    if (*row == NULL) {
        rpc_fail(c, RPC_INVALID_PARAMS, "class: this name is not known; its number works, too");
        return false;
    }
    *cls = rm_class_number(*row);
    return true;
}

static void alloc_in(struct rpc_call *c, struct session *s)
{
    const struct rm_class *row;
    struct rm_params p = {0};
    struct gsp_rm_call call = {.timeout_us = c->arg[ALLOC_TIMEOUT].u * US_PER_MS};
    if (find_class(c, &row, &call.cls_or_cmd) && object_of(c, ALLOC_PARENT, s, 0, &call.parent) &&
        object_of(c, ALLOC_OBJECT, s, 0, &call.object) &&
        rm_params_take(c, row != NULL ? rm_class_params(row, gsp_running_version(c->gpu)) : NULL,
                       rpc_given(c, ALLOC_PARAMS) ? c->arg[ALLOC_PARAMS].value : NULL,
                       rpc_given(c, ALLOC_DATA) ? c->arg[ALLOC_DATA].text : NULL, &p)) {
        call.params = p.data;
        call.size = p.size;
        if (gsp_rm_session_alloc(session_rm(s), &call, &c->fail) != FL_OK) {
            rpc_failed(c);
        } else if (call.rm_status != NV_OK) {
            rpc_refused(c, call.rm_status, "the object");
        } else {
            put_result(c, &p, call.object);
        }
    }
    rm_params_free(&p);
}

static void alloc(struct rpc_call *c)
{
    struct session *s;
    if (enter(c, ALLOC_SESSION, &s)) {
        alloc_in(c, s);
        session_leave(s);
    }
}

enum { FREE_SESSION, FREE_OBJECT, FREE_TIMEOUT };

static void free_object(struct rpc_call *c)
{
    struct session *s;
    uint32_t status = NV_OK, object;
    if (!enter(c, FREE_SESSION, &s)) {
        return;
    }
    if (object_of(c, FREE_OBJECT, s, 0, &object)) {
        if (gsp_rm_session_free(session_rm(s), object, c->arg[FREE_TIMEOUT].u * US_PER_MS, &status,
                                &c->fail) != FL_OK) {
            rpc_failed(c);
        } else if (status != NV_OK) {
            rpc_refused(c, status, "to free the object");
        } else {
            put_result(c, NULL, object);
        }
    }
    session_leave(s);
}

enum { DUP_SESSION, DUP_CLIENT, DUP_SOURCE, DUP_PARENT, DUP_OBJECT, DUP_TIMEOUT };

static void dup(struct rpc_call *c)
{
    struct session *s;
    struct gsp_rm_call call = {.timeout_us = c->arg[DUP_TIMEOUT].u * US_PER_MS};
    if (!enter(c, DUP_SESSION, &s)) {
        return;
    }
    if (object_of(c, DUP_PARENT, s, 0, &call.parent) &&
        object_of(c, DUP_OBJECT, s, 0, &call.object)) {
        if (gsp_rm_session_dup(session_rm(s), (uint32_t)c->arg[DUP_CLIENT].u,
                               (uint32_t)c->arg[DUP_SOURCE].u, &call, &c->fail) != FL_OK) {
            rpc_failed(c);
        } else if (call.rm_status != NV_OK) {
            rpc_refused(c, call.rm_status, "the duplicate");
        } else {
            put_result(c, NULL, call.object);
        }
    }
    session_leave(s);
}

/* --- rm.controls: what is known by name
 * ------------------------------------------------------------ */

static void put_struct(struct jw *j, const struct rm_struct *layout)
{
    struct rm_field f;
    if (layout == NULL) {
        jw_null(j, "params");
        return;
    }
    jw_object(j, "params");
    for (size_t i = 0; rm_struct_field(layout, i, &f); i++) {
        if (f.count > 1) {
            jw_fmt(j, f.name, "%s, %u bytes, %u of them", rm_kind_name(f.kind), (unsigned)f.size,
                   (unsigned)f.count);
        } else {
            jw_fmt(j, f.name, "%s, %u bytes", rm_kind_name(f.kind), (unsigned)f.size);
        }
    }
    jw_end_object(j);
}

static void controls(struct rpc_call *c)
{
    const char *match = rpc_given(c, 1) ? c->arg[1].text : NULL;
    const struct gsp_version *v = gsp_running_version(c->gpu);
    const struct rm_control *row;
    char name[RM_NAME_MAX];
    jw_array(c->out, "result");
    for (size_t i = 0; (row = rm_control_at(i)) != NULL; i++) {
        rm_control_name(row, name);
        if (match != NULL && strstr(name, match) == NULL) {
            continue;
        }
        jw_object(c->out, NULL);
        jw_str(c->out, "name", name);
        jw_fmt(c->out, "number", "0x%08x", (unsigned)rm_control_number(row));
        jw_fmt(c->out, "class", "0x%04x", (unsigned)rm_control_class(row));
        jw_bool(c->out, "reads", rm_control_reads(row));
        if (match != NULL) {
            put_struct(c->out, rm_control_params(row, v));
        }
        jw_end_object(c->out);
    }
    jw_end_array(c->out);
}

/* --- tables
 * ----------------------------------------------------------------------------------------- */

#define PARAM_TIMEOUT                                                                              \
    {.name = "timeout_ms",                                                                         \
     .type = RPC_UINT,                                                                             \
     .most = RM_MS_MOST,                                                                           \
     .fallback = RM_MS_DEFAULT,                                                                    \
     .summary = "how long the GSP may take"}
#define PARAM_SESSION                                                                              \
    {.name = "session",                                                                            \
     .type = RPC_TEXT,                                                                             \
     .required = true,                                                                             \
     .most = SESSION_ID_TEXT,                                                                      \
     .summary = "what session.open gave"}
#define PARAM_PARAMS                                                                               \
    {.name = "params", .type = RPC_OBJECT, .summary = "fields by NVIDIA's names; others are 0"}
#define PARAM_DATA                                                                                 \
    {.name = "data", .type = RPC_TEXT, .summary = "instead: the whole structure in base64"}
#define PARAM_PARENT                                                                               \
    {.name = "parent",                                                                             \
     .type = RPC_NAME,                                                                             \
     .most = 32,                                                                                   \
     .summary = "handle of the object above it; the session's client when absent"}
#define PARAM_OBJECT                                                                               \
    {.name = "object",                                                                             \
     .type = RPC_NAME,                                                                             \
     .most = 32,                                                                                   \
     .summary = "handle that it is to have; one is chosen when absent"}

static const struct rpc_param control_params[] = {
    RPC_PARAM_GPU,
    {.name = "control",
     .type = RPC_NAME,
     .required = true,
     .most = RM_NAME_MAX,
     .summary = "NVIDIA's name (NV2080_CTRL_CMD_...) or number"},
    PARAM_PARAMS,
    PARAM_DATA,
    {.name = "object",
     .type = RPC_NAME,
     .most = 32,
     .summary = "a handle, or \"client\", \"device\", \"subdevice\"; by the control when absent"},
    {.name = "session",
     .type = RPC_TEXT,
     .most = SESSION_ID_TEXT,
     .summary = "for objects of a session"},
    PARAM_TIMEOUT,
    {.name = NULL},
};
static const struct rpc_param alloc_params[] = {
    PARAM_SESSION,
    {.name = "class",
     .type = RPC_NAME,
     .required = true,
     .most = RM_NAME_MAX,
     .summary = "NVIDIA's name (NV01_DEVICE_0) or number"},
    PARAM_PARAMS,
    PARAM_DATA,
    PARAM_PARENT,
    PARAM_OBJECT,
    PARAM_TIMEOUT,
    {.name = NULL},
};
static const struct rpc_param free_params[] = {
    PARAM_SESSION,
    {.name = "object", .type = RPC_NAME, .required = true, .most = 32, .summary = "its handle"},
    PARAM_TIMEOUT,
    {.name = NULL},
};
static const struct rpc_param dup_params[] = {
    PARAM_SESSION,
    {.name = "source_client",
     .type = RPC_UINT,
     .required = true,
     .most = UINT32_MAX,
     .summary = "whose object it is"},
    {.name = "source_object",
     .type = RPC_UINT,
     .required = true,
     .most = UINT32_MAX,
     .summary = "its handle there"},
    PARAM_PARENT,
    PARAM_OBJECT,
    PARAM_TIMEOUT,
    {.name = NULL},
};
static const struct rpc_param list_params[] = {
    RPC_PARAM_GPU,
    {.name = "match",
     .type = RPC_TEXT,
     .most = RM_NAME_MAX,
     .summary = "only names with this in them, and with their parameters"},
    {.name = NULL},
};

#define RM_SCHEMA                                                                                  \
    "{\"type\":\"object\",\"required\":[\"nv_status\"],\"properties\":{\"nv_status\":{\"type\":"   \
    "\"string\"},\"object\":{\"type\":\"string\"},\"params\":{\"type\":\"object\"},\"data\":{"     \
    "\"type\":\"string\"}}}"

const struct rpc_method rpc_rm_methods[] = {
    {.name = "rm.control",
     .summary = "a control of an object of the resource manager",
     .params = control_params,
     .flags = RPC_TOKEN | RPC_SLOW,
     .result = RM_SCHEMA,
     .run = control},
    {.name = "rm.alloc",
     .summary = "allocates an object in a session",
     .params = alloc_params,
     .flags = RPC_TOKEN | RPC_SLOW,
     .result = RM_SCHEMA,
     .run = alloc},
    {.name = "rm.free",
     .summary = "frees an object of a session and all below it",
     .params = free_params,
     .flags = RPC_TOKEN | RPC_SLOW,
     .result = RM_SCHEMA,
     .run = free_object},
    {.name = "rm.dup",
     .summary = "gives an object of any client a handle in a session",
     .params = dup_params,
     .flags = RPC_TOKEN | RPC_SLOW,
     .result = RM_SCHEMA,
     .run = dup},
    {.name = "rm.controls",
     .summary = "the controls that are known by name",
     .params = list_params,
     .result = "{\"type\":\"array\",\"items\":{\"type\":\"object\"}}",
     .run = controls},
    {.name = NULL},
};
