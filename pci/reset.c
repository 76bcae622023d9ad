/* SPDX-License-Identifier: MIT */
/*
 * Resets of a function (PCI Express Base 4.0 section 6.6.2) or of its card through the bridge above
 * (6.6.1, 7.5.1.3.13): quiesce, reset, wait 100 ms, then until the function answers again; what the
 * firmware and we had configured is written back.
 */
#include <stdlib.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/log.h"
#include "arch/wait.h"
#include "pci/pci_priv.h"

#define DRAIN_US     (100 * US_PER_MS) /* for transactions still under way */
#define BUS_RESET_US (2 * US_PER_MS)   /* Trst is 1 ms at least; Linux takes 2 */
#define SETTLE_US    (100 * US_PER_MS) /* the specification's minimum before the first access */
#define DEADLINE_US  US_PER_S          /* after the settle time */
#define POLL_US      (5 * US_PER_MS)

struct saved {
    uint32_t bar[PCI_BARS_NORMAL];
    uint16_t command, devctl, lnkctl, devctl2, lnkctl2;
    uint8_t cache_line, interrupt_line;
    uint16_t rebar; /* offset of the capability, 0 = absent */
    unsigned rebar_count;
    uint32_t rebar_control[PCI_REBAR_MAX];
    struct pci_msi_state msi;
};

static uint16_t exp_off(const struct pci_dev *d, unsigned off)
{
    return (uint16_t)(d->cap_pcie + off);
}

static uint16_t rebar_control_off(const struct saved *s, unsigned i)
{
    return (uint16_t)(s->rebar + PCI_REBAR_FIRST + i * PCI_REBAR_STRIDE + PCI_REBAR_CONTROL);
}

/* The second half of the capability exists from version 2 on. */
static bool exp_has_v2(const struct pci_dev *d)
{
    return (pci_read(d, exp_off(d, PCI_EXP_FLAGS), 2) & PCI_EXP_FLAGS_VERSION) >= 2 &&
           range_ok(d->cap_pcie, PCI_EXP_LENGTH_V2, PCI_CFG_SIZE);
}

static enum fl_err save(const struct pci_dev *d, struct saved *s)
{
    *s = (struct saved){0};
    s->command = (uint16_t)pci_read(d, PCI_CFG_COMMAND, 2);
    s->cache_line = (uint8_t)pci_read(d, PCI_CFG_CACHE_LINE, 1);
    s->interrupt_line = (uint8_t)pci_read(d, PCI_CFG_INTERRUPT_LINE, 1);
    for (unsigned i = 0; i < PCI_BARS_NORMAL; i++) {
        s->bar[i] = pci_read(d, (uint16_t)(PCI_CFG_BAR0 + 4 * i), 4);
    }
    s->devctl = (uint16_t)pci_read(d, exp_off(d, PCI_EXP_DEVCTL), 2);
    s->lnkctl = (uint16_t)pci_read(d, exp_off(d, PCI_EXP_LNKCTL), 2);
    if (exp_has_v2(d)) {
        s->devctl2 = (uint16_t)pci_read(d, exp_off(d, PCI_EXP_DEVCTL2), 2);
        s->lnkctl2 = (uint16_t)pci_read(d, exp_off(d, PCI_EXP_LNKCTL2), 2);
    }
    /* A BAR that the firmware made larger would shrink, and its address no longer fit. */
    s->rebar = pci_find_ext_cap(d, PCI_EXT_CAP_REBAR);
    if (s->rebar != 0 && range_ok(s->rebar, PCI_REBAR_FIRST + PCI_REBAR_STRIDE, PCI_CFG_EXT_SIZE)) {
        s->rebar_count = PCI_REBAR_COUNT(pci_read(d, rebar_control_off(s, 0), 4));
        if (s->rebar_count > PCI_REBAR_MAX ||
            !range_ok(s->rebar, PCI_REBAR_FIRST + s->rebar_count * PCI_REBAR_STRIDE,
                      PCI_CFG_EXT_SIZE)) {
            s->rebar_count = 0;
        }
        for (unsigned i = 0; i < s->rebar_count; i++) {
            s->rebar_control[i] = pci_read(d, rebar_control_off(s, i), 4);
        }
    }
    return pci_msi_save(d, &s->msi);
}

