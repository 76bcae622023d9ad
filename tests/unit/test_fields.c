/* SPDX-License-Identifier: MIT */
/*
 * Fields of parameters by name: one element of many, values at the borders of their widths, and
 * what lies outside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gsp/rm/fields.h"
#include "gsp/rpc/version.h"

static const char *const version_names[] = {"570.144", "535.113.01"};

static const struct gsp_version *version(unsigned i) { return gsp_version_find(version_names[i]); }

static uint64_t element_at(const struct rm_field *f, uint32_t i)
{
    return f->offset + (uint64_t)(i / f->inner) * f->outer_stride +
           (uint64_t)(i % f->inner) * f->stride;
}

static const struct rm_struct *params(const char *name, unsigned v)
{
    const struct rm_control *c = rm_control_by_name(name);
    assert_non_null(c);
    return rm_control_params(c, version(v));
}

static struct rm_field field(const char *control, unsigned v, const char *name)
{
    struct rm_field f;
    if (!rm_struct_find(params(control, v), name, &f)) {
        fail_msg("%s has no %s", control, name);
    }
    return f;
}

/* Brackets: entries[32], each 84 + 16 bytes from 4 on, with pbdmaIds[2] at 76 of the structure. */
static void brackets_pick_elements(void **state)
{
    (void)state;
    static const char control[] = "NV2080_CTRL_CMD_FIFO_GET_DEVICE_INFO_TABLE";
    static const struct {
        const char *name;
        uint32_t offset, count, inner, stride, outer_stride;
    } good[] = {
        {"entries[].pbdmaIds", 76, 64, 2, 4, 100},
        {"entries[].pbdmaIds[]", 76, 64, 2, 4, 100},
        {"entries[0].pbdmaIds", 76, 2, 2, 4, 0},
        {"entries[2].pbdmaIds", 276, 2, 2, 4, 0},
        {"entries[9].pbdmaIds[]", 976, 2, 2, 4, 0},
        {"entries[2].pbdmaIds[1]", 280, 1, 1, 0, 0},
        {"entries[31].pbdmaIds[1]", 3180, 1, 1, 0, 0},
        {"entries[].pbdmaIds[1]", 80, 32, 32, 100, 0},
        {"entries[0031].numPbdmas", 3192, 1, 1, 0, 0},
        {"entries[1].engineName", 196, 1, 1, 0, 0},
        {"entries[1].engineName[15]", 211, 1, 1, 0, 0},
        {"entries[].engineName[15]", 111, 32, 32, 100, 0},
        {"baseIndex", 0, 1, 1, 0, 0},
    };
    static const char *const bad[] = {
        "",
        "[",
        "[0]",
        "entries",
        "entries[0]",
        "entries.pbdmaIds",
        "entries[32].pbdmaIds",
        "entries[0].pbdmaIds[2]",
        "entries[0].pbdmaIds[0][0]",
        "entries[0][0].pbdmaIds",
        "entries[0]pbdmaIds",
        "entries[0].pbdma[1]Ids",
        "entries[0].pbdmaIds[1].",
        "entries[0.pbdmaIds",
        "entries[+1].pbdmaIds",
        "entries[-1].pbdmaIds",
        "entries[ 1].pbdmaIds",
        "entries[0x1].pbdmaIds",
        "entries[4294967297].pbdmaIds",
        "entries[99999999999999999999].pbdmaIds",
        "entries[1].engineName[16]",
        "entries[1].engineName[0][0]",
        "entries[0].pbdmaIds[1][",
        "entries[0].pbdmaIds[",
        "entries[0].pbdmaIds]",
        "baseIndex[0]",
        "baseIndex[]",
        "baseIndex.",
        "a[0].b[0].c[0].d[0]",
    };
    struct rm_field f;

    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        f = field(control, 0, good[i].name);
        if (f.offset != good[i].offset || f.count != good[i].count || f.inner != good[i].inner ||
            f.stride != good[i].stride || f.outer_stride != good[i].outer_stride) {
            fail_msg("%s: offset %u, count %u, inner %u, strides %u, %u", good[i].name, f.offset,
                     f.count, f.inner, f.stride, f.outer_stride);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        if (rm_struct_find(params(control, 0), bad[i], &f)) {
            fail_msg("'%s' is found", bad[i]);
        }
    }
    f = field(control, 0, "entries[1].engineName[15]");
    assert_true(f.kind == RM_UNSIGNED && f.size == 1);
    f = field("NV2080_CTRL_CMD_GPU_GET_GID_INFO", 0, "data[255]");
    assert_true(f.kind == RM_UNSIGNED && f.size == 1 && f.offset == 267);

    /* As long as a name may be, and longer. */
    char text[2 * RM_NAME_MAX];
    for (size_t n = RM_NAME_MAX - 3; n < sizeof(text); n++) {
        memset(text, 'a', n);
        text[n] = '\0';
        assert_false(rm_struct_find(params(control, 0), text, &f));
        memcpy(text + n - 3, "[].", 3);
        assert_false(rm_struct_find(params(control, 0), text, &f));
    }
}

