/* SPDX-License-Identifier: MIT */
/* The two formats (format.h): entries by the typed words of entry.h, levels as tables. */
#include "mm/gpu/format.h"

#include "mm/gpu/entry.h"
#include "mm/gpu/format_priv.h"

/* Values that did not fit their field at run time: always a bug of ours. */
static struct {
    uint32_t overflows;
} entries;

uint64_t gpu_entry_overflow(uint64_t value, uint64_t max)
{
    entries.overflows++;
    return value & max;
}

uint32_t gpu_entry_overflows(void) { return entries.overflows; }

/* ---- v2 ---- */

typedef struct NV_MMU_VER2_PDE v2_pde;
typedef struct NV_MMU_VER2_DUAL_PDE_BIG v2_big;
typedef struct NV_MMU_VER2_DUAL_PDE_SMALL v2_small;
typedef struct NV_MMU_VER2_PTE v2_pte;

static uint64_t v2_encode_pde(uint64_t table)
{
    v2_pde e = {0};
    e = NV_MMU_VER2_PDE__with_APERTURE(e, NV_MMU_VER2_PDE__APERTURE_VIDEO_MEMORY);
    return NV_MMU_VER2_PDE__with_ADDRESS_VID(e, table >> FL_PAGE_SHIFT).raw;
}

static uint64_t v2_encode_big(uint64_t table)
{
    v2_big e = {0};
    e = NV_MMU_VER2_DUAL_PDE_BIG__with_APERTURE(e, NV_MMU_VER2_PDE__APERTURE_VIDEO_MEMORY);
    return NV_MMU_VER2_DUAL_PDE_BIG__with_ADDRESS_VID(e, table / GPU_BIG_BYTES).raw;
}

/* By aperture; enum gpu_aperture has the order of the header. */
static uint64_t v2_encode_pte(uint64_t pa, const struct gpu_pte_attrs *a)
{
    v2_pte e = {0};
    e = NV_MMU_VER2_PTE__with_VALID(e, 1);
    e = NV_MMU_VER2_PTE__with_APERTURE(e, (uint64_t)a->aperture);
    e = NV_MMU_VER2_PTE__with_VOL(e, a->volatile_);
    e = NV_MMU_VER2_PTE__with_PRIVILEGE(e, a->privileged);
    e = NV_MMU_VER2_PTE__with_READ_ONLY(e, a->read_only);
    e = NV_MMU_VER2_PTE__with_ATOMIC_DISABLE(e, a->no_atomics);
    e = NV_MMU_VER2_PTE__with_KIND(e, a->kind);
    if (a->aperture == GPU_VIDMEM || a->aperture == GPU_PEER) {
        e = NV_MMU_VER2_PTE__with_ADDRESS_VID(e, pa >> FL_PAGE_SHIFT);
        return NV_MMU_VER2_PTE__with_ADDRESS_VID_PEER(e, a->peer).raw;
    }
    return NV_MMU_VER2_PTE__with_ADDRESS_SYS(e, pa >> FL_PAGE_SHIFT).raw;
}

static struct gpu_pde table_at(bool sysmem, uint64_t addr)
{
    return (struct gpu_pde){.is = GPU_PDE_TABLE, .sysmem = sysmem, .addr = addr};
}

static struct gpu_pde v2_decode_pde(uint64_t raw)
{
    const v2_pde e = {raw};
    const uint64_t aperture = NV_MMU_VER2_PDE__APERTURE(e);

    if (NV_MMU_VER2_PDE__IS_PTE(e) != 0) {
        return (struct gpu_pde){.is = GPU_PDE_PAGE};
    }
    if (aperture == NV_MMU_VER2_PDE__APERTURE_INVALID) {
        return (struct gpu_pde){.is = NV_MMU_VER2_PDE__VOL(e) != 0 ? GPU_PDE_SPARSE
                                                                   : GPU_PDE_INVALID};
    }
    if (aperture == NV_MMU_VER2_PDE__APERTURE_VIDEO_MEMORY) {
        return table_at(false, NV_MMU_VER2_PDE__ADDRESS_VID(e) << FL_PAGE_SHIFT);
    }
    return table_at(true, NV_MMU_VER2_PDE__ADDRESS_SYS(e) << FL_PAGE_SHIFT);
}

