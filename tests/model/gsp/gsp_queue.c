/* SPDX-License-Identifier: MIT */
/*
 * The two message queues from the GSP's side: reads commands, writes status messages, and looks at
 * whether the driver keeps to its half of the agreement. All memory is the guest's; it is read once
 * and copied. Layout and rules: rpc.md A1-A9, boot.md 8.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/model/model_priv.h"

enum {
    TX_BYTES = 32,
    RX_OFF_OURS = 0x20,
    ENTRY_OFF_OURS = 0x1000,
    HEADER_BYTES = 48,
    RPC_BYTES = 32,
    MESSAGE_MIN = HEADER_BYTES + RPC_BYTES,
    RPC_MAX = GSP_MSG_MAX_BYTES - HEADER_BYTES,
    PAYLOAD_MAX = RPC_MAX - RPC_BYTES,
    FUNCTION_CONTINUATION = 71,
    PT_ENTRY = 8,
    PT_ENTRIES_PER_PAGE = 512,
    QUEUE_MIN_BYTES = 2 * QUEUE_SLOT_BYTES,
    RETRY_NS = 50000,
    RETRY_MAX_NS = 1000000,
    IRQ_SWGEN0 = 1 << 6,
};
#define STUCK_NS      5000000000ull
#define RPC_VERSION   0x03000000u
#define RPC_SIGNATURE 0x43505256u /* "VRPC" */

/* Copies between buf and [off, off + len) of the region, through its page table. */
static bool region_copy(struct gpu_model *m, uint64_t off, void *buf, uint32_t len, bool write)
{
    const struct gsp_queue_state *q = &m->gsp.q;
    uint8_t *p = buf;
    if (!range_ok(off, len, (uint64_t)q->page_count * FL_PAGE_SIZE)) {
        return false;
    }
    while (len != 0) {
        const uint32_t in = (uint32_t)(off & (FL_PAGE_SIZE - 1));
        const uint32_t n = len < FL_PAGE_SIZE - in ? len : FL_PAGE_SIZE - in;
        const uint64_t addr = q->page[off >> FL_PAGE_SHIFT] + in;
        if (!(write ? model_dma_write(m, addr, p, n, "message queue")
                    : model_dma_read(m, addr, p, n, "message queue"))) {
            return false;
        }
        p += n;
        off += n;
        len -= n;
    }
    return true;
}

static bool read_u32(struct gpu_model *m, uint64_t off, uint32_t *v)
{
    uint8_t b[4];
    if (!region_copy(m, off, b, sizeof(b), false)) {
        return false;
    }
    *v = get_le32(b);
    return true;
}

static void write_u32(struct gpu_model *m, uint64_t off, uint32_t v)
{
    uint8_t b[4];
    put_le32(b, v);
    region_copy(m, off, b, sizeof(b), true);
}

/* ---- setting up ---- */

static bool setup_error(struct gpu_model *m, const char *what, uint64_t have, uint64_t want)
{
    model_rule_broken(m, RULE_QUEUE_SETUP, "%s is 0x%llx, needs 0x%llx", what,
                      (unsigned long long)have, (unsigned long long)want);
    return false;
}

static bool read_page_table(struct gpu_model *m, uint64_t shared_pa, uint32_t pages)
{
    struct gsp_queue_state *q = &m->gsp.q;
    uint8_t raw[PT_ENTRIES_PER_PAGE * PT_ENTRY];
    if (pages == 0 || pages > PT_ENTRIES_PER_PAGE) {
        return setup_error(m, "pageTableEntryCount", pages, 129);
    }
    if (shared_pa == 0 || !is_aligned_u64(shared_pa, FL_PAGE_SIZE)) {
        return setup_error(m, "sharedMemPhysAddr", shared_pa, FL_PAGE_SIZE);
    }
    if (!model_dma_read(m, shared_pa, raw, (size_t)pages * PT_ENTRY, "queue page table")) {
        return false;
    }
    for (uint32_t i = 0; i < pages; i++) {
        q->page[i] = get_le64(raw + (size_t)i * PT_ENTRY);
        if (q->page[i] == 0 || !is_aligned_u64(q->page[i], FL_PAGE_SIZE)) {
            model_rule_broken(m, RULE_QUEUE_SETUP, "page table entry %u is 0x%llx", i,
                              (unsigned long long)q->page[i]);
            return false;
        }
    }
    if (q->page[0] != shared_pa) {
        return setup_error(m, "page table entry 0", q->page[0], shared_pa);
    }
    q->page_count = pages;
    return true;
}

