/* SPDX-License-Identifier: MIT */
/*
 * What chips and boards differ in, as data. Readings of real boards: spec sheets measured.md 1-3, 6
 * (configuration space, BOOT_0, usable memory, HWCFG2). A chip that is not listed here is not
 * modelled; a value nobody has published is derived as its comment says.
 */
#include <string.h>

#include "tests/model/model_priv.h"

/* HWCFG2 of a real GA10x GSP and of an AD104 SEC2 before boot (measured.md 6); no other chip's was
 * published, so its family's neighbours read the same. */
enum { HWCFG2_GSP = 0x47f7, HWCFG2_SEC2 = 0x67b7 };

/* BOOT_42 follows from the chip id: arch 29:24, implementation 23:20, revision A1 (registers.md 1).
 */
#define BOOT_42(arch, impl) ((uint32_t)(arch) << 24 | (uint32_t)(impl) << 20 | 0xa1000u)
/* BOOT_0 of Turing and Ada; GA10x reads with bits 31 and 29 set (measured.md 2). */
#define BOOT_0(arch, impl) ((uint32_t)(arch) << 24 | (uint32_t)(impl) << 20 | 0xa1u)
#define BOOT_0_GA10X(impl) (0xa0000000u | BOOT_0(0x17, impl))

/* The sequencer programme of real Ampere and Ada firmware is about 1570 words and takes two queue
 * slots, Turing's is 490 and takes one (measured.md 7). Ours is the shortest that still takes two.
 */
enum { SEQ_DWORDS_TWO_SLOTS = 1060, SEQ_DWORDS_ONE_SLOT = 490, SEQ_TRANSFERS = 16 };

#define GA10X(chip_name, impl)                                                                     \
    {                                                                                              \
        .name = chip_name,                                                                         \
        .fw_dir = "ga102",                                                                         \
        .sig_section = ".fwsignature_ga10x",                                                       \
        .family = F_GA10X,                                                                         \
        .boot0 = BOOT_0_GA10X(impl),                                                               \
        .boot42 = BOOT_42(0x17, impl),                                                             \
        .hwcfg2_gsp = HWCFG2_GSP,                                                                  \
        .hwcfg2_sec2 = HWCFG2_SEC2,                                                                \
        .leaf_count = 8,                                                                           \
        .dma_bits = 47,                                                                            \
        .seq_dwords = SEQ_DWORDS_TWO_SLOTS,                                                        \
        .seq_transfers = SEQ_TRANSFERS,                                                            \
        .mirror_base = 0x88000,                                                                    \
        .libos3 = true,                                                                            \
    }
#define AD10X(chip_name, impl)                                                                     \
    {                                                                                              \
        .name = chip_name,                                                                         \
        .fw_dir = "ad102",                                                                         \
        .sig_section = ".fwsignature_ad10x",                                                       \
        .family = F_AD10X,                                                                         \
        .boot0 = BOOT_0(0x19, impl),                                                               \
        .boot42 = BOOT_42(0x19, impl),                                                             \
        .hwcfg2_gsp = HWCFG2_GSP,                                                                  \
        .hwcfg2_sec2 = HWCFG2_SEC2,                                                                \
        .leaf_count = 8,                                                                           \
        .dma_bits = 47,                                                                            \
        .seq_dwords = SEQ_DWORDS_TWO_SLOTS,                                                        \
        .seq_transfers = SEQ_TRANSFERS,                                                            \
        .mirror_base = 0x88000,                                                                    \
        .libos3 = true,                                                                            \
    }

static const struct model_chip chips[] = {
    GA10X("ga102", 2), GA10X("ga103", 3), GA10X("ga104", 4), GA10X("ga106", 6), GA10X("ga107", 7),
    AD10X("ad102", 2), AD10X("ad103", 3), AD10X("ad104", 4), AD10X("ad106", 6), AD10X("ad107", 7),
};

/* RAM types: rpc.md D3. */
enum { RAM_GDDR6 = 0x11, RAM_GDDR6X = 0x12 };
/* Resizable BAR sizes: bit 4 + n means 2^n MiB; 64 MiB (n = 6) up to 2^max MiB. */
#define BAR1_SIZES(max) (((2u << (max)) - (1u << 6)) << 4)

