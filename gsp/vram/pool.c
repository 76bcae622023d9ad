/* SPDX-License-Identifier: MIT */
/*
 * Which video memory is given out, and to whom it was: zones of mm/, fed with what the GSP said of
 * the board. Page tables come from the low zone, objects from the rest.
 *
 * Of a region's "reserved" the two drivers that read it make different things: a tail (its name in
 * RM's headers), or the whole region (nouveau, r535/gsp.c, takes only regions where it is 0). Here
 * it is the whole region, which is right either way.
 */
#include "arch/lockorder.h"
#include "gsp/vram/vram_priv.h"
#include "mm/heap.h"

#define EXTENTS_MAX   4096u   /* pieces of one object */
#define LOW_BYTES     MIB(64) /* tables of 4 KiB pages for 32 GiB of mappings */
#define LOW_SHARE     128u    /* ... but no more than such a part of all */
#define CARVEOUTS_MAX 3u

/* ---- set-up ---- */

/* WPR2, and what lies from the GSP's heap outside of it up: the GSP's whatever the regions say. */
static uint32_t carve(const struct gsp_gpu *g, struct zone_carveout *out)
{
    const uint64_t end = g->fb.fb_bytes;
    uint32_t n = 0;

    if (g->wpr2.up && g->wpr2.start < g->wpr2.end && g->wpr2.end <= end) {
        out[n++] = (struct zone_carveout){{g->wpr2.start, g->wpr2.end - g->wpr2.start}, ZONE_WPR};
    }
    if (g->fb.wpr_start != 0) {
        out[n++] = (struct zone_carveout){{g->fb.wpr_start, end - g->fb.wpr_start}, ZONE_WPR};
    }
    if (g->fb.non_wpr_start != 0) {
        out[n++] = (struct zone_carveout){{g->fb.non_wpr_start, end - g->fb.non_wpr_start},
                                          ZONE_RM_RESERVED};
    }
    return n;
}

static enum fl_err plan(struct gsp_vram *v, struct fl_fail *fail)
{
    const struct gsp_gpu *g = v->g;
    struct zone_region region[GSP_MAX_FB_REGIONS];
    struct zone_carveout carveout[CARVEOUTS_MAX];
    const int bar = pci_mem_bar(g->hw.pci, 1);

    for (uint32_t i = 0; i < g->fb_region_count; i++) {
        const struct gsp_fb_region *r = &g->fb_region[i];
        region[i] = (struct zone_region){.base = r->base,
                                         .limit = r->limit,
                                         .reserved = r->reserved != 0 ? r->limit - r->base + 1 : 0,
                                         .compressed = r->compressed,
                                         .iso = r->iso,
                                         .is_protected = r->is_protected};
    }
    const uint64_t low =
        align_down_u64(min_u64(LOW_BYTES, v->mem.vram_bytes / LOW_SHARE), FL_PAGE_SIZE);
    const struct zones_layout layout = {.vram_bytes = v->mem.vram_bytes,
                                        .regions = region,
                                        .region_count = g->fb_region_count,
                                        .carveouts = carveout,
                                        .carveout_count = carve(g, carveout),
                                        .low_bytes = low,
                                        .low_watermark = low,
                                        .bar1_bytes = bar < 0 ? 0 : g->hw.pci->bar[bar].size};
    return zones_plan(&v->zones, &layout, fail);
}

static enum fl_err table_alloc(void *ctx, uint64_t bytes, uint64_t align, uint64_t *addr)
{
    struct gsp_vram *v = ctx;
    const struct buddy_request want = {.pages = bytes / FL_PAGE_SIZE, .align = align};

    lockorder_point(&lock_class_alloc, FL_WHERE);
    return zones_alloc(&v->zones, ZONES_TABLES, &want, addr);
}

static void give_back(struct gsp_vram *v, uint64_t addr, uint64_t bytes)
{
    const enum fl_err err = zones_free(&v->zones, addr, bytes / FL_PAGE_SIZE, BUDDY_DIRTY);

    FL_ASSERT(err == FL_OK);
}

static void table_free(void *ctx, uint64_t addr, uint64_t bytes) { give_back(ctx, addr, bytes); }

enum fl_err vram_pool_open(struct gsp_vram *v, struct fl_fail *fail)
{
    struct zone_stats usable;
    enum fl_err err = plan(v, fail);

