/* SPDX-License-Identifier: MIT */
/*
 * Text on the framebuffer that the firmware left. The picture is kept as cells in memory; drawing
 * touches only cells that differ from what the screen shows, and never reads the framebuffer, which
 * is write combining and slow to read.
 */
#include <string.h>

#include "arch/fiber.h"
#include "arch/log.h"
#include "arch/mmio.h"
#include "arch/x86_64/x86_priv.h"
#include "font.h"

/* What a person can still read: larger screens get larger letters, then a margin. */
enum { COLUMNS_MAX = 160, ROWS_MAX = 100, SCALE_MAX = 4, WIDTH_PER_SCALE = 1920 };
enum { FORMAT_BGRX = 0, FORMAT_RGBX = 1, PIXEL_BYTES = 4 };
/* Drawn between two looks at the clock when the screen is given up. */
enum { RELEASE_CELLS_AT_ONCE = 64 };
/* A screen smaller or larger than this is a mistake of the firmware. */
enum { WIDTH_MIN = 320, HEIGHT_MIN = 200, SIDE_MAX = 16384 };

/* A cell: character in 7:0, ink in 15:8. */
typedef uint16_t cell;
#define CELL(c, ink) ((cell)((unsigned)(ink) << 8 | (unsigned char)(c)))

/* 0xRRGGBB */
#define PAPER 0x101418u
static const uint32_t ink_rgb[X86_INKS] = {
    [X86_INK_NORMAL] = 0xd8dee4,
    [X86_INK_DIM] = 0x7a8590,
    [X86_INK_WARN] = 0xf2c14e,
    [X86_INK_ERROR] = 0xff6b5e,
};

static struct {
    struct mmio fb; /* size 0: no screen */
    uint32_t pitch_bytes, scale;
    uint32_t columns, rows, margin_x, margin_y;
    uint32_t rgb[X86_INKS], paper; /* as the framebuffer wants them */
    uint32_t column, row;          /* where the next character goes; row counts from `top` */
    uint32_t top;                  /* row of `want` that is shown first: scrolling moves this */
    uint32_t draw_next;            /* cell that the next drawing looks at first */
    cell want[ROWS_MAX][COLUMNS_MAX];
    cell shown[ROWS_MAX][COLUMNS_MAX];
} screen;

static uint32_t to_format(uint32_t rgb, uint32_t format)
{
    return format == FORMAT_RGBX ? (rgb & 0xff) << 16 | (rgb & 0xff00) | (rgb >> 16 & 0xff) : rgb;
}

static void put_pixels(uint32_t x, uint32_t y, uint32_t count, uint32_t colour)
{
    uint64_t at = (uint64_t)y * screen.pitch_bytes + (uint64_t)x * PIXEL_BYTES;
    for (uint32_t i = 0; i < count; i++) {
        mmio_write32(&screen.fb, at + (uint64_t)i * PIXEL_BYTES, colour);
    }
}

static const uint8_t *glyph(unsigned char c)
{
    unsigned i = c - (unsigned)FONT_FIRST;
    return font_glyphs[i < FONT_GLYPHS ? i : FONT_GLYPHS - 1];
}

static void draw_cell(uint32_t row, uint32_t column, cell c)
{
    uint32_t ink = screen.rgb[(c >> 8) % X86_INKS];
    uint32_t x = screen.margin_x + column * FONT_WIDTH * screen.scale;
    uint32_t y = screen.margin_y + row * FONT_HEIGHT * screen.scale;
    for (unsigned r = 0; r < FONT_HEIGHT * screen.scale; r++) {
        uint8_t bits = glyph((unsigned char)c)[r / screen.scale];
        for (unsigned i = 0; i < FONT_WIDTH; i++) {
            put_pixels(x + i * screen.scale, y + r, screen.scale,
                       (bits << i & 0x80) != 0 ? ink : screen.paper);
        }
    }
}

static cell *row_at(uint32_t row) { return screen.want[(screen.top + row) % screen.rows]; }

static void clear_row(uint32_t row)
{
    for (uint32_t i = 0; i < screen.columns; i++) {
        row_at(row)[i] = CELL(' ', X86_INK_NORMAL);
    }
}

