/* SPDX-License-Identifier: MIT */
/* The shortest driver: runs the programme that the GSP has the CPU run. */
#include "tests/unit/mini_driver.h"

#include <stdlib.h>
#include <string.h>

#include "gsp/hw/regs/regs.h"

enum { OP_COUNT = 9 };

#define GSP(reg)  (NV_PGSP_BASE + (uint32_t)reg##__OFFSET)
#define SEC2(reg) (NV_PSEC_BASE + (uint32_t)reg##__OFFSET)

static bool core_resume(struct mini *d)
{
    if (d->pio) {
        mini_pio_reset(d, NV_PGSP_BASE);
    } else {
        mini_engine_reset(d, NV_PGSP_BASE);
    }
    mini_hook_at(d, MINI_RESUME_RESET);
    mini_wr(d, GSP(NV_PFALCON_FALCON_MAILBOX0), (uint32_t)d->libos);
    mini_wr(d, GSP(NV_PFALCON_FALCON_MAILBOX1), (uint32_t)(d->libos >> 32));
    mini_hook_at(d, MINI_RESUME);
    mini_wr(d, SEC2(NV_PFALCON_FALCON_CPUCTL), 2);
    return mini_poll(d, NV_PGC6_BSI_SECURE_SCRATCH_14__OFFSET, 1u << 26, 1u << 26, 2000000) &&
           mini_rd(d, SEC2(NV_PFALCON_FALCON_MAILBOX0)) == 0 && mini_riscv_runs(d);
}

static bool run_op(struct mini *d, uint32_t op, const uint32_t *a)
{
    switch (op) {
    case 0:
        mini_wr(d, a[0], a[1]);
        return true;
    case 1:
        mini_wr(d, a[0], (mini_rd(d, a[0]) & ~a[1]) | a[2]);
        return true;
    case 2:
        return mini_poll(d, a[0], a[1], a[2], a[3]);
    case 3:
        mini_pass(d, a[0]);
        return true;
    case 4:
        mini_rd(d, a[0]);
        return true;
    case 5:
        if (d->pio) {
            mini_pio_reset(d, NV_PGSP_BASE);
        } else {
            mini_engine_reset(d, NV_PGSP_BASE);
        }
        mini_wr(d, GSP(NV_PFALCON_FBIF_CTL), mini_rd(d, GSP(NV_PFALCON_FBIF_CTL)) | 0x80);
        mini_wr(d, GSP(NV_PFALCON_FALCON_DMACTL), 0);
        return true;
    case 6:
        mini_wr(d, GSP(NV_PFALCON_FALCON_CPUCTL), 2);
        return true;
    case 7:
        return mini_poll(d, GSP(NV_PFALCON_FALCON_CPUCTL), 0x10, 0x10, 2000000);
    default:
        return core_resume(d);
    }
}

bool mini_run_sequencer(struct mini *d)
{
    static const uint32_t operands[OP_COUNT] = {2, 3, 5, 1, 2, 0, 0, 0, 0};
    const uint32_t n = get_le32(d->msg + 80 + 4);
    uint32_t *w = malloc(4 * (size_t)n);
    bool ok = w != NULL;
    memcpy(w, d->msg + 80 + 40, 4 * (size_t)n);
    for (uint32_t i = 0; ok && i < n;) {
        const uint32_t op = w[i++];
        if (op >= OP_COUNT || i + operands[op] > n) {
            abort();
        }
        d->hook_step = op;
        mini_hook_at(d, MINI_SEQ_OP);
        ok = op == d->seq_skip_op || run_op(d, op, w + i);
        i += operands[op];
    }
    free(w);
    return ok;
}
