/* SPDX-License-Identifier: MIT */
/* What the GSP's messages do to a GPU (messages.h). */
#include "gsp/rm/messages.h"

#include <string.h>

#include "arch/log.h"
#include "arch/text.h"
#include "gsp/gpu.h"
#include "gsp/rm/script.h"
#include "gsp/rpc/sequencer.h"

#define JOURNAL_RUN_MIN 6u /* printable bytes in a row that are words, and no numbers */

static enum fl_err run_sequencer(struct gsp_gpu *g, const struct gsp_msg *m, struct deadline until,
                                 struct fl_fail *fail)
{
    struct gsp_event_state *ev = &g->ev;
    struct gsp_seq_result result;
    char text[64];
    struct text t = text_on(text, sizeof(text));
    const uint64_t start_us = clock_now_us();

    if (start_us - ev->seq_since_us >= GSP_SEQ_WINDOW_US) {
        ev->seq_since_us = start_us;
        ev->seq_us = 0;
    }
    struct deadline limit =
        deadline_in_us(GSP_SEQ_BUDGET_US - min_u64(ev->seq_us, GSP_SEQ_BUDGET_US));
    limit.at_us = min_u64(limit.at_us, until.at_us);
    const enum fl_err err = gsp_seq_run(g->layout, m->payload, m->payload_size, g->hw.io.size,
                                        &gsp_gpu_seq_ops, g, limit, &result, fail);
    ev->seq_us += clock_now_us() - start_us;
    ev->seq_commands += result.commands;
    ev->seq_dwords += result.dwords;
    text_fmt(&t, "CPU sequencer: %u commands in %u dwords", (unsigned)result.commands,
             (unsigned)result.dwords);
    log_limited(&g->chatter, LOG_DEBUG, g->hw.label, "%s", text);
    gsp_gpu_tell_event(g, m->function, "GSP_RUN_CPU_SEQUENCER", text);
    return err;
}

/* One of the firmware's events, in the log and in the feed. */
static void tell(struct gsp_gpu *g, enum log_level level, const struct gsp_msg *m,
                 const struct gsp_event_info *e, const char *text)
{
    struct log_limit *limit = level <= LOG_WARN ? &g->hw.complaints : &g->chatter;

    log_limited(limit, level, g->hw.label, "%s", text);
    gsp_gpu_tell_event(g, m->function, e->name, text);
}

/* A channel of somebody has gone wrong. */
static void channel_error(struct gsp_gpu *g, const struct gsp_msg *m,
                          const struct gsp_event_info *e, struct text *t)
{
    const struct gsp_layout *l = g->layout;

    text_fmt(
        t, "channel error: engine type %u, channel %u, exception %u",
        (unsigned)fw_get(m->payload, m->payload_size, l->rpc_rc_triggered_v17_02.nv2080EngineType),
        (unsigned)fw_get(m->payload, m->payload_size, l->rpc_rc_triggered_v17_02.chid),
        (unsigned)fw_get(m->payload, m->payload_size, l->rpc_rc_triggered_v17_02.exceptType));
    tell(g, LOG_WARN, m, e, t->buf);
}

/* Source: spec rpc.md B3 (OGKM g_rpc-structures.h at 570.144). */
static const char *recovery_name(uint32_t action)
{
    static const char *const names[] = {"refresh", "drain peer-to-peer traffic", "reboot"};

    return action < ARRAY_SIZE(names) ? names[action] : "not known";
}

/* A type and whether it is asked for now, or not any more. Asked for, it is an Xid as well, so that
 * health and metrics have it. */
static void recovery(struct gsp_gpu *g, const struct gsp_msg *m, const struct gsp_event_info *e,
                     struct text *t)
{
    const uint32_t action = get_le32(m->payload);
    const bool wanted = m->payload[sizeof(uint32_t)] != 0;

    text_fmt(t, "the GSP %s recovery action %u (%s)", wanted ? "asks for" : "no longer asks for",
             (unsigned)action, recovery_name(action));
    tell(g, LOG_WARN, m, e, t->buf);
    if (wanted) {
        gsp_gpu_xid(g, GSP_XID_RECOVERY, t->buf);
    }
}

/* Printable runs of a record whose fields only one firmware's tables have: file and function names,
 * an assertion's words. The first record with any is kept with the boot: it often says why a start
 * fails that ends with a bare number. */
static void journal(struct gsp_gpu *g, const struct gsp_msg *m, const struct gsp_event_info *e,
                    struct text *t)
{
    const size_t head = t->used;

