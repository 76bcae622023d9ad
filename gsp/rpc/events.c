/* SPDX-License-Identifier: MIT */
/* Messages that the GSP sends unasked (events.h). */
#include "gsp/rpc/events.h"

#include <stdio.h>
#include <string.h>

#include "arch/log.h"
#include "gsp/gpu.h"
#include "gsp/rpc/sequencer.h"
#include "gsp/rpc/status.h"

/* Below 0x101b all versions agree. */
static const struct gsp_event_info common[] = {
    {0x1001, GSP_EV_INIT_DONE, "GSP_INIT_DONE", 0},
    {0x1002, GSP_EV_RUN_CPU_SEQUENCER, "GSP_RUN_CPU_SEQUENCER", 40},
    {0x1003, GSP_EV_POST_EVENT, "POST_EVENT", 29},
    {0x1004, GSP_EV_RC_TRIGGERED, "RC_TRIGGERED", 18},
    {0x1005, GSP_EV_MMU_FAULT_QUEUED, "MMU_FAULT_QUEUED", 0},
    {0x1006, GSP_EV_OS_ERROR_LOG, "OS_ERROR_LOG", 268},
    {0x1007, GSP_EV_OTHER, "RG_LINE_INTR", 0},
    {0x1008, GSP_EV_OTHER, "GPUACCT_PERFMON_UTIL_SAMPLES", 0},
    {0x100b, GSP_EV_OTHER, "SEMAPHORE_SCHEDULE_CALLBACK", 0},
    {0x100c, GSP_EV_UCODE_LIBOS_PRINT, "UCODE_LIBOS_PRINT", 8},
    {0x100e, GSP_EV_OTHER, "PERF_GPU_BOOST_SYNC_LIMITS_CALLBACK", 0},
    {0x100f, GSP_EV_OTHER, "PERF_BRIDGELESS_INFO_UPDATE", 0},
    {0x1011, GSP_EV_OTHER, "DISPLAY_MODESET", 0},
    {0x1012, GSP_EV_OTHER, "EXTDEV_INTR_SERVICE", 0},
    {0x1018, GSP_EV_OTHER, "TIMED_SEMAPHORE_RELEASE", 0},
    {0x1019, GSP_EV_OTHER, "NVLINK_IS_GPU_DEGRADED", 0},
    {0x101a, GSP_EV_OTHER, "PFM_REQ_HNDLR_STATE_SYNC_CALLBACK", 0},
};
static const struct gsp_event_info r535[] = {
    {0x101b, GSP_EV_OTHER, "GSP_SEND_USER_SHARED_DATA", 0},
    {0x101c, GSP_EV_OTHER, "NVLINK_FAULT_UP", 0},
    {0x101d, GSP_EV_LOCKDOWN_NOTICE, "GSP_LOCKDOWN_NOTICE", 1},
    {0x101e, GSP_EV_OTHER, "MIG_CI_CONFIG_UPDATE", 0},
};
static const struct gsp_event_info r570[] = {
    {0x101b, GSP_EV_OTHER, "NVLINK_FAULT_UP", 0},
    {0x101c, GSP_EV_LOCKDOWN_NOTICE, "GSP_LOCKDOWN_NOTICE", 1},
    {0x101d, GSP_EV_OTHER, "MIG_CI_CONFIG_UPDATE", 0},
    {0x101e, GSP_EV_OTHER, "UPDATE_GSP_TRACE", 0},
    {0x101f, GSP_EV_OTHER, "NVLINK_FATAL_ERROR_RECOVERY", 0},
    {0x1020, GSP_EV_POST_NOCAT_RECORD, "GSP_POST_NOCAT_RECORD", 0},
    {0x1021, GSP_EV_OTHER, "FECS_ERROR", 5},
    {0x1022, GSP_EV_RECOVERY_ACTION, "RECOVERY_ACTION", 5},
};
static const struct {
    const char *version;
    const struct gsp_event_info *table;
    size_t count;
} versions[] = {
    {"570.144", r570, ARRAY_SIZE(r570)},
    {"535.113.01", r535, ARRAY_SIZE(r535)},
};

