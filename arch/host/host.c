/* SPDX-License-Identifier: MIT */
/* The rest of the machine as a process: RAM, stacks, hand-off, randomness, panics. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE 1 /* mmap flags, getrandom, clock_gettime */
#endif
#include "arch/host/host.h"

#include <errno.h>
#include <execinfo.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "arch/acpi.h"
#include "arch/asan.h"
#include "arch/fail_point.h"
#include "arch/fiber.h"
#include "arch/fiber_arch.h"
#include "arch/fiber_priv.h"
#include "arch/host/host_priv.h"
#include "arch/log.h"

/* Where RAM is put, so that addresses are the same in every run. Both lie in what AddressSanitizer
 * leaves to the program on x86-64 (below 2 GiB, above 16 TiB), and high RAM needs 46 bits, as a
 * large server does. Taken addresses fall back to wherever the kernel likes. */
#define RAM_LOW_BASE      UINT64_C(0x20000000)
#define RAM_HIGH_BASE     UINT64_C(0x200000000000)
#define RAM_RANGES        2u
#define HANDOFF_FILES_MAX 64u
#define ECAM_MAX          8u
#define PANIC_TEXT_MAX    4608u
#define BACKTRACE_MAX     48

static struct {
    struct {
        uint8_t *base; /* owned mapping */
        uint64_t size;
    } ram[RAM_RANGES];
    bool ram_ready;
    const struct range *reported; /* borrowed; NULL: all RAM */
    size_t reported_count;
    struct fl_handoff handoff;
    struct fl_file files[HANDOFF_FILES_MAX];
    struct machine_ecam ecam[ECAM_MAX];
    size_t ecam_count;
    const struct acpi_info *acpi;             /* borrowed; NULL: none */
    const struct host_pci_port_ops *port_ops; /* borrowed */
    void *port_ctx;
    uint64_t fail_alloc; /* allocations until the one that fails, 0 = none */
    uint64_t random_state;
    bool random_fail;
    uint32_t power_offs, resets;
    sigjmp_buf *panic_jump; /* set while host_expect_panic runs */
    char panic_text[PANIC_TEXT_MAX];
    uint64_t log_cursor;
} host;

/* ---- RAM ---- */

static uint8_t *map_at(uint64_t want, uint64_t size)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

    if (size == 0) {
        return NULL;
    }
    /* Addresses of devices' memory are numbers in this house: the conversion is the point. */
    void *p = mmap((void *)(uintptr_t)want, size, PROT_READ | PROT_WRITE,
                   flags | MAP_FIXED_NOREPLACE, -1, 0);
    if (p == MAP_FAILED) {
        p = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, -1, 0);
    }
    if (p == MAP_FAILED) {
        fprintf(stderr, "host: no %llu bytes for RAM: %s\n", (unsigned long long)size,
                strerror(errno));
        abort();
    }
    return p;
}

void host_ram_configure(uint64_t low_bytes, uint64_t high_bytes)
{
    const uint64_t wanted[RAM_RANGES] = {low_bytes, high_bytes};
    const uint64_t bases[RAM_RANGES] = {RAM_LOW_BASE, RAM_HIGH_BASE};

    for (size_t i = 0; i < RAM_RANGES; i++) {
        FL_ASSERT(is_aligned_u64(wanted[i], FL_PAGE_SIZE));
        if (host.ram[i].base != NULL) {
            asan_allow(host.ram[i].base, host.ram[i].size);
            (void)munmap(host.ram[i].base, host.ram[i].size);
        }
        host.ram[i].base = map_at(bases[i], wanted[i]);
        host.ram[i].size = wanted[i];
    }
    host.ram_ready = true;
    host.reported = NULL;
}

static void ram_ensure(void)
{
    if (!host.ram_ready) {
        host_ram_configure(HOST_RAM_LOW_BYTES, HOST_RAM_HIGH_BYTES);
    }
}

static struct range ram_at(size_t i)
{
    return (struct range){(uintptr_t)host.ram[i].base, host.ram[i].size};
}

