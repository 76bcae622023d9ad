/* SPDX-License-Identifier: MIT */
/* The firmware's log buffers (logs.h, gsp.h). */
#include "gsp/rpc/logs.h"

#include "arch/mmio.h"
#include "gsp/gpu.h"

static const struct {
    const char *name, *libos;
} logs[GSP_LOG_COUNT] = {
    [GSP_LOG_INIT] = {"init", "LOGINIT"},
    [GSP_LOG_INTR] = {"intr", "LOGINTR"},
    [GSP_LOG_RM] = {"rm", "LOGRM"},
};

const char *gsp_log_name(enum gsp_log l) { return (unsigned)l < GSP_LOG_COUNT ? logs[l].name : ""; }

const char *gsp_log_libos_name(enum gsp_log l)
{
    return (unsigned)l < GSP_LOG_COUNT ? logs[l].libos : "";
}

size_t gsp_log_read(struct gsp_gpu *g, enum gsp_log l, uint64_t *offset, void *buf, size_t size)
{
    if ((unsigned)l >= GSP_LOG_COUNT || g->log[l].cpu == NULL || *offset >= g->log[l].size) {
        return 0;
    }
    const uint64_t left = g->log[l].size - *offset;
    const size_t n = left < size ? (size_t)left : size;
    dma_rmb();
    dma_copy_in(buf, (const uint8_t *)g->log[l].cpu + *offset, n);
    *offset += n;
    return n;
}

uint64_t gsp_log_put(struct gsp_gpu *g, enum gsp_log l)
{
    if ((unsigned)l >= GSP_LOG_COUNT || g->log[l].cpu == NULL) {
        return 0;
    }
    return dma_load64(g->log[l].cpu);
}
