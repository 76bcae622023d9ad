/* SPDX-License-Identifier: MIT */
/*
 * Time from the time-stamp counter. Its frequency comes from CPUID where the CPU or the hypervisor
 * says it, else from comparing it with a clock of known rate: ACPI's PM timer, the HPET, or the old
 * PIT. The first comparison runs beside the start of the machine and ends as soon as it is good
 * enough; later ones, over longer times, make it exact. Time never goes back.
 *
 * Sources: Intel SDM volume 3, section 18.7.3 (TSC frequency), CPUID leaves 0x15, 0x40000010
 * (VMware's "mechanisms to determine if software is running in a VMware virtual machine"); ACPI 6.5
 * section 4.8.3.3 (PM timer); IA-PC HPET 1.0a section 2.3; Intel 8254 data sheet.
 */
#include "arch/clock.h"

#include "arch/fiber.h"
#include "arch/fiber_arch.h"
#include "arch/log.h"
#include "arch/mmio.h"
#include "arch/x86_64/x86_priv.h"

#define NS_PER_S    1000000000ull
#define PM_TIMER_HZ 3579545ull
#define PIT_HZ      1193182ull
#define FS_PER_S    1000000000000000ull
/* HPET: capabilities and period (femtoseconds) at 0, configuration at 0x10, counter at 0xf0. */
enum { HPET_CAPS = 0x00, HPET_PERIOD = 0x04, HPET_CONFIG = 0x10, HPET_COUNTER = 0xf0 };
#define HPET_SPAN_BYTES    0x400u
#define HPET_PERIOD_MAX_FS 100000000u /* 100 ns, IA-PC HPET 1.0a, section 2.3.4 */
#define HPET_ENABLE        1u

#define CPUID_TSC               0x15u
#define CPUID_HYPERVISOR        0x40000000u
#define CPUID_HYPERVISOR_TIMING 0x40000010u
#define CPUID1_ECX_HYPERVISOR   (1u << 31)

/* What a TSC may run at; also the rate that is assumed before it is known. Assuming too much makes
 * the clock slow, so that it jumps ahead, not back, when the truth is known. */
#define TSC_HZ_MIN   100000000ull
#define TSC_HZ_MAX   8000000000ull
#define TSC_HZ_GUESS 2000000000ull

/* The first comparison: how long it lasts at least and at most, and the part of it that reading the
 * clocks may have taken when it ends before the most. */
#define FIRST_WINDOW_MIN_US      1000u
#define FIRST_WINDOW_MAX_US      5000u
#define FIRST_WINDOW_ERROR_SHIFT 9
/* Reading a reference takes long in a virtual machine, and longer when it is interrupted in
 * between: of several readings the tightest counts. */
enum { SAMPLE_TRIES = 8, SAMPLE_GOOD_TICKS = 2000 };
/* CPUID's word is kept unless the reference differs by more than 1/128. */
#define CPUID_TOLERANCE_SHIFT 7
#define SPIN_MAX_US           100u

struct sample {
    uint64_t tsc;
    uint64_t ref;
    uint64_t span; /* ticks that reading took: the error */
};

static struct {
    uint64_t base_tsc, base_ns; /* a point of the line that time is on */
    uint64_t ns_per_tick;       /* its slope, 32.32 fixed point */
    uint64_t tsc_zero, tsc_hz;
    const char *source;
    uint64_t (*read_ref)(void); /* NULL: none */
    uint64_t ref_hz, ref_mask;
    const char *ref_name;
    struct sample first;
    bool from_cpuid;
    uint16_t pm_port;
    struct mmio pm_mmio, hpet;
} tsc = {.source = "nothing"};

__extension__ typedef unsigned __int128 u128;

static uint64_t scale(uint64_t v, uint64_t num, uint64_t den)
{
    u128 r = (u128)v * num / den;
    return r > UINT64_MAX ? UINT64_MAX : (uint64_t)r;
}

static uint64_t ns_at(uint64_t at)
{
    return tsc.base_ns + (uint64_t)((u128)(at - tsc.base_tsc) * tsc.ns_per_tick >> 32);
}

