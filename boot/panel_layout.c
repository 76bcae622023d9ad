/* SPDX-License-Identifier: MIT */
/*
 * Where everything of the fixed part lies, for a screen of any size:
 *
 *   FIRSTLIGHT  hostname  version, machine                  QR code
 *   http://10.0.2.15/                                       of the
 *   token ...                                               address
 *   the verdict, on a band from edge to edge
 *   GPU 0  GA102  READY           one or two columns; below each a bar and
 *   what is known of it           lines in small letters
 *
 * Nothing moves when a state changes: only the number of GPUs and a longer address move things.
 *
 * How large: seen from 3 m, a capital of 14 mm is 16 minutes of arc high. On a screen of 24 inches
 * with 1080 lines these are 50 pixels, which a letter of level 5 has: a twentieth of the height.
 */
#include <stdio.h>
#include <string.h>

#include "arch/pixels.h"
#include "boot/panel.h"
#include "boot/qr.h"

enum { URL_COLUMNS = 24 /* https://255.255.255.255/ */, VERDICT_COLUMNS = 27, TITLE_COLUMNS = 10 };
/* "GPU 0  GA102   READY" and what may follow. */
enum { CHIP_AT = 7, STATE_AT = 14, GPU_COLUMNS = 23 };
enum { QR_SHARE = 5 /* of the shorter side */, QR_DOT_MIN = 3, QR_USUAL_SIDE = 25 };
/* Lines of details: of one GPU on a wide and on a narrow screen, of each of several. */
enum { DETAILS_WIDE = 3, DETAILS_NARROW = 4, DETAILS_EACH = 2, WIDE_COLUMNS = 120 };
/* The log keeps a quarter of the screen. */
enum { FIXED_PARTS = 3, ALL_PARTS = 4 };

/* Sizes go by how many rows and columns of the log's letters the screen has. Levels in units of the
 * log's. */
struct sizes {
    uint32_t rows_min, columns_min;
    /* text: the token, and details of one GPU or two. gap: pixels per level of the log. */
    uint32_t title, address, text, verdict, gpu, gap;
    bool qr;
};
static const struct sizes tiers[] = {
    {56, 120, 2, 4, 2, 6, 6, 20, true}, /* 1080 lines and more */
    {42, 100, 2, 4, 1, 4, 4, 16, true}, /* 720, 768, 800 */
    {28, 60, 1, 2, 1, 2, 2, 8, true},   /* 480, 600 */
    {0, 0, 1, 1, 1, 1, 1, 4, false},
};

struct plan {
    const struct panel *p;
    struct screen_shape shape;
    struct screen_fixed *f;
    struct sizes size;
    uint32_t unit;  /* the log's level */
    uint32_t limit; /* pixels that the fixed part may have */
    uint32_t y;     /* where the next thing goes */
};

static const enum screen_ink tone_ink[] = {[PANEL_IDLE] = SCREEN_NORMAL,
                                           [PANEL_BUSY] = SCREEN_BUSY,
                                           [PANEL_GOOD] = SCREEN_GOOD,
                                           [PANEL_WARN] = SCREEN_WARN,
                                           [PANEL_BAD] = SCREEN_ERROR};
static const enum screen_ink tone_band[] = {[PANEL_IDLE] = SCREEN_BAND_IDLE,
                                            [PANEL_BUSY] = SCREEN_BAND_BUSY,
                                            [PANEL_GOOD] = SCREEN_BAND_GOOD,
                                            [PANEL_WARN] = SCREEN_BAND_WARN,
                                            [PANEL_BAD] = SCREEN_BAND_ERROR};

static uint32_t min_u32(uint32_t a, uint32_t b) { return a < b ? a : b; }
static uint32_t max_u32(uint32_t a, uint32_t b) { return a > b ? a : b; }

static struct screen_item *add(struct plan *l, struct screen_item item)
{
    struct screen_fixed *f = l->f;
    struct screen_item *to = &f->item[min_u32(f->count, SCREEN_ITEMS_MAX - 1)];
    *to = item;
    f->count = min_u32(f->count + 1, SCREEN_ITEMS_MAX);
    return to;
}

static void add_fill(struct plan *l, uint32_t x, uint32_t y, uint32_t w, uint32_t h,
                     enum screen_ink ink)
{
    add(l, (struct screen_item){
               .kind = SCREEN_FILL, .x = x, .y = y, .w = w, .h = h, .done = w, .ink = ink});
}

