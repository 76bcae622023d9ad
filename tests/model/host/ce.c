/* SPDX-License-Identifier: MIT */
/*
 * The copy engine: lines between virtual or physical addresses, with or without remapping, then a
 * semaphore and an interrupt. Block-linear layouts are refused. Source: channels.md 9.
 */
#include "tests/model/host/ce.h"

#include <string.h>

#include "arch/base.h"
#include "tests/model/books/trace.h"
#include "tests/model/gpu.h"
#include "tests/model/host/channel.h"
#include "tests/model/host/semaphore.h"
#include "tests/model/memory/copy.h"
#include "tests/model/memory/mmu.h"
#include "tests/model/memory/phys.h"

enum { /* methods */
       SET_SEMAPHORE_A = 0x240,
       SET_SEMAPHORE_B = 0x244,
       SET_SEMAPHORE_PAYLOAD = 0x248,
       SET_SRC_PHYS_MODE = 0x260,
       SET_DST_PHYS_MODE = 0x264,
       LAUNCH_DMA = 0x300,
       OFFSET_IN = 0x400,
       OFFSET_OUT = 0x408,
       PITCH_IN = 0x410,
       PITCH_OUT = 0x414,
       LINE_LENGTH = 0x418,
       LINE_COUNT = 0x41c,
       REMAP_CONST_A = 0x700,
       REMAP_COMPONENTS = 0x708,
};
enum { /* LAUNCH_DMA */
       TRANSFER = 3,
       SEM_SHIFT = 3,
       SEM_NONE = 0,
       SEM_ONE_WORD = 1,
       SEM_FOUR_WORDS = 2,
       INTR_SHIFT = 5,
       SRC_PITCH = 1 << 7,
       DST_PITCH = 1 << 8,
       MULTI_LINE = 1 << 9,
       REMAP = 1 << 10,
       SRC_PHYSICAL = 1 << 12,
       DST_PHYSICAL = 1 << 13,
};
enum { XID_CE0 = 39, XID_CE3 = 70, PIECE = 4096, COMPONENTS = 4 };

static uint32_t reg(const struct channel *c, uint32_t method) { return c->ce[method / 4]; }

static uint64_t address(const struct channel *c, uint32_t method)
{
    return (uint64_t)(reg(c, method) & 0x1ffffff) << 32 | reg(c, method + 4);
}

/* One side of a copy. */
struct side {
    uint64_t base;
    int64_t pitch;
    bool physical, sysmem;
};

static struct side get_side(const struct channel *c, bool dst, uint32_t launch)
{
    const uint32_t mode = reg(c, dst ? SET_DST_PHYS_MODE : SET_SRC_PHYS_MODE);
    return (struct side){.base = address(c, dst ? OFFSET_OUT : OFFSET_IN),
                         .pitch = (int32_t)reg(c, dst ? PITCH_OUT : PITCH_IN),
                         .physical = (launch & (dst ? DST_PHYSICAL : SRC_PHYSICAL)) != 0,
                         .sysmem = (mode & 3) != 0};
}

static bool move(struct gpu_model *m, struct channel *c, const struct side *s, uint64_t va,
                 void *in, const void *out, size_t len)
{
    struct mmu_fault f = {.type = MMU_FAULT_REGION,
                          .va = va,
                          .entry.why = "no memory at that physical address, or it is protected"};
    bool ok;
    if (s->physical) {
        ok = in != NULL ? model_phys_read(m, s->sysmem, va, in, len)
                        : model_phys_write(m, s->sysmem, va, out, len);
    } else {
        ok = in != NULL ? model_mmu_read(m, &c->dir, va, in, len, &f)
                        : model_mmu_write(m, &c->dir, va, out, len, &f);
    }
    if (!ok) {
        model_channel_mmu_fault(m, c, &f);
    }
    return ok;
}

static bool plain_piece(struct gpu_model *m, struct channel *c, const struct side *src,
                        const struct side *dst, uint64_t from, uint64_t to, size_t bytes)
{
    uint8_t piece[PIECE];
    if (!move(m, c, src, from, piece, NULL, bytes) || !move(m, c, dst, to, NULL, piece, bytes)) {
        return false;
    }
    m->host->bytes_copied += bytes;
    return true;
}

/* Which component of the destination comes from where. */
struct remap {
    uint32_t from[COMPONENTS], size, src_count, dst_count;
    bool reads_source, keeps; /* keeps: not all components are written */
};
enum { FROM_CONST_A = 4, FROM_CONST_B = 5, NO_WRITE = 6 };

static struct remap get_remap(const struct channel *c)
{
    const uint32_t r = reg(c, REMAP_COMPONENTS);
    struct remap p = {
        .size = (r >> 16 & 3) + 1, .src_count = (r >> 20 & 3) + 1, .dst_count = (r >> 24 & 3) + 1};
    for (uint32_t i = 0; i < COMPONENTS; i++) {
        p.from[i] = r >> (4 * i) & 7;
        p.reads_source = p.reads_source || (i < p.dst_count && p.from[i] < FROM_CONST_A);
        p.keeps = p.keeps || (i < p.dst_count && p.from[i] == NO_WRITE);
    }
    return p;
}

/* Each component of the destination comes from something that exists. */
static bool remap_ok(const struct remap *p)
{
    for (uint32_t i = 0; i < p->dst_count; i++) {
        if (p->from[i] > NO_WRITE || (p->from[i] < FROM_CONST_A && p->from[i] >= p->src_count)) {
            return false;
        }
    }
    return true;
}

