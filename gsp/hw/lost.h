/* SPDX-License-Identifier: MIT */
/*
 * A GPU whose registers all read all-ones: is the card gone, asleep, shut, or does its register
 * window alone not answer? Configuration space knows, and takes another way than the registers do.
 * Sources: PCI Local Bus 3.0 6.2.2 (command), PCI PM 1.2 5.4 (D3hot), PCI Express 4.0 7.8.4 (AER).
 */
#pragma once

#include "arch/base.h"
#include "pci/pci.h"

enum gsp_lost {
    GSP_LOST_CARD,      /* configuration space is silent, too */
    GSP_LOST_ASLEEP,    /* a power state below D0 */
    GSP_LOST_SHUT,      /* memory decoding is off */
    GSP_LOST_REGISTERS, /* all of that is in order: the GPU itself does not answer */
    GSP_LOST_UNKNOWN,   /* nobody can be asked */
};

/* Asks; pci may be NULL. Writes into words what was seen ("configuration space answers, D0, link
 * 16.0 GT/s x16, AER completion_timeout"), NUL-terminated, cut at size. *hint: what to try, static.
 * Reads configuration space only. Does not yield. */
enum gsp_lost gsp_lost_why(const struct pci_dev *pci, char *words, size_t size, const char **hint);
