/* SPDX-License-Identifier: MIT */
/*
 * What a driver hands over besides register writes, in the trace: structures in memory and
 * messages, field by field. One line a field, "# Structure.field = value"; arrays in one line, what
 * is long as its length and a sum by which two traces can be compared.
 */
#include "tests/model/books/trace_data.h"

#include <inttypes.h>
#include <string.h>

#include "arch/base.h"
#include "arch/text.h"
#include "gsp_layout.h"
#include "tests/model/books/names.h"
#include "tests/model/books/text.h"
#include "tests/model/books/trace.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/gsp/gsp_version.h"

enum { SHOWN_MAX = 16, VALUES_TEXT = 400, FN_REGISTRY = 73, FN_CONTROL = 76, FN_ALLOC = 103 };
#define FNV_OFFSET 0xcbf29ce484222325ull /* FNV-1a, 64 bits */
#define FNV_PRIME  0x100000001b3ull

static uint64_t sum_of(const uint8_t *p, size_t n)
{
    uint64_t h = FNV_OFFSET;
    for (size_t i = 0; i < n; i++) {
        h = (h ^ p[i]) * FNV_PRIME;
    }
    return h;
}

static const struct field_name *fields_of(const char *version)
{
    for (const struct field_names *v = layout_field_names; v->version != NULL; v++) {
        if (strcmp(v->version, version) == 0) {
            return v->fields;
        }
    }
    return NULL;
}

/* Printable text that ends within the bytes and has zeros behind it. */
static bool is_text(const uint8_t *p, size_t n)
{
    size_t len = 0;
    while (len < n && p[len] >= ' ' && p[len] <= '~') {
        len++;
    }
    for (size_t i = len; i < n; i++) {
        if (p[i] != 0) {
            return false;
        }
    }
    return len > 0 && len < n;
}

static void values(const struct field_name *f, const uint8_t *p, char *out, size_t size)
{
    uint32_t used = 0; /* up to the last element that is not 0 */
    for (uint32_t i = 0; i < f->count; i++) {
        if (fw_load(p + (size_t)i * f->stride, f->size) != 0) {
            used = i + 1;
        }
    }
    if (f->count <= 1) {
        snprintf(out, size, "0x%" PRIx64, fw_load(p, f->size));
    } else if (f->size == 1 && f->stride == 1 && is_text(p, f->count)) {
        char escaped[VALUES_TEXT - 2];
        model_text_escape(escaped, sizeof(escaped), p, strnlen((const char *)p, f->count));
        snprintf(out, size, "\"%s\"", escaped);
    } else if (used > SHOWN_MAX && f->stride == f->size) {
        snprintf(out, size, "%u values, sum 0x%016" PRIx64, f->count,
                 sum_of(p, (size_t)f->count * f->size));
    } else {
        struct text t = text_on(out, size);
        text_str(&t, used == 0 ? "0" : "");
        for (uint32_t i = 0; i < used && i < SHOWN_MAX; i++) {
            text_fmt(&t, "%s0x%" PRIx64, i == 0 ? "" : " ",
                     fw_load(p + (size_t)i * f->stride, f->size));
        }
        text_fmt(&t, " of %u", f->count);
    }
}

void model_trace_struct(struct gpu_model *m, const struct gsp_layout *l, const char *structure,
                        const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    char text[VALUES_TEXT];
    if (m->trace_file == NULL || l == NULL) {
        return;
    }
    for (const struct field_name *f = fields_of(l->version); f != NULL && f->structure != NULL;
         f++) {
        const uint64_t span =
            (uint64_t)f->stride * (f->count > 1 ? f->count - 1 : 0) + (uint64_t)f->size;
        if (strcmp(f->structure, structure) == 0 && f->count != 0 && range_ok(f->off, span, len)) {
            values(f, p + f->off, text, sizeof(text));
            model_trace_text(m, "%s.%s = %s", structure, f->field, text);
        }
    }
}

void model_trace_value(struct gpu_model *m, const char *structure, const char *field,
                       uint64_t value)
{
    model_trace_text(m, "%s.%s = 0x%" PRIx64, structure, field, value);
}

