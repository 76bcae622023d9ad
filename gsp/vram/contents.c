/* SPDX-License-Identifier: MIT */
/* What stands in video memory, read and written by the CPU (gsp/vram.h). */
#include <string.h>

#include "gsp/vram/vram_priv.h"
#include "mm/heap.h"

#define PRAMIN_CHUNK 256u    /* between looks at the clock */
#define FILL_CHUNK   KIB(64) /* between looks at who waits, and one use of PRAMIN's window */
#define PATTERN_MAX  256u

static enum fl_err pramin_copy(struct gsp_vram *v, uint64_t addr, const struct vram_copy *c,
                               struct fl_fail *fail)
{
    enum fl_err err = FL_OK;

    for (uint64_t at = 0; at < c->len && err == FL_OK; at += PRAMIN_CHUNK) {
        const uint64_t n = min_u64(c->len - at, PRAMIN_CHUNK);
        err = c->to != NULL ? v->mem.ops->read(v, addr + at, c->to + at, n, fail)
                            : v->mem.ops->write(v, addr + at, c->from + at, n, fail);
        fiber_yield_if_long();
    }
    if (err == FL_OK && c->from != NULL) {
        err = v->mem.ops->flush(v, fail);
    }
    return err;
}

enum fl_err vram_copy_at(struct gsp_vram *v, uint64_t addr, const struct vram_copy *c,
                         enum gsp_vram_way way, struct fl_fail *fail)
{
    return way == GSP_VRAM_PRAMIN ? pramin_copy(v, addr, c, fail)
                                  : vram_bar1_copy(v, addr, c, fail);
}

/* ---- of an object ---- */

/* The pieces of [offset, offset + c->len) of an object, one after the other. */
static enum fl_err copy_object(struct gsp_vram *v, const struct gpu_object *o, uint64_t offset,
                               const struct vram_copy *c, enum gsp_vram_way way,
                               struct fl_fail *fail)
{
    struct vram_copy part = *c;
    uint64_t left = c->len;
    enum fl_err err = FL_OK;

    while (left > 0 && err == FL_OK) {
        const struct gpu_extent e = gpu_object_piece(o, offset, left);
        part.len = e.len;
        err = vram_copy_at(v, e.pa, &part, way, fail);
        part.to = part.to != NULL ? part.to + e.len : NULL;
        part.from = part.from != NULL ? part.from + e.len : NULL;
        offset += e.len;
        left -= e.len;
    }
    return err;
}

static enum fl_err within(const struct vram_object *o, uint64_t offset, uint64_t len,
                          struct fl_fail *fail)
{
    if (range_ok(offset, len, o->bytes)) {
        return FL_OK;
    }
    return FL_FAIL(fail, FL_EINVAL, "GPU memory",
                   "0x%llx bytes at 0x%llx; object %u has 0x%llx bytes", (unsigned long long)len,
                   (unsigned long long)offset, (unsigned)o->handle, (unsigned long long)o->bytes);
}

/* Held against being freed while the copy yields. */
static enum fl_err transfer(struct gsp_vram_client *c, uint32_t handle, uint64_t offset,
                            const struct vram_copy *copy, enum gsp_vram_way way,
                            struct fl_fail *fail)
{
    struct gsp_vram *v = c->v;
    struct vram_object *o = vram_object_find(c, handle, fail);

    if (o == NULL) {
        return FL_ENOENT;
    }
    enum fl_err err = within(o, offset, copy->len, fail);
    err = FL_THEN(err, vram_enter(v, fail));
    if (err != FL_OK) {
        return err;
    }
    struct gsp_gpu *g = v->g;
    err = vram_object_enter(v, o, fail);
    if (err == FL_OK) {
        err = copy_object(v, o->gpu, offset, copy, way, fail);
        vram_object_leave(o);
    }
    vram_leave(v, g);
    return err;
}

enum fl_err gsp_vram_read(struct gsp_vram_client *c, uint32_t handle, uint64_t offset, void *buf,
                          uint64_t len, enum gsp_vram_way way, struct fl_fail *fail)
{
    return transfer(c, handle, offset, &(struct vram_copy){.to = buf, .len = len}, way, fail);
}

enum fl_err gsp_vram_write(struct gsp_vram_client *c, uint32_t handle, uint64_t offset,
                           const void *buf, uint64_t len, enum gsp_vram_way way,
                           struct fl_fail *fail)
{
    return transfer(c, handle, offset, &(struct vram_copy){.from = buf, .len = len}, way, fail);
}

