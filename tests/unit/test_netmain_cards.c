/* SPDX-License-Identifier: MIT */
/*
 * More network cards than there may be, the first of them broken: who gets the static address, what
 * the status says of each, and which are left alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/fiber.h"
#include "arch/host/host.h"
#include "mm/ram.h"
#include "net/api/api.h"
#include "net/api/events.h"
#include "net/stack/netmain.h"
#include "net/stack/stack.h"
#include "pci/pci.h"
#include "pci/pci_regs.h"
#include "tests/unit/fake_virtio.h"
#include "tests/unit/ip6_lab.h"

enum { CARDS = NET_MAX_NICS + 2, BROKEN = 0, FIRST = 1, UNPLUGGED = 3 };
enum { PREFIX_VALID = 16 + 4 }; /* in advertisement(): the option's lifetimes, RFC 4861 4.6.2 */
#define OUR_IP  0xc0a80105u     /* 192.168.1.5 */
#define OUR_DNS 0xc0a80101u

static struct fake_virtio card[CARDS];
static struct pci pci;
static enum fl_err up = FL_EIO;
static bool waited;

/* A card is the only device on its bus and believes to be 00:02.0; here each has its own slot. */
static struct fake_virtio *at(uint8_t bus, uint8_t devfn)
{
    return bus == 0 && devfn % 8 == 0 && devfn / 8 < CARDS ? &card[devfn / 8] : NULL;
}

static uint32_t cfg_read(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                         unsigned size)
{
    struct fake_virtio *f = at(bus, devfn);
    (void)ctx;
    return f == NULL ? UINT32_MAX : fv_ops.cfg_read(f, seg, 0, PCI_DEVFN(2, 0), off, size);
}

static void cfg_write(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                      unsigned size, uint32_t v)
{
    struct fake_virtio *f = at(bus, devfn);
    (void)ctx;
    if (f != NULL) {
        fv_ops.cfg_write(f, seg, 0, PCI_DEVFN(2, 0), off, size, v);
    }
}

static enum fl_err map_bar(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, unsigned bar,
                           struct mmio *out)
{
    (void)ctx;
    return fv_ops.map_bar(at(bus, devfn), seg, bus, devfn, bar, out);
}

static const struct pci_ops ops = {cfg_read, cfg_write, map_bar};

static void serve_nothing(void) {}

static void start(void *arg)
{
    struct fl_fail fail = {0};
    struct net_config cfg = {
        .ip = OUR_IP, .mask = 0xffffff00, .gateway = OUR_DNS, .dns = OUR_DNS, .ipv6 = true};
    (void)arg;
    assert_int_equal(pci_enumerate(&pci, &ops, NULL, &fail), FL_OK);
    assert_int_equal(pci.count, CARDS);
    net_start(&pci, &cfg, &(struct net_service){.start = serve_nothing, .poll = serve_nothing});
    up = net_wait_up(deadline_in_us(10 * US_PER_S));
    waited = true;
}

static struct net_status status(void)
{
    struct net_status s;
    net_get_status(&s);
    return s;
}

static bool all_there(void *arg)
{
    (void)arg;
    return waited && status().nic_count == NET_MAX_NICS;
}

static int setup(void **state)
{
    (void)state;
    host_reset();
    host_random_seed(1);
    if (ram_init(NULL) != FL_OK) {
        return -1;
    }
    for (size_t i = 0; i < CARDS; i++) {
        fv_init(&card[i]);
        card[i].mac[5] = (uint8_t)i;
    }
    card[BROKEN].stuck_in_reset = true;
    if (fiber_spawn("start", start, NULL, FIBER_STACK_DEFAULT) == NULL) {
        return -1;
    }
    fiber_run(all_there, NULL);
    return 0;
}

static void a_broken_card_is_told_of(void **state)
{
    const struct net_status s = status();
    (void)state;
    assert_int_equal(s.nic[BROKEN].state, NET_NIC_FAILED);
    assert_string_equal(s.nic[BROKEN].driver, "virtio-net");
    assert_string_equal(s.nic[BROKEN].pci, "0000:00:00.0");
    assert_true(strstr(s.nic[BROKEN].error, "reset") != NULL);
    assert_string_equal(net_nic_state_name(s.nic[BROKEN].state), "failed");
}

/* The static address is the first card's that works; the others ask. */
static void one_card_has_the_address(void **state)
{
    const struct net_status s = status();
    (void)state;
    assert_int_equal(up, FL_OK);
    assert_true(s.started);
    assert_int_equal(s.dns, OUR_DNS);
    assert_int_equal(s.nic[FIRST].state, NET_NIC_UP);
    assert_int_equal(s.nic[FIRST].ip, OUR_IP);
    assert_int_equal(s.nic[FIRST].mask, 0xffffff00);
    assert_int_equal(s.nic[FIRST].gateway, OUR_DNS);
    for (size_t i = FIRST; i < NET_MAX_NICS; i++) {
        char name[PCI_NAME_MAX];
        snprintf(name, sizeof(name), "0000:00:%02x.0", (unsigned)i);
        assert_string_equal(s.nic[i].pci, name);
        assert_memory_equal(s.nic[i].mac, card[i].mac, 6);
        assert_true(s.nic[i].link);
        if (i != FIRST) {
            assert_int_equal(s.nic[i].state, NET_NIC_DHCP);
            assert_int_equal(s.nic[i].ip, 0);
        }
    }
}

