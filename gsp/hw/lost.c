/* SPDX-License-Identifier: MIT */
/* Why registers are silent (lost.h). */
#include "gsp/hw/lost.h"

#include "arch/text.h"

#define PCI_CFG_ID         0x00u
#define PCI_CFG_COMMAND    0x04u
#define PCI_COMMAND_MEMORY 0x0002u
#define AER_BITS           32u

static const char *const hints[] = {
    [GSP_LOST_CARD] =
        "check power cables, riser and slot; power-cycle the machine if the GPU stays away",
    [GSP_LOST_ASLEEP] = "something put it to sleep: a boot (gpu.boot) wakes it up",
    [GSP_LOST_SHUT] = "somebody reset it or switched it off: a boot (gpu.boot) switches it on",
    [GSP_LOST_REGISTERS] =
        "the slot works, the GPU hangs: reset the card (gpu.reset), then power the machine off",
    [GSP_LOST_UNKNOWN] =
        "check power cables, riser and slot; power-cycle the machine if the GPU stays away",
};

/* The first kind of error that no retry mends. */
static void put_aer(struct text *t, const struct pci_dev *pci)
{
    struct pci_aer aer;

    pci_get_aer(pci, &aer);
    for (unsigned bit = 0; aer.valid && bit < AER_BITS; bit++) {
        const char *name = pci_aer_name(false, bit);
        if ((aer.uncorrectable >> bit & 1u) != 0 && name != NULL) {
            text_fmt(t, ", AER %s", name);
            return;
        }
    }
}

enum gsp_lost gsp_lost_why(const struct pci_dev *pci, char *words, size_t size, const char **hint)
{
    struct text t = text_on(words, size);
    enum gsp_lost why = GSP_LOST_REGISTERS;
    struct pci_link link;

    if (pci == NULL || pci->pci == NULL) {
        text_fmt(&t, "the device no longer answers");
        *hint = hints[GSP_LOST_UNKNOWN];
        return GSP_LOST_UNKNOWN;
    }
    if (pci_read(pci, PCI_CFG_ID, 4) == UINT32_MAX) {
        text_fmt(&t, "configuration space is silent too, the card is gone");
        *hint = hints[GSP_LOST_CARD];
        return GSP_LOST_CARD;
    }
    const unsigned power = pci_power_state(pci);
    const bool decodes = (pci_read(pci, PCI_CFG_COMMAND, 2) & PCI_COMMAND_MEMORY) != 0;
    why = power != 0 ? GSP_LOST_ASLEEP : !decodes ? GSP_LOST_SHUT : GSP_LOST_REGISTERS;
    text_fmt(&t, "configuration space answers, D%u%s", power,
             decodes ? "" : ", memory decoding is off");
    pci_get_link(pci, &link);
    if (link.valid) {
        text_fmt(&t, ", link %s x%u", pci_speed_name(link.speed), (unsigned)link.width);
    }
    put_aer(&t, pci);
    *hint = hints[why];
    return why;
}
