/* SPDX-License-Identifier: MIT */
/*
 * Controls about engines, address spaces and channels: tables from engines.c, the rest acts on
 * objects. Sources: channels.md 3, 4, 5.3, 11, 12.4, 16.
 */
#include "tests/model/gsp/gsp_engine.h"

#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "gsp_layout.h"
#include "tests/model/boards/boards.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/gsp/gsp_version.h"
#include "tests/model/gsp/rm_objects.h"
#include "tests/model/host/channel.h"
#include "tests/model/host/engines.h"
#include "tests/model/memory/mmu.h"
#include "tests/model/memory/tlb.h"
#include "tests/model/memory/vram.h"

enum {
    VECTOR_DISP = 154,
    VECTOR_GSP = 155,
    MC_DISP = 2,
    MC_DISP_LOW = 176,
    MC_CE0 = 15,
    SUBTREES = 7,
    SUBTREE_NONE = 0xff,
    RUNLIST_PRI_BASE = 0xc00000,       /* + 0x400 a runlist, GA106 */
    RUNLIST_PRI_BASE_GB20X = 0xd00000, /* GB205 (measured.md 6) */
    RUNLIST_PRI_STRIDE = 0x400,
    CHRAM_PRI_BASE = 0xc20000,
    CHRAM_PRI_STRIDE = 0x2000,
    PBDMA_FAULT_ID = 0x20,
};

/* ---- tables ---- */

static uint32_t mc_engine(const struct gpu_model *m, const struct model_engine *e)
{
    return e->kind == ENGINE_GR ? m->gsp->v->gr_engine + e->instance : MC_CE0 + e->instance;
}

/* Which subtree holds what: engine non-stall 0, faults 1, the GSP 2, engine stall 3. */
static void put_subtrees(struct gpu_model *m, uint8_t *p, uint32_t len)
{
    static const uint8_t subtree[SUBTREES] = {2, 3, 0, SUBTREE_NONE, SUBTREE_NONE, 1, 2};
    const struct gsp_layout *l = m->gsp->l;
    for (uint32_t i = 0; i < SUBTREES; i++) {
        fw_put_at(p, len,
                  l->NV2080_CTRL_INTERNAL_INTR_GET_KERNEL_TABLE_PARAMS.subtreeMap_subtreeStart, i,
                  subtree[i]);
        fw_put_at(p, len,
                  l->NV2080_CTRL_INTERNAL_INTR_GET_KERNEL_TABLE_PARAMS.subtreeMap_subtreeEnd, i,
                  subtree[i]);
    }
}

uint32_t model_ctrl_intr_table(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                               uint32_t len)
{
    const struct gsp_layout *l = m->gsp->l;
    struct model_engine e;
    uint32_t n = 0;
    (void)o;
    memset(p, 0, len);
#define TABLE(field, v)                                                                            \
    fw_put_at(p, len, l->NV2080_CTRL_INTERNAL_INTR_GET_KERNEL_TABLE_PARAMS.field, n, v)
#define ROW(engine, stall, nonstall)                                                               \
    do {                                                                                           \
        TABLE(table_engineIdx, engine);                                                            \
        TABLE(table_vectorStall, stall);                                                           \
        TABLE(table_vectorNonStall, nonstall);                                                     \
        n++;                                                                                       \
    } while (0)
    ROW(m->gsp->v->gsp_engine, VECTOR_GSP, NO_VECTOR);
    if (m->board->display) { /* a number of its own on GB20x (channels.md 16) */
        ROW(m->chip->family == F_GB20X ? MC_DISP_LOW : MC_DISP, VECTOR_DISP, NO_VECTOR);
    }
    for (uint32_t i = 0; model_engine(m, i, &e); i++) {
        ROW(mc_engine(m, &e), NO_VECTOR, e.nonstall); /* their stall interrupts are the GSP's */
    }
#undef ROW
#undef TABLE
    fw_put(p, len, l->NV2080_CTRL_INTERNAL_INTR_GET_KERNEL_TABLE_PARAMS.tableLen, n);
    put_subtrees(m, p, len);
    return RM_OK;
}

