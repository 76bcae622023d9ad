/* SPDX-License-Identifier: MIT */
/*
 * The kernel's page tables: RAM at its physical address (written back, never executed), the kernel
 * by its segments (text read and execute, rodata read, data read and write), device memory where
 * mmio_map() is asked for it. All else is a page fault: page 0, the guard pages below stacks, the
 * kernel's physical pages, holes.
 *
 * Source: Intel SDM volume 3, sections 4.5 (4-level paging), 4.9 and 11.12 (PAT), 4.10.4
 * (invalidation).
 */
#include <string.h>

#include "arch/mmio.h"
#include "arch/x86_64/x86_priv.h"

#define PTE_PRESENT    (1ull << 0)
#define PTE_WRITE      (1ull << 1)
#define PTE_PWT        (1ull << 3)
#define PTE_PCD        (1ull << 4)
#define PTE_LARGE      (1ull << 7)
#define PTE_NO_EXECUTE (1ull << 63)
#define PTE_ADDRESS    0x000ffffffffff000ull
/* The attribute table, by PCD and PWT: written back, write combining, uncached unless the MTRRs say
 * write combining, uncached. Entries 4-7 (a page-table bit that is never set) the same. */
#define PAT_VALUE      0x0007010600070106ull
#define PTE_CACHE_MASK (PTE_PCD | PTE_PWT)
#define PTE_CACHE_WC   PTE_PWT
#define PTE_CACHE_UC   (PTE_PCD | PTE_PWT)

enum { TABLE_ENTRIES = 512, INDEX_BITS = 9, LEVEL_TOP = 4, LEVEL_1G = 3, LEVEL_4K = 1 };

/* For device memory that is mapped while the kernel runs: 32 GPUs with a dozen ranges each. */
enum { POOL_RESERVE_PAGES = 512 };
/* A stretch of RAM has two ragged ends, each of which needs a table for 2 MiB and one for 1 GiB. */
enum { POOL_PAGES_PER_RANGE = 4 };
/* The identity map stays in the lower half of the address space. */
enum { IDENTITY_BITS = 47, PHYS_BITS_DEFAULT = 36 };

#define CPUID_EXT           0x80000000u
#define CPUID_EXT1_EDX_NX   (1u << 20)
#define CPUID_EXT1_EDX_1GIB (1u << 26)
#define CPUID7_EBX_SMEP     (1u << 7)
#define CPUID7_ECX_UMIP     (1u << 2)

static struct {
    uint64_t root;                /* physical address of the top table */
    uint64_t pool, pool_end;      /* unused tables */
    uint64_t no_execute;          /* PTE_NO_EXECUTE where the CPU has it */
    bool gib_pages, live, failed; /* failed: a table was missing while building */
} paging;

static uint64_t level_bytes(unsigned level)
{
    return (uint64_t)FL_PAGE_SIZE << (INDEX_BITS * (level - 1));
}

/* Tables are reached at their physical addresses, in the stub's map and in ours. */
static uint64_t *table_at(uint64_t pte) { return (uint64_t *)(uintptr_t)(pte & PTE_ADDRESS); }

static uint64_t *entry_in(uint64_t *table, uint64_t va, unsigned level)
{
    return &table[va / level_bytes(level) % TABLE_ENTRIES];
}

static bool is_leaf(uint64_t pte, unsigned level)
{
    return level == LEVEL_4K || (pte & PTE_LARGE) != 0;
}

static uint64_t new_table(void)
{
    if (paging.pool == paging.pool_end) {
        return 0;
    }
    uint64_t at = paging.pool;
    paging.pool += FL_PAGE_SIZE;
    memset((void *)(uintptr_t)at, 0, FL_PAGE_SIZE);
    return at;
}

