/* SPDX-License-Identifier: MIT */
/*
 * The way from the root to a function: awake, open, and reaching its BARs. Sources: PCI Bus Power
 * Management Interface 1.2, 5.4 and 5.6.1 (10 ms from D3hot to D0, what a function forgets);
 * PCI-to-PCI Bridge Architecture 1.2, 3.2.4.3 (a bridge's command register).
 */
#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/log.h"
#include "pci/pci_priv.h"

#define WAKE_US    (10 * US_PER_MS)
#define DEPTH_MAX  16u /* of bridges above each other; a walk in a loop ends, too */
#define WAKE_WORDS 16u /* of the header, which waking may forget */

static uint16_t pm_control(const struct pci_dev *d)
{
    return (uint16_t)(d->cap_pm + PCI_PM_CONTROL);
}

unsigned pci_power_state(const struct pci_dev *d)
{
    if (d->cap_pm == 0) {
        return 0;
    }
    const uint32_t control = pci_read(d, pm_control(d), 2);
    return control == 0xffffu ? 0 : control & PCI_PM_STATE;
}

/* The header's words from the cache line on: BARs, a bridge's buses and windows, interrupt line. */
static void keep_header(const struct pci_dev *d, uint32_t words[WAKE_WORDS])
{
    for (unsigned i = PCI_CFG_CACHE_LINE / 4; i < WAKE_WORDS; i++) {
        words[i] = pci_read(d, (uint16_t)(4 * i), 4);
    }
}

static void restore_header(const struct pci_dev *d, const uint32_t words[WAKE_WORDS],
                           uint32_t command)
{
    for (unsigned i = PCI_CFG_CACHE_LINE / 4; i < WAKE_WORDS; i++) {
        pci_write(d, (uint16_t)(4 * i), 4, words[i]);
    }
    pci_write(d, PCI_CFG_COMMAND, 2, command);
}

static enum fl_err wake(const struct pci_dev *d, struct fl_fail *fail)
{
    const unsigned was = pci_power_state(d);
    char name[PCI_NAME_MAX];

    if (was == 0) {
        return FL_OK;
    }
    uint32_t words[WAKE_WORDS] = {0};
    const uint32_t command = pci_read(d, PCI_CFG_COMMAND, 2);
    const uint32_t control = pci_read(d, pm_control(d), 2);
    keep_header(d, words);
    pci_write(d, pm_control(d), 2, control & ~(PCI_PM_STATE | PCI_PM_STATUS));
    fiber_sleep_us(WAKE_US);
    if (pci_power_state(d) != 0) {
        return FL_FAIL_MORE(
            fail, FL_EIO, "power state",
            (FL_SAW(pci_power_state(d), 0, WAKE_US), .hint = "power the machine off and on"),
            "%s stays in D%u: it was asked to wake up 10 ms ago", pci_name(d, name),
            pci_power_state(d));
    }
    if ((control & PCI_PM_NO_SOFT_RESET) == 0) {
        restore_header(d, words, command);
    }
    log_warn("pci", "%s was in power state D%u%s: woken up", pci_name(d, name), was,
             was == 3 ? "hot" : "");
    return FL_OK;
}

/* A bridge passes memory accesses down, and DMA and interrupts up. */
static void open_bridge(const struct pci_dev *d)
{
    const uint32_t both = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
    const uint32_t was = pci_read(d, PCI_CFG_COMMAND, 2);
    char name[PCI_NAME_MAX];

    if ((was & both) != both) {
        pci_write(d, PCI_CFG_COMMAND, 2, was | both);
        log_warn("pci", "bridge %s passed %s on: switched on", pci_name(d, name),
                 (was & both) == 0                 ? "neither accesses nor DMA"
                 : (was & PCI_COMMAND_MEMORY) == 0 ? "no accesses"
                                                   : "no DMA");
    }
}

enum fl_err pci_make_ready(const struct pci_dev *d, struct fl_fail *fail)
{
    const struct pci_dev *way[DEPTH_MAX];
    unsigned depth = 0;
    enum fl_err err = FL_OK;
    char name[PCI_NAME_MAX];

    for (const struct pci_dev *up = pci_port_of(d); up != NULL && depth < DEPTH_MAX;
         up = pci_port_of(up)) {
        way[depth++] = up;
    }
    while (depth > 0 &&
           err == FL_OK) { /* from the root down: what is below a sleeper is not heard */
        const struct pci_dev *bridge = way[--depth];
        err = wake(bridge, fail);
        if (err == FL_OK) {
            open_bridge(bridge);
        }
    }
    if (err == FL_OK && pci_read(d, PCI_CFG_ID, 4) == PCI_ID_NONE) {
        err = FL_FAIL_MORE(fail, FL_ELINKLOST, "configuration space",
                           (.hint = "check the card's power cables, riser and slot"),
                           "%s does not answer any more, not even in configuration space",
                           pci_name(d, name));
    }
    err = FL_THEN(err, wake(d, fail));
    return FL_THEN(err, pci_check_reach(d, fail));
}
