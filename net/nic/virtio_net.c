/* SPDX-License-Identifier: MIT */
/*
 * virtio-net (Virtual I/O Device 1.2, section 5.1): one receive and one transmit queue, no
 * offloads. Without VIRTIO_NET_F_CTRL_RX the device filters nothing: multicast frames come in.
 *
 * What a request costs decides its speed on an emulated machine: one interrupt for the frame that
 * comes in and one doorbell for what goes out. With event indices neither queue asks for more: the
 * receive queue interrupts once per arm(), the transmit queue only when somebody waits for room.
 */
#include "net/nic/virtio_net.h"

#include <stdlib.h>

#include "arch/log.h"
#include "mm/dma.h"
#include "net/nic/virtio_pci.h"
#include "net/nic/virtio_queue.h"

/* Device ids (4.1.2): transitional devices offer the modern interface too. */
#define DEVICE_TRANSITIONAL 0x1000u
#define DEVICE_MODERN       0x1041u

#define QUEUE_RX 0u
#define QUEUE_TX 1u
/* Frames of a long answer that are handed over together. While the device is at work it wants no
 * doorbell, so that this costs few. */
#define SEND_AHEAD    4u
#define RING_SIZE     256u
#define VECTOR_QUEUES 0u
#define VECTOR_CONFIG 1u

#define F_MAC    (1ull << 5)
#define F_STATUS (1ull << 16)

/* Device configuration (5.1.4) */
#define CONFIG_MAC     0u
#define CONFIG_STATUS  6u
#define CONFIG_BYTES   8u
#define STATUS_LINK_UP 1u

/* The header in front of each frame (5.1.6); all zero: no offload. */
#define HEADER_BYTES 12u
#define BUFFER_BYTES 2048u
_Static_assert(HEADER_BYTES + NIC_FRAME_MAX <= BUFFER_BYTES, "a frame fits its buffer");

struct virtio_net {
    struct nic nic;
    struct virtio_net *older; /* the one probed before */
    struct virtio_pci v;
    struct virtq rx, tx;
    struct dma_buf rx_mem, tx_mem; /* owned; buffer n belongs to descriptor n */
    uint64_t rx_notify, tx_notify;
    uint16_t tx_free[RING_SIZE]; /* stack of descriptors not in flight */
    uint16_t tx_free_count;
    struct event *wake; /* borrowed */
    volatile bool config_changed;
};

/* All devices ever probed: an interrupt vector, which cannot be given back, may know each of them,
 * so none is freed. */
static struct virtio_net *devices;

static struct virtio_net *to_vn(struct nic *nic)
{
    return CONTAINER_OF(nic, struct virtio_net, nic);
}

/* --- interrupts (these two run with interrupts off) ------------------------------------------- */

static void queue_interrupt(void *arg)
{
    struct virtio_net *vn = arg;
    vn->nic.stats.interrupts++;
    event_signal(vn->wake);
}

static void config_interrupt(void *arg)
{
    struct virtio_net *vn = arg;
    vn->config_changed = true;
    event_signal(vn->wake);
}

static void read_link(struct virtio_net *vn)
{
    vn->nic.link = (vn->v.features & F_STATUS) == 0 ||
                   (virtio_pci_config16(&vn->v, CONFIG_STATUS) & STATUS_LINK_UP) != 0;
}

/* --- transmit --------------------------------------------------------------------------------- */

static void take_sent(struct virtio_net *vn)
{
    uint32_t id, len;
    enum virtq_taken got;
    while ((got = virtq_take(&vn->tx, &id, &len)) == VIRTQ_GOT) {
        vn->tx_free[vn->tx_free_count++] = (uint16_t)id;
    }
    if (got == VIRTQ_BROKEN) {
        NIC_BREAK(&vn->nic, "transmit used ring",
                  "the device returns 0x%x with %u buffers in flight", (unsigned)id,
                  vn->tx.in_flight);
    } else if (vn->nic.tx_waiting && vn->tx_free_count >= vn->tx.size / 4) {
        vn->nic.tx_waiting = false;
        virtq_disarm(&vn->tx);
    }
}

static void vn_flush(struct nic *nic)
{
    struct virtio_net *vn = to_vn(nic);
    if (!nic->broken && virtq_publish(&vn->tx)) {
        nic->stats.kicks++;
        virtio_pci_notify(&vn->v, vn->tx_notify, QUEUE_TX);
    }
}

static enum fl_err vn_send(struct nic *nic, const struct nic_piece *pieces, size_t count)
{
    struct virtio_net *vn = to_vn(nic);
    size_t len;