/* In a box of so many pixels; a text that is too long ends with dots. */
static void add_text(struct plan *l, uint32_t x, uint32_t y, uint32_t w, uint32_t level,
                     enum screen_ink ink, enum screen_ink paper, const char *text)
{
    const uint32_t columns = min_u32(w / (LETTER_WIDTH * level), SCREEN_TEXT_MAX - 1);
    struct screen_item *to = add(l, (struct screen_item){.kind = SCREEN_TEXT,
                                                         .x = x,
                                                         .y = y,
                                                         .w = columns * LETTER_WIDTH * level,
                                                         .h = LETTER_HEIGHT * level,
                                                         .level = level,
                                                         .ink = ink,
                                                         .paper = paper});
    const size_t n = strlen(text);
    memcpy(to->text, text, min_u32((uint32_t)n, columns));
    if (n > columns && columns > 3) {
        memcpy(to->text + columns - 3, "...", 3);
    }
}

/* The largest level, at most cap, at which so many letters are no wider than w. */
static uint32_t fitting(const struct plan *l, uint32_t cap, size_t columns, uint32_t w)
{
    static const uint32_t steps[] = {6, 5, 4, 3, 2};
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        uint32_t level = steps[i] * l->unit;
        if (steps[i] <= cap && columns * LETTER_WIDTH * level <= w) {
            return level;
        }
    }
    return l->unit;
}

/* --- who and where --- */

/* The code of the address, as large as its share of the height allows, at the right edge. Returns
 * its side, 0: there is none on this screen. */
static uint32_t put_qr(struct plan *l)
{
    struct qr qr = {0};
    if (!l->size.qr) {
        return 0;
    }
    if (l->p->url[0] != '\0' && qr_encode(&qr, l->p->url) != FL_OK) {
        qr.side = 0;
    }
    /* Its place is kept while there is no address. */
    const uint32_t dots = max_u32(qr.side, QR_USUAL_SIDE) + 2 * QR_QUIET;
    const uint32_t room = min_u32(l->shape.height, l->shape.width) / QR_SHARE;
    const uint32_t dot = max_u32(room / dots / l->unit, QR_DOT_MIN) * l->unit;
    const uint32_t side = dots * dot, x = l->shape.width - l->shape.margin - side;
    const bool there = qr.side != 0;
    const uint32_t quiet = (dots - (there ? qr.side : dots)) / 2 * dot;
    add_fill(l, x, l->y, side, side, there ? SCREEN_WHITE : SCREEN_PAPER);
    add(l, (struct screen_item){.kind = SCREEN_BITMAP,
                                .x = x + quiet,
                                .y = l->y + quiet,
                                .w = qr.side * dot,
                                .h = qr.side * dot,
                                .level = dot,
                                .ink = SCREEN_BLACK,
                                .paper = SCREEN_WHITE});
    l->f->bitmap_side = qr.side;
    memcpy(l->f->bitmap, qr.row, sizeof(qr.row));
    return side;
}

static void put_title(struct plan *l, uint32_t w)
{
    const uint32_t level = l->size.title * l->unit, letter = LETTER_WIDTH * level;
    const uint32_t x = l->shape.margin, host_at = (TITLE_COLUMNS + 2) * letter;
    const uint32_t host = (uint32_t)strlen(l->p->hostname) * letter;
    char about[128];

    add_text(l, x, l->y, TITLE_COLUMNS * letter, level, SCREEN_ACCENT, SCREEN_PAPER, "FIRSTLIGHT");
    add_text(l, x + host_at, l->y, min_u32(host, w > host_at ? w - host_at : 0), level,
             SCREEN_BRIGHT, SCREEN_PAPER, l->p->hostname);
    snprintf(about, sizeof(about), "%s%s%s", l->p->version, l->p->machine[0] != '\0' ? " on " : "",
             l->p->machine);
    /* On the line on which the larger letters stand: these have a fifth of their height below. */
    const uint32_t small = LETTER_HEIGHT * l->unit, drop = (LETTER_HEIGHT * level - small) * 4 / 5;
    const uint32_t used = host_at + host + 2 * letter;
    if (used < w) {
        add_text(l, x + used, l->y + drop, w - used, l->unit, SCREEN_DIM, SCREEN_PAPER, about);
    }
    l->y += LETTER_HEIGHT * level + l->size.gap / 2 * l->unit;
}

