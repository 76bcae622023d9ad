/* SPDX-License-Identifier: MIT */
/*
 * Configuration cycles by port, and randomness from the CPU and the firmware.
 *
 * Sources: PCI Local Bus 3.0 section 3.2.2.3.2 (configuration mechanism); Intel SDM volume 1,
 * section 7.3.17 (RDRAND, RDSEED: carry says whether the value is good, and how often to try).
 */
#include <mbedtls/platform_util.h>

#include "arch/fiber_arch.h"
#include "arch/random.h"
#include "arch/x86_64/x86_priv.h"

/* --- configuration space by port --- */

enum { PCI_ADDRESS_PORT = 0xcf8, PCI_DATA_PORT = 0xcfc };
#define PCI_ADDRESS_ENABLE 0x80000000u
#define PCI_NOTHING        0xffffffffu
enum { PCI_PORT_SPACE_BYTES = 256 };

bool machine_pci_port_available(void)
{
    /* The address port exists when it keeps what is written to it. */
    uintptr_t irq = arch_irq_save();
    uint32_t old = cpu_in32(PCI_ADDRESS_PORT);
    cpu_out32(PCI_ADDRESS_PORT, PCI_ADDRESS_ENABLE);
    bool there = cpu_in32(PCI_ADDRESS_PORT) == PCI_ADDRESS_ENABLE;
    cpu_out32(PCI_ADDRESS_PORT, old);
    arch_irq_restore(irq);
    return there;
}

static uint16_t select(uint8_t bus, uint8_t devfn, uint16_t off)
{
    cpu_out32(PCI_ADDRESS_PORT,
              PCI_ADDRESS_ENABLE | (uint32_t)bus << 16 | (uint32_t)devfn << 8 | (off & 0xfcu));
    return (uint16_t)(PCI_DATA_PORT + (off & 3u));
}

static bool port_access_ok(uint16_t off, unsigned size)
{
    return off < PCI_PORT_SPACE_BYTES && (size == 1 || size == 2 || size == 4) &&
           is_aligned_u64(off, size);
}

uint32_t machine_pci_port_read(uint8_t bus, uint8_t devfn, uint16_t off, unsigned size)
{
    if (!port_access_ok(off, size)) {
        return PCI_NOTHING;
    }
    uintptr_t irq = arch_irq_save();
    uint16_t port = select(bus, devfn, off);
    uint32_t v = size == 1 ? cpu_in8(port) : (size == 2 ? cpu_in16(port) : cpu_in32(port));
    arch_irq_restore(irq);
    return v;
}

void machine_pci_port_write(uint8_t bus, uint8_t devfn, uint16_t off, unsigned size, uint32_t v)
{
    if (!port_access_ok(off, size)) {
        return;
    }
    uintptr_t irq = arch_irq_save();
    uint16_t port = select(bus, devfn, off);
    if (size == 1) {
        cpu_out8(port, (uint8_t)v);
    } else if (size == 2) {
        cpu_out16(port, (uint16_t)v);
    } else {
        cpu_out32(port, v);
    }
    arch_irq_restore(irq);
}

/* --- randomness --- */

#define CPUID1_ECX_RDRAND (1u << 30)
#define CPUID7_EBX_RDSEED (1u << 18)
/* RDSEED runs dry when asked quickly and is worth waiting for; RDRAND that fails ten times in a row
 * is broken. */
enum { RDSEED_TRIES = 100, RDRAND_TRIES = 10 };

static struct {
    bool rdrand, rdseed;
    bool cpu, firmware; /* what the pool was filled from */
    struct random_pool pool;
} cpu_random;

static void find_sources(void)
{
    cpu_random.rdrand = (cpu_id(1, 0).ecx & CPUID1_ECX_RDRAND) != 0;
    cpu_random.rdseed = cpu_id_max(0) >= 7 && (cpu_id(7, 0).ebx & CPUID7_EBX_RDSEED) != 0;
}

/* All ones and all zeros with the carry set is how known-broken parts answer; a good one says so
 * once in 2^63. */
static bool plausible(uint64_t v) { return v != 0 && v != UINT64_MAX; }

static bool random_word(uint64_t *out)
{
    bool carry;
    for (unsigned i = 0; cpu_random.rdseed && i < RDSEED_TRIES; i++) {
        __asm__ volatile("rdseed %0" : "=r"(*out), "=@ccc"(carry));
        if (carry && plausible(*out)) {
            return true;
        }
        cpu_pause();
    }
    for (unsigned i = 0; cpu_random.rdrand && i < RDRAND_TRIES; i++) {
        __asm__ volatile("rdrand %0" : "=r"(*out), "=@ccc"(carry));
        if (carry && plausible(*out)) {
            return true;
        }
    }
    return false;
}

static const struct random_sources sources = {.word = random_word, .ticks = cpu_tsc};

void x86_random_start(struct fl_handoff *h)
{
    find_sources();
    random_init(&cpu_random.pool, &sources);
    cpu_random.cpu = cpu_random.pool.bits >= RANDOM_FULL_BITS;
    uint32_t n = (uint32_t)min_u64(h->seed_bytes, sizeof(h->seed));
    cpu_random.firmware = n != 0;
    random_add_seed(&cpu_random.pool, h->seed, n);
    mbedtls_platform_zeroize(h->seed, sizeof(h->seed));
}

const char *x86_random_describe(void)
{
    if (cpu_random.cpu) {
        return cpu_random.firmware ? "CPU and firmware" : "CPU";
    }
    return cpu_random.firmware ? "firmware" : "nowhere";
}

enum fl_err machine_random(void *buf, size_t n) { return random_draw(&cpu_random.pool, buf, n); }
