/* SPDX-License-Identifier: MIT */
/* The families (family.h). Sizes: boot.md 5.2; mirror: registers.md 9; leaves: interrupts.md 2. */
#include "gsp/family.h"

#define MIRROR_XVE    0x088000u /* Turing to Ada */
#define MIRROR_EP     0x092000u /* Hopper on */
#define FRTS_BYTES    MIB(1)
#define NON_WPR_GB20X 0x220000u

static const struct gsp_family families[] = {
    {F_TU, "Turing", GSP_LIBOS2, FRTS_BYTES, MIB(1), MIRROR_XVE, 8, NULL},
    {F_GA100, "Ampere (GA100)", GSP_LIBOS2, 0, MIB(1), MIRROR_XVE, 8, NULL},
    {F_GA10X, "Ampere (GA10x)", GSP_LIBOS3, FRTS_BYTES, MIB(1), MIRROR_XVE, 8,
     &gsp_family_ops_ga10x},
    {F_AD10X, "Ada", GSP_LIBOS3, FRTS_BYTES, MIB(1), MIRROR_XVE, 8, &gsp_family_ops_ga10x},
    {F_GH100, "Hopper", GSP_LIBOS3_FSP, FRTS_BYTES, MIB(2), MIRROR_EP, 16, NULL},
    {F_GB10X, "Blackwell (GB10x)", GSP_LIBOS3_FSP, FRTS_BYTES, MIB(2), MIRROR_EP, 16, NULL},
    {F_GB20X, "Blackwell (GB20x)", GSP_LIBOS3_FSP, FRTS_BYTES, NON_WPR_GB20X, MIRROR_EP, 16, NULL},
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
