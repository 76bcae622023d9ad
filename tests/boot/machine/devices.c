/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration, interrupts and DMA, with QEMU's device for such exercises, "edu".
 *
 * Source: QEMU 11, docs/specs/edu.rst (registers, DMA).
 */
#include <string.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/irq.h"
#include "arch/machine.h"
#include "arch/x86_64/x86_priv.h"
#include "mm/dma.h"
#include "mm/ram.h"
#include "pci/pci.h"
#include "tests/boot/machine/case.h"

enum { EDU_VENDOR = 0x1234, EDU_DEVICE = 0x11e8 };
enum {
    EDU_ID = 0x00,
    EDU_LIVENESS = 0x04, /* reads as the complement of what was written */
    EDU_IRQ_STATUS = 0x24,
    EDU_IRQ_RAISE = 0x60,
    EDU_IRQ_ACK = 0x64,
    EDU_DMA_SOURCE = 0x80,
    EDU_DMA_TARGET = 0x88,
    EDU_DMA_COUNT = 0x90,
    EDU_DMA_COMMAND = 0x98,
};
#define EDU_ID_LOW 0xedu
enum { EDU_DMA_START = 1, EDU_DMA_TO_RAM = 2, EDU_DMA_IRQ = 4 };
#define EDU_BUFFER 0x40000ull /* as its DMA engine sees it; 4 KiB */
enum { DMA_BYTES = 4096, DMA_ADDR_BITS = 32 };

#define HANG_US     (20 * US_PER_S)
#define ID_Q35_HOST 0x29c08086u
enum { UNASKED_VECTOR = 0x77 };

static struct {
    struct pci pci;
    struct mmio regs;
    struct irq_msi msi;
    struct event ev;
    volatile uint32_t fired;
    bool ready;
} edu;

static unsigned long long ull(uint64_t v) { return v; }

/* Leaves nothing of what the interrupted code had in registers that belong to a callee. */
static void spoil_registers(void)
{
    static const uint32_t mxcsr = 0x1f80;
    __asm__ volatile("fninit\n\tfldz\n\tldmxcsr %0\n\t"
                     "pxor %%xmm0, %%xmm0\n\tpxor %%xmm1, %%xmm1\n\tpxor %%xmm2, %%xmm2\n\t"
                     "pxor %%xmm3, %%xmm3\n\tpxor %%xmm4, %%xmm4\n\tpxor %%xmm5, %%xmm5\n\t"
                     "pxor %%xmm6, %%xmm6\n\tpxor %%xmm7, %%xmm7\n\tpxor %%xmm8, %%xmm8\n\t"
                     "pxor %%xmm9, %%xmm9\n\tpxor %%xmm10, %%xmm10\n\tpxor %%xmm11, %%xmm11\n\t"
                     "pxor %%xmm12, %%xmm12\n\tpxor %%xmm13, %%xmm13\n\tpxor %%xmm14, %%xmm14\n\t"
                     "pxor %%xmm15, %%xmm15\n\t"
                     "xorl %%eax, %%eax\n\txorl %%ecx, %%ecx\n\txorl %%edx, %%edx\n\t"
                     "xorl %%esi, %%esi\n\txorl %%edi, %%edi\n\txorl %%r8d, %%r8d\n\t"
                     "xorl %%r9d, %%r9d\n\txorl %%r10d, %%r10d\n\txorl %%r11d, %%r11d"
                     :
                     : "m"(mxcsr)
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm0", "xmm1",
                       "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
                       "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st", "memory");
}

static void on_msi(void *arg)
{
    (void)arg;
    mmio_write32(&edu.regs, EDU_IRQ_ACK, mmio_read32(&edu.regs, EDU_IRQ_STATUS));
    edu.fired++;
    event_signal(&edu.ev);
    spoil_registers();
}

/* --- configuration space --- */

