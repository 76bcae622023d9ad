/* SPDX-License-Identifier: MIT */
/*
 * The screen: the log as cells in memory, below the fixed part. Drawing touches only cells that
 * differ from what the screen shows.
 */
#include "arch/screen.h"

#include <string.h>

#include "arch/fiber.h"
#include "arch/screen_priv.h"

/* Larger screens get larger letters: 240 in a row of 1920 pixels, 67 rows of 1080. */
enum { COLUMNS_MAX = 240, ROWS_MAX = 160, LEVEL_MAX = 8 };
enum { WIDTH_PER_LEVEL = 1920, HEIGHT_PER_LEVEL = 1080 };
/* Empty columns at both sides, where there are many and where not. */
enum { MARGIN_WIDE = 4, MARGIN_NARROW = 2, COLUMNS_WIDE = 120 };
/* Drawn between two looks at the clock when the screen is given up. */
enum { PIXELS_AT_ONCE = 8192 };

/* A cell: character in 7:0, ink in 15:8. */
typedef uint16_t cell;
#define CELL(c, ink) ((cell)((unsigned)(ink) << 8 | (unsigned char)(c)))

static const uint32_t ink_rgb[SCREEN_INKS] = {
    [SCREEN_NORMAL] = 0xd8dee4,    [SCREEN_BRIGHT] = 0xffffff,    [SCREEN_DIM] = 0x8a95a1,
    [SCREEN_ACCENT] = 0x7cc7ff,    [SCREEN_GOOD] = 0x56d364,      [SCREEN_BUSY] = 0x6cb6ff,
    [SCREEN_WARN] = 0xf2c14e,      [SCREEN_ERROR] = 0xff6b5e,     [SCREEN_PAPER] = 0x101418,
    [SCREEN_RULE] = 0x2a333d,      [SCREEN_BAND_IDLE] = 0x39444f, [SCREEN_BAND_GOOD] = 0x1a7f37,
    [SCREEN_BAND_BUSY] = 0x1f5fa8, [SCREEN_BAND_WARN] = 0x8a5a00, [SCREEN_BAND_ERROR] = 0xb3261e,
    [SCREEN_BLACK] = 0x000000,     [SCREEN_WHITE] = 0xffffff,
};

static struct {
    struct pixels pixels;
    uint64_t base, bytes; /* of the framebuffer */
    void (*notify)(void);
    struct screen_shape shape;
    uint32_t clear_next;    /* rows of pixels above this one are paper, or drawn on */
    uint32_t columns, rows; /* of the log */
    uint32_t x, y;          /* of its first cell */
    uint32_t column, row;   /* where the next character goes; row counts from `top` */
    uint32_t top;           /* row of `want` that is shown first: scrolling moves this */
    uint32_t draw_next;     /* cell that the next drawing looks at first */
    cell want[ROWS_MAX][COLUMNS_MAX];
    cell shown[ROWS_MAX][COLUMNS_MAX];
} screen;

uint32_t screen_rgb(enum screen_ink ink)
{
    return ink_rgb[(unsigned)ink < SCREEN_INKS ? (unsigned)ink : SCREEN_NORMAL];
}

struct screen_shape screen_shape_of(uint32_t width, uint32_t height)
{
    uint32_t wide_level = 1 + width / (WIDTH_PER_LEVEL + 1);
    uint32_t high_level = 1 + height / (HEIGHT_PER_LEVEL + 1);
    uint32_t level = wide_level < high_level ? wide_level : high_level;
    level = level < LEVEL_MAX ? level : LEVEL_MAX;
    uint32_t letter = LETTER_WIDTH * level;
    bool wide = width / letter >= COLUMNS_WIDE;
    return (struct screen_shape){width, height, level,
                                 letter * (wide ? MARGIN_WIDE : MARGIN_NARROW)};
}

struct screen_shape screen_shape(void) { return screen.shape; }

static cell *row_at(uint32_t row) { return screen.want[(screen.top + row) % screen.rows]; }

static void clear_row(uint32_t row)
{
    for (uint32_t i = 0; i < COLUMNS_MAX; i++) {
        row_at(row)[i] = CELL(' ', SCREEN_NORMAL);
    }
}

