/* SPDX-License-Identifier: MIT */
/* The appliance's stream of events, as it comes: /api/v1/events (docs/api.md). */
#pragma once

#include "client/client.h"

#define STREAM_RETRY_MS 2000u /* when the stream does not say */

struct stream;
/* Asks for path, which is a stream of events. Nothing has been sent yet. NULL: c has failed. */
struct stream *stream_open(struct client *c, const char *path);
void stream_close(struct stream *s); /* NULL: nothing to do */

enum stream_step {
    STREAM_EVENT,   /* *event */
    STREAM_QUIET,   /* nothing came in the time */
    STREAM_ENDED,   /* it broke off, or nothing answers: stream_why() */
    STREAM_REFUSED, /* the appliance says no: c has failed */
    STREAM_STOPPED, /* Ctrl-C: stop.h */
};
/* The next event, owned by the caller: the object that its data is, with "event" and, where it has
 * one, the number "id" in it. What is no object is passed over. Waits so long at most. */
enum stream_step stream_next(struct stream *s, int timeout_ms, json_t **event);
/* Why it ended, in words. */
const char *stream_why(const struct stream *s);
/* How long to wait before the next try. */
unsigned stream_retry_ms(const struct stream *s);
