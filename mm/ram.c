/* SPDX-License-Identifier: MIT */
/*
 * RAM as page frames. Firmware gives RAM as dozens of ranges with small holes (ACPI tables, runtime
 * services) and one big hole below 4 GiB. Ranges with small holes between them share one buddy
 * allocator, whose tables cover the holes too; a big hole begins a new one.
 */
#include "mm/ram.h"

#include <string.h>

#include "arch/asan.h"
#include "arch/fail_point.h"
#include "arch/log.h"
#include "mm/buddy.h"
#include "mm/ram_priv.h"

#define RANGES_MAX    256u
#define STRETCHES_MAX 16u
/* A hole costs 1.7 bytes of tables per page of it: 64 MiB of hole cost 27 KiB. */
#define HOLE_MAX_BYTES MIB(64)
#define ADDR_BITS_MIN  FL_PAGE_SHIFT
#define ADDR_BITS_MAX  64u

static struct {
    struct buddy stretches[STRETCHES_MAX]; /* by address, ascending */
    uint32_t count;
    bool ready;
    uint64_t meta_bytes, dropped_bytes, failures;
    struct range ranges[RANGES_MAX]; /* only used by ram_init; too large for a stack */
} ram;

bool ram_ready(void) { return ram.ready; }

size_t ram_clean_ranges(struct range *r, size_t count)
{
    size_t kept = 0;

    for (size_t i = 1; i < count; i++) { /* insertion sort: nearly sorted already */
        struct range moving = r[i];
        size_t at = i;
        for (; at > 0 && r[at - 1].base > moving.base; at--) {
            r[at] = r[at - 1];
        }
        r[at] = moving;
    }
    uint64_t floor = FL_PAGE_SIZE;
    for (size_t i = 0; i < count; i++) {
        if (!range_ok(r[i].base, r[i].size, UINT64_MAX - FL_PAGE_SIZE)) {
            continue;
        }
        uint64_t base = max_u64(align_up_u64(r[i].base, FL_PAGE_SIZE), floor);
        uint64_t end = align_down_u64(range_end(r[i]), FL_PAGE_SIZE);
        if (end <= base) {
            continue;
        }
        floor = end;
        r[kept++] = (struct range){.base = base, .size = end - base};
    }
    return kept;
}

/* Builds the allocator over ranges [0, count), with its tables cut from the end of the largest. */
static void add_stretch(struct range *r, size_t count)
{
    struct buddy *b = &ram.stretches[ram.count];
    uint64_t base = r[0].base;
    uint64_t size = range_end(r[count - 1]) - base;
    uint64_t meta = align_up_u64(buddy_meta_bytes(base, size, FL_PAGE_SHIFT), FL_PAGE_SIZE);
    size_t largest = 0;

    for (size_t i = 1; i < count; i++) {
        largest = r[i].size > r[largest].size ? i : largest;
    }
    if (ram.count == STRETCHES_MAX || meta == 0 || meta >= r[largest].size) {
        for (size_t i = 0; i < count; i++) {
            ram.dropped_bytes += r[i].size;
        }
        return;
    }
    r[largest].size -= meta;
    void *tables = (void *)(uintptr_t)range_end(r[largest]);
    FL_ASSERT(buddy_init(b, "ram", base, size, FL_PAGE_SHIFT, tables, meta) == FL_OK);
    for (size_t i = 0; i < count; i++) {
        if (r[i].size != 0) {
            FL_ASSERT(buddy_add(b, r[i].base, r[i].size) == FL_OK);
        }
    }
    b->part_of_many = true;
    ram.meta_bytes += meta;
    ram.count++;
}

static uint64_t total_bytes(void)
{
    uint64_t pages = 0;

    for (uint32_t i = 0; i < ram.count; i++) {
        pages += ram.stretches[i].stats.total_pages;
    }
    return pages << FL_PAGE_SHIFT;
}

enum fl_err ram_init(struct fl_fail *f)
{
    size_t count;
    size_t begin = 0;

