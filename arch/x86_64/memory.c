/* SPDX-License-Identifier: MIT */
/*
 * RAM: what the hand-off says, what the kernel takes for itself (page tables, heap, stacks), and
 * what is left for mm/. Stacks come from an arena that is unmapped but for the stacks in use, so an
 * overrun and a use after the end are page faults.
 */
#include <string.h>

#include "arch/fiber_arch.h"
#include "arch/log.h"
#include "arch/x86_64/x86_priv.h"

/* The first MiB belongs to firmware, video memory and the start-up of other cores. */
#define LOW_MEMORY_END MIB(1)
/* Firmware's maps have some hundred entries; more is a broken hand-off. */
#define HANDOFF_RANGES_MAX 65536u
#define FREE_RANGES_MAX    512u
#define TAKEN_MAX          4u

#define STACK_ARENA_BYTES MIB(8)
#define STACK_ARENA_PAGES (STACK_ARENA_BYTES / FL_PAGE_SIZE)

#define HEAP_MAX_BYTES MIB(64)
#define HEAP_SHARE     8u /* of what is free, at most */

static struct {
    const struct fl_handoff *handoff;
    struct range free[FREE_RANGES_MAX]; /* sorted, merged, without what was taken */
    size_t free_count;
    struct range taken[TAKEN_MAX];
    size_t taken_count;
    bool boot_ranges; /* FL_MEM_BOOT counts as free */
    uint64_t ranges_lost;
    uint8_t *heap;
    uint64_t heap_bytes;
    uint8_t *arena;
    uint8_t arena_used[STACK_ARENA_PAGES]; /* 1: part of a stack or its guard */
} memory;

static const struct fl_mem_range *range_at(size_t i)
{
    return &((const struct fl_mem_range *)(uintptr_t)memory.handoff->mem)[i];
}

static struct range place_of(const struct fl_mem_range *r)
{
    return (struct range){r->base, r->size};
}

static bool kind_is_ram(uint32_t kind)
{
    return kind == FL_MEM_FREE || kind == FL_MEM_BOOT || kind == FL_MEM_ACPI ||
           kind == FL_MEM_LOADER;
}

const char *x86_memory_start(uint64_t handoff)
{
    const struct fl_handoff *h = (const struct fl_handoff *)(uintptr_t)handoff;
    if (h->magic != FL_HANDOFF_MAGIC) {
        return "the hand-off has no magic number";
    }
    if (h->version != FL_HANDOFF_VERSION || h->size != sizeof(*h)) {
        return "the hand-off has another version than this kernel";
    }
    if (h->mem_count == 0 || h->mem_count > HANDOFF_RANGES_MAX || h->kernel_phys == 0 ||
        !is_aligned_u64(h->kernel_phys, FL_PAGE_SIZE) ||
        h->kernel_size < (uint64_t)(x86_image_end - x86_image_start)) {
        return "the hand-off has no memory map or no place of the kernel";
    }
    memory.handoff = h;
    uint64_t end = 0;
    for (size_t i = 0; i < h->mem_count; i++) {
        const struct fl_mem_range *r = range_at(i);
        if (r->base < end || !is_aligned_u64(r->base | r->size, FL_PAGE_SIZE) || r->size == 0 ||
            r->size > UINT64_MAX - r->base) {
            return "the memory map is not in order";
        }
        end = r->base + r->size;
    }
    return NULL;
}

const struct fl_handoff *machine_handoff(void) { return memory.handoff; }

void x86_memory_each_ram(void (*f)(uint64_t base, uint64_t size))
{
    uint64_t base = 0, end = 0;
    for (size_t i = 0; i < memory.handoff->mem_count; i++) {
        const struct fl_mem_range *r = range_at(i);
        uint64_t from = max_u64(r->base, LOW_MEMORY_END);
        if (!kind_is_ram(r->kind) || from >= r->base + r->size) {
            continue;
        }
        if (from != end) {
            if (end > base) {
                f(base, end - base);
            }
            base = from;
        }
        end = r->base + r->size;
    }
    if (end > base) {
        f(base, end - base);
    }
}

