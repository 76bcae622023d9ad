/* SPDX-License-Identifier: MIT */
/* Rules: what was broken first, with words and values; how often each. */
#include "tests/model/books/strict.h"

#include <stdarg.h>
#include <string.h>

#include "arch/base.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/text.h"
#include "tests/model/books/trace.h"
#include "tests/model/gpu.h"
#include "tests/model/model.h"

struct rule {
    const char *id, *words, *source;
};
static const struct rule rules[] = {
#define RULE(sym, id, words, source) {id, words, source},
#include "tests/model/books/rules.def"
#undef RULE
};

void model_rule_broken(struct gpu_model *m, enum model_rule rule, const char *fmt, ...)
{
    struct strict_state *s = m->strict;
    char words[sizeof(s->words)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(words, sizeof(words), fmt, ap);
    va_end(ap);
    model_text_line(words);
    if (m->faults->dma_refused) { /* follows from a fault, not from what the driver did */
        model_trace_text(m, "rule %s not counted: %s", rules[rule].id, words);
        return;
    }
    s->hits[rule]++;
    model_trace_text(m, "RULE %s: %s", rules[rule].id, words);
    if (!s->broken) {
        s->broken = true;
        snprintf(s->words, sizeof(s->words), "%.440s%s%s", words,
                 m->faults->struck != 0 ? " (a fault had struck before)" : "",
                 m->stats.vram_refused != 0 ? " (--vram-limit had been reached before)" : "");
        s->verdict = (struct model_verdict){
            .rule = rules[rule].id,
            .words = s->words,
            .source = rules[rule].source,
            .access = m->access,
        };
    }
}

const struct model_verdict *model_first_violation(const struct gpu_model *m)
{
    return m->strict->broken ? &m->strict->verdict : NULL;
}

const char *model_rule_id(size_t index)
{
    return index < ARRAY_SIZE(rules) ? rules[index].id : NULL;
}

const char *model_explain(const char *rule, const char **source)
{
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
        if (strcmp(rules[i].id, rule) == 0) {
            if (source != NULL) {
                *source = rules[i].source;
            }
            return rules[i].words;
        }
    }
    return NULL;
}

const struct block strict_block = {.name = "strict", BLOCK_STATE(strict)};
