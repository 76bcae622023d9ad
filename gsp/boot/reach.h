/* SPDX-License-Identifier: MIT */
/* The way to the card, before anything of it is touched. */
#pragma once

#include "arch/fail.h"

struct gsp_gpu;

/* pci_make_ready() for the card, and its link as the options want it (link_speed, aspm_off): a link
 * that does not obey is told and stops nothing. Yields. */
FL_MUST_CHECK enum fl_err gsp_boot_reach(struct gsp_gpu *g, struct fl_fail *fail);
