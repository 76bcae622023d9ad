/* SPDX-License-Identifier: MIT */
/*
 * Controls and classes by name: each structure of the tables holds together, and rows written out
 * by hand from NVIDIA's headers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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

/* Marks the bytes of every element as one field's. Returns where the last one ends. */
static uint64_t claim_bytes(const struct rm_field *f, uint8_t *owner, uint32_t size, uint8_t mark)
{
    uint64_t end = 0;

    assert_true(f->count > 0 && f->inner > 0 && f->count % f->inner == 0);
    for (uint32_t i = 0; i < f->count; i++) {
        const uint64_t at = element_at(f, i);
        end = max_u64(end, at + f->size);
        if (end > size) {
            fail_msg("%s ends at %u of %u", f->name, (unsigned)end, size);
        }
        for (uint32_t b = 0; b < f->size && !f->in_union; b++) {
            if (owner[at + b] != 0) {
                fail_msg("%s lies over field %u", f->name, owner[at + b] - 1);
            }
            owner[at + b] = mark;
        }
    }
    return end;
}

static void check_struct(const char *name, const struct rm_struct *s)
{
    const uint32_t size = rm_struct_size(s);
    const size_t count = rm_struct_field_count(s);
    uint8_t *owner = calloc(1, size);
    uint64_t end = 0;
    struct rm_field f, other;

    if (size == 0 || count == 0 || count >= UINT8_MAX) {
        fail_msg("%s: %u bytes, %zu fields", name, size, count);
    }
    for (size_t i = 0; i < count; i++) {
        assert_true(rm_struct_field(s, i, &f));
        end = max_u64(end, claim_bytes(&f, owner, size, (uint8_t)(i + 1)));
        assert_true(strlen(f.name) > 0 && f.name[0] != '.');
        /* The first of that name is this one. */
        assert_true(rm_struct_find(s, f.name, &other));
        assert_memory_equal(&f, &other, sizeof(f));
    }
    assert_false(rm_struct_field(s, count, &f));
    /* Nothing but padding behind the last field. */
    if (size - end >= 8) {
        fail_msg("%s: fields end at %u of %u", name, (unsigned)end, size);
    }
    free(owner);
}

static void every_structure_holds_together(void **state)
{
    (void)state;
    char name[RM_NAME_MAX];
    unsigned with[2] = {0};
    const struct rm_control *c;
    const struct rm_class *k;

    for (unsigned v = 0; v < 2; v++) {
        assert_non_null(version(v));
        for (size_t i = 0; (c = rm_control_at(i)) != NULL; i++) {
            const struct rm_struct *s = rm_control_params(c, version(v));
            assert_true(s != NULL || !rm_control_known(c, version(v)));
            if (s != NULL) {
                check_struct(rm_control_name(c, name), s);
                with[v]++;
            }
        }
        for (size_t i = 0; (k = rm_class_at(i)) != NULL; i++) {
            const struct rm_struct *s = rm_class_params(k, version(v));
            if (s != NULL) {
                check_struct(rm_class_name(k, name), s);
                assert_true(rm_class_known(k, version(v)));
            }
        }
    }
    assert_true(with[0] > 200 && with[1] > 200);
}

/* By name and by number one finds what at() gave: so both are there once. */
static void names_and_numbers_are_there_once(void **state)
{
    (void)state;
    char name[RM_NAME_MAX];
    const struct rm_control *c;
    const struct rm_class *k;
    uint32_t before = 0;

    for (size_t i = 0; (c = rm_control_at(i)) != NULL; i++) {
        assert_ptr_equal(rm_control_by_name(rm_control_name(c, name)), c);
        assert_ptr_equal(rm_control_by_number(rm_control_number(c)), c);
        assert_true(strncmp(name, "NV", 2) == 0 && strstr(name, "_CTRL_") != NULL);
        assert_true(rm_control_number(c) > before); /* in order */
        before = rm_control_number(c);
        /* NVIDIA's name says the class too. */
        char prefix[16];
        snprintf(prefix, sizeof(prefix), "NV%04X_", rm_control_class(c));
        assert_memory_equal(name, prefix, strlen(prefix));
        assert_true(rm_control_known(c, version(0)) || rm_control_known(c, version(1)));
    }
    for (size_t i = 0; (k = rm_class_at(i)) != NULL; i++) {
        assert_ptr_equal(rm_class_by_name(rm_class_name(k, name)), k);
        assert_ptr_equal(rm_class_by_number(rm_class_number(k)), k);
        assert_true(rm_class_known(k, version(0)) || rm_class_known(k, version(1)));
    }
}

