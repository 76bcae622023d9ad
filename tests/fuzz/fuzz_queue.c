/* SPDX-License-Identifier: MIT */
/*
 * The message rings against a hostile GSP: the input is a list of things it does to shared memory
 * between our calls. Checked: what comes out lies in the buffer, our pointers stay in range, and a
 * message that was accepted obeys the rules. ASan watches the memory.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gsp/rpc/queue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct input {
    const uint8_t *p;
    size_t left;
};
static uint32_t take(struct input *in, unsigned bytes)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < bytes && in->left > 0; i++) {
        v |= (uint32_t)*in->p++ << (8 * i);
        in->left--;
    }
    return v;
}

static uint8_t *region, *buf;

/* A message that is right but for what the input changes. */
static void plausible(struct gsp_queue *q, struct input *in, uint32_t *gsp_write)
{
    uint8_t head[80] = {0};
    const uint32_t length = 32 + take(in, 2);
    const uint32_t slots = (48 + length + 4095) / 4096;
    uint8_t *ring = region + GSP_QUEUE_STAT_OFFSET + 4096;

    put_le32(head + 0x24, q->rx_seq);
    put_le32(head + 0x28, slots);
    put_le32(head + 0x30, 0x03000000);
    put_le32(head + 0x34, 0x43505256);
    put_le32(head + 0x38, length);
    put_le32(head + 0x3c, 0x1000 + take(in, 1));
    const uint32_t where = take(in, 1);
    if (where < sizeof(head)) {
        head[where] ^= (uint8_t)take(in, 1);
    }
    /* Sum of the ring's bytes as they are, so that many messages pass. */
    uint8_t *copy = malloc(48 + (size_t)length);
    for (size_t i = 0; i < 48 + (size_t)length; i++) {
        const size_t pos = ((size_t)*gsp_write * 4096 + i) % (63u * 4096u);
        copy[i] = i < 80 ? head[i] : ring[pos];
    }
    put_le32(head + 0x20, gsp_msg_checksum(copy, 48 + (size_t)length));
    free(copy);
    for (size_t i = 0; i < 80; i++) {
        ring[((size_t)*gsp_write * 4096 + i) % (63u * 4096u)] = head[i];
    }
    *gsp_write = (*gsp_write + slots) % 63;
    put_le32(region + GSP_QUEUE_STAT_OFFSET + 0x10, *gsp_write);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t header[8] = {0, 0x40000, 4096, 63, 0, 1, 0x20, 4096};
    struct input in = {data, size};
    struct gsp_queue q;
    uint32_t gsp_write = 61;

    if (region == NULL) {
        region = aligned_alloc(4096, GSP_QUEUE_REGION_BYTES);
        buf = malloc(GSP_MSG_MAX_BYTES);
    }
    gsp_queue_init(&q, region, (struct bus_addr){.raw = 0x1000}, &gsp_layout_570_144,
                   take(&in, 1) & 1, NULL, NULL);
    gsp_queue_start_at(&q, 61);
    for (unsigned i = 0; i < 8; i++) {
        if (i != 4) {
            put_le32(region + GSP_QUEUE_STAT_OFFSET + 4 * i, header[i]);
        }
    }
    while (in.left > 0) {
        struct gsp_msg m;
        struct fl_fail fail = {0};
        bool got = false;
        const struct gsp_piece piece = {data, (uint32_t)size};

        switch (take(&in, 1) % 6) {
        case 0:
            plausible(&q, &in, &gsp_write);
            break;
        case 1:
            put_le32(region + GSP_QUEUE_STAT_OFFSET + 0x10, take(&in, 4));
            break;
        case 2:
            put_le32(region + GSP_QUEUE_STAT_OFFSET + 0x20, take(&in, take(&in, 1) & 1 ? 1 : 4));
            break;
        case 3: { /* anywhere, also in our own ring */
            const uint32_t at = take(&in, 3) % GSP_QUEUE_REGION_BYTES;
            region[at] = (uint8_t)take(&in, 1);
            break;
        }
        case 4:
            if (gsp_queue_send(&q, 76, 1, &piece, 1, &fail) == FL_EPROTO) {
                CHECK(q.broken);
            }
            break;
        default:
            break;
        }
        const uint32_t before = q.stat_read;
        const enum fl_err err = gsp_queue_receive(&q, buf, &m, &got, &fail);
        CHECK(err == FL_OK || (err == FL_EPROTO && !got));
        CHECK(q.stat_read < 63 && q.cmd_write < 63 && q.cmd_read < 63);
        if (got) {
            CHECK(m.slots >= 1 && m.slots <= 16 && m.payload == buf + 80);
            CHECK(80 + m.payload_size <= m.slots * 4096 &&
                  80 + m.payload_size > (m.slots - 1) * 4096);
            CHECK(q.stat_read == (before + m.slots) % 63);
        } else {
            CHECK(q.stat_read == before);
        }
    }
    return 0;
}