uint64_t clock_now_ns(void) { return ns_at(cpu_tsc()); }

uint64_t clock_boot_unix_s(void) { return machine_handoff()->unix_time_s; }

uint64_t x86_clock_tsc_at(uint64_t ns)
{
    return ns <= tsc.base_ns ? tsc.base_tsc
                             : tsc.base_tsc + scale(ns - tsc.base_ns, tsc.tsc_hz, NS_PER_S) + 1;
}

uint64_t x86_clock_ticks_ns(uint64_t ticks) { return scale(ticks, NS_PER_S, tsc.tsc_hz); }

uint64_t x86_tsc_hz(void) { return tsc.tsc_hz; }
const char *x86_clock_source(void) { return tsc.source; }

uint64_t x86_boot_firmware_us(void)
{
    const struct fl_handoff *h = machine_handoff();
    return h->tsc_entry != 0 && h->tsc_exit > h->tsc_entry
               ? x86_clock_ticks_ns(h->tsc_exit - h->tsc_entry) / NS_PER_US
               : 0;
}

void clock_spin_us(uint32_t us)
{
    FL_ASSERT(us <= SPIN_MAX_US);
    uint64_t end_ns = clock_now_ns() + us * NS_PER_US;
    while (clock_now_ns() < end_ns) {
        cpu_pause();
    }
}

/* Sets the frequency. Time goes on from the line through clock zero with the new slope, or from
 * where it is now when that is later. */
static void set_hz(uint64_t hz, const char *source)
{
    uintptr_t irq = arch_irq_save();
    uint64_t now = cpu_tsc();
    uint64_t shown_ns = ns_at(now);
    uint64_t true_ns = scale(now - tsc.tsc_zero, NS_PER_S, hz);
    tsc.tsc_hz = hz;
    tsc.source = source;
    tsc.ns_per_tick = scale(NS_PER_S, 1ull << 32, hz);
    tsc.base_tsc = now;
    tsc.base_ns = max_u64(shown_ns, true_ns);
    arch_irq_restore(irq);
}

void x86_clock_early(uint64_t tsc_zero)
{
    uint64_t now = cpu_tsc();
    tsc.tsc_zero = tsc_zero != 0 && tsc_zero <= now ? tsc_zero : now;
    tsc.base_tsc = tsc.tsc_zero;
    tsc.tsc_hz = TSC_HZ_MAX;
    tsc.ns_per_tick = scale(NS_PER_S, 1ull << 32, TSC_HZ_MAX);
}

/* --- clocks of known rate --- */

static uint64_t read_pm_port(void) { return cpu_in32(tsc.pm_port); }
static uint64_t read_pm_mmio(void) { return mmio_read32(&tsc.pm_mmio, 0); }
static uint64_t read_hpet(void) { return mmio_read32(&tsc.hpet, HPET_COUNTER); }

static uint64_t read_pit(void)
{
    cpu_out8(0x43, 0x80); /* latch channel 2 */
    uint64_t low = cpu_in8(0x42);
    return 0xffff - (low | (uint64_t)cpu_in8(0x42) << 8); /* it counts down */
}

static bool use_pm_timer(const struct acpi_info *acpi)
{
    if (acpi->pm_timer.address == 0) {
        return false;
    }
    if (acpi->pm_timer.space == ACPI_SPACE_IO) {
        tsc.pm_port = (uint16_t)acpi->pm_timer.address;
        tsc.read_ref = read_pm_port;
    } else if (mmio_map((struct phys_addr){acpi->pm_timer.address}, sizeof(uint32_t), MMIO_UNCACHED,
                        &tsc.pm_mmio) == FL_OK) {
        tsc.read_ref = read_pm_mmio;
    } else {
        return false;
    }
    tsc.ref_hz = PM_TIMER_HZ;
    tsc.ref_mask = acpi->pm_timer_32bit ? UINT32_MAX : 0xffffff;
    tsc.ref_name = "PM timer";
    return true;
}

