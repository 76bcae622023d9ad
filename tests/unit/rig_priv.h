/* SPDX-License-Identifier: MIT */
/* What the files of the bench share. Nobody else includes this. */
#pragma once

#include "pci/pci.h"
#include "tests/model/model.h"
#include "tests/unit/rig.h"

/* The PCI bus as the driver sees it; its context is the bench. */
extern const struct pci_ops rig_pci_ops;
/* The bus as the GPU sees it. */
struct model_bus rig_model_bus(struct rig *r);
/* For host_idle_hook(): the GPU goes on while all fibers wait. ctx: the bench. */
uint64_t rig_idle(void *ctx);
/* What a PC's firmware does: addresses into the BARs. */
void rig_assign_bars(struct rig *r);
