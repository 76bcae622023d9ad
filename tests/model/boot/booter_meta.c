/* SPDX-License-Identifier: MIT */
/*
 * The WPR metadata as booter_load checks them: identity, sizes, the regions that FWSEC and the
 * driver laid out. Mailbox codes are those of real boards. Sources: boot.md 5, 6; measured.md 4-6.
 */
#include "tests/model/boot/booter_meta.h"

#include "arch/base.h"
#include "tests/model/boards/boards.h"
#include "tests/model/books/strict.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_version.h"
#include "tests/model/memory/vram.h"
#include "tests/model/memory/wpr2.h"

enum {
    META_REVISION = 1,
    SIGNATURE_SECTION_BYTES = 0x1000,
    WPR_ALIGN = 0x20000,
    ELF_ALIGN = 0x10000,
    VGA_WORKSPACE = 0x100000, /* default size at the top of memory */
};
#define META_MAGIC 0xdc3aae21371a60b3ull

bool model_meta_reject(struct gpu_model *m, enum model_rule rule, const char *field, uint64_t value,
                       const char *needs, uint64_t wanted)
{
    model_rule_broken(m, rule, "%s is 0x%llx; %s 0x%llx", field, (unsigned long long)value, needs,
                      (unsigned long long)wanted);
    return false;
}

/* Everything lies in order, aligned, without overlap (boot.md 5). */
static bool layout_ok(struct gpu_model *m, const struct wpr_meta *mt)
{
    const struct part {
        const char *name;
        uint64_t start, size, align;
    } parts[] = {
        /* ascending */
        {"nonWprHeapOffset", META(mt, nonWprHeapOffset), META(mt, nonWprHeapSize), FL_PAGE_SIZE},
        {"gspFwWprStart", META(mt, gspFwWprStart), META_BYTES, WPR_ALIGN},
        {"gspFwHeapOffset", META(mt, gspFwHeapOffset), META(mt, gspFwHeapSize), FL_PAGE_SIZE},
        {"gspFwOffset", META(mt, gspFwOffset), META(mt, sizeOfRadix3Elf), ELF_ALIGN},
        {"bootBinOffset", META(mt, bootBinOffset), META(mt, sizeOfBootloader), FL_PAGE_SIZE},
        {"frtsOffset", META(mt, frtsOffset), META(mt, frtsSize), WPR_ALIGN},
        {"vgaWorkspaceOffset", META(mt, vgaWorkspaceOffset), META(mt, vgaWorkspaceSize),
         FL_PAGE_SIZE},
    };
    uint64_t end = META(mt, gspFwRsvdStart);
    if (end > parts[0].start) {
        return model_meta_reject(m, RULE_BOOTER_LAYOUT, "gspFwRsvdStart", end,
                                 "must not lie above nonWprHeapOffset", parts[0].start);
    }
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        if (!is_aligned_u64(parts[i].start, parts[i].align)) {
            return model_meta_reject(m, RULE_BOOTER_LAYOUT, parts[i].name, parts[i].start,
                                     "must be a multiple of", parts[i].align);
        }
        if (parts[i].start < end) {
            return model_meta_reject(m, RULE_BOOTER_LAYOUT, parts[i].name, parts[i].start,
                                     "overlaps the part below, which ends at", end);
        }
        if (!range_ok(parts[i].start, parts[i].size, m->vram->size)) {
            return model_meta_reject(m, RULE_BOOTER_LAYOUT, parts[i].name, parts[i].start,
                                     "with its size it leaves video memory, which ends at",
                                     m->vram->size);
        }
        end = parts[i].start + parts[i].size;
    }
    return true;
}

/* Heap limits: boot.md 5.1, last rows; libos 2 has the same in every version. */
enum { LIBOS2_HEAP_MIN_MIB = 64, LIBOS2_HEAP_MAX_MIB = 256 };

static bool heap_ok(struct gpu_model *m, const struct wpr_meta *mt)
{
    const struct gsp_version *v = model_gsp_version_find(mt->l->version);
    const uint64_t min = MIB(m->chip->libos3 ? v->heap_min_mib : LIBOS2_HEAP_MIN_MIB);
    const uint64_t max = MIB(m->chip->libos3 ? v->heap_max_mib : LIBOS2_HEAP_MAX_MIB);
    const uint64_t heap = META(mt, gspFwHeapSize);
    if (heap < min) {
        return model_meta_reject(m, RULE_BOOTER_HEAP, "gspFwHeapSize", heap, "the least is", min);
    }
    /* The room up to the image is rounded to 1 MiB, so a little more than asked for is normal. */
    if (heap > max + MIB(2)) {
        return model_meta_reject(m, RULE_BOOTER_HEAP, "gspFwHeapSize", heap, "the most is", max);
    }
    return true;
}

