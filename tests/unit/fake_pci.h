/* SPDX-License-Identifier: MIT */
/*
 * Configuration spaces built by hand, for the tests of pci/: functions, bridges, BARs,
 * capabilities, resets. The fake watches the driver too: a BAR that is sized while it decodes is an
 * error.
 */
#pragma once

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
    uint16_t exp;            /* capability that takes the reset bit, 0 = none */
    uint64_t away_us;        /* how long it stays silent; UINT64_MAX: for ever */
    uint32_t away_id;        /* what it answers meanwhile */
    uint16_t trains;         /* link control that takes the retrain bit; 0 = none */
    struct fake_fn *trained; /* the other end, whose speed becomes the target's */
    unsigned trainings;
    uint16_t forgets;       /* power control that resets it at D0; 0 = none */
    uint16_t read_only;     /* a word that cannot be written; 0 = none */
    uint64_t away_first_us; /* instead of that after a function level reset, 0: the same */
    uint16_t link_after;    /* status of the link after a reset, 0: the same */
    uint64_t back_at_us;    /* 0: not in a reset */
    uint32_t id_after;      /* 0: the old one */
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

static inline struct fake_fn *fake_find(uint16_t seg, uint8_t bus, uint8_t devfn)
{
    for (size_t i = 0; i < fake.count; i++) {
        struct fake_fn *f = fake.fn[i];
        if (f->seg == seg && f->bus == bus && f->devfn == devfn) {
            return f;
        }
    }
    return NULL;
}

static inline bool fake_away(struct fake_fn *f)
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

