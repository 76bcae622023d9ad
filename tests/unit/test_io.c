/* SPDX-License-Identifier: MIT */
/* Register access: polls with deadlines, error patterns, a link that goes away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "gsp/hw/io.h"

#define CPUCTL (NV_PGSP_BASE + NV_PFALCON_FALCON_CPUCTL__OFFSET)
#define HALTED 0x10u

/* A device of two registers: BOOT_0 and all others. */
static struct {
    uint32_t boot0, value;
    uint32_t from; /* the read of `value` at which it becomes `then` */
    uint32_t then;
    unsigned reads, writes;
} dev;

static uint64_t dev_read(void *ctx, uint64_t off, unsigned size)
{
    (void)ctx;
    assert_int_equal(size, 4);
    if (off == NV_PMC_BOOT_0__OFFSET) {
        return dev.boot0;
    }
    return ++dev.reads >= dev.from && dev.from != 0 ? dev.then : dev.value;
}
static void dev_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
    (void)ctx;
    (void)off;
    (void)size;
    dev.value = (uint32_t)value;
    dev.writes++;
}
static const struct mmio_ops ops = {dev_read, dev_write};

static struct gsp_recorder rec;
static struct gsp_io io;
static struct fl_fail fail;

static int setup(void **state)
{
    (void)state;
    host_reset();
    memset(&dev, 0, sizeof(dev));
    dev.boot0 = 0xb72000a1;
    assert_true(gsp_recorder_init(&rec));
    rec.family = F_GA10X;
    io = (struct gsp_io){.bar0 = {.ops = &ops, .size = MIB(16)}, .rec = &rec, .size = MIB(16)};
    fail = (struct fl_fail){0};
    gsp_io_begin(&io, &fail);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    gsp_recorder_free(&rec);
    return 0;
}

static const struct wait wait_ms = {
    .what = "the core to halt", .hint = "turn it", .timeout_us = 10 * US_PER_MS, .step_us = 10};
static enum fl_err poll_err;
static uint32_t last;
static bool done;
static uint32_t poll_mask, poll_want;
static enum { POLL, POLL_PROGRAM, POLL_PROGRAM_MASK } poll_how;
static void poll_fiber(void *arg)
{
    (void)arg;
    switch (poll_how) {
    case POLL:
        poll_err = gsp_io_poll(&io, CPUCTL, poll_mask, poll_want, &wait_ms, &last, &fail);
        break;
    case POLL_PROGRAM:
        poll_err = gsp_io_poll_program(&io, CPUCTL, poll_mask, poll_want, &wait_ms, &fail);
        break;
    case POLL_PROGRAM_MASK:
        poll_err = gsp_io_poll_program_mask(&io, CPUCTL, poll_mask, &wait_ms, &fail);
        break;
    }
    done = true;
}
static bool is_done(void *arg)
{
    (void)arg;
    return done;
}
static enum fl_err poll(uint32_t mask, uint32_t want)
{
    poll_mask = mask;
    poll_want = want;
    done = false;
    assert_non_null(fiber_spawn("poll", poll_fiber, NULL, FIBER_STACK_DEFAULT));
    fiber_run(is_done, NULL);
    return poll_err;
}

static void poll_succeeds(void **state)
{
    (void)state;
    dev.value = HALTED;
    assert_int_equal(poll(HALTED, HALTED), FL_OK);
    assert_int_equal(dev.reads, 1); /* no more than needed */
    dev.value = 0;
    dev.reads = 0;
    dev.from = 5;
    dev.then = 0x50;
    assert_int_equal(poll(HALTED, HALTED), FL_OK);
    assert_int_equal(dev.reads, 5);
    assert_int_equal(last, 0x50);
    assert_int_equal(fail.err, FL_OK);
    assert_int_equal(io.reads, 6);
}

