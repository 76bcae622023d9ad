/* SPDX-License-Identifier: MIT */
/*
 * Host methods: objects, semaphores, membars, interrupts; and which engine gets the rest. Source:
 * channels.md 7.2. Classes that are not modelled (graphics, compute) take their methods and do
 * nothing; how many is in the report.
 */
#include "tests/model/model_priv.h"

enum { /* methods of the host */
       SET_OBJECT = 0x00,
       ILLEGAL = 0x04,
       OLD_SEM_A = 0x10,
       OLD_SEM_C = 0x18,
       OLD_SEM_D = 0x1c,
       NON_STALL_INTERRUPT = 0x20,
       MEM_OP_D = 0x34,
       SET_REFERENCE = 0x50,
       SEM_ADDR_LO = 0x5c,
       SEM_ADDR_HI = 0x60,
       SEM_PAYLOAD_HI = 0x68,
       SEM_EXECUTE = 0x6c,
       HOST_METHODS = 0x100, /* from here on the engine's */
       CLASS_MASK = 0xffff,
};
enum { XID_MMU = 31, XID_PBDMA = 32, XID_CLASS = 69 };
enum { USERD_REFERENCE = 0x48 };
enum { MEM_OP_SHIFT = 27, TLB_INVALIDATE = 9, TLB_TARGETED = 10 };

bool model_semaphore_release(struct gpu_model *m, struct channel *c, uint64_t va, uint64_t payload,
                             bool wide, bool timestamp)
{
    uint8_t b[16];
    uint64_t at;
    enum mmu_result r = MMU_MAPPED;
    put_le64(b, wide ? payload : (uint32_t)payload);
    if (timestamp) { /* the time lands before the payload */
        put_le64(b + 8, model_now(m) + m->misc.ptimer_offset);
        r = model_mmu_write(m, &c->dir, va + 8, b + 8, 8, &at);
    }
    if (r == MMU_MAPPED) {
        r = model_mmu_write(m, &c->dir, va, b, wide || timestamp ? 8 : 4, &at);
    }
    if (r != MMU_MAPPED) {
        model_channel_fault(m, c, XID_MMU, r, at);
        return false;
    }
    m->host.releases++;
    return true;
}

static bool sem_load(struct gpu_model *m, struct channel *c, uint64_t va, bool wide, uint64_t *v)
{
    uint8_t b[8] = {0};
    uint64_t at;
    const enum mmu_result r = model_mmu_read(m, &c->dir, va, b, wide ? 8 : 4, &at);
    if (r != MMU_MAPPED) {
        model_channel_fault(m, c, XID_MMU, r, at);
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

/* SEM_EXECUTE. False: an acquire that does not hold yet, or a fault. */
static bool sem_execute(struct gpu_model *m, struct channel *c, uint32_t data)
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
        model_channel_fault(m, c, XID_PBDMA, MMU_MAPPED, va);
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
            model_channel_fault(m, c, XID_PBDMA, MMU_MAPPED, data);
            return false;
        }
        return model_semaphore_release(m, c, va, out & mask, wide, stamp);
    }
    c->waiting = !holds;
    return holds;
}

/* The form with SEMAPHOREA..D, which hosts up to Ada still have. */
static bool old_semaphore(struct gpu_model *m, struct channel *c, uint32_t data)
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
        model_channel_fault(m, c, XID_PBDMA, MMU_MAPPED, data);
        return false;
    }
    return !c->waiting;
}

static bool host_method(struct gpu_model *m, struct channel *c, uint32_t subchannel,
                        uint32_t method, uint32_t data)
{
    uint8_t b[4];
    if (method >= SEM_ADDR_LO && method <= SEM_PAYLOAD_HI) {
        c->sem[(method - SEM_ADDR_LO) / 4] = data;
        return true;
    }
    if (method >= OLD_SEM_A && method <= OLD_SEM_C) {
        c->old_sem[(method - OLD_SEM_A) / 4] = data;
        return true;
    }
    switch (method) {
    case SET_OBJECT:
        if (model_class_kind(m, data & CLASS_MASK) == CLASS_OTHER) {
            model_channel_fault(m, c, XID_CLASS, MMU_MAPPED, data);
            return false;
        }
        c->cls[subchannel] = data & CLASS_MASK;
        return true;
    case ILLEGAL:
        model_channel_fault(m, c, XID_PBDMA, MMU_MAPPED, data);
        return false;
    case OLD_SEM_D:
        return old_semaphore(m, c, data);
    case NON_STALL_INTERRUPT:
        model_channel_nonstall(m, c);
        return true;
    case SET_REFERENCE:
        c->reference = data;
        put_le32(b, data);
        model_phys_write(m, c->userd_sysmem, c->userd + USERD_REFERENCE, b, 4);
        return true;
    case SEM_EXECUTE:
        return sem_execute(m, c, data);
    case MEM_OP_D: /* which directory is in A to C; more than asked for is legal */
        if (data >> MEM_OP_SHIFT == TLB_INVALIDATE || data >> MEM_OP_SHIFT == TLB_TARGETED) {
            (void)model_host_spend(m, HOST_INVALIDATE);
            model_tlb_invalidate(m, TLB_ALL_ROOTS);
        }
        return true;
    default: /* membars, WFI, NOP, YIELD: all is done in order here */
        return true;
    }
}

bool model_host_method(struct gpu_model *m, struct channel *c, uint32_t subchannel, uint32_t method,
                       uint32_t data)
{
    if (method < HOST_METHODS) {
        if (!host_method(m, c, subchannel, method, data)) {
            return false;
        }
    } else if (model_class_kind(m, c->cls[subchannel]) == CLASS_COPY) {
        model_ce_method(m, c, method, data);
    } else if (c->cls[subchannel] == 0) {
        model_channel_fault(m, c, XID_CLASS, MMU_MAPPED, method);
    } else {
        m->host.ignored_methods++;
    }
    m->host.methods++;
    return !c->dead;
}