static struct gpu_pde v2_decode_big(uint64_t raw)
{
    const v2_big e = {raw};
    struct gpu_pde d = v2_decode_pde(raw); /* all but the address stands where it does there */

    if (d.is == GPU_PDE_TABLE) {
        d.addr = (d.sysmem ? NV_MMU_VER2_DUAL_PDE_BIG__ADDRESS_SYS(e)
                           : NV_MMU_VER2_DUAL_PDE_BIG__ADDRESS_VID(e)) *
                 GPU_BIG_BYTES;
    }
    return d;
}

/* Of this half only the aperture says whether there is a table. */
static struct gpu_pde v2_decode_small(uint64_t raw)
{
    const v2_small e = {raw};
    const uint64_t aperture = NV_MMU_VER2_DUAL_PDE_SMALL__APERTURE(e);

    if (aperture == NV_MMU_VER2_PDE__APERTURE_INVALID) {
        return (struct gpu_pde){.is = GPU_PDE_INVALID};
    }
    if (aperture == NV_MMU_VER2_PDE__APERTURE_VIDEO_MEMORY) {
        return table_at(false, NV_MMU_VER2_DUAL_PDE_SMALL__ADDRESS_VID(e) << FL_PAGE_SHIFT);
    }
    return table_at(true, NV_MMU_VER2_DUAL_PDE_SMALL__ADDRESS_SYS(e) << FL_PAGE_SHIFT);
}

static struct gpu_pte v2_decode_pte(uint64_t raw)
{
    const v2_pte e = {raw};
    struct gpu_pte d = {.is = GPU_PTE_PAGE};

    if (NV_MMU_VER2_PTE__VALID(e) == 0) {
        /* With and without VOL: nouveau and nvidia-uvm write PRIVILEGE alone, OGKM both. */
        d.is = NV_MMU_VER2_PTE__PRIVILEGE(e) != 0 ? GPU_PTE_NO_4K
               : NV_MMU_VER2_PTE__VOL(e) != 0     ? GPU_PTE_SPARSE
                                                  : GPU_PTE_INVALID;
        return d;
    }
    d.attrs = (struct gpu_pte_attrs){
        .aperture = (enum gpu_aperture)NV_MMU_VER2_PTE__APERTURE(e),
        .volatile_ = NV_MMU_VER2_PTE__VOL(e) != 0,
        .privileged = NV_MMU_VER2_PTE__PRIVILEGE(e) != 0,
        .read_only = NV_MMU_VER2_PTE__READ_ONLY(e) != 0,
        .no_atomics = NV_MMU_VER2_PTE__ATOMIC_DISABLE(e) != 0,
        .kind = (uint8_t)NV_MMU_VER2_PTE__KIND(e),
    };
    if (d.attrs.aperture == GPU_PEER) {
        d.attrs.peer = (uint8_t)NV_MMU_VER2_PTE__ADDRESS_VID_PEER(e);
    }
    d.addr = (d.attrs.aperture == GPU_VIDMEM || d.attrs.aperture == GPU_PEER
                  ? NV_MMU_VER2_PTE__ADDRESS_VID(e)
                  : NV_MMU_VER2_PTE__ADDRESS_SYS(e))
             << FL_PAGE_SHIFT;
    return d;
}

/* ---- v3 ---- */

typedef struct NV_MMU_VER3_PDE v3_pde;
typedef struct NV_MMU_VER3_DUAL_PDE_BIG v3_big;
typedef struct NV_MMU_VER3_DUAL_PDE_SMALL v3_small;
typedef struct NV_MMU_VER3_PTE v3_pte;

/* As nouveau and tinygrad: cached, no ATS (this machine has none). */
static uint64_t v3_encode_pde(uint64_t table)
{
    v3_pde e = {0};
    e = NV_MMU_VER3_PDE__with_APERTURE(e, NV_MMU_VER3_PDE__APERTURE_VIDEO_MEMORY);
    e = NV_MMU_VER3_PDE__with_PCF(e, NV_MMU_VER3_PDE__PCF_VALID_CACHED_ATS_NOT_ALLOWED);
    return NV_MMU_VER3_PDE__with_ADDRESS(e, table >> FL_PAGE_SHIFT).raw;
}

