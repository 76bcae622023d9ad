/* SPDX-License-Identifier: MIT */
/*
 * A virtio network device on a PCI bus of its own, for tests: strict where the specification binds
 * the driver (Virtual I/O Device 1.2), and able to misbehave where a driver must not trust it.
 */
#pragma once

#include "arch/base.h"
#include "pci/pci.h"

#define FV_QUEUES    2
#define FV_QUEUE_MAX 256

struct fv_queue {
    uint16_t size, vector, enabled;
    uint64_t desc, avail, used;
    uint16_t seen;     /* avail entries consumed */
    uint16_t used_idx; /* used entries written */
    uint16_t told;     /* used idx at the last interrupt decision */
    unsigned notifies;
};

struct fake_virtio {
    uint8_t cfg[256];
    uint32_t bar_mask[6];
    uint8_t regs[0x3000]; /* only the MSI-X table lives here as memory */

    /* what the device is like: set before the driver starts */
    uint64_t offered;
    uint8_t mac[6];
    uint16_t link;        /* status field of the configuration */
    bool refuse_features; /* drops FEATURES_OK */
    bool stuck_in_reset;
    uint16_t queue_max[FV_QUEUES]; /* receive, transmit */
    uint16_t num_queues;
    bool lazy; /* does not look at the transmit queue by itself */

    /* what the driver did */
    uint8_t status;
    uint32_t feature_select[2];
    uint64_t accepted;
    uint16_t queue_select, config_vector;
    struct fv_queue q[FV_QUEUES];
    unsigned interrupts;
    char broken_rule[160]; /* first rule that the driver broke; "" = none */

    /* frames that the driver sent; called from within the notification */
    void (*sent)(void *ctx, const uint8_t *frame, size_t len);
    void *ctx;
    unsigned sent_count;
};

extern const struct pci_ops fv_ops; /* ctx: the struct fake_virtio; the device is 00:02.0 */

void fv_init(struct fake_virtio *f);
/* Puts a frame into the receive queue; false when the driver has given no buffer. */
bool fv_receive(struct fake_virtio *f, const void *frame, size_t len);
/* Consumes up to max entries of the transmit queue. */
void fv_transmit(struct fake_virtio *f, unsigned max);
/* Changes the link and interrupts. */
void fv_set_link(struct fake_virtio *f, bool up);
/* Writes any used element and moves the index by `advance`, as a broken device would. */
void fv_write_used(struct fake_virtio *f, unsigned queue, uint32_t id, uint32_t len,
                   uint16_t advance);
void fv_interrupt(struct fake_virtio *f, uint16_t vector);
