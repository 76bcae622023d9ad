/* SPDX-License-Identifier: MIT */
/*
 * The network fiber with lwIP on a virtio card built here, in virtual time, with a small network
 * behind it (netmain_peer.h). One program, one boot: the tests are steps of it, in order.
 */
#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "lwip/def.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/tcp.h"
#include "mm/ram.h"
#include "net/api/api.h"
#include "net/api/events.h"
#include "net/stack/netif.h"
#include "net/stack/netmain.h"
#include "net/stack/stack.h"
#include "tests/unit/fake_virtio.h"
#include "tests/unit/netmain_peer.h"

#define TOO_MANY_EARLY (NET_EARLY_MAX + 3u)

/* --- the server behind the fiber -------------------------------------------------------------- */

static uint32_t served;

static err_t serve_more(struct tcp_pcb *pcb)
{
    while (served < DOWNLOAD_BYTES && tcp_sndbuf(pcb) >= 1000) {
        uint8_t chunk[1000];
        uint32_t n =
            DOWNLOAD_BYTES - served < sizeof(chunk) ? DOWNLOAD_BYTES - served : sizeof(chunk);
        for (uint32_t i = 0; i < n; i++) {
            chunk[i] = content(served + i);
        }
        if (tcp_write(pcb, chunk, (u16_t)n, TCP_WRITE_FLAG_COPY) != ERR_OK) {
            break;
        }
        served += n;
    }
    if (served == DOWNLOAD_BYTES) {
        served++;
        return tcp_close(pcb);
    }
    return tcp_output(pcb);
}

static err_t on_room(void *arg, struct tcp_pcb *pcb, u16_t len)
{
    (void)arg;
    (void)len;
    return served <= DOWNLOAD_BYTES ? serve_more(pcb) : ERR_OK;
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg;
    assert_int_equal(err, ERR_OK);
    tcp_sent(pcb, on_room);
    served = 0;
    return serve_more(pcb);
}

/* In place of the HTTP server. */
static void open_listener(void)
{
    struct tcp_pcb *pcb = tcp_new();
    assert_non_null(pcb);
    assert_int_equal(tcp_bind(pcb, IP_ADDR_ANY, PORT), ERR_OK);
    pcb = tcp_listen(pcb);
    assert_non_null(pcb);
    tcp_accept(pcb, on_accept);
}

/* --- steps ------------------------------------------------------------------------------------ */

static bool stop(void *arg)
{
    (void)arg;
    return (t.until != NULL && t.until()) || clock_now_us() >= t.stop_us;
}

/* Runs fibers until cond() or for so long; returns whether cond() came true. */
static bool run_until(bool (*cond)(void), uint64_t us)
{
    t.until = cond;
    t.stop_us = clock_now_us() + us;
    fiber_run(stop, NULL);
    return cond != NULL && cond();
}

static struct net_nic_status card(void)
{
    static struct net_status s;
    net_get_status(&s);
    assert_int_equal(s.nic_count, 1);
    return s.nic[0];
}

static bool card_is_up(void)
{
    static struct net_status s;
    net_get_status(&s);
    return s.nic_count == 1 && s.nic[0].state == NET_NIC_UP;
}

/* The service is told of changes: how often, and how it was then. */
static unsigned changes;
static enum net_nic_state told_of;
static void changed(void)
{
    changes++;
    told_of = card().state;
}

static void enumerate_fiber(void *arg)
{
    (void)arg;
    assert_int_equal(pci_enumerate(&t.pci, &fv_ops, &t.dev, &t.fail), FL_OK);
    struct net_config cfg = {.dhcp = true, .hostname = "firstlight", .ipv6 = true};
    net_start(&t.pci, &cfg,
              &(struct net_service){.start = open_listener,
                                    .poll = events_poll,
                                    .due_us = events_due_us,
                                    .changed = changed});
    t.up = net_wait_up(deadline_in_us(US_PER_S));
    t.up_us = clock_now_us();
}

static bool main_goes_on(void) { return t.up_us != 0; }

static void sleeper_fiber(void *arg) /* keeps time moving past the end of a step */
{
    (void)arg;
    for (;;) {
        fiber_sleep_us(10 * US_PER_MS);
    }
}

