/* SPDX-License-Identifier: MIT */
/* The report that people read: verdict, faults, what was touched and is not modelled, ranked. */
#include <inttypes.h>
#include <stdlib.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/boards/boards.h"
#include "tests/model/books/coverage.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/strict.h"
#include "tests/model/books/trace.h"
#include "tests/model/boot/fwfiles.h"
#include "tests/model/chips.h"
#include "tests/model/falcon/falcon.h"
#include "tests/model/gpu.h"
#include "tests/model/host/channel.h"
#include "tests/model/memory/vram.h"
#include "tests/model/memory/wpr2.h"
#include "tests/model/model.h"

enum { REPORT_LINES = 64 /* unmodelled registers listed */ };

static int by_count(const void *a, const void *b)
{
    const struct unmodelled *x = a, *y = b;
    const uint64_t nx = (uint64_t)x->reads + x->writes, ny = (uint64_t)y->reads + y->writes;
    return nx != ny ? (nx < ny ? 1 : -1) : x->off < y->off ? -1 : 1;
}

static void report_registers(const struct gpu_model *m, FILE *out)
{
    const struct coverage_state *r = m->coverage;
    struct unmodelled *list = r->table_used != 0 ? calloc(r->table_used, sizeof(*list)) : NULL;
    uint32_t n = 0;
    for (uint32_t i = 0; list != NULL && i < r->table_size; i++) {
        if (r->table[i].used) {
            list[n++] = r->table[i];
        }
    }
    fprintf(out, "registers: %u known of %s, %u touched, %u of them not modelled\n",
            m->stats.registers_known, m->chip->name, m->stats.registers_touched,
            m->stats.unmodelled_registers);
    fprintf(out, "not modelled: %u registers, %" PRIu64 " reads, %" PRIu64 " writes\n",
            m->stats.unmodelled_registers, m->stats.unmodelled_reads, m->stats.unmodelled_writes);
    if (list == NULL) {
        return;
    }
    qsort(list, n, sizeof(*list), by_count);
    for (uint32_t i = 0; i < n && i < REPORT_LINES; i++) {
        char name[96];
        const unsigned bar = list[i].off >> 28;
        if (bar != 0) {
            snprintf(name, sizeof(name), "BAR%u", bar);
        } else {
            reg_name(list[i].off, m->chip->family, name, sizeof(name));
        }
        fprintf(out, "  %6u reads %6u writes  0x%06x %s", list[i].reads, list[i].writes,
                list[i].off & 0x0fffffff, name);
        if (list[i].writes != 0) {
            fprintf(out, ", last written 0x%08x", list[i].last_written);
        }
        fprintf(out, "\n");
    }
    if (n > REPORT_LINES) {
        fprintf(out, "  ... %u more\n", n - REPORT_LINES);
    }
    free(list);
}

void model_report(const struct gpu_model *m, FILE *out)
{
    static const char *const kinds[] = {[REFUSED_CONTROL] = "control",
                                        [REFUSED_CLASS] = "class",
                                        [REFUSED_FUNCTION] = "RPC function"};
    const struct coverage_state *r = m->coverage;
    const struct model_verdict *v = model_first_violation(m);
    fprintf(out, "chip %s, board %s, %llu MiB, BOOT_0 0x%08x\n", m->chip->name, m->board->name,
            (unsigned long long)(m->vram->size >> 20), m->chip->boot0);
    for (uint32_t i = 0; i < m->fw->count; i++) {
        fprintf(out, "firmware compared: %s\n", m->fw->set[i].version);
    }
    if (m->fw->seen[0] != '\0') {
        fprintf(out, "firmware started: %s\n", m->fw->seen);
    }
    if (v == NULL) {
        fprintf(out, "verdict: no rule broken\n");
    } else {
        fprintf(out, "verdict: BROKE %s\n  %s\n  rule: %s\n  source: %s\n  at access %" PRIu64 "\n",
                v->rule, v->words, model_explain(v->rule, NULL), v->source, v->access);
        for (size_t i = 0; i < RULE_COUNT; i++) {
            if (m->strict->hits[i] != 0) {
                fprintf(out, "  %s: %u times\n", model_rule_id(i), m->strict->hits[i]);
            }
        }
    }
    if (m->faults->count != 0) {
        fprintf(out, "faults: %" PRIu64 " struck, seed %" PRIu64 "; each again by\n",
                m->faults->struck, m->seed);
        for (uint64_t i = 0; i < min_u64(m->faults->struck, FAULT_NOTES_MAX); i++) {
            fprintf(out, "  --fault %s\n", m->faults->note[i]);
        }
    }
    fprintf(out, "GSP: %u boots, %u unloads, %s; WPR2 %s; %" PRIu64 " image pages compared\n",
            m->stats.gsp_boots, m->stats.gsp_unloads,
            m->gsp_falcon->riscv_active ? "running" : "stopped",
            m->wpr2->hi > m->wpr2->lo ? "up" : "down", m->stats.image_pages_checked);
    fprintf(out, "left at an unload: %u objects, %u of them channels\n", m->stats.objects_left,
            m->stats.channels_left);
    fprintf(out,
            "host: %" PRIu64 " doorbells, %" PRIu64 " methods (%" PRIu64 " of engines that are not "
            "modelled), %" PRIu64 " semaphores released, %" PRIu64 " copies of %" PRIu64
            " bytes, %" PRIu64 " channels faulted\n",
            m->host->doorbells, m->host->methods, m->host->ignored_methods, m->host->releases,
            m->host->launches, m->host->bytes_copied, m->host->faults);
    fprintf(out,
            "accesses: %" PRIu64 " reads, %" PRIu64 " writes; %" PRIu64 " bytes by DMA; %" PRIu64
            " interrupts\n",
            m->stats.reads, m->stats.writes, m->stats.dma_bytes, m->stats.irqs);
    if (m->stats.vram_refused != 0) {
        fprintf(out,
                "limit: %" PRIu64 " writes to video memory refused: %" PRIu64
                " bytes of this machine held, --vram-limit is %" PRIu64 "\n",
                m->stats.vram_refused, m->stats.vram_held, m->vram->limit);
    }
    if (m->stats.trace_dropped != 0) {
        fprintf(out,
                "limit: %" PRIu64 " lines of the trace dropped: --trace-limit is %" PRIu64 "\n",
                m->stats.trace_dropped, m->trace->limit);
    }
    if (m->stats.dma_lost != 0) {
        fprintf(out, "lost: %" PRIu64 " transfers met memory that was taken away meanwhile\n",
                m->stats.dma_lost);
    }
    report_registers(m, out);
    fprintf(out, "refused: %" PRIu64 "\n", m->stats.refused);
    for (uint32_t i = 0; i < r->refused_count; i++) {
        fprintf(out, "  %6u times  %s 0x%08x\n", r->refused[i].count, kinds[r->refused[i].cls],
                r->refused[i].what);
    }
    for (uint32_t i = 0; i < r->spun_count; i++) {
        char name[96];
        reg_name(r->spun[i].off, m->chip->family, name, sizeof(name));
        fprintf(out,
                "spinning: %" PRIu64 " reads of %s 0x%06x = 0x%08x, and nothing could change it\n",
                r->spun[i].count, name, r->spun[i].off, r->spun[i].value);
    }
}
