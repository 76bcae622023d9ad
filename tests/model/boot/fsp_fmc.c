/* SPDX-License-Identifier: MIT */
/*
 * What the FMC, started by the FSP on the GSP, makes of its boot parameters: looks at each field,
 * fetches the WPR metadata, checks what they point to, and lays the write-protected region out
 * itself. Nothing is executed. Sources: boot.md 5.2, 6 (path B), 11.5, 11.6.
 */
#include "tests/model/boot/fsp_fmc.h"

#include "arch/base.h"
#include "gsp_layout.h"
#include "tests/model/books/strict.h"
#include "tests/model/books/trace_data.h"
#include "tests/model/boot/booter_image.h"
#include "tests/model/boot/booter_meta.h"
#include "tests/model/boot/fsp.h"
#include "tests/model/bus/dma.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/vram.h"
#include "tests/model/memory/wpr2.h"

enum {
    /* What it leaves in MAILBOX0. 0xb was seen on a GB203 (measured.md 9), for a cause unknown. */
    FMC_REFUSED = 0xb,
    TARGET_COHERENT = 1,
    TARGET_NONCOHERENT = 2,
    META_REVISION = 1,
    SIGNATURE_SECTION_BYTES = 0x1000,
    FRTS_BYTES = 0x100000,
    VGA_LEAST = 0x20000, /* open kernel module's constant; nova says 1 MiB */
    VGA_MOST = 0x100000,
    WPR_ALIGN = 0x100000,
    ELF_ALIGN = 0x10000,
    PARAMS_MAX = 256,
};
#define META_MAGIC    0xdc3aae21371a60b3ull
#define META_VERIFIED 0xa0a0a0a0a0a0a0a0ull

/* ---- boot parameters ---- */

static bool param_is(struct gpu_model *m, const char *field, uint64_t value, uint64_t wanted)
{
    if (value == wanted) {
        return true;
    }
    model_rule_broken(m, RULE_FSP_BOOT_PARAMS, "%s is 0x%llx; needs 0x%llx", field,
                      (unsigned long long)value, (unsigned long long)wanted);
    return false;
}

static bool read_params(struct gpu_model *m, uint64_t *meta)
{
    struct fsp_state *f = m->fsp;
    const struct gsp_layout *l = f->l;
    const uint32_t total = l->GSP_FMC_BOOT_PARAMS.total;
    uint8_t p[PARAMS_MAX];
    if (total > sizeof(p) || !model_dma_read(m, f->params, p, total, "FMC boot parameters")) {
        return false;
    }
    model_trace_struct(m, l, "GSP_FMC_BOOT_PARAMS", p, total);
#define PARAM(field)            fw_get(p, total, l->GSP_FMC_BOOT_PARAMS.field)
#define PARAM_IS(field, wanted) param_is(m, #field, PARAM(field), wanted)
    const uint64_t target = PARAM(gspRmParams_target);
    if (!PARAM_IS(initParams_regkeys, 0) || !PARAM_IS(bootGspRmParams_target, TARGET_COHERENT) ||
        !PARAM_IS(bootGspRmParams_gspRmDescSize, META_BYTES) ||
        !PARAM_IS(bootGspRmParams_wprCarveoutOffset, 0) ||
        !PARAM_IS(bootGspRmParams_wprCarveoutSize, 0) ||
        !PARAM_IS(bootGspRmParams_bIsGspRmBoot, 1) || !PARAM_IS(gspSpdmParams_target, 0) ||
        !PARAM_IS(gspSpdmParams_payloadBufferOffset, 0) ||
        !PARAM_IS(gspSpdmParams_payloadBufferSize, 0)) {
        return false;
    }
    if (target != TARGET_COHERENT && target != TARGET_NONCOHERENT) {
        return param_is(m, "gspRmParams.target", target, TARGET_NONCOHERENT);
    }
    *meta = PARAM(bootGspRmParams_gspRmDescOffset);
    f->args = PARAM(gspRmParams_bootArgsOffset);
    if (*meta == 0 || f->args == 0) {
        model_rule_broken(m, RULE_FSP_BOOT_PARAMS, "gspRmDescOffset 0x%llx, bootArgsOffset 0x%llx",
                          (unsigned long long)*meta, (unsigned long long)f->args);
        return false;
    }
#undef PARAM
#undef PARAM_IS
    return true;
}

/* ---- WPR metadata ---- */

