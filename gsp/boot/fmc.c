/* SPDX-License-Identifier: MIT */
/* The FMC (fmc.h). */
#include "gsp/boot/fmc.h"

#include <stdio.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/log.h"
#include "arch/mmio.h"
#include "gsp/gpu.h"
#include "gsp/hw/card.h"
#include "gsp/hw/fsp.h"
#include "gsp/hw/regs/messages.h"

#define FRTS_ALIGN MIB(2)

/* Where the parameters say that something lies. nova and nouveau: GSP-RM's arguments non-coherent,
 * the rest coherent. */
enum { TARGET_COHERENT_SYSMEM = 1, TARGET_NONCOHERENT_SYSMEM = 2 };

#define COT_BYTES_MAX 1016u /* a channel of the FSP less the headers */

/* 0xbadf41xx: the FSP still keeps the GSP's registers from us. */
#define TARGET_MASKED      0xbadf4100u
#define TARGET_MASKED_MASK 0xffffff00u

static const struct wait wait_release = {
    .what = "the FMC to start GSP-RM and release its registers",
    .timeout_us = 30 * US_PER_S, /* nova */
    .step_us = US_PER_MS,        /* nouveau; it takes several */
    .step_max_us = 10 * US_PER_MS,
    .hint = "the log buffer init may say why",
};
static const struct wait wait_halted = {
    .what = "the GSP's core to halt",
    .timeout_us = 5 * US_PER_S, /* nova; nouveau and OG570 4 s */
    .step_us = 50,
};

uint64_t gsp_fmc_frts_distance(uint64_t non_wpr_heap_bytes, uint64_t pmu_reserved_bytes)
{
    return align_up_u64(non_wpr_heap_bytes + pmu_reserved_bytes, FRTS_ALIGN);
}

static void put_params(struct gsp_gpu *g)
{
    const struct gsp_layout *l = g->layout;
    uint8_t *p = g->mem.fmc_params.cpu;
    const size_t len = l->GSP_FMC_BOOT_PARAMS.total;

    fw_put(p, len, l->GSP_FMC_BOOT_PARAMS.bootGspRmParams_target, TARGET_COHERENT_SYSMEM);
    fw_put(p, len, l->GSP_FMC_BOOT_PARAMS.bootGspRmParams_gspRmDescSize, l->GspFwWprMeta.total);
    fw_put(p, len, l->GSP_FMC_BOOT_PARAMS.bootGspRmParams_gspRmDescOffset, g->mem.wpr_meta.bus.raw);
    fw_put(p, len, l->GSP_FMC_BOOT_PARAMS.bootGspRmParams_bIsGspRmBoot, 1);
    fw_put(p, len, l->GSP_FMC_BOOT_PARAMS.gspRmParams_target, TARGET_NONCOHERENT_SYSMEM);
    fw_put(p, len, l->GSP_FMC_BOOT_PARAMS.gspRmParams_bootArgsOffset, g->mem.libos_args.bus.raw);
    /* Everything else is 0: no carveout, no register keys, no SPDM. */
}

/* The message; keys and signatures that are shorter than their slots are followed by zeroes. */
static void put_cot(struct gsp_gpu *g, uint8_t *m, size_t len)
{
    const struct gsp_layout *l = g->layout;
    const struct gsp_family *fam = g->hw.family;
    const struct fw_fmc *fmc = &g->fw.fmc;
    const struct {
        struct fw_field slot;
        const uint8_t *bytes;
        uint32_t count;
    } blobs[] = {
        {l->NVDM_PAYLOAD_COT.hash384, fmc->hash, FW_FMC_HASH_BYTES},
        {l->NVDM_PAYLOAD_COT.publicKey, fmc->key, fmc->key_bytes},
        {l->NVDM_PAYLOAD_COT.signature, fmc->signature, fmc->signature_bytes},
    };

    fw_put(m, len, l->NVDM_PAYLOAD_COT.version, fam->cot_version);
    fw_put(m, len, l->NVDM_PAYLOAD_COT.size, l->NVDM_PAYLOAD_COT.total);
    fw_put(m, len, l->NVDM_PAYLOAD_COT.gspFmcSysmemOffset, g->mem.fmc_image.bus.raw);
    fw_put(m, len, l->NVDM_PAYLOAD_COT.frtsVidmemOffset,
           gsp_fmc_frts_distance(fam->non_wpr_heap_bytes, fam->pmu_reserved_bytes));
    fw_put(m, len, l->NVDM_PAYLOAD_COT.frtsVidmemSize, fam->frts_bytes);
    fw_put(m, len, l->NVDM_PAYLOAD_COT.gspBootArgsSysmemOffset, g->mem.fmc_params.bus.raw);
    for (size_t i = 0; i < ARRAY_SIZE(blobs); i++) {
        uint8_t *slot = fw_bytes(m, len, blobs[i].slot);
        if (slot != NULL && blobs[i].count <= blobs[i].slot.size) {
            memcpy(slot, blobs[i].bytes, blobs[i].count);
        }
    }
}