static bool remap_piece(struct gpu_model *m, struct channel *c, const struct side *src,
                        const struct side *dst, uint64_t from, uint64_t to, size_t elements)
{
    const struct remap p = get_remap(c);
    const size_t src_bytes = (size_t)p.size * p.src_count, dst_bytes = (size_t)p.size * p.dst_count;
    uint8_t in[PIECE], out[PIECE] = {0}, constant[2][4];
    put_le32(constant[0], reg(c, REMAP_CONST_A));
    put_le32(constant[1], reg(c, REMAP_CONST_A + 4));
    if ((p.reads_source && !move(m, c, src, from, in, NULL, elements * src_bytes)) ||
        (p.keeps && !move(m, c, dst, to, out, NULL, elements * dst_bytes))) {
        return false;
    }
    for (size_t e = 0; e < elements; e++) {
        for (uint32_t i = 0; i < p.dst_count; i++) {
            uint8_t *d = out + e * dst_bytes + (size_t)i * p.size;
            if (p.from[i] < FROM_CONST_A) {
                memcpy(d, in + e * src_bytes + (size_t)p.from[i] * p.size, p.size);
            } else if (p.from[i] <= FROM_CONST_B) {
                memcpy(d, constant[p.from[i] - FROM_CONST_A], p.size);
            }
        }
    }
    if (!move(m, c, dst, to, NULL, out, elements * dst_bytes)) {
        return false;
    }
    m->host->bytes_copied += elements * dst_bytes;
    return true;
}

/* Xid of a copy engine's error, channels.md 14.2. */
static uint32_t ce_xid(const struct channel *c)
{
    enum { TYPE_COPY0 = 9, FIRST_BLOCK = 3 };
    const uint32_t n = c->engine_type >= TYPE_COPY0 ? c->engine_type - TYPE_COPY0 : 0;
    return n < FIRST_BLOCK ? XID_CE0 + n : XID_CE3 + n - FIRST_BLOCK;
}

/* False: the launch asks for what the engine does not do; the channel is dead. */
static bool launch_ok(struct gpu_model *m, struct channel *c, uint32_t launch)
{
    const struct side src = get_side(c, false, launch), dst = get_side(c, true, launch);
    const struct remap remap = get_remap(c);
    const bool wrong_remap = (launch & REMAP) != 0 && !remap_ok(&remap);
    if (wrong_remap) {
        model_trace_text(m,
                         "channel %u: SET_REMAP_COMPONENTS 0x%08x takes a component that does "
                         "not exist",
                         c->chid, reg(c, REMAP_COMPONENTS));
    }
    if ((launch & DST_PITCH) == 0 || ((launch & SRC_PITCH) == 0 && (launch & REMAP) == 0) ||
        ((src.physical || dst.physical) && !c->privileged) || wrong_remap) {
        model_channel_fault(m, c, ce_xid(c), launch);
        return false;
    }
    return true;
}

/* Copies as much as the turn allows. True: all of it is done. */
static bool copy_some(struct gpu_model *m, struct channel *c)
{
    struct ce_job *j = &c->copy;
    const struct side src = get_side(c, false, j->launch), dst = get_side(c, true, j->launch);
    const struct remap p = get_remap(c);
    const bool remap = (j->launch & REMAP) != 0;
    const uint64_t length = reg(c, LINE_LENGTH), most = remap ? PIECE / (COMPONENTS * 4) : PIECE;
    const uint64_t in = remap ? (uint64_t)p.size * p.src_count : 1;
    const uint64_t out = remap ? (uint64_t)p.size * p.dst_count : 1;
    while (j->line < j->lines && model_host_spend(m, length != 0 ? HOST_COPY : 1)) {
        const uint64_t from = src.base + (uint64_t)(src.pitch * (int64_t)j->line) + j->done * in;
        const uint64_t to = dst.base + (uint64_t)(dst.pitch * (int64_t)j->line) + j->done * out;
        const size_t n = (size_t)min_u64(length - j->done, most);
        if (n != 0 && !(remap ? remap_piece(m, c, &src, &dst, from, to, n)
                              : plain_piece(m, c, &src, &dst, from, to, n))) {
            return false;
        }
        j->done += n;
        if (j->done == length) {
            j->line++;
            j->done = 0;
        }
    }
    return j->line == j->lines;
}

/* What follows when the data are there. */
static void finish(struct gpu_model *m, struct channel *c, uint32_t launch)
{
    const uint32_t sem = launch >> SEM_SHIFT & 3;
    if (sem == SEM_ONE_WORD || sem == SEM_FOUR_WORDS) {
        if (!model_semaphore_release(m, c, address(c, SET_SEMAPHORE_A),
                                     reg(c, SET_SEMAPHORE_PAYLOAD), false, sem == SEM_FOUR_WORDS)) {
            return;
        }
    }
    if ((launch >> INTR_SHIFT & 3) != 0) {
        model_channel_nonstall(m, c);
    }
}

bool model_ce_step(struct gpu_model *m, struct channel *c)
{
    struct ce_job *j = &c->copy;
    if (j->active && copy_some(m, c)) {
        j->active = false;
        finish(m, c, j->launch);
    }
    return !j->active;
}

static void launch_dma(struct gpu_model *m, struct channel *c, uint32_t launch)
{
    m->host->launches++;
    if ((launch & TRANSFER) == 0) {
        finish(m, c, launch);
    } else if (launch_ok(m, c, launch)) {
        c->copy = (struct ce_job){.active = true,
                                  .launch = launch,
                                  .lines = (launch & MULTI_LINE) != 0 ? reg(c, LINE_COUNT) : 1};
    }
}

void model_ce_method(struct gpu_model *m, struct channel *c, uint32_t method, uint32_t data)
{
    if (method / 4 >= CE_METHODS) {
        return; /* PM_TRIGGER and the like */
    }
    c->ce[method / 4] = data;
    if (method == LAUNCH_DMA) {
        launch_dma(m, c, data);
    }
}