/* GA100: there is no FRTS region; WPR2 ends, on its boundary, right below the VGA workspace or the
 * locked top of memory (boot.md 5). */
static uint32_t end_without_frts(struct gpu_model *m, const struct wpr_meta *mt)
{
    const uint64_t top = m->vram->size - max_u64(m->board->lock_bytes, VGA_WORKSPACE);
    const uint64_t end = META(mt, gspFwWprEnd);
    if (META(mt, frtsSize) != 0 || META(mt, frtsOffset) != end) {
        model_rule_broken(m, RULE_BOOTER_FRTS, "frts 0x%llx + 0x%llx; GA100 has none: 0x%llx + 0",
                          (unsigned long long)META(mt, frtsOffset),
                          (unsigned long long)META(mt, frtsSize), (unsigned long long)end);
        return BOOTER_REFUSED;
    }
    if (!is_aligned_u64(end, WPR_ALIGN) || end > align_down_u64(top, WPR_ALIGN)) {
        model_meta_reject(m, RULE_BOOTER_WPR_END, "gspFwWprEnd", end,
                          "on a 128 KiB boundary it is at most", align_down_u64(top, WPR_ALIGN));
        return BOOTER_WPR_END;
    }
    return 0;
}

uint32_t model_meta_check(struct gpu_model *m, const struct wpr_meta *mt)
{
    const uint64_t frts = META(mt, frtsOffset), frts_size = META(mt, frtsSize);
    if (META(mt, magic) != META_MAGIC || META(mt, revision) != META_REVISION) {
        model_rule_broken(m, RULE_BOOTER_META_MAGIC, "magic 0x%llx revision %llu at 0x%llx",
                          (unsigned long long)META(mt, magic),
                          (unsigned long long)META(mt, revision), (unsigned long long)mt->address);
        return BOOTER_NO_META;
    }
    if (META(mt, fbSize) != m->vram->size) {
        model_meta_reject(m, RULE_BOOTER_META_FIELD, "fbSize", META(mt, fbSize), "the board has",
                          m->vram->size);
        return BOOTER_REFUSED;
    }
    if (!m->chip->frts) {
        const uint32_t code = end_without_frts(m, mt);
        if (code != 0) {
            return code;
        }
    } else if (frts != m->wpr2->lo || frts_size != m->wpr2->hi - m->wpr2->lo) {
        model_rule_broken(m, RULE_BOOTER_FRTS, "frts 0x%llx + 0x%llx; FWSEC made 0x%llx + 0x%llx",
                          (unsigned long long)frts, (unsigned long long)frts_size,
                          (unsigned long long)m->wpr2->lo,
                          (unsigned long long)(m->wpr2->hi - m->wpr2->lo));
        return BOOTER_REFUSED;
    }
    if (m->chip->frts && META(mt, gspFwWprEnd) != m->wpr2->hi) {
        model_meta_reject(m, RULE_BOOTER_WPR_END, "gspFwWprEnd", META(mt, gspFwWprEnd),
                          "the nominal end of the FRTS region is", m->wpr2->hi);
        return BOOTER_WPR_END;
    }
    const uint64_t vga = META(mt, vgaWorkspaceOffset);
    if (vga > m->vram->size || META(mt, vgaWorkspaceSize) != m->vram->size - vga) {
        model_meta_reject(m, RULE_BOOTER_META_FIELD, "vgaWorkspaceSize", META(mt, vgaWorkspaceSize),
                          "to the end of memory it is", m->vram->size - vga);
        return BOOTER_REFUSED;
    }
    if (META(mt, nonWprHeapSize) == 0) {
        model_meta_reject(m, RULE_BOOTER_META_FIELD, "nonWprHeapSize", 0, "Turing to Ada need",
                          MIB(1));
        return BOOTER_REFUSED;
    }
    if (META(mt, sizeOfSignature) != SIGNATURE_SECTION_BYTES) {
        model_meta_reject(m, RULE_BOOTER_META_FIELD, "sizeOfSignature", META(mt, sizeOfSignature),
                          "the section has", SIGNATURE_SECTION_BYTES);
        return BOOTER_REFUSED;
    }
    if (META(mt, verified) != 0 || META(mt, bootCount) != 0 ||
        META(mt, gspFwHeapVfPartitionCount) != 0) {
        model_rule_broken(
            m, RULE_BOOTER_META_FIELD,
            "verified 0x%llx bootCount %llu gspFwHeapVfPartitionCount %llu; a cold boot has 0 0 0",
            (unsigned long long)META(mt, verified), (unsigned long long)META(mt, bootCount),
            (unsigned long long)META(mt, gspFwHeapVfPartitionCount));
        return BOOTER_REFUSED;
    }
    return heap_ok(m, mt) && layout_ok(m, mt) ? 0 : BOOTER_REFUSED;
}
