/* SPDX-License-Identifier: MIT */
/*
 * Wrong deeds, each of which breaks a rule of the GPU model (test_model_rules.c does them one by
 * one). Those that need a started GSP are in wrong_gsp.c.
 */
#pragma once

#include "tests/unit/mini_driver.h"

/* One wrong deed: at `at`, do() runs once. */
struct wrong {
    const char *rule;
    void (*deed)(void);
    enum mini_point at;    /* ... in a normal boot; MINI_POINTS: deed() is the whole driver */
    uint32_t sec2_mailbox; /* what booter then leaves; 0: not looked at */
    bool files;
};

extern struct mini *wrong_gpu; /* what the deeds of wrong_gsp.c are done with */
extern const struct wrong wrong_gsp[];
extern const size_t wrong_gsp_count;
