/* SPDX-License-Identifier: MIT */
/*
 * Suspend to memory and back, Turing to Ada (gsp.h). The GSP stops as for an unload, but
 * booter_unload gets SR metadata and stores WPR2 to system memory; on the way back booter_load gets
 * the same and no FWSEC is run, the GSP is not reset and its mailboxes are not written: all of that
 * comes out of the save area. The rings live on, with their counters. Source: boot.md 6 (SR
 * metadata), 7, 12.2 (nouveau gsp/r535.c and r570, OG570 kernel_gsp.c); rpc.md 2 and C4.
 */
#include <string.h>

#include "arch/fiber.h"
#include "arch/log.h"
#include "arch/mmio.h"
#include "gsp/boot/boot.h"
#include "gsp/boot/booter.h"
#include "gsp/boot/unload.h"
#include "gsp/files/radix3.h"
#include "gsp/gpu.h"
#include "gsp/hw/intr.h"

#define SR_MAGIC    0x8a3bb9e6c6c39d93ull
#define SR_REVISION 2u

/* r535: from wprStart to wprEnd; r570: from the end of the heap outside to the end of FRTS. That is
 * the same where the driver lays WPR2 out: they adjoin. */
static uint64_t save_bytes(const struct gsp_gpu *g) { return g->fb.wpr_end - g->fb.wpr_start; }

static enum fl_err make_save_area(struct gsp_gpu *g, struct fl_fail *fail)
{
    const struct gsp_layout *l = g->layout;
    const size_t len = l->GspFwSRMeta.total;
    struct radix3_plan plan;
    enum fl_err err = radix3_plan(save_bytes(g), &plan, fail);

    err = FL_THEN(err, gsp_gpu_alloc(g, &g->mem.sr_save, save_bytes(g), "gsp save area", fail));
    err = FL_THEN(err, gsp_gpu_alloc(g, &g->mem.sr_radix3, plan.bytes, "gsp save radix3", fail));
    err = FL_THEN(err, gsp_gpu_alloc(g, &g->mem.sr_meta, FL_PAGE_SIZE, "gsp sr meta", fail));
    err = FL_THEN(err, radix3_fill(&plan, g->mem.sr_save.cpu, g->mem.sr_save.bus,
                                   g->mem.sr_radix3.cpu, g->mem.sr_radix3.bus, GSP_DMA_BITS, fail));
    if (err != FL_OK) {
        return err;
    }
    fw_put(g->mem.sr_meta.cpu, len, l->GspFwSRMeta.magic, SR_MAGIC);
    fw_put(g->mem.sr_meta.cpu, len, l->GspFwSRMeta.revision, SR_REVISION);
    fw_put(g->mem.sr_meta.cpu, len, l->GspFwSRMeta.sysmemAddrOfSuspendResumeData,
           g->mem.sr_radix3.bus.raw);
    fw_put(g->mem.sr_meta.cpu, len, l->GspFwSRMeta.sizeOfSuspendResumeData, save_bytes(g));
    dma_wmb();
    return FL_OK;
}

static void free_save_area(struct gsp_gpu *g)
{
    dma_free(&g->mem.sr_meta);
    dma_free(&g->mem.sr_radix3);
    dma_free(&g->mem.sr_save);
}

/* The GPU may lose its power from here on: nothing of ours may be set up in it. */
static void let_go(struct gsp_gpu *g)
{
    g->hw.family->ops->set_flush_page(&g->hw, (struct bus_addr){0});
    gsp_intr_disable(&g->hw);
    if (g->hw.intr.msi) {
        pci_disable_msi(g->hw.pci);
    }
    g->hw.intr.tried = g->hw.intr.msi = g->hw.intr.msix = false;
    pci_enable(g->hw.pci, true, false);
}

static enum fl_err end_failed(struct gsp_gpu *g, const char *stage, enum fl_err err)
{
    struct fl_fail second = {0};

    FL_FAIL(&g->fail, err, stage, "%s failed: %s", stage, fl_err_name(err));
    fl_fail_stage(&g->fail, stage);
    log_error(g->hw.label, "%s failed: %s", stage, g->fail.text);
    if (gsp_unload_run(g, &second) != FL_OK && second.text[0] != '\0') {
        log_warn(g->hw.label, "cleaning up after that failed too: %s", second.text);
    }
    g->busy = false;
    gsp_gpu_set_state(g, GSP_FAILED);
    return err;
}

