/* SPDX-License-Identifier: MIT */
/* A GPU's life outside of its boot: creation, waiting, serving, snapshot, unload (gsp.h, gpu.h). */
#include "gsp/gpu.h"

#include <stdlib.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/log.h"
#include "arch/machine.h"
#include "gsp/boot/boot.h"
#include "gsp/boot/unload.h"

#define PCI_VENDOR_NVIDIA 0x10deu
#define PCI_CLASS_VGA     0x0300u /* base and sub class: with display */
#define PCI_CLASS_3D      0x0302u /* without */
#define BAR0_BYTES_MIN    MIB(16)
#define CPU_ADDRESS_BITS  52u /* no x86 CPU has more (Intel SDM 3A 4.1.4) */

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

bool gsp_match(const struct pci_dev *d)
{
    const uint32_t cls = d->class_code >> 8;

    return d->vendor == PCI_VENDOR_NVIDIA && (cls == PCI_CLASS_VGA || cls == PCI_CLASS_3D);
}

const char *gsp_chip_name(size_t index)
{
    const struct gsp_chip *c = gsp_chip_at(index);

    return c != NULL ? c->name : NULL;
}

void gsp_gpu_changed(struct gsp_gpu *g) { g->generation++; }

uint64_t gsp_generation(const struct gsp_gpu *g) { return g->generation; }

bool gsp_gpu_enter(struct gsp_gpu *g)
{
    g->users += !g->ending;
    return !g->ending;
}

void gsp_gpu_leave(struct gsp_gpu *g)
{
    if (--g->users == 0) {
        event_signal(&g->left);
    }
}

void gsp_gpu_flush_log(struct gsp_gpu *g)
{
    log_limit_flush(&g->complaints, g->label);
    log_limit_flush(&g->chatter, g->label);
    log_limit_flush(&g->rpc.limit, g->label);
}

/* ---- memory ---- */

enum fl_err gsp_gpu_alloc_below(struct gsp_gpu *g, struct dma_buf *buf, uint64_t size,
                                unsigned bits, const char *name, struct fl_fail *fail)
{
    const enum fl_err err = dma_alloc(buf, size, FL_PAGE_SIZE, bits, name);

    if (err != FL_OK) {
        FL_FAIL(fail, err, name, "no memory for %s: %llu bytes below 2^%u", name,
                (unsigned long long)size, bits);
        fl_fail_hint(fail, "a boot needs about 2 MiB beside the firmware files");
        return err;
    }
    gsp_recorder_add(&g->rec, GSP_REC_DMA, (uint32_t)size, buf->bus.raw, name);
    fiber_yield_if_long(); /* fresh pages were zeroed: slow where memory is first touched */
    return FL_OK;
}

enum fl_err gsp_gpu_alloc(struct gsp_gpu *g, struct dma_buf *buf, uint64_t size, const char *name,
                          struct fl_fail *fail)
{
    return gsp_gpu_alloc_below(g, buf, size, GSP_DMA_BITS, name, fail);
}

void gsp_gpu_free_boot(struct gsp_gpu *g)
{
    struct dma_buf *const all[] = {
        &g->mem.flush_page,    &g->mem.radix3,     &g->mem.image_copy, &g->mem.signature,
        &g->mem.bootloader,    &g->mem.wpr_meta,   &g->mem.libos_args, &g->mem.rm_args,
        &g->mem.queues,        &g->mem.fwsec_frts, &g->mem.fwsec_sb,   &g->mem.booter_load,
        &g->mem.booter_unload, &g->mem.fmc_image,  &g->mem.fmc_params, &g->mem.sr_save,
        &g->mem.sr_radix3,     &g->mem.sr_meta,
    };

    _Static_assert(ARRAY_SIZE(all) * sizeof(struct dma_buf) == sizeof(struct gsp_memory),
                   "a buffer is not freed");
    for (size_t i = ARRAY_SIZE(all); i-- > 0;) {
        dma_free(all[i]);
    }
}

