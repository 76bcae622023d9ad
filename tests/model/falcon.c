/* SPDX-License-Identifier: MIT */
/*
 * A falcon engine (GSP, SEC2): registers, IMEM and DMEM, the ports, the DMA engine, reset, core
 * select, start. What a started program does is in fwsec.c, booter.c and gsp_seq.c; it happens as
 * delayed work. Sources: registers.md 7, boot.md 3-4, measured.md 6.
 */
#include <string.h>

#include "tests/model/model_priv.h"

enum {
    CPUCTL_HALTED = 0x10, CPUCTL_START = 0x2,
    RISCV_ACTIVE = 0x80, RISCV_HALTED = 0x10,
    HWCFG_64K = 0x100 | 0x100 << 9, /* IMEM and DMEM, 256 blocks each */
    HWCFG1_VALUE = 0x1136,          /* revision 6, heavy security (registers.md 7.2) */
    FBIF_CTL_RESET = 0x110,         /* a dump shows 0x190, whose bit 7 the driver sets */
    BCR_VALID = 1, BCR_RISCV = 0x10, BCR_BRFETCH = 0x100,
    SCRUB_NS = 4000,
    START_EMPTY_NS = 1000, START_FWSEC_NS = 120000, START_BOOTER_NS = 150000,
};
#define LOCKED_AFTER_RESET 0xbadf5620u /* measured.md 6: until the core select is written */

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

void falcon_power_on(struct gpu_model *m, struct falcon *f, const char *name, uint32_t base)
{
    (void)m;
    f->name = name;
    f->base = base;
    reset_core(f);
    f->os = f->debuginfo = f->irqmode = 0;
    memset(f->common_scratch, 0, sizeof(f->common_scratch));
    memset(f->mailbox_ext, 0, sizeof(f->mailbox_ext));
    memset(f->queue_head, 0, sizeof(f->queue_head));
    memset(f->queue_tail, 0, sizeof(f->queue_tail));
    f->in_reset = false;
    f->host_irq = false;
    f->locked = false;
    f->reset_since_run = false;
    f->scrub_until_ns = 0;
    f->resets = 0;
}

static void engine_write(struct gpu_model *m, struct falcon *f, uint32_t value)
{
    const struct NV_PFALCON_FALCON_ENGINE e = { value };
    if (NV_PFALCON_FALCON_ENGINE__RESET(e) != 0) {
        f->in_reset = true;
        m->due[f == &m->sec2 ? WORK_SEC2 : WORK_GSP_FALCON] = UINT64_MAX;
        reset_core(f);
        if (f == &m->gsp_falcon) {
            gsp_engine_reset(m);
        }
        intr_falcon(m, f);
    } else if (f->in_reset) {
        f->in_reset = false;
        f->reset_since_run = true;
        f->resets++;
        f->scrub_until_ns = model_now(m) + SCRUB_NS;
        f->locked = fault_get(m, FAULT_LOCKED_RESET) != NULL;
    }
}

static bool scrubbing(struct gpu_model *m, const struct falcon *f)
{
    return f->scrub_until_ns != 0 && model_now(m) < f->scrub_until_ns;
}

