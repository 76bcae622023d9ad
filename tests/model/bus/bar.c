/* SPDX-License-Identifier: MIT */
/*
 * Accesses to BAR1 and BAR2: to video memory itself, or to where page tables lead. Source: mmu.md
 * 7, 8.
 */
#include "tests/model/bus/bar.h"

#include "arch/base.h"
#include "tests/model/books/strict.h"
#include "tests/model/bus/dma.h"
#include "tests/model/bus/work.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/mmu.h"
#include "tests/model/memory/tlb.h"
#include "tests/model/memory/vram.h"
#include "tests/model/model.h"

#define BAR_FAULT_VALUE 0xbad0ac00ull /* channels.md 13: what a BAR without a mapping reads */

static const char *const bar_names[] = {"BAR1", "BAR2"};

/* Told to the driver once for all faults that come close together. What the GSP does with a fault
 * of a BAR is not known in detail; that something was queued is what it can say without more. */
static void tell_later(struct gpu_model *m)
{
    enum { TELL_NS = 1000, BURST_NS = 100000000 };
    const uint64_t now = model_now(m);
    if (now >= m->bars->quiet_until_ns) {
        m->bars->quiet_until_ns = now + BURST_NS;
        model_schedule(m, WORK_BAR_FAULT, TELL_NS);
    }
}

void model_bar_tell(struct gpu_model *m)
{
    enum { EVENT_MMU_FAULT_QUEUED = 0x1005 };
    model_inject_event(m, EVENT_MMU_FAULT_QUEUED, NULL, 0, 0);
}

static bool find(struct gpu_model *m, unsigned which, uint64_t off, bool write,
                 struct mmu_page *page)
{
    if (m->bars->binding[which]) {
        model_rule_broken(m, RULE_BAR_BIND_UNAWAITED,
                          "%s of %s at offset 0x%llx while its binding is under way",
                          write ? "write" : "read", bar_names[which], (unsigned long long)off);
    }
    if (!m->bars->bind[which].is_virtual) {
        *page = (struct mmu_page){.addr = off};
        return true;
    }
    const struct bar_bind *bind = &m->bars->bind[which];
    const struct page_dir dir = model_mmu_instance(m, bind->inst, bind->target != 0);
    enum mmu_result r = model_tlb_translate(m, &dir, off, page);
    if (r == MMU_MAPPED && write && page->read_only) {
        r = MMU_FAULT_READ_ONLY;
        page->entry.why = "is read-only";
    }
    if (r != MMU_MAPPED) {
        char words[MMU_WORDS];
        model_mmu_fault_words(words, r, &page->entry);
        model_rule_broken(m, RULE_BAR_FAULT, "%s of %s at offset 0x%llx: %s",
                          write ? "write" : "read", bar_names[which], (unsigned long long)off,
                          words);
        tell_later(m);
        return false;
    }
    return true;
}

uint64_t model_bar_read_mapped(struct gpu_model *m, unsigned which, uint64_t off, unsigned size)
{
    struct mmu_page page;
    uint8_t b[8] = {0};
    if (!find(m, which, off, false, &page)) {
        return (BAR_FAULT_VALUE | BAR_FAULT_VALUE << 32) & ~0ull >> (64 - 8 * size);
    }
    if (page.sparse) {
        return 0;
    }
    if (page.sysmem) {
        model_dma_read(m, page.addr, b, size, "BAR read");
        return get_le64(b);
    }
    return model_vram_cpu_read(m, page.addr, size);
}

void model_bar_write_mapped(struct gpu_model *m, unsigned which, uint64_t off, unsigned size,
                            uint64_t value)
{
    struct mmu_page page;
    uint8_t b[8];
    if (!find(m, which, off, true, &page) || page.sparse) {
        return;
    }
    if (page.sysmem) {
        put_le64(b, value);
        model_dma_write(m, page.addr, b, size, "BAR write");
    } else {
        model_vram_cpu_write(m, page.addr, size, value);
    }
}
