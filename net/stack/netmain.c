/* SPDX-License-Identifier: MIT */
/* The network fiber. */
#include "net/stack/netmain.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lwip/apps/mdns_opts.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/stats.h"
#include "lwip/timeouts.h"
#include "netif/ppp/ppp_opts.h" /* LWIP_NUM_SYS_TIMEOUT_INTERNAL counts its timers, of which there are none */

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/log.h"
#include "arch/machine.h"
#include "net/nic/drivers.h"
#include "net/nic/nic.h"
#include "net/stack/netif.h"
#include "net/stack/stack.h"
#include "net/stack/syslog.h"
#include "net/stack/walltime.h"
#include "pci/pci_regs.h"

/* A frame is often followed by another soon (the next request of a client, its acknowledgement):
 * for so long after one the fiber looks again instead of arming interrupts and halting. Longer than
 * a round trip to a client on the same wire, far too short to matter to an idle machine. */
#define LINGER_US 300u

/* Handlers of the API run on this stack. */
#define NET_STACK_BYTES KIB(64)

/* Of a card: those that wait for its address (netif.c), and mDNS. One of lwIP's timers too few
 * would stop the machine. */
#define CARD_TIMERS (3u + DISCOVERY_TIMERS)
_Static_assert(LWIP_NUM_SYS_TIMEOUT_INTERNAL + NET_MAX_NICS * CARD_TIMERS + MDNS_MAX_STORED_PKTS +
                       WALLTIME_TIMERS + SYSLOG_TIMERS <=
                   MEMP_NUM_SYS_TIMEOUT,
               "a timer for all who may wait");

static struct {
    bool spawned;
    bool started;
    const struct pci *pci; /* borrowed, may be NULL */
    struct net_config cfg;
    struct net_service service;
    struct event wake;
    struct event up;  /* an address is there, or nothing to wait for */
    bool had_address; /* a card once */
    uint64_t told;    /* mark() when the service was last told of a change */
    /* Cards as the probing fiber leaves them; taken: how many lwIP has got. */
    struct card {
        const struct nic_driver *driver;
        const struct pci_dev *pci;
        struct nic *nic;    /* NULL: did not come up, see fail */
        struct net_if *net; /* NULL: not lwIP's */
        struct fl_fail fail;
    } cards[NET_MAX_NICS];
    uint32_t found, taken;
    struct net_if ifs[NET_MAX_NICS];
    uint32_t count; /* of ifs */
    uint64_t wakeups;
} state;

static void log_failure(const struct card *c)
{
    char name[PCI_NAME_MAX];
    log_error("net", "%s at %s does not come up: %s: %s%s%s", c->driver->name,
              pci_name(c->pci, name), c->fail.what, c->fail.text,
              c->fail.hint[0] != '\0' ? "; " : "", c->fail.hint);
}

/* Finds and wakes the cards, one after the other, and hands each over as it comes up: a slow one
 * must not keep the others from answering. */
static void probe_fiber(void *arg)
{
    unsigned unknown = 0;
    bool any = false;

    (void)arg;
    for (size_t i = 0; state.pci != NULL && i < state.pci->count; i++) {
        const struct pci_dev *pci = &state.pci->dev[i];
        const struct nic_driver *driver = nic_find_driver(pci);
        if (driver == NULL) {
            unknown += pci->class_code >> 8 == PCI_CLASS_ETHERNET;
            continue;
        }
        if (state.found == NET_MAX_NICS) {
            log_warn("net", "more than %u network cards: the rest is left alone", NET_MAX_NICS);
            break;
        }
        struct card *c = &state.cards[state.found];
        c->driver = driver;
        c->pci = pci;
        if (driver->probe(pci, &state.wake, &c->nic, &c->fail) != FL_OK) {
            c->nic = NULL;
            fl_fail_stage(&c->fail, "net");
            log_failure(c);
        }
        any |= c->nic != NULL;
        state.found++;
        event_signal(&state.wake);
    }
    if (!any) {
        event_signal(&state.up);
        log_error("net",
                  "no network card that works (%u Ethernet controllers without a driver); "
                  "drivers: virtio-net, e1000e (82574L)",
                  unknown);
    }
}

