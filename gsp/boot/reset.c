/* SPDX-License-Identifier: MIT */
/* Resets, on request and of leftovers (reset.h). */
#include "gsp/boot/reset.h"

#include "arch/log.h"
#include "gsp/boot/unload.h"
#include "gsp/gpu.h"
#include "gsp/hw/card.h"
#include "gsp/hw/falcon.h"
#include "gsp/hw/intr.h"
#include "gsp/rm/sensors.h"
#include "gsp/vram/life.h"

#define POWER_CYCLE                                                                                \
    "an earlier boot was not unloaded and only a reset removes what it left: power the machine "   \
    "off and on (a warm reboot is not enough)"

/* Path A: WPR2 tells. Path B has no such register; its GSP runs, or not. */
static bool left_over(struct gsp_gpu *g)
{
    if (g->hw.family->ops->wpr2 == NULL) {
        return g->hw.family->ops->riscv_runs(&g->hw);
    }
    g->wpr2 = g->hw.family->ops->wpr2(&g->hw);
    return g->wpr2.up;
}

static void name_it(struct gsp_gpu *g)
{
    if (g->wpr2.up) {
        log_warn(g->hw.label, "WPR2 is up from an earlier boot (0x%llx to 0x%llx)",
                 (unsigned long long)g->wpr2.start, (unsigned long long)g->wpr2.end);
    } else {
        log_warn(g->hw.label, "the GSP still runs from an earlier boot");
    }
}

enum fl_err gsp_reset_leftover(struct gsp_gpu *g, struct fl_fail *fail)
{
    struct fl_fail why = {0};

    g->left_up = false;
    if (!left_over(g) || g->hw.io.lost) {
        pci_enable(g->hw.pci, true, true);
        return gsp_io_check(&g->hw.io);
    }
    name_it(g);
    enum fl_err err = gsp_card_reset(&g->hw, GSP_RESET_AUTO, NULL, &why);
    if (err == FL_ENOTSUP && (g->hw.family->parts & GSP_PART_BOOTER) != 0) {
        log_warn(g->hw.label, "%s: it will be unloaded by its own programs", why.text);
        g->left_up = true;
        return gsp_io_check(&g->hw.io);
    }
    err = FL_THEN(err, g->hw.family->ops->wait_devinit(&g->hw, &why));
    if (err != FL_OK) {
        *fail = why;
        fl_fail_hint(fail, POWER_CYCLE);
        return err;
    }
    if (left_over(g)) {
        return FL_FAIL_MORE(
            fail, FL_EBUSY, "reset", (FL_SAW(g->wpr2.end, 0, 0), .hint = POWER_CYCLE),
            "%s even after a reset of the card", g->wpr2.up ? "WPR2 is up" : "the GSP runs");
    }
    pci_enable(g->hw.pci, true, true);
    return gsp_io_check(&g->hw.io);
}

enum fl_err gsp_reset_unload_leftover(struct gsp_gpu *g, struct fl_fail *fail)
{
    /* The old GSP first: it may not reach memory that is somebody else's by now. */
    enum fl_err err = g->hw.family->ops->falcon_reset(&g->hw, &gsp_falcon_gsp, fail);

    if (err != FL_OK) {
        return err;
    }
    pci_enable(g->hw.pci, true, true);
    g->left_up = false;
    err = gsp_unload_take_down(g, false, fail);
    if (err == FL_OK && g->wpr2.up) {
        err = FL_FAIL(fail, FL_EBUSY, "NV_PFB_PRI_MMU_WPR2_ADDR_HI",
                      "WPR2 is up (0x%llx to 0x%llx) even after the unload programs",
                      (unsigned long long)g->wpr2.start, (unsigned long long)g->wpr2.end);
    }
    if (err != FL_OK) {
        fl_fail_hint(fail, POWER_CYCLE);
    }
    return err;
}

enum fl_err gsp_reset_run(struct gsp_gpu *g, enum gsp_reset_kind kind, struct fl_fail *fail)
{
    enum gsp_reset_kind first; /* that is tried */
    enum fl_err err = gsp_card_reset_kind(&g->hw, kind, &first, fail);

    if (err != FL_OK) {
        return err;
    }
    g->busy = true;
    fl_fail_clear(&g->fail);
    gsp_io_begin(&g->hw.io, &g->fail);
    gsp_recorder_stage(&g->hw.rec, "card-reset");
    log_warn(g->hw.label, "reset on request (%s)", gsp_reset_kind_name(first));
    gsp_sensors_down(g);
    gsp_vram_down(g);
    gsp_gpu_send_away(g);
    gsp_rpc_close(&g->rpc);
    gsp_intr_disable(&g->hw);
    err = gsp_card_reset(&g->hw, kind, NULL, &g->fail);
    /* It is not bus master, whether the reset has worked or not: its memory may go. */
    g->undo = (struct gsp_undo){0};
    g->wpr2 = (struct gsp_wpr2){0};
    gsp_gpu_flush_log(g);
    gsp_gpu_free_boot(g);
    g->busy = false;
    if (err != FL_OK) {
        FL_FAIL(&g->fail, err, "reset", "the reset failed: %s", fl_err_name(err));
        fl_fail_stage(&g->fail, "reset");
        *fail = g->fail;
        log_error(g->hw.label, "reset failed: %s", g->fail.text);
    }
    gsp_gpu_set_state(g, err == FL_OK ? GSP_UNLOADED : GSP_FAILED);
    return err;
}