/* Subsystem ids: 1462:397d and 19da:c630 were read off boards (measured.md 0); boards without a
 * published one carry the first. Fuses: FWSEC's ucode at version 1; booter's at version 1, which
 * the real files need on GA102 (firmware.md 5.2). Displays are fused off: the model has no display,
 * and a driver then leaves it alone. */
#define BOARD_COMMON                                                                               \
    .layout = CFG_P1, .subvendor = 0x1462, .subdevice = 0x397d, .class_code = 0x030000,            \
    .bar0_mib = 16, .bar1_mib = 256, .bar3_mib = 32, .display = false, .fuse_gsp_fwsec = 1,        \
    .fuse_sec2_booter = 1, .msi_vectors = 1
static const struct model_board boards[] = {
    {.name = "rtx3090",
     .chip = "ga102",
     .title = "NVIDIA GeForce RTX 3090",
     .short_title = "GA102-A",
     .device = 0x2204,
     .vram_bytes = GIB(24),
     .vram_less = MIB(8),
     .bar1_sizes = BAR1_SIZES(15),
     .ram_type = RAM_GDDR6X,
     .bus_width = 384,
     .fbp_mask = 0x3f,
     .l2_bytes = 0x600000,
     .gpc_mask = 0x7f,
     .tpc_mask = 0x3f,
     .vbios_version = "94.02.4b.00.0b",
     BOARD_COMMON},
    {.name = "rtx3080",
     .chip = "ga102",
     .title = "NVIDIA GeForce RTX 3080",
     .short_title = "GA102-A",
     .device = 0x2206,
     .vram_bytes = GIB(10),
     .vram_less = MIB(6),
     .bar1_sizes = BAR1_SIZES(14),
     .ram_type = RAM_GDDR6X,
     .bus_width = 320,
     .fbp_mask = 0x1f,
     .l2_bytes = 0x500000,
     .gpc_mask = 0x3f,
     .tpc_mask = 0x3f,
     .vbios_version = "94.02.26.48.70",
     BOARD_COMMON},
    {.name = "rtx3080ti-laptop",
     .chip = "ga103",
     .title = "NVIDIA GeForce RTX 3080 Ti Laptop GPU",
     .short_title = "GA103-A",
     .device = 0x2420,
     .vram_bytes = GIB(16),
     .vram_less = MIB(8),
     .bar1_sizes = BAR1_SIZES(14),
     .ram_type = RAM_GDDR6,
     .bus_width = 256,
     .fbp_mask = 0xf,
     .l2_bytes = 0x400000,
     .gpc_mask = 0x3f,
     .tpc_mask = 0x1f,
     .vbios_version = "94.03.18.00.06",
     BOARD_COMMON},
    {.name = "rtxa4000",
     .chip = "ga104",
     .title = "NVIDIA RTX A4000",
     .short_title = "GA104-A",
     .device = 0x24b0,
     .vram_bytes = GIB(16),
     .vram_less = MIB(8),
     .bar1_sizes = BAR1_SIZES(14),
     .ram_type = RAM_GDDR6,
     .bus_width = 256,
     .fbp_mask = 0xf,
     .l2_bytes = 0x400000,
     .gpc_mask = 0x3f,
     .tpc_mask = 0xf,
     .vbios_version = "94.04.35.00.25",
     BOARD_COMMON},
    {.name = "rtx3060",
     .chip = "ga106",
     .title = "NVIDIA GeForce RTX 3060",
     .short_title = "GA106-A",
     .device = 0x2504,
     .vram_bytes = GIB(12),
     .vram_less = 0,
     .bar1_sizes = BAR1_SIZES(14),
     .ram_type = RAM_GDDR6,
     .bus_width = 192,
     .fbp_mask = 7,
     .l2_bytes = 0x240000,
     .gpc_mask = 7,
     .tpc_mask = 0x1f,
     .vbios_version = "94.06.37.00.40",
     BOARD_COMMON},
    {.name = "rtx3050-laptop",
     .chip = "ga107",
     .title = "NVIDIA GeForce RTX 3050 Laptop GPU",
     .short_title = "GA107-A",
     .device = 0x25a2,
     .vram_bytes = GIB(4),
     .vram_less = 0,
     .bar1_sizes = BAR1_SIZES(12),
     .ram_type = RAM_GDDR6,
     .bus_width = 128,
     .fbp_mask = 3,
     .l2_bytes = 0x200000,
     .gpc_mask = 3,
     .tpc_mask = 0x1f,
     .vbios_version = "94.07.2a.00.13",
     BOARD_COMMON},
    {.name = "rtx4090",
     .chip = "ad102",
     .title = "NVIDIA GeForce RTX 4090",
     .short_title = "AD102-A",
     .device = 0x2684,
     .vram_bytes = GIB(24),
     .vram_less = MIB(12),
     .bar1_sizes = BAR1_SIZES(15),
     .ram_type = RAM_GDDR6X,
     .bus_width = 384,
     .fbp_mask = 0x3f,
     .l2_bytes = 0x4800000,
     .gpc_mask = 0x7ff,
     .tpc_mask = 0x3f,
     .vbios_version = "95.02.18.80.87",
     BOARD_COMMON},
    {.name = "rtx4080",
     .chip = "ad103",
     .title = "NVIDIA GeForce RTX 4080",
     .short_title = "AD103-A",
     .device = 0x2704,
     .vram_bytes = GIB(16),
     .vram_less = MIB(8),
     .bar1_sizes = BAR1_SIZES(14),
     .ram_type = RAM_GDDR6X,
     .bus_width = 256,
     .fbp_mask = 0xf,
     .l2_bytes = 0x4000000,
     .gpc_mask = 0x7f,
     .tpc_mask = 0x3f,
     .vbios_version = "95.03.0e.00.01",
     BOARD_COMMON},
    {.name = "rtx4070super",
     .chip = "ad104",
     .title = "NVIDIA GeForce RTX 4070 SUPER",
     .short_title = "AD104-A",
     .device = 0x2783,
     .vram_bytes = GIB(12),
     .vram_less = MIB(6),
     .bar1_sizes = BAR1_SIZES(14),
     .ram_type = RAM_GDDR6X,
     .bus_width = 192,
     .fbp_mask = 7,
     .l2_bytes = 0x3000000,
     .gpc_mask = 0x1f,
     .tpc_mask = 0x3f,
     .vbios_version = "95.04.31.00.01",
     BOARD_COMMON},
    {.name = "rtx4060ti",
     .chip = "ad106",
     .title = "NVIDIA GeForce RTX 4060 Ti",
     .short_title = "AD106-A",
     .device = 0x2803,
     .vram_bytes = GIB(8),
     .vram_less = 0,
     .bar1_sizes = BAR1_SIZES(13),
     .ram_type = RAM_GDDR6,
     .bus_width = 128,
     .fbp_mask = 3,
     .l2_bytes = 0x2000000,
     .gpc_mask = 7,
     .tpc_mask = 0x3f,
     .vbios_version = "95.06.1f.00.01",
     BOARD_COMMON},
    {.name = "rtx4060",
     .chip = "ad107",
     .title = "NVIDIA GeForce RTX 4060",
     .short_title = "AD107-A",
     .device = 0x2882,
     .vram_bytes = GIB(8),
     .vram_less = 0,
     .bar1_sizes = BAR1_SIZES(13),
     .ram_type = RAM_GDDR6,
     .bus_width = 128,
     .fbp_mask = 3,
     .l2_bytes = 0x1800000,
     .gpc_mask = 7,
     .tpc_mask = 0xf,
     .vbios_version = "95.07.1a.00.01",
     BOARD_COMMON},
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

const struct model_board *model_board_find(const struct model_chip *chip, const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(boards); i++) {
        if (strcmp(boards[i].chip, chip->name) == 0 &&
            (name == NULL || strcmp(boards[i].name, name) == 0)) {
            return &boards[i];
        }
    }
    return NULL;
}

const char *model_chip_name(size_t index)
{
    return index < ARRAY_SIZE(chips) ? chips[index].name : NULL;
}

const char *model_board_name(size_t index, const char **chip)
{
    if (index >= ARRAY_SIZE(boards)) {
        return NULL;
    }
    if (chip != NULL) {
        *chip = boards[index].chip;
    }
    return boards[index].name;
}