/* Common to everything that fills IMEM or DMEM. False: the bytes do not arrive. */
static bool may_load(struct gpu_model *m, struct falcon *f, const char *how)
{
    if (f->in_reset) {
        rule_broken(m, RULE_FALCON_IN_RESET, "%s: %s while the engine is held in reset", f->name, how);
        return false;
    }
    if (f->running) {
        rule_broken(m, RULE_FALCON_TOUCHED_RUNNING, "%s: %s while its program runs", f->name, how);
        return false;
    }
    if (scrubbing(m, f)) {
        rule_broken(m, RULE_FALCON_SCRUBBING, "%s: %s before the memory scrub after reset was done",
                    f->name, how);
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

static bool transfer_allowed(struct gpu_model *m, struct falcon *f, uint32_t ctx)
{
    const struct NV_PFALCON_FBIF_TRANSCFG cfg = { f->transcfg[ctx] };
    const struct NV_PFALCON_FBIF_CTL ctl = { f->fbif_ctl };
    const struct NV_PFALCON_FALCON_DMACTL dma = { f->dmactl };
    if (NV_PFALCON_FBIF_TRANSCFG__MEM_TYPE(cfg) == 0 ||
        NV_PFALCON_FBIF_CTL__ALLOW_PHYS_NO_CTX(ctl) == 0 ||
        NV_PFALCON_FALCON_DMACTL__REQUIRE_CTX(dma) != 0) {
        rule_broken(m, RULE_FALCON_DMA_CONTEXT,
                    "%s: transfer with TRANSCFG(%u)=0x%x FBIF_CTL=0x%x DMACTL=0x%x; physical access "
                    "needs MEM_TYPE=1, ALLOW_PHYS_NO_CTX=1, REQUIRE_CTX=0",
                    f->name, ctx, f->transcfg[ctx], f->fbif_ctl, f->dmactl);
        return false;
    }
    if (NV_PFALCON_FBIF_TRANSCFG__TARGET(cfg) > NV_PFALCON_FBIF_TRANSCFG__TARGET_NONCOHERENT_SYSMEM) {
        rule_broken(m, RULE_FALCON_DMA_CONTEXT, "%s: TRANSCFG(%u) target 3 does not exist", f->name,
                    ctx);
        return false;
    }
    return true;
}

static void transfer(struct gpu_model *m, struct falcon *f, uint32_t value)
{
    const struct NV_PFALCON_FALCON_DMATRFCMD c = { value };
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
    if (!may_load(m, f, what) || !transfer_allowed(m, f, ctx)) {
        return;
    }
    if (size > FALCON_BLOCK || (imem && (size != FALCON_BLOCK || out)) || f->trf_moffs % size != 0 ||
        addr % size != 0) {
        rule_broken(m, RULE_FALCON_DMA_ALIGNMENT,
                    "%s: %s of %u bytes, memory offset 0x%x, address 0x%llx: a transfer is 4..256 "
                    "bytes (IMEM: 256) and naturally aligned",
                    f->name, what, size, f->trf_moffs, (unsigned long long)addr);
        return;
    }
    if (!range_ok(f->trf_moffs, size, FALCON_MEM_BYTES)) {
        rule_broken(m, RULE_FALCON_DMA_RANGE, "%s: %s at offset 0x%x, memory has 0x%x bytes", f->name,
                    what, f->trf_moffs, FALCON_MEM_BYTES);
        return;
    }
    const struct NV_PFALCON_FBIF_TRANSCFG cfg = { f->transcfg[ctx] };
    const bool vram = NV_PFALCON_FBIF_TRANSCFG__TARGET(cfg) == 0;
    if (out) {
        if (vram) {
            vram_write(m, addr, f->dmem + f->trf_moffs, size);
        } else {
            dma_write(m, addr, f->dmem + f->trf_moffs, size, what);
        }
        return;
    }
    if (!(vram ? vram_read(m, addr, buf, size) : dma_read(m, addr, buf, size, what))) {
        return;
    }
    if (imem) {
        imem_put(f, f->trf_moffs, buf, size, f->trf_fboffs / FALCON_BLOCK, secure);
    } else {
        memcpy(f->dmem + f->trf_moffs, buf, size);
        f->dmem_top = f->trf_moffs + size > f->dmem_top ? f->trf_moffs + size : f->dmem_top;
    }
}

bool falcon_imem_is(const struct falcon *f, uint32_t off, const uint8_t *src, uint32_t len,
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
            *why = secure ? "was loaded without the secure flag" : "was loaded with the secure flag";
            return false;
        }
        if (f->imem_tag[block] != (uint16_t)(tag + done / FALCON_BLOCK)) {
            *why = "has the wrong virtual tag";
            return false;
        }
    }
    return true;
}

/* ---- ports: OFFS 7:2, BLK 23:8, AINCW 24, AINCR 25; address = bits 23:2 as bytes ---- */

enum { PORT_ADDR = 0x00fffffc, PORT_AINCW = 1 << 24, PORT_AINCR = 1 << 25, PORT_SECURE = 1 << 28 };

static uint32_t port_read(uint8_t *mem, uint32_t *ctl)
{
    const uint32_t at = *ctl & PORT_ADDR;
    const uint32_t v = at + 4 <= FALCON_MEM_BYTES ? get_le32(mem + at) : 0;
    if ((*ctl & PORT_AINCR) != 0) {
        *ctl = (*ctl & ~(uint32_t)PORT_ADDR) | ((at + 4) & PORT_ADDR);
    }
    return v;
}

