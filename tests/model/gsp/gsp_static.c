/* SPDX-License-Identifier: MIT */
/*
 * GspStaticConfigInfo: what the board is, from the board's data and the layout that booter
 * accepted. The shape of the memory regions is that of an AD104 (measured.md 8.5): reserved bottom,
 * usable, reserved, RM's own, everything from the non-WPR heap up.
 */
#include "tests/model/gsp/gsp_static.h"

#include <string.h>

#include "arch/base.h"
#include "gsp_layout.h"
#include "tests/model/boards/boards.h"
#include "tests/model/bus/bar.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/gsp/rm_objects.h"
#include "tests/model/memory/vram.h"
#include "tests/model/memory/wpr2.h"

enum {
    REGION_LOW = 0x3100000, /* reserved bottom */
    REGION_RM = 0x4f40000,  /* reserved below ... */
    REGION_INST = 0x70000,  /* ... instance memory, right below the non-WPR heap */
    PERFORMANCE = 6,
    BAR1_PDE_IN_RM = 0x1000,
    BAR2_PDE_IN_INST = 0x3000,
    GID_BYTES = 16,
    GID_FORMAT_BINARY = 2,
    NAME_CHARS = 64,
};

void model_rm_gid(const struct gpu_model *m, uint8_t gid[16])
{
    uint64_t x = m->seed * 0x9e3779b97f4a7c15ull + m->board->device + 1;
    for (size_t i = 0; i < GID_BYTES; i++) {
        x ^= x >> 29;
        x *= 0xbf58476d1ce4e5b9ull;
        gid[i] = (uint8_t)(x >> 32);
    }
    gid[0] |= 1; /* never all zero: that is a failed board (measured.md 8.1) */
}

/* The regions' bounds, from the top down; all below write-protected region 2. */
struct bounds {
    uint64_t rm, inst, heap;
};
static struct bounds get_bounds(const struct gpu_model *m)
{
    struct bounds b = {.heap = m->wpr2->reserved};
    b.inst = b.heap - REGION_INST;
    b.rm = b.inst - REGION_RM;
    return b;
}

uint64_t model_rm_bar_root(const struct gpu_model *m, unsigned which, uint64_t *inst)
{
    enum { BLOCKS_IN_INST = 0x8000 };
    const struct bounds b = get_bounds(m);
    *inst = b.inst + BLOCKS_IN_INST + (uint64_t)which * FL_PAGE_SIZE;
    return which == MODEL_BAR1 ? b.rm + BAR1_PDE_IN_RM : b.inst + BAR2_PDE_IN_INST;
}

void model_rm_guard_memory(struct gpu_model *m)
{
    uint64_t inst;
    const struct bounds at = get_bounds(m);
    const uint64_t bar1 = model_rm_bar_root(m, MODEL_BAR1, &inst);
    const uint64_t bar2 = model_rm_bar_root(m, MODEL_BAR2, &inst);
    const struct vram_guard guards[VRAM_GUARDS] = {
        {.lo = bar1, .hi = bar1 + FL_PAGE_SIZE, .open = true}, /* the driver fills it in */
        {.lo = bar2, .hi = bar2 + FL_PAGE_SIZE, .rule = RULE_BAR_ROOT_ENTRY},
        {.lo = 0, .hi = REGION_LOW, .rule = RULE_VRAM_RESERVED},
        {.lo = at.rm, .hi = m->vram->size, .rule = RULE_VRAM_RESERVED},
    };
    model_vram_guard(m, guards, ARRAY_SIZE(guards));
}

static void put_text(uint8_t *p, uint32_t len, struct fw_field f, const char *text)
{
    char *out = fw_bytes(p, len, f);
    if (out != NULL) {
        snprintf(out, f.size, "%s", text);
    }
}

static void put_unicode(uint8_t *p, uint32_t len, struct fw_field f, const char *text)
{
    uint8_t *out = fw_bytes(p, len, f);
    for (size_t i = 0; out != NULL && i < NAME_CHARS - 1 && i < f.size / 2 && text[i] != '\0';
         i++) {
        put_le16(out + 2 * i, (uint8_t)text[i]);
    }
}

struct region {
    uint64_t base, end, reserved;
    uint32_t performance;
    bool usable;
};

static void put_region(struct gpu_model *m, uint8_t *p, uint32_t len, uint32_t i,
                       const struct region *r)
{
    const struct gsp_layout *l = m->gsp->l;
#define REGION(field, v)                                                                           \
    fw_put_at(p, len, l->GspStaticConfigInfo.fbRegionInfoParams_fbRegion_##field, i, v)
    REGION(base, r->base);
    REGION(limit, r->end - 1);
    REGION(reserved, r->reserved);
    REGION(performance, r->performance);
    REGION(supportCompressed, r->usable);
    REGION(supportISO, r->usable);
#undef REGION
}

void model_rm_fill_static_info(struct gpu_model *m, uint8_t *p, uint32_t len)
{
    const struct gsp_layout *l = m->gsp->l;
    const struct model_board *b = m->board;
    const struct bounds at = get_bounds(m);
    const uint64_t heap = at.heap, inst = at.inst, rm = at.rm;
    uint64_t block;
    const struct region regions[] = {
        {0, REGION_LOW, REGION_LOW, 0, false},
        {REGION_LOW, rm, 0, PERFORMANCE, true},
        {rm, inst, REGION_RM, PERFORMANCE, false},
        {inst, heap, REGION_INST, 0, false},
        {heap, m->vram->size, m->vram->size - heap, 0, false},
    };
    memset(p, 0, len);
#define PUT(field, v) fw_put(p, len, l->GspStaticConfigInfo.field, v)
    PUT(gidInfo_flags, GID_FORMAT_BINARY);
    PUT(gidInfo_length, GID_BYTES);
    uint8_t *gid = fw_bytes(p, len, l->GspStaticConfigInfo.gidInfo_data);
    if (gid != NULL) {
        model_rm_gid(m, gid);
    }
    PUT(fbRegionInfoParams_numFBRegions, ARRAY_SIZE(regions));
    for (uint32_t i = 0; i < ARRAY_SIZE(regions); i++) {
        put_region(m, p, len, i, &regions[i]);
    }
    PUT(fb_length, m->vram->size);
    PUT(fbio_mask, b->fbp_mask);
    PUT(fb_bus_width, b->bus_width);
    PUT(fb_ram_type, b->ram_type);
    PUT(fbp_mask, b->fbp_mask);
    PUT(l2_cache_size, b->l2_bytes);
    put_text(p, len, l->GspStaticConfigInfo.gpuNameString, m->title);
    put_text(p, len, l->GspStaticConfigInfo.gpuShortNameString, b->short_title);
    put_unicode(p, len, l->GspStaticConfigInfo.gpuNameString_Unicode, m->title);
    PUT(bar1PdeBase, model_rm_bar_root(m, MODEL_BAR1, &block));
    PUT(bar2PdeBase, model_rm_bar_root(m, MODEL_BAR2, &block));
    PUT(bVbiosValid, 1);
    PUT(vbiosSubVendor, b->subvendor);
    PUT(vbiosSubDevice, b->subdevice);
    PUT(hInternalClient, RM_INTERNAL_CLIENT);
    PUT(hInternalDevice, RM_INTERNAL_DEVICE);
    PUT(hInternalSubdevice, RM_INTERNAL_SUBDEVICE);
    PUT(fwWprLayoutOffset_nonWprHeapOffset, m->wpr2->non_wpr);
    PUT(fwWprLayoutOffset_frtsOffset, m->wpr2->frts);
#undef PUT
}
