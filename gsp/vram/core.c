/* SPDX-License-Identifier: MIT */
/* The manager of a GPU's memory: how it reaches the GPU, its life, its clients (gsp/vram.h). */
#include <stdlib.h>
#include <string.h>

#include "arch/log.h"
#include "arch/machine.h"
#include "gsp/hw/tlb.h"
#include "gsp/hw/window.h"
#include "gsp/vram/life.h"
#include "gsp/vram/vram_priv.h"
#include "mm/heap.h"

enum fl_err vram_alive(const struct gsp_vram *v, struct fl_fail *fail)
{
    if (v->g != NULL && v->g->vram == v && v->g->undo.rm && !v->g->hw.in_reset) {
        return FL_OK;
    }
    return FL_FAIL_MORE(fail, FL_ECANCELED, "GPU memory",
                        (.hint = "open a new session when the GPU is ready again"),
                        "the GPU was unloaded or reset, or has failed: what was in its memory is "
                        "gone");
}

/* ---- how mm/gpu reaches the GPU ---- */

static enum fl_err ops_read(void *ctx, uint64_t addr, void *buf, uint64_t len, struct fl_fail *fail)
{
    struct gsp_vram *v = ctx;
    enum fl_err err = vram_alive(v, fail);

    if (err == FL_OK) {
        gsp_window_begin(&v->g->hw);
        err = gsp_window_read(&v->g->hw, addr, buf, len, fail);
        gsp_window_end(&v->g->hw);
    }
    return err;
}

static enum fl_err ops_write(void *ctx, uint64_t addr, const void *buf, uint64_t len,
                             struct fl_fail *fail)
{
    struct gsp_vram *v = ctx;
    enum fl_err err = vram_alive(v, fail);

    if (err == FL_OK) {
        gsp_window_begin(&v->g->hw);
        err = gsp_window_write(&v->g->hw, addr, buf, len, fail);
        gsp_window_end(&v->g->hw);
    }
    return err;
}

static enum fl_err ops_flush(void *ctx, struct fl_fail *fail)
{
    struct gsp_vram *v = ctx;
    enum fl_err err = vram_alive(v, fail);

    if (err == FL_OK) {
        gsp_window_begin(&v->g->hw);
        err = gsp_window_flush(&v->g->hw, fail);
        gsp_window_end(&v->g->hw);
    }
    return err;
}

static enum fl_err ops_invalidate(void *ctx, uint64_t root, bool root_in_sysmem, bool hub_only,
                                  struct fl_fail *fail)
{
    struct gsp_vram *v = ctx;
    struct gsp_gpu *g = v->g;
    enum fl_err err = vram_alive(v, fail);

    if (err != FL_OK) {
        return err;
    }
    if (!gsp_gpu_enter(g)) {
        return FL_FAIL(fail, FL_ECANCELED, "GPU memory", "the GPU is being destroyed");
    }
    err = gsp_tlb_invalidate(&g->hw, root, root_in_sysmem, hub_only, fail);
    err = FL_THEN(err, vram_alive(v, fail));
    gsp_gpu_leave(g);
    return err;
}

static const struct gpu_mem_ops vram_ops = {
    .read = ops_read, .write = ops_write, .flush = ops_flush, .invalidate = ops_invalidate};

/* Around a job's run stage: the window's register is read and put back once. */
static void *begin_job(void *ctx)
{
    struct gsp_vram *v = ctx;
    const enum fl_err err = vram_enter(v, NULL);

    return err == FL_OK ? v->g : NULL; /* else the job finds out itself */
}

static void end_job(void *ctx, void *begun)
{
    if (begun != NULL) {
        vram_leave(ctx, begun);
    }
}

struct gpu_vm_options vram_vm_options(const char *name)
{
    return (struct gpu_vm_options){
        .name = name, .worker = true, .begin = begin_job, .end = end_job};
}

/* ---- its life ---- */

static const struct gpu_mmu_format *format_of(enum chip_family family)
{
    if (family == F_TU) {
        return &gpu_mmu_v2_turing;
    }
    if ((family & F_FSP) == 0) {
        return &gpu_mmu_v2;
    }
    return family == F_GH100 ? &gpu_mmu_v3 : &gpu_mmu_v3_blackwell;
}

/* The last one is gone. Yields. */
static void destroy(struct gsp_vram *v)
{
    vram_bar1_close(v);
    vram_pool_close(v);
    heap_free(v);
}

