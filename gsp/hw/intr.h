/* SPDX-License-Identifier: MIT */
/*
 * How an interrupt of the GSP gets here: falcon cause SWGEN0 -> vector of the GSP in the interrupt
 * tree -> MSI -> event. The handler only signals the event; registers are served by the fiber that
 * waits for it, in the order that loses no message: clear the leaf, clear the cause, re-arm, and
 * only then look into the queue.
 *
 * Source: spec interrupts.md (OGKM intr_tu102.c, nouveau vfn/tu102.c, nova-core interrupt
 * document).
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "arch/fiber.h"
#include "arch/irq.h"

struct gsp_hw;

/* The GSP's vector on Turing to Ada, before the resource manager can be asked (dev_vm.h). */
#define GSP_INTR_VECTOR 155u

/* Gets a message-signalled vector (once per GPU) and lets the GSP's vector through the tree.
 * Without MSI the GPU is polled: no failure. */
void gsp_intr_enable(struct gsp_hw *hw, uint32_t vector);
/* Shuts the tree. */
void gsp_intr_disable(struct gsp_hw *hw);
/* Acknowledges an interrupt that was signalled. One register read. */
void gsp_intr_service(struct gsp_hw *hw);
/* Waits for an interrupt until d, and serves it. FL_ETIMEDOUT when none came. Yields. */
FL_MUST_CHECK enum fl_err gsp_intr_wait(struct gsp_hw *hw, struct deadline d);