static void poll_times_out(void **state)
{
    (void)state;
    const uint64_t start = clock_now_us();
    assert_int_equal(poll(HALTED, HALTED), FL_ETIMEDOUT);
    const uint64_t took = clock_now_us() - start;
    assert_in_range(took, 10 * US_PER_MS, 12 * US_PER_MS);
    assert_in_range(fail.waited_us, 10 * US_PER_MS, took);
    /* Steps of 10, 20, 40 ... 1000, 1000: few reads for a long wait. */
    assert_in_range(dev.reads, 12, 20);
    assert_string_equal(fail.what, "NV_PFALCON_FALCON_CPUCTL@gsp");
    assert_non_null(strstr(fail.text, "waited 10 ms for the core to halt"));
    assert_non_null(strstr(fail.text, "0x00000000"));
    assert_string_equal(fail.hint, "turn it");
    assert_int_equal(fail.expected, HALTED);
}

/* A program's time is told from ours, whether it comes or not; hardware's is ours. */
static void waits_for_programs_are_counted(void **state)
{
    static const enum { COMES, COMES_NOT } ends[] = {COMES, COMES_NOT};
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(ends) * 3; i++) {
        const uint64_t start = clock_now_us();
        poll_how = (int)(i % 3);
        dev.value = dev.reads = 0;
        dev.from = ends[i / 3] == COMES ? 5 : 0;
        dev.then = HALTED;
        io.program_us = 7; /* it is a sum */
        assert_int_equal(poll(HALTED, HALTED), ends[i / 3] == COMES ? FL_OK : FL_ETIMEDOUT);
        const uint64_t took = clock_now_us() - start;
        assert_true(took >= 10 + 20 + 40 + 80);
        if (poll_how == POLL) {
            assert_int_equal(io.program_us, 7);
        } else {
            assert_in_range(io.program_us - 7, 10 + 20 + 40 + 80, took);
        }
    }
    poll_how = POLL;
}

/* 0xbadf1310 has the bit that is waited for, and means nothing of the kind. */
static void error_patterns_satisfy_nothing(void **state)
{
    (void)state;
    dev.value = 0xbadf1310;
    assert_int_equal(poll(HALTED, HALTED), FL_ETIMEDOUT);
    assert_non_null(strstr(fail.text, "target is fused off"));
    dev.value = 0xbadf5620; /* until the core is selected, measured */
    dev.from = dev.reads + 3;
    dev.then = HALTED;
    assert_int_equal(poll(HALTED, HALTED), FL_OK);
    dev.from = 0;
    dev.value = 0xbadf1100; /* a whole word that is asked for is taken as it is */
    assert_int_equal(poll(0xffffffff, 0xbadf1100), FL_OK);
}

static void names_of_errors(void **state)
{
    (void)state;
    assert_null(gsp_io_pri_error(0));
    assert_null(gsp_io_pri_error(0xffffffff));
    assert_true(gsp_io_no_value(0xffffffff));
    assert_true(gsp_io_no_value(0xbadf1100));
    assert_false(gsp_io_no_value(0xfffffffe));
    assert_null(gsp_io_pri_error(0xbac00000));
    assert_string_equal(gsp_io_pri_error(0xbadf1100), "no such register");
    assert_string_equal(gsp_io_pri_error(0xbadf5040), "privilege violation");
    assert_string_equal(gsp_io_pri_error(0xbad00100), "host PRI timeout");
    assert_string_equal(gsp_io_pri_error(0xbadfffff), "PRI error");
}

static void all_ones(void **state)
{
    (void)state;
    dev.value = 0xffffffff; /* alive: just a value */
    assert_int_equal(gsp_io_read(&io, CPUCTL), 0xffffffff);
    assert_int_equal(gsp_io_check(&io), FL_OK);
    assert_int_equal(gsp_io_ping(&io), FL_OK);
    dev.boot0 = 0xffffffff;
    assert_int_equal(gsp_io_read(&io, CPUCTL), 0xffffffff);
    assert_int_equal(gsp_io_check(&io), FL_ELINKLOST);
    assert_int_equal(fail.err, FL_ELINKLOST);
    assert_string_equal(fail.what, "NV_PFALCON_FALCON_CPUCTL@gsp");
    const unsigned reads = dev.reads, writes = dev.writes;
    assert_int_equal(gsp_io_read(&io, CPUCTL), 0xffffffff); /* no longer goes to the bus */
    gsp_io_write(&io, CPUCTL, 2);
    assert_int_equal(gsp_io_read_bulk(&io, NV_PROM_BASE), 0xffffffff);
    assert_int_equal(dev.reads, reads);
    assert_int_equal(dev.writes, writes);
    assert_int_equal(poll(HALTED, HALTED), FL_ELINKLOST); /* also where all-ones would satisfy */
    dev.boot0 = 0xb72000a1;
    gsp_io_begin(&io, &fail); /* a new operation looks again */
    dev.value = HALTED;
    assert_int_equal(poll(HALTED, HALTED), FL_OK);
}

