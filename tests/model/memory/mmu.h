/* SPDX-License-Identifier: MIT */
/*
 * The GPU's own address translation: formats 2 (Turing to Ada) and 3 (Hopper on), as a walk through
 * the tables in video or bus memory, and what is remembered of it (tlb.c). Source: mmu.md 1-6, 10.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gpu_model;

/* The root directory of an address space. */
struct page_dir {
    uint64_t root;
    bool sysmem;
    bool valid;
};

enum mmu_result { /* fault types, channels.md 14.1 */
                  MMU_FAULT_PDE = 0,
                  MMU_FAULT_PTE = 2,
                  MMU_FAULT_VA_LIMIT = 3,
                  MMU_FAULT_READ_ONLY = 6,
                  MMU_FAULT_APERTURE = 0xa,
                  MMU_FAULT_KIND = 0xc,
                  MMU_FAULT_REGION = 0xd, /* write-protected, or no memory there */
                  MMU_MAPPED = 0x100,
};

struct mmu_page {
    uint64_t addr; /* of the byte asked for */
    uint64_t left; /* bytes from there to the end of the page */
    bool sysmem, read_only;
    bool sparse; /* reads 0, writes vanish */
};

/* Where va is by the tables. */
enum mmu_result model_mmu_walk(struct gpu_model *m, const struct page_dir *dir, uint64_t va,
                               struct mmu_page *out);
/* Copies between buf and [va, va + len). On a fault: its type, and *at is the address. */
enum mmu_result model_mmu_read(struct gpu_model *m, const struct page_dir *dir, uint64_t va,
                               void *buf, size_t len, uint64_t *at);
enum mmu_result model_mmu_write(struct gpu_model *m, const struct page_dir *dir, uint64_t va,
                                const void *buf, size_t len, uint64_t *at);
/* The same for a physical address. */
enum mmu_result model_phys_read(struct gpu_model *m, bool sysmem, uint64_t addr, void *buf,
                                size_t len);
enum mmu_result model_phys_write(struct gpu_model *m, bool sysmem, uint64_t addr, const void *buf,
                                 size_t len);
/* The root that an instance block in video memory names. */
struct page_dir model_mmu_instance(struct gpu_model *m, uint64_t inst);
/* Lays a root into an instance block, as the GSP does. */
void model_mmu_put_instance(struct gpu_model *m, uint64_t inst, const struct page_dir *dir);

/* ---- TLB (tlb.c) ---- */

enum { TLB_ENTRIES = 4096 };
struct tlb_entry {
    uint64_t page, root; /* page: address >> 12 */
    struct mmu_page to;  /* of the page's first byte */
    bool root_sysmem, used;
};
#define TLB_ALL_ROOTS UINT64_MAX
/* Where va is for a client of the MMU: as it was when last used, until invalidated. A difference
 * breaks a rule. */
enum mmu_result model_tlb_translate(struct gpu_model *m, const struct page_dir *dir, uint64_t va,
                                    struct mmu_page *out);
void model_tlb_invalidate(struct gpu_model *m, uint64_t root);
/* What the three registers say. */
void model_tlb_command(struct gpu_model *m, uint32_t pdb, uint32_t upper, uint32_t command);

/* ---- BAR1 and BAR2 (bar.c); BAR2 is PCI BAR 3 ---- */

enum { MODEL_BAR1 = 0, MODEL_BAR2 = 1, MODEL_MAPPED_BARS = 2 };
struct bar_bind {
    uint64_t inst;   /* of the instance block, in video memory */
    bool is_virtual; /* else the BAR shows video memory itself */
};
/* The GSP binds both BARs to directories of its own, empty; and lets go of them. */
void model_bar_gsp_bind(struct gpu_model *m);
void model_bar_gsp_unbind(struct gpu_model *m);
/* Entry 0 of the root directory of BAR1 (0) or BAR2 (1). False: no such BAR, or not bound. */
bool model_bar_set_pde(struct gpu_model *m, uint32_t which, uint64_t value, uint64_t shift);
uint64_t model_bar_read_mapped(struct gpu_model *m, unsigned which, uint64_t off, unsigned size);
void model_bar_write_mapped(struct gpu_model *m, unsigned which, uint64_t off, unsigned size,
                            uint64_t value);
/* The registers that bind. */
bool model_bar_reg_read(struct gpu_model *m, uint32_t off, uint32_t *value);
bool model_bar_reg_write(struct gpu_model *m, uint32_t off, uint32_t value);
