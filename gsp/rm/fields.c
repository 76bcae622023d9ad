/* SPDX-License-Identifier: MIT */
/* Names of controls, classes and fields, and the values of fields (fields.h). */
#include "gsp/rm/fields.h"

#include <string.h>

#include "gsp/rm/fields_table.h"
#include "gsp/rpc/layout/field.h"
#include "gsp/rpc/version.h"

/* Beginning and rest, put together; gen_fields.py has checked that they fit. */
static const char *full_name(uint8_t start, uint16_t rest, char *buf)
{
    const char *head = rm_table_strings + rm_table_starts[start];
    const char *tail = rm_table_strings + rest;
    const size_t n = strlen(head);

    memcpy(buf, head, n);
    memcpy(buf + n, tail, strlen(tail) + 1);
    return buf;
}

static bool name_is(uint8_t start, uint16_t rest, const char *name)
{
    char buf[RM_NAME_MAX];
    return strcmp(full_name(start, rest, buf), name) == 0;
}

/* Of params[], one for each version of the tables, the one of that version. */
static uint16_t params_of(const uint16_t *params, const struct gsp_version *v)
{
    for (size_t i = 0; v != NULL && i < RM_TABLE_VERSIONS; i++) {
        if (strcmp(rm_table_versions[i], v->name) == 0) {
            return params[i];
        }
    }
    return RM_NOT_THERE;
}

static const struct rm_struct *struct_at(uint16_t place)
{
    return place == RM_NOT_THERE || place == RM_NO_PARAMS ? NULL : &rm_table_structs[place];
}

/* Controls */

const struct rm_control *rm_control_at(size_t i)
{
    return i < rm_table_control_count ? &rm_table_controls[i] : NULL;
}

const struct rm_control *rm_control_by_name(const char *name)
{
    const struct rm_control *c;

    for (size_t i = 0; (c = rm_control_at(i)) != NULL && !name_is(c->start, c->name, name); i++) {
    }
    return c;
}

const struct rm_control *rm_control_by_number(uint32_t cmd)
{
    const struct rm_control *c;

    for (size_t i = 0; (c = rm_control_at(i)) != NULL && c->number != cmd; i++) {
    }
    return c;
}

const char *rm_control_name(const struct rm_control *c, char *buf)
{
    return full_name(c->start, c->name, buf);
}

uint32_t rm_control_number(const struct rm_control *c) { return c->number; }

uint32_t rm_control_class(const struct rm_control *c) { return c->number >> 16; }

bool rm_control_reads(const struct rm_control *c) { return c->reads != 0; }

bool rm_control_known(const struct rm_control *c, const struct gsp_version *v)
{
    return params_of(c->params, v) != RM_NOT_THERE;
}

const struct rm_struct *rm_control_params(const struct rm_control *c, const struct gsp_version *v)
{
    return struct_at(params_of(c->params, v));
}

/* Classes */

const struct rm_class *rm_class_at(size_t i)
{
    return i < rm_table_class_count ? &rm_table_classes[i] : NULL;
}

const struct rm_class *rm_class_by_name(const char *name)
{
    const struct rm_class *c;

    for (size_t i = 0; (c = rm_class_at(i)) != NULL && !name_is(c->start, c->name, name); i++) {
    }
    return c;
}

const struct rm_class *rm_class_by_number(uint32_t number)
{
    const struct rm_class *c;

    for (size_t i = 0; (c = rm_class_at(i)) != NULL && c->number != number; i++) {
    }
    return c;
}

const char *rm_class_name(const struct rm_class *c, char *buf)
{
    return full_name(c->start, c->name, buf);
}

uint32_t rm_class_number(const struct rm_class *c) { return c->number; }

bool rm_class_known(const struct rm_class *c, const struct gsp_version *v)
{
    return params_of(c->params, v) != RM_NOT_THERE;
}

const struct rm_struct *rm_class_params(const struct rm_class *c, const struct gsp_version *v)
{
    return struct_at(params_of(c->params, v));
}

/* Fields of a structure */

const char *rm_kind_name(enum rm_kind kind)
{
    static const char *const names[] = {
        [RM_UNSIGNED] = "unsigned", [RM_SIGNED] = "signed",   [RM_BOOL] = "bool",
        [RM_HANDLE] = "handle",     [RM_POINTER] = "pointer", [RM_TEXT] = "text",
        [RM_BYTES] = "bytes",
    };
    return (size_t)kind < ARRAY_SIZE(names) ? names[kind] : "unknown";
}