static void what_is_not_there_is_not_found(void **state)
{
    (void)state;
    const struct rm_control *c = rm_control_by_number(0x20800110);
    struct gsp_version other = *version(0);

    assert_null(rm_control_by_name(""));
    assert_null(rm_control_by_name("NV2080_CTRL_CMD_"));
    assert_null(rm_control_by_name("NV2080_CTRL_CMD_GPU_GET_NAME_STRING_"));
    assert_null(rm_control_by_name("nv2080_ctrl_cmd_gpu_get_name_string"));
    assert_null(rm_control_by_number(0));
    assert_null(rm_class_by_name("NV20_SUBDEVICE"));
    assert_null(rm_class_by_number(0xffff));
    assert_null(rm_control_at(SIZE_MAX));
    assert_null(rm_class_at(SIZE_MAX));
    /* No version, and one that has no table. */
    assert_false(rm_control_known(c, NULL));
    assert_null(rm_control_params(c, NULL));
    other.name = "570.145";
    assert_false(rm_control_known(c, &other));
    assert_null(rm_control_params(c, &other));
}

/* From NVIDIA's headers at both tags, written out by hand: name, number, bytes (0: not there). */
static const struct {
    const char *name;
    uint32_t number;
    uint32_t bytes[2];
    bool reads;
} controls[] = {
    {"NV2080_CTRL_CMD_GPU_GET_NAME_STRING", 0x20800110, {132, 132}, true},
    {"NV2080_CTRL_CMD_GPU_GET_GID_INFO", 0x2080014a, {268, 268}, true},
    {"NV2080_CTRL_CMD_FB_GET_INFO_V2", 0x20801303, {460, 436}, true},
    {"NV2080_CTRL_CMD_BIOS_GET_INFO_V2", 0x20800810, {124, 124}, true},
    {"NV2080_CTRL_CMD_ECC_GET_CLIENT_EXPOSED_COUNTERS", 0x20803400, {96, 40}, true},
    {"NV2080_CTRL_CMD_ECC_GET_VOLATILE_COUNTS", 0x20803401, {40, 0}, true},
    {"NV2080_CTRL_CMD_PERF_GET_CURRENT_PSTATE", 0x20802068, {4, 0}, true},
    {"NV2080_CTRL_GPU_GET_FIPS_STATUS", 0x208001e4, {1, 0}, true},
    {"NV2080_CTRL_CMD_FIFO_GET_DEVICE_INFO_TABLE", 0x20801112, {3212, 3212}, true},
    {"NV0080_CTRL_CMD_GPU_GET_NUM_SUBDEVICES", 0x00800280, {4, 4}, true},
    {"NV0080_CTRL_CMD_DMA_SET_PAGE_DIRECTORY", 0x00801813, {32, 32}, false},
    {"NVA06F_CTRL_CMD_GPFIFO_SCHEDULE", 0xa06f0103, {2, 2}, false},
    {"NVA06F_CTRL_CMD_RESET_CHANNEL", 0xa06f0102, {0, 12}, false},
    {"NV2080_CTRL_CMD_EVENT_SET_NOTIFICATION", 0x20800301, {20, 20}, false},
    {"NV2080_CTRL_CMD_INTERNAL_INIT_USER_SHARED_DATA", 0x20800afe, {8, 0}, false},
    {"NV90F1_CTRL_CMD_VASPACE_COPY_SERVER_RESERVED_PDES", 0x90f10106, {184, 184}, false},
};

static const struct {
    const char *name;
    uint32_t number;
    uint32_t bytes[2];
} classes[] = {
    {"NV01_ROOT", 0x0, {120, 108}},
    {"NV01_DEVICE_0", 0x80, {56, 56}},
    {"NV20_SUBDEVICE_0", 0x2080, {4, 4}},
    {"NV01_EVENT_KERNEL_CALLBACK_EX", 0x7e, {24, 24}},
    {"FERMI_VASPACE_A", 0x90f1, {48, 48}},
    {"KEPLER_CHANNEL_GROUP_A", 0xa06c, {20, 20}},
    {"AMPERE_CHANNEL_GPFIFO_A", 0xc56f, {368, 360}},
    {"AMPERE_DMA_COPY_B", 0xc7b5, {8, 8}},
    {"NV01_MEMORY_SYSTEM", 0x3e, {128, 120}},
    {"TURING_USERMODE_A", 0xc461, {0, 0}},
};

static uint32_t bytes_of(const struct rm_struct *s) { return s != NULL ? rm_struct_size(s) : 0; }

static void rows_are_those_of_the_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(controls); i++) {
        const struct rm_control *c = rm_control_by_name(controls[i].name);
        assert_non_null(c);
        assert_int_equal(rm_control_number(c), controls[i].number);
        assert_int_equal(rm_control_reads(c), controls[i].reads);
        for (unsigned v = 0; v < 2; v++) {
            assert_int_equal(bytes_of(rm_control_params(c, version(v))), controls[i].bytes[v]);
            assert_int_equal(rm_control_known(c, version(v)), controls[i].bytes[v] != 0);
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
        const struct rm_class *k = rm_class_by_name(classes[i].name);
        assert_non_null(k);
        assert_int_equal(rm_class_number(k), classes[i].number);
        for (unsigned v = 0; v < 2; v++) {
            assert_int_equal(bytes_of(rm_class_params(k, version(v))), classes[i].bytes[v]);
            assert_true(rm_class_known(k, version(v)));
        }
    }
    const struct rm_class *newer = rm_class_by_name("BLACKWELL_CHANNEL_GPFIFO_A");
    assert_true(rm_class_known(newer, version(0)));
    assert_false(rm_class_known(newer, version(1)));
}