/* Every number of every structure: the least and the largest value come back, one more does not
 * fit. */
static void check_borders(const struct rm_field *f, uint8_t *buf, uint32_t size, uint32_t i)
{
    const unsigned bits = f->kind == RM_BOOL ? 1 : 8 * f->size;
    const bool wide = bits == 64;
    const uint64_t top = f->kind == RM_SIGNED ? (1ull << (bits - 1)) - 1
                         : wide               ? UINT64_MAX
                                              : (1ull << bits) - 1;
    const uint64_t low = f->kind == RM_SIGNED ? ~top : 0;
    const uint64_t values[] = {low, top, 0, 1};
    const uint64_t beyond[] = {low - 1, top + 1};
    uint8_t *before = malloc(size);

    for (size_t n = 0; n < ARRAY_SIZE(values); n++) {
        memset(buf, n & 1 ? 0 : 0xff, size);
        memcpy(before, buf, size);
        assert_int_equal(rm_field_put(buf, size, f, i, values[n], NULL), FL_OK);
        assert_true(rm_field_get(buf, size, f, i) == values[n]);
        /* Little-endian, and nothing else touched. */
        for (unsigned b = 0; b < f->size; b++) {
            before[element_at(f, i) + b] = (uint8_t)(values[n] >> (8 * b));
        }
        assert_memory_equal(buf, before, size);
    }
    for (size_t n = 0; n < ARRAY_SIZE(beyond) && !wide; n++) {
        struct fl_fail fail = {0};
        assert_int_equal(rm_field_put(buf, size, f, i, beyond[n], &fail), FL_EINVAL);
        assert_non_null(strstr(fail.text, "does not fit"));
        assert_memory_equal(buf, before, size);
    }
    free(before);
}

static void check_values(const struct rm_struct *s, unsigned *seen)
{
    const uint32_t size = rm_struct_size(s);
    uint8_t *buf = malloc(size); /* exact: ASan sees a byte too many */
    struct rm_field f;

    for (size_t i = 0; rm_struct_field(s, i, &f); i++) {
        seen[f.kind]++;
        if (f.kind != RM_TEXT && f.kind != RM_BYTES) {
            check_borders(&f, buf, size, 0);
            check_borders(&f, buf, size, f.count - 1);
        } else {
            const uint32_t last = f.count - 1;
            memset(buf, 0xff, size);
            assert_int_equal(
                rm_field_put_bytes(buf, size, &f, last, "ab", min_u64(2, f.size), NULL), FL_OK);
            const char *text = rm_field_bytes(buf, size, &f, last);
            assert_ptr_equal(text, buf + element_at(&f, last));
            assert_int_equal(text[0], 'a');
            assert_true(f.size <= 2 || (text[2] == 0 && text[f.size - 1] == 0));
        }
    }
    free(buf);
}

static void values_come_back(void **state)
{
    (void)state;
    unsigned seen[RM_BYTES + 1] = {0};
    const struct rm_control *c;
    const struct rm_class *k;

    for (unsigned v = 0; v < 2; v++) {
        for (size_t i = 0; (c = rm_control_at(i)) != NULL; i++) {
            if (rm_control_params(c, version(v)) != NULL) {
                check_values(rm_control_params(c, version(v)), seen);
            }
        }
        for (size_t i = 0; (k = rm_class_at(i)) != NULL; i++) {
            if (rm_class_params(k, version(v)) != NULL) {
                check_values(rm_class_params(k, version(v)), seen);
            }
        }
    }
    for (int kind = RM_UNSIGNED; kind <= RM_BYTES; kind++) {
        if (seen[kind] == 0) {
            fail_msg("no field is %s", rm_kind_name((enum rm_kind)kind));
        }
    }
}

