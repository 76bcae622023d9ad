/* SPDX-License-Identifier: MIT */
/*
 * What the PCI functions tell of their links and errors, read once a second by a fiber of its own:
 * a read of configuration space costs microseconds, and on a card that is in a reset up to
 * milliseconds, which no request is to wait for.
 */
#pragma once

#include "arch/base.h"
#include "pci/pci.h"

#define PCI_WATCH_PERIOD_US US_PER_S

struct pci_state {
    struct pci_link link; /* of the function itself */
    uint8_t speed, width; /* the best that both ends of the link can do; 0: there is none */
    struct pci_aer aer;   /* of GPUs, else not valid */
    struct pci_rebar rebar[PCI_REBARS_MAX]; /* of GPUs */
    size_t rebar_count;
    uint64_t at_us; /* when it was read */
};
/* As read last; read now where that never was. Borrowed, static; never NULL. Network fiber only.
 */
const struct pci_state *pci_watch_get(const struct pci_dev *d);
/* Reads all functions of p; yields between them where a fiber calls it. */
void pci_watch_round(const struct pci *p);
/* Spawns the fiber. p: borrowed for ever. Once only. False: no memory, all stays as first read. */
bool pci_watch_start(const struct pci *p);
