/* SPDX-License-Identifier: MIT */
/*
 * What nvidia-smi tells of a GPU, under the names of its XML tags: as JSON in the status, where a
 * number has its unit in the key and what is not known is absent; and as the text that people know
 * from `nvidia-smi -q` (?format=nvidia-smi), where it is N/A.
 *
 * One list makes both. Source of names, order and units: nvsmi_device_v12.dtd, nvidia-smi -q of
 * 570.124.06.
 */
#include <stdio.h>
#include <string.h>

#include "arch/clock.h"
#include "gsp/vram.h"
#include "net/api/api_priv.h"
#include "net/api/metrics.h"

/* A writer of one of the two. */
struct smi {
    struct jw *json;       /* NULL: text */
    struct text_buf *text; /* NULL: JSON */
    unsigned depth;        /* of the text's indentation */
    const struct metrics_gpu *g;
};

#define NAME_COLUMN 50u /* where the colon stands */
#define INDENT      4u

static void put_name(struct smi *o, const char *name)
{
    static const char blanks[] = "                                                            ";
    const size_t indent = INDENT * o->depth, n = strlen(name);
    text_append(o->text, blanks, indent);
    text_append(o->text, name, n);
    if (indent + n < NAME_COLUMN) {
        text_append(o->text, blanks, NAME_COLUMN - indent - n);
    }
}

static void section(struct smi *o, const char *key, const char *name)
{
    if (o->json != NULL) {
        jw_object(o->json, key);
        return;
    }
    text_printf(o->text, "%*s%s\n", (int)(INDENT * o->depth), "", name);
    o->depth++;
}

static void end_section(struct smi *o)
{
    if (o->json != NULL) {
        jw_end_object(o->json);
    } else {
        o->depth--;
    }
}

/* value NULL or "": not known. */
static void string(struct smi *o, const char *key, const char *name, const char *value)
{
    const bool known = value != NULL && value[0] != '\0';
    if (o->json != NULL) {
        if (known) {
            jw_str(o->json, key, value);
        }
        return;
    }
    put_name(o, name);
    text_printf(o->text, ": %s\n", known ? value : "N/A");
}

/* value / 10^decimals; unit: for the text, with its blank in front. */
static void number(struct smi *o, const char *key, const char *name, bool known, uint64_t value,
                   unsigned decimals, const char *unit)
{
    if (o->json != NULL) {
        if (known && decimals > 0) {
            jw_fixed(o->json, key, value, decimals);
        } else if (known) {
            jw_u64(o->json, key, value);
        }
        return;
    }
    put_name(o, name);
    text_append(o->text, ": ", 2);
    if (known) {
        text_append_fixed(o->text, value, decimals);
        text_printf(o->text, "%s\n", unit);
    } else {
        text_append(o->text, "N/A\n", 4);
    }
}

static const struct gsp_sensor_value *sensor(const struct smi *o, enum gsp_sensor s)
{
    return &o->g->sensors.sensor[s];
}

static void count(struct smi *o, const char *key, const char *name, enum gsp_sensor s)
{
    number(o, key, name, sensor(o, s)->known, (uint64_t)sensor(o, s)->value, 0, "");
}

/* ---- the sections, in nvidia-smi's order ---- */

static const char *architecture(const char *chip)
{
    static const struct {
        const char *chips, *name;
    } rows[] = {{"tu", "Turing"},
                {"ga", "Ampere"},
                {"ad", "Ada Lovelace"},
                {"gh", "Hopper"},
                {"gb", "Blackwell"}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (strncmp(chip, rows[i].chips, 2) == 0) {
            return rows[i].name;
        }
    }
    return NULL;
}

