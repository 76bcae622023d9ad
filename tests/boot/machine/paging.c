/* SPDX-License-Identifier: MIT */
/*
 * The page tables as the CPU has them, walked from CR3 by a reader of our own: no page may be
 * written and executed, and what must not be there is not.
 *
 * Source: Intel SDM volume 3, sections 4.5 (4-level paging), 2.5 (control registers).
 */
#include "arch/fiber.h"
#include "arch/machine.h"
#include "arch/mmio.h"
#include "arch/x86_64/x86_priv.h"
#include "tests/boot/machine/case.h"

#define PTE_PRESENT (1ull << 0)
#define PTE_WRITE   (1ull << 1)
#define PTE_LARGE   (1ull << 7)
#define PTE_NX      (1ull << 63)
#define PTE_ADDRESS 0x000ffffffffff000ull
#define CR3_ADDRESS PTE_ADDRESS
enum { ENTRIES = 512, TOP_LEVEL = 4, LEAF_LEVEL = 1 };
enum { FIBER_PAGES = 4 };

/* What the path to a leaf allows: writing when all entries do, executing when none forbids it. */
struct leaf {
    uint64_t va, pa, size;
    bool write, execute;
    uint8_t cache; /* memory type from the attribute table; look_up() only */
};

struct tally {
    uint64_t leaves, write_execute, executable_bytes;
    uint64_t kernel_aliases; /* leaves elsewhere that show a byte of the kernel */
    uint64_t first_bad_va;
};

static uint64_t page_bytes(unsigned level) { return 1ull << (12 + 9 * (level - 1)); }

static uint64_t canonical(uint64_t va) { return (uint64_t)((int64_t)(va << 16) >> 16); }

static void take_leaf(struct tally *t, const struct leaf *l)
{
    const struct fl_handoff *h = machine_handoff();
    uint64_t kernel_end = h->kernel_phys + (uint64_t)(x86_image_end - x86_image_start);
    bool kernel = l->va >= (uintptr_t)x86_image_start && l->va < (uintptr_t)x86_image_end;
    t->leaves++;
    t->executable_bytes += l->execute ? l->size : 0;
    bool alias = !kernel && l->pa < kernel_end && h->kernel_phys < l->pa + l->size;
    if ((alias || (l->write && l->execute)) && t->first_bad_va == 0) {
        t->first_bad_va = l->va;
    }
    t->write_execute += l->write && l->execute;
    t->kernel_aliases += alias;
}

/* Recursion of at most four levels. */
static void walk(struct tally *t, uint64_t table, unsigned level, const struct leaf *path)
{
    for (unsigned i = 0; i < ENTRIES; i++) {
        uint64_t e = ((const uint64_t *)(uintptr_t)table)[i];
        if ((e & PTE_PRESENT) == 0) {
            continue;
        }
        struct leaf l = {.va = canonical(path->va + i * page_bytes(level)),
                         .pa = e & PTE_ADDRESS & ~(page_bytes(level) - 1),
                         .size = page_bytes(level),
                         .write = path->write && (e & PTE_WRITE) != 0,
                         .execute = path->execute && (e & PTE_NX) == 0};
        if (level == LEAF_LEVEL || (level < TOP_LEVEL && (e & PTE_LARGE) != 0)) {
            take_leaf(t, &l);
        } else {
            walk(t, e & PTE_ADDRESS, level - 1, &l);
        }
    }
}

/* Memory types, Intel SDM volume 3, table 11-10. */
enum { TYPE_UC = 0, TYPE_WC = 1, TYPE_WB = 6 };

static uint8_t cache_type(uint64_t e, unsigned level)
{
    const uint64_t pwt = 1 << 3, pcd = 1 << 4, pat = level == LEAF_LEVEL ? 1 << 7 : 1 << 12;
    unsigned index = ((e & pat) != 0 ? 4u : 0u) + ((e & pcd) != 0 ? 2u : 0u) + ((e & pwt) != 0);
    return (uint8_t)(cpu_msr_read(MSR_PAT) >> 8 * index);
}

/* What is mapped at va; false: nothing. */
static bool look_up(uint64_t va, struct leaf *out)
{
    uint64_t table = cpu_cr3_read() & CR3_ADDRESS;
    *out = (struct leaf){.write = true, .execute = true};
    for (unsigned level = TOP_LEVEL;; level--) {
        uint64_t e = ((const uint64_t *)(uintptr_t)table)[va / page_bytes(level) % ENTRIES];
        if ((e & PTE_PRESENT) == 0) {
            return false;
        }
        out->write = out->write && (e & PTE_WRITE) != 0;
        out->execute = out->execute && (e & PTE_NX) == 0;
        if (level == LEAF_LEVEL || (level < TOP_LEVEL && (e & PTE_LARGE) != 0)) {
            out->size = page_bytes(level);
            out->va = va & ~(out->size - 1);
            out->pa = e & PTE_ADDRESS & ~(out->size - 1);
            out->cache = cache_type(e, level);
            return true;
        }
        table = e & PTE_ADDRESS;
    }
}