static int setup(void **state)
{
    (void)state;
    host_reset();
    host_random_seed(1);
    assert_int_equal(ram_init(&t.fail), FL_OK);
    static const struct api_context ctx = {.version = "x"};
    api_init(&ctx);
    fv_init(&t.dev);
    t.dev.sent = on_sent;
    t.dev.queue_max[1] = 16; /* smaller than what TCP wants to have under way */
    t.content_ok = true;
    t.port = 40000;
    t.early = TOO_MANY_EARLY;
    t.snd = 0xfffffff0; /* crosses the wrap */
    return 0;
}

static void test_dhcp(void **state)
{
    (void)state;
    assert_non_null(fiber_spawn("enumerate", enumerate_fiber, NULL, FIBER_STACK_DEFAULT));
    assert_non_null(fiber_spawn("sleeper", sleeper_fiber, NULL, FIBER_STACK_DEFAULT));
    assert_true(run_until(main_goes_on, US_PER_S));
    assert_in_range(clock_now_us(), 0, 20 * US_PER_MS); /* no waiting for conflicts */
    struct net_nic_status s = card();
    assert_int_equal(s.ip, OUR_IP);
    assert_int_equal(s.mask, 0xffffff00);
    assert_int_equal(s.gateway, PEER_IP);
    assert_string_equal(s.driver, "virtio-net");
    assert_string_equal(s.pci, "0000:00:02.0");
    assert_memory_equal(s.mac, t.dev.mac, 6);
    assert_true(s.address_us != 0 && s.rx_packets >= 2 && s.tx_packets >= 2);
    assert_string_equal(net_nic_state_name(s.state), "up");
    assert_int_equal(t.discovers, 1);
    assert_int_equal(t.requests, 1);
    assert_int_equal(t.up, FL_OK);
    assert_in_range(t.up_us, s.address_us, s.address_us + US_PER_MS);
    assert_int_equal(told_of, NET_NIC_UP);
    assert_int_equal(changes, 2); /* the card, its address */
}

static bool all_early_answered(void) { return t.early_answers >= NET_EARLY_MAX; }

/* Who asked for a connection before there was an address need not ask again; of too many, the first
 * must. */
static void test_early(void **state)
{
    (void)state;
    assert_true(run_until(all_early_answered, 10 * US_PER_MS));
    run_until(NULL, 10 * US_PER_MS);
    assert_int_equal(t.early_answers, NET_EARLY_MAX);
    assert_int_equal(t.first_early, EARLY_PORT + TOO_MANY_EARLY - NET_EARLY_MAX);
    assert_int_equal(stack_stats_mut()->early_dropped, TOO_MANY_EARLY - NET_EARLY_MAX);
}

static bool time_asked(void) { return t.times_asked > 0; }

/* The first server of DHCP's option 42 is the one that is asked for the time. */
static void test_time_server(void **state)
{
    (void)state;
    struct net_status s;
    assert_true(run_until(time_asked, 3 * US_PER_S));
    net_get_status(&s);
    assert_int_equal(s.time.server, TIME_IP);
}

static bool card_has_ip6(void) { return card().ip6_count == 1; }

/* IPv6 comes by itself, behind IPv4, and the name was told to the DHCP server. */
static void test_ipv6(void **state)
{
    (void)state;
    static const uint8_t prefix[8] = {0xfe, 0x80};
    assert_true(t.asked_name);
    assert_true(run_until(card_has_ip6, 5 * US_PER_S));
    struct net_nic_status s = card();
    assert_memory_equal(s.ip6[0], prefix, sizeof(prefix));
    assert_memory_equal(s.ip6[0] + 13, t.dev.mac + 3, 3);
    run_until(NULL, 15 * US_PER_S); /* until nobody looks for a router any more */
    assert_true(t.ip6_frames >= 3);
    assert_int_equal(t.early_ip6, 0);
}

static void ping(size_t payload, uint16_t seq)
{
    uint8_t frame[1514] = {0};
    uint8_t *icmp = frame + 34;
    icmp[0] = 8;
    put16(icmp + 6, seq);
    for (size_t i = 0; i < payload; i++) {
        icmp[8 + i] = (uint8_t)(i + seq);
    }
    put16(icmp + 2, sum(icmp, 8 + payload, 0));
    send_ip(frame, 1, 8 + payload);
}

static bool ten_pongs(void) { return t.pongs == 10; }

