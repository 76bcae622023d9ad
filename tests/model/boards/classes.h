/* SPDX-License-Identifier: MIT */
/*
 * What boards of a class have in common, and the sources that many values share. Only boards.c
 * includes this; V(field, value, kind, source) is its macro. A value is a READING (read off a board
 * or published by NVIDIA: where), DERIVED (from what), or a GUESS (why it is what it is).
 */
#pragma once

/* RAM types: NV2080_CTRL_FB_INFO_RAM_TYPE of NVIDIA's open kernel module. */
enum { RAM_HBM2 = 0x0f, RAM_GDDR6 = 0x11, RAM_GDDR6X = 0x12, RAM_HBM3 = 0x14, RAM_GDDR7 = 0x15 };

/* Resizable BAR: one size of 2^n MiB; all from 64 MiB up to 2^max MiB. */
#define BAR1_SIZE(n)    (1u << (4 + (n)))
#define BAR1_SIZES(max) (((2u << (max)) - (1u << 6)) << 4)

/* ---- sources ---- */

#define NVIDIA_LIST        "list of GPUs in the README of NVIDIA/open-gpu-kernel-modules"
#define SPEC               "NVIDIA's specification of the board"
#define LIKE(board)        "as " board ", which is of the same class"
#define KAYFABE(what)      what " of an RTX 3060, reindertpelsma/kayfabe"
#define LSPCI_3090         "lspci of an RTX 3090, HeyMeco/Rockchip-pcie-devices, xCuri0/ReBarUEFI"
#define MSIX_HEADER        "NVIDIA's headers, dev_vm.h (open-gpu-kernel-modules)"
#define GA100_IFR          "GA100 shows its header (nova-core); each version is on one of three boards"
#define GA100_ONLY         "GA100 alone has such a range (nouveau)"
#define ONE_SIGNATURE      "ga102/gsp/booter_load of linux-firmware is signed for version 1 only"
#define SIZES_UP_TO_MEMORY "the power of two above its memory, as boards that were read have it"
#define BUS_SHARES         "a partition has 64 bits of the bus; of HBM 512, Blackwell's 1024"
#define CLASS_WITHOUT      "its PCI class has no display"
#define ECC_ADA            "an AD10x answers controls 0x20803400 and 0x20801344, reindertpelsma/kayfabe"
#define ROWS_AMPERE        "rows are remapped from Ampere on (NVIDIA's memory error management guide)"
#define ROWS_DC            "NVIDIA's memory error management guide"
/* Guesses. */
#define NO_POWER       "nobody has published it; as the board of the same chip"
#define LAPTOP_POWER   "the most of NVIDIA's range; each maker sets his own; no board was read"
#define NO_ECC         "no board was read; as an RTX 3060, which refuses"
#define ECC_AS_ADA     "as Ada; no board was read"
#define NO_SHORT_TITLE "the chip's name and -A; no board was read"
#define NO_VBIOS       "a version of the chip's family; no board was read"
#define NO_L2          "nobody has published it"
#define NO_BOARD       "no such board was published"
#define NO_GB10X       "nobody has published a GB10x board's configuration space: Hopper's"
#define NOTHING_LESS   "no board was read; an RTX 3050 of 8 GiB and a GTX 1650 have all of it"
#define LESS_AS_OTHERS "no board was read; as much less as on some that were"
#define LESS_AS_GB205  "no board was read; as much less as on a GB205"
#define UNITS          "as many as the chip has; what is fused off was not published"
#define AS_GA102       "as GA102; no fuse was read"
#define DISPLAY_OFF    "boards of this class have one; shown fused off, so drivers leave it alone"
#define NO_WORKSPACE   "no board was read; a driver then takes the end of memory"
#define VF_LEFT_OUT    "a board has one, but where its capability lies was not published"

/* ---- classes ---- */

#define SUBSYSTEM(kind, source)                                                                    \
    V(subvendor, 0x1462, kind, source) V(subdevice, 0x397d, kind, source)
#define FWSEC_FUSED(version, kind, source) V(fuse_gsp_fwsec, (1u << (version)) - 1, kind, source)

