/* SPDX-License-Identifier: MIT */
/* Speed and width of a link (PCI Express Base 4.0 sections 7.5.3.6 to 7.5.3.8 and 7.5.3.19). */
#include "arch/clock.h"
#include "arch/log.h"
#include "arch/wait.h"
#include "pci/pci_priv.h"

#define TRAINING_US (1 * US_PER_S) /* far more than the 100 ms that a link may take (6.6.1) */

void pci_get_link(const struct pci_dev *d, struct pci_link *out)
{
    *out = (struct pci_link){0};
    if (d->cap_pcie == 0) {
        return;
    }
    uint32_t type = PCI_EXP_PORT_TYPE(pci_read(d, (uint16_t)(d->cap_pcie + PCI_EXP_FLAGS), 2));
    if (type == PCI_EXP_TYPE_RC_ENDPOINT || type == PCI_EXP_TYPE_RC_EVENTS) {
        return; /* inside the root complex: there is no link */
    }
    uint32_t cap = pci_read(d, (uint16_t)(d->cap_pcie + PCI_EXP_LNKCAP), 4);
    uint32_t status = pci_read(d, (uint16_t)(d->cap_pcie + PCI_EXP_LNKSTA), 2);
    if (cap == 0xffffffffu || status == 0xffffu || PCI_EXP_LINK_SPEED(cap) == 0 ||
        PCI_EXP_LINK_WIDTH(cap) == 0) {
        return;
    }
    *out = (struct pci_link){
        .valid = true,
        .speed = PCI_EXP_LINK_SPEED(status),
        .width = PCI_EXP_LINK_WIDTH(status),
        .max_speed = PCI_EXP_LINK_SPEED(cap),
        .max_width = PCI_EXP_LINK_WIDTH(cap),
    };
}

const char *pci_speed_name(uint8_t speed)
{
    static const char *const names[] = {"no link",   "2.5 GT/s",  "5.0 GT/s", "8.0 GT/s",
                                        "16.0 GT/s", "32.0 GT/s", "64.0 GT/s"};
    return speed < ARRAY_SIZE(names) ? names[speed] : "unknown speed";
}

bool pci_exp_has_v2(const struct pci_dev *d)
{
    return (pci_read(d, (uint16_t)(d->cap_pcie + PCI_EXP_FLAGS), 2) & PCI_EXP_FLAGS_VERSION) >= 2 &&
           range_ok(d->cap_pcie, PCI_EXP_LENGTH_V2, PCI_CFG_SIZE);
}

/* The bits of a mask in a 16-bit register of the capability; true: that changed it. */
static bool set_bits(const struct pci_dev *d, unsigned reg, uint32_t mask, uint32_t value)
{
    const uint16_t off = (uint16_t)(d->cap_pcie + reg);
    const uint32_t was = pci_read(d, off, 2);

    if ((was & mask) != value) {
        pci_write(d, off, 2, (was & ~mask) | value);
    }
    return (was & mask) != value;
}

static enum fl_err look_trained(void *ctx, struct wait_report *last, struct fl_fail *fail)
{
    const struct pci_dev *port = ctx;

    (void)last;
    (void)fail;
    return (pci_read(port, (uint16_t)(port->cap_pcie + PCI_EXP_LNKSTA), 2) &
            PCI_EXP_LNKSTA_TRAINING) != 0
               ? FL_EBUSY
               : FL_OK;
}

static enum fl_err slow_down(const struct pci_dev *d, const struct pci_dev *port, uint8_t speed,
                             const char *name, struct fl_fail *fail)
{
    static const struct wait training = {
        .what = "the link to train", .timeout_us = TRAINING_US, .step_us = US_PER_MS};
    struct pci_link link;

    if (!pci_exp_has_v2(port)) {
        return FL_FAIL(fail, FL_ENOTSUP, name, "the port above has no target speed");
    }
    (void)set_bits(port, PCI_EXP_LNKCTL2, PCI_EXP_LNKCTL2_SPEED, speed);
    if (pci_exp_has_v2(d)) {
        (void)set_bits(d, PCI_EXP_LNKCTL2, PCI_EXP_LNKCTL2_SPEED, speed);
    }
    pci_get_link(d, &link);
    if (!link.valid || link.speed <= speed) {
        return FL_OK;
    }
    const uint8_t before = link.speed;
    const uint16_t control = (uint16_t)(port->cap_pcie + PCI_EXP_LNKCTL);
    pci_write(port, control, 2, pci_read(port, control, 2) | PCI_EXP_LNKCTL_RETRAIN);
    const enum fl_err err = wait_until(&training, look_trained, (void *)(uintptr_t)port, fail);
    if (err != FL_OK) {
        return err;
    }
    pci_get_link(d, &link);
    if (!link.valid || link.speed > speed) {
        return FL_FAIL(fail, FL_EIO, name, "the link runs at %s after training for %s",
                       pci_speed_name(link.speed), pci_speed_name(speed));
    }
    log_info("pci", "%s: link made slower, from %s to %s", name, pci_speed_name(before),
             pci_speed_name(link.speed));
    return FL_OK;
}

enum fl_err pci_limit_link(const struct pci_dev *d, uint8_t speed, bool aspm_off,
                           struct fl_fail *fail)
{
    const struct pci_dev *port = pci_port_of(d);
    char name[PCI_NAME_MAX];

    if (speed == 0 && !aspm_off) {
        return FL_OK;
    }
    pci_name(d, name);
    if (d->cap_pcie == 0 || port == NULL || port->cap_pcie == 0) {
        return FL_FAIL(fail, FL_ENOTSUP, name, "there is no PCI Express port above it");
    }
    if (aspm_off) { /* the lower end first (5.4.1.3) */
        const bool lower = set_bits(d, PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_ASPM, 0);
        if (set_bits(port, PCI_EXP_LNKCTL, PCI_EXP_LNKCTL_ASPM, 0) || lower) {
            log_info("pci", "%s: power saving of the link (ASPM) switched off", name);
        }
    }
    return speed != 0 ? slow_down(d, port, speed, name, fail) : FL_OK;
}
