/* SPDX-License-Identifier: MIT */
/*
 * The GSP as a driver sees it from booter on: reads its arguments (gsp_args.c), brings the queues
 * up, takes the two mandatory commands, has the CPU run its programme, finishes, serves (gsp_rx.c),
 * and goes down. Each step is delayed work a few tens of microseconds apart. Sources: boot.md 7-10,
 * 12; measured.md 7-9.
 */
#include "tests/model/gsp/gsp.h"

#include <stdlib.h>
#include <string.h>

#include "gsp_layout.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/strict.h"
#include "tests/model/books/trace.h"
#include "tests/model/boot/fsp.h"
#include "tests/model/boot/fwfiles.h"
#include "tests/model/bus/bar.h"
#include "tests/model/bus/work.h"
#include "tests/model/chips.h"
#include "tests/model/falcon/falcon.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_args.h"
#include "tests/model/gsp/gsp_faults.h"
#include "tests/model/gsp/gsp_log.h"
#include "tests/model/gsp/gsp_queue.h"
#include "tests/model/gsp/gsp_seq.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/gsp/gsp_static.h"
#include "tests/model/gsp/gsp_status.h"
#include "tests/model/gsp/gsp_version.h"
#include "tests/model/gsp/rm_objects.h"
#include "tests/model/gsp/sleep.h"
#include "tests/model/host/channel.h"
#include "tests/model/memory/vram.h"

enum {
    STEP_NS = 40000,
    RX_NS = 20000,
    LOGS_AT_START = 20,
    LOGS_AT_DONE = 60,
    MAILBOX_DOWN_BIT = 31,
    HOST_CAUSES = 0x50, /* HALT and SWGEN0 routed to the host, interrupts.md 6 */
    FUNCTION_INIT_DONE = 0x1001,
    FUNCTION_LIBOS_PRINT = 0x100c,
    NOCAT_BYTES = 1212, /* payload of the records seen, measured.md 8.1 */
    PMU_DESC = 0xf3d722,
    DEV_DESC_SHIFT = 8,
};
#define INFO_TIMEOUT_NS 2000000000ull

void model_gsp_forget(struct gpu_model *m)
{
    model_queue_free(m);
    model_rm_free_all(m);
    model_host_free(m); /* channels are objects too */
    free(m->gsp->large);
    *m->gsp = (struct gsp_state){.phase = GSPP_OFF};
    model_cancel(m, WORK_GSP);
    model_cancel(m, WORK_GSP_RX);
    model_cancel(m, WORK_GSP_TX);
}

void model_gsp_engine_reset(struct gpu_model *m)
{
    /* The programme resets the core and brings it back; any other reset ends the GSP. */
    if (m->gsp->phase != GSPP_SEQUENCER && m->gsp->phase != GSPP_OFF) {
        model_trace_text(m, "the GSP is gone: its engine was reset");
        model_gsp_forget(m);
    }
}

void model_gsp_boot(struct gpu_model *m, uint64_t libos_args)
{
    struct gsp_state *g = m->gsp;
    const struct gsp_layout *l = g->l;
    const struct fw_set *fw = g->fw;
    model_gsp_forget(m);
    model_sleep_drop(m); /* a cold boot: what was stored is of no use any more */
    g->l = l;
    g->fw = fw;
    g->v = model_gsp_version_find(l->version);
    g->libos_args = libos_args;
    m->stats.gsp_boots++;
    if (model_fault_get(m, FAULT_GSP_HANG) != NULL) {
        model_gsp_crash(m);
        return;
    }
    if (model_fault_point(m, POINT_RISCV)) {
        m->gsp_falcon->riscv_active = false;
        return;
    }
    g->phase = GSPP_STARTING;
    model_schedule(m, WORK_GSP, STEP_NS);
}

/* ---- on to INIT_DONE ---- */

static void start(struct gpu_model *m)
{
    struct gsp_state *g = m->gsp;
    if (!model_gsp_read_arguments(m)) {
        model_gsp_crash(m);
        return;
    }
    m->gsp_falcon->riscv_irqmask = m->gsp_falcon->riscv_irqdest = HOST_CAUSES;
    model_log_write(m, 0, LOGS_AT_START);
    if (model_fault_point(m, POINT_START)) {
        return;
    }
    g->phase = GSPP_WAIT_INFO;
    g->info_deadline_ns = model_now(m) + INFO_TIMEOUT_NS;
    model_schedule(m, WORK_GSP_RX, RX_NS);
    model_schedule(m, WORK_GSP, INFO_TIMEOUT_NS);
}

/* Without a payload: 80 bytes with both headers on TU117, GA104 and AD104 (measured.md 8.1). */
static void send_init_done(struct gpu_model *m, uint32_t result)
{
    const struct fault *f = model_fault_get(m, FAULT_INIT_RESULT);
    m->gsp_falcon->mailbox[0] = m->gsp_falcon->mailbox[1] = 0;
    model_queue_send(m, FUNCTION_INIT_DONE, f != NULL ? f->value : result, 0, NULL, 0, 0);
}

static void info_timed_out(struct gpu_model *m)
{
    model_rule_broken(m, RULE_RM_MISSING_INFO, "no %s%s%s within 2 s",
                      m->gsp->have_info ? "" : "GSP_SET_SYSTEM_INFO",
                      m->gsp->have_info || m->gsp->have_registry ? "" : " and ",
                      m->gsp->have_registry ? "" : "SET_REGISTRY");
    if (m->gsp->v->missing_info_result != 0) {
        send_init_done(m, m->gsp->v->missing_info_result);
    }
    model_gsp_crash(m);
}

