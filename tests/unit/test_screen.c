/* SPDX-License-Identifier: MIT */
/*
 * The screen in memory: which framebuffers are taken, that no pixel outside is written, that
 * drawing touches what changed and nothing else, what the log keeps when the fixed part comes and
 * goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arch/pixels.h"
#include "tests/unit/screen_lab.h"

enum { PAPER_RGB = 0x101418, NORMAL_RGB = 0xd8dee4, ERROR_RGB = 0xff6b5e, ACCENT_RGB = 0x7cc7ff };
enum { WIDTH = 640, HEIGHT = 480, MARGIN = 16 };

static struct screen_fixed fixed;

static struct screen_item text_item(uint32_t x, uint32_t y, uint32_t columns, uint32_t level,
                                    const char *text)
{
    struct screen_item item = {.kind = SCREEN_TEXT,
                               .x = x,
                               .y = y,
                               .w = columns * LETTER_WIDTH * level,
                               .h = LETTER_HEIGHT * level,
                               .level = level,
                               .ink = SCREEN_ACCENT,
                               .paper = SCREEN_PAPER};
    snprintf(item.text, sizeof(item.text), "%s", text);
    return item;
}

static void read_line(uint32_t x, uint32_t y, uint32_t columns, uint32_t level, uint32_t ink,
                      char *out)
{
    for (uint32_t i = 0; i < columns; i++) {
        char c = lab_letter(x + i * LETTER_WIDTH * level, y, level, ink, PAPER_RGB);
        *out++ = c != 0 ? c : '?';
    }
    do {
        *out-- = '\0';
    } while (*out == ' ');
}

static void assert_line(uint32_t x, uint32_t y, uint32_t level, uint32_t ink, const char *expected)
{
    char seen[SCREEN_TEXT_MAX];
    read_line(x, y, (uint32_t)strlen(expected) + 2, level, ink, seen);
    assert_string_equal(seen, expected);
}

static void put(const char *s, enum screen_ink ink) { screen_put(s, strlen(s), ink); }

static void test_framebuffers(void **state)
{
    (void)state;
    static const struct {
        struct fl_framebuffer fb;
        enum fl_err expected;
    } cases[] = {
        {{LAB_BASE, 320, 200, 1280, 0}, FL_OK},
        {{LAB_BASE, 320, 200, 1280, 1}, FL_OK},
        {{0, 320, 200, 1280, 0}, FL_OK}, /* no screen at all is no failure */
        {{LAB_BASE, 319, 200, 1280, 0}, FL_EBADDATA},
        {{LAB_BASE, 320, 199, 1280, 0}, FL_EBADDATA},
        {{LAB_BASE, 320, 200, 1276, 0}, FL_EBADDATA},
        {{LAB_BASE, 320, 200, 1281, 0}, FL_EBADDATA},
        {{LAB_BASE, 320, 200, 1280, 2}, FL_EBADDATA},
        {{LAB_BASE, 16385, 200, 65540, 0}, FL_EBADDATA},
        {{LAB_BASE, 320, 16385, 1280, 0}, FL_EBADDATA},
        {{LAB_BASE, 320, 200, 16384 * 8 + 4, 0}, FL_EBADDATA},
        {{LAB_BASE + 0x10000000, 320, 200, 1280, 0}, FL_ENOENT}, /* nothing to map is there */
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        (void)!lab_start(320, 200, 0);
        screen_stop();
        assert_int_equal(screen_start(&cases[i].fb), cases[i].expected);
        assert_int_equal(screen_present(), cases[i].expected == FL_OK && cases[i].fb.base != 0);
        screen_stop();
    }
}

/* Without a screen everything does nothing. */
static void test_none(void **state)
{
    (void)state;
    assert_int_equal(lab_start(0, 0, 0), FL_OK);
    assert_int_equal(screen_shape().width, 0);
    fixed = (struct screen_fixed){.height = 32, .count = 1};
    screen_set_fixed(&fixed);
    put("a line\n", SCREEN_NORMAL);
    assert_false(screen_draw(UINT32_MAX));
    assert_false(screen_lies_in(0, UINT64_MAX));
    screen_off();
}

