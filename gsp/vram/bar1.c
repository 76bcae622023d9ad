/* SPDX-License-Identifier: MIT */
/*
 * BAR1: video memory through the GPU's own page tables. RM made the address space and told its root
 * directory (static info); the CPU fills in entries there, as nouveau and RM's own kernel half do.
 * Windows of 2 MiB, one large page each, are moved over video memory; the last ones used stay.
 *
 * The BAR is mapped write-combining: writes gather to whole lines, and a fence before anything that
 * depends on them pushes them out. Reads gain nothing, so they are 8 bytes each.
 */
#include <string.h>

#include "arch/lockorder.h"
#include "gsp/hw/window.h"
#include "gsp/vram/vram_priv.h"

#define YIELD_ACCESSES 16u /* between looks at the clock */
#define LOCKED_BYTES   KIB(64)

static LOCK_CLASS(bar1_class, "BAR1 windows");

/* ---- accesses ---- */

/* Bytes within the BAR, as wide as alignment allows. */
static void access(struct gsp_vram *v, uint64_t off, const struct vram_copy *c)
{
    struct gsp_io *io = &v->g->hw.io;
    uint64_t at = 0;

    for (unsigned n = 0; at < c->len && v->g != NULL && !io->lost; n++) {
        uint32_t size = sizeof(uint64_t);
        uint64_t word = 0;
        while ((off + at) % size != 0 || size > c->len - at) {
            size /= 2;
        }
        if (c->from != NULL) {
            memcpy(&word, c->from + at, size);
            gsp_io_bar_write(io, &v->bar1_mmio, off + at, size, word);
        } else {
            word = gsp_io_bar_read(io, &v->bar1_mmio, off + at, size);
            memcpy(c->to + at, &word, size);
        }
        at += size;
        if (n % YIELD_ACCESSES == YIELD_ACCESSES - 1) {
            fiber_yield_if_long();
        }
    }
}

/* All-ones may be data: one read of a register tells. */
static bool all_ones(const struct vram_copy *c)
{
    static const uint8_t ones[8] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    return c->to != NULL && c->len >= sizeof(ones) &&
           memcmp(c->to + c->len - sizeof(ones), ones, sizeof(ones)) == 0;
}

enum fl_err vram_bar1_raw(struct gsp_vram *v, uint64_t offset, const struct vram_copy *c,
                          struct fl_fail *fail)
{
    if (!range_ok(offset, c->len, v->bar1_mmio.size)) {
        return FL_FAIL(fail, FL_EINVAL, "BAR1", "0x%llx bytes at 0x%llx; BAR1 has 0x%llx",
                       (unsigned long long)c->len, (unsigned long long)offset,
                       (unsigned long long)v->bar1_mmio.size);
    }
    dma_mb();
    access(v, offset, c);
    dma_mb();
    const enum fl_err err = vram_alive(v, fail);
    if (err != FL_OK) {
        return err;
    }
    return all_ones(c) ? gsp_io_ping(&v->g->hw.io) : gsp_io_check(&v->g->hw.io);
}

/* ---- windows ---- */

static uint64_t window_va(const struct gsp_vram *v, unsigned i)
{
    return v->bar1_arena.va + i * BAR1_WINDOW_BYTES;
}

/* Nothing shows through it any more; its entries are replaced or taken out by who calls. */
static void forget(struct bar1_window *w)
{
    w->vram = UINT64_MAX;
    w->object = NULL;
}

static enum fl_err show(struct gsp_vram *v, unsigned i, uint64_t vram, struct fl_fail *fail)
{
    struct bar1_window *w = &v->window[i];
    struct gpu_object *old = w->object, *o;
    const uint64_t pa = vram * BAR1_WINDOW_BYTES;
    const struct gpu_extent extent = {.pa = pa,
                                      .len = min_u64(BAR1_WINDOW_BYTES, v->mem.vram_bytes - pa)};
    enum fl_err err = gpu_object_create("BAR1 window", &extent, 1, &o, fail);

    if (err != FL_OK) {
        return err;
    }
    const struct gpu_bind_op op = {.kind = GPU_BIND_MAP,
                                   .want = {.va = window_va(v, i),
                                            .len = extent.len,
                                            .object = o,
                                            .how = {.largest = GPU_PAGE_2M}}};
    err = gpu_vm_bind_sync(v->bar1, &(struct gpu_bind){.ops = &op, .op_count = 1}, fail);
    if (err != FL_OK) {
        if (gpu_object_free(o, NULL) != FL_OK) { /* it was mapped, and nothing more ever will be */
            FL_ASSERT(w->stale == NULL);
            w->stale = o;
        }
        return err;
    }
    forget(w);
    w->vram = vram;
    w->object = o;
    return gpu_object_free(old, fail);
}

/* The window that shows this part of video memory; the one that was not used for longest moves.
 * bar1_lock is held. */
static enum fl_err find_window(struct gsp_vram *v, uint64_t vram, unsigned *out,
                               struct fl_fail *fail)
{
    unsigned oldest = 0;

