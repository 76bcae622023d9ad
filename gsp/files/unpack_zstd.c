/* SPDX-License-Identifier: MIT */
/*
 * .zst files: one frame after the other, block by block straight to where the file will lie, so
 * that no window is kept beside it. Source: RFC 8878; zstd.h of libzstd 1.5.7.
 */
#define ZSTD_STATIC_LINKING_ONLY /* the calls that go block by block */
#include <zstd.h>

#include "gsp/files/fwbin.h" /* fw_base_name */
#include "gsp/files/unpack_priv.h"

enum fl_err unpack_zstd_bytes(const uint8_t *file, size_t size, const char *path, uint64_t *bytes,
                              struct fl_fail *fail)
{
    /* The sum over all frames: of what each says, or else of what its blocks can hold. */
    const unsigned long long bound = ZSTD_decompressBound(file, size);

    if (size == 0 || bound == ZSTD_CONTENTSIZE_ERROR) {
        return UNPACK_BAD(fail, path, "%s: no zstd file, or cut short (%zu bytes)", path, size);
    }
    *bytes = bound;
    return FL_OK;
}

static void *give(void *memory, size_t bytes)
{
    const struct unpack_memory *m = memory;
    return m->alloc(m->arg, bytes);
}

/* One frame from *at on. */
static enum fl_err one_frame(struct unpack_job *j, ZSTD_DCtx *d, size_t *at, struct fl_fail *fail)
{
    size_t got = ZSTD_decompressBegin(d);

    for (size_t want; !ZSTD_isError(got) && (want = ZSTD_nextSrcSizeToDecompress(d)) != 0;) {
        if (want > j->size - *at) {
            return UNPACK_BAD(fail, j->path, "%s: cut short: %zu bytes are there, %zu more wanted",
                              j->path, j->size, want - (j->size - *at));
        }
        got = ZSTD_decompressContinue(d, j->dst + j->done, j->room - j->done, j->file + *at, want);
        if (!ZSTD_isError(got)) {
            *at += want;
            j->done += got;
            if (j->pause != NULL) {
                j->pause();
            }
        }
    }
    return ZSTD_isError(got)
               ? UNPACK_BAD(fail, j->path, "%s: damaged after %zu of %zu bytes (zstd error %d)",
                            j->path, *at, j->size, (int)ZSTD_getErrorCode(got))
               : FL_OK;
}

enum fl_err unpack_zstd(struct unpack_job *j, struct fl_fail *fail)
{
    struct unpack_memory memory = *j->memory;
    const ZSTD_customMem mem = {
        .customAlloc = give, .customFree = unpack_take_back, .opaque = &memory};
    ZSTD_DCtx *d = ZSTD_createDCtx_advanced(mem);
    enum fl_err err = FL_OK;

    if (d == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, fw_base_name(j->path), "%s: no memory to unpack it",
                       j->path);
    }
    for (size_t at = 0; err == FL_OK && at < j->size;) {
        err = one_frame(j, d, &at, fail);
    }
    (void)ZSTD_freeDCtx(d);
    return err;
}
