/* SPDX-License-Identifier: MIT */
/*
 * A GPU's hardware, as far as this floor knows it: its place on the bus, its registers, the book
 * kept of them, its interrupt, and which chip it is. What the files of gsp/hw take; the GPU as a
 * whole (gsp/gpu.h) has one of these.
 */
#pragma once

#include "arch/base.h"
#include "arch/fiber.h"
#include "arch/irq.h"
#include "arch/log.h"
#include "gsp/hw/chips.h"
#include "gsp/hw/family.h"
#include "gsp/hw/io.h"
#include "gsp/hw/recorder.h"
#include "pci/pci.h"

/* The GSP's interrupt (intr.h). */
struct gsp_intr {
    struct event ev; /* signalled by the MSI handler */
    bool msi;        /* the device has a vector of ours; kept over boots */
    bool msix;       /* ... as an entry of MSI-X */
    bool tried;      /* MSI was asked for once */
    bool enabled;    /* the tree lets the GSP's vector through */
    bool live;       /* an interrupt came since the tree was enabled: waits may rely on them */
    struct irq_msi irq;
    uint32_t vector;
    uint64_t count;  /* interrupts that came, when last served */
    uint64_t served; /* interrupts served */
    uint64_t missed; /* messages found by looking, though interrupts are live */
    uint64_t halts;  /* the GSP's core reported a halt */
};

/* The PRAMIN window (window.h). */
struct gsp_window {
    struct mutex lock;
    uint32_t users;     /* begins without their ends */
    uint32_t found, at; /* the register: before the first of them, and now */
    uint64_t moves;     /* writes of the register since creation */
};

/* Invalidation of TLBs (tlb.h). */
struct gsp_tlb {
    struct mutex lock; /* one command at a time */
    uint64_t invalidates;
};

struct gsp_hw {
    const struct pci_dev *pci; /* borrowed */
    const char *label;         /* of log lines */
    struct gsp_io io;
    struct gsp_recorder rec;
    struct gsp_intr intr;
    struct gsp_window window;
    struct gsp_tlb tlb;
    bool in_reset;               /* its registers may be away: nobody else looks at them now */
    struct log_limit complaints; /* of log lines: what the GSP complains of */

    /* Known from the stage `identify` on. */
    const struct gsp_chip *chip;
    const struct gsp_family *family;
    uint32_t boot0, boot42;
};
