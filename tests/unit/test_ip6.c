/* SPDX-License-Identifier: MIT */
/*
 * IPv6 beside IPv4: addresses that come by themselves (RFC 4862), neighbours and what a flood of
 * invented ones may cost (RFC 4861), TCP.
 */
#include "net/stack/ipv6.h"
#include "tests/unit/ip6_lab.h"

/* --- addresses ---------------------------------------------------------------------------------
 */

static struct net_ipv6 v6;

/* Before the address is ours: whether it is free is asked once, its group is joined, and nothing
 * else is answered; then it is used, and routers are asked for. */
static void test_link_local(void **state)
{
    (void)state;
    ping(neighbour, mac); /* nobody is there */
    assert_int_equal(seen.pongs, 0);
    net_ipv6_start(&v6, netif_default);
    net_ipv6_start(&v6, netif_default);
    ping(neighbour, mac);
    assert_int_equal(seen.pongs, 0);
    wire_run_us(1500 * US_PER_MS);
    assert_int_equal(seen.ns, 1);
    wire_run_us(3 * US_PER_S);
    assert_in_range(seen.reports, 1, 3);
    assert_in_range(seen.rs, 1, 3);
    expect_well();
    struct net_nic_status s = {0};
    net_ipv6_status(netif_default, &s);
    assert_int_equal(s.ip6_count, 1);
    assert_memory_equal(s.ip6[0], ours, 16);
}

/* As RFC 5952 writes them. */
static void test_text(void **state)
{
    (void)state;
    static const struct {
        addr ip;
        const char *text;
    } cases[] = {
        {{0xfe, 0x80, [8] = 0x50, 0x54, 0, 0xff, 0xfe, 0x12, 0x34, 0x56},
         "fe80::5054:ff:fe12:3456"},
        {{0x20, 1, 0x0d, 0xb8, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 0}, "2001:db8:1:2:3:4:5:0"},
        {{[15] = 1}, "::1"},
        {{0xab, 0xcd, [14] = 0xef, 1}, "abcd::ef01"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[NET_IP6_TEXT];
        net_ip6_text(cases[i].ip, text);
        assert_string_equal(text, cases[i].text);
    }
}

/* An address of the prefix that a router advertises, and answers to beyond that router. */
static void test_advertised(void **state)
{
    (void)state;
    static const addr ours_global = {0x20, 1,    0x0d, 0xb8, 0,    1,    0,    0,
                                     0x50, 0x54, 0,    0xff, 0xfe, 0x12, 0x34, 0x56};
    static const addr far = {0x20, 1, 0x0d, 0xb8, 0, 9, [15] = 9};
    uint8_t msg[128];
    send(router_mac, router, all_nodes, ICMP6, HOPS, msg, advertisement(msg));
    wire_run_us(3 * US_PER_S);
    struct net_nic_status s = {0};
    net_ipv6_status(netif_default, &s);
    assert_int_equal(s.ip6_count, 2);
    assert_memory_equal(s.ip6[1], ours_global, 16);
    static const uint8_t echo[8] = {ECHO};
    const unsigned ns = seen.ns;
    send(router_mac, far, ours_global, ICMP6, 60, echo, sizeof(echo));
    assert_int_equal(seen.pongs, 1);
    assert_memory_equal(seen.last, router_mac, 6);
    assert_int_equal(seen.ns, ns);
}

/* Somebody has that address already: it is not used, and said to be his. */
static void test_duplicate(void **state)
{
    (void)state;
    static const addr taken = {0x20, 1,    0x0d, 0xb8, 0,    2,    0,    0,
                               0x50, 0x54, 0,    0xff, 0xfe, 0x12, 0x34, 0x56};
    uint8_t msg[128];
    const size_t len = advertisement(msg);
    msg[16 + 16 + 5] = 2; /* another prefix */
    send(router_mac, router, all_nodes, ICMP6, HOPS, msg, len);
    uint8_t claim[32];
    send(mac, taken, all_nodes, ICMP6, HOPS, claim, nd(claim, NA, 0x20, taken, 2, mac));
    wire_run_us(3 * US_PER_S);
    struct net_nic_status s = {0};
    net_ipv6_status(netif_default, &s);
    for (unsigned i = 0; i < s.ip6_count; i++) {
        assert_memory_not_equal(s.ip6[i], taken, 16);
    }
    expect_well();
}

/* --- neighbours --------------------------------------------------------------------------------
 */

static struct udp_pcb *sender;

static err_t tell(const addr to)
{
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, 10, PBUF_RAM);
    ip_addr_t ip = IPADDR6_INIT(0, 0, 0, 0);
    memset(p->payload, 0, 10);
    memcpy(ip_2_ip6(&ip)->addr, to, 16);
    ip6_addr_assign_zone(ip_2_ip6(&ip), IP6_UNICAST, netif_default);
    err_t err = udp_sendto(sender, p, &ip, 9);
    pbuf_free(p);
    return err;
}

