/* SPDX-License-Identifier: MIT */
/* The CPU sequencer: every operation, and every way a script can be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/fiber.h"
#include "arch/host/host.h"
#include "gsp/rpc/sequencer.h"

#define BAR0_BYTES MIB(16)
#define HEAD       40u
#define MAX_DWORDS 1600u

/* A machine that writes down what was done to it. */
struct machine {
    char trace[4096];
    uint32_t reg; /* what reads give */
    enum fl_err core_err, poll_err;
    uint64_t poll_timeout;
    uint64_t op_us; /* that a write or a core operation takes */
    unsigned actions;
};
static struct machine m;

static void note(const char *fmt, ...)
{
    va_list ap;
    const size_t at = strlen(m.trace);
    va_start(ap, fmt);
    vsnprintf(m.trace + at, sizeof(m.trace) - at, fmt, ap);
    va_end(ap);
    m.actions++;
}
static uint32_t do_read(void *ctx, uint32_t off)
{
    (void)ctx;
    note("r%x ", off);
    return m.reg;
}
static void do_write(void *ctx, uint32_t off, uint32_t value)
{
    (void)ctx;
    note("w%x=%x ", off, value);
    host_clock_advance(m.op_us * NS_PER_US);
}
static enum fl_err do_poll(void *ctx, uint32_t off, uint32_t mask, uint32_t value,
                           uint64_t timeout_us, struct fl_fail *fail)
{
    (void)ctx;
    (void)fail;
    note("p%x&%x=%x ", off, mask, value);
    m.poll_timeout = timeout_us;
    return m.poll_err;
}
static void do_delay(void *ctx, uint32_t us)
{
    (void)ctx;
    note("d%u ", us);
    host_clock_advance(us * NS_PER_US);
}
static enum fl_err core(const char *what)
{
    note("%s ", what);
    host_clock_advance(m.op_us * NS_PER_US);
    return m.core_err;
}
static enum fl_err do_reset(void *ctx, struct fl_fail *fail)
{
    (void)ctx;
    (void)fail;
    return core("reset");
}
static enum fl_err do_start(void *ctx, struct fl_fail *fail)
{
    (void)ctx;
    (void)fail;
    return core("start");
}
static enum fl_err do_halt(void *ctx, struct fl_fail *fail)
{
    (void)ctx;
    (void)fail;
    return core("halt");
}
static enum fl_err do_resume(void *ctx, struct fl_fail *fail)
{
    (void)ctx;
    (void)fail;
    return core("resume");
}
static const struct gsp_seq_ops ops = {
    do_read, do_write, do_poll, do_delay, do_reset, do_start, do_halt, do_resume,
};

static uint8_t msg[HEAD + 4 * MAX_DWORDS];

static enum fl_err run_sized(const uint32_t *words, uint32_t count, uint32_t buffer_dwords,
                             uint32_t cmd_index, uint32_t size, struct gsp_seq_result *out,
                             struct fl_fail *fail)
{
    memset(msg, 0, sizeof(msg));
    memset(&m, 0, sizeof(m));
    put_le32(msg, buffer_dwords);
    put_le32(msg + 4, cmd_index);
    for (uint32_t i = 0; i < count; i++) {
        put_le32(msg + HEAD + 4 * i, words[i]);
    }
    /* An exact copy on the heap, so that ASan sees a byte too many. */
    uint8_t *copy = test_malloc(size > 0 ? size : 1);
    memcpy(copy, msg, size);
    const enum fl_err err = gsp_seq_run(&gsp_layout_570_144, copy, size, BAR0_BYTES, &ops, NULL,
                                        deadline_never(), out, fail);
    test_free(copy);
    return err;
}
static enum fl_err run(const uint32_t *words, uint32_t count, struct gsp_seq_result *out,
                       struct fl_fail *fail)
{
    return run_sized(words, count, count + 1, count, HEAD + 4 * count, out, fail);
}