static void test_where(void **state)
{
    (void)state;
    assert_int_equal(lab_start(WIDTH, HEIGHT, 0), FL_OK);
    const uint64_t end = LAB_BASE + (uint64_t)lab.fb.pitch_bytes * HEIGHT;
    assert_true(screen_lies_in(LAB_BASE, 1));
    assert_true(screen_lies_in(end - 1, 1));
    assert_false(screen_lies_in(end, 4096));
    assert_false(screen_lies_in(LAB_BASE - 4096, 4096));
    assert_true(screen_lies_in(0, UINT64_MAX));
}

/* Letters of all levels at all places around the edges: whole inside, or not there. */
static void test_edges(void **state)
{
    (void)state;
    assert_int_equal(lab_start(320, 200, 0), FL_OK);
    struct pixels p;
    assert_int_equal(pixels_map(&p, &lab.fb), FL_OK);
    for (uint32_t level = 0; level <= 30; level++) {
        const uint32_t w = LETTER_WIDTH * level, h = LETTER_HEIGHT * level;
        const uint32_t xs[] = {0, 320 - w, 321 - w, 319, 320, 321, UINT32_MAX, UINT32_MAX - w + 1};
        const uint32_t ys[] = {0, 200 - h, 201 - h, 199, 200, 201, UINT32_MAX, UINT32_MAX - h + 1};
        for (size_t i = 0; i < ARRAY_SIZE(xs) * ARRAY_SIZE(ys); i++) {
            const uint32_t x = xs[i % ARRAY_SIZE(xs)], y = ys[i / ARRAY_SIZE(xs)];
            const bool inside = level != 0 && w <= 320 && h <= 200 && x <= 320 - w && y <= 200 - h;
            lab.writes = 0;
            pixels_letter(&p, x, y, level, 'W', 1, 2);
            assert_int_equal(lab.writes, inside ? (uint64_t)w * h : 0);
            lab.writes = 0;
            pixels_fill(&p, x, y, w, h, 3);
            const uint64_t cut_w = x >= 320 ? 0 : w < 320 - x ? w : 320 - x;
            const uint64_t cut_h = y >= 200 ? 0 : h < 200 - y ? h : 200 - y;
            assert_int_equal(lab.writes, cut_w * cut_h);
        }
    }
    assert_int_equal(lab.outside, 0);
}

/* Both orders of colours, both fonts; what has no letter gets a sign. */
static void test_letters(void **state)
{
    (void)state;
    for (uint32_t format = 0; format < 2; format++) {
        for (uint32_t level = 1; level <= 6; level++) {
            assert_int_equal(lab_start(WIDTH, HEIGHT, format), FL_OK);
            fixed = (struct screen_fixed){.height = 128, .count = 1};
            fixed.item[0] = text_item(8, 16, 12, level, "Az~ \x1b\x80g9");
            screen_set_fixed(&fixed);
            lab_draw();
            assert_line(8, 16, level, ACCENT_RGB, "Az~ \x7f\x7fg9");
            assert_int_equal(lab.outside, 0);
        }
    }
}

/* The log: lines, wrapped ones, scrolled ones; every pixel of the screen is painted, margins too.
 */
static void test_log(void **state)
{
    (void)state;
    assert_int_equal(lab_start(WIDTH, HEIGHT, 0), FL_OK);
    char line[200];
    for (int i = 0; i < 40; i++) {
        snprintf(line, sizeof(line), "line %d\n", i);
        put(line, i == 39 ? SCREEN_ERROR : SCREEN_NORMAL);
    }
    lab_draw();
    /* 30 rows; the last one is empty, for a line ends with '\n'. */
    assert_line(MARGIN, 0, 1, NORMAL_RGB, "line 11");
    assert_line(MARGIN, 28 * 16, 1, ERROR_RGB, "line 39");
    for (uint32_t y = 0; y < HEIGHT; y++) {
        for (uint32_t x = 0; x < WIDTH; x++) {
            assert_int_not_equal(lab_at(x, y), LAB_UNTOUCHED);
        }
    }
    memset(line, 'x', 80);
    memcpy(line + 76, "tail\n", 6);
    put(line, SCREEN_NORMAL);
    lab_draw();
    assert_line(MARGIN, 28 * 16, 1, NORMAL_RGB, "tail");
    assert_int_equal(lab.outside, 0);
}