bool x86_memory_is_ram(uint64_t base, uint64_t size)
{
    for (size_t i = 0; i < memory.handoff->mem_count; i++) {
        const struct fl_mem_range *r = range_at(i);
        if (kind_is_ram(r->kind) && range_overlaps(place_of(r), (struct range){base, size})) {
            return true;
        }
    }
    return false;
}

bool x86_memory_is_readable(uint64_t base, uint64_t size)
{
    for (size_t i = 0; i < memory.handoff->mem_count && size != 0; i++) {
        const struct fl_mem_range *r = range_at(i);
        if (r->kind != FL_MEM_MMIO) {
            uint64_t here = min_u64(size, range_left(place_of(r), base));
            base += here;
            size -= here;
        }
    }
    return size == 0;
}

/* --- free RAM --- */

static void add_free(uint64_t base, uint64_t size)
{
    struct range *last = memory.free_count > 0 ? &memory.free[memory.free_count - 1] : NULL;
    if (size == 0) {
        return;
    }
    if (last != NULL && range_end(*last) == base) {
        last->size += size;
    } else if (memory.free_count < FREE_RANGES_MAX) {
        memory.free[memory.free_count++] = (struct range){base, size};
    } else {
        memory.ranges_lost++;
    }
}

/* Adds [base, end) without what was taken. */
static void add_untaken(uint64_t base, uint64_t end)
{
    while (base < end) {
        uint64_t cut = end, next = end;
        for (size_t i = 0; i < memory.taken_count; i++) {
            uint64_t from = memory.taken[i].base, to = range_end(memory.taken[i]);
            if (to > base && from < cut) {
                cut = max_u64(from, base);
                next = to;
            }
        }
        add_free(base, cut - base);
        base = next;
    }
}

static void find_free(void)
{
    memory.free_count = 0;
    memory.ranges_lost = 0;
    for (size_t i = 0; i < memory.handoff->mem_count; i++) {
        const struct fl_mem_range *r = range_at(i);
        if (r->kind == FL_MEM_FREE || (r->kind == FL_MEM_BOOT && memory.boot_ranges)) {
            add_untaken(max_u64(r->base, LOW_MEMORY_END), r->base + r->size);
        }
    }
    if (memory.ranges_lost != 0) {
        log_warn("memory", "the firmware's map has %llu free ranges too many; they stay unused",
                 (unsigned long long)memory.ranges_lost);
    }
}

void *x86_memory_take(uint64_t bytes, uint64_t align)
{
    bytes = align_up_u64(bytes, FL_PAGE_SIZE);
    find_free();
    /* From the top: memory below 4 GiB is what 32-bit devices need. */
    for (size_t i = memory.free_count; i-- > 0;) {
        const struct range *r = &memory.free[i];
        if (r->size < bytes) {
            continue;
        }
        uint64_t at = align_down_u64(range_end(*r) - bytes, align);
        if (at >= r->base && memory.taken_count < TAKEN_MAX) {
            memory.taken[memory.taken_count++] = (struct range){at, bytes};
            return (void *)(uintptr_t)at;
        }
    }
    return NULL;
}

void x86_memory_boot_ranges_free(void) { memory.boot_ranges = true; }

uint64_t x86_memory_total(void)
{
    uint64_t total = 0;
    find_free();
    for (size_t i = 0; i < memory.free_count; i++) {
        total += memory.free[i].size;
    }
    return total;
}

size_t machine_ram(struct range *out, size_t max)
{
    find_free();
    for (size_t i = 0; i < memory.free_count && i < max; i++) {
        out[i] = memory.free[i];
    }
    return memory.free_count;
}

/* --- the heap's region --- */

