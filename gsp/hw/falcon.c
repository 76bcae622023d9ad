/* SPDX-License-Identifier: MIT */
/* Falcons (falcon.h). */
#include "gsp/hw/falcon.h"

#include "arch/clock.h"
#include "arch/fiber.h"
#include "gsp/hw/family.h"
#include "gsp/hw/hw.h"

const struct gsp_falcon gsp_falcon_gsp = {"GSP falcon", NV_PGSP_BASE, GSP_ENGINE_GSP};
const struct gsp_falcon gsp_falcon_sec2 = {"SEC2 falcon", NV_PSEC_BASE, GSP_ENGINE_SEC2};

#define RESET_PULSE_US 10u /* nova, nouveau, OG570 */

static const struct wait wait_dma_room = {
    .what = "room in the falcon's transfer queue",
    .timeout_us = 2 * US_PER_S,
    .step_us = 1,
};
static const struct wait wait_dma_idle = {
    .what = "the falcon's transfers to finish",
    .timeout_us = 2 * US_PER_S,
    .step_us = 5,
};
static const struct wait wait_halt = {
    .what = "the falcon to halt",
    .timeout_us = 2 * US_PER_S,
    .step_us = 100, /* its programs take milliseconds (measured.md 10) */
};

enum fl_err gsp_falcon_program_check(const struct gsp_falcon_program *p, struct fl_fail *fail)
{
    const uint32_t code = p->plain.source | p->plain.target | p->plain.tag | p->plain.bytes |
                          p->imem.source | p->imem.target | p->imem.tag | p->imem.bytes |
                          (uint32_t)p->image.raw;
    const uint32_t data = p->dmem.source | p->dmem.target | p->dmem.bytes;
    const uint32_t data_unit = p->by_port ? sizeof(uint32_t) : GSP_FALCON_BLOCK;

    if (code % GSP_FALCON_BLOCK != 0 || data % data_unit != 0) {
        return FL_FAIL(
            fail, FL_EBADDATA, p->name,
            "%s has parts that are not multiples of 256 bytes (imem 0x%x+0x%x, dmem 0x%x+0x%x)",
            p->name, (unsigned)p->imem.source, (unsigned)p->imem.bytes, (unsigned)p->dmem.source,
            (unsigned)p->dmem.bytes);
    }
    if (!range_ok(p->plain.source, p->plain.bytes, p->image_bytes) ||
        !range_ok(p->imem.source, p->imem.bytes, p->image_bytes) ||
        !range_ok(p->dmem.source, p->dmem.bytes, p->image_bytes) ||
        !range_ok(p->plain.target, p->plain.bytes, GSP_FALCON_MEM_MAX) ||
        !range_ok(p->imem.target, p->imem.bytes, GSP_FALCON_MEM_MAX) ||
        !range_ok(p->dmem.target, p->dmem.bytes, GSP_FALCON_MEM_MAX) ||
        (p->by_port ? p->plain.bytes == 0 : p->imem.bytes == 0 || p->plain.bytes != 0)) {
        return FL_FAIL(
            fail, FL_EBADDATA, p->name,
            "%s does not fit: imem 0x%x+0x%x, dmem 0x%x+0x%x of an image of 0x%llx bytes", p->name,
            (unsigned)p->imem.source, (unsigned)p->imem.bytes, (unsigned)p->dmem.source,
            (unsigned)p->dmem.bytes, (unsigned long long)p->image_bytes);
    }
    if (!p->by_port && p->image.raw + p->imem.source < p->imem.tag) {
        return FL_FAIL(fail, FL_EBADDATA, p->name,
                       "%s has code at virtual address 0x%x, above its own place in memory",
                       p->name, (unsigned)p->imem.tag);
    }
    return FL_OK;
}

void gsp_falcon_reset_pulse(struct gsp_io *io, const struct gsp_falcon *f)
{
    const struct NV_PFALCON_FALCON_ENGINE v = ENG_READ(io, f->base, NV_PFALCON_FALCON_ENGINE);

    ENG_WRITE(io, f->base, NV_PFALCON_FALCON_ENGINE, NV_PFALCON_FALCON_ENGINE__with_RESET(v, 1));
    /* Writes are posted: without this read the two could arrive one right after the other. nova and
     * nouveau read between them, too. */
    (void)ENG_READ(io, f->base, NV_PFALCON_FALCON_ENGINE);
    clock_spin_us(RESET_PULSE_US);
    ENG_WRITE(io, f->base, NV_PFALCON_FALCON_ENGINE, NV_PFALCON_FALCON_ENGINE__with_RESET(v, 0));
}

