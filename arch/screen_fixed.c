/* SPDX-License-Identifier: MIT */
/* The fixed part of the screen: what is wanted against what is shown, item by item. */
#include <string.h>

#include "arch/screen_priv.h"

/* What the screen shows of an item; all zero: nothing is known. */
struct shown {
    bool painted;      /* a fill or the bitmap is as these say */
    bool inked;        /* the letters in text have these colours */
    uint32_t next_row; /* of a fill under way: painted up to here */
    uint32_t done;     /* of a fill */
    enum screen_ink ink, paper;
    char text[SCREEN_TEXT_MAX]; /* 0: that letter is not painted */
};

static struct {
    struct screen_fixed want;
    struct shown shown[SCREEN_ITEMS_MAX];
} fixed;

static bool lies_same(const struct screen_item *a, const struct screen_item *b)
{
    return a->kind == b->kind && a->x == b->x && a->y == b->y && a->w == b->w && a->h == b->h &&
           a->level == b->level;
}

static bool overlap(const struct screen_item *a, const struct screen_item *b)
{
    return a->x < b->x + b->w && b->x < a->x + a->w && a->y < b->y + b->h && b->y < a->y + a->h;
}

bool fixed_same(const struct screen_fixed *f)
{
    return memcmp(f, &fixed.want, sizeof(fixed.want)) == 0;
}

bool fixed_set(const struct screen_fixed *f)
{
    bool moved = f->height != fixed.want.height || f->count != fixed.want.count ||
                 f->bitmap_side != fixed.want.bitmap_side;
    uint32_t count = f->count < SCREEN_ITEMS_MAX ? f->count : SCREEN_ITEMS_MAX;
    for (uint32_t i = 0; i < count && !moved; i++) {
        moved = !lies_same(&f->item[i], &fixed.want.item[i]);
    }
    if (!moved && memcmp(f->bitmap, fixed.want.bitmap, sizeof(f->bitmap)) != 0) {
        for (uint32_t i = 0; i < count; i++) {
            fixed.shown[i].painted &= f->item[i].kind != SCREEN_BITMAP;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        fixed.shown[i].next_row = 0;
    }
    fixed.want = *f;
    fixed.want.count = count;
    return moved;
}

bool fixed_clear(void)
{
    const bool was = fixed.want.height != 0 || fixed.want.count != 0;
    fixed.want.height = fixed.want.count = fixed.want.bitmap_side = 0;
    return was;
}

uint32_t fixed_height(void) { return fixed.want.height; }

void fixed_forget(void) { memset(fixed.shown, 0, sizeof(fixed.shown)); }

/* Item i was painted: what lies above it is gone. */
static void forget_above(uint32_t i)
{
    for (uint32_t k = i + 1; k < fixed.want.count; k++) {
        if (overlap(&fixed.want.item[i], &fixed.want.item[k])) {
            fixed.shown[k] = (struct shown){0};
        }
    }
}

static bool spend(uint32_t *budget, uint32_t pixels)
{
    if (*budget == 0) {
        return false;
    }
    *budget -= pixels < *budget ? pixels : *budget;
    return true;
}

/* True when the budget ended before it was done. */
static bool draw_fill(const struct pixels *p, uint32_t i, uint32_t *budget)
{
    const struct screen_item *it = &fixed.want.item[i];
    struct shown *s = &fixed.shown[i];
    uint32_t done = it->done < it->w ? it->done : it->w;

    if (s->painted && s->ink == it->ink && s->paper == it->paper && s->done == done) {
        return false;
    }
    if (s->next_row == 0) {
        forget_above(i);
        s->painted = false;
    }
    for (; s->next_row < it->h; s->next_row++) {
        if (!spend(budget, it->w)) {
            return true;
        }
        pixels_fill(p, it->x, it->y + s->next_row, done, 1, screen_rgb(it->ink));
        pixels_fill(p, it->x + done, it->y + s->next_row, it->w - done, 1, screen_rgb(it->paper));
    }
    *s = (struct shown){.painted = true, .ink = it->ink, .paper = it->paper, .done = done};
    return false;
}

static bool draw_text(const struct pixels *p, uint32_t i, uint32_t *budget)
{
    const struct screen_item *it = &fixed.want.item[i];
    struct shown *s = &fixed.shown[i];
    uint32_t level = it->level != 0 ? it->level : 1;
    uint32_t columns = it->w / (LETTER_WIDTH * level);
    const char *end = memchr(it->text, '\0', SCREEN_TEXT_MAX);
    size_t length = end != NULL ? (size_t)(end - it->text) : SCREEN_TEXT_MAX;

    columns = columns < SCREEN_TEXT_MAX ? columns : SCREEN_TEXT_MAX;
    if (!s->inked || s->ink != it->ink || s->paper != it->paper) {
        *s = (struct shown){.inked = true, .ink = it->ink, .paper = it->paper};
    }
    for (uint32_t c = 0; c < columns; c++) {
        char want = c < length ? it->text[c] : ' ';
        if (s->text[c] == want) {
            continue;
        }
        if (!spend(budget, LETTER_WIDTH * LETTER_HEIGHT * level * level)) {
            return true;
        }
        pixels_letter(p, it->x + c * LETTER_WIDTH * level, it->y, level, (unsigned char)want,
                      screen_rgb(it->ink), screen_rgb(it->paper));
        s->text[c] = want;
    }
    return false;
}

static bool draw_bitmap(const struct pixels *p, uint32_t i, uint32_t *budget)
{
    const struct screen_item *it = &fixed.want.item[i];
    struct shown *s = &fixed.shown[i];
    uint32_t side =
        fixed.want.bitmap_side < SCREEN_BITMAP_MAX ? fixed.want.bitmap_side : SCREEN_BITMAP_MAX;

    if (s->painted && s->ink == it->ink && s->paper == it->paper) {
        return false;
    }
    if (s->next_row == 0) {
        forget_above(i);
    }
    for (; s->next_row < side; s->next_row++) {
        if (!spend(budget, side * it->level * it->level)) {
            return true;
        }
        for (uint32_t x = 0; x < side; x++) {
            bool dot = (fixed.want.bitmap[s->next_row] >> x & 1) != 0;
            pixels_fill(p, it->x + x * it->level, it->y + s->next_row * it->level, it->level,
                        it->level, screen_rgb(dot ? it->ink : it->paper));
        }
    }
    *s = (struct shown){.painted = true, .ink = it->ink, .paper = it->paper};
    return false;
}

bool fixed_draw(const struct pixels *p, uint32_t *budget)
{
    for (uint32_t i = 0; i < fixed.want.count; i++) {
        bool more = false;
        switch (fixed.want.item[i].kind) {
        case SCREEN_FILL:
            more = draw_fill(p, i, budget);
            break;
        case SCREEN_TEXT:
            more = draw_text(p, i, budget);
            break;
        case SCREEN_BITMAP:
            more = draw_bitmap(p, i, budget);
            break;
        }
        if (more) {
            return true;
        }
    }
    return false;
}