/* Makes the entry lead to a table: a new one, or the pieces of the large page that it was. */
static bool make_table(uint64_t *entry, unsigned level)
{
    uint64_t old = *entry;
    uint64_t table = new_table();
    if (table == 0) {
        return false;
    }
    if ((old & PTE_PRESENT) != 0) {
        uint64_t piece = old & ~PTE_LARGE;
        for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
            table_at(table)[i] =
                (piece | (level - 1 > LEVEL_4K ? PTE_LARGE : 0)) + i * level_bytes(level - 1);
        }
    }
    /* Permissions are decided at the leaves. */
    *entry = table | PTE_PRESENT | PTE_WRITE;
    return true;
}

static uint64_t flags_for(enum x86_map how)
{
    switch (how) {
    case X86_MAP_RAM:
        return PTE_PRESENT | PTE_WRITE | paging.no_execute;
    case X86_MAP_RAM_READ:
        return PTE_PRESENT | paging.no_execute;
    case X86_MAP_TEXT:
        return PTE_PRESENT;
    case X86_MAP_UNCACHED:
        return PTE_PRESENT | PTE_WRITE | PTE_CACHE_UC | paging.no_execute;
    case X86_MAP_WC:
        break;
    }
    return PTE_PRESENT | PTE_WRITE | PTE_CACHE_WC | paging.no_execute;
}

/* The largest page that starts at va and pa and fits. */
static unsigned best_level(uint64_t va, uint64_t pa, uint64_t size)
{
    unsigned level = paging.gib_pages ? LEVEL_1G : LEVEL_1G - 1;
    while (level > LEVEL_4K &&
           (!is_aligned_u64(va | pa, level_bytes(level)) || size < level_bytes(level))) {
        level--;
    }
    return level;
}

/* True when the leaf already does what is wanted, or more carefully. */
static bool leaf_serves(uint64_t pte, unsigned level, uint64_t va, uint64_t pa, uint64_t flags)
{
    uint64_t offset = va & (level_bytes(level) - 1);
    uint64_t has = pte & ~(PTE_ADDRESS | PTE_LARGE | 0x60u /* accessed, dirty */);
    if ((pte & PTE_PRESENT) == 0 ||
        (pte & PTE_ADDRESS & ~(level_bytes(level) - 1)) != pa - offset) {
        return false;
    }
    return has == flags ||
           ((flags & PTE_CACHE_MASK) == PTE_CACHE_WC && (has & PTE_CACHE_MASK) == PTE_CACHE_UC);
}

/* Maps as much from va on as one entry can; returns how much, 0 when no table is left. */
static uint64_t map_step(uint64_t va, uint64_t pa, uint64_t size, uint64_t flags)
{
    unsigned want = best_level(va, pa, size);
    uint64_t *table = table_at(paging.root);
    unsigned level = LEVEL_TOP;
    for (;; level--) {
        uint64_t *entry = entry_in(table, va, level);
        bool present = (*entry & PTE_PRESENT) != 0;
        if (present && is_leaf(*entry, level) && leaf_serves(*entry, level, va, pa, flags)) {
            return min_u64(size, level_bytes(level) - (va & (level_bytes(level) - 1)));
        }
        if (level <= want && (!present || is_leaf(*entry, level))) {
            *entry = pa | flags | (level > LEVEL_4K ? PTE_LARGE : 0);
            if (present) {
                cpu_invlpg(va);
            }
            return level_bytes(level);
        }
        if ((!present || is_leaf(*entry, level)) && !make_table(entry, level)) {
            return 0;
        }
        table = table_at(*entry);
    }
}

bool x86_map(uint64_t va, uint64_t pa, uint64_t size, enum x86_map how)
{
    uint64_t flags = flags_for(how);
    while (size != 0) {
        uint64_t done = map_step(va, pa, size, flags);
        if (done == 0) {
            return false;
        }
        va += done;
        pa += done;
        size -= done;
    }
    return true;
}

