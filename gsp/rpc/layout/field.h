/* SPDX-License-Identifier: MIT */
/*
 * Fields of firmware structures, described by data: one codec serves every firmware version.
 * Accessors check that the field lies inside the buffer; writing an absent field does nothing and
 * reading one gives 0 (fw_has() tells). All fields are little-endian.
 */
#pragma once

#include "arch/base.h"

struct fw_field {
    uint32_t off;     /* from the start of the structure */
    uint32_t size;    /* bytes; arrays: of the whole array */
    uint32_t stride;  /* arrays and members of an array's first element: bytes between elements */
    uint32_t count;   /* elements, 0 = flexible */
    uint32_t present; /* 0: this version has no such field */
};

static inline bool fw_has(struct fw_field f) { return f.present != 0; }

static inline uint64_t fw_load(const uint8_t *p, uint32_t size)
{
    switch (size) {
    case 1:
        return p[0];
    case 2:
        return get_le16(p);
    case 4:
        return get_le32(p);
    case 8:
        return get_le64(p);
    default:
        return 0;
    }
}
static inline void fw_store(uint8_t *p, uint32_t size, uint64_t v)
{
    switch (size) {
    case 1:
        p[0] = (uint8_t)v;
        break;
    case 2:
        put_le16(p, (uint16_t)v);
        break;
    case 4:
        put_le32(p, (uint32_t)v);
        break;
    case 8:
        put_le64(p, v);
        break;
    default:
        break;
    }
}
/* Scalar field f of the structure at buf, of which len bytes exist. */
static inline uint64_t fw_get(const void *buf, size_t len, struct fw_field f)
{
    return f.present && range_ok(f.off, f.size, len) ? fw_load((const uint8_t *)buf + f.off, f.size)
                                                     : 0;
}
static inline void fw_put(void *buf, size_t len, struct fw_field f, uint64_t v)
{
    if (f.present && range_ok(f.off, f.size, len)) {
        fw_store((uint8_t *)buf + f.off, f.size, v);
    }
}
/* Member f (described for element 0) of element i of an array of structures. */
static inline uint64_t fw_get_at(const void *buf, size_t len, struct fw_field f, uint32_t i)
{
    f.off += i * f.stride;
    return fw_get(buf, len, f);
}
static inline void fw_put_at(void *buf, size_t len, struct fw_field f, uint32_t i, uint64_t v)
{
    f.off += i * f.stride;
    fw_put(buf, len, f, v);
}
/* Address of a byte array field, NULL when absent or outside. f.size is its length. */
static inline void *fw_bytes(void *buf, size_t len, struct fw_field f)
{
    return f.present && range_ok(f.off, f.size, len) ? (uint8_t *)buf + f.off : NULL;
}
