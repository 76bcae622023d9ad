/* SPDX-License-Identifier: MIT */
/* Divides video memory into zones: regions and carve-outs are input, and checked. */
#include "mm/zones.h"

#include <string.h>

#define WHAT "video memory"

static uint64_t span_end(const struct zone_span *s) { return range_end(s->range); }

/* Makes a span begin at `at`, which lies in the memory or at its end. */
static bool cut_at(struct zones *z, uint64_t at)
{
    for (uint32_t i = 0; i < z->span_count; i++) {
        struct zone_span *s = &z->spans[i];
        if (!range_contains(s->range, at) || s->range.base == at) {
            continue;
        }
        if (z->span_count == ZONES_SPANS_MAX) {
            return false;
        }
        memmove(s + 1, s, (z->span_count - i) * sizeof(*s));
        z->span_count++;
        s[1].range = (struct range){.base = at, .size = span_end(s) - at};
        s[0].range.size = at - s->range.base;
        break;
    }
    return true;
}

/* Gives a range its zone. */
static bool paint(struct zones *z, struct range r, enum zone zone)
{
    if (!cut_at(z, r.base) || !cut_at(z, range_end(r))) {
        return false;
    }
    for (uint32_t i = 0; i < z->span_count; i++) {
        if (range_covers(r, z->spans[i].range)) {
            z->spans[i].zone = zone;
        }
    }
    return true;
}

/* Neighbours of one zone become one span. */
static void join_spans(struct zones *z)
{
    uint32_t kept = 0;

    for (uint32_t i = 1; i < z->span_count; i++) {
        if (z->spans[i].zone == z->spans[kept].zone) {
            z->spans[kept].range.size += z->spans[i].range.size;
        } else {
            z->spans[++kept] = z->spans[i];
        }
    }
    z->span_count = kept + 1;
}

static enum fl_err too_many(struct fl_fail *fail)
{
    return FL_FAIL_MORE(fail, FL_ENOSPC, WHAT, (.hint = "fewer regions and carve-outs"),
                        "it is in more than %u pieces", ZONES_SPANS_MAX);
}

/* Whole pages inside of the memory. */
static enum fl_err check_range(const struct zones *z, struct range r, const char *kind, uint32_t i,
                               struct fl_fail *fail)
{
    if (r.size == 0 || !is_aligned_u64(r.base | r.size, FL_PAGE_SIZE)) {
        return FL_FAIL(fail, FL_EBADDATA, WHAT,
                       "%s %u at 0x%llx, 0x%llx bytes: expected whole pages, at least one", kind, i,
                       (unsigned long long)r.base, (unsigned long long)r.size);
    }
    if (!range_ok(r.base, r.size, z->vram_bytes)) {
        return FL_FAIL(fail, FL_EBADDATA, WHAT,
                       "%s %u at 0x%llx, 0x%llx bytes: ends beyond the memory's 0x%llx bytes", kind,
                       i, (unsigned long long)r.base, (unsigned long long)r.size,
                       (unsigned long long)z->vram_bytes);
    }
    return FL_OK;
}

static enum fl_err add_region(struct zones *z, const struct zone_region *region, uint32_t i,
                              struct fl_fail *fail)
{
    if (region->limit < region->base) {
        return FL_FAIL(fail, FL_EBADDATA, WHAT, "region %u: limit 0x%llx is below base 0x%llx", i,
                       (unsigned long long)region->limit, (unsigned long long)region->base);
    }
    struct range r = {.base = region->base, .size = region->limit - region->base + 1};
    enum fl_err err = check_range(z, r, "region", i, fail);
    if (err != FL_OK) {
        return err;
    }
    if (region->reserved > r.size) {
        return FL_FAIL(fail, FL_EBADDATA, WHAT,
                       "region %u: 0x%llx bytes reserved, more than its 0x%llx", i,
                       (unsigned long long)region->reserved, (unsigned long long)r.size);
    }
    for (uint32_t k = 0; k < z->span_count; k++) {
        if (z->spans[k].zone != ZONE_UNKNOWN && range_overlaps(z->spans[k].range, r)) {
            return FL_FAIL(fail, FL_EBADDATA, WHAT,
                           "region %u at 0x%llx overlaps another one, at 0x%llx", i,
                           (unsigned long long)r.base, (unsigned long long)z->spans[k].range.base);
        }
    }
    /* nouveau's rule: r535/fb.c of the kernel. */
    bool usable = !region->is_protected && region->compressed && region->iso;
    uint64_t tail = align_up_u64(region->reserved, FL_PAGE_SIZE);
    struct range last = {.base = range_end(r) - tail, .size = tail};
    if (!paint(z, r, usable ? ZONE_USABLE : ZONE_UNUSABLE) ||
        (tail != 0 && !paint(z, last, ZONE_RM_RESERVED))) {
        return too_many(fail);
    }
    return FL_OK;
}