/* ---- messages ---- */

static void registry(struct gpu_model *m, const uint8_t *p, size_t len)
{
    const struct gsp_layout *l = m->gsp->l;
    const uint32_t head = l->PACKED_REGISTRY_TABLE.total, stride = l->PACKED_REGISTRY_ENTRY.total;
    const uint64_t count = fw_get(p, len, l->PACKED_REGISTRY_TABLE.numEntries);
    for (uint64_t i = 0; i < count && range_ok(head + i * stride, stride, len); i++) {
        const uint8_t *e = p + head + i * stride;
        const uint64_t name = fw_get(e, stride, l->PACKED_REGISTRY_ENTRY.nameOffset);
        const uint64_t type = fw_get(e, stride, l->PACKED_REGISTRY_ENTRY.type);
        const uint64_t data = fw_get(e, stride, l->PACKED_REGISTRY_ENTRY.data);
        if (name < len && memchr(p + name, 0, len - name) != NULL) {
            char text[VALUES_TEXT];
            model_text_escape(text, sizeof(text), p + name, strlen((const char *)p + name));
            model_trace_text(m, "registry.%s = 0x%" PRIx64 " type %" PRIu64, text, data, type);
        }
    }
}

static void params(struct gpu_model *m, const struct number_name *n, const uint8_t *p, size_t len)
{
    if (n != NULL && n->structure[0] != '\0') {
        model_trace_struct(m, m->gsp->l, n->structure, p, len);
    } else if (len != 0) {
        model_trace_text(m, "params.bytes = %zu, sum 0x%016" PRIx64, len, sum_of(p, len));
    }
}

void model_trace_message(struct gpu_model *m, uint32_t function, const uint8_t *p, uint32_t len,
                         uint32_t avail)
{
    if (m->trace_file == NULL) {
        return;
    }
    const struct gsp_layout *l = m->gsp->l;
    const struct number_name *n = function_name(function, m->gsp->v->shared_data_function != 0);
    model_trace_text(m, "message from the driver: function %u %s, %u bytes of payload", function,
                     n != NULL ? n->name : "", len);
    model_trace_struct(m, l, "GSP_MSG_QUEUE_ELEMENT", m->buf->msg, l->GSP_MSG_QUEUE_ELEMENT.total);
    if (n != NULL && n->structure[0] != '\0') {
        model_trace_struct(m, l, n->structure, p, len);
    }
    if (function == FN_REGISTRY) {
        registry(m, p, len);
    } else if (function == FN_CONTROL && len >= l->rpc_gsp_rm_control_v03_00.total) {
        const uint32_t head = l->rpc_gsp_rm_control_v03_00.total;
        const uint32_t cmd = (uint32_t)fw_get(p, len, l->rpc_gsp_rm_control_v03_00.cmd);
        const uint64_t size = fw_get(p, len, l->rpc_gsp_rm_control_v03_00.paramsSize);
        const struct number_name *c = control_name(cmd);
        model_trace_text(m, "control %s", c != NULL ? c->name : "of an unknown number");
        params(m, c, p + head, (size_t)min_u64(size, len - head));
    } else if (function == FN_ALLOC && len >= l->rpc_gsp_rm_alloc_v03_00.total) {
        const uint32_t head = l->rpc_gsp_rm_alloc_v03_00.total;
        const uint32_t cls = (uint32_t)fw_get(p, len, l->rpc_gsp_rm_alloc_v03_00.hClass);
        const uint64_t size = fw_get(p, len, l->rpc_gsp_rm_alloc_v03_00.paramsSize);
        const struct number_name *c = class_name(cls);
        model_trace_text(m, "class %s", c != NULL ? c->name : "of an unknown number");
        params(m, c, p + head, (size_t)min_u64(size, avail > head ? avail - head : 0));
    }
}

const char *model_function_name(const struct gpu_model *m, uint32_t function)
{
    const struct number_name *n = function_name(function, m->gsp->v->shared_data_function != 0);
    return n != NULL ? n->name : "";
}
