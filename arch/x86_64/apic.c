/* SPDX-License-Identifier: MIT */
/*
 * The local APIC of the one core that runs: end of interrupt, errors, and the timer that ends a
 * halt. x2APIC (registers are MSRs) where the CPU has it, else the memory-mapped xAPIC. The two old
 * PICs are moved away from the exceptions' vectors and masked, and so are the I/O APICs' inputs.
 *
 * Sources: Intel SDM volume 3, chapter 10 (10.4 xAPIC registers, 10.5.4 timer, 10.12 x2APIC); Intel
 * 8259A data sheet (initialisation words).
 */
#include "arch/ioapic.h"
#include "arch/log.h"
#include "arch/mmio.h"
#include "arch/x86_64/x86_priv.h"

/* Offsets of the memory-mapped registers. */
enum apic_reg {
    APIC_ID = 0x020,
    APIC_VERSION = 0x030,
    APIC_TPR = 0x080,
    APIC_EOI = 0x0b0,
    APIC_SPURIOUS = 0x0f0,
    APIC_ESR = 0x280,
    APIC_LVT_TIMER = 0x320,
    APIC_LVT_THERMAL = 0x330,
    APIC_LVT_PERF = 0x340,
    APIC_LVT_LINT0 = 0x350,
    APIC_LVT_LINT1 = 0x360,
    APIC_LVT_ERROR = 0x370,
    APIC_TIMER_INITIAL = 0x380,
    APIC_TIMER_CURRENT = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0,
};
#define APIC_SPAN_BYTES      0x400u
#define APIC_ID_SHIFT        24 /* xAPIC */
#define APIC_SOFTWARE_ENABLE (1u << 8)
#define APIC_LVT_MASKED      (1u << 16)
#define APIC_LVT_NMI         0x400u
#define APIC_LVT_MODE        0x700u
#define APIC_LVT_SMI         0x200u
/* APIC_VERSION 23:16 is the index of the last local vector entry. */
#define APIC_LVT_LAST(version) ((version) >> 16 & 0xff)
enum { LVT_INDEX_PERF = 4, LVT_INDEX_THERMAL = 5 };
#define APIC_TIMER_TSC_DEADLINE (2u << 17)
#define APIC_DIVIDE_BY_1        0xbu

#define APIC_BASE_ENABLE  (1ull << 11)
#define APIC_BASE_X2APIC  (1ull << 10)
#define APIC_BASE_ADDRESS 0x000ffffffffff000ull

#define CPUID1_ECX_X2APIC       (1u << 21)
#define CPUID1_ECX_TSC_DEADLINE (1u << 24)

/* The timer's rate is kept as timer ticks per TSC tick in fixed point. Its product with a wait of
 * 32 bits fits into 64: 28 bits behind the point, 4 before. */
#define RATE_SHIFT 28
#define RATE_MAX   (15ull << RATE_SHIFT)
enum { READ_TRIES = 8 };

static struct {
    bool x2apic, tsc_deadline;
    struct mmio regs; /* xAPIC only */
    uint64_t per_tsc; /* timer ticks per TSC tick, << RATE_SHIFT */
    uint64_t first_tsc;
    uint32_t first_count;
} apic;

static uint32_t apic_read(enum apic_reg r)
{
    return apic.x2apic ? (uint32_t)cpu_msr_read(MSR_X2APIC + (uint32_t)r / 16)
                       : mmio_read32(&apic.regs, (uint64_t)r);
}

static void apic_write(enum apic_reg r, uint32_t v)
{
    if (apic.x2apic) {
        cpu_msr_write(MSR_X2APIC + (uint32_t)r / 16, v);
    } else {
        mmio_write32(&apic.regs, (uint64_t)r, v);
    }
}

uint32_t x86_apic_id(void)
{
    return apic.x2apic ? apic_read(APIC_ID) : apic_read(APIC_ID) >> APIC_ID_SHIFT;
}

