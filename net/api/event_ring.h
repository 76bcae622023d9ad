/* SPDX-License-Identifier: MIT */
/*
 * The events of the appliance that are kept: texts with a name and an id, oldest out first. Ids
 * rise by one and are never given twice: they begin at the milliseconds since 1970 at which the
 * machine was handed over, so that those of an earlier start are told apart as long as there are
 * fewer than a thousand events a second (at 0 on a machine without a clock). All are below 2^53.
 */
#pragma once

#include "arch/text.h"

#define EVENT_RING_MAX   1024u
#define EVENT_RING_BYTES KIB(256)
#define EVENT_BYTES_MAX  KIB(2) /* of one event; more is refused */

/* Forgets all of them. */
void event_ring_reset(void);
/* Keeps an event. name: static. data: one JSON object on one line, copied. False: too long. */
bool event_ring_add(const char *name, const char *data, size_t len);
uint64_t event_ring_base(void);  /* the first id ever is one more */
uint64_t event_ring_first(void); /* id of the oldest; event_ring_next() when there is none */
uint64_t event_ring_next(void);  /* id that the next one will get */
/* The name of the event with this id; NULL: it is not there. */
const char *event_ring_name(uint64_t id);
/* Appends its data, but for the first skip bytes. It is there. */
void event_ring_put(uint64_t id, size_t skip, struct text_buf *out);
