/* SPDX-License-Identifier: MIT */
/*
 * Which video memory may be given out, and to whom it was. Regions are the GSP's, of which those
 * that are reserved, protected, or lack compression or ISO support are left alone (nouveau,
 * r535/gsp.c). Page tables come from the lowest addresses, objects from the highest, so that the
 * crumbs of the ones do not cut up the others.
 */
#include "arch/lockorder.h"
#include "gsp/vram/vram_priv.h"
#include "mm/heap.h"

/* A request is cut into at most so many pieces. */
#define EXTENTS_MAX 4096u

static bool usable(const struct gsp_fb_region *r)
{
    return r->reserved == 0 && !r->is_protected && r->compressed && r->iso;
}

/* What is the GSP's even where a region says otherwise: everything from its heap outside of WPR2
 * up, and WPR2. */
static uint64_t first_reserved(const struct gsp_gpu *g)
{
    uint64_t end = g->fb.fb_bytes;

    if (g->fb.non_wpr_start != 0) {
        end = min_u64(end, g->fb.non_wpr_start);
    }
    if (g->fb.wpr_start != 0) {
        end = min_u64(end, g->fb.wpr_start);
    }
    return end;
}

static enum fl_err add_regions(struct gsp_vram *v, struct fl_fail *fail)
{
    const struct gsp_gpu *g = v->g;
    const uint64_t end = first_reserved(g);

    for (uint32_t i = 0; i < g->fb_region_count; i++) {
        const struct gsp_fb_region *r = &g->fb_region[i];
        const uint64_t from = align_up_u64(r->base, FL_PAGE_SIZE);
        const uint64_t to = align_down_u64(min_u64(r->limit + 1, end), FL_PAGE_SIZE);
        if (!usable(r) || from >= to) {
            continue;
        }
        const enum fl_err err = buddy_add(&v->pool, from, to - from);
        if (err != FL_OK) {
            return FL_FAIL(fail, FL_EPROTO, "GPU memory",
                           "region %u from 0x%llx to 0x%llx overlaps another", (unsigned)i,
                           (unsigned long long)r->base, (unsigned long long)r->limit);
        }
    }
    if (v->pool.stats.total_pages == 0) {
        return FL_FAIL(fail, FL_EPROTO, "GPU memory",
                       "none of the GSP's %u memory regions may be used",
                       (unsigned)g->fb_region_count);
    }
    return FL_OK;
}

static enum fl_err table_alloc(void *ctx, uint64_t bytes, uint64_t align, uint64_t *addr)
{
    struct gsp_vram *v = ctx;
    const struct buddy_request want = {.pages = bytes / FL_PAGE_SIZE, .align = align};

    lockorder_point(&lock_class_alloc, FL_WHERE);
    return buddy_alloc(&v->pool, &want, addr);
}

static void table_free(void *ctx, uint64_t addr, uint64_t bytes)
{
    struct gsp_vram *v = ctx;
    const enum fl_err err = buddy_free(&v->pool, addr, bytes / FL_PAGE_SIZE);

    FL_ASSERT(err == FL_OK);
}

enum fl_err vram_pool_open(struct gsp_vram *v, struct fl_fail *fail)
{
    const uint64_t size = align_down_u64(v->mem.vram_bytes, FL_PAGE_SIZE);
    const uint64_t meta = buddy_meta_bytes(0, size, FL_PAGE_SHIFT);

    v->pool_meta = meta != 0 ? heap_zalloc(meta) : NULL;
    if (v->pool_meta == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, "GPU memory",
                       "no memory for the books of 0x%llx bytes of video memory",
                       (unsigned long long)size);
    }
    const enum fl_err err =
        buddy_init(&v->pool, "VRAM", 0, size, FL_PAGE_SHIFT, v->pool_meta, meta);
    FL_ASSERT(err == FL_OK);
    v->source = (struct gpu_table_source){.alloc = table_alloc, .free = table_free, .ctx = v};
    return add_regions(v, fail);
}

void vram_pool_close(struct gsp_vram *v)
{
    heap_free(v->pool_meta);
    v->pool_meta = NULL;
}

/* ---- requests ---- */

void vram_pool_give(struct gsp_vram *v, struct gpu_extent *extents, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        table_free(v, extents[i].pa, extents[i].len);
    }
    heap_free(extents);
}

static uint64_t piece_below(uint64_t pages)
{
    return pages == 1 ? 1 : UINT64_C(1) << (63 - __builtin_clzll(pages - 1));
}

/* One piece after the other, each as large as there is room for. */
static enum fl_err take_pieces(struct gsp_vram *v, struct buddy_request r, uint64_t pages,
                               bool contiguous, struct gpu_extent *out, uint32_t *count)
{
    const uint64_t least = max_u64(r.align / FL_PAGE_SIZE, 1);

    r.pages = pages;
    while (pages > 0) {
        r.pages = min_u64(r.pages, pages);
        uint64_t addr;
        const enum fl_err err =
            *count == EXTENTS_MAX ? FL_ENOMEM : buddy_alloc(&v->pool, &r, &addr);
        if (err == FL_OK) {
            out[(*count)++] = (struct gpu_extent){.pa = addr, .len = r.pages * FL_PAGE_SIZE};
            pages -= r.pages;
        } else if (err != FL_ENOMEM || contiguous || *count == EXTENTS_MAX || r.pages <= least) {
            return err;
        } else {
            r.pages = max_u64(piece_below(r.pages), least);
        }
    }
    return FL_OK;
}

enum fl_err vram_pool_take(struct gsp_vram *v, const struct gsp_vram_request *want,
                           struct gpu_extent **extents, uint32_t *count, struct fl_fail *fail)
{
    const uint64_t pages = div_up_u64(want->bytes, FL_PAGE_SIZE);
    const uint64_t most = want->contiguous ? 1 : min_u64(pages, EXTENTS_MAX);
    const struct buddy_request r = {.align = want->align, .min = want->min, .max = want->max};

    lockorder_point(&lock_class_alloc, FL_WHERE);
    *count = 0;
    *extents = heap_zalloc(most * sizeof(**extents));
    if (*extents == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, "GPU memory", "no memory for the books of an object");
    }
    const enum fl_err err = take_pieces(v, r, pages, want->contiguous, *extents, count);
    if (err == FL_OK) {
        return FL_OK;
    }
    vram_pool_give(v, *extents, *count);
    *extents = NULL;
    if (err == FL_EINVAL) {
        return FL_FAIL(fail, err, "GPU memory", "no such request: alignment 0x%llx, from 0x%llx",
                       (unsigned long long)want->align, (unsigned long long)want->min);
    }
    return FL_FAIL_MORE(fail, err, "GPU memory",
                        (FL_SAW(v->pool.stats.free_pages * FL_PAGE_SIZE, want->bytes, 0),
                         .hint = "free objects, or ask for several pieces"),
                        "no room for 0x%llx bytes%s: 0x%llx are free, the largest block has 0x%llx",
                        (unsigned long long)want->bytes, want->contiguous ? " in one piece" : "",
                        (unsigned long long)(v->pool.stats.free_pages * FL_PAGE_SIZE),
                        (unsigned long long)(buddy_largest_free(&v->pool) * FL_PAGE_SIZE));
}
