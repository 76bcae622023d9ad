/* SPDX-License-Identifier: MIT */
/*
 * .xz files: one stream. How long it becomes is in its index, at the end.
 * Source: the .xz file format 1.2.1, sections 2.1 and 4; lzma/base.h and lzma/container.h of
 * liblzma 5.8.
 */
#include <lzma.h>

#include "gsp/files/fwbin.h" /* fw_base_name */
#include "gsp/files/unpack_priv.h"

#define PIECE_BYTES  KIB(128)
#define MEMORY_LIMIT MIB(96) /* xz -9 needs 65 MiB */
#define INDEX_MARK   0x00u   /* the byte with which an index begins */
#define STREAM_ALIGN 4u
#define BOTH_ENDS    (2 * LZMA_STREAM_HEADER_SIZE)

/* Zeros after the stream, four at a time, belong to the format. */
static size_t without_padding(const uint8_t *file, size_t size)
{
    while (size >= STREAM_ALIGN && get_le32(file + size - STREAM_ALIGN) == 0) {
        size -= STREAM_ALIGN;
    }
    return size;
}

/* The sum of what the index says of each block. */
static bool sum_of_index(const uint8_t *index, size_t size, uint64_t *bytes)
{
    lzma_vli count = 0;
    size_t at = 1;

    if (index[0] != INDEX_MARK || lzma_vli_decode(&count, NULL, index, &at, size) != LZMA_OK) {
        return false;
    }
    for (uint64_t sum = 0; count > 0; count--) {
        lzma_vli packed = 0;
        lzma_vli plain = 0;
        if (lzma_vli_decode(&packed, NULL, index, &at, size) != LZMA_OK ||
            lzma_vli_decode(&plain, NULL, index, &at, size) != LZMA_OK ||
            plain > UINT64_MAX - sum) {
            return false;
        }
        sum += plain;
        *bytes = sum;
    }
    return true;
}

enum fl_err unpack_xz_bytes(const uint8_t *file, size_t size, const char *path, uint64_t *bytes,
                            struct fl_fail *fail)
{
    const size_t used = without_padding(file, size);
    lzma_stream_flags flags;

    if (used < BOTH_ENDS || used % STREAM_ALIGN != 0 ||
        lzma_stream_header_decode(&flags, file) != LZMA_OK ||
        lzma_stream_footer_decode(&flags, file + used - LZMA_STREAM_HEADER_SIZE) != LZMA_OK ||
        flags.backward_size > used - BOTH_ENDS) {
        return UNPACK_BAD(fail, path, "%s: no .xz file, or cut short (%zu bytes)", path, size);
    }
    const size_t index_bytes = (size_t)flags.backward_size;
    if (!sum_of_index(file + used - LZMA_STREAM_HEADER_SIZE - index_bytes, index_bytes, bytes)) {
        return UNPACK_BAD(fail, path, "%s: its index is damaged", path);
    }
    return FL_OK;
}

static void *give(void *memory, size_t count, size_t bytes)
{
    const struct unpack_memory *m = memory;
    return m->alloc(m->arg, count * bytes); /* liblzma: count is 1 */
}

static enum fl_err outcome(const struct unpack_job *j, lzma_ret ret, const lzma_stream *s,
                           struct fl_fail *fail)
{
    switch ((int)ret) {
    case LZMA_STREAM_END:
        return FL_OK;
    case LZMA_MEM_ERROR:
        return FL_FAIL(fail, FL_ENOMEM, fw_base_name(j->path), "%s: no memory to unpack it",
                       j->path);
    case LZMA_MEMLIMIT_ERROR:
        return FL_FAIL_MORE(fail, FL_ENOTSUP, fw_base_name(j->path),
                            (.hint = "unpack it on another machine and copy the .bin file"),
                            "%s: unpacking needs %llu bytes of memory, the most given is %llu",
                            j->path, (unsigned long long)lzma_memusage(s),
                            (unsigned long long)MEMORY_LIMIT);
    case LZMA_OPTIONS_ERROR:
        return FL_FAIL_MORE(fail, FL_ENOTSUP, fw_base_name(j->path),
                            (.hint = "unpack it on another machine and copy the .bin file"),
                            "%s: packed with a filter that is not LZMA2", j->path);
    default:
        return UNPACK_BAD(fail, j->path, "%s: damaged after %llu of %zu bytes (lzma error %d)",
                          j->path, (unsigned long long)s->total_in, j->size, (int)ret);
    }
}

enum fl_err unpack_xz(struct unpack_job *j, struct fl_fail *fail)
{
    struct unpack_memory memory = *j->memory;
    const lzma_allocator allocator = {.alloc = give, .free = unpack_take_back, .opaque = &memory};
    lzma_stream s = LZMA_STREAM_INIT;
    s.allocator = &allocator;
    s.next_in = j->file;
    s.avail_in = without_padding(j->file, j->size);
    lzma_ret ret = lzma_stream_decoder(&s, MEMORY_LIMIT, 0);

    while (ret == LZMA_OK) {
        s.next_out = j->dst + j->done;
        s.avail_out = (size_t)min_u64(PIECE_BYTES, j->room - j->done);
        ret = lzma_code(&s, LZMA_FINISH);
        j->done = s.total_out;
        if (j->pause != NULL) {
            j->pause();
        }
    }
    if (ret == LZMA_STREAM_END && s.avail_in != 0) {
        ret = LZMA_DATA_ERROR; /* something follows */
    }
    enum fl_err err = outcome(j, ret, &s, fail);
    lzma_end(&s);
    return err;
}