static void put_pci(struct smi *o)
{
    const struct pci_dev *d = o->g->s.pci;
    const struct pci_state *p = o->g->pci;
    char text[32];
    section(o, "pci", "PCI");
    snprintf(text, sizeof(text), "%02X", d->bus);
    string(o, "pci_bus", "Bus", text);
    snprintf(text, sizeof(text), "%02X", d->devfn >> 3u);
    string(o, "pci_device", "Device", text);
    snprintf(text, sizeof(text), "%04X", d->segment);
    string(o, "pci_domain", "Domain", text);
    snprintf(text, sizeof(text), "%04X%04X", d->device, d->vendor);
    string(o, "pci_device_id", "Device Id", text);
    string(o, "pci_bus_id", "Bus Id", gpu_bus_id(d, text));
    snprintf(text, sizeof(text), "%04X%04X", d->subdevice, d->subvendor);
    string(o, "pci_sub_system_id", "Sub System Id", text);
    section(o, "pci_gpu_link_info", "GPU Link Info");
    section(o, "pcie_gen", "PCIe Generation");
    number(o, "max_link_gen", "Max", p->link.valid, p->speed, 0, "");
    number(o, "current_link_gen", "Current", p->link.valid, p->link.speed, 0, "");
    number(o, "max_device_link_gen", "Device Max", p->link.valid, p->link.max_speed, 0, "");
    end_section(o);
    section(o, "link_widths", "Link Width");
    number(o, "max_link_width", "Max", p->link.valid, p->width, 0, "x");
    number(o, "current_link_width", "Current", p->link.valid, p->link.width, 0, "x");
    end_section(o);
    end_section(o);
    count(o, "replay_counter", "Replays Since Reset", GSP_SENSOR_PCIE_REPLAYS);
    count(o, "replay_rollover_counter", "Replay Number Rollovers",
          GSP_SENSOR_PCIE_REPLAY_ROLLOVERS);
    const struct gsp_sensor_value *tx = sensor(o, GSP_SENSOR_PCIE_SENT);
    const struct gsp_sensor_value *rx = sensor(o, GSP_SENSOR_PCIE_RECEIVED);
    number(o, "tx_util_kb_per_s", "Tx Throughput", tx->known, (uint64_t)tx->value / 1000, 0,
           " KB/s");
    number(o, "rx_util_kb_per_s", "Rx Throughput", rx->known, (uint64_t)rx->value / 1000, 0,
           " KB/s");
    end_section(o);
}

static void put_pstate(struct smi *o)
{
    const struct gsp_sensor_value *v = sensor(o, GSP_SENSOR_PSTATE);
    char text[8] = "";
    if (v->known) {
        snprintf(text, sizeof(text), "P%u", (unsigned)v->value & 0xfu);
    }
    string(o, "performance_state", "Performance State", text);
}

static void put_reasons(struct smi *o)
{
    /* Key, name in the text, bit of the mask, in nvidia-smi's order. */
    static const struct {
        const char *key, *name;
        unsigned bit;
    } rows[] = {
#define R(key, name, bit) {"clocks_event_reason_" key, name, bit}
        R("gpu_idle", "Idle", 0),
        R("applications_clocks_setting", "Applications Clocks Setting", 1),
        R("sw_power_cap", "SW Power Cap", 2),
        R("hw_slowdown", "HW Slowdown", 3),
        R("hw_thermal_slowdown", "HW Thermal Slowdown", 6),
        R("hw_power_brake_slowdown", "HW Power Brake Slowdown", 7),
        R("sync_boost", "Sync Boost", 4),
        R("sw_thermal_slowdown", "SW Thermal Slowdown", 5),
        R("display_clocks_setting", "Display Clock Setting", 8),
#undef R
    };
    const struct gsp_sensor_value *v = sensor(o, GSP_SENSOR_THROTTLE);
    if (o->json != NULL && !v->known) {
        return;
    }
    section(o, "clocks_event_reasons", "Clocks Event Reasons");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const bool active = ((uint64_t)v->value >> rows[i].bit & 1) != 0;
        if (o->json != NULL) {
            jw_bool(o->json, rows[i].key, active);
        } else {
            string(o, NULL, rows[i].name, !v->known ? NULL : active ? "Active" : "Not Active");
        }
    }
    end_section(o);
}

