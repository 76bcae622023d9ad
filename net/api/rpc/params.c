/* SPDX-License-Identifier: MIT */
/* The parameters of a call, checked against their table (rpc.h). */
#include <errno.h>
#include <mbedtls/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/api/rpc/rpc.h"

/* --- values
 * ---------------------------------------------------------------------------------------- */

static bool number_of(const json_t *v, uint64_t *out)
{
    if (json_is_integer(v)) {
        *out = (uint64_t)json_integer_value(v);
        return json_integer_value(v) >= 0;
    }
    const char *text = json_string_value(v);
    if (text == NULL || *text < '0' || *text > '9') {
        return false; /* also no sign and no blanks, which strtoull would take */
    }
    const bool hex = text[0] == '0' && (text[1] | 0x20) == 'x';
    char *end;
    errno = 0;
    *out = strtoull(text, &end, hex ? 16 : 10);
    return errno == 0 && *end == '\0' && !(hex && end == text + 2);
}

static void wrong(struct rpc_call *c, const struct rpc_param *p, const char *expected)
{
    rpc_fail(c, RPC_INVALID_PARAMS, "%s: expected %s", p->name, expected);
}

static void take_uint(struct rpc_call *c, const struct rpc_param *p, const json_t *v,
                      union rpc_arg *a)
{
    if (!number_of(v, &a->u)) {
        wrong(c, p, "a number, or a string with one such as \"0x1f\"");
    } else if (p->most != 0 && a->u > p->most) {
        rpc_fail(c, RPC_INVALID_PARAMS, "%s: %llu is more than %llu", p->name,
                 (unsigned long long)a->u, (unsigned long long)p->most);
    }
}

static void take_uints(struct rpc_call *c, const struct rpc_param *p, const json_t *v)
{
    uint64_t n;
    if (!json_is_array(v) || json_array_size(v) > p->most) {
        rpc_fail(c, RPC_INVALID_PARAMS, "%s: expected an array of at most %llu numbers", p->name,
                 (unsigned long long)p->most);
        return;
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        if (!number_of(json_array_get(v, i), &n) || n > UINT32_MAX) {
            rpc_fail(c, RPC_INVALID_PARAMS, "%s[%zu]: expected a number below 2^32", p->name, i);
            return;
        }
    }
}

uint32_t rpc_uints(const struct rpc_call *c, unsigned param, uint32_t *out)
{
    const size_t count = rpc_given(c, param) ? json_array_size(c->arg[param].value) : 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t n = 0;
        (void)number_of(json_array_get(c->arg[param].value, i), &n); /* as it was when taken */
        out[i] = (uint32_t)n;
    }
    return (uint32_t)count;
}

static void take_text(struct rpc_call *c, const struct rpc_param *p, const json_t *v,
                      union rpc_arg *a)
{
    a->text = json_string_value(v);
    if (a->text == NULL) {
        wrong(c, p, "a string");
        return;
    }
    if (p->most != 0 && strlen(a->text) > p->most) {
        rpc_fail(c, RPC_INVALID_PARAMS, "%s: longer than %llu bytes", p->name,
                 (unsigned long long)p->most);
        return;
    }
    char list[160];
    struct text t = text_on(list, sizeof(list));
    for (size_t i = 0; p->choices != NULL && p->choices[i] != NULL; i++) {
        if (strcmp(a->text, p->choices[i]) == 0) {
            return;
        }
        text_fmt(&t, "%s%s", i != 0 ? ", " : "", p->choices[i]);
    }
    if (p->choices != NULL) {
        rpc_fail(c, RPC_INVALID_PARAMS, "%s: expected one of %s", p->name, list);
    }
}

/* --- GPUs
 * ------------------------------------------------------------------------------------------ */

static bool is_gpu(uint32_t index, const char *text)
{
    static struct gsp_snapshot s; /* too large for a stack; nothing yields here */
    char name[PCI_NAME_MAX];
    api_snapshot(index, &s);
    if (s.uuid[0] != '\0' && strcasecmp(text, s.uuid) == 0) {
        return true;
    }
    const char *pci = s.pci != NULL ? pci_name(s.pci, name) : "";
    const char *short_name = strchr(pci, ':'); /* "01:00.0" of "0000:01:00.0" */
    return pci[0] != '\0' && (strcasecmp(text, pci) == 0 ||
                              (short_name != NULL && strcasecmp(text, short_name + 1) == 0));
}

static bool find_gpu(const json_t *v, uint32_t *index)
{
    const uint32_t count = api_context()->gpu_count;
    uint64_t n;
    if (v == NULL) {
        *index = 0;
        return count == 1;
    }
    if (number_of(v, &n)) {
        *index = (uint32_t)n;
        return n < count;
    }
    for (*index = 0; json_is_string(v) && *index < count; ++*index) {
        if (is_gpu(*index, json_string_value(v))) {
            return true;
        }
    }
    return false;
}

