/* SPDX-License-Identifier: MIT */
/* QR codes. Source: ISO/IEC 18004:2015; numbers of clauses and tables are its own. */
#include "boot/qr.h"

#include <string.h>

enum { MODE_BYTE = 4, MODE_BITS = 4, COUNT_BITS = 8, PAD_FIRST = 0xec, PAD_SECOND = 0x11 };
enum { FINDER = 7, TIMING = 6, FIRST_ALIGNED = 2 /* version */ };
enum { CODEWORDS_MAX = 172, MASKS = 8 };

/* Level M of table 9: all blocks of a version are alike. */
static const struct {
    uint8_t data, ec, blocks; /* codewords in all, of correction in each block, blocks */
} versions[QR_VERSION_MAX + 1] = {{0, 0, 0},   {16, 10, 1}, {28, 16, 1}, {44, 26, 1},
                                  {64, 18, 2}, {86, 24, 2}, {108, 16, 4}};

/* --- Reed-Solomon over GF(2^8), polynomial x^8 + x^4 + x^3 + x^2 + 1 (7.5.2) --- */

static uint8_t gf_multiply(uint8_t a, uint8_t b)
{
    enum { POLYNOMIAL = 0x11d };
    unsigned product = 0;
    for (unsigned bit = 0; bit < 8; bit++) {
        if ((b >> bit & 1) != 0) {
            product ^= (unsigned)a << bit;
        }
    }
    for (unsigned bit = 14; bit >= 8; bit--) {
        if ((product >> bit & 1) != 0) {
            product ^= (unsigned)POLYNOMIAL << (bit - 8);
        }
    }
    return (uint8_t)product;
}

/* generator[0] belongs to x^(n-1); x^n has 1. Roots are 2^0 to 2^(n-1) (annex A). */
static void make_generator(uint8_t *generator, unsigned n)
{
    memset(generator, 0, n);
    generator[n - 1] = 1;
    uint8_t root = 1;
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < n; k++) {
            generator[k] = gf_multiply(generator[k], root);
            if (k + 1 < n) {
                generator[k] ^= generator[k + 1];
            }
        }
        root = gf_multiply(root, 2);
    }
}

static void correction(const uint8_t *data, unsigned count, unsigned n, uint8_t *remainder)
{
    uint8_t generator[CODEWORDS_MAX];
    make_generator(generator, n);
    memset(remainder, 0, n);
    for (unsigned i = 0; i < count; i++) {
        uint8_t factor = data[i] ^ remainder[0];
        memmove(remainder, remainder + 1, n - 1);
        remainder[n - 1] = 0;
        for (unsigned k = 0; k < n; k++) {
            remainder[k] ^= gf_multiply(generator[k], factor);
        }
    }
}

/* --- codewords --- */

static void put_bits(uint8_t *to, unsigned *at, unsigned value, unsigned bits)
{
    while (bits-- > 0) {
        to[*at / 8] |= (uint8_t)((value >> bits & 1) << (7 - *at % 8));
        (*at)++;
    }
}

/* Header, text, terminator of four zeros, padding (7.4). */
static void make_data(uint8_t *data, unsigned count, const char *text, size_t length)
{
    unsigned at = 0;
    memset(data, 0, count);
    put_bits(data, &at, MODE_BYTE, MODE_BITS);
    put_bits(data, &at, (unsigned)length, COUNT_BITS);
    for (size_t i = 0; i < length; i++) {
        put_bits(data, &at, (unsigned char)text[i], 8);
    }
    /* Behind header and text four bits are always left in the last byte: the terminator. */
    for (unsigned i = (at + MODE_BITS) / 8, k = 0; i < count; i++, k++) {
        data[i] = k % 2 == 0 ? PAD_FIRST : PAD_SECOND;
    }
}

/* Blocks side by side, first all data, then all correction (7.6). Returns how many codewords. */
static unsigned make_codewords(uint8_t *out, unsigned version, const char *text, size_t length)
{
    uint8_t data[CODEWORDS_MAX], ec[CODEWORDS_MAX];
    const unsigned blocks = versions[version].blocks, n = versions[version].ec;
    const unsigned each = versions[version].data / blocks;
    unsigned used = 0;

    make_data(data, versions[version].data, text, length);
    for (unsigned b = 0; b < blocks; b++) {
        correction(data + b * each, each, n, ec + b * n);
    }
    for (unsigned i = 0; i < each; i++) {
        for (unsigned b = 0; b < blocks; b++) {
            out[used++] = data[b * each + i];
        }
    }
    for (unsigned i = 0; i < n; i++) {
        for (unsigned b = 0; b < blocks; b++) {
            out[used++] = ec[b * n + i];
        }
    }
    return used;
}

