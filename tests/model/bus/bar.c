/* SPDX-License-Identifier: MIT */
/*
 * BAR1 and BAR2: video memory itself, or what the page tables behind an instance block say. A GSP
 * binds both to directories of its own when it comes up; a driver then fills in BAR1's, and has the
 * GSP fill in entry 0 of BAR2's. Source: mmu.md 6-8.
 */
#include "tests/model/bus/bar.h"

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/block.h"
#include "tests/model/blocks.h"
#include "tests/model/books/strict.h"
#include "tests/model/bus/dma.h"
#include "tests/model/bus/work.h"
#include "tests/model/chips.h"
#include "tests/model/gpu.h"
#include "tests/model/memory/mmu.h"
#include "tests/model/memory/tlb.h"
#include "tests/model/memory/vram.h"
#include "tests/model/model.h"

#define BAR_FAULT_VALUE 0xbad0ac00ull /* channels.md 13: what a BAR without a mapping reads */

static const char *const bar_names[] = {"BAR1", "BAR2"};

/* ---- binding ---- */

void model_bar_gsp_bind(struct gpu_model *m, unsigned which, uint64_t inst, uint64_t root)
{
    static const uint8_t zero[FL_PAGE_SIZE];
    const struct page_dir dir = {.root = root, .valid = true};
    model_vram_write(m, root, zero, sizeof(zero));
    model_vram_write(m, inst, zero, sizeof(zero));
    model_mmu_put_instance(m, inst, &dir);
    m->bars->bind[which] = (struct bar_bind){.inst = inst, .is_virtual = true};
    model_tlb_invalidate(m, root);
}

void model_bar_gsp_unbind(struct gpu_model *m)
{
    for (unsigned i = 0; i < MODEL_MAPPED_BARS; i++) {
        m->bars->bind[i] = (struct bar_bind){0};
    }
}

bool model_bar_set_pde(struct gpu_model *m, uint32_t which, uint64_t value, uint64_t shift)
{
    enum { ROOT_SHIFT_V2 = 47, ROOT_SHIFT_V3 = 56 };
    uint8_t raw[8];
    const uint64_t want = (m->chip->family & F_FSP) != 0 ? ROOT_SHIFT_V3 : ROOT_SHIFT_V2;
    if (which >= MODEL_MAPPED_BARS || !m->bars->bind[which].is_virtual || shift != want) {
        return false;
    }
    put_le64(raw, value);
    const uint64_t root = model_mmu_instance(m, m->bars->bind[which].inst).root;
    model_tlb_invalidate(m, root); /* the GSP changes it, and the GSP sees to this */
    return model_vram_write(m, root, raw, sizeof(raw));
}

/* ---- accesses ---- */

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

static void tell(struct gpu_model *m)
{
    enum { EVENT_MMU_FAULT_QUEUED = 0x1005 };
    model_inject_event(m, EVENT_MMU_FAULT_QUEUED, NULL, 0, 0);
}

static bool find(struct gpu_model *m, unsigned which, uint64_t off, bool write,
                 struct mmu_page *page)
{
    if (!m->bars->bind[which].is_virtual) {
        *page = (struct mmu_page){.addr = off};
        return true;
    }
    const struct page_dir dir = model_mmu_instance(m, m->bars->bind[which].inst);
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

/* ---- registers (Turing to Ada; later families bind through a pair) ---- */

static bool which_register(const struct gpu_model *m, uint32_t off, unsigned *which)
{
    if ((m->chip->family & F_FALCON_BOOT) == 0) {
        return false;
    }
    *which = off == NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR2_BLOCK__OFFSET ? MODEL_BAR2 : MODEL_BAR1;
    return off == NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK__OFFSET || *which == MODEL_BAR2;
}

static bool read(struct gpu_model *m, uint32_t off, uint32_t *value)
{
    unsigned which;
    if (off == NV_VIRTUAL_FUNCTION_PRIV_FUNC_BIND_STATUS__OFFSET) {
        *value = 0;
        return true;
    }
    if (!which_register(m, off, &which)) {
        return false;
    }
    const struct bar_bind *b = &m->bars->bind[which];
    struct NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK r = {0};
    r = NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK__with_PTR(r, (uint32_t)(b->inst >> FL_PAGE_SHIFT));
    r = NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK__with_MODE(r, b->is_virtual);
    *value = r.raw;
    return true;
}

static bool write(struct gpu_model *m, uint32_t off, uint32_t value)
{
    const struct NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK r = {value};
    unsigned which;
    if (!which_register(m, off, &which)) {
        return false;
    }
    m->bars->bind[which] = (struct bar_bind){
        .inst = (uint64_t)NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK__PTR(r) << FL_PAGE_SHIFT,
        .is_virtual = NV_VIRTUAL_FUNCTION_PRIV_FUNC_BAR1_BLOCK__MODE(r) != 0};
    return true;
}

static void reset(struct gpu_model *m, enum model_reset kind)
{
    (void)kind;
    model_bar_gsp_unbind(m);
    m->bars->quiet_until_ns = 0;
}

static const struct block_range ranges[] = {{0xb80000, 0xb80fff, F_ALL}, {0}};

const struct block bar_block = {
    .name = "BAR1 and BAR2",
    BLOCK_STATE(bars),
    .ranges = ranges,
    .read = read,
    .write = write,
    .reset = reset,
    .work = {[WORK_BAR_FAULT] = tell},
};