static void every_operation(void **state)
{
    const uint32_t script[] = {
        0, 0x110040, 0x12345678,               /* write */
        1, 0x110100, 0xff,       0x2,          /* modify: r & ~mask | value */
        2, 0x110118, 0x2,        0x2, 5000, 0, /* poll */
        2, 0x110118, 0x2,        0x2, 0,    0, /* default time-out */
        3, 250,                                /* delay */
        4, 0x118234, 7,                        /* store */
        5, 6,        7,          8,
    };
    struct gsp_seq_result r;
    struct fl_fail fail = {0};
    (void)state;
    assert_int_equal(run(script, ARRAY_SIZE(script), &r, &fail), FL_OK);
    assert_string_equal(m.trace, "w110040=12345678 r110100 w110100=2 p110118&2=2 p110118&2=2 d250 "
                                 "r118234 reset start halt resume ");
    assert_int_equal(m.poll_timeout, GSP_SEQ_POLL_DEFAULT_US);
    assert_int_equal(r.commands, 10);
    assert_int_equal(r.dwords, ARRAY_SIZE(script));
}

static void modify_and_store_use_the_value_read(void **state)
{
    const uint32_t script[] = {4, 0x110100, 3, 1, 0x110100, 0x0000ff00, 0x00005500};
    struct gsp_seq_result r;
    struct fl_fail fail = {0};
    (void)state;
    memset(&m, 0, sizeof(m));
    /* run() clears the machine: set the register through a first pass that stores 0. */
    assert_int_equal(run(script, ARRAY_SIZE(script), &r, &fail), FL_OK);
    assert_int_equal(r.saved[3], 0);
    m.reg = 0xa1b2c3d4;
    m.trace[0] = '\0';
    assert_int_equal(gsp_seq_run(&gsp_layout_570_144, msg, HEAD + 4 * ARRAY_SIZE(script),
                                 BAR0_BYTES, &ops, NULL, deadline_never(), &r, &fail),
                     FL_OK);
    assert_int_equal(r.saved[3], 0xa1b2c3d4);
    assert_string_equal(m.trace, "r110100 r110100 w110100=a1b255d4 ");
}

/* As large as the one of a real GA104: 1564 dwords, in a message of two slots. */
static void large_script(void **state)
{
    uint32_t script[1564];
    struct gsp_seq_result r;
    struct fl_fail fail = {0};
    uint32_t n = 0;
    (void)state;
    while (n + 3 <= ARRAY_SIZE(script)) {
        script[n++] = 0;
        script[n++] = 0x110114;
        script[n] = n;
        n++;
    }
    script[n++] = 5;
    assert_int_equal(n, ARRAY_SIZE(script));
    assert_int_equal(run(script, n, &r, &fail), FL_OK);
    assert_int_equal(r.commands, 522);
    assert_int_equal(m.actions, 522);
}

/* Whatever is wrong, nothing may have been done: the good command in front shows it. */
static void refused(const uint32_t *bad, uint32_t count, enum fl_err want)
{
    uint32_t script[16] = {0, 0x110040, 1};
    struct gsp_seq_result r;
    struct fl_fail fail = {0};
    memcpy(script + 3, bad, 4 * count);
    assert_int_equal(run(script, 3 + count, &r, &fail), want);
    assert_int_equal(fail.err, want);
    assert_int_not_equal(fail.text[0], '\0');
    assert_int_equal(m.actions, 0);
}
#define REFUSED(...)                                                                               \
    do {                                                                                           \
        const uint32_t bad[] = {__VA_ARGS__};                                                      \
        refused(bad, ARRAY_SIZE(bad), FL_EBADDATA);                                                \
    } while (0)

static void bad_scripts(void **state)
{
    (void)state;
    REFUSED(9); /* unknown opcode */
    REFUSED(0xffffffff);
    REFUSED(0, 0x110040);          /* operand missing */
    REFUSED(2, 0x110118, 2, 2, 0); /* the last of five missing */
    REFUSED(3);
    REFUSED(0, 0x110042, 0);             /* unaligned */
    REFUSED(0, (uint32_t)BAR0_BYTES, 0); /* one past the end */
    REFUSED(0, 0xfffffffc, 0);
    REFUSED(1, (uint32_t)BAR0_BYTES, 0, 0);
    REFUSED(2, (uint32_t)BAR0_BYTES, 0, 0, 0, 0);
    REFUSED(4, 0x110040, 8); /* save area has 8 words */
    REFUSED(4, (uint32_t)BAR0_BYTES, 0);
    REFUSED(3, (uint32_t)GSP_SEQ_DELAY_MAX_US + 1);
    REFUSED(2, 0x110040, 1, 1, (uint32_t)GSP_SEQ_POLL_MAX_US + 1, 0);
}

