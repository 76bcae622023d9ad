/* SPDX-License-Identifier: MIT */
/*
 * Whole GPUs whose GSP keeps sending: while it boots, serves and is unloaded. Each message that the
 * CPU takes is followed by the next one at once. Deadlines hold, others run, events are counted,
 * the log stays readable. And a GSP that interrupts without end.
 */
#include "tests/unit/rig_assert.h"

#include <stdlib.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "arch/irq.h"
#include "arch/log.h"
#include "arch/log_priv.h"
#include "gsp/gpu.h"
#include "gsp/rm/host.h"

#define ENOUGH_US                                                                                  \
    (120 * US_PER_S)            /* a flood ends here, so that a wait that never looks up ends      \
                                 */
#define COST_US  500u           /* of a message */
#define STORM_US (8 * US_PER_S) /* the same for interrupts */

/* ---- the flood ---- */

static struct {
    uint32_t function, size;
    uint8_t payload[4096];
    uint64_t sent;
    bool on;
} flood;

static void inject(void)
{
    if (flood.on && clock_now_us() < ENOUGH_US) {
        model_inject_event(rig.model, flood.function, flood.payload, flood.size, 0);
        model_run(rig.model);
        flood.sent++;
    }
}

/* The driver's own view of the GPU, and a message more for each that it takes. */
static struct gsp_rpc_host flooded_host;
static void flooded_trace(void *ctx, bool sent, uint32_t function, uint32_t bytes, uint32_t result)
{
    gsp_gpu_rpc_host.trace(ctx, sent, function, bytes, result);
    if (!sent) {
        host_clock_advance(COST_US * NS_PER_US);
        inject();
    }
}

/* It begins as soon as the GSP can send. */
static uint64_t begin_hook(void *ctx)
{
    (void)ctx;
    if (flood.on && rig.gpu != NULL && rig.gpu->mem.queues.cpu != NULL && flood.sent < 8) {
        for (unsigned i = 0; i < 8; i++) {
            inject();
        }
        flood.sent = gsp_queue_pending(&rig.gpu->rpc.queue) ? flood.sent : 0;
    }
    return host_clock_peek_ns() + 100 * NS_PER_US;
}

/* ---- somebody else, and how long he had to wait ---- */

static struct {
    bool stop;
    uint64_t ran, longest_us;
} other;
static void other_fiber(void *arg)
{
    uint64_t last = clock_now_us();
    (void)arg;
    while (!other.stop) {
        fiber_sleep_us(US_PER_MS);
        const uint64_t now = clock_now_us();
        other.longest_us = now - last > other.longest_us ? now - last : other.longest_us;
        last = now;
        other.ran++;
    }
}

static void open_flooded(const char *fault, uint32_t function, uint32_t size)
{
    const char *const faults[] = {fault, NULL};
    log_reset_at(0);
    open_strict(fault != NULL ? faults : NULL);
    flooded_host = gsp_gpu_rpc_host;
    flooded_host.trace = flooded_trace;
    rig.gpu->rpc.host = &flooded_host;
    memset(&flood, 0, sizeof(flood));
    memset(&other, 0, sizeof(other));
    flood.function = function;
    flood.size = size;
    host_idle_hook(begin_hook, NULL);
    assert_non_null(fiber_spawn("other", other_fiber, NULL, FIBER_STACK_DEFAULT));
}

static void end_other(void *arg)
{
    (void)arg;
    other.stop = true;
    fiber_sleep_us(2 * US_PER_MS);
}
static void close_flooded(void)
{
    flood.on = false;
    rig_run(end_other, NULL);
    host_idle_unhook(begin_hook, NULL);
    assert_true(rig_close(&rig));
}

static uint64_t lines_with(const char *words)
{
    struct log_entry e;
    uint64_t at = 0, n = 0;
    while (log_read(&at, &e, NULL)) {
        n += strstr(e.text, words) != NULL;
    }
    return n;
}
static uint64_t lines_stored(void)
{
    struct log_entry e;
    uint64_t at = 0, last = 0;
    while (log_read(&at, &e, NULL)) {
        last = e.seq + 1;
    }
    return last;
}
static uint64_t suppressed(void)
{
    struct log_entry e;
    uint64_t at = 0, n = 0;
    while (log_read(&at, &e, NULL)) {
        n += strstr(e.text, "lines like this suppressed") != NULL ? strtoull(e.text, NULL, 10) : 0;
    }
    return n;
}