/* Unmaps what one entry covers from va on; returns how much, 0 when no table is left. */
static uint64_t unmap_step(uint64_t va, uint64_t size)
{
    uint64_t *table = table_at(paging.root);
    for (unsigned level = LEVEL_TOP;; level--) {
        uint64_t *entry = entry_in(table, va, level);
        uint64_t inside = va & (level_bytes(level) - 1);
        if ((*entry & PTE_PRESENT) == 0) {
            return min_u64(size, level_bytes(level) - inside);
        }
        if (is_leaf(*entry, level)) {
            if (inside == 0 && size >= level_bytes(level)) {
                *entry = 0;
                if (paging.live) {
                    cpu_invlpg(va);
                }
                return level_bytes(level);
            }
            if (!make_table(entry, level)) {
                return 0;
            }
        }
        table = table_at(*entry);
    }
}

bool x86_unmap(uint64_t va, uint64_t size)
{
    while (size != 0) {
        uint64_t done = unmap_step(va, size);
        if (done == 0) {
            return false;
        }
        va += done;
        size -= done;
    }
    return true;
}

/* The leaf entry for va, 0 when nothing is mapped. *level: its level. */
static uint64_t find_leaf(uint64_t va, unsigned *level)
{
    uint64_t *table = table_at(paging.root);
    if (paging.root == 0) {
        return 0;
    }
    for (*level = LEVEL_TOP;; --*level) {
        uint64_t pte = *entry_in(table, va, *level);
        if ((pte & PTE_PRESENT) == 0) {
            return 0;
        }
        if (is_leaf(pte, *level)) {
            return pte;
        }
        table = table_at(pte);
    }
}

bool x86_is_mapped(uint64_t va, uint64_t size)
{
    /* Canonical addresses: bits 63:47 are equal. */
    uint64_t high = va >> (IDENTITY_BITS);
    if ((high != 0 && high != UINT64_MAX >> IDENTITY_BITS) || size == 0 || va + size - 1 < va) {
        return false;
    }
    for (uint64_t at = align_down_u64(va, FL_PAGE_SIZE);;) {
        unsigned level;
        if (find_leaf(at, &level) == 0) {
            return false;
        }
        if (va + size - 1 - at < FL_PAGE_SIZE) {
            return true;
        }
        at += FL_PAGE_SIZE;
    }
}

unsigned x86_phys_bits(void)
{
    unsigned bits = PHYS_BITS_DEFAULT;
    if (cpu_id_max(CPUID_EXT) >= CPUID_EXT + 8) {
        bits = cpu_id(CPUID_EXT + 8, 0).eax & 0xff;
    }
    return bits < IDENTITY_BITS ? bits : IDENTITY_BITS;
}

static bool has_gib_pages(void)
{
    return (cpu_id(CPUID_EXT + 1, 0).edx & CPUID_EXT1_EDX_1GIB) != 0;
}

static struct {
    uint64_t ranges, end;
} ram_count;

static void count_ram(uint64_t base, uint64_t size)
{
    ram_count.ranges++;
    ram_count.end = base + size;
}

uint64_t x86_paging_pool_bytes(void)
{
    ram_count.ranges = 0;
    x86_memory_each_ram(count_ram);
    uint64_t pages = POOL_RESERVE_PAGES + POOL_PAGES_PER_RANGE * ram_count.ranges +
                     div_up_u64(ram_count.end, level_bytes(LEVEL_TOP)) +
                     (has_gib_pages() ? 0 : div_up_u64(ram_count.end, level_bytes(LEVEL_1G)));
    return pages * FL_PAGE_SIZE;
}

static void map_ram(uint64_t base, uint64_t size)
{
    if (!x86_map(base, base, size, X86_MAP_RAM)) {
        paging.failed = true;
    }
}

