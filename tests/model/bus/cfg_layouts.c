/* SPDX-License-Identifier: MIT */
/* The classes of configuration space that real boards show; see config.h. Source: measured.md 1. */
#include "tests/model/bus/cfg_layouts.h"

#include "arch/base.h"
#include "tests/model/boards/boards.h"

enum { /* capability ids, standard and extended (PCI, PCI Express base specification) */
       CAP_NULL = 0,
       CAP_PM = 1,
       CAP_MSI = 5,
       CAP_VENDOR = 9,
       CAP_PCIE = 0x10,
       CAP_MSIX = 0x11,
       EXT_NULL = 0,
       EXT_AER = 1,
       EXT_VC = 2,
       EXT_SERIAL = 3,
       EXT_PWR = 4,
       EXT_VSEC = 0xb,
       EXT_ARI = 0xe,
       EXT_SRIOV = 0x10,
       EXT_REBAR = 0x15,
       EXT_LTR = 0x18,
       EXT_SECPCI = 0x19,
       EXT_L1SS = 0x1e,
       EXT_DLF = 0x25,
       EXT_PL16G = 0x26,
       EXT_LMR = 0x27
};

/* ---- P1, P2: Turing to Ada ---- */

static const struct cfg_cap p1_caps[] = {
    {0x60, CAP_PM}, {0x68, CAP_MSI}, {0x78, CAP_PCIE}, {0xb4, CAP_VENDOR}};
/* The MSI structure is there with its id zeroed; MSI-X behind the vendor capability. */
static const struct cfg_cap p2_caps[] = {
    {0x60, CAP_PM}, {0x68, CAP_NULL}, {0x78, CAP_PCIE}, {0xb4, CAP_VENDOR}, {0xc8, CAP_MSIX}};

#define P1_EXT_COMMON                                                                              \
    {0x100, EXT_VC, 1, 0, false}, {0x250, EXT_LTR, 1, 0, false}, {0x258, EXT_L1SS, 1, 0, false},   \
        {0x128, EXT_PWR, 1, 0, false}, {0x420, EXT_AER, 2, 0, false},                              \
        {0x600, EXT_VSEC, 1, 0, false}, {0x900, EXT_SECPCI, 1, 0, false},                          \
    {                                                                                              \
        0xbb0, EXT_REBAR, 1, 0, false                                                              \
    }
#define P1_EXT_GEN4                                                                                \
    {0xc1c, EXT_PL16G, 1, 4, false}, {0xd00, EXT_LMR, 1, 4, false}, { 0xe00, EXT_DLF, 1, 4, false }
static const struct cfg_ext p1_ext[] = {P1_EXT_COMMON, P1_EXT_GEN4};
static const struct cfg_ext p2_ext[] = {
    P1_EXT_COMMON, {0xbcc, EXT_SRIOV, 1, 0, true}, {0xc14, EXT_ARI, 1, 0, true}, P1_EXT_GEN4};

/* Power management v3, PME from D0 and D3hot, no soft reset. PCI Express: MaxReadReq 512;
 * completion time-outs A B, LTR, 10-bit tags. VC0 enabled for all classes. VSEC id 1, revision 1,
 * 0x24 long. 0x50 bit 0: ROM shadow, which nouveau toggles around PROM reads (vbios.md 1). 0x488:
 * Linux's HD audio quirk wants plain storage (vfio-user.md 4). */
#define P1_WORDS                                                                                   \
    {0x62, 2, 0x4803, 0}, {0x64, 2, 0x0008, 0x0103}, {0x80, 2, 0x2910, 0x7fff},                    \
        {0x88, 2, 0x0040, 0x0fdb}, {0x9c, 4, 0x00030813, 0}, {0xa0, 2, 0, 0x14ff},                 \
        {0xb6, 2, 0x14, 0}, {0x114, 4, 0x800000ff, 0xfe}, {0x12c, 4, 0, 0xff},                     \
        {0x254, 4, 0, 0x1fff1fff}, {0x25c, 4, 0x0028ff1f, 0}, {0x260, 4, 0, 0xe3ffff0f},           \
        {0x264, 4, 0x28, 0xfb}, {0x428, 4, 0, 0x03fff030}, {0x42c, 4, 0x00462030, 0x03fff030},     \
        {0x434, 4, 0xa000, 0xf1c1}, {0x438, 4, 0xa0, 0x140}, {0x604, 4, 0x02410001, 0},            \
        {0x50, 4, 1, 1}, {0x488, 4, 0, 0xffffffff}
static const struct cfg_word p1_words[] = {P1_WORDS};
/* The hidden MSI's body; ARI: next function 1. */
static const struct cfg_word p2_words[] = {P1_WORDS, {0x6a, 2, 0x0080, 0}, {0xc18, 2, 0x0100, 0}};

/* ---- P3: Hopper; P4: Blackwell with display ---- */

static const struct cfg_cap p3_caps[] = {
    {0x40, CAP_PM}, {0x48, CAP_MSI}, {0x60, CAP_PCIE}, {0x9c, CAP_VENDOR}, {0xb0, CAP_MSIX}};
