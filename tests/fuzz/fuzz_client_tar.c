/* SPDX-License-Identifier: MIT */
/*
 * The client's reader of tar archives on arbitrary bytes: every member lies in the archive, one
 * behind the other; its name ends; the walk ends. An input is blocks with two bytes in front of
 * each: a first bit that makes it a header ("ustar", with the sum that fits, which no fuzzer would
 * find), and how many bytes of it there are.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/tar.h"

#define BLOCK     512u
#define MAGIC_AT  257u /* POSIX.1-2008, pax, ustar */
#define CHKSUM_AT 148u
#define CHKSUM    8u

static void make_header(uint8_t *b)
{
    unsigned sum = 0;
    memcpy(b + MAGIC_AT, "ustar", 5);
    memset(b + CHKSUM_AT, ' ', CHKSUM);
    for (size_t i = 0; i < BLOCK; i++) {
        sum += b[i];
    }
    char text[CHKSUM];
    snprintf(text, sizeof(text), "%06o", sum);
    memcpy(b + CHKSUM_AT, text, sizeof(text));
}

/* The archive that an input describes: a last block may be cut off. */
static size_t make_archive(const uint8_t *data, size_t size, uint8_t *out, size_t room)
{
    size_t n = 0;
    while (size > 2 && n + BLOCK <= room) {
        const bool header = (data[0] & 1) != 0;
        size_t take = (size_t)data[1] * 2 + 2;
        take = take > size - 2 ? size - 2 : take;
        memset(out + n, 0, BLOCK);
        memcpy(out + n, data + 2, take);
        if (header) {
            make_header(out + n);
        }
        n += (data[0] & 0x80) != 0 && size - 2 == take ? take : BLOCK;
        data += 2 + take;
        size -= 2 + take;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t blocks[64 * BLOCK];
    const size_t len = make_archive(data, size, blocks, sizeof(blocks));
    uint8_t *archive = malloc(len); /* of its own length, so that a byte too far is noticed */
    if (archive == NULL) {
        return 0;
    }
    memcpy(archive, blocks, len);
    struct tar t = tar_on(archive, len);
    struct tar_member m;
    const uint8_t *behind = archive;
    size_t members = 0;
    enum tar_step step;
    while ((step = tar_next(&t, &m)) == TAR_MEMBER) {
        if (m.data < behind + BLOCK || m.len > len || m.data + m.len > archive + len ||
            strlen(m.name) >= TAR_NAME_MAX || ++members > len / BLOCK) {
            abort();
        }
        behind = m.data + m.len;
    }
    if ((step == TAR_BAD) != (t.why != NULL) || tar_next(&t, &m) != step) {
        abort();
    }
    free(archive);
    return 0;
}