    for (unsigned i = 0; i < BAR1_WINDOWS; i++) {
        if (v->window[i].vram == vram) {
            v->hits++;
            v->window[i].last = ++v->uses;
            *out = i;
            return FL_OK;
        }
        oldest = v->window[i].last < v->window[oldest].last ? i : oldest;
    }
    v->misses++;
    v->window[oldest].last = ++v->uses;
    *out = oldest;
    return show(v, oldest, vram, fail);
}

enum fl_err vram_bar1_copy(struct gsp_vram *v, uint64_t addr, const struct vram_copy *c,
                           struct fl_fail *fail)
{
    struct vram_copy part = *c;
    uint64_t left = c->len;
    enum fl_err err = FL_OK;

    while (left > 0 && err == FL_OK) {
        const uint64_t in = addr % BAR1_WINDOW_BYTES;
        unsigned i;
        part.len = min_u64(min_u64(left, BAR1_WINDOW_BYTES - in), LOCKED_BYTES);
        mutex_lock(&v->bar1_lock);
        err = vram_alive(v, fail);
        err = FL_THEN(err, find_window(v, addr / BAR1_WINDOW_BYTES, &i, fail));
        err = FL_THEN(err, vram_bar1_raw(v, window_va(v, i) + in, &part, fail));
        mutex_unlock(&v->bar1_lock);
        part.to = part.to != NULL ? part.to + part.len : NULL;
        part.from = part.from != NULL ? part.from + part.len : NULL;
        addr += part.len;
        left -= part.len;
    }
    return err;
}

/* ---- open and close ---- */

static bool count_run(void *ctx, const struct gpu_run *run)
{
    (void)run;
    *(uint64_t *)ctx += run->len;
    return true;
}

static enum fl_err map_bar(struct gsp_vram *v, struct fl_fail *fail)
{
    const struct pci_dev *d = v->g->hw.pci;
    const int bar = pci_mem_bar(d, 1);
    const uint64_t need = BAR1_WINDOWS * BAR1_WINDOW_BYTES;

    if (bar < 0 || d->bar[bar].size < 2 * need) {
        return FL_FAIL(fail, FL_ENOTSUP, "BAR1",
                       "the GPU has no BAR1 of at least 0x%llx bytes at a usable address",
                       (unsigned long long)(2 * need));
    }
    const uint64_t size = min_u64(d->bar[bar].size, BAR1_BYTES_MAX);
    const enum fl_err err = pci_map_bar_data(d, (unsigned)bar, size, &v->bar1_mmio);
    if (err != FL_OK) {
        return FL_FAIL(fail, err, "BAR1", "0x%llx bytes at 0x%llx cannot be mapped: %s",
                       (unsigned long long)size, (unsigned long long)d->bar[bar].address,
                       fl_err_name(err));
    }
    return FL_OK;
}

/* What RM itself has mapped in the part that we use. */
static enum fl_err look_for_others(struct gsp_vram *v, struct fl_fail *fail)
{
    enum { BUDGET = 65536 };
    uint64_t taken = 0;
    enum fl_err err = gpu_tables_walk_range(v->bar1_tables, 0, v->bar1_mmio.size, BUDGET, count_run,
                                            &taken, fail);

    if (err == FL_OK && taken != 0) {
        err = FL_FAIL(fail, FL_ENOTSUP, "BAR1",
                      "0x%llx bytes of BAR1 are mapped by somebody else; expected none",
                      (unsigned long long)taken);
    }
    return err;
}

enum fl_err vram_bar1_open(struct gsp_vram *v, struct fl_fail *fail)
{
    enum fl_err err = map_bar(v, fail);

    mutex_init(&v->bar1_lock, &bar1_class);
    for (unsigned i = 0; i < BAR1_WINDOWS; i++) {
        forget(&v->window[i]);
    }
    gsp_window_begin(&v->g->hw);
    err = FL_THEN(err, gpu_tables_create(&v->mem, v->format, &v->source, v->g->bar1_root, true,
                                         &v->bar1_tables, fail));
    if (v->g != NULL) {
        gsp_window_end(&v->g->hw);
    }
    err = FL_THEN(err, look_for_others(v, fail));
    const struct range all = {0, v->bar1_mmio.size};
    err = FL_THEN(err, gpu_va_init(&v->bar1_va, all));
    err =
        FL_THEN(err, gpu_va_alloc(&v->bar1_va,
                                  &(struct gpu_va_request){.len = BAR1_WINDOWS * BAR1_WINDOW_BYTES,
                                                           .align = BAR1_WINDOW_BYTES},
                                  &v->bar1_arena));
    const struct gpu_vm_options options = {.name = "BAR1", .va = all};
    return FL_THEN(err, gpu_vm_create(&v->mem, v->bar1_tables, &options, &v->bar1, fail));
}

void vram_bar1_close(struct gsp_vram *v)
{
    gpu_vm_destroy(v->bar1);
    for (unsigned i = 0; i < BAR1_WINDOWS; i++) {
        enum fl_err err = gpu_object_free(v->window[i].object, NULL);
        err = FL_THEN(err, gpu_object_free(v->window[i].stale, NULL));
        FL_ASSERT(err == FL_OK);
        v->window[i].stale = NULL;
        forget(&v->window[i]);
    }
    gpu_tables_destroy(v->bar1_tables);
}
