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
#define DEADLINE_US  (60 * US_PER_S)   /* after the settle time; Linux' PCIE_RESET_READY_POLL_MS */
#define FIRST_US     (10 * US_PER_S)   /* of these, where there is a second way */
#define TELL_US      (5 * US_PER_S)    /* how often it says that it waits */
#define POLL_US      (5 * US_PER_MS)

struct saved {
    struct pci_link link;
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

static enum fl_err save(const struct pci_dev *d, struct saved *s)
{
    *s = (struct saved){0};
    pci_get_link(d, &s->link);
    s->command = (uint16_t)pci_read(d, PCI_CFG_COMMAND, 2);
    s->cache_line = (uint8_t)pci_read(d, PCI_CFG_CACHE_LINE, 1);
    s->interrupt_line = (uint8_t)pci_read(d, PCI_CFG_INTERRUPT_LINE, 1);
    for (unsigned i = 0; i < PCI_BARS_NORMAL; i++) {
        s->bar[i] = pci_read(d, (uint16_t)(PCI_CFG_BAR0 + 4 * i), 4);
    }
    s->devctl = (uint16_t)pci_read(d, exp_off(d, PCI_EXP_DEVCTL), 2);
    s->lnkctl = (uint16_t)pci_read(d, exp_off(d, PCI_EXP_LNKCTL), 2);
    if (pci_exp_has_v2(d)) {
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
    if (pci_exp_has_v2(d)) {
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
    struct deadline since;
    uint64_t told_us;
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
    const uint64_t waited_us = deadline_waited_us(w->since);
    if (waited_us - w->told_us >= TELL_US) {
        char name[PCI_NAME_MAX];
        w->told_us = waited_us;
        log_info("pci", "%s: not back %llu s after its reset, id reads 0x%08x; waiting",
                 pci_name(w->d, name), (unsigned long long)(waited_us / US_PER_S), (unsigned)w->id);
    }
    const uint16_t vendor = (uint16_t)w->id;
    return vendor != PCI_VENDOR_NONE && vendor != PCI_VENDOR_RETRY ? FL_EIO : FL_EBUSY;
}

/* Waits until the function answers with its id. *id: what was read last. */
static enum fl_err wait_back(const struct pci_dev *d, uint64_t timeout_us, uint32_t *id)
{
    const struct wait back = {
        .what = "the function to answer", .timeout_us = timeout_us, .step_us = POLL_US};
    struct id_wait w = {
        .d = d, .expected = (uint32_t)d->device << 16 | d->vendor, .since = deadline_never()};

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

/* Through the bridge above. */
static void hit(const struct pci_dev *bridge)
{
    const uint32_t control = pci_read(bridge, PCI_CFG_BRIDGE_CONTROL, 2);

    pci_write(bridge, PCI_CFG_BRIDGE_CONTROL, 2, control | PCI_BRIDGE_BUS_RESET);
    fiber_sleep_us(BUS_RESET_US);
    pci_write(bridge, PCI_CFG_BRIDGE_CONTROL, 2, control & ~(uint32_t)PCI_BRIDGE_BUS_RESET);
}

/* Some boards come back with fewer lanes, or slower. */
static void compare_links(const struct pci_dev *d, const char *name, const struct pci_link *was)
{
    struct pci_link now;

    pci_get_link(d, &now);
    if (was->valid && now.valid && (now.width < was->width || now.speed < was->speed)) {
        log_warn("pci", "%s: its link came back as %s x%u, before the reset it was %s x%u", name,
                 pci_speed_name(now.speed), (unsigned)now.width, pci_speed_name(was->speed),
                 (unsigned)was->width);
    }
}

/* After a reset: waits for the function and configures it as it was. second: the bridge that resets
 * it when it does not come back; NULL: there is no second way. *by_bus: that was done. */
static enum fl_err finish(const struct pci_dev *d, const char *name, const char *kind,
                          const struct pci_dev *second, bool *by_bus, struct saved *saved,
                          struct fl_fail *fail)
{
    const struct deadline since = deadline_never();
    uint32_t id = 0;
    enum fl_err err = wait_back(d, second != NULL ? FIRST_US : DEADLINE_US, &id);

    if (err != FL_OK && second != NULL) {
        log_warn("pci", "%s: id reads 0x%08x %llu s after a %s: the bridge above resets the card",
                 name, (unsigned)id, (unsigned long long)(deadline_waited_us(since) / US_PER_S),
                 kind);
        kind = "bus reset (after a function level reset)";
        *by_bus = true;
        hit(second);
        err = wait_back(d, DEADLINE_US, &id);
    }
    if (err != FL_OK) {
        free(saved->msi.entries);
        return FL_FAIL_MORE(
            fail, err, name,
            (FL_SAW(id, (uint32_t)d->device << 16 | d->vendor, deadline_waited_us(since)),
             .hint = "power the machine off and on: the device did not come back"),
            "id reads 0x%08x after a %s; expected 0x%04x%04x", (unsigned)id, kind, d->device,
            d->vendor);
    }
    restore(d, saved);
    log_info("pci", "%s: %s done in %llu ms", name, kind,
             (unsigned long long)(deadline_waited_us(since) / US_PER_MS));
    compare_links(d, name, &saved->link);
    return FL_OK;
}

bool pci_has_flr(const struct pci_dev *d)
{
    return d->header_type == PCI_HEADER_NORMAL && d->cap_pcie != 0 &&
           (pci_read(d, exp_off(d, PCI_EXP_DEVCAP), 4) & PCI_EXP_DEVCAP_FLR) != 0;
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

static enum fl_err function_reset(const struct pci_dev *d, const struct pci_dev *second,
                                  bool *by_bus, struct fl_fail *fail)
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
    return finish(d, name, "function level reset", second, by_bus, &saved, fail);
}

enum fl_err pci_flr(const struct pci_dev *d, struct fl_fail *fail)
{
    bool by_bus;

    return function_reset(d, NULL, &by_bus, fail);
}

enum fl_err pci_reset(const struct pci_dev *d, bool *by_bus, struct fl_fail *fail)
{
    *by_bus = !pci_has_flr(d);
    return *by_bus ? pci_bus_reset(d, fail) : function_reset(d, bridge_of_card(d), by_bus, fail);
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
    hit(bridge);
    return finish(d, name, "bus reset", NULL, NULL, &saved, fail);
}
