/* SPDX-License-Identifier: MIT */
/*
 * Capability lists. A device can hold anything there: a list is followed only inside its part of
 * the space, never to the same place twice, so that each walk ends.
 */
#include "arch/log.h"
#include "pci/pci_priv.h"

#define CAP_SLOTS     (PCI_CFG_SIZE / 4)
#define EXT_CAP_SLOTS (PCI_CFG_EXT_SIZE / 4)

/* A walk over the classic list; seen has one bit per dword of the space. */
struct cap_walk {
    uint16_t next;
    uint64_t seen;
};
_Static_assert(CAP_SLOTS == 64, "one bit per dword");

static struct cap_walk cap_walk_start(const struct pci_dev *d)
{
    struct cap_walk w = {0, 0};
    uint16_t status = (uint16_t)pci_read(d, PCI_CFG_STATUS, 2);
    if ((status & PCI_STATUS_CAP_LIST) != 0 && d->header_type <= PCI_HEADER_CARDBUS) {
        uint16_t at = d->header_type == PCI_HEADER_CARDBUS ? PCI_CAP_CARDBUS_PTR : PCI_CFG_CAP_PTR;
        w.next = pci_read(d, at, 1) & PCI_CAP_PTR_MASK;
    }
    return w;
}

/* Offset of the next capability, its id in *id; 0 at the end. */
static uint16_t cap_walk_next(const struct pci_dev *d, struct cap_walk *w, uint8_t *id)
{
    uint16_t at = w->next;
    if (at < PCI_CFG_FIRST_CAP || (w->seen >> (at / 4) & 1) != 0) {
        return 0;
    }
    w->seen |= 1ull << (at / 4);
    uint32_t head = pci_read(d, at, 2);
    if (head == 0xffff) {
        return 0; /* the device went away */
    }
    *id = (uint8_t)head;
    w->next = head >> 8 & PCI_CAP_PTR_MASK;
    return at;
}

uint16_t pci_find_cap(const struct pci_dev *d, uint8_t id)
{
    struct cap_walk w = cap_walk_start(d);
    uint8_t found;
    for (uint16_t at; (at = cap_walk_next(d, &w, &found)) != 0;) {
        if (found == id) {
            return at;
        }
    }
    return 0;
}

uint16_t pci_find_next_cap(const struct pci_dev *d, uint16_t after, uint8_t id)
{
    struct cap_walk w = cap_walk_start(d);
    uint8_t found;
    bool behind = false;
    for (uint16_t at; (at = cap_walk_next(d, &w, &found)) != 0;) {
        if (behind && found == id) {
            return at;
        }
        behind = behind || at == after;
    }
    return 0;
}

/* Keeps `at` when `length` bytes fit behind it, and it is the first of its kind. */
static void cap_record(const struct pci_dev *d, uint16_t *slot, uint16_t at, unsigned length,
                       const char *what)
{
    char name[PCI_NAME_MAX];
    if (!range_ok(at, length, PCI_CFG_SIZE)) {
        log_warn("pci", "%s: %s capability at 0x%02x runs over the end of the space, ignored",
                 pci_name(d, name), what, at);
    } else if (*slot == 0) {
        *slot = at;
    }
}

static unsigned msi_length(const struct pci_dev *d, uint16_t at)
{
    uint32_t control = pci_read(d, (uint16_t)(at + PCI_MSI_CONTROL), 2);
    unsigned length = PCI_MSI_LENGTH_MIN;
    length += (control & PCI_MSI_64) != 0 ? 4 : 0;
    length += (control & PCI_MSI_MASKABLE) != 0 ? 8 : 0;
    return length;
}

void pci_scan_caps(struct pci_dev *d)
{
    struct cap_walk w = cap_walk_start(d);
    uint8_t id;
    for (uint16_t at; (at = cap_walk_next(d, &w, &id)) != 0;) {
        switch (id) {
        case PCI_CAP_PM:
            cap_record(d, &d->cap_pm, at, 8, "power management");
            break;
        case PCI_CAP_MSI:
            cap_record(d, &d->cap_msi, at, msi_length(d, at), "MSI");
            break;
        case PCI_CAP_MSIX:
            cap_record(d, &d->cap_msix, at, PCI_MSIX_LENGTH, "MSI-X");
            break;
        case PCI_CAP_PCIE:
            cap_record(d, &d->cap_pcie, at, PCI_EXP_LENGTH_V1, "PCI Express");
            break;
        default:
            break;
        }
    }
}

uint16_t pci_find_ext_cap(const struct pci_dev *d, uint16_t id)
{
    uint64_t seen[EXT_CAP_SLOTS / 64] = {0};

    if (!d->pci->extended || d->cap_pcie == 0) {
        return 0;
    }
    uint16_t at = PCI_EXT_CAP_START;
    while (at >= PCI_EXT_CAP_START) {
        unsigned slot = at / 4u;
        if ((seen[slot / 64] >> slot % 64 & 1) != 0) {
            return 0;
        }
        seen[slot / 64] |= 1ull << slot % 64;
        uint32_t head = pci_read(d, at, 4);
        if (head == 0 || head == PCI_ID_NONE) {
            return 0;
        }
        if (PCI_EXT_CAP_ID(head) == id) {
            return at;
        }
        at = PCI_EXT_CAP_NEXT(head);
    }
    return 0;
}