static void take_card(struct card *c)
{
    if (c->nic == NULL) {
        return;
    }
    /* A static address is for one card: the first. */
    bool dhcp = state.cfg.dhcp || state.count != 0;
    struct net_if *p = &state.ifs[state.count];
    if (net_if_add(p, c->nic, state.count, dhcp, &state.cfg, &c->fail) != FL_OK) {
        fl_fail_stage(&c->fail, "net");
        log_failure(c);
    }
    if (p->listed) {
        c->net = p;
        state.count++; /* lwIP keeps a pointer to it */
    } else {
        c->driver->stop(c->nic); /* nobody would take what it receives */
    }
}

/* Tells net_wait_up() of the first address. */
static void note_address(void)
{
    for (uint32_t i = 0; i < state.count && !state.had_address; i++) {
        if (state.ifs[i].address_us != 0) {
            state.had_address = true;
            event_signal(&state.up);
        }
    }
}

/* Another number when a card came, or one's link or address changed. */
static uint64_t mark(void)
{
    uint64_t sum = state.taken;
    for (uint32_t i = 0; i < state.count; i++) {
        const struct net_if *p = &state.ifs[i];
        sum += p->address_us + ((uint64_t)p->nic->link + 2 * (uint64_t)p->nic->broken) * (i + 1);
    }
    return sum;
}

static void tell_changes(void)
{
    const uint64_t now = mark();
    if (now != state.told && state.service.changed != NULL) {
        state.service.changed();
    }
    state.told = now;
}

static uint64_t frames_received(void)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < state.count; i++) {
        sum += state.ifs[i].nic->stats.rx_packets;
    }
    return sum;
}

static bool arm_all(void)
{
    bool more = false;
    for (uint32_t i = 0; i < state.count; i++) {
        struct nic *nic = state.ifs[i].nic;
        more |= nic->driver->arm(nic);
    }
    return more;
}

/* Takes what the cards have received. True when there may be more to do at once. */
static bool poll_cards(void)
{
    bool more = false;
    for (uint32_t i = 0; i < state.count; i++) {
        more |= net_if_poll(&state.ifs[i]);
    }
    return more;
}

/* Everything but frames; what it leads to is sent. */
static void serve(void)
{
    while (state.taken < state.found) {
        take_card(&state.cards[state.taken++]);
    }
    stack_timers();
    stack_loopback();
    state.service.poll();
    for (uint32_t i = 0; i < state.count; i++) {
        struct nic *nic = state.ifs[i].nic;
        nic->driver->flush(nic);
    }
    note_address();
    tell_changes();
}

/* When serve() has something to do at the latest, whatever comes. */
static struct deadline next_due(void)
{
    const uint32_t sleep_ms = sys_timeouts_sleeptime();
    struct deadline until = sleep_ms == SYS_TIMEOUTS_SLEEPTIME_INFINITE
                                ? deadline_never()
                                : deadline_in_us(sleep_ms * US_PER_MS);
    if (state.service.due_us != NULL) {
        until.at_us = min_u64(until.at_us, state.service.due_us());
    }
    return until;
}

static void start(void)
{
    lwip_init();
    if (state.cfg.mdns) {
        discovery_init();
    }
    walltime_init(&state.cfg);
    syslog_start(&state.cfg);
    state.started = true;
    state.service.start();
    if (fiber_spawn("nics", probe_fiber, NULL, FIBER_STACK_DEFAULT) == NULL) {
        log_error("net", "no memory for the fiber that finds the network cards");
    }
}

