/* SPDX-License-Identifier: MIT */
/* /api/v1/status: the appliance, its devices, its network and its GPUs as one JSON document. */
#include <stdio.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/lockorder.h"
#include "arch/machine.h"
#include "mm/dma.h"
#include "mm/ram.h"
#include "net/api/api_priv.h"

static void put_fail(struct json *j, const char *key, const struct fl_fail *f)
{
    if (f->err == FL_OK) {
        json_null(j, key);
        return;
    }
    json_object(j, key);
    json_str(j, "stage", f->stage);
    json_str(j, "what", f->what);
    json_str(j, "kind", fl_err_name(f->err));
    json_str(j, "text", f->text);
    if (f->has_values) {
        json_fmt(j, "seen", "0x%llx", (unsigned long long)f->seen);
        json_fmt(j, "expected", "0x%llx", (unsigned long long)f->expected);
    }
    json_u64(j, "waited_us", f->waited_us);
    json_str(j, "hint", f->hint);
    json_fmt(j, "site", "%s:%d", f->site_file != NULL ? f->site_file : "", f->site_line);
    json_end_object(j);
}

static void put_pci_ids(struct json *j, const struct pci_dev *d)
{
    char name[PCI_NAME_MAX];
    json_str(j, "address", pci_name(d, name));
    json_fmt(j, "vendor", "0x%04x", d->vendor);
    json_fmt(j, "device", "0x%04x", d->device);
    json_fmt(j, "subsystem", "0x%04x:0x%04x", d->subvendor, d->subdevice);
    json_fmt(j, "revision", "0x%02x", d->revision);
    json_fmt(j, "class", "0x%06x", (unsigned)d->class_code);
    json_str(j, "kind", pci_class_name(d->class_code));
    struct pci_link link;
    pci_get_link(d, &link);
    if (link.valid) {
        json_object(j, "link");
        json_str(j, "speed", pci_speed_name(link.speed));
        json_u64(j, "width", link.width);
        json_str(j, "max_speed", pci_speed_name(link.max_speed));
        json_u64(j, "max_width", link.max_width);
        json_end_object(j);
    } else {
        json_null(j, "link");
    }
}

static void put_stages(struct json *j, const struct gsp_snapshot *s)
{
    json_array(j, "stages");
    for (uint32_t i = 0; i < s->stage_count; i++) {
        const struct gsp_stage *st = &s->stage[i];
        json_object(j, NULL);
        json_str(j, "name", st->name);
        json_str(j, "state", gsp_stage_state_name(st->state));
        json_u64(j, "us", st->us);
        json_u64(j, "start_us", st->start_us);
        json_u64(j, "reads", st->reg_reads);
        json_u64(j, "writes", st->reg_writes);
        if (st->state == GSP_STAGE_FAILED) {
            put_fail(j, "error", &s->fail);
        } else {
            json_null(j, "error");
        }
        json_end_object(j);
    }
    json_end_array(j);
}

static void put_vram(struct json *j, const struct gsp_snapshot *s)
{
    json_object(j, "vram");
    json_u64(j, "bytes", s->vram_bytes);
    json_u64(j, "gsp_bytes", s->fb_length);
    json_u64(j, "bus_width", s->fb_bus_width);
    json_array(j, "regions");
    for (uint32_t i = 0; i < s->fb_region_count; i++) {
        const struct gsp_fb_region *r = &s->fb_region[i];
        json_object(j, NULL);
        json_u64(j, "base", r->base);
        json_u64(j, "limit", r->limit);
        json_u64(j, "reserved", r->reserved);
        json_bool(j, "compressed", r->compressed);
        json_bool(j, "protected", r->is_protected);
        json_end_object(j);
    }
    json_end_array(j);
    json_object(j, "wpr2");
    json_u64(j, "lo", s->wpr2_lo);
    json_u64(j, "hi", s->wpr2_hi);
    json_end_object(j);
    json_end_object(j);
}

