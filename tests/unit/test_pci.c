/* SPDX-License-Identifier: MIT */
/*
 * pci/ against configuration spaces built here: several buses and host bridges, bridge and
 * capability loops, every kind of BAR, MSI and MSI-X, links, function level reset. The fake watches
 * the driver too: a BAR that is sized while it decodes is an error.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "arch/irq.h"
#include "pci/pci.h"
#include "pci/pci_regs.h"

#define FAKE_MAX   400
#define MMIO_BYTES 0x4000u

struct fake_fn {
    uint16_t seg;
    uint8_t bus, devfn;
    uint8_t cfg[PCI_CFG_EXT_SIZE];
    uint32_t bar_mask[6]; /* bits that can be written; type bits come from cfg */
    /* function level reset */
    uint16_t exp;        /* capability that takes the reset bit, 0 = none */
    uint64_t away_us;    /* how long it stays silent; UINT64_MAX: for ever */
    uint32_t away_id;    /* what it answers meanwhile */
    uint64_t back_at_us; /* 0: not in a reset */
    uint32_t id_after;   /* 0: the old one */
    unsigned resets;
};

static struct {
    struct fake_fn *fn[FAKE_MAX];
    size_t count;
    unsigned sized_while_decoding;
    unsigned reads;
    uint8_t mmio[MMIO_BYTES];
    unsigned unmasked_garbage; /* entry unmasked while its address is not 0xfee..... */
} fake;

static struct fake_fn *fake_find(uint16_t seg, uint8_t bus, uint8_t devfn)
{
    for (size_t i = 0; i < fake.count; i++) {
        struct fake_fn *f = fake.fn[i];
        if (f->seg == seg && f->bus == bus && f->devfn == devfn) {
            return f;
        }
    }
    return NULL;
}

static bool fake_away(struct fake_fn *f)
{
    if (f->back_at_us == 0) {
        return false;
    }
    if (clock_now_us() < f->back_at_us) {
        return true;
    }
    f->back_at_us = 0;
    if (f->id_after != 0) {
        put_le32(f->cfg, f->id_after);
    }
    return false;
}

static uint32_t fake_read(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                          unsigned size)
{
    (void)ctx;
    fake.reads++;
    assert_true(off + size <= PCI_CFG_EXT_SIZE && off % size == 0);
    struct fake_fn *f = fake_find(seg, bus, devfn);
    if (f == NULL) {
        return 0xffffffff;
    }
    if (fake_away(f)) {
        return f->away_id >> 8 * (off % 4);
    }
    return size == 1 ? f->cfg[off] : size == 2 ? get_le16(f->cfg + off) : get_le32(f->cfg + off);
}

static void fake_reset(struct fake_fn *f)
{
    f->resets++;
    put_le16(f->cfg + PCI_CFG_COMMAND, 0);
    for (unsigned i = 0; i < 6; i++) {
        uint8_t *bar = f->cfg + PCI_CFG_BAR0 + 4 * i;
        put_le32(bar, get_le32(bar) & ~f->bar_mask[i]);
    }
    memset(fake.mmio, 0xa5, sizeof(fake.mmio));
    f->back_at_us = f->away_us == UINT64_MAX ? UINT64_MAX : clock_now_us() + f->away_us;
}

static void fake_write(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
                       unsigned size, uint32_t v)
{
    (void)ctx;
    assert_true(off + size <= PCI_CFG_EXT_SIZE && off % size == 0);
    struct fake_fn *f = fake_find(seg, bus, devfn);
    if (f == NULL || fake_away(f)) {
        return;
    }
    if (off >= PCI_CFG_BAR0 && off < PCI_CFG_BAR0 + 24 && size == 4 &&
        (f->cfg[PCI_CFG_HEADER_TYPE] & 0x7f) == 0) {
        unsigned i = (off - PCI_CFG_BAR0) / 4u;
        uint32_t was = get_le32(f->cfg + off);
        if (v == 0xffffffff && f->bar_mask[i] != 0 &&
            (f->cfg[PCI_CFG_COMMAND] & (PCI_COMMAND_MEMORY | PCI_COMMAND_IO)) != 0) {
            fake.sized_while_decoding++;
        }
        put_le32(f->cfg + off, (was & ~f->bar_mask[i]) | (v & f->bar_mask[i]));
        return;
    }
    if (off < 4 || (off >= 8 && off < 12)) {
        return; /* id and class cannot be written */
    }
    if (f->exp != 0 && off == f->exp + PCI_EXP_DEVCTL && (v & PCI_EXP_DEVCTL_FLR) != 0) {
        put_le16(f->cfg + off, 0);
        fake_reset(f);
        return;
    }
    if (off == PCI_CFG_BRIDGE_CONTROL && (v & PCI_BRIDGE_BUS_RESET) != 0 &&
        (f->cfg[PCI_CFG_HEADER_TYPE] & 0x7f) == PCI_HEADER_BRIDGE) {
        for (size_t i = 0; i < fake.count; i++) { /* all below, whatever they are */
            if (fake.fn[i]->bus == f->cfg[PCI_CFG_BUSES + 1]) {
                fake_reset(fake.fn[i]);
            }
        }
    }
    if (size == 1) {
        f->cfg[off] = (uint8_t)v;
    } else if (size == 2) {
        put_le16(f->cfg + off, (uint16_t)v);
    } else {
        put_le32(f->cfg + off, v);
    }
}