    enum fl_err err = nic_frame_len(pieces, count, &len);
    if (err != FL_OK) {
        return err;
    }
    if (vn->tx_free_count == 0) {
        take_sent(vn);
    }
    if (nic->broken) {
        return FL_EIO;
    }
    if (vn->tx_free_count == 0) {
        nic->stats.tx_full++;
        nic->tx_waiting = true;
        vn_flush(nic); /* the device must know what it is to finish */
        return FL_ENOSPC;
    }
    uint16_t id = vn->tx_free[--vn->tx_free_count];
    uint64_t at = (uint64_t)id * BUFFER_BYTES;
    uint8_t *buf = (uint8_t *)vn->tx_mem.cpu + at; /* the header in front is zero for ever */
    nic_gather(buf + HEADER_BYTES, pieces, count);
    virtq_describe(&vn->tx, id, (struct bus_addr){vn->tx_mem.bus.raw + at},
                   (uint32_t)(HEADER_BYTES + len), false);
    virtq_add(&vn->tx, id);
    nic->stats.tx_packets++;
    nic->stats.tx_bytes += len;
    if ((uint16_t)(vn->tx.added - vn->tx.published) >= SEND_AHEAD) {
        vn_flush(nic);
    }
    return FL_OK;
}

/* --- receive ---------------------------------------------------------------------------------- */

static void notify_rx(struct virtio_net *vn)
{
    if (virtq_publish(&vn->rx)) {
        vn->nic.stats.kicks++;
        virtio_pci_notify(&vn->v, vn->rx_notify, QUEUE_RX);
    }
}

static void receive_one(struct virtio_net *vn, uint32_t id, uint32_t len)
{
    struct nic *nic = &vn->nic;
    if (len < HEADER_BYTES + NIC_FRAME_MIN || len > HEADER_BYTES + NIC_FRAME_MAX) {
        nic->stats.rx_errors++;
        return;
    }
    const uint8_t *buf = (const uint8_t *)vn->rx_mem.cpu + (uint64_t)id * BUFFER_BYTES;
    nic->stats.rx_packets++;
    nic->stats.rx_bytes += len - HEADER_BYTES;
    nic->receive(nic, buf + HEADER_BYTES, len - HEADER_BYTES);
}

static unsigned vn_poll(struct nic *nic, unsigned budget)
{
    struct virtio_net *vn = to_vn(nic);
    enum virtq_taken got = VIRTQ_NONE;
    uint32_t id, len;
    unsigned n = 0;

    if (nic->broken) {
        return 0;
    }
    if (vn->config_changed) {
        vn->config_changed = false; /* before the look: a later change signals again */
        uint8_t status = virtio_pci_status(&vn->v);
        if ((status & VIRTIO_STATUS_NEEDS_RESET) != 0) {
            NIC_BREAK(nic, "device_status", "reads 0x%02x: the device asks for a reset", status);
            return 0;
        }
        read_link(vn);
    }
    take_sent(vn);
    if (!vn->rx.event_idx) {
        virtq_disarm(&vn->rx);
    }
    while (n < budget && !nic->broken && (got = virtq_take(&vn->rx, &id, &len)) == VIRTQ_GOT) {
        receive_one(vn, id, len);
        virtq_add(&vn->rx, (uint16_t)id);
        if (n++ == 0) {
            vn_flush(nic); /* the device sends the first answer while the next is made */
        }
    }
    if (got == VIRTQ_BROKEN) {
        NIC_BREAK(nic, "receive used ring", "the device returns 0x%x with %u buffers in flight",
                  (unsigned)id, vn->rx.in_flight);
    }
    if (!nic->broken) {
        notify_rx(vn);
    }
    return n;
}

static bool vn_arm(struct nic *nic)
{
    struct virtio_net *vn = to_vn(nic);
    if (nic->broken) {
        return false;
    }
    bool more = virtq_arm(&vn->rx, 1);
    if (nic->tx_waiting) {
        more |= virtq_arm(&vn->tx, (uint16_t)(vn->tx.size / 4));
    }
    return more || vn->config_changed;
}

/* --- bring-up --------------------------------------------------------------------------------- */

static bool vn_match(const struct pci_dev *pci)
{
    return pci->vendor == VIRTIO_PCI_VENDOR &&
           (pci->device == DEVICE_TRANSITIONAL || pci->device == DEVICE_MODERN);
}

static enum fl_err setup_queue(struct virtio_net *vn, uint16_t index, struct virtq *q,
                               struct dma_buf *buffers, uint64_t *notify, struct fl_fail *fail)
{
    bool rx = index == QUEUE_RX;
    uint16_t size = RING_SIZE;
    enum fl_err err = virtio_pci_queue_size(&vn->v, index, &size, fail);
    if (err != FL_OK) {
        return err;
    }
    err = virtq_init(q, size, (vn->v.features & VIRTIO_F_EVENT_IDX) != 0, "virtio-net ring");
    if (err == FL_OK) {
        err = dma_alloc(buffers, (uint64_t)size * BUFFER_BYTES, FL_PAGE_SIZE, 64,
                        "virtio-net buffers");
    }
    if (err != FL_OK) {
        return FL_FAIL(fail, err, "queue memory", "no DMA memory for queue %u of %u entries", index,
                       size);
    }
    for (uint16_t i = 0; i < size; i++) {
        if (rx) {
            virtq_describe(q, i, (struct bus_addr){buffers->bus.raw + (uint64_t)i * BUFFER_BYTES},
                           BUFFER_BYTES, true);
            virtq_add(q, i);
        } else {
            vn->tx_free[vn->tx_free_count++] = i;
        }
    }
    virtq_disarm(q);
    struct virtio_queue_setup setup = {
        .size = size, .desc = q->desc_bus, .avail = q->avail_bus, .used = q->used_bus};
    err = virtio_pci_queue_start(&vn->v, index, &setup, VECTOR_QUEUES, fail);
    *notify = setup.notify_off;
    return err;
}