static uint64_t v3_encode_big(uint64_t table)
{
    v3_big e = {0};
    e = NV_MMU_VER3_DUAL_PDE_BIG__with_APERTURE(e, NV_MMU_VER3_PDE__APERTURE_VIDEO_MEMORY);
    e = NV_MMU_VER3_DUAL_PDE_BIG__with_PCF(e, NV_MMU_VER3_PDE__PCF_VALID_CACHED_ATS_NOT_ALLOWED);
    return NV_MMU_VER3_DUAL_PDE_BIG__with_ADDRESS(e, table / GPU_BIG_BYTES).raw;
}

static uint64_t v3_encode_pte(uint64_t pa, const struct gpu_pte_attrs *a)
{
    v3_pte e = {0};
    e = NV_MMU_VER3_PTE__with_VALID(e, 1);
    e = NV_MMU_VER3_PTE__with_APERTURE(e, (uint64_t)a->aperture);
    e = NV_MMU_VER3_PTE__with_PCF_UNCACHED(e, a->volatile_);
    e = NV_MMU_VER3_PTE__with_PCF_PRIVILEGE(e, a->privileged);
    e = NV_MMU_VER3_PTE__with_PCF_READ_ONLY(e, a->read_only);
    e = NV_MMU_VER3_PTE__with_PCF_NO_ATOMIC(e, a->no_atomics);
    e = NV_MMU_VER3_PTE__with_PCF_ACD(e, a->no_access_counting);
    e = NV_MMU_VER3_PTE__with_KIND(e, a->kind);
    e = NV_MMU_VER3_PTE__with_PEER_ID(e, a->peer);
    if (a->aperture == GPU_VIDMEM) {
        return NV_MMU_VER3_PTE__with_ADDRESS_VID(e, pa >> FL_PAGE_SHIFT).raw;
    }
    return NV_MMU_VER3_PTE__with_ADDRESS_SYS(e, pa >> FL_PAGE_SHIFT).raw;
}

static struct gpu_pde v3_decode_pde(uint64_t raw)
{
    const v3_pde e = {raw};
    const uint64_t aperture = NV_MMU_VER3_PDE__APERTURE(e), pcf = NV_MMU_VER3_PDE__PCF(e);

    if (NV_MMU_VER3_PDE__IS_PTE(e) != 0) {
        return (struct gpu_pde){.is = GPU_PDE_PAGE};
    }
    if (aperture == NV_MMU_VER3_PDE__APERTURE_INVALID) {
        const bool sparse = pcf == NV_MMU_VER3_PDE__PCF_SPARSE_ATS_ALLOWED ||
                            pcf == NV_MMU_VER3_PDE__PCF_SPARSE_ATS_NOT_ALLOWED;
        return (struct gpu_pde){.is = sparse ? GPU_PDE_SPARSE : GPU_PDE_INVALID};
    }
    return table_at(aperture != NV_MMU_VER3_PDE__APERTURE_VIDEO_MEMORY, NV_MMU_VER3_PDE__ADDRESS(e)
                                                                            << FL_PAGE_SHIFT);
}

static struct gpu_pde v3_decode_big(uint64_t raw)
{
    const v3_big e = {raw};
    struct gpu_pde d = v3_decode_pde(raw);

    if (d.is == GPU_PDE_TABLE) {
        d.addr = NV_MMU_VER3_DUAL_PDE_BIG__ADDRESS(e) * GPU_BIG_BYTES;
    }
    return d;
}

static struct gpu_pde v3_decode_small(uint64_t raw)
{
    const v3_small e = {raw};
    const uint64_t aperture = NV_MMU_VER3_DUAL_PDE_SMALL__APERTURE(e);

    if (aperture == NV_MMU_VER3_PDE__APERTURE_INVALID) {
        return (struct gpu_pde){.is = GPU_PDE_INVALID};
    }
    return table_at(aperture != NV_MMU_VER3_PDE__APERTURE_VIDEO_MEMORY,
                    NV_MMU_VER3_DUAL_PDE_SMALL__ADDRESS(e) << FL_PAGE_SHIFT);
}

static struct gpu_pte v3_decode_pte(uint64_t raw)
{
    const v3_pte e = {raw};
    struct gpu_pte d = {.is = GPU_PTE_PAGE};

