/* SPDX-License-Identifier: MIT */
/* How the mini driver boots the GSP of a Hopper or Blackwell: through the FSP. Steps as in boot.md
 * 11, 12.1. */
#include <string.h>

#include "gsp/hw/regs/regs.h"
#include "tests/unit/mini_driver.h"

enum {
    COT_BYTES = 860,
    MESSAGE_BYTES = 8 + COT_BYTES,
    AINCW = 1 << 24,
    AINCR = 1 << 25,
    SECTION_HASH = 2,
    SECTION_SIGNATURE,
    SECTION_KEY,
    SECTION_IMAGE,
    LOCKDOWN = 1 << 13,
    POLL_LIMIT_US = 4000000,
};
#define GSP(reg) (NV_PGSP_BASE + (uint32_t)reg##__OFFSET)

static bool is_gb(const struct mini *d) { return strncmp(d->chip, "gb", 2) == 0; }
static bool is_gb20x(const struct mini *d) { return strncmp(d->chip, "gb20", 4) == 0; }

static const uint8_t *section(const struct mini *d, uint32_t index, uint32_t *size)
{
    const uint8_t *h = d->fmc.data + 52 + index * 40;
    *size = get_le32(h + 20);
    return d->fmc.data + get_le32(h + 16);
}

/* Sizes only, the FMC does the rest. */
void mini_fsp_meta(struct mini *d, uint8_t *meta)
{
    const struct gsp_layout *l = d->l;
#define META(field, v) fw_put(meta, 256, l->GspFwWprMeta.field, v)
    META(gspFwRsvdStart, 0);
    META(nonWprHeapOffset, 0);
    META(nonWprHeapSize, is_gb20x(d) ? 0x220000 : MIB(2));
    META(gspFwWprStart, 0);
    META(gspFwHeapOffset, 0);
    META(gspFwHeapSize, MIB(135));
    META(gspFwOffset, 0);
    META(bootBinOffset, 0);
    META(frtsOffset, 0);
    META(frtsSize, MIB(1));
    META(gspFwWprEnd, 0);
    META(fbSize, 0);
    META(vgaWorkspaceOffset, 0);
    META(vgaWorkspaceSize, 0x20000);
    META(pmuReservedSize, is_gb(d) ? 0x1820000 : 0);
#undef META
}

static void make_params(struct mini *d)
{
    const struct gsp_layout *l = d->l;
    d->params = mini_alloc(d, 4096);
    uint8_t *p = mini_ptr(d, d->params);
#define PARAM(field, v) fw_put(p, 4096, l->GSP_FMC_BOOT_PARAMS.field, v)
    PARAM(bootGspRmParams_target, 1);
    PARAM(bootGspRmParams_gspRmDescSize, 256);
    PARAM(bootGspRmParams_gspRmDescOffset, d->meta);
    PARAM(bootGspRmParams_bIsGspRmBoot, 1);
    PARAM(gspRmParams_target, 2);
    PARAM(gspRmParams_bootArgsOffset, d->libos);
#undef PARAM
}

static void make_message(struct mini *d)
{
    uint32_t size;
    const uint8_t *image = section(d, SECTION_IMAGE, &size);
    d->fmc_image = mini_alloc(d, size);
    memcpy(mini_ptr(d, d->fmc_image), image, size);
    uint8_t *p = d->cot + 8;
    memset(d->cot, 0, sizeof(d->cot));
    d->cot_bytes = MESSAGE_BYTES;
    put_le32(d->cot, 0xc0000000);
    put_le32(d->cot + 4, 0x1410de7e);
    put_le16(p, is_gb(d) ? 2 : 1);
    put_le16(p + 2, COT_BYTES);
    put_le64(p + 0x04, d->fmc_image);
    put_le64(p + 0x18, is_gb(d) ? 0x1c00000 : 0x200000);
    put_le32(p + 0x20, 0x100000);
    const uint8_t *s = section(d, SECTION_HASH, &size);
    memcpy(p + 0x24, s, size);
    s = section(d, SECTION_KEY, &size);
    memcpy(p + 0x54, s, size);
    s = section(d, SECTION_SIGNATURE, &size);
    memcpy(p + 0x1d4, s, size);
    put_le64(p + 0x354, d->params);
}

