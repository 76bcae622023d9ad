/* SPDX-License-Identifier: MIT */
/*
 * Names for the trace: every field of every structure in the layout tables (generated), and the
 * numbers of messages, classes and controls (names.def).
 */
#pragma once

#include "arch/base.h"

struct field_name {
    const char *structure, *field; /* a table ends with NULL */
    uint32_t off, size;            /* of one element */
    uint32_t count, stride;        /* of an array's elements, or the structures that it is in */
};
struct field_names {
    const char *version; /* of the firmware */
    const struct field_name *fields;
};
extern const struct field_names layout_field_names[]; /* ends with NULL */

/* A number's name and the structure that goes with it, "" where there is none; NULL: not known.
 * Events have other numbers in r535 from 0x101b on. */
struct number_name {
    uint32_t number;
    const char *name, *structure;
};
const struct number_name *function_name(uint32_t number, bool r535);
const struct number_name *class_name(uint32_t number);
const struct number_name *control_name(uint32_t number);
