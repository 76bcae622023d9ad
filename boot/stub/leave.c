/* SPDX-License-Identifier: MIT */
/*
 * The way out: the kernel's segments, the first page tables, the jump.
 *
 * Sources: Intel SDM vol. 3 sections 2.5 (control registers), 4.1 (paging modes), 4.10.4 (what
 * invalidates the TLB); CPUID in vol. 2.
 */
#include "boot/stub/stub.h"

/* Copied to a page of its own that is executable in both worlds (trampoline.S). Arguments: first
 * page table, stack, hand-off, entry point. */
typedef void EFIAPI trampoline_fn(uint64_t cr3, uint64_t stack, uint64_t handoff, uint64_t entry);
extern const uint8_t trampoline_start[], trampoline_end[];

#define CPUID_EXTENDED_MAX   0x80000000u
#define CPUID_EXTENDED       0x80000001u
#define CPUID_ADDRESS_SIZES  0x80000008u
#define CPUID_EDX_NX         (1u << 20)
#define CPUID_EDX_1GIB_PAGES (1u << 26)
#define CR0_WP               (1ull << 16)
#define CR4_LA57             (1ull << 12)
#define MSR_EFER             0xc0000080u
#define EFER_NXE             (1ull << 11)
/* Between leave_prepare() and the last map a few descriptors may appear. */
enum { SPARE_DESCRIPTORS = 64 };

/* EFI_MEMORY_ATTRIBUTE_PROTOCOL, UEFI 2.10 section 37.5; not in GNU-EFI's headers. */
struct memory_attribute_protocol {
    EFI_STATUS(EFIAPI *get)(struct memory_attribute_protocol *, EFI_PHYSICAL_ADDRESS, UINT64,
                            UINT64 *);
    EFI_STATUS(EFIAPI *set)(struct memory_attribute_protocol *, EFI_PHYSICAL_ADDRESS, UINT64,
                            UINT64);
    EFI_STATUS(EFIAPI *clear)(struct memory_attribute_protocol *, EFI_PHYSICAL_ADDRESS, UINT64,
                              UINT64);
};
static EFI_GUID memory_attribute_guid = {
    0xf4560cf6, 0x40ec, 0x4b4a, {0xa1, 0x92, 0xbf, 0x1d, 0x57, 0xd0, 0xb1, 0x89}};
#define ATTRIBUTE_READ_ONLY 0x20000ull /* EFI_MEMORY_RO */

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};
static struct cpuid cpuid(uint32_t leaf)
{
    struct cpuid r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(0));
    return r;
}

const char *kernel_load(struct stub *s)
{
    uint64_t cr4;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    if ((cr4 & CR4_LA57) != 0) {
        /* Going back to four needs a way out of 64-bit mode (Intel SDM vol. 3 section 4.1.1). */
        return "the firmware uses page tables of five levels; switch 5-level paging off in its "
               "setup";
    }
    uint64_t bytes = (uint64_t)(kernel_elf_end - kernel_elf_start);
    const char *wrong = plan_kernel(kernel_elf_start, bytes, &s->kernel);
    if (wrong != NULL) {
        static char line[128];
        struct text t = text_on(line, sizeof(line));
        text_str(&t, "the kernel in this image is damaged: ");
        text_str(&t, wrong);
        return line;
    }
    s->handoff.kernel_phys = pages_alloc(s, s->kernel.size, EfiLoaderData);
    s->handoff.kernel_size = s->kernel.size;
    if (s->handoff.kernel_phys == 0) {
        return "no memory for the kernel";
    }
    plan_kernel_load(&s->kernel, kernel_elf_start, (void *)(uintptr_t)s->handoff.kernel_phys);
    return NULL;
}

/* Firmware that takes W^X seriously wants to be told that the page is code. */
static void make_executable(struct stub *s, uint64_t page)
{
    struct memory_attribute_protocol *p = NULL;
    if (EFI_ERROR(s->bs->LocateProtocol(&memory_attribute_guid, NULL, (void **)&p))) {
        return; /* firmware without the protocol does not enforce anything */
    }
    EFI_STATUS status = p->set(p, page, FL_PAGE_SIZE, ATTRIBUTE_READ_ONLY);
    if (!EFI_ERROR(status)) {
        status = p->clear(p, page, FL_PAGE_SIZE, EFI_MEMORY_XP);
    }
    if (EFI_ERROR(status)) {
        message(s, "the firmware refuses to make the jump page executable; trying all the same");
    }
}

