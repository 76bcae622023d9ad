/* SPDX-License-Identifier: MIT */
/* The report for programs: one JSON object (docs/model.md says what is in it). */
#include <inttypes.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/boards/boards.h"
#include "tests/model/books/coverage.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/strict.h"
#include "tests/model/boot/fwfiles.h"
#include "tests/model/chips.h"
#include "tests/model/falcon/falcon.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/wpr2.h"
#include "tests/model/model.h"

static void text(FILE *out, const char *s)
{
    fputc('"', out);
    for (; *s != '\0'; s++) {
        const unsigned char c = (unsigned char)*s;
        if (c < ' ' || c > '~') {
            fprintf(out, "\\u%04x", c);
        } else {
            fprintf(out, "%s%c", c == '"' || c == '\\' ? "\\" : "", c);
        }
    }
    fputc('"', out);
}

static void pair(FILE *out, const char *name, const char *value)
{
    fprintf(out, ",\"%s\":", name);
    text(out, value);
}

static void verdict(const struct gpu_model *m, FILE *out)
{
    const struct model_verdict *v = model_first_violation(m);
    if (v == NULL) {
        fputs(",\"verdict\":null", out);
    } else {
        fputs(",\"verdict\":{\"rule\":", out);
        text(out, v->rule);
        pair(out, "words", v->words);
        pair(out, "source", v->source);
        fprintf(out, ",\"access\":%" PRIu64 "}", v->access);
    }
    fputs(",\"broken\":{", out);
    bool first = true;
    for (size_t i = 0; i < RULE_COUNT; i++) {
        if (m->strict->hits[i] != 0) {
            fprintf(out, "%s\"%s\":%u", first ? "" : ",", model_rule_id(i), m->strict->hits[i]);
            first = false;
        }
    }
    fputc('}', out);
}

static void unmodelled(const struct gpu_model *m, FILE *out)
{
    const struct coverage_state *r = m->coverage;
    bool first = true;
    fprintf(out, ",\"registers\":{\"known\":%u,\"touched\":%u,\"not_modelled\":[",
            m->stats.registers_known, m->stats.registers_touched);
    for (uint32_t i = 0; i < r->table_size; i++) {
        const struct unmodelled *u = &r->table[i];
        char name[96];
        if (!u->used) {
            continue;
        }
        const unsigned bar = u->off >> 28;
        reg_name(u->off, m->chip->family, name, sizeof(name));
        fprintf(out, "%s{\"bar\":%u,\"offset\":%u", first ? "" : ",", bar, u->off & 0x0fffffff);
        pair(out, "name", bar == 0 ? name : "");
        fprintf(out, ",\"reads\":%u,\"writes\":%u}", u->reads, u->writes);
        first = false;
    }
    fputs("]}", out);
}

void model_report_json(const struct gpu_model *m, FILE *out)
{
    static const char *const kinds[] = {
        [REFUSED_CONTROL] = "control", [REFUSED_CLASS] = "class", [REFUSED_FUNCTION] = "function"};
    const struct coverage_state *r = m->coverage;
    fputs("{\"chip\":", out);
    text(out, m->chip->name);
    pair(out, "board", m->board->name);
    pair(out, "firmware", m->fw->seen);
    verdict(m, out);
    fprintf(out,
            ",\"gsp\":{\"boots\":%u,\"unloads\":%u,\"running\":%s,\"wpr2\":%s,\"pages_compared\":"
            "%" PRIu64 "}",
            m->stats.gsp_boots, m->stats.gsp_unloads,
            m->gsp_falcon->riscv_active ? "true" : "false",
            m->wpr2->hi > m->wpr2->lo ? "true" : "false", m->stats.image_pages_checked);
    fprintf(out,
            ",\"accesses\":{\"reads\":%" PRIu64 ",\"writes\":%" PRIu64 ",\"dma_bytes\":%" PRIu64
            ",\"interrupts\":%" PRIu64 "}",
            m->stats.reads, m->stats.writes, m->stats.dma_bytes, m->stats.irqs);
    fprintf(out,
            ",\"limits\":{\"vram_held\":%" PRIu64 ",\"vram_refused\":%" PRIu64
            ",\"trace_dropped\":%" PRIu64 ",\"dma_lost\":%" PRIu64 "}",
            m->stats.vram_held, m->stats.vram_refused, m->stats.trace_dropped, m->stats.dma_lost);
    unmodelled(m, out);
    fputs(",\"refused\":[", out);
    for (uint32_t i = 0; i < r->refused_count; i++) {
        fprintf(out, "%s{\"kind\":\"%s\",\"number\":%u,\"times\":%u}", i == 0 ? "" : ",",
                kinds[r->refused[i].cls], r->refused[i].what, r->refused[i].count);
    }
    fprintf(out, "],\"seed\":%" PRIu64 ",\"faults\":[", m->seed);
    for (uint64_t i = 0; i < min_u64(m->faults->struck, FAULT_NOTES_MAX); i++) {
        fputs(i == 0 ? "" : ",", out);
        text(out, m->faults->note[i]);
    }
    fputs("]}\n", out);
}