static void net_fiber(void *arg)
{
    uint64_t linger_until_us = 0;
    struct deadline due = {0}; /* at once */
    (void)arg;
    start();
    for (;;) {
        const uint64_t before = frames_received();
        const bool more = poll_cards();
        const bool received = frames_received() != before;
        uint64_t now_us = clock_now_us();
        if (event_take(&state.wake) || received || now_us >= due.at_us) {
            serve();
            due = next_due();
            now_us = due.start_us;
        }
        if (received) {
            linger_until_us = now_us + LINGER_US;
        }
        if (more || now_us < linger_until_us || arm_all()) {
            fiber_yield(); /* then only the cards are looked at, while nothing happens */
            continue;
        }
        if (event_wait(&state.wake, due) == FL_OK) {
            state.wakeups++;
        }
        due.at_us = 0; /* woken, by whatever: look at everything */
    }
}

void net_start(const struct pci *pci, const struct net_config *cfg,
               const struct net_service *service)
{
    FL_ASSERT(!state.spawned);
    state.spawned = true;
    state.pci = pci;
    state.cfg = *cfg;
    state.service = *service;
    state.cfg.hostname[NET_HOSTNAME_MAX - 1] = '\0';
    event_init(&state.wake);
    event_init(&state.up);
    if (fiber_spawn("net", net_fiber, NULL, NET_STACK_BYTES) == NULL) {
        event_signal(&state.up);
        log_error("net", "no memory for the network fiber");
    }
}

void net_wake(void) { event_signal(&state.wake); }

bool net_has_been_up(void) { return state.had_address; }

enum fl_err net_wait_up(struct deadline d) { return event_wait(&state.up, d); }

const char *net_nic_state_name(enum net_nic_state s)
{
    static const char *const names[] = {[NET_NIC_FAILED] = "failed",
                                        [NET_NIC_NO_LINK] = "no link",
                                        [NET_NIC_DHCP] = "dhcp",
                                        [NET_NIC_UP] = "up"};
    return (size_t)s < ARRAY_SIZE(names) ? names[s] : "unknown";
}

bool net_is_local_name(const char *name, size_t len)
{
    static const char domain[] = ".local";
    for (uint32_t i = 0; i < state.count; i++) {
        const char *ours = state.ifs[i].discovery.name;
        const size_t n = strlen(ours);
        if (n != 0 && len == n + sizeof(domain) - 1 && strncasecmp(name, ours, n) == 0 &&
            strncasecmp(name + n, domain, sizeof(domain) - 1) == 0) {
            return true;
        }
    }
    return false;
}

void net_get_status(struct net_status *out)
{
    *out = (struct net_status){
        .started = state.started, .dns = state.cfg.dns, .wakeups = state.wakeups};
    for (uint32_t i = 0; i < state.taken; i++) {
        const struct card *c = &state.cards[i];
        struct net_nic_status *n = &out->nic[out->nic_count++];
        if (c->net != NULL) {
            net_if_status(c->net, n);
        } else {
            n->state = NET_NIC_FAILED;
            n->driver = c->driver->name;
            pci_name(c->pci, n->pci);
            snprintf(n->error, sizeof(n->error), "%s", c->fail.text);
        }
    }
    walltime_status(&out->time);
    syslog_status(&out->syslog);
    if (state.started) {
        out->tcp_active = (uint32_t)lwip_stats.memp[MEMP_TCP_PCB]->used;
        out->tcp_max = (uint32_t)lwip_stats.memp[MEMP_TCP_PCB]->avail;
        out->tcp_drops = lwip_stats.tcp.drop;
        out->tcp_memory_errors = lwip_stats.tcp.memerr;
        out->pool_used = lwip_stats.memp[MEMP_PBUF_POOL]->used;
        out->pool_max = lwip_stats.memp[MEMP_PBUF_POOL]->avail;
        out->pool_errors = lwip_stats.memp[MEMP_PBUF_POOL]->err;
    }
}
