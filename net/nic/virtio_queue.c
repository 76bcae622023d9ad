/* SPDX-License-Identifier: MIT */
#include "net/nic/virtio_queue.h"

#include "arch/machine.h"
#include "arch/mmio.h"

#define DESC_F_WRITE         2u /* the device writes */
#define AVAIL_F_NO_INTERRUPT 1u
#define USED_F_NO_NOTIFY     1u
#define DESC_BYTES           16u
#define ELEM_BYTES           8u
_Static_assert(sizeof(struct virtq_desc) == DESC_BYTES, "layout of section 2.7.5");
_Static_assert(sizeof(struct virtq_used_elem) == ELEM_BYTES, "layout of section 2.7.8");

/* Positions in the avail and used areas, in 16-bit words. */
#define RING_FLAGS 0u
#define RING_IDX   1u
#define RING_FIRST 2u

static uint16_t shared_load(const uint16_t *p) { return __atomic_load_n(p, __ATOMIC_ACQUIRE); }
static void shared_store(uint16_t *p, uint16_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }

/* used_event lies behind the avail ring, avail_event behind the used ring. */
static uint16_t *used_event(const struct virtq *q) { return q->avail + RING_FIRST + q->size; }
static const uint16_t *avail_event(const struct virtq *q)
{
    return q->used + RING_FIRST + q->size * (ELEM_BYTES / 2u);
}

enum fl_err virtq_init(struct virtq *q, uint16_t size, bool event_idx, const char *name)
{
    FL_ASSERT(size != 0 && size <= VIRTQ_MAX_SIZE && is_aligned_u64(size, size));
    *q = (struct virtq){.size = size, .event_idx = event_idx};
    uint64_t avail_at = (uint64_t)size * DESC_BYTES;
    uint64_t used_at = align_up_u64(avail_at + 2u * (RING_FIRST + size + 1u), 64);
    uint64_t total = used_at + 2u * (RING_FIRST + 1u) + (uint64_t)size * ELEM_BYTES;

    enum fl_err err = dma_alloc(&q->mem, total, FL_PAGE_SIZE, 64, name);
    if (err != FL_OK) {
        return err;
    }
    uint8_t *at = q->mem.cpu;
    q->desc = (void *)at;
    q->avail = (void *)(at + avail_at);
    q->used = (void *)(at + used_at);
    q->desc_bus = q->mem.bus;
    q->avail_bus = (struct bus_addr){q->mem.bus.raw + avail_at};
    q->used_bus = (struct bus_addr){q->mem.bus.raw + used_at};
    return FL_OK;
}

void virtq_describe(struct virtq *q, uint16_t id, struct bus_addr at, uint32_t len,
                    bool device_writes)
{
    FL_ASSERT(id < q->size && !q->out[id]);
    q->desc[id] = (struct virtq_desc){
        .addr = at.raw,
        .len = len,
        .flags = device_writes ? DESC_F_WRITE : 0,
    };
}

void virtq_add(struct virtq *q, uint16_t id)
{
    FL_ASSERT(id < q->size && !q->out[id]);
    q->out[id] = true;
    q->in_flight++;
    q->avail[RING_FIRST + (q->added & (q->size - 1u))] = id;
    q->added++;
}

bool virtq_publish(struct virtq *q)
{
    uint16_t old = q->published;
    if (q->added == old) {
        return false;
    }
    shared_store(&q->avail[RING_IDX], q->added); /* after the entries */
    q->published = q->added;
    dma_mb(); /* the index is out before we look whether the device waits for it */
    if (q->event_idx) {
        uint16_t event = shared_load(avail_event(q));
        return (uint16_t)(q->added - event - 1u) < (uint16_t)(q->added - old);
    }
    return (shared_load(&q->used[RING_FLAGS]) & USED_F_NO_NOTIFY) == 0;
}

enum virtq_taken virtq_take(struct virtq *q, uint32_t *id, uint32_t *len)
{
    uint16_t idx = shared_load(&q->used[RING_IDX]); /* before the element */
    uint16_t finished = (uint16_t)(idx - q->taken);
    if (finished == 0) {
        return VIRTQ_NONE;
    }
    if (finished > q->in_flight) {
        *id = idx;
        *len = 0;
        return VIRTQ_BROKEN;
    }
    const volatile struct virtq_used_elem *ring = (const void *)(q->used + RING_FIRST);
    const volatile struct virtq_used_elem *elem = &ring[q->taken & (q->size - 1u)];
    *id = elem->id;
    *len = elem->len;
    if (*id >= q->size || !q->out[*id]) {
        return VIRTQ_BROKEN;
    }
    q->out[*id] = false;
    q->in_flight--;
    q->taken++;
    return VIRTQ_GOT;
}

bool virtq_arm(struct virtq *q, uint16_t ahead)
{
    if (q->event_idx) {
        shared_store(used_event(q), (uint16_t)(q->taken + ahead - 1u));
    } else {
        shared_store(&q->avail[RING_FLAGS], 0);
    }
    dma_mb(); /* the wish is out before we look a last time */
    return (uint16_t)(shared_load(&q->used[RING_IDX]) - q->taken) >= ahead;
}

void virtq_disarm(struct virtq *q)
{
    if (q->event_idx) {
        shared_store(used_event(q), (uint16_t)(q->taken - 1u)); /* 65536 buffers away */
    } else {
        shared_store(&q->avail[RING_FLAGS], AVAIL_F_NO_INTERRUPT);
    }
}
