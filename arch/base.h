/* SPDX-License-Identifier: MIT */
/*
 * Words that every room uses: sizes, alignment, unaligned little-endian access, and the
 * wrapper types for quantities that must not be mixed up. Freestanding; no dependencies.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FL_MUST_CHECK         __attribute__((warn_unused_result))
#define FL_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#define FL_UNUSED             __attribute__((unused))
#define FL_NORETURN           __attribute__((noreturn))

#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

/* The page size of x86-64 and of every structure shared with the GSP. */
#define FL_PAGE_SIZE  4096u
#define FL_PAGE_SHIFT 12u

#define US_PER_MS 1000ull
#define US_PER_S  1000000ull
#define NS_PER_US 1000ull

/* An address as a PCI device puts it on the bus (DMA). */
struct bus_addr {
    uint64_t raw;
};
/* An address as the CPU's page tables produce it. */
struct phys_addr {
    uint64_t raw;
};
/* An offset into a GPU's own memory. */
struct vram_off {
    uint64_t raw;
};

static inline char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

/* Rounds to a multiple of `a`, a power of two. align_up wraps on overflow: check before. */
static inline uint64_t align_up_u64(uint64_t v, uint64_t a) { return (v + a - 1) & ~(a - 1); }
static inline uint64_t align_down_u64(uint64_t v, uint64_t a) { return v & ~(a - 1); }
static inline bool is_aligned_u64(uint64_t v, uint64_t a) { return (v & (a - 1)) == 0; }
static inline uint64_t div_up_u64(uint64_t v, uint64_t d) { return v / d + (v % d != 0); }
static inline uint64_t min_u64(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t max_u64(uint64_t a, uint64_t b) { return a > b ? a : b; }

/* True when [off, off + len) lies within [0, size); safe against overflow. */
static inline bool range_ok(uint64_t off, uint64_t len, uint64_t size)
{
    return off <= size && len <= size - off;
}

/* Little-endian access at any alignment. The caller has checked that the bytes exist. */
static inline uint16_t get_le16(const void *p)
{
    const uint8_t *b = p;
    return (uint16_t)(b[0] | (uint16_t)(b[1] << 8));
}
static inline uint32_t get_le32(const void *p)
{
    const uint8_t *b = p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}
static inline uint64_t get_le64(const void *p)
{
    const uint8_t *b = p;
    return (uint64_t)get_le32(b) | (uint64_t)get_le32(b + 4) << 32;
}
static inline void put_le16(void *p, uint16_t v)
{
    uint8_t *b = p;
    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
}
static inline void put_le32(void *p, uint32_t v)
{
    uint8_t *b = p;
    b[0] = (uint8_t)v;
    b[1] = (uint8_t)(v >> 8);
    b[2] = (uint8_t)(v >> 16);
    b[3] = (uint8_t)(v >> 24);
}
static inline void put_le64(void *p, uint64_t v)
{
    put_le32(p, (uint32_t)v);
    put_le32((uint8_t *)p + 4, (uint32_t)(v >> 32));
}
