/* SPDX-License-Identifier: MIT */
/*
 * Frames that nobody honest sends, and where answers go: what is dropped before lwIP reads it, what
 * a flood from invented neighbours may cost, and how many log lines it may cause.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/host/host.h"
#include "lwip/stats.h"
#include "lwip/udp.h"
#include "net/nic/nic.h"
#include "net/stack/stack.h"
#include "tests/unit/wire.h"

static const uint8_t peer_mac[6] = {0x52, 0x55, 10, 0, 2, 2};
static const uint8_t attacker[6] = {0x52, 0x55, 0xbb, 0xbb, 0xbb, 0xbb};

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
    return 0;
}

/* The stack is well: it answers an echo request and keeps no buffer. */
static void expect_well(void)
{
    unsigned before = wire_counts.pongs;
    wire_ping(WIRE_PEER, peer_mac);
    assert_int_equal(wire_counts.pongs, before + 1);
    assert_int_equal(lwip_stats.memp[MEMP_PBUF_POOL]->used, 0);
}

/* Every length of an ARP request up to the whole one: only that is answered, and no byte behind the
 * frame is read. */
static void test_short_arp(void **state)
{
    (void)state;
    uint8_t frame[42] = {0x52, 0x54, 0, 0x12, 0x34, 0x56, 0x52, 0x55, 10,   0,    2,  2, 8, 6,
                         0,    1,    8, 0,    6,    4,    0,    1,    0x52, 0x55, 10, 0, 2, 2,
                         10,   0,    2, 2,    0,    0,    0,    0,    0,    0,    10, 0, 2, 15};
    uint64_t before = stats().short_frames;
    for (size_t len = 1; len < sizeof(frame); len++) {
        wire_receive_exactly(frame, len);
    }
    assert_int_equal(wire_counts.arp_replies, 0);
    assert_int_equal(stats().short_frames, before + sizeof(frame) - 1);
    wire_receive_exactly(frame, sizeof(frame));
    assert_int_equal(wire_counts.arp_replies, 1);
    expect_well();
}

/* The same for IP and what it carries; the length field says what is there, or more. */
static void test_short_ip(void **state)
{
    (void)state;
    static const struct {
        uint8_t protocol;
        size_t least;
    } kinds[] = {{6, 20}, {17, 8}};
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        uint8_t frame[NIC_FRAME_MAX], zero[20] = {0};
        size_t whole =
            wire_make_ip(frame, peer_mac, WIRE_PEER, kinds[k].protocol, zero, kinds[k].least);
        uint64_t before = stats().short_frames;
        for (size_t len = 14; len < whole; len++) {
            wire_receive_exactly(frame, len); /* the field promises more */
        }
        assert_int_equal(stats().short_frames, before + whole - 14);
        for (size_t len = 0; len < kinds[k].least; len++) {
            (void)wire_make_ip(frame, peer_mac, WIRE_PEER, kinds[k].protocol, zero, len);
            wire_receive_exactly(frame, 34 + len); /* the field promises too little */
        }
        assert_int_equal(stats().short_frames, before + whole - 14 + kinds[k].least);
    }
    uint8_t frame[NIC_FRAME_MAX], zero[40] = {0};
    (void)wire_make_ip(frame, peer_mac, WIRE_PEER, 6, zero, 40);
    uint64_t before = stats().short_frames;
    frame[14] = 0x44; /* a header shorter than the least */
    wire_receive_exactly(frame, 74);
    frame[14] = 0x4f; /* and one that leaves no room for TCP */
    wire_receive_exactly(frame, 74);
    assert_int_equal(stats().short_frames, before + 2);
    expect_well();
}

static void test_fragments(void **state)
{
    (void)state;
    uint8_t frame[NIC_FRAME_MAX], icmp[64] = {8};
    size_t len = wire_make_ip(frame, peer_mac, WIRE_PEER, 1, icmp, sizeof(icmp));
    uint64_t before = stats().fragments;
    frame[20] = 0x20; /* first of several */
    wire_sum_ip(frame);
    wire_receive(frame, len);
    frame[20] = 0;
    frame[21] = 8; /* last of several */
    wire_sum_ip(frame);
    for (unsigned i = 0; i < 10000; i++) {
        frame[18] = (uint8_t)(i >> 8);
        frame[19] = (uint8_t)i;
        wire_receive(frame, len);
    }
    assert_int_equal(stats().fragments, before + 10001);
    assert_int_equal(wire_counts.pongs, 0);
    frame[20] = 0x40; /* "do not fragment" is no fragment */
    frame[21] = 0;
    wire_sum_ip(frame);
    wire_receive(frame, len);
    assert_int_equal(wire_counts.pongs, 1);
    expect_well();
}

