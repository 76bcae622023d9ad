/* SPDX-License-Identifier: MIT */
/* What the files of this room share. Callers outside use pci/pci.h. */
#pragma once

#include "pci/pci.h"
#include "pci/pci_regs.h"

/* Fills d->cap_* in one bounded walk. A capability whose registers would not fit into the space is
 * reported and left out, so that users may add their register offsets without a check. */
void pci_scan_caps(struct pci_dev *d);

/* Fills d->bar[] by sizing each register with decoding switched off for the moment. Malformed
 * registers are reported and stay PCI_BAR_NONE; host bridges are left alone. */
void pci_probe_bars(struct pci_dev *d);

/* The second half of the PCI Express capability exists from version 2 on. */
bool pci_exp_has_v2(const struct pci_dev *d);

/* FL_ENOTSUP, by name: a memory BAR without an address, or one outside the windows of a bridge
 * above the function. */
FL_MUST_CHECK enum fl_err pci_check_reach(const struct pci_dev *d, struct fl_fail *fail);
/* Reports BARs that have no address or that lie outside the windows of the bridge above. */
void pci_check_bars(const struct pci_dev *d);

/* State of MSI or MSI-X, for a reset. entries: owned, NULL when MSI-X is off or the save failed. */
struct pci_msi_state {
    uint16_t msi_control;
    uint32_t msi_address, msi_address_high, msi_mask;
    uint16_t msi_data;
    uint16_t msix_control;
    uint32_t msix_count;
    uint32_t *entries; /* four words each */
};
FL_MUST_CHECK enum fl_err pci_msi_save(const struct pci_dev *d, struct pci_msi_state *out);
/* Writes it back and frees entries. */
void pci_msi_restore(const struct pci_dev *d, struct pci_msi_state *state);

/* Configuration space as machine.c reaches it. */
struct pci_root {
    uint16_t segment;
    uint8_t bus_first, bus_last;
};
#define PCI_MAX_ROOTS 16
/* Roots of the machine; 0 when there is no way to reach configuration space. *extended: by ECAM. */
size_t pci_machine_roots(struct pci_root *out, size_t max, bool *extended);
