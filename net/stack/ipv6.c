/* SPDX-License-Identifier: MIT */
/* IPv6 on a card: its addresses (ipv6.h). */
#include "net/stack/ipv6.h"

#include <ctype.h>
#include <string.h>

#include "lwip/ip6_addr.h"

#include "arch/log.h"

_Static_assert(LWIP_IPV6_NUM_ADDRESSES <= NET_IP6_MAX, "the status has room for all");

/* lwIP writes capitals. */
void net_ip6_text(const uint8_t ip6[NET_IP6_BYTES], char out[NET_IP6_TEXT])
{
    ip6_addr_t ip;
    memcpy(ip.addr, ip6, NET_IP6_BYTES);
    ip6_addr_clear_zone(&ip);
    if (ip6addr_ntoa_r(&ip, out, NET_IP6_TEXT) == NULL) {
        out[0] = '\0';
    }
    for (; *out != '\0'; out++) {
        *out = (char)tolower((unsigned char)*out);
    }
}

void net_ipv6_start(struct net_ipv6 *v6, struct netif *lw)
{
    if (v6->started) {
        return;
    }
    v6->started = true;
    netif_set_ip6_autoconfig_enabled(lw, 1);
    netif_create_ip6_linklocal_address(lw, 1);
}

void net_ipv6_changed(struct net_ipv6 *v6, const struct netif *lw, unsigned index)
{
    char text[NET_IP6_TEXT];
    for (unsigned i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        const uint8_t state = netif_ip6_addr_state(lw, i);
        const bool valid = ip6_addr_isvalid(state);
        const bool duplicated = ip6_addr_isduplicated(state);
        const uint8_t bit = (uint8_t)(1u << i);
        if (valid == ((v6->said & bit) != 0) && !duplicated) {
            continue;
        }
        v6->said = (uint8_t)(valid ? v6->said | bit : v6->said & ~bit);
        net_ip6_text((const uint8_t *)netif_ip6_addr(lw, i)->addr, text);
        if (valid) {
            log_info("net", "net%u: address %s", index, text);
        } else if (duplicated) {
            log_warn("net", "net%u: %s is somebody else's already: not used", index, text);
        } else {
            log_warn("net", "net%u: lost its address %s", index, text);
        }
    }
}

void net_ipv6_status(const struct netif *lw, struct net_nic_status *out)
{
    for (unsigned i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        if (ip6_addr_isvalid(netif_ip6_addr_state(lw, i))) {
            memcpy(out->ip6[out->ip6_count++], netif_ip6_addr(lw, i)->addr, sizeof(out->ip6[0]));
        }
    }
}