static void put_where(struct plan *l)
{
    const struct panel *p = l->p;
    const uint32_t x = l->shape.margin, top = l->y, small = LETTER_HEIGHT * l->unit;
    const uint32_t qr = put_qr(l);
    const uint32_t w = l->shape.width - 2 * x - (qr != 0 ? qr + small : 0);
    char line[SCREEN_TEXT_MAX];

    put_title(l, w);
    const bool there = p->url[0] != '\0';
    const size_t columns = max_u32((uint32_t)strlen(p->url), URL_COLUMNS);
    const uint32_t level = fitting(l, l->size.address, columns, w);
    add_text(l, x, l->y, w, level, there ? SCREEN_BRIGHT : tone_ink[p->network_tone], SCREEN_PAPER,
             there ? p->url : p->network);
    l->y += LETTER_HEIGHT * level + l->size.gap / 4 * l->unit;
    snprintf(line, sizeof(line), "%s%s", p->token[0] != '\0' ? "token " : "", p->token);
    const uint32_t token = fitting(l, l->size.text, strlen(line), w);
    add_text(l, x, l->y, w, token, SCREEN_NORMAL, SCREEN_PAPER, line);
    l->y += LETTER_HEIGHT * token;
    if (l->size.qr) {
        snprintf(line, sizeof(line), "%s%s", p->also[0] != '\0' ? "also " : "", p->also);
        l->y += l->size.gap / 4 * l->unit;
        add_text(l, x, l->y, w, l->unit, SCREEN_DIM, SCREEN_PAPER, line);
        l->y += small;
    }
    l->y = max_u32(l->y, top + qr) + l->size.gap * l->unit;
}

/* --- the verdict --- */

static void put_verdict(struct plan *l)
{
    const uint32_t x = l->shape.margin, w = l->shape.width - 2 * x;
    const uint32_t level = fitting(l, l->size.verdict, VERDICT_COLUMNS, w);
    const uint32_t border = 2 * level, h = LETTER_HEIGHT * level + 2 * border;
    const enum screen_ink band = tone_band[l->p->tone];

    add_fill(l, 0, l->y, l->shape.width, h, band);
    add_text(l, x, l->y + border, w, level, SCREEN_BRIGHT, band, l->p->verdict);
    l->y += h + l->size.gap * l->unit;
}

/* --- the GPUs --- */

/* How the GPUs are laid out. */
struct grid {
    uint32_t level, columns, details; /* details: lines, of detail_level */
    uint32_t detail_level;
    uint32_t w, h; /* of one, with the space to the next */
};

static uint32_t bar_of(uint32_t level) { return max_u32(level, 2); }

static struct grid measure(const struct plan *l, uint32_t level, uint32_t columns, uint32_t details)
{
    const uint32_t bar = bar_of(level);
    const uint32_t text = (l->p->gpu_count > 2 ? 1 : l->size.text) * l->unit;
    const uint32_t gap = l->size.gap * l->unit / (l->p->gpu_count > 2 ? 2 : 1);
    return (struct grid){
        .level = level,
        .columns = columns,
        .details = details,
        .detail_level = text,
        .w = (l->shape.width - l->shape.margin) / columns,
        .h = LETTER_HEIGHT * level + 3 * bar + details * LETTER_HEIGHT * text + gap,
    };
}

static bool fits(const struct plan *l, const struct grid *g)
{
    const uint32_t rows = (l->p->gpu_count + g->columns - 1) / g->columns;
    return GPU_COLUMNS * LETTER_WIDTH * g->level + l->shape.margin <= g->w &&
           l->y + rows * g->h <= l->limit;
}

/* Large letters before all, then one column, then details. */
static struct grid choose_grid(const struct plan *l)
{
    const bool wide = l->shape.width / (LETTER_WIDTH * l->unit) >= WIDE_COLUMNS;
    const uint32_t most = l->p->gpu_count > 1 ? DETAILS_EACH : wide ? DETAILS_WIDE : DETAILS_NARROW;
    for (uint32_t level = l->size.gpu * l->unit; level >= 1; level--) {
        for (uint32_t columns = 1; columns <= 2; columns++) {
            for (uint32_t details = most + 1; details-- > 0;) {
                struct grid g = measure(l, level, columns, details);
                /* Without a line of details only when the letters cannot get smaller. */
                if (fits(l, &g) && (details > 0 || level == 1)) {
                    return g;
                }
            }
        }
    }
    return measure(l, 1, 1, 0);
}

/* Lines of at most `columns` letters from *text on, broken at blanks; returns what is left. */
static const char *next_line(const char *text, size_t columns, char *out, bool last)
{
    size_t n = strlen(text);
    size_t take = n;
    if (n > columns && !last) {
        take = columns;
        while (take > 0 && text[take] != ' ') {
            take--;
        }
        take = take == 0 ? columns : take;
    }
    snprintf(out, SCREEN_TEXT_MAX, "%.*s", (int)min_u32((uint32_t)take, SCREEN_TEXT_MAX - 1), text);
    text += take;
    return *text == ' ' ? text + 1 : text;
}

