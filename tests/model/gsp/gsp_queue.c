/* SPDX-License-Identifier: MIT */
/*
 * The command queue from the GSP's side, and the setting up of both: reads commands, and looks at
 * whether the driver keeps to its half of the agreement. Layout and rules: rpc.md A1-A9, boot.md 8.
 */
#include "tests/model/gsp/gsp_queue.h"

#include <stdlib.h>
#include <string.h>

#include "arch/base.h"
#include "gsp_layout.h"
#include "tests/model/books/strict.h"
#include "tests/model/books/trace_data.h"
#include "tests/model/bus/dma.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_region.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/gsp/gsp_version.h"

enum {
    RX_OFF_OURS = 0x20,
    ENTRY_OFF_OURS = 0x1000,
    RPC_MAX = GSP_MSG_MAX_BYTES - QUEUE_HEADER_BYTES,
    PT_ENTRY = 8,
    PT_ENTRIES_PER_PAGE = 512,
    QUEUE_MIN_BYTES = 2 * QUEUE_SLOT_BYTES,
};

/* ---- setting up ---- */

static bool setup_error(struct gpu_model *m, const char *what, uint64_t have, uint64_t want)
{
    model_rule_broken(m, RULE_QUEUE_SETUP, "%s is 0x%llx, needs 0x%llx", what,
                      (unsigned long long)have, (unsigned long long)want);
    return false;
}

static bool read_page_table(struct gpu_model *m, uint64_t shared_pa, uint32_t pages)
{
    struct gsp_queue_state *q = &m->gsp->q;
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
    struct gsp_queue_state *q = &m->gsp->q;
    uint8_t tx[QUEUE_TX_BYTES];
    if (!model_region_copy(m, q->cmd_off, tx, sizeof(tx), false)) {
        return setup_error(m, "cmdQueueOffset", q->cmd_off, FL_PAGE_SIZE);
    }
    const struct gsp_layout *l = m->gsp->l;
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
    if (rx < QUEUE_TX_BYTES || entry % QUEUE_SLOT_BYTES != 0 || entry < rx + 4 ||
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
    struct gsp_queue_state *q = &m->gsp->q;
    const struct gsp_layout *l = m->gsp->l;
    uint8_t tx[QUEUE_TX_BYTES + 4] = {0};
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
    model_region_copy(m, q->stat_off, tx, sizeof(tx), true);
}

bool model_queue_init(struct gpu_model *m, uint64_t shared_pa, uint32_t pages, uint64_t cmd_off,
                      uint64_t stat_off)
{
    struct gsp_queue_state *q = &m->gsp->q;
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
    struct gsp_queue_state *q = &m->gsp->q;
    free(q->shadow);
    free(q->out);
    memset(q, 0, sizeof(*q));
}

/* ---- commands ---- */

static uint32_t u32_at(const uint8_t *p, struct fw_field f) { return get_le32(p + f.off); }

/* Header and checksum of the command in m->buf->msg, which has `slots` slots. */
static void check_command(struct gpu_model *m, uint32_t slots)
{
    const struct gsp_queue_state *q = &m->gsp->q;
    const struct gsp_layout *l = m->gsp->l;
    const uint8_t *p = m->buf->msg;
    const uint32_t length = u32_at(p, l->GSP_MSG_QUEUE_ELEMENT.rpc_length);
    const uint32_t elems = u32_at(p, l->GSP_MSG_QUEUE_ELEMENT.elemCount);
    const uint32_t seq = u32_at(p, l->GSP_MSG_QUEUE_ELEMENT.seqNum);
    const bool whole = m->gsp->v->whole_slot_checksum;
    const uint32_t covered = whole ? slots * QUEUE_SLOT_BYTES : QUEUE_HEADER_BYTES + length;
    const uint32_t sum = model_queue_checksum(p, covered);
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
    const struct gsp_queue_state *q = &m->gsp->q;
    uint32_t write;
    return !q->up ||
           !model_region_read_u32(m, q->cmd_off + m->gsp->l->msgqTxHeader.writePtr.off, &write) ||
           write != q->cmd_read;
}

int model_queue_peek(struct gpu_model *m)
{
    struct gsp_queue_state *q = &m->gsp->q;
    const struct gsp_layout *l = m->gsp->l;
    uint32_t write;
    if (!model_region_read_u32(m, q->cmd_off + l->msgqTxHeader.writePtr.off, &write)) {
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
    if (!model_region_slots(m, false, q->cmd_read, 1, m->buf->msg, false)) {
        return -1;
    }
    const uint32_t length = u32_at(m->buf->msg, l->GSP_MSG_QUEUE_ELEMENT.rpc_length);
    const uint32_t slots =
        (uint32_t)div_up_u64((uint64_t)QUEUE_HEADER_BYTES + length, QUEUE_SLOT_BYTES);
    if (length < RPC_BYTES || length > RPC_MAX || slots > used) {
        model_rule_broken(m, RULE_QUEUE_HEADER, "rpc.length is %u (32..%u), in %u filled slots",
                          length, RPC_MAX, used);
        return -1;
    }
    if (slots > 1 && !model_region_slots(m, false, (q->cmd_read + 1) % q->cmd_slots, slots - 1,
                                         m->buf->msg + QUEUE_SLOT_BYTES, false)) {
        return -1;
    }
    check_command(m, slots);
    q->pending_slots = slots;
    q->pending_len = QUEUE_HEADER_BYTES + length;
    return (int)q->pending_len;
}

void model_queue_take(struct gpu_model *m)
{
    struct gsp_queue_state *q = &m->gsp->q;
    uint8_t now[QUEUE_SLOT_BYTES];
    for (uint32_t i = 0; i < q->pending_slots; i++) {
        if (model_region_slots(m, false, (q->cmd_read + i) % q->cmd_slots, 1, now, false) &&
            memcmp(now, m->buf->msg + (size_t)i * QUEUE_SLOT_BYTES, sizeof(now)) != 0) {
            model_rule_broken(m, RULE_QUEUE_COMMAND_TOUCHED,
                              "slot %u changed before the GSP had taken message %u",
                              (q->cmd_read + i) % q->cmd_slots, q->cmd_seq);
        }
    }
    q->cmd_read = (q->cmd_read + q->pending_slots) % q->cmd_slots;
    q->cmd_seq++;
    q->received++;
    q->pending_len = 0;
    model_region_write_u32(m, q->stat_off + q->stat_rx_off, q->cmd_read);
}
