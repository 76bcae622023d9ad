/* SPDX-License-Identifier: MIT */
/* The one object of AML that is looked for: \_S5 (acpi_aml.h). Source: ACPI 6.5 section 20.2. */
#include "arch/acpi_aml.h"

#include <string.h>

enum {
    AML_ZERO = 0x00,
    AML_ONE = 0x01,
    AML_BYTE = 0x0a,
    AML_WORD = 0x0b,
    AML_DWORD = 0x0c,
    AML_PACKAGE = 0x12,
    AML_ROOT = 0x5c
};
#define SLEEP_TYPE_MAX 7u

/* An integer constant at *off; moves *off behind it. False for anything else. */
static bool aml_integer(const uint8_t *b, size_t n, size_t *off, uint32_t *out)
{
    if (*off >= n) {
        return false;
    }
    uint8_t op = b[(*off)++];
    size_t bytes = op == AML_BYTE ? 1 : (op == AML_WORD ? 2 : (op == AML_DWORD ? 4 : 0));
    *out = op; /* ZeroOp and OneOp are their own value */
    if (bytes == 0) {
        return op == AML_ZERO || op == AML_ONE;
    }
    if (!range_ok(*off, bytes, n)) {
        return false;
    }
    *out = 0;
    for (size_t i = 0; i < bytes; i++) {
        *out |= (uint32_t)b[*off + i] << (8 * i);
    }
    *off += bytes;
    return true;
}

/* A PkgLength at *off, which moves behind it: its lead byte says how many bytes follow (ACPI 6.5
 * section 20.2.4). False when it is cut short or has bits that must be zero. */
static bool aml_package_length(const uint8_t *b, size_t n, size_t *off, uint32_t *out)
{
    enum { FOLLOW_SHIFT = 6, ALONE_MASK = 0x3f, NIBBLE_MASK = 0xf, ZERO_MASK = 0x30 };
    if (*off >= n) {
        return false;
    }
    const uint8_t lead = b[(*off)++];
    const size_t follow = lead >> FOLLOW_SHIFT;
    *out = lead & (follow == 0 ? ALONE_MASK : NIBBLE_MASK);
    if (!range_ok(*off, follow, n) || (follow != 0 && (lead & ZERO_MASK) != 0)) {
        return false;
    }
    for (size_t i = 0; i < follow; i++) {
        *out |= (uint32_t)b[*off + i] << (8 * i + 4);
    }
    *off += follow;
    return true;
}

bool acpi_aml_s5(const uint8_t *b, size_t n, uint64_t left, uint32_t type[2])
{
    enum { PACKAGE_ELEMENTS_MIN = 2 };
    size_t off = 1;
    uint32_t length;
    if (b[0] != ACPI_AML_NAME) {
        return false;
    }
    off += off < n && b[off] == AML_ROOT;
    if (!range_ok(off, 6, n) || memcmp(b + off, "_S5_", 4) != 0 || b[off + 4] != AML_PACKAGE) {
        return false;
    }
    off += 5;
    const size_t package = off;
    if (!aml_package_length(b, n, &off, &length) || !range_ok(package, length, left)) {
        return false;
    }
    n = (size_t)min_u64(n, package + length);
    return off < n && b[off++] >= PACKAGE_ELEMENTS_MIN && aml_integer(b, n, &off, &type[0]) &&
           aml_integer(b, n, &off, &type[1]) && type[0] <= SLEEP_TYPE_MAX &&
           type[1] <= SLEEP_TYPE_MAX;
}
