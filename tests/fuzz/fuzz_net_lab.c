/* SPDX-License-Identifier: MIT */
/* lwIP, its cards and the HTTP server for fuzz_net: start, rounds, time, reset, and what must hold.
 */
#include "tests/fuzz/fuzz_net_lab.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/dhcp.h"
#include "lwip/dns.h"
#include "lwip/etharp.h"
#include "lwip/init.h"
#include "lwip/memp.h"
#include "lwip/nd6.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/stats.h"
#include "lwip/timeouts.h"

#include "arch/asan.h"
#include "arch/host/host.h"
#include "arch/log.h"
#include "arch/log_priv.h"
#include "mm/ram.h"
#include "net/api/api.h"
#include "net/api/events.h"
#include "net/http/http.h"
#include "net/stack/netif.h"

#if defined(FL_ASAN)
#include <sanitizer/allocator_interface.h>
#endif

/* The door before lwIP, in a tree that has it. */
#if defined(__has_include) && __has_include("net/stack/stack.h")
#include "net/stack/stack.h"
#define STACK_TIMERS()   stack_timers()
#define STACK_LOOPBACK() stack_loopback()
#else
#define STACK_TIMERS()   sys_check_timeouts()
#define STACK_LOOPBACK() netif_poll_all()
#endif

/* What one input may use: enough for every seed, little enough for thousands of inputs a second. */
#define INPUT_FRAMES 1280u
#define INPUT_MS     UINT64_C(240000)

#define RX_RING 256u /* as the real cards have */
/* Every cyclic timer of lwIP has come round after its longest, dhcp_coarse_tmr. */
#define CYCLE_MS UINT64_C(60000)
/* After that long nothing is left of what an input has begun: mDNS remembers for 30 s that
 * others have just heard an answer. */
#define SETTLED_MS UINT64_C(45000)
/* Where the clock stands at the start of each input, so that uptime looks like one. */
#define START_MS    CYCLE_MS
#define RANDOM_SEED 0x6c696768u

struct card {
    struct nic nic;
    struct net_if net;
    struct pci_dev pci;
    unsigned choked; /* sends that find no room */
};

static struct {
    struct card cards[CARDS];
    struct {
        unsigned card;
        size_t len;
        uint8_t bytes[LAB_FRAME_MAX];
    } rx[RX_RING];
    unsigned rx_head, rx_count;
    netif_input_fn input;
    void (*sent)(unsigned card, const uint8_t *frame, size_t len);
    bool in_round;
    unsigned fail_malloc; /* allocations until the one that fails, 0 = none */
    bool limited;
    unsigned frames; /* of this input */
    uint64_t ms;     /* of this input */
    uint32_t pools[MEMP_MAX];
    size_t heap;
    uint64_t assertions;
} s;

/* --- memory ----------------------------------------------------------------------------------- */

/* Linked with --wrap (rules.mk): lwIP and the server allocate through these. */
void *__real_malloc(size_t n);
void *__real_calloc(size_t count, size_t n);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t count, size_t n);
void *__wrap_realloc(void *p, size_t n);

void lab_fail_malloc(unsigned n) { s.fail_malloc = n; }

static bool fails_now(void) { return s.in_round && s.fail_malloc != 0 && --s.fail_malloc == 0; }

void *__wrap_malloc(size_t n) { return fails_now() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t count, size_t n) { return fails_now() ? NULL : __real_calloc(count, n); }
void *__wrap_realloc(void *p, size_t n) { return fails_now() ? NULL : __real_realloc(p, n); }