static bool plausible(const struct fl_framebuffer *fb)
{
    return fb->base != 0 && fb->width >= WIDTH_MIN && fb->height >= HEIGHT_MIN &&
           fb->width <= SIDE_MAX && fb->height <= SIDE_MAX &&
           fb->pitch_bytes / PIXEL_BYTES >= fb->width && fb->pitch_bytes <= SIDE_MAX * 8 &&
           (fb->format == FORMAT_BGRX || fb->format == FORMAT_RGBX);
}

void x86_screen_start(void)
{
    const struct fl_framebuffer *fb = &machine_handoff()->fb;
    if (fb->base == 0) {
        return;
    }
    uint64_t bytes = (uint64_t)fb->pitch_bytes * fb->height;
    if (!plausible(fb) ||
        mmio_map((struct phys_addr){fb->base}, bytes, MMIO_WRITE_COMBINING, &screen.fb) != FL_OK) {
        log_warn("screen", "cannot use the framebuffer at 0x%llx, %ux%u",
                 (unsigned long long)fb->base, fb->width, fb->height);
        screen.fb.size = 0;
        return;
    }
    screen.pitch_bytes = fb->pitch_bytes;
    screen.scale = 1 + fb->width / (WIDTH_PER_SCALE + 1);
    screen.scale = screen.scale > SCALE_MAX ? SCALE_MAX : screen.scale;
    uint32_t columns = fb->width / (FONT_WIDTH * screen.scale);
    uint32_t rows = fb->height / (FONT_HEIGHT * screen.scale);
    screen.columns = columns > COLUMNS_MAX ? COLUMNS_MAX : columns;
    screen.rows = rows > ROWS_MAX ? ROWS_MAX : rows;
    screen.margin_x = (fb->width - screen.columns * FONT_WIDTH * screen.scale) / 2;
    screen.margin_y = (fb->height - screen.rows * FONT_HEIGHT * screen.scale) / 2;
    screen.paper = to_format(PAPER, fb->format);
    for (unsigned i = 0; i < X86_INKS; i++) {
        screen.rgb[i] = to_format(ink_rgb[i], fb->format);
    }
    for (uint32_t row = 0; row < screen.rows; row++) {
        clear_row(row);
        memset(screen.shown[row], 0, sizeof(screen.shown[row])); /* nothing we know of */
    }
}

bool x86_screen_release(uint64_t base, uint64_t size)
{
    const struct fl_framebuffer *fb = &machine_handoff()->fb;
    uint64_t bytes = (uint64_t)fb->pitch_bytes * fb->height;
    if (screen.fb.size == 0 || fb->base >= base + size || base >= fb->base + bytes) {
        return false;
    }
    static const char last[] = "The screen stays as it is from here on; see the network.\n";
    x86_screen_put(last, sizeof(last) - 1, X86_INK_WARN);
    while (x86_screen_draw(RELEASE_CELLS_AT_ONCE)) {
        fiber_yield_if_long();
    }
    screen.fb.size = 0;
    return true;
}

bool x86_screen_present(void) { return screen.fb.size != 0; }

static void new_line(void)
{
    screen.column = 0;
    if (screen.row + 1 < screen.rows) {
        screen.row++;
        return;
    }
    screen.top = (screen.top + 1) % screen.rows;
    clear_row(screen.row);
}

void x86_screen_put(const char *s, size_t n, enum x86_ink ink)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\n') {
            new_line();
            continue;
        }
        if (screen.column == screen.columns) {
            new_line();
        }
        row_at(screen.row)[screen.column++] = CELL(s[i], ink);
    }
    screen.draw_next = 0; /* cells before the place of a drawing under way may have changed */
}

bool x86_screen_draw(uint32_t cells)
{
    uint32_t total = screen.rows * screen.columns;
    for (; screen.draw_next < total; screen.draw_next++) {
        uint32_t row = screen.draw_next / screen.columns,
                 column = screen.draw_next % screen.columns;
        cell want = row_at(row)[column];
        if (want == screen.shown[row][column]) {
            continue;
        }
        if (cells-- == 0) {
            return true;
        }
        draw_cell(row, column, want);
        screen.shown[row][column] = want;
    }
    screen.draw_next = 0;
    return false;
}