/* Room for the map and for what it becomes, and the map as it is now. */
static const char *prepare_map(struct stub *s, UINTN *bytes, UINTN *stride)
{
    UINTN key;
    s->map_bytes = 0;
    EFI_STATUS status = map_take(s, bytes, &key, stride);
    if (status != EFI_BUFFER_TOO_SMALL || *stride < PLAN_EFI_DESCRIPTOR_BYTES) {
        return "the firmware does not give its memory map";
    }
    s->map_bytes = align_up_u64(*bytes + SPARE_DESCRIPTORS * *stride, FL_PAGE_SIZE);
    s->map = pages_alloc(s, s->map_bytes, EfiLoaderData);
    s->ranges_max = plan_memory_ranges(s->map_bytes / *stride);
    s->ranges = pages_alloc(s, s->ranges_max * sizeof(struct fl_mem_range), EfiLoaderData);
    if (s->map == 0 || s->ranges == 0) {
        return "no memory for the memory map";
    }
    return EFI_ERROR(map_take(s, bytes, &key, stride)) ? "the firmware does not give its memory map"
                                                       : NULL;
}

const char *leave_prepare(struct stub *s)
{
    s->stack = pages_alloc(s, STUB_STACK_BYTES, EfiLoaderData);
    s->trampoline = pages_alloc(s, FL_PAGE_SIZE, EfiLoaderCode);
    if (s->stack == 0 || s->trampoline == 0) {
        return "no memory for the kernel's first stack";
    }
    memcpy((void *)(uintptr_t)s->trampoline, trampoline_start,
           (size_t)(trampoline_end - trampoline_start));
    make_executable(s, s->trampoline);

    UINTN bytes, stride;
    const char *wrong = prepare_map(s, &bytes, &stride);
    if (wrong != NULL) {
        return wrong;
    }
    uint32_t most = cpuid(CPUID_EXTENDED_MAX).eax;
    uint32_t features = most >= CPUID_EXTENDED ? cpuid(CPUID_EXTENDED).edx : 0;
    unsigned phys_bits = most >= CPUID_ADDRESS_SIZES ? cpuid(CPUID_ADDRESS_SIZES).eax & 0xff : 0;
    struct plan_paging paging = {
        .gib_pages = (features & CPUID_EDX_1GIB_PAGES) != 0,
        .no_execute = (features & CPUID_EDX_NX) != 0,
        .trampoline = s->trampoline,
        .kernel = &s->kernel,
        .kernel_phys = s->handoff.kernel_phys,
    };
    paging.identity_end =
        plan_identity_end(plan_end_of_ram((void *)(uintptr_t)s->map, bytes / stride, stride),
                          paging.gib_pages, phys_bits);
    size_t pages = plan_table_pages(&paging);
    uint64_t pool = pages_alloc(s, pages * FL_PAGE_SIZE, EfiLoaderData);
    if (pool == 0) {
        return "no memory for page tables";
    }
    s->handoff.stub_page_table = plan_tables(&paging, (uint64_t *)(uintptr_t)pool, pool, pages);
    return s->handoff.stub_page_table == 0 ? "the page tables came out larger than planned" : NULL;
}

/* Page protection as the tables say it: no-execute bits count, read-only holds in ring 0 too. */
static void protect(void)
{
    uint64_t cr0;
    if ((cpuid(CPUID_EXTENDED).edx & CPUID_EDX_NX) != 0) {
        uint32_t low, high;
        __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_EFER));
        __asm__ volatile("wrmsr" : : "a"(low | (uint32_t)EFER_NXE), "d"(high), "c"(MSR_EFER));
    }
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("mov %0, %%cr0" : : "r"(cr0 | CR0_WP) : "memory");
}

void stub_halt(void)
{
    for (;;) {
        __asm__ volatile("cli\n\thlt");
    }
}

EFI_STATUS leave_firmware(struct stub *s)
{
    struct fl_handoff *h = &s->handoff;
    UINTN bytes, stride;
    EFI_STATUS status = boot_services_exit(s, &bytes, &stride);
    if (EFI_ERROR(status)) {
        return status;
    }
    /* From here on there is no firmware to call, and nothing to return to. */
    __asm__ volatile("cli");
    h->tsc_exit = tsc_now();
    h->mem = s->ranges;
    h->mem_count =
        (uint32_t)plan_memory((void *)(uintptr_t)s->map, bytes / stride, stride,
                              (struct fl_mem_range *)(uintptr_t)s->ranges, (size_t)s->ranges_max);
    protect();
    trampoline_fn *jump = (trampoline_fn *)(uintptr_t)s->trampoline;
    jump(h->stub_page_table, s->stack + STUB_STACK_BYTES, (uintptr_t)h, s->kernel.entry);
    __builtin_unreachable();
}
