/* SPDX-License-Identifier: MIT */
/* BARs for remote_pci.c: what the firmware of a PC does with them before a driver comes. */
#pragma once

#include <stdint.h>

#include "tests/model/model.h"

enum { REMOTE_BAR_COUNT = 6 };
/* Below it nothing but the client's memory (remote_pci.h). */
#define REMOTE_BAR_LOW_BASE UINT64_C(0xa0000000)

/* The BAR; size 0 when there is none of that number. */
struct model_bar remote_bar_info(const struct gpu_model *m, uint32_t bar);
/* Its bus address as the BAR registers have it, flags left out. */
uint64_t remote_bar_address(struct gpu_model *m, uint32_t bar);
/* Gives each BAR an address. */
void remote_bar_assign(struct gpu_model *m);
/* The greatest size in bytes that the resizable BAR capability offers; 0: the BAR is not in it. */
uint64_t remote_bar_greatest(struct gpu_model *m, uint32_t bar);