uint32_t rm_struct_size(const struct rm_struct *s) { return s->size; }

size_t rm_struct_field_count(const struct rm_struct *s) { return s->count; }

bool rm_struct_field(const struct rm_struct *s, size_t i, struct rm_field *out)
{
    if (i >= s->count) {
        return false;
    }
    const struct rm_row *row = &rm_table_rows[s->first + i];
    const struct rm_shape *shape = &rm_table_shapes[row->shape];
    *out = (struct rm_field){
        .offset = row->offset,
        .size = shape->size,
        .count = shape->count,
        .inner = shape->inner,
        .stride = shape->stride,
        .outer_stride = shape->outer_stride,
        .kind = (enum rm_kind)shape->kind,
        .in_union = shape->in_union != 0,
    };
    full_name(row->start, row->name, out->name);
    return true;
}

/* A name taken apart: as the table writes it, and what stood in its brackets. */
#define BRACKETS_MAX 3 /* two dimensions, and one of the bytes of a field */
#define ALL          UINT32_MAX
struct path {
    char name[RM_NAME_MAX]; /* without the brackets at its end */
    uint32_t brackets;
    uint32_t index[BRACKETS_MAX];
};

/* Reads "[12]" or "[]" at *text. */
static bool read_index(const char **text, uint32_t *index)
{
    const char *t = *text + 1;

    *index = *t == ']' ? ALL : 0;
    for (; *t >= '0' && *t <= '9'; t++) {
        if (*index > UINT16_MAX) { /* more than any array has; bounds the number too */
            return false;
        }
        *index = *index * 10 + (uint32_t)(*t - '0');
    }
    if (*t != ']') {
        return false;
    }
    *text = t + 1;
    return true;
}

static bool read_path(const char *text, struct path *p)
{
    size_t n = 0;

    *p = (struct path){0};
    while (*text != '\0') {
        if (*text != '[') {
            if (n + 1 >= sizeof(p->name)) {
                return false;
            }
            p->name[n++] = *text++;
            continue;
        }
        if (p->brackets == BRACKETS_MAX || !read_index(&text, &p->index[p->brackets])) {
            return false;
        }
        p->brackets++;
        if (*text == '.') {
            if (n + 2 >= sizeof(p->name)) {
                return false;
            }
            p->name[n++] = '[';
            p->name[n++] = ']';
        } else if (*text != '\0') {
            return false;
        }
    }
    return true; /* the rest of the name is zeros */
}

/* Narrows f to element index of its outer dimension. */
static bool take_outer(struct rm_field *f, uint32_t index)
{
    if (index >= f->count / f->inner) {
        return false;
    }
    f->offset += index * f->outer_stride;
    f->count = f->inner;
    f->outer_stride = 0;
    return true;
}

/* Narrows f to element index of its last dimension; the outer one, if any, is the last one then. */
static bool take_inner(struct rm_field *f, uint32_t index)
{
    if (index >= f->inner) {
        return false;
    }
    f->offset += index * f->stride;
    f->count /= f->inner;
    f->inner = f->count;
    f->stride = f->outer_stride;
    f->outer_stride = 0;
    return true;
}

static bool take_byte(struct rm_field *f, uint32_t index)
{
    if (index >= f->size) {
        return false;
    }
    f->offset += index;
    f->size = 1;
    f->kind = RM_UNSIGNED;
    return true;
}

static bool is_bytes(const struct rm_field *f) { return f->kind == RM_TEXT || f->kind == RM_BYTES; }

/* Narrows f to what the brackets of a name say. */
static bool take_indices(struct rm_field *f, const struct path *p)
{
    const size_t dimensions = (size_t)(f->stride != 0) + (size_t)(f->outer_stride != 0);

    if (p->brackets > dimensions + (is_bytes(f) ? 1 : 0)) {
        return false;
    }
    /* From the last on, for take_inner() makes the outer dimension the last one. */
    for (size_t i = p->brackets; i-- > 0;) {
        if (p->index[i] == ALL) {
            continue;
        }
        const bool taken = i >= dimensions                  ? take_byte(f, p->index[i])
                           : i == 0 && f->outer_stride != 0 ? take_outer(f, p->index[i])
                                                            : take_inner(f, p->index[i]);
        if (!taken) {
            return false;
        }
    }
    return true;
}

