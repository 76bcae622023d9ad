/* SPDX-License-Identifier: MIT */
/*
 * What of IPv6 the door of lwIP drops before lwIP reads it.
 */
#include "net/stack/ipv6.h"
#include "tests/unit/ip6_lab.h"

/* --- what does not pass ------------------------------------------------------------------------
 */

/* Each message in frames that end early, and in packets that say so: nothing behind their end is
 * read, and all are counted. */
static void test_short(void **state)
{
    (void)state;
    static const struct {
        uint8_t next, hops;
        uint8_t first[4];
        size_t least; /* bytes without which lwIP is not asked */
    } kinds[] = {{TCP, 64, {0}, 20},      {UDP, 64, {0}, 8},       {ICMP6, 64, {ECHO}, 8},
                 {ICMP6, HOPS, {RA}, 16}, {ICMP6, HOPS, {NS}, 24}, {ICMP6, HOPS, {NA}, 24}};
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        uint8_t frame[NIC_FRAME_MAX], data[32] = {0};
        memcpy(data, kinds[k].first, sizeof(kinds[k].first));
        size_t whole =
            make(frame, mac, neighbour, ours, kinds[k].next, kinds[k].hops, data, kinds[k].least);
        uint64_t before = stats().short_frames;
        for (size_t len = ETH; len < whole; len++) {
            wire_receive_exactly(frame, len);
        }
        assert_int_equal(stats().short_frames, before + whole - ETH);
        for (size_t len = 0; len < kinds[k].least; len++) {
            (void)make(frame, mac, neighbour, ours, kinds[k].next, kinds[k].hops, data, len);
            wire_receive_exactly(frame, L4 + len);
        }
        assert_int_equal(stats().short_frames, before + whole - ETH + kinds[k].least);
    }
    assert_int_equal(seen.na, 0);
    expect_well();
}

/* Options without a length, and longer than the message. */
static void test_options(void **state)
{
    (void)state;
    uint8_t frame[NIC_FRAME_MAX], msg[40];
    const uint64_t before = stats().short_frames;
    (void)nd(msg, NS, 0, ours, 1, mac);
    for (size_t cut = 25; cut < 32; cut++) {
        wire_receive_exactly(frame, make(frame, mac, neighbour, ours, ICMP6, HOPS, msg, cut));
    }
    msg[25] = 0;
    wire_receive_exactly(frame, make(frame, mac, neighbour, ours, ICMP6, HOPS, msg, 32));
    msg[25] = 2;
    wire_receive_exactly(frame, make(frame, mac, neighbour, ours, ICMP6, HOPS, msg, 32));
    assert_int_equal(stats().short_frames, before + 9);
    assert_int_equal(seen.na, 0);
    msg[25] = 1;
    wire_receive_exactly(frame, make(frame, mac, neighbour, ours, ICMP6, HOPS, msg, 32));
    assert_int_equal(seen.na, 1);
    expect_well();
}

static void test_fragments(void **state)
{
    (void)state;
    uint8_t data[24] = {ICMP6, 0, 0, 1, [8] = ECHO};
    const uint64_t before = stats().fragments;
    send(mac, neighbour, ours, 44, 64, data, sizeof(data));
    data[3] = 0; /* the only one of its packet: still one */
    send(mac, neighbour, ours, 44, 64, data, sizeof(data));
    assert_int_equal(stats().fragments, before + 2);
    assert_int_equal(seen.pongs, 0);
    expect_well();
}

/* Extension headers, messages that change what we know of routes, other hosts' business. */
static void test_unwanted(void **state)
{
    (void)state;
    static const uint8_t nexts[] = {HOP_BY_HOP, 43, 50, 51, 59, 60, 132, 136, 255};
    static const uint8_t types[] = {0,          1,   2,  3,   4,   PONG, MLD_QUERY,
                                    MLD_REPORT, 132, RS, 137, 143, 255};
    uint8_t data[64] = {ICMP6, 0, 1, 4, [8] = ECHO};
    uint64_t before = stats().unwanted;
    for (size_t i = 0; i < sizeof(nexts); i++) {
        send(mac, neighbour, ours, nexts[i], 64, data, sizeof(data));
    }
    assert_int_equal(stats().unwanted, before + sizeof(nexts));
    before = stats().unwanted;
    for (size_t i = 0; i < sizeof(types); i++) {
        data[0] = types[i];
        send(mac, neighbour, ours, ICMP6, HOPS, data, sizeof(data));
    }
    assert_int_equal(stats().unwanted, before + sizeof(types));
    assert_int_equal(seen.pongs, 0);
    uint8_t frame[NIC_FRAME_MAX];
    const size_t len = make(frame, mac, neighbour, ours, UDP, 64, data, 16);
    put16(frame + L4 + 6, 0); /* no sum */
    wire_receive(frame, len);
    assert_int_equal(stats().unwanted, before + sizeof(types) + 1);
    expect_well();
}

