/* SPDX-License-Identifier: MIT */
/*
 * Host methods: objects, membars, interrupts; and who gets the rest: semaphores, an engine. Source:
 * channels.md 7.2. Classes that are not modelled (graphics, compute) take their methods and do
 * nothing; how many is in the report.
 */
#include "tests/model/host/methods.h"

#include "arch/base.h"
#include "tests/model/books/strict.h"
#include "tests/model/gpu.h"
#include "tests/model/host/ce.h"
#include "tests/model/host/channel.h"
#include "tests/model/host/engines.h"
#include "tests/model/host/semaphore.h"
#include "tests/model/memory/mmu.h"
#include "tests/model/memory/phys.h"
#include "tests/model/memory/tlb.h"

enum { /* methods of the host */
       SET_OBJECT = 0x00,
       ILLEGAL = 0x04,
       OLD_SEM_A = 0x10,
       OLD_SEM_C = 0x18,
       OLD_SEM_D = 0x1c,
       NON_STALL_INTERRUPT = 0x20,
       MEM_OP_A = 0x28,
       MEM_OP_C = 0x30,
       MEM_OP_D = 0x34,
       SET_REFERENCE = 0x50,
       SEM_ADDR_LO = 0x5c,
       SEM_ADDR_HI = 0x60,
       SEM_PAYLOAD_HI = 0x68,
       SEM_EXECUTE = 0x6c,
       HOST_METHODS = 0x100, /* from here on the engine's */
       CLASS_MASK = 0xffff,
};
enum { XID_CLASS = 69 };
enum { USERD_REFERENCE = 0x48 };
enum { MEM_OP_SHIFT = 27, TLB_INVALIDATE = 9, TLB_TARGETED = 10 };

/* Source: clc36f.h, clc86f.h. */
static void invalidate(struct gpu_model *m, const struct channel *c, uint32_t d)
{
    enum { C_ALL_PDB = 1, C_LEVEL_SHIFT = 7, C_LEVEL = 7, C_APERTURE = 3 << 10 };
    const uint64_t lo = c->mem_op[2] & ~(uint32_t)(FL_PAGE_SIZE - 1), hi = d & 0x7ffffff;
    const struct tlb_scope s = {.all = (c->mem_op[2] & C_ALL_PDB) != 0,
                                .root = hi << 32 | lo,
                                .sysmem = (c->mem_op[2] & C_APERTURE) != 0,
                                .level = c->mem_op[2] >> C_LEVEL_SHIFT & C_LEVEL};
    (void)model_host_spend(m, s.level == 0 ? HOST_INVALIDATE : HOST_INVALIDATE_LEVELS);
    if (!s.all && model_tlb_find_root(m, s.root, s.sysmem) == NULL &&
        m->tlb->bound_count < TLB_ROOTS) {
        model_rule_broken(m, RULE_MMU_MEMOP_TARGET,
                          "channel %u: MEM_OP_C 0x%08x and MEM_OP_D 0x%08x name the directory "
                          "0x%llx%s, which no address space has",
                          c->chid, c->mem_op[2], d, (unsigned long long)s.root,
                          s.sysmem ? " on the bus" : "");
    }
    model_tlb_forget(m, &s);
}

static bool host_method(struct gpu_model *m, struct channel *c, uint32_t subchannel,
                        uint32_t method, uint32_t data)
{
    uint8_t b[4];
    if (method >= SEM_ADDR_LO && method <= SEM_PAYLOAD_HI) {
        c->sem[(method - SEM_ADDR_LO) / 4] = data;
        return true;
    }
    if (method >= MEM_OP_A && method <= MEM_OP_C) {
        c->mem_op[(method - MEM_OP_A) / 4] = data;
        return true;
    }
    if (method >= OLD_SEM_A && method <= OLD_SEM_C) {
        c->old_sem[(method - OLD_SEM_A) / 4] = data;
        return true;
    }
    switch (method) {
    case SET_OBJECT:
        if (model_class_kind(m, data & CLASS_MASK) == CLASS_OTHER) {
            model_channel_fault(m, c, XID_CLASS, data);
            return false;
        }
        c->cls[subchannel] = data & CLASS_MASK;
        return true;
    case ILLEGAL:
        model_channel_fault(m, c, XID_PBDMA, data);
        return false;
    case OLD_SEM_D:
        return model_semaphore_execute_old(m, c, data);
    case NON_STALL_INTERRUPT:
        model_channel_nonstall(m, c);
        return true;
    case SET_REFERENCE:
        c->reference = data;
        put_le32(b, data);
        model_phys_write(m, c->userd_sysmem, c->userd + USERD_REFERENCE, b, 4);
        return true;
    case SEM_EXECUTE:
        return model_semaphore_execute(m, c, data);
    case MEM_OP_D:
        if (data >> MEM_OP_SHIFT == TLB_INVALIDATE || data >> MEM_OP_SHIFT == TLB_TARGETED) {
            invalidate(m, c, data);
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
        model_channel_fault(m, c, XID_CLASS, method);
    } else {
        m->host->ignored_methods++;
    }
    m->host->methods++;
    return !c->dead;
}