/* --- modules --- */

struct plan {
    struct qr *qr;
    uint64_t fixed[QR_SIDE_MAX]; /* modules that carry no codeword */
};

static bool get(const struct qr *q, unsigned x, unsigned y) { return (q->row[y] >> x & 1) != 0; }

static void set(struct qr *q, unsigned x, unsigned y, bool dark)
{
    q->row[y] = (q->row[y] & ~(1ull << x)) | (uint64_t)dark << x;
}

static void set_fixed(struct plan *p, unsigned x, unsigned y, bool dark)
{
    set(p->qr, x, y, dark);
    p->fixed[y] |= 1ull << x;
}

/* A finder's corner with its separator, seen from the middle: rings (6.3.3). */
static void draw_finder(struct plan *p, int cx, int cy)
{
    const int side = (int)p->qr->side;
    for (int dy = -4; dy <= 4; dy++) {
        for (int dx = -4; dx <= 4; dx++) {
            int x = cx + dx, y = cy + dy;
            int ax = dx < 0 ? -dx : dx, ay = dy < 0 ? -dy : dy;
            int ring = ax > ay ? ax : ay;
            if (x >= 0 && y >= 0 && x < side && y < side) {
                set_fixed(p, (unsigned)x, (unsigned)y, ring != 2 && ring != 4);
            }
        }
    }
}

static void draw_alignment(struct plan *p, unsigned c)
{
    for (unsigned y = 0; y < 5; y++) {
        for (unsigned x = 0; x < 5; x++) {
            bool edge = x == 0 || y == 0 || x == 4 || y == 4;
            set_fixed(p, c - 2 + x, c - 2 + y, edge || (x == 2 && y == 2));
        }
    }
}

/* Level M is 00; BCH (15,5), then the pattern that keeps it from being all zeros (7.9, annex C). */
static unsigned format_bits(unsigned mask)
{
    enum { LEVEL_M = 0, GENERATOR = 0x537, PATTERN = 0x5412 };
    unsigned data = LEVEL_M << 3 | mask, rest = data << 10;
    for (unsigned bit = 14; bit >= 10; bit--) {
        if ((rest >> bit & 1) != 0) {
            rest ^= (unsigned)GENERATOR << (bit - 10);
        }
    }
    return (data << 10 | rest) ^ PATTERN;
}

/* Two copies around the finders, bit 0 first (figure 25); and the module that is always dark. */
static void draw_format(struct plan *p, unsigned mask)
{
    const unsigned side = p->qr->side, bits = format_bits(mask);
    for (unsigned i = 0; i < 15; i++) {
        bool dark = (bits >> i & 1) != 0;
        unsigned down = i < 6 ? i : i < 8 ? i + 1 : side - 15 + i;
        unsigned left = i < 8 ? side - 1 - i : i == 8 ? 7 : 14 - i;
        set_fixed(p, 8, down, dark);
        set_fixed(p, left, 8, dark);
    }
    set_fixed(p, 8, side - 8, true);
}

static void draw_fixed(struct plan *p, unsigned version)
{
    const unsigned side = p->qr->side;
    const int far = (int)side - 4;
    for (unsigned i = 0; i < side; i++) {
        set_fixed(p, i, TIMING, i % 2 == 0);
        set_fixed(p, TIMING, i, i % 2 == 0);
    }
    draw_finder(p, 3, 3);
    draw_finder(p, far, 3);
    draw_finder(p, 3, far);
    if (version >= FIRST_ALIGNED) {
        draw_alignment(p, side - FINDER);
    }
    draw_format(p, 0); /* its place; what it says comes with the mask */
}

/* Pairs of columns from the right, up and down in turn, around what is fixed (7.7.3). */
static void draw_codewords(struct plan *p, const uint8_t *code, unsigned count)
{
    const unsigned side = p->qr->side;
    unsigned at = 0;
    bool up = true;
    for (unsigned right = side - 1; right >= 1; right -= 2, up = !up) {
        if (right == TIMING) {
            right--;
        }
        for (unsigned i = 0; i < side; i++) {
            unsigned y = up ? side - 1 - i : i;
            for (unsigned x = right + 1; x-- > right - 1;) {
                if ((p->fixed[y] >> x & 1) == 0) {
                    bool dark = at < 8 * count && (code[at / 8] >> (7 - at % 8) & 1) != 0;
                    set(p->qr, x, y, dark);
                    at++;
                }
            }
        }
        if (right == 1) {
            break;
        }
    }
}

