/* SPDX-License-Identifier: MIT */
/*
 * Found by name on the wire: probing, announcing, answers, another who has the name, and what many
 * messages or lying ones cost (RFC 6762, RFC 6763). Messages are read and made here, byte by byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/host/host.h"
#include "arch/log.h"
#include "lwip/apps/mdns.h"
#include "lwip/netif.h"
#include "lwip/stats.h"
#include "net/nic/nic.h"
#include "net/stack/discovery.h"
#include "net/stack/stack.h"
#include "tests/unit/wire.h"

enum { UDP_AT = 34, DNS_AT = 42, DNS_HEAD = 12, MDNS_PORT = 5353 };
enum { TYPE_A = 1, TYPE_PTR = 12, TYPE_TXT = 16, TYPE_SRV = 33, TYPE_ANY = 255 };

#define HOST                                                                                       \
    "\x11"                                                                                         \
    "firstlight-123456"                                                                            \
    "\x05"                                                                                         \
    "local"
#define SERVICE                                                                                    \
    "\x05"                                                                                         \
    "_http"                                                                                        \
    "\x04"                                                                                         \
    "_tcp"                                                                                         \
    "\x05"                                                                                         \
    "local"

static const uint8_t mac[6] = {0x52, 0x55, 10, 0, 2, 2};
static const struct net_config cfg = {
    .hostname = NET_HOSTNAME_DEFAULT, .mdns = true, .http = true, .https = true};
static struct net_discovery ours;

/* What went out to port 5353 since it was cleared. */
static struct {
    unsigned probes, answers, unicast;
    uint8_t last[NIC_FRAME_MAX]; /* the last answer's message */
    size_t len;
} seen;

static uint16_t be16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void on_udp(const uint8_t *frame, size_t len)
{
    const uint8_t *dns = frame + DNS_AT;
    if (be16(frame + UDP_AT) != MDNS_PORT) {
        return;
    }
    assert_in_range(be16(frame + UDP_AT + 4), 8 + DNS_HEAD, len - UDP_AT);
    assert_int_equal(frame[22], 255); /* TTL, RFC 6762 11 */
    if ((dns[2] & 0x80) == 0) {
        seen.probes++;
        return;
    }
    seen.answers++;
    seen.unicast += frame[30] != 224;
    seen.len = be16(frame + UDP_AT + 4) - 8u;
    memcpy(seen.last, dns, seen.len);
}

/* Whether these bytes are somewhere in the last answer. */
static bool says(const void *bytes, size_t n)
{
    for (size_t i = 0; i + n <= seen.len; i++) {
        if (memcmp(seen.last + i, bytes, n) == 0) {
            return true;
        }
    }
    return false;
}
#define SAYS(text) says((text), sizeof(text) - 1)

/* A message to the group, with those counts in its head. */
static void send_from(uint16_t port, uint8_t flags, const uint16_t counts[4], const void *body,
                      size_t len)
{
    uint8_t frame[NIC_FRAME_MAX], udp[1400] = {0};
    put16(udp, port);
    put16(udp + 2, MDNS_PORT);
    put16(udp + 4, (unsigned)(8 + DNS_HEAD + len));
    udp[10] = flags;
    for (size_t i = 0; i < 4; i++) {
        put16(udp + 12 + 2 * i, counts[i]);
    }
    memcpy(udp + 8 + DNS_HEAD, body, len);
    const size_t n = wire_make_ip(frame, mac, WIRE_PEER, 17, udp, 8 + DNS_HEAD + len);
    memcpy(frame, (const uint8_t[]){1, 0, 0x5e, 0, 0, 0xfb}, 6);
    memcpy(frame + 30, (const uint8_t[]){224, 0, 0, 251}, 4);
    wire_sum_ip(frame);
    wire_receive(frame, n);
}

static void ask(uint16_t port, const void *name, size_t n, uint16_t type)
{
    static const uint16_t one[4] = {1, 0, 0, 0};
    uint8_t body[128];
    memcpy(body, name, n);
    put16(body + n, type);
    put16(body + n + 2, 1);
    send_from(port, 0, one, body, n + 4);
}

