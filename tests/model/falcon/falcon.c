/* SPDX-License-Identifier: MIT */
/*
 * A falcon engine (GSP, SEC2): IMEM and DMEM, the DMA engine, reset, start; its registers are in
 * falcon_regs.c, its memory ports in falcon_pio.c. What a started program does is in fwsec.c,
 * booter.c and gsp_seq.c; it happens as delayed work. Sources: registers.md 7, boot.md 3-4,
 * measured.md 6.
 */
#include "tests/model/falcon/falcon.h"

#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/strict.h"
#include "tests/model/books/trace.h"
#include "tests/model/bus/dma.h"
#include "tests/model/bus/intr.h"
#include "tests/model/bus/work.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/vram.h"

enum {
    FBIF_CTL_RESET = 0x110, /* a dump shows 0x190, whose bit 7 the driver sets */
    BCR_RISCV = 0x10,
    BCR_BRFETCH = 0x100,
    SCRUB_NS = 20000, /* drivers allow 10 and 20 ms; longer than a write takes under QEMU */
    START_EMPTY_NS = 1000,
    START_FWSEC_NS = 120000,
    START_BOOTER_NS = 150000,
};

static void clear_memory(struct falcon *f)
{
    memset(f->imem, 0, f->imem_top);
    memset(f->dmem, 0, f->dmem_top);
    memset(f->imem_tag, 0, sizeof(f->imem_tag));
    memset(f->imem_flags, 0, sizeof(f->imem_flags));
    f->imem_top = 0;
    f->dmem_top = 0;
    f->loaded = false;
}

static void reset_core(struct falcon *f)
{
    clear_memory(f);
    f->mailbox[0] = f->mailbox[1] = 0;
    f->irqstat = 0;
    f->irqmask = 0;
    f->irqdest = 0;
    f->itfen = 0;
    f->bootvec = 0;
    f->dmactl = 0;
    f->rm = 0;
    f->trf_base = f->trf_base1 = f->trf_moffs = f->trf_fboffs = 0;
    memset(f->transcfg, 0, sizeof(f->transcfg));
    f->fbif_ctl = FBIF_CTL_RESET;
    f->mod_sel = f->ucode_id = f->engidmask = 0;
    memset(f->paraaddr, 0, sizeof(f->paraaddr));
    memset(f->imemc, 0, sizeof(f->imemc));
    memset(f->dmemc, 0, sizeof(f->dmemc));
    f->bcr_ctrl = BCR_BRFETCH;
    f->riscv_irqmask = f->riscv_irqdest = 0;
    f->running = false;
    f->riscv_active = false;
    f->trf_unchecked = false;
}

void model_falcon_power_on(struct gpu_model *m, struct falcon *f, const struct falcon_kind *kind)
{
    f->kind = kind;
    reset_core(f);
    f->os = f->debuginfo = f->irqmode = 0;
    memset(f->common_scratch, 0, sizeof(f->common_scratch));
    memset(f->mailbox_ext, 0, sizeof(f->mailbox_ext));
    memset(f->queue_head, 0, sizeof(f->queue_head));
    memset(f->queue_tail, 0, sizeof(f->queue_tail));
    f->in_reset = false;
    f->host_irq = false;
    f->locked = false;
    f->masked = false;
    f->lockdown = m->chip->fsp != NULL && kind->is_gsp; /* until the FMC has run */
    f->reset_since_run = false;
    f->scrub_until_ns = 0;
    f->resets = 0;
}

void model_falcon_causes(struct gpu_model *m, struct falcon *f)
{
    const bool now = (f->irqstat & f->riscv_irqmask & f->riscv_irqdest) != 0;
    if (now && !f->host_irq && f->kind->vector != 0) {
        model_intr_latch(m, f->kind->vector);
    }
    f->host_irq = now;
}

void model_falcon_engine(struct gpu_model *m, struct falcon *f, uint32_t value)
{
    const struct NV_PFALCON_FALCON_ENGINE e = {value};
    if (NV_PFALCON_FALCON_ENGINE__RESET(e) != 0) {
        f->in_reset = true;
        model_cancel(m, f->kind->work);
        reset_core(f);
        if (f->kind->engine_reset != NULL) {
            f->kind->engine_reset(m);
        }
        model_falcon_causes(m, f);
    } else if (f->in_reset) {
        f->in_reset = false;
        f->reset_since_run = true;
        f->resets++;
        f->scrub_until_ns = model_now(m) + SCRUB_NS;
        f->locked = model_fault_get(m, FAULT_LOCKED_RESET) != NULL;
    }
}

bool model_falcon_scrubbing(struct gpu_model *m, const struct falcon *f)
{
    return f->scrub_until_ns != 0 && model_now(m) < f->scrub_until_ns;
}