size_t machine_ram(struct range *out, size_t max)
{
    size_t count = 0;

    ram_ensure();
    if (host.reported != NULL) {
        for (size_t i = 0; i < host.reported_count && i < max; i++) {
            out[i] = host.reported[i];
        }
        return host.reported_count;
    }
    for (size_t i = 0; i < RAM_RANGES; i++) {
        if (host.ram[i].size != 0) {
            if (count < max) {
                out[count] = ram_at(i);
            }
            count++;
        }
    }
    return count;
}

void host_ram_report(const struct range *ranges, size_t count)
{
    host.reported = ranges;
    host.reported_count = count;
}

void *host_dma_ptr(uint64_t bus, size_t *len)
{
    ram_ensure();
    for (size_t i = 0; i < RAM_RANGES; i++) {
        struct range r = ram_at(i);
        if (range_contains(r, bus)) {
            *len = (size_t)min_u64(*len, range_left(r, bus));
            return host.ram[i].base + (bus - r.base);
        }
    }
    return NULL;
}

bool host_ram_overlaps(uint64_t base, uint64_t size)
{
    for (size_t i = 0; i < RAM_RANGES; i++) {
        if (range_overlaps(ram_at(i), (struct range){base, size})) {
            return true;
        }
    }
    return false;
}

/* ---- stacks ---- */

void *arch_stack_alloc(uint64_t bytes)
{
    if (fail_point_alloc()) {
        return NULL;
    }
    uint8_t *p = mmap(NULL, bytes + FL_PAGE_SIZE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        return NULL;
    }
    if (mprotect(p, FL_PAGE_SIZE, PROT_NONE) != 0) {
        (void)munmap(p, bytes + FL_PAGE_SIZE);
        return NULL;
    }
    return p + FL_PAGE_SIZE;
}

void arch_stack_free(void *base, uint64_t bytes)
{
    (void)munmap((uint8_t *)base - FL_PAGE_SIZE, bytes + FL_PAGE_SIZE);
}

/* ---- failures on purpose ---- */

uint64_t host_fail_alloc_at(uint64_t n)
{
    uint64_t left = host.fail_alloc;

    host.fail_alloc = n;
    return left;
}

bool fail_point_alloc(void)
{
    if (host.fail_alloc == 0) {
        return false;
    }
    host.fail_alloc--;
    return host.fail_alloc == 0;
}

void host_random_seed(uint64_t seed) { host.random_state = seed; }
void host_random_fail(bool fail) { host.random_fail = fail; }

/* SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): constants from the paper. */
static uint64_t random_next(void)
{
    host.random_state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = host.random_state;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

enum fl_err machine_random(void *buf, size_t n)
{
    uint8_t *p = buf;

    if (host.random_fail) {
        return FL_ENOTSUP;
    }
    if (host.random_state != 0) {
        for (size_t i = 0; i < n; i++) {
            p[i] = (uint8_t)random_next();
        }
        return FL_OK;
    }
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return FL_ENOTSUP;
        }
        p += got;
        n -= (size_t)got;
    }
    return FL_OK;
}

/* ---- panics ---- */

