/* SPDX-License-Identifier: MIT */
/* /api/v1/status: the appliance, its devices, its network and its GPUs as one JSON document. */
#include <string.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/lockorder.h"
#include "arch/machine.h"
#include "arch/wallclock.h"
#include "gsp/xid.h"
#include "mm/dma.h"
#include "mm/ram.h"
#include "net/api/api_priv.h"
#include "net/api/cache.h"
#include "net/api/health.h"
#include "net/api/pci_watch.h"
#include "net/http/tls.h"

#define AER_BITS   32u
#define REBAR_BITS 44u /* 2^63 bytes */

void api_put_fail(struct jw *j, const char *key, const struct fl_fail *f)
{
    if (f->err == FL_OK) {
        jw_null(j, key);
        return;
    }
    jw_object(j, key);
    jw_str(j, "stage", f->stage);
    jw_str(j, "what", f->what);
    jw_str(j, "kind", fl_err_name(f->err));
    jw_str(j, "text", f->text);
    if (f->has_values) {
        jw_fmt(j, "seen", "0x%llx", (unsigned long long)f->seen);
        jw_fmt(j, "expected", "0x%llx", (unsigned long long)f->expected);
    }
    jw_u64(j, "waited_us", f->waited_us);
    jw_str(j, "hint", f->hint);
    jw_fmt(j, "site", "%s:%d", f->site_file != NULL ? f->site_file : "", f->site_line);
    jw_end_object(j);
}

void api_put_pci(struct jw *j, const struct pci_dev *d)
{
    char name[PCI_NAME_MAX];
    jw_str(j, "address", pci_name(d, name));
    jw_fmt(j, "vendor", "0x%04x", d->vendor);
    jw_fmt(j, "device", "0x%04x", d->device);
    jw_fmt(j, "subsystem", "0x%04x:0x%04x", d->subvendor, d->subdevice);
    jw_fmt(j, "revision", "0x%02x", d->revision);
    jw_fmt(j, "class", "0x%06x", (unsigned)d->class_code);
    jw_str(j, "kind", pci_class_name(d->class_code));
    const struct pci_link *link = &pci_watch_get(d)->link;
    if (link->valid) {
        jw_object(j, "link");
        jw_str(j, "speed", pci_speed_name(link->speed));
        jw_u64(j, "width", link->width);
        jw_str(j, "max_speed", pci_speed_name(link->max_speed));
        jw_u64(j, "max_width", link->max_width);
        jw_end_object(j);
    } else {
        jw_null(j, "link");
    }
}

static void put_stages(struct jw *j, const struct gsp_snapshot *s)
{
    jw_array(j, "stages");
    for (uint32_t i = 0; i < s->stage_count; i++) {
        const struct gsp_stage *st = &s->stage[i];
        jw_object(j, NULL);
        jw_str(j, "name", st->name);
        jw_str(j, "state", gsp_stage_state_name(st->state));
        jw_u64(j, "us", st->us);
        jw_u64(j, "waited_us", st->waited_us);
        jw_u64(j, "start_us", st->start_us);
        jw_u64(j, "reads", st->reg_reads);
        jw_u64(j, "writes", st->reg_writes);
        if (st->state == GSP_STAGE_FAILED) {
            api_put_fail(j, "error", &s->fail);
        } else {
            jw_null(j, "error");
        }
        jw_end_object(j);
    }
    jw_end_array(j);
}

static void put_vram(struct jw *j, const struct gsp_snapshot *s)
{
    jw_object(j, "vram");
    jw_u64(j, "bytes", s->vram_bytes);
    jw_u64(j, "gsp_bytes", s->fb_length);
    jw_u64(j, "bus_width", s->fb_bus_width);
    jw_array(j, "regions");
    for (uint32_t i = 0; i < s->fb_region_count; i++) {
        const struct gsp_fb_region *r = &s->fb_region[i];
        jw_object(j, NULL);
        jw_u64(j, "base", r->base);
        jw_u64(j, "limit", r->limit);
        jw_u64(j, "reserved", r->reserved);
        jw_bool(j, "compressed", r->compressed);
        jw_bool(j, "protected", r->is_protected);
        jw_end_object(j);
    }
    jw_end_array(j);
    jw_object(j, "wpr2");
    jw_u64(j, "lo", s->wpr2_lo);
    jw_u64(j, "hi", s->wpr2_hi);
    jw_end_object(j);
    jw_end_object(j);
}

