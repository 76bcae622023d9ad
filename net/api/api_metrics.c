/* SPDX-License-Identifier: MIT */
/*
 * /metrics: Prometheus text format 0.0.4. Names of dcgm-exporter where the meaning is the same,
 * else firstlight_*. A value that is not known is left out, never made up.
 */
#include <stdio.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/lockorder.h"
#include "arch/machine.h"
#include "mm/dma.h"
#include "net/api/api_priv.h"
#include "net/http/tls.h"
#include "net/stack/stack.h"

static void help(struct text_buf *b, const char *name, const char *type, const char *text)
{
    text_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, text, name, type);
}

static void plain(struct text_buf *b, const char *name, const char *type, const char *text,
                  uint64_t value)
{
    help(b, name, type, text);
    text_printf(b, "%s %llu\n", name, (unsigned long long)value);
}

/* A label value: backslash, quote and newline are escaped. */
static void put_label(struct text_buf *b, const char *key, const char *value)
{
    text_printf(b, "%s=\"", key);
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\\' || *c == '"') {
            text_append(b, "\\", 1);
            text_append(b, c, 1);
        } else if (*c == '\n') {
            text_append(b, "\\n", 2);
        } else {
            text_append(b, c, 1);
        }
    }
    text_append(b, "\"", 1);
}

static void gpu_labels(struct text_buf *b, const char *name, uint32_t index,
                       const struct gsp_snapshot *s)
{
    char pci[PCI_NAME_MAX];
    text_printf(b, "%s{gpu=\"%u\",", name, (unsigned)index);
    put_label(b, "UUID", s->uuid);
    text_append(b, ",", 1);
    put_label(b, "pci_bus_id", pci_name(s->pci, pci));
    text_append(b, ",", 1);
    put_label(b, "modelName", s->name);
}

struct gpu_metric {
    const char *name, *type, *text;
    uint64_t (*value)(const struct gsp_snapshot *s);
    bool (*known)(const struct gsp_snapshot *s); /* NULL: always */
};

static uint64_t ready(const struct gsp_snapshot *s) { return s->state == GSP_READY; }
static uint64_t fb_total(const struct gsp_snapshot *s) { return s->vram_bytes >> 20; }
static bool has_vram(const struct gsp_snapshot *s) { return s->vram_bytes != 0; }
static uint64_t last_xid(const struct gsp_snapshot *s) { return s->last_xid; }
static uint64_t xids(const struct gsp_snapshot *s) { return s->xid_count; }
static uint64_t link_gen(const struct gsp_snapshot *s)
{
    struct pci_link l;
    pci_get_link(s->pci, &l);
    return l.speed;
}
static uint64_t link_width(const struct gsp_snapshot *s)
{
    struct pci_link l;
    pci_get_link(s->pci, &l);
    return l.width;
}
static bool has_link(const struct gsp_snapshot *s)
{
    struct pci_link l;
    pci_get_link(s->pci, &l);
    return l.valid;
}
static uint64_t reads(const struct gsp_snapshot *s) { return s->reg_reads; }
static uint64_t writes(const struct gsp_snapshot *s) { return s->reg_writes; }
static uint64_t rpcs(const struct gsp_snapshot *s) { return s->rpc_sent; }
static uint64_t events(const struct gsp_snapshot *s) { return s->events; }
static uint64_t boots(const struct gsp_snapshot *s) { return s->boots; }

static const struct gpu_metric gpu_metrics[] = {
    {"firstlight_gpu_ready", "gauge", "1 when the GPU's firmware is up.", ready, NULL},
    {"DCGM_FI_DEV_FB_TOTAL", "gauge", "Usable frame buffer (MiB).", fb_total, has_vram},
    {"DCGM_FI_DEV_XID_ERRORS", "gauge", "Value of the last Xid error.", last_xid, NULL},
    {"firstlight_gpu_xid_total", "counter", "Xid errors since power on.", xids, NULL},
    {"DCGM_FI_DEV_PCIE_LINK_GEN", "gauge", "PCI Express generation now.", link_gen, has_link},
    {"DCGM_FI_DEV_PCIE_LINK_WIDTH", "gauge", "PCI Express lanes now.", link_width, has_link},
    {"firstlight_gpu_register_reads_total", "counter", "Register reads by the appliance.", reads,
     NULL},
    {"firstlight_gpu_register_writes_total", "counter", "Register writes by the appliance.", writes,
     NULL},
    {"firstlight_gpu_rpcs_total", "counter", "Messages sent to the GSP.", rpcs, NULL},
    {"firstlight_gpu_events_total", "counter", "Events received from the GSP.", events, NULL},
    {"firstlight_gpu_boots_total", "counter", "Bring-ups started.", boots, NULL},
};

