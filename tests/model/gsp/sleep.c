/* SPDX-License-Identifier: MIT */
/*
 * Suspend and resume, Turing to Ada: a GSP that was told of a power transition stops as for an
 * unload; booter_unload, given SR metadata, stores what lies in WPR2 to the driver's save area, and
 * booter_load, given the same after the power was gone, brings it back and lets the GSP go on.
 *
 * What the area holds is nobody's business but the booter's: here a mark on its first, middle and
 * last page, which must come back as it was. The GSP's own state stays in the model. Sources:
 * boot.md 6 (SR metadata), 7, 12.2; rpc.md C4.
 */
#include "tests/model/gsp/sleep.h"

#include <string.h>

#include "arch/base.h"
#include "gsp_layout.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/books/strict.h"
#include "tests/model/books/trace_data.h"
#include "tests/model/boot/booter_meta.h"
#include "tests/model/bus/dma.h"
#include "tests/model/bus/work.h"
#include "tests/model/falcon/falcon.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_queue.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/gsp/rm_objects.h"
#include "tests/model/memory/wpr2.h"

#define SR_MAGIC 0x8a3bb9e6c6c39d93ull
#define MARK     0x534c454550ull /* "SLEEP" */

enum {
    SR_REVISION = 2,
    SR_BYTES = 256,
    LEVEL_SUSPEND = 3,
    FLAGS_570 = 5, /* preserving, power transition */
    ENTRIES = FL_PAGE_SIZE / 8,
    STEP_NS = 40000,
    HOST_CAUSES = 0x50,
    RX_NS = 20000,
};

void model_sleep_drop(struct gpu_model *m)
{
    if (m->sleep->have) {
        const struct gsp_state now = *m->gsp;
        *m->gsp = m->sleep->gsp;
        model_queue_free(m);
        model_rm_free_all(m);
        *m->gsp = now;
    }
    *m->sleep = (struct sleep_state){0};
}

void model_sleep_begin(struct gpu_model *m)
{
    struct gsp_state *g = m->gsp;

    model_sleep_drop(m);
    m->sleep->have = true;
    m->sleep->gsp = *g;
    m->sleep->wpr2 = *m->wpr2;
    *g = (struct gsp_state){
        .phase = GSPP_SUSPENDED, .l = g->l, .v = g->v, .fw = g->fw, .libos_args = g->libos_args};
}

/* The address of a page of the save area; 0 with a rule when the tables do not lead there. */
static uint64_t area_page(struct gpu_model *m, uint64_t root, uint64_t page)
{
    const uint64_t index[] = {0, page / ENTRIES, page % ENTRIES};
    uint64_t at = root;

    for (unsigned level = 0; level < 3; level++) {
        uint8_t e[8];
        if (at == 0 || !is_aligned_u64(at, FL_PAGE_SIZE) ||
            !model_dma_read(m, at + 8 * index[level], e, sizeof(e), "save area's tables")) {
            model_rule_broken(m, RULE_BOOTER_RADIX3, "the save area's level %u is at 0x%llx", level,
                              (unsigned long long)at);
            return 0;
        }
        at = get_le64(e);
    }
    return at;
}

/* Stores the marks, or looks for them. */
static bool area(struct gpu_model *m, bool store)
{
    const uint64_t pages = m->sleep->bytes / FL_PAGE_SIZE;
    const uint64_t at[] = {0, pages / 2, pages - 1};

    for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
        const uint64_t page = area_page(m, m->sleep->root, at[i]);
        uint8_t mark[16], seen[16];
        put_le64(mark, MARK + at[i]);
        put_le64(mark + 8, m->sleep->gsp.libos_args);
        if (page == 0 || (store && !model_dma_write(m, page, mark, sizeof(mark), "save area")) ||
            !model_dma_read(m, page, seen, sizeof(seen), "save area")) {
            return false;
        }
        if (memcmp(mark, seen, sizeof(mark)) != 0) {
            return model_meta_reject(m, RULE_BOOTER_META_FIELD, "the save area's page", at[i],
                                     "is not what was stored there; pages:", pages);
        }
    }
    return true;
}

