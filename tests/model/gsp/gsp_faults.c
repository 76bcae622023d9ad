/* SPDX-License-Identifier: MIT */
/*
 * Faults in the GSP's life: where it stops, how it crashes, and what a board reports by itself: Xid
 * errors, ECC, heat. Sources: channels.md 14, rpc.md B3 and D1 (notifiers), measured.md 9.
 */
#include "tests/model/gsp/gsp_faults.h"

#include <string.h>

#include "arch/base.h"
#include "gsp_layout.h"
#include "tests/model/books/coverage.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/trace.h"
#include "tests/model/bus/intr.h"
#include "tests/model/bus/work.h"
#include "tests/model/falcon/falcon.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_log.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/gsp/gsp_status.h"
#include "tests/model/gsp/rm_objects.h"
#include "tests/model/model.h"

enum {
    EVENT_POST = 0x1003,
    EVENT_OS_ERROR_LOG = 0x1006,
    NOTIFY_THERMAL_HW = 4,
    NOTIFY_ECC_SBE = 111,
    NOTIFY_ECC_DBE = 112,
    XID_DOUBLE_BIT = 48,
    XID_ROW_REMAP = 63,
    VECTOR_THERMAL = 146, /* interrupts.md 4 */
    IRQ_HALT = 0x10,
    EVENT_BYTES = 512,
};
#define NO_ONE 0xffffffffu /* runlist and channel of an error of the whole GPU */

/* ---- what the GSP sends ---- */