/* The fixed part comes: the log's last lines move below it. It goes: they are at the top again. */
static void test_log_moves(void **state)
{
    (void)state;
    assert_int_equal(lab_start(WIDTH, HEIGHT, 0), FL_OK);
    char line[40];
    for (int i = 0; i < 35; i++) { /* scrolled: the ring does not begin at its first row */
        snprintf(line, sizeof(line), "line %d\n", i);
        put(line, SCREEN_NORMAL);
    }
    put("half", SCREEN_NORMAL);
    lab_draw();
    fixed = (struct screen_fixed){.height = 160, .count = 1};
    fixed.item[0] = text_item(MARGIN, 32, 10, 2, "FIXED");
    screen_set_fixed(&fixed);
    lab_draw();
    assert_line(MARGIN, 32, 2, ACCENT_RGB, "FIXED");
    assert_line(MARGIN, 160, 1, NORMAL_RGB, "line 16");
    assert_line(MARGIN, 160 + 18 * 16, 1, NORMAL_RGB, "line 34");
    assert_line(MARGIN, 160 + 19 * 16, 1, NORMAL_RGB, "half");
    put(" whole\nnext\n", SCREEN_NORMAL);
    lab_draw();
    assert_line(MARGIN, 160 + 17 * 16, 1, NORMAL_RGB, "half whole");
    assert_line(MARGIN, 160 + 18 * 16, 1, NORMAL_RGB, "next");
    assert_line(MARGIN, 32, 2, ACCENT_RGB, "FIXED");

    fixed = (struct screen_fixed){0};
    screen_set_fixed(&fixed);
    put("all of it\n", SCREEN_ERROR);
    lab_draw();
    assert_line(MARGIN, 0, 1, NORMAL_RGB, "line 18");
    assert_line(MARGIN, 19 * 16, 1, ERROR_RGB, "all of it");
    /* Of the fixed part nothing is left. */
    assert_line(MARGIN, 32, 1, NORMAL_RGB, "line 20");
    assert_int_equal(lab.outside, 0);
}

/* A fixed part as high as the screen, and higher, leaves the log one row that is not drawn. */
static void test_too_high(void **state)
{
    (void)state;
    for (uint32_t height = HEIGHT - 16; height < HEIGHT + 40; height += 8) {
        assert_int_equal(lab_start(WIDTH, HEIGHT, 0), FL_OK);
        fixed = (struct screen_fixed){.height = height};
        screen_set_fixed(&fixed);
        put("a\nb\nc", SCREEN_NORMAL);
        lab_draw();
        assert_int_equal(lab.outside, 0);
    }
}

