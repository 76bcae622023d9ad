/* SPDX-License-Identifier: MIT */
/*
 * What the boot stub works out before it acts: where the kernel's segments go, where a GSP image
 * must lie in memory, what the firmware's memory map means, how the first page tables look. Pure
 * functions over bytes, so the same file is tested and fuzzed on the host. Nothing here trusts its
 * input: the kernel ELF and the firmware files come from a stick that anyone may have written.
 *
 * Sources: ELF-64 object file format 1.5; UEFI 2.10 section 7.2 (memory map); Intel SDM vol. 3
 * section 4.5 (4-level paging).
 */
#pragma once

#include "arch/base.h"
#include "arch/elf.h"
#include "arch/handoff.h"

/* --- the kernel --- */

#define PLAN_MAX_SEGMENTS 8u
/* The kernel is linked into the top 2 GiB (-mcmodel=kernel) and may take this much of it. */
#define PLAN_KERNEL_LOWEST    0xffffffff80000000ull
#define PLAN_KERNEL_MAX_BYTES MIB(256)

struct plan_segment {
    uint64_t at; /* offset in the kernel's block, page aligned */
    uint64_t file_offset;
    uint64_t file_bytes; /* copied from the file; the rest of mem_bytes is zero */
    uint64_t mem_bytes;
    bool write, exec; /* never both */
};
struct plan_kernel {
    uint64_t base;  /* virtual address of the block, page aligned */
    uint64_t size;  /* of the block, whole pages */
    uint64_t entry; /* virtual address, inside an executable segment's file bytes */
    uint32_t count;
    struct plan_segment segment[PLAN_MAX_SEGMENTS]; /* ascending, no two share a page */
};
/* Checks a static x86-64 ELF and says where its segments go. Returns NULL, or what is wrong. */
const char *plan_kernel(const void *elf, uint64_t size, struct plan_kernel *out);
/* Fills the block (out->size bytes at dst, page aligned) from the checked file. */
void plan_kernel_load(const struct plan_kernel *plan, const void *elf, void *dst);

/* --- a GSP image --- */

/* Bounds on what is read before the image itself: real files have 14 sections and 400 bytes of
 * names. */
#define PLAN_MAX_TABLE_BYTES (256u * ELF64_SHDR_BYTES)
#define PLAN_MAX_NAMES_BYTES 65536u

struct plan_gsp {
    uint64_t table_offset; /* section header table */
    uint32_t table_bytes;  /* <= PLAN_MAX_TABLE_BYTES */
    uint32_t names_index;  /* section that holds the names */
    uint64_t wanted_bytes; /* the table is at the end of the file: so long the file should be */
};
/* Reads the first ELF64_EHDR_BYTES. False: not an ELF64 file with a section table that can be
 * used. The table may lie beyond the end of the file (wanted_bytes tells). */
FL_MUST_CHECK bool plan_gsp_header(const uint8_t *header, struct plan_gsp *out);
/* Where the section names are, from the table (plan->table_bytes). False: not within file_bytes, or
 * longer than PLAN_MAX_NAMES_BYTES. */
FL_MUST_CHECK bool plan_gsp_names(const struct plan_gsp *plan, const uint8_t *table,
                                  uint64_t file_bytes, uint64_t *offset, uint32_t *bytes);
/* File offset of .fwimage. False: there is none. */
FL_MUST_CHECK bool plan_gsp_image(const struct plan_gsp *plan, const uint8_t *table,
                                  const char *names, uint32_t names_bytes, uint64_t *offset);
/* Bytes to leave free in front of a file so that file_offset falls on a page boundary. */
static inline uint64_t plan_lead_bytes(uint64_t file_offset)
{
    return (FL_PAGE_SIZE - file_offset % FL_PAGE_SIZE) % FL_PAGE_SIZE;
}

/* --- file names --- */

/* True for "<name>-<version>.bin" with a version that starts with a digit ("gsp-570.144.bin"), for
 * the names that NVIDIA's own package has (GSP_FW_OWN_NAMES), and for these with ".zst" or ".xz"
 * after them. Letter case of the ends, and of NVIDIA's names, does not matter. */
bool plan_is_firmware_name(const char *name);

/* --- memory map --- */

/* One EFI_MEMORY_DESCRIPTOR, only what is used of it. */
#define PLAN_EFI_DESCRIPTOR_BYTES 40u
/* How many ranges n descriptors can become at most. */
static inline uint64_t plan_memory_ranges(uint64_t n) { return 2 * n + 1; }
/* Turns `count` descriptors, `stride` bytes apart, into ranges: sorted, not overlapping, neighbours
 * of one kind merged, empty and impossible ones left out. Where descriptors overlap the more
 * careful kind wins. Returns the number of ranges; more than max are left out from the top. */
size_t plan_memory(const void *descriptors, size_t count, size_t stride, struct fl_mem_range *out,
                   size_t max);
/* End of the highest range that is RAM. */
uint64_t plan_end_of_ram(const void *descriptors, size_t count, size_t stride);

/* --- first page tables --- */

struct plan_paging {
    uint64_t
        identity_end; /* [0, this) is mapped 1:1, writable, not executable; see plan_identity_end */
    bool gib_pages;   /* the CPU has 1 GiB pages */
    bool no_execute;  /* the CPU has NX */
    uint64_t trampoline; /* this 4 KiB page is read-only and executable instead */
    const struct plan_kernel *kernel;
    uint64_t kernel_phys;
};
/* How far the identity map reaches: all RAM and what firmware usually places above it (64-bit BARs
 * at 768 GiB, toolchain.md section 6) when 1 GiB pages make that cheap; never beyond what the CPU
 * can address (phys_bits). */
uint64_t plan_identity_end(uint64_t end_of_ram, bool gib_pages, unsigned phys_bits);
/* Pages that plan_tables() needs at most. */
size_t plan_table_pages(const struct plan_paging *p);
/* Builds 4-level tables in pool (pages, zeroed or not, that lie at physical address pool_phys).
 * Returns the physical address of the top table, 0 when the pool is too small. */
uint64_t plan_tables(const struct plan_paging *p, uint64_t *pool, uint64_t pool_phys, size_t pages);

/* --- time --- */

/* Seconds since 1970-01-01 UTC; 0 when a field is out of range. minutes_west: EFI_TIME.TimeZone,
 * 2047 = not known, taken as UTC. */
uint64_t plan_unix_time(unsigned year, unsigned month, unsigned day, unsigned hour, unsigned minute,
                        unsigned second, int minutes_west);