/* The last one in words, and all of them by number. */
static void put_xids(struct jw *j, uint32_t index, const struct gsp_snapshot *s)
{
    static struct gsp_xid xid[GSP_XIDS_MAX]; /* as the snapshot below */
    struct gsp_gpu *g = api_context()->gpus[index].gpu;
    const struct gsp_xid_info *info = gsp_xid_find(s->last_xid);
    const bool any = s->xid_count > 0;
    jw_object(j, "xid");
    jw_u64(j, "count", s->xid_count);
    jw_u64(j, "last", s->last_xid);
    jw_str(j, "text", s->last_xid_text);
    jw_str(j, "meaning", any ? info->meaning : NULL);
    jw_str(j, "action", any ? info->action : NULL);
    jw_array(j, "numbers");
    const uint32_t n = g != NULL ? gsp_get_xids(g, xid, GSP_XIDS_MAX) : 0;
    for (uint32_t i = 0; i < n; i++) {
        info = gsp_xid_find(xid[i].number);
        jw_object(j, NULL);
        if (xid[i].number == GSP_XID_OTHERS) {
            jw_null(j, "xid");
        } else {
            jw_u64(j, "xid", xid[i].number);
        }
        jw_u64(j, "count", xid[i].count);
        jw_str(j, "meaning", info->meaning);
        jw_str(j, "action", info->action);
        jw_u64(j, "first_ms", xid[i].first_us / US_PER_MS);
        jw_u64(j, "last_ms", xid[i].last_us / US_PER_MS);
        jw_end_object(j);
    }
    jw_end_array(j);
    jw_end_object(j);
}

/* BARs as they are, and as large as they may be made (Resizable BAR). */
static void put_bars(struct jw *j, const struct pci_dev *d)
{
    const struct pci_state *p = pci_watch_get(d);
    jw_array(j, "bars");
    for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
        const struct pci_bar *b = &d->bar[i];
        if (b->kind == PCI_BAR_NONE) {
            continue;
        }
        jw_object(j, NULL);
        jw_u64(j, "bar", i);
        jw_str(j, "kind",
               b->kind == PCI_BAR_IO      ? "io"
               : b->kind == PCI_BAR_MEM64 ? "mem64"
                                          : "mem32");
        jw_bool(j, "prefetchable", b->prefetchable);
        jw_hex(j, "address", b->address);
        jw_u64(j, "size", b->size);
        for (size_t k = 0; k < p->rebar_count; k++) {
            const uint64_t sizes = p->rebar[k].bar == i ? p->rebar[k].sizes : 0;
            for (unsigned bit = 0; bit < REBAR_BITS; bit++) {
                if ((sizes >> bit & 1) != 0 && sizes >> bit == 1) {
                    jw_u64(j, "max_size", MIB(1) << bit);
                }
                if ((sizes >> bit & 1) != 0 && (sizes & ((1ull << bit) - 1)) == 0) {
                    jw_u64(j, "min_size", MIB(1) << bit);
                }
            }
        }
        jw_end_object(j);
    }
    jw_end_array(j);
}

static void put_aer_bits(struct jw *j, const char *key, bool correctable, uint32_t bits)
{
    jw_array(j, key);
    for (unsigned bit = 0; bit < AER_BITS && bits >> bit != 0; bit++) {
        const char *name = pci_aer_name(correctable, bit);
        if ((bits >> bit & 1) != 0 && name != NULL) {
            jw_str(j, NULL, name);
        }
    }
    jw_end_array(j);
}

/* Kinds of errors that the function has kept; null where it has no such registers. */
static void put_aer(struct jw *j, const struct pci_dev *d)
{
    const struct pci_aer *a = &pci_watch_get(d)->aer;
    if (!a->valid) {
        jw_null(j, "aer");
        return;
    }
    jw_object(j, "aer");
    put_aer_bits(j, "correctable", true, a->correctable);
    put_aer_bits(j, "uncorrectable", false, a->uncorrectable);
    jw_end_object(j);
}

static void put_health(struct jw *j, uint32_t index)
{
    char reason[HEALTH_REASON_MAX];
    const enum health h = api_gpu_health(index, reason);
    jw_object(j, "health");
    jw_str(j, "state", health_name(h));
    jw_array(j, "reasons");
    for (char *at = reason, *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        *end = '\0';
        jw_str(j, NULL, at);
    }
    jw_end_array(j);
    jw_end_object(j);
}

/* Confidential computing; null where the family has none, or nothing is known. */
static void put_cc(struct jw *j, const struct gsp_cc *cc)
{
    if (cc->mode == GSP_CC_UNKNOWN) {
        jw_null(j, "confidential_computing");
        return;
    }
    jw_object(j, "confidential_computing");
    jw_str(j, "mode", gsp_cc_mode_name(cc->mode));
    jw_bool(j, "protected_pcie", cc->protected_pcie);
    jw_bool(j, "bar0_firewall", cc->bar0_firewall);
    jw_end_object(j);
}

