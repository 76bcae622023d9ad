/* SPDX-License-Identifier: MIT */
/*
 * What happens to the appliance, as it happens: the feeds of the GPUs, the network, notes, merged
 * into one ring with ids (event_ring.h), and GET /api/v1/events, which sends them: as server-sent
 * events to clients that stay (WHATWG HTML 9.2), or as JSON.
 *
 * A stream has a place in the ring and no copy of it: one that reads too slowly loses the oldest
 * and is told how many ("gap"). What is only the newest state ("changed", "sensors") is made when
 * the client can take it, and no more often than EVENTS_GAP_US. All by the network fiber.
 */
#pragma once

#include "arch/text.h"
#include "net/http/http.h"

#define EVENT_STREAMS_MAX     16u
#define EVENT_STREAM_SHARE_US (60 * US_PER_S) /* how long one may stay while others want in */
#define EVENTS_KEEP_ALIVE_US  (15 * US_PER_S) /* a comment after so long without an event */
#define EVENTS_GAP_US         (100 * US_PER_MS)
#define EVENTS_RETRY_MS       2000u /* when a client comes back that was cut off */

/* In every round of the network fiber: takes what is new and makes streams ready that have
 * something to send. Before http_poll(). */
void events_poll(void);
/* The clock by when events_poll() is wanted; DEADLINE_NEVER: when something happens. */
uint64_t events_due_us(void);
/* {"events":[...],"next":N,"lost":M}: those after id `after` (0: all that are kept). */
void events_put_json(struct text_buf *out, uint64_t after);

struct event_stats {
    uint32_t streams; /* open now */
    uint64_t opened, refused, made_way;
    uint64_t kept; /* events ever */
    uint64_t lost; /* that streams were told they had missed */
};
void events_get_stats(struct event_stats *out);

/* ---- between events.c and event_stream.c ---- */

/* How the GPUs are, as events_poll() saw them last. */
uint64_t events_generation(uint32_t gpu);
uint64_t events_samples(uint32_t gpu);
/* Takes what is new into the ring (events.c). */
void events_take(void);
void events_forget(void);
uint64_t events_take_due_us(void);
