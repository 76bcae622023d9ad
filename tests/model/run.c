/* SPDX-License-Identifier: MIT */
/*
 * The model as a whole: resets, delayed work when it is due, and the small rest of the public
 * interface (model.h). Nothing that the GPU does by itself happens inside a register access.
 */
#include "tests/model/run.h"

#include "arch/base.h"
#include "tests/model/block.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/trace.h"
#include "tests/model/bus/work.h"
#include "tests/model/falcon/falcon.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/gsp/gsp_status.h"
#include "tests/model/memory/wpr2.h"
#include "tests/model/model.h"

enum { RUN_LIMIT = 256 }; /* pieces of work in one model_run: a stop against loops */

/* ---- reset ---- */

void model_reset_blocks(struct gpu_model *m, enum model_reset kind)
{
    for (size_t i = 0; m->blocks[i] != NULL; i++) {
        const struct block *b = m->blocks[i];
        if (b->reset != NULL && (kind != MODEL_RESET_WARM || b->resets_warm)) {
            b->reset(m, kind);
        }
    }
}

void model_reset(struct gpu_model *m, enum model_reset kind)
{
    static const char *const names[] = {[MODEL_RESET_FLR] = "FLR",
                                        [MODEL_RESET_BUS] = "bus",
                                        [MODEL_RESET_POWER] = "power",
                                        [MODEL_RESET_WARM] = "warm"};

    model_trace_text(m, "reset: %s", names[kind]);
    if (kind == MODEL_RESET_POWER) {
        m->unplugged = false;
        m->unplug_at = 0;
    }
    if (!m->unplugged || kind == MODEL_RESET_WARM) {
        model_reset_blocks(m, kind);
    }
}

/* ---- delayed work ---- */

void model_run(struct gpu_model *m)
{
    for (unsigned n = 0; n < RUN_LIMIT && !m->unplugged; n++) {
        size_t first = 0;
        for (size_t i = 1; i < WORK_COUNT; i++) {
            first = m->work->due[i] < m->work->due[first] ? i : first;
        }
        if (m->work->due[first] == UINT64_MAX || m->work->due[first] > model_now(m)) {
            return;
        }
        m->work->due[first] = UINT64_MAX;
        m->faults->dma_refused = false;
        m->work->run[first](m);
    }
}

uint64_t model_next_ns(const struct gpu_model *m)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < WORK_COUNT && !m->unplugged; i++) {
        first = min_u64(first, m->work->due[i]);
    }
    if (first == UINT64_MAX) {
        return UINT64_MAX;
    }
    const uint64_t now = m->bus.now_ns(m->bus.ctx);
    return first > now ? first : 0;
}

/* ---- the rest of the public interface ---- */

void model_get_stats(const struct gpu_model *m, struct model_stats *out)
{
    *out = m->stats;
    out->dmas = m->faults->dmas;
    out->messages = m->faults->messages;
    out->commands = m->faults->commands;
    out->wpr2_up = m->wpr2->hi > m->wpr2->lo;
    out->gsp_running = m->gsp_falcon->riscv_active;
}

void model_inject_event(struct gpu_model *m, uint32_t function, const void *payload, uint32_t size,
                        uint32_t rpc_result)
{
    if (m->gsp->q.up) {
        model_queue_send(m, function, rpc_result, 0, payload, size, 0);
    }
}

void model_unplug(struct gpu_model *m)
{
    model_trace_text(m, "the link is gone");
    m->unplugged = true;
}

bool model_unplugged(const struct gpu_model *m) { return m->unplugged; }

void model_unplug_after(struct gpu_model *m, uint64_t accesses)
{
    m->unplug_at = m->access + accesses;
}
