/* SPDX-License-Identifier: MIT */
/*
 * A split virtqueue (Virtual I/O Device 1.2, section 2.7) with one descriptor per buffer. The
 * driver keeps its own indices; what the device writes (used ring, event index) is checked against
 * them.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "mm/dma.h"

#define VIRTQ_MAX_SIZE 256u

/* Shared with the device, little-endian. */
struct virtq_desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};
struct virtq_used_elem {
    uint32_t id;
    uint32_t len;
};

struct virtq {
    uint16_t size;           /* a power of two */
    bool event_idx;          /* VIRTIO_F_EVENT_IDX was negotiated */
    struct dma_buf mem;      /* owned; holds the three parts below */
    struct virtq_desc *desc; /* shared with the device, written by us only */
    uint16_t *avail;         /* shared: flags, idx, ring[size], used_event */
    uint16_t *used;          /* shared, written by the device: flags, idx, ring, avail_event */
    struct bus_addr desc_bus, avail_bus, used_bus;
    bool out[VIRTQ_MAX_SIZE]; /* descriptor belongs to the device */
    uint16_t added;           /* our avail idx */
    uint16_t published;       /* the avail idx that the device knows */
    uint16_t taken;           /* our used idx */
    uint16_t in_flight;       /* added and not taken */
};

/* Allocates the rings, empty. size: power of two up to VIRTQ_MAX_SIZE. name: static. */
FL_MUST_CHECK enum fl_err virtq_init(struct virtq *q, uint16_t size, bool event_idx,
                                     const char *name);

/* Describes buffer id; device_writes: for receiving. Only while it is not with the device. */
void virtq_describe(struct virtq *q, uint16_t id, struct bus_addr at, uint32_t len,
                    bool device_writes);
/* Gives buffer id to the device with the next publish. */
void virtq_add(struct virtq *q, uint16_t id);
/* Shows the device what was added. True when it wants to be notified. */
FL_MUST_CHECK bool virtq_publish(struct virtq *q);

enum virtq_taken { VIRTQ_NONE, VIRTQ_GOT, VIRTQ_BROKEN };
/* Takes the next finished buffer. VIRTQ_BROKEN: the device claims what cannot be; *id holds the
 * value that it wrote (an index beyond those in flight, or a buffer that it does not have). */
FL_MUST_CHECK enum virtq_taken virtq_take(struct virtq *q, uint32_t *id, uint32_t *len);

/* Asks for an interrupt when `ahead` (>= 1) more buffers are finished. True when they are already.
 */
FL_MUST_CHECK bool virtq_arm(struct virtq *q, uint16_t ahead);
void virtq_disarm(struct virtq *q);
