/* SPDX-License-Identifier: MIT */
/*
 * Between vbios.c and vbios_fwsec.c: reading, and the way both complain.
 */
#pragma once

#include "gsp/files/vbios.h"

#define BAD(...) FL_FAIL(fail, FL_EBADDATA, "vbios", __VA_ARGS__)

/* Bytes from the PCI ROM's start to the end of the window. */
static inline uint32_t vbios_limit(const struct vbios *v) { return NV_PROM_SIZE - v->rom_base; }

/* Bytes at any offset from the PCI ROM's start; keep: remember them. FL_EBADDATA: outside the
 * window. */
enum fl_err vbios_bytes(struct vbios *v, uint32_t off, void *dst, uint32_t size, bool keep);
/* Words for an error of the two. */
enum fl_err vbios_outside(const struct vbios *v, enum fl_err err, uint32_t off, const char *what,
                          struct fl_fail *fail);
