/* SPDX-License-Identifier: MIT */
/* The way back (unload.h). */
#include "gsp/boot/unload.h"

#include "arch/fiber.h"
#include "arch/log.h"
#include "gsp/boot/booter.h"
#include "gsp/boot/fmc.h"
#include "gsp/boot/fwsec.h"
#include "gsp/gpu.h"
#include "gsp/hw/intr.h"
#include "gsp/hw/regs/messages.h"
#include "gsp/rm/sensors.h"
#include "gsp/vram/life.h"

#define UNLOAD_MAILBOXES      0x000000ff000000ffull /* what booter_unload finds for a cold unload */
#define UNLOAD_RPC_TIMEOUT_US (5 * US_PER_S)

static const struct wait wait_suspended = {
    .what = "the GSP to stop",
    .timeout_us = 5 * US_PER_S,
    .step_us = 50,
};

enum fl_err gsp_unload_arm(struct gsp_gpu *g, struct fl_fail *fail)
{
    enum fl_err err = gsp_fwsec_prepare(g, fail);

    return FL_THEN(err, gsp_booter_prepare(g, fail));
}

enum fl_err gsp_unload_stop_rm(struct gsp_gpu *g, bool suspend, struct fl_fail *fail)
{
    const struct gsp_layout *l = g->layout;
    uint8_t p[16] = {0}; /* all zero: a full unload, no power transition */
    const uint32_t size = l->rpc_unloading_guest_driver_v1F_07.total;
    enum fl_err err;

    gsp_recorder_stage(&g->hw.rec, "unload-rpc");
    gsp_gpu_send_away(g);
    gsp_sensors_goodbye(g);
    gsp_sensors_down(g);
    g->undo.rm = g->undo.core = false; /* from here on nobody else may call, and it may stop */
    gsp_gpu_send_away(g);
    if (size > sizeof(p)) {
        return FL_FAIL(fail, FL_ENOTSUP, "unload",
                       "UNLOADING_GUEST_DRIVER of this firmware has %u bytes", (unsigned)size);
    }
    if (suspend) {
        fw_put(p, size, l->rpc_unloading_guest_driver_v1F_07.bInPMTransition, 1);
        fw_put(p, size, l->rpc_unloading_guest_driver_v1F_07.newLevel, GSP_PM_LEVEL_SUSPEND);
    }
    err = gsp_rpc_call(&g->rpc, &gsp_rpc_UNLOADING_GUEST_DRIVER, &(struct gsp_payload){p, size},
                       UNLOAD_RPC_TIMEOUT_US, NULL, fail);
    err = FL_THEN(
        err, gsp_io_poll_program(&g->hw.io, NV_PGSP_BASE + NV_PFALCON_FALCON_MAILBOX0__OFFSET,
                                 NV_PGSP_MAILBOX_LIBOS__SUSPENDED_MASK,
                                 NV_PGSP_MAILBOX_LIBOS__SUSPENDED_MASK, &wait_suspended, fail));
    return err;
}

/* Whether WPR2, which was up, is still. "Down" is believed when it is read twice: what would be
 * left undone otherwise nobody would notice before the next boot. */
static bool wpr2_still_up(struct gsp_gpu *g)
{
    g->wpr2 = g->hw.family->ops->wpr2(&g->hw);
    if (!g->wpr2.up) {
        g->wpr2 = g->hw.family->ops->wpr2(&g->hw);
        if (g->wpr2.up) {
            log_warn(g->hw.label, "NV_PFB_PRI_MMU_WPR2_ADDR_HI read 0 once and 0x%llx then",
                     (unsigned long long)g->wpr2.end);
        }
    }
    return g->wpr2.up;
}

/* WPR2 down: FWSEC-SB on the GSP's falcon (which stops the RISC-V core, whether it had said so or
 * not), then the booter if needed. */
static enum fl_err take_down_by_booter(struct gsp_gpu *g, struct fl_fail *fail)
{
    gsp_recorder_stage(&g->hw.rec, "fwsec-sb");
    enum fl_err err = gsp_fwsec_run_sb(g, fail);

    if (g->hw.io.lost) {
        return FL_ELINKLOST;
    }
    if (wpr2_still_up(g)) { /* also when SB failed: it may be all that is needed */
        gsp_recorder_stage(&g->hw.rec, "booter-unload");
        const uint64_t mailboxes = g->suspending ? g->mem.sr_meta.bus.raw : UNLOAD_MAILBOXES;
        const enum fl_err second = gsp_booter_run_unload(g, mailboxes, fail);
        err = FL_THEN(err, second);
    }
    return err;
}

enum fl_err gsp_unload_take_down(struct gsp_gpu *g, bool stopped, struct fl_fail *fail)
{
    return (g->hw.family->parts & GSP_PART_FSP) != 0 ? gsp_fmc_take_down(g, stopped, fail)
                                                     : take_down_by_booter(g, fail);
}

enum fl_err gsp_unload_run(struct gsp_gpu *g, struct fl_fail *fail)
{
    enum fl_err first = FL_OK, err;
    bool stopped = false;

    gsp_vram_down(g);
    if (g->undo.rm && !g->hw.io.lost) {
        first = gsp_unload_stop_rm(g, false, fail);
        stopped = first == FL_OK;
    }
    g->undo.rm = g->undo.core = false;
    gsp_sensors_down(g);
    gsp_gpu_send_away(g);
    gsp_rpc_close(&g->rpc);
    if (g->undo.wpr2 && !g->hw.io.lost) {
        err = gsp_unload_take_down(g, stopped, fail);
        first = first != FL_OK ? first : err;
    }
    gsp_recorder_stage(&g->hw.rec, "release");
    if (g->undo.flush_page && !g->hw.io.lost) {
        g->hw.family->ops->set_flush_page(&g->hw, (struct bus_addr){0});
    }
    if (!g->hw.io.lost) {
        gsp_intr_disable(&g->hw);
    }
    if (first == FL_OK && g->hw.io.lost) {
        first = FL_ELINKLOST;
    }
    if (first != FL_OK && (g->undo.dma || g->undo.wpr2)) {
        /* It may still run and write: no buffer may be given to anybody else while it can. */
        log_warn(g->hw.label,
                 "the GPU could not be stopped cleanly: its bus mastering is switched off");
        pci_enable(g->hw.pci, true, false);
    }
    g->undo = (struct gsp_undo){0};
    gsp_gpu_flush_log(g);
    gsp_gpu_free_boot(g);
    return first;
}