/* The network, and what was refused at its doors. */
static void put_network(struct text_buf *b)
{
    struct http_stats http;
    http_get_stats(&http);
    struct stack_stats stack;
    stack_get_stats(&stack);
    struct tls_stats tls;
    tls_get_stats(&tls);
    const struct {
        const char *name, *type, *text;
        uint64_t value;
    } rows[] = {
        {"firstlight_http_requests_total", "counter", "HTTP requests answered.", http.requests},
        {"firstlight_http_connections_open", "gauge", "HTTP connections open.", http.open},
        {"firstlight_http_bytes_sent_total", "counter", "Bytes of HTTP answers.", http.bytes_out},
        {"firstlight_http_evicted_total", "counter",
         "HTTP connections that made way for newer ones.", http.evicted},
        {"firstlight_http_timeouts_total", "counter", "HTTP connections that stalled too long.",
         http.timeouts},
        {"firstlight_http_overloaded_total", "counter",
         "HTTP requests refused because the memory for answers was used up.", http.overloaded},
        {"firstlight_tls_enabled", "gauge", "1 where requests are served over TLS.", tls.enabled},
        {"firstlight_tls_handshakes_total", "counter", "TLS handshakes that succeeded.",
         tls.handshakes},
        {"firstlight_tls_failed_total", "counter", "TLS handshakes that did not.", tls.failed},
        {"firstlight_tls_memory_bytes", "gauge", "Memory of TLS in use.", tls.memory_used},
        {"firstlight_tcp_half_open", "gauge", "TCP connections not yet established.",
         stack.half_open},
        {"firstlight_tcp_half_open_evicted_total", "counter",
         "TCP connection requests that made way for newer ones.", stack.half_open_evicted},
        {"firstlight_net_short_frames_total", "counter", "Frames cut off within a header.",
         stack.short_frames},
        {"firstlight_net_fragments_total", "counter", "IP fragments dropped.", stack.fragments},
        {"firstlight_net_spoofed_total", "counter", "Frames from an impossible address.",
         stack.spoofed},
        {"firstlight_net_arp_limited_total", "counter",
         "Packets not sent because too many neighbours were unknown.", stack.arp_limited},
        {"firstlight_lwip_assertions_total", "counter",
         "Assertions of lwIP; each cost one connection.", stack.assertions},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        plain(b, rows[i].name, rows[i].type, rows[i].text, rows[i].value);
    }
}

void api_get_metrics(const struct http_request *req, struct http_response *res)
{
    (void)req;
    const struct api_context *ctx = api_context();
    struct text_buf *b = &res->body;
    res->type = "text/plain; version=0.0.4; charset=utf-8";

    static struct gsp_snapshot s[API_MAX_GPUS]; /* large; the API runs in one fiber */
    for (uint32_t i = 0; i < ctx->gpu_count; i++) {
        api_snapshot(i, &s[i]);
    }
    for (size_t m = 0; m < ARRAY_SIZE(gpu_metrics); m++) {
        const struct gpu_metric *g = &gpu_metrics[m];
        help(b, g->name, g->type, g->text);
        for (uint32_t i = 0; i < ctx->gpu_count; i++) {
            if (g->known == NULL || g->known(&s[i])) {
                gpu_labels(b, g->name, i, &s[i]);
                text_printf(b, "} %llu\n", (unsigned long long)g->value(&s[i]));
            }
        }
    }
    help(b, "firstlight_gpu_state", "gauge", "1 for the state the GPU is in.");
    for (uint32_t i = 0; i < ctx->gpu_count; i++) {
        gpu_labels(b, "firstlight_gpu_state", i, &s[i]);
        text_printf(b, ",state=\"%s\"} 1\n", gsp_state_name(s[i].state));
    }
    help(b, "firstlight_gpu_stage_microseconds", "gauge",
         "Duration of a stage of the last bring-up.");
    for (uint32_t i = 0; i < ctx->gpu_count; i++) {
        for (uint32_t k = 0; k < s[i].stage_count; k++) {
            if (s[i].stage[k].state == GSP_STAGE_OK) {
                text_printf(b, "firstlight_gpu_stage_microseconds{gpu=\"%u\",stage=\"%s\"} %llu\n",
                            (unsigned)i, s[i].stage[k].name, (unsigned long long)s[i].stage[k].us);
            }
        }
    }

    put_network(b);

    struct fiber_stats f;
    fiber_get_stats(&f);
    struct dma_stats d;
    dma_get_stats(&d);
    help(b, "firstlight_uptime_seconds", "counter", "Time since the hand-off by the firmware.");
    uint64_t up_ms = clock_now_us() / US_PER_MS;
    text_printf(b, "firstlight_uptime_seconds %llu.%03u\n", (unsigned long long)(up_ms / 1000),
                (unsigned)(up_ms % 1000));
    plain(b, "firstlight_idle_microseconds_total", "counter", "Time the core was halted.",
          f.idle_ns / NS_PER_US);
    plain(b, "firstlight_fiber_switches_total", "counter", "Fiber switches.", f.switches);
    plain(b, "firstlight_longest_run_microseconds", "gauge", "Longest stretch without a yield.",
          f.longest_run_ns / NS_PER_US);
    plain(b, "firstlight_lock_inversions_total", "counter", "Lock order inversions found.",
          lockorder_inversions());
    plain(b, "firstlight_dma_bytes", "gauge", "DMA memory in use.", d.live_bytes);
    plain(b, "firstlight_heap_bytes", "gauge", "Heap in use.", machine_heap().used);
}
