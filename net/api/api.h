/* SPDX-License-Identifier: MIT */
/*
 * The API: what the appliance says about itself over HTTP. Reads snapshots; never waits; reaches
 * the GPU only through gsp/gsp.h.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "gsp/gsp.h"
#include "net/api/access.h"
#include "pci/pci.h"

#define API_MAX_GPUS 8

/* One GPU as the main program knows it. */
struct api_gpu {
    struct gsp_gpu *gpu;       /* borrowed; NULL when it could not even be created: see fail */
    const struct pci_dev *pci; /* borrowed */
    struct fl_fail fail;       /* why gpu is NULL */
};

/* Everything the API shows; borrowed, lives for ever. Fields may change while it runs. */
struct api_context {
    const char *version;   /* of the appliance */
    const struct pci *pci; /* NULL until enumerated */
    struct api_gpu gpus[API_MAX_GPUS];
    uint32_t gpu_count;
    bool probing; /* GPUs are still being looked for */
    const char *const
        *notes; /* config and boot problems, one sentence each, NULL-terminated; may be NULL */
    uint64_t firmware_us; /* EFI entry to hand-off, 0 = unknown */
    struct access_config access;
    const char *host_label; /* of dcgm-exporter's metrics: "hostname", "Hostname"; NULL: none */
    uint32_t expect_gpus;   /* fewer than so many are a failure; 0: any number will do */
    /* The settings in force as lines "key = value", without secrets; may be NULL. */
    const char *config;
};

/* Installs the routes. ctx is kept. */
void api_init(const struct api_context *ctx);
