/* SPDX-License-Identifier: MIT */
/*
 * A block: one part of the GPU with its own state, the registers that it answers for, and what a
 * reset does to it. Blocks without registers (memory, the GSP's software, the books) are in the
 * same list, so that state is made, reset and unmade in one way.
 */
#pragma once

#include "tests/model/gpu.h"

/* Registers of BAR0, in whole pages of 4 KiB: [first, last]. Two blocks may share a page; each then
 * knows its own registers. */
struct block_range {
    uint32_t first, last;
    uint32_t families; /* enum chip_family: where the block is there; 0 ends the list */
};

struct block {
    const char *name;
    /* State: where its pointer is in struct gpu_model, and how large. 0 bytes: none. */
    size_t slot, state_bytes;
    const struct block_range *ranges; /* NULL: no registers */
    /* A register. False: not one of this block's; *value need not be set. NULL: it has none that
     * can be read or written. */
    bool (*read)(struct gpu_model *m, uint32_t off, uint32_t *value);
    bool (*write)(struct gpu_model *m, uint32_t off, uint32_t value);
    /* A write of 1 or 2 bytes; NULL: breaks a rule. */
    void (*write_narrow)(struct gpu_model *m, uint32_t off, unsigned size, uint32_t value);
    /* A window onto memory: takes every access whole, in place of the above. */
    uint64_t (*window_read)(struct gpu_model *m, uint32_t off, unsigned size);
    void (*window_write)(struct gpu_model *m, uint32_t off, unsigned size, uint64_t value);
    /* Once, when the model is made: state is zero, chip and board are chosen. False: a sentence in
     * err, or none when there is no memory. */
    bool (*create)(struct gpu_model *m, const struct model_config *cfg, char *err, size_t err_size);
    /* Every reset of these kinds, the first of power-on included. What survives which is the
     * block's own affair. A warm reset only reaches those that say so. */
    void (*reset)(struct gpu_model *m, enum model_reset kind);
    bool resets_warm;
    /* Frees what the state owns; the state itself goes with the model. NULL: nothing. */
    void (*destroy)(struct gpu_model *m);
    /* Delayed work that is this block's (bus/work.h). */
    void (*work[WORK_COUNT])(struct gpu_model *m);
};

/* In a block: its state is what m->member points to. */
#define BLOCK_STATE(member)                                                                        \
    .slot = offsetof(struct gpu_model, member),                                                    \
    .state_bytes = sizeof(*((struct gpu_model *)NULL)->member)
