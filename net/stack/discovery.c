/* SPDX-License-Identifier: MIT */
/* Names and services by multicast DNS (discovery.h). */
#include "net/stack/discovery.h"

#include <stdio.h>
#include <string.h>

#include "lwip/apps/mdns.h"

#include "arch/log.h"

#define HTTP_PORT   80
#define HTTPS_PORT  443
#define SUFFIX_TEXT 12 /* "-" and a number */

_Static_assert(NET_HOSTNAME_MAX - 1 <= MDNS_LABEL_MAXLEN, "a name is one label");
_Static_assert(MDNS_MAX_SERVICES == 2, "_http and _https");

static struct {
    struct net_discovery *cards[NET_MAX_NICS];
    unsigned count;
    struct log_limit log;
} state;

/* What is served where, for those who look for services (RFC 6763, 6: the version first). */
static void put_txt(struct mdns_service *service, void *arg)
{
    static const char *const items[] = {"txtvers=1", "path=/", "product=Firstlight"};
    (void)arg;
    for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
        (void)mdns_resp_add_service_txtitem(service, items[i], (uint8_t)strlen(items[i]));
    }
}

/* The n-th name after the first: NAME-2, NAME-3, ... */
static void next_name(struct net_discovery *d, const char *first)
{
    char suffix[SUFFIX_TEXT];
    snprintf(suffix, sizeof(suffix), "-%u", d->conflicts + 1);
    snprintf(d->name, sizeof(d->name), "%.*s%s", (int)(sizeof(d->name) - 1 - strlen(suffix)), first,
             suffix);
}

static void first_name(const struct net_discovery *d, const struct net_config *cfg,
                       char out[NET_HOSTNAME_MAX])
{
    const uint8_t *mac = d->lw->hwaddr;
    if (cfg->hostname[0] != '\0' && strcmp(cfg->hostname, NET_HOSTNAME_DEFAULT) != 0) {
        snprintf(out, NET_HOSTNAME_MAX, "%s", cfg->hostname);
    } else {
        snprintf(out, NET_HOSTNAME_MAX, NET_HOSTNAME_DEFAULT "-%02x%02x%02x", mac[3], mac[4],
                 mac[5]);
    }
}

static struct net_discovery *of(const struct netif *lw)
{
    for (unsigned i = 0; i < state.count; i++) {
        if (state.cards[i]->lw == lw) {
            return state.cards[i];
        }
    }
    return NULL;
}

/* The end of probing. slot: whose name somebody else has; all of a card's are changed together, for
 * they are the same one. */
static void probed(struct netif *lw, u8_t result, s8_t slot)
{
    struct net_discovery *d = of(lw);
    (void)slot;
    if (d == NULL) {
        return;
    }
    if (result == MDNS_PROBING_SUCCESSFUL) {
        if (!d->said) { /* it is looked for again whenever an address changes */
            log_limited(&state.log, LOG_INFO, "net", "found as %s.local", d->name);
        }
        d->said = true;
        return;
    }
    char first[NET_HOSTNAME_MAX], old[NET_HOSTNAME_MAX];
    memcpy(old, d->name, sizeof(old));
    first_name(d, d->cfg, first);
    d->conflicts++;
    d->said = false;
    next_name(d, first);
    log_limited(&state.log, LOG_WARN, "net", "%s.local is somebody else's: trying %s.local", old,
                d->name);
    (void)mdns_resp_rename_netif(lw, d->name);
    for (uint8_t i = 0; i < d->services; i++) {
        (void)mdns_resp_rename_service(lw, i, d->name);
    }
}

static void add_service(struct net_discovery *d, const char *type, uint16_t port)
{
    if (mdns_resp_add_service(d->lw, d->name, type, DNSSD_PROTO_TCP, port, put_txt, NULL) >= 0) {
        d->services++;
    } else {
        log_warn("net", "no memory to announce %s", type);
    }
}

void discovery_init(void)
{
    mdns_resp_register_name_result_cb(probed);
    mdns_resp_init();
}

void discovery_name(struct net_discovery *d, struct netif *lw, const struct net_config *cfg)
{
    if (d->name[0] == '\0') {
        d->lw = lw;
        d->cfg = cfg;
        first_name(d, cfg, d->name);
    }
}

void discovery_start(struct net_discovery *d, struct netif *lw, const struct net_config *cfg)
{
    if (d->started || state.count == NET_MAX_NICS) {
        return;
    }
    d->started = true;
    discovery_name(d, lw, cfg);
    if (mdns_resp_add_netif(lw, d->name) != ERR_OK) {
        log_warn("net", "no memory to answer for %s.local", d->name);
        return;
    }
    state.cards[state.count++] = d;
    if (cfg->http) {
        add_service(d, "_http", HTTP_PORT);
    }
    if (cfg->https) {
        add_service(d, "_https", HTTPS_PORT);
    }
}
