/* SPDX-License-Identifier: MIT */
/* Unpacking firmware files; contract in unpack.h. */
#include "gsp/files/unpack_priv.h"

#include "gsp/files/fwbin.h" /* fw_base_name */

void unpack_take_back(void *memory, void *at)
{
    const struct unpack_memory *m = memory;

    if (at != NULL) {
        m->free(m->arg, at);
    }
}

enum fl_err unpack_bytes(enum unpack_format format, const void *file, size_t size, const char *path,
                         uint64_t *bytes, struct fl_fail *fail)
{
    *bytes = 0;
    enum fl_err err = format == UNPACK_ZSTD ? unpack_zstd_bytes(file, size, path, bytes, fail)
                      : format == UNPACK_XZ ? unpack_xz_bytes(file, size, path, bytes, fail)
                                            : FL_EINVAL;
    if (err == FL_OK && *bytes > UNPACK_MAX_BYTES) {
        err = FL_FAIL_MORE(fail, FL_ENOTSUP, fw_base_name(path),
                           (FL_SAW(*bytes, UNPACK_MAX_BYTES, 0),
                            .hint = "no firmware file is that long: copy the right one"),
                           "%s: says that it becomes %llu bytes, the most taken is %llu", path,
                           (unsigned long long)*bytes, (unsigned long long)UNPACK_MAX_BYTES);
    }
    if (err == FL_OK && *bytes == 0) {
        err = UNPACK_BAD(fail, path, "%s: nothing is in it", path);
    }
    return err;
}

enum fl_err unpack(enum unpack_format format, const void *file, size_t size, const char *path,
                   void *dst, uint64_t room, const struct unpack_memory *memory,
                   void (*pause)(void), uint64_t *done, struct fl_fail *fail)
{
    struct unpack_job j = {.file = file,
                           .size = size,
                           .path = path,
                           .dst = dst,
                           .room = room,
                           .memory = memory,
                           .pause = pause};
    enum fl_err err = format == UNPACK_ZSTD ? unpack_zstd(&j, fail)
                      : format == UNPACK_XZ ? unpack_xz(&j, fail)
                                            : FL_EINVAL;
    *done = err == FL_OK ? j.done : 0;
    return err;
}
