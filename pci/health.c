/* SPDX-License-Identifier: MIT */
/* What a function tells of its state without being changed: errors seen, BAR sizes it may have. */
#include "pci/pci_priv.h"

const struct pci_dev *pci_port_of(const struct pci_dev *d)
{
    return d->pci != NULL && d->parent >= 0 && (size_t)d->parent < d->pci->count
               ? &d->pci->dev[d->parent]
               : NULL;
}

void pci_get_aer(const struct pci_dev *d, struct pci_aer *out)
{
    *out = (struct pci_aer){0};
    const uint16_t at = d->pci != NULL ? pci_find_ext_cap(d, PCI_EXT_CAP_AER) : 0;
    if (at == 0 || at > PCI_CFG_EXT_SIZE - PCI_AER_CORRECTABLE - 4) {
        return;
    }
    out->uncorrectable = pci_read(d, (uint16_t)(at + PCI_AER_UNCORRECTABLE), 4);
    out->correctable = pci_read(d, (uint16_t)(at + PCI_AER_CORRECTABLE), 4);
    out->valid = out->uncorrectable != UINT32_MAX && out->correctable != UINT32_MAX;
}

const char *pci_aer_name(bool correctable, unsigned bit)
{
    static const char *const yes[] = {
        [0] = "receiver_error",
        [6] = "bad_tlp",
        [7] = "bad_dllp",
        [8] = "replay_num_rollover",
        [12] = "replay_timer_timeout",
        [13] = "advisory_non_fatal",
        [14] = "corrected_internal",
        [15] = "header_log_overflow",
    };
    static const char *const no[] = {
        [4] = "data_link_protocol",
        [5] = "surprise_down",
        [12] = "poisoned_tlp",
        [13] = "flow_control_protocol",
        [14] = "completion_timeout",
        [15] = "completer_abort",
        [16] = "unexpected_completion",
        [17] = "receiver_overflow",
        [18] = "malformed_tlp",
        [19] = "ecrc",
        [20] = "unsupported_request",
        [21] = "acs_violation",
        [22] = "uncorrectable_internal",
        [23] = "mc_blocked_tlp",
        [24] = "atomicop_egress_blocked",
        [25] = "tlp_prefix_blocked",
        [26] = "poisoned_tlp_egress_blocked",
    };
    if (correctable) {
        return bit < ARRAY_SIZE(yes) ? yes[bit] : NULL;
    }
    return bit < ARRAY_SIZE(no) ? no[bit] : NULL;
}

size_t pci_get_rebars(const struct pci_dev *d, struct pci_rebar out[PCI_REBARS_MAX])
{
    const uint16_t cap = d->pci != NULL ? pci_find_ext_cap(d, PCI_EXT_CAP_REBAR) : 0;
    size_t count = 0;
    for (unsigned i = 0, most = 1; cap != 0 && i < most && i < PCI_REBAR_MAX; i++) {
        const unsigned at = cap + PCI_REBAR_FIRST + i * PCI_REBAR_STRIDE;
        if (at > PCI_CFG_EXT_SIZE - PCI_REBAR_STRIDE) {
            break;
        }
        const uint32_t sizes = pci_read(d, (uint16_t)at, 4);
        const uint32_t control = pci_read(d, (uint16_t)(at + PCI_REBAR_CONTROL), 4);
        if (control == UINT32_MAX) {
            break;
        }
        most = i == 0 ? PCI_REBAR_COUNT(control) : most;
        if (most == 0 || PCI_REBAR_BAR(control) >= PCI_BAR_COUNT) {
            continue;
        }
        const unsigned size = PCI_REBAR_SIZE(control);
        out[count++] = (struct pci_rebar){
            .bar = (uint8_t)PCI_REBAR_BAR(control),
            .size = size < 64 - 20 ? MIB(1) << size : 0,
            .sizes = PCI_REBAR_SIZES(sizes, control),
        };
    }
    return count;
}