/* What clears on request or hands out a key is not for everybody, though its name says GET. */
static void a_control_that_may_change_something_says_so(void **state)
{
    (void)state;
    static const char *const change[] = {
        "NV2080_CTRL_CMD_BUS_GET_INFO_V2",
        "NV2080_CTRL_CMD_GR_GET_CTXSW_STATS",
        "NV2080_CTRL_CMD_FB_GET_CALIBRATION_LOCK_FAILED",
        "NV906F_CTRL_CMD_GET_MMU_FAULT_INFO",
        "NVC36F_CTRL_CMD_GPFIFO_GET_WORK_SUBMIT_TOKEN",
    };
    const struct rm_control *c;
    struct rm_field f;
    char name[RM_NAME_MAX];

    for (size_t i = 0; i < ARRAY_SIZE(change); i++) {
        assert_false(rm_control_reads(rm_control_by_name(change[i])));
    }
    for (size_t i = 0; (c = rm_control_at(i)) != NULL; i++) {
        rm_control_name(c, name);
        if (!rm_control_reads(c)) {
            continue;
        }
        if (strstr(name, "_SET_") != NULL || strstr(name, "_RESET_ECC") != NULL) {
            fail_msg("%s only reads?", name);
        }
        for (unsigned v = 0; v < 2; v++) {
            const struct rm_struct *s = rm_control_params(c, version(v));
            for (size_t n = 0; s != NULL && rm_struct_field(s, n, &f); n++) {
                if (f.kind == RM_POINTER) {
                    fail_msg("%s takes a pointer", name);
                }
            }
        }
    }
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

/* Control and field; where it lies and what it is, in r570. */
static const struct {
    const char *control, *name;
    uint32_t offset, size, count;
    enum rm_kind kind;
    bool in_union;
} fields[] = {
    {"NV2080_CTRL_CMD_GPU_GET_NAME_STRING", "gpuNameStringFlags", 0, 4, 1, RM_UNSIGNED, false},
    {"NV2080_CTRL_CMD_GPU_GET_NAME_STRING", "gpuNameString.ascii", 4, 64, 1, RM_TEXT, true},
    {"NV2080_CTRL_CMD_GPU_GET_NAME_STRING", "gpuNameString.unicode", 4, 2, 64, RM_UNSIGNED, true},
    {"NV2080_CTRL_CMD_GPU_GET_GID_INFO", "data", 12, 256, 1, RM_BYTES, false},
    {"NV2080_CTRL_CMD_FB_GET_INFO_V2", "fbInfoListSize", 0, 4, 1, RM_UNSIGNED, false},
    {"NV2080_CTRL_CMD_FB_GET_INFO_V2", "fbInfoList[].data", 8, 4, 57, RM_UNSIGNED, false},
    {"NV2080_CTRL_CMD_FIFO_GET_DEVICE_INFO_TABLE", "entries[].engineName", 96, 16, 32, RM_TEXT,
     false},
    {"NV2080_CTRL_CMD_FIFO_GET_DEVICE_INFO_TABLE", "entries[].pbdmaIds", 76, 4, 64, RM_UNSIGNED,
     false},
    {"NV2080_CTRL_CMD_GSP_GET_FEATURES", "firmwareVersion", 6, 64, 1, RM_TEXT, false},
    {"NV2080_CTRL_CMD_GSP_GET_FEATURES", "bValid", 4, 1, 1, RM_BOOL, false},
    {"NV2080_CTRL_CMD_FIFO_DISABLE_CHANNELS", "hChannelList", 280, 4, 64, RM_HANDLE, false},
    {"NV2080_CTRL_CMD_FIFO_DISABLE_CHANNELS", "pRunlistPreemptEvent", 16, 8, 1, RM_POINTER, false},
};

static void fields_are_those_of_the_headers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        const struct rm_field f = field(fields[i].control, 0, fields[i].name);
        assert_string_equal(f.name, fields[i].name);
        assert_int_equal(f.offset, fields[i].offset);
        assert_int_equal(f.size, fields[i].size);
        assert_int_equal(f.count, fields[i].count);
        assert_int_equal(f.kind, fields[i].kind);
        assert_int_equal(f.in_union, fields[i].in_union);
    }
    assert_int_equal(field("NV2080_CTRL_CMD_FB_GET_INFO_V2", 1, "fbInfoList[].data").count, 54);
    assert_string_equal(rm_kind_name(RM_BYTES), "bytes");
    assert_string_equal(rm_kind_name((enum rm_kind)(RM_BYTES + 1)), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_structure_holds_together),
        cmocka_unit_test(names_and_numbers_are_there_once),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(rows_are_those_of_the_headers),
        cmocka_unit_test(a_control_that_may_change_something_says_so),
        cmocka_unit_test(fields_are_those_of_the_headers),
    };
    return cmocka_run_group_tests_name("rm_tables", tests, NULL, NULL);
}
