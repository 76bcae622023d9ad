/* SPDX-License-Identifier: MIT */
/*
 * A framebuffer: rectangles and letters. Only written, never read: it is write combining and slow
 * to read. What does not fit is not drawn; no pixel outside is ever touched. Nothing yields.
 */
#pragma once

#include "arch/handoff.h"
#include "arch/mmio.h"

/* A letter of level n is 8 n pixels wide and 16 n high. Even levels come from the font of 16 x 32
 * pixels and are finer. */
enum { LETTER_WIDTH = 8, LETTER_HEIGHT = 16 };

struct pixels {
    struct mmio fb; /* size 0: there is none */
    uint32_t width, height, pitch_bytes;
    uint32_t format; /* as in struct fl_framebuffer */
};

/* FL_ENOENT: the firmware left none. FL_EBADDATA: its sizes, pitch or format cannot be. Else as
 * mmio_map(). p is empty after a failure. */
FL_MUST_CHECK enum fl_err pixels_map(struct pixels *p, const struct fl_framebuffer *fb);
/* [x, x + w) times [y, y + h), cut at the edges. rgb: 0xRRGGBB. */
void pixels_fill(const struct pixels *p, uint32_t x, uint32_t y, uint32_t w, uint32_t h,
                 uint32_t rgb);
/* A whole letter on its paper, or nothing where it does not fit; c has no letter: a sign for that.
 * level: from 1. */
void pixels_letter(const struct pixels *p, uint32_t x, uint32_t y, uint32_t level, unsigned char c,
                   uint32_t ink, uint32_t paper);
