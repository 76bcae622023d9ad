/* SPDX-License-Identifier: MIT */
/*
 * The status queue: messages to the driver, which wait where there is no space; and whether the
 * driver touches what is the GSP's. Layout and rules: rpc.md A1-A9.
 */
#include "tests/model/gsp/gsp_status.h"

#include <stdlib.h>
#include <string.h>

#include "arch/base.h"
#include "gsp_layout.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/names.h"
#include "tests/model/books/strict.h"
#include "tests/model/books/trace.h"
#include "tests/model/books/trace_data.h"
#include "tests/model/bus/work.h"
#include "tests/model/falcon/falcon.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_region.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/gsp/gsp_version.h"

enum {
    MESSAGE_MIN = QUEUE_HEADER_BYTES + RPC_BYTES,
    PAYLOAD_MAX = GSP_MSG_MAX_BYTES - MESSAGE_MIN,
    FUNCTION_CONTINUATION = 71,
    RETRY_NS = 50000,
    RETRY_MAX_NS = 1000000,
    IRQ_SWGEN0 = 1 << 6,
};
#define STUCK_NS 5000000000ull

static void check_slot(struct gpu_model *m, uint32_t slot)
{
    struct gsp_queue_state *q = &m->gsp->q;
    uint8_t now[QUEUE_SLOT_BYTES];
    if (q->shadow_len[slot] != 0 && model_region_slots(m, true, slot, 1, now, false) &&
        memcmp(now, q->shadow + (size_t)slot * QUEUE_SLOT_BYTES, q->shadow_len[slot]) != 0) {
        model_rule_broken(m, RULE_QUEUE_STATUS_TOUCHED,
                          "status slot %u is not what the GSP wrote there", slot);
    }
    q->shadow_len[slot] = 0;
}

void model_queue_check_status_slots(struct gpu_model *m)
{
    for (uint32_t i = 0; m->gsp->q.up && i < m->gsp->q.stat_slots; i++) {
        check_slot(m, i);
    }
}

/* The driver's read index, checked; false: no use going on. */
static bool status_read_index(struct gpu_model *m, uint32_t *read)
{
    struct gsp_queue_state *q = &m->gsp->q;
    uint32_t write, ours;
    if (!model_region_read_u32(m, q->cmd_off + q->cmd_rx_off, read) ||
        !model_region_read_u32(m, q->stat_off + m->gsp->l->msgqTxHeader.writePtr.off, &write) ||
        !model_region_read_u32(m, q->stat_off + q->stat_rx_off, &ours)) {
        return false;
    }
    if (write != q->stat_write || ours != q->cmd_read) {
        model_rule_broken(m, RULE_QUEUE_STATUS_TOUCHED,
                          "status header: writePtr %u readPtr %u; the GSP wrote %u %u", write, ours,
                          q->stat_write, q->cmd_read);
        model_region_write_u32(m, q->stat_off + m->gsp->l->msgqTxHeader.writePtr.off,
                               q->stat_write);
        model_region_write_u32(m, q->stat_off + q->stat_rx_off, q->cmd_read);
    }
    const uint32_t n = q->stat_slots;
    if (*read >= n ||
        (*read + n - q->stat_read_seen) % n > (q->stat_write + n - q->stat_read_seen) % n) {
        model_rule_broken(m, RULE_QUEUE_POINTER,
                          "status readPtr is %u; it was %u and the GSP has written up to %u", *read,
                          q->stat_read_seen, q->stat_write);
        return false;
    }
    q->stat_read_seen = *read;
    return true;
}

/* Lays one message into the queue if it fits. */
static bool place(struct gpu_model *m, uint8_t *msg, uint32_t len)
{
    struct gsp_queue_state *q = &m->gsp->q;
    const uint32_t slots = (uint32_t)div_up_u64(len, QUEUE_SLOT_BYTES);
    uint32_t read;
    if (!status_read_index(m, &read)) {
        return false;
    }
    if ((read + q->stat_slots - q->stat_write - 1) % q->stat_slots < slots) {
        return false;
    }
    for (uint32_t i = 0; i < slots; i++) {
        const uint32_t slot = (q->stat_write + i) % q->stat_slots;
        uint8_t *shadow = q->shadow + (size_t)slot * QUEUE_SLOT_BYTES;
        const uint32_t done = i * QUEUE_SLOT_BYTES;
        const uint32_t n = len - done < QUEUE_SLOT_BYTES ? len - done : QUEUE_SLOT_BYTES;
        check_slot(m, slot);
        memcpy(shadow, msg + done, n);
        memset(shadow + n, 0, QUEUE_SLOT_BYTES - n); /* both checksum rules then agree */
        model_region_slots(m, true, slot, 1, shadow, true);
        q->shadow_len[slot] = QUEUE_SLOT_BYTES;
    }
    q->stat_write = (q->stat_write + slots) % q->stat_slots;
    model_region_write_u32(m, q->stat_off + m->gsp->l->msgqTxHeader.writePtr.off, q->stat_write);
    q->sent++;
    m->gsp_falcon->irqstat |= IRQ_SWGEN0;
    model_falcon_causes(m, m->gsp_falcon);
    return true;
}

