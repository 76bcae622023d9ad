/* SPDX-License-Identifier: MIT */
/*
 * The programme that the GSP has the CPU run while it boots (Turing to Ada): built to the pattern
 * of the real ones, and checked afterwards by what it left behind. It polls and clears the GSP's
 * mailbox, resets the core, loads a piece of code into the falcon by transfers, runs it, and
 * resumes. Sources: boot.md 10, measured.md 7, rpc.md B4.
 */
#include "tests/model/gsp/gsp_seq.h"

#include <stdlib.h>
#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "gsp_layout.h"
#include "tests/model/blocks/pbus.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/strict.h"
#include "tests/model/chips.h"
#include "tests/model/falcon/falcon.h"
#include "tests/model/gpu.h"
#include "tests/model/gsp/gsp_faults.h"
#include "tests/model/gsp/gsp_state.h"
#include "tests/model/gsp/gsp_status.h"
#include "tests/model/memory/vram.h"
#include "tests/model/memory/wpr2.h"

enum {
    OP_REG_WRITE,
    OP_REG_MODIFY,
    OP_REG_POLL,
    OP_DELAY_US,
    OP_REG_STORE,
    OP_CORE_RESET,
    OP_CORE_START,
    OP_CORE_WAIT_FOR_HALT,
    OP_CORE_RESUME
};
enum {
    FUNCTION_RUN_CPU_SEQUENCER = 0x1002,
    SCRATCH_FIRST = 0x20,
    SCRATCH_COUNT = 16, /* NV_PBUS_SW_SCRATCH words that the filler writes */
    SCRATCH_MODIFY = 0x31,
    MODIFY_BEFORE = 0x00abcdef,
    MODIFY_MASK = 0x0000ff00,
    MODIFY_VALUE = 0x00001200,
    POLL_US = 1000000,
    TRF_IMEM_SECURE_256 = 0x614,
    TRANSCFG_VRAM = 0x4, /* physical, video memory */
    MAILBOX_SUSPENDED_SHIFT = 31,
};

struct programme {
    uint32_t *words; /* SEQ_WORDS_MAX of them */
    uint32_t n;
};

static void emit(struct programme *p, uint32_t word)
{
    if (p->n < SEQ_WORDS_MAX) {
        p->words[p->n++] = word;
    }
}

static void emit_write(struct programme *p, uint32_t off, uint32_t value)
{
    emit(p, OP_REG_WRITE);
    emit(p, off);
    emit(p, value);
}

static void emit_poll(struct programme *p, uint32_t off, uint32_t mask, uint32_t value)
{
    emit(p, OP_REG_POLL);
    emit(p, off);
    emit(p, mask);
    emit(p, value);
    emit(p, POLL_US);
    emit(p, 0);
}

static uint32_t gsp_reg(uint32_t off) { return NV_PGSP_BASE + off; }

/* Recognisable bytes of the code piece at block b. */
static void image_block(uint8_t *out, uint32_t b)
{
    for (uint32_t i = 0; i < FALCON_BLOCK; i++) {
        out[i] = (uint8_t)(0x5a ^ b ^ i * 7);
    }
}

static void emit_load(struct gpu_model *m, struct programme *p)
{
    struct gsp_state *g = m->gsp;
    uint8_t block[FALCON_BLOCK];
    g->seq_image_off =
        m->wpr2->lo + FL_PAGE_SIZE; /* inside WPR2, where the GSP keeps such things */
    g->seq_image_bytes = m->chip->seq_transfers * FALCON_BLOCK;
    emit_write(p, gsp_reg(NV_PFALCON_FBIF_TRANSCFG__OFFSET), TRANSCFG_VRAM);
    emit_write(p, gsp_reg(NV_PFALCON_FALCON_DMATRFBASE__OFFSET), (uint32_t)(g->seq_image_off >> 8));
    emit_write(p, gsp_reg(NV_PFALCON_FALCON_DMATRFBASE1__OFFSET),
               (uint32_t)(g->seq_image_off >> 40));
    for (uint32_t i = 0; i < m->chip->seq_transfers; i++) {
        image_block(block, i);
        model_vram_write(m, g->seq_image_off + (uint64_t)i * FALCON_BLOCK, block, sizeof(block));
        emit_write(p, gsp_reg(NV_PFALCON_FALCON_DMATRFMOFFS__OFFSET), i * FALCON_BLOCK);
        emit_write(p, gsp_reg(NV_PFALCON_FALCON_DMATRFFBOFFS__OFFSET), i * FALCON_BLOCK);
        emit_write(p, gsp_reg(NV_PFALCON_FALCON_DMATRFCMD__OFFSET), TRF_IMEM_SECURE_256);
        emit_poll(p, gsp_reg(NV_PFALCON_FALCON_DMATRFCMD__OFFSET),
                  NV_PFALCON_FALCON_DMATRFCMD__IDLE_MASK, NV_PFALCON_FALCON_DMATRFCMD__IDLE_MASK);
    }
}

static uint32_t scratch_off(uint32_t i) { return NV_PBUS_SW_SCRATCH__OFFSET + 4 * i; }