    memset(&ram, 0, sizeof(ram));
    count = machine_ram(ram.ranges, RANGES_MAX);
    if (count > RANGES_MAX) {
        log_warn("ram", "memory map has %zu pieces, using the first %u", count, RANGES_MAX);
    }
    count = ram_clean_ranges(ram.ranges, count < RANGES_MAX ? count : RANGES_MAX);
    for (size_t i = 0; i < count; i++) {
        asan_allow((void *)(uintptr_t)ram.ranges[i].base, ram.ranges[i].size);
    }
    for (size_t i = 1; i <= count; i++) {
        if (i == count || ram.ranges[i].base - range_end(ram.ranges[i - 1]) > HOLE_MAX_BYTES) {
            add_stretch(&ram.ranges[begin], i - begin);
            begin = i;
        }
    }
    if (total_bytes() < MM_RAM_MIN_BYTES) {
        return FL_FAIL_MORE(
            f, FL_ENOMEM, "ram",
            (FL_SAW(total_bytes(), MM_RAM_MIN_BYTES, 0), .hint = "more memory (QEMU: -m 512M)"),
            "the machine has %llu KiB of free RAM, needed are %llu KiB",
            (unsigned long long)(total_bytes() >> 10),
            (unsigned long long)(MM_RAM_MIN_BYTES >> 10));
    }
    if (ram.dropped_bytes != 0) {
        log_warn("ram", "%llu KiB in small pieces are not used",
                 (unsigned long long)(ram.dropped_bytes >> 10));
    }
    ram.ready = true;
    return FL_OK;
}

enum fl_err mm_ram_pages_alloc(uint64_t pages, uint64_t align, unsigned addr_bits,
                               struct phys_addr *out)
{
    /* From the low end of a block: what firmware left lies at the high end of RAM, and an emulator
     * that has translated code of a page gives that up at the first write to it, page by page. */
    struct buddy_request want = {.pages = pages, .align = align, .lowest = true};
    enum fl_err err = FL_ENOMEM; /* of no stretch at all */

    if (addr_bits < ADDR_BITS_MIN || addr_bits > ADDR_BITS_MAX) {
        return FL_EINVAL;
    }
    if (addr_bits < ADDR_BITS_MAX) {
        want.max = UINT64_C(1) << addr_bits;
    }
    uint32_t left = fail_point_alloc() ? 0 : ram.count;
    for (; left > 0 && err == FL_ENOMEM; left--) {
        err = buddy_alloc(&ram.stretches[left - 1], &want, &out->raw);
    }
    ram.failures += err == FL_ENOMEM;
    if (err == FL_OK) {
        asan_allow((void *)(uintptr_t)out->raw, pages << FL_PAGE_SHIFT);
    }
    return err;
}

void mm_ram_pages_free(struct phys_addr base, uint64_t pages)
{
    for (uint32_t i = 0; i < ram.count; i++) {
        if (buddy_contains(&ram.stretches[i], base.raw)) {
            if (buddy_free(&ram.stretches[i], base.raw, pages) == FL_OK) {
                asan_forbid((void *)(uintptr_t)base.raw, pages << FL_PAGE_SHIFT);
                return;
            }
            break;
        }
    }
    machine_panic("freeing %llu pages of RAM at 0x%llx, which were not allocated like that",
                  (unsigned long long)pages, (unsigned long long)base.raw);
}

void ram_get_stats(struct ram_stats *out)
{
    *out = (struct ram_stats){.total_bytes = total_bytes(),
                              .meta_bytes = ram.meta_bytes,
                              .failures = ram.failures,
                              .stretches = ram.count,
                              .dropped_bytes = ram.dropped_bytes};
    for (uint32_t i = 0; i < ram.count; i++) {
        const struct buddy *b = &ram.stretches[i];
        uint64_t free_bytes = b->stats.free_pages << FL_PAGE_SHIFT;
        out->free_bytes += free_bytes;
        out->peak_bytes += b->stats.peak_pages << FL_PAGE_SHIFT;
        out->largest_free_bytes =
            max_u64(out->largest_free_bytes, buddy_largest_free(b) << FL_PAGE_SHIFT);
        out->low_free_bytes += b->base + (b->first << FL_PAGE_SHIFT) < GIB(4) ? free_bytes : 0;
    }
}
