/* SPDX-License-Identifier: MIT */
/*
 * What the FSP does one after the other: takes a message, has the FMC run, lets the GSP go, and
 * takes it down again. Source: boot.md 11.
 */
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/trace.h"
#include "tests/model/boot/fsp.h"
#include "tests/model/boot/fsp_fmc.h"
#include "tests/model/bus/work.h"
#include "tests/model/falcon/falcon.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/memory/wpr2.h"
#include "tests/model/model.h"

enum {
    /* nouveau reads the mailbox, then the lockdown bit, and takes an address in the one and an
     * open lock in the other for an error: on boards, where the GSP's image is verified in between,
     * the two are further apart than its reads. In an emulator those may be tens of milliseconds
     * apart. */
    RELEASE_NS = 100000000,
};

static void fmc(struct gpu_model *m)
{
    const struct fault *fault = model_fault_get(m, FAULT_FMC_ERROR);
    const uint32_t error = fault != NULL ? fault->value : model_fmc_run(m);
    m->gsp_falcon->mailbox[0] = error;
    m->gsp_falcon->mailbox[1] = 0;
    model_trace_text(m, "FMC ends with 0x%x", error);
    m->fsp->phase = FSPP_IDLE;
    if (error == 0 && model_fault_get(m, FAULT_FMC_LOCKED) == NULL) {
        /* Mailboxes first, lockdown after: nouveau takes the other order for an error. */
        m->fsp->phase = FSPP_ZEROED;
        model_schedule(m, WORK_FSP, RELEASE_NS);
    }
}

static void release(struct gpu_model *m)
{
    struct fsp_state *f = m->fsp;
    f->phase = FSPP_IDLE;
    *m->wpr2 = f->wpr2;
    m->gsp_falcon->lockdown = false;
    m->gsp_falcon->riscv_active = true;
    m->gsp->fw = f->fw;
    m->gsp->l = f->l;
    model_gsp_boot(m, f->args);
}

static void teardown(struct gpu_model *m)
{
    m->fsp->phase = FSPP_IDLE;
    m->fsp->gsp_taken = false;
    m->gsp_falcon->riscv_active = false;
    *m->wpr2 = (struct wpr2){0};
    m->gsp->phase = GSPP_OFF;
    m->stats.gsp_unloads++;
    model_trace_text(m, "the GSP has halted, WPR2 is gone");
}

static void step(struct gpu_model *m)
{
    switch (m->fsp->phase) {
    case FSPP_MESSAGE:
        model_fsp_message(m);
        break;
    case FSPP_FMC:
        fmc(m);
        break;
    case FSPP_ZEROED:
        release(m);
        break;
    case FSPP_TEARDOWN:
        teardown(m);
        break;
    case FSPP_IDLE:
        break;
    }
}

static void reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    *m->fsp = (struct fsp_state){0};
}

static const struct block_range ranges[] = {
    {0x8f0000, 0x8f3fff, F_FSP},
    {0x020000, 0x020fff, F_GH100 | F_GB10X}, /* THERM, which says that it is ready */
    {0xad0000, 0xad0fff, F_GB20X},           /* the same */
    {0},
};
const struct block fsp_block = {
    .name = "FSP",
    BLOCK_STATE(fsp),
    .ranges = ranges,
    .read = model_fsp_read,
    .write = model_fsp_write,
    .reset = reset,
    .work = {[WORK_FSP] = step},
};
