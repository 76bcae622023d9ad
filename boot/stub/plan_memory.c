/* SPDX-License-Identifier: MIT */
/*
 * The firmware's memory map and clock in our terms: see plan.h. The map is firmware's word and is
 * taken as input: entries may be unsorted, empty, overlapping or wrap around.
 */
#include "boot/stub/plan.h"

/* EFI_MEMORY_DESCRIPTOR: UINT32 Type, pad, UINT64 PhysicalStart, VirtualStart, NumberOfPages,
 * Attribute. Source: UEFI 2.10 section 7.2.3. */
enum { MD_TYPE = 0, MD_START = 8, MD_PAGES = 24, MD_ATTRIBUTE = 32 };
enum {
    EFI_LOADER_CODE = 1,
    EFI_LOADER_DATA = 2,
    EFI_BOOT_CODE = 3,
    EFI_BOOT_DATA = 4,
    EFI_CONVENTIONAL = 7,
    EFI_ACPI_RECLAIM = 9,
    EFI_MMIO = 11,
    EFI_MMIO_PORT = 12,
};
#define EFI_ATTRIBUTE_WB       0x8ull     /* may be cached: what makes it RAM for us */
#define EFI_ATTRIBUTE_SPECIFIC 0x40000ull /* set aside for a device or an application */

static uint32_t kind_of(uint32_t type, uint64_t attribute)
{
    switch (type) {
    case EFI_LOADER_CODE:
    case EFI_LOADER_DATA:
        return FL_MEM_LOADER;
    case EFI_ACPI_RECLAIM:
        return FL_MEM_ACPI;
    case EFI_MMIO:
    case EFI_MMIO_PORT:
        return FL_MEM_MMIO;
    case EFI_BOOT_CODE:
    case EFI_BOOT_DATA:
    case EFI_CONVENTIONAL:
        if ((attribute & EFI_ATTRIBUTE_WB) == 0 || (attribute & EFI_ATTRIBUTE_SPECIFIC) != 0) {
            return FL_MEM_RESERVED;
        }
        return type == EFI_CONVENTIONAL ? FL_MEM_FREE : FL_MEM_BOOT;
    default:
        return FL_MEM_RESERVED;
    }
}

/* Which kind wins where two descriptors claim the same bytes: the higher, the less we may do. */
static unsigned care(uint32_t kind)
{
    switch ((enum fl_mem_kind)kind) {
    case FL_MEM_FREE:
        return 1;
    case FL_MEM_BOOT:
        return 2;
    case FL_MEM_ACPI:
        return 3;
    case FL_MEM_LOADER:
        return 4;
    case FL_MEM_MMIO:
        return 5;
    case FL_MEM_RESERVED:
        break;
    }
    return 6;
}

struct descriptor {
    uint64_t base, end;
    uint32_t kind; /* enum fl_mem_kind */
};

/* False: the entry is empty, not page aligned or wraps around. */
static bool get_descriptor(const void *descriptors, size_t stride, size_t i, struct descriptor *out)
{
    const uint8_t *d = (const uint8_t *)descriptors + i * stride;
    uint64_t pages = get_le64(d + MD_PAGES);
    out->base = get_le64(d + MD_START);
    out->kind = kind_of(get_le32(d + MD_TYPE), get_le64(d + MD_ATTRIBUTE));
    if (pages == 0 || !is_aligned_u64(out->base, FL_PAGE_SIZE) ||
        pages > (UINT64_MAX - out->base) >> FL_PAGE_SHIFT) {
        return false;
    }
    out->end = out->base + (pages << FL_PAGE_SHIFT);
    return true;
}

/* The elementary interval that starts at `at`: what is there, and where that may change next. The
 * kind is 0 where no descriptor lies; *next is UINT64_MAX when nothing follows. */
static uint32_t look_at(const void *descriptors, size_t count, size_t stride, uint64_t at,
                        uint64_t *next)
{
    uint32_t kind = 0;
    *next = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        struct descriptor d;
        if (!get_descriptor(descriptors, stride, i, &d)) {
            continue;
        }
        if (d.base > at) {
            *next = min_u64(*next, d.base);
        } else if (d.end > at) {
            *next = min_u64(*next, d.end);
            if (kind == 0 || care(d.kind) > care(kind)) {
                kind = d.kind;
            }
        }
    }
    return kind;
}

size_t plan_memory(const void *descriptors, size_t count, size_t stride, struct fl_mem_range *out,
                   size_t max)
{
    if (stride < PLAN_EFI_DESCRIPTOR_BYTES) {
        return 0;
    }
    /* Walking from border to border costs count^2 / 2 looks: 150 entries in practice. */
    size_t n = 0;
    uint64_t next = 0;
    for (uint64_t at = 0; at != UINT64_MAX; at = next) {
        uint32_t kind = look_at(descriptors, count, stride, at, &next);
        if (kind == 0) {
            continue;
        }
        struct fl_mem_range *last = n > 0 ? &out[n - 1] : NULL;
        if (last != NULL && last->kind == kind && last->base + last->size == at) {
            last->size = next - last->base;
        } else if (n < max) {
            out[n++] = (struct fl_mem_range){.base = at, .size = next - at, .kind = kind};
        } else {
            break;
        }
    }
    return n;
}

uint64_t plan_end_of_ram(const void *descriptors, size_t count, size_t stride)
{
    uint64_t end = 0;
    for (size_t i = 0; i < count && stride >= PLAN_EFI_DESCRIPTOR_BYTES; i++) {
        struct descriptor d;
        if (get_descriptor(descriptors, stride, i, &d) && d.kind != FL_MEM_RESERVED &&
            d.kind != FL_MEM_MMIO) {
            end = max_u64(end, d.end);
        }
    }
    return end;
}

uint64_t plan_unix_time(unsigned year, unsigned month, unsigned day, unsigned hour, unsigned minute,
                        unsigned second, int minutes_west)
{
    static const uint16_t days_before[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    const int zone_limit = 1440; /* EFI_UNSPECIFIED_TIMEZONE, 2047, lies outside */
    const unsigned first_year = 1970, last_year = 9999;
    if (year < first_year || year > last_year || month < 1 || month > 12 || day < 1 || day > 31 ||
        hour > 23 || minute > 59 || second > 59) {
        return 0;
    }
    /* Leap days before this year's 1 March are those of the years up to `y`. */
    unsigned y = month > 2 ? year : year - 1;
    const unsigned leap_days_to_1970 = 1969 / 4 - 1969 / 100 + 1969 / 400;
    uint64_t days = (uint64_t)(year - first_year) * 365 + (y / 4 - y / 100 + y / 400) -
                    leap_days_to_1970 + days_before[month - 1] + (day - 1);
    uint64_t t = ((days * 24 + hour) * 60 + minute) * 60 + second;
    if (minutes_west > -zone_limit && minutes_west < zone_limit) {
        int64_t local = (int64_t)t + (int64_t)minutes_west * 60;
        t = local > 0 ? (uint64_t)local : 0;
    }
    return t;
}