/* A buffer shorter than the structure, an element too many: refused, in words, nothing written. */
static void nothing_outside_is_touched(void **state)
{
    (void)state;
    const struct rm_field last = field("NV2080_CTRL_CMD_FB_GET_INFO_V2", 0, "fbInfoList[].data");
    const struct rm_field gid = field("NV2080_CTRL_CMD_GPU_GET_GID_INFO", 0, "data");
    uint8_t *buf = calloc(1, 459);
    struct fl_fail fail = {0};
    struct rm_field wrong = last;

    assert_int_equal(rm_field_put(buf, 459, &last, 56, 1, &fail), FL_EINVAL);
    assert_string_equal(fail.what, "fbInfoList[].data");
    assert_non_null(strstr(fail.text, "bytes 456 to 460"));
    assert_int_equal(rm_field_get(buf, 459, &last, 56), 0);
    assert_int_equal(rm_field_put(buf, 459, &last, 55, 1, NULL), FL_OK);

    fl_fail_clear(&fail);
    assert_int_equal(rm_field_put(buf, 459, &last, 57, 1, &fail), FL_EINVAL);
    assert_non_null(strstr(fail.text, "element 57 of 57"));
    assert_int_equal(rm_field_put(buf, 459, &last, UINT32_MAX, 1, NULL), FL_EINVAL);

    /* A field that is none: whatever a caller has made of it. */
    wrong.inner = 0;
    assert_int_equal(rm_field_put(buf, 459, &wrong, 0, 1, NULL), FL_EINVAL);
    wrong = last;
    wrong.size = 3;
    assert_int_equal(rm_field_put(buf, 459, &wrong, 0, 1, NULL), FL_EINVAL);
    assert_int_equal(rm_field_get(buf, 459, &wrong, 0), 0);

    fl_fail_clear(&fail);
    assert_int_equal(rm_field_put_bytes(buf, 267, &gid, 0, "x", 1, &fail), FL_EINVAL);
    assert_non_null(strstr(fail.text, "bytes 12 to 268"));
    assert_null(rm_field_bytes(buf, 267, &gid, 0));
    assert_null(rm_field_bytes(buf, 459, &gid, 1));
    fl_fail_clear(&fail);
    assert_int_equal(rm_field_put_bytes(buf, 459, &gid, 0, buf, 257, &fail), FL_EINVAL);
    assert_non_null(strstr(fail.text, "257 bytes for a field of 256"));
    assert_int_equal(rm_field_put_bytes(buf, 459, &gid, 0, NULL, 0, NULL), FL_OK);

    /* Numbers are no bytes, bytes no numbers, not even eight of them. */
    const struct rm_field eight = field("NV0080_CTRL_CMD_BSP_GET_CAPS_V2", 0, "capsTbl");
    assert_int_equal(eight.size, 8);
    memset(buf, 0xff, 459);
    assert_int_equal(rm_field_put(buf, 459, &eight, 0, 1, NULL), FL_EINVAL);
    assert_int_equal(rm_field_get(buf, 459, &eight, 0), 0);
    fl_fail_clear(&fail);
    assert_int_equal(rm_field_put(buf, 459, &gid, 0, 1, &fail), FL_EINVAL);
    assert_non_null(strstr(fail.text, "256 bytes of bytes"));
    assert_int_equal(rm_field_get(buf, 459, &gid, 0), 0);
    fl_fail_clear(&fail);
    assert_int_equal(rm_field_put_bytes(buf, 459, &last, 0, "x", 1, &fail), FL_EINVAL);
    assert_non_null(strstr(fail.text, "unsigned"));
    assert_null(rm_field_bytes(buf, 459, &last, 0));
    free(buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(brackets_pick_elements),
        cmocka_unit_test(values_come_back),
        cmocka_unit_test(nothing_outside_is_touched),
    };
    return cmocka_run_group_tests_name("fields", tests, NULL, NULL);
}