/* What changes is drawn, and nothing else. */
static void test_only_changes(void **state)
{
    (void)state;
    const uint64_t letter = 4 * LETTER_WIDTH * LETTER_HEIGHT; /* level 2 */
    assert_int_equal(lab_start(WIDTH, HEIGHT, 0), FL_OK);
    fixed = (struct screen_fixed){.height = 160, .count = 4, .bitmap_side = 8};
    fixed.item[0] = (struct screen_item){
        .kind = SCREEN_FILL, .x = 0, .y = 0, .w = 300, .h = 40, .done = 300, .ink = SCREEN_RULE};
    fixed.item[1] = text_item(MARGIN, 4, 10, 2, "GPU 0");
    fixed.item[1].paper = SCREEN_RULE;
    fixed.item[2] = text_item(MARGIN, 64, 10, 2, "READY");
    fixed.item[3] = (struct screen_item){.kind = SCREEN_BITMAP,
                                         .x = 400,
                                         .y = 8,
                                         .w = 16,
                                         .h = 16,
                                         .level = 2,
                                         .ink = SCREEN_BLACK,
                                         .paper = SCREEN_WHITE};
    fixed.bitmap[0] = 1;
    screen_set_fixed(&fixed);
    lab_draw();
    assert_int_equal(lab_at(400, 8), 0x000000);
    assert_int_equal(lab_at(402, 8), 0xffffff);

    lab.writes = 0;
    screen_set_fixed(&fixed);
    lab_draw();
    assert_int_equal(lab.writes, 0);

    memcpy(fixed.item[2].text, "RESET", 5);
    screen_set_fixed(&fixed);
    lab_draw();
    assert_line(MARGIN, 64, 2, ACCENT_RGB, "RESET");
    assert_int_equal(lab.writes, 3 * letter);

    lab.writes = 0;
    fixed.item[2].text[2] = '\0'; /* a shorter text: blanks behind it */
    screen_set_fixed(&fixed);
    lab_draw();
    assert_line(MARGIN, 64, 2, ACCENT_RGB, "RE");
    assert_int_equal(lab.writes, 3 * letter);

    lab.writes = 0;
    fixed.item[2].ink = SCREEN_ERROR;
    screen_set_fixed(&fixed);
    lab_draw();
    assert_line(MARGIN, 64, 2, ERROR_RGB, "RE");
    assert_int_equal(lab.writes, 10 * letter);

    lab.writes = 0;
    fixed.bitmap[7] = 0x80;
    screen_set_fixed(&fixed);
    lab_draw();
    assert_int_equal(lab_at(414, 22), 0x000000);
    assert_int_equal(lab.writes, 8 * 8 * 4);

    /* A bar moves on; the text above it is drawn anew, others are not. */
    lab.writes = 0;
    fixed.item[0].done = 100;
    screen_set_fixed(&fixed);
    lab_draw();
    assert_int_equal(lab_at(99, 39), 0x2a333d);
    assert_int_equal(lab_at(100, 39), 0xd8dee4); /* paper 0 is SCREEN_NORMAL */
    assert_int_equal(lab.writes, 300 * 40 + 10 * letter);
    assert_int_equal(lab_letter(MARGIN, 4, 2, ACCENT_RGB, 0x2a333d), 'G');
    assert_int_equal(lab.outside, 0);
}

/* In the smallest steps the picture becomes the same, whatever changes between two of them. */
static void test_small_steps(void **state)
{
    (void)state;
    assert_int_equal(lab_start(WIDTH, HEIGHT, 0), FL_OK);
    fixed = (struct screen_fixed){.height = 96, .count = 2};
    fixed.item[0] = (struct screen_item){.kind = SCREEN_FILL,
                                         .w = WIDTH,
                                         .h = 96,
                                         .done = WIDTH,
                                         .ink = SCREEN_BAND_GOOD,
                                         .paper = SCREEN_PAPER};
    fixed.item[1] = text_item(MARGIN, 32, 10, 2, "READY");
    screen_set_fixed(&fixed);
    uint32_t steps = 0;
    while (screen_draw(1)) {
        steps++;
        if (steps == HEIGHT + 40) { /* in the middle of the fill */
            fixed.item[0].ink = SCREEN_BAND_ERROR;
            memcpy(fixed.item[1].text, "WRONG", 5);
            screen_set_fixed(&fixed);
            put("a line\n", SCREEN_NORMAL);
        }
        assert_true(steps < 10000);
    }
    assert_true(steps > HEIGHT + 40 + 96);
    assert_int_equal(lab_at(0, 0), 0xb3261e);
    assert_int_equal(lab_at(WIDTH - 1, 95), 0xb3261e);
    assert_line(MARGIN, 32, 2, ACCENT_RGB, "WRONG");
    assert_line(MARGIN, 96, 1, NORMAL_RGB, "a line");
}

