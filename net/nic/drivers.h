/* SPDX-License-Identifier: MIT */
/* Which drivers of network cards there are. It knows them all; they do not know it. */
#pragma once

#include "net/nic/nic.h"

/* The driver for a device, NULL when there is none. */
const struct nic_driver *nic_find_driver(const struct pci_dev *pci);