void gsp_falcon_allow_physical(struct gsp_io *io, const struct gsp_falcon *f)
{
    const struct NV_PFALCON_FBIF_CTL ctl = ENG_READ(io, f->base, NV_PFALCON_FBIF_CTL);

    ENG_WRITE(io, f->base, NV_PFALCON_FBIF_CTL,
              NV_PFALCON_FBIF_CTL__with_ALLOW_PHYS_NO_CTX(ctl, 1));
    ENG_WRITE(io, f->base, NV_PFALCON_FALCON_DMACTL, (struct NV_PFALCON_FALCON_DMACTL){0});
}

void gsp_falcon_context_sysmem(struct gsp_io *io, const struct gsp_falcon *f, uint32_t ctx)
{
    struct NV_PFALCON_FBIF_TRANSCFG cfg = {0};

    cfg = NV_PFALCON_FBIF_TRANSCFG__with_TARGET(cfg,
                                                NV_PFALCON_FBIF_TRANSCFG__TARGET_COHERENT_SYSMEM);
    cfg = NV_PFALCON_FBIF_TRANSCFG__with_MEM_TYPE(cfg, 1);
    gsp_io_write(
        io, f->base + NV_PFALCON_FBIF_TRANSCFG__OFFSET + NV_PFALCON_FBIF_TRANSCFG__STRIDE * ctx,
        cfg.raw);
}

/* One memory, block by block. FULL means that the last command still waits for a place in the
 * queue, whose depth is not published, and that none may be written until then (envytools
 * falcon/xfer); so there is a read for each block, and one for the end. */
static enum fl_err transfer(struct gsp_io *io, const struct gsp_falcon *f, uint64_t base,
                            uint32_t source, uint32_t target, uint32_t bytes,
                            struct NV_PFALCON_FALCON_DMATRFCMD cmd, struct fl_fail *fail)
{
    const uint32_t reg_cmd = f->base + NV_PFALCON_FALCON_DMATRFCMD__OFFSET;
    const struct NV_PFALCON_FALCON_DMATRFBASE lo = {.raw = (uint32_t)(base >> 8)};
    const struct NV_PFALCON_FALCON_DMATRFBASE1 hi = NV_PFALCON_FALCON_DMATRFBASE1__with_BASE(
        (struct NV_PFALCON_FALCON_DMATRFBASE1){0}, (uint32_t)(base >> 40));

    ENG_WRITE(io, f->base, NV_PFALCON_FALCON_DMATRFBASE, lo);
    ENG_WRITE(io, f->base, NV_PFALCON_FALCON_DMATRFBASE1, hi);
    for (uint32_t at = 0; at < bytes; at += GSP_FALCON_BLOCK) {
        const enum fl_err err = gsp_io_poll(io, reg_cmd, NV_PFALCON_FALCON_DMATRFCMD__FULL_MASK, 0,
                                            &wait_dma_room, NULL, fail);
        if (err != FL_OK) {
            return err;
        }
        ENG_WRITE(io, f->base, NV_PFALCON_FALCON_DMATRFMOFFS,
                  NV_PFALCON_FALCON_DMATRFMOFFS__with_OFFS(
                      (struct NV_PFALCON_FALCON_DMATRFMOFFS){0}, target + at));
        ENG_WRITE(io, f->base, NV_PFALCON_FALCON_DMATRFFBOFFS,
                  (struct NV_PFALCON_FALCON_DMATRFFBOFFS){.raw = source + at});
        gsp_io_write(io, reg_cmd, cmd.raw);
        fiber_yield_if_long();
    }
    return gsp_io_poll(io, reg_cmd, NV_PFALCON_FALCON_DMATRFCMD__IDLE_MASK,
                       NV_PFALCON_FALCON_DMATRFCMD__IDLE_MASK, &wait_dma_idle, NULL, fail);
}

