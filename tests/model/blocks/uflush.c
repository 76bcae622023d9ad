/* SPDX-License-Identifier: MIT */
/*
 * UFLUSH: flushes of caches on the way to memory. A write of 1 starts one; its two bits read 1
 * until it is done (mmu.md 11).
 */
#include "tests/model/blocks/uflush.h"

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/books/fault.h"
#include "tests/model/bus/work.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/posted.h"
#include "tests/model/model.h"

enum { FLUSH_NS = 2000 };

static bool which_flush(uint32_t off, unsigned *which)
{
    static const uint32_t offsets[UFLUSH_KINDS] = {
        [UFLUSH_FB] = NV_UFLUSH_FB_FLUSH__OFFSET,
        [UFLUSH_SYSMEM] = NV_UFLUSH_L2_SYSMEM_INVALIDATE__OFFSET,
        [UFLUSH_DIRTY] = NV_UFLUSH_L2_FLUSH_DIRTY__OFFSET};
    *which = 0;
    while (*which < UFLUSH_KINDS && offsets[*which] != off) {
        ++*which;
    }
    return *which < UFLUSH_KINDS;
}

static bool read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    unsigned which;
    struct NV_UFLUSH_FB_FLUSH r = {0};
    if (!which_flush(off, &which)) {
        return false;
    }
    r = NV_UFLUSH_FB_FLUSH__with_PENDING(r, m->uflush->busy[which]);
    r = NV_UFLUSH_FB_FLUSH__with_OUTSTANDING(r, m->uflush->busy[which]);
    *value = r.raw;
    return true;
}

static bool write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    unsigned which;
    if (!which_flush(off, &which)) {
        return false;
    }
    if (NV_UFLUSH_FB_FLUSH__PENDING((struct NV_UFLUSH_FB_FLUSH){value}) != 0) {
        m->uflush->busy[which] = true;
        if (which == UFLUSH_FB) {
            model_posted_flush_begins(m);
        }
        m->uflush->stuck[which] = m->uflush->stuck[which] || model_fault_never_done(m, BUSY_FLUSH);
        model_schedule(m, WORK_UFLUSH, FLUSH_NS);
    }
    return true;
}

static void done(struct gpu_model *m)
{
    for (unsigned i = 0; i < UFLUSH_KINDS; i++) {
        m->uflush->busy[i] = m->uflush->stuck[i];
    }
    if (!m->uflush->busy[UFLUSH_FB]) {
        model_posted_flush_ends(m);
    }
}

static void reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    *m->uflush = (struct uflush_state){0};
}

static const struct block_range ranges[] = {{0x070000, 0x070fff, F_ALL}, {0}};

const struct block uflush_block = {
    .name = "UFLUSH",
    BLOCK_STATE(uflush),
    .ranges = ranges,
    .read = read,
    .write = write,
    .reset = reset,
    .work = {[WORK_UFLUSH] = done},
};
