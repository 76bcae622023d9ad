/* SPDX-License-Identifier: MIT */
/* Parameter structures of the resource manager as JSON (rm_params.h). */
#include "net/api/rpc/rm_params.h"

#include <stdlib.h>
#include <string.h>

/* --- in
 * ------------------------------------------------------------------------------------------- */

static bool is_bytes(const struct rm_field *f) { return f->kind == RM_TEXT || f->kind == RM_BYTES; }

/* A number, true or false, or a string with a number (64 bits do not fit into every client's). */
static bool number_of(const json_t *v, uint64_t *out)
{
    if (json_is_boolean(v)) {
        *out = json_is_true(v);
        return true;
    }
    if (json_is_integer(v)) {
        *out = (uint64_t)json_integer_value(v); /* sign-extended, as fields take it */
        return true;
    }
    const char *text = json_string_value(v);
    char *end;
    if (text == NULL || *text < '0' || *text > '9') {
        return false;
    }
    *out = strtoull(text, &end, text[0] == '0' && (text[1] | 0x20) == 'x' ? 16 : 10);
    return *end == '\0';
}

static bool failed(struct rpc_call *c, enum fl_err err)
{
    if (err != FL_OK) {
        c->fail.err = FL_OK; /* nothing of the GPU's: words are enough */
        c->code = RPC_INVALID_PARAMS;
    }
    return err != FL_OK;
}

static void put_one(struct rpc_call *c, struct rm_params *p, const struct rm_field *f,
                    uint32_t index, const json_t *v)
{
    uint64_t n;
    if (f->kind == RM_TEXT && json_is_string(v)) {
        (void)failed(c, rm_field_put_bytes(p->data, p->size, f, index, json_string_value(v),
                                           json_string_length(v), &c->fail));
    } else if (f->kind == RM_BYTES && json_is_string(v)) {
        size_t len;
        void *bytes = rpc_decode(c, "data", json_string_value(v), &len);
        if (c->code == 0) {
            (void)failed(c, rm_field_put_bytes(p->data, p->size, f, index,
                                               bytes != NULL ? bytes : "", len, &c->fail));
        }
        free(bytes);
    } else if (!is_bytes(f) && number_of(v, &n)) {
        (void)failed(c, rm_field_put(p->data, p->size, f, index, n, &c->fail));
    } else {
        rpc_fail(c, RPC_INVALID_PARAMS, "params: %s expects %s", f->name,
                 f->kind == RM_TEXT    ? "a string"
                 : f->kind == RM_BYTES ? "base64"
                                       : "a number");
    }
}

static void put_field(struct rpc_call *c, struct rm_params *p, const char *name, const json_t *v)
{
    struct rm_field f;
    if (!rm_struct_find(p->layout, name, &f)) {
        rpc_fail(c, RPC_INVALID_PARAMS, "params: there is no field '%.60s'", name);
        return;
    }
    if (!json_is_array(v)) {
        put_one(c, p, &f, 0, v);
        return;
    }
    if (json_array_size(v) > f.count) {
        rpc_fail(c, RPC_INVALID_PARAMS, "params: %s has %u elements", f.name, (unsigned)f.count);
    }
    for (uint32_t i = 0; i < json_array_size(v) && c->code == 0; i++) {
        put_one(c, p, &f, i, json_array_get(v, i));
    }
}

static bool take_bytes(struct rpc_call *c, const char *base64, struct rm_params *out)
{
    size_t len;
    out->data = rpc_decode(c, "data", base64, &len);
    out->size = (uint32_t)len;
    if (c->code == 0 && out->layout != NULL && len != rm_struct_size(out->layout)) {
        rpc_fail(c, RPC_INVALID_PARAMS, "data: %zu bytes, and this firmware's structure has %u",
                 len, (unsigned)rm_struct_size(out->layout));
    }
    return c->code == 0;
}

bool rm_params_take(struct rpc_call *c, const struct rm_struct *layout, const json_t *named,
                    const char *base64, struct rm_params *out)
{
    const char *name;
    json_t *v;
    *out = (struct rm_params){.layout = layout};
    if (named != NULL && base64 != NULL) {
        rpc_fail(c, RPC_INVALID_PARAMS, "either params or data");
        return false;
    }
    if (base64 != NULL) {
        return take_bytes(c, base64, out);
    }
    if (layout == NULL) {
        if (json_object_size(named) != 0) {
            rpc_fail(c, RPC_INVALID_PARAMS,
                     "the fields of its parameters are not known for this "
                     "firmware: give them as data, in base64");
        }
        return c->code == 0;
    }
    out->size = rm_struct_size(layout);
    out->data = calloc(1, out->size != 0 ? out->size : 1);
    if (out->data == NULL) {
        rpc_fail(c, RPC_BUSY, "no memory for %u bytes of parameters", (unsigned)out->size);
        return false;
    }
    json_object_foreach((json_t *)named, name, v)
    {
        put_field(c, out, name, v);
        if (c->code != 0) {
            return false;
        }
    }
    return true;
}

void rm_params_free(struct rm_params *p)
{
    free(p->data);
    *p = (struct rm_params){0};
}

/* --- out
 * ------------------------------------------------------------------------------------------ */

static void put_text(struct jw *j, const char *key, const char *bytes, size_t size)
{
    const char *nul = memchr(bytes, 0, size);
    const size_t len = nul != NULL ? (size_t)(nul - bytes) : size;
    char *text = malloc(len + 1);
    if (text == NULL) {
        j->out->failed = true;
        return;
    }
    memcpy(text, bytes, len);
    text[len] = '\0';
    jw_str(j, key, text);
    free(text);
}

static void get_one(struct jw *j, const char *key, const struct rm_params *p,
                    const struct rm_field *f, uint32_t index)
{
    if (is_bytes(f)) {
        const void *bytes = rm_field_bytes(p->data, p->size, f, index);
        if (bytes == NULL) {
            jw_null(j, key);
        } else if (f->kind == RM_TEXT) {
            put_text(j, key, bytes, f->size);
        } else {
            jw_base64(j, key, bytes, f->size);
        }
        return;
    }
    const uint64_t n = rm_field_get(p->data, p->size, f, index);
    switch (f->kind) {
    case RM_BOOL:
        jw_bool(j, key, n != 0);
        break;
    case RM_SIGNED:
        jw_i64(j, key, (int64_t)n);
        break;
    case RM_HANDLE:
        jw_fmt(j, key, "0x%08x", (unsigned)n);
        break;
    case RM_POINTER:
        jw_fmt(j, key, "0x%llx", (unsigned long long)n);
        break;
    case RM_UNSIGNED:
    case RM_TEXT:
    case RM_BYTES:
    default:
        jw_u64(j, key, n);
        break;
    }
}

static void get_field(struct jw *j, const struct rm_params *p, const struct rm_field *f)
{
    if (f->count == 1) {
        get_one(j, f->name, p, f, 0);
        return;
    }
    jw_array(j, f->name);
    for (uint32_t i = 0; i < f->count && !j->out->failed; i++) {
        get_one(j, NULL, p, f, i);
    }
    jw_end_array(j);
}

void rm_params_put(struct jw *j, const struct rm_params *p)
{
    struct rm_field f;
    if (p->layout != NULL) {
        jw_object(j, "params");
        for (size_t i = 0; rm_struct_field(p->layout, i, &f); i++) {
            get_field(j, p, &f);
        }
        jw_end_object(j);
    }
    jw_base64(j, "data", p->data != NULL ? p->data : "", p->size);
}
