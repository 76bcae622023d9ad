/* SPDX-License-Identifier: MIT */
/* A sign of life now and then (watch.h). */
#include "gsp/watch.h"

#include "arch/machine.h"
#include "gsp/gpu.h"
#include "gsp/rm/rm.h"

/* NV2080_CTRL_CMD_GSP_GET_FEATURES: answered by the GSP itself, nothing is touched for it; of one
 * number and size in both versions. Source: spec rpc.md D3; OGKM ctrl2080gsp.h. */
#define ALIVE_CMD       0x20803601u
#define ALIVE_BYTES_MAX 128u

static enum fl_err hangs(struct gsp_gpu *g, uint64_t silent_us, struct fl_fail *fail)
{
    const struct gsp_queue *q = &g->rpc.queue;

    gsp_gpu_xid(g, GSP_XID_RPC_TIMEOUT, "the GSP hangs: it answers nothing and sends nothing");
    return FL_FAIL_MORE(
        fail, FL_ETIMEDOUT, "GSP",
        (FL_SAW(q->cmd_read, q->cmd_write, silent_us),
         .hint = "a reset and a boot bring it back; when_hung = boot in firstlight.conf does so by "
                 "itself"),
        "the GSP hangs: no answer and no event for %llu s, since the last call; %s; its core has "
        "not stopped, the GPU answers",
        (unsigned long long)(silent_us / US_PER_S),
        gsp_queue_taken(q) ? "it took all messages" : "it does not take messages");
}

/* No answer is no news yet. */
static enum fl_err ask(struct gsp_gpu *g, struct fl_fail *fail)
{
    struct gsp_rm_answer answer;
    struct fl_fail why = {0};
    uint8_t p[ALIVE_BYTES_MAX] = {0};
    const uint32_t bytes = g->layout->NV2080_CTRL_GSP_GET_FEATURES_PARAMS.total;

    FL_ASSERT(bytes <= sizeof(p));
    const enum fl_err err = gsp_rm_ask(g, ALIVE_CMD, p, bytes, GSP_WATCH_ANSWER_US, &answer, &why);

    if (err == FL_EIO || err == FL_ELINKLOST) {
        *fail = why;
        return err;
    }
    return FL_OK;
}

enum fl_err gsp_watch_step(struct gsp_gpu *g, struct fl_fail *fail)
{
    const uint64_t now_us = clock_now_us();
    const struct gsp_rpc *r = &g->rpc;

    if (r->asked_us != 0 && now_us - r->asked_us >= GSP_HUNG_US) {
        return hangs(g, now_us - r->asked_us, fail);
    }
    if (now_us - max_u64(r->heard_us, g->watch_us) < GSP_WATCH_PERIOD_US) {
        return FL_OK;
    }
    g->watch_us = now_us;
    return ask(g, fail);
}
