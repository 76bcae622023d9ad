/* SPDX-License-Identifier: MIT */
/* Links and errors of the PCI functions (pci_watch.h). */
#include "net/api/pci_watch.h"

#include "arch/clock.h"
#include "arch/fiber.h"
#include "gsp/gsp.h"

static struct {
    struct pci_state state[PCI_MAX_DEVICES]; /* by place in struct pci */
    const struct pci_dev *of[PCI_MAX_DEVICES];
} watch;

static uint8_t lesser(uint8_t a, uint8_t b) { return a < b ? a : b; }

static void look(const struct pci_dev *d, struct pci_state *s)
{
    const struct pci_dev *port = pci_port_of(d);
    struct pci_link above = {0};
    *s = (struct pci_state){.at_us = clock_now_us()};
    pci_get_link(d, &s->link);
    if (s->link.valid) {
        s->speed = s->link.max_speed;
        s->width = s->link.max_width;
        if (port != NULL) {
            pci_get_link(port, &above);
        }
        if (above.valid) {
            s->speed = lesser(s->speed, above.max_speed);
            s->width = lesser(s->width, above.max_width);
        }
    }
    if (gsp_match(d)) {
        pci_get_aer(d, &s->aer);
        s->rebar_count = pci_get_rebars(d, s->rebar);
    }
}

const struct pci_state *pci_watch_get(const struct pci_dev *d)
{
    static const struct pci_state nothing;
    const size_t i = d->pci != NULL ? (size_t)(d - d->pci->dev) : PCI_MAX_DEVICES;
    if (i >= PCI_MAX_DEVICES) {
        return &nothing;
    }
    if (watch.of[i] != d) {
        look(d, &watch.state[i]);
        watch.of[i] = d;
    }
    return &watch.state[i];
}

void pci_watch_round(const struct pci *p)
{
    for (size_t i = 0; i < p->count; i++) {
        struct pci_state now;
        look(&p->dev[i], &now);
        watch.state[i] = now;
        watch.of[i] = &p->dev[i];
        fiber_yield_if_long();
    }
}

static void watch_fiber(void *arg)
{
    for (;;) {
        fiber_sleep_us(PCI_WATCH_PERIOD_US);
        pci_watch_round(arg);
    }
}

bool pci_watch_start(const struct pci *p)
{
    return fiber_spawn("pci watch", watch_fiber, (void *)(uintptr_t)p, FIBER_STACK_DEFAULT) != NULL;
}