void x86_apic_eoi(void) { apic_write(APIC_EOI, 0); }

uint32_t x86_apic_error(void)
{
    apic_write(APIC_ESR, 0); /* a write makes the errors so far readable */
    return apic_read(APIC_ESR);
}

static void pic_mask(void)
{
    enum { PIC1 = 0x20, PIC1_DATA = 0x21, PIC2 = 0xa0, PIC2_DATA = 0xa1 };
    enum { ICW1_INIT_ICW4 = 0x11, ICW3_SLAVE_ON_2 = 0x04, ICW3_SLAVE_ID = 2, ICW4_8086 = 1 };
    cpu_out8(PIC1, ICW1_INIT_ICW4);
    cpu_out8(PIC2, ICW1_INIT_ICW4);
    cpu_out8(PIC1_DATA, X86_VECTOR_PIC);
    cpu_out8(PIC2_DATA, X86_VECTOR_PIC + 8);
    cpu_out8(PIC1_DATA, ICW3_SLAVE_ON_2);
    cpu_out8(PIC2_DATA, ICW3_SLAVE_ID);
    cpu_out8(PIC1_DATA, ICW4_8086);
    cpu_out8(PIC2_DATA, ICW4_8086);
    cpu_out8(PIC1_DATA, 0xff);
    cpu_out8(PIC2_DATA, 0xff);
}

