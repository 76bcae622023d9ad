/* SPDX-License-Identifier: MIT */
/*
 * The GSP takes commands: the doorbell, two looks at each command, requests over several records.
 * Sources: boot.md 9, rpc.md A.
 */
#include "tests/model/gsp/gsp_rx.h"

#include <stdlib.h>
#include <string.h>

#include "arch/base.h"
#include "gsp_layout.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/strict.h"
#include "tests/model/books/trace_data.h"
#include "tests/model/bus/work.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp.h"
#include "tests/model/gsp/gsp_faults.h"
#include "tests/model/gsp/gsp_queue.h"
#include "tests/model/gsp/gsp_rm.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/gsp/gsp_status.h"
#include "tests/model/gsp/gsp_version.h"
#include "tests/model/model.h"

enum {
    STEP_NS = 40000,
    RX_NS = 20000,
    TAKE_NS = 10000,
    FUNCTION_CONTINUATION = 71,
    FUNCTION_REGISTRY = 73,
    RPC_RECORD_MAX = 65456, /* payload of a full record */
};

static bool listening(const struct gpu_model *m)
{
    const enum gsp_phase p = m->gsp->phase;
    return m->gsp->q.up && (p == GSPP_WAIT_INFO || p == GSPP_INIT || p == GSPP_UP);
}

void model_gsp_doorbell(struct gpu_model *m, uint32_t queue, uint32_t value)
{
    if (queue != 0 || value != 0) {
        model_rule_broken(m, RULE_QUEUE_DOORBELL,
                          "QUEUE_HEAD(%u) = 0x%x; drivers write 0 to QUEUE_HEAD(0)", queue, value);
        return;
    }
    /* A ring alone may be late: the message it was for has been seen with the one before. */
    if (m->gsp->phase == GSPP_SUSPENDED && model_queue_command_waits(m)) {
        model_rule_broken(m, RULE_RM_AFTER_UNLOAD,
                          "a command was queued after UNLOADING_GUEST_DRIVER was answered");
    }
    if (listening(m) && !model_scheduled(m, WORK_GSP_RX)) {
        model_schedule(m, WORK_GSP_RX, RX_NS);
    }
}

/* What the whole request must hold, from its first record. */
static uint32_t large_size(const struct gpu_model *m, uint32_t function, const uint8_t *payload,
                           uint32_t len)
{
    enum { CONTROL = 76, ALLOC = 103 };
    const struct gsp_layout *l = m->gsp->l;
    switch (function) {
    case CONTROL:
        return l->rpc_gsp_rm_control_v03_00.total +
               (uint32_t)fw_get(payload, len, l->rpc_gsp_rm_control_v03_00.paramsSize);
    case ALLOC:
        return l->rpc_gsp_rm_alloc_v03_00.total +
               (uint32_t)fw_get(payload, len, l->rpc_gsp_rm_alloc_v03_00.paramsSize);
    case FUNCTION_REGISTRY:
        return (uint32_t)fw_get(payload, len, l->PACKED_REGISTRY_TABLE.size);
    default:
        return len;
    }
}

static void give_to_rm(struct gpu_model *m, uint32_t function, uint32_t sequence, uint8_t *payload,
                       uint32_t len, uint32_t avail)
{
    struct rm_call c = {
        .function = function, .sequence = sequence, .payload = payload, .len = len, .avail = avail};
    model_rm_request(m, &c);
    struct gsp_state *g = m->gsp;
    if (g->phase == GSPP_WAIT_INFO && g->have_info && g->have_registry) {
        model_gsp_have_info(m);
    } else if (g->phase == GSPP_SUSPENDED) {
        model_schedule(m, WORK_GSP, STEP_NS);
    }
}

/* One record of a request in several. */
static void large_record(struct gpu_model *m, const uint8_t *payload, uint32_t len)
{
    struct gsp_state *g = m->gsp;
    const uint32_t n = len < g->large_need - g->large_len ? len : g->large_need - g->large_len;
    memcpy(g->large + g->large_len, payload, n);
    g->large_len += n;
    if (g->large_len == g->large_need) {
        uint8_t *whole = g->large;
        g->large = NULL;
        give_to_rm(m, g->large_function, g->large_sequence, whole, g->large_need, g->large_need);
        free(whole);
    }
}

static uint32_t command_function(const struct gpu_model *m)
{
    return get_le32(m->buf->msg + m->gsp->l->GSP_MSG_QUEUE_ELEMENT.rpc_function.off);
}

