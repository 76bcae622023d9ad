/* SPDX-License-Identifier: MIT */
/*
 * Firmware files as many distributions ship them: `x.bin.zst` (zstd) and `x.bin.xz` (LZMA2), which
 * the Linux loader takes in the place of `x.bin`. Sums that the container carries are checked.
 *
 * Sources: RFC 8878 (zstd), the .xz file format 1.2.1; the work is done by libzstd and liblzma.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

enum unpack_format { UNPACK_NONE, UNPACK_ZSTD, UNPACK_XZ };

/* More than any firmware file has; what says that it becomes longer is refused. */
#define UNPACK_MAX_BYTES MIB(512)

/* By the end of a path, without regard to letter case. *plain (NULL: not asked): the length of the
 * path without that end; for UNPACK_NONE all of it. */
enum unpack_format unpack_format(const char *path, size_t *plain);

/* Working memory, up to 64 MiB and some for an .xz file that asks for it; what it got it gives back
 * before it returns. alloc: any alignment that malloc() has, NULL for none. */
struct unpack_memory {
    void *(*alloc)(void *arg, size_t bytes);
    void (*free)(void *arg, void *at);
    void *arg;
};

/* How long the file becomes, as it says itself; of a .zst file that does not say it, the most that
 * it can become. FL_EBADDATA: no such container, or damaged; FL_ENOTSUP: longer than
 * UNPACK_MAX_BYTES. fail names the file and what to do. Does not yield. */
FL_MUST_CHECK enum fl_err unpack_bytes(enum unpack_format format, const void *file, size_t size,
                                       const char *path, uint64_t *bytes, struct fl_fail *fail);

/* Unpacks the file to dst; *done: how many bytes it became, at most room. pause (may be NULL) is
 * called after each piece of at most 128 KiB and may yield. Errors as above, and FL_ENOMEM; what is
 * in dst is of no use then. */
FL_MUST_CHECK enum fl_err unpack(enum unpack_format format, const void *file, size_t size,
                                 const char *path, void *dst, uint64_t room,
                                 const struct unpack_memory *memory, void (*pause)(void),
                                 uint64_t *done, struct fl_fail *fail);
