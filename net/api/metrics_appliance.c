/* SPDX-License-Identifier: MIT */
/* The appliance's own metrics: machine, HTTP, TLS, the stack and its cards. */
#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/lockorder.h"
#include "arch/machine.h"
#include "lwip/stats.h"
#include "mm/dma.h"
#include "mm/ram.h"
#include "net/api/api_priv.h"
#include "net/api/metrics.h"
#include "net/http/tls.h"
#include "net/stack/netmain.h"
#include "net/stack/stack.h"

enum { NANO = 9, MICRO = 6 }; /* decimals */

struct number {
    struct metric metric;
    uint64_t value;
    unsigned decimals;
};
#define GAUGE(name, unit, help, value, digits)                                                     \
    {{"firstlight_" name, METRIC_GAUGE, unit, help}, value, digits}
#define COUNTER(name, help, value) {{"firstlight_" name, METRIC_COUNTER, NULL, help}, value, 0}

static void put_numbers(struct metrics *m, const struct number *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        metrics_plain(m, &rows[i].metric, rows[i].value, rows[i].decimals);
    }
}

void metrics_put_appliance(struct metrics *m)
{
    static const struct metric build = {"firstlight_build_info", METRIC_INFO, NULL,
                                        "The appliance."};
    struct fiber_stats f;
    fiber_get_stats(&f);
    struct dma_stats d;
    dma_get_stats(&d);
    struct ram_stats ram;
    ram_get_stats(&ram);
    metrics_family(m, &build);
    metrics_sample(m, NULL, 0);
    metrics_label(m, "version", api_context()->version);
    metrics_value(m, 1, 0);
    const struct number rows[] = {
        GAUGE("uptime_seconds", "seconds", "Time since the hand-off by the firmware.",
              clock_now_us(), MICRO),
        GAUGE("gpus", NULL, "GPUs that were found.", api_context()->gpu_count, 0),
        {{"firstlight_idle_seconds_total", METRIC_COUNTER, "seconds", "Time the core was halted."},
         f.idle_ns,
         NANO},
        COUNTER("fiber_switches_total", "Fiber switches.", f.switches),
        GAUGE("longest_run_seconds", "seconds", "Longest stretch without a yield.",
              f.longest_run_ns, NANO),
        COUNTER("lock_inversions_total", "Lock order inversions found.", lockorder_inversions()),
        GAUGE("ram_bytes", "bytes", "Memory of the machine.", ram.total_bytes, 0),
        GAUGE("ram_used_bytes", "bytes", "Memory in use.", ram.total_bytes - ram.free_bytes, 0),
        GAUGE("dma_bytes", "bytes", "DMA memory in use.", d.live_bytes, 0),
        GAUGE("heap_bytes", "bytes", "Heap in use.", machine_heap().used, 0),
    };
    put_numbers(m, rows, ARRAY_SIZE(rows));
}

static void put_http(struct metrics *m)
{
    static const struct metric took = {
        "firstlight_http_request_duration_seconds", METRIC_HISTOGRAM, "seconds",
        "Time from a whole request to its whole answer, before it is sent."};
    struct http_stats http;
    http_get_stats(&http);
    struct tls_stats tls;
    tls_get_stats(&tls);
    const struct number rows[] = {
        COUNTER("http_requests_total", "HTTP requests answered.", http.requests),
        GAUGE("http_connections_open", NULL, "HTTP connections open.", http.open, 0),
        COUNTER("http_sent_bytes_total", "Bytes of HTTP answers.", http.bytes_out),
        COUNTER("http_evicted_total", "HTTP connections that made way for newer ones.",
                http.evicted),
        COUNTER("http_timeouts_total", "HTTP connections that stalled too long.", http.timeouts),
        COUNTER("http_bad_requests_total", "HTTP requests that were none.", http.bad_requests),
        COUNTER("http_overloaded_total",
                "HTTP requests refused because the memory for answers was used up.",
                http.overloaded),
        GAUGE("tls_enabled", NULL, "1 where requests are served over TLS.", tls.enabled, 0),
        COUNTER("tls_handshakes_total", "TLS handshakes that succeeded.", tls.handshakes),
        COUNTER("tls_failed_total", "TLS handshakes that did not.", tls.failed),
        GAUGE("tls_memory_bytes", "bytes", "Memory of TLS in use.", tls.memory_used, 0),
    };
    put_numbers(m, rows, ARRAY_SIZE(rows));
    metrics_family(m, &took);
    metrics_latency(m, NULL, 0, NULL, NULL, &http.took);
}

