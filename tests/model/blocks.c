/* SPDX-License-Identifier: MIT */
/* The one list of blocks. */
#include "tests/model/blocks.h"

const struct block *const model_blocks[] = {
    /* The books first: whatever happens later may be traced or break a rule. */
    &work_block,
    &trace_block,
    &faults_block,
    &strict_block,
    &coverage_block,
    &readonly_block,
    /* The bus: interrupts look at configuration space when they are reset. */
    &config_block,
    &mirror_block,
    &bar_block,
    /* Memory. */
    &vram_block,
    &posted_block,
    &pramin_block,
    &pramin_window_block,
    &tlb_block,
    /* Registers. */
    &pmc_block,
    &pbus_block,
    &ptimer_block,
    &uflush_block,
    &pfb_block,
    &flush_page_block,
    &pextdev_block,
    &pdisp_block,
    &pce_block,
    &measures_block,
    &therm_block,
    &prom_block,
    &vga_block,
    /* What is made with them. The version asked for is judged before files are looked for. */
    &host_block,
    &gsp_buffers_block,
    &gsp_block,
    &rusd_block,
    &sleep_block,
    &rom_block,
    &fwsec_block,
    &fuse_block,
    &fw_block,
    &loader_block,
    &pgsp_block,
    &psec_block,
    &intr_block,
    &fsp_block,
    &pgc6_block, /* the board firmware may be done at once, and then the FSP is ready */
    /* Where an access goes: needs all others. */
    &dispatch_block,
    NULL,
};