enum fl_err gsp_vram_fill(struct gsp_vram_client *c, uint32_t handle, uint64_t offset, uint64_t len,
                          const void *pattern, uint32_t n, enum gsp_vram_way way, uint64_t us,
                          uint64_t *done, struct fl_fail *fail)
{
    const struct deadline until = deadline_in_us(us);

    *done = 0;
    if (n == 0 || n > PATTERN_MAX) {
        return FL_FAIL(fail, FL_EINVAL, "GPU memory", "a pattern of %u bytes; expected 1 to %u",
                       (unsigned)n, PATTERN_MAX);
    }
    const struct vram_object *o = vram_object_find(c, handle, fail);
    if (o == NULL) {
        return FL_ENOENT;
    }
    enum fl_err err = within(o, offset, len, fail); /* before anything is written */
    if (err != FL_OK) {
        return err;
    }
    const uint64_t whole = FILL_CHUNK - FILL_CHUNK % n;
    uint8_t *chunk = heap_zalloc(whole);
    if (chunk == NULL) {
        return FL_FAIL(fail, FL_ENOMEM, "GPU memory", "no memory for a pattern");
    }
    for (uint64_t i = 0; i < whole; i += n) {
        memcpy(chunk + i, pattern, n);
    }
    do {
        const uint64_t piece = min_u64(len - *done, whole);
        err = vram_wanted(c, fail);
        err = FL_THEN(err, gsp_vram_write(c, handle, offset + *done, chunk, piece, way, fail));
        *done += err == FL_OK ? piece : 0;
    } while (err == FL_OK && *done < len && !deadline_passed(until));
    heap_free(chunk);
    return err;
}

/* ---- by address ---- */

enum fl_err gsp_vram_reach(struct gsp_vram_client *c, uint64_t *bytes, struct range *hidden,
                           struct fl_fail *fail)
{
    const struct gsp_vram *v = c->v;
    const enum fl_err err = vram_alive(v, fail);

    if (err == FL_OK) {
        const struct gsp_wpr2 *w = &v->g->wpr2;
        *bytes = v->mem.vram_bytes;
        *hidden = w->up ? (struct range){w->start, w->end - w->start} : (struct range){0};
    }
    return err;
}

/* The first stretch of [addr, addr + len) that is never given out: its bytes are RM's, or nobody
 * knows whose. */
static const struct zone_span *kept(const struct gsp_vram *v, uint64_t addr, uint64_t len)
{
    for (uint32_t i = 0; i < v->zones.span_count; i++) {
        const struct zone_span *s = &v->zones.spans[i];
        if (s->zone != ZONE_LOW && s->zone != ZONE_USABLE && addr < s->range.base + s->range.size &&
            addr + len > s->range.base) {
            return s;
        }
    }
    return NULL;
}

static enum fl_err raw(struct gsp_vram_client *c, uint64_t addr, const struct vram_copy *copy,
                       enum gsp_vram_way way, struct fl_fail *fail)
{
    struct gsp_vram *v = c->v;
    enum fl_err err = vram_enter(v, fail);

    if (err != FL_OK) {
        return err;
    }
    struct gsp_gpu *g = v->g;
    const struct zone_span *held = NULL;
    if (!range_ok(addr, copy->len, v->mem.vram_bytes)) {
        err = FL_FAIL(fail, FL_EINVAL, "GPU memory",
                      "0x%llx bytes at 0x%llx; the GPU has 0x%llx bytes of video memory",
                      (unsigned long long)copy->len, (unsigned long long)addr,
                      (unsigned long long)v->mem.vram_bytes);
    } else if (g->wpr2.up && addr < g->wpr2.end && addr + copy->len > g->wpr2.start) {
        err = FL_FAIL(fail, FL_EINVAL, "GPU memory",
                      "0x%llx bytes at 0x%llx; the CPU cannot reach WPR2, 0x%llx to 0x%llx",
                      (unsigned long long)copy->len, (unsigned long long)addr,
                      (unsigned long long)g->wpr2.start, (unsigned long long)g->wpr2.end);
    } else if (copy->from != NULL && (held = kept(v, addr, copy->len)) != NULL) {
        err = FL_FAIL_MORE(fail, FL_EINVAL, "GPU memory",
                           (.hint = "memory.stats has a map of what may be written"),
                           "0x%llx bytes at 0x%llx; from 0x%llx to 0x%llx video memory is %s",
                           (unsigned long long)copy->len, (unsigned long long)addr,
                           (unsigned long long)held->range.base,
                           (unsigned long long)(held->range.base + held->range.size),
                           zone_name(held->zone));
    } else {
        err = vram_copy_at(v, addr, copy, way, fail);
    }
    vram_leave(v, g);
    return err;
}

enum fl_err gsp_vram_read_at(struct gsp_vram_client *c, uint64_t addr, void *buf, uint64_t len,
                             enum gsp_vram_way way, struct fl_fail *fail)
{
    return raw(c, addr, &(struct vram_copy){.to = buf, .len = len}, way, fail);
}

enum fl_err gsp_vram_write_at(struct gsp_vram_client *c, uint64_t addr, const void *buf,
                              uint64_t len, enum gsp_vram_way way, struct fl_fail *fail)
{
    return raw(c, addr, &(struct vram_copy){.from = buf, .len = len}, way, fail);
}