static void check_pci(void)
{
    struct machine_ecam ecam[ACPI_ECAM_MAX];
    struct fl_fail fail = {0};
    bool poor = case_poor_machine();
    size_t n = machine_ecam(ecam, ARRAY_SIZE(ecam));
    CHECK("ecam", (n == 0) == poor, "%llu of them", ull(n));
    CHECK("port-there", machine_pci_port_available(), "no configuration by port");
    CHECK("port-read", machine_pci_port_read(0, 0, 0, 4) == ID_Q35_HOST, "%08x",
          machine_pci_port_read(0, 0, 0, 4));
    CHECK("port-read-parts",
          machine_pci_port_read(0, 0, 2, 2) == ID_Q35_HOST >> 16 &&
              machine_pci_port_read(0, 0, 1, 1) == (ID_Q35_HOST >> 8 & 0xff),
          "%04x %02x", machine_pci_port_read(0, 0, 2, 2), machine_pci_port_read(0, 0, 1, 1));
    CHECK("port-refuses",
          machine_pci_port_read(0, 0, 256, 4) == UINT32_MAX &&
              machine_pci_port_read(0, 0, 1, 2) == UINT32_MAX,
          "beyond its end or not aligned");
    enum fl_err err = pci_enumerate(&edu.pci, pci_machine_ops(), NULL, &fail);
    CHECK("pci", err == FL_OK && edu.pci.count >= 4, "%s, %llu functions", fail.text,
          ull(edu.pci.count));
    CHECK("pci-extended", edu.pci.extended == !poor, "%d", edu.pci.extended);
    if (!poor) {
        CHECK("ecam-equals-port", pci_read(&edu.pci.dev[0], 0, 4) == ID_Q35_HOST, "%08x",
              pci_read(&edu.pci.dev[0], 0, 4));
    }
}

static void start_edu(void)
{
    const struct pci_dev *d = NULL;
    for (size_t i = 0; i < edu.pci.count; i++) {
        if (edu.pci.dev[i].vendor == EDU_VENDOR && edu.pci.dev[i].device == EDU_DEVICE) {
            d = &edu.pci.dev[i];
        }
    }
    if (!CHECK("edu", d != NULL && pci_map_bar(d, 0, &edu.regs) == FL_OK, "not there")) {
        return;
    }
    event_init(&edu.ev);
    pci_enable(d, true, true);
    CHECK("edu-id", (mmio_read32(&edu.regs, EDU_ID) & 0xff) == EDU_ID_LOW, "%08x",
          mmio_read32(&edu.regs, EDU_ID));
    mmio_write32(&edu.regs, EDU_LIVENESS, 0x12345678);
    CHECK("edu-alive", mmio_read32(&edu.regs, EDU_LIVENESS) == ~0x12345678u, "%08x",
          mmio_read32(&edu.regs, EDU_LIVENESS));
    enum fl_err err = pci_enable_msi(d, "edu", on_msi, NULL, true, &edu.msi);
    edu.ready = CHECK("msi-enable", err == FL_OK && edu.msi.vector >= X86_VECTOR_MSI_FIRST, "%s",
                      fl_err_name(err));
}

/* --- interrupts --- */

static void check_msi(void)
{
    enum { TIMES = 50 };
    uint64_t before = irq_count(edu.msi.vector);
    unsigned woken = 0;
    for (unsigned i = 0; i < TIMES; i++) {
        mmio_write32(&edu.regs, EDU_IRQ_RAISE, 1);
        woken += event_wait(&edu.ev, deadline_in_us(HANG_US / TIMES)) == FL_OK;
    }
    uint64_t count = irq_count(edu.msi.vector) - before;
    CHECK("msi-wakes", woken == TIMES, "%u of %d waits", woken, TIMES);
    CHECK("msi-count", count == TIMES && edu.fired == TIMES, "%llu counted, %u handled", ull(count),
          edu.fired);
}