static enum fl_err suspend(struct gsp_gpu *g)
{
    if (g->busy || g->state != GSP_READY) {
        return FL_ESTATE;
    }
    if ((g->hw.family->parts & GSP_PART_BOOTER) == 0) {
        return FL_ENOTSUP;
    }
    g->busy = true;
    fl_fail_clear(&g->fail);
    gsp_recorder_stage(&g->hw.rec, "suspend");
    enum fl_err err = make_save_area(g, &g->fail);
    if (err != FL_OK) { /* nothing has happened */
        free_save_area(g);
        g->busy = false;
        return err;
    }
    err = gsp_unload_stop_rm(g, true, &g->fail);
    gsp_rpc_close(&g->rpc);
    if (err != FL_OK) {
        return end_failed(g, "suspend", err);
    }
    g->suspending = true;
    err = gsp_unload_take_down(g, true, &g->fail);
    g->suspending = false;
    if (err != FL_OK) {
        return end_failed(g, "suspend", err);
    }
    let_go(g);
    g->undo = (struct gsp_undo){0};
    g->busy = false;
    log_info(g->hw.label, "%s is suspended, %llu MiB saved", g->hw.chip->name,
             (unsigned long long)(save_bytes(g) >> 20));
    gsp_gpu_set_state(g, GSP_SUSPENDED);
    return FL_OK;
}

/* The same GPU, through with its own start, and nothing of ours in it. */
static enum fl_err find_again(struct gsp_gpu *g, struct fl_fail *fail)
{
    const uint32_t boot42 = REG_READ(&g->hw.io, NV_PMC_BOOT_42).raw;

    if (g->hw.io.lost || boot42 != g->hw.boot42) {
        FL_FAIL(fail, g->hw.io.lost ? FL_ELINKLOST : FL_EBADDATA, "NV_PMC_BOOT_42",
                "NV_PMC_BOOT_42 reads 0x%08x after a suspend, it was 0x%08x", (unsigned)boot42,
                (unsigned)g->hw.boot42);
        return g->hw.io.lost ? FL_ELINKLOST : FL_EBADDATA;
    }
    const enum fl_err err = g->hw.family->ops->wait_devinit(&g->hw, fail);
    if (err != FL_OK) {
        return err;
    }
    g->wpr2 = g->hw.family->ops->wpr2(&g->hw);
    return g->wpr2.up ? FL_FAIL(fail, FL_EBUSY, "NV_PFB_PRI_MMU_WPR2_ADDR_HI",
                                "WPR2 is up after a suspend: somebody else has used the GPU")
                      : gsp_io_check(&g->hw.io);
}

static void tell_resume(struct gsp_gpu *g)
{
    const struct gsp_layout *l = g->layout;
    uint8_t *a = g->mem.rm_args.cpu;
    const size_t len = l->GSP_ARGUMENTS_CACHED.total;

    fw_put(a, len, l->GSP_ARGUMENTS_CACHED.srInitArguments_oldLevel, GSP_PM_LEVEL_SUSPEND);
    fw_put(a, len, l->GSP_ARGUMENTS_CACHED.srInitArguments_flags, g->version->resume_flags);
    fw_put(a, len, l->GSP_ARGUMENTS_CACHED.srInitArguments_bInPMTransition, 1);
    dma_wmb();
}

static enum fl_err wake(struct gsp_gpu *g, struct fl_fail *fail)
{
    enum fl_err err = find_again(g, fail);

    if (err != FL_OK) {
        return err;
    }
    pci_enable(g->hw.pci, true, true);
    g->undo.flush_page = true;
    g->hw.family->ops->set_flush_page(&g->hw, g->mem.flush_page.bus);
    tell_resume(g);
    gsp_intr_enable(&g->hw, g->hw.intr.vector);
    g->ev.seen[GSP_EV_INIT_DONE] = 0;
    gsp_rpc_open(&g->rpc);
    err = gsp_booter_run_load(g, g->mem.sr_meta.bus.raw, fail);
    if (err != FL_OK) {
        return err;
    }
    ENG_WRITE(&g->hw.io, NV_PGSP_BASE, NV_PFALCON_FALCON_OS,
              (struct NV_PFALCON_FALCON_OS){.raw = g->fw.bootloader.app_version});
    err = g->hw.family->ops->wait_riscv_active(&g->hw, fail);
    return FL_THEN(err, gsp_boot_init_done(g, fail));
}

static enum fl_err resume(struct gsp_gpu *g)
{
    if (g->busy || g->state != GSP_SUSPENDED) {
        return FL_ESTATE;
    }
    g->busy = true;
    fl_fail_clear(&g->fail);
    gsp_io_begin(&g->hw.io, &g->fail);
    gsp_recorder_stage(&g->hw.rec, "resume");
    pci_enable(g->hw.pci, true, false);
    const enum fl_err err = wake(g, &g->fail);
    if (err != FL_OK) {
        return end_failed(g, "resume", err);
    }
    free_save_area(g);
    g->busy = false;
    gsp_recorder_stage(&g->hw.rec, "ready");
    log_info(g->hw.label, "%s is back", g->hw.chip->name);
    gsp_gpu_set_state(g, GSP_READY);
    return FL_OK;
}

enum fl_err gsp_suspend(struct gsp_gpu *g)
{
    if (!gsp_gpu_enter(g)) {
        return FL_ESTATE;
    }
    const enum fl_err err = suspend(g);
    gsp_gpu_leave(g);
    return err;
}

enum fl_err gsp_resume(struct gsp_gpu *g)
{
    if (!gsp_gpu_enter(g)) {
        return FL_ESTATE;
    }
    const enum fl_err err = resume(g);
    gsp_gpu_leave(g);
    return err;
}
