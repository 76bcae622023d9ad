/* SPDX-License-Identifier: MIT */
/*
 * I/O APICs: where the wires of old interrupts end. The appliance uses messages (MSI, MSI-X) only,
 * so all it wants of an I/O APIC is silence: firmware may leave inputs open to vectors that mean
 * nothing here, or something else.
 *
 * Sources: Intel 82093AA data sheet, sections 3.1 (IOREGSEL, IOWIN) and 3.2 (IOAPICVER, IOREDTBL).
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

/* Masks every input of the I/O APIC at this address (as in the MADT), but for inputs that deliver
 * SMIs: those belong to the firmware, also while an operating system runs. *opened: how many of
 * the masked ones were not masked before. FL_ENOENT when nothing answers there, FL_EINVAL or
 * FL_ENOMEM when it cannot be mapped (*opened is 0 then), FL_EIO when an input does not keep its
 * mask. Does not yield. */
FL_MUST_CHECK enum fl_err ioapic_mask_all(struct phys_addr at, unsigned *opened,
                                          struct fl_fail *fail);
