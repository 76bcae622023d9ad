/* SPDX-License-Identifier: MIT */
/* Semaphores: release, acquire, reduction. Source: channels.md 7.2. */
#include "tests/model/host/semaphore.h"

#include "arch/base.h"
#include "tests/model/blocks/ptimer.h"
#include "tests/model/gpu.h"
#include "tests/model/host/channel.h"
#include "tests/model/memory/copy.h"
#include "tests/model/memory/mmu.h"

bool model_semaphore_release(struct gpu_model *m, struct channel *c, uint64_t va, uint64_t payload,
                             bool wide, bool timestamp)
{
    uint8_t b[16];
    struct mmu_fault f;
    bool ok = true;
    put_le64(b, wide ? payload : (uint32_t)payload);
    if (timestamp) { /* the time lands before the payload */
        put_le64(b + 8, model_ptimer_now(m));
        ok = model_mmu_write(m, &c->dir, va + 8, b + 8, 8, &f);
    }
    ok = ok && model_mmu_write(m, &c->dir, va, b, wide || timestamp ? 8 : 4, &f);
    if (!ok) {
        model_channel_mmu_fault(m, c, &f);
        return false;
    }
    m->host->releases++;
    return true;
}

static bool sem_load(struct gpu_model *m, struct channel *c, uint64_t va, bool wide, uint64_t *v)
{
    uint8_t b[8] = {0};
    struct mmu_fault f;
    if (!model_mmu_read(m, &c->dir, va, b, wide ? 8 : 4, &f)) {
        model_channel_mmu_fault(m, c, &f);
        return false;
    }
    *v = get_le64(b);
    return true;
}

static bool signed_reached(uint64_t v, uint64_t p, bool wide)
{
    return wide ? (int64_t)(v - p) >= 0 : (int32_t)((uint32_t)v - (uint32_t)p) >= 0;
}

static bool reduce(uint32_t op, bool is_unsigned, bool wide, uint64_t v, uint64_t p, uint64_t *out)
{
    enum { MIN, MAX, XOR, AND, OR, ADD, INC, DEC };
    const int64_t sv = wide ? (int64_t)v : (int32_t)v, sp = wide ? (int64_t)p : (int32_t)p;
    const bool less = is_unsigned ? v < p : sv < sp;
    switch (op) {
    case MIN:
        *out = less ? v : p;
        return true;
    case MAX:
        *out = less ? p : v;
        return true;
    case XOR:
        *out = v ^ p;
        return true;
    case AND:
        *out = v & p;
        return true;
    case OR:
        *out = v | p;
        return true;
    case ADD:
        *out = v + p;
        return true;
    case INC:
        *out = v + 1 > p ? 0 : v + 1;
        return true;
    case DEC:
        *out = v == 0 || v > p ? p : v - 1;
        return true;
    default:
        return false;
    }
}

bool model_semaphore_execute(struct gpu_model *m, struct channel *c, uint32_t data)
{
    enum { ACQUIRE, RELEASE, ACQ_GEQ, ACQ_CIRCULAR, ACQ_AND, ACQ_NOR, REDUCTION };
    enum { OP = 7, WIDE = 1 << 24, TIMESTAMP = 1 << 25, RED_SHIFT = 27, RED = 0xf };
    const uint64_t va = (uint64_t)(c->sem[1] & 0x1ffffff) << 32 | (c->sem[0] & ~3u);
    const bool wide = (data & WIDE) != 0, stamp = (data & TIMESTAMP) != 0;
    const uint64_t p = wide ? (uint64_t)c->sem[3] << 32 | c->sem[2] : c->sem[2];
    const uint64_t mask = wide ? ~0ull : 0xffffffffull;
    const uint32_t op = data & OP, align = stamp ? 16 : wide ? 8 : 4;
    uint64_t v = 0, out;
    bool holds = true;
    if ((va & (align - 1)) != 0) {
        model_channel_fault(m, c, XID_PBDMA, va);
        return false;
    }
    if (op == RELEASE) {
        return model_semaphore_release(m, c, va, p, wide, stamp);
    }
    if (!sem_load(m, c, va, wide, &v)) {
        return false;
    }
    switch (op) {
    case ACQUIRE:
        holds = v == p;
        break;
    case ACQ_GEQ:
        holds = v >= p;
        break;
    case ACQ_CIRCULAR:
        holds = signed_reached(v, p, wide);
        break;
    case ACQ_AND:
        holds = (v & p) != 0;
        break;
    case ACQ_NOR:
        holds = (~(v | p) & mask) != 0;
        break;
    default:
        if (op != REDUCTION ||
            !reduce(data >> RED_SHIFT & RED, data >> 31 != 0, wide, v, p, &out)) {
            model_channel_fault(m, c, XID_PBDMA, data);
            return false;
        }
        return model_semaphore_release(m, c, va, out & mask, wide, stamp);
    }
    c->waiting = !holds;
    return holds;
}

bool model_semaphore_execute_old(struct gpu_model *m, struct channel *c, uint32_t data)
{
    enum { OP = 0x1f, ACQUIRE = 1, RELEASE = 2, ACQ_GEQ = 4, ACQ_AND = 8, SHORT = 1 << 24 };
    const uint64_t va = (uint64_t)(c->old_sem[0] & 0xff) << 32 | (c->old_sem[1] & ~3u);
    const uint32_t p = c->old_sem[2];
    uint64_t v = 0;
    if ((data & OP) == RELEASE) {
        return model_semaphore_release(m, c, va, p, false, (data & SHORT) == 0);
    }
    if (!sem_load(m, c, va, false, &v)) {
        return false;
    }
    switch (data & OP) {
    case ACQUIRE:
        c->waiting = v != p;
        break;
    case ACQ_GEQ:
        c->waiting = !signed_reached(v, p, false);
        break;
    case ACQ_AND:
        c->waiting = (v & p) == 0;
        break;
    default:
        model_channel_fault(m, c, XID_PBDMA, data);
        return false;
    }
    return !c->waiting;
}
