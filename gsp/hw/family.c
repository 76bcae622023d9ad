/* SPDX-License-Identifier: MIT */
/* The families (family.h). Sizes: boot.md 5.2; mirror: registers.md 9; leaves: interrupts.md 2. */
#include "gsp/hw/family.h"

#define MIRROR_XVE    0x088000u /* Turing to Ada */
#define MIRROR_EP     0x092000u /* Hopper on */
#define FRTS_BYTES    MIB(1)
#define NON_WPR_GB20X 0x220000u
#define PMU_RESERVED  0x1820000u /* 8 MiB + 16 MiB + 4 KiB, on 128 KiB */

#define PATH_A  (GSP_PART_BOOTER | GSP_PART_FRTS)
#define BY_PORT GSP_PART_PORT
#define LEAVES  8u  /* Turing to Ada */
#define LEAVES2 16u /* Hopper on */
#define FLUSH40 40u /* the register holds address 39:8 only */
#define FLUSH47 47u /* as far as path A's engines reach */
#define FLUSH52 52u

static const struct gsp_family families[] = {
    {F_TU, "Turing", PATH_A | BY_PORT, GSP_LIBOS2, FRTS_BYTES, MIB(1), 0, 0, FLUSH40, MIRROR_XVE,
     LEAVES, &gsp_family_ops_tu},
    {F_GA100, "Ampere (GA100)", GSP_PART_BOOTER | BY_PORT, GSP_LIBOS2, 0, MIB(1), 0, 0, FLUSH47,
     MIRROR_XVE, LEAVES, &gsp_family_ops_ga100},
    {F_GA10X, "Ampere (GA10x)", PATH_A, GSP_LIBOS3, FRTS_BYTES, MIB(1), 0, 0, FLUSH47, MIRROR_XVE,
     LEAVES, &gsp_family_ops_ga10x},
    {F_AD10X, "Ada", PATH_A, GSP_LIBOS3, FRTS_BYTES, MIB(1), 0, 0, FLUSH47, MIRROR_XVE, LEAVES,
     &gsp_family_ops_ga10x},
    {F_GH100, "Hopper", GSP_PART_FSP, GSP_LIBOS3_FSP, FRTS_BYTES, MIB(2), 0, 1, FLUSH52, MIRROR_EP,
     LEAVES2, &gsp_family_ops_gh100},
    {F_GB10X, "Blackwell (GB10x)", GSP_PART_FSP, GSP_LIBOS3_FSP, FRTS_BYTES, MIB(2), PMU_RESERVED,
     2, FLUSH52, MIRROR_EP, LEAVES2, &gsp_family_ops_gb10x},
    {F_GB20X, "Blackwell (GB20x)", GSP_PART_FSP, GSP_LIBOS3_FSP, FRTS_BYTES, NON_WPR_GB20X,
     PMU_RESERVED, 2, FLUSH52, MIRROR_EP, LEAVES2, &gsp_family_ops_gb20x},
};

const struct gsp_family *gsp_family_find(enum chip_family family)
{
    for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
        if (families[i].family == family) {
            return &families[i];
        }
    }
    return NULL;
}