static void put_mib(struct smi *o, const char *key, const char *name, bool known, uint64_t bytes)
{
    number(o, key, name, known, bytes >> 20, 0, " MiB");
}

/* BAR1's aperture, of which the windows that are in use move (gsp/vram.h). */
static void put_memory(struct smi *o)
{
    const struct gpu_memory *m = &o->g->memory;
    const int bar = pci_mem_bar(o->g->s.pci, 1);
    const uint64_t bar1 = bar < 0 ? 0 : o->g->s.pci->bar[bar].size;
    struct gsp_vram_stats v = {0};
    if (o->g->gpu != NULL) {
        gsp_vram_get_stats(o->g->gpu, &v);
    }
    const bool only_windows = v.managed && v.spaces == 0; /* what clients map is not counted */
    const uint64_t used = min_u64(v.bar1_windows * GSP_VRAM_WINDOW_BYTES, bar1);
    if (o->json == NULL || m->known) {
        section(o, "fb_memory_usage", "FB Memory Usage");
        put_mib(o, "total_mib", "Total", m->known, m->total);
        put_mib(o, "reserved_mib", "Reserved", m->known, m->reserved);
        put_mib(o, "used_mib", "Used", m->known, m->used);
        put_mib(o, "free_mib", "Free", m->known, m->free);
        end_section(o);
    }
    if (o->json == NULL || bar1 != 0) {
        section(o, "bar1_memory_usage", "BAR1 Memory Usage");
        put_mib(o, "total_mib", "Total", bar1 != 0, bar1);
        put_mib(o, "used_mib", "Used", only_windows, used);
        put_mib(o, "free_mib", "Free", only_windows, bar1 - used);
        end_section(o);
    }
}

/* A section whose rows are sensors; without any that is known JSON has none. */
struct row {
    const char *key, *name;
    enum gsp_sensor sensor;
};

static bool any_known(const struct smi *o, const struct row *rows, size_t n)
{
    bool any = o->json == NULL;
    for (size_t i = 0; i < n && !any; i++) {
        any = sensor(o, rows[i].sensor)->known;
    }
    return any;
}

static void put_rows(struct smi *o, const char *key, const char *name, const struct row *rows,
                     size_t n, uint64_t divisor, unsigned decimals, const char *unit)
{
    if (!any_known(o, rows, n)) {
        return;
    }
    section(o, key, name);
    for (size_t i = 0; i < n; i++) {
        const struct gsp_sensor_value *v = sensor(o, rows[i].sensor);
        number(o, rows[i].key, rows[i].name, v->known && v->value >= 0,
               (uint64_t)v->value / divisor, decimals, unit);
    }
    end_section(o);
}

static void put_ecc(struct smi *o)
{
    static const struct row now[] = {
        {"sram_correctable", "SRAM Correctable", GSP_SENSOR_ECC_SRAM_CORRECTED_VOLATILE},
        {"sram_uncorrectable", "SRAM Uncorrectable", GSP_SENSOR_ECC_SRAM_UNCORRECTED_VOLATILE},
        {"dram_correctable", "DRAM Correctable", GSP_SENSOR_ECC_DRAM_CORRECTED_VOLATILE},
        {"dram_uncorrectable", "DRAM Uncorrectable", GSP_SENSOR_ECC_DRAM_UNCORRECTED_VOLATILE},
    };
    static const struct row ever[] = {
        {"sram_correctable", "SRAM Correctable", GSP_SENSOR_ECC_SRAM_CORRECTED_AGGREGATE},
        {"sram_uncorrectable", "SRAM Uncorrectable", GSP_SENSOR_ECC_SRAM_UNCORRECTED_AGGREGATE},
        {"dram_correctable", "DRAM Correctable", GSP_SENSOR_ECC_DRAM_CORRECTED_AGGREGATE},
        {"dram_uncorrectable", "DRAM Uncorrectable", GSP_SENSOR_ECC_DRAM_UNCORRECTED_AGGREGATE},
    };
    if (!any_known(o, now, ARRAY_SIZE(now)) && !any_known(o, ever, ARRAY_SIZE(ever))) {
        return;
    }
    section(o, "ecc_errors", "ECC Errors");
    put_rows(o, "volatile", "Volatile", now, ARRAY_SIZE(now), 1, 0, "");
    put_rows(o, "aggregate", "Aggregate", ever, ARRAY_SIZE(ever), 1, 0, "");
    end_section(o);
}

