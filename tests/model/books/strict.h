/* SPDX-License-Identifier: MIT */
/* Rules (rules.def): what was broken first, with words and values; how often each. */
#pragma once

#include "tests/model/gpu.h"

enum model_rule {
#define RULE(sym, id, words, source) RULE_##sym,
#include "tests/model/books/rules.def"
#undef RULE
    RULE_COUNT
};
struct strict_state {
    uint32_t hits[RULE_COUNT];
    bool broken;
    struct model_verdict verdict;
    char words[512];
};
void model_rule_broken(struct gpu_model *m, enum model_rule rule, const char *fmt, ...)
    FL_PRINTF(3, 4);