static void number(addr out, unsigned n)
{
    memcpy(out, neighbour, 16);
    out[10] = 0xaa;
    put16(out + 12, n);
}

/* The address of who asks is the option that says so, not what lies before it (RFC 7527: a nonce).
 */
static void test_nonce_first(void **state)
{
    (void)state;
    static const addr who = {0xfe, 0x80, [13] = 7, 7, 7};
    uint8_t msg[40];
    (void)nd(msg, NS, 0, ours, 14, (const uint8_t[]){1, 2, 3, 4, 5, 6});
    memcpy(msg + 32, (const uint8_t[]){1, 1, 0x52, 0x55, 7, 7, 7, 7}, 8);
    send(mac, who, ours_solicited, ICMP6, HOPS, msg, sizeof(msg));
    assert_int_equal(seen.na, 1);
    assert_int_equal(tell(who), ERR_OK);
    assert_int_equal(seen.udp, 1);
    assert_memory_equal(seen.udp_to, msg + 34, 6);
}

/* An answer goes to the card that the question came from, without a question of ours. */
static void test_answer_goes_back(void **state)
{
    (void)state;
    seen.answer = false;
    for (unsigned i = 0; i < 1000; i++) {
        addr from;
        number(from, i);
        ping(from, mac);
    }
    assert_int_equal(seen.pongs, 1000);
    assert_int_equal(seen.ns, 0);
    expect_well();
}

/* Unasked, we ask for so many addresses and no more; who is known stays known. */
static void test_limits(void **state)
{
    (void)state;
    addr to;
    number(to, 9999);
    const uint64_t limited = stats().arp_limited;
    assert_int_equal(tell(to), ERR_OK);
    wire_run_us(0);
    assert_int_equal(seen.udp, 1); /* was asked for, answered, sent */
    seen.answer = false;
    unsigned sent = 0;
    for (unsigned i = 0; i < 5000; i++) {
        addr other;
        number(other, i);
        sent += tell(other) == ERR_OK;
        wire_run_us(US_PER_MS);
    }
    assert_in_range(sent, 5 * NET_ARP_PER_S, NET_ARP_BURST + 6 * NET_ARP_PER_S);
    assert_int_equal(stats().arp_limited, limited + 5000 - sent);
    assert_int_equal(seen.udp, 1);
    assert_int_equal(tell(to), ERR_OK);
    assert_int_equal(seen.udp, 2);
    wire_run_us(10 * US_PER_S);
    expect_well();
}

/* A storm of questions from invented neighbours fills the table; one that fell out of it is asked
 * for and reached again. */