/* The lowest usable memory becomes the low zone. */
static bool take_low(struct zones *z, uint64_t bytes)
{
    for (uint32_t i = 0; i < z->span_count && bytes > 0; i++) {
        if (z->spans[i].zone == ZONE_USABLE) {
            uint64_t part = min_u64(bytes, z->spans[i].range.size);
            if (!cut_at(z, z->spans[i].range.base + part)) {
                return false;
            }
            z->spans[i].zone = ZONE_LOW;
            bytes -= part;
        }
    }
    return true;
}

/* From the first to the last span of each zone that has an allocator. */
static void set_hulls(struct zones *z)
{
    for (uint32_t i = 0; i < z->span_count; i++) {
        const struct zone_span *s = &z->spans[i];
        if ((unsigned)s->zone < ZONES_BUDDIES) {
            struct range *hull = &z->hulls[s->zone];
            hull->base = hull->size == 0 ? s->range.base : hull->base;
            hull->size = span_end(s) - hull->base;
        }
    }
}

enum fl_err zones_plan(struct zones *z, const struct zones_layout *layout, struct fl_fail *fail)
{
    enum fl_err err = FL_OK;

    memset(z, 0, sizeof(*z));
    if (layout->vram_bytes == 0 ||
        !is_aligned_u64(layout->vram_bytes | layout->low_bytes, FL_PAGE_SIZE) ||
        layout->low_watermark > layout->low_bytes) {
        return FL_FAIL(
            fail, FL_EINVAL, WHAT,
            "0x%llx bytes, of which 0x%llx low with a watermark of 0x%llx: expected whole "
            "pages, and the watermark within them",
            (unsigned long long)layout->vram_bytes, (unsigned long long)layout->low_bytes,
            (unsigned long long)layout->low_watermark);
    }
    z->vram_bytes = layout->vram_bytes;
    z->bar1_bytes = layout->bar1_bytes;
    z->low_watermark = layout->low_watermark;
    z->spans[0] = (struct zone_span){.range = {.size = z->vram_bytes}, .zone = ZONE_UNKNOWN};
    z->span_count = 1;
    for (uint32_t i = 0; i < layout->region_count && err == FL_OK; i++) {
        err = add_region(z, &layout->regions[i], i, fail);
    }
    for (uint32_t i = layout->carveout_count; i-- > 0 && err == FL_OK;) { /* the first one wins */
        const struct zone_carveout *c = &layout->carveouts[i];
        err = check_range(z, c->range, "carve-out", i, fail);
        if (err == FL_OK && c->zone != ZONE_WPR && c->zone != ZONE_RM_RESERVED) {
            err = FL_FAIL(fail, FL_EINVAL, WHAT, "carve-out %u is %s, expected %s or %s", i,
                          zone_name(c->zone), zone_name(ZONE_WPR), zone_name(ZONE_RM_RESERVED));
        }
        if (err == FL_OK && !paint(z, c->range, c->zone)) {
            err = too_many(fail);
        }
    }
    if (err == FL_OK && !take_low(z, layout->low_bytes)) {
        err = too_many(fail);
    }
    if (err != FL_OK) {
        memset(z, 0, sizeof(*z)); /* a plan that failed has no memory in it */
        return err;
    }
    join_spans(z);
    set_hulls(z);
    return FL_OK;
}