static bool read_command_header(struct gpu_model *m)
{
    struct gsp_queue_state *q = &m->gsp.q;
    uint8_t tx[TX_BYTES];
    if (!region_copy(m, q->cmd_off, tx, sizeof(tx), false)) {
        return setup_error(m, "cmdQueueOffset", q->cmd_off, FL_PAGE_SIZE);
    }
    const struct gsp_layout *l = m->gsp.l;
    const uint32_t version = (uint32_t)fw_get(tx, sizeof(tx), l->msgqTxHeader.version);
    const uint32_t size = (uint32_t)fw_get(tx, sizeof(tx), l->msgqTxHeader.size);
    const uint32_t slot = (uint32_t)fw_get(tx, sizeof(tx), l->msgqTxHeader.msgSize);
    const uint32_t count = (uint32_t)fw_get(tx, sizeof(tx), l->msgqTxHeader.msgCount);
    const uint32_t write = (uint32_t)fw_get(tx, sizeof(tx), l->msgqTxHeader.writePtr);
    const uint32_t flags = (uint32_t)fw_get(tx, sizeof(tx), l->msgqTxHeader.flags);
    const uint32_t rx = (uint32_t)fw_get(tx, sizeof(tx), l->msgqTxHeader.rxHdrOff);
    const uint32_t entry = (uint32_t)fw_get(tx, sizeof(tx), l->msgqTxHeader.entryOff);
    model_trace_struct(m, l, "msgqTxHeader", tx, sizeof(tx));
    if (version != 0 || slot != QUEUE_SLOT_BYTES || flags != 1) {
        model_rule_broken(m, RULE_QUEUE_SETUP,
                          "command queue header: version %u msgSize 0x%x flags 0x%x; "
                          "needs 0, 0x1000, 1",
                          version, slot, flags);
        return false;
    }
    if (rx < TX_BYTES || entry % QUEUE_SLOT_BYTES != 0 || entry < rx + 4 ||
        size < QUEUE_MIN_BYTES || size <= entry || !range_ok(q->cmd_off, size, q->stat_off) ||
        count != (size - entry) / QUEUE_SLOT_BYTES || count > QUEUE_SLOTS_MAX || count < 2 ||
        write >= count) {
        model_rule_broken(
            m, RULE_QUEUE_SETUP,
            "command queue header: size 0x%x msgCount %u writePtr %u rxHdrOff 0x%x entryOff 0x%x",
            size, count, write, rx, entry);
        return false;
    }
    q->cmd_size = size;
    q->cmd_slots = count;
    q->cmd_rx_off = rx;
    q->entry_off_cmd = entry;
    return true;
}

static void publish_status_header(struct gpu_model *m)
{
    struct gsp_queue_state *q = &m->gsp.q;
    const struct gsp_layout *l = m->gsp.l;
    uint8_t tx[TX_BYTES + 4] = {0};
    const uint32_t size = q->page_count * FL_PAGE_SIZE - (uint32_t)q->stat_off;
    q->entry_off_stat = ENTRY_OFF_OURS;
    q->stat_rx_off = RX_OFF_OURS;
    q->stat_slots = (size - ENTRY_OFF_OURS) / QUEUE_SLOT_BYTES;
    fw_put(tx, sizeof(tx), l->msgqTxHeader.size, size);
    fw_put(tx, sizeof(tx), l->msgqTxHeader.msgSize, QUEUE_SLOT_BYTES);
    fw_put(tx, sizeof(tx), l->msgqTxHeader.msgCount, q->stat_slots);
    fw_put(tx, sizeof(tx), l->msgqTxHeader.flags, 1);
    fw_put(tx, sizeof(tx), l->msgqTxHeader.rxHdrOff, RX_OFF_OURS);
    fw_put(tx, sizeof(tx), l->msgqTxHeader.entryOff, ENTRY_OFF_OURS);
    region_copy(m, q->stat_off, tx, sizeof(tx), true);
}

