/* SPDX-License-Identifier: MIT */
/* registers.*: a GPU's registers by name and field. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "net/api/rpc/rpc.h"

#define NAME_MAX_BYTES 80u

/* --- registers.list
 * ------------------------------------------------------------------------------- */

enum { LIST_GPU, LIST_MATCH };

static bool contains(const char *text, const char *part)
{
    const size_t n = part != NULL ? strlen(part) : 0;
    while (*text != '\0' && strncasecmp(text, part != NULL ? part : "", n) != 0) {
        text++;
    }
    return n == 0 || *text != '\0';
}

static void put_register(struct jw *j, size_t i, const struct gsp_reg_info *r)
{
    struct gsp_reg_field f;
    jw_object(j, NULL);
    jw_str(j, "name", r->name);
    jw_fmt(j, "offset", "0x%06x", (unsigned)r->offset);
    if (r->count > 1) {
        jw_u64(j, "count", r->count);
        jw_u64(j, "stride", r->stride);
    }
    jw_bool(j, "readable", r->readable);
    jw_bool(j, "writable", r->writable);
    jw_object(j, "fields");
    for (uint32_t k = 0; k < r->field_count && gsp_reg_field(i, k, &f); k++) {
        jw_fmt(j, f.name, "%u:%u", f.hi, f.lo);
    }
    jw_end_object(j);
    jw_end_object(j);
}

static void list(struct rpc_call *c)
{
    const char *match = rpc_given(c, LIST_MATCH) ? c->arg[LIST_MATCH].text : NULL;
    struct gsp_reg_info r;
    jw_array(c->out, "result");
    for (size_t i = 0; gsp_reg_describe(i, &r); i++) {
        if (contains(r.name, match)) {
            put_register(c->out, i, &r);
        }
    }
    jw_end_array(c->out);
}

/* --- registers.read, .write
 * ----------------------------------------------------------------------- */

enum { REG_GPU, REG_NAME, REG_VALUE, REG_FIELDS };

/* The register of the parameter; SIZE_MAX in *index: an offset without a name. */
static bool find(struct rpc_call *c, uint32_t *offset, size_t *index)
{
    char number[NAME_MAX_BYTES];
    const json_t *v = c->arg[REG_NAME].value;
    const char *name = json_string_value(v);
    if (name == NULL) {
        snprintf(number, sizeof(number), "0x%llx", (unsigned long long)json_integer_value(v));
        name = number;
    }
    const enum fl_err err = gsp_reg_find(c->gpu, name, offset, index, &c->fail);
    if (err != FL_OK) {
        rpc_failed(c);
        c->code = RPC_INVALID_PARAMS;
    }
    return err == FL_OK;
}

static uint32_t mask_of(const struct gsp_reg_field *f)
{
    return (uint32_t)((UINT64_C(1) << (f->hi - f->lo + 1)) - 1) << f->lo;
}

static void put_value(struct rpc_call *c, uint32_t offset, size_t index, uint32_t value)
{
    struct gsp_reg_info r;
    struct gsp_reg_field f;
    jw_object(c->out, "result");
    const bool known = index != SIZE_MAX && gsp_reg_describe(index, &r);
    jw_str(c->out, "name", known ? r.name : NULL);
    jw_fmt(c->out, "offset", "0x%06x", (unsigned)offset);
    jw_fmt(c->out, "value", "0x%08x", (unsigned)value);
    jw_object(c->out, "fields");
    for (uint32_t k = 0; known && k < r.field_count && gsp_reg_field(index, k, &f); k++) {
        jw_u64(c->out, f.name, (value & mask_of(&f)) >> f.lo);
    }
    jw_end_object(c->out);
    jw_end_object(c->out);
}

static void read(struct rpc_call *c)
{
    uint32_t offset, value;
    size_t index;
    if (!find(c, &offset, &index)) {
        return;
    }
    if (gsp_reg_read(c->gpu, offset, &value, &c->fail) != FL_OK) {
        rpc_failed(c);
        return;
    }
    put_value(c, offset, index, value);
}

