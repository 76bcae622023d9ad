/* SPDX-License-Identifier: MIT */
/* A GPU's life outside of its boot: creation, waiting, serving, snapshot, unload (gsp.h, gpu.h). */
#include "gsp/gpu.h"

#include <stdlib.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/lockorder.h"
#include "arch/log.h"
#include "gsp/boot.h"
#include "gsp/unload.h"

#define PCI_VENDOR_NVIDIA 0x10deu
#define PCI_CLASS_VGA     0x0300u /* base and sub class: with display */
#define PCI_CLASS_3D      0x0302u /* without */
#define BAR0_BYTES_MIN    MIB(16)
#define CPU_ADDRESS_BITS  52u /* no x86 CPU has more (Intel SDM 3A 4.1.4) */

#define PING_PERIOD_US     (250 * US_PER_MS) /* of the link, while a wait looks at memory only */
#define IDLE_STEP_FIRST_US 100u              /* without interrupts, or before the first one */
#define IDLE_STEP_MAX_US   1000u
#define IDLE_STEP_LIVE_US                                                                          \
    (10 * US_PER_MS)                    /* with interrupts: a lost one costs no more than this     \
                                         */
#define SERVE_STEP_US (250 * US_PER_MS) /* how soon gsp_serve sees *stop */
#define SERVE_POLL_US (10 * US_PER_MS)  /* without interrupts */
#define SERVE_PING_US US_PER_S

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
    FL_FAIL(fail, FL_EIO, "GSP",
            "the GSP crashed: its core has stopped by itself; its log buffer init has %llu words, "
            "rm %llu",
            (unsigned long long)gsp_log_put(g, GSP_LOG_INIT),
            (unsigned long long)gsp_log_put(g, GSP_LOG_RM));
    fl_fail_values(fail, gsp_log_put(g, GSP_LOG_INIT), 0, 0);
    fl_fail_hint(fail, "the log buffers init and rm hold its report; a boot brings it back");
    gsp_event_xid(g, GSP_XID_GSP_CRASH, "the GSP crashed: its core has stopped by itself");
    return FL_EIO;
}

/* ---- the RPC layer's view ---- */

static enum fl_err idle(void *ctx, uint32_t round, struct deadline d, struct fl_fail *fail)
{
    struct gsp_gpu *g = ctx;
    uint64_t step = (uint64_t)IDLE_STEP_FIRST_US << (round < 4 ? round : 4);

    step = g->intr.live ? IDLE_STEP_LIVE_US : min_u64(step, IDLE_STEP_MAX_US);
    struct deadline until = deadline_in_us(step);
    until.at_us = min_u64(until.at_us, d.at_us);
    if (gsp_intr_wait(g, until) == FL_ETIMEDOUT && g->intr.live &&
        gsp_queue_pending(&g->rpc.queue)) {
        g->intr.missed++;
    }
    if (!g->io.lost &&
        (g->intr.halts != g->halts_seen || clock_now_us() - g->last_ping_us >= PING_PERIOD_US)) {
        g->last_ping_us = clock_now_us();
        g->halts_seen = g->intr.halts;
        if (gsp_io_ping(&g->io) == FL_OK) {
            return gsp_gpu_check_core(g, fail);
        }
    }
    if (g->io.lost) {
        return FL_FAIL(fail, FL_ELINKLOST, "NV_PMC_BOOT_0",
                       "link lost: the device no longer answers");
    }
    return FL_OK;
}

static enum fl_err on_event(void *ctx, const struct gsp_msg *m, struct fl_fail *fail)
{
    return gsp_event_handle(ctx, m, fail);
}

static void trace(void *ctx, bool sent, uint32_t function, uint32_t bytes, uint32_t result)
{
    struct gsp_gpu *g = ctx;
    const struct gsp_event_info *e =
        function >= GSP_RPC_FIRST_EVENT ? gsp_event_find(g->layout->version, function) : NULL;

    gsp_recorder_add(&g->rec, sent ? GSP_REC_SEND : GSP_REC_RECV, function,
                     (uint64_t)result << 32 | bytes, e != NULL ? e->name : gsp_rpc_name(function));
}

const struct gsp_rpc_host gsp_gpu_rpc_host = {.idle = idle, .event = on_event, .trace = trace};

/* ---- the sequencer's view ---- */

#define SEC2_HANDOFF_TIMEOUT_US (2 * US_PER_S)

static uint32_t seq_read(void *ctx, uint32_t off)
{
    return gsp_io_read(&((struct gsp_gpu *)ctx)->io, off);
}
static void seq_write(void *ctx, uint32_t off, uint32_t value)
{
    gsp_io_write(&((struct gsp_gpu *)ctx)->io, off, value);
}

static enum fl_err seq_poll(void *ctx, uint32_t off, uint32_t mask, uint32_t value,
                            uint64_t timeout_us, struct fl_fail *fail)
{
    struct gsp_gpu *g = ctx;
    const struct gsp_wait w = {
        .what = "a register of the GSP's script", .timeout_us = timeout_us, .step_us = 1};

    return gsp_io_poll(&g->io, off, mask, value, &w, NULL, fail);
}

static void seq_delay(void *ctx, uint32_t us)
{
    (void)ctx;
    fiber_sleep_us(us);
}

static enum fl_err seq_core_reset(void *ctx, struct fl_fail *fail)
{
    struct gsp_gpu *g = ctx;
    const enum fl_err err = g->family->ops->falcon_reset(g, &gsp_falcon_gsp, fail);

    if (err == FL_OK) {
        gsp_falcon_allow_physical(&g->io, &gsp_falcon_gsp);
    }
    return err;
}