static void apic_enable(uint64_t acpi_base)
{
    uint64_t base = cpu_msr_read(MSR_APIC_BASE);
    struct cpuid features = cpu_id(1, 0);
    apic.tsc_deadline = (features.ecx & CPUID1_ECX_TSC_DEADLINE) != 0;
    apic.x2apic = (features.ecx & CPUID1_ECX_X2APIC) != 0;
    if (apic.x2apic) {
        /* From "off" only by way of "on" (SDM volume 3, section 10.12.5). */
        cpu_msr_write(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
        cpu_msr_write(MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
        return;
    }
    struct phys_addr at = {base & APIC_BASE_ADDRESS};
    if (acpi_base != 0 && acpi_base != at.raw) {
        log_warn("apic", "ACPI puts the local APIC at 0x%llx, the CPU at 0x%llx; the CPU knows",
                 (unsigned long long)acpi_base, (unsigned long long)at.raw);
    }
    cpu_msr_write(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
    if (mmio_map(at, APIC_SPAN_BYTES, MMIO_UNCACHED, &apic.regs) != FL_OK) {
        machine_panic("cannot map the local APIC at 0x%llx", (unsigned long long)at.raw);
    }
}

void x86_ioapics_mask(void)
{
    const struct acpi_info *acpi = machine_acpi();
    for (uint32_t i = 0; i < acpi->ioapic_count; i++) {
        struct fl_fail fail = {.err = FL_OK};
        unsigned opened;
        if (ioapic_mask_all((struct phys_addr){acpi->ioapic[i]}, &opened, &fail) != FL_OK) {
            log_warn("apic", "%s", fail.text);
        } else if (opened != 0) {
            log_info("apic", "I/O APIC at 0x%x: masked %u inputs that the firmware left open",
                     (unsigned)acpi->ioapic[i], opened);
        }
    }
}

void x86_apic_start(uint64_t acpi_base)
{
    pic_mask();
    apic_enable(acpi_base);
    /* Nothing comes in but what is asked for. */
    uint32_t last = APIC_LVT_LAST(apic_read(APIC_VERSION));
    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
    if (last >= LVT_INDEX_PERF) {
        apic_write(APIC_LVT_PERF, APIC_LVT_MASKED);
    }
    /* A thermal interrupt that the firmware wants for itself stays with the firmware. */
    if (last >= LVT_INDEX_THERMAL &&
        (apic_read(APIC_LVT_THERMAL) & APIC_LVT_MODE) != APIC_LVT_SMI) {
        apic_write(APIC_LVT_THERMAL, APIC_LVT_MASKED);
    }
    apic_write(APIC_LVT_LINT0, APIC_LVT_MASKED);
    apic_write(APIC_LVT_LINT1, APIC_LVT_NMI); /* the chipset's NMI: reported */
    apic_write(APIC_LVT_ERROR, X86_VECTOR_APIC_ERROR);
    apic_write(APIC_TPR, 0);
    apic_write(APIC_SPURIOUS, APIC_SOFTWARE_ENABLE | X86_VECTOR_SPURIOUS);
    (void)x86_apic_error();
    /* What the firmware left in service would block everything below it: at most one per class. */
    for (unsigned i = 0; i < X86_VECTORS / 16; i++) {
        x86_apic_eoi();
    }
    if (apic.tsc_deadline) {
        apic_write(APIC_LVT_TIMER, APIC_TIMER_TSC_DEADLINE | X86_VECTOR_TIMER);
        __asm__ volatile("mfence" : : : "memory"); /* SDM 10.5.4.1: before the first MSR write */
    } else {
        apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_1);
    }
}

/* The counter and the TSC at the same time, as nearly as can be: the tightest of several looks. */
static void read_both(uint64_t *tsc, uint32_t *count)
{
    uint64_t best = UINT64_MAX;
    for (unsigned i = 0; i < READ_TRIES; i++) {
        uint64_t before = cpu_tsc();
        uint32_t c = apic_read(APIC_TIMER_CURRENT);
        uint64_t span = cpu_tsc() - before;
        if (span < best) {
            best = span;
            *tsc = before + span / 2;
            *count = c;
        }
    }
}

void x86_apic_timer_measure_begin(void)
{
    if (!apic.tsc_deadline) {
        apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | X86_VECTOR_TIMER);
        apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
        read_both(&apic.first_tsc, &apic.first_count);
    }
}

void x86_apic_timer_measure_end(void)
{
    uint64_t tsc;
    uint32_t count;
    if (apic.tsc_deadline) {
        return;
    }
    read_both(&tsc, &count);
    apic.per_tsc = 0;
    uint64_t tsc_ticks = tsc - apic.first_tsc, ticks = apic.first_count - count;
    if (tsc_ticks != 0 && ticks != 0 && tsc_ticks <= UINT32_MAX) {
        apic.per_tsc = (ticks << RATE_SHIFT) / tsc_ticks;
    }
    if (apic.per_tsc == 0 || apic.per_tsc > RATE_MAX) {
        log_error("apic",
                  "the timer does not count (%llu ticks in %llu of the TSC): the core will not "
                  "halt",
                  (unsigned long long)ticks, (unsigned long long)tsc_ticks);
        apic.per_tsc = 0;
    }
    apic_write(APIC_TIMER_INITIAL, 0);
    apic_write(APIC_LVT_TIMER, X86_VECTOR_TIMER);
}

bool x86_apic_timer_arm(uint64_t at_ns)
{
    uint64_t at = x86_clock_tsc_at(at_ns), now = cpu_tsc();
    if (apic.tsc_deadline) {
        cpu_msr_write(MSR_TSC_DEADLINE, at);
        return true;
    }
    uint64_t wait = at > now ? min_u64(at - now, UINT32_MAX) : 0; /* early is allowed */
    uint64_t ticks = (wait * apic.per_tsc >> RATE_SHIFT) + 1;     /* 0 would stop the timer */
    apic_write(APIC_TIMER_INITIAL, (uint32_t)min_u64(ticks, UINT32_MAX));
    return apic.per_tsc != 0;
}

const char *x86_apic_describe(void)
{
    if (apic.x2apic) {
        return apic.tsc_deadline ? "x2APIC, TSC deadline" : "x2APIC, one-shot timer";
    }
    return apic.tsc_deadline ? "xAPIC, TSC deadline" : "xAPIC, one-shot timer";
}