    if (NV_MMU_VER3_PTE__VALID(e) == 0) {
        switch (NV_MMU_VER3_PTE__PCF(e)) {
        case NV_MMU_VER3_PTE__PCF_SPARSE:
            d.is = GPU_PTE_SPARSE;
            break;
        case NV_MMU_VER3_PTE__PCF_MAPPING_NOWHERE:
            d.is = GPU_PTE_NOWHERE;
            break;
        case NV_MMU_VER3_PTE__PCF_NO_VALID_4KB_PAGE:
            d.is = GPU_PTE_NO_4K;
            break;
        default:
            d.is = GPU_PTE_INVALID;
            break;
        }
        return d;
    }
    d.attrs = (struct gpu_pte_attrs){
        .aperture = (enum gpu_aperture)NV_MMU_VER3_PTE__APERTURE(e),
        .volatile_ = NV_MMU_VER3_PTE__PCF_UNCACHED(e) != 0,
        .privileged = NV_MMU_VER3_PTE__PCF_PRIVILEGE(e) != 0,
        .read_only = NV_MMU_VER3_PTE__PCF_READ_ONLY(e) != 0,
        .no_atomics = NV_MMU_VER3_PTE__PCF_NO_ATOMIC(e) != 0,
        .no_access_counting = NV_MMU_VER3_PTE__PCF_ACD(e) != 0,
        .kind = (uint8_t)NV_MMU_VER3_PTE__KIND(e),
    };
    if (d.attrs.aperture == GPU_PEER) {
        d.attrs.peer = (uint8_t)NV_MMU_VER3_PTE__PEER_ID(e);
    }
    d.addr = (d.attrs.aperture == GPU_VIDMEM ? NV_MMU_VER3_PTE__ADDRESS_VID(e)
                                             : NV_MMU_VER3_PTE__ADDRESS_SYS(e))
             << FL_PAGE_SHIFT;
    return d;
}

/* ---- the formats ---- */

#define NO_PAGE GPU_PAGE_COUNT
#define LEVELS_BELOW_PD0                                                                           \
    {"PD0", 21, 8, 1, GPU_PAGE_2M}, {"PT64K", 16, 5, 0, GPU_PAGE_64K},                             \
    {                                                                                              \
        "PT4K", 12, 9, 0, GPU_PAGE_4K                                                              \
    }
/* What a size of page adds is an entry that may be one. */
#define V2_LEVELS(page_512m)                                                                       \
    .level = {{"PD3", 47, 2, 0, NO_PAGE},                                                          \
              {"PD2", 38, 9, 0, NO_PAGE},                                                          \
              {"PD1", 29, 9, 0, page_512m},                                                        \
              LEVELS_BELOW_PD0}
#define V3_LEVELS(page_256g)                                                                       \
    .level = {{"PD4", 56, 1, 0, NO_PAGE},                                                          \
              {"PD3", 47, 9, 0, NO_PAGE},                                                          \
              {"PD2", 38, 9, 0, page_256g},                                                        \
              {"PD1", 29, 9, 0, GPU_PAGE_512M},                                                    \
              LEVELS_BELOW_PD0}
#define V2_COMMON                                                                                  \
    .va_bits = 49, .dirs = 4, .addr_shift = 4, .vidmem_bits = 37, .sysmem_bits = 58,               \
    .sparse_pde = UINT64_C(1) << NV_MMU_VER2_PDE__VOL_SHIFT,                                       \
    .sparse_pte = UINT64_C(1) << NV_MMU_VER2_PTE__VOL_SHIFT,                                       \
    .no_4k = UINT64_C(1) << NV_MMU_VER2_PTE__PRIVILEGE_SHIFT, .encode_pde = v2_encode_pde,         \
    .encode_big = v2_encode_big, .encode_pte = v2_encode_pte, .decode_pde = v2_decode_pde,         \
    .decode_big = v2_decode_big, .decode_small = v2_decode_small, .decode_pte = v2_decode_pte
