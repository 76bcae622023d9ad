/* SPDX-License-Identifier: MIT */
/* Device registers on the host: ranges of physical addresses that a test stands behind. */
#include "arch/mmio.h"

#include <string.h>

#include "arch/host/host.h"
#include "arch/host/host_priv.h"

#define REGIONS_MAX 64u
#define WINDOWS_MAX 256u

struct region {
    uint64_t base, size;
    const struct mmio_ops *ops; /* borrowed */
    void *ctx;                  /* borrowed */
};
/* A mapping that does not begin where its region does. */
struct window {
    struct region region; /* a copy: outlives nothing that host_reset() does not end */
    uint64_t offset;      /* of the window in the region */
    uint64_t size;
};

static struct {
    struct region regions[REGIONS_MAX];
    size_t region_count;
    struct window windows[WINDOWS_MAX];
    size_t window_count;
} host_mmio;

static uint64_t window_read(void *ctx, uint64_t off, unsigned size)
{
    const struct window *w = ctx;

    return w->region.ops->read(w->region.ctx, w->offset + off, size);
}

static void window_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
    const struct window *w = ctx;

    w->region.ops->write(w->region.ctx, w->offset + off, size, value);
}

static const struct mmio_ops window_ops = {.read = window_read, .write = window_write};

void host_mmio_register(uint64_t base, uint64_t size, const struct mmio_ops *ops, void *ctx)
{
    FL_ASSERT(host_mmio.region_count < REGIONS_MAX);
    host_mmio.regions[host_mmio.region_count++] =
        (struct region){.base = base, .size = size, .ops = ops, .ctx = ctx};
}

static enum fl_err map_window(const struct region *r, uint64_t offset, uint64_t size,
                              struct mmio *out)
{
    struct window *w = NULL;

    for (size_t i = 0; i < host_mmio.window_count && w == NULL; i++) {
        struct window *known = &host_mmio.windows[i];
        if (known->region.base == r->base && known->offset == offset && known->size == size) {
            w = known;
        }
    }
    if (w == NULL) {
        if (host_mmio.window_count == WINDOWS_MAX) {
            return FL_ENOMEM;
        }
        w = &host_mmio.windows[host_mmio.window_count++];
        *w = (struct window){.region = *r, .offset = offset, .size = size};
    }
    *out = (struct mmio){.ops = &window_ops, .ctx = w, .size = size};
    return FL_OK;
}

enum fl_err mmio_map(struct phys_addr base, uint64_t size, enum mmio_cache cache, struct mmio *out)
{
    (void)cache; /* no difference that a function call could have */
    if (size == 0 || base.raw > UINT64_MAX - size || host_ram_overlaps(base.raw, size)) {
        return FL_EINVAL;
    }
    for (size_t i = 0; i < host_mmio.region_count; i++) {
        const struct region *r = &host_mmio.regions[i];
        if (base.raw < r->base || !range_ok(base.raw - r->base, size, r->size)) {
            continue;
        }
        if (base.raw == r->base) {
            *out = (struct mmio){.ops = r->ops, .ctx = r->ctx, .size = size};
            return FL_OK;
        }
        return map_window(r, base.raw - r->base, size, out);
    }
    return FL_ENOENT;
}

void host_mmio_check(const struct mmio *m, uint64_t off, unsigned size)
{
    if (m->ops == NULL) {
        machine_panic("register access at 0x%llx of a region that is not mapped",
                      (unsigned long long)off);
    }
    if (!range_ok(off, size, m->size)) {
        machine_panic("register access of %u bytes at 0x%llx is outside of a region of 0x%llx",
                      size, (unsigned long long)off, (unsigned long long)m->size);
    }
    if (off % size != 0) {
        machine_panic("register access of %u bytes at 0x%llx is not aligned", size,
                      (unsigned long long)off);
    }
}

void host_mmio_reset(void) { memset(&host_mmio, 0, sizeof(host_mmio)); }
