/* SPDX-License-Identifier: MIT */
/*
 * The GPU's own address translation: formats 2 (Turing to Ada) and 3 (Hopper on), as a walk through
 * the tables in video or bus memory. Source: mmu.md 1-6, 10.
 */
#pragma once

#include "tests/model/gpu.h"
#include "tests/model/memory/mmu_entry.h"

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

enum { MMU_DIRS = 5 };
struct mmu_page {
    uint64_t addr; /* of the byte asked for */
    uint64_t left; /* bytes from there to the end of the page */
    bool sysmem, read_only;
    bool sparse; /* reads 0, writes vanish */
    struct mmu_entry entry;
    uint64_t dirs[MMU_DIRS]; /* the directory entries on the way, PD0 first; a dual one folded */
};
/* What an access by virtual address found. */
struct mmu_fault {
    enum mmu_result type;
    uint64_t va;
    struct mmu_entry entry;
};
enum { MMU_WORDS = 160 };

/* Where va is by the tables. Of a fault, out->entry says where and why. */
enum mmu_result model_mmu_walk(struct gpu_model *m, const struct page_dir *dir, uint64_t va,
                               struct mmu_page *out);
/* A fault in words: "fault type 2 (PTE) at PT 4K: entry 0x0 is not valid". */
void model_mmu_fault_words(char words[MMU_WORDS], enum mmu_result type, const struct mmu_entry *at);
/* The root that an instance block names. */
struct page_dir model_mmu_instance(struct gpu_model *m, uint64_t inst, bool sysmem);
/* Lays a root into an instance block, as the GSP does. */
void model_mmu_put_instance(struct gpu_model *m, uint64_t inst, const struct page_dir *dir);