static void put_device(struct gpu_model *m, uint8_t *p, uint32_t len, uint32_t row,
                       const struct model_engine *e)
{
    enum { DATA = 16, DEV_TYPE_CE = 0x13, DEV_TYPE_GR = 0, PBDMAS = 2, NAME = 16 };
    const struct gsp_layout *l = m->gsp->l;
    const bool gr = e->kind == ENGINE_GR;
    const uint32_t base = m->chip->family == F_GB20X ? RUNLIST_PRI_BASE_GB20X : RUNLIST_PRI_BASE;
    /* RM numbers copy engines without a gap; the others are as in NV2080_ENGINE_TYPE. */
    const uint32_t rm_type = gr ? model_engine_type(e) : 9 + e->instance;
    const uint32_t data[DATA] = {e->desc,
                                 row,
                                 rm_type,
                                 e->runlist,
                                 e->fault_id,
                                 0,
                                 0,
                                 0,
                                 mc_engine(m, e),
                                 gr ? DEV_TYPE_GR : DEV_TYPE_CE,
                                 e->instance,
                                 base + RUNLIST_PRI_STRIDE * e->runlist,
                                 1, /* driven by the host */
                                 e->runlist == 0 ? row : 0,
                                 CHRAM_PRI_BASE + CHRAM_PRI_STRIDE * e->runlist,
                                 0};
    const struct fw_field first = l->NV2080_CTRL_FIFO_GET_DEVICE_INFO_TABLE_PARAMS.entries;
    uint8_t *at = fw_bytes(p, len, first);
    if (at == NULL) {
        return;
    }
    at += (size_t)row * first.stride;
    for (uint32_t i = 0; i < DATA; i++) {
        put_le32(at + 4 * i, data[i]);
    }
    put_le32(at + 4 * DATA, e->pbdma);
    put_le32(at + 4 * (DATA + PBDMAS), PBDMA_FAULT_ID + e->runlist);
    put_le32(at + 4 * (DATA + 2 * PBDMAS), 1);
    snprintf((char *)at + 4 * (DATA + 2 * PBDMAS + 1), NAME, "%s%u", gr ? "GR" : "CE", e->instance);
}

uint32_t model_ctrl_device_info(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                uint32_t len)
{
    enum { PER_CALL = 32 };
    const struct gsp_layout *l = m->gsp->l;
    struct model_engine e;
    uint32_t n = 0;
    (void)o;
    const uint32_t base =
        (uint32_t)fw_get(p, len, l->NV2080_CTRL_FIFO_GET_DEVICE_INFO_TABLE_PARAMS.baseIndex);
    memset(p, 0, len);
    fw_put(p, len, l->NV2080_CTRL_FIFO_GET_DEVICE_INFO_TABLE_PARAMS.baseIndex, base);
    while (n < PER_CALL && base <= UINT32_MAX - PER_CALL && model_engine(m, base + n, &e)) {
        put_device(m, p, len, n, &e);
        n++;
    }
    fw_put(p, len, l->NV2080_CTRL_FIFO_GET_DEVICE_INFO_TABLE_PARAMS.numEntries, n);
    fw_put(p, len, l->NV2080_CTRL_FIFO_GET_DEVICE_INFO_TABLE_PARAMS.bMore,
           n == PER_CALL && model_engine(m, base + n, &e));
    return RM_OK;
}

/* Sizes of graphics context buffers; the real ones are megabytes, and nobody runs in these. */
uint32_t model_ctrl_context_buffers(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                    uint32_t len)
{
    enum { BYTES = 0x2000, ALIGN = 0x1000 };
    const struct fw_field first =
        m->gsp->l->NV2080_CTRL_INTERNAL_STATIC_KGR_GET_CONTEXT_BUFFERS_INFO_PARAMS
            .engineContextBuffersInfo;
    (void)o;
    memset(p, 0, len);
    for (uint32_t off = 0; off + 8 <= first.stride; off += 8) { /* engine 0: pairs of u32 */
        put_le32(p + off, BYTES);
        put_le32(p + off + 4, ALIGN);
    }
    return RM_OK;
}

/* What the memory system is like. Compression is off: nobody has published what a board answers. */
uint32_t model_ctrl_memsys_config(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                  uint32_t len)
{
    enum { LTCS_PER_FBP = 2, SLICES_PER_LTC = 4, COMPRESSION_SHIFT = 16 };
    const struct gsp_layout *l = m->gsp->l;
    (void)o;
    memset(p, 0, len);
#define PUT(field, v)                                                                              \
    fw_put(p, len, l->NV2080_CTRL_INTERNAL_MEMSYS_GET_STATIC_CONFIG_PARAMS.field, v)
    PUT(l2CacheSize, m->board->l2_bytes);
    PUT(bFbpaPresent, 1);
    PUT(comprPageSize, 1u << COMPRESSION_SHIFT);
    PUT(comprPageShift, COMPRESSION_SHIFT);
    PUT(ramType, m->board->ram_type);
    PUT(ltcCount, (uint32_t)__builtin_popcount(m->board->fbp_mask) * LTCS_PER_FBP);
    PUT(ltsPerLtcCount, SLICES_PER_LTC);
#undef PUT
    return RM_OK;
}

/* ---- address spaces ---- */

static struct rm_object *address_space(struct gpu_model *m, uint32_t client, uint32_t handle)
{
    struct rm_object *v = model_rm_find(m, client, handle);
    return v != NULL && v->cls == CLS_VASPACE ? v : NULL;
}