static void put_remapped(struct smi *o)
{
    static const struct row rows[] = {
        {"remapped_row_corr", "Correctable Error", GSP_SENSOR_REMAP_CORRECTABLE},
        {"remapped_row_unc", "Uncorrectable Error", GSP_SENSOR_REMAP_UNCORRECTABLE},
        {"remapped_row_pending", "Pending", GSP_SENSOR_REMAP_PENDING},
        {"remapped_row_failure", "Remapping Failure Occurred", GSP_SENSOR_REMAP_FAILED},
    };
    if (!any_known(o, rows, ARRAY_SIZE(rows))) {
        return;
    }
    section(o, "remapped_rows", "Remapped Rows");
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct gsp_sensor_value *v = sensor(o, rows[i].sensor);
        const bool flag = gsp_sensor_info(rows[i].sensor)->unit == GSP_UNIT_FLAG;
        if (!flag) {
            count(o, rows[i].key, rows[i].name, rows[i].sensor);
        } else if (o->json == NULL) {
            string(o, NULL, rows[i].name, !v->known ? NULL : v->value != 0 ? "Yes" : "No");
        } else if (v->known) {
            jw_bool(o->json, rows[i].key, v->value != 0);
        }
    }
    end_section(o);
}

/* In the order of `nvidia-smi -q`. */
static void put_measured(struct smi *o)
{
    static const struct row use[] = {
        {"gpu_util_percent", "GPU", GSP_SENSOR_USE_GPU},
        {"memory_util_percent", "Memory", GSP_SENSOR_USE_MEMORY},
        {"encoder_util_percent", "Encoder", GSP_SENSOR_USE_ENCODER},
        {"decoder_util_percent", "Decoder", GSP_SENSOR_USE_DECODER},
        {"jpeg_util_percent", "JPEG", GSP_SENSOR_USE_JPEG},
        {"ofa_util_percent", "OFA", GSP_SENSOR_USE_OFA},
    };
    static const struct row heat[] = {
        {"gpu_temp_c", "GPU Current Temp", GSP_SENSOR_TEMP_GPU},
        {"memory_temp_c", "Memory Current Temp", GSP_SENSOR_TEMP_MEMORY},
    };
    static const struct row power[] = {
        {"average_power_draw_w", "Average Power Draw", GSP_SENSOR_POWER_GPU},
        {"instant_power_draw_w", "Instantaneous Power Draw", GSP_SENSOR_POWER_GPU_NOW},
        {"current_power_limit_w", "Current Power Limit", GSP_SENSOR_POWER_LIMIT_ENFORCED},
        {"requested_power_limit_w", "Requested Power Limit", GSP_SENSOR_POWER_LIMIT_REQUESTED},
    };
    static const struct row module[] = {
        {"average_power_draw_w", "Average Power Draw", GSP_SENSOR_POWER_MODULE},
        {"instant_power_draw_w", "Instantaneous Power Draw", GSP_SENSOR_POWER_MODULE_NOW},
    };
    static const struct row clocks[] = {
        {"graphics_clock_mhz", "Graphics", GSP_SENSOR_CLOCK_GRAPHICS},
        {"sm_clock_mhz", "SM", GSP_SENSOR_CLOCK_SM},
        {"mem_clock_mhz", "Memory", GSP_SENSOR_CLOCK_MEMORY},
        {"video_clock_mhz", "Video", GSP_SENSOR_CLOCK_VIDEO},
    };
    put_rows(o, "utilization", "Utilization", use, ARRAY_SIZE(use), 1, 0, " %");
    put_ecc(o);
    put_remapped(o);
    put_rows(o, "temperature", "Temperature", heat, ARRAY_SIZE(heat), 1000, 0, " C");
    put_rows(o, "gpu_power_readings", "GPU Power Readings", power, ARRAY_SIZE(power), 10, 2, " W");
    put_rows(o, "module_power_readings", "Module Power Readings", module, ARRAY_SIZE(module), 10, 2,
             " W");
    put_rows(o, "clocks", "Clocks", clocks, ARRAY_SIZE(clocks), 1000000, 0, " MHz");
}

