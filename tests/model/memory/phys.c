/* SPDX-License-Identifier: MIT */
/* Physical memory as engines reach it. */
#include "tests/model/memory/phys.h"

#include "tests/model/bus/dma.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/vram.h"
#include "tests/model/memory/wpr2.h"

bool model_phys_read(struct gpu_model *m, bool sysmem, uint64_t addr, void *buf, size_t len)
{
    return sysmem ? model_dma_read(m, addr, buf, len, "GPU read")
                  : model_vram_read(m, addr, buf, len);
}

/* Engines find WPR2 closed, like the CPU. */
bool model_phys_write(struct gpu_model *m, bool sysmem, uint64_t addr, const void *buf, size_t len)
{
    if (sysmem) {
        return model_dma_write(m, addr, buf, len, "GPU write");
    }
    const bool closed = addr < m->wpr2->hi && addr + len > m->wpr2->lo;
    return !closed && model_vram_write(m, addr, buf, len);
}
