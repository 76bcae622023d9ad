/* SPDX-License-Identifier: MIT */
/*
 * Posted writes (mmu.md 11). A rule is broken only where it would show: an entry is used that was
 * written, not flushed, and then invalidated. Writes beyond the list are not followed.
 */
#include "tests/model/memory/posted.h"

#include "arch/base.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/books/strict.h"
#include "tests/model/gpu.h"

void model_posted_write(struct gpu_model *m, uint64_t addr, uint64_t len)
{
    struct posted_list *w = &m->posted->written;
    for (uint32_t i = w->count; i-- != 0;) {
        struct posted_range *r = &w->range[i];
        if (!r->in_flush && addr <= r->hi && addr + len >= r->lo) {
            r->lo = min_u64(r->lo, addr);
            r->hi = r->hi > addr + len ? r->hi : addr + len;
            return;
        }
    }
    if (w->count < POSTED_RANGES) {
        w->range[w->count++] = (struct posted_range){.lo = addr, .hi = addr + len};
    }
}

void model_posted_flushed(struct gpu_model *m) { m->posted->written.count = 0; }

void model_posted_flush_begins(struct gpu_model *m)
{
    for (uint32_t i = 0; i < m->posted->written.count; i++) {
        m->posted->written.range[i].in_flush = true;
    }
}

void model_posted_flush_ends(struct gpu_model *m)
{
    struct posted_list *w = &m->posted->written;
    uint32_t left = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        if (!w->range[i].in_flush) {
            w->range[left++] = w->range[i];
        }
    }
    w->count = left;
}

void model_posted_invalidate(struct gpu_model *m) { m->posted->missed = m->posted->written; }

void model_posted_check(struct gpu_model *m, uint64_t addr, uint64_t len, const char *level)
{
    struct posted_list *l = &m->posted->missed;
    for (uint32_t i = 0; i < l->count; i++) {
        const struct posted_range r = l->range[i];
        if (addr >= r.hi || addr + len <= r.lo) {
            continue;
        }
        model_rule_broken(m, r.in_flush ? RULE_MMU_UFLUSH_UNAWAITED : RULE_MMU_FLUSH_MISSING,
                          "the entry of %s at 0x%llx was written by the CPU and used after an "
                          "invalidate, %s",
                          level, (unsigned long long)addr,
                          r.in_flush ? "which did not wait for the flush that was under way"
                                     : "with no read and no flush between");
        l->range[i] = l->range[--l->count]; /* once */
        return;
    }
}

static void reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    *m->posted = (struct posted_state){0};
}

const struct block posted_block = {.name = "posted writes", BLOCK_STATE(posted), .reset = reset};
