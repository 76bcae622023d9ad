/* SPDX-License-Identifier: MIT */
/*
 * QR codes, judged by zbarimg: every version, at its fullest and just beyond, and with damage in
 * them, which only correct correction mends. What a reader forgives is looked at here: that both
 * copies of the format say the same, and that no other mask has fewer penalties.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "boot/qr.h"
#include "tests/unit/stranger.h"

enum { DOT = 4 };
static char path[64];

static bool dark(const struct qr *q, int x, int y)
{
    const int side = (int)q->side;
    return x >= 0 && y >= 0 && x < side && y < side && (q->row[y] >> x & 1) != 0;
}

/* Portable graymap, dark on light or light on dark. */
static void save(const struct qr *q)
{
    const int side = ((int)q->side + 2 * QR_QUIET) * DOT;
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    fprintf(f, "P5\n%d %d\n255\n", side, side);
    for (int y = 0; y < side; y++) {
        for (int x = 0; x < side; x++) {
            fputc(dark(q, x / DOT - QR_QUIET, y / DOT - QR_QUIET) ? 0 : 255, f);
        }
    }
    fclose(f);
}

static void assert_reads(const struct qr *q, const char *text)
{
    char seen[2 * QR_TEXT_MAX];
    save(q);
    stranger_reads(path, seen, sizeof(seen));
    assert_string_equal(seen, text);
}

static void fill(char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        text[i] = (char)('!' + (i * 7 + n) % 94);
    }
    text[n] = '\0';
}

/* Bytes that each version holds at level M. Source: ISO/IEC 18004:2015, table 7. */
static const size_t capacity[QR_VERSION_MAX + 1] = {0, 14, 26, 42, 62, 84, 106};

static void test_versions(void **state)
{
    (void)state;
    for (unsigned version = 1; version <= QR_VERSION_MAX; version++) {
        const size_t lengths[] = {capacity[version - 1] + 1, capacity[version]};
        for (size_t i = 0; i < 2; i++) {
            char text[QR_TEXT_MAX + 1];
            struct qr q;
            fill(text, lengths[i]);
            assert_int_equal(qr_encode(&q, text), FL_OK);
            assert_int_equal(q.side, 17 + 4 * version);
            assert_reads(&q, text);
        }
    }
}

static void test_addresses(void **state)
{
    (void)state;
    static const char *const texts[] = {"http://10.0.2.15/", "https://255.255.255.255/",
                                        "http://firstlight.local/",
                                        "http://[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]/"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct qr q;
        assert_int_equal(qr_encode(&q, texts[i]), FL_OK);
        assert_reads(&q, texts[i]);
    }
}

static void test_too_long(void **state)
{
    (void)state;
    char text[QR_TEXT_MAX + 2];
    struct qr q;
    fill(text, QR_TEXT_MAX + 1);
    assert_int_equal(qr_encode(&q, text), FL_ENOSPC);
    assert_int_equal(q.side, 0);
}

/* A blot away from the corners that a reader needs. In version 4 a square of 6 modules spoils at
 * most 9 codewords of two blocks that mend 9 each; without any correction one module would be
 * enough. */
static void test_damage(void **state)
{
    (void)state;
    enum { BLOT = 6 };
    char text[63];
    struct qr good;
    fill(text, 62);
    assert_int_equal(qr_encode(&good, text), FL_OK);
    for (unsigned y = 9; y + BLOT + 9 < good.side; y += 3) {
        for (unsigned x = 9; x + BLOT + 9 < good.side; x += 3) {
            struct qr q = good;
            for (unsigned i = 0; i < BLOT; i++) {
                q.row[y + i] ^= ((1ull << BLOT) - 1) << x;
            }
            assert_reads(&q, text);
        }
    }
}

/* The 15 bits of both copies, bit 0 first, after ISO/IEC 18004:2015, figure 25. */
static unsigned format_near_corner(const struct qr *q)
{
    unsigned bits = 0;
    for (int i = 0; i < 15; i++) {
        const int x = i < 8 ? 8 : i == 8 ? 7 : 14 - i;
        const int y = i < 6 ? i : i < 8 ? i + 1 : 8;
        bits |= (unsigned)dark(q, x, y) << i;
    }
    return bits;
}

static unsigned format_split(const struct qr *q)
{
    const int side = (int)q->side;
    unsigned bits = 0;
    for (int i = 0; i < 15; i++) {
        bits |= (unsigned)(i < 8 ? dark(q, side - 1 - i, 8) : dark(q, 8, side - 15 + i)) << i;
    }
    return bits;
}

/* Level M with masks 0 to 7. Source: ISO/IEC 18004:2015, table C.1. */
static const unsigned formats[] = {0x5412, 0x5125, 0x5e7c, 0x5b4b, 0x45f9, 0x40ce, 0x4f97, 0x4aa0};