/* Table 10: i is the row, j the column. */
static bool mask_flips(unsigned mask, unsigned i, unsigned j)
{
    switch (mask) {
    case 0:
        return (i + j) % 2 == 0;
    case 1:
        return i % 2 == 0;
    case 2:
        return j % 3 == 0;
    case 3:
        return (i + j) % 3 == 0;
    case 4:
        return (i / 2 + j / 3) % 2 == 0;
    case 5:
        return i * j % 2 + i * j % 3 == 0;
    case 6:
        return (i * j % 2 + i * j % 3) % 2 == 0;
    default:
        return ((i + j) % 2 + i * j % 3) % 2 == 0;
    }
}

static void apply_mask(struct plan *p, unsigned mask)
{
    for (unsigned y = 0; y < p->qr->side; y++) {
        for (unsigned x = 0; x < p->qr->side; x++) {
            if ((p->fixed[y] >> x & 1) == 0 && mask_flips(mask, y, x)) {
                p->qr->row[y] ^= 1ull << x;
            }
        }
    }
}

/* --- penalties (7.8.3, table 11) --- */

/* One row or column, lowest bit first: runs of 5 and more; 1:1:3:1:1 with four light ones at a
 * side. What lies beyond the symbol is light. */
static unsigned line_penalty(uint64_t line, unsigned side)
{
    enum { RUN = 5, N1 = 3, N3 = 40, LIKE_FINDER = 0x5d, LIGHT = 4 };
    unsigned sum = 0, length = 1;
    for (unsigned i = 1; i <= side; i++) {
        if (i < side && (line >> i & 1) == (line >> (i - 1) & 1)) {
            length++;
            continue;
        }
        sum += length >= RUN ? N1 + length - RUN : 0;
        length = 1;
    }
    uint64_t wide = line << LIGHT;
    for (unsigned i = 0; i + FINDER <= side; i++) {
        uint64_t part = wide >> i;
        bool like = (part >> LIGHT & 0x7f) == LIKE_FINDER;
        bool before = (part & 0xf) == 0, after = (part >> (LIGHT + FINDER) & 0xf) == 0;
        sum += like && (before || after) ? N3 : 0;
    }
    return sum;
}

static unsigned penalty(const struct qr *q)
{
    enum { N2 = 3, N4 = 10, PERCENT_STEP = 5 };
    unsigned sum = 0, dark = 0;
    for (unsigned i = 0; i < q->side; i++) {
        uint64_t column = 0;
        for (unsigned y = 0; y < q->side; y++) {
            column |= (uint64_t)get(q, i, y) << y;
        }
        sum += line_penalty(q->row[i], q->side) + line_penalty(column, q->side);
        dark += (unsigned)__builtin_popcountll(column);
    }
    for (unsigned y = 0; y + 1 < q->side; y++) {
        for (unsigned x = 0; x + 1 < q->side; x++) {
            unsigned four =
                (unsigned)get(q, x, y) + get(q, x + 1, y) + get(q, x, y + 1) + get(q, x + 1, y + 1);
            sum += four % 4 == 0 ? N2 : 0;
        }
    }
    /* Distance of the dark share from one half, in steps of 5 %. */
    unsigned percent = 100 * dark / (q->side * q->side);
    unsigned off = percent > 50 ? percent - 50 : 50 - percent;
    return sum + N4 * (off / PERCENT_STEP);
}

enum fl_err qr_encode(struct qr *out, const char *text)
{
    enum { OVERHEAD = 2 }; /* bytes of header and terminator, rounded up */
    const size_t length = strlen(text);
    unsigned version = 1;

    *out = (struct qr){0};
    while (version <= QR_VERSION_MAX && length + OVERHEAD > versions[version].data) {
        version++;
    }
    if (version > QR_VERSION_MAX) {
        return FL_ENOSPC;
    }
    uint8_t code[CODEWORDS_MAX];
    struct plan p = {.qr = out};
    out->side = 17 + 4 * version;
    draw_fixed(&p, version);
    draw_codewords(&p, code, make_codewords(code, version, text, length));

    unsigned best = 0, least = UINT32_MAX;
    for (unsigned mask = 0; mask < MASKS; mask++) {
        apply_mask(&p, mask);
        draw_format(&p, mask);
        unsigned now = penalty(out);
        if (now < least) {
            least = now;
            best = mask;
        }
        apply_mask(&p, mask); /* off again */
    }
    apply_mask(&p, best);
    draw_format(&p, best);
    return FL_OK;
}
