/* SPDX-License-Identifier: MIT */
/*
 * What else a machine offers: memory to allocate from, configuration space, randomness, power,
 * panic. Everything is ready when the first fiber runs.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "arch/handoff.h"
#include "arch/range.h"

/* The hand-off of the boot stub (machine), or a test's (host). Never NULL; lives for ever. */
const struct fl_handoff *machine_handoff(void);

/* Free RAM for mm/: fills out with up to max ranges, returns how many there are. Identity mapped:
 * CPU pointer == physical address == bus address. Page aligned. */
size_t machine_ram(struct range *out, size_t max);

/* PCI configuration access as the machine offers it (pci/ builds on it). */
struct machine_ecam {
    uint16_t segment;
    uint8_t bus_first, bus_last;
    struct phys_addr base; /* of bus 0 of the segment */
};
/* From ACPI's MCFG; returns how many there are, 0 when there is no MCFG (then use port I/O). */
size_t machine_ecam(struct machine_ecam *out, size_t max);
/* Port I/O configuration cycles (0xcf8/0xcfc), first 256 bytes only. size 1, 2 or 4. */
bool machine_pci_port_available(void);
uint32_t machine_pci_port_read(uint8_t bus, uint8_t devfn, uint16_t off, unsigned size);
void machine_pci_port_write(uint8_t bus, uint8_t devfn, uint16_t off, unsigned size, uint32_t v);

/* n random bytes: from a pool that the CPU (RDSEED, RDRAND) and the firmware fill, or from the
 * host. FL_ENOTSUP, and buf all zeros, when there is no source. */
FL_MUST_CHECK enum fl_err machine_random(void *buf, size_t n);

/* ACPI S5 or platform reset; return only when it failed. */
void machine_power_off(void);
void machine_reset(void);

/* A broken invariant of ours: prints text, registers and a backtrace, then stops the machine
 * (host: abort). Never for hardware, firmware or network input. */
FL_NORETURN void machine_panic(const char *fmt, ...) FL_PRINTF(1, 2);
#define FL_ASSERT(cond)                                                                            \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            machine_panic("%s:%d: broken invariant: %s", __FILE__, __LINE__, #cond);               \
        }                                                                                          \
    } while (0)

/* The heap under malloc, bytes; 0 where the machine does not know. Looks at every free piece. */
struct machine_heap {
    uint64_t total, used;
};
struct machine_heap machine_heap(void);

/* What ACPI told at the start (arch/acpi.h). Never NULL; empty where there is none. */
struct acpi_info;
const struct acpi_info *machine_acpi(void);

/* Static text such as "QEMU Standard PC (Q35)"; "" when unknown. */
const char *machine_name(void);