static enum fl_err seq_core_start(void *ctx, struct fl_fail *fail)
{
    struct gsp_gpu *g = ctx;

    (void)fail;
    gsp_falcon_start(&g->io, &gsp_falcon_gsp);
    return gsp_io_check(&g->io);
}

static enum fl_err seq_core_wait_for_halt(void *ctx, struct fl_fail *fail)
{
    struct gsp_gpu *g = ctx;

    return gsp_falcon_wait_halted(&g->io, &gsp_falcon_gsp, "the script's program on the GSP falcon",
                                  fail);
}

/* Back to the RISC-V core, with SEC2's help: the booter, still loaded, continues. */
static enum fl_err seq_core_resume(void *ctx, struct fl_fail *fail)
{
    static const struct gsp_wait handoff = {
        .what = "SEC2 to hand the GSP over",
        .timeout_us = SEC2_HANDOFF_TIMEOUT_US,
        .step_us = 100,
    };
    struct gsp_gpu *g = ctx;
    struct gsp_io *io = &g->io;
    enum fl_err err = g->family->ops->gsp_reset_to_riscv(g, fail);

    if (err != FL_OK) {
        return err;
    }
    gsp_falcon_set_mailboxes(io, &gsp_falcon_gsp, g->mem.libos_args.bus.raw);
    gsp_falcon_start(io, &gsp_falcon_sec2);
    err =
        gsp_io_poll(io, NV_PGC6_BSI_SECURE_SCRATCH_14__OFFSET,
                    NV_PGC6_BSI_SECURE_SCRATCH_14__BOOT_STAGE_3_HANDOFF_MASK,
                    NV_PGC6_BSI_SECURE_SCRATCH_14__BOOT_STAGE_3_HANDOFF_MASK, &handoff, NULL, fail);
    if (err != FL_OK) {
        return err;
    }
    const uint32_t mailbox = ENG_READ(io, NV_PSEC_BASE, NV_PFALCON_FALCON_MAILBOX0).raw;
    if (mailbox != 0) {
        FL_FAIL(fail, FL_EIO, "CORE_RESUME", "SEC2 reports 0x%08x on resuming the GSP, expected 0",
                (unsigned)mailbox);
        fl_fail_values(fail, mailbox, 0, 0);
        return FL_EIO;
    }
    ENG_WRITE(io, NV_PGSP_BASE, NV_PFALCON_FALCON_OS,
              (struct NV_PFALCON_FALCON_OS){.raw = g->fw.bootloader.app_version});
    return g->family->ops->wait_riscv_active(g, fail);
}

const struct gsp_seq_ops gsp_gpu_seq_ops = {
    .read = seq_read,
    .write = seq_write,
    .poll = seq_poll,
    .delay_us = seq_delay,
    .core_reset = seq_core_reset,
    .core_start = seq_core_start,
    .core_wait_for_halt = seq_core_wait_for_halt,
    .core_resume = seq_core_resume,
};

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

void gsp_destroy(struct gsp_gpu *g)
{
    if (g == NULL) {
        return;
    }
    if (g->state == GSP_READY && gsp_unload(g) != FL_OK) {
        log_warn(g->label, "unload before destruction failed: %s", g->fail.text);
    }
    if (g->state == GSP_SUSPENDED) {
        gsp_gpu_free_boot(g);
    }
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

enum fl_err gsp_unload(struct gsp_gpu *g)
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

/* A GPU that was ready is not any more. */
static void fall_over(struct gsp_gpu *g, enum fl_err err)
{
    struct fl_fail second = {0};

    if (g->io.lost) {
        gsp_event_xid(g, GSP_XID_OFF_THE_BUS, "the GPU has fallen off the bus");
    }
    FL_FAIL(&g->fail, err, "serve", "the GPU failed while running: %s", fl_err_name(err));
    fl_fail_stage(&g->fail, "ready");
    log_error(g->label, "%s failed while running: %s", g->chip->name, g->fail.text);
    g->busy = true;
    g->undo.rm = false; /* it is not asked any more */
    if (gsp_unload_run(g, &second) != FL_OK && second.text[0] != '\0') {
        log_warn(g->label, "cleaning up after that failed too: %s", second.text);
    }
    g->busy = false;
    g->state = GSP_FAILED;
    gsp_gpu_changed(g);
}

void gsp_serve(struct gsp_gpu *g, const volatile bool *stop)
{
    while (g->state == GSP_READY && !g->busy && !*stop) {
        const bool interrupts = g->intr.enabled;
        const uint64_t step = interrupts ? SERVE_STEP_US : SERVE_POLL_US;
        enum fl_err err = gsp_intr_wait(g, deadline_in_us(step));

        if (g->busy || g->state != GSP_READY) {
            return; /* unloaded by somebody else meanwhile */
        }
        err = gsp_queue_pending(&g->rpc.queue) ? gsp_rpc_pump(&g->rpc, &g->fail) : FL_OK;
        if (err == FL_OK &&
            (g->intr.halts != g->halts_seen || clock_now_us() - g->last_ping_us >= SERVE_PING_US)) {
            g->last_ping_us = clock_now_us();
            g->halts_seen = g->intr.halts;
            err = gsp_io_ping(&g->io);
            err = err != FL_OK ? err : gsp_gpu_check_core(g, &g->fail);
        }
        if (err == FL_OK) {
            err = gsp_io_check(&g->io);
        }
        if (err != FL_OK && !g->busy && g->state == GSP_READY) {
            fall_over(g, err);
        }
    }
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