void gsp_gpu_set_version(struct gsp_gpu *g, const char *version)
{
    size_t i = 0;

    for (; version[i] != '\0' && i < sizeof(g->firmware_version) - 1; i++) {
        g->firmware_version[i] = version[i];
    }
    g->firmware_version[i] = '\0';
}

void gsp_gpu_forget_boot(struct gsp_gpu *g)
{
    g->ev = (struct gsp_event_state){0};
    g->undo = (struct gsp_undo){0};
    g->name[0] = g->short_name[0] = g->uuid[0] = '\0';
    g->fb_length = 0;
    g->fb_bus_width = g->fb_ram_type = g->fb_region_count = 0;
    g->internal_client = g->internal_device = g->internal_subdevice = 0;
    g->wpr2 = (struct gsp_wpr2){0};
    g->last_ping_us = clock_now_us();
}

/* A crash shows as a core that has stopped, and as the cause HALT of an interrupt. That cause alone
 * is no crash: programs on the same engine's falcon leave it behind too. */
enum fl_err gsp_gpu_check_core(struct gsp_gpu *g, struct fl_fail *fail)
{
    if (!g->undo.core || g->ev.lockdown || g->io.lost || !g->family->ops->riscv_stopped(g)) {
        return gsp_io_check(&g->io);
    }
    g->undo.core = g->undo.rm = false; /* there is nobody to say goodbye to */
    const uint64_t init_words = gsp_log_put(g, GSP_LOG_INIT); /* once: it may go on counting */
    FL_FAIL(fail, FL_EIO, "GSP",
            "the GSP crashed: its core has stopped by itself; its log buffer init has %llu words, "
            "rm %llu",
            (unsigned long long)init_words, (unsigned long long)gsp_log_put(g, GSP_LOG_RM));
    fl_fail_values(fail, init_words, 0, 0);
    fl_fail_hint(fail, "the log buffers init and rm hold its report; a boot brings it back");
    gsp_event_xid(g, GSP_XID_GSP_CRASH, "the GSP crashed: its core has stopped by itself");
    return FL_EIO;
}

/* ---- creation and end ---- */

struct gsp_gpu *gsp_create(const struct pci_dev *d, const struct gsp_options *opt,
                           struct fl_fail *fail)
{
    struct gsp_gpu *g = calloc(1, sizeof(*g));

    if (g == NULL || !gsp_recorder_init(&g->rec)) {
        free(g);
        FL_FAIL(fail, FL_ENOMEM, "gpu", "no memory for a GPU's state");
        return NULL;
    }
    g->pci = d;
    g->opt = *opt;
    g->label = opt->label != NULL ? opt->label : "gsp";
    g->io.rec = &g->rec;
    g->state = GSP_ABSENT;
    event_init(&g->intr.ev);
    event_init(&g->left);
    gsp_boot_list_stages(g);
    if (!gsp_rpc_init(&g->rpc, &gsp_gpu_rpc_host, g)) {
        FL_FAIL(fail, FL_ENOMEM, "gpu", "no memory for a message buffer");
        goto no_rpc;
    }
    const int bar = pci_mem_bar(d, 0);
    if (bar < 0) {
        FL_FAIL(fail, FL_ENOENT, "BAR0", "the GPU has no register BAR");
        goto no_bar;
    }
    /* A firmware without room leaves 0 there, or the ones with which it asked for the size. */
    if (d->bar[bar].address == 0 || d->bar[bar].address >> CPU_ADDRESS_BITS != 0 ||
        d->bar[bar].size < BAR0_BYTES_MIN) {
        FL_FAIL(fail, FL_EBADDATA, "BAR0",
                "BAR%d is at 0x%llx and has 0x%llx bytes; expected an address and at least 16 MiB",
                bar, (unsigned long long)d->bar[bar].address, (unsigned long long)d->bar[bar].size);
        fl_fail_hint(fail,
                     "the firmware gave it no place: enable 'above 4G decoding' in its setup");
        goto no_bar;
    }
    const enum fl_err err = pci_map_bar(d, (unsigned)bar, &g->io.bar0);
    if (err != FL_OK) {
        FL_FAIL(fail, err, "BAR0", "BAR0 at 0x%llx cannot be mapped: %s",
                (unsigned long long)d->bar[bar].address, fl_err_name(err));
        fl_fail_hint(fail, "the machine's firmware gave the GPU no usable place: enable 'above 4G "
                           "decoding' or a larger MMIO window in its setup");
        goto no_bar;
    }
    g->io.size = d->bar[bar].size;
    return g;

no_bar:
    gsp_rpc_free(&g->rpc);
no_rpc:
    gsp_recorder_free(&g->rec);
    free(g);
    return NULL;
}

