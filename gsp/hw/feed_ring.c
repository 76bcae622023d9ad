/* SPDX-License-Identifier: MIT */
/* The ring of what happened to a GPU (feed_ring.h). */
#include "gsp/hw/feed_ring.h"

#include <stdio.h>
#include <string.h>

#include "arch/clock.h"

void gsp_feed_add(struct gsp_feed *f, const struct gsp_feed_entry *e)
{
    const uint64_t number = ++f->total;
    struct gsp_feed_entry *to = &f->ring[number % GSP_FEED_ENTRIES];

    *to = *e;
    to->number = number;
    to->at_us = clock_now_us();
    to->count += to->count == 0;
}

bool gsp_feed_next(const struct gsp_feed *f, uint64_t *cursor, struct gsp_feed_entry *out,
                   uint64_t *lost)
{
    const uint64_t first = f->total > GSP_FEED_ENTRIES ? f->total - GSP_FEED_ENTRIES + 1 : 1;
    const uint64_t from = max_u64(*cursor, 1);
    const uint64_t at = max_u64(from, first);

    if (lost != NULL) {
        *lost = at - from;
    }
    if (at > f->total) {
        return false;
    }
    *out = f->ring[at % GSP_FEED_ENTRIES];
    *cursor = at + 1;
    return true;
}

static bool equal(const struct gsp_feed_entry *a, const struct gsp_feed_entry *b)
{
    /* Only xids and events are limited: both are a number. */
    return a->kind == b->kind && a->xid == b->xid && strcmp(a->text, b->text) == 0;
}

static bool write_repeats(struct gsp_feed *f, struct gsp_feed_source *s)
{
    if (s->repeats == 0) {
        return false;
    }
    s->last.count = s->repeats;
    s->repeats = 0;
    gsp_feed_add(f, &s->last);
    return true;
}

bool gsp_feed_flush(struct gsp_feed *f, struct gsp_feed_source *s, bool now)
{
    const uint64_t now_us = clock_now_us();

    if (!now && now_us - s->since_us < GSP_FEED_SPAN_US) {
        return false;
    }
    bool added = write_repeats(f, s);
    if (s->left_out > 0) {
        struct gsp_feed_entry e = {.kind = GSP_FEED_NOTE, .name = "", .count = 1};
        snprintf(e.text, sizeof(e.text), "%u more events of the firmware were left out",
                 (unsigned)s->left_out);
        gsp_feed_add(f, &e);
        added = true;
    }
    s->since_us = now_us;
    s->kept = s->left_out = 0;
    s->has_last = false;
    return added;
}

bool gsp_feed_add_limited(struct gsp_feed *f, struct gsp_feed_source *s,
                          const struct gsp_feed_entry *e)
{
    bool added = gsp_feed_flush(f, s, false);

    if (s->has_last && equal(&s->last, e)) {
        s->repeats++;
        return added;
    }
    if (s->kept >= GSP_FEED_LIMIT) {
        s->left_out++;
        return added;
    }
    write_repeats(f, s);
    gsp_feed_add(f, e);
    s->kept++;
    s->last = *e;
    s->has_last = true;
    return true;
}