/* ---- during the boot ---- */

static void fails_in_time(const char *stage, const char *words)
{
    flood.on = true;
    assert_int_equal(rig_boot(&rig), FL_ETIMEDOUT);
    const struct gsp_snapshot s = rig_snapshot(&rig);
    if (strcmp(s.fail.stage, stage) != 0 || strstr(s.fail.text, words) == NULL) {
        fail_msg("failed in %s: %s", s.fail.stage, s.fail.text);
    }
    for (uint32_t i = 0; i < s.stage_count; i++) {
        if (s.stage[i].us > s.stage[i].limit_us) {
            fail_msg("stage %s took %llu ms", s.stage[i].name,
                     (unsigned long long)(s.stage[i].us / US_PER_MS));
        }
    }
    assert_true(other.longest_us <= 10 * US_PER_MS);
    assert_true(other.ran > 1000);
    assert_false(model().wpr2_up || model().gsp_running);
}

static void boot_with_events(void **state)
{
    static const struct {
        uint32_t function, size;
    } events[] = {
        {0x1006, 272}, /* OS_ERROR_LOG */
        {0x100c, 64},  /* UCODE_LIBOS_PRINT */
        {0x1fff, 0},   /* none */
        {0x1004, 48},  /* RC_TRIGGERED */
        {76, 40},      /* a reply that nobody asked for */
        {71, 4000},    /* a record of nothing */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
        print_message("  0x%x\n", events[i].function);
        open_flooded("stuck=init", events[i].function, events[i].size);
        fails_in_time("init-done", "GSP_INIT_DONE; the GSP sent ");
        assert_true(flood.sent > 10000);
        /* 30 s of it: 20 lines a second and source, and one that says how many more. */
        const uint64_t boot_lines = 60;
        assert_true(lines_stored() <= boot_lines + 32 * (LOG_LIMIT_LINES + 1));
        close_flooded();
    }
}

/* The register script again and again: nothing in it, long delays, polls that nothing fulfils. */
static void put_script(const uint32_t *words, uint32_t count)
{
    put_le32(flood.payload, count + 1);
    put_le32(flood.payload + 4, count);
    for (uint32_t i = 0; i < count; i++) {
        put_le32(flood.payload + 40 + 4 * (size_t)i, words[i]);
    }
    flood.size = 40 + 4 * count;
}
static void boot_with_scripts(void **state)
{
    static const uint32_t delay[] = {3, US_PER_S}, poll[] = {2, 0x110040, 0, 1, 30 * US_PER_S, 0};
    (void)state;
    open_flooded("stuck=init", 0x1002, 0);
    put_script(NULL, 0);
    fails_in_time("init-done", "GSP_INIT_DONE; the GSP sent ");
    close_flooded();

    /* They have ten seconds, all together; the stage that waits for the first is over after it. */
    open_flooded("stuck=init", 0x1002, 0);
    put_script(delay, ARRAY_SIZE(delay));
    fails_in_time("init-done", "no more is given it");
    assert_in_range(rig_stage(&rig, "sequencer").us + rig_stage(&rig, "init-done").us, 9 * US_PER_S,
                    11 * US_PER_S);
    close_flooded();

    open_flooded("stuck=init", 0x1002, 0);
    put_script(poll, ARRAY_SIZE(poll));
    flood.on = true;
    assert_int_equal(rig_boot(&rig), FL_ETIMEDOUT);
    assert_in_range(rig_stage(&rig, "sequencer").us + rig_stage(&rig, "init-done").us, 9 * US_PER_S,
                    11 * US_PER_S);
    close_flooded();
}

/* It comes up all the same when it does its work beside. */
static void boot_succeeds(void **state)
{
    (void)state;
    open_flooded(NULL, 0x100c, 64);
    flood.on = true;
    boots();
    assert_true(flood.sent > 8);
    assert_true(other.longest_us <= 10 * US_PER_MS);
    flood.on = false;
    close_flooded();
}

