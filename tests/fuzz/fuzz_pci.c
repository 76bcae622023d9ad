/* SPDX-License-Identifier: MIT */
/*
 * Enumeration over a hostile bus: the input is the content of configuration space and of the BARs.
 * Everything must end, stay inside the 4 KiB of each function, and never list a device twice.
 */
#include <stdlib.h>
#include <string.h>

#include "pci/pci.h"
#include "pci/pci_regs.h"

static struct {
    const uint8_t *data;
    size_t size;
    size_t at;
    unsigned accesses;
} in;

/* Bus, device and function select a slice of the input; what is written is remembered nowhere. */
static uint32_t fuzz_read(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                          unsigned size)
{
    (void)ctx;
    (void)seg;
    if (off % size != 0 || off + size > PCI_CFG_EXT_SIZE || ++in.accesses > 4000000) {
        abort();
    }
    if (in.size == 0 || (in.data[0] % 64 != 0 && devfn / 8 > in.data[0] % 32u)) {
        return PCI_ID_NONE;
    }
    /* Most functions share the bytes behind the header; headers differ per function. */
    size_t base = off < PCI_CFG_FIRST_CAP ? ((size_t)bus * 31u + devfn) * 64u : 0;
    uint32_t v = 0;
    for (unsigned i = 0; i < size; i++) {
        v |= (uint32_t)in.data[(base + off + i) % in.size] << 8 * i;
    }
    return v;
}

static void fuzz_write(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                       unsigned size, uint32_t value)
{
    (void)ctx;
    (void)seg;
    (void)bus;
    (void)devfn;
    (void)value;
    if (off % size != 0 || off + size > PCI_CFG_EXT_SIZE) {
        abort();
    }
}

static uint64_t mem_read(void *ctx, uint64_t off, unsigned size)
{
    (void)ctx;
    (void)off;
    (void)size;
    return 0;
}

static void mem_write(void *ctx, uint64_t off, unsigned size, uint64_t v)
{
    (void)ctx;
    (void)off;
    (void)size;
    (void)v;
}

static enum fl_err fuzz_map(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, unsigned bar,
                            struct mmio *out)
{
    static const struct mmio_ops ops = {mem_read, mem_write};
    (void)ctx;
    (void)seg;
    (void)bus;
    (void)devfn;
    (void)bar;
    *out = (struct mmio){&ops, NULL, 0x2000}; /* accesses outside abort */
    return FL_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct pci_ops ops = {fuzz_read, fuzz_write, fuzz_map};
    static struct pci pci;

    in.data = data;
    in.size = size;
    in.accesses = 0;
    struct fl_fail fail = {0};
    if (pci_enumerate(&pci, &ops, NULL, &fail) != FL_OK || pci.count > PCI_MAX_DEVICES) {
        abort();
    }
    for (size_t i = 0; i < pci.count; i++) {
        const struct pci_dev *d = &pci.dev[i];
        struct pci_link link;
        if (d->parent >= (int)i) {
            abort();
        }
        for (size_t k = 0; k < i; k++) {
            if (pci.dev[k].bus == d->bus && pci.dev[k].devfn == d->devfn) {
                abort();
            }
        }
        pci_get_link(d, &link);
        struct pci_aer aer;
        pci_get_aer(d, &aer);
        struct pci_rebar rebar[PCI_REBARS_MAX];
        const size_t rebars = pci_get_rebars(d, rebar);
        for (size_t k = 0; k < rebars; k++) {
            if (rebar[k].bar >= PCI_BAR_COUNT) {
                abort();
            }
        }
        (void)pci_find_ext_cap(d, PCI_EXT_CAP_SRIOV);
        (void)pci_find_next_cap(d, pci_find_cap(d, PCI_CAP_VENDOR), PCI_CAP_VENDOR);
        pci_disable_msi(d);
        (void)pci_mem_bar(d, 2);
    }
    return 0;
}
