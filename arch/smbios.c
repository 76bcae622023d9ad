/* SPDX-License-Identifier: MIT */
/*
 * The machine's name from SMBIOS. Input like any other: see acpi.h for the contract.
 *
 * Source: SMBIOS 3.6 (DSP0134) sections 5.2.1, 5.2.2 (entry points), 6.1.2 (structures), 6.1.3
 * (strings), 7.2 (system information).
 */
#include <string.h>

#include "arch/acpi.h"

enum { SM2_LENGTH = 5, SM2_TABLE_BYTES = 22, SM2_TABLE = 24, SM2_BYTES = 31 };
enum { SM3_LENGTH = 6, SM3_TABLE_BYTES = 12, SM3_TABLE = 16, SM3_BYTES = 24 };
enum { TYPE_SYSTEM = 1, TYPE_END = 127, HEADER_BYTES = 4, SYSTEM_BYTES = 6 };
enum { SYSTEM_MANUFACTURER = 4, SYSTEM_PRODUCT = 5 };
/* Large servers have some 10 KiB. */
#define TABLE_BYTES_MAX KIB(64)
#define WINDOW_BYTES    256u

/* The table, through a small window that moves along. */
struct cursor {
    const struct phys_reader *mem;
    uint64_t at, bytes; /* the table */
    uint64_t from, to;  /* offsets that the window holds */
    uint8_t window[WINDOW_BYTES];
};

/* Byte at offset off; false at the end of the table. */
static bool byte_at(struct cursor *c, uint64_t off, uint8_t *out)
{
    if (off >= c->bytes) {
        return false;
    }
    if (off < c->from || off >= c->to) {
        c->from = off;
        c->to = off + min_u64(WINDOW_BYTES, c->bytes - off);
        if (!c->mem->read(c->mem->ctx, c->at + c->from, c->window, (size_t)(c->to - c->from))) {
            c->to = c->from;
            return false;
        }
    }
    *out = c->window[off - c->from];
    return true;
}

/* Moves *off behind a string and its NUL; appends it to text when that is given. */
static bool take_string(struct cursor *c, uint64_t *off, char *text, size_t size)
{
    size_t used = text != NULL ? strlen(text) : 0;
    uint8_t b;
    for (;;) {
        if (!byte_at(c, (*off)++, &b)) {
            return false;
        }
        if (b == 0) {
            return true;
        }
        if (text != NULL && used + 1 < size) {
            text[used++] = b >= 0x20 && b < 0x7f ? (char)b : '?';
            text[used] = '\0';
        }
    }
}

/* Appends string number `number` (from 1; 0 = none) of the set that starts at off. */
static void append_string(struct cursor *c, uint64_t off, uint8_t number, char *text, size_t size)
{
    uint8_t first;
    for (uint8_t i = 1; i < number; i++) {
        if (!byte_at(c, off, &first) || first == 0 || !take_string(c, &off, NULL, 0)) {
            return;
        }
    }
    if (number == 0 || !byte_at(c, off, &first) || first == 0) {
        return;
    }
    size_t used = strlen(text);
    if (used != 0 && used + 1 < size) {
        text[used] = ' ';
        text[used + 1] = '\0';
    }
    (void)take_string(c, &off, text, size);
}

/* Moves *off behind the strings of a structure: up to an empty one. */
static bool skip_strings(struct cursor *c, uint64_t *off)
{
    uint8_t first;
    bool none = byte_at(c, *off, &first) && first == 0;
    while (byte_at(c, *off, &first) && first != 0) {
        if (!take_string(c, off, NULL, 0)) {
            return false;
        }
    }
    *off += none ? 2 : 1; /* two NULs when there is no string at all */
    return *off <= c->bytes;
}

static enum fl_err find_name(struct cursor *c, char *out, size_t size)
{
    for (uint64_t off = 0;;) {
        uint8_t type, length, manufacturer, product;
        if (!byte_at(c, off, &type) || !byte_at(c, off + 1, &length) || type == TYPE_END) {
            return FL_ENOENT;
        }
        if (length < HEADER_BYTES || !range_ok(off, length, c->bytes)) {
            return FL_EBADDATA;
        }
        uint64_t strings = off + length;
        if (type == TYPE_SYSTEM && length >= SYSTEM_BYTES &&
            byte_at(c, off + SYSTEM_MANUFACTURER, &manufacturer) &&
            byte_at(c, off + SYSTEM_PRODUCT, &product)) {
            append_string(c, strings, manufacturer, out, size);
            append_string(c, strings, product, out, size);
            return out[0] != '\0' ? FL_OK : FL_ENOENT;
        }
        if (!skip_strings(c, &strings)) {
            return FL_EBADDATA;
        }
        off = strings;
    }
}

static bool sum_ok(const uint8_t *b, size_t n)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum = (uint8_t)(sum + b[i]);
    }
    return sum == 0;
}

enum fl_err smbios_machine_name(const struct phys_reader *mem, uint64_t entry, char *out,
                                size_t size)
{
    uint8_t e[SM2_BYTES];
    struct cursor c = {.mem = mem};

    out[0] = '\0';
    if (entry == 0) {
        return FL_ENOENT;
    }
    if (entry > UINT64_MAX - sizeof(e) || !mem->read(mem->ctx, entry, e, SM3_BYTES)) {
        return FL_EBADDATA;
    }
    if (memcmp(e, "_SM3_", 5) == 0) {
        if (e[SM3_LENGTH] != SM3_BYTES || !sum_ok(e, SM3_BYTES)) {
            return FL_EBADDATA;
        }
        c.at = get_le64(e + SM3_TABLE);
        c.bytes = get_le32(e + SM3_TABLE_BYTES);
    } else if (memcmp(e, "_SM_", 4) == 0 && mem->read(mem->ctx, entry, e, SM2_BYTES)) {
        if (e[SM2_LENGTH] != SM2_BYTES || !sum_ok(e, SM2_BYTES)) {
            return FL_EBADDATA;
        }
        c.at = get_le32(e + SM2_TABLE);
        c.bytes = get_le16(e + SM2_TABLE_BYTES);
    } else {
        return FL_EBADDATA;
    }
    c.bytes = min_u64(c.bytes, TABLE_BYTES_MAX);
    if (c.at == 0 || c.at > UINT64_MAX - c.bytes) {
        return FL_EBADDATA;
    }
    return find_name(&c, out, size);
}
