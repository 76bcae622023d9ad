/* SPDX-License-Identifier: MIT */
/*
 * The resource manager's controls and classes by NVIDIA's name, and the fields of their parameters
 * by name, for each firmware version. Tables and a coder: no GPU, no allocation, nothing yields.
 * The names may come from anywhere; a buffer of parameters is never left. Source: controls.list,
 * classes.list and the layout tables (rpc/layout), measured with a compiler from the open kernel
 * modules at the tags of the versions.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

struct gsp_version;

/* Rows of constant tables: they live for ever. */
struct rm_control;
struct rm_class;
struct rm_struct; /* a parameter structure as one firmware version has it */

#define RM_NAME_MAX 96 /* room for any name of a control, a class or a field */

/* Controls. By name: NVIDIA's, exactly ("NV2080_CTRL_CMD_GPU_GET_NAME_STRING"); at: for lists, in
 * order of the numbers. NULL: there is none; a control that is not here can still be called. */
const struct rm_control *rm_control_by_name(const char *name);
const struct rm_control *rm_control_by_number(uint32_t cmd);
const struct rm_control *rm_control_at(size_t i);
/* Writes the name to buf, which has RM_NAME_MAX bytes, and returns it. */
const char *rm_control_name(const struct rm_control *c, char *buf);
uint32_t rm_control_number(const struct rm_control *c);
/* Class of the objects that take it: 0x2080 a subdevice, 0x0080 a device, 0xa06f a channel, ... */
uint32_t rm_control_class(const struct rm_control *c);
/* Only looks: nothing of the GPU or its firmware is changed, whatever the parameters say. In doubt
 * false. */
bool rm_control_reads(const struct rm_control *c);
/* That firmware has it. False for v NULL. */
bool rm_control_known(const struct rm_control *c, const struct gsp_version *v);
/* NULL: none, or the version is not known or lacks the control. */
const struct rm_struct *rm_control_params(const struct rm_control *c, const struct gsp_version *v);

/* Classes that can be allocated, the same way. */
const struct rm_class *rm_class_by_name(const char *name); /* "NV20_SUBDEVICE_0" */
const struct rm_class *rm_class_by_number(uint32_t number);
const struct rm_class *rm_class_at(size_t i);
const char *rm_class_name(const struct rm_class *c, char *buf);
uint32_t rm_class_number(const struct rm_class *c);
bool rm_class_known(const struct rm_class *c, const struct gsp_version *v);
/* NULL: it is allocated without parameters, or the version lacks it. */
const struct rm_struct *rm_class_params(const struct rm_class *c, const struct gsp_version *v);

enum rm_kind {
    RM_UNSIGNED,
    RM_SIGNED,
    RM_BOOL,    /* one byte, 0 or 1 */
    RM_HANDLE,  /* of an object, 32 bits */
    RM_POINTER, /* an address, 64 bits; the GSP may follow it */
    RM_TEXT,    /* characters, zeros behind them; all of the field when there is no zero */
    RM_BYTES,
};
const char *rm_kind_name(enum rm_kind kind); /* "unsigned", "signed", "bool", ... */

/*
 * One field. Members of structures inside are written with dots; a member of an array of structures
 * is one field of as many elements: "fbInfoList[].data". Elements are counted through all
 * dimensions as in memory: element i of list[].values[] is values[i % inner] of list[i / inner].
 */
struct rm_field {
    char name[RM_NAME_MAX];
    uint32_t offset; /* of the first element, from the start of the structure */
    uint32_t size;   /* bytes of one element: 1, 2, 4 or 8; text and bytes: of all of one */
    uint32_t count;  /* elements, 1 for a single value */
    uint32_t inner;  /* of these in the last dimension */
    uint32_t stride,
        outer_stride; /* bytes between elements, and between those with inner between */
    enum rm_kind kind;
    bool in_union; /* lies over other fields */
};

uint32_t rm_struct_size(const struct rm_struct *s); /* bytes; what a message must carry, exactly */
size_t rm_struct_field_count(const struct rm_struct *s);
/* False past the end. */
bool rm_struct_field(const struct rm_struct *s, size_t i, struct rm_field *out);
/* By name as above, or one element: "fbInfoList[3].data", "bar2Addr[1]", and of an array in an
 * array all elements of the first or one of them: "entries[2].pbdmaIds", "entries[2].pbdmaIds[1]".
 * One of the bytes of a field of bytes: "data[5]". Brackets may be left empty from the left on. The
 * name in *out is that of the whole field. False: no such field or element. */
bool rm_struct_find(const struct rm_struct *s, const char *name, struct rm_field *out);

/* Writes element index of a field, little-endian; a signed value is given sign-extended to 64 bits.
 * size: bytes at params. FL_EINVAL, in words: the value does not fit, the element lies outside, the
 * field is text or bytes; nothing is written then. */
FL_MUST_CHECK enum fl_err rm_field_put(void *params, uint32_t size, const struct rm_field *f,
                                       uint32_t index, uint64_t value, struct fl_fail *fail);
/* Sign-extended when signed. 0 for text, bytes and what lies outside. */
uint64_t rm_field_get(const void *params, uint32_t size, const struct rm_field *f, uint32_t index);
/* Writes len bytes of text or bytes, zeros behind them. FL_EINVAL, in words: too long, outside, a
 * number. */
FL_MUST_CHECK enum fl_err rm_field_put_bytes(void *params, uint32_t size, const struct rm_field *f,
                                             uint32_t index, const void *bytes, size_t len,
                                             struct fl_fail *fail);
/* The f->size bytes of a text or bytes field, in params; NULL outside, or a number. Text ends at
 * its first zero, or with the field. */
const void *rm_field_bytes(const void *params, uint32_t size, const struct rm_field *f,
                           uint32_t index);