static bool use_hpet(const struct acpi_info *acpi)
{
    if (acpi->hpet == 0 || mmio_map((struct phys_addr){acpi->hpet}, HPET_SPAN_BYTES, MMIO_UNCACHED,
                                    &tsc.hpet) != FL_OK) {
        return false;
    }
    uint32_t period_fs = mmio_read32(&tsc.hpet, HPET_PERIOD);
    if (period_fs == 0 || period_fs > HPET_PERIOD_MAX_FS) {
        return false;
    }
    mmio_write32(&tsc.hpet, HPET_CONFIG, mmio_read32(&tsc.hpet, HPET_CONFIG) | HPET_ENABLE);
    tsc.read_ref = read_hpet;
    tsc.ref_hz = FS_PER_S / period_fs;
    tsc.ref_mask = UINT32_MAX;
    tsc.ref_name = "HPET";
    return true;
}

static void use_pit(void)
{
    enum { PIT_GATE_2 = 1, PIT_SPEAKER = 2, PIT_CHANNEL_2_RATE = 0xb4 };
    uint8_t gate = cpu_in8(0x61);
    cpu_out8(0x61, (uint8_t)((gate & ~PIT_SPEAKER) | PIT_GATE_2));
    cpu_out8(0x43, PIT_CHANNEL_2_RATE);
    cpu_out8(0x42, 0); /* 0 counts as 65536 */
    cpu_out8(0x42, 0);
    tsc.read_ref = read_pit;
    tsc.ref_hz = PIT_HZ;
    tsc.ref_mask = 0xffff;
    tsc.ref_name = "PIT";
}

/* The reference answers and moves. A dead PM timer reads as all ones. */
static bool ref_alive(void)
{
    enum { LOOKS = 1000 };
    uint64_t first = tsc.read_ref() & tsc.ref_mask;
    for (unsigned i = 0; i < LOOKS; i++) {
        if ((tsc.read_ref() & tsc.ref_mask) != first) {
            return true;
        }
    }
    return false;
}

static struct sample take_sample(void)
{
    struct sample best = {.span = UINT64_MAX};
    for (unsigned i = 0; i < SAMPLE_TRIES && best.span > SAMPLE_GOOD_TICKS; i++) {
        uint64_t before = cpu_tsc();
        uint64_t ref = tsc.read_ref() & tsc.ref_mask;
        uint64_t span = cpu_tsc() - before;
        if (span < best.span) {
            best = (struct sample){.tsc = before + span / 2, .ref = ref, .span = span};
        }
    }
    return best;
}

/* Frequency from two samples, 0 when they make no sense. The reference has wrapped at most once. */
static uint64_t hz_between(const struct sample *a, const struct sample *b)
{
    uint64_t ticks = (b->ref - a->ref) & tsc.ref_mask;
    uint64_t hz = ticks != 0 && b->tsc > a->tsc ? scale(b->tsc - a->tsc, tsc.ref_hz, ticks) : 0;
    return hz >= TSC_HZ_MIN && hz <= TSC_HZ_MAX ? hz : 0;
}

/* What the CPU or the hypervisor says, 0 when they say nothing. */
static uint64_t cpuid_hz(void)
{
    uint64_t hz = 0;
    if (cpu_id_max(0) >= CPUID_TSC) {
        struct cpuid r = cpu_id(CPUID_TSC, 0);
        hz = r.eax != 0 ? scale(r.ecx, r.ebx, r.eax) : 0; /* crystal * numerator / denominator */
    }
    if (hz == 0 && (cpu_id(1, 0).ecx & CPUID1_ECX_HYPERVISOR) != 0 &&
        cpu_id_max(CPUID_HYPERVISOR) >= CPUID_HYPERVISOR_TIMING) {
        hz = cpu_id(CPUID_HYPERVISOR_TIMING, 0).eax * 1000ull; /* kHz */
    }
    return hz >= TSC_HZ_MIN && hz <= TSC_HZ_MAX ? hz : 0;
}

/* --- in time order --- */