static void delays_add_up(void **state)
{
    enum { FITS = GSP_SEQ_TOTAL_MAX_US / GSP_SEQ_DELAY_MAX_US };
    uint32_t script[2 * (FITS + 1)];
    struct gsp_seq_result r;
    struct fl_fail fail = {0};
    (void)state;
    for (uint32_t i = 0; i <= FITS; i++) {
        script[2 * i] = 3;
        script[2 * i + 1] = (uint32_t)GSP_SEQ_DELAY_MAX_US;
    }
    assert_int_equal(run(script, 2 * FITS, &r, &fail), FL_OK);
    assert_int_equal(run(script, 2 * (FITS + 1), &r, &fail), FL_EBADDATA);
    assert_int_equal(m.actions, 0);
}

static void bad_headers(void **state)
{
    const uint32_t script[] = {0, 0x110040, 1};
    struct gsp_seq_result r;
    struct fl_fail fail = {0};
    (void)state;
    assert_int_equal(run_sized(script, 3, 4, 3, HEAD - 1, &r, &fail), FL_ETRUNCATED);
    fl_fail_clear(&fail);
    assert_int_equal(run_sized(script, 3, 3, 3, HEAD + 12, &r, &fail),
                     FL_EBADDATA); /* index not below size */
    fl_fail_clear(&fail);
    assert_int_equal(run_sized(script, 3, 5, 4, HEAD + 12, &r, &fail),
                     FL_EBADDATA); /* more than is there */
    fl_fail_clear(&fail);
    assert_int_equal(run_sized(script, 3, 0xffffffff, 0xfffffffe, HEAD + 12, &r, &fail),
                     FL_EBADDATA);
    assert_int_equal(m.actions, 0);
    fl_fail_clear(&fail);
    assert_int_equal(run_sized(script, 3, 5, 3, HEAD + 14, &r, &fail),
                     FL_OK); /* trailing bytes: not run */
    assert_int_equal(r.commands, 1);
}

static void failures_stop_it(void **state)
{
    const uint32_t script[] = {5, 0, 0x110040, 1};
    const uint32_t polls[] = {2, 0x110118, 2, 2, 10, 0, 0, 0x110040, 1};
    struct gsp_seq_result r;
    struct fl_fail fail = {0};
    (void)state;
    assert_int_equal(run(script, ARRAY_SIZE(script), &r, &fail), FL_OK);
    m.core_err = FL_ETIMEDOUT;
    m.trace[0] = '\0';
    assert_int_equal(gsp_seq_run(&gsp_layout_570_144, msg, HEAD + 4 * ARRAY_SIZE(script),
                                 BAR0_BYTES, &ops, NULL, deadline_never(), &r, &fail),
                     FL_ETIMEDOUT);
    assert_string_equal(m.trace, "reset ");
    assert_int_equal(r.commands, 0);

    fl_fail_clear(&fail);
    assert_int_equal(run(polls, ARRAY_SIZE(polls), &r, &fail), FL_OK);
    m.poll_err = FL_ETIMEDOUT;
    m.trace[0] = '\0';
    assert_int_equal(gsp_seq_run(&gsp_layout_570_144, msg, HEAD + 4 * ARRAY_SIZE(polls), BAR0_BYTES,
                                 &ops, NULL, deadline_never(), &r, &fail),
                     FL_ETIMEDOUT);
    assert_string_equal(m.trace, "p110118&2=2 ");
}

/* What a script may take is given from outside; here 5 ms. */
static struct gsp_seq_result timed;
static enum fl_err run_for_5_ms(const uint32_t *words, uint32_t count, uint64_t op_us,
                                struct fl_fail *fail)
{
    (void)run(words, count, &timed, NULL); /* fills the message */
    host_reset();
    memset(&m, 0, sizeof(m));
    m.op_us = op_us;
    return gsp_seq_run(&gsp_layout_570_144, msg, HEAD + 4 * count, BAR0_BYTES, &ops, NULL,
                       deadline_in_us(5 * US_PER_MS), &timed, fail);
}