static inline uint32_t fake_read(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
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

static inline void fake_reset(struct fake_fn *f)
{
    f->resets++;
    put_le16(f->cfg + PCI_CFG_COMMAND, 0);
    for (unsigned i = 0; i < 6; i++) {
        uint8_t *bar = f->cfg + PCI_CFG_BAR0 + 4 * i;
        put_le32(bar, get_le32(bar) & ~f->bar_mask[i]);
    }
    memset(fake.mmio, 0xa5, sizeof(fake.mmio));
    if (f->link_after != 0) {
        put_le16(f->cfg + f->exp + PCI_EXP_LNKSTA, f->link_after);
    }
    f->back_at_us = f->away_us == UINT64_MAX ? UINT64_MAX : clock_now_us() + f->away_us;
}

static inline void fake_write(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn, uint16_t off,
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
    if (f->trains != 0 && off == f->trains && (v & PCI_EXP_LNKCTL_RETRAIN) != 0) {
        f->trainings++;
        v &= ~(uint32_t)PCI_EXP_LNKCTL_RETRAIN;
        if (f->trained != NULL) {
            uint8_t *exp = f->trained->cfg + f->trains - PCI_EXP_LNKCTL;
            const uint8_t *own = f->cfg + f->trains - PCI_EXP_LNKCTL;
            put_le16(exp + PCI_EXP_LNKSTA,
                     (uint16_t)((get_le16(exp + PCI_EXP_LNKSTA) & ~0xfu) |
                                (get_le16(own + PCI_EXP_LNKCTL2) & PCI_EXP_LNKCTL2_SPEED)));
        }
    }
    if (f->forgets != 0 && off == f->forgets && (v & PCI_PM_STATE) == 0) {
        fake_reset(f);
        f->back_at_us = 0;
    }
    if (off < 4 || (off >= 8 && off < 12) || (f->read_only != 0 && off == f->read_only)) {
        return; /* id and class cannot be written */
    }
    if (f->exp != 0 && off == f->exp + PCI_EXP_DEVCTL && (v & PCI_EXP_DEVCTL_FLR) != 0) {
        put_le16(f->cfg + off, 0);
        fake_reset(f);
        if (f->away_first_us != 0) {
            f->back_at_us =
                f->away_first_us == UINT64_MAX ? UINT64_MAX : clock_now_us() + f->away_first_us;
        }
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

static inline uint64_t mem_read(void *ctx, uint64_t off, unsigned size)
{
    (void)ctx;
    assert_int_equal(size, 4);
    return get_le32(fake.mmio + off);
}

static inline void mem_write(void *ctx, uint64_t off, unsigned size, uint64_t v)
{
    (void)ctx;
    assert_int_equal(size, 4);
    if (off % 16 == 12 && (v & 1) == 0 && (get_le32(fake.mmio + off - 12) >> 20) != 0xfee) {
        fake.unmasked_garbage++;
    }
    put_le32(fake.mmio + off, (uint32_t)v);
}

static const struct mmio_ops mem_ops = {mem_read, mem_write};

static inline enum fl_err fake_map(void *ctx, uint16_t seg, uint8_t bus, uint8_t devfn,
                                   unsigned bar, struct mmio *out)
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

static inline struct fake_fn *fake_add(uint8_t bus, unsigned slot, unsigned fn, uint32_t id,
                                       uint32_t cls)
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

static inline struct fake_fn *fake_bridge(uint8_t bus, unsigned slot, uint8_t secondary,
                                          uint8_t last)
{
    struct fake_fn *f = fake_add(bus, slot, 0, 0x000c1b36, 0x060400);
    f->cfg[PCI_CFG_HEADER_TYPE] = PCI_HEADER_BRIDGE;
    put_le32(f->cfg + PCI_CFG_BUSES, (uint32_t)last << 16 | (uint32_t)secondary << 8 | bus);
    put_le32(f->cfg + PCI_CFG_MEM_WINDOW, 0xfeb0fea0);
    return f;
}

static inline void fake_bar(struct fake_fn *f, unsigned i, uint32_t type, uint64_t size,
                            uint64_t address)
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
static inline uint8_t *fake_cap(struct fake_fn *f, uint8_t at, uint8_t id)
{
    f->cfg[PCI_CFG_STATUS] |= PCI_STATUS_CAP_LIST;
    f->cfg[at] = id;
    f->cfg[at + 1] = f->cfg[PCI_CFG_CAP_PTR];
    f->cfg[PCI_CFG_CAP_PTR] = at;
    return f->cfg + at;
}

static struct pci pci;
static struct fl_fail fail;

static inline void enumerate(void)
{
    fl_fail_clear(&fail);
    assert_int_equal(pci_enumerate(&pci, &ops, NULL, &fail), FL_OK);
    assert_int_equal(fake.sized_while_decoding, 0);
}

static inline struct pci_dev *dev_at(uint8_t bus, unsigned slot, unsigned fn)
{
    for (size_t i = 0; i < pci.count; i++) {
        if (pci.dev[i].bus == bus && pci.dev[i].devfn == PCI_DEVFN(slot, fn)) {
            return &pci.dev[i];
        }
    }
    return NULL;
}

static inline int setup(void **state)
{
    (void)state;
    host_reset();
    memset(&fake, 0, sizeof(fake));
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    for (size_t i = 0; i < fake.count; i++) {
        free(fake.fn[i]);
    }
    fake.count = 0;
    return 0;
}

static inline void no_handler(void *arg) { (void)arg; }

/* A device at 00:03.0 with MSI-X, whose table lies in BAR4 when bir says so. */
static inline struct fake_fn *fake_msix(uint32_t table_off, unsigned entries, unsigned bir)
{
    struct fake_fn *f = fake_add(0, 3, 0, 0x10411af4, 0x020000);
    fake_bar(f, 4, PCI_BAR_TYPE_64, MMIO_BYTES, 0xc000000000);
    uint8_t *cap = fake_cap(f, 0x84, PCI_CAP_MSIX);
    put_le16(cap + PCI_MSIX_CONTROL, (uint16_t)(entries - 1));
    put_le32(cap + PCI_MSIX_TABLE, table_off | bir);
    return f;
}
