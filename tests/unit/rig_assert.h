/* SPDX-License-Identifier: MIT */
/* What the bring-up tests say again and again. One rig per program. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

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

static inline void open_strict(const char *const *faults)
{
    const struct rig_options opt = {.strict = MODEL_STRICT, .faults = faults};
    rig_open(&rig, &opt);
}
