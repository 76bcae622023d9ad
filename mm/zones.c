/* SPDX-License-Identifier: MIT */
/* Zones of video memory: see zones.h. The division itself is in zones_plan.c. */
#include "mm/zones.h"

#include "arch/fail_point.h"

/* Of unlike state, buddies are kept apart from this size on: page tables are cleared one by one,
 * the rest in pages of 2 MiB. */
#define APART_ORDER_LOW    0u
#define APART_ORDER_USABLE 9u

/* The zones that a class tries, in order. */
static const struct class
{
    enum zone zones[ZONES_BUDDIES];
    bool ignores_watermark, visible;
} classes[ZONES_CLASS_COUNT] = {
    [ZONES_TABLES] = {{ZONE_LOW, ZONE_USABLE}, .ignores_watermark = true},
    [ZONES_GENERAL] = {{ZONE_USABLE, ZONE_LOW}, .visible = false},
    [ZONES_VISIBLE] = {{ZONE_USABLE, ZONE_LOW}, .visible = true},
};

const char *zone_name(enum zone zone)
{
    static const char *const names[ZONE_COUNT] = {
        [ZONE_LOW] = "low",           [ZONE_USABLE] = "usable",
        [ZONE_UNUSABLE] = "unusable", [ZONE_RM_RESERVED] = "rm-reserved",
        [ZONE_WPR] = "wpr",           [ZONE_UNKNOWN] = "unknown",
    };
    return (unsigned)zone < ZONE_COUNT ? names[zone] : "unknown";
}

/* ---- set-up ---- */

uint64_t zones_meta_bytes(const struct zones *z)
{
    uint64_t total = 0;

    for (uint32_t i = 0; i < ZONES_BUDDIES; i++) {
        struct range hull = z->hulls[i];
        if (hull.size != 0) {
            total += buddy_meta_bytes(hull.base, hull.size, FL_PAGE_SHIFT) +
                     buddy_clear_bytes(hull.base, hull.size, FL_PAGE_SHIFT);
        }
    }
    return total;
}

enum fl_err zones_init(struct zones *z, void *meta, uint64_t bytes)
{
    uint8_t *tables = meta;

    if (z->span_count == 0 || bytes < zones_meta_bytes(z)) {
        return FL_EINVAL;
    }
    for (uint32_t i = 0; i < ZONES_BUDDIES; i++) {
        const struct range hull = z->hulls[i];
        enum fl_err err = FL_OK;
        if (hull.size == 0) {
            continue;
        }
        uint64_t own = buddy_meta_bytes(hull.base, hull.size, FL_PAGE_SHIFT);
        uint64_t clear = buddy_clear_bytes(hull.base, hull.size, FL_PAGE_SHIFT);
        err = buddy_init(&z->buddies[i], zone_name(i), hull.base, hull.size, FL_PAGE_SHIFT, tables,
                         own);
        err = FL_THEN(err, buddy_track_clear(&z->buddies[i],
                                             i == ZONE_LOW ? APART_ORDER_LOW : APART_ORDER_USABLE,
                                             tables + own, clear));
        for (uint32_t k = 0; k < z->span_count && err == FL_OK; k++) {
            if (z->spans[k].zone == i) {
                err = buddy_add(&z->buddies[i], z->spans[k].range.base, z->spans[k].range.size);
            }
        }
        if (err != FL_OK) {
            return err;
        }
        z->buddies[i].part_of_many = true;
        tables += own + clear;
    }
    return FL_OK;
}

/* ---- addresses ---- */

static const struct zone_span *span_of(const struct zones *z, uint64_t addr)
{
    for (uint32_t i = 0; i < z->span_count; i++) {
        if (range_contains(z->spans[i].range, addr)) {
            return &z->spans[i];
        }
    }
    return NULL;
}

enum zone zones_of(const struct zones *z, uint64_t addr)
{
    const struct zone_span *span = span_of(z, addr);

    return span != NULL ? span->zone : ZONE_UNKNOWN;
}

bool zones_visible(const struct zones *z, uint64_t addr)
{
    return addr < z->bar1_bytes && addr < z->vram_bytes;
}

/* The zone whose allocator has whatever is allocated at an address: none of them has what it spans
 * and does not own. */
static inline enum zone owner_of(const struct zones *z, uint64_t addr)
{
    return range_contains(z->hulls[ZONE_USABLE], addr) ? ZONE_USABLE
           : range_contains(z->hulls[ZONE_LOW], addr)  ? ZONE_LOW
                                                       : ZONE_UNKNOWN;
}

/* The allocator that has an address; NULL: none has. */
static struct buddy *buddy_of(struct zones *z, uint64_t addr)
{
    enum zone zone = zones_of(z, addr);

    return zone < ZONES_BUDDIES ? &z->buddies[zone] : NULL;
}

/* ---- requests ---- */

/* Whether a class may take pages from a zone. */
static inline bool may_take(const struct zones *z, const struct class *class, enum zone zone,
                            uint64_t pages)
{
    const uint64_t free_pages = z->buddies[zone].stats.free_pages;

    return z->hulls[zone].size != 0 &&
           (zone != ZONE_LOW || class->ignores_watermark ||
            (pages <= free_pages &&
             free_pages - pages >= div_up_u64(z->low_watermark, FL_PAGE_SIZE)));
}

