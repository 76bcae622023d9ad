/* SPDX-License-Identifier: MIT */
/* Virtual I/O Device 1.2, section 4.1. The capabilities are input: each area must fit its BAR. */
#include "net/nic/virtio_pci.h"

#include <stdio.h>

#include "arch/wait.h"
#include "pci/pci_regs.h"

#define RESET_DEADLINE_US US_PER_S
#define RESET_POLL_US     100u

/* Vendor capability (4.1.4) */
#define CAP_LEN               2u
#define CAP_CFG_TYPE          3u
#define CAP_BAR               4u
#define CAP_OFFSET            8u
#define CAP_LENGTH            12u
#define CAP_NOTIFY_MULTIPLIER 16u
#define CAP_SIZE              16u
#define CAP_SIZE_NOTIFY       20u
#define CFG_COMMON            1u
#define CFG_NOTIFY            2u
#define CFG_DEVICE            4u

/* Common configuration (4.1.4.3) */
#define COMMON_DEVICE_FEATURE_SELECT 0x00u
#define COMMON_DEVICE_FEATURE        0x04u
#define COMMON_DRIVER_FEATURE_SELECT 0x08u
#define COMMON_DRIVER_FEATURE        0x0cu
#define COMMON_CONFIG_VECTOR         0x10u
#define COMMON_NUM_QUEUES            0x12u
#define COMMON_STATUS                0x14u
#define COMMON_QUEUE_SELECT          0x16u
#define COMMON_QUEUE_SIZE            0x18u
#define COMMON_QUEUE_VECTOR          0x1au
#define COMMON_QUEUE_ENABLE          0x1cu
#define COMMON_QUEUE_NOTIFY_OFF      0x1eu
#define COMMON_QUEUE_DESC            0x20u
#define COMMON_QUEUE_AVAIL           0x28u
#define COMMON_QUEUE_USED            0x30u
#define COMMON_BYTES                 0x38u

static uint8_t common8(const struct virtio_pci *v, uint64_t off)
{
    return mmio_read8(&v->common.bar, v->common.off + off);
}
static uint16_t common16(const struct virtio_pci *v, uint64_t off)
{
    return mmio_read16(&v->common.bar, v->common.off + off);
}
static uint32_t common32(const struct virtio_pci *v, uint64_t off)
{
    return mmio_read32(&v->common.bar, v->common.off + off);
}
static void common_w8(const struct virtio_pci *v, uint64_t off, uint8_t x)
{
    mmio_write8(&v->common.bar, v->common.off + off, x);
}
static void common_w16(const struct virtio_pci *v, uint64_t off, uint16_t x)
{
    mmio_write16(&v->common.bar, v->common.off + off, x);
}
static void common_w32(const struct virtio_pci *v, uint64_t off, uint32_t x)
{
    mmio_write32(&v->common.bar, v->common.off + off, x);
}
/* 64-bit fields are written as two halves (4.1.3.1). */
static void common_w64(const struct virtio_pci *v, uint64_t off, uint64_t x)
{
    common_w32(v, off, (uint32_t)x);
    common_w32(v, off + 4, (uint32_t)(x >> 32));
}

uint8_t virtio_pci_status(const struct virtio_pci *v) { return common8(v, COMMON_STATUS); }

static void add_status(const struct virtio_pci *v, uint8_t bits)
{
    common_w8(v, COMMON_STATUS, (uint8_t)(virtio_pci_status(v) | bits));
}

/* Reads the capability at `cap` and maps its area. */
static enum fl_err map_area(const struct pci_dev *pci, uint16_t cap, uint64_t min_len,
                            struct virtio_area *area, const char *what, struct fl_fail *fail)
{
    uint8_t bar = (uint8_t)pci_read(pci, (uint16_t)(cap + CAP_BAR), 1);
    struct virtio_area found = {
        .off = pci_read(pci, (uint16_t)(cap + CAP_OFFSET), 4),
        .len = pci_read(pci, (uint16_t)(cap + CAP_LENGTH), 4),
    };
    enum fl_err err = pci_map_bar(pci, bar, &found.bar);
    if (err != FL_OK) {
        return FL_FAIL(fail, err, what, "register area in BAR %u, which cannot be mapped: %s", bar,
                       fl_err_name(err));
    }
    if (!range_ok(found.off, found.len, found.bar.size) || found.len < min_len ||
        !is_aligned_u64(found.off, 4)) {
        return FL_FAIL(fail, FL_EBADDATA, what,
                       "register area 0x%llx + 0x%llx in BAR %u of 0x%llx bytes, expected at least "
                       "%llu bytes inside, aligned to 4",
                       (unsigned long long)found.off, (unsigned long long)found.len, bar,
                       (unsigned long long)found.bar.size, (unsigned long long)min_len);
    }
    *area = found; /* a length says that the area can be used */
    return FL_OK;
}

