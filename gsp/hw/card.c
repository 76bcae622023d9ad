/* SPDX-License-Identifier: MIT */
/* The card's reset (card.h). */
#include "gsp/hw/card.h"

#include <stdio.h>

#include "gsp/hw/hw.h"

/* Blackwell keeps BAR0 at all-ones for up to 5 s after a reset (gpu-admin-tools). */
static const struct wait wait_back = {
    .what = "the GPU to answer after a reset",
    .timeout_us = 5 * US_PER_S,
    .step_us = US_PER_MS,
    .hint = "power the machine off and on",
};

static enum fl_err look_back(void *ctx, struct wait_report *last, struct fl_fail *fail)
{
    const uint32_t v = gsp_io_read_bulk(ctx, NV_PMC_BOOT_0__OFFSET);

    (void)fail;
    if (v != UINT32_MAX) {
        return FL_OK;
    }
    if (last != NULL) {
        snprintf(last->where, sizeof(last->where), "NV_PMC_BOOT_0");
        snprintf(last->text, sizeof(last->text), "NV_PMC_BOOT_0 still reads all-ones");
        last->seen = v;
    }
    return FL_EBUSY;
}

enum fl_err gsp_card_reset(struct gsp_hw *hw, struct fl_fail *fail)
{
    pci_enable(hw->pci, true, false); /* as it comes back */
    enum fl_err err = pci_reset(hw->pci, fail);

    if (err == FL_OK) {
        err = wait_until(&wait_back, look_back, &hw->io, fail);
    }
    return err == FL_ETIMEDOUT ? FL_ELINKLOST : err;
}