/* Whether a request of a class is looked at. */
static inline enum fl_err admit(const struct zones *z, enum zones_class class)
{
    if ((unsigned)class >= ZONES_CLASS_COUNT) {
        return FL_EINVAL;
    }
    return fail_point_alloc() || (classes[class].visible && z->bar1_bytes == 0) ? FL_ENOMEM : FL_OK;
}

/* A request below the end of what can be seen through BAR1. */
static struct buddy_request below_bar1(const struct zones *z, const struct buddy_request *want)
{
    struct buddy_request visible = *want;

    visible.max = want->max == 0 ? z->bar1_bytes : min_u64(want->max, z->bar1_bytes);
    return visible;
}

/* One run of pages, from the first zone that serves. */
static inline enum fl_err one_run(struct zones *z, const struct class *class,
                                  const struct buddy_request *want, uint64_t *addr)
{
    enum fl_err err = FL_ENOMEM;

    for (uint32_t i = 0; i < ZONES_BUDDIES && err == FL_ENOMEM; i++) {
        const enum zone zone = class->zones[i];
        if (may_take(z, class, zone, want->pages)) {
            err = buddy_alloc(&z->buddies[zone], want, addr);
        }
    }
    return err;
}

enum fl_err zones_alloc(struct zones *z, enum zones_class class, const struct buddy_request *want,
                        uint64_t *addr)
{
    enum fl_err err = admit(z, class);

    if (err == FL_OK && classes[class].visible) {
        const struct buddy_request visible = below_bar1(z, want);
        return one_run(z, &classes[class], &visible, addr);
    }
    return err == FL_OK ? one_run(z, &classes[class], want, addr) : err;
}

/* A lack of memory in one zone is made up for by the next. */
enum fl_err zones_alloc_scattered(struct zones *z, enum zones_class class,
                                  const struct buddy_request *want, uint64_t block_pages,
                                  struct buddy_extent *out, uint32_t room, uint32_t *count)
{
    enum fl_err err = room == 0 ? FL_EINVAL : admit(z, class);
    struct buddy_request here = *want;

    *count = 0;
    if (err != FL_OK) {
        return err;
    }
    if (classes[class].visible) {
        here = below_bar1(z, want);
    }
    err = FL_ENOMEM;
    for (uint32_t i = 0; i < ZONES_BUDDIES && (err == FL_ENOMEM || err == FL_ENOSPC); i++) {
        const enum zone zone = classes[class].zones[i];
        if (may_take(z, &classes[class], zone, want->pages)) {
            enum fl_err one =
                buddy_alloc_scattered(&z->buddies[zone], &here, block_pages, out, room, count);
            err = one == FL_ENOMEM && err == FL_ENOSPC ? err : one; /* there was memory somewhere */
        }
    }
    return err;
}

enum fl_err zones_free(struct zones *z, uint64_t addr, uint64_t pages, enum buddy_contents contents)
{
    const enum zone zone = owner_of(z, addr);

    return zone < ZONES_BUDDIES ? buddy_free_as(&z->buddies[zone], addr, pages, contents)
                                : FL_EINVAL;
}

enum fl_err zones_trim(struct zones *z, uint64_t addr, uint64_t pages, uint64_t keep_addr,
                       uint64_t keep_pages, enum buddy_contents contents)
{
    const enum zone zone = owner_of(z, addr);

    return zone < ZONES_BUDDIES
               ? buddy_trim(&z->buddies[zone], addr, pages, keep_addr, keep_pages, contents)
               : FL_EINVAL;
}

bool zones_was_clear(const struct zones *z, uint64_t addr)
{
    const enum zone zone = owner_of(z, addr);

    return zone < ZONES_BUDDIES && buddy_was_clear(&z->buddies[zone], addr);
}

void zones_forget_clear(struct zones *z)
{
    for (uint32_t i = 0; i < ZONES_BUDDIES; i++) {
        buddy_forget_clear(&z->buddies[i]);
    }
}

enum fl_err zones_reserve(struct zones *z, uint64_t addr, uint64_t size)
{
    struct buddy *b = buddy_of(z, addr);

    return b == NULL ? FL_EINVAL : buddy_reserve(b, addr, size);
}

enum fl_err zones_retire(struct zones *z, uint64_t addr)
{
    struct buddy *b = buddy_of(z, addr);

    if (!is_aligned_u64(addr, FL_PAGE_SIZE) || addr >= z->vram_bytes) {
        return FL_EINVAL;
    }
    enum fl_err err = b == NULL ? FL_OK : buddy_reserve(b, addr, FL_PAGE_SIZE);
    z->retired_bytes += b != NULL && err == FL_OK ? FL_PAGE_SIZE : 0;
    return err;
}

/* ---- statistics ---- */

void zones_get_stats(struct zones *z, enum zone zone, struct zone_stats *out)
{
    *out = (struct zone_stats){0};
    for (uint32_t i = 0; i < z->span_count; i++) {
        out->total_bytes += z->spans[i].zone == zone ? z->spans[i].range.size : 0;
    }
    if ((unsigned)zone < ZONES_BUDDIES && z->hulls[zone].size != 0) {
        struct buddy *b = &z->buddies[zone];
        out->free_bytes = b->stats.free_pages << FL_PAGE_SHIFT;
        out->clear_bytes = b->stats.clear_pages << FL_PAGE_SHIFT;
        out->longest_run_bytes = buddy_longest_run(b) << FL_PAGE_SHIFT;
        out->allocs = b->stats.allocs;
        out->frees = b->stats.frees;
        out->failures = b->stats.failures;
    }
}
