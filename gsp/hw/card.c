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

enum fl_err gsp_card_reset_kind(const struct gsp_hw *hw, enum gsp_reset_kind asked,
                                enum gsp_reset_kind *kind, struct fl_fail *fail)
{
    if (asked != GSP_RESET_BUS && pci_has_flr(hw->pci)) {
        *kind = GSP_RESET_FUNCTION;
        return FL_OK;
    }
    if (asked != GSP_RESET_FUNCTION && pci_has_bus_reset(hw->pci)) {
        *kind = GSP_RESET_BUS;
        return FL_OK;
    }
    return FL_FAIL_MORE(fail, FL_ENOTSUP, "reset",
                        (.hint = asked == GSP_RESET_AUTO ? NULL : "try the other kind"),
                        "the card cannot be reset: it has %s",
                        asked == GSP_RESET_FUNCTION ? "no function level reset"
                        : asked == GSP_RESET_BUS    ? "no bridge of its own above it"
                                                    : "neither a function level reset nor a bridge "
                                                      "of its own above it");
}

enum fl_err gsp_card_reset(struct gsp_hw *hw, enum gsp_reset_kind kind, enum gsp_reset_kind *used,
                           struct fl_fail *fail)
{
    enum gsp_reset_kind is;
    bool by_bus = false;
    enum fl_err err = gsp_card_reset_kind(hw, kind, &is, fail);

    pci_enable(hw->pci, true, false); /* as it comes back */
    hw->in_reset = true;
    err = FL_THEN(err, kind == GSP_RESET_AUTO     ? pci_reset(hw->pci, &by_bus, fail)
                       : is == GSP_RESET_FUNCTION ? pci_flr(hw->pci, fail)
                                                  : pci_bus_reset(hw->pci, fail));
    err = FL_THEN(err, wait_until(&wait_back, look_back, &hw->io, fail));
    hw->in_reset = false;
    if (used != NULL) {
        *used = by_bus ? GSP_RESET_BUS : is;
    }
    return err == FL_ETIMEDOUT ? FL_ELINKLOST : err;
}