    if (err != FL_OK) {
        return err;
    }
    const uint64_t bytes = zones_meta_bytes(&v->zones);
    if (dma_alloc(&v->zones_meta, bytes, FL_PAGE_SIZE, 64, "VRAM zones") != FL_OK) {
        return FL_FAIL(fail, FL_ENOMEM, "GPU memory",
                       "no memory for the books of 0x%llx bytes of video memory",
                       (unsigned long long)v->mem.vram_bytes);
    }
    err = zones_init(&v->zones, v->zones_meta.cpu, bytes);
    FL_ASSERT(err == FL_OK);
    v->source = (struct gpu_table_source){.alloc = table_alloc, .free = table_free, .ctx = v};
    zones_get_stats(&v->zones, ZONE_USABLE, &usable);
    if (usable.total_bytes == 0) {
        return FL_FAIL(fail, FL_EPROTO, "GPU memory",
                       "none of the GSP's %u memory regions may be used",
                       (unsigned)v->g->fb_region_count);
    }
    return FL_OK;
}

void vram_pool_close(struct gsp_vram *v) { dma_free(&v->zones_meta); }

/* ---- requests ---- */

void vram_pool_give(struct gsp_vram *v, struct gpu_extent *extents, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        give_back(v, extents[i].pa, extents[i].len);
    }
    heap_free(extents);
}

/* In one piece, else in the largest blocks that there are. found: room for EXTENTS_MAX. */
static enum fl_err take(struct gsp_vram *v, const struct buddy_request *r, bool contiguous,
                        struct buddy_extent *found, uint32_t *count)
{
    const uint64_t least = max_u64(r->align / FL_PAGE_SIZE, 1);
    enum fl_err err = zones_alloc(&v->zones, ZONES_GENERAL, r, &found[0].addr);

    *count = 1;
    found[0].pages = r->pages;
    if (err == FL_ENOMEM && !contiguous) {
        err = zones_alloc_scattered(&v->zones, ZONES_GENERAL, r, r->pages % least == 0 ? least : 1,
                                    found, EXTENTS_MAX, count);
    }
    return err;
}

static enum fl_err no_room(struct gsp_vram *v, const struct gsp_vram_request *want,
                           struct fl_fail *fail)
{
    struct zone_stats s;

    zones_get_stats(&v->zones, ZONE_USABLE, &s);
    return FL_FAIL_MORE(
        fail, FL_ENOMEM, "GPU memory",
        (FL_SAW(s.free_bytes, want->bytes, 0), .hint = "free objects, or ask for several pieces"),
        "no room for 0x%llx bytes%s: 0x%llx are free, at most 0x%llx in one piece",
        (unsigned long long)want->bytes, want->contiguous ? " in one piece" : "",
        (unsigned long long)s.free_bytes, (unsigned long long)s.longest_run_bytes);
}

enum fl_err vram_pool_take(struct gsp_vram *v, const struct gsp_vram_request *want,
                           struct gpu_extent **extents, uint32_t *count, struct fl_fail *fail)
{
    const struct buddy_request r = {.pages = div_up_u64(want->bytes, FL_PAGE_SIZE),
                                    .align = want->align,
                                    .min = want->min,
                                    .max = want->max};
    struct buddy_extent *found = heap_zalloc(EXTENTS_MAX * sizeof(*found));

    lockorder_point(&lock_class_alloc, FL_WHERE);
    if (found == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, "GPU memory", "no memory for the books of an object");
    }
    const enum fl_err err = (want->align & (want->align - 1)) != 0
                                ? FL_EINVAL /* the buddy does not look at one below a page */
                                : take(v, &r, want->contiguous, found, count);
    if (err != FL_OK) {
        heap_free(found);
        return err != FL_EINVAL
                   ? no_room(v, want, fail)
                   : FL_FAIL(fail, err, "GPU memory",
                             "no such request: alignment 0x%llx, from 0x%llx",
                             (unsigned long long)want->align, (unsigned long long)want->min);
    }
    *extents = heap_zalloc(*count * sizeof(**extents));
    for (uint32_t i = 0; i < *count; i++) {
        if (*extents == NULL) {
            give_back(v, found[i].addr, found[i].pages * FL_PAGE_SIZE);
        } else {
            (*extents)[i] =
                (struct gpu_extent){.pa = found[i].addr, .len = found[i].pages * FL_PAGE_SIZE};
        }
    }
    heap_free(found);
    if (*extents == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, "GPU memory", "no memory for the books of an object");
    }
    return FL_OK;
}
