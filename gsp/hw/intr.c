/* SPDX-License-Identifier: MIT */
/* Interrupts of the GSP (intr.h). */
#include "gsp/hw/intr.h"

#include "arch/log.h"
#include "gsp/hw/hw.h"

#define LEAF_BITS   32u
#define ALL_VECTORS 0xffffffffu

/* One vector's place in the tree: 32 vectors to a leaf, two leaves to a subtree. */
static uint32_t leaf_of(uint32_t vector) { return vector / LEAF_BITS; }
static uint32_t bit_of(uint32_t vector) { return 1u << vector % LEAF_BITS; }
static uint32_t subtree_bit_of(uint32_t vector) { return 1u << leaf_of(vector) / 2; }

static void on_msi(void *arg)
{
    struct gsp_hw *hw = arg;

    event_signal(&hw->intr.ev);
}

#define LEAF_WRITE(hw, REG, i, bits) REG_WRITE_AT(&(hw)->io, REG, i, (struct REG){.raw = (bits)})

/* MSI-X, and MSI from Hopper on: the edge of a subtree's enable sends what is pending. MSI before:
 * by a register of its own. */
static bool armed_by_edge(const struct gsp_hw *hw)
{
    return hw->intr.msix || hw->family->ops->irq_rearm == NULL;
}

static void rearm(struct gsp_hw *hw)
{
    if (armed_by_edge(hw)) {
        REG_WRITE(&hw->io, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_TOP_EN_CLEAR,
                  (struct NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_TOP_EN_CLEAR){
                      .raw = subtree_bit_of(hw->intr.vector)});
        REG_WRITE(&hw->io, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_TOP_EN_SET,
                  (struct NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_TOP_EN_SET){
                      .raw = subtree_bit_of(hw->intr.vector)});
    } else {
        hw->family->ops->irq_rearm(hw);
    }
}

void gsp_intr_disable(struct gsp_hw *hw)
{
    if (!hw->intr.enabled) {
        return;
    }
    REG_WRITE(&hw->io, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_TOP_EN_CLEAR,
              (struct NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_TOP_EN_CLEAR){.raw = ALL_VECTORS});
    LEAF_WRITE(hw, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF_EN_CLEAR, leaf_of(hw->intr.vector),
               ALL_VECTORS);
    hw->intr.enabled = false;
    hw->intr.live = false;
}

void gsp_intr_enable(struct gsp_hw *hw, uint32_t vector)
{
    struct gsp_intr *in = &hw->intr;

    if (!in->tried) {
        in->tried = true;
        /* Display boards have one MSI message for the whole tree; data-centre boards have MSI-X
         * with an entry for each subtree (interrupts.md 5). */
        in->msi = pci_enable_msi(hw->pci, "gpu", on_msi, hw, true, &in->irq) == FL_OK;
        if (!in->msi) {
            in->msix = in->msi = pci_enable_msix_entry(hw->pci, leaf_of(vector) / 2, "gpu", on_msi,
                                                       hw, &in->irq) == FL_OK;
        }
        if (!in->msi) {
            log_warn(hw->label, "no message-signalled interrupt for this GPU: its queue is polled");
        }
    }
    if (!in->msi) {
        return;
    }
    /* Nothing from before may come through: all vectors off, and ours not pending. */
    REG_WRITE(&hw->io, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_TOP_EN_CLEAR,
              (struct NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_TOP_EN_CLEAR){.raw = ALL_VECTORS});
    for (uint32_t i = 0; i < hw->family->intr_leaves; i++) {
        LEAF_WRITE(hw, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF_EN_CLEAR, i, ALL_VECTORS);
    }
    in->vector = vector;
    in->live = false;
    in->count = irq_count(in->irq.vector);
    LEAF_WRITE(hw, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF, leaf_of(vector), bit_of(vector));
    LEAF_WRITE(hw, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF_EN_SET, leaf_of(vector), bit_of(vector));
    REG_WRITE(&hw->io, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_TOP_EN_SET,
              (struct NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_TOP_EN_SET){.raw = subtree_bit_of(vector)});
    if (!armed_by_edge(hw)) { /* enabling was such an edge */
        rearm(hw);
    }
    in->enabled = true;
}

void gsp_intr_service(struct gsp_hw *hw)
{
    struct gsp_intr *in = &hw->intr;
    struct NV_PFALCON_FALCON_IRQSCLR clear = {0};

    /* One interrupt may wake several fibers: the first serves it. */
    const uint64_t count = in->msi ? irq_count(in->irq.vector) : 0;
    if (!in->enabled || count == in->count) {
        return;
    }
    in->count = count;
    clear = NV_PFALCON_FALCON_IRQSCLR__with_SWGEN0(clear, 1);
    LEAF_WRITE(hw, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF, leaf_of(in->vector), bit_of(in->vector));
    ENG_WRITE(&hw->io, NV_PGSP_BASE, NV_PFALCON_FALCON_IRQSCLR, clear);
    rearm(hw);
    if (hw->family->ops->irq_retrigger != NULL) {
        hw->family->ops->irq_retrigger(hw);
    }
    /* The read also makes sure that the writes have arrived: a message posted from here on raises a
     * new interrupt, one posted before is in the queue when it is looked at next. */
    const struct NV_PFALCON_FALCON_IRQSTAT left =
        ENG_READ(&hw->io, NV_PGSP_BASE, NV_PFALCON_FALCON_IRQSTAT);
    if (hw->io.lost) {
        return;
    }
    in->served++;
    in->live = true;
    if (!gsp_io_no_value(left.raw) && NV_PFALCON_FALCON_IRQSTAT__HALT(left)) {
        in->halts++;
        log_limited(&hw->complaints, LOG_ERROR, hw->label,
                    "the GSP's core reports a halt: its log buffers say why");
        ENG_WRITE(&hw->io, NV_PGSP_BASE, NV_PFALCON_FALCON_IRQSCLR,
                  NV_PFALCON_FALCON_IRQSCLR__with_HALT((struct NV_PFALCON_FALCON_IRQSCLR){0}, 1));
    }
}

enum fl_err gsp_intr_wait(struct gsp_hw *hw, struct deadline d)
{
    const uint64_t start_us = clock_now_us();
    const enum fl_err err = event_wait(&hw->intr.ev, d);

    hw->io.program_us += clock_now_us() - start_us;
    if (err == FL_OK) {
        gsp_intr_service(hw);
        fiber_yield_if_long(); /* one that had come already cost no wait */
    }
    return err;
}