uint32_t model_rm_set_page_directory(struct gpu_model *m, uint32_t client, const uint8_t *p,
                                     uint32_t len)
{
    enum { APERTURE = 3, APERTURE_MAX = 2 };
    const struct gsp_layout *l = m->gsp->l;
#define PARAM(field) fw_get(p, len, l->NV0080_CTRL_DMA_SET_PAGE_DIRECTORY_PARAMS.field)
    struct rm_object *v = address_space(m, client, (uint32_t)PARAM(hVASpace));
    const uint32_t aperture = (uint32_t)PARAM(flags) & APERTURE;
    const uint64_t root = PARAM(physAddress);
#undef PARAM
    if (v == NULL) {
        return RM_OBJECT_NOT_FOUND;
    }
    if (aperture > APERTURE_MAX || !is_aligned_u64(root, FL_PAGE_SIZE) ||
        (aperture == 0 && root >= m->vram->size)) {
        return RM_INVALID_ARGUMENT;
    }
    v->dir = (struct page_dir){.root = root, .sysmem = aperture != 0, .valid = true};
    model_tlb_invalidate(m, root); /* RM does, and the page may have been another space's root */
    model_tlb_bound(m, &v->dir, false);
    return RM_OK;
}

uint32_t model_rm_unset_page_directory(struct gpu_model *m, uint32_t client, const uint8_t *p,
                                       uint32_t len)
{
    struct rm_object *v = address_space(
        m, client,
        (uint32_t)fw_get(p, len, m->gsp->l->NV0080_CTRL_DMA_UNSET_PAGE_DIRECTORY_PARAMS.hVASpace));
    if (v == NULL) {
        return RM_OBJECT_NOT_FOUND;
    }
    model_tlb_invalidate(m, v->dir.root);
    v->dir = (struct page_dir){0};
    return RM_OK;
}

uint32_t model_ctrl_set_page_directory(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                       uint32_t len)
{
    return model_rm_set_page_directory(m, o->client, p, len);
}

uint32_t model_ctrl_unset_page_directory(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                         uint32_t len)
{
    return model_rm_unset_page_directory(m, o->client, p, len);
}

/* A space that RM manages: the driver says where its directories are, the root first. */
uint32_t model_ctrl_reserved_pdes(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                  uint32_t len)
{
    enum { VIDEO = 1 };
    const struct gsp_layout *l = m->gsp->l;
#define LEVEL(field) fw_get(p, len, l->NV90F1_CTRL_VASPACE_COPY_SERVER_RESERVED_PDES_PARAMS.field)
    struct rm_object *v = address_space(m, o->client, o->handle);
    if (v == NULL || LEVEL(numLevelsToCopy) == 0) {
        return RM_INVALID_ARGUMENT;
    }
    v->dir = (struct page_dir){.root = LEVEL(levels_physAddress),
                               .sysmem = LEVEL(levels_aperture) != VIDEO,
                               .valid = true};
    model_tlb_invalidate(m, v->dir.root);
    model_tlb_bound(m, &v->dir, false);
#undef LEVEL
    return RM_OK;
}

/* ---- channels ---- */

uint32_t model_ctrl_bind(struct gpu_model *m, const struct rm_object *o, uint8_t *p, uint32_t len)
{
    (void)len;
    return model_channel_bind(m, o, get_le32(p));
}

uint32_t model_ctrl_schedule(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                             uint32_t len)
{
    (void)len;
    return model_channel_schedule(m, o, p[0] != 0);
}

/* RM on the GSP fills in the channel's number only; the runlist is the driver's to add. */
uint32_t model_ctrl_work_token(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                               uint32_t len)
{
    const struct channel *c = model_channel_of(m, o);
    (void)len;
    if (c == NULL) {
        return RM_INVALID_ARGUMENT;
    }
    put_le32(p, c->chid);
    return RM_OK;
}

/* Context buffers for a channel: there must be such a channel, and they must be in memory. */
uint32_t model_ctrl_promote_ctx(struct gpu_model *m, const struct rm_object *o, uint8_t *p,
                                uint32_t len)
{
    enum { ENTRIES = 16, APERTURE = 3 };
    const struct gsp_layout *l = m->gsp->l;
#define PARAM(field)    fw_get(p, len, l->NV2080_CTRL_GPU_PROMOTE_CTX_PARAMS.field)
#define ENTRY(field, i) fw_get_at(p, len, l->NV2080_CTRL_GPU_PROMOTE_CTX_PARAMS.field, i)
    const uint32_t count = (uint32_t)PARAM(entryCount);
    if (model_rm_find(m, PARAM(hChanClient) != 0 ? (uint32_t)PARAM(hChanClient) : o->client,
                      (uint32_t)PARAM(hObject)) == NULL) {
        return RM_OBJECT_NOT_FOUND;
    }
    if (count > ENTRIES) {
        return RM_INVALID_ARGUMENT;
    }
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t base = ENTRY(promoteEntry_gpuPhysAddr, i),
                       size = ENTRY(promoteEntry_size, i);
        const bool video = (ENTRY(promoteEntry_physAttr, i) & APERTURE) == 0;
        if (size != 0 && video && !range_ok(base, size, m->vram->size)) {
            return RM_INVALID_ARGUMENT;
        }
    }
#undef ENTRY
#undef PARAM
    return RM_OK;
}
