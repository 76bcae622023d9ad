/* SPDX-License-Identifier: MIT */
/*
 * Reads a tar archive that lies in memory and may be anything: every header's checksum and every
 * length is checked before it is used. Source: POSIX.1-2008, pax, "ustar Interchange Format"; GNU
 * tar's magic is taken, too.
 */
#pragma once

#include "arch/base.h"

struct tar {
    const uint8_t *data; /* borrowed */
    size_t len, at;
    const char *why; /* it ended as it should not; static; NULL: it did not */
};
#define TAR_NAME_MAX 257u /* prefix, "/", name and NUL */
struct tar_member {
    char name[TAR_NAME_MAX]; /* as it stands there: may hold anything but NUL */
    const uint8_t *data;     /* in the archive */
    size_t len;
};
enum tar_step { TAR_MEMBER, TAR_END, TAR_BAD };

/* data may be NULL when len is 0. */
struct tar tar_on(const void *data, size_t len);
/* The next regular file; others are passed over. TAR_BAD: nothing more can be read (t->why); asked
 * again, it says the same. */
enum tar_step tar_next(struct tar *t, struct tar_member *m);
