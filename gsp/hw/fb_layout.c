/* SPDX-License-Identifier: MIT */
/* Where everything of the GSP lies in VRAM (fb_layout.h). */
#include "gsp/hw/fb_layout.h"

#include "gsp/hw/regs/regs.h"

/* Source of all numbers: boot.md 5, 5.1, 5.2. */
#define VGA_DEFAULT      MIB(1)
#define VGA_SMALL        KIB(128)
#define WPR_END_ALIGN    KIB(128)
#define BOOTLOADER_ALIGN KIB(4)
#define IMAGE_ALIGN      KIB(64)
#define HEAP_ALIGN       MIB(1)
#define META_BYTES       256u
#define FB_BYTES_MIN                                                                               \
    MIB(512) /* below any GPU with a GSP; keeps a nonsense reading from going on                   \
              */
#define FB_BYTES_MAX (1ull << 47)

uint64_t gsp_vga_workspace_start(uint64_t fb_bytes, bool has_display, bool valid, uint64_t address)
{
    if (!has_display || !valid) {
        return fb_bytes - VGA_DEFAULT;
    }
    return address >= fb_bytes - VGA_DEFAULT && address < fb_bytes ? address : fb_bytes - VGA_SMALL;
}

/* top - bytes, rounded down; 0 when it does not fit (nothing of ours may lie at 0). */
static uint64_t below(uint64_t top, uint64_t bytes, uint64_t align)
{
    return bytes < top ? align_down_u64(top - bytes, align) : 0;
}

enum fl_err gsp_fb_layout_make(const struct gsp_fb_request *req, struct gsp_fb_layout *out,
                               struct fl_fail *fail)
{
    struct gsp_fb_layout l = {
        .fb_bytes = req->fb_bytes,
        .vga_start = req->vga_start,
        .frts_bytes = req->frts_bytes,
        .bootloader_bytes = req->bootloader_bytes,
        .image_bytes = req->image_bytes,
        .non_wpr_bytes = req->non_wpr_heap_bytes,
        .pmu_reserved_bytes = req->pmu_reserved_bytes,
        .placed = true,
    };

    *out = (struct gsp_fb_layout){0};
    if (req->fb_bytes < FB_BYTES_MIN || req->fb_bytes > FB_BYTES_MAX ||
        !is_aligned_u64(req->fb_bytes, MIB(1))) {
        return FL_FAIL_MORE(fail, FL_EBADDATA, "VRAM size",
                            (.hint = "memory training may have failed: power-cycle the machine"),
                            "the GPU reports 0x%llx bytes of VRAM; expected 512 MiB or more",
                            (unsigned long long)req->fb_bytes);
    }
    if (req->vga_start >= req->fb_bytes || req->bootloader_bytes == 0 || req->image_bytes == 0 ||
        req->heap_bytes == 0) {
        return FL_FAIL(fail, FL_EBADDATA, "framebuffer layout",
                       "VGA workspace at 0x%llx of 0x%llx, bootloader 0x%llx, image 0x%llx bytes: "
                       "one is impossible",
                       (unsigned long long)req->vga_start, (unsigned long long)req->fb_bytes,
                       (unsigned long long)req->bootloader_bytes,
                       (unsigned long long)req->image_bytes);
    }
    l.vga_bytes = req->fb_bytes - req->vga_start;
    l.wpr_end = align_down_u64(req->vga_start, WPR_END_ALIGN);
    l.frts_start = below(l.wpr_end, l.frts_bytes, 1);
    l.bootloader_start = below(l.frts_start, l.bootloader_bytes, BOOTLOADER_ALIGN);
    l.image_start = below(l.bootloader_start, l.image_bytes, IMAGE_ALIGN);
    l.heap_start = below(l.image_start, req->heap_bytes, HEAP_ALIGN);
    l.heap_bytes = align_down_u64(l.image_start - l.heap_start, HEAP_ALIGN);
    l.wpr_start = below(l.heap_start, META_BYTES, HEAP_ALIGN);
    l.non_wpr_start = below(l.wpr_start, l.non_wpr_bytes + l.pmu_reserved_bytes, 1);
    if (l.frts_start == 0 || l.bootloader_start == 0 || l.image_start == 0 || l.heap_start == 0 ||
        l.wpr_start == 0 || l.non_wpr_start == 0) {
        return FL_FAIL(
            fail, FL_EBADDATA, "framebuffer layout",
            "0x%llx bytes of VRAM do not hold the GSP's image (0x%llx), heap (0x%llx) and regions",
            (unsigned long long)req->fb_bytes, (unsigned long long)req->image_bytes,
            (unsigned long long)req->heap_bytes);
    }
    if (req->sizes_only) {
        l = (struct gsp_fb_layout){
            .fb_bytes = l.fb_bytes,
            .vga_bytes = l.vga_bytes,
            .frts_bytes = l.frts_bytes,
            .bootloader_bytes = l.bootloader_bytes,
            .image_bytes = l.image_bytes,
            .heap_bytes = req->heap_bytes,
            .non_wpr_bytes = l.non_wpr_bytes,
            .pmu_reserved_bytes = l.pmu_reserved_bytes,
        };
    }
    *out = l;
    return FL_OK;
}

struct gsp_wpr2 gsp_wpr2_decode(uint32_t lo_raw, uint32_t hi_raw)
{
    const struct NV_PFB_PRI_MMU_WPR2_ADDR_LO lo = {.raw = lo_raw};
    const struct NV_PFB_PRI_MMU_WPR2_ADDR_HI hi = {.raw = hi_raw};
    const uint64_t last = (uint64_t)NV_PFB_PRI_MMU_WPR2_ADDR_HI__VAL(hi) << FL_PAGE_SHIFT;

    if (last == 0) {
        return (struct gsp_wpr2){0};
    }
    return (struct gsp_wpr2){
        .up = true,
        .start = (uint64_t)NV_PFB_PRI_MMU_WPR2_ADDR_LO__VAL(lo) << FL_PAGE_SHIFT,
        .end = last + GSP_WPR2_GRANULE,
    };
}
