/* SPDX-License-Identifier: MIT */
/*
 * The registers of a falcon engine. Its memory ports are in falcon_pio.c. Sources: registers.md 7,
 * measured.md 6.
 */
#include "tests/model/falcon/falcon_regs.h"

#include "gsp/hw/regs/regs.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/strict.h"
#include "tests/model/chips.h"
#include "tests/model/falcon/falcon.h"
#include "tests/model/falcon/falcon_pio.h"
#include "tests/model/gpu.h"

enum {
    CPUCTL_HALTED = 0x10,
    CPUCTL_START = 0x2,
    RISCV_ACTIVE = 0x80,
    RISCV_HALTED = 0x10,
    HWCFG_64K = 0x100 | 0x100 << 9, /* IMEM and DMEM, 256 blocks each */
    HWCFG1_VALUE = 0x1136,          /* revision 6, heavy security (registers.md 7.2) */
    BCR_VALID = 1,
    BCR_RISCV = 0x10,
    BCR_BRFETCH = 0x100,
    RESET_DEASSERTED = 2 << 8, /* ENGINE.RESET_STATUS from Hopper on */
};
/* After a boot by the FSP both control registers of a GB205 read so (measured.md 6). */
#define CPUCTL_RISCV_RUNS 0x180u
/* RISC-V status of a running GA100 (measured.md 6); 0 before it was started. */
#define STATUS_RISCV_RUNS  0x33u
#define TARGET_MASKED      0xbadf4100u /* registers.md 2: the FSP keeps the engine to itself */
#define LOCKED_AFTER_RESET 0xbadf5620u /* measured.md 6: until the core select is written */

/* ---- registers ---- */

