/* SPDX-License-Identifier: MIT */
/*
 * GET /api/v1/sd: this appliance as a target for Prometheus (its documentation, "Writing HTTP
 * service discovery"): a list of one group, empty while there is no address. One target, however
 * many addresses there are: several would be scraped several times.
 */
#include <stdio.h>

#include "net/api/api_priv.h"
#include "net/http/tls.h"
#include "net/stack/netmain.h"

#define IP6_LINK_LOCAL 0xfe80u /* its first 16 bits */

/* ADDRESS:PORT, IPv4 first; an address of one link only is no use to others. False: none yet. */
static bool put_target(const struct net_status *st, unsigned port, char *out, size_t size)
{
    for (uint32_t i = 0; i < st->nic_count; i++) {
        const uint32_t ip = st->nic[i].ip;
        if (ip != 0) {
            snprintf(out, size, "%u.%u.%u.%u:%u", (unsigned)(ip >> 24), (unsigned)(ip >> 16 & 0xff),
                     (unsigned)(ip >> 8 & 0xff), (unsigned)(ip & 0xff), port);
            return true;
        }
    }
    for (uint32_t i = 0; i < st->nic_count; i++) {
        for (unsigned k = 0; k < st->nic[i].ip6_count; k++) {
            const uint8_t *ip6 = st->nic[i].ip6[k];
            if ((unsigned)(ip6[0] << 8 | ip6[1]) != IP6_LINK_LOCAL) {
                char text[NET_IP6_TEXT];
                net_ip6_text(ip6, text);
                snprintf(out, size, "[%s]:%u", text, port);
                return true;
            }
        }
    }
    return false;
}

void api_put_sd(struct jw *j, const struct net_status *st, bool https)
{
    enum { PORT = 80, TLS_PORT = 443 };
    char target[NET_IP6_TEXT + sizeof("[]:65535")];
    const char *hostname = api_context()->access.hostname;
    jw_array(j, NULL);
    if (put_target(st, https ? TLS_PORT : PORT, target, sizeof(target))) {
        jw_object(j, NULL);
        jw_array(j, "targets");
        jw_str(j, NULL, target);
        jw_end_array(j);
        jw_object(j, "labels");
        jw_str(j, "__scheme__", https ? "https" : "http");
        jw_str(j, "hostname", hostname != NULL ? hostname : "");
        jw_str(j, "__meta_firstlight_version", api_context()->version);
        jw_end_object(j);
        jw_end_object(j);
    }
    jw_end_array(j);
}

void api_get_sd(const struct http_request *req, struct http_response *res)
{
    static struct net_status st; /* large; the API runs in one fiber */
    struct jw j;
    (void)req;
    net_get_status(&st);
    jw_begin(&j, &res->body);
    api_put_sd(&j, &st, tls_only());
    text_append(&res->body, "\n", 1);
}
