/* SPDX-License-Identifier: MIT */
/*
 * Channels: made by RM, and what happens to them; the host reads their rings (ring.c). Sources:
 * channels.md 5-8.
 */
#include "tests/model/host/channel.h"

#include <stdlib.h>

#include "gsp_layout.h"
#include "tests/model/books/trace.h"
#include "tests/model/bus/intr.h"
#include "tests/model/bus/work.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/gsp/gsp_status.h"
#include "tests/model/gsp/rm_objects.h"
#include "tests/model/host/engines.h"
#include "tests/model/memory/mmu.h"
#include "tests/model/memory/tlb.h"

enum {
    SPACE_FB = 2, /* addressSpace of a memory description */
    CHID_INDEX_SHIFT = 8,
    CHID_INDEX_MASK = 7,
    CHID_PAGE_SHIFT = 12,
    CHID_PAGE_MASK = 0x1ff,
    CHID_PER_PAGE = 8,
    FLAG_PRIVILEGED = 1 << 5,
    RING_MAX = 1 << 20,
    TYPE_GRAPHICS = 1,
};
enum { EVENT_RC = 0x1004, EVENT_MMU_FAULT = 0x1005, LEVEL_NON_FATAL = 1, RC_BYTES = 64 };

/* ---- life ---- */

void model_host_free(struct gpu_model *m)
{
    while (m->host->channels != NULL) {
        struct channel *c = m->host->channels;
        m->host->channels = c->next;
        free(c);
    }
    model_cancel(m, WORK_HOST);
}

struct channel *model_channel_of(struct gpu_model *m, const struct rm_object *o)
{
    for (struct channel *c = m->host->channels; c != NULL; c = c->next) {
        if (c->client == o->client && c->handle == o->handle) {
            return c;
        }
    }
    return NULL;
}

/* The lowest number that no channel has, for drivers that do not choose. */
static uint32_t free_chid(const struct gpu_model *m)
{
    for (uint32_t chid = 0;; chid++) {
        const struct channel *c = m->host->channels;
        while (c != NULL && c->chid != chid) {
            c = c->next;
        }
        if (c == NULL) {
            return chid;
        }
    }
}

uint32_t model_channel_new(struct gpu_model *m, const struct rm_object *o, uint8_t *params,
                           uint32_t size)
{
    const struct gsp_layout *l = m->gsp->l;
    struct model_engine e;
#define PARAM(field) fw_get(params, size, l->NV_CHANNEL_ALLOC_PARAMS.field)
    const uint32_t flags = (uint32_t)PARAM(flags), entries = (uint32_t)PARAM(gpFifoEntries);
    const uint32_t type = (uint32_t)PARAM(engineType);
    if (entries == 0 || entries > RING_MAX || (entries & (entries - 1)) != 0) {
        return RM_INVALID_ARGUMENT;
    }
    if (!model_engine_by_type(m, type, &e)) {
        return RM_INVALID_ARGUMENT;
    }
    struct channel *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return RM_NO_MEMORY;
    }
    const uint32_t page = flags >> CHID_PAGE_SHIFT & CHID_PAGE_MASK;
    const uint32_t index = flags >> CHID_INDEX_SHIFT & CHID_INDEX_MASK;
    enum { PAGE_FIXED = 1 << 21, INDEX_FIXED = 1 << 11 };
    c->chid =
        (flags & (PAGE_FIXED | INDEX_FIXED)) != 0 ? page * CHID_PER_PAGE + index : free_chid(m);
    c->client = o->client;
    c->handle = o->handle;
    c->engine_type = type;
    c->runlist = e.runlist;
    c->privileged = (flags & FLAG_PRIVILEGED) != 0;
    c->ring_va = PARAM(gpFifoOffset);
    c->entries = entries;
    c->userd = PARAM(userdMem_base);
    c->userd_sysmem = PARAM(userdMem_addressSpace) != SPACE_FB;
    c->vas_client = o->client;
    c->vas_handle = (uint32_t)PARAM(hVASpace);
#undef PARAM
    for (const struct channel *other = m->host->channels; other != NULL; other = other->next) {
        if (other->chid == c->chid && other->runlist == c->runlist) {
            free(c);
            return RM_INSERT_DUPLICATE;
        }
    }
    c->next = m->host->channels;
    m->host->channels = c;
    model_trace_text(m, "channel %u on runlist %u, ring at 0x%llx, %u entries", c->chid, c->runlist,
                     (unsigned long long)c->ring_va, c->entries);
    return RM_OK;
}

