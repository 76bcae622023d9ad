/* SPDX-License-Identifier: MIT */
/* Physical memory as engines reach it. */
#include "tests/model/memory/phys.h"

#include "tests/model/books/strict.h"
#include "tests/model/bus/dma.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/vram.h"
#include "tests/model/memory/wpr2.h"

/* Engines find WPR2 closed, like the CPU. */
static bool closed(const struct gpu_model *m, uint64_t addr, size_t len)
{
    return addr < m->wpr2->hi && addr + len > m->wpr2->lo;
}

bool model_phys_read(struct gpu_model *m, bool sysmem, uint64_t addr, void *buf, size_t len)
{
    if (sysmem) {
        return model_dma_read(m, addr, buf, len, "GPU read");
    }
    if (closed(m, addr, len)) {
        model_rule_broken(m, RULE_WPR2_ENGINE_READ,
                          "an engine read at 0x%llx inside WPR2 [0x%llx, 0x%llx)",
                          (unsigned long long)addr, (unsigned long long)m->wpr2->lo,
                          (unsigned long long)m->wpr2->hi);
        return false;
    }
    return model_vram_read(m, addr, buf, len);
}

bool model_phys_write(struct gpu_model *m, bool sysmem, uint64_t addr, const void *buf, size_t len)
{
    if (sysmem) {
        return model_dma_write(m, addr, buf, len, "GPU write");
    }
    if (closed(m, addr, len)) {
        return false;
    }
    model_vram_check_write(m, "an engine", addr, len);
    return model_vram_write(m, addr, buf, len);
}
