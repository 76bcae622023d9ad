/* SPDX-License-Identifier: MIT */
/* A GPU as others see it (gsp.h): nothing here touches the hardware or yields. */
#include <string.h>

#include "arch/clock.h"
#include "gsp/gpu.h"
#include "gsp/rpc/logs.h"

const char *gsp_state_name(enum gsp_state s)
{
    static const char *const names[] = {"absent", "booting",  "ready",
                                        "failed", "unloaded", "suspended"};
    return (unsigned)s < ARRAY_SIZE(names) ? names[s] : "?";
}

const char *gsp_stage_state_name(enum gsp_stage_state s)
{
    static const char *const names[] = {"pending", "running", "ok", "failed", "skipped"};
    return (unsigned)s < ARRAY_SIZE(names) ? names[s] : "?";
}

const char *gsp_cc_mode_name(enum gsp_cc_mode m)
{
    static const char *const names[] = {NULL, "off", "on", "devtools", "invalid"};
    return (unsigned)m < ARRAY_SIZE(names) ? names[m] : NULL;
}

const char *gsp_chip_name(size_t index)
{
    const struct gsp_chip *c = gsp_chip_at(index);

    return c != NULL ? c->name : NULL;
}

uint64_t gsp_generation(const struct gsp_gpu *g) { return g->generation; }

const struct gsp_version *gsp_running_version(const struct gsp_gpu *g) { return g->version; }

void gsp_get_snapshot(struct gsp_gpu *g, struct gsp_snapshot *out)
{
    *out = (struct gsp_snapshot){
        .state = g->state,
        .pci = g->hw.pci,
        .boot0 = g->hw.boot0,
        .boot42 = g->hw.boot42,
        .cc = g->cc,
        .vram_bytes = g->vram_bytes,
        .fb_length = g->fb_length,
        .fb_bus_width = g->fb_bus_width,
        .fb_ram_type = g->fb_ram_type,
        .fb_region_count = g->fb_region_count,
        .wpr2_lo = g->wpr2.up ? g->wpr2.start : 0,
        .wpr2_hi = g->wpr2.up ? g->wpr2.end : 0,
        .stage_count = g->stage_count,
        .fail = g->fail,
        .boots = g->boots,
        .unloads = g->unloads,
        .attempt = g->attempts.number,
        .attempts = g->attempts.most,
        .reg_reads = g->hw.io.reads,
        .reg_writes = g->hw.io.writes,
        .firmware_bytes = g->firmware_bytes,
        .copied_bytes = g->copied_bytes,
        .passed_over = g->fw.newer,
        .rpc_sent = g->rpc.sent,
        .rpc_received = g->rpc.received - g->rpc.events,
        .events = g->events,
        .interrupts = g->hw.intr.served,
        .xid_count = g->xid_count,
        .last_xid = g->last_xid,
    };
    if (g->hw.chip != NULL) {
        strncpy(out->chip, g->hw.chip->name, sizeof(out->chip) - 1);
    }
    memcpy(out->name, g->name, sizeof(out->name));
    memcpy(out->short_name, g->short_name, sizeof(out->short_name));
    memcpy(out->uuid, g->uuid, sizeof(out->uuid));
    if (g->version != NULL) {
        strncpy(out->firmware_version, g->version->name, sizeof(out->firmware_version) - 1);
    }
    memcpy(out->vbios_version, g->vbios_version, sizeof(out->vbios_version));
    memcpy(out->fb_region, g->fb_region, sizeof(out->fb_region));
    memcpy(out->stage, g->stage, sizeof(out->stage));
    memcpy(out->last_xid_text, g->last_xid_text, sizeof(out->last_xid_text));
    for (uint32_t i = 0; i < out->stage_count; i++) {
        if (out->stage[i].state == GSP_STAGE_RUNNING) {
            out->stage[i].us = clock_now_us() - out->stage[i].start_us;
        }
    }
}

bool gsp_feed_read(struct gsp_gpu *g, uint64_t *cursor, struct gsp_feed_entry *out, uint64_t *lost)
{
    return gsp_feed_next(&g->feed, cursor, out, lost);
}

size_t gsp_flight_read(struct gsp_gpu *g, uint64_t *cursor, char *buf, size_t size)
{
    return gsp_recorder_text(&g->hw.rec, cursor, buf, size);
}

bool gsp_history_read(struct gsp_gpu *g, uint64_t *cursor, struct gsp_rpc_record *out)
{
    return gsp_history_next(&g->rpc.history, cursor, out);
}

bool gsp_get_rpc_latency(const struct gsp_gpu *g, uint32_t i, struct gsp_rpc_latency *out)
{
    if (i >= GSP_RPC_FUNCTIONS || g->rpc.history.latency[i].name == NULL) {
        return false;
    }
    *out = g->rpc.history.latency[i];
    return true;
}

size_t gsp_log_read(struct gsp_gpu *g, enum gsp_log l, uint64_t *offset, void *buf, size_t size)
{
    return (unsigned)l < GSP_LOG_COUNT ? gsp_logs_read(&g->log[l], offset, buf, size) : 0;
}

uint64_t gsp_log_put(struct gsp_gpu *g, enum gsp_log l)
{
    return (unsigned)l < GSP_LOG_COUNT ? gsp_logs_put(&g->log[l]) : 0;
}