void model_falcon_no_scrub(struct gpu_model *m, const struct falcon *f, enum model_rule rule,
                           const char *what, uint32_t value)
{
    if (model_falcon_scrubbing(m, f)) {
        model_rule_broken(m, rule, "%s: %s was given 0x%x while its memory is being scrubbed",
                          f->kind->name, what, value);
    }
}

/* Common to everything that fills IMEM or DMEM. False: the bytes do not arrive. */
bool model_falcon_may_load(struct gpu_model *m, struct falcon *f, const char *how)
{
    if (f->in_reset) {
        model_rule_broken(m, RULE_FALCON_IN_RESET, "%s: %s while the engine is held in reset",
                          f->kind->name, how);
        return false;
    }
    if (f->running) {
        model_rule_broken(m, RULE_FALCON_TOUCHED_RUNNING, "%s: %s while its program runs",
                          f->kind->name, how);
        return false;
    }
    if (model_falcon_scrubbing(m, f)) {
        model_rule_broken(m, RULE_FALCON_SCRUBBING,
                          "%s: %s before the memory scrub after reset was done", f->kind->name,
                          how);
        return false;
    }
    f->scrub_until_ns = 0;
    return true;
}

static void imem_put(struct falcon *f, uint32_t off, const uint8_t *src, uint32_t len, uint32_t tag,
                     bool secure)
{
    memcpy(f->imem + off, src, len);
    f->imem_tag[off / FALCON_BLOCK] = (uint16_t)tag;
    f->imem_flags[off / FALCON_BLOCK] = (uint8_t)(IMEM_LOADED | (secure ? IMEM_SECURE : 0));
    f->imem_top = off + len > f->imem_top ? off + len : f->imem_top;
    f->loaded = true;
}

/* ---- DMA ---- */

bool model_falcon_context_ok(struct gpu_model *m, struct falcon *f, uint32_t ctx)
{
    const struct NV_PFALCON_FBIF_TRANSCFG cfg = {f->transcfg[ctx]};
    const struct NV_PFALCON_FBIF_CTL ctl = {f->fbif_ctl};
    const struct NV_PFALCON_FALCON_DMACTL dma = {f->dmactl};
    if (NV_PFALCON_FBIF_TRANSCFG__MEM_TYPE(cfg) == 0 ||
        NV_PFALCON_FBIF_CTL__ALLOW_PHYS_NO_CTX(ctl) == 0 ||
        NV_PFALCON_FALCON_DMACTL__REQUIRE_CTX(dma) != 0) {
        model_rule_broken(
            m, RULE_FALCON_DMA_CONTEXT,
            "%s: transfer with TRANSCFG(%u)=0x%x FBIF_CTL=0x%x DMACTL=0x%x; physical access "
            "needs MEM_TYPE=1, ALLOW_PHYS_NO_CTX=1, REQUIRE_CTX=0",
            f->kind->name, ctx, f->transcfg[ctx], f->fbif_ctl, f->dmactl);
        return false;
    }
    if (NV_PFALCON_FBIF_TRANSCFG__TARGET(cfg) >
        NV_PFALCON_FBIF_TRANSCFG__TARGET_NONCOHERENT_SYSMEM) {
        model_rule_broken(m, RULE_FALCON_DMA_CONTEXT, "%s: TRANSCFG(%u) target 3 does not exist",
                          f->kind->name, ctx);
        return false;
    }
    return true;
}

void model_falcon_transfer(struct gpu_model *m, struct falcon *f, uint32_t value)
{
    const struct NV_PFALCON_FALCON_DMATRFCMD c = {value};
    const uint32_t ctx = NV_PFALCON_FALCON_DMATRFCMD__CTXDMA(c);
    const uint32_t size = 4u << NV_PFALCON_FALCON_DMATRFCMD__SIZE(c);
    const bool imem = NV_PFALCON_FALCON_DMATRFCMD__IMEM(c) != 0;
    const bool secure = NV_PFALCON_FALCON_DMATRFCMD__SEC(c) != 0;
    const bool out = NV_PFALCON_FALCON_DMATRFCMD__WRITE(c) != 0;
    const uint64_t base = (uint64_t)(f->trf_base1 & 0x1ff) << 40 | (uint64_t)f->trf_base << 8;
    const uint64_t addr = base + f->trf_fboffs;
    uint8_t buf[FALCON_BLOCK];
    const char *what = imem ? "transfer to IMEM" : out ? "transfer from DMEM" : "transfer to DMEM";
    f->trf_unchecked = true;
    if (!model_falcon_may_load(m, f, what) || !model_falcon_context_ok(m, f, ctx)) {
        return;
    }
    if (size > FALCON_BLOCK || (imem && (size != FALCON_BLOCK || out)) ||
        f->trf_moffs % size != 0 || addr % size != 0) {
        model_rule_broken(
            m, RULE_FALCON_DMA_ALIGNMENT,
            "%s: %s of %u bytes, memory offset 0x%x, address 0x%llx: a transfer is 4..256 "
            "bytes (IMEM: 256) and naturally aligned",
            f->kind->name, what, size, f->trf_moffs, (unsigned long long)addr);
        return;
    }
    if (!range_ok(f->trf_moffs, size, FALCON_MEM_BYTES)) {
        model_rule_broken(m, RULE_FALCON_DMA_RANGE, "%s: %s at offset 0x%x, memory has 0x%x bytes",
                          f->kind->name, what, f->trf_moffs, FALCON_MEM_BYTES);
        return;
    }
    const struct NV_PFALCON_FBIF_TRANSCFG cfg = {f->transcfg[ctx]};
    const bool vram = NV_PFALCON_FBIF_TRANSCFG__TARGET(cfg) == 0;
    if (out) {
        if (vram) {
            model_vram_write(m, addr, f->dmem + f->trf_moffs, size);
        } else {
            model_dma_write(m, addr, f->dmem + f->trf_moffs, size, what);
        }
        return;
    }
    if (!(vram ? model_vram_read(m, addr, buf, size) : model_dma_read(m, addr, buf, size, what))) {
        return;
    }
    if (imem) {
        imem_put(f, f->trf_moffs, buf, size, f->trf_fboffs / FALCON_BLOCK, secure);
    } else {
        memcpy(f->dmem + f->trf_moffs, buf, size);
        f->dmem_top = f->trf_moffs + size > f->dmem_top ? f->trf_moffs + size : f->dmem_top;
    }
}

