/* SPDX-License-Identifier: MIT */
/*
 * Channels: made by RM, kicked by the doorbell, read by the host from a ring of segments. Sources:
 * channels.md 5-8.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/model/model_priv.h"

enum {
    SPACE_FB = 2, /* addressSpace of a memory description */
    CHID_INDEX_SHIFT = 8,
    CHID_INDEX_MASK = 7,
    CHID_PAGE_SHIFT = 12,
    CHID_PAGE_MASK = 0x1ff,
    CHID_PER_PAGE = 8,
    FLAG_PRIVILEGED = 1 << 5,
    USERD_GP_GET = 0x88,
    USERD_GP_PUT = 0x8c,
    TOKEN_CHID = 0xfff,
    TOKEN_RUNLIST_SHIFT = 16,
    TOKEN_RUNLIST = 0x7f,
    RING_MAX = 1 << 20,
    DOORBELL_NS = 2000,
    POLL_NS = 50000, /* how often an acquire is looked at again */
    TURN_NS = 50000, /* until the next turn: about what a GPU needs for 16 MiB */
};
enum { XID_MMU = 31, XID_PBDMA = 32 };
enum { EVENT_RC = 0x1004, EVENT_MMU_FAULT = 0x1005, LEVEL_NON_FATAL = 1, RC_BYTES = 64 };

/* ---- life ---- */

void model_host_free(struct gpu_model *m)
{
    while (m->host.channels != NULL) {
        struct channel *c = m->host.channels;
        m->host.channels = c->next;
        free(c);
    }
    m->due[WORK_HOST] = UINT64_MAX;
}