void x86_heap_start(void)
{
    memory.heap_bytes =
        align_down_u64(min_u64(HEAP_MAX_BYTES, x86_memory_total() / HEAP_SHARE), FL_PAGE_SIZE);
    memory.heap = x86_memory_take(memory.heap_bytes, FL_PAGE_SIZE);
    if (memory.heap == NULL) {
        machine_panic("no %llu KiB of memory in one piece for the heap",
                      (unsigned long long)(memory.heap_bytes / KIB(1)));
    }
}

void x86_heap_region(uint8_t **base, uint64_t *bytes)
{
    *base = memory.heap;
    *bytes = memory.heap_bytes;
}

/* --- stacks --- */

void x86_stacks_start(void)
{
    /* Whole large pages, so that unmapping splits nothing else. */
    memory.arena = x86_memory_take(STACK_ARENA_BYTES, MIB(2));
    if (memory.arena == NULL || !x86_unmap((uintptr_t)memory.arena, STACK_ARENA_BYTES)) {
        machine_panic("no %llu MiB of memory in one piece for stacks",
                      (unsigned long long)(STACK_ARENA_BYTES / MIB(1)));
    }
}

/* First of `pages` pages in a row that nobody uses; STACK_ARENA_PAGES when there are none. */
static size_t arena_find(size_t pages)
{
    size_t run = 0;
    for (size_t i = 0; i < STACK_ARENA_PAGES; i++) {
        run = memory.arena_used[i] != 0 ? 0 : run + 1;
        if (run == pages) {
            return i + 1 - pages;
        }
    }
    return STACK_ARENA_PAGES;
}

void *arch_stack_alloc(uint64_t bytes)
{
    size_t pages = (size_t)div_up_u64(bytes, FL_PAGE_SIZE) + 1; /* the first is the guard */
    if (bytes == 0 || bytes > STACK_ARENA_BYTES) {
        return NULL;
    }
    size_t first = arena_find(pages);
    if (first == STACK_ARENA_PAGES) {
        return NULL;
    }
    uint8_t *base = memory.arena + (first + 1) * FL_PAGE_SIZE;
    uint64_t at = (uintptr_t)base;
    if (!x86_map(at, at, (pages - 1) * FL_PAGE_SIZE, X86_MAP_RAM)) {
        return NULL;
    }
    memset(memory.arena_used + first, 1, pages);
    return base;
}

void arch_stack_free(void *base, uint64_t bytes)
{
    size_t pages = (size_t)div_up_u64(bytes, FL_PAGE_SIZE);
    size_t first = (size_t)((uint8_t *)base - memory.arena) / FL_PAGE_SIZE;
    FL_ASSERT(first > 0 && first + pages <= STACK_ARENA_PAGES && memory.arena_used[first - 1] != 0);
    /* The arena has tables down to 4 KiB by now: nothing to split, so this cannot fail. */
    FL_ASSERT(x86_unmap((uintptr_t)base, pages * FL_PAGE_SIZE));
    memset(memory.arena_used + first - 1, 0, pages + 1);
}

const char *x86_stack_overrun(uint64_t addr)
{
    const struct {
        const uint8_t *guard;
        const char *name;
    } fixed[] = {
        {x86_stacks.main_guard, "the main stack"},
        {x86_stacks.irq_guard, "the interrupt stack"},
        {x86_stacks.fault_guard, "the stack of exceptions"},
        {x86_stacks.double_fault_guard, "the stack of double faults"},
        {x86_stacks.nmi_guard, "the stack of NMIs"},
        {x86_stacks.machine_check_guard, "the stack of machine checks"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        if (addr - (uintptr_t)fixed[i].guard < FL_PAGE_SIZE) {
            return fixed[i].name;
        }
    }
    /* Everything in the arena that is not mapped is a guard, or a stack that has ended. */
    return memory.arena != NULL && addr - (uintptr_t)memory.arena < STACK_ARENA_BYTES
               ? "a fiber, or use of one that has ended"
               : NULL;
}