/* A query of MLD behind its router alert is answered with our groups; one that came over a router,
 * from afar or with other options is not. */
static void test_mld_query(void **state)
{
    (void)state;
    static const addr far = {0x20, 1, 0x0d, 0xb8, [15] = 7};
    uint8_t data[32] = {ICMP6, 0, 5, 2, 0, 0, 1, 0, [8] = MLD_QUERY, [12] = 0, 100};
    uint8_t pseudo[NIC_FRAME_MAX];
    (void)make(pseudo, mac, router, all_nodes, ICMP6, MLD_HOPS, data + 8, 24);
    memcpy(data + 8, pseudo + L4, 24); /* with its sum */
    const struct stack_stats before = stats();
    send(router_mac, router, all_nodes, HOP_BY_HOP, 2, data, sizeof(data));
    send(router_mac, far, all_nodes, HOP_BY_HOP, MLD_HOPS, data, sizeof(data));
    assert_int_equal(stats().spoofed, before.spoofed + 2);
    data[2] = 0xc2; /* a jumbogram */
    send(router_mac, router, all_nodes, HOP_BY_HOP, MLD_HOPS, data, sizeof(data));
    data[2] = 5;
    data[1] = 1; /* a longer header */
    send(router_mac, router, all_nodes, HOP_BY_HOP, MLD_HOPS, data, sizeof(data));
    data[1] = 0;
    data[8] = ECHO; /* whatever else has a router alert */
    send(router_mac, router, ours, HOP_BY_HOP, MLD_HOPS, data, sizeof(data));
    data[8] = MLD_QUERY;
    assert_int_equal(stats().unwanted, before.unwanted + 3);
    send(router_mac, router, all_nodes, HOP_BY_HOP, MLD_HOPS, data, 8 + 20);
    assert_int_equal(stats().short_frames, before.short_frames + 1);
    wire_run_us(US_PER_S);
    assert_int_equal(seen.reports, 0);
    send(router_mac, router, all_nodes, HOP_BY_HOP, MLD_HOPS, data, sizeof(data));
    wire_run_us(US_PER_S);
    assert_in_range(seen.reports, 1, 2);
    expect_well();
}

/* Senders that cannot be, and what only a neighbour may say but a router passed on. */
static void test_spoofed(void **state)
{
    (void)state;
    static const addr loopback = {[15] = 1}, mapped = {[10] = 0xff, 0xff, 10, 0, 2, 2};
    static const addr group = {0xff, 2, [15] = 9};
    static const addr *const from[] = {&loopback, &mapped, &group, &ours, &nobody};
    uint8_t msg[128];
    uint64_t before = stats().spoofed;
    for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
        ping(*from[i], mac);
    }
    assert_int_equal(stats().spoofed, before + ARRAY_SIZE(from));
    assert_int_equal(seen.pongs, 0);
    before = stats().spoofed;
    send(mac, neighbour, ours, ICMP6, HOPS - 1, msg, nd(msg, NS, 0, ours, 1, mac));
    msg[1] = 1; /* a code */
    send(mac, neighbour, ours, ICMP6, HOPS, msg, 32);
    send(mac, neighbour, ours, ICMP6, HOPS, msg, nd(msg, NS, 0, group, 1, mac));
    send(mac, nobody, ours, ICMP6, HOPS, msg, nd(msg, NS, 0, ours, 1, mac));
    send(mac, neighbour, all_nodes, ICMP6, HOPS, msg,
         nd(msg, NA, solicited_flag, neighbour, 2, mac));
    static const addr far = {0x20, 1, 0x0d, 0xb8, [15] = 7};
    send(mac, far, all_nodes, ICMP6, HOPS, msg, advertisement(msg));
    send(mac, router, all_nodes, ICMP6, 64, msg, advertisement(msg));
    assert_int_equal(stats().spoofed, before + 7);
    assert_int_equal(seen.na, 0);
    /* One who looks for an address before he has one is told that it is ours. */
    send(mac, nobody, ours_solicited, ICMP6, HOPS, msg, nd(msg, NS, 0, ours, 14, mac));
    assert_int_equal(seen.na, 1);
    expect_well();
}

static struct net_ipv6 v6;

static int setup(void **state)
{
    (void)ip6_setup(state);
    net_ipv6_start(&v6, netif_default);
    wire_run_us(3 * US_PER_S); /* until it is free */
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_short, reset),     cmocka_unit_test_setup(test_options, reset),
        cmocka_unit_test_setup(test_fragments, reset), cmocka_unit_test_setup(test_unwanted, reset),
        cmocka_unit_test_setup(test_mld_query, reset), cmocka_unit_test_setup(test_spoofed, reset),
    };
    return cmocka_run_group_tests_name("stack_ip6", tests, setup, NULL);
}
