/* SPDX-License-Identifier: MIT */
/*
 * Memory that the GSP can write is read once: what is checked is what is used. Every access to a
 * watched page is seen: the page is closed, an access faults and is written down, runs as a single
 * step with the page open, and the page is closed again. x86-64 Linux only, as the appliance is.
 */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE 1 /* REG_EFL */
#endif
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cmocka.h>

#include "arch/mmio.h"
#include "gsp/gpu.h"
#include "gsp/rpc/queue.h"

#define TRAP_FLAG    0x100
#define FAULT_WRITES 2 /* bit of the error code */
#define SEEN_MAX     65536u

static struct {
    uint8_t *base;
    size_t bytes;
    struct {
        uint32_t off;
        bool write;
    } seen[SEEN_MAX];
    uint32_t count;
} watch;

static void on_fault(int sig, siginfo_t *info, void *context)
{
    ucontext_t *c = context;
    const uintptr_t at = (uintptr_t)info->si_addr, base = (uintptr_t)watch.base;

    (void)sig;
    if (at < base || at - base >= watch.bytes || watch.count == SEEN_MAX) {
        _Exit(99); /* a real one */
    }
    watch.seen[watch.count].off = (uint32_t)(at - base);
    watch.seen[watch.count++].write = (c->uc_mcontext.gregs[REG_ERR] & FAULT_WRITES) != 0;
    mprotect(watch.base, watch.bytes, PROT_READ | PROT_WRITE);
    c->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void on_step(int sig, siginfo_t *info, void *context)
{
    ucontext_t *c = context;

    (void)sig;
    (void)info;
    c->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    mprotect(watch.base, watch.bytes, PROT_NONE);
}

static struct sigaction old_segv, old_trap;
static void watch_begin(uint8_t *base, size_t bytes)
{
    struct sigaction a = {.sa_flags = SA_SIGINFO};

    watch.base = base;
    watch.bytes = bytes;
    watch.count = 0;
    a.sa_sigaction = on_fault;
    sigaction(SIGSEGV, &a, &old_segv);
    a.sa_sigaction = on_step;
    sigaction(SIGTRAP, &a, &old_trap);
    mprotect(base, bytes, PROT_NONE);
}
static void watch_end(void)
{
    mprotect(watch.base, watch.bytes, PROT_READ | PROT_WRITE);
    sigaction(SIGSEGV, &old_segv, NULL);
    sigaction(SIGTRAP, &old_trap, NULL);
}

/* Reads that begin in [from, from + size). No two begin at the same place: nothing is read again.
 */
static unsigned reads_of(uint32_t from, uint32_t size)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < watch.count; i++) {
        if (watch.seen[i].write || watch.seen[i].off < from || watch.seen[i].off - from >= size) {
            continue;
        }
        n++;
        for (uint32_t k = 0; k < i; k++) {
            if (!watch.seen[k].write && watch.seen[k].off == watch.seen[i].off) {
                fail_msg("offset 0x%x is read twice", watch.seen[i].off);
            }
        }
    }
    return n;
}

/* ---- the rings ---- */

static struct gsp_queue q;
static uint8_t *region, *buf;
static uint32_t seq;

static int setup(void **state)
{
    static const uint32_t h[8] = {0, 0x40000, 4096, 63, 0, 1, 0x20, 4096};
    (void)state;
    region = mmap(NULL, GSP_QUEUE_REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                  -1, 0);
    assert_true(region != MAP_FAILED);
    buf = malloc(GSP_MSG_MAX_BYTES);
    seq = 0;
    gsp_queue_init(&q, region, (struct bus_addr){.raw = 0x1000}, &gsp_layout_570_144, false, NULL,
                   NULL);
    for (unsigned i = 0; i < 8; i++) {
        put_le32(region + GSP_QUEUE_STAT_OFFSET + 4 * i, h[i]);
    }
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    munmap(region, GSP_QUEUE_REGION_BYTES);
    free(buf);
    return 0;
}

static void gsp_sends(uint32_t slot, uint32_t payload)
{
    uint8_t *m = region + GSP_QUEUE_STAT_OFFSET + 4096 + (size_t)slot * 4096;
    const uint32_t slots = (80 + payload + 4095) / 4096;

    memset(m, 0, 80 + (size_t)payload);
    put_le32(m + 0x24, seq++);
    put_le32(m + 0x28, slots);
    put_le32(m + 0x30, 0x03000000);
    put_le32(m + 0x34, 0x43505256);
    put_le32(m + 0x38, 32 + payload);
    put_le32(m + 0x3c, 0x1001);
    put_le32(m + 0x20, gsp_msg_checksum(m, 80 + payload));
    put_le32(region + GSP_QUEUE_STAT_OFFSET + 0x10, slot + slots);
}