static void test_ping(void **state)
{
    (void)state;
    unsigned kicks = t.dev.q[1].notifies;
    for (uint16_t i = 0; i < 10; i++) {
        ping(i % 2 == 0 ? 56 : 1472, i);
    }
    assert_true(run_until(ten_pongs, 100 * US_PER_MS));
    kicks = t.dev.q[1].notifies - kicks;
    assert_in_range(kicks, 3,
                    5); /* one batch: the first, every four, the rest; ARP may be one more */
    /* and nothing but timers wakes an idle machine */
    struct net_status before, after;
    net_get_status(&before);
    run_until(NULL, 10 * US_PER_S);
    net_get_status(&after);
    assert_int_equal(after.wakeups, before.wakeups);
    assert_int_equal(after.nic[0].kicks, before.nic[0].kicks);
}

static bool downloaded(void) { return t.tcp == TCP_DONE; }

static void download(void)
{
    t.received = 0;
    t.segments = 0;
    t.tcp = TCP_SYN;
    t.port++; /* the server waits a while before it takes the same again */
    send_tcp(0x02);
    assert_true(run_until(downloaded, 20 * US_PER_S));
    assert_int_equal(t.received, DOWNLOAD_BYTES);
    assert_true(t.content_ok);
    assert_int_equal(t.out_of_order, 0);
}

static void test_download(void **state)
{
    (void)state;
    uint64_t start = clock_now_us();
    download();
    assert_in_range(clock_now_us() - start, 0, 100 * US_PER_MS); /* no timer was waited for */
}

/* A device that sends four frames a millisecond, and a client that acknowledges every ten. */
static uint64_t slow_device(void *ctx)
{
    static uint64_t next;
    static unsigned ticks;
    (void)ctx;
    uint64_t now = host_clock_peek_ns();
    if (now >= next) {
        next = now + 1000000;
        fv_transmit(&t.dev, 4);
        if (++ticks % 10 == 0 && t.ack_due) {
            t.ack_due = false;
            send_tcp(0x10);
        }
    }
    return next;
}

/* The ring is full most of the time. TCP must go on the moment there is room: neither a timer nor
 * the next acknowledgement may be waited for. */
static void test_back_pressure(void **state)
{
    (void)state;
    t.dev.lazy = true;
    t.hold_acks = true;
    host_idle_hook(slow_device, NULL);
    uint64_t start = clock_now_us();
    download();
    host_idle_unhook(slow_device, NULL);
    t.dev.lazy = false;
    struct net_nic_status s = card();
    assert_true(s.tx_full > 0);
    /* The client names no MSS, so 400 KiB are 765 segments of 536 bytes: 191 ms at this pace, and a
     * slow start. Sixteen at a time and then a pause would take 480 ms. */
    assert_in_range(clock_now_us() - start, 190 * US_PER_MS, 280 * US_PER_MS);
}

static bool link_is_down(void) { return card().state == NET_NIC_NO_LINK; }
static bool asks_again(void) { return t.discovers + t.requests >= 3; }

static void test_link(void **state)
{
    (void)state;
    fv_set_link(&t.dev, false);
    assert_int_equal(changes, 2); /* pings and downloads are none */
    assert_true(run_until(link_is_down, 100 * US_PER_MS));
    run_until(NULL, 20 * US_PER_MS); /* as long as somebody needs to see it */
    assert_int_equal(told_of, NET_NIC_NO_LINK);
    t.discovers = t.requests = 0;
    t.dhcp_mute = true; /* the cable went to another network */
    fv_set_link(&t.dev, true);
    assert_true(run_until(asks_again, 30 * US_PER_S));
    assert_int_equal(told_of, card().state);
    t.dhcp_mute = false;
    assert_true(run_until(card_is_up, 60 * US_PER_S));
    assert_int_equal(told_of, NET_NIC_UP);
    assert_string_equal(t.dev.broken_rule, "");
}

/* What the events tell of all that, in order: each change once, soon, although nothing but the
 * card's interrupt woke the fiber. */
