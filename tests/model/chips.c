/* SPDX-License-Identifier: MIT */
/*
 * What chips differ in, as data. Readings of real boards: spec sheets measured.md 2, 6 (BOOT_0,
 * HWCFG2); the rest registers.md 1, 4-9, boot.md 5, 11. A chip that is not listed here is not
 * modelled; a value nobody has published is derived as its comment says.
 */
#include "tests/model/chips.h"

#include <string.h>

#include "tests/model/model.h"

/* HWCFG2 of a real GA10x GSP, of an AD104 SEC2, and of a GB205 GSP, before boot (measured.md 6); no
 * other chip's was published, so its neighbours read the same. */
#define HWCFG2_GSP     0x47f7u
#define HWCFG2_SEC2    0x67b7u
#define HWCFG2_GSP_FSP 0x818787f7u /* the lockdown bit comes from the state */

/* BOOT_42 follows from the chip id: arch 29:24, implementation 23:20, revision A1 (registers.md 1).
 */
#define BOOT_42(arch, impl) ((uint32_t)(arch) << 24 | (uint32_t)(impl) << 20 | 0xa1000u)
/* BOOT_0; GA10x reads with bits 31 and 29 set (measured.md 2). */
#define BOOT_0(arch, impl) ((uint32_t)(arch) << 24 | (uint32_t)(impl) << 20 | 0xa1u)
#define GA10X_HIGH_BITS    0xa0000000u

/* The sequencer programme of real Ampere and Ada firmware is about 1570 words and takes two queue
 * slots, Turing's is 490 and takes one (measured.md 7). Ours is the shortest that still takes two.
 */
enum { SEQ_DWORDS_TWO_SLOTS = 1060, SEQ_DWORDS_ONE_SLOT = 490, SEQ_TRANSFERS = 16 };

enum { DMA_BITS = 47, DMA_BITS_EP = 52 };