/* Everything of a message and of the pointers, over two messages: the status ring's header is
 * looked at with the first one. */
static void a_message_is_read_once(void **state)
{
    const uint32_t head = 0, slot0 = 4096, payloads[] = {0, 4, 200, 5000, 65456};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(payloads); i++) {
        struct gsp_msg m;
        bool got = false;
        teardown(state);
        setup(state);
        for (uint32_t n = 0; n < 2; n++) {
            const uint32_t at = n * 16; /* slot */
            q.stat_read = at;
            gsp_sends(at, payloads[i]);
            watch_begin(region + GSP_QUEUE_STAT_OFFSET, GSP_QUEUE_BYTES);
            const enum fl_err err = gsp_queue_receive(&q, buf, &m, &got, NULL);
            watch_end();
            assert_int_equal(err, FL_OK);
            assert_true(got && m.payload_size == payloads[i]);
            /* The pointer is looked at, and once more with the header the first time. */
            assert_in_range(watch.count, 3, SEEN_MAX - 1);
            if (n == 1) {
                assert_int_equal(reads_of(head, 4096), 1);
            }
            assert_in_range(reads_of(slot0 + at * 4096, 80), 2, 20);
            assert_in_range(reads_of(slot0 + at * 4096 + 80, payloads[i]), payloads[i] > 0, 20000);
            for (uint32_t k = 0; k < watch.count; k++) {
                assert_false(watch.seen[k].write); /* and it is not ours to write */
            }
        }
    }
}

/* The header of the ring itself: its eight words, as one copy. */
static void ring_header_is_copied_once(void **state)
{
    struct gsp_msg m;
    bool got = false;
    uint32_t firsts = 0;
    (void)state;
    gsp_sends(0, 4);
    watch_begin(region + GSP_QUEUE_STAT_OFFSET, 4096);
    const enum fl_err err = gsp_queue_receive(&q, buf, &m, &got, NULL);
    watch_end();
    assert_true(err == FL_OK && got);
    for (uint32_t i = 0; i < watch.count; i++) {
        firsts += watch.seen[i].off == 0;
    }
    assert_int_equal(firsts, 1);
    assert_in_range(watch.count, 2, 1 + 8); /* the pointer, and the copy */
}

/* Where there is no message, one load tells. */
static void looking_costs_one_load(void **state)
{
    struct gsp_msg m;
    bool got = true;
    (void)state;
    watch_begin(region + GSP_QUEUE_STAT_OFFSET, GSP_QUEUE_BYTES);
    const enum fl_err err = gsp_queue_receive(&q, buf, &m, &got, NULL);
    const bool pending = gsp_queue_pending(&q);
    watch_end();
    assert_true(err == FL_OK && !got && !pending);
    assert_int_equal(watch.count, 2);
    assert_int_equal(watch.seen[0].off, 0x10);
    assert_int_equal(watch.seen[1].off, 0x10);
}

/* Sending looks at the GSP's read pointer once, and never at what was sent. */
static void sending_reads_one_word(void **state)
{
    const struct gsp_piece piece = {"12345678", 8};
    (void)state;
    watch_begin(region, GSP_QUEUE_REGION_BYTES);
    const enum fl_err err = gsp_queue_send(&q, 76, 1, &piece, 1, NULL);
    watch_end();
    assert_int_equal(err, FL_OK);
    assert_int_equal(reads_of(0, GSP_QUEUE_REGION_BYTES), 1);
    assert_int_equal(reads_of(GSP_QUEUE_STAT_OFFSET + 0x20, 4), 1);
}

/* ---- the log buffers ---- */

static void logs_are_read_once(void **state)
{
    static struct gsp_gpu g;
    uint64_t offset = 0;
    (void)state;
    g.log[GSP_LOG_RM] = (struct dma_buf){.cpu = region, .size = GSP_LOG_BYTES};
    put_le64(region, 77);
    watch_begin(region, GSP_LOG_BYTES);
    const uint64_t put = gsp_log_put(&g, GSP_LOG_RM);
    watch_end();
    assert_int_equal(put, 77);
    assert_int_equal(watch.count, 1);
    watch_begin(region, GSP_LOG_BYTES);
    const size_t n = gsp_log_read(&g, GSP_LOG_RM, &offset, buf, 4096);
    watch_end();
    assert_int_equal(n, 4096);
    assert_in_range(reads_of(0, GSP_LOG_BYTES), 1, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(a_message_is_read_once), T(ring_header_is_copied_once), T(looking_costs_one_load),
        T(sending_reads_one_word), T(logs_are_read_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