static void test_spoofed(void **state)
{
    (void)state;
    static const uint8_t group[6] = {0x01, 0x55, 1, 1, 1, 1};
    uint64_t before = stats().spoofed;
    wire_ping(WIRE_IP, attacker); /* from ourselves */
    wire_ping(0x7f000001, attacker);
    wire_ping(WIRE_PEER, group);
    wire_syn(attacker, WIRE_IP, WIRE_PORT, 1);
    assert_int_equal(stats().spoofed, before + 4);
    assert_int_equal(wire_counts.frames, 0);
    expect_well();
}

/* --- neighbours ------------------------------------------------------------------------------- */

/* An answer goes to the card that the question came from, without a question of ours. */
static void test_answer_goes_back(void **state)
{
    (void)state;
    wire_answer_arp = false;
    for (uint32_t i = 0; i < 1000; i++) {
        wire_ping(WIRE_PEER + 20 + i % 200, attacker);
    }
    assert_int_equal(wire_counts.pongs, 1000);
    assert_int_equal(wire_counts.arp_requests, 0);
    expect_well();
}

static struct udp_pcb *sender;

static err_t tell(uint32_t to)
{
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, 10, PBUF_RAM);
    ip_addr_t ip = IPADDR4_INIT(lwip_htonl(to));
    err_t err = udp_sendto(sender, p, &ip, 9);
    pbuf_free(p);
    return err;
}

/* Unasked, we ask for so many addresses and no more; who is known stays known. */
static void test_arp_limits(void **state)
{
    (void)state;
    sender = udp_new();
    uint64_t limited = stats().arp_limited;
    assert_int_equal(tell(WIRE_PEER), ERR_OK);
    wire_run_us(0); /* the answer comes in */
    assert_int_equal(wire_counts.arp_requests, 1);
    wire_answer_arp = false;
    unsigned sent = 0;
    for (uint32_t i = 0; i < 5000; i++) {
        sent += tell(WIRE_PEER + 20 + i % 200) == ERR_OK;
        wire_run_us(US_PER_MS);
    }
    assert_in_range(sent, 5 * NET_ARP_PER_S, NET_ARP_BURST + 6 * NET_ARP_PER_S);
    assert_int_equal(stats().arp_limited, limited + 5000 - sent);
    unsigned requests = wire_counts.arp_requests;
    unsigned frames = wire_counts.frames;
    assert_int_equal(tell(WIRE_PEER), ERR_OK); /* still known: no request, one frame */
    assert_int_equal(wire_counts.arp_requests, requests);
    assert_int_equal(wire_counts.frames, frames + 1);
    assert_int_equal(tell(0x08080808), ERR_OK); /* the gateway is the same neighbour */
    assert_int_equal(tell(0xffffffff), ERR_OK); /* everybody needs no address */
    assert_int_equal(wire_counts.arp_requests, requests);
    udp_remove(sender);
    wire_run_us(10 * US_PER_S);
    expect_well();
}

/* A storm of requests from invented neighbours fills the table; a neighbour that fell out of it is
 * asked for and reached again. */
static void test_arp_storm(void **state)
{
    (void)state;
    sender = udp_new();
    assert_int_equal(tell(WIRE_PEER), ERR_OK);
    wire_run_us(3 * US_PER_S); /* it is the oldest */
    for (uint32_t i = 0; i < 5000; i++) {
        wire_arp(WIRE_PEER + 20 + i % 200, attacker);
    }
    assert_int_equal(wire_counts.arp_replies, 5000);
    unsigned frames = wire_counts.frames;
    assert_int_equal(tell(WIRE_PEER), ERR_OK);
    wire_run_us(0);
    assert_int_equal(wire_counts.frames, frames + 2); /* a request, and then what we had to say */
    udp_remove(sender);
    expect_well();
}

/* --- log lines -------------------------------------------------------------------------------- */

static int group_setup(void **state)
{
    (void)state;
    wire_start();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_short_arp, reset),
        cmocka_unit_test_setup(test_short_ip, reset),
        cmocka_unit_test_setup(test_fragments, reset),
        cmocka_unit_test_setup(test_spoofed, reset),
        cmocka_unit_test_setup(test_answer_goes_back, reset),
        cmocka_unit_test_setup(test_arp_limits, reset),
        cmocka_unit_test_setup(test_arp_storm, reset),
    };
    return cmocka_run_group_tests_name("stack", tests, group_setup, NULL);
}
