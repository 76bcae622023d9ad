/* SPDX-License-Identifier: MIT */
/* Speed and width of a link (PCI Express Base 4.0 sections 7.5.3.6 and 7.5.3.8). */
#include "pci/pci_priv.h"

void pci_get_link(const struct pci_dev *d, struct pci_link *out)
{
    *out = (struct pci_link){0};
    if (d->cap_pcie == 0) {
        return;
    }
    uint32_t type = PCI_EXP_PORT_TYPE(pci_read(d, (uint16_t)(d->cap_pcie + PCI_EXP_FLAGS), 2));
    if (type == PCI_EXP_TYPE_RC_ENDPOINT || type == PCI_EXP_TYPE_RC_EVENTS) {
        return; /* inside the root complex: there is no link */
    }
    uint32_t cap = pci_read(d, (uint16_t)(d->cap_pcie + PCI_EXP_LNKCAP), 4);
    uint32_t status = pci_read(d, (uint16_t)(d->cap_pcie + PCI_EXP_LNKSTA), 2);
    if (cap == 0xffffffffu || status == 0xffffu || PCI_EXP_LINK_SPEED(cap) == 0 ||
        PCI_EXP_LINK_WIDTH(cap) == 0) {
        return;
    }
    *out = (struct pci_link){
        .valid = true,
        .speed = PCI_EXP_LINK_SPEED(status),
        .width = PCI_EXP_LINK_WIDTH(status),
        .max_speed = PCI_EXP_LINK_SPEED(cap),
        .max_width = PCI_EXP_LINK_WIDTH(cap),
    };
}

const char *pci_speed_name(uint8_t speed)
{
    static const char *const names[] = {"no link",   "2.5 GT/s",  "5.0 GT/s", "8.0 GT/s",
                                        "16.0 GT/s", "32.0 GT/s", "64.0 GT/s"};
    return speed < ARRAY_SIZE(names) ? names[speed] : "unknown speed";
}
