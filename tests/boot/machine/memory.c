/* SPDX-License-Identifier: MIT */
/* RAM, the heap, device mappings that must be refused, randomness, and the log's ring. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/log.h"
#include "arch/machine.h"
#include "arch/mmio.h"
#include "arch/x86_64/x86_priv.h"
#include "tests/boot/machine/case.h"

enum { RANGES_MAX = 64, RANDOM_BYTES = 32 };

static unsigned long long ull(uint64_t v) { return v; }

/* The machine's contract: whole pages, in order, apart from each other and from what is in use. */
static void check_ram(void)
{
    struct range r[RANGES_MAX];
    const struct fl_handoff *h = machine_handoff();
    const uint64_t used[] = {h->kernel_phys, (uintptr_t)h, h->mem, h->config};
    size_t n = machine_ram(r, RANGES_MAX);
    uint64_t end = MIB(1), total = 0, bad = 0;
    for (size_t i = 0; i < n && i < RANGES_MAX; i++) {
        uint64_t base = r[i].base;
        bad += !is_aligned_u64(base | r[i].size, FL_PAGE_SIZE) || base < end || r[i].size == 0;
        for (size_t k = 0; k < ARRAY_SIZE(used); k++) {
            bad += used[k] - base < r[i].size;
        }
        end = base + r[i].size;
        total += r[i].size;
        /* Identity mapped and really there, at both ends. */
        volatile uint64_t *first = (volatile uint64_t *)(uintptr_t)base;
        volatile uint64_t *last = (volatile uint64_t *)(uintptr_t)(end - sizeof(*last));
        *first = base;
        *last = ~base;
        bad += *first != base || *last != ~base;
    }
    CHECK("ram", n > 0 && n <= RANGES_MAX && bad == 0, "%llu of %llu ranges are bad", ull(bad),
          ull(n));
    CHECK("ram-total", total > MIB(64) && total < MIB(1024), "%llu MiB", ull(total / MIB(1)));
}

static void check_heap(void)
{
    uint8_t *p = malloc(MIB(1));
    bool good = p != NULL && is_aligned_u64((uintptr_t)p, 16);
    if (good) {
        memset(p, 0xa5, MIB(1));
        good = p[0] == 0xa5 && p[MIB(1) - 1] == 0xa5;
    }
    CHECK("heap", good, "malloc(1 MiB) gives %p", (void *)p);
    free(p);
    volatile size_t too_much = GIB(2);
    p = malloc(too_much);
    CHECK("heap-end", p == NULL, "malloc(2 GiB) gives %p", (void *)p);
    free(p);
}

static void check_mmio(void)
{
    struct range r[RANGES_MAX];
    size_t n = machine_ram(r, RANGES_MAX);
    uint64_t limit = 1ull << x86_phys_bits();
    struct range last = r[n > 0 && n <= RANGES_MAX ? n - 1 : 0];
    const struct {
        const char *name;
        uint64_t base, size;
    } refused[] = {
        {"mmio-over-ram", r[0].base, FL_PAGE_SIZE},
        {"mmio-over-last-byte", last.base + last.size - 1, 1},
        {"mmio-into-ram", last.base - FL_PAGE_SIZE, GIB(2)},
        {"mmio-over-kernel", machine_handoff()->kernel_phys, FL_PAGE_SIZE},
        {"mmio-page-0", 0, FL_PAGE_SIZE},
        {"mmio-empty", limit / 2, 0},
        {"mmio-beyond", limit - FL_PAGE_SIZE, 2 * FL_PAGE_SIZE},
        {"mmio-wraps", UINT64_MAX - FL_PAGE_SIZE + 1, 2 * FL_PAGE_SIZE},
    };
    struct mmio m;
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        enum fl_err err =
            mmio_map((struct phys_addr){refused[i].base}, refused[i].size, MMIO_UNCACHED, &m);
        CHECK(refused[i].name, err == FL_EINVAL, "0x%llx + 0x%llx: %s", ull(refused[i].base),
              ull(refused[i].size), fl_err_name(err));
    }
    struct mmio again;
    const struct phys_addr nothing = {limit / 2 + 0x1234000};
    bool mapped = mmio_map(nothing, MIB(4), MMIO_UNCACHED, &m) == FL_OK &&
                  mmio_map(nothing, MIB(4), MMIO_UNCACHED, &again) == FL_OK;
    CHECK("mmio-twice", mapped && m.base == again.base && m.size == again.size, "it differs");
    CHECK("mmio-identity", mapped && (uintptr_t)m.base == nothing.raw, "%p",
          (void *)(uintptr_t)m.base);
}