static enum fl_err unload(struct gsp_gpu *g)
{
    if (g->busy || g->state != GSP_READY) {
        return FL_ESTATE;
    }
    g->busy = true;
    fl_fail_clear(&g->fail);
    const enum fl_err err = gsp_unload_run(g, &g->fail);
    g->busy = false;
    g->unloads++;
    g->state = err == FL_OK ? GSP_UNLOADED : GSP_FAILED;
    if (err != FL_OK) {
        fl_fail_stage(&g->fail, "unload");
        log_error(g->label, "unload failed: %s", g->fail.text);
    } else {
        log_info(g->label, "%s is unloaded", g->chip->name);
    }
    gsp_gpu_changed(g);
    return err;
}

enum fl_err gsp_unload(struct gsp_gpu *g)
{
    if (!gsp_gpu_enter(g)) {
        return FL_ESTATE;
    }
    const enum fl_err err = unload(g);
    gsp_gpu_leave(g);
    return err;
}

/* Nobody comes in any more, and who is inside gets out: at the end of the stage, call or step that
 * he is in, all of which have deadlines. */
static void wait_until_alone(struct gsp_gpu *g)
{
    g->ending = true;
    gsp_rpc_interrupt(&g->rpc);
    event_signal(&g->intr.ev);
    while (g->users > 0) {
        const enum fl_err err = event_wait(&g->left, deadline_never());
        FL_ASSERT(err == FL_OK);
    }
}

void gsp_destroy(struct gsp_gpu *g)
{
    if (g == NULL) {
        return;
    }
    wait_until_alone(g);
    if (g->state == GSP_READY && unload(g) != FL_OK) {
        log_warn(g->label, "unload before destruction failed: %s", g->fail.text);
    }
    if (g->state == GSP_SUSPENDED) {
        gsp_gpu_free_boot(g);
    }
    gsp_gpu_flush_log(g);
    if (g->intr.msi) {
        pci_disable_msi(g->pci);
    }
    pci_enable(g->pci, true, false);
    for (unsigned i = 0; i < GSP_LOG_COUNT; i++) {
        dma_free(&g->log[i]);
    }
    gsp_rpc_free(&g->rpc);
    gsp_recorder_free(&g->rec);
    free(g);
}

/* ---- what others see ---- */

void gsp_get_snapshot(struct gsp_gpu *g, struct gsp_snapshot *out)
{
    *out = (struct gsp_snapshot){
        .state = g->state,
        .pci = g->pci,
        .boot0 = g->boot0,
        .boot42 = g->boot42,
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
        .reg_reads = g->io.reads,
        .reg_writes = g->io.writes,
        .firmware_bytes = g->firmware_bytes,
        .copied_bytes = g->copied_bytes,
        .passed_over = g->fw.newer,
        .rpc_sent = g->rpc.sent,
        .rpc_received = g->rpc.received - g->rpc.events,
        .events = g->events,
        .interrupts = g->intr.served,
        .xid_count = g->xid_count,
        .last_xid = g->last_xid,
    };
    if (g->chip != NULL) {
        strncpy(out->chip, g->chip->name, sizeof(out->chip) - 1);
    }
    memcpy(out->name, g->name, sizeof(out->name));
    memcpy(out->short_name, g->short_name, sizeof(out->short_name));
    memcpy(out->uuid, g->uuid, sizeof(out->uuid));
    memcpy(out->firmware_version, g->firmware_version, sizeof(out->firmware_version));
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

size_t gsp_flight_read(struct gsp_gpu *g, uint64_t *cursor, char *buf, size_t size)
{
    return gsp_recorder_text(&g->rec, cursor, buf, size);
}