/* Puts the fields that the request names into *value. */
static bool put_fields(struct rpc_call *c, size_t index, const json_t *fields, uint32_t *value)
{
    struct gsp_reg_field f;
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)fields, name, v)
    {
        uint32_t k = 0;
        while (index != SIZE_MAX && gsp_reg_field(index, k, &f) && strcmp(f.name, name) != 0) {
            k++;
        }
        if (index == SIZE_MAX || !gsp_reg_field(index, k, &f)) {
            rpc_fail(c, RPC_INVALID_PARAMS, "fields: the register has no field '%.40s'", name);
            return false;
        }
        const uint32_t mask = mask_of(&f);
        const json_int_t n = json_integer_value(v);
        if (!json_is_integer(v) || n < 0 || (uint64_t)n > mask >> f.lo) {
            rpc_fail(c, RPC_INVALID_PARAMS, "fields: %.40s takes a number up to %u", name,
                     (unsigned)(mask >> f.lo));
            return false;
        }
        *value = (*value & ~mask) | (uint32_t)n << f.lo;
    }
    return true;
}

static void write(struct rpc_call *c)
{
    uint32_t offset, value = 0;
    size_t index;
    if (!find(c, &offset, &index)) {
        return;
    }
    if (rpc_given(c, REG_VALUE) == rpc_given(c, REG_FIELDS)) {
        rpc_fail(c, RPC_INVALID_PARAMS, "either value or fields is needed");
        return;
    }
    if (rpc_given(c, REG_VALUE)) {
        value = (uint32_t)c->arg[REG_VALUE].u;
    } else if (gsp_reg_read(c->gpu, offset, &value, &c->fail) != FL_OK) {
        rpc_failed(c);
        return;
    } else if (!put_fields(c, index, c->arg[REG_FIELDS].value, &value)) {
        return;
    }
    if (gsp_reg_write(c->gpu, offset, value, &c->fail) != FL_OK) {
        rpc_failed(c);
        return;
    }
    put_value(c, offset, index, value);
}

static const struct rpc_param list_params[] = {
    RPC_PARAM_GPU,
    {.name = "match",
     .type = RPC_TEXT,
     .most = NAME_MAX_BYTES,
     .summary = "only registers with this in their names"},
    {.name = NULL},
};
#define PARAM_REGISTER                                                                             \
    {.name = "register",                                                                           \
     .type = RPC_NAME,                                                                             \
     .required = true,                                                                             \
     .most = NAME_MAX_BYTES,                                                                       \
     .summary = "NVIDIA's name (of an array: NAME(3)), or an offset in BAR0"}
static const struct rpc_param read_params[] = {RPC_PARAM_GPU, PARAM_REGISTER, {.name = NULL}};
static const struct rpc_param write_params[] = {
    RPC_PARAM_GPU,
    PARAM_REGISTER,
    {.name = "value", .type = RPC_UINT, .most = UINT32_MAX, .summary = "all 32 bits"},
    {.name = "fields",
     .type = RPC_OBJECT,
     .summary = "instead of value: fields by name; the others keep what is read"},
    {.name = NULL},
};

#define VALUE_SCHEMA                                                                               \
    "{\"type\":\"object\",\"required\":[\"offset\",\"value\",\"fields\"],\"properties\":{\"name\"" \
    ":{\"type\":[\"string\",\"null\"]},\"offset\":{\"type\":\"string\"},\"value\":{\"type\":"      \
    "\"string\"},\"fields\":{\"type\":\"object\"}}}"

const struct rpc_method rpc_register_methods[] = {
    {.name = "registers.list",
     .summary = "the registers that are known, with their fields",
     .params = list_params,
     .flags = RPC_NO_GPU_OK,
     .result = "{\"type\":\"array\",\"items\":{\"type\":\"object\"}}",
     .run = list},
    {.name = "registers.read",
     .summary = "reads a register; needs the token, for reading some has an effect",
     .params = read_params,
     .flags = RPC_TOKEN,
     .result = VALUE_SCHEMA,
     .run = read},
    {.name = "registers.write",
     .summary = "writes a register, or fields of it; the result is what was written",
     .params = write_params,
     .flags = RPC_TOKEN,
     .result = VALUE_SCHEMA,
     .run = write},
    {.name = NULL},
};