bool model_queue_init(struct gpu_model *m, uint64_t shared_pa, uint32_t pages, uint64_t cmd_off,
                      uint64_t stat_off)
{
    struct gsp_queue_state *q = &m->gsp.q;
    model_queue_free(m);
    q->cmd_off = cmd_off;
    q->stat_off = stat_off;
    if (!read_page_table(m, shared_pa, pages)) {
        return false;
    }
    const uint64_t bytes = (uint64_t)pages * FL_PAGE_SIZE;
    if (!is_aligned_u64(cmd_off, FL_PAGE_SIZE) || !is_aligned_u64(stat_off, FL_PAGE_SIZE) ||
        cmd_off < FL_PAGE_SIZE || stat_off <= cmd_off ||
        !range_ok(stat_off, 3 * QUEUE_SLOT_BYTES, bytes)) {
        model_rule_broken(
            m, RULE_QUEUE_SETUP, "cmdQueueOffset 0x%llx statQueueOffset 0x%llx in 0x%llx bytes",
            (unsigned long long)cmd_off, (unsigned long long)stat_off, (unsigned long long)bytes);
        return false;
    }
    if (!read_command_header(m)) {
        return false;
    }
    publish_status_header(m);
    q->shadow = malloc((size_t)q->stat_slots * QUEUE_SLOT_BYTES);
    q->up = q->shadow != NULL && q->stat_slots <= QUEUE_SLOTS_MAX;
    return q->up;
}

void model_queue_free(struct gpu_model *m)
{
    struct gsp_queue_state *q = &m->gsp.q;
    free(q->shadow);
    free(q->out);
    memset(q, 0, sizeof(*q));
}

/* ---- checksum ---- */

/* XOR of all 64-bit words folded to 32 bits; a partial last word counts as if zero-padded. */
static uint32_t checksum(const uint8_t *p, size_t len)
{
    uint64_t sum = 0;
    size_t i = 0;
    for (; i + 8 <= len; i += 8) {
        sum ^= get_le64(p + i);
    }
    for (size_t shift = 0; i < len; i++, shift += 8) {
        sum ^= (uint64_t)p[i] << shift;
    }
    return (uint32_t)(sum >> 32) ^ (uint32_t)sum;
}

/* ---- commands ---- */

static uint64_t slot_off(uint64_t queue, uint32_t entry, uint32_t slot)
{
    return queue + entry + (uint64_t)slot * QUEUE_SLOT_BYTES;
}

/* Copies whole slots, wrapping at the end of the queue. */
static bool slots_copy(struct gpu_model *m, bool status, uint32_t first, uint32_t count,
                       uint8_t *buf, bool write)
{
    const struct gsp_queue_state *q = &m->gsp.q;
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t slot = (first + i) % (status ? q->stat_slots : q->cmd_slots);
        const uint64_t off = slot_off(status ? q->stat_off : q->cmd_off,
                                      status ? q->entry_off_stat : q->entry_off_cmd, slot);
        if (!region_copy(m, off, buf + (size_t)i * QUEUE_SLOT_BYTES, QUEUE_SLOT_BYTES, write)) {
            return false;
        }
    }
    return true;
}

static uint32_t u32_at(const uint8_t *p, struct fw_field f) { return get_le32(p + f.off); }

/* Header and checksum of the command in m->msg, which has `slots` slots. */
static void check_command(struct gpu_model *m, uint32_t slots)
{
    const struct gsp_queue_state *q = &m->gsp.q;
    const struct gsp_layout *l = m->gsp.l;
    const uint8_t *p = m->msg;
    const uint32_t length = u32_at(p, l->GSP_MSG_QUEUE_ELEMENT.rpc_length);
    const uint32_t elems = u32_at(p, l->GSP_MSG_QUEUE_ELEMENT.elemCount);
    const uint32_t seq = u32_at(p, l->GSP_MSG_QUEUE_ELEMENT.seqNum);
    const bool whole = m->gsp.v->whole_slot_checksum;
    const uint32_t covered = whole ? slots * QUEUE_SLOT_BYTES : HEADER_BYTES + length;
    const uint32_t sum = checksum(p, covered);
    const uint32_t function = u32_at(p, l->GSP_MSG_QUEUE_ELEMENT.rpc_function);
    if (elems != slots) {
        model_rule_broken(m, RULE_QUEUE_ELEM_COUNT,
                          "function %u: elemCount %u for rpc.length %u, which takes %u", function,
                          elems, length, slots);
    }
    if (sum != 0) {
        model_rule_broken(m, RULE_QUEUE_CHECKSUM,
                          "function %u, message %u: checkSum 0x%08x is off by 0x%08x over %u bytes",
                          function, seq, u32_at(p, l->GSP_MSG_QUEUE_ELEMENT.checkSum), sum,
                          covered);
    }
    if (seq != q->cmd_seq) {
        model_rule_broken(m, RULE_QUEUE_SEQUENCE, "function %u: seqNum %u, the next is %u",
                          function, seq, q->cmd_seq);
    }
    if (u32_at(p, l->GSP_MSG_QUEUE_ELEMENT.rpc_header_version) != RPC_VERSION ||
        u32_at(p, l->GSP_MSG_QUEUE_ELEMENT.rpc_signature) != RPC_SIGNATURE) {
        model_rule_broken(m, RULE_QUEUE_HEADER,
                          "function %u: header_version 0x%08x signature 0x%08x; need 0x%08x 0x%08x",
                          function, u32_at(p, l->GSP_MSG_QUEUE_ELEMENT.rpc_header_version),
                          u32_at(p, l->GSP_MSG_QUEUE_ELEMENT.rpc_signature), RPC_VERSION,
                          RPC_SIGNATURE);
    }
}

