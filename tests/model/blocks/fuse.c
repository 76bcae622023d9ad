/* SPDX-License-Identifier: MIT */
/* Fuses: versions that are burnt, what is fused off. Sources: registers.md 6, 10. */
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/boards/boards.h"
#include "tests/model/boot/rom.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"

enum { BANK = 16 * 4, BOOTER_UCODE_ID = 3 };

/* No version fuses; the others lie elsewhere. */
static bool read_turing(const struct gpu_model *m, uint32_t off, uint32_t *value)
{
    switch (off) {
    case NV_FUSE_STATUS_OPT_CE_TU__OFFSET:
        *value = 0;
        return true; /* none is fused off */
    case NV_FUSE_STATUS_OPT_DISPLAY_TU__OFFSET:
        *value = m->board->display ? 0 : 1;
        return true;
    case NV_FUSE_OPT_SECURE_GSP_DEBUG_DIS_TU__OFFSET:
        *value = 1;
        return true;
    default:
        return false;
    }
}

static bool read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    const uint32_t sec2 = off - NV_FUSE_OPT_FPF_SEC2_UCODE1_VERSION__OFFSET;
    const uint32_t gsp = off - NV_FUSE_OPT_FPF_GSP_UCODE1_VERSION__OFFSET;
    const uint32_t nvdec = off - NV_FUSE_OPT_FPF_NVDEC_UCODE1_VERSION__OFFSET;
    if (m->chip->family == F_TU) {
        return read_turing(m, off, value);
    }
    *value = 0;
    if (sec2 < BANK) {
        *value = sec2 / 4 == BOOTER_UCODE_ID - 1 ? m->board->fuse_sec2_booter : 0;
        return true;
    }
    if (gsp < BANK) {
        *value = gsp / 4 + 1 == m->fwsec->ucode_id ? m->rom->fuse_fwsec : 0;
        return true;
    }
    switch (off) {
    case NV_FUSE_STATUS_OPT_DISPLAY__OFFSET:
        *value = m->board->display ? 0 : 1;
        return true;
    case NV_FUSE_OPT_SECURE_GSP_DEBUG_DIS__OFFSET:
        *value = 1;
        return true; /* production part */
    default:
        return nvdec < BANK;
    }
}

static const struct block_range ranges[] = {
    {0x021000, 0x021fff, F_ALL}, {0x820000, 0x824fff, F_ALL}, {0}};

const struct block fuse_block = {.name = "FUSE", .ranges = ranges, .read = read};