void machine_panic(const char *fmt, ...)
{
    void *frames[BACKTRACE_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(host.panic_text, sizeof(host.panic_text), fmt, args);
    va_end(args);
    if (host.panic_jump != NULL) {
        fiber_escape_leave();
        siglongjmp(*host.panic_jump, 1);
    }
    fprintf(stderr, "panic in fiber \"%s\" at %llu us: %s\n", fiber_name(),
            (unsigned long long)(host_clock_peek_ns() / NS_PER_US), host.panic_text);
    int count = backtrace(frames, BACKTRACE_MAX);
    backtrace_symbols_fd(frames, count, 2);
    abort();
}

bool host_expect_panic(void (*fn)(void *arg), void *arg, char *text, size_t size)
{
    sigjmp_buf jump;
    sigjmp_buf *outer = host.panic_jump;

    if (size > 0) {
        text[0] = '\0';
    }
    if (sigsetjmp(jump, 0) == 0) {
        host.panic_jump = &jump;
        fn(arg);
        host.panic_jump = outer;
        return false;
    }
    fiber_escape_arrive();
    host_irq_force_on();
    host.panic_jump = outer;
    if (size > 0) {
        (void)snprintf(text, size, "%s", host.panic_text);
    }
    return true;
}

/* ---- hand-off, configuration space, power ---- */

static void handoff_reset(void)
{
    memset(&host.handoff, 0, sizeof(host.handoff));
    memset(host.files, 0, sizeof(host.files));
    host.handoff.magic = FL_HANDOFF_MAGIC;
    host.handoff.version = FL_HANDOFF_VERSION;
    host.handoff.size = sizeof(host.handoff);
    host.handoff.files = (uintptr_t)host.files;
}

struct fl_handoff *host_handoff(void)
{
    if (host.handoff.magic == 0) {
        handoff_reset();
    }
    return &host.handoff;
}

const struct fl_handoff *machine_handoff(void) { return host_handoff(); }

void host_handoff_add_file(const char *path, const void *data, uint64_t size, uint32_t state)
{
    struct fl_handoff *h = host_handoff();

    FL_ASSERT(h->file_count < HANDOFF_FILES_MAX && strlen(path) < FL_FILE_NAME_MAX);
    struct fl_file *f = &host.files[h->file_count++];
    memset(f, 0, sizeof(*f));
    memcpy(f->path, path, strlen(path));
    f->address = (uintptr_t)data;
    f->size = size;
    f->dir_size = size;
    f->state = state;
    f->room = align_up_u64(size, FL_PAGE_SIZE);
}

void host_ecam_set(const struct machine_ecam *ecam, size_t count)
{
    FL_ASSERT(count <= ECAM_MAX);
    for (size_t i = 0; i < count; i++) {
        host.ecam[i] = ecam[i];
    }
    host.ecam_count = count;
}

size_t machine_ecam(struct machine_ecam *out, size_t max)
{
    for (size_t i = 0; i < host.ecam_count && i < max; i++) {
        out[i] = host.ecam[i];
    }
    return host.ecam_count;
}

void host_pci_port_set(const struct host_pci_port_ops *ops, void *ctx)
{
    host.port_ops = ops;
    host.port_ctx = ctx;
}

bool machine_pci_port_available(void) { return host.port_ops != NULL; }

uint32_t machine_pci_port_read(uint8_t bus, uint8_t devfn, uint16_t off, unsigned size)
{
    FL_ASSERT(host.port_ops != NULL);
    return host.port_ops->read(host.port_ctx, bus, devfn, off, size);
}

void machine_pci_port_write(uint8_t bus, uint8_t devfn, uint16_t off, unsigned size, uint32_t v)
{
    FL_ASSERT(host.port_ops != NULL);
    host.port_ops->write(host.port_ctx, bus, devfn, off, size, v);
}

void machine_power_off(void) { host.power_offs++; }
void machine_reset(void) { host.resets++; }
uint32_t host_power_off_count(void) { return host.power_offs; }
uint32_t host_reset_count(void) { return host.resets; }
const char *machine_name(void) { return "host process"; }

struct machine_heap machine_heap(void) { return (struct machine_heap){.total = 0}; }

void host_set_acpi(const struct acpi_info *acpi) { host.acpi = acpi; }

const struct acpi_info *machine_acpi(void)
{
    static const struct acpi_info none = {.cpus = 1};
    return host.acpi != NULL ? host.acpi : &none;
}

/* ---- the whole ---- */

static void print_log(void)
{
    struct log_entry entry;
    char line[LOG_LINE_MAX + 64];

    while (log_read(&host.log_cursor, &entry, NULL)) {
        (void)log_format(&entry, line, sizeof(line));
        fputs(line, stderr);
    }
}

void host_log_to_stderr(bool on) { log_set_notify(on ? print_log : NULL); }

void host_reset(void)
{
    fiber_reset();
    host_clock_reset();
    host_irq_reset();
    host_mmio_reset();
    handoff_reset();
    host.ecam_count = 0;
    host.port_ops = NULL;
    host.fail_alloc = 0;
    host.random_state = 0;
    host.random_fail = false;
    host.power_offs = 0;
    host.resets = 0;
}
