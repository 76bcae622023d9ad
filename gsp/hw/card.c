/* SPDX-License-Identifier: MIT */
/* The card's reset (card.h). */
#include "gsp/hw/card.h"

#include "arch/clock.h"
#include "arch/fiber.h"
#include "gsp/hw/hw.h"

/* Blackwell keeps BAR0 at all-ones for up to 5 s after a reset (gpu-admin-tools). */
#define BAR0_BACK_TIMEOUT_US (5 * US_PER_S)
#define BAR0_BACK_STEP_US    US_PER_MS

enum fl_err gsp_card_reset(struct gsp_hw *hw, struct fl_fail *fail)
{
    pci_enable(hw->pci, true, false); /* as it comes back */
    const enum fl_err err = pci_reset(hw->pci, fail);
    if (err != FL_OK) {
        return err;
    }
    const struct deadline d = deadline_in_us(BAR0_BACK_TIMEOUT_US); /* from the reset's end on */
    while (gsp_io_read_bulk(&hw->io, NV_PMC_BOOT_0__OFFSET) == UINT32_MAX) {
        if (deadline_passed(d)) {
            return FL_FAIL(fail, FL_ELINKLOST, "NV_PMC_BOOT_0",
                           "the GPU does not answer %llu ms after a reset",
                           (unsigned long long)(deadline_waited_us(d) / US_PER_MS));
        }
        fiber_sleep_us(BAR0_BACK_STEP_US);
    }
    return FL_OK;
}
