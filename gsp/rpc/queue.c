/* SPDX-License-Identifier: MIT */
/* The message rings (queue.h). */
#include "gsp/rpc/queue.h"

#include <string.h>

#include "arch/mmio.h"

/* Values that do not differ between versions. Source: rpc.md A2, A3. */
#define MSGQ_VERSION       0u
#define MSGQ_FLAGS_SWAP_RX 1u
#define MSGQ_RX_HDR_OFFSET 0x20u
#define RPC_HEADER_VERSION 0x03000000u
#define RPC_SIGNATURE      0x43505256u /* "VRPC" */
#define RPC_PENDING        0xffffffffu /* rpc_result of a request */
#define RPC_LENGTH_MAX                                                                             \
    (GSP_MSG_MAX_BYTES - 48u) /* 65488, the biggest rpc.length of every version */

static uint8_t *cmd_base(const struct gsp_queue *q) { return q->region + GSP_QUEUE_CMD_OFFSET; }
static uint8_t *stat_base(const struct gsp_queue *q) { return q->region + GSP_QUEUE_STAT_OFFSET; }

static uint8_t *cmd_write_word(const struct gsp_queue *q)
{
    return cmd_base(q) + q->layout->msgqTxHeader.writePtr.off;
}
static uint8_t *stat_write_word(const struct gsp_queue *q)
{
    return stat_base(q) + q->layout->msgqTxHeader.writePtr.off;
}
/* "Swap rx": each side's read pointer lies in its own ring's memory. */
static uint8_t *cmd_read_word(const struct gsp_queue *q)
{
    return stat_base(q) + MSGQ_RX_HDR_OFFSET + q->layout->msgqRxHeader.readPtr.off;
}
static uint8_t *stat_read_word(const struct gsp_queue *q)
{
    return cmd_base(q) + MSGQ_RX_HDR_OFFSET + q->layout->msgqRxHeader.readPtr.off;
}

static uint8_t *slot_at(uint8_t *ring, uint32_t slot)
{
    return ring + GSP_MSG_SLOT + (size_t)slot * GSP_MSG_SLOT;
}

static uint32_t header_bytes(const struct gsp_queue *q)
{
    return q->layout->GSP_MSG_QUEUE_ELEMENT.rpc_rpc_message_data
        .off; /* 80: element and RPC header */
}
static uint32_t element_bytes(const struct gsp_queue *q)
{
    return q->layout->GSP_MSG_QUEUE_ELEMENT.rpc.off; /* 48 */
}
static uint32_t rpc_bytes(const struct gsp_queue *q)
{
    return header_bytes(q) - element_bytes(q); /* 32 */
}

uint32_t gsp_queue_max_payload(const struct gsp_queue *q) { return RPC_LENGTH_MAX - rpc_bytes(q); }

uint32_t gsp_msg_checksum(const void *data, size_t size)
{
    const uint8_t *p = data;
    uint64_t sum = 0;
    size_t at = 0;

    for (; at + 8 <= size; at += 8) {
        sum ^= get_le64(p + at);
    }
    for (unsigned shift = 0; at < size; at++, shift += 8) {
        sum ^= (uint64_t)p[at] << shift;
    }
    return (uint32_t)(sum >> 32) ^ (uint32_t)sum;
}

void gsp_queue_init(struct gsp_queue *q, void *region, struct bus_addr bus,
                    const struct gsp_layout *layout, bool whole_slots, void (*doorbell)(void *ctx),
                    void *ctx)
{
    *q = (struct gsp_queue){
        .region = region,
        .layout = layout,
        .doorbell = doorbell,
        .ctx = ctx,
        .whole_slots = whole_slots,
    };
    memset(region, 0, GSP_QUEUE_REGION_BYTES);
    for (uint32_t i = 0; i < GSP_QUEUE_REGION_PAGES; i++) {
        put_le64(q->region + GSP_QUEUE_TABLE_OFFSET + 8 * i, bus.raw + (uint64_t)i * GSP_MSG_SLOT);
    }

    uint8_t *h = cmd_base(q);
    const size_t len = layout->msgqTxHeader.total;
    fw_put(h, len, layout->msgqTxHeader.version, MSGQ_VERSION);
    fw_put(h, len, layout->msgqTxHeader.size, GSP_QUEUE_BYTES);
    fw_put(h, len, layout->msgqTxHeader.msgSize, GSP_MSG_SLOT);
    fw_put(h, len, layout->msgqTxHeader.msgCount, GSP_QUEUE_SLOTS);
    fw_put(h, len, layout->msgqTxHeader.flags, MSGQ_FLAGS_SWAP_RX);
    fw_put(h, len, layout->msgqTxHeader.rxHdrOff, MSGQ_RX_HDR_OFFSET);
    fw_put(h, len, layout->msgqTxHeader.entryOff, GSP_MSG_SLOT);
    dma_wmb(); /* before whatever makes the GSP look */
}