static void map_kernel(void)
{
    const struct fl_handoff *h = machine_handoff();
    const uint8_t *start = x86_image_start;
    const struct {
        const uint8_t *from, *to;
        enum x86_map how;
    } segment[] = {
        {x86_text_start, x86_text_end, X86_MAP_TEXT},
        {x86_rodata_start, x86_rodata_end, X86_MAP_RAM_READ},
        {x86_data_start, x86_image_end, X86_MAP_RAM},
    };
    for (size_t i = 0; i < ARRAY_SIZE(segment); i++) {
        uint64_t bytes = align_up_u64((uint64_t)(segment[i].to - segment[i].from), FL_PAGE_SIZE);
        uint64_t at = (uint64_t)(segment[i].from - start);
        if (!x86_map((uintptr_t)segment[i].from, h->kernel_phys + at, bytes, segment[i].how)) {
            paging.failed = true;
        }
    }
    /* No second, writable view of the text, and nothing below the stacks. */
    uint8_t *const guards[] = {x86_stacks.main_guard,  x86_stacks.irq_guard,
                               x86_stacks.fault_guard, x86_stacks.double_fault_guard,
                               x86_stacks.nmi_guard,   x86_stacks.machine_check_guard};
    for (size_t i = 0; i < ARRAY_SIZE(guards); i++) {
        paging.failed |= !x86_unmap((uintptr_t)guards[i], FL_PAGE_SIZE);
    }
    paging.failed |= !x86_unmap(h->kernel_phys, align_up_u64(h->kernel_size, FL_PAGE_SIZE));
}

static void cpu_protect(void)
{
    uint64_t cr4 = cpu_cr4_read() | CR4_MCE;
    if (paging.no_execute != 0) {
        cpu_msr_write(MSR_EFER, cpu_msr_read(MSR_EFER) | EFER_NXE);
    }
    cpu_cr0_write(cpu_cr0_read() | CR0_WP);
    if (cpu_id_max(0) >= 7) {
        struct cpuid f = cpu_id(7, 0);
        cr4 |= (f.ebx & CPUID7_EBX_SMEP) != 0 ? CR4_SMEP : 0;
        cr4 |= (f.ecx & CPUID7_ECX_UMIP) != 0 ? CR4_UMIP : 0;
    }
    cpu_cr4_write(cr4);
}

void x86_paging_start(uint64_t pool, uint64_t pool_bytes)
{
    paging.pool = pool;
    paging.pool_end = pool + pool_bytes;
    paging.gib_pages = has_gib_pages();
    if ((cpu_id(CPUID_EXT + 1, 0).edx & CPUID_EXT1_EDX_NX) != 0) {
        paging.no_execute = PTE_NO_EXECUTE;
    }
    paging.root = new_table();
    x86_memory_each_ram(map_ram);
    map_kernel();
    if (paging.failed) {
        machine_panic("%llu KiB of page tables are not enough for this machine",
                      (unsigned long long)(pool_bytes / KIB(1)));
    }
    cpu_protect();
    /* The old tables use only entry 0 of the attribute table for what is in the caches, and its
     * meaning stays. */
    cpu_msr_write(MSR_PAT, PAT_VALUE);
    cpu_cr3_write(paging.root);
    paging.live = true;
}

enum fl_err mmio_map(struct phys_addr base, uint64_t size, enum mmio_cache cache, struct mmio *out)
{
    uint64_t limit = 1ull << x86_phys_bits();
    if (size == 0 || !range_ok(base.raw, size, limit) || base.raw < FL_PAGE_SIZE) {
        return FL_EINVAL;
    }
    uint64_t from = align_down_u64(base.raw, FL_PAGE_SIZE);
    uint64_t to = align_up_u64(base.raw + size, FL_PAGE_SIZE);
    if (x86_memory_is_ram(from, to - from)) {
        return FL_EINVAL;
    }
    if (!x86_map(from, from, to - from,
                 cache == MMIO_WRITE_COMBINING ? X86_MAP_WC : X86_MAP_UNCACHED)) {
        return FL_ENOMEM;
    }
    out->base = (volatile uint8_t *)(uintptr_t)base.raw;
    out->size = size;
    return FL_OK;
}