bool model_queue_command_waits(struct gpu_model *m)
{
    const struct gsp_queue_state *q = &m->gsp.q;
    uint32_t write;
    return !q->up || !read_u32(m, q->cmd_off + m->gsp.l->msgqTxHeader.writePtr.off, &write) ||
           write != q->cmd_read;
}

int model_queue_peek(struct gpu_model *m)
{
    struct gsp_queue_state *q = &m->gsp.q;
    const struct gsp_layout *l = m->gsp.l;
    uint32_t write;
    if (!read_u32(m, q->cmd_off + l->msgqTxHeader.writePtr.off, &write)) {
        return -1;
    }
    if (write >= q->cmd_slots) {
        model_rule_broken(m, RULE_QUEUE_POINTER, "command writePtr is %u, there are %u slots",
                          write, q->cmd_slots);
        return -1;
    }
    const uint32_t used = (write + q->cmd_slots - q->cmd_read) % q->cmd_slots;
    if (used == 0) {
        return 0;
    }
    if (!slots_copy(m, false, q->cmd_read, 1, m->msg, false)) {
        return -1;
    }
    const uint32_t length = u32_at(m->msg, l->GSP_MSG_QUEUE_ELEMENT.rpc_length);
    const uint32_t slots = (uint32_t)div_up_u64((uint64_t)HEADER_BYTES + length, QUEUE_SLOT_BYTES);
    if (length < RPC_BYTES || length > RPC_MAX || slots > used) {
        model_rule_broken(m, RULE_QUEUE_HEADER, "rpc.length is %u (32..%u), in %u filled slots",
                          length, RPC_MAX, used);
        return -1;
    }
    if (slots > 1 && !slots_copy(m, false, (q->cmd_read + 1) % q->cmd_slots, slots - 1,
                                 m->msg + QUEUE_SLOT_BYTES, false)) {
        return -1;
    }
    check_command(m, slots);
    q->pending_slots = slots;
    q->pending_len = HEADER_BYTES + length;
    return (int)q->pending_len;
}

void model_queue_take(struct gpu_model *m)
{
    struct gsp_queue_state *q = &m->gsp.q;
    uint8_t now[QUEUE_SLOT_BYTES];
    for (uint32_t i = 0; i < q->pending_slots; i++) {
        if (slots_copy(m, false, (q->cmd_read + i) % q->cmd_slots, 1, now, false) &&
            memcmp(now, m->msg + (size_t)i * QUEUE_SLOT_BYTES, sizeof(now)) != 0) {
            model_rule_broken(m, RULE_QUEUE_COMMAND_TOUCHED,
                              "slot %u changed before the GSP had taken message %u",
                              (q->cmd_read + i) % q->cmd_slots, q->cmd_seq);
        }
    }
    q->cmd_read = (q->cmd_read + q->pending_slots) % q->cmd_slots;
    q->cmd_seq++;
    q->received++;
    q->pending_len = 0;
    write_u32(m, q->stat_off + q->stat_rx_off, q->cmd_read);
}

/* ---- status messages ---- */

static void check_slot(struct gpu_model *m, uint32_t slot)
{
    struct gsp_queue_state *q = &m->gsp.q;
    uint8_t now[QUEUE_SLOT_BYTES];
    if (q->shadow_len[slot] != 0 && slots_copy(m, true, slot, 1, now, false) &&
        memcmp(now, q->shadow + (size_t)slot * QUEUE_SLOT_BYTES, q->shadow_len[slot]) != 0) {
        model_rule_broken(m, RULE_QUEUE_STATUS_TOUCHED,
                          "status slot %u is not what the GSP wrote there", slot);
    }
    q->shadow_len[slot] = 0;
}