void x86_clock_begin(const struct acpi_info *acpi)
{
    if (!(use_pm_timer(acpi) && ref_alive()) && !(use_hpet(acpi) && ref_alive())) {
        use_pit();
    }
    x86_apic_timer_measure_begin();
    tsc.first = take_sample();
    uint64_t hz = cpuid_hz();
    if (hz != 0) {
        tsc.from_cpuid = true;
        set_hz(hz, "CPUID");
    }
}

/* Compares until the window is long enough for what reading the clocks cost. Bounded by the TSC
 * too: a reference that stops is not waited for. 0: no sense in it. */
static uint64_t first_hz(void)
{
    const uint64_t min_ticks = scale(FIRST_WINDOW_MIN_US, tsc.ref_hz, US_PER_S);
    const uint64_t max_ticks = scale(FIRST_WINDOW_MAX_US, tsc.ref_hz, US_PER_S);
    const uint64_t limit = tsc.first.tsc + TSC_HZ_MAX / US_PER_S * FIRST_WINDOW_MAX_US * 4;
    for (;;) {
        struct sample now = take_sample();
        uint64_t ticks = (now.ref - tsc.first.ref) & tsc.ref_mask;
        bool good =
            (now.tsc - tsc.first.tsc) >> FIRST_WINDOW_ERROR_SHIFT > now.span + tsc.first.span;
        if (ticks >= max_ticks || (ticks >= min_ticks && good)) {
            return hz_between(&tsc.first, &now);
        }
        if (now.tsc > limit) {
            return 0;
        }
        cpu_pause();
    }
}

void x86_clock_calibrate(void)
{
    if (!tsc.from_cpuid) {
        uint64_t hz = first_hz();
        if (hz != 0) {
            set_hz(hz, tsc.ref_name);
        } else {
            log_error("clock",
                      "the %s does not run and CPUID names no TSC frequency: all times are "
                      "guesses",
                      tsc.ref_name);
            set_hz(TSC_HZ_GUESS, "guess");
        }
    }
    x86_apic_timer_measure_end();
}

static void refine(void)
{
    struct sample now = take_sample();
    uint64_t hz = hz_between(&tsc.first, &now);
    uint64_t off = hz > tsc.tsc_hz ? hz - tsc.tsc_hz : tsc.tsc_hz - hz;
    if (hz == 0) {
        log_warn("clock", "%s and TSC disagree; keeping %llu kHz by %s", tsc.ref_name,
                 (unsigned long long)(tsc.tsc_hz / 1000), tsc.source);
        return;
    }
    if (tsc.from_cpuid && off <= tsc.tsc_hz >> CPUID_TOLERANCE_SHIFT) {
        return;
    }
    if (tsc.from_cpuid) {
        log_warn("clock", "CPUID says TSC %llu kHz, the %s measures %llu kHz; using that",
                 (unsigned long long)(tsc.tsc_hz / 1000), tsc.ref_name,
                 (unsigned long long)(hz / 1000));
        tsc.from_cpuid = false;
    }
    log_debug("clock", "TSC %llu kHz, was %llu kHz", (unsigned long long)(hz / 1000),
              (unsigned long long)(tsc.tsc_hz / 1000));
    set_hz(hz, tsc.ref_name);
}

/* True when the reference does not come round to the first sample within that time. */
static bool ref_spans(uint64_t us) { return scale(us, tsc.ref_hz, US_PER_S) < tsc.ref_mask; }

static void refine_fiber(void *arg)
{
    (void)arg;
    static const uint32_t windows_us[] = {20000, 200000, 2000000};
    for (size_t i = 0; i < ARRAY_SIZE(windows_us); i++) {
        fiber_sleep_us(windows_us[i]);
        uint64_t since_us = x86_clock_ticks_ns(cpu_tsc() - tsc.first.tsc) / NS_PER_US;
        /* Half again: the frequency known so far may be off, and the fiber may run late. */
        if (ref_spans(since_us + since_us / 2)) {
            refine();
        }
    }
}

void x86_clock_start(void)
{
    if (fiber_spawn("clock", refine_fiber, NULL, KIB(16)) == NULL) {
        log_warn("clock", "no memory to measure the clock again; it keeps its first estimate");
    }
}
