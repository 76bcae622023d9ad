/* SPDX-License-Identifier: MIT */
/* Events as texts in a ring of bytes (event_ring.h). */
#include "net/api/event_ring.h"

#include <string.h>

#include "arch/clock.h"

static struct {
    char bytes[EVENT_RING_BYTES];
    uint64_t written; /* bytes ever: the next one goes to written mod EVENT_RING_BYTES */
    uint64_t total;   /* events ever */
    uint32_t count;   /* of them that are kept */
    struct place {
        const char *name;
        uint64_t at; /* as `written` was */
        uint32_t len;
    } place[EVENT_RING_MAX]; /* event n, from 0, is at n mod EVENT_RING_MAX */
} ring;

void event_ring_reset(void)
{
    ring.written = ring.total = 0;
    ring.count = 0;
}

uint64_t event_ring_base(void) { return clock_boot_unix_s() * (US_PER_S / US_PER_MS); }
uint64_t event_ring_next(void) { return event_ring_base() + ring.total + 1; }
uint64_t event_ring_first(void) { return event_ring_next() - ring.count; }

bool event_ring_add(const char *name, const char *data, size_t len)
{
    if (len > EVENT_BYTES_MAX) {
        return false;
    }
    while (ring.count == EVENT_RING_MAX ||
           (ring.count > 0 &&
            ring.written + len - ring.place[(ring.total - ring.count) % EVENT_RING_MAX].at >
                EVENT_RING_BYTES)) {
        ring.count--;
    }
    ring.place[ring.total % EVENT_RING_MAX] =
        (struct place){.name = name, .at = ring.written, .len = (uint32_t)len};
    const size_t at = ring.written % EVENT_RING_BYTES;
    const size_t first = (size_t)min_u64(len, EVENT_RING_BYTES - at);
    memcpy(ring.bytes + at, data, first);
    memcpy(ring.bytes, data + first, len - first);
    ring.written += len;
    ring.total++;
    ring.count++;
    return true;
}

static const struct place *place_of(uint64_t id)
{
    return &ring.place[(id - event_ring_base() - 1) % EVENT_RING_MAX];
}

const char *event_ring_name(uint64_t id)
{
    return id >= event_ring_first() && id < event_ring_next() ? place_of(id)->name : NULL;
}

void event_ring_put(uint64_t id, size_t skip, struct text_buf *out)
{
    const struct place *p = place_of(id);
    const size_t len = p->len - min_u64(skip, p->len);
    const size_t at = (p->at + skip) % EVENT_RING_BYTES;
    const size_t first = (size_t)min_u64(len, EVENT_RING_BYTES - at);
    text_append(out, ring.bytes + at, first);
    text_append(out, ring.bytes, len - first);
}