void model_queue_check_status_slots(struct gpu_model *m)
{
    for (uint32_t i = 0; m->gsp.q.up && i < m->gsp.q.stat_slots; i++) {
        check_slot(m, i);
    }
}

/* The driver's read index, checked; false: no use going on. */
static bool status_read_index(struct gpu_model *m, uint32_t *read)
{
    struct gsp_queue_state *q = &m->gsp.q;
    uint32_t write, ours;
    if (!read_u32(m, q->cmd_off + q->cmd_rx_off, read) ||
        !read_u32(m, q->stat_off + m->gsp.l->msgqTxHeader.writePtr.off, &write) ||
        !read_u32(m, q->stat_off + q->stat_rx_off, &ours)) {
        return false;
    }
    if (write != q->stat_write || ours != q->cmd_read) {
        model_rule_broken(m, RULE_QUEUE_STATUS_TOUCHED,
                          "status header: writePtr %u readPtr %u; the GSP wrote %u %u", write, ours,
                          q->stat_write, q->cmd_read);
        write_u32(m, q->stat_off + m->gsp.l->msgqTxHeader.writePtr.off, q->stat_write);
        write_u32(m, q->stat_off + q->stat_rx_off, q->cmd_read);
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
    struct gsp_queue_state *q = &m->gsp.q;
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
        slots_copy(m, true, slot, 1, shadow, true);
        q->shadow_len[slot] = QUEUE_SLOT_BYTES;
    }
    q->stat_write = (q->stat_write + slots) % q->stat_slots;
    write_u32(m, q->stat_off + m->gsp.l->msgqTxHeader.writePtr.off, q->stat_write);
    q->sent++;
    m->gsp_falcon.irqstat |= IRQ_SWGEN0;
    model_intr_falcon(m, &m->gsp_falcon);
    return true;
}

void model_queue_flush(struct gpu_model *m)
{
    struct gsp_queue_state *q = &m->gsp.q;
    uint64_t held_ns;
    if (m->faults.count != 0 && model_fault_holds(m, &held_ns)) {
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
    struct gsp_queue_state *q = &m->gsp.q;
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
    uint8_t *msg = m->out;
    const struct gsp_layout *l = m->gsp.l;
    const uint32_t total = MESSAGE_MIN + len + extra;
    const uint32_t covered = m->gsp.v->whole_slot_checksum ? total : MESSAGE_MIN + len;
    memset(msg, 0, MESSAGE_MIN);
    if (len + extra != 0) {
        memcpy(msg + MESSAGE_MIN, payload, (size_t)len + extra);
    }
    put_le32(msg + l->GSP_MSG_QUEUE_ELEMENT.seqNum.off, m->gsp.q.stat_seq++);
    put_le32(msg + l->GSP_MSG_QUEUE_ELEMENT.elemCount.off,
             (uint32_t)div_up_u64(total, QUEUE_SLOT_BYTES));
    put_le32(msg + l->GSP_MSG_QUEUE_ELEMENT.rpc_header_version.off, RPC_VERSION);
    put_le32(msg + l->GSP_MSG_QUEUE_ELEMENT.rpc_signature.off, RPC_SIGNATURE);
    put_le32(msg + l->GSP_MSG_QUEUE_ELEMENT.rpc_length.off, RPC_BYTES + len);
    put_le32(msg + l->GSP_MSG_QUEUE_ELEMENT.rpc_function.off, function);
    put_le32(msg + l->GSP_MSG_QUEUE_ELEMENT.rpc_rpc_result.off, result);
    put_le32(msg + l->GSP_MSG_QUEUE_ELEMENT.rpc_sequence.off, sequence);
    put_le32(msg + l->GSP_MSG_QUEUE_ELEMENT.checkSum.off, checksum(msg, covered));
    model_trace_text(m, "message to the driver: function 0x%x %s result 0x%x, %u bytes of payload",
                     function, model_function_name(m, function), result, len);
    bool twice = false;
    if (m->faults.count == 0 || model_fault_message(m, function, msg, total, &twice)) {
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
    if (!m->gsp.q.up) {
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
