/* SPDX-License-Identifier: MIT */
/* What a format is made of; for tables*.c, walk*.c and need.c. */
#pragma once

#include "mm/gpu/format.h"

#define GPU_DIRS_MAX      5u   /* directories, root to PD0 */
#define GPU_LEVELS_MAX    7u   /* and the two page tables */
#define GPU_ENTRY_BYTES   8u   /* one word */
#define GPU_TABLE_WORDS   512u /* of 4 KiB */
#define GPU_TABLE_BYTES   4096u
#define GPU_BIG_BYTES     256u                /* a table of 64K pages */
#define GPU_CHUNK_ENTRIES 16u                 /* 4K entries below a 64K entry */
#define GPU_SPAN_2M       (UINT64_C(1) << 21) /* what one entry of PD0 covers */

/* One kind of table. */
struct gpu_level {
    const char *name;
    uint8_t shift;      /* VA covered by one entry: 1 << shift */
    uint8_t bits;       /* of VA that make the index */
    uint8_t entry_bits; /* log2 of the words per entry: 1 in PD0, else 0 */
    enum gpu_page page; /* an entry may be a page of that size; GPU_PAGE_COUNT: may not */
};

/* A directory entry, or half of one of PD0, decoded. */
struct gpu_pde {
    enum { GPU_PDE_INVALID, GPU_PDE_SPARSE, GPU_PDE_TABLE, GPU_PDE_PAGE } is;
    bool sysmem;   /* the table lies in system memory */
    uint64_t addr; /* TABLE */
};

/* An entry of a page table, or of a directory when it is a page, decoded. */
struct gpu_pte {
    enum { GPU_PTE_INVALID, GPU_PTE_SPARSE, GPU_PTE_NO_4K, GPU_PTE_NOWHERE, GPU_PTE_PAGE } is;
    uint64_t addr; /* PAGE */
    struct gpu_pte_attrs attrs;
};

struct gpu_mmu_format {
    const char *name;
    uint8_t va_bits;
    uint8_t dirs;        /* directories: level[0] is the root, level[dirs - 1] is PD0 */
    uint8_t addr_shift;  /* address bits stand that much lower in an entry */
    uint8_t vidmem_bits; /* of an address in video memory, or of a peer (v2) */
    uint8_t sysmem_bits;
    struct gpu_level level[GPU_LEVELS_MAX]; /* directories, then big, then small */
    uint64_t sparse_pde, sparse_pte, no_4k; /* whole entries */
    uint64_t (*encode_pde)(uint64_t table); /* in video memory, 4K aligned */
    uint64_t (*encode_big)(uint64_t table); /* low half of PD0, 256-byte aligned */
    uint64_t (*encode_pte)(uint64_t pa, const struct gpu_pte_attrs *a);
    struct gpu_pde (*decode_pde)(uint64_t e);
    struct gpu_pde (*decode_big)(uint64_t e);
    struct gpu_pde (*decode_small)(uint64_t e); /* high half of PD0; never sparse or a page */
    struct gpu_pte (*decode_pte)(uint64_t e);
};

static inline uint32_t gpu_level_big(const struct gpu_mmu_format *f) { return f->dirs; }
static inline uint32_t gpu_level_small(const struct gpu_mmu_format *f) { return f->dirs + 1u; }
static inline uint32_t gpu_level_pd0(const struct gpu_mmu_format *f) { return f->dirs - 1u; }
static inline uint32_t gpu_level_words(const struct gpu_mmu_format *f, uint32_t level)
{
    return 1u << (f->level[level].bits + f->level[level].entry_bits);
}
static inline uint64_t gpu_level_index(const struct gpu_mmu_format *f, uint32_t level, uint64_t va)
{
    return (va >> f->level[level].shift) & ((UINT64_C(1) << f->level[level].bits) - 1);
}
/* [va, va + len) is something to work on: pages of 4 KiB, some, inside of the address space. */
static inline bool gpu_format_range_ok(const struct gpu_mmu_format *f, uint64_t va, uint64_t len)
{
    return len > 0 && is_aligned_u64(va | len, FL_PAGE_SIZE) &&
           range_ok(va, len, UINT64_C(1) << f->va_bits);
}
