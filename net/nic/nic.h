/* SPDX-License-Identifier: MIT */
/*
 * Network cards. A driver knows one family of controllers and nothing of lwIP: it hands received
 * frames to nic->receive and takes frames as lists of pieces. README.md says how to add one.
 *
 * probe() runs in a fiber of its own and may yield; all others run in the network fiber and do not.
 * Descriptors and buffers are shared with a device that may write anything into them at any time:
 * indices, identifiers and lengths are checked before use, and a frame is read exactly once, by the
 * receiver's copy.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "arch/fiber.h"
#include "pci/pci.h"

#define NIC_FRAME_MIN 14u   /* an Ethernet header */
#define NIC_FRAME_MAX 1518u /* with a VLAN tag, without the check sequence */
#define NIC_MTU       1500u

struct nic_stats {
    uint64_t rx_packets, rx_bytes;
    uint64_t rx_errors;  /* frames that the device marked bad or whose length is impossible */
    uint64_t rx_dropped; /* good frames for which there was no buffer */
    uint64_t tx_packets, tx_bytes;
    uint64_t tx_full;             /* sends refused because the ring was full */
    uint64_t kicks;               /* doorbell writes */
    volatile uint64_t interrupts; /* counted in the handler */
};

struct nic_piece {
    const void *data;
    size_t len;
};

struct nic;
struct nic_driver {
    const char *name;
    bool (*match)(const struct pci_dev *pci);
    /* Brings the device up, interrupts on, ready to receive. wake is signalled by its interrupts.
     * *out is owned by the driver and lives for ever. Yields. */
    enum fl_err (*probe)(const struct pci_dev *pci, struct event *wake, struct nic **out,
                         struct fl_fail *fail);
    /* Hands up to budget received frames to nic->receive, takes finished sends back, follows the
     * link. Returns how many frames; budget means that there may be more. */
    unsigned (*poll)(struct nic *nic, unsigned budget);
    /* Asks for an interrupt on the next frame. True when one came in meanwhile: poll again. */
    bool (*arm)(struct nic *nic);
    /* Queues one frame, copying it. FL_ENOSPC when the ring is full: nic->tx_waiting is set, and
     * cleared by the poll() that found room again (the device interrupts for that). */
    enum fl_err (*send)(struct nic *nic, const struct nic_piece *pieces, size_t count);
    /* Tells the device about everything queued since the last flush. */
    void (*flush)(struct nic *nic);
    /* Stops DMA and interrupts, for power-off and reset. */
    void (*stop)(struct nic *nic);
};

struct nic {
    const struct nic_driver *driver; /* static */
    const struct pci_dev *pci;       /* borrowed, lives as long */
    uint8_t mac[6];
    bool link;
    uint16_t speed_mbps; /* 0: unknown or virtual */
    bool tx_waiting;
    bool broken; /* the device broke the rules: why is in fail; it is left alone from then on */
    struct fl_fail fail;
    struct nic_stats stats;
    /* Set by the owner before the first poll(). frame is shared with the device: copy it at once.
     */
    void (*receive)(struct nic *nic, const void *frame, size_t len);
    void *owner;
};

/* Sums the pieces; FL_EINVAL when that is no frame (NIC_FRAME_MIN to NIC_FRAME_MAX bytes). */
FL_MUST_CHECK enum fl_err nic_frame_len(const struct nic_piece *pieces, size_t count, size_t *len);
/* Copies all pieces to out, which has room for them. */
void nic_gather(void *out, const struct nic_piece *pieces, size_t count);

/* Gives the device up: records why and where (the caller's line), logs it, stops it. Later calls
 * change nothing. */
void nic_break(struct nic *nic, const char *what, const char *file, int line, const char *fmt, ...)
    FL_PRINTF(5, 6);
#define NIC_BREAK(nic, what, ...) nic_break((nic), (what), __FILE__, __LINE__, __VA_ARGS__)