void model_queue_flush(struct gpu_model *m)
{
    struct gsp_queue_state *q = &m->gsp->q;
    uint64_t held_ns;
    if (m->faults->count != 0 && model_fault_holds(m, &held_ns)) {
        if (held_ns != UINT64_MAX) {
            model_schedule(m, WORK_GSP_TX, held_ns);
        }
        return;
    }
    while (q->up && q->out_at != q->out_len) {
        const uint32_t len = get_le32(q->out + q->out_at);
        if (!place(m, q->out + q->out_at + 4, len)) {
            const uint64_t now = model_now(m);
            q->blocked_since_ns = q->blocked_since_ns != 0 ? q->blocked_since_ns : now;
            if (now - q->blocked_since_ns > STUCK_NS && !q->blocked_said) {
                model_rule_broken(m, RULE_QUEUE_STUCK,
                                  "no space for a message for 5 s: writePtr %u, readPtr %u of %u",
                                  q->stat_write, q->stat_read_seen, q->stat_slots);
                q->blocked_said = true;
            }
            const uint64_t waited = now - q->blocked_since_ns; /* less and less often */
            model_schedule(m, WORK_GSP_TX,
                           waited < RETRY_NS ? RETRY_NS : min_u64(waited, RETRY_MAX_NS));
            return;
        }
        q->blocked_since_ns = 0;
        q->out_at += 4 + (size_t)len;
    }
    q->out_at = q->out_len = 0;
}

/* Moves what still waits to the front, when half of the room before it is used up. */
static void close_up(struct gsp_queue_state *q)
{
    if (q->out_at > q->out_cap / 2) {
        q->out_len -= q->out_at;
        memmove(q->out, q->out + q->out_at, q->out_len);
        q->out_at = 0;
    }
}

static void append(struct gpu_model *m, const uint8_t *msg, uint32_t len)
{
    struct gsp_queue_state *q = &m->gsp->q;
    enum { OUT_MAX = 16 << 20 };
    close_up(q);
    const size_t need = q->out_len + 4 + len;
    if (need > q->out_cap) {
        const size_t cap = need * 2;
        uint8_t *out = cap <= OUT_MAX ? realloc(q->out, cap) : NULL;
        if (out == NULL) {
            return;
        }
        q->out = out;
        q->out_cap = cap;
    }
    put_le32(q->out + q->out_len, len);
    memcpy(q->out + q->out_len + 4, msg, len);
    q->out_len = need;
}

static void send_record(struct gpu_model *m, uint32_t function, uint32_t result, uint32_t sequence,
                        const uint8_t *payload, uint32_t len, uint32_t extra)
{
    uint8_t *msg = m->buf->out;
    const struct gsp_layout *l = m->gsp->l;
    const uint32_t total = MESSAGE_MIN + len + extra;
    const uint32_t covered = m->gsp->v->whole_slot_checksum ? total : MESSAGE_MIN + len;
    memset(msg, 0, MESSAGE_MIN);
    if (len + extra != 0) {
        memcpy(msg + MESSAGE_MIN, payload, (size_t)len + extra);
    }
    put_le32(msg + l->GSP_MSG_QUEUE_ELEMENT.seqNum.off, m->gsp->q.stat_seq++);
    put_le32(msg + l->GSP_MSG_QUEUE_ELEMENT.elemCount.off,
             (uint32_t)div_up_u64(total, QUEUE_SLOT_BYTES));
    put_le32(msg + l->GSP_MSG_QUEUE_ELEMENT.rpc_header_version.off, RPC_VERSION);
    put_le32(msg + l->GSP_MSG_QUEUE_ELEMENT.rpc_signature.off, RPC_SIGNATURE);
    put_le32(msg + l->GSP_MSG_QUEUE_ELEMENT.rpc_length.off, RPC_BYTES + len);
    put_le32(msg + l->GSP_MSG_QUEUE_ELEMENT.rpc_function.off, function);
    put_le32(msg + l->GSP_MSG_QUEUE_ELEMENT.rpc_rpc_result.off, result);
    put_le32(msg + l->GSP_MSG_QUEUE_ELEMENT.rpc_sequence.off, sequence);
    put_le32(msg + l->GSP_MSG_QUEUE_ELEMENT.checkSum.off, model_queue_checksum(msg, covered));
    model_trace_text(m, "message to the driver: function 0x%x %s result 0x%x, %u bytes of payload",
                     function, model_function_name(m, function), result, len);
    bool twice = false;
    if (m->faults->count == 0 || model_fault_message(m, function, msg, total, &twice)) {
        append(m, msg, total);
        if (twice) {
            append(m, msg, total);
        }
    }
}

void model_queue_send(struct gpu_model *m, uint32_t function, uint32_t result, uint32_t sequence,
                      const void *payload, uint32_t len, uint32_t extra)
{
    const uint8_t *p = payload;
    if (!m->gsp->q.up) {
        return;
    }
    if (len <= PAYLOAD_MAX) {
        const uint32_t room = PAYLOAD_MAX - len;
        send_record(m, function, result, sequence, p, len, extra < room ? extra : room);
    } else { /* over several records; only the first has the function's own number */
        for (uint32_t done = 0; done < len; done += PAYLOAD_MAX) {
            const uint32_t n = len - done < PAYLOAD_MAX ? len - done : PAYLOAD_MAX;
            send_record(m, done == 0 ? function : FUNCTION_CONTINUATION, result, sequence, p + done,
                        n, 0);
        }
    }
    model_queue_flush(m);
}