static enum fl_err find_areas(struct virtio_pci *v, struct fl_fail *fail)
{
    enum fl_err err = FL_OK;
    uint16_t cap = pci_find_cap(v->pci, PCI_CAP_VENDOR);

    /* The first of a kind is the one that the device prefers (4.1.4.1). */
    for (; cap != 0 && err == FL_OK; cap = pci_find_next_cap(v->pci, cap, PCI_CAP_VENDOR)) {
        if (!range_ok(cap, CAP_SIZE, PCI_CFG_SIZE)) {
            continue;
        }
        uint8_t type = (uint8_t)pci_read(v->pci, (uint16_t)(cap + CAP_CFG_TYPE), 1);
        if (type == CFG_COMMON && v->common.len == 0) {
            err = map_area(v->pci, cap, COMMON_BYTES, &v->common, "common configuration", fail);
        } else if (type == CFG_NOTIFY && v->notify.len == 0 &&
                   range_ok(cap, CAP_SIZE_NOTIFY, PCI_CFG_SIZE)) {
            err = map_area(v->pci, cap, 2, &v->notify, "notify area", fail);
            v->notify_multiplier = pci_read(v->pci, (uint16_t)(cap + CAP_NOTIFY_MULTIPLIER), 4);
        } else if (type == CFG_DEVICE && v->device.len == 0) {
            err = map_area(v->pci, cap, 1, &v->device, "device configuration", fail);
        }
    }
    if (err == FL_OK && (v->common.len == 0 || v->notify.len == 0 || v->device.len == 0)) {
        err = FL_FAIL_MORE(fail, FL_ENOTSUP, "virtio capabilities",
                           (.hint = "in QEMU use virtio-net-pci with disable-modern=off"),
                           "the device lacks the modern interface:%s%s%s",
                           v->common.len == 0 ? " common" : "", v->notify.len == 0 ? " notify" : "",
                           v->device.len == 0 ? " device" : "");
    }
    return err;
}

static enum fl_err look_reset(void *ctx, struct wait_report *last, struct fl_fail *fail)
{
    const uint8_t status = virtio_pci_status(ctx);

    (void)fail;
    if (status == 0) {
        return FL_OK;
    }
    if (last != NULL) {
        snprintf(last->where, sizeof(last->where), "device_status");
        snprintf(last->text, sizeof(last->text), "reads 0x%02x, expected 0", status);
        last->seen = status;
    }
    return FL_EBUSY;
}

enum fl_err virtio_pci_open(struct virtio_pci *v, const struct pci_dev *pci, struct fl_fail *fail)
{
    *v = (struct virtio_pci){.pci = pci};
    pci_enable(pci, true, (pci_read(pci, PCI_CFG_COMMAND, 2) & PCI_COMMAND_MASTER) != 0);
    enum fl_err err = find_areas(v, fail);
    if (err != FL_OK) {
        return err;
    }
    common_w8(v, COMMON_STATUS, 0);
    static const struct wait reset = {.what = "the device to come out of its reset",
                                      .timeout_us = RESET_DEADLINE_US,
                                      .step_us = RESET_POLL_US};
    err = wait_until(&reset, look_reset, v, fail);
    if (err != FL_OK) {
        return err;
    }
    pci_enable(pci, true, true);
    add_status(v, VIRTIO_STATUS_ACKNOWLEDGE);
    add_status(v, VIRTIO_STATUS_DRIVER);
    return FL_OK;
}

