/* SPDX-License-Identifier: MIT */
/* What the model's tests say again and again. One straight-line driver per program. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/mini_driver.h"

static struct mini d;

static inline void no_rule_broken(void)
{
    const struct model_verdict *v = model_first_violation(d.m);
    if (v != NULL) {
        fail_msg("%s: %s: %s (access %llu)", d.chip, v->rule, v->words,
                 (unsigned long long)v->access);
    }
}

/* A teardown; the next test begins without a model and without a hook. */
static inline int close_it(void **state)
{
    (void)state;
    if (d.m != NULL) {
        mini_close(&d);
    }
    d.hook = NULL;
    return 0;
}

static inline void open_chip(const char *chip, bool files)
{
    const struct model_config cfg = {.chip = chip, .strict = MODEL_STRICT};
    mini_open(&d, &cfg, files);
}

/* Where a capability lies in the configuration space; 0: there is none. */
static inline uint16_t find_cap(uint8_t id)
{
    for (uint16_t at = (uint16_t)model_cfg_read(d.m, 0x34, 1), n = 0; at != 0 && n < 16; n++) {
        if (model_cfg_read(d.m, at, 1) == id) {
            return at;
        }
        at = (uint16_t)model_cfg_read(d.m, (uint16_t)(at + 1), 1);
    }
    return 0;
}
