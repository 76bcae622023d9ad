/* SPDX-License-Identifier: MIT */
/* The walk (mmu.md 2-5). */
#include "tests/model/memory/mmu.h"

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/mmu_check.h"
#include "tests/model/memory/mmu_entry.h"
#include "tests/model/memory/phys.h"
#include "tests/model/memory/posted.h"
#include "tests/model/memory/vram.h"

enum {
    LEVELS_MAX = 5,
    DUAL_SHIFT = 21, /* what an entry of the lowest directory covers */
    BIG_SHIFT = 16,
    SMALL_SHIFT = 12,
};

/* Levels from the root down to the dual directory: the VA bits of an index. */
struct level {
    uint32_t shift, bits;
};
struct format {
    uint32_t va_bits, levels;
    struct level level[LEVELS_MAX];
    uint32_t pte_from; /* the first level whose entries may be pages */
};
static const struct format v2 = {49, 4, {{47, 2}, {38, 9}, {29, 9}, {DUAL_SHIFT, 8}}, 2};
static const struct format v2_turing = {
    49, 4, {{47, 2}, {38, 9}, {29, 9}, {DUAL_SHIFT, 8}}, 3}; /* no 512 MiB pages */
static const struct format v3 = {57, 5, {{56, 1}, {47, 9}, {38, 9}, {29, 9}, {DUAL_SHIFT, 8}}, 3};
static const struct format v3_blackwell = {
    57, 5, {{56, 1}, {47, 9}, {38, 9}, {29, 9}, {DUAL_SHIFT, 8}}, 2}; /* 256 GiB pages */

static const struct format *format_of(const struct gpu_model *m)
{
    switch (m->chip->family) {
    case F_TU:
        return &v2_turing;
    case F_GH100:
        return &v3;
    case F_GB10X:
    case F_GB20X:
        return &v3_blackwell;
    default:
        return &v2;
    }
}

/* ---- entries ---- */

static const char *level_name(uint32_t shift)
{
    switch (shift) {
    case 56:
        return "PD4";
    case 47:
        return "PD3";
    case 38:
        return "PD2";
    case 29:
        return "PD1";
    case DUAL_SHIFT:
        return "PD0";
    case BIG_SHIFT:
        return "PT 64K";
    default:
        return "PT 4K";
    }
}

/* Which directory, PD0 first. */
static uint32_t dir_index(uint32_t shift) { return (shift - DUAL_SHIFT + 2) / 9; }

static enum mmu_result fault(struct mmu_page *out, enum mmu_result type, const char *why)
{
    out->entry.why = why;
    return type;
}

/* The entry at index of the table of that level; which it was is noted. */
static bool entry_at(struct gpu_model *m, const struct mmu_table *t, uint64_t index, uint32_t shift,
                     uint64_t e[2], struct mmu_page *out)
{
    const uint32_t bytes = shift == DUAL_SHIFT ? 16 : 8;
    uint8_t raw[16] = {0};
    out->entry = (struct mmu_entry){.level = level_name(shift)};
    model_mmu_check_table(m, t, t->addr + index * bytes, out->entry.level);
    if (!t->sysmem) {
        model_posted_check(m, t->addr + index * bytes, bytes, out->entry.level);
    }
    if (!model_phys_read(m, t->sysmem, t->addr + index * bytes, raw, bytes)) {
        out->entry.why = "is not known: the table cannot be read";
        return false;
    }
    e[0] = get_le64(raw);
    e[1] = bytes == 16 ? get_le64(raw + 8) : 0;
    out->entry.value = e[0];
    return true;
}

static enum mmu_result leaf(struct gpu_model *m, const struct mmu_pte *p, uint64_t va,
                            uint32_t shift, struct mmu_page *out)
{
    const uint64_t size = 1ull << shift, in = va & (size - 1);
    out->left = size - in;
    out->sparse = p->sparse;
    if (p->sparse) {
        return MMU_MAPPED;
    }
    if (!p->valid) {
        return fault(out, MMU_FAULT_PTE,
                     p->no_4k ? "is not valid and says that there are no 4K pages"
                              : "is not valid");
    }
    model_mmu_check_pte(m, p, shift, in, &out->entry);
    if (p->aperture == PTE_PEER) {
        return fault(out, MMU_FAULT_APERTURE, "is for a peer; there is none");
    }
    if (p->kind == KIND_INVALID) {
        return fault(out, MMU_FAULT_KIND, "has the kind that is invalid, 7");
    }
    out->addr = (p->addr & ~(size - 1)) + in;
    out->sysmem = p->aperture != PTE_VIDEO;
    out->read_only = p->read_only;
    return MMU_MAPPED;
}