/* nvidia-smi's words: what is, and what will be from the next reset on. */
static void put_mig(struct smi *o)
{
    const enum gsp_mig_mode m = o->g->sensors.mig;
    const bool known = m != GSP_MIG_UNKNOWN && m != GSP_MIG_UNSUPPORTED;
    const bool now = m == GSP_MIG_ENABLED || m == GSP_MIG_DISABLE_PENDING;
    const bool then = m == GSP_MIG_ENABLED || m == GSP_MIG_ENABLE_PENDING;
    if (o->json != NULL && !known) {
        return;
    }
    section(o, "mig_mode", "MIG Mode");
    string(o, "current_mig", "Current", !known ? NULL : now ? "Enabled" : "Disabled");
    string(o, "pending_mig", "Pending", !known ? NULL : then ? "Enabled" : "Disabled");
    end_section(o);
}

static void put_gpu(struct smi *o)
{
    const struct gsp_snapshot *s = &o->g->s;
    char name[GPU_NAME_MAX];
    string(o, "product_name", "Product Name", gpu_name(s, name));
    string(o, "product_architecture", "Product Architecture", architecture(s->chip));
    if (o->json == NULL) { /* the status has these already */
        string(o, NULL, "GPU UUID", s->uuid);
        string(o, NULL, "VBIOS Version", s->vbios_version);
        string(o, NULL, "GSP Firmware Version", s->firmware_version);
    } else {
        string(o, "vbios_version", NULL, s->vbios_version);
        string(o, "gsp_firmware_version", NULL, s->firmware_version);
    }
    put_mig(o);
    put_pci(o);
    put_pstate(o);
    put_reasons(o);
    put_memory(o);
    put_measured(o);
}

static struct metrics_gpu one; /* large; the API runs in one fiber */

void api_put_smi(struct jw *j, const char *key, uint32_t index)
{
    metrics_read_gpu(&one, index, NULL);
    struct smi o = {.json = j, .g = &one};
    jw_object(j, key);
    put_gpu(&o);
    jw_end_object(j);
}

void api_put_smi_text(struct text_buf *out)
{
    const struct api_context *ctx = api_context();
    const uint64_t boot_s = clock_boot_unix_s();
    struct smi o = {.text = out, .g = &one};
    char bus[GPU_BUS_ID_MAX];
    text_printf(out, "==============NVSMI LOG==============\n\n");
    number(&o, NULL, "Timestamp", boot_s != 0, boot_s + clock_now_us() / US_PER_S, 0,
           " s since 1970");
    string(&o, NULL, "Driver Version", NULL); /* there is none: the GSP's firmware is below */
    number(&o, NULL, "Attached GPUs", true, ctx->gpu_count, 0, "");
    for (uint32_t i = 0; i < ctx->gpu_count; i++) {
        metrics_read_gpu(&one, i, NULL);
        text_printf(out, "\nGPU %s\n", gpu_bus_id(one.s.pci, bus));
        o.depth = 1;
        put_gpu(&o);
        o.depth = 0;
    }
}
