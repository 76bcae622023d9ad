/* SPDX-License-Identifier: MIT */
/*
 * Base address registers. The firmware has placed them; we read where, and find the sizes by
 * writing all-ones and looking which bits stay (PCI Local Bus 3.0 section 6.2.5.1). While a
 * register holds all-ones the device must not decode it: decoding is off meanwhile, and nothing
 * yields.
 */
#include "arch/log.h"
#include <stdio.h>

#include "pci/pci_priv.h"

static uint16_t bar_off(unsigned bar) { return (uint16_t)(PCI_CFG_BAR0 + 4 * bar); }

/* Value that stays when all-ones is written; restores the register. */
static uint32_t bar_probe(const struct pci_dev *d, unsigned bar, uint32_t *was)
{
    *was = pci_read(d, bar_off(bar), 4);
    pci_write(d, bar_off(bar), 4, 0xffffffffu);
    uint32_t mask = pci_read(d, bar_off(bar), 4);
    pci_write(d, bar_off(bar), 4, *was);
    return mask;
}

static void bar_malformed(const struct pci_dev *d, unsigned bar, uint64_t address, uint64_t mask)
{
    char name[PCI_NAME_MAX];
    log_warn("pci", "%s: BAR%u is malformed: address 0x%llx size mask 0x%llx, ignored",
             pci_name(d, name), bar, (unsigned long long)address, (unsigned long long)mask);
}

/* Writable bits of a decoder are all bits from its size up to `top`. */
static bool bar_mask_ok(uint64_t mask, uint64_t top)
{
    uint64_t low = mask & (~mask + 1);
    return low != 0 && mask == (top & ~(low - 1));
}

/* Fills d->bar[bar]; returns how many registers it took. */
static unsigned bar_read(struct pci_dev *d, unsigned bar, unsigned count)
{
    struct pci_bar *b = &d->bar[bar];
    uint32_t was, was_high = 0;
    uint32_t mask = bar_probe(d, bar, &was);

    if (mask == 0) {
        return 1;
    }
    if ((mask & PCI_BAR_IS_IO) != 0) {
        /* The upper half may be hard-wired to 0: x86 has 64 KiB of ports. */
        uint64_t bits = (mask & PCI_BAR_IO_MASK) | 0xffff0000u;
        uint64_t address = was & PCI_BAR_IO_MASK;
        if (!bar_mask_ok(bits, 0xffffffffu) || !is_aligned_u64(address, ~bits + 1)) {
            bar_malformed(d, bar, address, mask);
            return 1;
        }
        *b = (struct pci_bar){PCI_BAR_IO, false, address, (uint32_t)(~bits + 1)};
        return 1;
    }

    bool is64 = (mask & PCI_BAR_TYPE_MASK) == PCI_BAR_TYPE_64;
    uint64_t bits = mask & PCI_BAR_MEM_MASK;
    uint64_t top = 0xffffffffu;
    if ((mask & PCI_BAR_TYPE_MASK) == (PCI_BAR_TYPE_LOW | PCI_BAR_TYPE_64) ||
        (is64 && bar + 1 >= count)) {
        bar_malformed(d, bar, was, mask);
        return 1;
    }
    if (is64) {
        bits |= (uint64_t)bar_probe(d, bar + 1, &was_high) << 32;
        top = UINT64_MAX;
    }
    uint64_t address = (uint64_t)was_high << 32 | (was & PCI_BAR_MEM_MASK);
    uint64_t size = bits & (~bits + 1);
    if (!bar_mask_ok(bits, top) || !is_aligned_u64(address, size) || address > top - (size - 1)) {
        bar_malformed(d, bar, address, bits);
    } else {
        *b = (struct pci_bar){
            .kind = is64 ? PCI_BAR_MEM64 : PCI_BAR_MEM32,
            .prefetchable = (mask & PCI_BAR_IS_PREFETCH) != 0,
            .address = address,
            .size = size,
        };
    }
    return is64 ? 2 : 1;
}