/* ---- while it serves ---- */

#define CMD_GSP_GET_FEATURES 0x20803601u
static void call_amid_flood(void *arg)
{
    const bool answered = *(const bool *)arg;
    (void)arg;
    fiber_sleep_us(3 * US_PER_S); /* serves */
    for (unsigned i = 0; i < 5; i++) {
        uint8_t p[72] = {0};
        uint32_t status = 0xdead;
        struct fl_fail fail = {0};
        const uint64_t start = clock_now_us();
        const enum fl_err err = gsp_rm_control(rig.gpu, GSP_OBJECT_SUBDEVICE, CMD_GSP_GET_FEATURES,
                                               p, sizeof(p), 100 * US_PER_MS, &status, &fail);
        if (err != (answered ? FL_OK : FL_ETIMEDOUT)) {
            fail_msg("call %u: %s: %s", i, fl_err_name(err), fail.text);
        }
        assert_true(clock_now_us() - start <= 110 * US_PER_MS);
    }
    serve_stop = true;
    const uint64_t stopped = clock_now_us();
    while (!serve_done) {
        fiber_sleep_us(US_PER_MS);
    }
    assert_true(clock_now_us() - stopped < 10 * US_PER_MS);
}

static void served(bool answered)
{
    open_flooded(NULL, 0x1006, 272);
    put_le32(flood.payload, 31);
    put_le32(flood.payload + 8, 0xffffffff);
    strcpy((char *)flood.payload + 12, "nothing of importance");
    boots();
    void (*const doorbell)(void *ctx) = rig.gpu->rpc.queue.doorbell;
    rig.gpu->rpc.queue.doorbell = answered ? doorbell : NULL;
    flood.on = true;
    serve_stop = serve_done = false;
    assert_non_null(fiber_spawn("serve", serve, NULL, FIBER_STACK_DEFAULT));
    const struct gsp_snapshot before = rig_snapshot(&rig);
    rig_run(call_amid_flood, &answered);
    const struct gsp_snapshot s = rig_snapshot(&rig);
    assert_int_equal(s.state, GSP_READY);
    assert_true(s.xid_count - before.xid_count > 5000); /* each one counts, */
    gsp_gpu_flush_log(rig.gpu);
    assert_int_equal(lines_with("Xid 31") + suppressed(), s.xid_count); /* few are said */
    assert_true(lines_with("Xid 31") <= 6 * LOG_LIMIT_LINES);
    assert_true(lines_with("suppressed") >= 2); /* also while it goes on */
    assert_true(other.longest_us <= 10 * US_PER_MS);
    rig.gpu->rpc.queue.doorbell = doorbell;
    close_flooded();
}
/* It falls silent: what is unsaid is said by the one who serves. */
static void stop_flood_and_wait(void *arg)
{
    (void)arg;
    fiber_sleep_us(500 * US_PER_MS);
    flood.on = false;
    fiber_sleep_us(3 * US_PER_S);
    assert_int_equal(lines_with("Xid 31") + suppressed(), rig_snapshot(&rig).xid_count);
    serve_stop = true;
    while (!serve_done) {
        fiber_sleep_us(US_PER_MS);
    }
}
static void falls_silent(void **state)
{
    (void)state;
    open_flooded(NULL, 0x1006, 272);
    put_le32(flood.payload, 31);
    boots();
    flood.on = true;
    serve_stop = serve_done = false;
    assert_non_null(fiber_spawn("serve", serve, NULL, FIBER_STACK_DEFAULT));
    rig_run(stop_flood_and_wait, NULL);
    assert_true(suppressed() > 100);
    close_flooded();
}
static void serves_and_answers(void **state)
{
    (void)state;
    served(true);
}
/* The GSP takes no command any more: each call ends at its time-out. */
static void serves_and_is_deaf(void **state)
{
    (void)state;
    served(false);
}

/* ---- at the unload ---- */

