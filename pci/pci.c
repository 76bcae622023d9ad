/* SPDX-License-Identifier: MIT */
/*
 * Configuration access and enumeration. The firmware has numbered the buses and placed the BARs;
 * we walk what is there and believe nothing: a bus is walked once, a bridge may lead only to buses
 * above its own and inside its parent's range.
 */
#include "pci/pci.h"

#include <stdio.h>
#include <string.h>

#include "arch/fiber.h"
#include "arch/log.h"
#include "arch/machine.h"
#include "arch/text.h"
#include "pci/pci_priv.h"

static void check_access(const struct pci_dev *d, uint16_t off, unsigned size)
{
    (void)d;
    FL_ASSERT((size == 1 || size == 2 || size == 4) && off % size == 0 && off < PCI_CFG_EXT_SIZE);
}

static bool reachable(const struct pci_dev *d, uint16_t off)
{
    return off < PCI_CFG_SIZE || d->pci->extended;
}

uint32_t pci_read(const struct pci_dev *d, uint16_t off, unsigned size)
{
    check_access(d, off, size);
    uint32_t ones = size == 4 ? PCI_ID_NONE : (1u << size * 8) - 1;
    if (!reachable(d, off)) {
        return ones;
    }
    const struct pci *p = d->pci;
    return p->ops->cfg_read(p->ctx, d->segment, d->bus, d->devfn, off, size) & ones;
}

void pci_write(const struct pci_dev *d, uint16_t off, unsigned size, uint32_t value)
{
    check_access(d, off, size);
    if (reachable(d, off)) {
        const struct pci *p = d->pci;
        p->ops->cfg_write(p->ctx, d->segment, d->bus, d->devfn, off, size, value);
    }
}

char *pci_name(const struct pci_dev *d, char *buf)
{
    snprintf(buf, PCI_NAME_MAX, "%04x:%02x:%02x.%x", d->segment, d->bus,
             (unsigned)PCI_SLOT(d->devfn), PCI_FN(d->devfn));
    return buf;
}