static void put(struct gsp_vram *v)
{
    if (--v->refs == 0) {
        destroy(v);
    }
}

/* What waits in the client's queues and for its fences ends with why. Does not yield. */
static void end_waits(struct gsp_vram_client *c, const struct fl_fail *why)
{
    for (struct vram_space *s = c->spaces; s != NULL; s = s->next) {
        gpu_vm_kill(s->vm, why);
    }
    vram_fences_abandon(c, why);
}

void gsp_vram_down(struct gsp_gpu *g)
{
    struct gsp_vram *v = g->vram;
    struct fl_fail why = {0};

    if (v != NULL) {
        g->vram = NULL;
        v->g = NULL;
        gsp_window_forget(&g->hw);
        const enum fl_err err = vram_alive(v, &why);
        FL_ASSERT(err == FL_ECANCELED);
        for (struct gsp_vram_client *c = v->clients; c != NULL; c = c->next) {
            end_waits(c, &why);
        }
        put(v);
    }
}

/* The manager of this life, made when it is first asked for. Yields. */
static struct gsp_vram *get(struct gsp_gpu *g, struct fl_fail *fail)
{
    struct gsp_vram *v = g->vram;

    if (v != NULL) {
        v->refs++;
        return v;
    }
    v = heap_zalloc(sizeof(*v));
    if (v == NULL) {
        FL_FAIL(fail, FL_ENOMEM, "GPU memory", "no memory for its manager");
        return NULL;
    }
    v->g = g;
    v->refs = 2; /* the GPU's own, and ours */
    v->mem = (struct gpu_mem){.ops = &vram_ops, .ctx = v, .vram_bytes = g->fb.fb_bytes};
    v->format = format_of(g->hw.family->family);
    g->vram = v;
    vram_evict_open(v);
    enum fl_err err = vram_pool_open(v, fail);
    err = FL_THEN(err, vram_bar1_open(v, fail));
    err = FL_THEN(err, vram_alive(v, fail));
    if (err == FL_OK) {
        return v;
    }
    if (g->vram == v) {
        gsp_vram_down(g);
    }
    put(v);
    return NULL;
}

/* ---- clients ---- */

enum fl_err vram_enter(struct gsp_vram *v, struct fl_fail *fail)
{
    const enum fl_err err = vram_alive(v, fail);

    if (err != FL_OK) {
        return err;
    }
    if (!gsp_gpu_enter(v->g)) {
        return FL_FAIL(fail, FL_ECANCELED, "GPU memory", "the GPU is being destroyed");
    }
    gsp_window_begin(&v->g->hw);
    return FL_OK;
}

void vram_leave(struct gsp_vram *v, struct gsp_gpu *g)
{
    (void)v;
    gsp_window_end(&g->hw);
    gsp_gpu_leave(g);
}

void gsp_vram_while(struct gsp_vram_client *c, bool (*wanted)(void *ctx), void *ctx)
{
    c->wanted = wanted;
    c->wanted_ctx = ctx;
}

enum fl_err vram_wanted(const struct gsp_vram_client *c, struct fl_fail *fail)
{
    if (c->wanted == NULL || c->wanted(c->wanted_ctx)) {
        return FL_OK;
    }
    return FL_FAIL(fail, FL_ECANCELED, "GPU memory", "who asked for it has gone");
}

static struct gsp_vram_client *open_client(struct gsp_gpu *g, struct fl_fail *fail)
{
    if (g->state != GSP_READY || !g->undo.rm) {
        FL_FAIL(fail, FL_ESTATE, "GPU memory", "the GPU is %s, not ready",
                gsp_state_name(g->state));
        return NULL;
    }
    struct gsp_vram_client *c = heap_zalloc(sizeof(*c));
    if (c == NULL) {
        FL_FAIL(fail, FL_ENOMEM, "GPU memory", "no memory for a client");
        return NULL;
    }
    c->v = get(g, fail);
    unsigned count = 0;
    for (const struct gsp_vram_client *o = c->v != NULL ? c->v->clients : NULL; o != NULL;
         o = o->next) {
        count++;
    }
    if (count >= GSP_VRAM_CLIENTS_MAX) {
        FL_FAIL_MORE(fail, FL_ENOSPC, "GPU memory", (.hint = "close one"),
                     "%u clients have memory of this GPU, as many as may be", count);
        put(c->v);
        c->v = NULL;
    }
    if (c->v == NULL) {
        heap_free(c);
        return NULL;
    }
    c->next = c->v->clients;
    c->v->clients = c;
    return c;
}

