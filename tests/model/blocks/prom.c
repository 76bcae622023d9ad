/* SPDX-License-Identifier: MIT */
/*
 * The PROM window: 1 MiB of the VBIOS flash, read-only, erased flash beyond the image chain
 * (vbios.md 1). ROM shadowing (config mirror 0x50) makes no difference to what is read.
 */
#include "tests/model/model_priv.h"

uint32_t model_prom_read(struct gpu_model *m, uint32_t off)
{
    if (off + 4 <= m->vbios_size) {
        return get_le32(m->vbios + off);
    }
    uint32_t v = 0;
    for (uint32_t i = 0; i < 4; i++) {
        const uint32_t byte = off + i < m->vbios_size ? m->vbios[off + i] : 0xff;
        v |= byte << (8 * i);
    }
    return v;
}
