/* SPDX-License-Identifier: MIT */
/* The flight recorder (recorder.h). */
#include "gsp/hw/recorder.h"

#include <stdlib.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/text.h"
#include "gsp/hw/regs/regs.h"

bool gsp_recorder_init(struct gsp_recorder *r)
{
    *r = (struct gsp_recorder){.stage = "", .family = F_ALL};
    r->ring = calloc(GSP_REC_ENTRIES, sizeof(*r->ring));
    return r->ring != NULL;
}

void gsp_recorder_free(struct gsp_recorder *r)
{
    free(r->ring);
    r->ring = NULL;
}

void gsp_recorder_add(struct gsp_recorder *r, enum gsp_rec_kind kind, uint32_t off, uint64_t value,
                      const char *what)
{
    if (kind == GSP_REC_READ && r->total > 0) {
        struct gsp_rec_entry *last = &r->ring[(r->total - 1) % GSP_REC_ENTRIES];
        if (last->kind == GSP_REC_READ && last->off == off && last->value == value &&
            last->what == r->stage && last->repeat < UINT32_MAX) {
            last->repeat++;
            return;
        }
    }
    r->ring[r->total % GSP_REC_ENTRIES] = (struct gsp_rec_entry){
        .time_us = clock_now_us(),
        .value = value,
        .what = what != NULL ? what : r->stage,
        .off = off,
        .kind = (uint8_t)kind,
    };
    r->total++;
}

void gsp_recorder_stage(struct gsp_recorder *r, const char *stage)
{
    r->stage = stage;
    gsp_recorder_add(r, GSP_REC_STAGE, 0, 0, stage);
}

static size_t line_of(const struct gsp_recorder *r, const struct gsp_rec_entry *e, char *buf,
                      size_t size)
{
    struct text t = text_on(buf, size);
    text_fmt(&t, "%6llu.%06llu ", (unsigned long long)(e->time_us / US_PER_S),
             (unsigned long long)(e->time_us % US_PER_S));
    switch ((enum gsp_rec_kind)e->kind) {
    case GSP_REC_READ:
    case GSP_REC_WRITE:
        text_fmt(&t, "%-14s %c %06x ", e->what, e->kind == GSP_REC_READ ? 'R' : 'W',
                 (unsigned)e->off);
        reg_add_name(&t, e->off, r->family);
        text_str(&t, " ");
        reg_add_value(&t, e->off, r->family, (uint32_t)e->value);
        if (e->repeat > 0) {
            text_fmt(&t, " (%u times)", (unsigned)e->repeat + 1);
        }
        break;
    case GSP_REC_DMA:
        text_fmt(&t, "dma   %s: %u bytes at 0x%llx", e->what, (unsigned)e->off,
                 (unsigned long long)e->value);
        break;
    case GSP_REC_SEND:
        text_fmt(&t, "send  %s (0x%x), %u bytes", e->what, (unsigned)e->off, (unsigned)e->value);
        break;
    case GSP_REC_RECV:
        text_fmt(&t, "recv  %s (0x%x), %u bytes, result 0x%x", e->what, (unsigned)e->off,
                 (unsigned)e->value, (unsigned)(e->value >> 32));
        break;
    case GSP_REC_STAGE:
        text_fmt(&t, "stage %s", e->what);
        break;
    }
    text_str(&t, "\n");
    return t.used;
}

size_t gsp_recorder_text(const struct gsp_recorder *r, uint64_t *cursor, char *buf, size_t size)
{
    const uint64_t oldest = r->total > GSP_REC_ENTRIES ? r->total - GSP_REC_ENTRIES : 0;
    size_t at = 0;

    if (*cursor < oldest) {
        *cursor = oldest;
    }
    while (*cursor < r->total && size - at >= GSP_REC_LINE_MAX) {
        at += line_of(r, &r->ring[*cursor % GSP_REC_ENTRIES], buf + at, GSP_REC_LINE_MAX);
        (*cursor)++;
    }
    return at;
}