static void take_gpu(struct rpc_call *c, const json_t *v)
{
    const struct api_context *ctx = api_context();
    if (!find_gpu(v, &c->gpu_index)) {
        rpc_fail(c, RPC_INVALID_PARAMS,
                 v != NULL
                     ? "gpu: there is none with this index, UUID or PCI address; this machine "
                       "has %u (gpu.list)"
                     : "gpu: this machine has %u GPUs; say which (gpu.list)",
                 (unsigned)ctx->gpu_count);
        return;
    }
    const struct api_gpu *g = &ctx->gpus[c->gpu_index];
    c->gpu = g->gpu;
    if (g->gpu == NULL && (c->method->flags & RPC_NO_GPU_OK) == 0) {
        c->fail = g->fail;
        rpc_failed(c);
    }
}

/* --- all of them
 * ----------------------------------------------------------------------------------- */

static void take(struct rpc_call *c, const struct rpc_param *p, const json_t *v, union rpc_arg *a)
{
    switch (p->type) {
    case RPC_GPU:
        break; /* also when it is absent: below */
    case RPC_UINT:
        take_uint(c, p, v, a);
        break;
    case RPC_TEXT:
        take_text(c, p, v, a);
        break;
    case RPC_NAME:
        a->value = v;
        if (json_is_string(v) ? p->most != 0 && json_string_length(v) > p->most
                              : !json_is_integer(v)) {
            wrong(c, p, "a name or a number");
        }
        break;
    case RPC_BOOL:
        a->b = json_is_true(v);
        if (!json_is_boolean(v)) {
            wrong(c, p, "true or false");
        }
        break;
    case RPC_OBJECT:
        a->value = v;
        if (!json_is_object(v)) {
            wrong(c, p, "an object");
        }
        break;
    case RPC_UINTS:
        take_uints(c, p, v);
        a->value = v;
        break;
    default:
        break;
    }
}

static size_t count_of(const struct rpc_param *p)
{
    size_t n = 0;
    while (p != NULL && p[n].name != NULL) {
        n++;
    }
    return n;
}

/* Parameters that the method does not have; of those by position, too many. */
static bool all_known(struct rpc_call *c, const json_t *params, size_t count)
{
    const struct rpc_param *p = c->method->params;
    if (json_is_array(params)) {
        if (json_array_size(params) > count) {
            rpc_fail(c, RPC_INVALID_PARAMS, "%s takes at most %zu parameters", c->method->name,
                     count);
        }
        return c->code == 0;
    }
    for (void *it = json_object_iter((json_t *)params); it != NULL && c->code == 0;
         it = json_object_iter_next((json_t *)params, it)) {
        size_t i = 0;
        while (i < count && strcmp(p[i].name, json_object_iter_key(it)) != 0) {
            i++;
        }
        if (i == count) {
            rpc_fail(c, RPC_INVALID_PARAMS, "%s has no parameter '%.40s'", c->method->name,
                     json_object_iter_key(it));
        }
    }
    return c->code == 0;
}

bool rpc_take_params(struct rpc_call *c, const json_t *params)
{
    const struct rpc_param *p = c->method->params;
    const size_t count = count_of(p);
    if (params != NULL && !all_known(c, params, count)) {
        return false;
    }
    for (size_t i = 0; i < count && c->code == 0; i++) {
        const json_t *v =
            json_is_array(params) ? json_array_get(params, i) : json_object_get(params, p[i].name);
        if (json_is_null(v)) {
            v = NULL; /* absent: what comes after it by position can still be given */
        }
        if (p[i].type == RPC_GPU) {
            take_gpu(c, v);
        } else if (v != NULL) {
            c->given |= 1u << i;
            take(c, &p[i], v, &c->arg[i]);
        } else if (p[i].required) {
            rpc_fail(c, RPC_INVALID_PARAMS, "%s is missing: %s", p[i].name, p[i].summary);
        } else if (p[i].type == RPC_BOOL) {
            c->arg[i].b = p[i].fallback != 0;
        } else if (p[i].type == RPC_UINT) {
            c->arg[i].u = p[i].fallback;
        }
    }
    return c->code == 0;
}

void *rpc_decode(struct rpc_call *c, const char *name, const char *text, size_t *len)
{
    const size_t n = strlen(text);
    *len = 0;
    if (n == 0) {
        return NULL;
    }
    unsigned char *out = malloc(n);
    if (out == NULL) {
        rpc_fail(c, RPC_INTERNAL_ERROR, "no memory for %zu bytes of data", n);
    } else if (mbedtls_base64_decode(out, n, len, (const unsigned char *)text, n) != 0) {
        rpc_fail(c, RPC_INVALID_PARAMS, "%s: this is not base64", name);
        free(out);
        out = NULL;
        *len = 0;
    }
    return out;
}