static void lost_while_polling(void **state)
{
    (void)state;
    dev.from = 3;
    dev.then = 0xffffffff;
    dev.boot0 = 0xffffffff; /* looked at only when a read gives all-ones */
    assert_int_equal(poll(0x1, 0x1), FL_ELINKLOST);
    assert_int_equal(dev.reads, 3);
    assert_int_equal(fail.err, FL_ELINKLOST);
}

/* One read that got lost while the link is alive satisfies nothing. */
static void one_read_lost(void **state)
{
    (void)state;
    dev.value = 0xffffffff;
    dev.from = 3;
    dev.then = HALTED;
    assert_int_equal(poll(HALTED, HALTED), FL_OK);
    assert_int_equal(dev.reads, 3);
    dev.from = 0;
    assert_int_equal(poll(HALTED, HALTED), FL_ETIMEDOUT);
    assert_non_null(strstr(fail.text, "0xffffffff"));
}

/* A typed write goes to the right place with the right bits. */
static void typed_access(void **state)
{
    (void)state;
    struct NV_PFALCON_FALCON_DMATRFCMD cmd = {0};
    cmd = NV_PFALCON_FALCON_DMATRFCMD__with_SIZE(cmd, NV_PFALCON_FALCON_DMATRFCMD__SIZE_256B);
    cmd = NV_PFALCON_FALCON_DMATRFCMD__with_IMEM(cmd, 1);
    cmd = NV_PFALCON_FALCON_DMATRFCMD__with_SEC(cmd, 1);
    assert_int_equal(cmd.raw, 0x614); /* what drivers write (registers.md 7.2) */
    ENG_WRITE(&io, NV_PSEC_BASE, NV_PFALCON_FALCON_DMATRFCMD, cmd);
    assert_int_equal(dev.value, 0x614);
    assert_int_equal(rec.ring[0].off, 0x840118);
    REG_WRITE_AT(&io, NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF_EN_SET, 4,
                 (struct NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR_LEAF_EN_SET){.raw = 1u << 27});
    assert_int_equal(rec.ring[1].off, 0xb81210);
    assert_int_equal(io.writes, 2);
}

static void read_at(void *arg) { (void)gsp_io_read(&io, *(const uint32_t *)arg); }
static void read_bulk_at(void *arg) { (void)gsp_io_read_bulk(&io, *(const uint32_t *)arg); }
static void write_at(void *arg) { gsp_io_write(&io, *(const uint32_t *)arg, 0); }
static void write_bulk_at(void *arg) { gsp_io_write_bulk(&io, *(const uint32_t *)arg, 0); }

/* An offset that is no register's is our own mistake, with a link or without. */
static void offsets_are_checked(void **state)
{
    static const uint32_t bad[] = {2, MIB(16), UINT32_MAX - 3};
    static void (*const access[])(void *) = {read_at, read_bulk_at, write_at, write_bulk_at};
    char text[200];
    for (unsigned i = 0; i < ARRAY_SIZE(bad) * ARRAY_SIZE(access) * 2; i++) {
        uint32_t off = bad[i / 2 % ARRAY_SIZE(bad)];
        io.lost = i % 2 != 0;
        assert_true(host_expect_panic(access[i / 2 / ARRAY_SIZE(bad)], &off, text, sizeof(text)));
        teardown(state);
        setup(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(poll_succeeds),
        T(poll_times_out),
        T(error_patterns_satisfy_nothing),
        T(names_of_errors),
        T(all_ones),
        T(lost_while_polling),
        T(one_read_lost),
        T(typed_access),
        T(offsets_are_checked),
        T(waits_for_programs_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