static bool port_write(uint8_t *mem, uint32_t *ctl, uint32_t value, uint32_t *at)
{
    *at = *ctl & PORT_ADDR;
    const bool ok = *at + 4 <= FALCON_MEM_BYTES;
    if (ok) {
        put_le32(mem + *at, value);
    }
    if ((*ctl & PORT_AINCW) != 0) {
        *ctl = (*ctl & ~(uint32_t)PORT_ADDR) | ((*at + 4) & PORT_ADDR);
    }
    return ok;
}

static void imem_port_write(struct gpu_model *m, struct falcon *f, uint32_t i, uint32_t value)
{
    uint32_t at;
    if (!may_load(m, f, "IMEM port write")) {
        return;
    }
    const bool secure = (f->imemc[i] & PORT_SECURE) != 0;
    if (!port_write(f->imem, &f->imemc[i], value, &at)) {
        rule_broken(m, RULE_FALCON_DMA_RANGE, "%s: IMEM port at 0x%x", f->name, at);
        return;
    }
    if (at % FALCON_BLOCK == 0) {
        f->imem_tag[at / FALCON_BLOCK] = (uint16_t)f->imemt[i];
        f->imem_flags[at / FALCON_BLOCK] = (uint8_t)(IMEM_LOADED | (secure ? IMEM_SECURE : 0));
    }
    f->imem_top = at + 4 > f->imem_top ? at + 4 : f->imem_top;
    f->loaded = true;
}

static void dmem_port_write(struct gpu_model *m, struct falcon *f, uint32_t i, uint32_t value)
{
    uint32_t at;
    if (!may_load(m, f, "DMEM port write")) {
        return;
    }
    if (!port_write(f->dmem, &f->dmemc[i], value, &at)) {
        rule_broken(m, RULE_FALCON_DMA_RANGE, "%s: DMEM port at 0x%x", f->name, at);
        return;
    }
    f->dmem_top = at + 4 > f->dmem_top ? at + 4 : f->dmem_top;
}

/* ---- start ---- */

static void start(struct gpu_model *m, struct falcon *f)
{
    if (f->in_reset) {
        rule_broken(m, RULE_FALCON_IN_RESET, "%s: started while the engine is held in reset", f->name);
        return;
    }
    if (f->running) {
        rule_broken(m, RULE_FALCON_START_RUNNING, "%s: started while its program runs", f->name);
        return;
    }
    if ((f->bcr_ctrl & BCR_RISCV) != 0 && (m->chip->family & (F_TU | F_GA100)) == 0) {
        rule_broken(m, RULE_FALCON_WRONG_CORE,
                    "%s: the falcon was started while BCR_CTRL selects the RISC-V core", f->name);
        return;
    }
    if (f->trf_unchecked) {
        rule_broken(m, RULE_FALCON_START_DURING_DMA,
                    "%s: started although DMATRFCMD was not read idle after the last transfer",
                    f->name);
    }
    trace_text(m, "%s falcon starts at 0x%x, mailboxes 0x%x 0x%x", f->name, f->bootvec, f->mailbox[0],
               f->mailbox[1]);
    f->running = true;
    if (f == &m->sec2) {
        model_schedule(m, WORK_SEC2, START_BOOTER_NS);
    } else {
        model_schedule(m, WORK_GSP_FALCON, f->loaded ? START_FWSEC_NS : START_EMPTY_NS);
    }
}

void falcon_halt(struct gpu_model *m, struct falcon *f)
{
    f->running = false;
    f->reset_since_run = false;
    trace_text(m, "%s falcon halts, mailboxes 0x%x 0x%x", f->name, f->mailbox[0], f->mailbox[1]);
}

/* ---- registers ---- */