static unsigned bits_set(const uint8_t *p, size_t n)
{
    unsigned bits = 0;
    for (size_t i = 0; i < n * 8; i++) {
        bits += p[i / 8] >> i % 8 & 1;
    }
    return bits;
}

extern uintptr_t __stack_chk_guard;
#define GUARD_WITHOUT_RANDOM 0x595fa15c0ffee100ull /* arch/x86_64/start.c */

static void check_random(void)
{
    uint8_t a[RANDOM_BYTES + 1], b[RANDOM_BYTES] = {0};
    memset(a, 0xa5, sizeof(a));
    enum fl_err err = machine_random(a, RANDOM_BYTES);
    /* The pool has the firmware's seed, and nobody else. */
    const struct fl_handoff *h = machine_handoff();
    CHECK("seed-taken", (h->seed_bytes == sizeof(h->seed)) != case_poor_machine(), "%u bytes",
          h->seed_bytes);
    CHECK("seed-wiped", bits_set(h->seed, sizeof(h->seed)) == 0, "it still lies in the hand-off");
    if (case_poor_machine()) {
        CHECK("no-random", err == FL_ENOTSUP, "%s", fl_err_name(err));
        CHECK("guard", __stack_chk_guard == GUARD_WITHOUT_RANDOM, "no default guard");
        return;
    }
    CHECK("random", err == FL_OK && machine_random(b, RANDOM_BYTES) == FL_OK, "%s",
          fl_err_name(err));
    CHECK("random-bound", a[RANDOM_BYTES] == 0xa5, "one byte too many");
    CHECK("random-differs", memcmp(a, b, RANDOM_BYTES) != 0, "twice the same");
    /* 256 fair coins: outside of this range once in more than 2^50. */
    unsigned bits = bits_set(a, RANDOM_BYTES);
    CHECK("random-even", bits > 64 && bits < 192, "%u of 256 bits are set", bits);
    CHECK("guard", __stack_chk_guard != GUARD_WITHOUT_RANDOM && (__stack_chk_guard & 0xff) == 0,
          "the guard of the stacks is not random");
}

void case_memory(void)
{
    check_ram();
    check_heap();
    check_mmio();
    check_random();
}

/* --- the log --- */

/* Number of the next line that will be stored. */
static uint64_t log_end(void)
{
    static struct log_entry e;
    uint64_t cursor = 0;
    while (log_read(&cursor, &e, NULL)) {
    }
    return cursor;
}

void case_log(void)
{
    enum { BEYOND = 100 };
    static struct log_entry e;
    uint64_t lost = 0, cursor = log_end();

    log_info("test", "a\x1b[2Jb\nc\n");
    bool found = log_read(&cursor, &e, NULL);
    CHECK("log-printable", found && strcmp(e.text, "a?[2Jb c") == 0, "\"%s\"", e.text);
    cursor = log_end();
    printf("a line on stdout, %d\n", 7);
    found = log_read(&cursor, &e, NULL);
    CHECK("log-stdout", found && strcmp(e.text, "a line on stdout, 7") == 0, "\"%s\"", e.text);

    x86_console_emergency("", 0); /* so that no result is among what is lost */
    uint64_t first = log_end();
    cursor = first;
    for (unsigned i = 0; i < LOG_RING_LINES + BEYOND; i++) {
        log_info("ring", "%u", i);
    }
    uint64_t count = 0, bad = 0, last_us = 0;
    for (bool more = log_read(&cursor, &e, &lost); more; more = log_read(&cursor, &e, NULL)) {
        uint64_t expected = first + BEYOND + count;
        bad +=
            e.seq != expected || e.time_us < last_us || strtoul(e.text, NULL, 10) != BEYOND + count;
        last_us = e.time_us;
        count++;
    }
    CHECK("log-ring", count == LOG_RING_LINES && bad == 0, "%llu lines, %llu wrong", ull(count),
          ull(bad));
    CHECK("log-lost", lost == BEYOND, "%llu lines lost, expected %u", ull(lost), BEYOND);
}