/* What was refused at the doors of the stack. */
static void put_doors(struct metrics *m)
{
    struct stack_stats s;
    stack_get_stats(&s);
    const struct number rows[] = {
        GAUGE("tcp_half_open", NULL, "TCP connections not yet established.", s.half_open, 0),
        COUNTER("tcp_half_open_evicted_total",
                "TCP connection requests that made way for newer ones.", s.half_open_evicted),
        COUNTER("net_short_frames_total", "Frames cut off within a header.", s.short_frames),
        COUNTER("net_fragments_total", "IP fragments dropped.", s.fragments),
        COUNTER("net_spoofed_total", "Frames from an impossible address.", s.spoofed),
        COUNTER("net_early_dropped_total",
                "Connection requests before the card had its address that were not kept.",
                s.early_dropped),
        COUNTER("net_arp_limited_total",
                "Packets not sent because too many neighbours were unknown.", s.arp_limited),
        COUNTER("lwip_assertions_total", "Assertions of lwIP; each cost one connection.",
                s.assertions),
    };
    put_numbers(m, rows, ARRAY_SIZE(rows));
}

/* lwIP's own counters, in its words (lwip/stats.h). */
static void put_lwip(struct metrics *m)
{
    static const struct metric packets = {"firstlight_lwip_packets_total", METRIC_COUNTER, NULL,
                                          "Packets by protocol, as lwIP counts them."};
    const struct {
        const char *protocol;
        const struct stats_proto *p;
    } protocols[] = {{"arp", &lwip_stats.etharp}, {"ip", &lwip_stats.ip},
                     {"icmp", &lwip_stats.icmp},  {"udp", &lwip_stats.udp},
                     {"tcp", &lwip_stats.tcp},    {"link", &lwip_stats.link}};
    metrics_family(m, &packets);
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
        const struct stats_proto *p = protocols[i].p;
        const struct {
            const char *event;
            uint64_t count;
        } events[] = {{"xmit", p->xmit},
                      {"recv", p->recv},
                      {"drop", p->drop},
                      {"error", (uint64_t)p->chkerr + p->lenerr + p->memerr + p->rterr +
                                    p->proterr + p->opterr + p->err}};
        for (size_t e = 0; e < ARRAY_SIZE(events); e++) {
            metrics_sample(m, NULL, 0);
            metrics_label(m, "protocol", protocols[i].protocol);
            metrics_label(m, "event", events[e].event);
            metrics_value(m, (int64_t)events[e].count, 0);
        }
    }
}

static const struct {
    struct metric metric;
    size_t off; /* in struct net_nic_status, uint64_t */
} nic_rows[] = {
#define N(name, help, member)                                                                      \
    {{"firstlight_nic_" name "_total", METRIC_COUNTER, NULL, help},                                \
     offsetof(struct net_nic_status, member)}
    N("received_packets", "Packets received.", rx_packets),
    N("received_bytes", "Bytes received.", rx_bytes),
    N("receive_errors", "Packets received with an error.", rx_errors),
    N("receive_dropped", "Packets dropped for lack of buffers.", rx_dropped),
    N("sent_packets", "Packets sent.", tx_packets),
    N("sent_bytes", "Bytes sent.", tx_bytes),
    N("send_full", "Times the ring of a card was full.", tx_full),
    N("interrupts", "Interrupts of the card.", interrupts),
#undef N
};

static void put_nics(struct metrics *m)
{
    static struct net_status st; /* large; the API runs in one fiber */
    static const struct metric up = {"firstlight_nic_up", METRIC_GAUGE, NULL,
                                     "1 for a card that has its address."};
    net_get_status(&st);
    metrics_family(m, &up);
    for (uint32_t i = 0; i < st.nic_count; i++) {
        metrics_sample(m, NULL, 0);
        metrics_label_u64(m, "nic", i);
        metrics_label(m, "driver", st.nic[i].driver);
        metrics_label(m, "device", st.nic[i].pci);
        metrics_value(m, st.nic[i].state == NET_NIC_UP, 0);
    }
    for (size_t r = 0; r < ARRAY_SIZE(nic_rows); r++) {
        metrics_family(m, &nic_rows[r].metric);
        for (uint32_t i = 0; i < st.nic_count; i++) {
            metrics_sample(m, NULL, 0);
            metrics_label_u64(m, "nic", i);
            metrics_value(
                m, *(const int64_t *)(const void *)((const char *)&st.nic[i] + nic_rows[r].off), 0);
        }
    }
}

void metrics_put_network(struct metrics *m)
{
    put_http(m);
    put_doors(m);
    put_lwip(m);
    put_nics(m);
}
