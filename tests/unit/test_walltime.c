/* SPDX-License-Identifier: MIT */
/*
 * The time of day: the calendar, what setting it leaves alone, and SNTP on the wire with servers
 * that are honest, have no time, or lie (RFC 4330).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/host/host.h"
#include "arch/wallclock.h"
#include "lwip/opt.h"
#include "net/nic/nic.h"
#include "net/stack/walltime.h"
#include "tests/unit/wire.h"

enum { UDP_AT = 34, NTP_AT = 42, NTP_BYTES = 48, NTP_PORT = 123 };

#define UNIX_TO_NTP_1900_S 2208988800u

static const uint8_t mac[6] = {0x52, 0x55, 10, 0, 2, 2};
static const uint64_t now_s = 1796385600; /* 2026-12-04 12:00 UTC */

static struct {
    unsigned asked;
    uint16_t port;
    uint8_t stamp[8]; /* that the question was sent with */
} seen;

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++) {
        p[i] = (uint8_t)(v >> (24 - 8 * i));
    }
}

static void on_udp(const uint8_t *frame, size_t len)
{
    if (len >= NTP_AT + NTP_BYTES && frame[UDP_AT + 2] == 0 && frame[UDP_AT + 3] == NTP_PORT) {
        seen.asked++;
        seen.port = (uint16_t)(frame[UDP_AT] << 8 | frame[UDP_AT + 1]);
        memcpy(seen.stamp, frame + NTP_AT + 40, 8);
        assert_int_equal(frame[NTP_AT], 4 << 3 | 3); /* version 4, a client */
    }
}

/* An answer to the last question with that first byte and stratum, of a server that thinks it is
 * unix_s. */
static void answer(uint32_t from, uint8_t first, uint8_t stratum, uint64_t unix_s, size_t cut)
{
    uint8_t frame[NIC_FRAME_MAX], udp[8 + NTP_BYTES] = {0, NTP_PORT};
    udp[2] = (uint8_t)(seen.port >> 8);
    udp[3] = (uint8_t)seen.port;
    udp[5] = (uint8_t)(sizeof(udp) - cut);
    udp[8] = first;
    udp[9] = stratum;
    memcpy(udp + 8 + 24, seen.stamp, 8);
    put32(udp + 8 + 32, (uint32_t)(unix_s + UNIX_TO_NTP_1900_S));
    put32(udp + 8 + 40, (uint32_t)(unix_s + UNIX_TO_NTP_1900_S));
    wire_receive(frame, wire_make_ip(frame, mac, from, 17, udp, sizeof(udp) - cut));
}

static struct net_time_status status(void)
{
    struct net_time_status s;
    walltime_status(&s);
    return s;
}

enum { GOOD = 4 << 3 | 4, UNSYNCHRONISED = 0xc0 | GOOD };

static void test_calendar(void **state)
{
    (void)state;
    static const struct {
        uint64_t us;
        const char *text;
    } cases[] = {{0, "1970-01-01T00:00:00.000000Z"},
                 {951782399999999, "2000-02-28T23:59:59.999999Z"},
                 {951782400000000, "2000-02-29T00:00:00.000000Z"},
                 {1709251199000001, "2024-02-29T23:59:59.000001Z"},
                 {4107542400000000, "2100-03-01T00:00:00.000000Z"},
                 {1796385600000000, "2026-12-04T12:00:00.000000Z"},
                 {UINT64_MAX, "9999-12-31"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[WALLCLOCK_TEXT];
        wallclock_text(cases[i].us, text);
        assert_memory_equal(text, cases[i].text, strlen(cases[i].text));
    }
}

/* Unknown, the machine's, then what was set; the monotonic clock goes on. */
static void test_wallclock(void **state)
{
    (void)state;
    assert_int_equal(wallclock_now_us(), 0);
    host_clock_set_unix(1000);
    assert_in_range(wallclock_now_us() - clock_now_us(), 1000 * US_PER_S - 10,
                    1000 * US_PER_S + 10);
}

/* The server is asked once there is an address; of its answers only the good one counts. */
static void test_sntp(void **state)
{
    (void)state;
    static const struct net_config cfg = {.ntp = NET_NTP_SERVER, .ntp_server = WIRE_PEER};
    walltime_start(); /* nobody is known yet */
    assert_int_equal(status().server, 0);
    walltime_init(&cfg);
    walltime_start();
    walltime_start();
    wire_run_us(2 * US_PER_S);
    assert_int_equal(seen.asked, 1);
    assert_int_equal(status().server, WIRE_PEER);
    answer(WIRE_PEER, GOOD, 0, now_s, 0);                  /* a kiss of death */
    answer(WIRE_PEER, GOOD, 16, now_s, 0);                 /* a stratum that is none */
    answer(WIRE_PEER, UNSYNCHRONISED, 2, now_s, 0);        /* has no time */
    answer(WIRE_PEER, GOOD, 2, now_s, 1);                  /* cut off */
    answer(WIRE_PEER, GOOD, 2, 0 - UNIX_TO_NTP_1900_S, 0); /* no time of transmission */
    assert_int_equal(status().refused, 5);
    answer(WIRE_PEER + 1, GOOD, 2, now_s, 0); /* from another */
    seen.stamp[7] ^= 1;
    answer(WIRE_PEER, GOOD, 2, now_s, 0); /* to another question */
    seen.stamp[7] ^= 1;
    answer(WIRE_PEER, 4 << 3 | 3, 2, now_s, 0); /* a question */
    assert_int_equal(status().syncs, 0);
    answer(WIRE_PEER, GOOD, 2, now_s, 0);
    assert_int_equal(status().syncs, 1);
    assert_in_range(wallclock_now_us() / US_PER_S, now_s - 3, now_s + 3);
    assert_in_range(status().offset_us / (int64_t)US_PER_S, now_s - 1100, now_s - 900);
    const uint64_t clock_us = clock_now_us();
    assert_in_range(status().synced_us, clock_us - US_PER_MS, clock_us);
}

/* Times that cannot be: before this was written, and a lifetime later. */
static void test_absurd(void **state)
{
    (void)state;
    static const uint64_t times[] = {0, 1700000000, 1767225599, 4102444800};
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        const uint64_t before = status().refused;
        net_ntp_set((int32_t)((int64_t)times[i] - 2085978496), 0);
        assert_int_equal(status().refused, before + 1);
        assert_in_range(wallclock_now_us() / US_PER_S, now_s - 3, now_s + 10);
    }
    const uint64_t syncs = status().syncs;
    net_ntp_set((int32_t)(1767225600 - 2085978496ll), 0);
    assert_int_equal(status().syncs, syncs + 1);
}

/* The next question comes in an hour. */
static void test_again(void **state)
{
    (void)state;
    seen.asked = 0;
    wire_run_us(3590 * US_PER_S);
    assert_int_equal(seen.asked, 0);
    wire_run_us(20 * US_PER_S);
    assert_int_equal(seen.asked, 1);
}

static int setup(void **state)
{
    (void)state;
    wire_start();
    wire_reset();
    wire_on_udp = on_udp;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calendar), cmocka_unit_test(test_wallclock),
        cmocka_unit_test(test_sntp),     cmocka_unit_test(test_absurd),
        cmocka_unit_test(test_again),
    };
    return cmocka_run_group_tests_name("walltime", tests, setup, NULL);
}
