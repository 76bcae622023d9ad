/* SPDX-License-Identifier: MIT */
/*
 * A bench with one GPU in it, in one process: the GPU model on a small PCI bus, synthetic firmware
 * files in DMA memory as the boot stub would have left them, and the driver on top. Time is
 * virtual, so a boot takes milliseconds.
 *
 * Tests, benches and fuzzers share it. The functions that boot or unload start a fiber and run the
 * scheduler until it has ended.
 */
#pragma once

#include "arch/base.h"
#include "arch/handoff.h"
#include "gsp/gsp.h"
#include "pci/pci.h"
#include "tests/model/model.h"

#define RIG_FILES_MAX 8
#define RIG_MSIX_MAX  16

struct rig_options {
    const char *chip; /* NULL = "ga102" */
    const char *board;
    const char *version;       /* of the firmware; NULL = "570.144" */
    const char *firmware_dir;  /* real files, DIR/nvidia/...; NULL: synthetic ones */
    uint64_t image_bytes;      /* of a synthetic GSP image, 0 = default */
    enum model_strict strict;  /* default 0 = lenient */
    const char *const *faults; /* NULL-terminated, may be NULL */
    const char *vbios, *rom;   /* as in model.h */
    const unsigned *fwsec_version;
    FILE *trace;
    uint64_t seed;        /* of the model; 0 = 1 */
    bool compare;         /* the model compares what it is given with the files, byte by byte */
    bool unaligned_image; /* put .fwimage off a page boundary */
    bool untold;          /* the model is not told the version */
    bool no_msi;          /* the device offers no interrupts */
    bool no_flr;          /* ... and no function level reset */
    bool bridge;          /* the GPU is behind a bridge of its own, which can reset it */
    bool beside;          /* another bench is open: share its time and fibers, close before it */
};

struct rig {
    struct gpu_model *model;
    struct pci pci;
    struct pci_dev *dev;
    struct fl_file files[RIG_FILES_MAX];
    void *file_memory[RIG_FILES_MAX]; /* owned (struct dma_buf) */
    size_t file_count;
    struct gsp_gpu *gpu;
    struct gsp_options gsp_options;
    struct rig_bar {
        struct rig *rig;
        unsigned bar;
    } bar[PCI_BAR_COUNT];
    bool no_msi, no_flr, bridge, beside;
    uint8_t bridge_cfg[256];         /* its configuration space */
    unsigned bus_resets;             /* through the bridge */
    bool cut;                        /* nothing of the driver's reaches the GPU */
    uint32_t msix[4 * RIG_MSIX_MAX]; /* the table, as the driver wrote it */
    uint64_t irqs;                   /* messages that reached the CPU */
    uint64_t irqs_lost;              /* sent while MSI was off */
    /* Faults of the bus: the n-th of BAR0's reads gives the value of the one before it, the n-th
     * interrupt is lost; from 1, 0: none. */
    uint64_t repeat_read, lose_irq;
    uint64_t note_read;             /* the n-th read of BAR0 is noted: */
    uint64_t noted_off;             /* where it was */
    uint64_t bar0_reads, irqs_sent; /* seen until now */
    uint64_t last_read;             /* of BAR0 */
    uint64_t dma_bytes_before, heap_before;
};

/* Everything up to a created GPU. Aborts with words when the bench itself cannot be built. */
void rig_open(struct rig *r, const struct rig_options *opt);
/* Destroys the GPU, the model and the files. True when no DMA memory is left over. */
bool rig_close(struct rig *r);

/* gsp_boot, gsp_unload in a fiber of their own. */
enum fl_err rig_boot(struct rig *r);
enum fl_err rig_unload(struct rig *r);
/* Any function, likewise. */
void rig_run(void (*fn)(void *arg), void *arg);
/* The GPU loses power and comes back, with addresses in its BARs as before. */
void rig_power_cycle(struct rig *r);
/* Destroys and makes the GPU object anew; the model stays as it is. */
void rig_new_gpu(struct rig *r);

/* The run is killed: the GPU object goes without a word to the GPU, the machine starts again (a
 * warm reboot: the GPU goes on) and a new object is made. */
void rig_killed(struct rig *r);

struct gsp_snapshot rig_snapshot(struct rig *r);
/* The named stage of the last boot; aborts when there is none. */
struct gsp_stage rig_stage(struct rig *r, const char *name);
struct fl_file *rig_file(struct rig *r, const char *kind); /* "gsp", "booter_load", ... */
