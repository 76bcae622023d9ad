/* SPDX-License-Identifier: MIT */
/*
 * The rows that gen_fields.py makes of controls.list, classes.list and the layout tables, as they
 * lie in the kernel. Only fields.c reads them; everybody else sees fields.h.
 */
#pragma once

#include "arch/base.h"

#define RM_TABLE_VERSIONS 2

/* In place of a row of rm_table_structs. */
#define RM_NOT_THERE 0xffff /* this version has no such control or class */
#define RM_NO_PARAMS 0xfffe /* it takes no parameters */

/* What a field is made of; the members are those of struct rm_field. */
struct rm_shape {
    uint8_t kind; /* enum rm_kind of fields.h */
    uint8_t in_union;
    uint16_t size, count, inner, stride, outer_stride;
};

struct rm_row {
    uint16_t name; /* place of the rest of the name in rm_table_strings */
    uint8_t start; /* index in rm_table_starts: what stands before it */
    uint8_t shape; /* index in rm_table_shapes */
    uint16_t offset;
};

struct rm_struct {
    uint16_t size;
    uint16_t first, count; /* of rm_table_rows */
};

struct rm_control {
    uint32_t number;
    uint16_t name;
    uint8_t start;
    uint8_t reads;
    uint16_t params[RM_TABLE_VERSIONS];
};

struct rm_class {
    uint16_t number;
    uint16_t name;
    uint8_t start;
    uint16_t params[RM_TABLE_VERSIONS];
};

extern const char *const rm_table_versions[RM_TABLE_VERSIONS]; /* as in struct gsp_version */
extern const char rm_table_strings[];
extern const uint16_t rm_table_starts[]; /* places in rm_table_strings */
extern const struct rm_shape rm_table_shapes[];
extern const struct rm_row rm_table_rows[];
extern const struct rm_struct rm_table_structs[];
extern const struct rm_control rm_table_controls[]; /* by number, ascending */
extern const size_t rm_table_control_count;
extern const struct rm_class rm_table_classes[]; /* by number, ascending */
extern const size_t rm_table_class_count;