void gsp_queue_start_at(struct gsp_queue *q, uint32_t slot)
{
    q->cmd_write = q->cmd_read = q->stat_read = slot % GSP_QUEUE_SLOTS;
    dma_store32(cmd_write_word(q), q->cmd_write);
    dma_store32(cmd_read_word(q), q->cmd_write);
    dma_store32(stat_read_word(q), q->stat_read);
    dma_store32(stat_write_word(q), q->stat_read);
}

static enum fl_err is_broken(struct fl_fail *fail)
{
    return FL_FAIL(fail, FL_EPROTO, "message queue",
                   "the message queue is closed after an earlier protocol error");
}

/* ---- sending ---- */

/* Takes over the GSP's read pointer: it may only move forward, and never past our write pointer. */
static enum fl_err update_cmd_read(struct gsp_queue *q, struct fl_fail *fail)
{
    const uint32_t n = GSP_QUEUE_SLOTS;
    const uint32_t v = dma_load32(cmd_read_word(q));

    if (v == q->cmd_read) {
        return FL_OK;
    }
    const uint32_t outstanding = (q->cmd_write + n - q->cmd_read) % n;
    if (v >= n || (v + n - q->cmd_read) % n > outstanding) {
        q->broken = true;
        return FL_FAIL_MORE(
            fail, FL_EPROTO, "command queue", (FL_SAW(v, q->cmd_read, 0)),
            "the GSP's read pointer is %u, which is not between %u (last seen) and %u "
            "(written), modulo %u",
            (unsigned)v, (unsigned)q->cmd_read, (unsigned)q->cmd_write, (unsigned)n);
    }
    q->cmd_read = v;
    return FL_OK;
}

/* Copies bytes into the ring from byte `at` of the message on; messages wrap from the last slot to
 * the first. */
static void ring_write(struct gsp_queue *q, size_t at, const void *data, size_t size)
{
    const uint8_t *src = data;
    const size_t ring = (size_t)GSP_QUEUE_SLOTS * GSP_MSG_SLOT;
    size_t pos = ((size_t)q->cmd_write * GSP_MSG_SLOT + at) % ring;

    while (size > 0) {
        const size_t n = size < ring - pos ? size : ring - pos;
        if (src != NULL) {
            memcpy(slot_at(cmd_base(q), 0) + pos, src, n);
            src += n;
        } else {
            memset(slot_at(cmd_base(q), 0) + pos, 0, n);
        }
        size -= n;
        pos = 0;
    }
}

/* XOR of a piece that starts `at` bytes into the message. */
static uint64_t xor_piece(uint64_t sum, size_t at, const void *data, size_t size)
{
    const uint8_t *p = data;

    for (; size > 0 && at % 8 != 0; size--) {
        sum ^= (uint64_t)*p++ << (at++ % 8 * 8);
    }
    for (; size >= 8; size -= 8, p += 8) {
        sum ^= get_le64(p);
    }
    for (at = 0; size > 0; size--) {
        sum ^= (uint64_t)*p++ << (at++ * 8);
    }
    return sum;
}

