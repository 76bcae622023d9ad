/* SPDX-License-Identifier: MIT */
/*
 * The interrupt tree and the way out: leaves, enables, TOP, MSI with re-arm, MSI-X with one entry a
 * subtree, else the INTx line; and how a falcon's host-routed causes get in. Rules: interrupts.md
 * 2, 3, 5, 6, 9.
 */
#include "tests/model/bus/intr.h"

#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/boards/boards.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/trace.h"
#include "tests/model/bus/border.h"
#include "tests/model/bus/config.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/model.h"

static uint32_t top_bits(const struct gpu_model *m)
{
    uint32_t top = 0;
    for (uint32_t i = 0; i < m->chip->leaf_count; i++) {
        if ((m->intr->leaf[i] & m->intr->leaf_en[i]) != 0) {
            top |= 1u << (i / 2);
        }
    }
    return top;
}

static void send(struct gpu_model *m, unsigned vector)
{
    m->stats.irqs++;
    model_trace_text(m, "interrupt, vector %u", vector);
    if (model_fault_get(m, FAULT_NO_IRQ) == NULL && m->bus.irq != NULL) {
        MODEL_LEAVES(&vector, sizeof(vector));
        m->bus.irq(m->bus.ctx, vector);
    }
}

static bool config_sends_msi(const struct gpu_model *m)
{
    return !model_config_msix_enabled(m) && model_config_msi_enabled(m);
}

/* A level: high while a subtree is deliverable and neither kind of message is enabled. */
void model_intr_line(struct gpu_model *m)
{
    struct intr_state *s = m->intr;
    const bool pending =
        s->delivered != 0 && !model_config_msix_enabled(m) && !model_config_msi_enabled(m);
    const bool line = pending && !model_config_intx_disabled(m);
    model_config_intx_pending(m, pending);
    if (line == s->line) {
        return;
    }
    s->line = line;
    m->stats.irqs += line;
    model_trace_text(m, "INTx %s", line ? "rises" : "falls");
    if (m->bus.intx != NULL && !(line && model_fault_get(m, FAULT_NO_IRQ) != NULL)) {
        m->bus.intx(m->bus.ctx, line);
    }
}

/* After any change: a subtree that becomes deliverable raises one interrupt (edge). */
static void update(struct gpu_model *m)
{
    struct intr_state *s = m->intr;
    const uint32_t now = top_bits(m) & s->top_en;
    const uint32_t rising = now & ~s->delivered;
    s->delivered = now;
    model_intr_line(m);
    if (rising == 0) {
        return;
    }
    if (model_config_msix_enabled(m)) {
        for (uint32_t n = 0; n < m->board->msix_vectors; n++) {
            if ((rising & 1u << n) != 0) {
                send(m, n);
            }
        }
    } else if (config_sends_msi(m) && s->armed) {
        /* From Hopper on toggling TOP_EN re-arms, which the rising edge does by itself
         * (interrupts.md 5). */
        s->armed = m->cfg->rearm == 0;
        send(m, 0);
    }
}

static void reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    const bool line = m->intr->line;
    memset(m->intr, 0, sizeof(*m->intr));
    m->intr->armed = true;
    m->intr->line = line;
    model_intr_line(m); /* falls */
}

void model_intr_latch(struct gpu_model *m, uint32_t vector)
{
    if (vector / 32 < m->chip->leaf_count) {
        m->intr->leaf[vector / 32] |= 1u << (vector % 32);
        update(m);
    }
}

void model_intr_rearm(struct gpu_model *m)
{
    struct intr_state *s = m->intr;
    s->armed = true;
    if (config_sends_msi(m) && (top_bits(m) & s->top_en) != 0) { /* still pending: sent again */
        s->armed = false;
        send(m, 0);
    }
}

static bool leaf_index(const struct gpu_model *m, uint32_t off, uint32_t base, uint32_t *i)
{
    *i = (off - base) / 4;
    return off >= base && *i < m->chip->leaf_count;
}

/* The MSI-X table is storage: whoever delivers (QEMU, a native test) keeps the one that counts. */
static bool msix_index(const struct gpu_model *m, uint32_t off, uint32_t *i)
{
    *i = (off - NV_VIRTUAL_FUNCTION_MSIX_TABLE__OFFSET) / 4;
    return off >= NV_VIRTUAL_FUNCTION_MSIX_TABLE__OFFSET && *i < m->board->msix_vectors * 4 &&
           *i < ARRAY_SIZE(m->intr->msix);
}

static bool read(struct gpu_model *m, uint32_t off, uint32_t *v)
{
    uint32_t i;
    if (msix_index(m, off, &i)) {
        *v = m->intr->msix[i];
        return true;
    }
    if (leaf_index(m, off, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF__OFFSET, &i)) {
        *v = m->intr->leaf[i];
    } else if (leaf_index(m, off, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF_EN_SET__OFFSET, &i) ||
               leaf_index(m, off, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF_EN_CLEAR__OFFSET, &i)) {
        *v = m->intr->leaf_en[i];
    } else if (off == NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_TOP__OFFSET) {
        *v = top_bits(m);
    } else if (off == NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_TOP_EN_SET__OFFSET ||
               off == NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_TOP_EN_CLEAR__OFFSET) {
        *v = m->intr->top_en;
    } else if (off == NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF_TRIGGER__OFFSET) {
        *v = 0;
    } else {
        return false;
    }
    return true;
}

static bool write(struct gpu_model *m, uint32_t off, uint32_t v)
{
    struct intr_state *s = m->intr;
    const uint32_t subtrees = (1u << (m->chip->leaf_count / 2)) - 1;
    uint32_t i;
    if (msix_index(m, off, &i)) {
        s->msix[i] = v;
        return true;
    }
    if (off == NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF_TRIGGER__OFFSET) {
        const struct NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF_TRIGGER t = {v};
        model_intr_latch(m, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF_TRIGGER__VECTOR(t));
        return true;
    }
    if (leaf_index(m, off, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF__OFFSET, &i)) {
        s->leaf[i] &= ~v;
    } else if (leaf_index(m, off, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF_EN_SET__OFFSET, &i)) {
        s->leaf_en[i] |= v;
    } else if (leaf_index(m, off, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF_EN_CLEAR__OFFSET, &i)) {
        s->leaf_en[i] &= ~v;
    } else if (off == NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_TOP_EN_SET__OFFSET) {
        s->top_en |= v & subtrees;
    } else if (off == NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_TOP_EN_CLEAR__OFFSET) {
        s->top_en &= ~v;
    } else {
        return false;
    }
    update(m);
    return true;
}

static const struct block_range ranges[] = {{0xb81000, 0xb81fff, F_ALL}, /* the tree */
                                            {0xb90000, 0xb90fff, F_ALL}, /* MSI-X table */
                                            {0}};

const struct block intr_block = {
    .name = "interrupts",
    BLOCK_STATE(intr),
    .ranges = ranges,
    .read = read,
    .write = write,
    .reset = reset,
    .resets_warm = true,
};