static bool metadata(struct gpu_model *m, uint64_t address, uint64_t *root, uint64_t *bytes)
{
    const struct gsp_layout *l = m->sleep->gsp.l;
    uint8_t b[SR_BYTES];

    if (l->GspFwSRMeta.total != SR_BYTES ||
        !model_dma_read(m, address, b, sizeof(b), "SR metadata")) {
        return false;
    }
    model_trace_struct(m, l, "GspFwSRMeta", b, sizeof(b));
#define SR(field) fw_get(b, sizeof(b), l->GspFwSRMeta.field)
    if (SR(magic) != SR_MAGIC || SR(revision) != SR_REVISION) {
        return model_meta_reject(m, RULE_BOOTER_META_MAGIC, "SR magic", SR(magic),
                                 "with revision 2 it is", SR_MAGIC);
    }
    *root = SR(sysmemAddrOfSuspendResumeData);
    *bytes = SR(sizeOfSuspendResumeData);
#undef SR
    return true;
}

bool model_sleep_asked(struct gpu_model *m, uint64_t address)
{
    uint8_t magic[8];

    return m->sleep->stored && model_dma_try_read(m, address, magic, sizeof(magic)) &&
           get_le64(magic) == SR_MAGIC;
}

bool model_sleep_store(struct gpu_model *m, uint64_t address)
{
    struct sleep_state *s = m->sleep;
    const uint64_t need = s->wpr2.hi - s->wpr2.lo;

    if (!s->have || !metadata(m, address, &s->root, &s->bytes)) {
        return false;
    }
    if (s->bytes != need) {
        return model_meta_reject(m, RULE_BOOTER_META_FIELD, "sizeOfSuspendResumeData", s->bytes,
                                 "WPR2 has", need);
    }
    s->stored = area(m, true);
    return s->stored;
}

/* The arguments, rewritten in place. */
static bool arguments(struct gpu_model *m)
{
    const struct gsp_layout *l = m->sleep->gsp.l;
    const uint32_t total = l->GSP_ARGUMENTS_CACHED.total;
    const bool old = !l->GSP_ARGUMENTS_CACHED.bDmemStack.present; /* r535 */
    uint8_t b[128];

    if (total > sizeof(b) || !model_dma_read(m, m->sleep->gsp.rmargs, b, total, "RM arguments")) {
        return false;
    }
    model_trace_struct(m, l, "GSP_ARGUMENTS_CACHED", b, total);
#define ARG(field) fw_get(b, total, l->GSP_ARGUMENTS_CACHED.srInitArguments_##field)
    const uint64_t level = ARG(oldLevel), flags = ARG(flags), pm = ARG(bInPMTransition);
#undef ARG
    if (level != LEVEL_SUSPEND || pm != 1 || flags != (old ? 0 : FLAGS_570)) {
        model_rule_broken(m, RULE_RMARGS,
                          "srInitArguments are %llu, 0x%llx, %llu; a resume has 3, 0x%x, 1",
                          (unsigned long long)level, (unsigned long long)flags,
                          (unsigned long long)pm, old ? 0 : FLAGS_570);
        return false;
    }
    return true;
}

bool model_sleep_wake(struct gpu_model *m, uint64_t address)
{
    struct sleep_state *s = m->sleep;
    uint64_t root = 0, bytes = 0;

    if (!s->stored || !metadata(m, address, &root, &bytes)) {
        return false;
    }
    if (root != s->root || bytes != s->bytes) {
        return model_meta_reject(m, RULE_BOOTER_META_FIELD, "sysmemAddrOfSuspendResumeData", root,
                                 "it was stored at", s->root);
    }
    if (!area(m, false) || !arguments(m)) {
        return false;
    }
    *m->gsp = s->gsp;
    *m->wpr2 = s->wpr2;
    *m->sleep = (struct sleep_state){0};
    m->gsp->phase = GSPP_INIT;
    m->gsp->init_step = 0;
    m->gsp->pm_level = 0;
    m->gsp_falcon->riscv_irqmask = m->gsp_falcon->riscv_irqdest = HOST_CAUSES;
    m->stats.gsp_resumes++;
    model_schedule(m, WORK_GSP, STEP_NS);
    model_schedule(m, WORK_GSP_RX, RX_NS);
    return true;
}

/* What is stored survives every reset: that is what it is for. */
const struct block sleep_block = {.name = "sleep", BLOCK_STATE(sleep), .destroy = model_sleep_drop};
