/* SPDX-License-Identifier: MIT */
/*
 * How mm/gpu reaches one GPU. gsp/ fills it in (PRAMIN window, registers, a BAR), tests with plain
 * memory. Everything below mm/gpu/ knows a GPU only through this.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

struct gpu_mem_ops {
    /* Copies len bytes of video memory at addr; [addr, addr + len) lies inside of it (the caller
     * has checked). Page-table traffic is 4-byte aligned, data may begin anywhere. May take a lock
     * of its own class (that of the PRAMIN window); neither allocates nor yields. FL_ELINKLOST when
     * the device is gone, with words in fail. */
    enum fl_err (*read)(void *ctx, uint64_t addr, void *buf, uint64_t len, struct fl_fail *fail);
    enum fl_err (*write)(void *ctx, uint64_t addr, const void *buf, uint64_t len,
                         struct fl_fail *fail);
    /* When it returns FL_OK, everything written so far is visible to the MMU. Does not yield. */
    enum fl_err (*flush)(void *ctx, struct fl_fail *fail);
    /* When it returns FL_OK, the GPU has forgotten every translation below root. Waits, that is
     * yields, with a deadline of its own (FL_ETIMEDOUT). hub_only: an address space of a BAR, which
     * only the hub's TLB sees. */
    enum fl_err (*invalidate)(void *ctx, uint64_t root, bool root_in_sysmem, bool hub_only,
                              struct fl_fail *fail);
};

struct gpu_mem {
    const struct gpu_mem_ops *ops;
    void *ctx;           /* handed to ops */
    uint64_t vram_bytes; /* addresses from 0 to here are video memory */
};
