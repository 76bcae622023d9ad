/* SPDX-License-Identifier: MIT */
/* Copies between the GPU and bus memory, piece by piece as the mappings lie. */
#include "tests/model/bus/dma.h"

#include "arch/base.h"
#include "tests/model/books/fault.h"
#include "tests/model/books/strict.h"
#include "tests/model/books/trace.h"
#include "tests/model/bus/border.h"
#include "tests/model/bus/config.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/model.h"

static bool dma_allowed(struct gpu_model *m, uint64_t addr, size_t len, const char *what)
{
    if (m->faults->count != 0 && model_fault_dma(m, addr, len)) {
        return false;
    }
    if (!model_config_bus_master(m)) {
        model_rule_broken(m, RULE_DMA_BUS_MASTER, "%s at 0x%llx with bus mastering off", what,
                          (unsigned long long)addr);
        return false;
    }
    if (!range_ok(addr, len, 1ull << m->chip->dma_bits)) {
        model_rule_broken(m, RULE_DMA_WIDTH, "%s at 0x%llx, the GPU drives %u address bits", what,
                          (unsigned long long)addr, m->chip->dma_bits);
        return false;
    }
    return true;
}

/* Copies [addr, addr + len) piece by piece. at: where it stopped. */
static enum model_dma_result dma_pieces(struct gpu_model *m, uint64_t addr, uint8_t *buf,
                                        size_t len, enum model_dma_dir dir, uint64_t *at)
{
    if (dir == MODEL_DMA_WRITE) {
        MODEL_LEAVES(buf, len);
    }
    for (size_t done = 0; done < len;) {
        size_t n = len - done;
        *at = addr + done;
        const enum model_dma_result r = m->bus.dma(m->bus.ctx, *at, buf + done, &n, dir);
        if (r != MODEL_DMA_DONE || n == 0) {
            m->stats.dma_lost += r == MODEL_DMA_LOST;
            return r != MODEL_DMA_DONE ? r : MODEL_DMA_UNMAPPED;
        }
        done += n > len - done ? len - done : n;
    }
    m->stats.dma_bytes += len;
    return MODEL_DMA_DONE;
}

static bool dma_copy(struct gpu_model *m, uint64_t addr, void *buf, size_t len,
                     enum model_dma_dir dir, const char *what)
{
    uint64_t at = addr;
    if (!dma_allowed(m, addr, len, what)) {
        return false;
    }
    switch (dma_pieces(m, addr, buf, len, dir, &at)) {
    case MODEL_DMA_DONE:
        return true;
    case MODEL_DMA_LOST: /* no rule: the driver cannot help it */
        model_trace_text(m, "%s at 0x%llx: the memory was taken away", what,
                         (unsigned long long)at);
        return false;
    case MODEL_DMA_UNMAPPED:
    default:
        model_rule_broken(m, RULE_DMA_UNMAPPED, "%s at 0x%llx: nothing is mapped there", what,
                          (unsigned long long)at);
        return false;
    }
}

bool model_dma_read(struct gpu_model *m, uint64_t addr, void *buf, size_t len, const char *what)
{
    return dma_copy(m, addr, buf, len, MODEL_DMA_READ, what);
}

bool model_dma_write(struct gpu_model *m, uint64_t addr, const void *buf, size_t len,
                     const char *what)
{
    return dma_copy(m, addr, (void *)(uintptr_t)buf, len, MODEL_DMA_WRITE, what);
}

bool model_dma_try_read(struct gpu_model *m, uint64_t addr, void *buf, size_t len)
{
    uint64_t at;
    if (m->faults->count != 0 && model_fault_dma(m, addr, len)) {
        return false;
    }
    return model_config_bus_master(m) && range_ok(addr, len, 1ull << m->chip->dma_bits) &&
           dma_pieces(m, addr, buf, len, MODEL_DMA_READ, &at) == MODEL_DMA_DONE;
}
