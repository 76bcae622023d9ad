/* SPDX-License-Identifier: MIT */
/*
 * Names of controls, classes and fields from anywhere. Input: which structure (two bytes), how many
 * bytes of it there are (two), a value (eight), a name. What is found lies inside the structure;
 * what is written comes back and leaves the rest alone; no byte outside of the buffer is touched,
 * however short it is.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gsp/rm/fields.h"
#include "gsp/rpc/version.h"

#define HEADER 12

static void must(bool true_always)
{
    if (!true_always) {
        abort();
    }
}

/* Controls and classes of both versions, in turn. */
static const struct rm_struct *pick(uint16_t which)
{
    const struct gsp_version *v = gsp_version_find(which & 1 ? "570.144" : "535.113.01");
    const struct rm_control *c = rm_control_at(which >> 2);
    const struct rm_class *k = rm_class_at(which >> 2);

    if (which & 2) {
        return k != NULL ? rm_class_params(k, v) : NULL;
    }
    return c != NULL ? rm_control_params(c, v) : NULL;
}

static void use_number(const struct rm_field *f, uint8_t *params, uint32_t size, uint32_t index,
                       uint64_t value)
{
    struct fl_fail fail = {0};

    if (rm_field_put(params, size, f, index, value, &fail) == FL_OK) {
        must(rm_field_get(params, size, f, index) == value);
    } else {
        must(fail.err == FL_EINVAL && fail.text[0] != '\0');
        (void)rm_field_get(params, size, f, index);
    }
}

static void use_bytes(const struct rm_field *f, uint8_t *params, uint32_t size, uint32_t index,
                      const uint8_t *bytes, size_t len)
{
    struct fl_fail fail = {0};
    const bool done = rm_field_put_bytes(params, size, f, index, bytes, len, &fail) == FL_OK;
    const uint8_t *back = rm_field_bytes(params, size, f, index);

    must(done || (fail.err == FL_EINVAL && fail.text[0] != '\0'));
    must(!done || (back != NULL && memcmp(back, bytes, len) == 0));
    must(back == NULL || (back >= params && back + f->size <= params + size));
}

static void use_field(const struct rm_struct *s, const struct rm_field *f, uint32_t size,
                      uint64_t value, const uint8_t *bytes, size_t len)
{
    must(f->count > 0 && f->inner > 0 && f->count % f->inner == 0);
    must(f->offset + (uint64_t)(f->count / f->inner - 1) * f->outer_stride +
             (uint64_t)(f->inner - 1) * f->stride + f->size <=
         rm_struct_size(s));

    uint8_t *params = calloc(1, size + 1); /* of which size bytes may be touched */
    if (params == NULL) {
        return;
    }
    const uint32_t indices[] = {0, f->count - 1, f->count, (uint32_t)value};
    for (size_t i = 0; i < ARRAY_SIZE(indices); i++) {
        use_number(f, params, size, indices[i], value);
        use_bytes(f, params, size, indices[i], bytes, len);
    }
    must(params[size] == 0);
    free(params);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEADER) {
        return 0;
    }
    const struct rm_struct *s = pick(get_le16(data));
    const uint32_t bytes = get_le16(data + 2);
    char *name = malloc(size - HEADER + 1); /* exact: ASan sees a byte too many */
    struct rm_field f;

    if (name == NULL) {
        return 0;
    }
    memcpy(name, data + HEADER, size - HEADER);
    name[size - HEADER] = '\0';
    const struct rm_control *c = rm_control_by_name(name);
    const struct rm_class *k = rm_class_by_name(name);
    must(c == NULL || rm_control_by_number(rm_control_number(c)) == c);
    must(k == NULL || rm_class_by_number(rm_class_number(k)) == k);
    if (s != NULL && rm_struct_find(s, name, &f)) {
        must(memchr(f.name, '\0', sizeof(f.name)) != NULL);
        use_field(s, &f, bytes, get_le64(data + 4), (const uint8_t *)name, size - HEADER);
    }
    free(name);
    return 0;
}
