/* SPDX-License-Identifier: MIT */
/*
 * The two message rings between CPU and GSP in one region of shared memory. The engine knows
 * nothing of the GPU: it works on a region and a doorbell, so that tests and fuzzers drive it.
 *
 * The other side is not trusted. Each shared word is loaded once, checked and used from the copy;
 * our own pointers live in private memory and are never read back; a message is copied out whole
 * before anybody parses it, and only the slots between the CPU's read pointer and the checked GSP
 * write pointer are read. A broken rule makes the queue "broken": every later call says so.
 *
 * Layout, pointers, checksum, order: spec rpc.md A1-A8 (OGKM message_queue_cpu.c and msgq.c, nova
 * cmdq.rs). Slots are 4 KiB; a message takes ceil((48 + rpc.length) / 4096) of them in a row; one
 * slot of a ring always stays empty.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "gsp_layout.h"

#define GSP_MSG_SLOT      4096u
#define GSP_QUEUE_BYTES   0x40000u /* of each ring, header page included */
#define GSP_QUEUE_SLOTS   63u      /* (0x40000 - 0x1000) / 0x1000 */
#define GSP_MSG_MAX_SLOTS 16u
#define GSP_MSG_MAX_BYTES (GSP_MSG_MAX_SLOTS * GSP_MSG_SLOT)

/* Where things are in the region. */
#define GSP_QUEUE_TABLE_OFFSET 0u /* u64 bus address of each page of the region */
#define GSP_QUEUE_CMD_OFFSET   0x1000u
#define GSP_QUEUE_STAT_OFFSET  (GSP_QUEUE_CMD_OFFSET + GSP_QUEUE_BYTES)
#define GSP_QUEUE_REGION_BYTES (GSP_QUEUE_STAT_OFFSET + GSP_QUEUE_BYTES) /* 0x81000 */
#define GSP_QUEUE_REGION_PAGES (GSP_QUEUE_REGION_BYTES / GSP_MSG_SLOT)   /* 129 */

/* One message as received: the payload lies in the caller's buffer. */
struct gsp_msg {
    uint32_t function;
    uint32_t result; /* rpc_result */
    uint32_t sequence;
    uint32_t payload_size; /* bytes */
    uint32_t slots;
    const uint8_t *payload; /* into the buffer given to gsp_queue_receive */
};

/* A piece of a payload to send; pieces are put one behind the other. */
struct gsp_piece {
    const void *data;
    uint32_t size;
};

struct gsp_queue {
    uint8_t *region; /* GSP_QUEUE_REGION_BYTES, shared with the GSP; borrowed */
    const struct gsp_layout *layout;
    void (*doorbell)(void *ctx);
    void *ctx;
    bool whole_slots;   /* r535: the checksum of received messages covers the slots' tails */
    uint32_t cmd_write; /* private copies; the shared words are only ever written from them */
    uint32_t cmd_read;  /* last one accepted */
    uint32_t stat_read;
    uint32_t tx_seq, rx_seq; /* element sequence numbers */
    bool linked;             /* the status ring's header was seen and is right */
    bool broken;
    uint32_t incomplete; /* times a message was announced before all its slots were */
    uint64_t sent, received;
};

/* Zeroes the region, writes page table and command header. bus: address of the region as the GSP
 * sees it. The GSP must not be running. */
void gsp_queue_init(struct gsp_queue *q, void *region, struct bus_addr bus,
                    const struct gsp_layout *layout, bool whole_slots, void (*doorbell)(void *ctx),
                    void *ctx);
/* Tests: both sides' pointers at `slot`, before anything was sent. */
void gsp_queue_start_at(struct gsp_queue *q, uint32_t slot);

/* The most payload one message can carry: 65456. More goes into continuation records (rpc.h). */
uint32_t gsp_queue_max_payload(const struct gsp_queue *q);

/* Writes one message and rings the doorbell. FL_ENOSPC: not enough free slots now. FL_EINVAL: too
 * large. FL_EPROTO: the GSP's read pointer is impossible. Does not yield. */
FL_MUST_CHECK enum fl_err gsp_queue_send(struct gsp_queue *q, uint32_t function, uint32_t sequence,
                                         const struct gsp_piece *pieces, size_t count,
                                         struct fl_fail *fail);

/* Takes the next message, if there is one (*got), copying it into buf of GSP_MSG_MAX_BYTES, and
 * gives its slots back. FL_EPROTO when it breaks a rule. Does not yield. */
FL_MUST_CHECK enum fl_err gsp_queue_receive(struct gsp_queue *q, uint8_t *buf, struct gsp_msg *out,
                                            bool *got, struct fl_fail *fail);
/* The GSP has taken all that was sent, by its own word: a single load. */
bool gsp_queue_taken(const struct gsp_queue *q);
/* True when a message seems to wait: a single load, for cheap polling. */
bool gsp_queue_pending(const struct gsp_queue *q);

/* XOR of the bytes as little-endian 64-bit words, the last one zero-extended, halves folded. 0 over
 * a message whose checksum is right. */
uint32_t gsp_msg_checksum(const void *data, size_t size);
