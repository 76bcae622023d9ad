/* SPDX-License-Identifier: MIT */
/* What a GPU tells of itself as it happens: states, link, events, Xids (gpu.h, feed.h). */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/log.h"
#include "gsp/gpu.h"

void gsp_gpu_wake(struct gsp_gpu *g)
{
    if (g->opt.wake != NULL) {
        g->opt.wake();
    }
}

void gsp_gpu_tell(struct gsp_gpu *g, const struct gsp_feed_entry *e)
{
    gsp_feed_add(&g->feed, e);
    gsp_gpu_wake(g);
}

void gsp_gpu_tell_event(struct gsp_gpu *g, uint32_t number, const char *name, const char *text)
{
    struct gsp_feed_entry e = {.kind = GSP_FEED_EVENT, .name = name, .event = number};

    snprintf(e.text, sizeof(e.text), "%s", text);
    if (gsp_feed_add_limited(&g->feed, &g->events_fed, &e)) {
        gsp_gpu_wake(g);
    }
}

void gsp_gpu_note(struct gsp_gpu *g, const char *fmt, ...)
{
    struct gsp_feed_entry e = {.kind = GSP_FEED_NOTE, .name = ""};
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(e.text, sizeof(e.text), fmt, ap);
    va_end(ap);
    gsp_gpu_tell(g, &e);
}

void gsp_gpu_flush_feed(struct gsp_gpu *g, bool now)
{
    const bool events = gsp_feed_flush(&g->feed, &g->events_fed, now);

    if (gsp_feed_flush(&g->feed, &g->xids_fed, now) || events) {
        gsp_gpu_wake(g);
    }
}

/* A GPU changes its speed with its load, which is no news; it does not lose lanes with it. */
void gsp_gpu_look_at_link(struct gsp_gpu *g)
{
    struct gsp_feed_entry e = {.kind = GSP_FEED_LINK, .name = ""};

    if (!g->hw.io.lost) {
        pci_get_link(g->hw.pci, &e.link);
    }
    const bool same =
        g->link_told && g->link.valid == e.link.valid && g->link.width == e.link.width;
    if (same || (!e.link.valid && !g->hw.io.lost)) { /* or a device without a link */
        return;
    }
    if (e.link.valid) {
        snprintf(e.text, sizeof(e.text), "the PCI Express link is up: %s, x%u of x%u",
                 pci_speed_name(e.link.speed), (unsigned)e.link.width, (unsigned)e.link.max_width);
    } else {
        snprintf(e.text, sizeof(e.text), "the GPU does not answer over PCI Express any more");
    }
    g->link = e.link;
    g->link_told = true;
    gsp_gpu_tell(g, &e);
}

void gsp_gpu_set_state(struct gsp_gpu *g, enum gsp_state s)
{
    struct gsp_feed_entry e = {
        .kind = GSP_FEED_STATE, .name = "", .state = {.now = s, .previous = g->state}};
    const bool news = s != g->state;

    g->state = s;
    gsp_gpu_flush_feed(g, true); /* what led to it comes before it */
    if (news) {
        gsp_gpu_look_at_link(g);
        if (s == GSP_FAILED) {
            snprintf(e.text, sizeof(e.text), "failed in stage %s: %s", g->fail.stage, g->fail.text);
        } else {
            snprintf(e.text, sizeof(e.text), "%s is %s",
                     g->hw.chip != NULL ? g->hw.chip->name : "the GPU", gsp_state_name(s));
        }
        gsp_gpu_tell(g, &e);
    }
    gsp_gpu_changed(g);
}

/* ---- Xids ---- */

/* Where those of this number are counted. The last place is for numbers that find none; unknown
 * ones get only a few, so that there is always room for those that mean something. */
static struct gsp_xid *place_of(struct gsp_gpu *g, uint32_t number)
{
    const bool known = gsp_xid_find(number)->number == number && number != GSP_XID_OTHERS;

    for (uint32_t i = 0; i < g->xid_kinds; i++) {
        if (g->xid[i].number == number) {
            return &g->xid[i];
        }
    }
    if (g->xid_kinds < GSP_XIDS_MAX - 1 && (known || g->xid_unknown < GSP_XIDS_UNKNOWN_MAX)) {
        g->xid_unknown += !known;
        struct gsp_xid *x = &g->xid[g->xid_kinds++];
        *x = (struct gsp_xid){.number = number, .first_us = clock_now_us()};
        return x;
    }
    struct gsp_xid *last = &g->xid[GSP_XIDS_MAX - 1];
    if (last->count == 0) {
        *last = (struct gsp_xid){.number = GSP_XID_OTHERS, .first_us = clock_now_us()};
    }
    return last;
}

void gsp_gpu_xid(struct gsp_gpu *g, uint32_t xid, const char *text)
{
    struct gsp_feed_entry e = {.kind = GSP_FEED_XID, .name = "", .xid = xid};
    struct gsp_xid *x = place_of(g, xid);

    x->count++;
    x->last_us = clock_now_us();
    g->xid_count++;
    g->last_xid = xid;
    snprintf(g->last_xid_text, sizeof(g->last_xid_text), "%s", text);
    log_limited(&g->hw.complaints, LOG_ERROR, g->hw.label, "Xid %u (%s): %s", (unsigned)xid,
                gsp_xid_find(xid)->meaning, g->last_xid_text);
    snprintf(e.text, sizeof(e.text), "%s", g->last_xid_text);
    (void)gsp_feed_add_limited(&g->feed, &g->xids_fed, &e);
    gsp_gpu_changed(g);
}

uint32_t gsp_get_xids(struct gsp_gpu *g, struct gsp_xid *out, uint32_t max)
{
    const struct gsp_xid *others = &g->xid[GSP_XIDS_MAX - 1];
    uint32_t n = 0;

    for (; n < g->xid_kinds && n < max; n++) {
        out[n] = g->xid[n];
    }
    if (others->count > 0 && n < max) {
        out[n++] = *others;
    }
    return n;
}