enum fl_err virtio_pci_negotiate(struct virtio_pci *v, uint64_t needed, uint64_t wanted,
                                 struct fl_fail *fail)
{
    common_w32(v, COMMON_DEVICE_FEATURE_SELECT, 0);
    uint64_t offered = common32(v, COMMON_DEVICE_FEATURE);
    common_w32(v, COMMON_DEVICE_FEATURE_SELECT, 1);
    offered |= (uint64_t)common32(v, COMMON_DEVICE_FEATURE) << 32;
    /* Of all-ones nothing is true. */
    if (offered == UINT64_MAX || (offered & needed) != needed) {
        return FL_FAIL(fail, offered == UINT64_MAX ? FL_ELINKLOST : FL_ENOTSUP, "features",
                       "the device offers 0x%llx, needed 0x%llx", (unsigned long long)offered,
                       (unsigned long long)needed);
    }
    v->features = offered & (needed | wanted);
    for (uint32_t i = 0; i < 2; i++) {
        common_w32(v, COMMON_DRIVER_FEATURE_SELECT, i);
        common_w32(v, COMMON_DRIVER_FEATURE, (uint32_t)(v->features >> 32 * i));
    }
    add_status(v, VIRTIO_STATUS_FEATURES_OK);
    uint8_t status = virtio_pci_status(v);
    if ((status & VIRTIO_STATUS_FEATURES_OK) == 0) {
        return FL_FAIL(fail, FL_ENOTSUP, "features",
                       "the device refuses 0x%llx of its 0x%llx: status 0x%02x",
                       (unsigned long long)v->features, (unsigned long long)offered, status);
    }
    return FL_OK;
}

enum fl_err virtio_pci_queue_size(struct virtio_pci *v, uint16_t index, uint16_t *size,
                                  struct fl_fail *fail)
{
    uint16_t queues = common16(v, COMMON_NUM_QUEUES);
    if (index >= queues) {
        return FL_FAIL(fail, FL_ENOTSUP, "num_queues", "the device has %u queues, queue %u needed",
                       queues, index);
    }
    common_w16(v, COMMON_QUEUE_SELECT, index);
    uint16_t max = common16(v, COMMON_QUEUE_SIZE);
    if (max == 0 || !is_aligned_u64(max, max)) {
        return FL_FAIL(fail, FL_EBADDATA, "queue_size",
                       "queue %u has size %u, expected a power of two", index, max);
    }
    if (*size > max) {
        *size = max;
    }
    return FL_OK;
}

enum fl_err virtio_pci_queue_start(struct virtio_pci *v, uint16_t index,
                                   struct virtio_queue_setup *setup, uint16_t vector,
                                   struct fl_fail *fail)
{
    common_w16(v, COMMON_QUEUE_SELECT, index);
    setup->notify_off = (uint64_t)common16(v, COMMON_QUEUE_NOTIFY_OFF) * v->notify_multiplier;
    if (!range_ok(setup->notify_off, 2, v->notify.len) || setup->notify_off % 2 != 0) {
        return FL_FAIL(fail, FL_EBADDATA, "queue_notify_off",
                       "queue %u is notified at 0x%llx, the area has 0x%llx bytes", index,
                       (unsigned long long)setup->notify_off, (unsigned long long)v->notify.len);
    }
    common_w16(v, COMMON_QUEUE_SIZE, setup->size);
    common_w16(v, COMMON_QUEUE_VECTOR, vector);
    uint16_t got = common16(v, COMMON_QUEUE_VECTOR);
    if (got != vector) {
        return FL_FAIL(fail, FL_EIO, "queue_msix_vector",
                       "queue %u: wrote 0x%x, reads 0x%x: no interrupt to be had", index, vector,
                       got);
    }
    common_w64(v, COMMON_QUEUE_DESC, setup->desc.raw);
    common_w64(v, COMMON_QUEUE_AVAIL, setup->avail.raw);
    common_w64(v, COMMON_QUEUE_USED, setup->used.raw);
    common_w16(v, COMMON_QUEUE_ENABLE, 1);
    return FL_OK;
}

enum fl_err virtio_pci_config_vector(struct virtio_pci *v, uint16_t vector, struct fl_fail *fail)
{
    common_w16(v, COMMON_CONFIG_VECTOR, vector);
    uint16_t got = common16(v, COMMON_CONFIG_VECTOR);
    if (got != vector) {
        return FL_FAIL(fail, FL_EIO, "config_msix_vector", "wrote 0x%x, reads 0x%x", vector, got);
    }
    return FL_OK;
}

void virtio_pci_driver_ok(struct virtio_pci *v) { add_status(v, VIRTIO_STATUS_DRIVER_OK); }

void virtio_pci_stop(struct virtio_pci *v)
{
    common_w8(v, COMMON_STATUS, 0);
    pci_enable(v->pci, true, false);
}