/* Of all boards but GA100's and data-centre ones. */
#define NO_GA100_THINGS                                                                            \
    V(vbios_ifr, 0, DERIVED, "hidden by hardware but for GA100 (nova-core)")                       \
    V(lock_bytes, 0, DERIVED, GA100_ONLY)
#define NO_VFS(kind, source) V(vf_count, 0, kind, source) V(vf_device, 0, kind, source)

/* Turing to Ada with display. */
#define DISPLAY_BOARD(gen, kind, source)                                                           \
    V(layout, CFG_P1, kind, source)                                                                \
    V(class_code, 0x030000, kind, source)                                                          \
    V(bar0_mib, 16, kind, source)                                                                  \
    V(bar1_mib, 256, kind, source)                                                                 \
    V(bar3_mib, 32, kind, source)                                                                  \
    V(link_gen, gen, kind, source)                                                                 \
    V(endpoint, false, kind, source)                                                               \
    V(no_flr, false, kind, source)                                                                 \
    V(msi_vectors, 1, kind, source)                                                                \
    V(msix_vectors, 0, kind, source)                                                               \
    NO_VFS(kind, source)                                                                           \
    NO_GA100_THINGS                                                                                \
    V(display, false, GUESS, DISPLAY_OFF)                                                          \
    V(vga_workspace, 0, GUESS, NO_WORKSPACE)

/* Data centre, Turing to Ada: MSI hidden. BAR1, FLR and virtual functions are the board's own. */
#define DATA_CENTRE_BOARD(gen, kind, source)                                                       \
    V(layout, CFG_P2, kind, source)                                                                \
    V(class_code, 0x030200, kind, source)                                                          \
    V(bar0_mib, 16, kind, source)                                                                  \
    V(bar3_mib, 32, kind, source)                                                                  \
    V(link_gen, gen, kind, source)                                                                 \
    V(endpoint, true, kind, source)                                                                \
    V(msi_vectors, 0, kind, source)                                                                \
    V(msix_vectors, 6, DERIVED, MSIX_HEADER)                                                       \
    V(vf_device, 0, GUESS, "as on a Turing board of this class")                                   \
    V(display, false, DERIVED, CLASS_WITHOUT)                                                      \
    V(vga_workspace, 0, DERIVED, CLASS_WITHOUT)

/* Hopper. BAR1 and MSI-X are the board's own. */
#define HOPPER_BOARD(kind, source)                                                                 \
    V(layout, CFG_P3, kind, source)                                                                \
    V(class_code, 0x030200, kind, source)                                                          \
    V(bar0_mib, 16, kind, source)                                                                  \
    V(bar3_mib, 32, kind, source)                                                                  \
    V(link_gen, 5, kind, source)                                                                   \
    V(endpoint, true, kind, source)                                                                \
    V(no_flr, false, kind, source)                                                                 \
    V(msi_vectors, 16, kind, source)                                                               \
    NO_VFS(kind, source)                                                                           \
    NO_GA100_THINGS                                                                                \
    V(display, false, DERIVED, CLASS_WITHOUT)                                                      \
    V(vga_workspace, 0, DERIVED, CLASS_WITHOUT)

/* Blackwell with display. */
#define BLACKWELL_BOARD(kind, source)                                                              \
    V(layout, CFG_P4, kind, source)                                                                \
    V(class_code, 0x030000, kind, source)                                                          \
    V(bar0_mib, 64, kind, source)                                                                  \
    V(bar1_mib, 256, kind, source)                                                                 \
    V(bar3_mib, 32, kind, source)                                                                  \
    V(link_gen, 5, kind, source)                                                                   \
    V(endpoint, false, kind, source)                                                               \
    V(no_flr, false, kind, source)                                                                 \
    V(msi_vectors, 16, kind, source)                                                               \
    V(msix_vectors, 0, kind, source)                                                               \
    NO_VFS(GUESS, VF_LEFT_OUT)                                                                     \
    NO_GA100_THINGS                                                                                \
    V(display, true, DERIVED, "its PCI class is a display controller's")                           \
    V(vga_workspace, 0, DERIVED, "drivers do not read it when the FSP boots the GSP")