static enum fl_err setup_interrupts(struct virtio_net *vn, struct fl_fail *fail)
{
    struct irq_msi irq;
    enum fl_err err =
        pci_enable_msix_entry(vn->v.pci, VECTOR_QUEUES, "virtio-net", queue_interrupt, vn, &irq);
    if (err != FL_OK) {
        return FL_FAIL(fail, err, "MSI-X", "cannot set up the interrupt of the queues: %s",
                       fl_err_name(err));
    }
    /* One vector more tells changes of the link. A device that has none loses that only. */
    err = pci_enable_msix_entry(vn->v.pci, VECTOR_CONFIG, "virtio-net link", config_interrupt, vn,
                                &irq);
    return virtio_pci_config_vector(&vn->v, err == FL_OK ? VECTOR_CONFIG : VIRTIO_NO_VECTOR, fail);
}

static enum fl_err read_config(struct virtio_net *vn, struct fl_fail *fail)
{
    if (vn->v.device.len < CONFIG_BYTES) {
        return FL_FAIL(fail, FL_EBADDATA, "device configuration", "%llu bytes, expected %u",
                       (unsigned long long)vn->v.device.len, CONFIG_BYTES);
    }
    for (unsigned i = 0; i < sizeof(vn->nic.mac); i++) {
        vn->nic.mac[i] = virtio_pci_config8(&vn->v, CONFIG_MAC + i);
    }
    if ((vn->nic.mac[0] & 1) != 0) { /* a multicast address; all-ones is one too */
        return FL_FAIL(fail, FL_EBADDATA, "MAC address",
                       "the first byte is 0x%02x, a group address", vn->nic.mac[0]);
    }
    return FL_OK;
}

static enum fl_err bring_up(struct virtio_net *vn, const struct pci_dev *pci, struct fl_fail *fail)
{
    enum fl_err err = virtio_pci_open(&vn->v, pci, fail);
    fiber_yield_if_long(); /* emulated devices take milliseconds to reset; so does fresh memory */
    if (err == FL_OK) {
        err = virtio_pci_negotiate(&vn->v, VIRTIO_F_VERSION_1 | F_MAC,
                                   F_STATUS | VIRTIO_F_EVENT_IDX | VIRTIO_F_ACCESS_PLATFORM, fail);
    }
    if (err == FL_OK) {
        err = read_config(vn, fail);
    }
    if (err == FL_OK) {
        err = setup_interrupts(vn, fail);
    }
    if (err == FL_OK) {
        err = setup_queue(vn, QUEUE_RX, &vn->rx, &vn->rx_mem, &vn->rx_notify, fail);
        fiber_yield_if_long();
    }
    if (err == FL_OK) {
        err = setup_queue(vn, QUEUE_TX, &vn->tx, &vn->tx_mem, &vn->tx_notify, fail);
        fiber_yield_if_long();
    }
    return err;
}

static void vn_stop(struct nic *nic)
{
    struct virtio_net *vn = to_vn(nic);
    virtio_pci_stop(&vn->v);
    pci_disable_msi(vn->v.pci);
}

static enum fl_err vn_probe(const struct pci_dev *pci, struct event *wake, struct nic **out,
                            struct fl_fail *fail)
{
    struct virtio_net *vn = calloc(1, sizeof(*vn));
    if (vn == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, "virtio-net", "no memory for the driver");
    }
    vn->older = devices;
    devices = vn;
    vn->nic.driver = &virtio_net_driver;
    vn->nic.pci = pci;
    vn->wake = wake;
    enum fl_err err = bring_up(vn, pci, fail);
    if (err != FL_OK) {
        /* Buffers stay too: nothing proves that a device that failed here has let go of them. */
        if (vn->v.common.len != 0) {
            vn_stop(&vn->nic);
        }
        pci_enable(pci, true, false); /* as the firmware may have left it */
        return err;
    }
    virtio_pci_driver_ok(&vn->v);
    read_link(vn);
    notify_rx(vn);
    *out = &vn->nic;
    return FL_OK;
}

const struct nic_driver virtio_net_driver = {
    .name = "virtio-net",
    .match = vn_match,
    .probe = vn_probe,
    .poll = vn_poll,
    .arm = vn_arm,
    .send = vn_send,
    .flush = vn_flush,
    .stop = vn_stop,
};
