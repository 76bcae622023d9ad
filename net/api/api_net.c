/* SPDX-License-Identifier: MIT */
/* The network part of the status document. */
#include "net/api/api_priv.h"
#include "net/stack/netmain.h"
#include "net/stack/stack.h"

static void put_ipv4(struct json *j, const char *key, uint32_t ip)
{
    if (ip == 0) {
        json_null(j, key);
        return;
    }
    json_fmt(j, key, "%u.%u.%u.%u", (unsigned)(ip >> 24), (unsigned)(ip >> 16 & 0xff),
             (unsigned)(ip >> 8 & 0xff), (unsigned)(ip & 0xff));
}

/* What all cards share. */
static void put_stack(struct json *j, const struct net_status *st)
{
    struct stack_stats s;
    stack_get_stats(&s);
    json_object(j, "stack");
    put_ipv4(j, "dns", st->dns);
    json_u64(j, "tcp_active", st->tcp_active);
    json_u64(j, "tcp_max", st->tcp_max);
    json_u64(j, "tcp_drops", st->tcp_drops);
    json_u64(j, "tcp_memory_errors", st->tcp_memory_errors);
    json_u64(j, "half_open", s.half_open);
    json_u64(j, "half_open_evicted", s.half_open_evicted);
    json_u64(j, "half_open_expired", s.half_open_expired);
    json_u64(j, "closing", s.closing);
    json_u64(j, "closing_expired", s.closing_expired);
    json_u64(j, "time_wait", s.time_wait);
    json_u64(j, "time_wait_reused", s.time_wait_reused);
    json_u64(j, "buffers_used", st->pool_used);
    json_u64(j, "buffers_max", st->pool_max);
    json_u64(j, "buffers_missed", st->pool_errors);
    json_u64(j, "ooseq_limited", s.ooseq_limited);
    json_u64(j, "short_frames", s.short_frames);
    json_u64(j, "fragments", s.fragments);
    json_u64(j, "spoofed", s.spoofed);
    json_u64(j, "arp_limited", s.arp_limited);
    json_u64(j, "assertions", s.assertions);
    json_end_object(j);
}

void api_put_network(struct json *j)
{
    static struct net_status st; /* large; the API runs in one fiber */
    net_get_status(&st);
    put_stack(j, &st);
    json_array(j, "network");
    for (uint32_t i = 0; i < st.nic_count; i++) {
        const struct net_nic_status *n = &st.nic[i];
        json_object(j, NULL);
        json_str(j, "driver", n->driver);
        json_str(j, "pci", n->pci);
        json_fmt(j, "mac", "%02x:%02x:%02x:%02x:%02x:%02x", n->mac[0], n->mac[1], n->mac[2],
                 n->mac[3], n->mac[4], n->mac[5]);
        json_str(j, "state", net_nic_state_name(n->state));
        put_ipv4(j, "address", n->ip);
        put_ipv4(j, "mask", n->mask);
        put_ipv4(j, "gateway", n->gateway);
        json_u64(j, "address_us", n->address_us);
        json_u64(j, "speed_mbps", n->speed_mbps);
        json_u64(j, "rx_packets", n->rx_packets);
        json_u64(j, "rx_bytes", n->rx_bytes);
        json_u64(j, "rx_errors", n->rx_errors);
        json_u64(j, "rx_dropped", n->rx_dropped);
        json_u64(j, "tx_packets", n->tx_packets);
        json_u64(j, "tx_bytes", n->tx_bytes);
        json_u64(j, "tx_full", n->tx_full);
        json_u64(j, "interrupts", n->interrupts);
        json_u64(j, "kicks", n->kicks);
        json_str(j, "error", n->state == NET_NIC_FAILED ? n->error : NULL);
        json_end_object(j);
    }
    json_end_array(j);
}
