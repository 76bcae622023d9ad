/* SPDX-License-Identifier: MIT */
/*
 * The CPU sequencer: during boot (Turing to Ada) the GSP sends a script of register operations that
 * only the CPU may do. The script is input: all of it is decoded and checked before any of it runs.
 *
 * Source: spec rpc.md B4 (OGKM kernel_gsp.c, nouveau gsp/r535, nova sequencer.rs), sizes of real
 * scripts measured.md section 7. cmdIndex counts dwords.
 */
#pragma once

#include "arch/base.h"
#include "arch/clock.h"
#include "arch/fail.h"
#include "gsp_layout.h"

/* What the script may do; ctx is the GPU. */
struct gsp_seq_ops {
    uint32_t (*read)(void *ctx, uint32_t off);
    void (*write)(void *ctx, uint32_t off, uint32_t value);
    /* Until (register & mask) == value; timeout in us. */
    enum fl_err (*poll)(void *ctx, uint32_t off, uint32_t mask, uint32_t value, uint64_t timeout_us,
                        struct fl_fail *fail);
    void (*delay_us)(void *ctx, uint32_t us);
    enum fl_err (*core_reset)(void *ctx, struct fl_fail *fail);
    enum fl_err (*core_start)(void *ctx, struct fl_fail *fail);
    enum fl_err (*core_wait_for_halt)(void *ctx, struct fl_fail *fail);
    enum fl_err (*core_resume)(void *ctx, struct fl_fail *fail);
};

#define GSP_SEQ_SAVE_WORDS      8u
#define GSP_SEQ_DELAY_MAX_US    US_PER_S       /* one DELAY_US */
#define GSP_SEQ_POLL_DEFAULT_US (4 * US_PER_S) /* timeout 0 means this (nova, nouveau) */
#define GSP_SEQ_POLL_MAX_US     (30 * US_PER_S)
#define GSP_SEQ_TOTAL_MAX_US    (10 * US_PER_S) /* of all delays of a script together */

struct gsp_seq_result {
    uint32_t commands; /* executed */
    uint32_t dwords;
    uint32_t saved[GSP_SEQ_SAVE_WORDS];
};

/* Checks and runs the payload of a RUN_CPU_SEQUENCER event. bar0_bytes bounds register addresses.
 * until: no command is begun later and no poll or delay lasts longer (FL_ETIMEDOUT); only an
 * operation on the core, which has its own time-outs, may go on a little.
 * FL_EBADDATA: the script breaks a rule (nothing was done); else what an operation returned.
 * Yields. */
FL_MUST_CHECK enum fl_err gsp_seq_run(const struct gsp_layout *layout, const void *payload,
                                      uint32_t size, uint64_t bar0_bytes,
                                      const struct gsp_seq_ops *ops, void *ctx,
                                      struct deadline until, struct gsp_seq_result *out,
                                      struct fl_fail *fail);
