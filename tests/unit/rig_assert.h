/* SPDX-License-Identifier: MIT */
/* What the bring-up tests say again and again. One rig per program. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/host/host.h"
#include "tests/unit/rig.h"

static struct rig rig;

static inline void no_violation(void)
{
    const struct model_verdict *v = model_first_violation(rig.model);
    if (v != NULL) {
        fail_msg("access %llu broke %s: %s (%s)", (unsigned long long)v->access, v->rule, v->words,
                 v->source);
    }
}

static inline void boots(void)
{
    if (rig_boot(&rig) != FL_OK) {
        const struct gsp_snapshot s = rig_snapshot(&rig);
        fail_msg("boot failed in stage %s (%s): %s [%s]", s.fail.stage, fl_err_name(s.fail.err),
                 s.fail.text, s.fail.hint);
    }
}

/* Stages that path A (Turing to Ada) does not have. */
static inline bool only_path_b(const char *stage)
{
    return strcmp(stage, "chain-of-trust") == 0 || strcmp(stage, "lockdown") == 0;
}

static inline struct model_stats model(void)
{
    struct model_stats m;
    model_get_stats(rig.model, &m);
    return m;
}

/* A fiber that serves until serve_stop is set, or the GPU is gone. */
static volatile bool serve_stop;
static bool serve_done;
static inline void serve(void *arg)
{
    (void)arg;
    gsp_serve(rig.gpu, &serve_stop);
    serve_done = true;
}

/* A boot whose at-th allocation fails; failed: it came to so many. For rig_run(). */
struct starved_boot {
    unsigned at;
    enum fl_err err;
    bool failed;
};
static inline void boot_with_failing_allocation(void *arg)
{
    struct starved_boot *b = arg;
    host_fail_alloc_at(b->at);
    b->err = gsp_boot(rig.gpu);
    b->failed = host_fail_alloc_at(0) == 0;
}

static inline void open_strict(const char *const *faults)
{
    const struct rig_options opt = {.strict = MODEL_STRICT, .faults = faults};
    rig_open(&rig, &opt);
}