#define V3_COMMON                                                                                  \
    .va_bits = 57, .dirs = 5, .addr_shift = 0, .vidmem_bits = 40, .sysmem_bits = 52,               \
    .sparse_pde = (uint64_t)NV_MMU_VER3_PDE__PCF_SPARSE_ATS_ALLOWED << NV_MMU_VER3_PDE__PCF_SHIFT, \
    .sparse_pte = (uint64_t)NV_MMU_VER3_PTE__PCF_SPARSE << NV_MMU_VER3_PTE__PCF_SHIFT,             \
    .no_4k = (uint64_t)NV_MMU_VER3_PTE__PCF_NO_VALID_4KB_PAGE << NV_MMU_VER3_PTE__PCF_SHIFT,       \
    .encode_pde = v3_encode_pde, .encode_big = v3_encode_big, .encode_pte = v3_encode_pte,         \
    .decode_pde = v3_decode_pde, .decode_big = v3_decode_big, .decode_small = v3_decode_small,     \
    .decode_pte = v3_decode_pte

const struct gpu_mmu_format gpu_mmu_v2_turing = {
    .name = "MMU v2 (Turing)", V2_COMMON, V2_LEVELS(NO_PAGE)};
const struct gpu_mmu_format gpu_mmu_v2 = {
    .name = "MMU v2 (Ampere, Ada)", V2_COMMON, V2_LEVELS(GPU_PAGE_512M)};
const struct gpu_mmu_format gpu_mmu_v3 = {.name = "MMU v3 (Hopper)", V3_COMMON, V3_LEVELS(NO_PAGE)};
const struct gpu_mmu_format gpu_mmu_v3_blackwell = {
    .name = "MMU v3 (Blackwell)", V3_COMMON, V3_LEVELS(GPU_PAGE_256G)};

/* ---- for everyone ---- */

static const struct {
    const char *name;
    uint64_t bytes;
} pages[GPU_PAGE_COUNT] = {
    {"4K", KIB(4)}, {"64K", KIB(64)}, {"2M", MIB(2)}, {"512M", MIB(512)}, {"256G", GIB(256)},
};

const char *gpu_format_name(const struct gpu_mmu_format *f) { return f->name; }
const char *gpu_page_name(enum gpu_page page)
{
    return page < GPU_PAGE_COUNT ? pages[page].name : "?";
}
uint64_t gpu_page_bytes(enum gpu_page page)
{
    return page < GPU_PAGE_COUNT ? pages[page].bytes : 0;
}
uint64_t gpu_format_va_size(const struct gpu_mmu_format *f) { return UINT64_C(1) << f->va_bits; }

const char *gpu_aperture_name(enum gpu_aperture aperture)
{
    static const char *const names[GPU_APERTURE_COUNT] = {
        "video memory", "peer", "coherent system memory", "non-coherent system memory"};
    return aperture < GPU_APERTURE_COUNT ? names[aperture] : "?";
}

bool gpu_format_has_page(const struct gpu_mmu_format *f, enum gpu_page page)
{
    for (uint32_t i = 0; page < GPU_PAGE_COUNT && i < GPU_LEVELS_MAX; i++) {
        if (f->level[i].name != NULL && f->level[i].page == page) {
            return true;
        }
    }
    return false;
}

const char *gpu_format_refuses(const struct gpu_mmu_format *f, uint64_t pa, uint64_t len,
                               const struct gpu_pte_attrs *a)
{
    if (a->aperture >= GPU_APERTURE_COUNT) {
        return "there is no such aperture";
    }
    if (a->kind >= GPU_KIND_COUNT || a->kind == GPU_KIND_INVALID) {
        return "there is no such page kind";
    }
    if (a->peer > NV_MMU_VER3_PTE__PEER_ID_MAX || (a->peer != 0 && a->aperture != GPU_PEER)) {
        return "a peer is 0 to 7, and only pages of a peer have one";
    }
    if (!is_aligned_u64(pa, FL_PAGE_SIZE) || !is_aligned_u64(len, FL_PAGE_SIZE)) {
        return "address and length must be multiples of 4 KiB";
    }
    /* v2 gives a peer the field of video memory, v3 that of system memory. */
    const bool narrow =
        a->aperture == GPU_VIDMEM || (a->aperture == GPU_PEER && f->addr_shift != 0);
    if (!range_ok(pa, len, UINT64_C(1) << (narrow ? f->vidmem_bits : f->sysmem_bits))) {
        return "the address does not fit its field";
    }
    return NULL;
}
