/* SPDX-License-Identifier: MIT */
/*
 * Message-signalled interrupts. A vector is allocated once and never freed (a machine has about
 * 200; the appliance uses a dozen). The handler runs with interrupts off: it may signal events and
 * acknowledge its device, nothing else.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

struct irq_msi {
    uint64_t address; /* what the device writes to */
    uint32_t data;
    uint32_t vector;
};

/* FL_OK, or FL_ENOSPC when no vector is left. name: static. */
FL_MUST_CHECK enum fl_err irq_alloc(const char *name, void (*handler)(void *arg), void *arg,
                                    struct irq_msi *out);
uint64_t irq_count(uint32_t vector); /* times the vector fired */