static void restore(const struct pci_dev *d, struct saved *s)
{
    pci_write(d, exp_off(d, PCI_EXP_DEVCTL), 2, s->devctl & ~PCI_EXP_DEVCTL_FLR);
    pci_write(d, exp_off(d, PCI_EXP_LNKCTL), 2, s->lnkctl);
    if (exp_has_v2(d)) {
        pci_write(d, exp_off(d, PCI_EXP_DEVCTL2), 2, s->devctl2);
        pci_write(d, exp_off(d, PCI_EXP_LNKCTL2), 2, s->lnkctl2);
    }
    for (unsigned i = 0; i < s->rebar_count; i++) {
        pci_write(d, rebar_control_off(s, i), 4, s->rebar_control[i]);
    }
    for (unsigned i = 0; i < PCI_BARS_NORMAL; i++) {
        pci_write(d, (uint16_t)(PCI_CFG_BAR0 + 4 * i), 4, s->bar[i]);
    }
    pci_write(d, PCI_CFG_CACHE_LINE, 1, s->cache_line);
    pci_write(d, PCI_CFG_INTERRUPT_LINE, 1, s->interrupt_line);
    /* The MSI-X table lies behind a BAR: decoding first, bus mastering last. */
    pci_write(d, PCI_CFG_COMMAND, 2,
              (s->command | PCI_COMMAND_MEMORY) & ~(uint32_t)PCI_COMMAND_MASTER);
    pci_msi_restore(d, &s->msi);
    pci_write(d, PCI_CFG_COMMAND, 2, s->command);
}

struct id_wait {
    const struct pci_dev *d;
    uint32_t expected, id; /* id: read last */
};

static enum fl_err look_back(void *ctx, struct wait_report *last, struct fl_fail *fail)
{
    struct id_wait *w = ctx;

    (void)last; /* the caller has the words */
    (void)fail;
    w->id = pci_read(w->d, PCI_CFG_ID, 4);
    if (w->id == w->expected) {
        return FL_OK;
    }
    const uint16_t vendor = (uint16_t)w->id;
    return vendor != PCI_VENDOR_NONE && vendor != PCI_VENDOR_RETRY ? FL_EIO : FL_EBUSY;
}

/* Waits until the function answers with its id. *id: what was read last. */
static enum fl_err wait_back(const struct pci_dev *d, uint32_t *id)
{
    static const struct wait back = {
        .what = "the function to answer", .timeout_us = DEADLINE_US, .step_us = POLL_US};
    struct id_wait w = {.d = d, .expected = (uint32_t)d->device << 16 | d->vendor};

    fiber_sleep_us(SETTLE_US);
    const enum fl_err err = wait_until(&back, look_back, &w, NULL);
    *id = w.id;
    return err;
}

static enum fl_err look_drained(void *ctx, struct wait_report *last, struct fl_fail *fail)
{
    const struct pci_dev *d = ctx;

    (void)last;
    (void)fail;
    return (pci_read(d, exp_off(d, PCI_EXP_DEVSTA), 2) & PCI_EXP_DEVSTA_PENDING) != 0 ? FL_EBUSY
                                                                                      : FL_OK;
}

/* Before a reset: keeps the configuration, stops the function. On FL_OK saved->msi is the caller's
 * to free, which finish() does. */
static enum fl_err quiesce(const struct pci_dev *d, const char *name, struct saved *saved,
                           struct fl_fail *fail)
{
    if (pci_read(d, PCI_CFG_ID, 4) == PCI_ID_NONE) {
        return FL_FAIL(fail, FL_ELINKLOST, name, "the function does not answer (all-ones)");
    }
    const enum fl_err err = save(d, saved);
    if (err != FL_OK) {
        return FL_FAIL(fail, err, name, "cannot save the interrupt set-up: %s", fl_err_name(err));
    }
    pci_enable(d, false, false);
    static const struct wait drain = {
        .what = "transactions to end", .timeout_us = DRAIN_US, .step_us = POLL_US};
    if (wait_until(&drain, look_drained, (void *)(uintptr_t)d, NULL) != FL_OK) {
        log_warn("pci", "%s: transactions still pending after %llu ms, resetting anyway", name,
                 (unsigned long long)(DRAIN_US / US_PER_MS));
    }
    return FL_OK;
}

