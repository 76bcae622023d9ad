/* SPDX-License-Identifier: MIT */
/* The log as syslog messages on the wire (RFC 5424, 5426): form, what is never sent, and how much.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/host/host.h"
#include "arch/log.h"
#include "arch/wallclock.h"
#include "net/stack/syslog.h"
#include "tests/unit/wire.h"

enum { UDP_AT = 34, TEXT_AT = 42, PORT = 5514 };

static struct {
    unsigned count;
    char all[65536];
    size_t len;
} seen;

static void on_udp(const uint8_t *frame, size_t len)
{
    const size_t n = (size_t)(frame[UDP_AT + 4] << 8 | frame[UDP_AT + 5]) - 8;
    if ((frame[UDP_AT + 2] << 8 | frame[UDP_AT + 3]) != PORT) {
        return;
    }
    assert_in_range(n, 1, SYSLOG_BYTES);
    assert_in_range(n, 1, len - TEXT_AT);
    seen.count++;
    if (seen.len + n + 2 < sizeof(seen.all)) {
        memcpy(seen.all + seen.len, frame + TEXT_AT, n);
        seen.len += n;
        seen.all[seen.len++] = '\n';
    }
}

static int reset(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof(seen));
    return 0;
}

static void test_form(void **state)
{
    (void)state;
    char out[SYSLOG_BYTES + 1];
    size_t n = syslog_format(out, sizeof(out), 4, 1796385600123456, "bench-7", "gsp", "gpu.xid",
                             "Xid 31\non \xc3\xa9 gpu0");
    assert_string_equal(
        out, "<132>1 2026-12-04T12:00:00.123456Z bench-7 gsp - gpu.xid - Xid 31?on ?? gpu0");
    assert_int_equal(n, strlen(out));
    (void)syslog_format(out, sizeof(out), 6, 0, "", "net", NULL, "up");
    assert_string_equal(out, "<134>1 - - net - - - up");
    (void)syslog_format(out, sizeof(out), 6, 0, "a b", "n\nt", "i d", "");
    assert_string_equal(out, "<134>1 - a?b n?t - i?d - ");
    char *longest = calloc(1, 4000);
    memset(longest, 'x', 3999);
    assert_in_range(syslog_format(out, sizeof(out), 6, 0, longest, longest, longest, longest), 1000,
                    SYSLOG_BYTES);
    free(longest);
}

/* What was logged before there was somebody to tell comes first; local lines never come. */
static void test_log(void **state)
{
    (void)state;
    static const struct net_config nobody = {0};
    static const struct net_config cfg = {
        .hostname = "bench", .syslog_server = WIRE_PEER, .syslog_port = PORT};
    log_info("boot", "an early line");
    log_local("boot", "token s3cret");
    syslog_event(4, "gpu.xid", "before anybody listens");
    syslog_start(&nobody);
    wire_run_us(US_PER_S);
    assert_int_equal(seen.count, 0);
    syslog_start(&cfg);
    syslog_start(&cfg);
    wire_run_us(US_PER_S);
    log_error("gsp", "it failed");
    wire_run_us(US_PER_S);
    assert_non_null(strstr(seen.all, " bench boot - - - an early line\n"));
    assert_non_null(strstr(seen.all, "<131>1 "));
    assert_non_null(strstr(seen.all, " bench gsp - - - it failed\n"));
    assert_null(strstr(seen.all, "s3cret"));
    assert_null(strstr(seen.all, "before anybody"));
    syslog_event(4, "gpu.xid", "Xid 31");
    wire_run_us(US_PER_S);
    assert_non_null(strstr(seen.all, " bench event - gpu.xid - Xid 31\n"));
}

/* A log that grows faster than it may be sent loses lines, and says how many. */
static void test_flood(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3 * LOG_RING_LINES; i++) {
        log_info("flood", "line %u", i);
    }
    wire_run_us(US_PER_S);
    assert_in_range(seen.count, 1, (US_PER_S / US_PER_MS / SYSLOG_TICK_MS + 1) * SYSLOG_BURST + 1);
    assert_non_null(strstr(seen.all, " bench syslog - - - 2048 lines were lost\n"));
    for (unsigned i = 0; i < 2 * SYSLOG_EVENTS; i++) {
        syslog_event(6, "e", "event");
    }
    struct net_syslog_status s;
    syslog_status(&s);
    assert_int_equal(s.lost, 2048 + SYSLOG_EVENTS);
    wire_run_us(30 * US_PER_S);
    syslog_status(&s);
    assert_int_equal(s.failed, 0);
    seen.count = 0;
    wire_run_us(10 * US_PER_S); /* it says nothing of itself */
    assert_int_equal(seen.count, 0);
}

static int setup(void **state)
{
    (void)state;
    wire_start();
    wire_reset();
    wire_on_udp = on_udp;
    wallclock_set_us(1796385600123456);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_form, reset),
        cmocka_unit_test_setup(test_log, reset),
        cmocka_unit_test_setup(test_flood, reset),
    };
    return cmocka_run_group_tests_name("syslog", tests, setup, NULL);
}