static uint64_t mem_read(void *ctx, uint64_t off, unsigned size)
{
    (void)ctx;
    assert_int_equal(size, 4);
    return get_le32(fake.mmio + off);
}

static void mem_write(void *ctx, uint64_t off, unsigned size, uint64_t v)
{
    (void)ctx;
    assert_int_equal(size, 4);
    if (off % 16 == 12 && (v & 1) == 0 && (get_le32(fake.mmio + off - 12) >> 20) != 0xfee) {
        fake.unmasked_garbage++;
    }
    put_le32(fake.mmio + off, (uint32_t)v);
}

static const struct mmio_ops mem_ops = {mem_read, mem_write};

static enum fl_err fake_map(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, unsigned bar,
                            struct mmio *out)
{
    (void)ctx;
    (void)seg;
    (void)bus;
    (void)devfn;
    (void)bar;
    *out = (struct mmio){&mem_ops, NULL, MMIO_BYTES};
    return FL_OK;
}

static const struct pci_ops ops = {fake_read, fake_write, fake_map};

static struct fake_fn *fake_add(uint8_t bus, unsigned slot, unsigned fn, uint32_t id, uint32_t cls)
{
    assert_true(fake.count < FAKE_MAX);
    struct fake_fn *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->bus = bus;
    f->devfn = PCI_DEVFN(slot, fn);
    put_le32(f->cfg, id);
    put_le32(f->cfg + PCI_CFG_CLASS_REV, cls << 8 | 0xa1);
    f->away_id = 0xffffffff;
    fake.fn[fake.count++] = f;
    return f;
}

static struct fake_fn *fake_bridge(uint8_t bus, unsigned slot, uint8_t secondary, uint8_t last)
{
    struct fake_fn *f = fake_add(bus, slot, 0, 0x000c1b36, 0x060400);
    f->cfg[PCI_CFG_HEADER_TYPE] = PCI_HEADER_BRIDGE;
    put_le32(f->cfg + PCI_CFG_BUSES, (uint32_t)last << 16 | (uint32_t)secondary << 8 | bus);
    put_le32(f->cfg + PCI_CFG_MEM_WINDOW, 0xfeb0fea0);
    return f;
}

static void fake_bar(struct fake_fn *f, unsigned i, uint32_t type, uint64_t size, uint64_t address)
{
    uint64_t mask = ~(size - 1);
    uint8_t *at = f->cfg + PCI_CFG_BAR0 + 4 * i;
    f->bar_mask[i] = (uint32_t)mask & ((type & 1) != 0 ? 0xfffffffc : 0xfffffff0);
    put_le32(at, (uint32_t)address | type);
    if ((type & 7) == PCI_BAR_TYPE_64) {
        f->bar_mask[i + 1] = (uint32_t)(mask >> 32);
        put_le32(at + 4, (uint32_t)(address >> 32));
    }
}

/* Puts a capability in front of the list. */
static uint8_t *fake_cap(struct fake_fn *f, uint8_t at, uint8_t id)
{
    f->cfg[PCI_CFG_STATUS] |= PCI_STATUS_CAP_LIST;
    f->cfg[at] = id;
    f->cfg[at + 1] = f->cfg[PCI_CFG_CAP_PTR];
    f->cfg[PCI_CFG_CAP_PTR] = at;
    return f->cfg + at;
}

static struct pci pci;
static struct fl_fail fail;

static void enumerate(void)
{
    fl_fail_clear(&fail);
    assert_int_equal(pci_enumerate(&pci, &ops, NULL, &fail), FL_OK);
    assert_int_equal(fake.sized_while_decoding, 0);
}

static struct pci_dev *dev_at(uint8_t bus, unsigned slot, unsigned fn)
{
    for (size_t i = 0; i < pci.count; i++) {
        if (pci.dev[i].bus == bus && pci.dev[i].devfn == PCI_DEVFN(slot, fn)) {
            return &pci.dev[i];
        }
    }
    return NULL;
}

