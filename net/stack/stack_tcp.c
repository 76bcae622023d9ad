/* SPDX-License-Identifier: MIT */
/* Connections that nobody has accepted yet, or that we have closed: how many, and for how long. */
#include "lwip/priv/tcp_priv.h"
#include "lwip/stats.h"

#include "hooks.h"
#include "net/stack/stack.h"

_Static_assert(NET_CONNECTIONS_MAX + NET_HALF_OPEN_MAX + NET_CLOSING_MAX + 32 <= MEMP_NUM_TCP_PCB,
               "a new connection always finds a control block");
/* A connection's data, a SYN or FIN of each of the others, and what waits for an earlier segment.
 */
_Static_assert(NET_CONNECTIONS_MAX *TCP_SND_QUEUELEN + NET_HALF_OPEN_MAX + NET_CLOSING_MAX +
                       PBUF_POOL_SIZE - NET_POOL_RESERVE <=
                   MEMP_NUM_TCP_SEG,
               "a new connection always finds a segment for its answer");
_Static_assert(NET_HALF_OPEN_MAX < TCP_DEFAULT_LISTEN_BACKLOG, "our limit comes first");
/* An unanswered request stays for 5 seconds (ARP_MAXPENDING in etharp.c). */
_Static_assert(NET_ARP_BURST + 5 * NET_ARP_PER_S < ARP_TABLE_SIZE,
               "requests never displace what is known");
_Static_assert(NET_ARP_BURST + 5 * NET_ARP_PER_S <= MEMP_NUM_ARP_QUEUE,
               "a packet that may ask finds room to wait");
/* A neighbour of IPv6 is asked for LWIP_ND6_MAX_MULTICAST_SOLICIT times, a second apart. */
_Static_assert(NET_ARP_BURST + (LWIP_ND6_MAX_MULTICAST_SOLICIT + 2) * NET_ARP_PER_S <
                       LWIP_ND6_NUM_NEIGHBORS &&
                   NET_ARP_BURST + (LWIP_ND6_MAX_MULTICAST_SOLICIT + 2) * NET_ARP_PER_S <=
                       MEMP_NUM_ND6_QUEUE,
               "the same for neighbours of IPv6");

static uint32_t age_ticks(const struct tcp_pcb *pcb) { return tcp_ticks - pcb->tmr; }

static uint32_t ticks(uint32_t seconds) { return seconds * 1000 / TCP_SLOW_INTERVAL; }

/* Closed by us, for good: lwIP keeps it until the peer has acknowledged that. Its tmr stands still
 * from then on. */
static bool is_closing(const struct tcp_pcb *pcb) { return (pcb->flags & TF_RXCLOSED) != 0; }

static bool is_pair(const struct tcp_pcb *pcb, const struct stack_syn *syn)
{
    return pcb->remote_port == syn->from_port && pcb->local_port == syn->to_port &&
           ip_addr_zoneless_eq(&pcb->remote_ip, &syn->from) &&
           ip_addr_zoneless_eq(&pcb->local_ip, &syn->to);
}

static bool is_listening(uint16_t port)
{
    for (const struct tcp_pcb_listen *l = tcp_listen_pcbs.listen_pcbs; l != NULL; l = l->next) {
        if (l->local_port == port) {
            return true;
        }
    }
    return false;
}

/* A connection in TIME-WAIT makes way for its successor, whose sequence numbers go on where the old
 * ones ended (RFC 6191, RFC 9293 3.10.7.4). False when there is an old one and it stays. */
static bool reuse_time_wait(const struct stack_syn *syn)
{
    for (struct tcp_pcb *pcb = tcp_tw_pcbs; pcb != NULL; pcb = pcb->next) {
        if (!is_pair(pcb, syn)) {
            continue;
        }
        if (!TCP_SEQ_GT(syn->seq, pcb->rcv_nxt)) {
            return false;
        }
        tcp_abort(pcb); /* says nothing to the peer in this state */
        stack_stats_mut()->time_wait_reused++;
        return true;
    }
    return true;
}

void stack_tcp_syn(const struct stack_syn *syn)
{
    struct tcp_pcb *oldest = NULL;
    uint32_t count = 0;

    if (!is_listening(syn->to_port)) {
        return;
    }
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        if (is_pair(pcb, syn)) {
            return; /* again: no new connection */
        }
        if (pcb->state == SYN_RCVD) {
            count++;
            if (oldest == NULL || age_ticks(pcb) >= age_ticks(oldest)) {
                oldest = pcb; /* of the same age, the last: new ones are put at the head */
            }
        }
    }
    if (reuse_time_wait(syn) && count >= NET_HALF_OPEN_MAX) {
        tcp_abandon(oldest, 0);
        stack_stats_mut()->half_open_evicted++;
    }
}

/* The oldest of those that are closing; *count: how many there are. */
static struct tcp_pcb *oldest_closing(uint32_t *count)
{
    struct tcp_pcb *oldest = NULL;

    *count = 0;
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        if (is_closing(pcb)) {
            ++*count;
            if (oldest == NULL || age_ticks(pcb) >= age_ticks(oldest)) {
                oldest = pcb;
            }
        }
    }
    return oldest;
}

void stack_tcp_closing(void)
{
    uint32_t count;
    struct tcp_pcb *oldest = oldest_closing(&count);
    if (count > NET_CLOSING_MAX) {
        tcp_abort(oldest);
        stack_stats_mut()->closing_expired++;
    }
}

void stack_tcp_expire(void)
{
    struct stack_stats *stats = stack_stats_mut();
    struct tcp_pcb *next;

    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = next) {
        next = pcb->next; /* neither of these has a callback that could take that one away */
        if (pcb->state == SYN_RCVD && age_ticks(pcb) > ticks(NET_HALF_OPEN_S)) {
            tcp_abandon(pcb, 0);
            stats->half_open_expired++;
        } else if (is_closing(pcb) && age_ticks(pcb) > ticks(NET_CLOSING_S)) {
            tcp_abort(pcb);
            stats->closing_expired++;
        }
    }
}

u16_t net_ooseq_limit(const struct tcp_pcb *pcb)
{
    (void)pcb;
    if (PBUF_POOL_SIZE - lwip_stats.memp[MEMP_PBUF_POOL]->used > NET_POOL_RESERVE) {
        return NET_OOSEQ_MAX;
    }
    stack_stats_mut()->ooseq_limited++;
    return 0;
}

void stack_get_stats(struct stack_stats *out)
{
    *out = *stack_stats_mut();
    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        out->half_open += pcb->state == SYN_RCVD;
        out->closing += is_closing(pcb);
    }
    for (const struct tcp_pcb *pcb = tcp_tw_pcbs; pcb != NULL; pcb = pcb->next) {
        out->time_wait++;
    }
}