#define IN_ARRAY(off, reg, i)                                                                      \
    ((off) >= (uint32_t)reg##__OFFSET && ((off) - (uint32_t)reg##__OFFSET) % reg##__STRIDE == 0 && \
     ((i) = ((off) - (uint32_t)reg##__OFFSET) / reg##__STRIDE) < reg##__COUNT)

static bool read_array(struct gpu_model *m, struct falcon *f, uint32_t off, uint32_t *v)
{
    uint32_t i;
    (void)m;
    if (IN_ARRAY(off, NV_PFALCON_FALCON_IMEMC, i)) {
        *v = f->imemc[i];
    } else if (IN_ARRAY(off, NV_PFALCON_FALCON_IMEMD, i)) {
        const uint32_t at = f->imemc[i] & PORT_ADDR;
        const bool hidden = at < FALCON_MEM_BYTES &&
                            (f->imem_flags[at / FALCON_BLOCK] & IMEM_SECURE) != 0;
        *v = port_read(f->imem, &f->imemc[i]);
        *v = hidden ? 0 : *v; /* secure code cannot be read back */
    } else if (IN_ARRAY(off, NV_PFALCON_FALCON_IMEMT, i)) {
        *v = f->imemt[i];
    } else if (IN_ARRAY(off, NV_PFALCON_FALCON_DMEMC, i)) {
        *v = f->dmemc[i];
    } else if (IN_ARRAY(off, NV_PFALCON_FALCON_DMEMD, i)) {
        *v = port_read(f->dmem, &f->dmemc[i]);
    } else if (IN_ARRAY(off, NV_PFALCON_FALCON_COMMON_SCRATCH, i)) {
        *v = f->common_scratch[i];
    } else if (IN_ARRAY(off, NV_PFALCON_FBIF_TRANSCFG, i)) {
        *v = f->transcfg[i];
    } else if (IN_ARRAY(off, NV_PFALCON_MAILBOX, i)) {
        *v = f->mailbox_ext[i];
    } else if (IN_ARRAY(off, NV_PGSP_QUEUE_HEAD, i)) {
        *v = f->queue_head[i];
    } else if (IN_ARRAY(off, NV_PGSP_QUEUE_TAIL, i)) {
        *v = f->queue_tail[i];
    } else if (IN_ARRAY(off, NV_PFALCON2_FALCON_BROM_PARAADDR, i)) {
        *v = f->paraaddr[i];
    } else {
        return false;
    }
    return true;
}

static uint32_t hwcfg2(struct gpu_model *m, const struct falcon *f)
{
    struct NV_PFALCON_FALCON_HWCFG2 r = { f == &m->sec2 ? m->chip->hwcfg2_sec2
                                                        : m->chip->hwcfg2_gsp };
    r = NV_PFALCON_FALCON_HWCFG2__with_MEM_SCRUBBING(r, scrubbing(m, f) ? 1 : 0);
    if (fault_get(m, FAULT_RESET_READY) != NULL) {
        r = NV_PFALCON_FALCON_HWCFG2__with_RESET_READY(r, 1);
    }
    return r.raw;
}

bool falcon_read(struct gpu_model *m, struct falcon *f, uint32_t off, uint32_t *v)
{
    const bool old = (m->chip->family & (F_TU | F_GA100)) != 0;
    if (f->locked && off < NV_PFALCON_FALCON_IMEMC__OFFSET &&
        (off == NV_PFALCON_FALCON_CPUCTL__OFFSET || off == NV_PFALCON_FALCON_DMACTL__OFFSET)) {
        *v = LOCKED_AFTER_RESET;
        return true;
    }
    switch (off) {
    case NV_PFALCON_FALCON_IRQSTAT__OFFSET: *v = f->irqstat; return true;
    case NV_PFALCON_FALCON_IRQMODE__OFFSET: *v = f->irqmode; return true;
    case NV_PFALCON_FALCON_IRQMASK__OFFSET: *v = f->irqmask; return true;
    case NV_PFALCON_FALCON_IRQDEST__OFFSET: *v = f->irqdest; return true;
    case NV_PFALCON_FALCON_MAILBOX0__OFFSET: *v = f->mailbox[0]; return true;
    case NV_PFALCON_FALCON_MAILBOX1__OFFSET: *v = f->mailbox[1]; return true;
    case NV_PFALCON_FALCON_ITFEN__OFFSET: *v = f->itfen; return true;
    case NV_PFALCON_FALCON_OS__OFFSET: *v = f->os; return true;
    case NV_PFALCON_FALCON_RM__OFFSET: *v = f->rm; return true;
    case NV_PFALCON_FALCON_DEBUGINFO__OFFSET: *v = f->debuginfo; return true;
    case NV_PFALCON_FALCON_HWCFG2__OFFSET: *v = hwcfg2(m, f); return true;
    case NV_PFALCON_FALCON_CPUCTL__OFFSET: *v = f->running ? 0 : CPUCTL_HALTED; return true;
    case NV_PFALCON_FALCON_BOOTVEC__OFFSET: *v = f->bootvec; return true;
    case NV_PFALCON_FALCON_HWCFG__OFFSET: *v = HWCFG_64K; return true;
    case NV_PFALCON_FALCON_HWCFG1__OFFSET: *v = HWCFG1_VALUE; return true;
    case NV_PFALCON_FALCON_DMACTL__OFFSET:
        *v = f->dmactl | (old && scrubbing(m, f) ? 6u : 0u);
        return true;
    case NV_PFALCON_FALCON_DMATRFBASE__OFFSET: *v = f->trf_base; return true;
    case NV_PFALCON_FALCON_DMATRFBASE1__OFFSET: *v = f->trf_base1; return true;
    case NV_PFALCON_FALCON_DMATRFMOFFS__OFFSET: *v = f->trf_moffs; return true;
    case NV_PFALCON_FALCON_DMATRFFBOFFS__OFFSET: *v = f->trf_fboffs; return true;
    case NV_PFALCON_FALCON_DMATRFCMD__OFFSET:
        f->trf_unchecked = false;
        *v = NV_PFALCON_FALCON_DMATRFCMD__IDLE_MASK;
        return true;
    case NV_PFALCON_FALCON_ENGINE__OFFSET: *v = f->in_reset ? 1 : 0; return true;
    case NV_PFALCON_FBIF_CTL__OFFSET: *v = f->fbif_ctl; return true;
    case NV_PFALCON2_FALCON_MOD_SEL__OFFSET: *v = f->mod_sel; return true;
    case NV_PFALCON2_FALCON_BROM_CURR_UCODE_ID__OFFSET: *v = f->ucode_id; return true;
    case NV_PFALCON2_FALCON_BROM_ENGIDMASK__OFFSET: *v = f->engidmask; return true;
    case NV_PRISCV_RISCV_CPUCTL__OFFSET:
        *v = f->riscv_active ? RISCV_ACTIVE : RISCV_HALTED;
        return !old;
    case NV_PRISCV_RISCV_CORE_SWITCH_RISCV_STATUS__OFFSET:
        *v = f->riscv_active ? 1 : 0;
        return old;
    case NV_PRISCV_RISCV_IRQMASK__OFFSET: *v = f->riscv_irqmask; return !old;
    case NV_PRISCV_RISCV_IRQDEST__OFFSET: *v = f->riscv_irqdest; return !old;
    case NV_PRISCV_RISCV_IRQMASK_TU__OFFSET: *v = f->riscv_irqmask; return old;
    case NV_PRISCV_RISCV_IRQDEST_TU__OFFSET: *v = f->riscv_irqdest; return old;
    case NV_PRISCV_RISCV_BCR_CTRL__OFFSET: *v = f->bcr_ctrl | BCR_VALID; return !old;
    default: return read_array(m, f, off, v);
    }
}

static bool write_array(struct gpu_model *m, struct falcon *f, uint32_t off, uint32_t v)
{
    uint32_t i;
    if (IN_ARRAY(off, NV_PFALCON_FALCON_IMEMC, i)) {
        f->imemc[i] = v;
    } else if (IN_ARRAY(off, NV_PFALCON_FALCON_IMEMD, i)) {
        imem_port_write(m, f, i, v);
    } else if (IN_ARRAY(off, NV_PFALCON_FALCON_IMEMT, i)) {
        f->imemt[i] = v & 0xffff;
    } else if (IN_ARRAY(off, NV_PFALCON_FALCON_DMEMC, i)) {
        f->dmemc[i] = v;
    } else if (IN_ARRAY(off, NV_PFALCON_FALCON_DMEMD, i)) {
        dmem_port_write(m, f, i, v);
    } else if (IN_ARRAY(off, NV_PFALCON_FALCON_COMMON_SCRATCH, i)) {
        f->common_scratch[i] = v;
    } else if (IN_ARRAY(off, NV_PFALCON_FBIF_TRANSCFG, i)) {
        f->transcfg[i] = v;
    } else if (IN_ARRAY(off, NV_PFALCON_MAILBOX, i)) {
        f->mailbox_ext[i] = v;
    } else if (IN_ARRAY(off, NV_PGSP_QUEUE_HEAD, i)) {
        f->queue_head[i] = v;
        if (f == &m->gsp_falcon) {
            gsp_doorbell(m, i, v);
        }
    } else if (IN_ARRAY(off, NV_PGSP_QUEUE_TAIL, i)) {
        f->queue_tail[i] = v;
    } else if (IN_ARRAY(off, NV_PFALCON2_FALCON_BROM_PARAADDR, i)) {
        f->paraaddr[i] = v;
    } else {
        return false;
    }
    return true;
}

static bool write_irq(struct gpu_model *m, struct falcon *f, uint32_t off, uint32_t v)
{
    switch (off) {
    case NV_PFALCON_FALCON_IRQSSET__OFFSET: f->irqstat |= v; break;
    case NV_PFALCON_FALCON_IRQSCLR__OFFSET: f->irqstat &= ~v; break;
    case NV_PFALCON_FALCON_IRQMSET__OFFSET: f->irqmask |= v; break;
    case NV_PFALCON_FALCON_IRQMCLR__OFFSET: f->irqmask &= ~v; break;
    case NV_PFALCON_FALCON_IRQMODE__OFFSET: f->irqmode = v; break;
    case NV_PFALCON_FALCON_IRQDEST__OFFSET: f->irqdest = v; break;
    case NV_PRISCV_RISCV_IRQDEST__OFFSET:
    case NV_PRISCV_RISCV_IRQDEST_TU__OFFSET: f->riscv_irqdest = v; break;
    case NV_PFALCON_FALCON_INTR_RETRIGGER__OFFSET:
        if ((v & 1) != 0 && (m->chip->family & F_TU) == 0) {
            f->host_irq = false; /* what is still latched is emitted again */
        }
        break;
    default: return false;
    }
    intr_falcon(m, f);
    return true;
}

bool falcon_write(struct gpu_model *m, struct falcon *f, uint32_t off, uint32_t v)
{
    if (write_irq(m, f, off, v)) {
        return true;
    }
    switch (off) {
    case NV_PFALCON_FALCON_MAILBOX0__OFFSET: f->mailbox[0] = v; return true;
    case NV_PFALCON_FALCON_MAILBOX1__OFFSET: f->mailbox[1] = v; return true;
    case NV_PFALCON_FALCON_ITFEN__OFFSET: f->itfen = v; return true;
    case NV_PFALCON_FALCON_OS__OFFSET: f->os = v; return true;
    case NV_PFALCON_FALCON_RM__OFFSET: f->rm = v; return true;
    case NV_PFALCON_FALCON_DEBUGINFO__OFFSET: f->debuginfo = v; return true;
    case NV_PFALCON_FALCON_CPUCTL__OFFSET:
    case NV_PFALCON_FALCON_CPUCTL_ALIAS__OFFSET:
        if ((v & CPUCTL_START) != 0) {
            start(m, f);
        }
        return true;
    case NV_PFALCON_FALCON_BOOTVEC__OFFSET: f->bootvec = v; return true;
    case NV_PFALCON_FALCON_DMACTL__OFFSET: f->dmactl = v & 1; return true;
    case NV_PFALCON_FALCON_DMATRFBASE__OFFSET: f->trf_base = v; return true;
    case NV_PFALCON_FALCON_DMATRFBASE1__OFFSET: f->trf_base1 = v; return true;
    case NV_PFALCON_FALCON_DMATRFMOFFS__OFFSET: f->trf_moffs = v & 0xffffff; return true;
    case NV_PFALCON_FALCON_DMATRFFBOFFS__OFFSET: f->trf_fboffs = v; return true;
    case NV_PFALCON_FALCON_DMATRFCMD__OFFSET: transfer(m, f, v); return true;
    case NV_PFALCON_FALCON_ENGINE__OFFSET: engine_write(m, f, v); return true;
    case NV_PFALCON_FBIF_CTL__OFFSET: f->fbif_ctl = v; return true;
    case NV_PFALCON2_FALCON_MOD_SEL__OFFSET: f->mod_sel = v & 0xff; return true;
    case NV_PFALCON2_FALCON_BROM_CURR_UCODE_ID__OFFSET: f->ucode_id = v & 0xff; return true;
    case NV_PFALCON2_FALCON_BROM_ENGIDMASK__OFFSET: f->engidmask = v; return true;
    case NV_PRISCV_RISCV_BCR_CTRL__OFFSET:
        f->bcr_ctrl = v & (BCR_RISCV | BCR_BRFETCH);
        f->locked = false;
        return true;
    default: return write_array(m, f, off, v);
    }
}
