/* SPDX-License-Identifier: MIT */
/*
 * Register access: typed, counted, on record, and aware of a lost link.
 *
 * A read of all-ones makes a second read, of BOOT_0, which is never all-ones on a live GPU. If that
 * is all-ones too the device is lost, or the way to its registers is (lost.h asks which): this is
 * written into the failure record of the running operation before anything can stumble over the
 * nonsense values, and later accesses no longer go to the bus. Steps look at the result where they
 * wait and at the end of each stage (gsp_io_check).
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "arch/mmio.h"
#include "arch/wait.h"
#include "gsp/hw/recorder.h"
#include "gsp/hw/regs/regs.h"
#include "pci/pci.h"

struct gsp_io {
    struct mmio bar0;
    bool mapped;
    bool lost;                 /* the link; sticky until gsp_io_begin */
    struct gsp_recorder *rec;  /* borrowed */
    struct fl_fail *fail;      /* of the running operation; borrowed, may be NULL */
    const struct pci_dev *pci; /* whose configuration space is asked when registers are silent;
                                * borrowed; NULL: nobody's */
    /* What lies beside the bit that a wait for a program looks at: asked while it has not come. An
     * error ends the wait, with words in *fail. NULL: nothing. Must not yield. */
    enum fl_err (*beside)(void *ctx, struct fl_fail *fail);
    void *beside_ctx;
    uint64_t reads, writes;
    uint64_t program_us; /* that went into waits for NVIDIA's programs (gsp_io_wait_program) */
    uint64_t size;       /* bytes of BAR0 */
};

/* Starts an operation: failures go to fail, the link counts as alive again. */
void gsp_io_begin(struct gsp_io *io, struct fl_fail *fail);

/* off: 4-aligned, below size (a broken invariant otherwise). */
uint32_t gsp_io_read(struct gsp_io *io, uint32_t off);
void gsp_io_write(struct gsp_io *io, uint32_t off, uint32_t value);
/* A read for bulk data (PROM): counted, but neither recorded nor checked; the caller looks after
 * all-ones with gsp_io_ping. */
uint32_t gsp_io_read_bulk(struct gsp_io *io, uint32_t off);
/* A write of bulk data (falcon ports): counted, not recorded. */
void gsp_io_write_bulk(struct gsp_io *io, uint32_t off, uint32_t value);
/* Bulk data of other widths (PRAMIN): size 1, 2, 4 or 8, off a multiple of it. */
uint64_t gsp_io_read_sized(struct gsp_io *io, uint32_t off, uint32_t size);
void gsp_io_write_sized(struct gsp_io *io, uint32_t off, uint32_t size, uint64_t value);
/* The same in another BAR, which is mapped apart: off lies in it. */
uint64_t gsp_io_bar_read(struct gsp_io *io, const struct mmio *bar, uint64_t off, uint32_t size);
void gsp_io_bar_write(struct gsp_io *io, const struct mmio *bar, uint64_t off, uint32_t size,
                      uint64_t value);

/* FL_OK, or FL_ELINKLOST (recorded already). Costs no access. */
FL_MUST_CHECK enum fl_err gsp_io_check(const struct gsp_io *io);
/* Reads BOOT_0: for waits that otherwise look at memory only. */
FL_MUST_CHECK enum fl_err gsp_io_ping(struct gsp_io *io);

/* What a PRI error value means ("no such register", "privilege violation"); NULL when v is none.
 * Source: registers.md section 2 (open-gpu-doc, OG gpu_access.c). */
const char *gsp_io_pri_error(uint32_t v);
/* v is a PRI error, or all-ones: a single read that got lost on a live link. Not for registers that
 * may hold all-ones (privilege masks do). */
bool gsp_io_no_value(uint32_t v);

/* Reads off until (value & mask) == want. Yields between reads. FL_ETIMEDOUT with register, value
 * and time in *fail; FL_ELINKLOST. *last (may be NULL) gets the value read last. */
FL_MUST_CHECK enum fl_err gsp_io_poll(struct gsp_io *io, uint32_t off, uint32_t mask, uint32_t want,
                                      const struct wait *w, uint32_t *last, struct fl_fail *fail);

/* Waits for what one of NVIDIA's programs does (a falcon's, the VBIOS's at power-on, the FSP's, the
 * GSP's), as wait_until() and gsp_io_poll() do: their time is not ours and counts in program_us.
 * What hardware does by itself (a reset, a scrub, a transfer) is waited for without these. */
FL_MUST_CHECK enum fl_err gsp_io_wait_program(struct gsp_io *io, const struct wait *w,
                                              wait_look *look, void *ctx, struct fl_fail *fail);
FL_MUST_CHECK enum fl_err gsp_io_poll_program(struct gsp_io *io, uint32_t off, uint32_t mask,
                                              uint32_t want, const struct wait *w,
                                              struct fl_fail *fail);
/* Likewise until all bits of mask are set, in a register for which all-ones is a value and no lost
 * read. */
FL_MUST_CHECK enum fl_err gsp_io_poll_program_mask(struct gsp_io *io, uint32_t off, uint32_t mask,
                                                   const struct wait *w, struct fl_fail *fail);

/* Typed access to single BAR0 registers, to elements of arrays, and to an engine's registers. The
 * value written has the register's own type: another one does not compile. */
#define REG_READ(io, R) ((struct R){.raw = gsp_io_read((io), R##__OFFSET)})
#define REG_WRITE_TO(io, off, R, ...)                                                              \
    do {                                                                                           \
        const struct R reg_value_ = __VA_ARGS__;                                                   \
        gsp_io_write((io), (off), reg_value_.raw);                                                 \
    } while (0)
#define REG_WRITE(io, R, ...) REG_WRITE_TO(io, R##__OFFSET, R, __VA_ARGS__)
#define REG_WRITE_AT(io, R, i, ...)                                                                \
    REG_WRITE_TO(io, (uint32_t)R##__OFFSET + (uint32_t)R##__STRIDE * (uint32_t)(i), R, __VA_ARGS__)
#define ENG_READ(io, base, R)       ((struct R){.raw = gsp_io_read((io), (base) + (uint32_t)R##__OFFSET)})
#define ENG_WRITE(io, base, R, ...) REG_WRITE_TO(io, (base) + (uint32_t)R##__OFFSET, R, __VA_ARGS__)
