/* SPDX-License-Identifier: MIT */
/*
 * Messages that the GSP sends unasked. Their numbers differ between firmware versions from 0x101b
 * on, so each version has its table and the rest of the code sees one neutral list.
 *
 * Source: spec rpc.md B3 (OGKM rpc_global_enums.h at 570.144 and 535.113.01, nouveau msgfn.h,
 * nova).
 */
#pragma once

#include "arch/base.h"
#include "arch/clock.h"
#include "arch/fail.h"
#include "gsp/rpc/queue.h"

enum gsp_event {
    GSP_EV_UNKNOWN,
    GSP_EV_INIT_DONE,
    GSP_EV_RUN_CPU_SEQUENCER,
    GSP_EV_POST_EVENT,
    GSP_EV_RC_TRIGGERED,
    GSP_EV_MMU_FAULT_QUEUED,
    GSP_EV_OS_ERROR_LOG,
    GSP_EV_UCODE_LIBOS_PRINT,
    GSP_EV_LOCKDOWN_NOTICE,
    GSP_EV_POST_NOCAT_RECORD,
    GSP_EV_RECOVERY_ACTION,
    GSP_EV_OTHER, /* known by name, nothing to do */
    GSP_EV_COUNT,
};

struct gsp_event_info {
    uint32_t number;
    enum gsp_event event;
    const char *name;
    uint32_t min_payload; /* shorter ones are malformed */
};
/* The event a number means in a firmware version; NULL when that version has no such event. */
const struct gsp_event_info *gsp_event_find(const char *version, uint32_t number);

/* Xids that the resource manager does not send but its host tells (channels.md 14.2). */
#define GSP_XID_OFF_THE_BUS 79u
#define GSP_XID_GSP_CRASH   120u

struct gsp_gpu;
/* An Xid, from the GSP or our own: counted, kept as the last one, logged. */
void gsp_event_xid(struct gsp_gpu *g, uint32_t xid, const char *text);

/* What events left behind, per boot. */
struct gsp_event_state {
    uint32_t seen[GSP_EV_COUNT];
    uint32_t init_result; /* rpc_result of INIT_DONE */
    uint32_t seq_commands, seq_dwords;
    uint64_t seq_since_us, seq_us; /* time that scripts took, in the minute that began then */
    bool lockdown;                 /* the GSP asked to leave its registers alone */
    uint32_t unknown_logged[8];    /* numbers already mentioned in the log */
    uint32_t unknown_count;
    uint32_t recovery_action;
};

/* All register scripts of a minute together; a real boot's takes less than a second (measured on
 * AD104 and others), so that a script that comes at the end of a wait still has time. */
#define GSP_SEQ_BUDGET_US (10 * US_PER_S)
#define GSP_SEQ_WINDOW_US (60 * US_PER_S)

/* Handles one event of g. FL_OK also for those that are only counted. Errors end the wait in which
 * the event came: a sequencer that fails or takes too long (until, GSP_SEQ_BUDGET_US), a malformed
 * message. Yields (the sequencer). */
FL_MUST_CHECK enum fl_err gsp_event_handle(struct gsp_gpu *g, const struct gsp_msg *m,
                                           struct deadline until, struct fl_fail *fail);