static void test_format(void **state)
{
    (void)state;
    unsigned seen = 0;
    for (unsigned n = 1; n <= 60; n++) {
        char text[QR_TEXT_MAX + 1];
        struct qr q;
        fill(text, n);
        assert_int_equal(qr_encode(&q, text), FL_OK);
        const unsigned format = format_near_corner(&q);
        assert_int_equal(format, format_split(&q));
        assert_true(dark(&q, 8, (int)q.side - 8));
        unsigned mask = 0;
        while (mask < ARRAY_SIZE(formats) && formats[mask] != format) {
            mask++;
        }
        assert_true(mask < ARRAY_SIZE(formats));
        seen |= 1u << mask;
    }
    /* Texts of all kinds do not all get the same mask. */
    assert_true((seen & (seen - 1)) != 0);
}

/* The penalties as the standard has them in words, counted in another way than the program does:
 * module by module. */
static unsigned penalty_of(const struct qr *q)
{
    const int side = (int)q->side;
    unsigned sum = 0, all_dark = 0;
    for (int turn = 0; turn < 2; turn++) {
        for (int a = 0; a < side; a++) {
            char line[4 + QR_SIDE_MAX + 4 + 1];
            memset(line, '0', sizeof(line));
            for (int b = 0; b < side; b++) {
                line[4 + b] = dark(q, turn ? a : b, turn ? b : a) ? '1' : '0';
                all_dark += turn == 0 && line[4 + b] == '1';
            }
            line[4 + side + 4] = '\0';
            for (int b = 0; b < side;) {
                int n = 1;
                while (b + n < side && line[4 + b + n] == line[4 + b]) {
                    n++;
                }
                sum += n >= 5 ? (unsigned)n - 2 : 0;
                b += n;
            }
            for (int b = 0; b + 7 <= side; b++) {
                sum += memcmp(line + 4 + b, "1011101", 7) == 0 &&
                               (memcmp(line + b, "0000", 4) == 0 ||
                                memcmp(line + 4 + b + 7, "0000", 4) == 0)
                           ? 40
                           : 0;
            }
        }
    }
    for (int y = 0; y + 1 < side; y++) {
        for (int x = 0; x + 1 < side; x++) {
            const bool d = dark(q, x, y);
            sum += d == dark(q, x + 1, y) && d == dark(q, x, y + 1) && d == dark(q, x + 1, y + 1)
                       ? 3
                       : 0;
        }
    }
    const int percent = (int)all_dark * 100 / (side * side);
    return sum + (unsigned)(abs(percent - 50) / 5) * 10;
}

static bool flips(unsigned mask, int i, int j)
{
    const int t = i * j;
    const int rule[] = {(i + j) % 2,
                        i % 2,
                        j % 3,
                        (i + j) % 3,
                        (i / 2 + j / 3) % 2,
                        t % 2 + t % 3,
                        (t % 2 + t % 3) % 2,
                        ((i + j) % 2 + t % 3) % 2};
    return rule[mask] == 0;
}

/* Modules of version 2 that a mask leaves alone. */
static bool is_fixed(int side, int x, int y)
{
    const bool corner = (x < 9 && y < 9) || (x >= side - 8 && y < 9) || (x < 9 && y >= side - 8);
    const bool aligned = x >= side - 9 && x < side - 4 && y >= side - 9 && y < side - 4;
    return corner || aligned || x == 6 || y == 6;
}

/* The chosen mask has the fewest penalties of all: each of the others is put in its place. */
static void test_mask(void **state)
{
    (void)state;
    for (unsigned last = 1; last < 2000; last++) {
        char text[64];
        struct qr q;
        snprintf(text, sizeof(text), "http://10.%u.%u.1/", last % 256, last * 7 % 256);
        assert_int_equal(qr_encode(&q, text), FL_OK);
        assert_int_equal(q.side, 25);
        const unsigned format = format_near_corner(&q);
        unsigned chosen = 0;
        while (formats[chosen] != format) {
            chosen++;
        }
        const unsigned own = penalty_of(&q);
        for (unsigned mask = 0; mask < ARRAY_SIZE(formats); mask++) {
            struct qr other = q;
            for (int y = 0; y < 25; y++) {
                for (int x = 0; x < 25; x++) {
                    const bool turn =
                        !is_fixed(25, x, y) && flips(chosen, y, x) != flips(mask, y, x);
                    other.row[y] ^= (uint64_t)turn << x;
                }
            }
            for (int i = 0; i < 15; i++) {
                const uint64_t bit = formats[mask] >> i & 1;
                const int x = i < 8 ? 8 : i == 8 ? 7 : 14 - i, y = i < 6 ? i : i < 8 ? i + 1 : 8;
                const int x2 = i < 8 ? 24 - i : 8, y2 = i < 8 ? 8 : 10 + i;
                other.row[y] = (other.row[y] & ~(1ull << x)) | bit << x;
                other.row[y2] = (other.row[y2] & ~(1ull << x2)) | bit << x2;
            }
            if (last == 1 || (mask == chosen && last < 10)) {
                assert_reads(&other, text); /* that is what this mask looks like */
            }
            assert_true(own <= penalty_of(&other));
        }
    }
}

int main(void)
{
    snprintf(path, sizeof(path), "/tmp/qr-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0) {
        return 1;
    }
    close(fd);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions), cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_too_long), cmocka_unit_test(test_damage),
        cmocka_unit_test(test_format),   cmocka_unit_test(test_mask),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