static const char *xid_words(uint32_t xid)
{
    static const struct {
        uint32_t xid;
        const char *words;
    } table[] = {
        {13, "Graphics engine exception"},
        {31, "MMU fault"},
        {32, "Invalid or corrupted push buffer"},
        {43, "Channel was reset"},
        {45, "Pre-emptive channel removal"},
        {XID_DOUBLE_BIT, "Uncorrectable double-bit memory error"},
        {61, "PMU breakpoint"},
        {62, "PMU halt"},
        {XID_ROW_REMAP, "Row remapping event"},
        {64, "Row remapping failure"},
        {69, "Graphics class error"},
        {74, "NVLink error"},
        {79, "GPU has fallen off the bus"},
        {92, "High rate of single-bit memory errors"},
        {94, "Contained memory error"},
        {95, "Uncontained memory error"},
        {119, "GSP RPC timeout"},
        {120, "GSP task exception"},
        {143, "GPU initialisation error"},
        {154, "Recovery action changed"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        if (table[i].xid == xid) {
            return table[i].words;
        }
    }
    return "Error";
}

static void send_xid(struct gpu_model *m, uint32_t xid, uint32_t channel, const char *text)
{
    const struct gsp_layout *l = m->gsp->l;
    uint8_t p[EVENT_BYTES] = {0};
    const uint32_t total = l->rpc_os_error_log_v17_00.total;
#define PUT(field, v) fw_put(p, sizeof(p), l->rpc_os_error_log_v17_00.field, v)
    PUT(exceptType, xid);
    PUT(runlistId, channel == NO_ONE ? NO_ONE : 0);
    PUT(chid, channel);
#undef PUT
    char *s = fw_bytes(p, sizeof(p), l->rpc_os_error_log_v17_00.errString);
    if (s != NULL) {
        snprintf(s, l->rpc_os_error_log_v17_00.errString.size, "%s\n",
                 text[0] != '\0' ? text : xid_words(xid));
    }
    model_queue_send(m, EVENT_OS_ERROR_LOG, 0, 0, p, total, 0);
}

/* Whoever has asked for this notification gets an event. */
static void notify(struct gpu_model *m, uint32_t index)
{
    const struct gsp_layout *l = m->gsp->l;
    for (size_t i = 0; i < m->gsp->object_count; i++) {
        struct rm_object *e = &m->gsp->objects[i];
        uint8_t p[EVENT_BYTES] = {0};
        if ((e->cls != CLS_EVENT && e->cls != CLS_EVENT_CALLBACK) || e->notify != index ||
            e->action == 0) {
            continue;
        }
        fw_put(p, sizeof(p), l->rpc_post_event_v17_00.hClient, e->client);
        fw_put(p, sizeof(p), l->rpc_post_event_v17_00.hEvent, e->handle);
        fw_put(p, sizeof(p), l->rpc_post_event_v17_00.notifyIndex, index);
        e->action = e->action == 1 ? 0 : e->action; /* 1: once */
        model_queue_send(m, EVENT_POST, 0, 0, p, l->rpc_post_event_v17_00.total, 0);
    }
}

void model_gsp_crash(struct gpu_model *m)
{
    m->gsp->phase = GSPP_DEAD;
    model_trace_text(m, "the GSP hangs");
}

/* A task dies: the report goes into the log buffer, the core halts and says so, nothing answers any
 * more. What the driver makes of it (Xid 120) is its own. */
static void crash(struct gpu_model *m, uint32_t cause)
{
    model_log_crash(m, cause);
    model_gsp_crash(m);
    m->gsp_falcon->riscv_active = false;
    m->gsp_falcon->riscv_irqmask |= IRQ_HALT;
    m->gsp_falcon->riscv_irqdest |= IRQ_HALT;
    m->gsp_falcon->irqstat |= IRQ_HALT;
    model_falcon_causes(m, m->gsp_falcon);
}

static void ecc(struct gpu_model *m, const struct fault *f)
{
    if (f->value == ECC_CORRECTABLE) {
        m->faults->ecc_correctable += f->errors;
        notify(m, NOTIFY_ECC_SBE);
        return;
    }
    m->faults->ecc_uncorrectable += f->errors;
    notify(m, NOTIFY_ECC_DBE);
    send_xid(m, XID_DOUBLE_BIT, NO_ONE, "");
    send_xid(m, XID_ROW_REMAP, NO_ONE, "");
}

static void heat(struct gpu_model *m, const struct fault *f)
{
    m->faults->celsius = f->value;
    model_intr_latch(m, VECTOR_THERMAL);
    notify(m, NOTIFY_THERMAL_HW);
}

/* ---- when ---- */

static bool by_itself(const struct fault *f)
{
    return (f->kind == FAULT_CRASH && f->point == POINT_UP) ||
           (f->kind == FAULT_LINK && f->after_ns != 0) || f->kind == FAULT_XID ||
           f->kind == FAULT_ECC || f->kind == FAULT_THERMAL;
}

static void strike(struct gpu_model *m, struct fault *f)
{
    f->done = true;
    model_fault_note(m, "%s", f->spec);
    if (f->kind == FAULT_LINK) {
        model_unplug(m);
    } else if (f->kind == FAULT_CRASH) {
        crash(m, f->cause);
    } else if (f->kind == FAULT_XID) {
        send_xid(m, f->value, f->channel, f->text);
    } else if (f->kind == FAULT_ECC) {
        ecc(m, f);
    } else {
        heat(m, f);
    }
}

/* Those of this point come now or are due later; each comes once. */
static void set_off(struct gpu_model *m, enum fault_point point)
{
    for (uint32_t i = 0; i < m->faults->count; i++) {
        struct fault *f = &m->faults->fault[i];
        if (!by_itself(f) || f->done || f->point != point) {
            continue;
        }
        if (point != POINT_UP) {
            strike(m, f);
        } else {
            f->due_ns = model_now(m) + f->after_ns;
            model_schedule(m, WORK_FAULT, 0);
        }
    }
}

void model_fault_run(struct gpu_model *m)
{
    const uint64_t now = model_now(m);
    uint64_t next = UINT64_MAX;
    for (uint32_t i = 0; i < m->faults->count && !m->unplugged; i++) {
        struct fault *f = &m->faults->fault[i];
        /* A GSP that went down before: after its next start. One that hangs may yet crash. */
        const bool alive = m->gsp->phase == (f->point == POINT_UP ? GSPP_UP : GSPP_DEAD);
        if (f->done || f->due_ns == 0 || !alive) {
            continue;
        }
        if (f->due_ns <= now) {
            strike(m, f);
        } else {
            next = min_u64(next, f->due_ns - now);
        }
    }
    if (next != UINT64_MAX) {
        model_schedule(m, WORK_FAULT, next);
    }
}

bool model_fault_point(struct gpu_model *m, enum fault_point point)
{
    for (uint32_t i = 0; i < m->faults->count; i++) {
        struct fault *f = &m->faults->fault[i];
        const bool stops = f->kind == FAULT_STUCK || (f->kind == FAULT_CRASH && point != POINT_UP);
        if (!stops || f->done || f->point != point || (++f->count != f->n && f->n != 0)) {
            continue;
        }
        if (f->kind == FAULT_CRASH && f->after_ns == 0) {
            strike(m, f);
        } else {
            model_gsp_crash(m);
        }
        if (f->kind == FAULT_CRASH && f->after_ns != 0) {
            f->due_ns = model_now(m) + f->after_ns;
            model_schedule(m, WORK_FAULT, f->after_ns);
        } else if (f->kind == FAULT_STUCK) {
            model_fault_note(m, "%s", f->spec);
        }
        return true;
    }
    set_off(m, point);
    return false;
}
