/* SPDX-License-Identifier: MIT */
/*
 * The machine as a Linux process: what a test may set and see. The headers of arch/ stand on this;
 * code that is not a test never includes it.
 *
 * Everything happens on one thread. An "interrupt" is a call of the handler: at once when
 * interrupts are on, else when they come back on.
 */
#pragma once

#include "arch/base.h"
#include "arch/handoff.h"
#include "arch/irq.h"
#include "arch/machine.h"
#include "arch/mmio.h"

/* Puts the process back to its start, from outside of any fiber: no fibers, virtual clock at 0, no
 * hooks, no interrupts, no MMIO regions, no ECAM, empty hand-off, no planned failures. RAM keeps
 * its contents and its owners; the graph of the lock order and the log stay. */
void host_reset(void);

/* ---- time (clock.c) ----
 * Virtual: stands still but for a small step per reading (so that a loop that only polls ends) and
 * for the jumps of an idle core to the next deadline. Starts at 0. */
#define HOST_CLOCK_STEP_NS 50u /* default; 0 makes runs depend on waits alone */
void host_clock_use_real(void);
void host_clock_use_virtual(void);
void host_clock_set(uint64_t ns);
void host_clock_advance(uint64_t ns);
void host_clock_set_step(uint64_t ns);
void host_clock_set_unix(uint64_t boot_unix_s); /* for clock_boot_unix_s() */
/* The time without the step: what the next reading would return minus the step. */
uint64_t host_clock_peek_ns(void);

/* Things that live beside the fibers: a model. The hook does what is due and returns when it wants
 * to be called again (clock_now_ns() scale; 0: at once, UINT64_MAX: not before something else
 * happens). Hooks run between any two fibers and before time jumps; a jump ends at the earliest of
 * all deadlines and hooks. When nothing will ever happen and somebody still waits, the process
 * panics with a list of who waits for what. At most HOST_HOOKS_MAX. */
#define HOST_HOOKS_MAX 16u
void host_idle_hook(uint64_t (*hook)(void *ctx), void *ctx);
void host_idle_unhook(uint64_t (*hook)(void *ctx), void *ctx);

/* ---- memory (host.c) ----
 * RAM is two ranges, as on a PC: one below 4 GiB and one far above. Pointer == physical == bus. */
#define HOST_RAM_LOW_BYTES  MIB(64)
#define HOST_RAM_HIGH_BYTES MIB(192)
/* Another size (page multiples, either may be 0): unmaps the old RAM, maps new, zeroed. The caller
 * then calls ram_init() (mm/ram.h) again. */
void host_ram_configure(uint64_t low_bytes, uint64_t high_bytes);
/* What machine_ram() says instead of all RAM: any parts of it, in any order, as odd as firmware can
 * be. Borrowed until host_ram_configure() or NULL. */
void host_ram_report(const struct range *ranges, size_t count);
/* A pointer to bus address bus, when [bus, bus + *len) begins in RAM; shortens *len where the range
 * ends. NULL when it is not RAM. For the bus of a model. */
void *host_dma_ptr(uint64_t bus, size_t *len);

/* ---- failures on purpose ----
 * The n-th allocation of pages or of a stack from now fails (1 = the next), the ones after it work
 * again; 0 = none. Returns what was left of an earlier plan, 0 when it has happened. */
uint64_t host_fail_alloc_at(uint64_t n);
/* machine_random gives a fixed sequence from this seed; 0 = the kernel's randomness again. */
void host_random_seed(uint64_t seed);
void host_random_fail(bool fail); /* FL_ENOTSUP */

/* ---- panics ---- */
/* Runs fn(arg) and says whether it panicked; text gets the words. fn may run fibers. State of the
 * code that panicked is lost: call host_reset() after it. */
bool host_expect_panic(void (*fn)(void *arg), void *arg, char *text, size_t size);

/* ---- machine ---- */
struct fl_handoff *host_handoff(void); /* writable; what machine_handoff() returns */
/* A file in the hand-off, as the stub would have loaded it; data is borrowed. At most 64. */
void host_handoff_add_file(const char *path, const void *data, uint64_t size, uint32_t state);
void host_ecam_set(const struct machine_ecam *ecam, size_t count); /* copied, at most 8 */
/* What machine_acpi() returns; borrowed. NULL: nothing, as at the start. */
struct acpi_info;
void host_set_acpi(const struct acpi_info *acpi);
/* Port I/O configuration cycles; NULL: not available. Borrowed. */
struct host_pci_port_ops {
    uint32_t (*read)(void *ctx, uint8_t bus, uint8_t devfn, uint16_t off, unsigned size);
    void (*write)(void *ctx, uint8_t bus, uint8_t devfn, uint16_t off, unsigned size, uint32_t v);
};
void host_pci_port_set(const struct host_pci_port_ops *ops, void *ctx);
/* How often power-off and reset were asked for. A process just returns from them. */
uint32_t host_power_off_count(void);
uint32_t host_reset_count(void);

/* ---- registers (mmio.c) ---- */
/* mmio_map() of a part of [base, base + size) reaches ops; outside of all regions it fails with
 * FL_ENOENT. ctx and ops are borrowed until host_reset(). At most 64. */
void host_mmio_register(uint64_t base, uint64_t size, const struct mmio_ops *ops, void *ctx);

/* ---- interrupts (irq.c) ---- */
#define HOST_MSI_ADDRESS UINT64_C(0xfee00000)
void host_irq_raise(uint32_t vector);
/* The message as a device writes it. False when nobody asked for such a message. */
bool host_irq_raise_msi(uint64_t address, uint32_t data);
bool host_irq_enabled(void);

/* Copies log lines to stderr as they come (tests that want to be read). */
void host_log_to_stderr(bool on);