static void emit_filler(struct gpu_model *m, struct programme *p, uint32_t target, uint32_t tail)
{
    struct gsp_state *g = m->gsp;
    memset(g->seq_expect, 0, sizeof(g->seq_expect));
    for (uint32_t i = 0; p->n + tail + 3 <= target || i < SCRATCH_COUNT; i++) {
        const uint32_t value = (i + 1) * 0x9e3779b1u;
        emit_write(p, scratch_off(SCRATCH_FIRST + i % SCRATCH_COUNT), value);
        g->seq_expect[i % SCRATCH_COUNT] = value;
    }
}

void model_seq_send(struct gpu_model *m)
{
    enum { TAIL_WORDS = 3 };
    struct programme p = {m->buf->programme, 0};
    struct gsp_state *g = m->gsp;
    const struct gsp_layout *l = g->l;
    const struct fault *wanted = model_fault_get(m, FAULT_SEQUENCER);
    const uint32_t target = wanted != NULL ? wanted->value : m->chip->seq_dwords;
    const uint32_t suspended = 1u << MAILBOX_SUSPENDED_SHIFT;
    emit_poll(&p, gsp_reg(NV_PFALCON_FALCON_MAILBOX0__OFFSET), suspended, suspended);
    emit_write(&p, gsp_reg(NV_PFALCON_FALCON_MAILBOX0__OFFSET), 0);
    emit(&p, OP_CORE_RESET);
    emit_load(m, &p);
    emit(&p, OP_DELAY_US);
    emit(&p, 2);
    emit_write(&p, scratch_off(SCRATCH_MODIFY), MODIFY_BEFORE);
    emit(&p, OP_REG_MODIFY);
    emit(&p, scratch_off(SCRATCH_MODIFY));
    emit(&p, MODIFY_MASK);
    emit(&p, MODIFY_VALUE);
    emit(&p, OP_REG_STORE);
    emit(&p, scratch_off(SCRATCH_MODIFY));
    emit(&p, 3);
    g->seq_modify_expect = (MODIFY_BEFORE & ~(uint32_t)MODIFY_MASK) | MODIFY_VALUE;
    emit_filler(m, &p, target, TAIL_WORDS);
    emit(&p, OP_CORE_START);
    emit(&p, OP_CORE_WAIT_FOR_HALT);
    emit(&p, OP_CORE_RESUME);

    const uint32_t head = l->rpc_run_cpu_sequencer_v17_00.total;
    uint8_t *payload = calloc(1, head + 4 * (size_t)p.n);
    if (payload == NULL) {
        model_gsp_crash(m);
        return;
    }
    fw_put(payload, head, l->rpc_run_cpu_sequencer_v17_00.bufferSizeDWord, p.n + 1);
    fw_put(payload, head, l->rpc_run_cpu_sequencer_v17_00.cmdIndex, p.n);
    for (uint32_t i = 0; i < p.n; i++) {
        put_le32(payload + head + 4 * (size_t)i, p.words[i]);
    }
    g->seq_words = p.n;
    g->seq_resets_before = m->gsp_falcon->resets;
    g->seq_program_ran = false;
    m->gsp_falcon->mailbox[0] = suspended;
    model_queue_send(m, FUNCTION_RUN_CPU_SEQUENCER, 0, 0, payload, head + 4 * p.n, 0);
    free(payload);
}

bool model_seq_falcon_run(struct gpu_model *m)
{
    struct gsp_state *g = m->gsp;
    const struct falcon *f = m->gsp_falcon;
    uint8_t block[FALCON_BLOCK];
    for (uint32_t i = 0; i < g->seq_image_bytes / FALCON_BLOCK; i++) {
        uint32_t at;
        const char *why;
        image_block(block, i);
        if (!model_falcon_imem_is(f, i * FALCON_BLOCK, block, FALCON_BLOCK, true, i, &at, &why)) {
            return false;
        }
    }
    g->seq_program_ran = true;
    return true;
}

bool model_seq_check(struct gpu_model *m)
{
    struct gsp_state *g = m->gsp;
    /* CORE_RESET and CORE_RESUME reset the engine; drivers may pulse more than once. */
    if (m->gsp_falcon->resets < g->seq_resets_before + 2) {
        model_rule_broken(m, RULE_SEQ_NOT_RUN,
                          "the GSP was reset %u times, CORE_RESET and CORE_RESUME make 2",
                          m->gsp_falcon->resets - g->seq_resets_before);
        return false;
    }
    if (!g->seq_program_ran) {
        model_rule_broken(m, RULE_SEQ_NOT_RUN, "the code that the programme loads was not started");
        return false;
    }
    for (uint32_t i = 0; i < SCRATCH_COUNT; i++) {
        if (m->pbus->sw_scratch[SCRATCH_FIRST + i] != g->seq_expect[i]) {
            model_rule_broken(m, RULE_SEQ_NOT_RUN,
                              "REG_WRITE: 0x%06x holds 0x%08x, the programme ends with 0x%08x",
                              scratch_off(SCRATCH_FIRST + i),
                              m->pbus->sw_scratch[SCRATCH_FIRST + i], g->seq_expect[i]);
            return false;
        }
    }
    if (m->pbus->sw_scratch[SCRATCH_MODIFY] != g->seq_modify_expect) {
        model_rule_broken(
            m, RULE_SEQ_NOT_RUN, "REG_MODIFY: 0x%06x holds 0x%08x, the programme makes 0x%08x",
            scratch_off(SCRATCH_MODIFY), m->pbus->sw_scratch[SCRATCH_MODIFY], g->seq_modify_expect);
        return false;
    }
    return true;
}
