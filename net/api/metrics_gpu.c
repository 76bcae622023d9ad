/* SPDX-License-Identifier: MIT */
/* What the appliance itself knows of its GPUs (metrics.h): bring-up, link, errors, memory. */
#include "net/api/metrics.h"

#include <string.h>

#include <stdio.h>

#include "arch/clock.h"
#include "gsp/vram.h"
#include "gsp/xid.h"
#include "net/api/api_priv.h"

#define AER_BITS 32u
enum { MICRO = 6 }; /* decimals */

char *gpu_bus_id(const struct pci_dev *d, char *buf)
{
    snprintf(buf, GPU_BUS_ID_MAX, "%08X:%02X:%02X.%X", d->segment, d->bus, d->devfn >> 3u,
             d->devfn & 7u);
    return buf;
}

const char *gpu_name(const struct gsp_snapshot *s, char *buf)
{
    if (s->name[0] != '\0') {
        return s->name;
    }
    snprintf(buf, GPU_NAME_MAX, "NVIDIA Device %04x", s->pci->device);
    return buf;
}

bool gpu_power_milliwatts(const struct gsp_sensors *s, int64_t *out)
{
    static const enum gsp_sensor order[] = {GSP_SENSOR_POWER_MODULE, GSP_SENSOR_POWER_MODULE_NOW,
                                            GSP_SENSOR_POWER_GPU, GSP_SENSOR_POWER_GPU_NOW};
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        const struct gsp_sensor_value *v = &s->sensor[order[i]];
        if (v->known && v->value > 0) { /* 0: the board has no such meter */
            *out = v->value;
            return true;
        }
    }
    return false;
}

/* What nobody may have: all but the zones that objects and page tables come from. */
void gpu_memory_get(struct gsp_gpu *g, const struct gsp_snapshot *s, struct gpu_memory *out)
{
    struct gsp_vram_stats v = {0};
    uint64_t ours = 0, left = 0;
    *out = (struct gpu_memory){0};
    if (g == NULL || s->state != GSP_READY || s->vram_bytes == 0 || s->fb_region_count == 0) {
        return;
    }
    gsp_vram_get_stats(g, &v);
    for (uint32_t i = 0; i < v.zone_count; i++) {
        if (strcmp(v.zone[i].name, "usable") == 0 || strcmp(v.zone[i].name, "low") == 0) {
            ours += v.zone[i].total_bytes;
            left += v.zone[i].free_bytes;
        }
    }
    for (uint32_t i = 0; !v.managed && i < s->fb_region_count; i++) {
        const struct gsp_fb_region *r = &s->fb_region[i]; /* nothing is given out yet */
        if (r->reserved == 0 && !r->is_protected) {
            ours += r->limit - r->base + 1;
            left = ours;
        }
    }
    ours = min_u64(ours, s->vram_bytes);
    left = min_u64(left, ours);
    *out = (struct gpu_memory){.known = true,
                               .total = s->vram_bytes,
                               .reserved = s->vram_bytes - ours,
                               .used = ours - left,
                               .free = left};
}

static void put_labels(struct metrics_gpu *g, const char *host_label)
{
    char number[12], device[20], bus[GPU_BUS_ID_MAX], name[GPU_NAME_MAX];
    const char *host = api_context()->access.hostname;
    struct text own = text_on(g->own, sizeof(g->own));
    snprintf(number, sizeof(number), "%u", (unsigned)g->index);
    snprintf(device, sizeof(device), "nvidia%u", (unsigned)g->index);
    metrics_raw_label(&own, "gpu", number);
    if (g->s.uuid[0] != '\0') { /* an empty label is none */
        metrics_raw_label(&own, "UUID", g->s.uuid);
    }
    metrics_raw_label(&own, "pci_bus_id", gpu_bus_id(g->s.pci, bus));
    memcpy(g->dcgm, g->own, sizeof(g->dcgm));
    struct text dcgm = own;
    dcgm.buf = g->dcgm;
    metrics_raw_label(&dcgm, "device", device);
    metrics_raw_label(&dcgm, "modelName", gpu_name(&g->s, name));
    if (host_label != NULL && host != NULL && host[0] != '\0') {
        metrics_raw_label(&dcgm, host_label, host);
    }
    g->own_len = own.used;
    g->dcgm_len = dcgm.used;
}

void metrics_read_gpu(struct metrics_gpu *g, uint32_t index, const char *host_label)
{
    g->index = index;
    g->gpu = api_context()->gpus[index].gpu;
    api_snapshot(index, &g->s);
    if (g->gpu != NULL) {
        gsp_get_sensors(g->gpu, &g->sensors);
    } else {
        memset(&g->sensors, 0, sizeof(g->sensors));
    }
    gpu_memory_get(g->gpu, &g->s, &g->memory);
    g->pci = pci_watch_get(g->s.pci);
    put_labels(g, host_label);
}

/* ---- one number for each GPU ---- */

