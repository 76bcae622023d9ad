/* SPDX-License-Identifier: MIT */
/*
 * What no driver may write into a page table or an instance block. Only what hardware cannot take,
 * or what is certainly a mistake; unused bits of invalid entries are nobody's. Source: mmu.md 3-6.
 */
#include "tests/model/memory/mmu_check.h"

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/books/strict.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/phys.h"
#include "tests/model/memory/vram.h"

#define MASK(hi, lo) (~0ull >> (63 - ((hi) - (lo))) << (lo))
#define BIT(n)       (1ull << (n))

void model_mmu_check_table(struct gpu_model *m, const struct mmu_table *t, uint64_t addr,
                           const char *level)
{
    if (!t->sysmem && !range_ok(addr, sizeof(uint64_t), m->vram->size)) {
        model_rule_broken(m, RULE_MMU_TABLE_OUTSIDE,
                          "the table %s is at 0x%llx; video memory ends at 0x%llx", level,
                          (unsigned long long)t->addr, (unsigned long long)m->vram->size);
    }
}

/* Bits that are 0 in a directory entry that leads to a table. */
static uint64_t pde_reserved(const struct gpu_model *m, bool sysmem, enum mmu_pde_kind kind)
{
    uint64_t bits = kind == PDE_SMALL ? BIT(0) : 0;
    if (model_mmu_is_v3(m)) {
        bits |= BIT(5) | MASK(63, 52);
        bits |= kind == PDE_BIG ? MASK(7, 6) : MASK(11, 6);
    } else {
        bits |= MASK(63, 54) | (sysmem ? 0 : MASK(53, 33));
        bits |= kind == PDE_BIG ? 0 : BIT(4) | MASK(7, 6);
    }
    return bits;
}

/* The bits of an address; those of a table of 64K pages that may also be flags left out. */
static uint64_t pde_address(const struct gpu_model *m, enum mmu_pde_kind kind)
{
    if (model_mmu_is_v3(m)) {
        return kind == PDE_BIG ? MASK(51, 8) : MASK(51, 12);
    }
    return MASK(53, 8);
}

void model_mmu_check_pde(struct gpu_model *m, const struct mmu_table *t, uint64_t e,
                         enum mmu_pde_kind kind, const char *level)
{
    static const char *const halves[] = {
        [PDE_WHOLE] = "", [PDE_BIG] = " (low half)", [PDE_SMALL] = " (high half)"};
    if (!t->valid && !t->sparse && (e & pde_address(m, kind)) != 0) {
        model_rule_broken(m, RULE_MMU_PDE_APERTURE,
                          "entry 0x%llx of %s%s has an address and aperture 0, which is invalid; "
                          "video memory is 1 in a directory",
                          (unsigned long long)e, level, halves[kind]);
    }
    const uint64_t bits = t->valid ? e & pde_reserved(m, t->sysmem, kind) : 0;
    if (bits != 0) {
        model_rule_broken(m, RULE_MMU_RESERVED, "entry 0x%llx of %s%s has reserved bits 0x%llx",
                          (unsigned long long)e, level, halves[kind], (unsigned long long)bits);
    }
}

void model_mmu_check_dual(struct gpu_model *m, const uint64_t e[2], const struct mmu_entry *at)
{
    const struct mmu_table small = model_mmu_get_pde(m, e[1], PDE_SMALL);
    if (small.valid) {
        model_rule_broken(m, RULE_MMU_DUAL_BIT0,
                          "the low half of an entry of %s is 0x%llx, a page of 2 MiB by its bit 0, "
                          "which hides the table that the high half 0x%llx leads to",
                          at->level, (unsigned long long)e[0], (unsigned long long)e[1]);
    }
}

static uint64_t pte_reserved(const struct gpu_model *m, uint32_t aperture)
{
    if (model_mmu_is_v3(m)) {
        return (aperture == PTE_VIDEO ? MASK(60, 40) : MASK(60, 52)) |
               (aperture == PTE_PEER ? 0 : MASK(63, 61));
    }
    return BIT(4) | (aperture == PTE_VIDEO  ? MASK(35, 33)
                     : aperture == PTE_PEER ? 0
                                            : MASK(55, 54));
}