void pci_enable(const struct pci_dev *d, bool memory, bool master)
{
    uint32_t was = pci_read(d, PCI_CFG_COMMAND, 2);
    uint32_t now = was & ~(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    now |= memory ? PCI_COMMAND_MEMORY : 0;
    now |= master ? PCI_COMMAND_MASTER : 0;
    if (now != was) {
        pci_write(d, PCI_CFG_COMMAND, 2, now);
    }
}

/* --- the walk ------------------------------------------------------------------------------- */

/* What is known about a bus before the walk gets to it. */
struct bus_info {
    bool reached; /* a bridge (or the root) leads here */
    bool owned;   /* inside the range of a bridge: belongs to no other root */
    uint8_t last; /* highest bus number below it */
    int parent;   /* index of the bridge, -1: root */
};

/* Buses are walked in rising order. A bridge leads only to higher numbers, so each bus is walked
 * once, after its bridge, and the walk ends whatever the bridges say. */
struct walk {
    struct pci *pci;
    bool (*later)(const struct pci_dev *d); /* may be NULL */
    uint16_t segment;
    struct bus_info bus[PCI_BUSES];
};

static uint32_t raw_read(const struct walk *w, uint8_t bus, uint8_t devfn, uint16_t off)
{
    return w->pci->ops->cfg_read(w->pci->ctx, w->segment, bus, devfn, off, 4);
}

static bool id_present(uint32_t id)
{
    uint16_t vendor = (uint16_t)id;
    return vendor != PCI_VENDOR_NONE && vendor != 0;
}

/* A bridge's lower bus, when its numbers make sense. */
static void bridge_descend(struct walk *w, const struct pci_dev *d, uint8_t last, int index)
{
    char name[PCI_NAME_MAX];

    if (d->secondary == 0) {
        log_warn("pci", "%s: the firmware gave this bridge no bus number, skipped",
                 pci_name(d, name));
    } else if (d->secondary <= d->bus || d->subordinate < d->secondary || d->subordinate > last) {
        log_warn(
            "pci",
            "%s: bridge on bus %02x claims buses %02x-%02x, expected within %02x-%02x, skipped",
            pci_name(d, name), d->bus, d->secondary, d->subordinate, d->bus + 1u, last);
    } else if (w->bus[d->secondary].reached) {
        log_warn("pci", "%s: bus %02x hangs below another bridge already, skipped",
                 pci_name(d, name), d->secondary);
    } else {
        w->bus[d->secondary] = (struct bus_info){true, true, d->subordinate, index};
        for (unsigned b = d->secondary; b <= d->subordinate; b++) {
            w->bus[b].owned = true;
        }
    }
}

static void log_device(const struct pci_dev *d)
{
    char text[96];
    char bars[96];
    struct text t = text_on(bars, sizeof(bars));
    struct pci_link link;

    text[0] = '\0';
    pci_get_link(d, &link);
    if (link.valid) {
        snprintf(text, sizeof(text), ", link %s x%u of %s x%u", pci_speed_name(link.speed),
                 link.width, pci_speed_name(link.max_speed), link.max_width);
    }
    for (unsigned i = 0; i < PCI_BAR_COUNT; i++) {
        const struct pci_bar *b = &d->bar[i];
        if (b->kind == PCI_BAR_NONE) {
            continue;
        }
        bool mib = b->size >= MIB(1);
        bool kib = b->size >= KIB(1);
        text_fmt(&t, " %u:%llu%s%s", i,
                 (unsigned long long)(b->size >> (mib   ? 20
                                                  : kib ? 10
                                                        : 0)),
                 mib   ? "M"
                 : kib ? "K"
                       : "",
                 b->kind == PCI_BAR_IO ? "io" : "");
    }
    log_info("pci", "%02x:%02x.%x %04x:%04x %s%s%s%s", d->bus, (unsigned)PCI_SLOT(d->devfn),
             PCI_FN(d->devfn), d->vendor, d->device, pci_class_name(d->class_code), text,
             bars[0] != '\0' ? ", BARs" : "", bars);
}

/* Reads one function's header into a new list entry and follows it when it is a bridge. */
static void add_function(struct walk *w, uint8_t bus, uint8_t devfn, uint32_t id)
{
    struct pci *p = w->pci;

    if (p->count >= PCI_MAX_DEVICES) {
        p->skipped++;
        return;
    }
    int index = (int)p->count;
    struct pci_dev *d = &p->dev[p->count++];
    memset(d, 0, sizeof(*d));
    d->pci = p;
    d->segment = w->segment;
    d->bus = bus;
    d->devfn = devfn;
    d->parent = w->bus[bus].parent;
    d->vendor = (uint16_t)id;
    d->device = (uint16_t)(id >> 16);
    d->header_type = pci_read(d, PCI_CFG_HEADER_TYPE, 1) & PCI_HEADER_TYPE_MASK;
    uint32_t class_rev = pci_read(d, PCI_CFG_CLASS_REV, 4);
    d->revision = (uint8_t)class_rev;
    d->class_code = class_rev >> 8;
    if (d->header_type == PCI_HEADER_NORMAL) {
        uint32_t sub = pci_read(d, PCI_CFG_SUBSYSTEM, 4);
        d->subvendor = (uint16_t)sub;
        d->subdevice = (uint16_t)(sub >> 16);
    } else if (d->header_type > PCI_HEADER_CARDBUS) {
        char name[PCI_NAME_MAX];
        log_warn("pci", "%s: unknown header type 0x%02x, BARs and capabilities ignored",
                 pci_name(d, name), d->header_type);
    }
    pci_scan_caps(d);
    d->postponed = w->later != NULL && w->later(d);
    if (!d->postponed) {
        pci_probe_bars(d);
    }
    if (d->header_type == PCI_HEADER_BRIDGE) {
        uint32_t buses = pci_read(d, PCI_CFG_BUSES, 4);
        d->secondary = (uint8_t)(buses >> 8);
        d->subordinate = (uint8_t)(buses >> 16);
    }
    if (!d->postponed) {
        log_device(d);
        pci_check_bars(d);
    }
    if (d->header_type == PCI_HEADER_BRIDGE) {
        bridge_descend(w, d, w->bus[bus].last, index);
    }
}

static void walk_bus(struct walk *w, uint8_t bus)
{
    for (unsigned slot = 0; slot < PCI_SLOTS_PER_BUS; slot++) {
        for (unsigned fn = 0; fn < PCI_FUNCTIONS; fn++) {
            uint8_t devfn = PCI_DEVFN(slot, fn);
            uint32_t id = raw_read(w, bus, devfn, PCI_CFG_ID);
            if (id_present(id)) {
                add_function(w, bus, devfn, id);
            } else if (fn == 0) {
                break; /* function 0 is mandatory */
            }
            if (fn == 0) {
                uint32_t type = raw_read(w, bus, devfn, PCI_CFG_CACHE_LINE) >> 16;
                if ((type & PCI_HEADER_MULTI) == 0) {
                    break;
                }
            }
        }
        fiber_yield_if_long();
    }
}

/* Does another host bridge start here? Root buses have a function at device 0 (the host bridge or
 * its complex); looking at all 32 would cost 8000 reads on every machine. */
static bool root_at(const struct walk *w, uint8_t bus)
{
    return id_present(raw_read(w, bus, PCI_DEVFN(0, 0), PCI_CFG_ID));
}

/* A segment has one known root, its first bus. Larger machines have further host bridges, whose
 * bus numbers only ACPI's byte code knows: whatever bus no bridge leads to, but answers, is one. */
static void walk_segment(struct walk *w, const struct pci_root *root)
{
    w->segment = root->segment;
    memset(w->bus, 0, sizeof(w->bus));
    for (unsigned b = root->bus_first; b <= root->bus_last; b++) {
        struct bus_info *info = &w->bus[b];
        bool is_root =
            b == root->bus_first || (!info->reached && !info->owned && root_at(w, (uint8_t)b));
        if (is_root) {
            *info = (struct bus_info){true, true, root->bus_last, -1};
        }
        if (info->reached) {
            walk_bus(w, (uint8_t)b);
        }
        fiber_yield_if_long();
    }
}

void pci_complete(struct pci *p)
{
    for (size_t i = 0; i < p->count; i++) {
        struct pci_dev *d = &p->dev[i];
        if (d->postponed) {
            d->postponed = false;
            pci_probe_bars(d);
            log_device(d);
            pci_check_bars(d);
            fiber_yield_if_long();
        }
    }
}

enum fl_err pci_enumerate(struct pci *p, const struct pci_ops *ops, void *ctx, struct fl_fail *fail)
{
    return pci_enumerate_first(p, ops, ctx, NULL, fail);
}

enum fl_err pci_enumerate_first(struct pci *p, const struct pci_ops *ops, void *ctx,
                                bool (*later)(const struct pci_dev *d), struct fl_fail *fail)
{
    static struct walk walk; /* too large for a fiber's stack; enumeration runs once at a time */
    struct pci_root roots[PCI_MAX_ROOTS] = {{0, 0, PCI_BUSES - 1}};
    size_t root_count = 1;

    memset(p, 0, sizeof(*p));
    p->ops = ops;
    p->ctx = ctx;
    p->extended = true;
    if (ops == pci_machine_ops()) {
        root_count = pci_machine_roots(roots, PCI_MAX_ROOTS, &p->extended);
    }
    if (root_count == 0) {
        FL_FAIL(fail, FL_ENOTSUP, "configuration space",
                "ACPI has no MCFG table and the machine has no configuration ports");
        fl_fail_stage(fail, "pci");
        return FL_ENOTSUP;
    }
    walk.pci = p;
    walk.later = later;
    for (size_t i = 0; i < root_count; i++) {
        walk_segment(&walk, &roots[i]);
    }
    if (p->skipped != 0) {
        log_warn("pci", "%u functions left out: the list holds %u", (unsigned)p->skipped,
                 PCI_MAX_DEVICES);
    }
    log_info("pci", "%u functions found%s", (unsigned)p->count,
             p->extended ? "" : "; no extended configuration space");
    return FL_OK;
}

/* --- names ---------------------------------------------------------------------------------- */

const char *pci_class_name(uint32_t class_code)
{
    /* PCI Code and ID Assignment Specification 1.11; those that one meets on a bench. */
    static const struct {
        uint16_t code; /* base and sub; 0xff as sub: any */
        const char *name;
    } names[] = {
        {0x0101, "IDE controller"},
        {0x0104, "RAID controller"},
        {0x0106, "SATA controller"},
        {0x0107, "SAS controller"},
        {0x0108, "NVMe controller"},
        {0x01ff, "storage controller"},
        {0x0200, "Ethernet controller"},
        {0x0207, "InfiniBand controller"},
        {0x02ff, "network controller"},
        {0x0300, "VGA controller"},
        {0x0302, "3D controller"},
        {0x03ff, "display controller"},
        {0x0403, "audio device"},
        {0x04ff, "multimedia device"},
        {0x05ff, "memory controller"},
        {0x0600, "host bridge"},
        {0x0601, "ISA bridge"},
        {0x0604, "PCI bridge"},
        {0x0680, "bridge"},
        {0x06ff, "bridge"},
        {0x0700, "serial port"},
        {0x07ff, "communication controller"},
        {0x0806, "IOMMU"},
        {0x08ff, "system peripheral"},
        {0x09ff, "input device"},
        {0x0bff, "processor"},
        {0x0c03, "USB controller"},
        {0x0c05, "SMBus controller"},
        {0x0cff, "serial bus controller"},
        {0x0dff, "wireless controller"},
        {0x10ff, "encryption controller"},
        {0x11ff, "signal processor"},
        {0x12ff, "accelerator"},
        {0x13ff, "instrumentation"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        bool any_sub = (names[i].code & 0xff) == 0xff;
        uint32_t code = class_code >> 8 & (any_sub ? 0xff00u : 0xffffu);
        if (code == (names[i].code & (any_sub ? 0xff00u : 0xffffu))) {
            return names[i].name;
        }
    }
    return "device";
}