static uint64_t ready(const struct gsp_snapshot *s) { return s->state == GSP_READY; }
static uint64_t attempt(const struct gsp_snapshot *s) { return s->attempt; }
static uint64_t boots(const struct gsp_snapshot *s) { return s->boots; }
static uint64_t unloads(const struct gsp_snapshot *s) { return s->unloads; }
static uint64_t reads(const struct gsp_snapshot *s) { return s->reg_reads; }
static uint64_t writes(const struct gsp_snapshot *s) { return s->reg_writes; }
static uint64_t rpcs(const struct gsp_snapshot *s) { return s->rpc_sent; }
static uint64_t events(const struct gsp_snapshot *s) { return s->events; }
static uint64_t interrupts(const struct gsp_snapshot *s) { return s->interrupts; }

static const struct {
    struct metric metric;
    uint64_t (*value)(const struct gsp_snapshot *s);
} numbers[] = {
#define G(name, help, fn) {{"firstlight_gpu_" name, METRIC_GAUGE, NULL, help}, fn}
#define C(name, help, fn) {{"firstlight_gpu_" name, METRIC_COUNTER, NULL, help}, fn}
    G("ready", "1 when the GPU's firmware is up.", ready),
    G("attempt", "Number of the last bring-up's attempt, from 1.", attempt),
    C("boots_total", "Bring-ups started.", boots),
    C("unloads_total", "Times the firmware was taken down.", unloads),
    C("register_reads_total", "Register reads by the appliance.", reads),
    C("register_writes_total", "Register writes by the appliance.", writes),
    C("rpcs_total", "Messages sent to the GSP.", rpcs),
    C("events_total", "Events received from the GSP.", events),
    C("interrupts_total", "Interrupts of the GSP that were served.", interrupts),
#undef G
#undef C
};

static void put_numbers(struct metrics *m, const struct metrics_gpu *g, uint32_t count)
{
    for (size_t r = 0; r < ARRAY_SIZE(numbers); r++) {
        metrics_family(m, &numbers[r].metric);
        for (uint32_t i = 0; i < count; i++) {
            metrics_sample(m, g[i].own, g[i].own_len);
            metrics_value(m, (int64_t)numbers[r].value(&g[i].s), 0);
        }
    }
}

/* ---- the rest, a function for each family ---- */

static void label_known(struct metrics *m, const char *key, const char *value)
{
    if (value[0] != '\0') {
        metrics_label(m, key, value);
    }
}

static void put_info(struct metrics *m, const struct metrics_gpu *g)
{
    char name[GPU_NAME_MAX];
    metrics_sample(m, g->own, g->own_len);
    label_known(m, "chip", g->s.chip);
    metrics_label(m, "model", gpu_name(&g->s, name));
    label_known(m, "gsp_firmware", g->s.firmware_version);
    label_known(m, "vbios", g->s.vbios_version);
    metrics_value(m, 1, 0);
}

static void put_state(struct metrics *m, const struct metrics_gpu *g)
{
    metrics_sample(m, g->own, g->own_len);
    metrics_label(m, "state", gsp_state_name(g->s.state));
    metrics_value(m, 1, 0);
}

static void stage_value(struct metrics *m, const struct metrics_gpu *g, const char *name,
                        uint64_t us)
{
    metrics_sample(m, g->own, g->own_len);
    metrics_label(m, "stage", name);
    metrics_value(m, (int64_t)us, MICRO);
}

static void put_stages(struct metrics *m, const struct metrics_gpu *g)
{
    for (uint32_t k = 0; k < g->s.stage_count; k++) {
        if (g->s.stage[k].state == GSP_STAGE_OK) {
            stage_value(m, g, g->s.stage[k].name, g->s.stage[k].us);
        }
    }
}

static void put_waits(struct metrics *m, const struct metrics_gpu *g)
{
    for (uint32_t k = 0; k < g->s.stage_count; k++) {
        if (g->s.stage[k].state == GSP_STAGE_OK) {
            stage_value(m, g, g->s.stage[k].name, g->s.stage[k].waited_us);
        }
    }
}

static void put_memory(struct metrics *m, const struct metrics_gpu *g)
{
    const struct {
        const char *kind;
        uint64_t bytes;
    } parts[] = {{"total", g->memory.total},
                 {"reserved", g->memory.reserved},
                 {"used", g->memory.used},
                 {"free", g->memory.free}};
    for (size_t i = 0; g->memory.known && i < ARRAY_SIZE(parts); i++) {
        metrics_sample(m, g->own, g->own_len);
        metrics_label(m, "kind", parts[i].kind);
        metrics_value(m, (int64_t)parts[i].bytes, 0);
    }
}

static void put_link(struct metrics *m, const struct metrics_gpu *g, const char *which, uint8_t v)
{
    if (g->pci->link.valid) {
        metrics_sample(m, g->own, g->own_len);
        metrics_label(m, "which", which);
        metrics_value(m, v, 0);
    }
}

static void put_generation(struct metrics *m, const struct metrics_gpu *g)
{
    put_link(m, g, "now", g->pci->link.speed);
    put_link(m, g, "possible", g->pci->speed);
}