    for (uint32_t at = 0, run = 0; at <= m->payload_size; at++) {
        const bool printable =
            at < m->payload_size && m->payload[at] >= ' ' && m->payload[at] <= '~';
        if (!printable && run >= JOURNAL_RUN_MIN) {
            text_fmt(t, "%s%.*s", t->used == head ? "" : ", ", (int)run,
                     (const char *)m->payload + at - run);
        }
        run = printable ? run + 1 : 0;
    }
    if (t->used == head) {
        text_fmt(t, "event %s, %u bytes", e->name, (unsigned)m->payload_size);
    } else if (g->ev.journal[0] == '\0') {
        struct text kept = text_on(g->ev.journal, sizeof(g->ev.journal));
        text_str(&kept, t->buf + head);
        log_info(g->hw.label, "the GSP's journal: %s", g->ev.journal);
    }
    tell(g, LOG_DEBUG, m, e, t->buf);
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

static void os_error(struct gsp_gpu *g, const struct gsp_msg *m)
{
    const struct gsp_layout *l = g->layout;
    char text[sizeof(g->last_xid_text)];

    copy_text(text, sizeof(text), m, l->rpc_os_error_log_v17_00.errString.off,
              l->rpc_os_error_log_v17_00.errString.size);
    gsp_gpu_xid(
        g, (uint32_t)fw_get(m->payload, m->payload_size, l->rpc_os_error_log_v17_00.exceptType),
        text);
}

static void unknown(struct gsp_gpu *g, const struct gsp_msg *m)
{
    gsp_gpu_tell_event(g, m->function, "UNKNOWN", "an event that this firmware should not know");
    for (uint32_t i = 0; i < g->ev.unknown_count; i++) {
        if (g->ev.unknown_logged[i] == m->function) {
            return;
        }
    }
    if (g->ev.unknown_count < ARRAY_SIZE(g->ev.unknown_logged)) {
        g->ev.unknown_logged[g->ev.unknown_count++] = m->function;
        log_limited(&g->chatter, LOG_WARN, g->hw.label,
                    "event 0x%x (%u bytes) is not known in firmware %s: ignored",
                    (unsigned)m->function, (unsigned)m->payload_size, g->layout->version);
    }
}

enum fl_err gsp_message_handle(struct gsp_gpu *g, const struct gsp_msg *m, struct deadline until,
                               struct fl_fail *fail)
{
    const struct gsp_layout *l = g->layout;
    const struct gsp_event_info *e = gsp_event_find(&g->version->events, m->function);
    char text[200];
    struct text t = text_on(text, sizeof(text));

    g->events++;
    if (e == NULL) {
        g->ev.seen[GSP_EV_UNKNOWN]++;
        unknown(g, m);
        return FL_OK;
    }
    g->ev.seen[e->event]++;
    if (m->payload_size < e->min_payload) {
        return FL_FAIL_MORE(fail, FL_EPROTO, e->name, (FL_SAW(m->payload_size, e->min_payload, 0)),
                            "%s has %u bytes of payload, expected at least %u", e->name,
                            (unsigned)m->payload_size, (unsigned)e->min_payload);
    }
    switch (e->event) {
    case GSP_EV_INIT_DONE:
        g->ev.init_result = m->result;
        text_fmt(&t, "GSP_INIT_DONE with 0x%x", (unsigned)m->result);
        tell(g, LOG_DEBUG, m, e, text);
        break;
    case GSP_EV_RUN_CPU_SEQUENCER:
        return run_sequencer(g, m, until, fail);
    case GSP_EV_OS_ERROR_LOG:
        os_error(g, m);
        break;
    case GSP_EV_RC_TRIGGERED:
        channel_error(g, m, e, &t);
        break;
    case GSP_EV_UCODE_LIBOS_PRINT:
        text_str(&t, "libos: ");
        copy_text(text + t.used, sizeof(text) - t.used, m,
                  l->rpc_ucode_libos_print_v1E_08.libosPrintBuf.off,
                  (uint32_t)fw_get(m->payload, m->payload_size,
                                   l->rpc_ucode_libos_print_v1E_08.libosPrintBufSize));
        tell(g, LOG_DEBUG, m, e, text);
        break;
    case GSP_EV_LOCKDOWN_NOTICE:
        g->ev.lockdown = m->payload[0] != 0;
        text_fmt(&t, "lockdown notice: %s", g->ev.lockdown ? "engaging" : "released");
        tell(g, LOG_DEBUG, m, e, text);
        break;
    case GSP_EV_RECOVERY_ACTION:
        recovery(g, m, e, &t);
        break;
    case GSP_EV_POST_NOCAT_RECORD:
        journal(g, m, e, &t);
        break;
    case GSP_EV_POST_EVENT:
    case GSP_EV_MMU_FAULT_QUEUED:
    case GSP_EV_OTHER:
        text_fmt(&t, "event %s, %u bytes", e->name, (unsigned)m->payload_size);
        tell(g, LOG_DEBUG, m, e, text);
        break;
    case GSP_EV_UNKNOWN:
    case GSP_EV_COUNT:
        break;
    }
    return FL_OK;
}