static void time_is_up(void **state)
{
    const uint32_t poll[] = {2, 0x110118, 2, 2, 30 * US_PER_S, 0};
    const uint32_t patient[] = {2, 0x110118, 2, 2, 0, 0}; /* 0: the default, 4 s */
    const uint32_t delays[] = {3, 4000, 3, 4000, 0, 0x110040, 1};
    const uint32_t cores[] = {5, 6, 7, 8, 0, 0x110040, 1};
    uint32_t writes[3 * 500];
    struct fl_fail fail = {0};
    (void)state;
    assert_int_equal(run_for_5_ms(poll, ARRAY_SIZE(poll), 0, &fail), FL_OK);
    assert_in_range(m.poll_timeout, 4900, 5000);
    assert_int_equal(run_for_5_ms(patient, ARRAY_SIZE(patient), 0, &fail), FL_OK);
    assert_in_range(m.poll_timeout, 4900, 5000);

    assert_int_equal(run_for_5_ms(delays, ARRAY_SIZE(delays), 0, &fail), FL_ETIMEDOUT);
    assert_in_range(clock_now_us(), 5000, 5010); /* the second one was cut, no write came */
    assert_int_equal(m.actions, 2);
    assert_int_equal(fail.seen, 4); /* the dword where it stood */
    assert_non_null(strstr(fail.text, "dword 4 of 7 after 5 ms"));

    fl_fail_clear(&fail);
    assert_int_equal(run_for_5_ms(cores, ARRAY_SIZE(cores), 2000, &fail), FL_ETIMEDOUT);
    assert_int_equal(m.actions, 3); /* the one that began in time ends */

    for (uint32_t i = 0; i < 500; i++) {
        writes[3 * i] = 0;
        writes[3 * i + 1] = 0x110040;
        writes[3 * i + 2] = 1;
    }
    fl_fail_clear(&fail);
    assert_int_equal(run_for_5_ms(writes, ARRAY_SIZE(writes), 20, &fail), FL_ETIMEDOUT);
    assert_in_range(m.actions, 245, 251);
}

/* Thousands of register accesses, each slow as under an emulator: the others run meanwhile. */
static unsigned others;
static bool ran;
static void other(void *arg)
{
    (void)arg;
    while (!ran) {
        others++;
        fiber_yield();
    }
}
static void long_script(void *arg)
{
    (void)arg;
    assert_int_equal(gsp_seq_run(&gsp_layout_570_144, msg, HEAD + 4 * 1500, BAR0_BYTES, &ops, NULL,
                                 deadline_never(), &timed, NULL),
                     FL_OK);
    ran = true;
}
static void others_run_meanwhile(void **state)
{
    uint32_t writes[3 * 500];
    (void)state;
    host_reset();
    for (uint32_t i = 0; i < 500; i++) {
        writes[3 * i] = 0;
        writes[3 * i + 1] = 0x110040;
        writes[3 * i + 2] = 1;
    }
    (void)run(writes, ARRAY_SIZE(writes), &timed, NULL);
    memset(&m, 0, sizeof(m));
    m.op_us = 20;
    ran = false;
    others = 0;
    assert_non_null(fiber_spawn("script", long_script, NULL, FIBER_STACK_DEFAULT));
    assert_non_null(fiber_spawn("other", other, NULL, FIBER_STACK_DEFAULT));
    fiber_run(NULL, NULL);
    assert_int_equal(timed.commands, 500);
    assert_in_range(others, 20, 40); /* 10 ms, a turn each 320 us */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation),
        cmocka_unit_test(modify_and_store_use_the_value_read),
        cmocka_unit_test(large_script),
        cmocka_unit_test(bad_scripts),
        cmocka_unit_test(delays_add_up),
        cmocka_unit_test(bad_headers),
        cmocka_unit_test(failures_stop_it),
        cmocka_unit_test(time_is_up),
        cmocka_unit_test(others_run_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
