/* SPDX-License-Identifier: MIT */
/* The ring behind gsp/feed.h, and what keeps a firmware from flooding it. */
#pragma once

#include "gsp/feed.h"

/* Entries that somebody outside can cause as often as he likes. All zero at first. */
struct gsp_feed_source {
    uint64_t since_us;       /* when the running span began */
    uint32_t kept, left_out; /* in it */
    bool has_last;           /* of this span */
    uint32_t repeats;        /* equal to the last one, not in the ring yet */
    struct gsp_feed_entry last;
};

struct gsp_feed {
    uint64_t total;                               /* entries ever */
    struct gsp_feed_entry ring[GSP_FEED_ENTRIES]; /* number n is at n mod GSP_FEED_ENTRIES */
};

/* Adds a copy of *e, which has kind, name, text and what belongs to its kind; number, time and
 * count are set here (a count of 0 becomes 1). */
void gsp_feed_add(struct gsp_feed *f, const struct gsp_feed_entry *e);
/* The same within the limits; true: there is something new to be read. */
bool gsp_feed_add_limited(struct gsp_feed *f, struct gsp_feed_source *s,
                          const struct gsp_feed_entry *e);
/* Writes down what is still only counted: now and then while the source is silent. now: although
 * the span is not over. True: as above. */
bool gsp_feed_flush(struct gsp_feed *f, struct gsp_feed_source *s, bool now);
bool gsp_feed_next(const struct gsp_feed *f, uint64_t *cursor, struct gsp_feed_entry *out,
                   uint64_t *lost);