static bool exchange(struct mini *d)
{
    mini_wr(d, NV_PFSP_EMEMC__OFFSET, AINCW);
    for (uint32_t i = 0; i < d->cot_bytes; i += 4) {
        mini_wr(d, NV_PFSP_EMEMD__OFFSET, get_le32(d->cot + i));
    }
    mini_wr(d, NV_PFSP_QUEUE_TAIL__OFFSET, d->cot_bytes - 4);
    mini_wr(d, NV_PFSP_QUEUE_HEAD__OFFSET, 0);
    mini_hook_at(d, MINI_FSP_SENT);
    for (uint64_t us = 0; us < POLL_LIMIT_US; us += 100) {
        const uint32_t head = mini_rd(d, NV_PFSP_MSGQ_HEAD__OFFSET),
                       tail = mini_rd(d, NV_PFSP_MSGQ_TAIL__OFFSET);
        if (head != tail) {
            mini_wr(d, NV_PFSP_EMEMC__OFFSET, AINCR | head);
            for (uint32_t i = 0; i < ARRAY_SIZE(d->fsp_answer) && i * 4 <= tail - head; i++) {
                d->fsp_answer[i] = mini_rd(d, NV_PFSP_EMEMD__OFFSET);
            }
            mini_wr(d, NV_PFSP_MSGQ_TAIL__OFFSET, 0);
            mini_wr(d, NV_PFSP_MSGQ_HEAD__OFFSET, 0);
            d->fsp_error = d->fsp_answer[4];
            return tail - head + 4 == 20 && d->fsp_answer[1] == 0x1510de7e;
        }
        mini_pass(d, 100);
    }
    d->fsp_error = ~0u;
    return false;
}

/* As nouveau looks at it: the mailbox may not hold the address any more once bit 13 is clear. */
static bool lockdown_released(struct mini *d)
{
    for (uint64_t us = 0; us < POLL_LIMIT_US; us += 20) {
        const uint32_t locked = mini_rd(d, GSP(NV_PFALCON_FALCON_HWCFG2)) & LOCKDOWN;
        const uint64_t box = (uint64_t)mini_rd(d, GSP(NV_PFALCON_FALCON_MAILBOX1)) << 32 |
                             mini_rd(d, GSP(NV_PFALCON_FALCON_MAILBOX0));
        d->released_early += locked == 0 && box == d->params;
        if (box != 0 && box != d->params && (box >> 32 & 0xfffff000) != 0xbadf4000) {
            d->fmc_error = (uint32_t)box;
            return false;
        }
        if (box == 0 && locked == 0) {
            return true;
        }
        mini_pass(d, 20);
    }
    return false;
}

bool mini_fsp_start(struct mini *d)
{
    const uint32_t ready = is_gb20x(d)
                               ? (uint32_t)NV_THERM_I2CS_SCRATCH_FSP_BOOT_COMPLETE_GB20X__OFFSET
                               : (uint32_t)NV_THERM_I2CS_SCRATCH_FSP_BOOT_COMPLETE__OFFSET;
    d->fsp_error = d->fmc_error = 0;
    mini_hook_at(d, MINI_FSP_READY);
    mini_poll(d, ready, 0xff, 0xff, POLL_LIMIT_US);
    make_params(d);
    make_message(d);
    mini_hook_at(d, MINI_FSP_MESSAGE);
    if (!exchange(d) || d->fsp_error != 0) {
        return false;
    }
    mini_hook_at(d, MINI_FSP_ANSWERED);
    if (!lockdown_released(d)) {
        return false;
    }
    mini_wr(d, GSP(NV_PFALCON_FALCON_OS), 0);
    return true;
}

bool mini_fsp_unload(struct mini *d)
{
    return mini_poll(d, GSP(NV_PRISCV_RISCV_CPUCTL), 0x90, 0x10, POLL_LIMIT_US);
}