static const struct gsp_event_info *find_in(const struct gsp_event_info *t, size_t n,
                                            uint32_t number)
{
    for (size_t i = 0; i < n; i++) {
        if (t[i].number == number) {
            return &t[i];
        }
    }
    return NULL;
}

const struct gsp_event_info *gsp_event_find(const char *version, uint32_t number)
{
    const struct gsp_event_info *e = find_in(common, ARRAY_SIZE(common), number);

    for (size_t i = 0; e == NULL && i < ARRAY_SIZE(versions); i++) {
        if (strcmp(versions[i].version, version) == 0) {
            e = find_in(versions[i].table, versions[i].count, number);
        }
    }
    return e;
}

/* ---- what each one does ---- */

static enum fl_err run_sequencer(struct gsp_gpu *g, const struct gsp_msg *m, struct deadline until,
                                 struct fl_fail *fail)
{
    struct gsp_event_state *ev = &g->ev;
    struct gsp_seq_result result;
    const uint64_t start_us = clock_now_us();

    if (start_us - ev->seq_since_us >= GSP_SEQ_WINDOW_US) {
        ev->seq_since_us = start_us;
        ev->seq_us = 0;
    }
    struct deadline limit =
        deadline_in_us(GSP_SEQ_BUDGET_US - min_u64(ev->seq_us, GSP_SEQ_BUDGET_US));
    limit.at_us = min_u64(limit.at_us, until.at_us);
    const enum fl_err err = gsp_seq_run(g->layout, m->payload, m->payload_size, g->io.size,
                                        &gsp_gpu_seq_ops, g, limit, &result, fail);
    ev->seq_us += clock_now_us() - start_us;
    ev->seq_commands += result.commands;
    ev->seq_dwords += result.dwords;
    log_limited(&g->chatter, LOG_DEBUG, g->label, "CPU sequencer: %u commands in %u dwords",
                (unsigned)result.commands, (unsigned)result.dwords);
    return err;
}

/* Text of the firmware: printable, on one line. */
static void clean_text(char *s)
{
    size_t n = strlen(s);

    while (n > 0 && (s[n - 1] == '\n' || s[n - 1] == '\r' || s[n - 1] == ' ')) {
        s[--n] = '\0';
    }
    for (; *s != '\0'; s++) {
        if (*s < ' ' || *s > '~') {
            *s = '.';
        }
    }
}

/* Copies up to size bytes of a field that need not end in NUL. */
static void copy_text(char *out, size_t room, const struct gsp_msg *m, uint32_t off, uint32_t size)
{
    const size_t have = off < m->payload_size ? m->payload_size - off : 0;
    size_t n = size < have ? size : have;

    n = n < room - 1 ? n : room - 1;
    memcpy(out, m->payload + off, n);
    out[n] = '\0';
    clean_text(out);
}

void gsp_event_xid(struct gsp_gpu *g, uint32_t xid, const char *text)
{
    g->xid_count++;
    g->last_xid = xid;
    snprintf(g->last_xid_text, sizeof(g->last_xid_text), "%s", text);
    log_limited(&g->complaints, LOG_ERROR, g->label, "Xid %u: %s", (unsigned)xid, g->last_xid_text);
    gsp_gpu_changed(g);
}

static void os_error(struct gsp_gpu *g, const struct gsp_msg *m)
{
    const struct gsp_layout *l = g->layout;
    char text[sizeof(g->last_xid_text)];

    copy_text(text, sizeof(text), m, l->rpc_os_error_log_v17_00.errString.off,
              l->rpc_os_error_log_v17_00.errString.size);
    gsp_event_xid(
        g, (uint32_t)fw_get(m->payload, m->payload_size, l->rpc_os_error_log_v17_00.exceptType),
        text);
}