bool rm_struct_find(const struct rm_struct *s, const char *name, struct rm_field *out)
{
    struct path p;

    if (!read_path(name, &p)) {
        return false;
    }
    for (size_t i = 0; rm_struct_field(s, i, out); i++) {
        if (strcmp(out->name, p.name) == 0) {
            return take_indices(out, &p);
        }
    }
    return false;
}

/* Values */

/* Where an element lies; FL_EINVAL: none has that index, or it ends outside of size bytes. */
static enum fl_err place_of(uint32_t size, const struct rm_field *f, uint32_t index, size_t *at,
                            struct fl_fail *fail)
{
    if (index >= f->count || f->inner == 0) {
        return FL_FAIL(fail, FL_EINVAL, f->name, "element %u of %u", index, f->count);
    }
    const uint64_t place = f->offset + (uint64_t)(index / f->inner) * f->outer_stride +
                           (uint64_t)(index % f->inner) * f->stride;
    if (!range_ok(place, f->size, size)) {
        return FL_FAIL(fail, FL_EINVAL, f->name,
                       "element %u has bytes %llu to %llu, the parameters %u", index,
                       (unsigned long long)place, (unsigned long long)place + f->size, size);
    }
    *at = (size_t)place;
    return FL_OK;
}

/* The value of that many bytes with the sign of its highest bit. */
static uint64_t extend(uint64_t value, uint32_t bytes)
{
    const uint64_t sign = 1ull << (8 * bytes - 1);
    const uint64_t low = value & ((sign << 1) - 1);
    return (low ^ sign) - sign;
}

static bool fits(const struct rm_field *f, uint64_t value)
{
    if (f->kind == RM_SIGNED) {
        return extend(value, f->size) == value;
    }
    if (f->kind == RM_BOOL) {
        return value <= 1;
    }
    return f->size >= sizeof(value) || value >> (8 * f->size) == 0;
}

/* Bytes that fw_load() and fw_store() know. */
static bool is_number(const struct rm_field *f)
{
    return !is_bytes(f) && (f->size == 1 || f->size == 2 || f->size == 4 || f->size == 8);
}

enum fl_err rm_field_put(void *params, uint32_t size, const struct rm_field *f, uint32_t index,
                         uint64_t value, struct fl_fail *fail)
{
    size_t at;

    if (!is_number(f)) {
        return FL_FAIL(fail, FL_EINVAL, f->name, "a number for a field of %u bytes of %s", f->size,
                       rm_kind_name(f->kind));
    }
    enum fl_err err = place_of(size, f, index, &at, fail);
    if (err != FL_OK) {
        return err;
    }
    if (!fits(f, value)) {
        return FL_FAIL_MORE(fail, FL_EINVAL, f->name, (.hint = "a value that fits the field"),
                            "0x%llx does not fit %u byte%s, %s", (unsigned long long)value, f->size,
                            f->size == 1 ? "" : "s", rm_kind_name(f->kind));
    }
    fw_store((uint8_t *)params + at, f->size, value);
    return FL_OK;
}

uint64_t rm_field_get(const void *params, uint32_t size, const struct rm_field *f, uint32_t index)
{
    size_t at;

    if (!is_number(f) || place_of(size, f, index, &at, NULL) != FL_OK) {
        return 0;
    }
    const uint64_t value = fw_load((const uint8_t *)params + at, f->size);
    return f->kind == RM_SIGNED ? extend(value, f->size) : value;
}

enum fl_err rm_field_put_bytes(void *params, uint32_t size, const struct rm_field *f,
                               uint32_t index, const void *bytes, size_t len, struct fl_fail *fail)
{
    size_t at;

    if (!is_bytes(f)) {
        return FL_FAIL(fail, FL_EINVAL, f->name, "text or bytes for a field that is %s",
                       rm_kind_name(f->kind));
    }
    enum fl_err err = place_of(size, f, index, &at, fail);
    if (err != FL_OK) {
        return err;
    }
    if (len > f->size) {
        return FL_FAIL(fail, FL_EINVAL, f->name, "%zu bytes for a field of %u", len, f->size);
    }
    memset((uint8_t *)params + at, 0, f->size);
    if (len > 0) {
        memcpy((uint8_t *)params + at, bytes, len);
    }
    return FL_OK;
}

const void *rm_field_bytes(const void *params, uint32_t size, const struct rm_field *f,
                           uint32_t index)
{
    size_t at;

    return is_bytes(f) && place_of(size, f, index, &at, NULL) == FL_OK
               ? (const uint8_t *)params + at
               : NULL;
}