static void put_details(struct plan *l, const struct panel_gpu *g, const struct grid *grid,
                        uint32_t x, uint32_t y)
{
    const uint32_t w = grid->w - l->shape.margin;
    const size_t columns = w / (LETTER_WIDTH * grid->detail_level);
    const char *rest = g->detail[0];
    uint32_t part = 0;
    for (uint32_t i = 0; i < grid->details; i++) {
        char line[SCREEN_TEXT_MAX] = "";
        bool second = part == 1;
        if (*rest == '\0' && part == 0) {
            rest = g->detail[1];
            second = true;
            part = 1;
        }
        /* The second text has one line at least. */
        bool last = i + 1 == grid->details || (part == 0 && i + 2 == grid->details);
        rest = next_line(rest, columns, line, last);
        enum screen_ink ink = g->tone == PANEL_BAD || g->tone == PANEL_WARN ? SCREEN_NORMAL
                              : second                                      ? SCREEN_DIM
                                                                            : SCREEN_NORMAL;
        add_text(l, x, y, w, grid->detail_level, ink, SCREEN_PAPER, line);
        y += LETTER_HEIGHT * grid->detail_level;
    }
}

/* As much of it as there is room for. */
static void say_state(const struct panel_gpu *g, uint32_t room, char *out, size_t size)
{
    const char *const more[] = {g->more, g->brief};
    for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
        int n = snprintf(out, size, "%s %s", g->state, more[i]);
        if (more[i][0] != '\0' && n > 0 && (uint32_t)n <= room) {
            return;
        }
    }
    snprintf(out, size, "%s", g->state);
}

static void put_gpu(struct plan *l, uint32_t index, const struct grid *grid, uint32_t x, uint32_t y)
{
    const struct panel_gpu *g = &l->p->gpu[index];
    const uint32_t letter = LETTER_WIDTH * grid->level, bar = bar_of(grid->level);
    const uint32_t w = grid->w - l->shape.margin, room = w / letter - STATE_AT;
    char text[SCREEN_TEXT_MAX];

    snprintf(text, sizeof(text), "GPU %u", (unsigned)index);
    add_text(l, x, y, (CHIP_AT - 1) * letter, grid->level, SCREEN_DIM, SCREEN_PAPER, text);
    add_text(l, x + CHIP_AT * letter, y, (STATE_AT - CHIP_AT - 1) * letter, grid->level,
             SCREEN_BRIGHT, SCREEN_PAPER, g->chip);
    say_state(g, room, text, sizeof(text));
    add_text(l, x + STATE_AT * letter, y, room * letter, grid->level, tone_ink[g->tone],
             SCREEN_PAPER, text);
    y += LETTER_HEIGHT * grid->level + bar / 2;
    add(l, (struct screen_item){.kind = SCREEN_FILL,
                                .x = x,
                                .y = y,
                                .w = w,
                                .h = bar,
                                .done = g->of != 0 ? w * min_u32(g->done, g->of) / g->of : 0,
                                .ink = tone_ink[g->tone],
                                .paper = SCREEN_RULE});
    put_details(l, g, grid, x, y + bar + bar);
}

static void put_gpus(struct plan *l)
{
    const uint32_t count = min_u32(l->p->gpu_count, API_MAX_GPUS);
    if (count == 0) {
        return;
    }
    const struct grid grid = choose_grid(l);
    const uint32_t rows = (count + grid.columns - 1) / grid.columns;
    for (uint32_t i = 0; i < count; i++) {
        /* Down first, so that the order can be seen. */
        const uint32_t row = i % rows, column = i / rows;
        const uint32_t y = l->y + row * grid.h;
        if (y + grid.h <= l->limit) {
            put_gpu(l, i, &grid, l->shape.margin + column * grid.w, y);
        }
    }
    l->y = min_u32(l->y + rows * grid.h, l->limit);
}

void panel_lay_out(const struct panel *p, struct screen_shape shape, struct screen_fixed *f)
{
    *f = (struct screen_fixed){0};
    if (shape.width == 0 || shape.height == 0) {
        return;
    }
    struct plan l = {.p = p, .shape = shape, .f = f, .unit = shape.level};
    const uint32_t row = LETTER_HEIGHT * l.unit;
    size_t tier = 0;
    while (shape.height / row < tiers[tier].rows_min ||
           shape.width / (LETTER_WIDTH * l.unit) < tiers[tier].columns_min) {
        tier++;
    }
    l.size = tiers[tier];
    l.limit = shape.height * FIXED_PARTS / ALL_PARTS / row * row;
    l.y = l.size.gap * l.unit;
    put_where(&l);
    put_verdict(&l);
    put_gpus(&l);
    l.y = (l.y + row - 1) / row * row;
    add_fill(&l, 0, l.y - 2 * l.unit, shape.width, l.unit, SCREEN_RULE);
    f->height = l.y;
}