static int setup(void **state)
{
    (void)state;
    host_reset();
    memset(&fake, 0, sizeof(fake));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < fake.count; i++) {
        free(fake.fn[i]);
    }
    fake.count = 0;
    return 0;
}

/* --- enumeration ------------------------------------------------------------------------------ */

static void test_buses(void **state)
{
    (void)state;
    fake_add(0, 0, 0, 0x29c08086, 0x060000);
    fake_bridge(0, 2, 5, 7);
    fake_bridge(0, 1, 1, 4);
    fake_bridge(1, 0, 2, 4);
    fake_add(2, 3, 0, 0x223010de, 0x030200);
    fake_add(5, 0, 0, 0x220610de, 0x030000);
    struct fake_fn *multi = fake_add(0, 0x1f, 0, 0x29188086, 0x060100);
    multi->cfg[PCI_CFG_HEADER_TYPE] = PCI_HEADER_MULTI;
    fake_add(0, 0x1f, 3, 0x29308086, 0x0c0500);
    fake_add(0, 0x1e, 1, 0x12345678, 0x020000); /* no function 0: not there */
    fake_add(0, 0x10, 0, 0x00101af4, 0x020000);
    fake_add(0, 0x10, 5, 0x00111af4, 0x020000); /* function 0 is not multi-function */
    enumerate();

    static const struct {
        uint8_t bus, devfn;
    } want[] = {{0, 0},
                {0, PCI_DEVFN(1, 0)},
                {0, PCI_DEVFN(2, 0)},
                {0, PCI_DEVFN(0x10, 0)},
                {0, PCI_DEVFN(0x1f, 0)},
                {0, PCI_DEVFN(0x1f, 3)},
                {1, 0},
                {2, PCI_DEVFN(3, 0)},
                {5, 0}};
    assert_int_equal(pci.count, ARRAY_SIZE(want));
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        assert_int_equal(pci.dev[i].bus, want[i].bus);
        assert_int_equal(pci.dev[i].devfn, want[i].devfn);
    }
    assert_int_equal(dev_at(2, 3, 0)->parent, 6);
    assert_int_equal(dev_at(1, 0, 0)->parent, 1);
    assert_int_equal(dev_at(5, 0, 0)->parent, 2);
    assert_int_equal(dev_at(0, 0, 0)->parent, -1);
    assert_int_equal(dev_at(2, 3, 0)->vendor, 0x10de);
    assert_int_equal(dev_at(2, 3, 0)->device, 0x2230);
    assert_int_equal(dev_at(2, 3, 0)->class_code, 0x030200);
    assert_int_equal(dev_at(2, 3, 0)->revision, 0xa1);
    char name[PCI_NAME_MAX];
    assert_string_equal(pci_name(dev_at(0, 0x1f, 3), name), "0000:00:1f.3");
    assert_string_equal(pci_class_name(0x030200), "3D controller");
    assert_string_equal(pci_class_name(0xee0000), "device");
}

static void test_second_root(void **state)
{
    (void)state;
    fake_add(0, 0, 0, 0x29c08086, 0x060000);
    fake_bridge(0, 1, 1, 0x3f);
    fake_add(0x20, 0, 0, 0x12345678, 0x020000); /* in the bridge's range, but behind nothing */
    fake_add(0x40, 0, 0, 0x29c08086, 0x060000); /* a second host bridge's bus */
    fake_bridge(0x40, 5, 0x41, 0x42);
    fake_add(0x41, 0, 0, 0x223010de, 0x030200);
    fake_add(0xff, 0, 0, 0x29c08086, 0x060000); /* the last bus there is */
    enumerate();
    assert_int_equal(pci.count, 6);
    assert_non_null(dev_at(0xff, 0, 0));
    assert_null(dev_at(0x20, 0, 0));
    assert_int_equal(dev_at(0x40, 0, 0)->parent, -1);
    assert_int_equal(dev_at(0x41, 0, 0)->parent, 3);
}

/* Bridges that lead back, to themselves, to each other or nowhere: each device appears once. */
static void test_bridge_loops(void **state)
{
    (void)state;
    fake_bridge(0, 1, 0, 0);
    fake_bridge(0, 2, 3, 5);
    fake_bridge(0, 3, 3, 5);   /* the same bus again */
    fake_bridge(0, 4, 9, 8);   /* backwards */
    fake_bridge(3, 0, 3, 5);   /* itself */
    fake_bridge(3, 1, 2, 2);   /* back up */
    fake_bridge(3, 2, 4, 200); /* beyond its parent */
    fake_add(4, 0, 0, 0x220610de, 0x030000);
    fake_add(3, 3, 0, 0x223010de, 0x030200);
    enumerate();
    assert_int_equal(pci.count, 8);
    assert_null(dev_at(4, 0, 0));
    assert_int_equal(dev_at(3, 3, 0)->parent, 1);
}