/* The first message, half a second earlier: the flood ends in the middle of a span of the log. */
static void first_message(void *arg)
{
    bool more;
    (void)arg;
    model_inject_event(rig.model, flood.function, flood.payload, flood.size, 0);
    model_run(rig.model);
    assert_int_equal(gsp_rpc_pump(&rig.gpu->rpc, &more, NULL), FL_OK);
    fiber_sleep_us(500 * US_PER_MS);
}

/* It does not hear the request, or hears it and does not stop. */
static void unload_ends(void **state)
{
    (void)state;
    for (unsigned deaf = 0; deaf < 2; deaf++) {
        open_flooded(deaf ? NULL : "stuck=unload", 0x1006, 272);
        put_le32(flood.payload, 31);
        boots();
        if (deaf) {
            rig.gpu->rpc.queue.doorbell = NULL;
        }
        rig_run(first_message, NULL);
        flood.on = true;
        const uint64_t start = clock_now_us();
        assert_int_equal(rig_unload(&rig), FL_ETIMEDOUT);
        assert_true(clock_now_us() - start < 10 * US_PER_S); /* 5 s for that, and the programs */
        assert_int_equal(rig_snapshot(&rig).state, GSP_FAILED);
        assert_string_equal(rig_snapshot(&rig).fail.stage, "unload");
        assert_false(model().wpr2_up || model().gsp_running);
        assert_true(other.longest_us <= 10 * US_PER_MS);
        assert_true(!deaf || suppressed() > 5000);
        assert_int_equal(lines_with("Xid 31") + suppressed(), rig_snapshot(&rig).xid_count);
        close_flooded();
    }
}

/* ---- interrupts ---- */

/* A register access takes its time, and whenever an interrupt was served the next one is there. */
static struct mmio real_bar0;
static bool storm, halted;
static uint64_t storm_read(void *ctx, uint64_t off, unsigned size)
{
    (void)ctx;
    (void)size;
    host_clock_advance(2 * NS_PER_US);
    uint32_t v = mmio_read32(&real_bar0, off);
    if (off == NV_PGSP_BASE + NV_PFALCON_FALCON_IRQSTAT__OFFSET && storm &&
        clock_now_us() < STORM_US) {
        host_irq_raise(rig.gpu->hw.intr.irq.vector);
        v |= halted ? NV_PFALCON_FALCON_IRQSTAT__HALT_MASK : 0;
    }
    return v;
}
static void storm_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
    (void)ctx;
    (void)size;
    host_clock_advance(200);
    mmio_write32(&real_bar0, off, (uint32_t)value);
}
static const struct mmio_ops storm_ops = {storm_read, storm_write};

static void begin_storm(void *arg)
{
    bool answered = true;
    (void)arg;
    storm = true;
    host_irq_raise(rig.gpu->hw.intr.irq.vector);
    call_amid_flood(&answered);
    storm = false;
}
static void interrupts_without_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        halted = i == 1;
        open_flooded(NULL, 0, 0);
        boots();
        real_bar0 = rig.gpu->hw.io.bar0;
        rig.gpu->hw.io.bar0 = (struct mmio){.ops = &storm_ops, .size = real_bar0.size};
        serve_stop = serve_done = false;
        assert_non_null(fiber_spawn("serve", serve, NULL, FIBER_STACK_DEFAULT));
        const uint64_t before = rig_snapshot(&rig).interrupts;
        rig_run(begin_storm, NULL);
        const struct gsp_snapshot s = rig_snapshot(&rig);
        assert_int_equal(s.state, GSP_READY);
        assert_true(s.interrupts - before > 100000);
        assert_true(other.longest_us <= 10 * US_PER_MS);
        assert_true(lines_with("reports a halt") <= 5 * LOG_LIMIT_LINES);
        assert_true(halted == (lines_with("reports a halt") > 0));
        rig.gpu->hw.io.bar0 = real_bar0;
        close_flooded();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boot_with_events),   cmocka_unit_test(boot_with_scripts),
        cmocka_unit_test(boot_succeeds),      cmocka_unit_test(serves_and_answers),
        cmocka_unit_test(serves_and_is_deaf), cmocka_unit_test(falls_silent),
        cmocka_unit_test(unload_ends),        cmocka_unit_test(interrupts_without_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