bool model_falcon_imem_is(const struct falcon *f, uint32_t off, const uint8_t *src, uint32_t len,
                          bool secure, uint32_t tag, uint32_t *at, const char **why)
{
    if (!range_ok(off, len, FALCON_MEM_BYTES) || off % FALCON_BLOCK != 0) {
        *at = 0;
        *why = "does not fit IMEM";
        return false;
    }
    for (uint32_t done = 0; done < len; done += FALCON_BLOCK) {
        const uint32_t block = (off + done) / FALCON_BLOCK;
        const uint32_t n = len - done < FALCON_BLOCK ? len - done : FALCON_BLOCK;
        *at = off + done;
        if ((f->imem_flags[block] & IMEM_LOADED) == 0) {
            *why = "was never loaded";
            return false;
        }
        if (memcmp(f->imem + off + done, src + done, n) != 0) {
            for (uint32_t i = 0; i < n && f->imem[off + done + i] == src[done + i]; i++) {
                *at = off + done + i + 1;
            }
            *why = "differs from the file";
            return false;
        }
        if (((f->imem_flags[block] & IMEM_SECURE) != 0) != secure) {
            *why =
                secure ? "was loaded without the secure flag" : "was loaded with the secure flag";
            return false;
        }
        if (f->imem_tag[block] != (uint16_t)(tag + done / FALCON_BLOCK)) {
            *why = "has the wrong virtual tag";
            return false;
        }
    }
    return true;
}

/* ---- start ---- */

void model_falcon_start(struct gpu_model *m, struct falcon *f)
{
    if (f->in_reset) {
        model_rule_broken(m, RULE_FALCON_IN_RESET, "%s: started while the engine is held in reset",
                          f->kind->name);
        return;
    }
    if (f->running) {
        model_rule_broken(m, RULE_FALCON_START_RUNNING, "%s: started while its program runs",
                          f->kind->name);
        return;
    }
    if ((f->bcr_ctrl & BCR_RISCV) != 0 && !m->chip->pio) {
        model_rule_broken(m, RULE_FALCON_WRONG_CORE,
                          "%s: the falcon was started while BCR_CTRL selects the RISC-V core",
                          f->kind->name);
        return;
    }
    if (f->trf_unchecked) {
        model_rule_broken(
            m, RULE_FALCON_START_DURING_DMA,
            "%s: started although DMATRFCMD was not read idle after the last transfer",
            f->kind->name);
    }
    model_trace_text(m, "%s falcon starts at 0x%x, mailboxes 0x%x 0x%x", f->kind->name, f->bootvec,
                     f->mailbox[0], f->mailbox[1]);
    f->running = true;
    if (m->faults->count != 0 && model_fault_falcon_hangs(m, !f->kind->is_gsp)) {
        return; /* it runs on and on */
    }
    const uint64_t fwsec_ns = f->loaded ? START_FWSEC_NS : START_EMPTY_NS;
    model_schedule(m, f->kind->work, f->kind->is_gsp ? fwsec_ns : START_BOOTER_NS);
}

void model_falcon_halt(struct gpu_model *m, struct falcon *f)
{
    f->running = false;
    f->reset_since_run = false;
    model_trace_text(m, "%s falcon halts, mailboxes 0x%x 0x%x", f->kind->name, f->mailbox[0],
                     f->mailbox[1]);
}
