/* SPDX-License-Identifier: MIT */
/*
 * Every block of the model, by name. The list in blocks.c is the one place where a block is
 * registered; each is defined in the file that is named after it.
 */
#pragma once

#include "tests/model/block.h"

/* In the order in which they are made and reset; unmade the other way round. NULL at the end. */
extern const struct block *const model_blocks[];

/* books/ */
extern const struct block trace_block, strict_block, coverage_block, readonly_block, faults_block;
/* bus/ */
extern const struct block work_block, dispatch_block, config_block, mirror_block, intr_block,
    bar_block;
/* memory/ */
extern const struct block vram_block, posted_block, pramin_block, pramin_window_block, tlb_block;
/* blocks/ */
extern const struct block pmc_block, pbus_block, ptimer_block, pfb_block, flush_page_block,
    uflush_block, pextdev_block, pgc6_block, fuse_block, therm_block, pdisp_block, pce_block,
    prom_block, vga_block, measures_block;
/* falcon/ */
extern const struct block pgsp_block, psec_block;
/* boot/ */
extern const struct block rom_block, fwsec_block, fw_block, loader_block, fsp_block, sleep_block;
/* gsp/ */
extern const struct block gsp_block, gsp_buffers_block, rusd_block;
/* host/ */
extern const struct block host_block;