static bool early_is_dropped(void *arg)
{
    (void)arg;
    return stack_stats_mut()->early_dropped > 0;
}

/* What asks for a connection of a card that waits for its address is forgotten with its link; what
 * is for somebody else, or no TCP, is not kept at all. */
static void early_ones_go_with_the_link(void **state)
{
    enum { IP = 14, PROTOCOL = IP + 9, TCP_HEADER = IP + 20, SYN_FRAME = TCP_HEADER + 20 };
    struct fake_virtio *f = &card[FIRST + 1];
    uint8_t frame[60] = {[12] = 0x08, [IP] = 0x45, [IP + 3] = 40, [PROTOCOL] = 6};
    (void)state;
    memcpy(frame, f->mac, sizeof(f->mac));
    assert_true(fv_receive(f, frame, SYN_FRAME));
    frame[PROTOCOL] = 17;
    assert_true(fv_receive(f, frame, SYN_FRAME));
    frame[PROTOCOL] = 6;
    frame[5] ^= 0x40;
    assert_true(fv_receive(f, frame, SYN_FRAME));
    frame[5] ^= 0x40;
    frame[12] = 0x88;
    assert_true(fv_receive(f, frame, SYN_FRAME));
    frame[12] = 0x08;
    assert_true(fv_receive(f, frame, SYN_FRAME - 1));
    fv_set_link(f, false);
    fiber_run(early_is_dropped, NULL);
    assert_int_equal(stack_stats_mut()->early_dropped, 1);
}

static void no_more_than_there_may_be(void **state)
{
    (void)state;
    assert_int_equal(status().nic_count, NET_MAX_NICS);
    for (size_t i = FIRST; i < CARDS; i++) {
        assert_int_equal(card[i].status != 0, i < NET_MAX_NICS);
        assert_string_equal(card[i].broken_rule, "");
    }
}

static bool enough_of_ipv4(void *arg)
{
    (void)arg;
    return clock_now_us() > 20 * US_PER_S;
}

/* Who has waited in vain for an IPv4 address has one of IPv6 all the same; not without a link. */
static void ipv6_without_ipv4(void **state)
{
    (void)state;
    assert_int_equal(status().nic[FIRST + 1].ip6_count, 0);
    fv_set_link(&card[UNPLUGGED], false);
    fiber_run(enough_of_ipv4, NULL);
    const struct net_status s = status();
    for (size_t i = FIRST; i < NET_MAX_NICS; i++) {
        assert_int_equal(s.nic[i].ip6_count, i != UNPLUGGED);
        assert_int_equal(s.nic[i].ip == 0, i != FIRST);
    }
}

static uint64_t until_us;
static bool late_enough(void *arg)
{
    (void)arg;
    events_take();
    return clock_now_us() > until_us;
}

/* How often the events say that. */
static unsigned told(const char *words)
{
    struct text_buf all = {0};
    unsigned n = 0;
    events_put_json(&all, 0);
    assert_false(all.failed);
    for (const char *p = all.data; (p = strstr(p, words)) != NULL; p++) {
        n++;
    }
    text_free(&all);
    return n;
}

/* The addresses that are there, one that a router gives for 10 s, and that this one goes. */
static void events_tell_ipv6(void **state)
{
    static struct api_context ctx = {.version = "x"};
    static const char global[] = "network card 1 has the address 2001:db8:1:0:";
    uint8_t frame[NIC_FRAME_MAX], msg[128];
    (void)state;
    api_init(&ctx);
    events_forget();
    events_take();
    assert_int_equal(told("has the address fe80::"), NET_MAX_NICS - 2);
    assert_int_equal(told("\"address\":\"192.168.1.5\",\"lost\":null"), 1);
    const size_t n = advertisement(msg);
    memcpy(msg + PREFIX_VALID, (uint8_t[]){0, 0, 0, 10, 0, 0, 0, 10}, 8);
    const size_t len = make(frame, router_mac, router, all_nodes, ICMP6, HOPS, msg, n);
    memcpy(frame, card[FIRST].mac, 6);
    assert_true(fv_receive(&card[FIRST], frame, len));
    until_us = clock_now_us() + 5 * US_PER_S;
    fiber_run(late_enough, NULL);
    assert_int_equal(told(global), 1);
    assert_int_equal(told("no more"), 0);
    until_us = clock_now_us() + 20 * US_PER_S;
    fiber_run(late_enough, NULL);
    assert_int_equal(told(global), 2);
    assert_int_equal(told("\"address\":null,\"lost\":\"2001:db8:1:0:"), 1);
    assert_int_equal(told("no more"), 1);
    assert_int_equal(told("has the address fe80::"), NET_MAX_NICS - 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_broken_card_is_told_of),  cmocka_unit_test(one_card_has_the_address),
        cmocka_unit_test(no_more_than_there_may_be), cmocka_unit_test(ipv6_without_ipv4),
        cmocka_unit_test(events_tell_ipv6),          cmocka_unit_test(early_ones_go_with_the_link),
    };
    return cmocka_run_group_tests_name("netmain_cards", tests, setup, NULL);
}
