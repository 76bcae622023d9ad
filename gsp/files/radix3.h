/* SPDX-License-Identifier: MIT */
/*
 * Radix3: the three-level table through which the GSP's boot code finds the pages of the GSP-RM
 * image in system memory. Level 0 is one page with one entry, level 1 one page, level 2 as many as
 * needed; an entry is the u64 bus address of a 4 KiB page, no flags, unused ones 0.
 *
 * The image stays where the boot stub read it (page aligned, identity mapped): only the tables are
 * made. When it does not end on a page boundary, the file goes on behind it, and the GSP wants
 * zeros there: the last piece is then copied to a page of its own, the bounce page, so that no byte
 * of the file is changed.
 *
 * Sources: open-gpu-kernel-modules kernel_gsp.c and libos_init_args.h, nouveau r535 gsp.c,
 * nova-core firmware/gsp.rs. nouveau rounds the last level down; this rounds up.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"

#define RADIX3_ENTRIES   (FL_PAGE_SIZE / 8u)
#define RADIX3_MAX_BYTES ((uint64_t)RADIX3_ENTRIES * RADIX3_ENTRIES * FL_PAGE_SIZE) /* 1 GiB */

struct radix3_plan {
    uint64_t image_bytes;
    uint32_t image_pages;  /* entries of level 2 */
    uint32_t level2_pages; /* entries of level 1 */
    uint32_t
        tail_bytes; /* of the last page when it is partial, else 0: copied to the bounce page */
    uint32_t pages; /* that the caller provides: level 0, 1, 2 and the bounce page, in this order */
    uint64_t bytes; /* the same in bytes */
};

/* FL_EINVAL: image_bytes is 0 or more than the table can describe. */
FL_MUST_CHECK enum fl_err radix3_plan(uint64_t image_bytes, struct radix3_plan *out,
                                      struct fl_fail *fail);

/* Fills plan->bytes at `tables` (CPU pointer; bus address tables_bus, page aligned) for the image
 * at `image` (bus address image_bus). Every address must be page aligned, not 0, and lie below 1 <<
 * addr_bits; tables and image must not overlap. FL_EINVAL otherwise, nothing is written then. The
 * address for the WPR metadata is tables_bus. The caller orders the writes (dma_wmb) before the
 * device is started. Does not yield: at most 512 KiB of tables are written. */
FL_MUST_CHECK enum fl_err radix3_fill(const struct radix3_plan *plan, const void *image,
                                      struct bus_addr image_bus, void *tables,
                                      struct bus_addr tables_bus, unsigned addr_bits,
                                      struct fl_fail *fail);
