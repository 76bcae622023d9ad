/* SPDX-License-Identifier: MIT */
/*
 * Short of video memory, objects that were not used for longest go to RAM and come back when they
 * are used; their mappings stay, and are without entries meanwhile. What is pinned, or in a call,
 * stays where it is. RAM for it has a limit.
 */
#include "arch/lockorder.h"
#include "arch/log.h"
#include "gsp/vram/vram_priv.h"
#include "mm/heap.h"

#define CHUNK_BYTES MIB(2)

static LOCK_CLASS(evict_class, "eviction");

void vram_evict_open(struct gsp_vram *v)
{
    mutex_init(&v->evict_lock, &evict_class);
    v->evict_limit = GSP_VRAM_EVICTED_MAX;
}

/* ---- room in RAM ---- */

static uint32_t chunk_count(uint64_t bytes) { return (uint32_t)div_up_u64(bytes, CHUNK_BYTES); }

static void drop_chunks(struct dma_buf *chunks, uint64_t bytes)
{
    for (uint32_t i = 0; chunks != NULL && i < chunk_count(bytes); i++) {
        dma_free(&chunks[i]);
    }
    heap_free(chunks);
}

static struct dma_buf *take_chunks(uint64_t bytes)
{
    const uint32_t count = chunk_count(bytes);
    struct dma_buf *chunks = heap_zalloc(count * sizeof(*chunks));

    for (uint32_t i = 0; chunks != NULL && i < count; i++) {
        const uint64_t size = min_u64(CHUNK_BYTES, bytes - i * CHUNK_BYTES);
        if (dma_alloc(&chunks[i], size, FL_PAGE_SIZE, 64, "evicted") != FL_OK) {
            drop_chunks(chunks, bytes);
            return NULL;
        }
    }
    return chunks;
}

void vram_evict_forget(struct gsp_vram *v, struct vram_object *o)
{
    if (o->saved != NULL) {
        v->evicted_bytes -= o->bytes;
        drop_chunks(o->saved, o->bytes);
        o->saved = NULL;
    }
}

/* All of the object's contents, to or from its chunks. Where it is: its extents. */
static enum fl_err move(struct gsp_vram *v, struct vram_object *o, struct dma_buf *chunks,
                        bool to_ram, struct fl_fail *fail)
{
    enum fl_err err = FL_OK;
    uint64_t at = 0;

    for (uint32_t i = 0; i < o->extent_count && err == FL_OK; i++) {
        for (uint64_t in = 0; in < o->extents[i].len && err == FL_OK;) {
            const uint64_t left = CHUNK_BYTES - at % CHUNK_BYTES;
            uint8_t *ram = (uint8_t *)chunks[at / CHUNK_BYTES].cpu + at % CHUNK_BYTES;
            struct vram_copy c = {.len = min_u64(left, o->extents[i].len - in)};
            c.to = to_ram ? ram : NULL;
            c.from = to_ram ? NULL : ram;
            err = vram_copy_at(v, o->extents[i].pa + in, &c, GSP_VRAM_BAR1, fail);
            in += c.len;
            at += c.len;
        }
    }
    return err;
}

/* ---- away ---- */

static bool may_go(const struct gsp_vram *v, const struct vram_object *o)
{
    return o->saved == NULL && !o->pinned && o->busy == 0 &&
           o->bytes <= v->evict_limit - v->evicted_bytes;
}

/* The one that was not used for longest, of all clients; NULL: none may go. */
static struct vram_object *victim(struct gsp_vram *v)
{
    struct vram_object *found = NULL;

    for (struct gsp_vram_client *c = v->clients; c != NULL; c = c->next) {
        for (struct vram_object *o = c->objects; o != NULL; o = o->next) {
            if (may_go(v, o) && (found == NULL || o->last < found->last)) {
                found = o;
            }
        }
    }
    return found;
}

/* evict_lock is held, o is busy. When it fails o is where it was. */
static enum fl_err send_away(struct gsp_vram *v, struct vram_object *o, struct fl_fail *fail)
{
    struct dma_buf *chunks = take_chunks(o->bytes);