static void check_segment(const char *name, const uint8_t *from, const uint8_t *to, bool write,
                          bool execute)
{
    struct leaf l;
    bool good = from < to;
    uint64_t va = (uintptr_t)from;
    for (; good && va < (uintptr_t)to; va += FL_PAGE_SIZE) {
        bool guard = x86_stack_overrun(va) != NULL;
        good = look_up(va, &l) ? !guard && l.write == write && l.execute == execute : guard;
    }
    CHECK(name, good, "the page before 0x%llx is not write=%d execute=%d", (unsigned long long)va,
          write, execute);
}

static void check_absent(const char *name, uint64_t va)
{
    struct leaf l;
    CHECK(name, !look_up(va, &l), "0x%llx is mapped", (unsigned long long)va);
}

static void check_control(void)
{
    CHECK("write-protect", (cpu_cr0_read() & CR0_WP) != 0, "CR0 is 0x%llx",
          (unsigned long long)cpu_cr0_read());
    CHECK("no-execute", (cpu_msr_read(MSR_EFER) & EFER_NXE) != 0, "EFER is 0x%llx",
          (unsigned long long)cpu_msr_read(MSR_EFER));
}

static void check_type(const char *name, uint64_t va, uint8_t type)
{
    struct leaf l = {0};
    bool there = look_up(va, &l);
    CHECK(name, there && l.cache == type && l.va == l.pa && !l.execute,
          "0x%llx has memory type %u, expected %u", (unsigned long long)va, l.cache, type);
}

/* Addresses where QEMU has nothing; only the entries matter. */
static void check_types(void)
{
    struct mmio m;
    struct range r = {0};
    const struct phys_addr uc = {1ull << (x86_phys_bits() - 1)}, wc = {uc.raw + MIB(64)};
    bool mapped = machine_ram(&r, 1) > 0 &&
                  mmio_map(uc, 2 * FL_PAGE_SIZE, MMIO_UNCACHED, &m) == FL_OK &&
                  mmio_map(wc, MIB(4), MMIO_WRITE_COMBINING, &m) == FL_OK &&
                  mmio_map(uc, MIB(2), MMIO_WRITE_COMBINING, &m) == FL_OK;
    CHECK("types-map", mapped, "no mapping");
    check_type("type-ram", r.base, TYPE_WB);
    check_type("type-uncached", uc.raw + FL_PAGE_SIZE, TYPE_UC); /* stays: it was so first */
    check_type("type-combining-behind", uc.raw + 2 * FL_PAGE_SIZE, TYPE_WC);
    check_type("type-combining", wc.raw + MIB(2), TYPE_WC);
}

/* --- the stack of a fiber --- */

static struct {
    uint64_t lowest, guard; /* lowest mapped page of the fiber's stack, the page below it */
    unsigned pages;
} stack;

static void measure_stack(void *arg)
{
    struct leaf l;
    uint64_t at = align_down_u64((uintptr_t)&arg, FL_PAGE_SIZE);
    while (look_up(at, &l) && stack.pages <= FIBER_PAGES) {
        stack.lowest = at;
        stack.pages++;
        at -= FL_PAGE_SIZE;
    }
    stack.guard = at;
}

static void check_stack(void)
{
    if (!CHECK("stack-spawn",
               fiber_spawn("measured", measure_stack, NULL, FIBER_PAGES * FL_PAGE_SIZE) != NULL,
               "no memory")) {
        return;
    }
    fiber_yield();
    CHECK("stack-guard", stack.pages == FIBER_PAGES && x86_stack_overrun(stack.guard) != NULL,
          "%u pages above 0x%llx", stack.pages, (unsigned long long)stack.guard);
    check_absent("stack-gone", stack.lowest); /* the fiber has ended */
}

void case_paging(void)
{
    struct tally t = {0};
    const struct leaf all = {.write = true, .execute = true};
    const struct fl_handoff *h = machine_handoff();

    check_control();
    walk(&t, cpu_cr3_read() & CR3_ADDRESS, TOP_LEVEL, &all);
    CHECK("tables-read", t.leaves > ARRAY_SIZE(h->messages), "%llu leaves",
          (unsigned long long)t.leaves);
    CHECK("write-xor-execute", t.write_execute == 0, "%llu pages, the first at 0x%llx",
          (unsigned long long)t.write_execute, (unsigned long long)t.first_bad_va);
    uint64_t text = align_up_u64((uint64_t)(x86_text_end - x86_text_start), FL_PAGE_SIZE);
    CHECK("only-text-executes", t.executable_bytes == text, "%llu bytes, the text has %llu",
          (unsigned long long)t.executable_bytes, (unsigned long long)text);
    CHECK("no-alias", t.kernel_aliases == 0, "%llu pages show the kernel, the first at 0x%llx",
          (unsigned long long)t.kernel_aliases, (unsigned long long)t.first_bad_va);
    check_segment("text", x86_text_start, x86_text_end, false, true);
    check_segment("rodata", x86_rodata_start, x86_rodata_end, false, false);
    check_segment("data", x86_data_start, x86_image_end, true, false);
    check_absent("page-0", 0);
    check_absent("kernel-phys", h->kernel_phys);
    check_absent("main-guard", (uintptr_t)x86_stacks.main_guard);
    check_absent("irq-guard", (uintptr_t)x86_stacks.irq_guard);
    check_absent("fault-guard", (uintptr_t)x86_stacks.fault_guard);
    check_absent("double-fault-guard", (uintptr_t)x86_stacks.double_fault_guard);
    check_types();
    check_stack();
}
