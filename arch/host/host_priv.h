/* SPDX-License-Identifier: MIT */
/* Between the files of this folder: each puts its part back to its start. */
#pragma once

#include "arch/base.h"

void host_clock_reset(void);
void host_irq_reset(void);
void host_irq_force_on(void); /* after a panic that left them off */
void host_mmio_reset(void);
bool host_ram_overlaps(uint64_t base, uint64_t size);
