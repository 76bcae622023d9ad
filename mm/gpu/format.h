/* SPDX-License-Identifier: MIT */
/*
 * The two formats of page tables: "MMU v2" (Turing to Ada) and "MMU v3" (Hopper on), as tables of
 * levels and as encoders and decoders of entries. Nothing here allocates, yields or touches a GPU.
 *
 * Directories are named from the leaf up, as NVIDIA does: PD0 lies above the page tables.
 *   v2: PD3 (root) PD2 PD1 PD0 PT        49 bits of VA
 *   v3: PD4 (root) PD3 PD2 PD1 PD0 PT    57 bits of VA
 * An entry of PD0 has two halves: one names a table of 64K pages (256 bytes), the other a table of
 * 4K pages. Source: open-gpu-kernel-modules 570.144 (dev_mmu.h of tu102, ga100, gh100, gb100;
 * kern_gmmu_fmt_*.c), nouveau vmmgp100.c and vmmgh100.c.
 */
#pragma once

#include "arch/base.h"

enum gpu_page {
    GPU_PAGE_4K,
    GPU_PAGE_64K,
    GPU_PAGE_2M,
    GPU_PAGE_512M,
    GPU_PAGE_256G,
    GPU_PAGE_COUNT,
};

/* Opaque; format_priv.h. */
struct gpu_mmu_format;
extern const struct gpu_mmu_format gpu_mmu_v2_turing;    /* 4K, 64K, 2M: TU10x */
extern const struct gpu_mmu_format gpu_mmu_v2;           /* and 512M: GA100, GA10x, AD10x */
extern const struct gpu_mmu_format gpu_mmu_v3;           /* 4K to 512M: GH100 */
extern const struct gpu_mmu_format gpu_mmu_v3_blackwell; /* and 256G: GB10x, GB20x */

/* Where a page lies. As PTEs mean it; the codes inside of entries are the format's matter. */
enum gpu_aperture {
    GPU_VIDMEM,
    GPU_PEER,
    GPU_SYSMEM_COHERENT,
    GPU_SYSMEM_NONCOHERENT,
    GPU_APERTURE_COUNT,
};

/* Page kinds that need neither compression tags nor a layout (Turing and later). */
enum { GPU_KIND_PITCH = 0, GPU_KIND_GENERIC = 6, GPU_KIND_INVALID = 7, GPU_KIND_COUNT = 16 };

/* What a PTE says besides its address. All zero: video memory, readable, writable, cached, pitch.
 */
struct gpu_pte_attrs {
    enum gpu_aperture aperture;
    bool volatile_; /* past the L2 cache: what GPU and CPU share in system memory */
    bool read_only;
    bool privileged; /* only the GPU's privileged accesses */
    bool no_atomics;
    bool no_access_counting; /* v3 only; v2 has no such bit and decodes to false */
    uint8_t kind;            /* 0 .. 15, not GPU_KIND_INVALID */
    uint8_t peer;            /* 0 .. 7 with GPU_PEER, else 0 */
};

/* For people: "MMU v2 (Turing)", "64K". */
const char *gpu_format_name(const struct gpu_mmu_format *f);
const char *gpu_page_name(enum gpu_page page);
const char *gpu_aperture_name(enum gpu_aperture aperture);

/* Bytes of one page; whether the format has pages of that size. */
uint64_t gpu_page_bytes(enum gpu_page page);
bool gpu_format_has_page(const struct gpu_mmu_format *f, enum gpu_page page);
/* Bytes of the address space: valid VAs lie below it. */
uint64_t gpu_format_va_size(const struct gpu_mmu_format *f);

/* Whether pages at [pa, pa + len) with these attributes can be written in an entry: 4K aligned, in
 * the width of the address field, a defined aperture, kind and peer. NULL: yes; else what is wrong,
 * in words (static). */
const char *gpu_format_refuses(const struct gpu_mmu_format *f, uint64_t pa, uint64_t len,
                               const struct gpu_pte_attrs *attrs);
