/* SPDX-License-Identifier: MIT */
/* Messages that the GSP sends unasked (events.h). */
#include "gsp/rpc/events.h"

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
const struct gsp_event_info gsp_events_r535[GSP_EVENTS_R535_COUNT] = {
    {0x101b, GSP_EV_OTHER, "GSP_SEND_USER_SHARED_DATA", 0},
    {0x101c, GSP_EV_OTHER, "NVLINK_FAULT_UP", 0},
    {0x101d, GSP_EV_LOCKDOWN_NOTICE, "GSP_LOCKDOWN_NOTICE", 1},
    {0x101e, GSP_EV_OTHER, "MIG_CI_CONFIG_UPDATE", 0},
};
const struct gsp_event_info gsp_events_r570[GSP_EVENTS_R570_COUNT] = {
    {0x101b, GSP_EV_OTHER, "NVLINK_FAULT_UP", 0},
    {0x101c, GSP_EV_LOCKDOWN_NOTICE, "GSP_LOCKDOWN_NOTICE", 1},
    {0x101d, GSP_EV_OTHER, "MIG_CI_CONFIG_UPDATE", 0},
    {0x101e, GSP_EV_OTHER, "UPDATE_GSP_TRACE", 0},
    {0x101f, GSP_EV_OTHER, "NVLINK_FATAL_ERROR_RECOVERY", 0},
    {0x1020, GSP_EV_POST_NOCAT_RECORD, "GSP_POST_NOCAT_RECORD", 0},
    {0x1021, GSP_EV_OTHER, "FECS_ERROR", 5},
    {0x1022, GSP_EV_RECOVERY_ACTION, "RECOVERY_ACTION", 5},
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

const struct gsp_event_info *gsp_event_find(const struct gsp_event_table *more, uint32_t number)
{
    const struct gsp_event_info *e = find_in(common, ARRAY_SIZE(common), number);

    return e != NULL ? e : find_in(more->rows, more->count, number);
}
