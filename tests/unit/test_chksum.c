/* SPDX-License-Identifier: MIT */
/* The Internet sum, alone and beside a copy, against RFC 1071's own words: 16 bits at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lwip/arch.h"

#define ROOM 400u

/* Of the words in the memory's order; an odd byte is followed by a zero. */
static uint16_t plain(const uint8_t *p, size_t len)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < len; i += 2) {
        sum += (uint32_t)p[i] | (i + 1 < len ? (uint32_t)p[i + 1] << 8 : 0);
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)sum;
}

/* RFC 1071, section 3: its eight bytes have the sum ddf2 in the network's order. */
static void example(void **state)
{
    (void)state;
    static const uint8_t words[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    assert_int_equal(net_chksum(words, sizeof(words)), 0xf2dd);
    assert_int_equal(net_chksum(words, 0), 0);
    assert_int_equal(net_chksum(words, -1), 0);
}

static void check(const uint8_t *from, size_t len, size_t to_at)
{
    uint8_t to[ROOM + 16];
    memset(to, 0xa5, sizeof(to));
    assert_int_equal(net_chksum(from, (int)len), plain(from, len));
    assert_int_equal(net_chksum_copy(to + to_at, from, (uint16_t)len), plain(from, len));
    assert_memory_equal(to + to_at, from, len);
    for (size_t i = 0; i < sizeof(to); i++) {
        assert_true((i >= to_at && i < to_at + len) || to[i] == 0xa5);
    }
}

static void every_length_and_place(void **state)
{
    (void)state;
    static const uint8_t fills[] = {0x00, 0xff, 0x01, 0x80};
    uint8_t from[ROOM + 8];
    for (size_t f = 0; f <= sizeof(fills); f++) {
        uint32_t random = 12345;
        for (size_t i = 0; i < sizeof(from); i++) {
            random = random * 1103515245u + 12345u;
            from[i] = f < sizeof(fills) ? fills[f] : (uint8_t)(random >> 16);
        }
        for (size_t at = 0; at < 8; at++) {
            for (size_t len = 0; len + at <= 200; len++) {
                check(from + at, len, (at * 3) % 8);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example),
        cmocka_unit_test(every_length_and_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