struct gsp_vram_client *gsp_vram_open(struct gsp_gpu *g, struct fl_fail *fail)
{
    if (!gsp_gpu_enter(g)) {
        FL_FAIL(fail, FL_ESTATE, "GPU memory", "the GPU is being destroyed");
        return NULL;
    }
    mutex_lock(&g->vram_lock);
    struct gsp_vram_client *c = open_client(g, fail);
    mutex_unlock(&g->vram_lock);
    gsp_gpu_leave(g);
    return c;
}

void gsp_vram_give_up(struct gsp_vram_client *c)
{
    struct fl_fail why = {0};

    if (c != NULL) {
        (void)FL_FAIL(&why, FL_ECANCELED, "GPU memory",
                      "the session that it belonged to has ended");
        end_waits(c, &why);
    }
}

void gsp_vram_close(struct gsp_vram_client *c)
{
    if (c == NULL) {
        return;
    }
    struct gsp_vram *v = c->v;
    gsp_vram_give_up(c);
    vram_spaces_drop(c);
    vram_objects_drop(c);
    vram_fences_drop(c);
    struct gsp_vram_client **at = &v->clients;
    while (*at != c) {
        at = &(*at)->next;
    }
    *at = c->next;
    heap_free(c);
    put(v);
}

void gsp_vram_get_stats(struct gsp_gpu *g, struct gsp_vram_stats *out)
{
    const struct gsp_vram *v = g->vram;

    *out = (struct gsp_vram_stats){.window_moves = g->hw.window.moves,
                                   .invalidates = g->hw.tlb.invalidates};
    if (v == NULL) {
        return;
    }
    struct gsp_vram *w = g->vram;
    for (unsigned z = 0; z < ZONE_COUNT; z++) {
        struct zone_stats s;
        zones_get_stats(&w->zones, (enum zone)z, &s);
        out->zone[z] = (struct gsp_vram_zone){.name = zone_name((enum zone)z),
                                              .total_bytes = s.total_bytes,
                                              .free_bytes = s.free_bytes,
                                              .longest_run_bytes = s.longest_run_bytes,
                                              .allocs = s.allocs,
                                              .frees = s.frees,
                                              .failures = s.failures};
    }
    struct buddy_stats b;
    buddy_get_stats(&w->zones.buddies[ZONE_USABLE], &b);
    memcpy(out->free_blocks, b.free_blocks, sizeof(out->free_blocks));
    out->managed = true;
    out->zone_count = ZONE_COUNT;
    out->total_bytes = out->zone[ZONE_USABLE].total_bytes;
    out->free_bytes = out->zone[ZONE_USABLE].free_bytes;
    out->largest_bytes = out->zone[ZONE_USABLE].longest_run_bytes;
    out->evicted_bytes = v->evicted_bytes;
    out->evicted_limit_bytes = v->evict_limit;
    out->evictions = v->evictions;
    out->returns = v->returns;
    out->bar1_hits = v->hits;
    out->bar1_misses = v->misses;
    for (unsigned i = 0; i < BAR1_WINDOWS; i++) {
        out->bar1_windows += v->window[i].object != NULL;
    }
    struct gpu_table_stats t;
    gpu_tables_get_stats(v->bar1_tables, &t);
    out->table_bytes = t.bytes;
    for (const struct gsp_vram_client *c = v->clients; c != NULL; c = c->next) {
        for (const struct vram_object *o = c->objects; o != NULL; o = o->next) {
            out->objects++;
            out->object_bytes += o->bytes;
        }
        for (const struct vram_space *s2 = c->spaces; s2 != NULL; s2 = s2->next) {
            out->spaces++;
            if (s2->kind == GSP_VM_ENGINES) {
                gpu_tables_get_stats(s2->tables, &t);
                out->table_bytes += t.bytes;
            }
        }
    }
}

bool gsp_vram_span(const struct gsp_gpu *g, uint32_t i, struct range *where, const char **zone)
{
    const struct gsp_vram *v = g->vram;

    if (v == NULL || i >= v->zones.span_count) {
        return false;
    }
    *where = v->zones.spans[i].range;
    *zone = zone_name(v->zones.spans[i].zone);
    return true;
}
