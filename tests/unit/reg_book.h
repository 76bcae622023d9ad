/* SPDX-License-Identifier: MIT */
/*
 * A GPU's BAR0 that a test plays: what a register reads is written down beforehand, read by read,
 * and every access is kept, in order and with its (virtual) time. For what a model on which
 * everything is instantaneous cannot tell: the order of effects, waits, pauses. One per program.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/fiber.h"
#include "arch/host/host.h"
#include "gsp/hw/hw.h"

struct access {
    char kind; /* 'R', 'W' */
    uint32_t off, value;
};
#define R(off, value) {'R', (off), (value)}
#define W(off, value) {'W', (off), (value)}

#define BOOK_BOOT_0 0xb72000a1u /* a GA102 */

static struct {
    struct access done[256];
    uint64_t ns[256];
    unsigned count;
    struct {
        uint32_t off, value[8];
        unsigned count, at;
    } reg[64];
    unsigned regs;
} book;
static struct gsp_hw hw;
static struct fl_fail book_fail;

/* The values that a register reads, one after the other; the last one stays. Others read 0. */
static inline void reads(uint32_t off, const uint32_t *values, unsigned count)
{
    unsigned i = 0;
    while (i < book.regs && book.reg[i].off != off) {
        i++;
    }
    assert_true(i < ARRAY_SIZE(book.reg) && count <= ARRAY_SIZE(book.reg[i].value));
    book.regs = i == book.regs ? i + 1 : book.regs;
    book.reg[i].off = off;
    book.reg[i].at = 0;
    book.reg[i].count = count;
    memcpy(book.reg[i].value, values, count * sizeof(*values));
}
#define READS(off, ...)                                                                            \
    reads((off), (const uint32_t[]){__VA_ARGS__},                                                  \
          sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static inline void book_add(char kind, uint64_t off, uint64_t value)
{
    if (book.count == ARRAY_SIZE(book.done)) { /* somebody waits for ever: the last one is kept */
        book.count--;
    }
    book.ns[book.count] = host_clock_peek_ns();
    book.done[book.count++] = (struct access){kind, (uint32_t)off, (uint32_t)value};
}

static inline uint64_t book_read(void *ctx, uint64_t off, unsigned size)
{
    uint32_t value = 0;
    (void)ctx;
    assert_int_equal(size, 4);
    for (unsigned i = 0; i < book.regs; i++) {
        if (book.reg[i].off == off) {
            value = book.reg[i].value[book.reg[i].at];
            book.reg[i].at += book.reg[i].at + 1 < book.reg[i].count;
        }
    }
    book_add('R', off, value);
    return value;
}

static inline void book_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
    (void)ctx;
    assert_int_equal(size, 4);
    book_add('W', off, value);
}

static inline void book_open(enum chip_family family)
{
    static const struct mmio_ops ops = {book_read, book_write};
    host_reset();
    memset(&book, 0, sizeof(book));
    memset(&hw, 0, sizeof(hw));
    memset(&book_fail, 0, sizeof(book_fail));
    hw.label = "test";
    hw.boot0 = BOOK_BOOT_0;
    assert_true(gsp_recorder_init(&hw.rec));
    hw.rec.family = family;
    hw.family = gsp_family_find(family);
    hw.io =
        (struct gsp_io){.bar0 = {.ops = &ops, .size = MIB(16)}, .rec = &hw.rec, .size = MIB(16)};
    gsp_io_begin(&hw.io, &book_fail);
    event_init(&hw.intr.ev);
    READS(0, BOOK_BOOT_0);
}

static inline void book_close(void) { gsp_recorder_free(&hw.rec); }

/* Waits need a fiber. */
static inline void book_run(void (*fn)(void *arg))
{
    assert_non_null(fiber_spawn("test", fn, NULL, FIBER_STACK_DEFAULT));
    fiber_run(NULL, NULL);
}

/* Exactly these accesses since the last look, in this order. */
static inline void happened_(const struct access *want, unsigned count, int line)
{
    for (unsigned i = 0; i < count || i < book.count; i++) {
        const struct access got = i < book.count ? book.done[i] : (struct access){'-', 0, 0};
        const struct access exp = i < count ? want[i] : (struct access){'-', 0, 0};
        if (got.kind != exp.kind || got.off != exp.off || got.value != exp.value) {
            fail_msg("line %d, access %u: %c 0x%06x 0x%08x, expected %c 0x%06x 0x%08x", line, i,
                     got.kind, (unsigned)got.off, (unsigned)got.value, exp.kind, (unsigned)exp.off,
                     (unsigned)exp.value);
        }
    }
    book.count = 0;
}
#define HAPPENED(...)                                                                              \
    happened_((const struct access[]){__VA_ARGS__},                                                \
              sizeof((const struct access[]){__VA_ARGS__}) / sizeof(struct access), __LINE__)
#define NOTHING_HAPPENED() assert_int_equal(book.count, 0)
