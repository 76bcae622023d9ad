/* SPDX-License-Identifier: MIT */
/* Memory that can be mapped (object.h). */
#include "mm/gpu/object.h"

#include <string.h>

#include "arch/machine.h"
#include "arch/range.h"
#include "mm/heap.h"

#define PEERS_MAX 8u

struct placed {
    uint64_t offset; /* in the object */
    struct gpu_extent extent;
};

struct gpu_backing {
    uint64_t len;
    uint32_t count;
    struct placed at[];
};

static const char *refused(const struct gpu_extent *e)
{
    if (e->len == 0 || !is_aligned_u64(e->pa | e->len, FL_PAGE_SIZE)) {
        return "is not made of pages of 4 KiB";
    }
    if (!range_valid((struct range){e->pa, e->len})) {
        return "reaches beyond the last address";
    }
    if (e->aperture >= GPU_APERTURE_COUNT) {
        return "lies in no aperture that there is";
    }
    return e->peer >= PEERS_MAX || (e->peer != 0 && e->aperture != GPU_PEER)
               ? "names a peer that there is not"
               : NULL;
}

static enum fl_err backing_new(const char *name, const struct gpu_extent *extents, uint32_t count,
                               struct gpu_backing **out, struct fl_fail *fail)
{
    uint64_t len = 0;

    if (count == 0) {
        return FL_FAIL(fail, FL_EINVAL, name, "an object of no memory");
    }
    for (uint32_t i = 0; i < count; i++) {
        const char *why = refused(&extents[i]);
        if (why == NULL && extents[i].len > INT64_MAX - len) {
            why = "makes the object larger than any address space";
        }
        if (why != NULL) {
            return FL_FAIL(fail, FL_EINVAL, name, "extent %u of %u, 0x%llx, 0x%llx bytes, %s",
                           (unsigned)i, (unsigned)count, (unsigned long long)extents[i].pa,
                           (unsigned long long)extents[i].len, why);
        }
        len += extents[i].len;
    }
    struct gpu_backing *b = heap_zalloc(sizeof(*b) + count * sizeof(b->at[0]));
    if (b == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, name, "no memory for a list of %u extents",
                       (unsigned)count);
    }
    for (uint32_t i = 0; i < count; i++) {
        b->at[i] = (struct placed){b->len, extents[i]};
        b->len += extents[i].len;
    }
    b->count = count;
    *out = b;
    return FL_OK;
}

enum fl_err gpu_object_create(const char *name, const struct gpu_extent *extents, uint32_t count,
                              struct gpu_object **out, struct fl_fail *fail)
{
    struct gpu_backing *b = NULL;
    const enum fl_err err = backing_new(name, extents, count, &b, fail);

    if (err != FL_OK) {
        return err;
    }
    struct gpu_object *o = heap_zalloc(sizeof(*o));
    if (o == NULL) {
        heap_free(b);
        return FL_FAIL(fail, FL_ENOMEM, name, "no memory for an object");
    }
    o->name = name;
    o->len = b->len;
    o->backing = b;
    o->epoch = 1;
    *out = o;
    return FL_OK;
}

enum fl_err gpu_object_free(struct gpu_object *o, struct fl_fail *fail)
{
    if (o == NULL) {
        return FL_OK;
    }
    if (o->uses != 0) {
        return FL_FAIL_MORE(
            fail, FL_EBUSY, o->name, (FL_SAW(o->uses, 0, 0), .hint = "unmap it, and wait for that"),
            "it has %llu mappings and operations that wait", (unsigned long long)o->uses);
    }
    heap_free(o->backing);
    heap_free(o);
    return FL_OK;
}

enum fl_err gpu_object_move(struct gpu_object *o, const struct gpu_extent *extents, uint32_t count,
                            struct fl_fail *fail)
{
    struct gpu_backing *b = NULL;
    const enum fl_err err = backing_new(o->name, extents, count, &b, fail);

    if (err != FL_OK) {
        return err;
    }
    if (b->len != o->len) {
        const uint64_t len = b->len;
        heap_free(b);
        return FL_FAIL_MORE(fail, FL_EINVAL, o->name, (FL_SAW(len, o->len, 0)),
                            "its new place has 0x%llx bytes, it has 0x%llx",
                            (unsigned long long)len, (unsigned long long)o->len);
    }
    heap_free(o->backing);
    o->backing = b;
    o->epoch++;
    o->changes++;
    return FL_OK;
}

struct gpu_extent gpu_object_piece(const struct gpu_object *o, uint64_t offset, uint64_t len)
{
    const struct gpu_backing *b = o->backing;
    uint32_t low = 0;
    uint32_t high = b->count;

    FL_ASSERT(offset < o->len);
    while (high - low > 1) { /* at[low] begins at or before offset, at[high] behind it */
        const uint32_t mid = low + (high - low) / 2;
        if (b->at[mid].offset <= offset) {
            low = mid;
        } else {
            high = mid;
        }
    }
    struct gpu_extent e = b->at[low].extent;
    const uint64_t skip = offset - b->at[low].offset;
    e.pa += skip;
    e.len = min_u64(e.len - skip, len);
    return e;
}

void gpu_object_unuse(struct gpu_object *o)
{
    if (o != NULL) {
        FL_ASSERT(o->uses > 0);
        o->uses--;
    }
}
