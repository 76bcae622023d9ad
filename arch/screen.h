/* SPDX-License-Identifier: MIT */
/*
 * The machine's own screen: a fixed part at the top, made of texts, bars and one bitmap, and below
 * it the log, which scrolls. Both are kept in memory; drawing touches only what differs from what
 * the screen shows. Without a framebuffer everything here does nothing.
 *
 * Who draws is the console (arch/x86_64/console.c), bit by bit, when nothing else is to do.
 */
#pragma once

#include "arch/fail.h"
#include "arch/handoff.h"

enum screen_ink {
    /* of letters */
    SCREEN_NORMAL,
    SCREEN_BRIGHT,
    SCREEN_DIM,
    SCREEN_ACCENT,
    SCREEN_GOOD,
    SCREEN_BUSY,
    SCREEN_WARN,
    SCREEN_ERROR,
    /* of what lies below them */
    SCREEN_PAPER,
    SCREEN_RULE,
    SCREEN_BAND_IDLE,
    SCREEN_BAND_GOOD,
    SCREEN_BAND_BUSY,
    SCREEN_BAND_WARN,
    SCREEN_BAND_ERROR,
    /* of the bitmap */
    SCREEN_BLACK,
    SCREEN_WHITE,
    SCREEN_INKS
};

enum { SCREEN_TEXT_MAX = 240, SCREEN_ITEMS_MAX = 80, SCREEN_BITMAP_MAX = 64 };

enum screen_kind {
    SCREEN_TEXT,   /* level: of the letters. w is cut to whole letters; the rest of it is paper */
    SCREEN_FILL,   /* the first `done` pixels of each row in ink, the others in paper */
    SCREEN_BITMAP, /* the bitmap, level: pixels of a dot; bits that are 1 in ink, others in paper */
};

/* One part of the fixed part. Later ones lie above earlier ones. */
struct screen_item {
    enum screen_kind kind;
    uint32_t x, y, w, h; /* pixels */
    uint32_t level;
    uint32_t done;
    enum screen_ink ink, paper;
    char text[SCREEN_TEXT_MAX]; /* any bytes; ends with NUL or at the end of the array */
};

struct screen_fixed {
    uint32_t height; /* pixels; 0: there is no fixed part, the log has all of the screen */
    uint32_t count;
    struct screen_item item[SCREEN_ITEMS_MAX];
    uint32_t bitmap_side;
    uint64_t bitmap[SCREEN_BITMAP_MAX]; /* by row; bit x: column x */
};

/* What a layout has to know. */
struct screen_shape {
    uint32_t width, height; /* pixels; 0: no screen */
    uint32_t level;         /* of the log's letters, from 1 */
    uint32_t margin;        /* pixels at both sides of the log */
};
/* The shape of a screen of this size. */
struct screen_shape screen_shape_of(uint32_t width, uint32_t height);
struct screen_shape screen_shape(void);

/* Shows f from now on; copied. Moving or adding items repaints the screen, other changes only what
 * they change. The log keeps its last lines. Any fiber. */
void screen_set_fixed(const struct screen_fixed *f);
/* All of the screen is the log's again. Any fiber, and panics: notifies nobody. */
void screen_clear_fixed(void);

/* --- for who runs the screen --- */

/* Called when there is something new to draw (may be NULL). */
void screen_set_notify(void (*notify)(void));
/* Before anything else, once. FL_OK without a framebuffer too; FL_EBADDATA, FL_ENOMEM, FL_EINVAL:
 * there is one, but it cannot be used. */
FL_MUST_CHECK enum fl_err screen_start(const struct fl_framebuffer *fb);
bool screen_present(void);
/* The framebuffer has a byte in [base, base + size). */
bool screen_lies_in(uint64_t base, uint64_t size);
/* Draws all that is not drawn yet and then never again. Yields. To be called before a driver takes
 * over the memory of the GPU that the screen hangs on: it is then no longer a picture. */
void screen_stop(void);
/* Blanks the screen and never draws again. Yields. */
void screen_off(void);
/* Adds text ('\n' ends a line) to the log. */
void screen_put(const char *s, size_t n, enum screen_ink ink);
/* Brings the screen up to date, about `pixels` of it; true when there is more to draw. */
bool screen_draw(uint32_t pixels);