static const struct cfg_cap p4_caps[] = {
    {0x40, CAP_PM}, {0x48, CAP_MSI}, {0x60, CAP_PCIE}, {0x9c, CAP_VENDOR}};
static const struct cfg_ext p3_ext[] = {
    {0x100, EXT_NULL, 0, 0, false},  {0x12c, EXT_LTR, 1, 0, false},
    {0x134, EXT_REBAR, 1, 0, false}, {0x1b8, EXT_AER, 2, 0, false},
    {0x2a4, EXT_VSEC, 1, 0, false},  {0x2b8, EXT_PWR, 1, 0, false},
    {0x2f0, EXT_SERIAL, 1, 0, false}};
/* Of P4 only 0x134 was published, and that there is SR-IOV with one function, but not where; the
 * VSEC is where the open kernel module looks for it (registers.md 2). */
static const struct cfg_ext p4_ext[] = {
    {0x100, EXT_NULL, 0, 0, false},
    {0x134, EXT_REBAR, 1, 0, false},
    {0x1b8, EXT_AER, 2, 0, false},
    {0x2a4, EXT_VSEC, 1, 0, false},
};
#define P3_WORDS                                                                                   \
    {0x44, 2, 0x0008, 0x0103}, {0x68, 2, 0x2910, 0x7fff}, {0x70, 2, 0x0040, 0x0fdb},               \
        {0x84, 4, 0x00030813, 0}, {0x88, 2, 0, 0x14ff}, {0x9e, 2, 0x14, 0},                        \
        {0x1c0, 4, 0, 0x03fff030}, {0x1c4, 4, 0x00462030, 0x03fff030}, {0x1cc, 4, 0xa000, 0xf1c1}, \
        {0x1d0, 4, 0xa0, 0x140}, {0x2a8, 4, 0x01410001, 0}, {0x488, 4, 0, 0xffffffff}
/* No PME on Hopper; its serial number is the model's choice. */
static const struct cfg_word p3_words[] = {P3_WORDS,
                                           {0x42, 2, 0x0003, 0},
                                           {0x130, 4, 0, 0x1fff1fff},
                                           {0x2bc, 4, 0, 0xff},
                                           {0x2f4, 4, 0x4c544f4d, 0},
                                           {0x2f8, 4, 0x48b02dff, 0}};
static const struct cfg_word p4_words[] = {P3_WORDS, {0x42, 2, 0x4803, 0}};

#define LIST(caps_, ext_, words_)                                                                  \
    .caps = (caps_), .cap_count = ARRAY_SIZE(caps_), .ext = (ext_), .ext_count = ARRAY_SIZE(ext_), \
    .words = (words_), .word_count = ARRAY_SIZE(words_)
enum {
    BAR_32 = 0,
    BAR_64_PREF = 0xc,
    MSI_64BIT = 1 << 7,
    MSI_MASKABLE = 1 << 8,
    MSI_16 = 4 << 1, /* sixteen messages */
};

/* Device capabilities: MPS 256, L0s and L1 latencies, ExtTag, RBE, FLR. Link: x16; ASPM L0s L1 with
 * their exit latencies, clock PM, as a 3090 shows them; Hopper none. */
const struct cfg_layout model_cfg_layouts[CFG_LAYOUTS] = {
    [CFG_P1] = {LIST(p1_caps, p1_ext, p1_words), .msi = 0x68, .pcie = 0x78, .rebar = 0xbb0,
                .rearm = 0x704, .vram_bar = 1, .inst_bar = 3, .regs_type = BAR_32, .io_bar = true,
                .rebar_all = true, .msi_control = MSI_64BIT, .devcap = 0x10008de1,
                .linkcap = 0x00453d00},
    [CFG_P2] = {LIST(p2_caps, p2_ext, p2_words), .msix = 0xc8, .pcie = 0x78, .rebar = 0xbb0,
                .sriov = 0xbcc, .rearm = 0x704, .vram_bar = 1, .inst_bar = 3, .regs_type = BAR_32,
                .rebar_all = true, .devcap = 0x10008de1, .linkcap = 0x00453100},
    [CFG_P3] = {LIST(p3_caps, p3_ext, p3_words), .msi = 0x48, .msix = 0xb0, .pcie = 0x60,
                .rebar = 0x134, .vram_bar = 2, .inst_bar = 4, .regs_type = BAR_64_PREF,
                .msi_control = MSI_64BIT | MSI_MASKABLE | MSI_16, .devcap = 0x112c8021,
                .linkcap = 0x00400100},
    [CFG_P4] = {LIST(p4_caps, p4_ext, p4_words), .msi = 0x48, .pcie = 0x60, .rebar = 0x134,
                .vram_bar = 1, .inst_bar = 3, .regs_type = BAR_32, .io_bar = true,
                .msi_control = MSI_64BIT | MSI_MASKABLE | MSI_16, .devcap = 0x10008de1,
                .linkcap = 0x00453d00},
};