/* The log gets what the fixed part leaves: its last lines stay. All is painted anew. */
static void lay_out(void)
{
    uint32_t level = screen.shape.level;
    uint32_t fixed = fixed_height() < screen.shape.height ? fixed_height() : screen.shape.height;
    uint32_t old_rows = screen.rows, used = screen.rows != 0 ? screen.row + 1 : 0;
    uint32_t rows = (screen.shape.height - fixed) / (LETTER_HEIGHT * level);

    rows = rows < 1 ? 1 : rows > ROWS_MAX ? ROWS_MAX : rows;
    uint32_t kept = used < rows ? used : rows;
    /* What is shown is forgotten anyway: its memory takes the lines that stay. */
    for (uint32_t i = 0; i < kept; i++) {
        memcpy(screen.shown[i], screen.want[(screen.top + used - kept + i) % old_rows],
               sizeof(screen.shown[i]));
    }
    screen.rows = rows;
    screen.top = 0;
    screen.row = kept > 0 ? kept - 1 : 0;
    for (uint32_t i = 0; i < rows; i++) {
        clear_row(i);
        if (i < kept) {
            memcpy(screen.want[i], screen.shown[i], sizeof(screen.want[i]));
        }
    }
    memset(screen.shown, 0, sizeof(screen.shown));
    screen.y = fixed;
    screen.clear_next = 0;
    screen.draw_next = 0;
    fixed_forget();
}

enum fl_err screen_start(const struct fl_framebuffer *fb)
{
    screen.rows = 0; /* nothing of an earlier screen stays */
    screen.column = 0;
    fixed_clear();
    enum fl_err err = pixels_map(&screen.pixels, fb);
    if (err != FL_OK) {
        return err == FL_ENOENT && fb->base == 0 ? FL_OK : err;
    }
    screen.base = fb->base;
    screen.bytes = (uint64_t)fb->pitch_bytes * fb->height;
    screen.shape = screen_shape_of(fb->width, fb->height);
    screen.x = screen.shape.margin;
    uint32_t columns = (fb->width - 2 * screen.x) / (LETTER_WIDTH * screen.shape.level);
    screen.columns = columns < COLUMNS_MAX ? columns : COLUMNS_MAX;
    lay_out();
    return FL_OK;
}

bool screen_present(void) { return screen.pixels.fb.size != 0; }

bool screen_lies_in(uint64_t base, uint64_t size)
{
    return screen_present() && screen.base < base + size && base < screen.base + screen.bytes;
}

static void let_go(void)
{
    screen.pixels = (struct pixels){0};
    screen.shape = (struct screen_shape){0};
}

void screen_stop(void)
{
    while (screen_draw(PIXELS_AT_ONCE)) {
        fiber_yield_if_long();
    }
    let_go();
}

void screen_off(void)
{
    const struct pixels pixels = screen.pixels;
    let_go();
    for (uint32_t y = 0; y < pixels.height; y++) {
        pixels_fill(&pixels, 0, y, pixels.width, 1, screen_rgb(SCREEN_BLACK));
        fiber_yield_if_long();
    }
}

void screen_set_notify(void (*notify)(void)) { screen.notify = notify; }

void screen_set_fixed(const struct screen_fixed *f)
{
    if (!screen_present() || fixed_same(f)) {
        return;
    }
    if (fixed_set(f)) {
        lay_out();
    }
    if (screen.notify != NULL) {
        screen.notify();
    }
}

void screen_clear_fixed(void)
{
    if (screen_present() && fixed_clear()) {
        lay_out();
    }
}

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

void screen_put(const char *s, size_t n, enum screen_ink ink)
{
    for (size_t i = 0; i < n && screen_present(); i++) {
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

/* Paper below everything, once: also where no cell lies, and the firmware left its logo. */
static bool draw_paper(uint32_t *budget)
{
    for (; screen.clear_next < screen.shape.height; screen.clear_next++) {
        if (*budget == 0) {
            return true;
        }
        *budget -= screen.shape.width < *budget ? screen.shape.width : *budget;
        pixels_fill(&screen.pixels, 0, screen.clear_next, screen.shape.width, 1,
                    screen_rgb(SCREEN_PAPER));
    }
    return false;
}

static bool draw_log(uint32_t *budget)
{
    const uint32_t level = screen.shape.level;
    const uint32_t cost = LETTER_WIDTH * LETTER_HEIGHT * level * level;
    const uint32_t total = screen.rows * screen.columns;
    for (; screen.draw_next < total; screen.draw_next++) {
        uint32_t row = screen.draw_next / screen.columns;
        uint32_t column = screen.draw_next % screen.columns;
        cell want = row_at(row)[column];
        cell *shown = &screen.shown[row][column];
        /* A blank has no ink: what was just made paper is one already. */
        if (want == *shown || (*shown == 0 && (want & 0xff) == ' ')) {
            continue;
        }
        if (*budget == 0) {
            return true;
        }
        *budget -= cost < *budget ? cost : *budget;
        pixels_letter(&screen.pixels, screen.x + column * LETTER_WIDTH * level,
                      screen.y + row * LETTER_HEIGHT * level, level, (unsigned char)want,
                      screen_rgb((enum screen_ink)(want >> 8)), screen_rgb(SCREEN_PAPER));
        *shown = want;
    }
    screen.draw_next = 0;
    return false;
}

bool screen_draw(uint32_t pixels)
{
    uint32_t budget = pixels;
    return screen_present() &&
           (draw_paper(&budget) || fixed_draw(&screen.pixels, &budget) || draw_log(&budget));
}