static void unknown(struct gsp_gpu *g, const struct gsp_msg *m)
{
    for (uint32_t i = 0; i < g->ev.unknown_count; i++) {
        if (g->ev.unknown_logged[i] == m->function) {
            return;
        }
    }
    if (g->ev.unknown_count < ARRAY_SIZE(g->ev.unknown_logged)) {
        g->ev.unknown_logged[g->ev.unknown_count++] = m->function;
        log_limited(&g->chatter, LOG_WARN, g->label,
                    "event 0x%x (%u bytes) is not known in firmware %s: ignored",
                    (unsigned)m->function, (unsigned)m->payload_size, g->layout->version);
    }
}

enum fl_err gsp_event_handle(struct gsp_gpu *g, const struct gsp_msg *m, struct deadline until,
                             struct fl_fail *fail)
{
    const struct gsp_layout *l = g->layout;
    const struct gsp_event_info *e = gsp_event_find(l->version, m->function);
    char text[200];

    g->events++;
    if (e == NULL) {
        g->ev.seen[GSP_EV_UNKNOWN]++;
        unknown(g, m);
        return FL_OK;
    }
    g->ev.seen[e->event]++;
    if (m->payload_size < e->min_payload) {
        FL_FAIL(fail, FL_EPROTO, e->name, "%s has %u bytes of payload, expected at least %u",
                e->name, (unsigned)m->payload_size, (unsigned)e->min_payload);
        fl_fail_values(fail, m->payload_size, e->min_payload, 0);
        return FL_EPROTO;
    }
    switch (e->event) {
    case GSP_EV_INIT_DONE:
        g->ev.init_result = m->result;
        break;
    case GSP_EV_RUN_CPU_SEQUENCER:
        return run_sequencer(g, m, until, fail);
    case GSP_EV_OS_ERROR_LOG:
        os_error(g, m);
        break;
    case GSP_EV_RC_TRIGGERED:
        log_limited(
            &g->complaints, LOG_WARN, g->label,
            "channel error: engine type %u, channel %u, exception %u",
            (unsigned)fw_get(m->payload, m->payload_size,
                             l->rpc_rc_triggered_v17_02.nv2080EngineType),
            (unsigned)fw_get(m->payload, m->payload_size, l->rpc_rc_triggered_v17_02.chid),
            (unsigned)fw_get(m->payload, m->payload_size, l->rpc_rc_triggered_v17_02.exceptType));
        break;
    case GSP_EV_UCODE_LIBOS_PRINT:
        copy_text(text, sizeof(text), m, l->rpc_ucode_libos_print_v1E_08.libosPrintBuf.off,
                  (uint32_t)fw_get(m->payload, m->payload_size,
                                   l->rpc_ucode_libos_print_v1E_08.libosPrintBufSize));
        log_limited(&g->chatter, LOG_DEBUG, g->label, "libos: %s", text);
        break;
    case GSP_EV_LOCKDOWN_NOTICE:
        g->ev.lockdown = m->payload[0] != 0;
        log_limited(&g->chatter, LOG_DEBUG, g->label, "lockdown notice: %s",
                    g->ev.lockdown ? "engaging" : "released");
        break;
    case GSP_EV_RECOVERY_ACTION:
        g->ev.recovery_action = get_le32(m->payload);
        log_limited(&g->complaints, LOG_WARN, g->label, "the GSP asks for recovery action %u",
                    (unsigned)g->ev.recovery_action);
        break;
    case GSP_EV_POST_EVENT:
    case GSP_EV_MMU_FAULT_QUEUED:
    case GSP_EV_POST_NOCAT_RECORD:
    case GSP_EV_OTHER:
        log_limited(&g->chatter, LOG_DEBUG, g->label, "event %s, %u bytes", e->name,
                    (unsigned)m->payload_size);
        break;
    case GSP_EV_UNKNOWN:
    case GSP_EV_COUNT:
        break;
    }
    return FL_OK;
}