    if (chunks == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, "GPU memory",
                       "no RAM for the 0x%llx bytes of an object that was to make room",
                       (unsigned long long)o->bytes);
    }
    enum fl_err err = gpu_object_evict(o->gpu, fail); /* no GPU writes to it from here on */
    err = FL_THEN(err, move(v, o, chunks, true, fail));
    err = FL_THEN(err, vram_alive(v, fail));
    if (err != FL_OK) {
        drop_chunks(chunks, o->bytes);
        const enum fl_err back = gpu_object_restore(o->gpu, o->extents, o->extent_count, NULL);
        (void)back; /* of a life that is over */
        return err;
    }
    vram_pool_give(v, o->extents, o->extent_count);
    o->extents = NULL;
    o->extent_count = 0;
    o->saved = chunks;
    v->evicted_bytes += o->bytes;
    v->evictions++;
    return FL_OK;
}

/* With all that may go gone there would be room, as far as numbers tell. */
static bool is_hopeless(struct gsp_vram *v, uint64_t bytes)
{
    struct zone_stats usable;
    uint64_t may = 0;

    zones_get_stats(&v->zones, ZONE_USABLE, &usable);
    for (struct gsp_vram_client *c = v->clients; c != NULL; c = c->next) {
        for (struct vram_object *o = c->objects; o != NULL; o = o->next) {
            may += may_go(v, o) ? o->bytes : 0;
        }
    }
    return bytes > usable.free_bytes + min_u64(may, v->evict_limit - v->evicted_bytes);
}

bool vram_evict_one(struct gsp_vram *v, struct fl_fail *fail)
{
    struct fl_fail why = {0};

    lockorder_point(&lock_class_fence, FL_WHERE);
    mutex_lock(&v->evict_lock);
    struct vram_object *o = victim(v);
    enum fl_err err = FL_ENOENT;
    if (o != NULL) {
        o->busy++;
        err = send_away(v, o, &why);
        o->busy--;
    }
    mutex_unlock(&v->evict_lock);
    if (err != FL_OK && err != FL_ENOENT && fail != NULL) {
        *fail = why;
    }
    return err == FL_OK;
}

/* ---- and back ---- */

static enum fl_err bring_back(struct gsp_vram *v, struct vram_object *o, struct fl_fail *fail)
{
    const struct gsp_vram_request want = {.bytes = o->bytes, .align = o->align};
    enum fl_err err = vram_room_for(v, &want, &o->extents, &o->extent_count, fail);

    if (err != FL_OK) {
        return err;
    }
    err = move(v, o, o->saved, false, fail);
    err = FL_THEN(err, gpu_object_restore(o->gpu, o->extents, o->extent_count, fail));
    if (err != FL_OK) {
        vram_pool_give(v, o->extents, o->extent_count);
        o->extents = NULL;
        o->extent_count = 0;
        return err;
    }
    vram_evict_forget(v, o);
    v->returns++;
    return FL_OK;
}

enum fl_err vram_object_enter(struct gsp_vram *v, struct vram_object *o, struct fl_fail *fail)
{
    o->last = ++v->uses;
    o->busy++; /* it stays, or comes back, and stays */
    if (o->saved == NULL) {
        return FL_OK;
    }
    mutex_lock(&o->returning);
    const enum fl_err err = o->saved != NULL ? bring_back(v, o, fail) : FL_OK;
    mutex_unlock(&o->returning);
    if (err != FL_OK) {
        o->busy--;
    }
    return err;
}

void vram_object_leave(struct vram_object *o) { o->busy--; }

enum fl_err vram_room_for(struct gsp_vram *v, const struct gsp_vram_request *want,
                          struct gpu_extent **extents, uint32_t *count, struct fl_fail *fail)
{
    struct fl_fail why = {0};
    enum fl_err err = vram_pool_take(v, want, extents, count, &why);

    while (err == FL_ENOMEM && vram_alive(v, NULL) == FL_OK && !is_hopeless(v, want->bytes) &&
           vram_evict_one(v, NULL)) {
        fl_fail_clear(&why);
        err = vram_pool_take(v, want, extents, count, &why);
    }
    if (err != FL_OK && fail != NULL && fail->err == FL_OK) {
        *fail = why;
    }
    return err;
}