enum fl_err gsp_falcon_load_dma(struct gsp_hw *hw, const struct gsp_falcon *f,
                                const struct gsp_falcon_program *p, struct fl_fail *fail)
{
    struct gsp_io *io = &hw->io;
    enum fl_err err = gsp_falcon_program_check(p, fail);

    if (err != FL_OK) {
        return err;
    }
    gsp_falcon_allow_physical(io, f);
    gsp_falcon_context_sysmem(io, f, GSP_CTX_LOAD);

    struct NV_PFALCON_FALCON_DMATRFCMD cmd = {0};
    cmd = NV_PFALCON_FALCON_DMATRFCMD__with_SIZE(cmd, NV_PFALCON_FALCON_DMATRFCMD__SIZE_256B);
    cmd = NV_PFALCON_FALCON_DMATRFCMD__with_CTXDMA(cmd, GSP_CTX_LOAD);
    struct NV_PFALCON_FALCON_DMATRFCMD code = NV_PFALCON_FALCON_DMATRFCMD__with_IMEM(cmd, 1);
    code = NV_PFALCON_FALCON_DMATRFCMD__with_SEC(code, 1);

    gsp_recorder_add(&hw->rec, GSP_REC_DMA, (uint32_t)p->image_bytes, p->image.raw, p->name);
    /* For code the offset is the virtual address too, so the base is moved down by it. */
    err = transfer(io, f, p->image.raw + p->imem.source - p->imem.tag, p->imem.tag, p->imem.target,
                   p->imem.bytes, code, fail);
    err = FL_THEN(err, transfer(io, f, p->image.raw + p->dmem.source, 0, p->dmem.target,
                                p->dmem.bytes, cmd, fail));
    if (err != FL_OK) {
        return err;
    }
    gsp_io_write(io, f->base + NV_PFALCON2_FALCON_BROM_PARAADDR__OFFSET, p->signature_addr);
    ENG_WRITE(io, f->base, NV_PFALCON2_FALCON_BROM_ENGIDMASK,
              (struct NV_PFALCON2_FALCON_BROM_ENGIDMASK){.raw = p->engine_mask});
    ENG_WRITE(io, f->base, NV_PFALCON2_FALCON_BROM_CURR_UCODE_ID,
              (struct NV_PFALCON2_FALCON_BROM_CURR_UCODE_ID){.raw = p->ucode_id});
    ENG_WRITE(io, f->base, NV_PFALCON2_FALCON_MOD_SEL,
              (struct NV_PFALCON2_FALCON_MOD_SEL){.raw = NV_PFALCON2_FALCON_MOD_SEL__ALGO_RSA3K});
    ENG_WRITE(io, f->base, NV_PFALCON_FALCON_BOOTVEC,
              (struct NV_PFALCON_FALCON_BOOTVEC){.raw = p->boot_vector});
    return FL_OK;
}

void gsp_falcon_start(struct gsp_io *io, const struct gsp_falcon *f)
{
    const struct NV_PFALCON_FALCON_CPUCTL ctl = ENG_READ(io, f->base, NV_PFALCON_FALCON_CPUCTL);

    if (NV_PFALCON_FALCON_CPUCTL__ALIAS_EN(ctl)) {
        ENG_WRITE(io, f->base, NV_PFALCON_FALCON_CPUCTL_ALIAS,
                  NV_PFALCON_FALCON_CPUCTL_ALIAS__with_STARTCPU(
                      (struct NV_PFALCON_FALCON_CPUCTL_ALIAS){0}, 1));
    } else {
        ENG_WRITE(io, f->base, NV_PFALCON_FALCON_CPUCTL,
                  NV_PFALCON_FALCON_CPUCTL__with_STARTCPU((struct NV_PFALCON_FALCON_CPUCTL){0}, 1));
    }
}

void gsp_falcon_set_mailboxes(struct gsp_io *io, const struct gsp_falcon *f, uint64_t value)
{
    ENG_WRITE(io, f->base, NV_PFALCON_FALCON_MAILBOX0,
              (struct NV_PFALCON_FALCON_MAILBOX0){.raw = (uint32_t)value});
    ENG_WRITE(io, f->base, NV_PFALCON_FALCON_MAILBOX1,
              (struct NV_PFALCON_FALCON_MAILBOX1){.raw = (uint32_t)(value >> 32)});
}

enum fl_err gsp_falcon_wait_halted(struct gsp_io *io, const struct gsp_falcon *f,
                                   const char *program, struct fl_fail *fail)
{
    struct wait w = wait_halt;

    w.what = program;
    return gsp_io_poll_program(io, f->base + NV_PFALCON_FALCON_CPUCTL__OFFSET,
                               NV_PFALCON_FALCON_CPUCTL__HALTED_MASK,
                               NV_PFALCON_FALCON_CPUCTL__HALTED_MASK, &w, fail);
}

enum fl_err gsp_falcon_run(struct gsp_hw *hw, const struct gsp_falcon *f,
                           const struct gsp_falcon_program *p, uint64_t mailboxes,
                           uint32_t *mailbox0, struct fl_fail *fail)
{
    struct gsp_io *io = &hw->io;
    enum fl_err err = hw->family->ops->falcon_reset(hw, f, fail);

    err = FL_THEN(err, hw->family->ops->falcon_load(hw, f, p, fail));
    if (err != FL_OK) {
        return err;
    }
    gsp_falcon_set_mailboxes(io, f, mailboxes);
    gsp_falcon_start(io, f);
    err = gsp_falcon_wait_halted(io, f, p->name, fail);
    if (err != FL_OK) {
        return err;
    }
    *mailbox0 = ENG_READ(io, f->base, NV_PFALCON_FALCON_MAILBOX0).raw;
    return gsp_io_check(io);
}
