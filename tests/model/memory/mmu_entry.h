/* SPDX-License-Identifier: MIT */
/* What the entries of page tables say, in both formats. Source: mmu.md 4, 5. */
#pragma once

#include "tests/model/gpu.h"

enum { IS_PTE = 1, KIND_PITCH = 0, KIND_INVALID = 7, KIND_MAX = 15 };
enum { PDE_INVALID, PDE_VIDEO, PDE_SYS, PDE_SYS_NONCOHERENT };
enum { PTE_VIDEO, PTE_PEER, PTE_SYS, PTE_SYS_NONCOHERENT };
#define BITS(v, hi, lo) ((v) >> (lo) & (~0ull >> (63 - ((hi) - (lo)))))

/* Which directory entry: one of eight bytes, or a half of a dual one. */
enum mmu_pde_kind { PDE_WHOLE, PDE_BIG, PDE_SMALL };
struct mmu_table {
    uint64_t addr;
    bool sysmem, valid, sparse;
};
/* The entry that a walk ended at. */
struct mmu_entry {
    const char *level; /* "PD3", "PT 4K"; NULL: no table was read */
    const char *why;   /* of a fault */
    uint64_t value;
};
struct mmu_pte {
    bool valid, sparse, no_4k;
    uint32_t aperture, kind;
    bool read_only;
    uint64_t addr;
};
bool model_mmu_is_v3(const struct gpu_model *m);
struct mmu_table model_mmu_get_pde(const struct gpu_model *m, uint64_t e, enum mmu_pde_kind kind);
struct mmu_pte model_mmu_get_pte(const struct gpu_model *m, uint64_t e);
