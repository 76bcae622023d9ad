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

const char *health_name(enum health h); /* "ok", "degraded", "failed" */

#define HEALTH_REASON_MAX 512
/* The worst of all GPUs. reason: "" when OK; else what it is, several with "; " in between, cut at
 * the end. Network fiber only. Does not yield. */
enum health api_health(char reason[HEALTH_REASON_MAX]);

/* One GPU's part of it, from what is known of it now, at now_us. reason: sentences, each ending in
 * a line end, without the GPU's name; is added to. newest_us: the newest reading ever seen, 0 to
 * begin with and after a boot; what is too old is not known any more, and would not be missed. */
struct health_input {
    struct gsp_gpu *gpu; /* NULL: it could not be created */
    const struct gsp_snapshot *s;
    const struct gsp_sensors *sensors;
    const struct pci_state *pci;
    uint64_t now_us;
};
enum health health_of_gpu(const struct health_input *in, uint64_t *newest_us,
                          char reason[HEALTH_REASON_MAX]);
/* Of GPU index, now. */
enum health api_gpu_health(uint32_t index, char reason[HEALTH_REASON_MAX]);