static bool heap_ok(struct gpu_model *m, const struct wpr_meta *mt)
{
    const uint64_t heap = META(mt, gspFwHeapSize);
    if (heap < MIB(88) || heap > MIB(280) + MIB(2)) {
        return model_meta_reject(m, RULE_FSP_META, "gspFwHeapSize", heap,
                                 "firmware takes 88 to 280 MiB, that is up to", MIB(280));
    }
    return true;
}

/* Sizes count; the offsets are the FMC's business (nova fills them in all the same). */
static bool sizes_ok(struct gpu_model *m, const struct wpr_meta *mt)
{
    const struct model_fsp_kind *kind = m->chip->fsp;
    const uint64_t vga = META(mt, vgaWorkspaceSize);
    if (META(mt, magic) != META_MAGIC || META(mt, revision) != META_REVISION) {
        return model_meta_reject(m, RULE_FSP_META, "magic", META(mt, magic),
                                 "with revision 1 it is", META_MAGIC);
    }
    const struct {
        const char *field;
        uint64_t value, wanted;
    } fixed[] = {
        {"sizeOfSignature", META(mt, sizeOfSignature), SIGNATURE_SECTION_BYTES},
        {"nonWprHeapSize", META(mt, nonWprHeapSize), kind->non_wpr_heap},
        {"pmuReservedSize", META(mt, pmuReservedSize), kind->pmu_reserved},
        {"frtsSize", META(mt, frtsSize), FRTS_BYTES},
        {"verified", META(mt, verified), 0},
        {"bootCount", META(mt, bootCount), 0},
        {"gspFwHeapVfPartitionCount", META(mt, gspFwHeapVfPartitionCount), 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) {
        if (fixed[i].value != fixed[i].wanted) {
            return model_meta_reject(m, RULE_FSP_META, fixed[i].field, fixed[i].value, "needs",
                                     fixed[i].wanted);
        }
    }
    if (vga < VGA_LEAST || vga > VGA_MOST) {
        return model_meta_reject(m, RULE_FSP_META, "vgaWorkspaceSize", vga, "needs at least",
                                 VGA_LEAST);
    }
    if (META(mt, fbSize) != 0 && META(mt, fbSize) != m->vram->size) {
        return model_meta_reject(m, RULE_FSP_META, "fbSize", META(mt, fbSize),
                                 "it is 0 or what the board has,", m->vram->size);
    }
    return heap_ok(m, mt);
}

/* Downwards from FRTS, as on path A (boot.md 5); the heap outside lies above it (11.5). */
static bool lay_out(struct gpu_model *m, const struct wpr_meta *mt)
{
    struct fsp_state *f = m->fsp;
    const uint64_t frts = f->frts_end - FRTS_BYTES;
    const uint64_t need = META(mt, sizeOfBootloader) + META(mt, sizeOfRadix3Elf) +
                          META(mt, gspFwHeapSize) + 4 * (uint64_t)WPR_ALIGN;
    if (need >= frts) {
        return model_meta_reject(m, RULE_FSP_META, "the sum of sizes", need, "below FRTS there are",
                                 frts);
    }
    const uint64_t boot = align_down_u64(frts - META(mt, sizeOfBootloader), FL_PAGE_SIZE);
    const uint64_t elf = align_down_u64(boot - META(mt, sizeOfRadix3Elf), ELF_ALIGN);
    const uint64_t heap = align_down_u64(elf - META(mt, gspFwHeapSize), WPR_ALIGN);
    const uint64_t start = align_down_u64(heap - META_BYTES, WPR_ALIGN);
    f->wpr2 = (struct wpr2){
        .lo = start, .hi = f->frts_end, .frts = frts, .non_wpr = f->frts_end, .reserved = start};
    return true;
}

uint32_t model_fmc_run(struct gpu_model *m)
{
    struct fsp_state *f = m->fsp;
    struct wpr_meta mt = {.l = f->l};
    uint8_t verified[8];
    if (!read_params(m, &mt.address) ||
        !model_dma_read(m, mt.address, mt.raw, META_BYTES, "WPR metadata")) {
        return FMC_REFUSED;
    }
    model_trace_struct(m, mt.l, "GspFwWprMeta", mt.raw, META_BYTES);
    if (!sizes_ok(m, &mt) || !lay_out(m, &mt)) {
        return FMC_REFUSED;
    }
    const uint32_t error = model_contents_check(m, &mt, f->fw);
    if (error != 0) {
        return error;
    }
    put_le64(verified, META_VERIFIED);
    model_dma_write(m, mt.address + f->l->GspFwWprMeta.verified.off, verified, sizeof(verified),
                    "WPR metadata");
    return 0;
}