struct channel *model_channel_of(struct gpu_model *m, const struct rm_object *o)
{
    for (struct channel *c = m->host.channels; c != NULL; c = c->next) {
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
        const struct channel *c = m->host.channels;
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
    const struct gsp_layout *l = m->gsp.l;
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
    for (const struct channel *other = m->host.channels; other != NULL; other = other->next) {
        if (other->chid == c->chid && other->runlist == c->runlist) {
            free(c);
            return RM_INSERT_DUPLICATE;
        }
    }
    c->next = m->host.channels;
    m->host.channels = c;
    model_trace_text(m, "channel %u on runlist %u, ring at 0x%llx, %u entries", c->chid, c->runlist,
                     (unsigned long long)c->ring_va, c->entries);
    return RM_OK;
}

void model_channel_sweep(struct gpu_model *m)
{
    for (struct channel **at = &m->host.channels; *at != NULL;) {
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

void model_channel_fault(struct gpu_model *m, struct channel *c, uint32_t xid, enum mmu_result type,
                         uint64_t va)
{
    const struct gsp_layout *l = m->gsp.l;
    uint8_t rc[RC_BYTES] = {0};
    c->dead = true;
    m->host.faults++;
    model_trace_text(m, "channel %u is dead: Xid %u, fault type %u at 0x%llx", c->chid, xid,
                     (unsigned)type, (unsigned long long)va);
    if (!m->gsp.q.up || l == NULL) {
        return;
    }
#define RC(field, v) fw_put(rc, sizeof(rc), l->rpc_rc_triggered_v17_02.field, v)
    RC(nv2080EngineType, c->engine_type);
    RC(chid, c->chid);
    RC(exceptLevel, LEVEL_NON_FATAL);
    RC(exceptType, xid);
    RC(scope, 1);
    if (xid == XID_MMU) {
        RC(mmuFaultAddrLo, (uint32_t)va);
        RC(mmuFaultAddrHi, va >> 32);
        RC(mmuFaultType, (uint32_t)type);
        model_queue_send(m, EVENT_MMU_FAULT, 0, 0, NULL, 0, 0);
    }
#undef RC
    model_queue_send(m, EVENT_RC, 0, 0, rc, l->rpc_rc_triggered_v17_02.total, 0);
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

/* ---- ring ---- */

static bool userd_read(struct gpu_model *m, const struct channel *c, uint32_t off, uint32_t *v)
{
    uint8_t b[4];
    const bool ok = model_phys_read(m, c->userd_sysmem, c->userd + off, b, 4) == MMU_MAPPED;
    *v = ok ? get_le32(b) : 0;
    return ok;
}

/* Takes the next entry of the ring. False: there is none. */
static bool next_segment(struct gpu_model *m, struct channel *c, const struct page_dir *dir)
{
    enum { NO_OP = 0, ILLEGAL = 1, OPCODE = 0xff, LENGTH_SHIFT = 10, LENGTH = 0x1fffff };
    uint32_t put;
    uint64_t at;
    uint8_t raw[8], get[4];
    if (!userd_read(m, c, USERD_GP_PUT, &put) || put == c->gp_get) {
        return false;
    }
    if (put >= c->entries) {
        model_channel_fault(m, c, XID_PBDMA, MMU_MAPPED, put);
        return false;
    }
    const enum mmu_result r =
        model_mmu_read(m, dir, c->ring_va + (uint64_t)c->gp_get * 8, raw, sizeof(raw), &at);
    if (r != MMU_MAPPED) {
        model_channel_fault(m, c, XID_MMU, r, at);
        return false;
    }
    const uint32_t lo = get_le32(raw), hi = get_le32(raw + 4);
    c->gp_get = (c->gp_get + 1) & (c->entries - 1);
    put_le32(get, c->gp_get);
    model_phys_write(m, c->userd_sysmem, c->userd + USERD_GP_GET, get, 4);
    c->pb_words = hi >> LENGTH_SHIFT & LENGTH;
    c->pb_va = (uint64_t)(hi & 0xff) << 32 | (lo & ~3u);
    c->fetch_count = c->fetch_at = 0;
    if (c->pb_words == 0 && (hi & OPCODE) == ILLEGAL) {
        model_channel_fault(m, c, XID_PBDMA, MMU_MAPPED, 0);
        return false;
    }
    return true;
}

static bool next_word(struct gpu_model *m, struct channel *c, const struct page_dir *dir,
                      uint32_t *word)
{
    if (c->fetch_at == c->fetch_count) {
        uint8_t raw[FETCH_WORDS * 4];
        uint64_t at;
        const uint32_t n = c->pb_words < FETCH_WORDS ? c->pb_words : FETCH_WORDS;
        const enum mmu_result r = model_mmu_read(m, dir, c->pb_va, raw, (size_t)n * 4, &at);
        if (r != MMU_MAPPED) {
            model_channel_fault(m, c, XID_MMU, r, at);
            return false;
        }
        for (uint32_t i = 0; i < n; i++) {
            c->fetch[i] = get_le32(raw + (size_t)i * 4);
        }
        c->pb_va += (uint64_t)n * 4;
        c->fetch_count = n;
        c->fetch_at = 0;
    }
    *word = c->fetch[c->fetch_at++];
    c->pb_words--;
    return true;
}

/* ---- method headers, channels.md 7.1 ---- */

/* False: not a header of a kind that is used. */
static bool header(struct gpu_model *m, struct channel *c, uint32_t w)
{
    enum { OP_GRP0, OP_INC, OP_GRP2, OP_NONINC, OP_IMM, OP_ONCE, OP_END = 7 };
    enum { COUNT = 0x1fff, METHOD = 0xfff, OLD_COUNT = 0x7ff, OLD_METHOD = 0x1ffc };
    const uint32_t op = w >> 29;
    c->left = w >> 16 & COUNT;
    c->subchannel = w >> 13 & (SUBCHANNELS - 1);
    c->method = (w & METHOD) * 4;
    c->increasing = op == OP_INC || op == OP_ONCE;
    c->once = op == OP_ONCE;
    switch (op) {
    case OP_GRP0:
    case OP_GRP2:
        if ((w >> 16 & 3) != 0) { /* subdevice masks: there is one subdevice */
            c->left = 0;
        } else {
            c->left = w >> 18 & OLD_COUNT;
            c->method = w & OLD_METHOD;
            c->increasing = op == OP_GRP0;
        }
        return true;
    case OP_INC:
    case OP_NONINC:
    case OP_ONCE:
        return true;
    case OP_IMM: {
        const uint32_t data = c->left;
        c->left = 0;
        return model_host_method(m, c, c->subchannel, c->method, data);
    }
    case OP_END:
        c->pb_words = c->left = 0;
        return true;
    default:
        model_channel_fault(m, c, XID_PBDMA, MMU_MAPPED, w);
        return false;
    }
}

static bool data_word(struct gpu_model *m, struct channel *c, uint32_t w)
{
    if (!model_host_method(m, c, c->subchannel, c->method, w)) {
        return false;
    }
    c->left--;
    if (c->increasing) {
        c->method += 4;
        c->increasing = !c->once;
    }
    return true;
}

bool model_host_spend(struct gpu_model *m, uint32_t units)
{
    const bool left = m->host.budget > 0;
    m->host.budget -= units;
    return left;
}

/* Executes until there is nothing left, an acquire waits, or the turn is over. True: again. */
static bool run_channel(struct gpu_model *m, struct channel *c)
{
    model_channel_dir(m, c, &c->dir);
    while (!c->dead && model_ce_step(m, c) && model_host_spend(m, 1)) {
        uint32_t w;
        if (c->pb_words == 0) {
            if (!next_segment(m, c, &c->dir)) {
                c->kicked = false;
                return false;
            }
            continue;
        }
        if (!next_word(m, c, &c->dir, &w)) {
            return false;
        }
        const bool done = c->left != 0 ? data_word(m, c, w) : header(m, c, w);
        if (!done && c->waiting) { /* the same word again later */
            c->fetch_at--;
            c->pb_words++;
            return true;
        }
    }
    return !c->dead;
}

/* The next turn begins behind c. */
static void begin_behind(struct gpu_model *m, struct channel *c)
{
    struct channel **end = &c->next;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    if (c->next != NULL) {
        *end = m->host.channels;
        m->host.channels = c->next;
        c->next = NULL;
    }
}

void model_host_run(struct gpu_model *m)
{
    uint64_t again = UINT64_MAX;
    m->host.budget = HOST_TURN;
    for (struct channel *c = m->host.channels; c != NULL; c = c->next) {
        if (!c->kicked || !c->scheduled || c->dead) {
            continue;
        }
        c->waiting = false;
        if (run_channel(m, c)) {
            again = min_u64(again, c->waiting ? POLL_NS : TURN_NS);
        }
        if (m->host.budget <= 0) {
            again = min_u64(again, TURN_NS);
            begin_behind(m, c);
            break;
        }
    }
    if (again != UINT64_MAX) {
        model_schedule(m, WORK_HOST, again);
    }
}

void model_host_doorbell(struct gpu_model *m, uint32_t token)
{
    const uint32_t chid = token & TOKEN_CHID;
    const uint32_t runlist = token >> TOKEN_RUNLIST_SHIFT & TOKEN_RUNLIST;
    bool found = false;
    m->host.doorbells++;
    for (struct channel *c = m->host.channels; c != NULL; c = c->next) {
        if (c->chid == chid && (runlist == c->runlist || runlist == 0)) {
            c->kicked = found = true;
        }
    }
    if (!found) {
        model_trace_text(m, "doorbell 0x%08x: no such channel", token);
    } else if (m->due[WORK_HOST] == UINT64_MAX) {
        model_schedule(m, WORK_HOST, DOORBELL_NS);
    }
}