/* Somebody says that the name is his, and has that address. */
static void claim(const void *name, size_t n, uint32_t ip)
{
    static const uint16_t one[4] = {0, 1, 0, 0};
    uint8_t body[128];
    memcpy(body, name, n);
    memcpy(body + n, (const uint8_t[]){0, TYPE_A, 0x80, 1, 0, 0, 0, 120, 0, 4}, 10);
    put16(body + n + 10, ip >> 16);
    put16(body + n + 12, ip);
    send_from(MDNS_PORT, 0x84, one, body, n + 14);
}

static bool logged(const char *text)
{
    uint64_t cursor = 0;
    struct log_entry e;
    while (log_read(&cursor, &e, NULL)) {
        if (strstr(e.text, text) != NULL) {
            return true;
        }
    }
    return false;
}

static struct stack_stats stats(void)
{
    struct stack_stats s;
    stack_get_stats(&s);
    return s;
}

static int reset(void **state)
{
    (void)state;
    wire_reset();
    memset(&seen, 0, sizeof(seen));
    return 0;
}

/* With IPv4 alone (nobody has given us an address of IPv6): three probes, then an announcement of
 * the name, its address and both services. */
static void test_ipv4_alone(void **state)
{
    (void)state;
    discovery_start(&ours, netif_default, &cfg);
    discovery_start(&ours, netif_default, &cfg);
    wire_run_us(5 * US_PER_S);
    assert_int_equal(seen.probes, 3);
    assert_in_range(seen.answers, 2, 3);
    assert_string_equal(ours.name, "firstlight-123456");
    assert_true(logged("found as firstlight-123456.local"));
    assert_true(SAYS(HOST));
    assert_true(SAYS("\x00\x04\x0a\x00\x02\x0f")); /* our address */
    assert_true(SAYS("\x05_http"));
    assert_true(SAYS("\x06_https"));
    assert_true(SAYS("\x09txtvers=1\x06path=/\x12product=Firstlight"));
}

/* One who looks for web servers is told the name, the port and the address in one message. */
static void test_service(void **state)
{
    (void)state;
    ask(MDNS_PORT, SERVICE, sizeof(SERVICE), TYPE_PTR);
    wire_run_us(US_PER_S);
    assert_int_equal(seen.answers, 1);
    assert_int_equal(seen.unicast, 0);
    assert_true(SAYS("\x11"
                     "firstlight-123456"));
    assert_true(SAYS("\x00\x00\x00\x00\x00\x50")); /* SRV: priority 0, weight 0, port 80 */
    assert_true(SAYS("\x09txtvers=1\x06path=/\x12product=Firstlight"));
    /* One who is no responder himself (a plain DNS client) gets it for himself. */
    ask(40000, HOST, sizeof(HOST), TYPE_A);
    wire_run_us(US_PER_S);
    assert_int_equal(seen.answers, 2);
    assert_int_equal(seen.unicast, 1);
    ask(MDNS_PORT, "\x04none\x05local", 12, TYPE_ANY);
    wire_run_us(US_PER_S);
    assert_int_equal(seen.answers, 2);
}

/* A message that promises more than it holds is not read; neither are more messages than a ration.
 */