#define IN_ARRAY(off, reg, i)                                                                      \
    ((off) >= (uint32_t)reg##__OFFSET && ((off) - (uint32_t)reg##__OFFSET) % reg##__STRIDE == 0 && \
     ((i) = ((off) - (uint32_t)reg##__OFFSET) / reg##__STRIDE) < reg##__COUNT)

static bool read_array(struct gpu_model *m, struct falcon *f, uint32_t off, uint32_t *v)
{
    uint32_t i;
    (void)m;
    if (model_falcon_port_read(f, off, v)) {
        return true;
    }
    if (IN_ARRAY(off, NV_PFALCON_FALCON_COMMON_SCRATCH, i)) {
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
    struct NV_PFALCON_FALCON_HWCFG2 r = {f->kind->is_gsp ? m->chip->hwcfg2_gsp
                                                         : m->chip->hwcfg2_sec2};
    if (!m->chip->pio) {
        r = NV_PFALCON_FALCON_HWCFG2__with_MEM_SCRUBBING(r, model_falcon_scrubbing(m, f) ? 1 : 0);
    }
    if (m->chip->fsp != NULL && f->kind->is_gsp) {
        r = NV_PFALCON_FALCON_HWCFG2__with_RISCV_BR_PRIV_LOCKDOWN(r, f->lockdown ? 1 : 0);
    }
    if (model_fault_get(m, FAULT_RESET_READY) != NULL) {
        r = NV_PFALCON_FALCON_HWCFG2__with_RESET_READY(r, 1);
    }
    return r.raw;
}

bool model_falcon_read(struct gpu_model *m, struct falcon *f, uint32_t off, uint32_t *v)
{
    const bool old = m->chip->pio, fsp = m->chip->fsp != NULL;
    if (f->masked) {
        *v = TARGET_MASKED;
        return true;
    }
    if (f->locked && off < NV_PFALCON_FALCON_IMEMC__OFFSET &&
        (off == NV_PFALCON_FALCON_CPUCTL__OFFSET || off == NV_PFALCON_FALCON_DMACTL__OFFSET)) {
        *v = LOCKED_AFTER_RESET;
        return true;
    }
    switch (off) {
    case NV_PFALCON_FALCON_IRQSTAT__OFFSET:
        *v = f->irqstat;
        return true;
    case NV_PFALCON_FALCON_IRQMODE__OFFSET:
        *v = f->irqmode;
        return true;
    case NV_PFALCON_FALCON_IRQMASK__OFFSET:
        *v = f->irqmask;
        return true;
    case NV_PFALCON_FALCON_IRQDEST__OFFSET:
        *v = f->irqdest;
        return true;
    case NV_PFALCON_FALCON_MAILBOX0__OFFSET:
        *v = f->mailbox[0];
        return true;
    case NV_PFALCON_FALCON_MAILBOX1__OFFSET:
        *v = f->mailbox[1];
        return true;
    case NV_PFALCON_FALCON_ITFEN__OFFSET:
        *v = f->itfen;
        return true;
    case NV_PFALCON_FALCON_OS__OFFSET:
        *v = f->os;
        return true;
    case NV_PFALCON_FALCON_RM__OFFSET:
        *v = f->rm;
        return true;
    case NV_PFALCON_FALCON_DEBUGINFO__OFFSET:
        *v = f->debuginfo;
        return true;
    case NV_PFALCON_SCP_CTL_STAT__OFFSET:
        *v = 0; /* a production part */
        return true;
    case NV_PFALCON_FALCON_HWCFG2__OFFSET:
        *v = hwcfg2(m, f);
        return true;
    case NV_PFALCON_FALCON_CPUCTL__OFFSET:
        *v = fsp && f->riscv_active ? CPUCTL_RISCV_RUNS : f->running ? 0 : CPUCTL_HALTED;
        return true;
    case NV_PFALCON_FALCON_BOOTVEC__OFFSET:
        *v = f->bootvec;
        return true;
    case NV_PFALCON_FALCON_HWCFG__OFFSET:
        *v = HWCFG_64K;
        return true;
    case NV_PFALCON_FALCON_HWCFG1__OFFSET:
        *v = HWCFG1_VALUE;
        return true;
    case NV_PFALCON_FALCON_DMACTL__OFFSET:
        *v = f->dmactl | (old && model_falcon_scrubbing(m, f) ? 6u : 0u);
        return true;
    case NV_PFALCON_FALCON_DMATRFBASE__OFFSET:
        *v = f->trf_base;
        return true;
    case NV_PFALCON_FALCON_DMATRFBASE1__OFFSET:
        *v = f->trf_base1;
        return true;
    case NV_PFALCON_FALCON_DMATRFMOFFS__OFFSET:
        *v = f->trf_moffs;
        return true;
    case NV_PFALCON_FALCON_DMATRFFBOFFS__OFFSET:
        *v = f->trf_fboffs;
        return true;
    case NV_PFALCON_FALCON_DMATRFCMD__OFFSET:
        f->trf_unchecked = false;
        *v = NV_PFALCON_FALCON_DMATRFCMD__IDLE_MASK;
        return true;
    case NV_PFALCON_FALCON_ENGINE__OFFSET:
        *v = f->in_reset ? 1 : fsp ? RESET_DEASSERTED : 0;
        return true;
    case NV_PFALCON_FBIF_CTL__OFFSET:
        *v = f->fbif_ctl;
        return true;
    case NV_PFALCON2_FALCON_MOD_SEL__OFFSET:
        *v = f->mod_sel;
        return true;
    case NV_PFALCON2_FALCON_BROM_CURR_UCODE_ID__OFFSET:
        *v = f->ucode_id;
        return true;
    case NV_PFALCON2_FALCON_BROM_ENGIDMASK__OFFSET:
        *v = f->engidmask;
        return true;
    case NV_PRISCV_RISCV_CPUCTL__OFFSET:
        *v = !f->riscv_active ? RISCV_HALTED : fsp ? CPUCTL_RISCV_RUNS : RISCV_ACTIVE;
        return !old;
    case NV_PRISCV_RISCV_CORE_SWITCH_RISCV_STATUS__OFFSET:
        *v = f->riscv_active ? STATUS_RISCV_RUNS : 0;
        return old;
    case NV_PRISCV_RISCV_IRQMASK__OFFSET:
        *v = f->riscv_irqmask;
        return !old;
    case NV_PRISCV_RISCV_IRQDEST__OFFSET:
        *v = f->riscv_irqdest;
        return !old;
    case NV_PRISCV_RISCV_IRQMASK_TU__OFFSET:
        *v = f->riscv_irqmask;
        return old;
    case NV_PRISCV_RISCV_IRQDEST_TU__OFFSET:
        *v = f->riscv_irqdest;
        return old;
    case NV_PRISCV_RISCV_BCR_CTRL__OFFSET:
        *v = f->bcr_ctrl | BCR_VALID;
        return !old;
    default:
        return read_array(m, f, off, v);
    }
}

static bool write_array(struct gpu_model *m, struct falcon *f, uint32_t off, uint32_t v)
{
    uint32_t i;
    if (model_falcon_port_write(m, f, off, v)) {
        return true;
    }
    if (IN_ARRAY(off, NV_PFALCON_FALCON_COMMON_SCRATCH, i)) {
        f->common_scratch[i] = v;
    } else if (IN_ARRAY(off, NV_PFALCON_FBIF_TRANSCFG, i)) {
        f->transcfg[i] = v;
    } else if (IN_ARRAY(off, NV_PFALCON_MAILBOX, i)) {
        f->mailbox_ext[i] = v;
    } else if (IN_ARRAY(off, NV_PGSP_QUEUE_HEAD, i)) {
        f->queue_head[i] = v;
        if (f->kind->doorbell != NULL) {
            f->kind->doorbell(m, i, v);
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
    case NV_PFALCON_FALCON_IRQSSET__OFFSET:
        f->irqstat |= v;
        break;
    case NV_PFALCON_FALCON_IRQSCLR__OFFSET:
        f->irqstat &= ~v;
        break;
    case NV_PFALCON_FALCON_IRQMSET__OFFSET:
        f->irqmask |= v;
        break;
    case NV_PFALCON_FALCON_IRQMCLR__OFFSET:
        f->irqmask &= ~v;
        break;
    case NV_PFALCON_FALCON_IRQMODE__OFFSET:
        f->irqmode = v;
        break;
    case NV_PFALCON_FALCON_IRQDEST__OFFSET:
        f->irqdest = v;
        break;
    case NV_PRISCV_RISCV_IRQDEST__OFFSET:
    case NV_PRISCV_RISCV_IRQDEST_TU__OFFSET:
        f->riscv_irqdest = v;
        break;
    case NV_PFALCON_FALCON_INTR_RETRIGGER__OFFSET:
        if ((v & 1) != 0 && (m->chip->family & F_TU) == 0) {
            f->host_irq = false; /* what is still latched is emitted again */
        }
        break;
    default:
        return false;
    }
    model_falcon_causes(m, f);
    return true;
}

static void write_mailbox(struct gpu_model *m, struct falcon *f, uint32_t i, uint32_t v)
{
    if (f->mailbox[i] !=
        v) { /* nouveau's wait for the scrub begins with writing back what it reads */
        model_falcon_no_scrub(m, f, RULE_FALCON_MAILBOX_SCRUBBING, i == 0 ? "MAILBOX0" : "MAILBOX1",
                              v);
    }
    f->mailbox[i] = v;
}

bool model_falcon_write(struct gpu_model *m, struct falcon *f, uint32_t off, uint32_t v)
{
    if (write_irq(m, f, off, v)) {
        return true;
    }
    switch (off) {
    case NV_PFALCON_FALCON_MAILBOX0__OFFSET:
        write_mailbox(m, f, 0, v);
        return true;
    case NV_PFALCON_FALCON_MAILBOX1__OFFSET:
        write_mailbox(m, f, 1, v);
        return true;
    case NV_PFALCON_FALCON_ITFEN__OFFSET:
        f->itfen = v;
        return true;
    case NV_PFALCON_FALCON_OS__OFFSET:
        f->os = v;
        return true;
    case NV_PFALCON_FALCON_RM__OFFSET:
        f->rm = v;
        return true;
    case NV_PFALCON_FALCON_DEBUGINFO__OFFSET:
        f->debuginfo = v;
        return true;
    case NV_PFALCON_FALCON_CPUCTL__OFFSET:
    case NV_PFALCON_FALCON_CPUCTL_ALIAS__OFFSET:
        if ((v & CPUCTL_START) != 0) {
            model_falcon_start(m, f);
        }
        return true;
    case NV_PFALCON_FALCON_BOOTVEC__OFFSET:
        f->bootvec = v;
        return true;
    case NV_PFALCON_FALCON_DMACTL__OFFSET:
        f->dmactl = v & 1;
        return true;
    case NV_PFALCON_FALCON_DMATRFBASE__OFFSET:
        f->trf_base = v;
        return true;
    case NV_PFALCON_FALCON_DMATRFBASE1__OFFSET:
        f->trf_base1 = v;
        return true;
    case NV_PFALCON_FALCON_DMATRFMOFFS__OFFSET:
        f->trf_moffs = v & 0xffffff;
        return true;
    case NV_PFALCON_FALCON_DMATRFFBOFFS__OFFSET:
        f->trf_fboffs = v;
        return true;
    case NV_PFALCON_FALCON_DMATRFCMD__OFFSET:
        model_falcon_transfer(m, f, v);
        return true;
    case NV_PFALCON_FALCON_ENGINE__OFFSET:
        model_falcon_engine(m, f, v);
        return true;
    case NV_PFALCON_FBIF_CTL__OFFSET:
        f->fbif_ctl = v;
        return true;
    case NV_PFALCON2_FALCON_MOD_SEL__OFFSET:
        f->mod_sel = v & 0xff;
        return true;
    case NV_PFALCON2_FALCON_BROM_CURR_UCODE_ID__OFFSET:
        f->ucode_id = v & 0xff;
        return true;
    case NV_PFALCON2_FALCON_BROM_ENGIDMASK__OFFSET:
        f->engidmask = v;
        return true;
    case NV_PRISCV_RISCV_BCR_CTRL__OFFSET:
        model_falcon_no_scrub(m, f, RULE_FALCON_SELECT_SCRUBBING, "BCR_CTRL", v);
        f->bcr_ctrl = v & (BCR_RISCV | BCR_BRFETCH);
        f->locked = false;
        return !m->chip->pio;
    default:
        return write_array(m, f, off, v);
    }
}