static void put_lanes(struct metrics *m, const struct metrics_gpu *g)
{
    put_link(m, g, "now", g->pci->link.width);
    put_link(m, g, "possible", g->pci->width);
}

static void put_aer_bits(struct metrics *m, const struct metrics_gpu *g, bool correctable,
                         uint32_t bits)
{
    for (unsigned bit = 0; bit < AER_BITS && bits >> bit != 0; bit++) {
        const char *name = pci_aer_name(correctable, bit);
        if ((bits >> bit & 1) != 0 && name != NULL) {
            metrics_sample(m, g->own, g->own_len);
            metrics_label(m, "severity", correctable ? "correctable" : "uncorrectable");
            metrics_label(m, "error", name);
            metrics_value(m, 1, 0);
        }
    }
}

static void put_aer(struct metrics *m, const struct metrics_gpu *g)
{
    if (g->pci->aer.valid) {
        put_aer_bits(m, g, true, g->pci->aer.correctable);
        put_aer_bits(m, g, false, g->pci->aer.uncorrectable);
    }
}

static uint32_t xids_of(const struct metrics_gpu *g, struct gsp_xid out[GSP_XIDS_MAX])
{
    return g->gpu != NULL ? gsp_get_xids(g->gpu, out, GSP_XIDS_MAX) : 0;
}

static void begin_xid(struct metrics *m, const struct metrics_gpu *g, const struct gsp_xid *x)
{
    metrics_sample(m, g->own, g->own_len);
    if (x->number == GSP_XID_OTHERS) {
        metrics_label(m, "xid", "others");
    } else {
        metrics_label_u64(m, "xid", x->number);
    }
}

static void put_xids(struct metrics *m, const struct metrics_gpu *g)
{
    struct gsp_xid x[GSP_XIDS_MAX];
    const uint32_t n = xids_of(g, x);
    for (uint32_t i = 0; i < n; i++) {
        begin_xid(m, g, &x[i]);
        metrics_value(m, (int64_t)x[i].count, 0);
    }
}

static void put_xid_times(struct metrics *m, const struct metrics_gpu *g)
{
    struct gsp_xid x[GSP_XIDS_MAX];
    const uint64_t boot_s = clock_boot_unix_s();
    const uint32_t n = boot_s != 0 ? xids_of(g, x) : 0;
    for (uint32_t i = 0; i < n; i++) {
        begin_xid(m, g, &x[i]);
        metrics_value(m, (int64_t)(boot_s * US_PER_S + x[i].last_us), MICRO);
    }
}

static void put_rpc_times(struct metrics *m, const struct metrics_gpu *g)
{
    struct gsp_rpc_latency l;
    char gpu[20];
    const int n = snprintf(gpu, sizeof(gpu), "gpu=\"%u\"", (unsigned)g->index);
    for (uint32_t i = 0; g->gpu != NULL && gsp_get_rpc_latency(g->gpu, i, &l); i++) {
        metrics_latency(m, gpu, (size_t)n, "function", l.name, &l.took);
    }
}

static const struct {
    struct metric metric;
    void (*put)(struct metrics *m, const struct metrics_gpu *g);
} families[] = {
#define F(name, type, unit, help, fn) {{"firstlight_gpu_" name, type, unit, help}, fn}
    F("info", METRIC_INFO, NULL,
      "What is known of the GPU; the driver version that DCGM series have is that of the GSP's "
      "firmware.",
      put_info),
    F("state", METRIC_GAUGE, NULL, "1 for the state the GPU is in.", put_state),
    F("stage_seconds", METRIC_GAUGE, "seconds", "Duration of a stage of the last bring-up.",
      put_stages),
    F("stage_waited_seconds", METRIC_GAUGE, "seconds",
      "Of the duration of a stage, what went into waits for NVIDIA's programs.", put_waits),
    F("memory_bytes", METRIC_GAUGE, "bytes", "Video memory.", put_memory),
    F("pcie_generation", METRIC_GAUGE, NULL,
      "PCI Express generation of the link: now, and what both ends can do.", put_generation),
    F("pcie_lanes", METRIC_GAUGE, NULL, "PCI Express lanes: now, and what both ends can do.",
      put_lanes),
    F("aer", METRIC_GAUGE, NULL,
      "1 for each kind of error that the GPU's PCI function has kept (Advanced Error Reporting).",
      put_aer),
    F("xid_total", METRIC_COUNTER, NULL, "Xid errors, by number.", put_xids),
    F("xid_last_timestamp_seconds", METRIC_GAUGE, "seconds", "Time of the last Xid of a number.",
      put_xid_times),
    F("rpc_duration_seconds", METRIC_HISTOGRAM, "seconds",
      "Time until the GSP had answered a call, waiting for a turn included.", put_rpc_times),
#undef F
};

void metrics_put_gpus(struct metrics *m, const struct metrics_gpu *g, uint32_t count)
{
    put_numbers(m, g, count);
    for (size_t r = 0; r < ARRAY_SIZE(families); r++) {
        metrics_family(m, &families[r].metric);
        for (uint32_t i = 0; i < count; i++) {
            families[r].put(m, &g[i]);
        }
    }
}
