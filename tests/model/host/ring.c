/* SPDX-License-Identifier: MIT */
/*
 * The host reads rings: segments, method headers, words; in turns, all channels one after the
 * other. The doorbell says that there is something. Sources: channels.md 6-8.
 */
#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/books/trace.h"
#include "tests/model/bus/work.h"
#include "tests/model/gpu.h"
#include "tests/model/host/ce.h"
#include "tests/model/host/channel.h"
#include "tests/model/host/methods.h"
#include "tests/model/memory/copy.h"
#include "tests/model/memory/mmu.h"
#include "tests/model/memory/phys.h"
#include "tests/model/model.h"

enum {
    USERD_GP_GET = 0x88,
    USERD_GP_PUT = 0x8c,
    TOKEN_CHID = 0xfff,
    TOKEN_RUNLIST_SHIFT = 16,
    TOKEN_RUNLIST = 0x7f,
    POLL_NS = 50000, /* how often an acquire is looked at again */
    TURN_NS = 50000, /* until the next turn: about what a GPU needs for 16 MiB */
};

static bool userd_read(struct gpu_model *m, const struct channel *c, uint32_t off, uint32_t *v)
{
    uint8_t b[4];
    const bool ok = model_phys_read(m, c->userd_sysmem, c->userd + off, b, 4);
    *v = ok ? get_le32(b) : 0;
    return ok;
}

/* Takes the next entry of the ring. False: there is none. */
static bool next_segment(struct gpu_model *m, struct channel *c, const struct page_dir *dir)
{
    enum { NO_OP = 0, ILLEGAL = 1, OPCODE = 0xff, LENGTH_SHIFT = 10, LENGTH = 0x1fffff };
    uint32_t put;
    struct mmu_fault f;
    uint8_t raw[8], get[4];
    if (!userd_read(m, c, USERD_GP_PUT, &put) || put == c->gp_get) {
        return false;
    }
    if (put >= c->entries) {
        model_channel_fault(m, c, XID_PBDMA, put);
        return false;
    }
    if (!model_mmu_read(m, dir, c->ring_va + (uint64_t)c->gp_get * 8, raw, sizeof(raw), &f)) {
        model_channel_mmu_fault(m, c, &f);
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
        model_channel_fault(m, c, XID_PBDMA, 0);
        return false;
    }
    return true;
}

static bool next_word(struct gpu_model *m, struct channel *c, const struct page_dir *dir,
                      uint32_t *word)
{
    if (c->fetch_at == c->fetch_count) {
        uint8_t raw[FETCH_WORDS * 4];
        struct mmu_fault f;
        const uint32_t n = c->pb_words < FETCH_WORDS ? c->pb_words : FETCH_WORDS;
        if (!model_mmu_read(m, dir, c->pb_va, raw, (size_t)n * 4, &f)) {
            model_channel_mmu_fault(m, c, &f);
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
        model_channel_fault(m, c, XID_PBDMA, w);
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
        *end = m->host->channels;
        m->host->channels = c->next;
        c->next = NULL;
    }
}

static void run(struct gpu_model *m)
{
    uint64_t again = UINT64_MAX;
    m->host->budget = HOST_TURN;
    for (struct channel *c = m->host->channels; c != NULL; c = c->next) {
        if (!c->kicked || !c->scheduled || c->dead) {
            continue;
        }
        c->waiting = false;
        if (run_channel(m, c)) {
            again = min_u64(again, c->waiting ? POLL_NS : TURN_NS);
        }
        if (m->host->budget <= 0) {
            again = min_u64(again, TURN_NS);
            begin_behind(m, c);
            break;
        }
    }
    if (again != UINT64_MAX) {
        model_schedule(m, WORK_HOST, again);
    }
}

static void doorbell(struct gpu_model *m, uint32_t token)
{
    const uint32_t chid = token & TOKEN_CHID;
    const uint32_t runlist = token >> TOKEN_RUNLIST_SHIFT & TOKEN_RUNLIST;
    bool found = false;
    m->host->doorbells++;
    for (struct channel *c = m->host->channels; c != NULL; c = c->next) {
        if (c->chid == chid && (runlist == c->runlist || runlist == 0)) {
            c->kicked = found = true;
        }
    }
    if (!found) {
        model_trace_text(m, "doorbell 0x%08x: no such channel", token);
    } else if (!model_scheduled(m, WORK_HOST)) {
        model_schedule(m, WORK_HOST, DOORBELL_NS);
    }
}

static bool write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    if (off != NV_VIRTUAL_FUNCTION_DOORBELL__OFFSET &&
        off != NV_VIRTUAL_FUNCTION_PRIV_DOORBELL__OFFSET) {
        return false;
    }
    doorbell(m, value);
    return true;
}

static void reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    model_host_free(m);
}

static const struct block_range ranges[] = {
    {0xb82000, 0xb82fff, F_ALL}, {0xbb0000, 0xbb0fff, F_ALL}, {0}};

const struct block host_block = {
    .name = "host",
    BLOCK_STATE(host),
    .ranges = ranges,
    .write = write,
    .reset = reset,
    .destroy = model_host_free,
    .work = {[WORK_HOST] = run},
};