static void test_storm(void **state)
{
    (void)state;
    addr to;
    number(to, 8888);
    assert_int_equal(tell(to), ERR_OK);
    wire_run_us(0);
    for (unsigned i = 0; i < 5000; i++) {
        addr from;
        uint8_t msg[32];
        number(from, i);
        send(mac, from, ours_solicited, ICMP6, HOPS, msg, nd(msg, NS, 0, ours, 1, mac));
    }
    assert_int_equal(seen.na, 5000);
    assert_in_range(seen.ns, 1, 2);
    const unsigned before = seen.udp;
    assert_int_equal(tell(to), ERR_OK);
    wire_run_us(0);
    assert_int_equal(seen.udp, before + 1);
    wire_run_us(20 *
                US_PER_S); /* each of the table is looked for three times, and then forgotten */
    assert_in_range(seen.ns, 1, 2 + 3 * LWIP_ND6_NUM_NEIGHBORS);
    expect_well();
}

/* --- TCP ---------------------------------------------------------------------------------------
 */

static err_t accepted(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg;
    (void)pcb;
    (void)err;
    return ERR_OK;
}

static void syn(const addr from, uint16_t port)
{
    uint8_t tcp[20] = {0, 0, 0, WIRE_PORT, 1, 2, 3, 4, [12] = 5 << 4, WIRE_SYN, 0x10, 0};
    put16(tcp, port);
    send(mac, from, ours, TCP, 64, tcp, sizeof(tcp));
}

/* The same limit as over IPv4, for both together. */
static void test_syn_flood(void **state)
{
    (void)state;
    struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
    assert_int_equal(tcp_bind(pcb, IP_ANY_TYPE, WIRE_PORT), ERR_OK);
    struct tcp_pcb *listener = tcp_listen(pcb);
    tcp_accept(listener, accepted);
    const uint64_t evicted = stats().half_open_evicted;
    for (unsigned i = 0; i < NET_HALF_OPEN_MAX; i++) {
        addr from;
        number(from, i);
        syn(from, 1000);
    }
    assert_int_equal(seen.syn_acks, NET_HALF_OPEN_MAX);
    assert_int_equal(stats().half_open, NET_HALF_OPEN_MAX);
    addr from;
    number(from, 5);
    syn(from, 1000); /* again: no new one */
    assert_int_equal(stats().half_open_evicted, evicted);
    syn(from, 1001);
    wire_syn((const uint8_t[]){0x52, 0x55, 9, 9, 9, 9}, WIRE_PEER + 5, 1000, 1);
    assert_int_equal(stats().half_open, NET_HALF_OPEN_MAX);
    assert_int_equal(stats().half_open_evicted, evicted + 2);
    assert_int_equal(seen.ns, 0);
    wire_run_us((NET_HALF_OPEN_S + 1) * US_PER_S);
    assert_int_equal(stats().half_open, 0);
    tcp_close(listener);
    expect_well();
}

/* More prefixes than there is room for: the first ones are used. */
static void test_prefixes(void **state)
{
    (void)state;
    for (uint8_t i = 10; i < 20; i++) {
        uint8_t msg[128];
        const size_t len = advertisement(msg);
        msg[16 + 16 + 5] = i;
        send(router_mac, router, all_nodes, ICMP6, HOPS, msg, len);
    }
    wire_run_us(3 * US_PER_S);
    struct net_nic_status s = {0};
    net_ipv6_status(netif_default, &s);
    assert_in_range(s.ip6_count, 3, NET_IP6_MAX); /* one place is the duplicate's */
    expect_well();
}

static int setup(void **state)
{
    (void)ip6_setup(state);
    sender = udp_new_ip_type(IPADDR_TYPE_ANY);
    return sender == NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_link_local, reset),
        cmocka_unit_test_setup(test_text, reset),
        cmocka_unit_test_setup(test_advertised, reset),
        cmocka_unit_test_setup(test_duplicate, reset),
        cmocka_unit_test_setup(test_nonce_first, reset),
        cmocka_unit_test_setup(test_answer_goes_back, reset),
        cmocka_unit_test_setup(test_limits, reset),
        cmocka_unit_test_setup(test_storm, reset),
        cmocka_unit_test_setup(test_syn_flood, reset),
        cmocka_unit_test_setup(test_prefixes, reset),
    };
    return cmocka_run_group_tests_name("ip6", tests, setup, NULL);
}
