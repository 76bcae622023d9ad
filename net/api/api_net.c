/* SPDX-License-Identifier: MIT */
/* The network part of the status document. */
#include "net/api/api_priv.h"
#include "net/stack/netmain.h"
#include "net/stack/stack.h"

static void put_ipv4(struct jw *j, const char *key, uint32_t ip)
{
    if (ip == 0) {
        jw_null(j, key);
        return;
    }
    jw_fmt(j, key, "%u.%u.%u.%u", (unsigned)(ip >> 24), (unsigned)(ip >> 16 & 0xff),
           (unsigned)(ip >> 8 & 0xff), (unsigned)(ip & 0xff));
}

/* What all cards share. */
static void put_stack(struct jw *j, const struct net_status *st)
{
    struct stack_stats s;
    stack_get_stats(&s);
    jw_object(j, "stack");
    put_ipv4(j, "dns", st->dns);
    jw_u64(j, "tcp_active", st->tcp_active);
    jw_u64(j, "tcp_max", st->tcp_max);
    jw_u64(j, "tcp_drops", st->tcp_drops);
    jw_u64(j, "tcp_memory_errors", st->tcp_memory_errors);
    jw_u64(j, "half_open", s.half_open);
    jw_u64(j, "half_open_evicted", s.half_open_evicted);
    jw_u64(j, "half_open_expired", s.half_open_expired);
    jw_u64(j, "closing", s.closing);
    jw_u64(j, "closing_expired", s.closing_expired);
    jw_u64(j, "time_wait", s.time_wait);
    jw_u64(j, "time_wait_reused", s.time_wait_reused);
    jw_u64(j, "buffers_used", st->pool_used);
    jw_u64(j, "buffers_max", st->pool_max);
    jw_u64(j, "buffers_missed", st->pool_errors);
    jw_u64(j, "ooseq_limited", s.ooseq_limited);
    jw_u64(j, "short_frames", s.short_frames);
    jw_u64(j, "fragments", s.fragments);
    jw_u64(j, "spoofed", s.spoofed);
    jw_u64(j, "unwanted", s.unwanted);
    jw_u64(j, "early_dropped", s.early_dropped);
    jw_u64(j, "arp_limited", s.arp_limited);
    jw_u64(j, "mdns_limited", s.mdns_limited);
    jw_u64(j, "assertions", s.assertions);
    jw_end_object(j);
}

/* The time of day and the syslog server. */
static void put_services(struct jw *j, const struct net_status *st)
{
    jw_object(j, "time");
    jw_str(j, "source", st->time.syncs != 0 ? "sntp" : "machine");
    put_ipv4(j, "server", st->time.server);
    jw_u64(j, "syncs", st->time.syncs);
    jw_u64(j, "refused", st->time.refused);
    jw_u64(j, "last_sync_us", st->time.synced_us);
    jw_i64(j, "offset_us", st->time.offset_us);
    jw_end_object(j);
    jw_object(j, "syslog");
    jw_u64(j, "sent", st->syslog.sent);
    jw_u64(j, "failed", st->syslog.failed);
    jw_u64(j, "lost", st->syslog.lost);
    jw_end_object(j);
}

void api_put_network(struct jw *j)
{
    static struct net_status st; /* large; the API runs in one fiber */
    net_get_status(&st);
    put_stack(j, &st);
    put_services(j, &st);
    jw_array(j, "network");
    for (uint32_t i = 0; i < st.nic_count; i++) {
        const struct net_nic_status *n = &st.nic[i];
        jw_object(j, NULL);
        jw_str(j, "driver", n->driver);
        jw_str(j, "pci", n->pci);
        jw_fmt(j, "mac", "%02x:%02x:%02x:%02x:%02x:%02x", n->mac[0], n->mac[1], n->mac[2],
               n->mac[3], n->mac[4], n->mac[5]);
        jw_str(j, "state", net_nic_state_name(n->state));
        put_ipv4(j, "address", n->ip);
        if (n->local_name[0] != '\0') {
            jw_fmt(j, "name", "%s.local", n->local_name);
        } else {
            jw_null(j, "name");
        }
        jw_array(j, "addresses");
        if (n->ip != 0) {
            put_ipv4(j, NULL, n->ip);
        }
        for (uint32_t k = 0; k < n->ip6_count; k++) {
            char text[NET_IP6_TEXT];
            net_ip6_text(n->ip6[k], text);
            jw_str(j, NULL, text);
        }
        jw_end_array(j);
        put_ipv4(j, "mask", n->mask);
        put_ipv4(j, "gateway", n->gateway);
        jw_u64(j, "address_us", n->address_us);
        jw_u64(j, "speed_mbps", n->speed_mbps);
        jw_u64(j, "rx_packets", n->rx_packets);
        jw_u64(j, "rx_bytes", n->rx_bytes);
        jw_u64(j, "rx_errors", n->rx_errors);
        jw_u64(j, "rx_dropped", n->rx_dropped);
        jw_u64(j, "tx_packets", n->tx_packets);
        jw_u64(j, "tx_bytes", n->tx_bytes);
        jw_u64(j, "tx_full", n->tx_full);
        jw_u64(j, "interrupts", n->interrupts);
        jw_u64(j, "kicks", n->kicks);
        jw_str(j, "error", n->state == NET_NIC_FAILED ? n->error : NULL);
        jw_end_object(j);
    }
    jw_end_array(j);
}
