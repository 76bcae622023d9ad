/* SPDX-License-Identifier: MIT */
/*
 * A GPU's memory by zones: which bytes of it may be handed out, for what, and by which allocator.
 *
 * Input is what the GSP says of the regions of video memory, and what is known to be taken: WPR2,
 * what RM keeps. A region is usable if it is not protected and supports compression and ISO
 * (display), but for its reserved tail: nouveau's rule. Of the usable memory the lowest part is the
 * low zone, for page tables and instance blocks, whose 4 KiB crumbs stay out of the rest. Each of
 * the two zones is a buddy allocator over all its stretches; everything else is known by name only
 * and never handed out. That an address can be seen through BAR1 is a matter of the address: it
 * lies below the BAR's size.
 *
 * The caller serialises; nothing here yields or allocates. Cost: buddy.h, once per zone of a class.
 */
#pragma once

#include "arch/range.h"
#include "mm/buddy.h"

/* What a byte of video memory is for. */
enum zone {
    ZONE_LOW,         /* page tables and instance blocks first */
    ZONE_USABLE,      /* the rest that may be handed out */
    ZONE_UNUSABLE,    /* a region that is protected, or without compression or ISO */
    ZONE_RM_RESERVED, /* RM's: the tails of regions, carve-outs */
    ZONE_WPR,         /* write-protected: the firmware */
    ZONE_UNKNOWN,     /* in no region */
    ZONE_COUNT,
};
#define ZONES_BUDDIES 2u /* ZONE_LOW and ZONE_USABLE */
/* Short lower-case name, e.g. "rm-reserved"; never NULL. */
const char *zone_name(enum zone zone);

/* As the GSP describes it. Input: checked. */
struct zone_region {
    uint64_t base, limit; /* bytes; inclusive */
    uint64_t reserved;    /* bytes at its end; rounded up to pages */
    bool compressed, iso, is_protected;
};

/* Memory that is taken whatever the regions say. May overlap regions and others; of two that
 * overlap the first one gives its name. */
struct zone_carveout {
    struct range range;
    enum zone zone; /* ZONE_RM_RESERVED or ZONE_WPR */
};

struct zones_layout {
    uint64_t vram_bytes; /* multiple of a page; all of the following lies below */
    const struct zone_region *regions;
    uint32_t region_count;
    const struct zone_carveout *carveouts;
    uint32_t carveout_count;
    uint64_t low_bytes;     /* of the low zone, taken from the lowest usable memory; may be 0 */
    uint64_t low_watermark; /* bytes of it that only ZONES_TABLES may take */
    uint64_t bar1_bytes;    /* size of BAR1; 0: nothing is visible */
};

#define ZONES_SPANS_MAX 96u
struct zone_span {
    struct range range;
    enum zone zone;
};

struct zones {
    struct zone_span spans[ZONES_SPANS_MAX]; /* ascending, all of [0, vram_bytes) */
    uint32_t span_count;
    uint64_t vram_bytes, bar1_bytes, low_watermark;
    struct buddy buddies[ZONES_BUDDIES];
    struct range hulls[ZONES_BUDDIES]; /* what each buddy spans; empty: the zone is */
    uint64_t retired_bytes;
};

/* Checks the layout and divides the memory. FL_EBADDATA: a region or a carve-out is empty, wraps,
 * is not made of whole pages, lies beyond vram_bytes, two regions overlap, or a tail is larger than
 * its region; FL_ENOSPC: too many pieces; FL_EINVAL: the caller's own numbers. The layout is not
 * needed afterwards. */
FL_MUST_CHECK enum fl_err zones_plan(struct zones *z, const struct zones_layout *layout,
                                     struct fl_fail *fail);
/* Bytes that zones_init() needs after zones_plan(); multiple of 8. */
uint64_t zones_meta_bytes(const struct zones *z);
/* meta: 8-byte aligned, borrowed. FL_EINVAL. */
FL_MUST_CHECK enum fl_err zones_init(struct zones *z, void *meta, uint64_t bytes);

/* Classes of requests, each with its zones in the order in which they are tried. */
enum zones_class {
    ZONES_TABLES,  /* low, then usable */
    ZONES_GENERAL, /* usable, then low as far as its watermark */
    ZONES_VISIBLE, /* the same below the size of BAR1 */
    ZONES_CLASS_COUNT,
};

/* As buddy_alloc() and buddy_alloc_scattered(); all extents of one call lie in one zone. */
FL_MUST_CHECK enum fl_err zones_alloc(struct zones *z, enum zones_class class,
                                      const struct buddy_request *want, uint64_t *addr);
FL_MUST_CHECK enum fl_err zones_alloc_scattered(struct zones *z, enum zones_class class,
                                                const struct buddy_request *want,
                                                uint64_t block_pages, struct buddy_extent *out,
                                                uint32_t room, uint32_t *count);
/* As their namesakes in buddy.h, in the zone that has the address; FL_EINVAL when none has. An
 * exact range lies in one zone. */
FL_MUST_CHECK enum fl_err zones_free(struct zones *z, uint64_t addr, uint64_t pages,
                                     enum buddy_contents contents);
FL_MUST_CHECK enum fl_err zones_trim(struct zones *z, uint64_t addr, uint64_t pages,
                                     uint64_t keep_addr, uint64_t keep_pages,
                                     enum buddy_contents contents);
bool zones_was_clear(const struct zones *z, uint64_t addr);
void zones_forget_clear(struct zones *z);
FL_MUST_CHECK enum fl_err zones_reserve(struct zones *z, uint64_t addr, uint64_t size);
/* Takes a page for good that the hardware has retired. FL_OK also where nothing is ever handed out;
 * FL_EBUSY: in use; FL_EINVAL: no page of this memory. */
FL_MUST_CHECK enum fl_err zones_retire(struct zones *z, uint64_t addr);

/* The zone of an address, ZONE_UNKNOWN beyond the end. */
enum zone zones_of(const struct zones *z, uint64_t addr);
bool zones_visible(const struct zones *z, uint64_t addr); /* through BAR1 */

struct zone_stats {
    uint64_t total_bytes;                                /* of the memory that has this name */
    uint64_t free_bytes, clear_bytes, longest_run_bytes; /* 0 where nothing is handed out */
    uint64_t allocs, frees, failures;
};
void zones_get_stats(struct zones *z, enum zone zone, struct zone_stats *out);