static void test_limits(void **state)
{
    (void)state;
    static const uint16_t many[][4] = {
        {65535, 0, 0, 0}, {0, 65535, 0, 0}, {0, 0, 2, 0}, {0, 0, 0, 2}};
    /* A record whose length leads back to its own start, once read 65535 times. */
    static const uint8_t loop[] = {0, 0, TYPE_A, 0, 1, 0, 0, 0, 120, 0xff, 0xf5, 0, 0, 0, 0, 0};
    const uint64_t before = stats().short_frames;
    for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
        send_from(MDNS_PORT, 0x84, many[i], loop, sizeof(loop));
    }
    static const uint16_t none[4];
    for (size_t len = 8; len < 8 + DNS_HEAD; len++) { /* a header that is cut off */
        uint8_t frame[NIC_FRAME_MAX], udp[8 + DNS_HEAD] = {0};
        put16(udp, MDNS_PORT);
        put16(udp + 2, MDNS_PORT);
        put16(udp + 4, (unsigned)len);
        wire_receive_exactly(frame, wire_make_ip(frame, mac, WIRE_PEER, 17, udp, len));
    }
    assert_int_equal(stats().short_frames, before + ARRAY_SIZE(many) + DNS_HEAD);
    assert_int_equal(stats().mdns_limited, 0);
    for (unsigned i = 0; i < 1000; i++) {
        send_from(MDNS_PORT, 0, none, "", 0);
        wire_run_us(US_PER_MS);
    }
    assert_in_range(1000 - stats().mdns_limited, NET_MDNS_BURST + NET_MDNS_PER_S - 2,
                    NET_MDNS_BURST + NET_MDNS_PER_S + 2);
    wire_run_us(2 * US_PER_S);
    ask(MDNS_PORT, HOST, sizeof(HOST), TYPE_A);
    wire_run_us(US_PER_S);
    assert_int_equal(seen.answers, 1);
    assert_int_equal(lwip_stats.memp[MEMP_PBUF_POOL]->used, 0);
}

/* Another has the name: we probe again, and when he insists, take the next name, which is answered
 * for; the old one is not. */
static void test_conflict(void **state)
{
    (void)state;
    claim(HOST, sizeof(HOST), 0x0a00020f); /* our own record, from a reflector: no conflict */
    wire_run_us(5 * US_PER_S);
    assert_int_equal(seen.probes, 0);
    claim(HOST, sizeof(HOST), WIRE_PEER);
    while (seen.probes == 0) {
        wire_run_us(10 * US_PER_MS);
    }
    claim(HOST, sizeof(HOST), WIRE_PEER);
    wire_run_us(5 * US_PER_S);
    assert_string_equal(ours.name, "firstlight-123456-2");
    assert_true(
        logged("firstlight-123456.local is somebody else's: trying firstlight-123456-2.local"));
    assert_true(SAYS("firstlight-123456-2"));
    seen.answers = 0;
    ask(MDNS_PORT, HOST, sizeof(HOST), TYPE_A);
    wire_run_us(US_PER_S);
    assert_int_equal(seen.answers, 0);
}

/* A chosen name is taken as it is; a long one makes room for its number. */
static void test_long_name(void **state)
{
    (void)state;
    static struct net_config chosen = {.mdns = true};
    uint8_t name[NET_HOSTNAME_MAX + 8] = {NET_HOSTNAME_MAX - 1};
    memset(chosen.hostname, 'x', sizeof(chosen.hostname) - 1);
    memset(name + 1, 'x', NET_HOSTNAME_MAX - 1);
    memcpy(name + NET_HOSTNAME_MAX, "\x05local", 7);
    assert_int_equal(mdns_resp_remove_netif(netif_default), ERR_OK);
    memset(&ours, 0, sizeof(ours));
    discovery_start(&ours, netif_default, &chosen);
    assert_string_equal(ours.name, chosen.hostname);
    while (seen.probes == 0) {
        wire_run_us(10 * US_PER_MS);
    }
    claim(name, NET_HOSTNAME_MAX + 7, WIRE_PEER);
    assert_int_equal(strlen(ours.name), NET_HOSTNAME_MAX - 1);
    assert_string_equal(ours.name + NET_HOSTNAME_MAX - 4, "x-2");
    wire_run_us(5 * US_PER_S);
    assert_true(says(ours.name, NET_HOSTNAME_MAX - 1));
    assert_false(SAYS("_http")); /* nothing is served */
}

static int setup(void **state)
{
    (void)state;
    wire_start();
    wire_on_udp = on_udp;
    discovery_init();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_ipv4_alone, reset),
        cmocka_unit_test_setup(test_service, reset),
        cmocka_unit_test_setup(test_limits, reset),
        cmocka_unit_test_setup(test_conflict, reset),
        cmocka_unit_test_setup(test_long_name, reset),
    };
    return cmocka_run_group_tests_name("discovery", tests, setup, NULL);
}