/* Of the failure of its last boot; empty when that is ready. */
static void put_causes(struct jw *j, const struct gsp_gpu *g)
{
    const struct gsp_causes *c = g != NULL ? gsp_get_causes(g) : NULL;

    jw_array(j, "causes");
    for (uint32_t i = 0; c != NULL && i < c->count; i++) {
        jw_object(j, NULL);
        jw_str(j, "cause", c->row[i].name);
        jw_str(j, "verdict", c->row[i].verdict == GSP_LIKELY ? "likely" : "ruled out");
        jw_str(j, "because", c->row[i].because);
        jw_str(j, "advice", c->row[i].advice);
        jw_end_object(j);
    }
    jw_end_array(j);
}

/* What the config file says for it; null for a GPU that could not be created. */
static void put_options(struct jw *j, const struct gsp_gpu *g)
{
    if (g == NULL) {
        jw_null(j, "options");
        return;
    }
    const struct gsp_options *o = gsp_get_options(g);
    jw_object(j, "options");
    jw_str(j, "firmware", o->force_version);
    jw_u64(j, "attempts", o->attempts);
    jw_str(j, "when_hung", o->revive ? "boot" : "stay");
    if (o->link_speed != 0) {
        jw_u64(j, "link_speed", o->link_speed);
    } else {
        jw_null(j, "link_speed");
    }
    jw_str(j, "aspm", o->aspm_off ? "off" : "keep");
    jw_array(j, "registry");
    for (uint32_t i = 0; i < o->registry_count; i++) {
        jw_object(j, NULL);
        jw_str(j, "name", o->registry[i].name);
        jw_u64(j, "value", o->registry[i].value);
        jw_end_object(j);
    }
    jw_end_array(j);
    jw_end_object(j);
}

void api_put_gpu(struct jw *j, const char *key, uint32_t index)
{
    static struct gsp_snapshot s; /* too large for a stack; nothing yields here */
    api_snapshot(index, &s);
    jw_object(j, key);
    jw_u64(j, "index", index);
    jw_object(j, "pci");
    api_put_pci(j, s.pci);
    jw_end_object(j);
    jw_str(j, "chip", s.chip);
    jw_str(j, "name", s.name);
    jw_str(j, "short_name", s.short_name);
    jw_str(j, "uuid", s.uuid);
    jw_str(j, "state", gsp_state_name(s.state));
    jw_fmt(j, "boot_42", "0x%08x", (unsigned)s.boot42);
    put_cc(j, &s.cc);
    put_stages(j, &s);
    api_put_fail(j, "error", &s.fail);
    put_causes(j, api_context()->gpus[index].gpu);
    const struct gsp_gpu *g = api_context()->gpus[index].gpu;
    jw_str(j, "journal", g != NULL ? gsp_get_journal(g) : "");
    jw_u64(j, "attempt", s.attempt);
    api_put_attempts(j, "attempts", api_context()->gpus[index].gpu);
    put_options(j, api_context()->gpus[index].gpu);
    jw_object(j, "gsp");
    jw_str(j, "version", s.firmware_version);
    jw_u64(j, "rpc_sent", s.rpc_sent);
    jw_u64(j, "rpc_received", s.rpc_received);
    jw_u64(j, "events", s.events);
    jw_u64(j, "interrupts", s.interrupts);
    jw_u64(j, "boots", s.boots);
    jw_u64(j, "unloads", s.unloads);
    jw_end_object(j);
    jw_object(j, "vbios");
    jw_str(j, "version", s.vbios_version);
    jw_end_object(j);
    put_vram(j, &s);
    put_bars(j, s.pci);
    put_aer(j, s.pci);
    put_health(j, index);
    api_put_smi(j, "nvidia_smi", index);
    api_put_sensors(j, "sensors", index);
    jw_object(j, "registers");
    jw_u64(j, "reads", s.reg_reads);
    jw_u64(j, "writes", s.reg_writes);
    jw_end_object(j);
    jw_object(j, "firmware");
    jw_u64(j, "bytes", s.firmware_bytes);
    jw_u64(j, "copied_bytes", s.copied_bytes);
    api_put_fail(j, "passed_over", &s.passed_over);
    jw_end_object(j);
    put_xids(j, index, &s);
    jw_end_object(j);
}

