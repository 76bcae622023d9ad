/* SPDX-License-Identifier: MIT */
/*
 * Message-signalled interrupts: MSI and MSI-X (PCI Local Bus 3.0 section 6.8). Everything that can
 * be refused is checked before a vector is taken, since vectors are never given back; the entry is
 * unmasked last.
 */
#include <stdlib.h>

#include "arch/log.h"
#include "pci/pci_priv.h"

static uint32_t cap_read(const struct pci_dev *d, uint16_t cap, uint16_t off, unsigned size)
{
    return pci_read(d, (uint16_t)(cap + off), size);
}

static void cap_write(const struct pci_dev *d, uint16_t cap, uint16_t off, unsigned size,
                      uint32_t v)
{
    pci_write(d, (uint16_t)(cap + off), size, v);
}

static void intx_off(const struct pci_dev *d)
{
    pci_write(d, PCI_CFG_COMMAND, 2, pci_read(d, PCI_CFG_COMMAND, 2) | PCI_COMMAND_INTX_DISABLE);
}

/* --- MSI-X ---------------------------------------------------------------------------------- */

/* Maps the table; table->size is cut to nothing but the BAR, *off is where the table starts. */
static enum fl_err msix_table(const struct pci_dev *d, struct mmio *regs, uint64_t *off,
                              uint32_t *count)
{
    if (d->cap_msix == 0) {
        return FL_ENOTSUP;
    }
    uint32_t where = cap_read(d, d->cap_msix, PCI_MSIX_TABLE, 4);
    *count = (cap_read(d, d->cap_msix, PCI_MSIX_CONTROL, 2) & PCI_MSIX_COUNT_MASK) + 1;
    *off = where & ~PCI_MSIX_BIR_MASK;
    enum fl_err err = pci_map_bar(d, where & PCI_MSIX_BIR_MASK, regs);
    if (err == FL_OK && !range_ok(*off, (uint64_t)*count * PCI_MSIX_ENTRY_SIZE, regs->size)) {
        err = FL_EBADDATA;
    }
    if (err != FL_OK) {
        char name[PCI_NAME_MAX];
        log_warn("pci", "%s: MSI-X table of %u entries at BAR%u + 0x%llx is out of reach: %s",
                 pci_name(d, name), (unsigned)*count, (unsigned)(where & PCI_MSIX_BIR_MASK),
                 (unsigned long long)*off, fl_err_name(err));
    }
    return err;
}

enum fl_err pci_enable_msix_entry(const struct pci_dev *d, unsigned n, const char *name,
                                  void (*handler)(void *arg), void *arg, struct irq_msi *out)
{
    struct mmio regs;
    uint64_t table;
    uint32_t count;

    enum fl_err err = msix_table(d, &regs, &table, &count);
    if (err != FL_OK) {
        return err;
    }
    if (n >= count) {
        return FL_EINVAL;
    }
    err = irq_alloc(name, handler, arg, out);
    if (err != FL_OK) {
        return err;
    }
    pci_enable(d, true, (pci_read(d, PCI_CFG_COMMAND, 2) & PCI_COMMAND_MASTER) != 0);
    intx_off(d);
    uint16_t control = (uint16_t)cap_read(d, d->cap_msix, PCI_MSIX_CONTROL, 2);
    if ((control & PCI_MSIX_ENABLE) == 0) {
        /* First use: nothing may fire while entries still hold what was there before. */
        cap_write(d, d->cap_msix, PCI_MSIX_CONTROL, 2,
                  control | PCI_MSIX_ENABLE | PCI_MSIX_FUNCTION_MASK);
        for (uint32_t i = 0; i < count; i++) {
            mmio_write32(&regs, table + i * PCI_MSIX_ENTRY_SIZE + PCI_MSIX_ENTRY_CONTROL,
                         PCI_MSIX_ENTRY_MASKED);
        }
    }
    uint64_t entry = table + (uint64_t)n * PCI_MSIX_ENTRY_SIZE;
    mmio_write32(&regs, entry + PCI_MSIX_ENTRY_CONTROL, PCI_MSIX_ENTRY_MASKED);
    mmio_write32(&regs, entry + PCI_MSIX_ENTRY_ADDRESS, (uint32_t)out->address);
    mmio_write32(&regs, entry + PCI_MSIX_ENTRY_ADDRESS_HIGH, (uint32_t)(out->address >> 32));
    mmio_write32(&regs, entry + PCI_MSIX_ENTRY_DATA, out->data);
    mmio_write32(&regs, entry + PCI_MSIX_ENTRY_CONTROL, 0);
    (void)mmio_read32(&regs, entry + PCI_MSIX_ENTRY_CONTROL); /* posted writes have arrived */
    cap_write(d, d->cap_msix, PCI_MSIX_CONTROL, 2,
              (control & ~PCI_MSIX_FUNCTION_MASK) | PCI_MSIX_ENABLE);
    return FL_OK;
}

/* --- MSI ------------------------------------------------------------------------------------ */