#define FLUSH(low, high, high_mask)                                                                \
    {.lo = low##__OFFSET, .hi = high##__OFFSET, .hi_mask = (high_mask)}
#define FLUSH_NISO      FLUSH(NV_PFB_NISO_FLUSH_SYSMEM_ADDR, NV_PFB_NISO_FLUSH_SYSMEM_ADDR_HI, 0xffffff)
#define FLUSH_RAW(base) FLUSH(base##_LO, base##_HI, 0xfffff)

#define ID(chip_name, dir, section, fam, arch, impl)                                               \
    .name = (chip_name), .fw_dir = (dir), .sig_section = ".fwsignature_" section, .family = (fam), \
    .boot0 = BOOT_0(arch, impl), .boot42 = BOOT_42(arch, impl)
/* Booted by FWSEC and booter. */
#define FALCON_BOOTED(seq)                                                                         \
    .hwcfg2_gsp = HWCFG2_GSP, .hwcfg2_sec2 = HWCFG2_SEC2, .leaf_count = 8, .dma_bits = DMA_BITS,   \
    .seq_dwords = (seq), .seq_transfers = SEQ_TRANSFERS, .mirror_base = MIRROR_XVE
/* Booted by the FSP. No CPU sequencer, no falcon program of the driver's. */
#define FSP_BOOTED(kind, ready, window)                                                            \
    .hwcfg2_gsp = HWCFG2_GSP_FSP, .hwcfg2_sec2 = HWCFG2_SEC2, .leaf_count = 16,                    \
    .dma_bits = DMA_BITS_EP, .mirror_base = MIRROR_EP, .libos3 = true, .fsp = &(kind),             \
    .fsp_ready = ready##__OFFSET, .window_mask = (window)

#define TURING(chip_name, dir, section, impl)                                                      \
    {                                                                                              \
        ID(chip_name, dir, section, F_TU, 0x16, impl),                                             \
        FALCON_BOOTED(SEQ_DWORDS_ONE_SLOT),                                                        \
        .pio = true,                                                                               \
        .fb_range = true,                                                                          \
        .frts = true,                                                                              \
        .flush = {{.lo = NV_PFB_NISO_FLUSH_SYSMEM_ADDR__OFFSET}},                                  \
    }
#define GA10X(chip_name, impl)                                                                     \
    {                                                                                              \
        .name = (chip_name),                                                                       \
        .fw_dir = "ga102",                                                                         \
        .sig_section = ".fwsignature_ga10x",                                                       \
        .family = F_GA10X,                                                                         \
        .boot0 = GA10X_HIGH_BITS | BOOT_0(0x17, impl),                                             \
        .boot42 = BOOT_42(0x17, impl),                                                             \
        FALCON_BOOTED(SEQ_DWORDS_TWO_SLOTS),                                                       \
        .libos3 = true,                                                                            \
        .frts = true,                                                                              \
        .flush = {FLUSH_NISO},                                                                     \
    }
#define AD10X(chip_name, impl)                                                                     \
    {                                                                                              \
        ID(chip_name, "ad102", "ad10x", F_AD10X, 0x19, impl),                                      \
        FALCON_BOOTED(SEQ_DWORDS_TWO_SLOTS),                                                       \
        .libos3 = true,                                                                            \
        .frts = true,                                                                              \
        .flush = {FLUSH_NISO},                                                                     \
    }
#define GB10X(chip_name, impl)                                                                     \
    {                                                                                              \
        ID(chip_name, "gb100", "gb10x", F_GB10X, 0x1a, impl),                                      \
        FSP_BOOTED(fsp_gb10x, NV_THERM_I2CS_SCRATCH_FSP_BOOT_COMPLETE, 0x7fffff),                  \
        .flush = {FLUSH_RAW(NV_PFB_HSHUB0_PCIE_FLUSH_SYSMEM_ADDR),                                 \
                  FLUSH_RAW(NV_PFB_HSHUB0_EG_PCIE_FLUSH_SYSMEM_ADDR)},                             \
    }
#define GB20X(chip_name, impl)                                                                     \
    {                                                                                              \
        ID(chip_name, "gb202", "gb20x", F_GB20X, 0x1b, impl),                                      \
        FSP_BOOTED(fsp_gb20x, NV_THERM_I2CS_SCRATCH_FSP_BOOT_COMPLETE_GB20X, 0xffffff),            \
        .notices = true,                                                                           \
        .flush = {FLUSH_RAW(NV_PFB_FBHUB0_PCIE_FLUSH_SYSMEM_ADDR)},                                \
    }

/* boot.md 5.2, 11.3, 11.5; firmware.md 6.3. */
enum { RSA3K = 384, P384_KEY = 97, P384_SIG = 96, PMU_RESERVED = 0x1820000, FRTS_GB = 0x1c00000 };
static const struct model_fsp_kind fsp_gh100 = {.cot_version = 1,
                                                .key_bytes = RSA3K,
                                                .sig_bytes = RSA3K,
                                                .frts_from_end = MIB(2),
                                                .non_wpr_heap = MIB(2)};
static const struct model_fsp_kind fsp_gb10x = {.cot_version = 2,
                                                .key_bytes = P384_KEY,
                                                .sig_bytes = P384_SIG,
                                                .frts_from_end = FRTS_GB,
                                                .non_wpr_heap = MIB(2),
                                                .pmu_reserved = PMU_RESERVED};
static const struct model_fsp_kind fsp_gb20x = {.cot_version = 2,
                                                .key_bytes = P384_KEY,
                                                .sig_bytes = P384_SIG,
                                                .frts_from_end = FRTS_GB,
                                                .non_wpr_heap = 0x220000,
                                                .pmu_reserved = PMU_RESERVED};

static const struct model_chip chips[] = {
    TURING("tu102", "tu102", "tu10x", 2),
    TURING("tu104", "tu102", "tu10x", 4),
    TURING("tu106", "tu102", "tu10x", 6),
    TURING("tu116", "tu116", "tu11x", 8),
    TURING("tu117", "tu116", "tu11x", 7),
    {
        ID("ga100", "ga100", "ga100", F_GA100, 0x17, 0),
        FALCON_BOOTED(SEQ_DWORDS_ONE_SLOT),
        .pio = true,
        .fb_range = true,
        .flush = {FLUSH_NISO},
    },
    GA10X("ga102", 2),
    GA10X("ga103", 3),
    GA10X("ga104", 4),
    GA10X("ga106", 6),
    GA10X("ga107", 7),
    AD10X("ad102", 2),
    AD10X("ad103", 3),
    AD10X("ad104", 4),
    AD10X("ad106", 6),
    AD10X("ad107", 7),
    {
        ID("gh100", "gh100", "gh100", F_GH100, 0x18, 0),
        FSP_BOOTED(fsp_gh100, NV_THERM_I2CS_SCRATCH_FSP_BOOT_COMPLETE, 0x3fffff),
        /* nova writes the older pair here, others the newer (registers.md 5). */
        .flush = {FLUSH_RAW(NV_PFB_FBHUB_PCIE_FLUSH_SYSMEM_ADDR), FLUSH_NISO},
    },
    GB10X("gb100", 0),
    GB10X("gb102", 2),
    GB20X("gb202", 2),
    GB20X("gb203", 3),
    GB20X("gb205", 5),
    GB20X("gb206", 6),
    GB20X("gb207", 7),
};

const struct model_chip *model_chip_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(chips); i++) {
        if (strcmp(chips[i].name, name) == 0) {
            return &chips[i];
        }
    }
    return NULL;
}

const char *model_chip_name(size_t index)
{
    return index < ARRAY_SIZE(chips) ? chips[index].name : NULL;
}
