/* SPDX-License-Identifier: MIT */
/*
 * How the appliance is, for load balancers, orchestrators and people: one word and the reasons.
 */
#pragma once

#include "arch/base.h"
#include "gsp/gsp.h"
#include "gsp/sensors.h"
#include "net/api/pci_watch.h"

enum health {
    HEALTH_OK,
    HEALTH_DEGRADED, /* it works, and somebody should look at it */
    HEALTH_FAILED,   /* a GPU is missing, failed, not up, or says nothing new */
};

#define HEALTH_REASON_MAX 512
/* The worst of all GPUs. reason: "" when OK; else what it is, several with "; " in between, cut at
 * the end. Network fiber only. Does not yield. */
enum health api_health(char reason[HEALTH_REASON_MAX]);

/* One GPU's part of it; apart, so that tests feed it. sensors and pci of now, now_us the clock.
 * Adds to what stands in reason. */
enum health health_of_gpu(uint32_t index, struct gsp_gpu *g, const struct gsp_snapshot *s,
                          const struct gsp_sensors *sensors, const struct pci_state *pci,
                          uint64_t now_us, char reason[HEALTH_REASON_MAX]);