/* After a reset: waits for the function and configures it as it was. */
static enum fl_err finish(const struct pci_dev *d, const char *name, const char *kind,
                          struct saved *saved, struct fl_fail *fail)
{
    const struct deadline since = deadline_never();
    uint32_t id = 0;
    const enum fl_err err = wait_back(d, &id);

    if (err != FL_OK) {
        free(saved->msi.entries);
        return FL_FAIL_MORE(
            fail, err, name,
            (FL_SAW(id, (uint32_t)d->device << 16 | d->vendor, deadline_waited_us(since)),
             .hint = "power the machine off and on: the device did not come back"),
            "id reads 0x%08x after a %s, expected 0x%04x%04x", (unsigned)id, kind, d->device,
            d->vendor);
    }
    restore(d, saved);
    log_info("pci", "%s: %s done in %llu ms", name, kind,
             (unsigned long long)(deadline_waited_us(since) / US_PER_MS));
    return FL_OK;
}

bool pci_has_flr(const struct pci_dev *d)
{
    return d->header_type == PCI_HEADER_NORMAL && d->cap_pcie != 0 &&
           (pci_read(d, exp_off(d, PCI_EXP_DEVCAP), 4) & PCI_EXP_DEVCAP_FLR) != 0;
}

enum fl_err pci_flr(const struct pci_dev *d, struct fl_fail *fail)
{
    char name[PCI_NAME_MAX];
    struct saved saved;

    pci_name(d, name);
    if (!pci_has_flr(d)) {
        return FL_FAIL(fail, FL_ENOTSUP, name, "the function has no function level reset");
    }
    const enum fl_err err = quiesce(d, name, &saved, fail);
    if (err != FL_OK) {
        return err;
    }
    pci_write(d, exp_off(d, PCI_EXP_DEVCTL), 2, saved.devctl | PCI_EXP_DEVCTL_FLR);
    return finish(d, name, "function level reset", &saved, fail);
}

/* The bridge above; NULL when its reset would hit others than this card's own functions. */
static const struct pci_dev *bridge_of_card(const struct pci_dev *d)
{
    for (size_t i = 0; i < d->pci->count; i++) {
        const struct pci_dev *o = &d->pci->dev[i];
        if (o->segment == d->segment && o->bus == d->bus &&
            PCI_SLOT(o->devfn) != PCI_SLOT(d->devfn)) {
            return NULL;
        }
    }
    return d->parent >= 0 ? &d->pci->dev[d->parent] : NULL;
}

bool pci_has_bus_reset(const struct pci_dev *d)
{
    return d->header_type == PCI_HEADER_NORMAL && d->cap_pcie != 0 && bridge_of_card(d) != NULL;
}

enum fl_err pci_bus_reset(const struct pci_dev *d, struct fl_fail *fail)
{
    char name[PCI_NAME_MAX];
    struct saved saved;
    const struct pci_dev *bridge = bridge_of_card(d);

    pci_name(d, name);
    if (!pci_has_bus_reset(d)) {
        return FL_FAIL(fail, FL_ENOTSUP, name,
                       "the card cannot be reset through a bridge: it has none of its own");
    }
    const enum fl_err err = quiesce(d, name, &saved, fail);
    if (err != FL_OK) {
        return err;
    }
    const uint32_t control = pci_read(bridge, PCI_CFG_BRIDGE_CONTROL, 2);
    pci_write(bridge, PCI_CFG_BRIDGE_CONTROL, 2, control | PCI_BRIDGE_BUS_RESET);
    fiber_sleep_us(BUS_RESET_US);
    pci_write(bridge, PCI_CFG_BRIDGE_CONTROL, 2, control & ~(uint32_t)PCI_BRIDGE_BUS_RESET);
    return finish(d, name, "bus reset", &saved, fail);
}