enum fl_err gsp_fmc_start(struct gsp_gpu *g, struct fl_fail *fail)
{
    const struct fw_fmc *fmc = &g->fw.fmc;
    const uint32_t size = g->layout->NVDM_PAYLOAD_COT.total;
    uint8_t message[COT_BYTES_MAX] = {0};

    if (size == 0 || size > sizeof(message) || g->layout->GSP_FMC_BOOT_PARAMS.total == 0 ||
        g->layout->GSP_FMC_BOOT_PARAMS.total > FL_PAGE_SIZE) {
        return FL_FAIL(fail, FL_ENOTSUP, "firmware",
                       "firmware %s has a message of %u bytes for the FSP: not known here",
                       g->layout->version, (unsigned)size);
    }
    enum fl_err err = gsp_gpu_alloc(g, &g->mem.fmc_image,
                                    align_up_u64(fmc->image_bytes, FL_PAGE_SIZE), "gsp fmc", fail);
    err = FL_THEN(err, gsp_gpu_alloc(g, &g->mem.fmc_params, FL_PAGE_SIZE, "gsp fmc params", fail));
    if (err != FL_OK) {
        return err;
    }
    memcpy(g->mem.fmc_image.cpu, fmc->image, fmc->image_bytes);
    g->copied_bytes += fmc->image_bytes;
    put_params(g);
    put_cot(g, message, size);
    dma_wmb();
    g->undo.wpr2 = true;
    g->undo.dma = true;
    return gsp_fsp_call(&g->hw, NV_NVDM_HEADER__NVDM_TYPE_COT, message, size, fail);
}

static bool masked(uint32_t v) { return (v & TARGET_MASKED_MASK) == TARGET_MASKED; }

/* What the GSP shows while the FMC works. */
enum fmc_state { FMC_UNREADABLE, FMC_NOT_STARTED, FMC_LOCKED, FMC_FAILED, FMC_RELEASED };

static enum fmc_state look(struct gsp_gpu *g, uint32_t *hwcfg2, uint32_t *mailbox)
{
    const uint64_t params = g->mem.fmc_params.bus.raw;
    const struct NV_PFALCON_FALCON_HWCFG2 cfg =
        ENG_READ(&g->hw.io, NV_PGSP_BASE, NV_PFALCON_FALCON_HWCFG2);

    *hwcfg2 = cfg.raw;
    if (cfg.raw == 0 || masked(cfg.raw) || cfg.raw == UINT32_MAX) {
        return FMC_UNREADABLE;
    }
    *mailbox = ENG_READ(&g->hw.io, NV_PGSP_BASE, NV_PFALCON_FALCON_MAILBOX0).raw;
    if (masked(*mailbox) || *mailbox == UINT32_MAX) { /* all-ones on a live link: a read got lost */
        return FMC_UNREADABLE;
    }
    /* The FSP leaves the parameters' address there for the FMC, which clears it when it is done.
     * The high word counts only when the low one does not tell. */
    if (*mailbox == (uint32_t)params &&
        (*mailbox != 0 || ENG_READ(&g->hw.io, NV_PGSP_BASE, NV_PFALCON_FALCON_MAILBOX1).raw ==
                              (uint32_t)(params >> 32))) {
        return FMC_NOT_STARTED;
    }
    if (*mailbox != 0) {
        return FMC_FAILED;
    }
    return NV_PFALCON_FALCON_HWCFG2__RISCV_BR_PRIV_LOCKDOWN(cfg) ? FMC_LOCKED : FMC_RELEASED;
}

