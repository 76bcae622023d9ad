/* SPDX-License-Identifier: MIT */
/* What the files of unpacking share. Nobody else includes this. */
#pragma once

#include "gsp/files/unpack.h"

/* One file on its way. */
struct unpack_job {
    const uint8_t *file;
    size_t size;
    const char *path;
    uint8_t *dst;
    uint64_t room;
    const struct unpack_memory *memory;
    void (*pause)(void);
    uint64_t done;
};

#define UNPACK_BAD(fail, path, ...)                                                                \
    FL_FAIL_MORE((fail), FL_EBADDATA, fw_base_name(path),                                          \
                 (.hint = "the file is damaged: copy it again, or unpack it on another machine"),  \
                 __VA_ARGS__)

/* What both libraries call to free; memory: a struct unpack_memory. */
void unpack_take_back(void *memory, void *at);

enum fl_err unpack_zstd_bytes(const uint8_t *file, size_t size, const char *path, uint64_t *bytes,
                              struct fl_fail *fail);
enum fl_err unpack_zstd(struct unpack_job *j, struct fl_fail *fail);
enum fl_err unpack_xz_bytes(const uint8_t *file, size_t size, const char *path, uint64_t *bytes,
                            struct fl_fail *fail);
enum fl_err unpack_xz(struct unpack_job *j, struct fl_fail *fail);
