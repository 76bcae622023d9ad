/* SPDX-License-Identifier: MIT */
/*
 * The virtio transport over PCI, modern interface only (Virtual I/O Device 1.2, section 4.1): finds
 * and checks the register areas, resets, negotiates features, sets up queues.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "arch/mmio.h"
#include "pci/pci.h"

#define VIRTIO_PCI_VENDOR 0x1af4u

/* Device status (section 2.1) */
#define VIRTIO_STATUS_ACKNOWLEDGE 0x01u
#define VIRTIO_STATUS_DRIVER      0x02u
#define VIRTIO_STATUS_DRIVER_OK   0x04u
#define VIRTIO_STATUS_FEATURES_OK 0x08u
#define VIRTIO_STATUS_NEEDS_RESET 0x40u
#define VIRTIO_STATUS_FAILED      0x80u

/* Feature bits of the transport (section 6) */
#define VIRTIO_F_EVENT_IDX       (1ull << 29)
#define VIRTIO_F_VERSION_1       (1ull << 32)
#define VIRTIO_F_ACCESS_PLATFORM (1ull << 33)

#define VIRTIO_NO_VECTOR 0xffffu

/* A register area inside a BAR. */
struct virtio_area {
    struct mmio bar;
    uint64_t off;
    uint64_t len;
};

struct virtio_pci {
    const struct pci_dev *pci; /* borrowed */
    struct virtio_area common, notify, device;
    uint32_t notify_multiplier;
    uint64_t features; /* negotiated */
};

/* Finds the areas, resets the device (waits at most 1 s for it), switches decoding and bus
 * mastering on, acknowledges. Yields. */
FL_MUST_CHECK enum fl_err virtio_pci_open(struct virtio_pci *v, const struct pci_dev *pci,
                                          struct fl_fail *fail);
/* Accepts those of `wanted` that the device offers; all of `needed` must be among them. */
FL_MUST_CHECK enum fl_err virtio_pci_negotiate(struct virtio_pci *v, uint64_t needed,
                                               uint64_t wanted, struct fl_fail *fail);

/* One queue's memory and limits, to be given to the device. */
struct virtio_queue_setup {
    uint16_t size; /* in: the largest size wanted; out: the size used, a power of two */
    struct bus_addr desc, avail, used;
    uint64_t notify_off; /* out: where to write the queue's index, within the notify area */
};
/* Asks for the size first (memory is laid out for it), then hands the addresses over. */
FL_MUST_CHECK enum fl_err virtio_pci_queue_size(struct virtio_pci *v, uint16_t index,
                                                uint16_t *size, struct fl_fail *fail);
FL_MUST_CHECK enum fl_err virtio_pci_queue_start(struct virtio_pci *v, uint16_t index,
                                                 struct virtio_queue_setup *setup, uint16_t vector,
                                                 struct fl_fail *fail);
/* MSI-X vector for configuration changes. */
FL_MUST_CHECK enum fl_err virtio_pci_config_vector(struct virtio_pci *v, uint16_t vector,
                                                   struct fl_fail *fail);
void virtio_pci_driver_ok(struct virtio_pci *v);
uint8_t virtio_pci_status(const struct virtio_pci *v);
/* Stops all DMA and interrupts. Does not wait for the device to say so. */
void virtio_pci_stop(struct virtio_pci *v);

static inline void virtio_pci_notify(const struct virtio_pci *v, uint64_t off, uint16_t index)
{
    mmio_write16(&v->notify.bar, v->notify.off + off, index);
}
/* Device configuration; the caller stays below v->device.len. */
static inline uint8_t virtio_pci_config8(const struct virtio_pci *v, uint64_t off)
{
    return mmio_read8(&v->device.bar, v->device.off + off);
}
static inline uint16_t virtio_pci_config16(const struct virtio_pci *v, uint64_t off)
{
    return mmio_read16(&v->device.bar, v->device.off + off);
}