/* Numbers that no layout gives: nothing outside of the screen, nothing outside of the arrays. */
static void test_hostile_items(void **state)
{
    (void)state;
    assert_int_equal(lab_start(WIDTH, HEIGHT, 0), FL_OK);
    fixed = (struct screen_fixed){.height = 160, .count = UINT32_MAX, .bitmap_side = UINT32_MAX};
    for (uint32_t i = 0; i < SCREEN_ITEMS_MAX; i++) {
        fixed.item[i] = (struct screen_item){.kind = (enum screen_kind)(i % 3),
                                             .x = i * 40,
                                             .y = i * 20,
                                             .w = 2000,
                                             .h = 500,
                                             .level = i % 7,
                                             .done = UINT32_MAX,
                                             .ink = (enum screen_ink)(i * 3),
                                             .paper = (enum screen_ink)i};
        memset(fixed.item[i].text, 'x', SCREEN_TEXT_MAX); /* without its NUL */
    }
    screen_set_fixed(&fixed);
    put("below\n", (enum screen_ink)200);
    lab_draw();
    assert_int_equal(lab.outside, 0);
}

static unsigned notified;
static void notify(void) { notified++; }

/* Whoever draws is told of what is new, and of nothing else. */
static void test_notify(void **state)
{
    (void)state;
    assert_int_equal(lab_start(WIDTH, HEIGHT, 0), FL_OK);
    fixed = (struct screen_fixed){.height = 96, .count = 1};
    fixed.item[0] = text_item(MARGIN, 32, 10, 2, "READY");
    notified = 0;
    screen_set_notify(notify);
    screen_set_fixed(&fixed);
    assert_int_equal(notified, 1);
    screen_set_fixed(&fixed);
    assert_int_equal(notified, 1);
    fixed.item[0].text[0] = 'r';
    screen_set_fixed(&fixed);
    assert_int_equal(notified, 2);
    screen_set_notify(NULL);
    fixed.item[0].text[0] = 'R';
    screen_set_fixed(&fixed);
    assert_int_equal(notified, 2);
}

/* Given up: what was wanted is drawn first, and afterwards nothing. Switched off: all black. */
static void test_end(void **state)
{
    (void)state;
    assert_int_equal(lab_start(WIDTH, HEIGHT, 0), FL_OK);
    put("the last line\n", SCREEN_NORMAL);
    screen_stop();
    assert_line(MARGIN, 0, 1, NORMAL_RGB, "the last line");
    lab.writes = 0;
    put("not this one\n", SCREEN_NORMAL);
    fixed = (struct screen_fixed){.height = 96};
    screen_set_fixed(&fixed);
    assert_false(screen_draw(UINT32_MAX));
    assert_false(screen_present());
    assert_int_equal(screen_shape().width, 0);
    assert_int_equal(lab.writes, 0);

    assert_int_equal(lab_start(WIDTH, HEIGHT, 0), FL_OK);
    put("a secret\n", SCREEN_NORMAL);
    lab_draw();
    screen_off();
    assert_false(screen_present());
    for (uint32_t y = 0; y < HEIGHT; y++) {
        for (uint32_t x = 0; x < WIDTH; x++) {
            assert_int_equal(lab_at(x, y), 0);
        }
    }
    assert_int_equal(lab.outside, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_framebuffers),  cmocka_unit_test(test_none),
        cmocka_unit_test(test_where),         cmocka_unit_test(test_edges),
        cmocka_unit_test(test_letters),       cmocka_unit_test(test_log),
        cmocka_unit_test(test_log_moves),     cmocka_unit_test(test_too_high),
        cmocka_unit_test(test_only_changes),  cmocka_unit_test(test_small_steps),
        cmocka_unit_test(test_hostile_items), cmocka_unit_test(test_notify),
        cmocka_unit_test(test_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
