/* SPDX-License-Identifier: MIT */
/* The firmware's log buffers (logs.h, gsp.h). */
#include "gsp/rpc/logs.h"

#include "arch/mmio.h"

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

size_t gsp_logs_read(const struct dma_buf *log, uint64_t *offset, void *buf, size_t size)
{
    if (log->cpu == NULL || *offset >= log->size) {
        return 0;
    }
    const uint64_t left = log->size - *offset;
    const size_t n = left < size ? (size_t)left : size;
    dma_rmb();
    dma_copy_in(buf, (const uint8_t *)log->cpu + *offset, n);
    *offset += n;
    return n;
}

uint64_t gsp_logs_put(const struct dma_buf *log)
{
    return log->cpu == NULL ? 0 : dma_load64(log->cpu);
}
