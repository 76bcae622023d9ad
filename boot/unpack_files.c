/* SPDX-License-Identifier: MIT */
#include "boot/unpack_files.h"

#include <stdio.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/log.h"
#include "gsp/files/fwelf.h"
#include "gsp/files/unpack.h"
#include "mm/dma.h"

/* A GPU of any family reaches 47 bits of address. */
#define FILE_ADDR_BITS 47u

/* Working memory comes in large pieces, which the heap is too small for: each is a buffer whose
 * first bytes say what it is. */
struct piece {
    struct dma_buf buf;
};

static void *piece_alloc(void *arg, size_t bytes)
{
    struct dma_buf buf;

    (void)arg;
    if (bytes > UNPACK_MAX_BYTES ||
        dma_alloc(&buf, bytes + sizeof(struct piece), 0, FILE_ADDR_BITS, "unpacking") != FL_OK) {
        return NULL;
    }
    struct piece *p = buf.cpu;
    p->buf = buf;
    return p + 1;
}

static void piece_free(void *arg, void *at)
{
    struct piece *p = (struct piece *)at - 1;
    struct dma_buf buf = p->buf;

    (void)arg;
    dma_free(&buf);
}

static bool is_there(const struct fl_file *files, uint32_t count, const char *path, size_t length)
{
    for (uint32_t i = 0; i < count; i++) {
        if (files[i].state == FL_FILE_OK && strncmp(files[i].path, path, length) == 0 &&
            files[i].path[length] == '\0') {
            return true;
        }
    }
    return false;
}

/* Into a buffer that stays; `file` says then where. */
static enum fl_err unpack_one(struct fl_file *file, enum unpack_format format, struct fl_fail *fail)
{
    static const struct unpack_memory memory = {.alloc = piece_alloc, .free = piece_free};
    const void *packed = (const void *)(uintptr_t)file->address;
    const uint64_t begun_us = clock_now_us();
    struct dma_buf buf = {0};
    uint64_t bytes = 0;
    enum fl_err err = unpack_bytes(format, packed, (size_t)file->size, file->path, &bytes, fail);

    /* A page to move it up in, and one after it, so that a reader of whole lines stays inside. */
    if (err == FL_OK && dma_alloc(&buf, bytes + UINT64_C(2) * FL_PAGE_SIZE, FL_PAGE_SIZE,
                                  FILE_ADDR_BITS, "unpacked file") != FL_OK) {
        err = FL_FAIL(fail, FL_ENOMEM, "unpack", "%s: no memory for the %llu bytes in it",
                      file->path, (unsigned long long)bytes);
    }
    if (err == FL_OK) {
        err = unpack(format, packed, (size_t)file->size, file->path, buf.cpu, bytes, &memory,
                     fiber_yield_if_long, &bytes, fail);
    }
    if (err != FL_OK) {
        dma_free(&buf);
        return err;
    }
    const uint64_t offset = fw_gsp_image_offset(buf.cpu, (size_t)bytes);
    const uint64_t lead = offset == 0 ? 0 : align_up_u64(offset, FL_PAGE_SIZE) - offset;
    if (lead != 0) {
        memmove((uint8_t *)buf.cpu + lead, buf.cpu, (size_t)bytes);
    }
    log_info("boot", "unpacked %s: %llu bytes became %llu in %llu us", file->path,
             (unsigned long long)file->size, (unsigned long long)bytes,
             (unsigned long long)(clock_now_us() - begun_us));
    file->address = (uint64_t)(uintptr_t)buf.cpu + lead;
    file->size = file->dir_size = bytes;
    file->room = buf.room - lead;
    return FL_OK;
}

void unpack_files(struct fl_file *files, uint32_t count, void (*note)(const char *text))
{
    for (uint32_t i = 0; i < count; i++) {
        struct fl_file *f = &files[i];
        size_t plain = 0;
        if (f->state != FL_FILE_OK || memchr(f->path, '\0', sizeof(f->path)) == NULL) {
            continue;
        }
        const enum unpack_format format = unpack_format(f->path, &plain);
        if (format == UNPACK_NONE || is_there(files, count, f->path, plain)) {
            continue;
        }
        struct fl_fail fail = {0};
        log_info("boot", "unpacking %s", f->path);
        if (unpack_one(f, format, &fail) != FL_OK) {
            char text[FL_FAIL_TEXT + FL_FAIL_HINT + sizeof("; ")];
            (void)snprintf(text, sizeof(text), "%s; %s", fail.text, fail.hint);
            note(text);
            f->state = FL_FILE_PACKED;
        }
        f->path[plain] = '\0';
    }
}
