/* SPDX-License-Identifier: MIT */
/* virtio network device (Virtual I/O Device 1.2, section 5.1), as QEMU and every cloud have it. */
#pragma once

#include "net/nic/nic.h"

extern const struct nic_driver virtio_net_driver;