void lab_require(bool holds, const char *fmt, ...)
{
    if (holds) {
        return;
    }
    va_list args;
    va_start(args, fmt);
    fputs("fuzz_net: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

/* --- the cards -------------------------------------------------------------------------------- */

/* The buffer that the next frame will get must be writable to its end (see guard()). The pool is
 * last in, first out. */
static void unguard_next(void)
{
    struct pbuf *p = pbuf_alloc(PBUF_RAW, PBUF_POOL_BUFSIZE, PBUF_POOL);
    if (p != NULL) {
        asan_allow(p->payload, p->len);
        pbuf_free(p);
    }
}

/* Stands before the stack's own input: nothing behind the frame's end may be read. Pool buffers are
 * larger than the frame and full of older frames, so that no sanitizer would notice by itself. */
static err_t guard(struct pbuf *p, struct netif *lw)
{
    if (pbuf_match_allocsrc(p, PBUF_TYPE_ALLOC_SRC_MASK_STD_MEMP_PBUF_POOL) && p->next == NULL) {
        asan_forbid((uint8_t *)p->payload + p->len, PBUF_POOL_BUFSIZE - p->len);
    }
    return s.input(p, lw);
}

static unsigned card_poll(struct nic *nic, unsigned budget)
{
    struct card *c = CONTAINER_OF(nic, struct card, nic);
    unsigned n = 0;

    if (c->choked == 0) {
        nic->tx_waiting = false;
    }
    while (n < budget && s.rx_count > 0 && &s.cards[s.rx[s.rx_head].card] == c) {
        /* A copy of exactly this length: the sanitizer sees a read behind it. */
        size_t len = s.rx[s.rx_head].len;
        uint8_t *frame = __real_malloc(len);
        lab_require(frame != NULL, "no memory for a frame");
        memcpy(frame, s.rx[s.rx_head].bytes, len);
        s.rx_head = (s.rx_head + 1) % RX_RING;
        s.rx_count--;
        nic->stats.rx_packets++;
        unguard_next();
        nic->receive(nic, frame, len);
        free(frame);
        n++;
    }
    return n;
}

static bool card_arm(struct nic *nic)
{
    (void)nic;
    return false;
}

static enum fl_err card_send(struct nic *nic, const struct nic_piece *pieces, size_t count)
{
    static uint8_t frame[NIC_FRAME_MAX];
    struct card *c = CONTAINER_OF(nic, struct card, nic);
    size_t len;

    if (nic_frame_len(pieces, count, &len) != FL_OK) {
        return FL_EINVAL;
    }
    if (c->choked > 0) {
        c->choked--;
        nic->tx_waiting = true;
        return FL_ENOSPC;
    }
    nic_gather(frame, pieces, count);
    nic->stats.tx_packets++;
    s.sent((unsigned)(c - s.cards), frame, len);
    return FL_OK;
}

static void card_quiet(struct nic *nic) { (void)nic; }

static const struct nic_driver driver = {.name = "fuzz",
                                         .poll = card_poll,
                                         .arm = card_arm,
                                         .send = card_send,
                                         .flush = card_quiet,
                                         .stop = card_quiet};

const uint8_t *lab_mac(unsigned card) { return s.cards[card].nic.mac; }

/* As the network fiber goes round (net/stack/netmain.c). */
static void round_trip(void)
{
    STACK_TIMERS();
    for (unsigned i = 0; i < CARDS; i++) {
        (void)net_if_poll(&s.cards[i].net);
    }
    STACK_LOOPBACK();
    events_poll();
    http_poll();
}

static void settle(void)
{
    s.in_round = true;
    do {
        round_trip();
    } while (s.rx_count > 0);
    s.in_round = false;
}

void lab_receive(unsigned card, const uint8_t *frame, size_t len)
{
    if (len < NIC_FRAME_MIN || len > LAB_FRAME_MAX || s.rx_count == RX_RING ||
        !s.cards[card].nic.link || (s.limited && s.frames == INPUT_FRAMES)) {
        return;
    }
    s.frames++;
    unsigned at = (s.rx_head + s.rx_count++) % RX_RING;
    s.rx[at].card = card;
    s.rx[at].len = len;
    memcpy(s.rx[at].bytes, frame, len);
    if (!s.in_round) {
        settle();
    }
}

void lab_set_link(unsigned card, bool up)
{
    s.cards[card].nic.link = up;
    settle();
}

void lab_choke(unsigned card, unsigned sends) { s.cards[card].choked = sends; }

/* --- time ------------------------------------------------------------------------------------- */

static uint64_t now_ms(void) { return host_clock_peek_ns() / (NS_PER_US * US_PER_MS); }

void lab_pass_ms(uint64_t ms)
{
    if (s.limited) {
        ms = min_u64(ms, INPUT_MS - s.ms);
        s.ms += ms;
    }
    uint64_t end = now_ms() + ms;
    while (now_ms() < end) {
        /* A timer that is late would be put off, and the next input would start differently. */
        uint64_t step = max_u64(sys_timeouts_sleeptime(), 1);
        host_clock_set(min_u64(now_ms() + step, end) * US_PER_MS * NS_PER_US);
        settle();
    }
}

/* --- from input to input ---------------------------------------------------------------------- */

void lab_calm(void)
{
    s.limited = false;
    lab_fail_malloc(0);
    lab_choke(CARD_STATIC, 0);
    lab_choke(CARD_DHCP, 0);
    lab_set_link(CARD_STATIC, true);
    lab_set_link(CARD_DHCP, false);
}

/* Sets the clock back. Every timer keeps its distance from now. */
static void rewind_clock(void)
{
    uint64_t first = sys_timeouts_sleeptime();
    host_clock_set((START_MS + first) * US_PER_MS * NS_PER_US);
    sys_restart_timeouts(); /* the first one is due now, the others keep their distance to it */
    host_clock_set(START_MS * US_PER_MS * NS_PER_US);
    /* TCP's slow timer runs at every second tick: the next one is a fast one. */
    tcp_ticks = 0;
    while (tcp_ticks == 0) {
        tcp_tmr();
    }
    tcp_ticks = 0;
}

/* Routers, prefixes, neighbours and what came of them. */
static void forget_ip6(struct netif *lw)
{
    nd6_cleanup_netif(lw);
    nd6_clear_destination_cache();
    for (s8_t i = 1; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        netif_ip6_addr_set_state(lw, i, IP6_ADDR_INVALID);
    }
    if (!ip6_addr_isinvalid(netif_ip6_addr_state(lw, 0))) {
        netif_ip6_addr_set_state(lw, 0, IP6_ADDR_PREFERRED); /* somebody may have claimed it */
    }
    lw->mtu6 = lw->mtu;
    lw->rs_count = 0;
}

static void drop_everything(void)
{
    while (tcp_active_pcbs != NULL) {
        tcp_abort(tcp_active_pcbs);
    }
    while (tcp_tw_pcbs != NULL) {
        tcp_abort(tcp_tw_pcbs);
    }
    struct netif *asks = &s.cards[CARD_DHCP].net.lw;
    dhcp_stop(asks);
    netif_set_addr(asks, IP4_ADDR_ANY4, IP4_ADDR_ANY4, IP4_ADDR_ANY4);
#if LWIP_DNS
    for (unsigned i = 0; i < DNS_MAX_SERVERS; i++) {
        dns_setserver((u8_t)i, NULL);
    }
#endif
    settle();
    for (unsigned i = 0; i < CARDS; i++) {
        etharp_cleanup_netif(&s.cards[i].net.lw);
        forget_ip6(&s.cards[i].net.lw);
    }
}

static void wind_down(void)
{
    lab_calm();
    drop_everything();
    uint64_t ms = CYCLE_MS - now_ms() % CYCLE_MS;
    lab_pass_ms(ms < SETTLED_MS ? ms + CYCLE_MS : ms);
    rewind_clock();
}

static void add_card(unsigned index)
{
    static const struct net_config fixed = {.ip = LAB_IP,
                                            .mask = 0xffffff00u,
                                            .gateway = 0x0a000202u,
                                            .ipv6 = true,
                                            .mdns = true,
                                            .http = true};
    static const struct net_config asks = {
        .dhcp = true, .hostname = "firstlight", .ipv6 = true, .mdns = true};
    struct card *c = &s.cards[index];
    struct fl_fail fail;

    c->nic.driver = &driver;
    c->nic.pci = &c->pci;
    c->nic.link = true;
    memcpy(c->nic.mac, (const uint8_t[]){0x52, 0x54, 0, 0x12, 0x34, (uint8_t)(0x56 + index)}, 6);
    bool dhcp = index == CARD_DHCP;
    lab_require(net_if_add(&c->net, &c->nic, index, dhcp, dhcp ? &asks : &fixed, &fail) == FL_OK,
                "card %u: %s", index, fail.text);
    s.input = c->net.lw.input;
    c->net.lw.input = guard;
}

void lab_start(void (*sent)(unsigned card, const uint8_t *frame, size_t len))
{
    static struct api_context api = {.version = "fuzz"};
    struct fl_fail fail;

    host_reset();
    host_clock_set_step(0);
    host_random_seed(RANDOM_SEED);
    s.sent = sent;
    lab_require(ram_init(&fail) == FL_OK, "no RAM: %s", fail.text);
    lwip_init();
    discovery_init();
    api_init(&api);
    http_start();
    for (unsigned i = 0; i < CARDS; i++) {
        add_card(i);
    }
    lab_pass_ms(SETTLED_MS); /* until IPv6 and mDNS have begun everywhere */
    wind_down();             /* what is allocated once is allocated now */
}

/* --- what must hold --------------------------------------------------------------------------- */

static const char *const pool_names[] = {
#define LWIP_MEMPOOL(name, num, size, desc) desc,
#include "lwip/priv/memp_std.h"
};

static void count_pools(uint32_t out[MEMP_MAX])
{
    for (unsigned i = 0; i < MEMP_MAX; i++) {
        out[i] = (uint32_t)lwip_stats.memp[i]->used;
    }
}

static size_t heap_bytes(void)
{
#if defined(FL_ASAN)
    return __sanitizer_get_current_allocated_bytes();
#else
    return 0;
#endif
}

/* lwIP's assertions that cost a connection only; all others panic. */
static uint64_t assertions(void)
{
#if defined(NET_HALF_OPEN_MAX)
    struct stack_stats stats;
    stack_get_stats(&stats);
    return stats.assertions;
#else
    return 0;
#endif
}

uint32_t lab_http_open(void)
{
    struct http_stats stats;
    http_get_stats(&stats);
    return stats.open;
}

void lab_begin(void)
{
    host_random_seed(RANDOM_SEED);
    log_reset_at(0);
    s.rx_head = s.rx_count = 0;
    s.frames = 0;
    s.ms = 0;
    s.limited = true;
    count_pools(s.pools);
    s.heap = heap_bytes();
    s.assertions = assertions();
    for (unsigned i = 0; i < CARDS; i++) {
        s.cards[i].choked = 0;
        lab_set_link(i, true);
    }
    lab_require(dhcp_start(&s.cards[CARD_DHCP].net.lw) == ERR_OK, "DHCP does not start");
}

void lab_end(void)
{
    uint32_t used[MEMP_MAX];

    wind_down();
    count_pools(used);
    for (unsigned i = 0; i < MEMP_MAX; i++) {
        lab_require(used[i] == s.pools[i], "pool %s: %u in use at the end, %u at the start",
                    pool_names[i], used[i], s.pools[i]);
    }
    lab_require(lab_http_open() == 0, "%u HTTP connections without TCP ones",
                (unsigned)lab_http_open());
    for (const struct tcp_pcb_listen *l = tcp_listen_pcbs.listen_pcbs; l != NULL; l = l->next) {
        lab_require(l->accepts_pending == 0, "%u connections never accepted",
                    (unsigned)l->accepts_pending);
    }
    lab_require(assertions() == s.assertions, "an assertion of lwIP has cost a connection");
    size_t heap = heap_bytes();
    lab_require(heap == s.heap, "heap: %zu bytes at the end, %zu at the start", heap, s.heap);
}
