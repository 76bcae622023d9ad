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
/* A version's own ones (version.h), beyond those that all have. */
struct gsp_event_table {
    const struct gsp_event_info *rows;
    size_t count;
};
enum { GSP_EVENTS_R535_COUNT = 4, GSP_EVENTS_R570_COUNT = 8 };
extern const struct gsp_event_info gsp_events_r535[GSP_EVENTS_R535_COUNT],
    gsp_events_r570[GSP_EVENTS_R570_COUNT];
#define GSP_EVENTS_R535 {gsp_events_r535, GSP_EVENTS_R535_COUNT}
#define GSP_EVENTS_R570 {gsp_events_r570, GSP_EVENTS_R570_COUNT}

/* The event that a number means where `more` are the version's own; NULL when it has no such event.
 */
const struct gsp_event_info *gsp_event_find(const struct gsp_event_table *more, uint32_t number);

/* Xids that the resource manager does not send but its host tells (channels.md 14.2). */
#define GSP_XID_OFF_THE_BUS 79u
#define GSP_XID_RECOVERY    154u
#define GSP_XID_RPC_TIMEOUT 119u
#define GSP_XID_GSP_CRASH   120u

/* What events left behind, per boot. */
struct gsp_event_state {
    uint32_t seen[GSP_EV_COUNT];
    uint32_t init_result; /* rpc_result of INIT_DONE */
    uint32_t seq_commands, seq_dwords;
    uint64_t seq_since_us, seq_us; /* time that scripts took, in the minute that began then */
    bool lockdown;                 /* the GSP asked to leave its registers alone */
    uint32_t unknown_logged[8];    /* numbers already mentioned in the log */
    uint32_t unknown_count;
    char journal[160]; /* text of the first NOCAT record that had any */
};