enum fl_err gsp_queue_send(struct gsp_queue *q, uint32_t function, uint32_t sequence,
                           const struct gsp_piece *pieces, size_t count, struct fl_fail *fail)
{
    const struct gsp_layout *l = q->layout;
    uint8_t header[128] = {0};
    const size_t header_size = header_bytes(q);
    uint64_t payload = 0;

    if (q->broken) {
        return is_broken(fail);
    }
    for (size_t i = 0; i < count; i++) {
        payload += pieces[i].size;
    }
    if (payload > gsp_queue_max_payload(q) || header_size > sizeof(header)) {
        return FL_FAIL(fail, FL_EINVAL, "message",
                       "a message of %llu bytes does not fit: at most %u",
                       (unsigned long long)payload, (unsigned)gsp_queue_max_payload(q));
    }
    const enum fl_err err = update_cmd_read(q, fail);
    if (err != FL_OK) {
        return err;
    }
    const uint32_t n = GSP_QUEUE_SLOTS;
    const size_t size = header_size + (size_t)payload;
    const uint32_t slots = (uint32_t)div_up_u64(size, GSP_MSG_SLOT);
    if ((q->cmd_read + n - q->cmd_write - 1) % n < slots) {
        return FL_ENOSPC; /* no words: the caller waits and knows for how long */
    }

    fw_put(header, header_size, l->GSP_MSG_QUEUE_ELEMENT.seqNum, q->tx_seq);
    fw_put(header, header_size, l->GSP_MSG_QUEUE_ELEMENT.elemCount, slots);
    fw_put(header, header_size, l->GSP_MSG_QUEUE_ELEMENT.rpc_header_version, RPC_HEADER_VERSION);
    fw_put(header, header_size, l->GSP_MSG_QUEUE_ELEMENT.rpc_signature, RPC_SIGNATURE);
    fw_put(header, header_size, l->GSP_MSG_QUEUE_ELEMENT.rpc_length, rpc_bytes(q) + payload);
    fw_put(header, header_size, l->GSP_MSG_QUEUE_ELEMENT.rpc_function, function);
    fw_put(header, header_size, l->GSP_MSG_QUEUE_ELEMENT.rpc_rpc_result, RPC_PENDING);
    fw_put(header, header_size, l->GSP_MSG_QUEUE_ELEMENT.rpc_rpc_result_private, RPC_PENDING);
    fw_put(header, header_size, l->GSP_MSG_QUEUE_ELEMENT.rpc_sequence, sequence);

    uint64_t sum = xor_piece(0, 0, header, header_size);
    size_t at = header_size;
    for (size_t i = 0; i < count; i++) {
        sum = xor_piece(sum, at, pieces[i].data, pieces[i].size);
        ring_write(q, at, pieces[i].data, pieces[i].size);
        at += pieces[i].size;
    }
    fw_put(header, header_size, l->GSP_MSG_QUEUE_ELEMENT.checkSum,
           (uint32_t)(sum >> 32) ^ (uint32_t)sum);
    ring_write(q, 0, header, header_size);
    /* Zero to the end of the last slot: then every version's idea of the covered bytes agrees. */
    ring_write(q, at, NULL, (size_t)slots * GSP_MSG_SLOT - at);

    q->cmd_write = (q->cmd_write + slots) % n;
    q->tx_seq++;
    q->sent++;
    dma_store32(cmd_write_word(q),
                q->cmd_write); /* release: the message is there before the pointer */
    dma_mb();                  /* the pointer is there before the doorbell */
    if (q->doorbell != NULL) {
        q->doorbell(q->ctx);
    }
    return FL_OK;
}

/* ---- receiving ---- */

static enum fl_err broken(struct gsp_queue *q, struct fl_fail *fail, const char *what,
                          uint64_t seen, uint64_t expected)
{
    q->broken = true;
    return FL_FAIL_MORE(
        fail, FL_EPROTO, "status queue",
        (FL_SAW(seen, expected, 0),
         .hint = "the firmware version may not be the one in the file's name; keep the "
                 "flight record and logs"),
        "message %u from the GSP is wrong: %s is 0x%llx, expected 0x%llx", (unsigned)q->rx_seq,
        what, (unsigned long long)seen, (unsigned long long)expected);
}

/* The status ring's header, once, before the first message is believed. */
static enum fl_err link_status(struct gsp_queue *q, struct fl_fail *fail)
{
    const struct gsp_layout *l = q->layout;
    uint8_t h[64];
    const size_t len = l->msgqTxHeader.total;

    if (len > sizeof(h)) {
        return broken(q, fail, "size of our own header layout", len, sizeof(h));
    }
    dma_copy_in(h, stat_base(q), len);
    const struct {
        const char *name;
        uint64_t seen, expected;
    } rules[] = {
        {"the status queue header's size", fw_get(h, len, l->msgqTxHeader.size), GSP_QUEUE_BYTES},
        {"the status queue header's msgSize", fw_get(h, len, l->msgqTxHeader.msgSize),
         GSP_MSG_SLOT},
        {"the status queue header's msgCount", fw_get(h, len, l->msgqTxHeader.msgCount),
         GSP_QUEUE_SLOTS},
        {"the status queue header's version", fw_get(h, len, l->msgqTxHeader.version),
         MSGQ_VERSION},
        {"the status queue header's flags", fw_get(h, len, l->msgqTxHeader.flags),
         MSGQ_FLAGS_SWAP_RX},
        {"the status queue header's rxHdrOff", fw_get(h, len, l->msgqTxHeader.rxHdrOff),
         MSGQ_RX_HDR_OFFSET},
        {"the status queue header's entryOff", fw_get(h, len, l->msgqTxHeader.entryOff),
         GSP_MSG_SLOT},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        if (rules[i].seen != rules[i].expected) {
            return broken(q, fail, rules[i].name, rules[i].seen, rules[i].expected);
        }
    }
    q->linked = true;
    return FL_OK;
}

