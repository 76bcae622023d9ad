/* SPDX-License-Identifier: MIT */
/* The table of drivers. */
#include "net/nic/drivers.h"

#include "net/nic/e1000e.h"
#include "net/nic/virtio_net.h"

static const struct nic_driver *const drivers[] = {
    &virtio_net_driver,
    &e1000e_driver,
};

const struct nic_driver *nic_find_driver(const struct pci_dev *pci)
{
    for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
        if (drivers[i]->match(pci)) {
            return drivers[i];
        }
    }
    return NULL;
}
