/* SPDX-License-Identifier: MIT */
/*
 * Configuration cycles by port, and randomness from the CPU.
 *
 * Sources: PCI Local Bus 3.0 section 3.2.2.3.2 (configuration mechanism); Intel SDM volume 1,
 * section 7.3.17 (RDRAND, RDSEED: carry says whether the value is good, and how often to try).
 */
#include <string.h>

#include "arch/fiber_arch.h"
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
    bool known, rdrand, rdseed;
} cpu_random;

static void find_sources(void)
{
    cpu_random.known = true;
    cpu_random.rdrand = (cpu_id(1, 0).ecx & CPUID1_ECX_RDRAND) != 0;
    cpu_random.rdseed = cpu_id_max(0) >= 7 && (cpu_id(7, 0).ebx & CPUID7_EBX_RDSEED) != 0;
}

/* All ones and all zeros with the carry set is how known-broken parts answer; a good one says so
 * once in 2^63. */
static bool plausible(uint64_t v) { return v != 0 && v != UINT64_MAX; }

bool x86_random_word(uint64_t *out)
{
    bool carry;
    if (!cpu_random.known) {
        find_sources();
    }
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

enum fl_err machine_random(void *buf, size_t n)
{
    uint8_t *p = buf;
    uint64_t word, last = 0;
    while (n > 0) {
        if (!x86_random_word(&word) || word == last) {
            memset(buf, 0, (size_t)(p - (uint8_t *)buf)); /* half a secret is none */
            return FL_ENOTSUP;
        }
        last = word;
        size_t take = n < sizeof(word) ? n : sizeof(word);
        memcpy(p, &word, take);
        p += take;
        n -= take;
    }
    return FL_OK;
}