static const char *state_text(enum fmc_state s)
{
    switch (s) {
    case FMC_UNREADABLE:
        return "the FSP still keeps its registers from us";
    case FMC_NOT_STARTED:
        return "the FMC has not taken its parameters";
    case FMC_LOCKED:
        return "its registers are still locked";
    case FMC_FAILED:
    case FMC_RELEASED:
        break;
    }
    return "";
}

static enum fl_err look_released(void *ctx, struct wait_report *last, struct fl_fail *fail)
{
    struct gsp_gpu *g = ctx;
    uint32_t hwcfg2, mailbox = 0;
    const enum fmc_state s = look(g, &hwcfg2, &mailbox);

    if (g->hw.io.lost) {
        return FL_ELINKLOST;
    }
    if (s == FMC_RELEASED) {
        return FL_OK;
    }
    if (s == FMC_FAILED) {
        return FL_FAIL_MORE(fail, FL_EIO, "FMC", (FL_SAW(mailbox, 0, 0)),
                            "the FMC reports 0x%x in the GSP's mailbox, expected 0",
                            (unsigned)mailbox);
    }
    if (last != NULL) {
        snprintf(last->where, sizeof(last->where), "NV_PFALCON_FALCON_HWCFG2");
        snprintf(last->text, sizeof(last->text), "%s (HWCFG2 0x%08x, MAILBOX0 0x%08x)",
                 state_text(s), (unsigned)hwcfg2, (unsigned)mailbox);
        last->seen = hwcfg2;
    }
    return FL_EBUSY;
}

enum fl_err gsp_fmc_wait_release(struct gsp_gpu *g, struct fl_fail *fail)
{
    return gsp_io_wait_program(&g->hw.io, &wait_release, look_released, g, fail);
}

/* HALTED (nouveau, OG570) or no longer ACTIVE (nova): either will do. */
static bool says_halted(struct NV_PRISCV_RISCV_CPUCTL v)
{
    return !gsp_io_no_value(v.raw) &&
           (NV_PRISCV_RISCV_CPUCTL__HALTED(v) || !NV_PRISCV_RISCV_CPUCTL__ACTIVE_STAT(v));
}

/* Believed when it is read twice: a core that runs on would write to memory that is somebody else's
 * by then. */
static enum fl_err look_halted(void *ctx, struct wait_report *last, struct fl_fail *fail)
{
    struct gsp_io *io = ctx;
    struct NV_PRISCV_RISCV_CPUCTL v = ENG_READ(io, NV_PGSP_BASE, NV_PRISCV_RISCV_CPUCTL);

    (void)fail;
    if (!io->lost && says_halted(v)) {
        v = ENG_READ(io, NV_PGSP_BASE, NV_PRISCV_RISCV_CPUCTL);
    }
    if (io->lost) {
        return FL_ELINKLOST;
    }
    if (says_halted(v)) {
        return FL_OK;
    }
    if (last != NULL) {
        snprintf(last->where, sizeof(last->where), "NV_PRISCV_RISCV_CPUCTL");
        snprintf(last->text, sizeof(last->text), "CPUCTL reads 0x%08x", (unsigned)v.raw);
        last->seen = v.raw;
        last->expected = NV_PRISCV_RISCV_CPUCTL__HALTED_MASK;
    }
    return FL_EBUSY;
}

enum fl_err gsp_fmc_take_down(struct gsp_gpu *g, bool stopped, struct fl_fail *fail)
{
    enum fl_err err = FL_OK;

    if (stopped) {
        gsp_recorder_stage(&g->hw.rec, "core-halt");
        err = gsp_io_wait_program(&g->hw.io, &wait_halted, look_halted, &g->hw.io, fail);
        if (err == FL_OK || g->hw.io.lost) {
            return err;
        }
    }
    /* A GSP that did not say goodbye cannot be stopped by us: only a reset takes it down, and makes
     * the FSP willing to start it again. */
    gsp_recorder_stage(&g->hw.rec, "card-reset");
    log_warn(g->hw.label, "the GSP was not stopped: the card is reset");
    const enum fl_err second = gsp_card_reset(&g->hw, GSP_RESET_AUTO, NULL, fail);
    return FL_THEN(err, second);
}
