/* SPDX-License-Identifier: MIT */
/* Leftovers of an earlier boot (reset.h). */
#include "gsp/boot/reset.h"

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/log.h"
#include "gsp/boot/fmc.h"
#include "gsp/gpu.h"

/* Blackwell keeps BAR0 at all-ones for up to 5 s after a reset (gpu-admin-tools). */
#define BAR0_BACK_TIMEOUT_US (5 * US_PER_S)
#define BAR0_BACK_STEP_US    US_PER_MS

#define POWER_CYCLE                                                                                \
    "an earlier boot was not unloaded and only a reset removes what it left: power the machine "   \
    "off and on (a warm reboot is not enough)"

enum fl_err gsp_reset_card(struct gsp_gpu *g, struct fl_fail *fail)
{
    pci_enable(g->pci, true, false); /* as it comes back */
    const enum fl_err err = pci_reset(g->pci, fail);
    if (err != FL_OK) {
        return err;
    }
    const struct deadline d = deadline_in_us(BAR0_BACK_TIMEOUT_US); /* from the reset's end on */
    while (gsp_io_read_bulk(&g->io, NV_PMC_BOOT_0__OFFSET) == UINT32_MAX) {
        if (deadline_passed(d)) {
            return FL_FAIL(fail, FL_ELINKLOST, "NV_PMC_BOOT_0",
                           "the GPU does not answer %llu ms after a reset",
                           (unsigned long long)(deadline_waited_us(d) / US_PER_MS));
        }
        fiber_sleep_us(BAR0_BACK_STEP_US);
    }
    return FL_OK;
}

/* Path A: WPR2 tells. Path B has no such register; its GSP runs, or not. */
static bool left_over(struct gsp_gpu *g)
{
    if (g->family->ops->wpr2 == NULL) {
        return gsp_fmc_core_runs(g);
    }
    g->wpr2 = g->family->ops->wpr2(g);
    return g->wpr2.up;
}

static void name_it(struct gsp_gpu *g)
{
    if (g->wpr2.up) {
        log_warn(g->label, "WPR2 is up from an earlier boot (0x%llx to 0x%llx)",
                 (unsigned long long)g->wpr2.start, (unsigned long long)g->wpr2.end);
    } else {
        log_warn(g->label, "the GSP still runs from an earlier boot");
    }
}

enum fl_err gsp_reset_leftover(struct gsp_gpu *g, struct fl_fail *fail)
{
    struct fl_fail why = {0};

    g->left_up = false;
    if (!left_over(g) || g->io.lost) {
        pci_enable(g->pci, true, true);
        return gsp_io_check(&g->io);
    }
    name_it(g);
    enum fl_err err = gsp_reset_card(g, &why);
    if (err == FL_ENOTSUP && (g->family->parts & GSP_PART_BOOTER) != 0) {
        log_warn(g->label, "%s: it will be unloaded by its own programs", why.text);
        g->left_up = true;
        return gsp_io_check(&g->io);
    }
    if (err == FL_OK) {
        err = g->family->ops->wait_devinit(g, &why);
    }
    if (err != FL_OK) {
        *fail = why;
        fl_fail_hint(fail, POWER_CYCLE);
        return err;
    }
    if (left_over(g)) {
        FL_FAIL(fail, FL_EBUSY, "reset", "%s even after a reset of the card",
                g->wpr2.up ? "WPR2 is up" : "the GSP runs");
        fl_fail_values(fail, g->wpr2.end, 0, 0);
        fl_fail_hint(fail, POWER_CYCLE);
        return FL_EBUSY;
    }
    pci_enable(g->pci, true, true);
    return gsp_io_check(&g->io);
}

enum fl_err gsp_reset_unload_leftover(struct gsp_gpu *g, struct fl_fail *fail)
{
    /* The old GSP first: it may not reach memory that is somebody else's by now. */
    enum fl_err err = g->family->ops->falcon_reset(g, &gsp_falcon_gsp, fail);

    if (err != FL_OK) {
        return err;
    }
    pci_enable(g->pci, true, true);
    g->left_up = false;
    err = g->family->ops->take_down(g, false, fail);
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