/* The lowest directory's entry: a 2 MiB page, or tables of 64 KiB and of 4 KiB pages. */
static enum mmu_result walk_dual(struct gpu_model *m, const uint64_t e[2], uint64_t va,
                                 struct mmu_page *out)
{
    uint64_t entry[2];
    if ((e[0] & IS_PTE) != 0) {
        const struct mmu_pte p = model_mmu_get_pte(m, e[0]);
        model_mmu_check_dual(m, e, &out->entry);
        return leaf(m, &p, va, DUAL_SHIFT, out);
    }
    const struct mmu_table big = model_mmu_get_pde(m, e[0], PDE_BIG),
                           small = model_mmu_get_pde(m, e[1], PDE_SMALL);
    out->dirs[dir_index(DUAL_SHIFT)] = e[0] ^ e[1] << 1;
    model_mmu_check_pde(m, &big, e[0], PDE_BIG, out->entry.level);
    model_mmu_check_pde(m, &small, e[1], PDE_SMALL, out->entry.level);
    if (big.sparse) {
        const struct mmu_pte p = {.sparse = true};
        return leaf(m, &p, va, DUAL_SHIFT, out);
    }
    if (big.valid) {
        if (!entry_at(m, &big, BITS(va, DUAL_SHIFT - 1, BIG_SHIFT), BIG_SHIFT, entry, out)) {
            return MMU_FAULT_REGION;
        }
        const struct mmu_pte p = model_mmu_get_pte(m, entry[0]);
        if (p.valid || p.sparse || p.no_4k) {
            return leaf(m, &p, va, BIG_SHIFT, out);
        }
    }
    if (small.valid) {
        if (!entry_at(m, &small, BITS(va, DUAL_SHIFT - 1, SMALL_SHIFT), SMALL_SHIFT, entry, out)) {
            return MMU_FAULT_REGION;
        }
        const struct mmu_pte p = model_mmu_get_pte(m, entry[0]);
        return leaf(m, &p, va, SMALL_SHIFT, out);
    }
    if (big.valid) {
        return fault(out, MMU_FAULT_PTE, "is not valid, and there is no table of 4K pages");
    }
    return fault(out, MMU_FAULT_PDE, "leads to no table, nor does its other half");
}

enum mmu_result model_mmu_walk(struct gpu_model *m, const struct page_dir *dir, uint64_t va,
                               struct mmu_page *out)
{
    const struct format *f = format_of(m);
    struct mmu_table t = {.addr = dir->root, .sysmem = dir->sysmem, .valid = true};
    *out = (struct mmu_page){0};
    if (!dir->valid) {
        return fault(out, MMU_FAULT_PDE, "there is no root directory");
    }
    if (va >> f->va_bits != 0) {
        return fault(out, MMU_FAULT_VA_LIMIT, "the address is beyond what the format can say");
    }
    for (uint32_t i = 0; i < f->levels; i++) {
        const bool dual = i == f->levels - 1;
        const uint64_t index = va >> f->level[i].shift & ((1ull << f->level[i].bits) - 1);
        uint64_t e[2];
        if (!entry_at(m, &t, index, f->level[i].shift, e, out)) {
            return MMU_FAULT_REGION;
        }
        if (dual) {
            return walk_dual(m, e, va, out);
        }
        if ((e[0] & IS_PTE) != 0) {
            const struct mmu_pte p = model_mmu_get_pte(m, e[0]);
            return i >= f->pte_from
                       ? leaf(m, &p, va, f->level[i].shift, out)
                       : fault(out, MMU_FAULT_PDE, "is a page where there are none so large");
        }
        t = model_mmu_get_pde(m, e[0], PDE_WHOLE);
        out->dirs[dir_index(f->level[i].shift)] = e[0];
        model_mmu_check_pde(m, &t, e[0], PDE_WHOLE, out->entry.level);
        if (t.sparse) {
            const struct mmu_pte p = {.sparse = true};
            return leaf(m, &p, va, f->level[i].shift, out);
        }
        if (!t.valid) {
            return fault(out, MMU_FAULT_PDE, "leads to no table");
        }
    }
    return MMU_FAULT_PDE;
}

static const char *fault_name(enum mmu_result type)
{
    switch (type) {
    case MMU_FAULT_PDE:
        return "PDE";
    case MMU_FAULT_PTE:
        return "PTE";
    case MMU_FAULT_VA_LIMIT:
        return "VA limit";
    case MMU_FAULT_READ_ONLY:
        return "read-only";
    case MMU_FAULT_APERTURE:
        return "unsupported aperture";
    case MMU_FAULT_KIND:
        return "unsupported kind";
    case MMU_FAULT_REGION:
        return "region violation";
    case MMU_MAPPED:
        break;
    }
    return "none";
}

void model_mmu_fault_words(char words[MMU_WORDS], enum mmu_result type, const struct mmu_entry *at)
{
    const char *why = at->why != NULL ? at->why : "does not allow it";
    if (at->level == NULL) {
        snprintf(words, MMU_WORDS, "fault type %u (%s): %s", (unsigned)type, fault_name(type), why);
    } else {
        snprintf(words, MMU_WORDS, "fault type %u (%s) at %s: entry 0x%llx %s", (unsigned)type,
                 fault_name(type), at->level, (unsigned long long)at->value, why);
    }
}

/* ---- instance blocks ---- */

enum {
    INST_PDB = 0x200,
    PDB_TARGET = 3,
    PDB_VER2 = 1 << 10,
    PDB_BIG_64K = 1 << 11,
    PDB_INVALID = 1
};

struct page_dir model_mmu_instance(struct gpu_model *m, uint64_t inst, bool sysmem)
{
    uint8_t raw[8];
    struct page_dir dir = {0};
    if (model_phys_read(m, sysmem, inst + INST_PDB, raw, sizeof(raw))) {
        const uint64_t pdb = get_le64(raw);
        dir.root = pdb & ~(uint64_t)(FL_PAGE_SIZE - 1);
        dir.sysmem = (pdb & PDB_TARGET) > PDB_INVALID;
        dir.valid = (pdb & PDB_TARGET) != PDB_INVALID;
    }
    return dir;
}

void model_mmu_put_instance(struct gpu_model *m, uint64_t inst, const struct page_dir *dir)
{
    enum { TARGET_SYS = 2 };
    uint8_t raw[8];
    put_le64(raw, dir->root | (dir->sysmem ? TARGET_SYS : 0) | PDB_VER2 | PDB_BIG_64K);
    model_vram_write(m, inst + INST_PDB, raw, sizeof(raw));
}
