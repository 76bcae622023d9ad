/* SPDX-License-Identifier: MIT */
/* Entries of page tables. The table of 64K pages is aligned to 256 bytes, all others to 4 KiB. */
#include "tests/model/memory/mmu_entry.h"

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"

enum { V3_INVALID_SPARSE = 1, V3_INVALID_NO_4K = 3 };

bool model_mmu_is_v3(const struct gpu_model *m) { return (m->chip->family & F_FSP) != 0; }

struct mmu_table model_mmu_get_pde(const struct gpu_model *m, uint64_t e, enum mmu_pde_kind kind)
{
    struct mmu_table t = {0};
    const uint32_t aperture = (uint32_t)BITS(e, 2, 1);
    const bool big = kind == PDE_BIG;
    t.valid = aperture != PDE_INVALID;
    t.sysmem = aperture != PDE_VIDEO;
    if (model_mmu_is_v3(m)) {
        t.sparse = !t.valid && (BITS(e, 5, 3) & V3_INVALID_SPARSE) != 0;
        t.addr = big ? BITS(e, 51, 8) << 8 : BITS(e, 51, 12) << 12;
    } else {
        t.sparse = !t.valid && BITS(e, 3, 3) != 0;
        const uint64_t hi = t.sysmem ? BITS(e, 53, 33) << 25 : 0;
        t.addr = big ? (BITS(e, 32, 4) | hi << 4) << 8 : (BITS(e, 32, 8) | hi) << 12;
    }
    return t;
}

struct mmu_pte model_mmu_get_pte(const struct gpu_model *m, uint64_t e)
{
    struct mmu_pte p = {.valid = (e & 1) != 0, .aperture = (uint32_t)BITS(e, 2, 1)};
    const bool video = p.aperture == PTE_VIDEO;
    if (model_mmu_is_v3(m)) {
        const uint32_t pcf = (uint32_t)BITS(e, 7, 3);
        p.sparse = !p.valid && pcf == V3_INVALID_SPARSE;
        p.no_4k = !p.valid && pcf == V3_INVALID_NO_4K;
        p.read_only = (pcf & 4) != 0;
        p.kind = (uint32_t)BITS(e, 11, 8);
        p.addr = (video ? BITS(e, 39, 12) : BITS(e, 51, 12)) << 12;
    } else {
        p.no_4k = !p.valid && BITS(e, 5, 5) != 0;
        p.sparse = !p.valid && !p.no_4k && BITS(e, 3, 3) != 0;
        p.read_only = BITS(e, 6, 6) != 0;
        p.kind = (uint32_t)BITS(e, 63, 56);
        p.addr = (video ? BITS(e, 32, 8) : BITS(e, 53, 8)) << 12;
    }
    return p;
}
