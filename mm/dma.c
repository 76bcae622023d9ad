/* SPDX-License-Identifier: MIT */
/* Memory that devices reach: whole pages from mm/ram.h, zeroed. */
#include "mm/dma.h"

#include <string.h>

#include "arch/fiber.h"
#include "arch/lockorder.h"
#include "arch/log.h"
#include "arch/machine.h"
#include "mm/ram.h"

static struct dma_stats dma;

/* The first user takes over the RAM, unless the start of the program has done so already. */
static enum fl_err ensure_ram(void)
{
    struct fl_fail f = {0};
    char line[FL_FAIL_LINE_MAX];

    if (ram_ready() || ram_init(&f) == FL_OK) {
        return FL_OK;
    }
    (void)fl_fail_format(&f, line, sizeof(line));
    log_error("dma", "%s", line);
    return f.err;
}

enum fl_err dma_alloc(struct dma_buf *out, uint64_t size, uint64_t align, unsigned addr_bits,
                      const char *name)
{
    struct phys_addr base;

    memset(out, 0, sizeof(*out));
    if (size == 0 || size > UINT64_MAX - FL_PAGE_SIZE || (align & (align - 1)) != 0 ||
        name == NULL) {
        return FL_EINVAL;
    }
    lockorder_point(&lock_class_alloc, FL_WHERE);
    enum fl_err err = ensure_ram();
    if (err != FL_OK) {
        return err;
    }
    uint64_t room = align_up_u64(size, FL_PAGE_SIZE);
    err = mm_ram_pages_alloc(room >> FL_PAGE_SHIFT, align, addr_bits, &base);
    if (err != FL_OK) {
        dma.failures += err == FL_ENOMEM;
        return err;
    }
    out->cpu = (void *)(uintptr_t)base.raw; /* identity mapped, see arch/machine.h */
    out->bus.raw = base.raw;
    out->size = size;
    out->room = room;
    memset(out->cpu, 0, room);
    dma.live_buffers++;
    dma.live_bytes += room;
    dma.peak_bytes = max_u64(dma.peak_bytes, dma.live_bytes);
    return FL_OK;
}

void dma_free(struct dma_buf *buf)
{
    if (buf->cpu == NULL) {
        return;
    }
    mm_ram_pages_free((struct phys_addr){buf->bus.raw}, buf->room >> FL_PAGE_SHIFT);
    dma.live_buffers--;
    dma.live_bytes -= buf->room;
    memset(buf, 0, sizeof(*buf));
}

void dma_get_stats(struct dma_stats *out) { *out = dma; }