/* Copies size bytes from byte `at` of the message at stat_read on. */
static void ring_read(const struct gsp_queue *q, size_t at, uint8_t *dst, size_t size)
{
    const size_t ring = (size_t)GSP_QUEUE_SLOTS * GSP_MSG_SLOT;
    size_t pos = ((size_t)q->stat_read * GSP_MSG_SLOT + at) % ring;

    while (size > 0) {
        const size_t n = size < ring - pos ? size : ring - pos;
        dma_copy_in(dst, slot_at(stat_base(q), 0) + pos, n);
        dst += n;
        size -= n;
        pos = 0;
    }
}

bool gsp_queue_taken(const struct gsp_queue *q)
{
    return dma_load32(cmd_read_word(q)) == q->cmd_write;
}

bool gsp_queue_pending(const struct gsp_queue *q)
{
    return !q->broken && dma_load32(stat_write_word(q)) != q->stat_read;
}

enum fl_err gsp_queue_receive(struct gsp_queue *q, uint8_t *buf, struct gsp_msg *out, bool *got,
                              struct fl_fail *fail)
{
    const struct gsp_layout *l = q->layout;
    const uint32_t n = GSP_QUEUE_SLOTS;
    const uint32_t hdr = header_bytes(q);
    enum fl_err err;

    *got = false;
    if (q->broken) {
        return is_broken(fail);
    }
    const uint32_t write =
        dma_load32(stat_write_word(q)); /* acquire: the message after the pointer */
    if (write == q->stat_read) {
        return FL_OK;
    }
    if (write >= n) {
        return broken(q, fail, "the write pointer (which must be below the expected value)", write,
                      n);
    }
    if (!q->linked && (err = link_status(q, fail)) != FL_OK) {
        return err;
    }
    const uint32_t available = (write + n - q->stat_read) % n;

    /* The header leaves shared memory here, once; everything below looks at the copy. */
    ring_read(q, 0, buf, hdr);
    const uint32_t length = (uint32_t)fw_get(buf, hdr, l->GSP_MSG_QUEUE_ELEMENT.rpc_length);
    const uint32_t elements = (uint32_t)fw_get(buf, hdr, l->GSP_MSG_QUEUE_ELEMENT.elemCount);
    const uint32_t signature = (uint32_t)fw_get(buf, hdr, l->GSP_MSG_QUEUE_ELEMENT.rpc_signature);
    const uint32_t version =
        (uint32_t)fw_get(buf, hdr, l->GSP_MSG_QUEUE_ELEMENT.rpc_header_version);
    const uint32_t seq = (uint32_t)fw_get(buf, hdr, l->GSP_MSG_QUEUE_ELEMENT.seqNum);

    if (length < rpc_bytes(q)) {
        return broken(q, fail, "its length (at least the expected value)", length, rpc_bytes(q));
    }
    if (length > RPC_LENGTH_MAX) {
        return broken(q, fail, "its length (at most the expected value)", length, RPC_LENGTH_MAX);
    }
    const uint32_t size = element_bytes(q) + length;
    const uint32_t slots = (uint32_t)div_up_u64(size, GSP_MSG_SLOT);
    if (elements != slots) {
        return broken(q, fail, "its element count", elements, slots);
    }
    if (slots > available) {
        q->incomplete++; /* OGKM takes this for "not all there yet" and looks again: so do we */
        return FL_OK;
    }
    if (signature != RPC_SIGNATURE) {
        return broken(q, fail, "its signature", signature, RPC_SIGNATURE);
    }
    if (version != RPC_HEADER_VERSION) {
        return broken(q, fail, "its header version", version, RPC_HEADER_VERSION);
    }
    const uint32_t covered = q->whole_slots ? slots * GSP_MSG_SLOT : size;
    ring_read(q, hdr, buf + hdr, covered - hdr);
    const uint32_t sum = gsp_msg_checksum(buf, covered);
    if (sum != 0) {
        return broken(q, fail, "its checksum's remainder", sum, 0);
    }
    if (seq != q->rx_seq) {
        return broken(q, fail, "its sequence number", seq, q->rx_seq);
    }

    *out = (struct gsp_msg){
        .function = (uint32_t)fw_get(buf, hdr, l->GSP_MSG_QUEUE_ELEMENT.rpc_function),
        .result = (uint32_t)fw_get(buf, hdr, l->GSP_MSG_QUEUE_ELEMENT.rpc_rpc_result),
        .sequence = (uint32_t)fw_get(buf, hdr, l->GSP_MSG_QUEUE_ELEMENT.rpc_sequence),
        .payload_size = size - hdr,
        .slots = slots,
        .payload = buf + hdr,
    };
    *got = true;
    q->rx_seq++;
    q->received++;
    q->stat_read = (q->stat_read + slots) % n;
    dma_mb(); /* our reads are done before the slots are given back */
    dma_store32(stat_read_word(q), q->stat_read);
    return FL_OK;
}