static void test_too_many(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PCI_MAX_DEVICES + 20; i++) {
        struct fake_fn *f = fake_add((uint8_t)(i / 256), i % 256 / 8, i % 8, 0x00011234, 0x088000);
        f->cfg[PCI_CFG_HEADER_TYPE] = PCI_HEADER_MULTI;
    }
    enumerate();
    assert_int_equal(pci.count, PCI_MAX_DEVICES);
    assert_int_equal(pci.skipped, 20);
}

/* --- BARs ------------------------------------------------------------------------------------- */

static void test_bars(void **state)
{
    (void)state;
    struct fake_fn *f = fake_add(0, 3, 0, 0x223010de, 0x030200);
    put_le16(f->cfg + PCI_CFG_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    fake_bar(f, 0, 0, MIB(16), 0xfa000000);
    fake_bar(f, 1, PCI_BAR_TYPE_64 | PCI_BAR_IS_PREFETCH, GIB(16), 0xc000000000);
    fake_bar(f, 3, PCI_BAR_TYPE_64 | PCI_BAR_IS_PREFETCH, MIB(32), 0xc400000000);
    fake_bar(f, 5, PCI_BAR_IS_IO, 128, 0xe000);
    f->bar_mask[5] &= 0xffff; /* as most devices: 16 bits of ports */
    enumerate();
    const struct pci_dev *d = dev_at(0, 3, 0);
    assert_int_equal(d->bar[0].kind, PCI_BAR_MEM32);
    assert_int_equal(d->bar[0].address, 0xfa000000);
    assert_int_equal(d->bar[0].size, MIB(16));
    assert_false(d->bar[0].prefetchable);
    assert_int_equal(d->bar[1].kind, PCI_BAR_MEM64);
    assert_true(d->bar[1].address == 0xc000000000 && d->bar[1].size == GIB(16));
    assert_true(d->bar[1].prefetchable);
    assert_int_equal(d->bar[2].kind, PCI_BAR_NONE);
    assert_int_equal(d->bar[3].kind, PCI_BAR_MEM64);
    assert_int_equal(d->bar[3].size, MIB(32));
    assert_int_equal(d->bar[5].kind, PCI_BAR_IO);
    assert_int_equal(d->bar[5].size, 128);
    assert_int_equal(d->bar[5].address, 0xe000);
    assert_int_equal(pci_mem_bar(d, 0), 0);
    assert_int_equal(pci_mem_bar(d, 1), 1);
    assert_int_equal(pci_mem_bar(d, 2), 3);
    assert_int_equal(pci_mem_bar(d, 3), -1);
    /* all registers as they were */
    assert_int_equal(get_le32(f->cfg + PCI_CFG_BAR0), 0xfa000000);
    assert_int_equal(get_le32(f->cfg + PCI_CFG_BAR0 + 8), 0xc0);
    assert_int_equal(get_le16(f->cfg + PCI_CFG_COMMAND), PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    struct mmio m;
    assert_int_equal(pci_map_bar(d, 1, &m), FL_OK);
    assert_int_equal(pci_map_bar(d, 2, &m), FL_ENOENT);
    assert_int_equal(pci_map_bar(d, 5, &m), FL_ENOENT);
    assert_int_equal(pci_map_bar(d, 6, &m), FL_EINVAL);
}

static void test_bars_malformed(void **state)
{
    (void)state;
    struct fake_fn *f = fake_add(0, 3, 0, 0x223010de, 0x030200);
    f->bar_mask[0] = 0x00ff0f00; /* holes */
    put_le32(f->cfg + PCI_CFG_BAR0, 0);
    put_le32(f->cfg + PCI_CFG_BAR0 + 4, 0xabcd0006); /* reserved type */
    f->bar_mask[1] = 0xffff0000;
    fake_bar(f, 2, PCI_BAR_TYPE_64, GIB(1), 0x40000000);
    f->bar_mask[3] = 0xff; /* upper half with holes: decodes 40 bits only */
    put_le32(f->cfg + PCI_CFG_BAR0 + 20, PCI_BAR_TYPE_64); /* 64 bits in the last register */
    f->bar_mask[5] = 0xfff00000;
    fake_bar(f, 4, 0, MIB(1), 0);
    enumerate();
    const struct pci_dev *d = dev_at(0, 3, 0);
    assert_int_equal(d->bar[0].kind, PCI_BAR_NONE);
    assert_int_equal(d->bar[1].kind, PCI_BAR_NONE);
    assert_int_equal(d->bar[2].kind, PCI_BAR_NONE);
    assert_int_equal(d->bar[3].kind, PCI_BAR_NONE);
    assert_int_equal(d->bar[4].kind, PCI_BAR_MEM32); /* unassigned, but sound */
    assert_int_equal(d->bar[4].address, 0);
    assert_int_equal(d->bar[5].kind, PCI_BAR_NONE);
}

/* --- capabilities ----------------------------------------------------------------------------- */

static void test_caps(void **state)
{
    (void)state;
    struct fake_fn *f = fake_add(0, 3, 0, 0x10411af4, 0x020000);
    fake_cap(f, 0x40, PCI_CAP_VENDOR);
    fake_cap(f, 0x60, PCI_CAP_VENDOR);
    fake_cap(f, 0x84, PCI_CAP_MSIX);
    fake_cap(f, 0x90, PCI_CAP_PCIE);
    fake_cap(f, 0x50, PCI_CAP_PM);
    put_le32(f->cfg + 0x100, 0x20010001u | 0x140u << 20); /* next: 0x340 */
    put_le32(f->cfg + 0x340, 0x00010015u);
    enumerate();
    const struct pci_dev *d = dev_at(0, 3, 0);
    assert_int_equal(d->cap_pm, 0x50);
    assert_int_equal(d->cap_pcie, 0x90);
    assert_int_equal(d->cap_msix, 0x84);
    assert_int_equal(d->cap_msi, 0);
    assert_int_equal(pci_find_cap(d, PCI_CAP_VENDOR), 0x60);
    assert_int_equal(pci_find_next_cap(d, 0x60, PCI_CAP_VENDOR), 0x40);
    assert_int_equal(pci_find_next_cap(d, 0x40, PCI_CAP_VENDOR), 0);
    assert_int_equal(pci_find_ext_cap(d, PCI_EXT_CAP_REBAR), 0x340);
    assert_int_equal(pci_find_ext_cap(d, PCI_EXT_CAP_SRIOV), 0);
}

static void test_cap_loops(void **state)
{
    (void)state;
    struct fake_fn *f = fake_add(0, 3, 0, 0x10411af4, 0x020000);
    fake_cap(f, 0x40, PCI_CAP_VENDOR);
    fake_cap(f, 0x60, PCI_CAP_PCIE);
    f->cfg[0x41] = 0x60; /* 0x60 -> 0x40 -> 0x60 */
    put_le32(f->cfg + 0x100, 0x20010001u);
    put_le32(f->cfg + 0x200, 0x10010002u); /* 0x100 -> 0x200 -> 0x100 */
    /* A list that points into the header, and MSI-X that runs over the end. */
    struct fake_fn *g = fake_add(0, 4, 0, 0x10411af4, 0x020000);
    g->cfg[PCI_CFG_STATUS] = PCI_STATUS_CAP_LIST;
    g->cfg[PCI_CFG_CAP_PTR] = 0x08;
    struct fake_fn *h = fake_add(0, 5, 0, 0x10411af4, 0x020000);
    fake_cap(h, 0xf8, PCI_CAP_MSIX);
    fake_cap(h, 0xf0, PCI_CAP_PCIE);
    fake_cap(h, 0xec, PCI_CAP_MSI); /* 64 bits, maskable: 24 bytes */
    put_le16(h->cfg + 0xee, PCI_MSI_64 | PCI_MSI_MASKABLE);
    enumerate();
    assert_int_equal(pci_find_cap(dev_at(0, 3, 0), PCI_CAP_MSI), 0);
    assert_int_equal(pci_find_ext_cap(dev_at(0, 3, 0), PCI_EXT_CAP_SRIOV), 0);
    assert_int_equal(pci_find_cap(dev_at(0, 4, 0), 0xa1), 0); /* the revision is no id */
    assert_int_equal(dev_at(0, 5, 0)->cap_msix, 0);
    assert_int_equal(dev_at(0, 5, 0)->cap_pcie, 0);
    assert_int_equal(dev_at(0, 5, 0)->cap_msi, 0);
    assert_int_equal(pci_find_cap(dev_at(0, 5, 0), PCI_CAP_MSIX), 0xf8);
}

/* A function that answers all-ones after its id: nothing is believed. */
static void test_all_ones(void **state)
{
    (void)state;
    struct fake_fn *f = fake_add(0, 3, 0, 0x10411af4, 0x020000);
    memset(f->cfg + 4, 0xff, sizeof(f->cfg) - 4);
    enumerate();
    for (size_t i = 0; i < pci.count; i++) {
        const struct pci_dev *d = &pci.dev[i];
        assert_int_equal(d->bus, 0);
        assert_int_equal(d->cap_pcie | d->cap_msi | d->cap_msix | d->cap_pm, 0);
        assert_int_equal(pci_mem_bar(d, 0), -1);
    }
}

static void test_link(void **state)
{
    (void)state;
    struct fake_fn *f = fake_add(0, 3, 0, 0x223010de, 0x030200);
    uint8_t *cap = fake_cap(f, 0x60, PCI_CAP_PCIE);
    put_le16(cap + PCI_EXP_FLAGS, 0x0002);
    put_le32(cap + PCI_EXP_LNKCAP, 0x00400104);
    put_le16(cap + PCI_EXP_LNKSTA, 0x1081);
    struct fake_fn *g = fake_add(0, 4, 0, 0x223010de, 0x030200);
    cap = fake_cap(g, 0x60, PCI_CAP_PCIE);
    put_le16(cap + PCI_EXP_FLAGS, 0x0092); /* integrated endpoint */
    put_le32(cap + PCI_EXP_LNKCAP, 0x00400104);
    enumerate();
    struct pci_link link;
    pci_get_link(dev_at(0, 3, 0), &link);
    assert_true(link.valid);
    assert_int_equal(link.speed, 1);
    assert_int_equal(link.width, 8);
    assert_int_equal(link.max_speed, 4);
    assert_int_equal(link.max_width, 16);
    assert_string_equal(pci_speed_name(4), "16.0 GT/s");
    pci_get_link(dev_at(0, 4, 0), &link);
    assert_false(link.valid);
}

/* --- interrupts ------------------------------------------------------------------------------- */

static void no_handler(void *arg) { (void)arg; }

static struct fake_fn *fake_msix(uint32_t table_off, unsigned entries, unsigned bir)
{
    struct fake_fn *f = fake_add(0, 3, 0, 0x10411af4, 0x020000);
    fake_bar(f, 4, PCI_BAR_TYPE_64, MMIO_BYTES, 0xc000000000);
    uint8_t *cap = fake_cap(f, 0x84, PCI_CAP_MSIX);
    put_le16(cap + PCI_MSIX_CONTROL, (uint16_t)(entries - 1));
    put_le32(cap + PCI_MSIX_TABLE, table_off | bir);
    return f;
}

static void test_msix(void **state)
{
    (void)state;
    struct fake_fn *f = fake_msix(0x1000, 4, 4);
    enumerate();
    const struct pci_dev *d = dev_at(0, 3, 0);
    struct irq_msi a, b;
    memset(fake.mmio + 0x1000, 0, 64); /* left unmasked by somebody */
    assert_int_equal(pci_enable_msi(d, "test", no_handler, NULL, false, &a), FL_OK);
    uint8_t *t = fake.mmio + 0x1000;
    assert_int_equal(get_le32(t), (uint32_t)a.address);
    assert_int_equal(get_le32(t + 8), a.data);
    assert_int_equal(get_le32(t + 12), 0);
    assert_int_equal(get_le32(t + 28), 1);
    assert_int_equal(get_le32(t + 60), 1);
    assert_int_equal(get_le16(f->cfg + 0x86), PCI_MSIX_ENABLE | 3);
    assert_int_equal(get_le16(f->cfg + PCI_CFG_COMMAND),
                     PCI_COMMAND_MEMORY | PCI_COMMAND_INTX_DISABLE);
    assert_int_equal(pci_enable_msix_entry(d, 3, "test", no_handler, NULL, &b), FL_OK);
    assert_int_not_equal(a.vector, b.vector);
    assert_int_equal(get_le32(t + 12), 0); /* entry 0 still works */
    assert_int_equal(get_le32(t + 48 + 12), 0);
    assert_int_equal(get_le32(t + 28), 1);
    assert_int_equal(pci_enable_msix_entry(d, 4, "test", no_handler, NULL, &b), FL_EINVAL);
    assert_int_equal(fake.unmasked_garbage, 0);
    pci_disable_msi(d);
    assert_int_equal(get_le16(f->cfg + 0x86), 3);
}

static void test_msix_hostile(void **state)
{
    (void)state;
    struct irq_msi irq;
    fake_msix(MMIO_BYTES - 16, 2, 4); /* one entry too far */
    enumerate();
    assert_int_equal(pci_enable_msi(dev_at(0, 3, 0), "t", no_handler, NULL, false, &irq),
                     FL_EBADDATA);
    put_le32(fake.fn[0]->cfg + 0x88, 0x1000 | 7); /* no such BAR */
    assert_int_equal(pci_enable_msi(dev_at(0, 3, 0), "t", no_handler, NULL, false, &irq),
                     FL_EINVAL);
    put_le32(fake.fn[0]->cfg + 0x88, 0x1000 | 5); /* the upper half of one */
    assert_int_equal(pci_enable_msi(dev_at(0, 3, 0), "t", no_handler, NULL, false, &irq),
                     FL_ENOENT);
}

static void check_msi(uint16_t flags, unsigned data_off, unsigned mask_off)
{
    struct fake_fn *f = fake_add(0, 3, 0, 0x223010de, 0x030200);
    uint8_t *cap = fake_cap(f, 0x68, PCI_CAP_MSI);
    put_le16(cap + PCI_MSI_CONTROL, (uint16_t)(flags | 0x0078)); /* several messages, enabled */
    if (mask_off != 0) {
        put_le32(cap + mask_off, 0xffffffff);
    }
    enumerate();
    struct irq_msi irq;
    const struct pci_dev *d = dev_at(0, 3, 0);
    assert_int_equal(pci_enable_msi(d, "test", no_handler, NULL, true, &irq), FL_OK);
    assert_int_equal(get_le32(cap + PCI_MSI_ADDRESS), (uint32_t)irq.address);
    assert_int_equal(get_le16(cap + data_off), irq.data);
    assert_int_equal(get_le16(cap + PCI_MSI_CONTROL), flags | PCI_MSI_ENABLE | 0x0008);
    if (mask_off != 0) {
        assert_int_equal(get_le32(cap + mask_off) & 1, 0);
    }
    pci_disable_msi(d);
    assert_int_equal(get_le16(cap + PCI_MSI_CONTROL), flags | 0x0008);
    teardown(NULL);
}

static void test_msi(void **state)
{
    (void)state;
    check_msi(0, PCI_MSI_DATA_32, 0);
    check_msi(PCI_MSI_64, PCI_MSI_DATA_64, 0);
    check_msi(PCI_MSI_MASKABLE, PCI_MSI_DATA_32, PCI_MSI_MASK_32);
    check_msi(PCI_MSI_64 | PCI_MSI_MASKABLE, PCI_MSI_DATA_64, PCI_MSI_MASK_64);
    fake_add(0, 3, 0, 0x223010de, 0x030200);
    enumerate();
    struct irq_msi irq;
    assert_int_equal(pci_enable_msi(dev_at(0, 3, 0), "t", no_handler, NULL, false, &irq),
                     FL_ENOTSUP);
}

/* --- function level reset --------------------------------------------------------------------- */

static enum fl_err flr_result;

static void flr_fiber(void *arg)
{
    fl_fail_clear(&fail);
    flr_result = pci_flr(arg, &fail);
}

static struct fake_fn *fake_flr(void)
{
    struct fake_fn *f = fake_msix(0x1000, 2, 4);
    f->exp = 0x40;
    uint8_t *cap = fake_cap(f, 0x40, PCI_CAP_PCIE);
    put_le32(cap + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_FLR);
    put_le16(cap + PCI_EXP_DEVCTL, 0x2810);
    put_le16(f->cfg + PCI_CFG_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    return f;
}

static uint64_t run_reset(void (*fn)(void *), struct pci_dev *d)
{
    uint64_t start = clock_now_us();
    assert_non_null(fiber_spawn("reset", fn, d, FIBER_STACK_DEFAULT));
    fiber_run(NULL, NULL);
    return clock_now_us() - start;
}
static uint64_t run_flr(void) { return run_reset(flr_fiber, dev_at(0, 3, 0)); }

static void test_flr(void **state)
{
    (void)state;
    struct fake_fn *f = fake_flr();
    f->away_us = 300 * US_PER_MS;
    f->away_id = 0xffff0001; /* retry status */
    enumerate();
    struct irq_msi irq;
    assert_int_equal(pci_enable_msi(dev_at(0, 3, 0), "t", no_handler, NULL, false, &irq), FL_OK);
    uint64_t us = run_flr();
    assert_int_equal(flr_result, FL_OK);
    assert_int_equal(f->resets, 1);
    assert_in_range(us, 300 * US_PER_MS, 400 * US_PER_MS);
    assert_int_equal(get_le16(f->cfg + PCI_CFG_COMMAND),
                     PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);
    assert_int_equal(get_le32(f->cfg + PCI_CFG_BAR0 + 20), 0xc0);
    assert_int_equal(get_le16(f->cfg + 0x40 + PCI_EXP_DEVCTL), 0x2810);
    assert_int_equal(get_le16(f->cfg + 0x86), PCI_MSIX_ENABLE | 1);
    assert_int_equal(get_le32(fake.mmio + 0x1000), (uint32_t)irq.address);
    assert_int_equal(get_le32(fake.mmio + 0x100c), 0);
    assert_int_equal(get_le32(fake.mmio + 0x101c), 1);
}

static void test_flr_failures(void **state)
{
    (void)state;
    struct fake_fn *f = fake_flr();
    enumerate();
    f->away_us = UINT64_MAX;
    uint64_t us = run_flr();
    assert_int_equal(flr_result, FL_ETIMEDOUT);
    assert_int_equal(fail.err, FL_ETIMEDOUT);
    assert_int_equal(fail.seen, 0xffffffff);
    assert_in_range(us, 1100 * US_PER_MS, 1200 * US_PER_MS);
    run_flr();
    assert_int_equal(flr_result, FL_ELINKLOST);

    f->back_at_us = 0;
    f->away_us = 1;
    f->id_after = 0x11112222;
    run_flr();
    assert_int_equal(flr_result, FL_EIO);

    put_le32(f->cfg, 0x10411af4);
    put_le32(f->cfg + 0x40 + PCI_EXP_DEVCAP, 0);
    run_flr();
    assert_int_equal(flr_result, FL_ENOTSUP);
    assert_int_equal(f->resets, 2);
}

static void reset_fiber(void *arg)
{
    fl_fail_clear(&fail);
    flr_result = pci_reset(arg, &fail);
}

/* A card behind a bridge. */
static struct fake_fn *fake_card(unsigned slot)
{
    struct fake_fn *f = fake_add(1, slot, 0, 0x1eb810de, 0x030200);
    put_le32(f->cfg + PCI_CFG_BAR0, 0xb0000000);
    f->bar_mask[0] = 0xff000000;
    fake_cap(f, 0x60, PCI_CAP_PCIE);
    put_le16(f->cfg + PCI_CFG_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    f->away_us = 150 * US_PER_MS;
    f->away_id = 0xffffffff;
    return f;
}

/* Without a function level reset the bridge has to do it; not when others would be hit. */
static void test_bus_reset(void **state)
{
    (void)state;
    struct fake_fn *bridge = fake_bridge(0, 1, 1, 1);
    put_le16(bridge->cfg + PCI_CFG_BRIDGE_CONTROL, 0x0013);
    struct fake_fn *f = fake_card(0);
    enumerate();
    uint64_t us = run_reset(reset_fiber, dev_at(1, 0, 0));
    assert_int_equal(flr_result, FL_OK);
    assert_int_equal(f->resets, 1);
    assert_in_range(us, 150 * US_PER_MS, 250 * US_PER_MS);
    assert_int_equal(get_le16(bridge->cfg + PCI_CFG_BRIDGE_CONTROL), 0x0013);
    assert_int_equal(get_le32(f->cfg + PCI_CFG_BAR0), 0xb0000000);
    assert_int_equal(get_le16(f->cfg + PCI_CFG_COMMAND), PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);

    /* What has its own reset takes that. */
    f->exp = 0x60;
    put_le32(f->cfg + 0x60 + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_FLR);
    run_reset(reset_fiber, dev_at(1, 0, 0));
    assert_int_equal(flr_result, FL_OK);
    assert_int_equal(f->resets, 2);
    f->exp = 0;
    put_le32(f->cfg + 0x60 + PCI_EXP_DEVCAP, 0);

    fake_add(1, 0, 1, 0x10f810de, 0x040300); /* its own audio function: no obstacle */
    enumerate();
    run_reset(reset_fiber, dev_at(1, 0, 0));
    assert_int_equal(flr_result, FL_OK);
    fake_card(4); /* somebody else */
    enumerate();
    run_reset(reset_fiber, dev_at(1, 0, 0));
    assert_int_equal(flr_result, FL_ENOTSUP);
    assert_int_equal(f->resets, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_buses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_second_root, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bridge_loops, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bars, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bars_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_caps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cap_loops, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(test_link, setup, teardown),
        cmocka_unit_test_setup_teardown(test_msix, setup, teardown),
        cmocka_unit_test_setup_teardown(test_msix_hostile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_msi, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flr, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flr_failures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bus_reset, setup, teardown),
    };
    return cmocka_run_group_tests_name("pci", tests, NULL, NULL);
}
