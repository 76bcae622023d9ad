/* SPDX-License-Identifier: MIT */
/*
 * The trace: one line of text for each access and each thing the GPU does, register names and
 * fields from the register list. A line that repeats the one before (time apart) is counted, not
 * printed.
 */
#include "tests/model/books/trace.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "arch/text.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/books/text.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/model.h"

enum { TIME_BYTES = 24 }; /* of the time before a line, and its end: at most about so many */

static void line(struct gpu_model *m, const char *text)
{
    struct trace_state *t = m->trace;
    if (strncmp(text, t->last, sizeof(t->last) - 1) == 0) {
        t->repeats++;
        return;
    }
    model_trace_flush(m);
    const uint64_t now = model_now(m);
    const size_t size = strlen(text) + TIME_BYTES;
    if (size > t->limit - t->bytes) {
        if (m->stats.trace_dropped++ == 0) {
            fprintf(m->trace_file, "# the trace ends here, at %" PRIu64 " bytes (--trace-limit)\n",
                    t->limit);
        }
        return;
    }
    t->bytes += size;
    fprintf(m->trace_file, "t=%" PRIu64 ".%06u %s\n", now / 1000000000u,
            (unsigned)(now / 1000 % 1000000), text);
    const size_t n = strlen(text);
    const size_t keep = n < sizeof(t->last) - 1 ? n : sizeof(t->last) - 1;
    memcpy(t->last, text, keep);
    t->last[keep] = '\0';
}

void model_trace_flush(struct gpu_model *m)
{
    if (m->trace_file != NULL && m->trace->repeats != 0 && m->stats.trace_dropped == 0) {
        fprintf(m->trace_file, "    ... %" PRIu64 " more like this\n", m->trace->repeats);
    }
    m->trace->repeats = 0;
    m->trace->last[0] = '\0';
}

void model_trace_reg(struct gpu_model *m, bool write, uint32_t off, uint32_t value)
{
    char name[96], fields[256], text[400];
    if (off - NV_PROM_BASE < NV_PROM_SIZE) {
        snprintf(text, sizeof(text), "%c PROM window", write ? 'W' : 'R'); /* folds */
    } else if (off - NV_PRAMIN_BASE < NV_PRAMIN_SIZE) {
        snprintf(text, sizeof(text), "%c PRAMIN 0x%06x = 0x%08x", write ? 'W' : 'R', off, value);
    } else {
        reg_name(off, m->chip->family, name, sizeof(name));
        reg_decode(off, m->chip->family, value, fields, sizeof(fields));
        snprintf(text, sizeof(text), "%c %s 0x%06x = %s", write ? 'W' : 'R', name, off, fields);
    }
    line(m, text);
}

void model_trace_text(struct gpu_model *m, const char *fmt, ...)
{
    char text[640];
    if (m->trace_file == NULL || m->chip == NULL) {
        return;
    }
    struct text t = text_on(text, sizeof(text));
    text_str(&t, "# ");
    va_list ap;
    va_start(ap, fmt);
    text_vfmt(&t, fmt, ap);
    va_end(ap);
    model_text_line(text);
    line(m, text);
}

static bool create(struct gpu_model *m, const struct model_config *cfg, char *err, size_t err_size)
{
    (void)err;
    (void)err_size;
    m->trace_file = cfg->trace;
    m->trace_bars = cfg->trace != NULL && cfg->trace_bars;
    m->trace->limit = cfg->trace_limit != 0 ? cfg->trace_limit : MODEL_LIMIT_DEFAULT;
    return true;
}

const struct block trace_block = {
    .name = "trace", BLOCK_STATE(trace), .create = create, .destroy = model_trace_flush};