/* What is wrong with a kind; NULL: nothing. */
static const char *wrong_kind(const struct gpu_model *m, const struct mmu_pte *p, uint64_t e)
{
    enum { COMPRESSIBLE_FIRST = 8, COMPRESSIBLE_LAST = 14 };
    if (p->kind == KIND_INVALID || p->kind > KIND_MAX) {
        return "which is no kind";
    }
    if (p->kind < COMPRESSIBLE_FIRST || p->kind > COMPRESSIBLE_LAST) {
        return NULL;
    }
    if (p->aperture == PTE_SYS || p->aperture == PTE_SYS_NONCOHERENT) {
        return "which is compressible, on the bus";
    }
    if ((m->chip->family & F_TU) != 0 && BITS(e, 55, 36) == 0) {
        return "which is compressible, without a compression tag";
    }
    return NULL;
}

void model_mmu_check_pte(struct gpu_model *m, const struct mmu_pte *p, uint32_t shift, uint64_t in,
                         const struct mmu_entry *at)
{
    const uint64_t e = at->value, size = 1ull << shift, base = p->addr & ~(size - 1);
    const uint64_t bits = e & pte_reserved(m, p->aperture);
    const char *kind = wrong_kind(m, p, e);
    if (p->aperture == PTE_PEER) {
        model_rule_broken(
            m, RULE_MMU_PDE_APERTURE,
            "page entry 0x%llx of %s has aperture 1, a peer, and there is none; video "
            "memory is 0 in a page entry",
            (unsigned long long)e, at->level);
    }
    if (bits != 0) {
        model_rule_broken(m, RULE_MMU_RESERVED, "page entry 0x%llx of %s has reserved bits 0x%llx",
                          (unsigned long long)e, at->level, (unsigned long long)bits);
    }
    if (p->addr != base) {
        model_rule_broken(m, RULE_MMU_MISALIGNED,
                          "page entry 0x%llx of %s puts a page of 0x%llx bytes at 0x%llx",
                          (unsigned long long)e, at->level, (unsigned long long)size,
                          (unsigned long long)p->addr);
    }
    if (p->aperture == PTE_VIDEO && base + in >= m->vram->size) {
        model_rule_broken(m, RULE_MMU_TABLE_OUTSIDE,
                          "page entry 0x%llx of %s leads to 0x%llx; video memory ends at 0x%llx",
                          (unsigned long long)e, at->level, (unsigned long long)(base + in),
                          (unsigned long long)m->vram->size);
    }
    if (kind != NULL) {
        model_rule_broken(m, RULE_MMU_KIND, "page entry 0x%llx of %s has kind %u, %s",
                          (unsigned long long)e, at->level, p->kind, kind);
    }
}

void model_mmu_check_instance(struct gpu_model *m, uint64_t inst, bool sysmem)
{
    enum { PDB = 0x200, TARGET = 3, TARGET_INVALID = 1, VER2 = 1 << 10, BIG_64K = 1 << 11 };
    uint8_t raw[4];
    const char *wrong = NULL;
    if (!model_phys_read(m, sysmem, inst + PDB, raw, sizeof(raw))) {
        wrong = "cannot be read";
    } else if ((get_le32(raw) & TARGET) == TARGET_INVALID) {
        wrong = "has no root directory: its target is 1";
    } else if (!model_mmu_is_v3(m) && (get_le32(raw) & VER2) == 0) {
        wrong = "does not say that the tables have the new format";
    } else if (!model_mmu_is_v3(m) && (get_le32(raw) & BIG_64K) == 0) {
        wrong = "does not say that big pages have 64 KiB";
    }
    if (wrong != NULL) {
        model_rule_broken(m, RULE_MMU_INSTANCE, "the instance block at 0x%llx%s %s",
                          (unsigned long long)inst, sysmem ? " on the bus" : "", wrong);
    }
}