static enum fl_err enable_msi(const struct pci_dev *d, const char *name, void (*handler)(void *arg),
                              void *arg, struct irq_msi *out)
{
    enum fl_err err = irq_alloc(name, handler, arg, out);
    if (err != FL_OK) {
        return err;
    }
    uint16_t control = (uint16_t)cap_read(d, d->cap_msi, PCI_MSI_CONTROL, 2);
    bool wide = (control & PCI_MSI_64) != 0;
    if ((!wide && out->address >> 32 != 0) || out->data >> 16 != 0) {
        return FL_ENOTSUP; /* cannot happen on x86: the address is 0xfeexxxxx */
    }
    intx_off(d);
    control = (uint16_t)(control & ~(PCI_MSI_ENABLE | PCI_MSI_MULTI_ENABLE));
    cap_write(d, d->cap_msi, PCI_MSI_CONTROL, 2, control);
    cap_write(d, d->cap_msi, PCI_MSI_ADDRESS, 4, (uint32_t)out->address);
    if (wide) {
        cap_write(d, d->cap_msi, PCI_MSI_ADDRESS_HIGH, 4, (uint32_t)(out->address >> 32));
    }
    cap_write(d, d->cap_msi, wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32, 2, out->data);
    if ((control & PCI_MSI_MASKABLE) != 0) {
        cap_write(d, d->cap_msi, wide ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32, 4, ~1u);
    }
    cap_write(d, d->cap_msi, PCI_MSI_CONTROL, 2, control | PCI_MSI_ENABLE);
    return FL_OK;
}

enum fl_err pci_enable_msi(const struct pci_dev *d, const char *name, void (*handler)(void *arg),
                           void *arg, bool only_msi, struct irq_msi *out)
{
    if (d->cap_msix != 0 && !only_msi) {
        enum fl_err err = pci_enable_msix_entry(d, 0, name, handler, arg, out);
        if (err == FL_OK || d->cap_msi == 0) {
            return err;
        }
    }
    return d->cap_msi != 0 ? enable_msi(d, name, handler, arg, out) : FL_ENOTSUP;
}

void pci_disable_msi(const struct pci_dev *d)
{
    if (d->cap_msix != 0) {
        uint32_t control = cap_read(d, d->cap_msix, PCI_MSIX_CONTROL, 2);
        cap_write(d, d->cap_msix, PCI_MSIX_CONTROL, 2,
                  control & ~(PCI_MSIX_ENABLE | PCI_MSIX_FUNCTION_MASK));
    }
    if (d->cap_msi != 0) {
        uint32_t control = cap_read(d, d->cap_msi, PCI_MSI_CONTROL, 2);
        cap_write(d, d->cap_msi, PCI_MSI_CONTROL, 2, control & ~PCI_MSI_ENABLE);
    }
}

/* --- across a reset ------------------------------------------------------------------------- */

enum fl_err pci_msi_save(const struct pci_dev *d, struct pci_msi_state *out)
{
    *out = (struct pci_msi_state){0};
    if (d->cap_msi != 0) {
        out->msi_control = (uint16_t)cap_read(d, d->cap_msi, PCI_MSI_CONTROL, 2);
        bool wide = (out->msi_control & PCI_MSI_64) != 0;
        out->msi_address = cap_read(d, d->cap_msi, PCI_MSI_ADDRESS, 4);
        out->msi_address_high = wide ? cap_read(d, d->cap_msi, PCI_MSI_ADDRESS_HIGH, 4) : 0;
        out->msi_data =
            (uint16_t)cap_read(d, d->cap_msi, wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32, 2);
        if ((out->msi_control & PCI_MSI_MASKABLE) != 0) {
            out->msi_mask = cap_read(d, d->cap_msi, wide ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32, 4);
        }
    }
    if (d->cap_msix == 0) {
        return FL_OK;
    }
    out->msix_control = (uint16_t)cap_read(d, d->cap_msix, PCI_MSIX_CONTROL, 2);
    if ((out->msix_control & PCI_MSIX_ENABLE) == 0) {
        return FL_OK;
    }
    struct mmio regs;
    uint64_t table;
    enum fl_err err = msix_table(d, &regs, &table, &out->msix_count);
    if (err != FL_OK) {
        return err;
    }
    size_t words = (size_t)out->msix_count * PCI_MSIX_ENTRY_SIZE / 4;
    out->entries = malloc(words * 4);
    if (out->entries == NULL) {
        return FL_ENOMEM;
    }
    for (size_t i = 0; i < words; i++) {
        out->entries[i] = mmio_read32(&regs, table + i * 4);
    }
    return FL_OK;
}

static void msix_restore(const struct pci_dev *d, const struct pci_msi_state *state)
{
    struct mmio regs;
    uint64_t table;
    uint32_t count;

    if (msix_table(d, &regs, &table, &count) != FL_OK || count != state->msix_count) {
        return; /* reported; the device is another one than before */
    }
    cap_write(d, d->cap_msix, PCI_MSIX_CONTROL, 2, state->msix_control | PCI_MSIX_FUNCTION_MASK);
    for (size_t i = 0; i < (size_t)count * PCI_MSIX_ENTRY_SIZE / 4; i++) {
        mmio_write32(&regs, table + i * 4, state->entries[i]);
    }
    (void)mmio_read32(&regs, table);
    cap_write(d, d->cap_msix, PCI_MSIX_CONTROL, 2, state->msix_control);
}

void pci_msi_restore(const struct pci_dev *d, struct pci_msi_state *state)
{
    if (d->cap_msi != 0) {
        bool wide = (state->msi_control & PCI_MSI_64) != 0;
        cap_write(d, d->cap_msi, PCI_MSI_ADDRESS, 4, state->msi_address);
        if (wide) {
            cap_write(d, d->cap_msi, PCI_MSI_ADDRESS_HIGH, 4, state->msi_address_high);
        }
        cap_write(d, d->cap_msi, wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32, 2, state->msi_data);
        if ((state->msi_control & PCI_MSI_MASKABLE) != 0) {
            cap_write(d, d->cap_msi, wide ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32, 4, state->msi_mask);
        }
        cap_write(d, d->cap_msi, PCI_MSI_CONTROL, 2, state->msi_control);
    }
    if (state->entries != NULL) {
        msix_restore(d, state);
        free(state->entries);
        state->entries = NULL;
    }
}
