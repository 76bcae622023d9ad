/* SPDX-License-Identifier: MIT */
/* Reads a tar archive that may be anything (tar.h). */
#include "client/tar.h"

#include <string.h>

#define BLOCK 512u

struct header {
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], chksum[8], typeflag,
        linkname[100];
    char magic[5], version[3]; /* "ustar", then NUL "00", or of GNU tar two blanks and NUL */
    char uname[32], gname[32], devmajor[8], devminor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is a block");

struct tar tar_on(const void *data, size_t len) { return (struct tar){.data = data, .len = len}; }

static enum tar_step bad(struct tar *t, const char *why)
{
    t->why = why;
    return TAR_BAD;
}

/* Octal digits, with blanks in front, ended by a blank, NUL or the end of the field. */
static bool octal(const char *field, size_t size, uint64_t *out)
{
    size_t i = 0, digits = 0;
    *out = 0;
    while (i < size && field[i] == ' ') {
        i++;
    }
    for (; i < size && field[i] >= '0' && field[i] <= '7'; i++, digits++) {
        *out = *out << 3 | (uint64_t)(field[i] - '0'); /* 12 digits at most: 36 bits */
    }
    return digits != 0 && (i == size || field[i] == ' ' || field[i] == '\0');
}

/* The sum of all bytes, those of the checksum itself taken as blanks. */
static bool sum_fits(const struct header *h)
{
    const uint8_t *p = (const uint8_t *)h;
    uint64_t said, sum = 0;
    for (size_t i = 0; i < sizeof(*h); i++) {
        const bool own =
            i >= offsetof(struct header, chksum) && i < offsetof(struct header, typeflag);
        sum += own ? ' ' : p[i];
    }
    return octal(h->chksum, sizeof(h->chksum), &said) && said == sum;
}

static size_t length_of(const char *field, size_t size)
{
    const char *end = memchr(field, '\0', size);
    return end != NULL ? (size_t)(end - field) : size;
}

static void take_name(const struct header *h, struct tar_member *m)
{
    const size_t prefix = h->version[0] == '\0' ? length_of(h->prefix, sizeof(h->prefix)) : 0;
    const size_t name = length_of(h->name, sizeof(h->name));
    size_t at = prefix;
    memcpy(m->name, h->prefix, prefix);
    if (prefix != 0) {
        m->name[at++] = '/';
    }
    memcpy(m->name + at, h->name, name);
    m->name[at + name] = '\0';
}

static bool is_zero(const uint8_t *p)
{
    for (size_t i = 0; i < BLOCK; i++) {
        if (p[i] != 0) {
            return false;
        }
    }
    return true;
}

enum tar_step tar_next(struct tar *t, struct tar_member *m)
{
    while (t->why == NULL) {
        struct header h;
        uint64_t size;
        if (!range_ok(t->at, BLOCK, t->len)) {
            return bad(t, "it is cut off: it has no end");
        }
        if (is_zero(t->data + t->at)) {
            return TAR_END;
        }
        memcpy(&h, t->data + t->at, BLOCK);
        if (memcmp(h.magic, "ustar", sizeof(h.magic)) != 0 || !sum_fits(&h)) {
            return bad(t, "there is no header where one must be");
        }
        if (!octal(h.size, sizeof(h.size), &size)) {
            return bad(t, "a member's size is no number");
        }
        const size_t data = t->at + BLOCK;
        if (!range_ok(data, div_up_u64(size, BLOCK) * BLOCK, t->len)) {
            return bad(t, "it is cut off in the middle of a member");
        }
        t->at = data + div_up_u64(size, BLOCK) * BLOCK;
        if (h.typeflag == '0' || h.typeflag == '\0') { /* REGTYPE, AREGTYPE */
            take_name(&h, m);
            m->data = t->data + data;
            m->len = size;
            return TAR_MEMBER;
        }
    }
    return TAR_BAD;
}