static void put_tls(struct jw *j)
{
    struct tls_stats tls;
    tls_get_stats(&tls);
    jw_object(j, "tls");
    jw_bool(j, "enabled", tls.enabled);
    jw_bool(j, "only", tls.only);
    jw_bool(j, "from_volume", tls.from_volume);
    jw_str(j, "fingerprint", tls.fingerprint);
    jw_u64(j, "handshakes", tls.handshakes);
    jw_u64(j, "failed", tls.failed);
    jw_u64(j, "memory_used", tls.memory_used);
    jw_u64(j, "memory_peak", tls.memory_peak);
    jw_u64(j, "memory_refused", tls.memory_refused);
    jw_end_object(j);
}

static void put_appliance(struct jw *j, const struct api_context *ctx)
{
    struct http_stats http;
    http_get_stats(&http);
    struct fiber_stats fibers;
    fiber_get_stats(&fibers);
    struct dma_stats dma;
    dma_get_stats(&dma);
    uint64_t now_us = clock_now_us();
    jw_object(j, "appliance");
    jw_str(j, "version", ctx->version);
    jw_str(j, "machine", machine_name());
    jw_fixed(j, "uptime_ms", now_us, 3);
    jw_fixed(j, "boot_ms", ctx->firmware_us + http.first_answer_us, 3);
    jw_fixed(j, "efi_entry_to_handoff_ms", ctx->firmware_us, 3);
    jw_fixed(j, "handoff_to_first_answer_ms", http.first_answer_us, 3);
    jw_u64(j, "unix_time", wallclock_now_us() / US_PER_S);
    jw_object(j, "scheduler");
    jw_u64(j, "fibers", fibers.live);
    jw_u64(j, "switches", fibers.switches);
    jw_u64(j, "idle_us", fibers.idle_ns / NS_PER_US);
    jw_u64(j, "longest_run_us", fibers.longest_run_ns / NS_PER_US);
    jw_str(j, "longest_run", fibers.longest_name);
    jw_u64(j, "lock_inversions", lockorder_inversions());
    jw_end_object(j);
    struct ram_stats ram;
    ram_get_stats(&ram);
    const struct machine_heap heap = machine_heap();
    jw_object(j, "memory");
    jw_u64(j, "total_bytes", ram.total_bytes);
    jw_u64(j, "used_bytes", ram.total_bytes - ram.free_bytes);
    jw_u64(j, "peak_bytes", ram.peak_bytes);
    jw_u64(j, "heap_bytes", heap.used);
    jw_u64(j, "heap_total_bytes", heap.total);
    jw_u64(j, "dma_bytes", dma.live_bytes);
    jw_u64(j, "dma_peak_bytes", dma.peak_bytes);
    jw_u64(j, "dma_buffers", dma.live_buffers);
    jw_u64(j, "dma_failures", dma.failures);
    jw_end_object(j);
    jw_object(j, "http");
    jw_u64(j, "requests", http.requests);
    jw_u64(j, "connections", http.connections);
    jw_u64(j, "open", http.open);
    jw_u64(j, "refused_connections", http.refused_connections);
    jw_u64(j, "evicted", http.evicted);
    jw_u64(j, "timeouts", http.timeouts);
    jw_u64(j, "bad_requests", http.bad_requests);
    jw_u64(j, "overloaded", http.overloaded);
    jw_u64(j, "memory_used", http.memory_used);
    jw_u64(j, "memory_peak", http.memory_peak);
    jw_u64(j, "slowest_us", http.longest_us);
    jw_end_object(j);
    put_tls(j);
    jw_array(j, "notes");
    for (const char *const *n = ctx->notes; n != NULL && *n != NULL; n++) {
        jw_str(j, NULL, *n);
    }
    jw_end_array(j);
    jw_end_object(j);
}

static void put_status(struct text_buf *out)
{
    const struct api_context *ctx = api_context();
    struct jw j;
    jw_begin(&j, out);
    jw_object(&j, NULL);
    put_appliance(&j, ctx);
    api_put_network(&j);
    jw_array(&j, "devices");
    for (size_t i = 0; ctx->pci != NULL && i < ctx->pci->count; i++) {
        jw_object(&j, NULL);
        api_put_pci(&j, &ctx->pci->dev[i]);
        jw_end_object(&j);
    }
    jw_end_array(&j);
    jw_array(&j, "gpus");
    for (uint32_t i = 0; i < ctx->gpu_count; i++) {
        api_put_gpu(&j, NULL, i);
    }
    jw_end_array(&j);
    jw_end_object(&j);
    text_append(out, "\n", 1);
}

void api_get_status(const struct http_request *req, struct http_response *res)
{
    static struct api_kept status;
    if (strcmp(req->query, "format=nvidia-smi") == 0) {
        res->type = "text/plain; charset=utf-8";
        api_put_smi_text(&res->body);
        return;
    }
    api_keep(&status, put_status, res);
}
