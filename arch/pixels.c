/* SPDX-License-Identifier: MIT */
/* Rectangles and letters on the framebuffer that the firmware left. */
#include "arch/pixels.h"

#include "font.h"

enum { FORMAT_BGRX = 0, FORMAT_RGBX = 1, PIXEL_BYTES = 4 };
/* A screen smaller or larger than this is a mistake of the firmware. */
enum { WIDTH_MIN = 320, HEIGHT_MIN = 200, SIDE_MAX = 16384, PITCH_MAX = SIDE_MAX * 8 };

_Static_assert(LETTER_WIDTH == (int)FONT_WIDTH && LETTER_HEIGHT == (int)FONT_HEIGHT,
               "level 1 is the small font");

static bool plausible(const struct fl_framebuffer *fb)
{
    return fb->width >= WIDTH_MIN && fb->height >= HEIGHT_MIN && fb->width <= SIDE_MAX &&
           fb->height <= SIDE_MAX && fb->pitch_bytes / PIXEL_BYTES >= fb->width &&
           fb->pitch_bytes % PIXEL_BYTES == 0 && fb->pitch_bytes <= PITCH_MAX &&
           (fb->format == FORMAT_BGRX || fb->format == FORMAT_RGBX);
}

enum fl_err pixels_map(struct pixels *p, const struct fl_framebuffer *fb)
{
    *p = (struct pixels){0};
    if (fb->base == 0) {
        return FL_ENOENT;
    }
    if (!plausible(fb)) {
        return FL_EBADDATA;
    }
    struct mmio region = {0};
    enum fl_err err = mmio_map((struct phys_addr){fb->base}, (uint64_t)fb->pitch_bytes * fb->height,
                               MMIO_WRITE_COMBINING, &region);
    if (err == FL_OK) {
        *p = (struct pixels){.fb = region,
                             .width = fb->width,
                             .height = fb->height,
                             .pitch_bytes = fb->pitch_bytes,
                             .format = fb->format};
    }
    return err;
}

static uint32_t as_pixel(const struct pixels *p, uint32_t rgb)
{
    return p->format == FORMAT_RGBX ? (rgb & 0xff) << 16 | (rgb & 0xff00) | (rgb >> 16 & 0xff)
                                    : rgb;
}

static uint64_t place(const struct pixels *p, uint32_t x, uint32_t y)
{
    return (uint64_t)y * p->pitch_bytes + (uint64_t)x * PIXEL_BYTES;
}

/* A run of equal pixels that is known to fit. */
static void run(const struct pixels *p, uint64_t at, uint32_t count, uint32_t pixel)
{
    for (uint32_t i = 0; i < count; i++) {
        mmio_write32(&p->fb, at + (uint64_t)i * PIXEL_BYTES, pixel);
    }
}

void pixels_fill(const struct pixels *p, uint32_t x, uint32_t y, uint32_t w, uint32_t h,
                 uint32_t rgb)
{
    if (x >= p->width || y >= p->height) {
        return;
    }
    w = w < p->width - x ? w : p->width - x;
    h = h < p->height - y ? h : p->height - y;
    uint32_t pixel = as_pixel(p, rgb);
    for (uint32_t row = 0; row < h; row++) {
        run(p, place(p, x, y + row), w, pixel);
    }
}

void pixels_letter(const struct pixels *p, uint32_t x, uint32_t y, uint32_t level, unsigned char c,
                   uint32_t ink, uint32_t paper)
{
    if (level == 0 || x > p->width || LETTER_WIDTH * level > p->width - x || y > p->height ||
        LETTER_HEIGHT * level > p->height - y) {
        return;
    }
    unsigned glyph =
        c - (unsigned)FONT_FIRST < FONT_GLYPHS ? c - (unsigned)FONT_FIRST : FONT_GLYPHS - 1;
    bool large = level % 2 == 0;
    uint32_t zoom = large ? level / 2 : level;
    uint32_t columns = large ? 2 * FONT_WIDTH : FONT_WIDTH;
    uint32_t dark = as_pixel(p, ink), light = as_pixel(p, paper);
    for (uint32_t row = 0; row < LETTER_HEIGHT * level; row++) {
        uint32_t bits = large ? font_large[glyph][row / zoom] : font_small[glyph][row / zoom];
        for (uint32_t i = 0; i < columns; i++) {
            run(p, place(p, x + i * zoom, y + row), zoom,
                (bits >> (columns - 1 - i) & 1) != 0 ? dark : light);
        }
    }
}