/* With interrupts off it waits, and is not lost. */
static void check_masked(void)
{
    uint32_t before = edu.fired;
    cpu_irq_off();
    mmio_write32(&edu.regs, EDU_IRQ_RAISE, 1);
    clock_spin_us(100);
    uint32_t while_off = edu.fired - before;
    cpu_irq_on();
    enum fl_err err = event_wait(&edu.ev, deadline_in_us(HANG_US));
    CHECK("msi-masked", while_off == 0, "%u came with interrupts off", while_off);
    CHECK("msi-kept", err == FL_OK && edu.fired == before + 1, "%s, %u came", fl_err_name(err),
          edu.fired - before);
}

struct registers {
    uint64_t xmm[16][2];
    uint64_t general[4]; /* r8-r11 */
    uint64_t x87;        /* st0 as a double */
    uint32_t mxcsr;
} __attribute__((aligned(16)));

/* Loads all of *r, raises the interrupt, waits until it was handled or the loop ran out, and stores
 * all of *r again. Returns what is left of the loop's count. */
static uint64_t across_interrupt(struct registers *r)
{
    enum { LOOPS = 50000000 };
    static const uint32_t mxcsr_default = 0x1f80;
    volatile uint8_t *raise = edu.regs.base + EDU_IRQ_RAISE;
    uint32_t seen = edu.fired;
    uint64_t left = LOOPS;
    __asm__ volatile("movdqa 0x00(%[r]), %%xmm0\n\tmovdqa 0x10(%[r]), %%xmm1\n\t"
                     "movdqa 0x20(%[r]), %%xmm2\n\tmovdqa 0x30(%[r]), %%xmm3\n\t"
                     "movdqa 0x40(%[r]), %%xmm4\n\tmovdqa 0x50(%[r]), %%xmm5\n\t"
                     "movdqa 0x60(%[r]), %%xmm6\n\tmovdqa 0x70(%[r]), %%xmm7\n\t"
                     "movdqa 0x80(%[r]), %%xmm8\n\tmovdqa 0x90(%[r]), %%xmm9\n\t"
                     "movdqa 0xa0(%[r]), %%xmm10\n\tmovdqa 0xb0(%[r]), %%xmm11\n\t"
                     "movdqa 0xc0(%[r]), %%xmm12\n\tmovdqa 0xd0(%[r]), %%xmm13\n\t"
                     "movdqa 0xe0(%[r]), %%xmm14\n\tmovdqa 0xf0(%[r]), %%xmm15\n\t"
                     "movq 0x100(%[r]), %%r8\n\tmovq 0x108(%[r]), %%r9\n\t"
                     "movq 0x110(%[r]), %%r10\n\tmovq 0x118(%[r]), %%r11\n\t"
                     "fninit\n\tfldl 0x120(%[r])\n\tldmxcsr 0x128(%[r])\n\t"
                     "movl $1, (%[raise])\n"
                     "1:\n\t"
                     "cmpl %[seen], (%[fired])\n\t"
                     "jne 2f\n\t"
                     "pause\n\t"
                     "decq %[left]\n\t"
                     "jnz 1b\n"
                     "2:\n\t"
                     "movdqa %%xmm0, 0x00(%[r])\n\tmovdqa %%xmm1, 0x10(%[r])\n\t"
                     "movdqa %%xmm2, 0x20(%[r])\n\tmovdqa %%xmm3, 0x30(%[r])\n\t"
                     "movdqa %%xmm4, 0x40(%[r])\n\tmovdqa %%xmm5, 0x50(%[r])\n\t"
                     "movdqa %%xmm6, 0x60(%[r])\n\tmovdqa %%xmm7, 0x70(%[r])\n\t"
                     "movdqa %%xmm8, 0x80(%[r])\n\tmovdqa %%xmm9, 0x90(%[r])\n\t"
                     "movdqa %%xmm10, 0xa0(%[r])\n\tmovdqa %%xmm11, 0xb0(%[r])\n\t"
                     "movdqa %%xmm12, 0xc0(%[r])\n\tmovdqa %%xmm13, 0xd0(%[r])\n\t"
                     "movdqa %%xmm14, 0xe0(%[r])\n\tmovdqa %%xmm15, 0xf0(%[r])\n\t"
                     "movq %%r8, 0x100(%[r])\n\tmovq %%r9, 0x108(%[r])\n\t"
                     "movq %%r10, 0x110(%[r])\n\tmovq %%r11, 0x118(%[r])\n\t"
                     "fstpl 0x120(%[r])\n\tstmxcsr 0x128(%[r])\n\tfninit\n\tldmxcsr %[mxcsr]"
                     : [left] "+r"(left)
                     : [r] "r"(r), [raise] "r"(raise), [seen] "r"(seen), [fired] "r"(&edu.fired),
                       [mxcsr] "m"(mxcsr_default)
                     : "r8", "r9", "r10", "r11", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
                       "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                       "xmm15", "st", "cc", "memory");
    return left;
}
_Static_assert(offsetof(struct registers, general) == 0x100, "across_interrupt");
_Static_assert(offsetof(struct registers, x87) == 0x120, "across_interrupt");
_Static_assert(offsetof(struct registers, mxcsr) == 0x128, "across_interrupt");

static void check_state_kept(void)
{
    enum { TIMES = 20, MXCSR_ROUND_TO_ZERO = 0x7f80 };
    const uint64_t one_and_a_half = 0x3ff8000000000000ull; /* IEEE 754 binary64 */
    struct registers r, expected;
    unsigned interrupted = 0, sse = 0, x87 = 0, general = 0, control = 0;
    memset(&r, 0, sizeof(r));
    for (unsigned i = 0; i < ARRAY_SIZE(r.xmm); i++) {
        r.xmm[i][0] = 0x0123456789abcdefull * (i + 1);
        r.xmm[i][1] = ~r.xmm[i][0];
    }
    for (unsigned i = 0; i < ARRAY_SIZE(r.general); i++) {
        r.general[i] = 0xfedcba9876543210ull + i;
    }
    r.x87 = one_and_a_half;
    r.mxcsr = MXCSR_ROUND_TO_ZERO;
    expected = r;
    for (unsigned i = 0; i < TIMES; i++) {
        r = expected;
        interrupted += across_interrupt(&r) != 0;
        sse += memcmp(r.xmm, expected.xmm, sizeof(r.xmm)) == 0;
        general += memcmp(r.general, expected.general, sizeof(r.general)) == 0;
        x87 += r.x87 == expected.x87;
        control += r.mxcsr == expected.mxcsr;
        (void)!event_wait(&edu.ev, deadline_in_us(0)); /* what the handler signalled */
    }
    CHECK("state-interrupted", interrupted == TIMES, "%u of %d", interrupted, TIMES);
    CHECK("state-sse", sse == TIMES, "kept %u of %d times", sse, TIMES);
    CHECK("state-x87", x87 == TIMES, "kept %u of %d times", x87, TIMES);
    CHECK("state-mxcsr", control == TIMES, "kept %u of %d times", control, TIMES);
    CHECK("state-general", general == TIMES, "kept %u of %d times", general, TIMES);
}

/* Nobody's interrupts and non-maskable ones are reported (the test reads the log) and survived. */
static void check_unasked(void)
{
    __asm__ volatile("int %0" : : "i"(UNASKED_VECTOR) : "memory");
    __asm__ volatile("int %0" : : "i"(UNASKED_VECTOR) : "memory");
    CHECK("irq-unasked", irq_count(UNASKED_VECTOR) == 2, "%llu counted",
          ull(irq_count(UNASKED_VECTOR)));
    __asm__ volatile("int $2" : : : "memory");
    fiber_sleep_us(US_PER_MS); /* idling reports it */
}

/* --- I/O APICs --- */

/* An input that something left open is masked, on the machine's own chip. */
static void check_ioapic(void)
{
    enum { IOREGSEL = 0x00, IOWIN = 0x10, SPAN_BYTES = 0x20 }; /* 82093AA data sheet, 3.1 */
    enum { IOREDTBL_20 = 0x10 + 2 * 20 };
    const uint32_t masked = 1u << 16;
    const struct acpi_info *acpi = machine_acpi();
    struct mmio m;
    CHECK("ioapic", (acpi->ioapic_count != 0) != case_poor_machine(), "%u of them",
          acpi->ioapic_count);
    if (acpi->ioapic_count == 0 ||
        mmio_map((struct phys_addr){acpi->ioapic[0]}, SPAN_BYTES, MMIO_UNCACHED, &m) != FL_OK) {
        return;
    }
    mmio_write32(&m, IOREGSEL, IOREDTBL_20);
    uint32_t first = mmio_read32(&m, IOWIN);
    CHECK("ioapic-start", (first & masked) != 0, "input 20 reads 0x%08x", first);
    mmio_write32(&m, IOWIN, X86_VECTOR_SPURIOUS);
    CHECK("ioapic-open", (mmio_read32(&m, IOWIN) & masked) == 0, "it stays masked");
    x86_ioapics_mask();
    mmio_write32(&m, IOREGSEL, IOREDTBL_20);
    CHECK("ioapic-masked", (mmio_read32(&m, IOWIN) & masked) != 0, "input 20 is still open");
}

/* --- DMA --- */

static bool dma_run(uint64_t from, uint64_t to, uint64_t command)
{
    mmio_write64(&edu.regs, EDU_DMA_SOURCE, from);
    mmio_write64(&edu.regs, EDU_DMA_TARGET, to);
    mmio_write64(&edu.regs, EDU_DMA_COUNT, DMA_BYTES);
    dma_wmb();
    mmio_write64(&edu.regs, EDU_DMA_COMMAND, command | EDU_DMA_START | EDU_DMA_IRQ);
    bool done = event_wait(&edu.ev, deadline_in_us(HANG_US)) == FL_OK &&
                (mmio_read64(&edu.regs, EDU_DMA_COMMAND) & EDU_DMA_START) == 0;
    dma_rmb();
    return done;
}

/* What the device reads and writes at bus addresses is what the CPU has at its pointers. */
static void check_dma(void)
{
    struct dma_buf from, to;
    struct fl_fail fail = {0};
    bool good = ram_init(&fail) == FL_OK &&
                dma_alloc(&from, DMA_BYTES, DMA_BYTES, DMA_ADDR_BITS, "test-from") == FL_OK &&
                dma_alloc(&to, DMA_BYTES, DMA_BYTES, DMA_ADDR_BITS, "test-to") == FL_OK;
    if (!CHECK("dma-alloc", good, "%s", fail.text)) {
        return;
    }
    CHECK("dma-identity", (uintptr_t)from.cpu == from.bus.raw && from.bus.raw != to.bus.raw,
          "cpu %p bus 0x%llx", from.cpu, ull(from.bus.raw));
    uint32_t *out = from.cpu;
    for (uint32_t i = 0; i < DMA_BYTES / sizeof(*out); i++) {
        out[i] = i * 2654435761u;
    }
    bool there = dma_run(from.bus.raw, EDU_BUFFER, 0);
    bool back = there && dma_run(EDU_BUFFER, to.bus.raw, EDU_DMA_TO_RAM);
    CHECK("dma-done", there && back, "to the device %d, back %d", there, back);
    CHECK("dma-bytes", memcmp(from.cpu, to.cpu, DMA_BYTES) == 0, "they differ");
    dma_free(&from);
    dma_free(&to);
}

void case_devices(void)
{
    check_pci();
    start_edu();
    if (edu.ready) {
        check_msi();
        check_masked();
        check_state_kept();
        check_dma();
    }
    check_unasked();
    check_ioapic();
}
