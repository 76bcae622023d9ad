/* SPDX-License-Identifier: MIT */
/*
 * The machine's way to configuration space: memory mapped (ECAM, PCI Express Base 4.0 section
 * 7.2.2) where ACPI's MCFG has it, else the two ports 0xcf8/0xcfc, which reach segment 0 and the
 * first 256 bytes only.
 */
#include "arch/machine.h"
#include "arch/log.h"
#include "pci/pci_priv.h"

/* Address bits of ECAM: bus 27:20, device and function 19:12, register 11:0. */
#define ECAM_BUS_SHIFT   20
#define ECAM_DEVFN_SHIFT 12

static struct {
    bool ready;
    size_t count;
    struct {
        struct machine_ecam where;
        struct mmio regs; /* starts at bus_first */
    } ecam[PCI_MAX_ROOTS];
} state;

static void machine_setup(void)
{
    struct machine_ecam found[PCI_MAX_ROOTS];

    if (state.ready) {
        return;
    }
    state.ready = true;
    size_t count = machine_ecam(found, PCI_MAX_ROOTS);
    for (size_t i = 0; i < count && i < PCI_MAX_ROOTS; i++) {
        const struct machine_ecam *e = &found[i];
        if (e->bus_last < e->bus_first) {
            log_warn("pci", "MCFG names buses %02x-%02x of segment %u, ignored", e->bus_first,
                     e->bus_last, e->segment);
            continue;
        }
        uint64_t size = (uint64_t)(e->bus_last - e->bus_first + 1u) << ECAM_BUS_SHIFT;
        struct phys_addr base = {e->base.raw + ((uint64_t)e->bus_first << ECAM_BUS_SHIFT)};
        enum fl_err err = mmio_map(base, size, MMIO_UNCACHED, &state.ecam[state.count].regs);
        if (err != FL_OK) {
            log_warn("pci", "cannot map the configuration space of segment %u at 0x%llx: %s",
                     e->segment, (unsigned long long)base.raw, fl_err_name(err));
            continue;
        }
        state.ecam[state.count].where = *e;
        state.count++;
    }
}

static const struct mmio *ecam_find(uint16_t seg, uint8_t bus, uint64_t *bus_off)
{
    for (size_t i = 0; i < state.count; i++) {
        const struct machine_ecam *e = &state.ecam[i].where;
        if (e->segment == seg && bus >= e->bus_first && bus <= e->bus_last) {
            *bus_off = (uint64_t)(bus - e->bus_first) << ECAM_BUS_SHIFT;
            return &state.ecam[i].regs;
        }
    }
    return NULL;
}

static bool port_reaches(uint16_t seg, uint16_t off)
{
    return seg == 0 && off < PCI_CFG_SIZE && machine_pci_port_available();
}

static uint32_t machine_cfg_read(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                                 unsigned size)
{
    (void)ctx;
    uint64_t at = 0;
    const struct mmio *regs = ecam_find(seg, bus, &at);
    if (regs != NULL) {
        at += ((uint64_t)devfn << ECAM_DEVFN_SHIFT) + off;
        switch (size) {
        case 1:
            return mmio_read8(regs, at);
        case 2:
            return mmio_read16(regs, at);
        default:
            return mmio_read32(regs, at);
        }
    }
    return port_reaches(seg, off) ? machine_pci_port_read(bus, devfn, off, size) : PCI_ID_NONE;
}

static void machine_cfg_write(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                              unsigned size, uint32_t value)
{
    (void)ctx;
    uint64_t at = 0;
    const struct mmio *regs = ecam_find(seg, bus, &at);
    if (regs != NULL) {
        at += ((uint64_t)devfn << ECAM_DEVFN_SHIFT) + off;
        switch (size) {
        case 1:
            mmio_write8(regs, at, (uint8_t)value);
            break;
        case 2:
            mmio_write16(regs, at, (uint16_t)value);
            break;
        default:
            mmio_write32(regs, at, value);
            break;
        }
        return;
    }
    if (port_reaches(seg, off)) {
        machine_pci_port_write(bus, devfn, off, size, value);
    }
}

static const struct pci_ops machine_ops = {
    .cfg_read = machine_cfg_read,
    .cfg_write = machine_cfg_write,
    .map_bar = NULL,
};

const struct pci_ops *pci_machine_ops(void) { return &machine_ops; }

size_t pci_machine_roots(struct pci_root *out, size_t max, bool *extended)
{
    machine_setup();
    size_t n = 0;
    for (; n < state.count && n < max; n++) {
        const struct machine_ecam *e = &state.ecam[n].where;
        out[n] = (struct pci_root){e->segment, e->bus_first, e->bus_last};
    }
    *extended = n != 0;
    if (n == 0 && max != 0 && machine_pci_port_available()) {
        out[n++] = (struct pci_root){0, 0, PCI_BUSES - 1};
    }
    return n;
}