static void put_gpu(struct json *j, uint32_t index)
{
    struct gsp_snapshot s;
    api_snapshot(index, &s);
    json_object(j, NULL);
    json_u64(j, "index", index);
    json_object(j, "pci");
    put_pci_ids(j, s.pci);
    json_end_object(j);
    json_str(j, "chip", s.chip);
    json_str(j, "name", s.name);
    json_str(j, "short_name", s.short_name);
    json_str(j, "uuid", s.uuid);
    json_str(j, "state", gsp_state_name(s.state));
    json_fmt(j, "boot_42", "0x%08x", (unsigned)s.boot42);
    put_stages(j, &s);
    put_fail(j, "error", &s.fail);
    json_object(j, "gsp");
    json_str(j, "version", s.firmware_version);
    json_u64(j, "rpc_sent", s.rpc_sent);
    json_u64(j, "rpc_received", s.rpc_received);
    json_u64(j, "events", s.events);
    json_u64(j, "interrupts", s.interrupts);
    json_u64(j, "boots", s.boots);
    json_u64(j, "unloads", s.unloads);
    json_end_object(j);
    json_object(j, "vbios");
    json_str(j, "version", s.vbios_version);
    json_end_object(j);
    put_vram(j, &s);
    json_object(j, "registers");
    json_u64(j, "reads", s.reg_reads);
    json_u64(j, "writes", s.reg_writes);
    json_end_object(j);
    json_object(j, "firmware");
    json_u64(j, "bytes", s.firmware_bytes);
    json_u64(j, "copied_bytes", s.copied_bytes);
    put_fail(j, "passed_over", &s.passed_over);
    json_end_object(j);
    json_object(j, "xid");
    json_u64(j, "count", s.xid_count);
    json_u64(j, "last", s.last_xid);
    json_str(j, "text", s.last_xid_text);
    json_end_object(j);
    json_end_object(j);
}

static void put_appliance(struct json *j, const struct api_context *ctx)
{
    struct http_stats http;
    http_get_stats(&http);
    struct fiber_stats fibers;
    fiber_get_stats(&fibers);
    struct dma_stats dma;
    dma_get_stats(&dma);
    uint64_t now_us = clock_now_us();
    json_object(j, "appliance");
    json_str(j, "version", ctx->version);
    json_str(j, "machine", machine_name());
    json_fixed(j, "uptime_ms", now_us, 3);
    json_fixed(j, "boot_ms", ctx->firmware_us + http.first_answer_us, 3);
    json_fixed(j, "efi_entry_to_handoff_ms", ctx->firmware_us, 3);
    json_fixed(j, "handoff_to_first_answer_ms", http.first_answer_us, 3);
    uint64_t unix_s = clock_boot_unix_s();
    json_u64(j, "unix_time", unix_s == 0 ? 0 : unix_s + now_us / US_PER_S);
    json_object(j, "scheduler");
    json_u64(j, "fibers", fibers.live);
    json_u64(j, "switches", fibers.switches);
    json_u64(j, "idle_us", fibers.idle_ns / NS_PER_US);
    json_u64(j, "longest_run_us", fibers.longest_run_ns / NS_PER_US);
    json_str(j, "longest_run", fibers.longest_name);
    json_u64(j, "lock_inversions", lockorder_inversions());
    json_end_object(j);
    struct ram_stats ram;
    ram_get_stats(&ram);
    json_object(j, "memory");
    json_u64(j, "total_bytes", ram.total_bytes);
    json_u64(j, "used_bytes", ram.total_bytes - ram.free_bytes);
    json_u64(j, "peak_bytes", ram.peak_bytes);
    json_u64(j, "dma_bytes", dma.live_bytes);
    json_u64(j, "dma_peak_bytes", dma.peak_bytes);
    json_u64(j, "dma_buffers", dma.live_buffers);
    json_u64(j, "dma_failures", dma.failures);
    json_end_object(j);
    json_object(j, "http");
    json_u64(j, "requests", http.requests);
    json_u64(j, "connections", http.connections);
    json_u64(j, "open", http.open);
    json_u64(j, "refused_connections", http.refused_connections);
    json_u64(j, "evicted", http.evicted);
    json_u64(j, "timeouts", http.timeouts);
    json_u64(j, "bad_requests", http.bad_requests);
    json_u64(j, "overloaded", http.overloaded);
    json_u64(j, "memory_used", http.memory_used);
    json_u64(j, "memory_peak", http.memory_peak);
    json_u64(j, "slowest_us", http.longest_us);
    json_end_object(j);
    json_array(j, "notes");
    for (const char *const *n = ctx->notes; n != NULL && *n != NULL; n++) {
        json_str(j, NULL, *n);
    }
    json_end_array(j);
    json_end_object(j);
}

void api_get_status(const struct http_request *req, struct http_response *res)
{
    (void)req;
    const struct api_context *ctx = api_context();
    struct json j;
    json_begin(&j, &res->body);
    json_object(&j, NULL);
    put_appliance(&j, ctx);
    api_put_network(&j);
    json_array(&j, "devices");
    for (size_t i = 0; ctx->pci != NULL && i < ctx->pci->count; i++) {
        json_object(&j, NULL);
        put_pci_ids(&j, &ctx->pci->dev[i]);
        json_end_object(&j);
    }
    json_end_array(&j);
    json_array(&j, "gpus");
    for (uint32_t i = 0; i < ctx->gpu_count; i++) {
        put_gpu(&j, i);
    }
    json_end_array(&j);
    json_end_object(&j);
    text_append(&res->body, "\n", 1);
}