static void test_events(void **state)
{
    static const char *const want[] = {
        "\"text\":\"network card 0 (virtio-net): the link is up\",\"nic\":0,\"up\":true}",
        "\"text\":\"network card 0 has the address 10.0.2.15\",\"nic\":0,\"address\":"
        "\"10.0.2.15\",\"lost\":null}",
        "\"text\":\"network card 0 (virtio-net): no link\",\"nic\":0,\"up\":false}",
        "\"text\":\"network card 0 (virtio-net): the link is up\",\"nic\":0,\"up\":true}",
    };
    struct text_buf all = {0};
    (void)state;
    events_put_json(&all, 0);
    const char *at = all.data;
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        at = at != NULL ? strstr(at, want[i]) : NULL;
        if (at == NULL) {
            fail_msg("no %s in its place in %s", want[i], all.data);
        }
        at += strlen(want[i]);
    }
    text_free(&all);
    struct net_nic_status before = card();
    assert_true(before.ip != 0);
    run_until(NULL, US_PER_S);
    fv_set_link(&t.dev, false);
    run_until(NULL, 20 * US_PER_MS);
    events_put_json(&all, 0);
    unsigned down = 0;
    for (at = all.data; (at = strstr(at, "no link")) != NULL; at++) {
        down++;
    }
    assert_int_equal(down, 2);
    text_free(&all);
    fv_set_link(&t.dev, true);
    assert_true(run_until(card_is_up, 60 * US_PER_S));
}

/* Any bytes: nothing breaks, and the stack still answers. */
static void test_noise(void **state)
{
    (void)state;
    uint32_t seed = 12345;
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t frame[1514];
        size_t len = 14 + (seed >> 8) % 1500;
        for (size_t k = 0; k < len; k++) {
            seed = seed * 1664525 + 1013904223;
            frame[k] = (uint8_t)(seed >> 24);
        }
        if (i % 8 != 0) {
            memcpy(frame, t.dev.mac, 6);
            put16(frame + 12, i % 2 == 0 ? 0x0800 : 0x0806);
            frame[14] = 0x45;
        }
        (void)fv_receive(&t.dev, frame, len);
        if (i % 16 == 0) {
            run_until(NULL, 10);
        }
    }
    run_until(NULL, US_PER_S);
    t.pongs = 9;
    ping(56, 77);
    assert_true(run_until(ten_pongs, 100 * US_PER_MS));
    struct net_status s;
    net_get_status(&s);
    assert_int_equal(s.pool_used, 0); /* every buffer came back */
    assert_int_equal(s.pool_errors, 0);
}

static bool frame_came(void) { return t.last_len != 0; }

/* Sends a frame of that many pieces of bytes each, whose first has the header. */
static err_t send_pieces(unsigned count, uint16_t bytes)
{
    struct pbuf *p = NULL;
    for (unsigned i = 0; i < count; i++) {
        struct pbuf *piece = pbuf_alloc(PBUF_RAW, bytes, PBUF_POOL);
        assert_non_null(piece);
        memset(piece->payload, (int)i, bytes);
        if (p == NULL) {
            p = piece;
        } else {
            pbuf_cat(p, piece);
        }
    }
    uint8_t *head = p->payload;
    memset(head, 0xff, 6);
    memcpy(head + 6, t.dev.mac, 6);
    put16(head + 12, ETHERTYPE_TEST);
    t.last_len = 0;
    err_t err = netif_default->linkoutput(netif_default, p);
    pbuf_free(p);
    return err;
}

/* In as many pieces as the driver takes at a time, and in more. */
static void test_pieces(void **state)
{
    enum { BYTES = 30 };
    (void)state;
    for (unsigned count = 1; count <= 20; count++) {
        assert_int_equal(send_pieces(count, BYTES), ERR_OK);
        assert_true(run_until(frame_came, 2 * US_PER_S));
        assert_int_equal(t.last_len, count * BYTES);
        for (size_t i = 14; i < t.last_len; i++) {
            assert_int_equal(t.last[i], i / BYTES);
        }
    }
    assert_int_equal(send_pieces(9, 200), ERR_BUF); /* longer than a frame */
}

static bool card_failed(void) { return card().state == NET_NIC_FAILED; }

static void test_broken_card(void **state)
{
    (void)state;
    fv_write_used(&t.dev, 0, 4711, 100, 1);
    assert_true(run_until(card_failed, 100 * US_PER_MS));
    assert_non_null(strstr(card().error, "0x1267"));
    run_until(NULL, 5 * US_PER_S); /* the fiber goes on without it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dhcp),          cmocka_unit_test(test_early),
        cmocka_unit_test(test_time_server),   cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_ping),          cmocka_unit_test(test_download),
        cmocka_unit_test(test_back_pressure), cmocka_unit_test(test_link),
        cmocka_unit_test(test_noise),         cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_events),        cmocka_unit_test(test_broken_card),
    };
    return cmocka_run_group_tests_name("netmain", tests, setup, NULL);
}