void pci_probe_bars(struct pci_dev *d)
{
    unsigned count = d->header_type == PCI_HEADER_NORMAL   ? PCI_BARS_NORMAL
                     : d->header_type == PCI_HEADER_BRIDGE ? PCI_BARS_BRIDGE
                                                           : 0;
    /* Some host bridges stop reaching memory when their decoding is off; we never use their BARs.
     */
    if (count == 0 || d->class_code >> 8 == PCI_CLASS_HOST_BRIDGE) {
        return;
    }
    uint16_t command = (uint16_t)pci_read(d, PCI_CFG_COMMAND, 2);
    uint16_t off = (uint16_t)(command & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
    if (command != off) {
        pci_write(d, PCI_CFG_COMMAND, 2, off);
    }
    for (unsigned i = 0; i < count;) {
        i += bar_read(d, i, count);
    }
    if (command != off) {
        pci_write(d, PCI_CFG_COMMAND, 2, command);
    }
}

/* Memory that a bridge passes on. base > limit: the window is closed. */
struct window {
    uint64_t base, limit;
};

static struct window bridge_window(const struct pci_dev *bridge, bool prefetchable)
{
    uint32_t v = pci_read(bridge, prefetchable ? PCI_CFG_PREF_WINDOW : PCI_CFG_MEM_WINDOW, 4);
    struct window w = {
        .base = (uint64_t)(v & PCI_WINDOW_ADDR_MASK) << 16,
        .limit = (uint64_t)(v >> 16 & PCI_WINDOW_ADDR_MASK) << 16 | PCI_WINDOW_LOW_BITS,
    };
    if (prefetchable && (v & PCI_WINDOW_64) != 0) {
        w.base |= (uint64_t)pci_read(bridge, PCI_CFG_PREF_BASE_HIGH, 4) << 32;
        w.limit |= (uint64_t)pci_read(bridge, PCI_CFG_PREF_LIMIT_HIGH, 4) << 32;
    }
    return w;
}

static bool window_holds(struct window w, const struct pci_bar *b)
{
    return w.base <= w.limit && b->address >= w.base && b->address <= w.limit &&
           b->size - 1 <= w.limit - b->address;
}

/* Subtractive bridges pass on what nobody else takes. */
static bool passes_on(const struct pci_dev *bridge, const struct pci_bar *b)
{
    return PCI_CLASS_PROG(bridge->class_code) == PCI_PROG_SUBTRACTIVE ||
           window_holds(bridge_window(bridge, false), b) ||
           window_holds(bridge_window(bridge, true), b);
}

/* The sources of both: PCI-to-PCI Bridge Architecture 1.2, 3.2.5. */
static enum fl_err reachable(const struct pci_dev *d, unsigned i, struct fl_fail *fail)
{
    const struct pci_bar *b = &d->bar[i];
    char name[PCI_NAME_MAX];
    char above[PCI_NAME_MAX];
    char what[16];

    (void)snprintf(what, sizeof(what), "BAR%u", i);
    if (b->address == 0) {
        return FL_FAIL_MORE(fail, FL_ENOTSUP, what,
                            (.hint = "switch 'above 4G decoding' on in the firmware's set-up, and "
                                     "'resizable BAR' off; or take other cards out"),
                            "%s: BAR%u (%llu MiB) has no address: the machine's firmware found no "
                            "place for it",
                            pci_name(d, name), i, (unsigned long long)(b->size >> 20));
    }
    for (const struct pci_dev *up = pci_port_of(d); up != NULL; up = pci_port_of(up)) {
        if (!passes_on(up, b)) {
            return FL_FAIL_MORE(fail, FL_ENOTSUP, what,
                                (.hint = "the firmware's set-up: 'above 4G decoding' on, a larger "
                                         "MMIO window, 'resizable BAR' off; or another slot"),
                                "%s: BAR%u at 0x%llx (%llu MiB) is outside the windows of the "
                                "bridge %s above it: nobody can reach it",
                                pci_name(d, name), i, (unsigned long long)b->address,
                                (unsigned long long)(b->size >> 20), pci_name(up, above));
        }
    }
    return FL_OK;
}

enum fl_err pci_check_reach(const struct pci_dev *d, struct fl_fail *fail)
{
    enum fl_err err = FL_OK;

    for (unsigned i = 0; i < PCI_BAR_COUNT && err == FL_OK; i++) {
        const bool memory = d->bar[i].kind == PCI_BAR_MEM32 || d->bar[i].kind == PCI_BAR_MEM64;
        err = memory ? reachable(d, i, fail) : FL_OK;
    }
    return err;
}

void pci_check_bars(const struct pci_dev *d)
{
    char name[PCI_NAME_MAX];
    const struct pci_dev *bridge = d->parent >= 0 ? &d->pci->dev[d->parent] : NULL;

    for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
        const struct pci_bar *b = &d->bar[i];
        if (b->kind != PCI_BAR_MEM32 && b->kind != PCI_BAR_MEM64) {
            continue;
        }
        if (b->address == 0) {
            log_warn("pci", "%s: BAR%u (%llu KiB) has no address: the firmware did not place it%s",
                     pci_name(d, name), i, (unsigned long long)(b->size >> 10),
                     b->kind == PCI_BAR_MEM64 ? "; try \"above 4G decoding\" in its set-up" : "");
            continue;
        }
        if (bridge != NULL && !passes_on(bridge, b)) {
            log_warn("pci", "%s: BAR%u at 0x%llx (%llu KiB) is outside the windows of its bridge",
                     pci_name(d, name), i, (unsigned long long)b->address,
                     (unsigned long long)(b->size >> 10));
        }
    }
}

int pci_mem_bar(const struct pci_dev *d, unsigned n)
{
    for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
        if (d->bar[i].kind == PCI_BAR_MEM32 || d->bar[i].kind == PCI_BAR_MEM64) {
            if (n-- == 0) {
                return (int)i;
            }
        }
    }
    return -1;
}

static enum fl_err map_bar(const struct pci_dev *d, unsigned bar, uint64_t size,
                           enum mmio_cache cache, struct mmio *out)
{
    if (bar >= PCI_BAR_COUNT) {
        return FL_EINVAL;
    }
    const struct pci_bar *b = &d->bar[bar];
    if (b->kind != PCI_BAR_MEM32 && b->kind != PCI_BAR_MEM64) {
        return FL_ENOENT;
    }
    if (size > b->size) {
        return FL_EINVAL;
    }
    if (d->pci->ops->map_bar != NULL) {
        const enum fl_err err =
            d->pci->ops->map_bar(d->pci->ctx, d->segment, d->bus, d->devfn, bar, out);
        if (err == FL_OK && size != 0) {
            out->size = size;
        }
        return err;
    }
    if (b->address == 0) {
        return FL_ENOENT;
    }
    return mmio_map((struct phys_addr){b->address}, size != 0 ? size : b->size, cache, out);
}

enum fl_err pci_map_bar(const struct pci_dev *d, unsigned bar, struct mmio *out)
{
    return map_bar(d, bar, 0, MMIO_UNCACHED, out);
}

enum fl_err pci_map_bar_data(const struct pci_dev *d, unsigned bar, uint64_t size, struct mmio *out)
{
    return size == 0 ? FL_EINVAL : map_bar(d, bar, size, MMIO_WRITE_COMBINING, out);
}