static void handle_once(struct gpu_model *m, uint32_t bytes, uint32_t slots)
{
    struct gsp_state *g = m->gsp;
    const struct gsp_layout *l = g->l;
    const uint32_t head = l->GSP_MSG_QUEUE_ELEMENT.total;
    const uint32_t function = command_function(m);
    const uint32_t sequence = get_le32(m->buf->msg + l->GSP_MSG_QUEUE_ELEMENT.rpc_sequence.off);
    uint8_t *payload = m->buf->msg + head;
    const uint32_t len = bytes - head;
    const uint32_t avail = slots * QUEUE_SLOT_BYTES - head;
    model_trace_message(m, function, payload, len, avail);
    if (function == FUNCTION_CONTINUATION) {
        if (g->large == NULL && !g->more_refused) {
            model_rule_broken(m, RULE_QUEUE_CONTINUATION,
                              "a CONTINUATION_RECORD continues nothing");
        } else if (g->large != NULL) {
            large_record(m, payload, len);
        }
        return;
    }
    if (g->large != NULL) {
        model_rule_broken(m, RULE_QUEUE_CONTINUATION,
                          "function %u arrived with %u of %u bytes of function %u missing",
                          function, g->large_need - g->large_len, g->large_need, g->large_function);
        free(g->large);
        g->large = NULL;
    }
    const uint32_t need = large_size(m, function, payload, len);
    if (len == RPC_RECORD_MAX && need > len && need <= GSP_LARGE_MAX_BYTES) {
        g->large = malloc(need);
        g->large_need = need;
        g->large_len = 0;
        g->large_function = function;
        g->large_sequence = sequence;
        if (g->large != NULL) {
            large_record(m, payload, len);
        }
        return;
    }
    /* Of a function that is not known nobody can say how long it is. */
    g->more_refused = len == RPC_RECORD_MAX && need == len;
    give_to_rm(m, function, sequence, payload, len, avail);
}

/* Takes the command that was copied and acts on it. */
static void handle(struct gpu_model *m)
{
    const uint32_t bytes = m->gsp->q.pending_len, slots = m->gsp->q.pending_slots;
    bool twice = false;
    model_queue_take(m);
    if (m->faults->count != 0) {
        if (!model_fault_command(m, m->buf->msg, bytes, &twice) ||
            (m->gsp->phase == GSPP_UP && model_fault_point(m, POINT_COMMAND))) {
            return;
        }
    }
    uint8_t *again = twice ? malloc(bytes) : NULL; /* an answer is made in the request's place */
    if (again != NULL) {
        memcpy(again, m->buf->msg, bytes);
    }
    handle_once(m, bytes, slots);
    if (again != NULL) {
        memcpy(m->buf->msg, again, bytes);
        handle_once(m, bytes, slots);
        free(again);
    }
}

static void receive(struct gpu_model *m)
{
    if (!listening(m)) {
        return;
    }
    if (m->gsp->q.pending_len == 0) { /* first look */
        const int n = model_queue_peek(m);
        if (n < 0) {
            model_gsp_crash(m);
        } else if (n > 0) {
            model_schedule(m, WORK_GSP_RX, TAKE_NS);
        }
        return;
    }
    const uint64_t delay = m->faults->count != 0 ? model_fault_command_delay(m, command_function(m),
                                                                             m->gsp->q.pending_len)
                                                 : 0;
    if (delay != 0) {
        model_schedule(m, WORK_GSP_RX, delay);
        return;
    }
    handle(m); /* second look, and act */
    if (listening(m)) {
        model_schedule(m, WORK_GSP_RX, 0);
    }
}

static void reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    model_gsp_forget(m);
}

/* The firmware version that was asked for must exist and know the chip. */
static bool create(struct gpu_model *m, const struct model_config *cfg, char *err, size_t err_size)
{
    (void)cfg;
    if (m->fw_version != NULL && gsp_layout_find(m->fw_version) == NULL) {
        snprintf(err, err_size, "firmware version '%s' is not known", m->fw_version);
        return false;
    }
    if (m->fw_version != NULL &&
        (model_gsp_version_find(m->fw_version)->families & m->chip->family) == 0) {
        snprintf(err, err_size, "firmware version '%s' does not know chip %s", m->fw_version,
                 m->chip->name);
        return false;
    }
    return true;
}

const struct block gsp_buffers_block = {.name = "GSP buffers", BLOCK_STATE(buf)};
const struct block gsp_block = {
    .name = "GSP",
    BLOCK_STATE(gsp),
    .create = create,
    .reset = reset,
    .destroy = model_gsp_forget,
    .work = {[WORK_GSP] = model_gsp_step,
             [WORK_GSP_RX] = receive,
             [WORK_GSP_TX] = model_queue_flush,
             [WORK_FAULT] = model_fault_run},
};
