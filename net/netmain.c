/* SPDX-License-Identifier: MIT */
/* The network fiber. */
#include "net/netmain.h"

#include <stdio.h>
#include <string.h>

#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/stats.h"
#include "lwip/timeouts.h"

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/log.h"
#include "arch/machine.h"
#include "net/http.h"
#include "net/netif.h"
#include "net/nic.h"

/* Handlers of the API run on this stack. */
#define NET_STACK_BYTES KIB(64)

static struct {
    bool spawned;
    bool started;
    const struct pci *pci; /* borrowed, may be NULL */
    struct net_config cfg;
    struct event wake;
    struct net_if ifs[NET_MAX_NICS];
    uint32_t count;
    /* Cards that did not come up, shown behind the others. */
    struct {
        const struct nic_driver *driver;
        const struct pci_dev *pci;
        struct fl_fail fail;
    } failed[NET_MAX_NICS];
    uint32_t failed_count;
    uint64_t wakeups;
} state;

static void note_failure(const struct nic_driver *driver, const struct pci_dev *pci,
                         const struct fl_fail *fail)
{
    char name[PCI_NAME_MAX];
    log_error("net", "%s at %s does not come up: %s: %s%s%s", driver->name, pci_name(pci, name),
              fail->what, fail->text, fail->hint[0] != '\0' ? "; " : "", fail->hint);
    if (state.count + state.failed_count < NET_MAX_NICS) {
        state.failed[state.failed_count].driver = driver;
        state.failed[state.failed_count].pci = pci;
        state.failed[state.failed_count].fail = *fail;
        state.failed_count++;
    }
}

static void add_card(const struct nic_driver *driver, const struct pci_dev *pci)
{
    struct fl_fail fail = {0};
    struct nic *nic;
    enum fl_err err = driver->probe(pci, &state.wake, &nic, &fail);

    if (err == FL_OK) {
        /* A static address is for one card: the first. */
        bool dhcp = state.cfg.dhcp || state.count != 0;
        struct net_if *p = &state.ifs[state.count];
        err = net_if_add(p, nic, state.count, dhcp, &state.cfg, &fail);
        if (p->listed) {
            state.count++; /* lwIP keeps a pointer to it */
        }
    }
    if (err != FL_OK) {
        fl_fail_stage(&fail, "net");
        note_failure(driver, pci, &fail);
    }
}

static void add_cards(void)
{
    size_t unknown = 0;
    for (size_t i = 0; state.pci != NULL && i < state.pci->count; i++) {
        const struct pci_dev *pci = &state.pci->dev[i];
        const struct nic_driver *driver = nic_find_driver(pci);
        if (driver == NULL) {
            unknown += pci->class_code >> 8 == 0x0200u; /* Ethernet controller */
        } else if (state.count + state.failed_count == NET_MAX_NICS) {
            log_warn("net", "more than %u network cards: the rest is left alone", NET_MAX_NICS);
            break;
        } else {
            add_card(driver, pci);
        }
    }
    if (state.count == 0) {
        log_error("net",
                  "no network card that works (%u Ethernet controllers without a driver); "
                  "drivers: virtio-net, e1000e (82574L)",
                  (unsigned)unknown);
    }
}

/* One round over everything. True when there may be more to do at once. */
static bool round_trip(void)
{
    bool more = false;

    sys_check_timeouts();
    for (uint32_t i = 0; i < state.count; i++) {
        more |= net_if_poll(&state.ifs[i]);
    }
    netif_poll_all(); /* what the appliance sends to itself */
    for (uint32_t i = 0; i < state.count; i++) {
        struct nic *nic = state.ifs[i].nic;
        nic->driver->flush(nic);
    }
    return more;
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

static void net_fiber(void *arg)
{
    (void)arg;
    lwip_init();
    state.started = true;
    http_start();
    add_cards();
    for (;;) {
        if (round_trip() || arm_all()) {
            fiber_yield();
            continue;
        }
        uint32_t sleep_ms = sys_timeouts_sleeptime();
        struct deadline until = sleep_ms == SYS_TIMEOUTS_SLEEPTIME_INFINITE
                                    ? deadline_never()
                                    : deadline_in_us(sleep_ms * US_PER_MS);
        if (event_wait(&state.wake, until) == FL_OK) {
            state.wakeups++;
        }
    }
}

void net_start(const struct pci *pci, const struct net_config *cfg)
{
    FL_ASSERT(!state.spawned);
    state.spawned = true;
    state.pci = pci;
    state.cfg = *cfg;
    state.cfg.hostname[NET_HOSTNAME_MAX - 1] = '\0';
    event_init(&state.wake);
    if (fiber_spawn("net", net_fiber, NULL, NET_STACK_BYTES) == NULL) {
        log_error("net", "no memory for the network fiber");
    }
}

void net_kick(void) { event_signal(&state.wake); }

const char *net_nic_state_name(enum net_nic_state s)
{
    static const char *const names[] = {[NET_NIC_FAILED] = "failed",
                                        [NET_NIC_NO_LINK] = "no link",
                                        [NET_NIC_DHCP] = "dhcp",
                                        [NET_NIC_UP] = "up"};
    return (size_t)s < ARRAY_SIZE(names) ? names[s] : "unknown";
}

void net_get_status(struct net_status *out)
{
    *out = (struct net_status){.started = state.started, .wakeups = state.wakeups};
    for (uint32_t i = 0; i < state.count; i++) {
        net_if_status(&state.ifs[i], &out->nic[out->nic_count++]);
    }
    for (uint32_t i = 0; i < state.failed_count; i++) {
        struct net_nic_status *n = &out->nic[out->nic_count++];
        n->state = NET_NIC_FAILED;
        n->driver = state.failed[i].driver->name;
        pci_name(state.failed[i].pci, n->pci);
        snprintf(n->error, sizeof(n->error), "%s", state.failed[i].fail.text);
    }
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
