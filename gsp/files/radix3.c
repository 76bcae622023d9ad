/* SPDX-License-Identifier: MIT */
/*
 * Planning and filling of the radix3 table; what it is: radix3.h.
 */
#include "gsp/files/radix3.h"

#include <string.h>

#include "arch/range.h"

enum { LEVEL0_PAGE = 0, LEVEL1_PAGE = 1, LEVEL2_PAGE = 2 };

enum fl_err radix3_plan(uint64_t image_bytes, struct radix3_plan *out, struct fl_fail *fail)
{
    *out = (struct radix3_plan){.image_bytes = image_bytes};
    if (image_bytes == 0 || image_bytes > RADIX3_MAX_BYTES) {
        return FL_FAIL(fail, FL_EINVAL, "radix3",
                       "an image of %llu bytes; the table holds 1 .. %llu",
                       (unsigned long long)image_bytes, (unsigned long long)RADIX3_MAX_BYTES);
    }
    out->image_pages = (uint32_t)div_up_u64(image_bytes, FL_PAGE_SIZE);
    out->level2_pages = (uint32_t)div_up_u64(out->image_pages, RADIX3_ENTRIES);
    out->tail_bytes = (uint32_t)(image_bytes % FL_PAGE_SIZE);
    out->pages = LEVEL2_PAGE + out->level2_pages + (out->tail_bytes != 0 ? 1u : 0u);
    out->bytes = (uint64_t)out->pages << FL_PAGE_SHIFT;
    return FL_OK;
}

static bool bus_range_ok(struct bus_addr a, uint64_t bytes, unsigned addr_bits)
{
    uint64_t limit = addr_bits >= 64 ? UINT64_MAX : (uint64_t)1 << addr_bits;
    return a.raw != 0 && is_aligned_u64(a.raw, FL_PAGE_SIZE) && range_ok(a.raw, bytes, limit);
}

/* `count` entries from `table` on: consecutive pages from `first` on. */
static void put_entries(uint8_t *table, uint32_t count, uint64_t first)
{
    for (uint32_t i = 0; i < count; i++) {
        put_le64(table + (size_t)i * 8, first + ((uint64_t)i << FL_PAGE_SHIFT));
    }
}

enum fl_err radix3_fill(const struct radix3_plan *plan, const void *image,
                        struct bus_addr image_bus, void *tables, struct bus_addr tables_bus,
                        unsigned addr_bits, struct fl_fail *fail)
{
    /* What the GPU reaches of the image: whole pages; the tail is reached through its copy. */
    uint64_t direct = align_down_u64(plan->image_bytes, FL_PAGE_SIZE);
    if (plan->bytes == 0 || !bus_range_ok(tables_bus, plan->bytes, addr_bits) ||
        !bus_range_ok(image_bus, direct, addr_bits) ||
        range_overlaps((struct range){tables_bus.raw, plan->bytes},
                       (struct range){image_bus.raw, plan->image_bytes})) {
        return FL_FAIL(
            fail, FL_EINVAL, "radix3",
            "image at 0x%llx, tables at 0x%llx: not page aligned, above %u bits, or overlapping",
            (unsigned long long)image_bus.raw, (unsigned long long)tables_bus.raw, addr_bits);
    }
    uint8_t *base = tables;
    uint8_t *level2 = base + (size_t)LEVEL2_PAGE * FL_PAGE_SIZE;
    memset(base, 0, (size_t)plan->bytes);
    put_entries(base, 1, tables_bus.raw + LEVEL1_PAGE * FL_PAGE_SIZE);
    put_entries(base + LEVEL1_PAGE * FL_PAGE_SIZE, plan->level2_pages,
                tables_bus.raw + LEVEL2_PAGE * FL_PAGE_SIZE);
    put_entries(level2, plan->image_pages, image_bus.raw);
    if (plan->tail_bytes != 0) {
        size_t bounce = (size_t)(plan->pages - 1) * FL_PAGE_SIZE;
        memcpy(base + bounce, (const uint8_t *)image + direct, plan->tail_bytes);
        put_entries(level2 + (size_t)(plan->image_pages - 1) * 8, 1, tables_bus.raw + bounce);
    }
    return FL_OK;
}