void model_gsp_have_info(struct gpu_model *m)
{
    struct gsp_state *g = m->gsp;
    if (g->init_result != 0) {
        send_init_done(m, g->init_result);
        model_gsp_crash(m);
        return;
    }
    if (m->chip->seq_dwords != 0) {
        g->phase = GSPP_SEQUENCER;
    } else { /* nothing for the CPU to do from Hopper on */
        g->phase = GSPP_INIT;
        g->init_step = 0;
        model_schedule(m, WORK_GSP_RX, RX_NS);
    }
    model_schedule(m, WORK_GSP, STEP_NS);
}

static void ask_for_sequencer(struct gpu_model *m)
{
    static const uint8_t shared[4];
    if (m->gsp->seq_words != 0 /* asked already */ || model_fault_point(m, POINT_SEQUENCER)) {
        return;
    }
    if (m->gsp->v->shared_data_function != 0) {
        model_queue_send(m, m->gsp->v->shared_data_function, 0, 0, shared, sizeof(shared), 0);
    }
    model_seq_send(m);
}

bool model_gsp_resume(struct gpu_model *m)
{
    struct gsp_state *g = m->gsp;
    const uint64_t args = (uint64_t)m->gsp_falcon->mailbox[1] << 32 | m->gsp_falcon->mailbox[0];
    if (!model_seq_check(m)) {
        model_gsp_crash(m);
        return false;
    }
    if (args != g->libos_args) {
        model_rule_broken(m, RULE_SEQ_MAILBOX,
                          "the GSP's mailboxes hold 0x%llx, the arguments are at 0x%llx",
                          (unsigned long long)args, (unsigned long long)g->libos_args);
        model_gsp_crash(m);
        return false;
    }
    m->gsp_falcon->riscv_irqmask = m->gsp_falcon->riscv_irqdest = HOST_CAUSES;
    g->phase = GSPP_INIT;
    g->init_step = 0;
    model_schedule(m, WORK_GSP, STEP_NS);
    model_schedule(m, WORK_GSP_RX, RX_NS);
    return true;
}

static void send_libos_print(struct gpu_model *m, const char *text)
{
    const struct gsp_layout *l = m->gsp->l;
    uint8_t payload[64] = {0};
    const uint32_t head = l->rpc_ucode_libos_print_v1E_08.total, n = (uint32_t)strlen(text) + 1;
    fw_put(payload, sizeof(payload), l->rpc_ucode_libos_print_v1E_08.ucodeEngDesc,
           (uint64_t)PMU_DESC << DEV_DESC_SHIFT);
    fw_put(payload, sizeof(payload), l->rpc_ucode_libos_print_v1E_08.libosPrintBufSize, n);
    memcpy(payload + head, text, n);
    model_queue_send(m, FUNCTION_LIBOS_PRINT, 0, 0, payload, head + n, 0);
}

static void send_lockdown_notices(struct gpu_model *m)
{
    const uint32_t len = m->gsp->l->rpc_gsp_lockdown_notice_v17_00.total;
    for (uint64_t engaging = 2; engaging-- != 0;) {
        uint8_t payload[8] = {0};
        fw_put(payload, sizeof(payload),
               m->gsp->l->rpc_gsp_lockdown_notice_v17_00.bLockdownEngaging, engaging);
        model_queue_send(m, m->gsp->v->lockdown_function, 0, 0, payload, len, 0);
    }
}

/* Both to directories of the GSP's own. */
static void bind_bars(struct gpu_model *m)
{
    for (unsigned which = 0; which < MODEL_MAPPED_BARS; which++) {
        uint64_t inst;
        const uint64_t root = model_rm_bar_root(m, which, &inst);
        model_bar_gsp_bind(m, which, inst, root);
    }
}

static void init_step(struct gpu_model *m)
{
    static const uint8_t nocat[NOCAT_BYTES];
    struct gsp_state *g = m->gsp;
    switch (g->init_step++) {
    case 0:
        if (m->chip->notices) {
            send_lockdown_notices(m);
        }
        if (g->v->nocat_function != 0) {
            model_queue_send(m, g->v->nocat_function, 0, 0, nocat, sizeof(nocat), 0);
        }
        model_log_write(m, 1, 1);
        break;
    case 1:
        send_libos_print(m, "task start up 1");
        send_libos_print(m, "task start up two, done");
        break;
    default:
        model_log_write(m, 2, LOGS_AT_DONE);
        if (model_fault_point(m, POINT_INIT)) {
            return;
        }
        g->phase = GSPP_UP;
        bind_bars(m);
        model_rm_guard_memory(m);
        send_init_done(m, 0);
        model_fault_point(m, POINT_UP);
        return;
    }
    model_schedule(m, WORK_GSP, STEP_NS);
}

void model_gsp_step(struct gpu_model *m)
{
    switch (m->gsp->phase) {
    case GSPP_STARTING:
        start(m);
        break;
    case GSPP_WAIT_INFO:
        info_timed_out(m);
        break;
    case GSPP_SEQUENCER:
        ask_for_sequencer(m);
        break;
    case GSPP_INIT:
        init_step(m);
        break;
    case GSPP_SUSPENDED: /* the answer has gone; the interrupt processor stops */
        if (model_fault_point(m, POINT_UNLOAD)) {
            break;
        }
        model_bar_gsp_unbind(m);
        model_vram_guard(m, NULL, 0);
        m->gsp_falcon->mailbox[0] = 1u << MAILBOX_DOWN_BIT;
        if (m->chip->fsp != NULL) {
            model_fsp_gsp_down(m);
        } else {
            m->gsp_falcon->riscv_active = false;
            if (m->gsp->pm_level != 0) {
                model_sleep_begin(m);
            }
        }
        break;
    case GSPP_OFF:
    case GSPP_UP:
    case GSPP_DEAD:
        break;
    }
}