void model_channel_sweep(struct gpu_model *m)
{
    for (struct channel **at = &m->host->channels; *at != NULL;) {
        struct channel *c = *at;
        if (model_rm_find(m, c->client, c->handle) == NULL) {
            *at = c->next;
            free(c);
        } else {
            at = &c->next;
        }
    }
}

uint32_t model_channel_bind(struct gpu_model *m, const struct rm_object *o, uint32_t engine_type)
{
    struct channel *c = model_channel_of(m, o);
    struct model_engine e;
    if (c == NULL || !model_engine_by_type(m, engine_type, &e) || e.runlist != c->runlist) {
        return RM_INVALID_ARGUMENT;
    }
    c->engine_type = engine_type;
    c->bound = true;
    return RM_OK;
}

uint32_t model_channel_schedule(struct gpu_model *m, const struct rm_object *o, bool enable)
{
    struct channel *c = model_channel_of(m, o);
    if (c == NULL) {
        return RM_INVALID_ARGUMENT;
    }
    if (!c->bound) {
        return RM_INVALID_STATE;
    }
    c->scheduled = enable;
    struct page_dir dir;
    if (enable && c->engine_type == TYPE_GRAPHICS && model_channel_dir(m, c, &dir)) {
        model_tlb_bound(m, &dir, true);
    }
    if (enable && c->kicked) {
        model_schedule(m, WORK_HOST, DOORBELL_NS);
    }
    return RM_OK;
}

bool model_channel_dir(struct gpu_model *m, const struct channel *c, struct page_dir *dir)
{
    const struct rm_object *vas = model_rm_find(m, c->vas_client, c->vas_handle);
    *dir = vas != NULL ? vas->dir : (struct page_dir){0};
    return dir->valid;
}

/* ---- what goes wrong ---- */

/* f: what the MMU says; NULL: it was not asked. */
static void stop(struct gpu_model *m, struct channel *c, uint32_t xid, const struct mmu_fault *f)
{
    const struct gsp_layout *l = m->gsp->l;
    uint8_t rc[RC_BYTES] = {0};
    c->dead = true;
    m->host->faults++;
    if (!m->gsp->q.up || l == NULL) {
        return;
    }
#define RC(field, v) fw_put(rc, sizeof(rc), l->rpc_rc_triggered_v17_02.field, v)
    RC(nv2080EngineType, c->engine_type);
    RC(chid, c->chid);
    RC(exceptLevel, LEVEL_NON_FATAL);
    RC(exceptType, xid);
    RC(scope, 1);
    if (f != NULL) {
        RC(mmuFaultAddrLo, (uint32_t)f->va);
        RC(mmuFaultAddrHi, f->va >> 32);
        RC(mmuFaultType, (uint32_t)f->type);
        model_queue_send(m, EVENT_MMU_FAULT, 0, 0, NULL, 0, 0);
    }
#undef RC
    model_queue_send(m, EVENT_RC, 0, 0, rc, l->rpc_rc_triggered_v17_02.total, 0);
}

void model_channel_fault(struct gpu_model *m, struct channel *c, uint32_t xid, uint64_t data)
{
    model_trace_text(m, "channel %u is dead: Xid %u, 0x%llx", c->chid, xid,
                     (unsigned long long)data);
    stop(m, c, xid, NULL);
}

void model_channel_mmu_fault(struct gpu_model *m, struct channel *c, const struct mmu_fault *f)
{
    enum { XID_MMU = 31 };
    char words[MMU_WORDS];
    model_mmu_fault_words(words, f->type, &f->entry);
    model_trace_text(m, "channel %u is dead: Xid %u, address 0x%llx: %s", c->chid, XID_MMU,
                     (unsigned long long)f->va, words);
    stop(m, c, XID_MMU, f);
}

void model_channel_nonstall(struct gpu_model *m, const struct channel *c)
{
    struct model_engine e;
    for (uint32_t i = 0; model_engine(m, i, &e); i++) { /* the runlist's first engine has it */
        if (e.runlist == c->runlist) {
            if (e.nonstall != NO_VECTOR) {
                model_intr_latch(m, e.nonstall);
            }
            return;
        }
    }
}

bool model_host_spend(struct gpu_model *m, uint32_t units)
{
    const bool left = m->host->budget > 0;
    m->host->budget -= units;
    return left;
}
