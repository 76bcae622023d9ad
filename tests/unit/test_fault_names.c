/* SPDX-License-Identifier: MIT */
/*
 * What the appliance makes of each fault of the model: the stage, the cause in words, an Xid, the
 * GSP's log. A fault that happens once leaves a GPU that boots next time.
 */
#include <stdio.h>
#include <stdlib.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "arch/log.h"
#include "mm/ram.h"
#include "tests/unit/rig_assert.h"

static void open_with(const char *chip, const char *fault, bool no_msi)
{
    const char *const faults[] = {fault, NULL};
    const struct rig_options opt = {
        .chip = chip, .faults = faults, .strict = MODEL_STRICT, .no_msi = no_msi};
    rig_open(&rig, &opt);
}

/* ---- while it boots ---- */

struct expected {
    const char *chip, *fault;
    const char *stage, *words; /* stage NULL: the boot is ready all the same */
    enum fl_err err;
    bool stays; /* the fault is there in the next boot as well */
    bool rule;  /* it makes the driver look as if it broke a rule */
};

static void boot_goes_wrong(const struct expected *e, bool no_msi)
{
    open_with(e->chip, e->fault, no_msi);
    const enum fl_err err = rig_boot(&rig);
    const struct gsp_snapshot s = rig_snapshot(&rig);
    print_message("  %s %s: %s\n", e->chip, e->fault, err != FL_OK ? s.fail.text : "ready");
    if (err != e->err || (e->stage != NULL && (strcmp(s.fail.stage, e->stage) != 0 ||
                                               strstr(s.fail.text, e->words) == NULL))) {
        fail_msg("expected %s in %s (\"%s\"), got %s in %s: %s", fl_err_name(e->err), e->stage,
                 e->words, fl_err_name(err), s.fail.stage, s.fail.text);
    }
    if (!e->rule) {
        no_violation();
    }
    if (err == FL_OK) {
        assert_int_equal(rig_unload(&rig), FL_OK);
    }
    assert_false(model().wpr2_up || model().gsp_running);
    if (!e->stays) {
        boots();
    }
    assert_true(rig_close(&rig));
}

static void boots_go_wrong(void **state)
{
    static const struct expected cases[] = {
        /* programs on falcons */
        {"ga102", "falcon-hang=gsp", "frts", "FWSEC-FRTS", FL_ETIMEDOUT, false, false},
        {"ga102", "falcon-hang=sec2", "booter", "booter_load", FL_ETIMEDOUT, false, false},
        {"ga102", "gfw-stuck=0x3", "devinit", "0x00000003", FL_ETIMEDOUT, true, false},
        /* transfers */
        {"ga102", "dma:n=1", "frts", "FWSEC", FL_EIO, false, true},
        {"gb202", "dma:n=1", "lockdown", "FMC", FL_EIO, false, true},
        /* the GSP's life */
        {"ga102", "stuck=riscv:n=1", "riscv", "RISCV_CPUCTL", FL_ETIMEDOUT, false, false},
        {"tu102", "stuck=riscv:n=1", "riscv", "RISCV_STATUS", FL_ETIMEDOUT, false, false},
        {"gb202", "stuck=riscv:n=1", "riscv", "RISCV_CPUCTL", FL_ETIMEDOUT, false, false},
        {"ga102", "stuck=start:n=1", "sequencer", "sent 0 messages", FL_ETIMEDOUT, false, false},
        {"ga102", "stuck=sequencer:n=1", "sequencer", "script", FL_ETIMEDOUT, false, false},
        {"ga102", "stuck=init:n=1", "init-done", "GSP_INIT_DONE", FL_ETIMEDOUT, false, false},
        {"gb202", "stuck=init:n=1", "init-done", "GSP_INIT_DONE", FL_ETIMEDOUT, false, false},
        {"ga102", "stuck=command:n=1", "static-info", "GET_GSP_STATIC_INFO", FL_ETIMEDOUT, false,
         false},
        {"ga102", "crash=start", "riscv", "crashed", FL_EIO, false, false},
        {"tu102", "crash=start", "riscv", "crashed", FL_EIO, false, false},
        {"gh100", "crash=start", "riscv", "crashed", FL_EIO, false, false},
        {"gb202", "crash=start", "riscv", "crashed", FL_EIO, false, false},
        {"ga102", "crash=start:after=20", "sequencer", "crashed", FL_EIO, false, false},
        {"ga102", "crash=sequencer:after=3000", "sequencer", "crashed", FL_EIO, false, false},
        {"ga102", "crash=init:after=5", "init-done", "crashed", FL_EIO, false, false},
        {"tu102", "crash=init:after=5", "init-done", "crashed", FL_EIO, false, false},
        {"gb202", "crash=init:after=5", "init-done", "crashed", FL_EIO, false, false},
        {"gh100", "crash=command", "static-info", "crashed", FL_EIO, false, false},
        {"ga102", "crash=command:n=2", "interrupts", "crashed", FL_EIO, false, false},
        /* messages of the GSP */
        {"ga102", "message:n=1:function=0x1001:drop", "init-done", "GSP_INIT_DONE", FL_ETIMEDOUT,
         false, false},
        {"ga102", "message:n=1:function=0x1001:delay=100", NULL, NULL, FL_OK, false, false},
        {"ga102", "message:n=1:function=65:delay=900", NULL, NULL, FL_OK, false, false},
        {"ga102", "message:n=1:function=65:delay=6000", "static-info", "waited 5000", FL_ETIMEDOUT,
         false, false},
        {"gb202", "message:n=1:function=65:polls=3", NULL, NULL, FL_OK, false, false},
        {"ga102", "message:n=1:function=65:twice", "interrupts", "sequence", FL_EPROTO, false,
         false},
        {"ga102", "message:n=1:function=65:offset=0x60:xor=1", "static-info", "checksum", FL_EPROTO,
         false, false},
        /* what the driver sends */
        {"ga102", "command:n=1:function=72:drop", "init-done", "0x59", FL_EIO, false, true},
        {"ga102", "command:n=1:function=65:drop", "static-info", "waited 5000", FL_ETIMEDOUT, false,
         false},
        {"ga102", "command:n=1:function=65:delay=1500", NULL, NULL, FL_OK, false, false},
        {"gb202", "command:n=1:function=65:twice", NULL, NULL, FL_OK, false, false},
        /* what a board reports by itself, early */
        {"ga102", "xid=62:at=init", NULL, NULL, FL_OK, false, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        boot_goes_wrong(&cases[i], false);
    }
}

/* Nobody tells the driver that the core halted: it looks. */
static void crash_without_interrupts(void **state)
{
    static const struct expected cases[] = {
        {"ga102", "crash=init:after=5", "init-done", "crashed", FL_EIO, false, false},
        {"gb202", "crash=command:n=2", "interrupts", "crashed", FL_EIO, false, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        boot_goes_wrong(&cases[i], true);
    }
}

static void core_does_not_stop(void **state)
{
    (void)state;
    open_with("ga102", "stuck=unload:n=1", false);
    boots();
    assert_int_equal(rig_unload(&rig), FL_ETIMEDOUT);
    const struct gsp_snapshot s = rig_snapshot(&rig);
    assert_string_equal(s.fail.stage, "unload");
    assert_non_null(strstr(s.fail.text, "the GSP to stop"));
    assert_false(model().wpr2_up || model().gsp_running);
    boots();
    assert_true(rig_close(&rig));
}

/* ---- while it serves ---- */

/* Serves for a second, or as long as the GPU lives. */
static uint64_t serve_ms;
static void a_second(void *arg)
{
    const uint64_t begin = clock_now_us();
    (void)arg;
    for (unsigned i = 0; i < 100 && !serve_done; i++) {
        fiber_sleep_us(10 * US_PER_MS);
    }
    serve_ms = (clock_now_us() - begin) / US_PER_MS;
    serve_stop = true;
    while (!serve_done) {
        fiber_sleep_us(1000);
    }
}

static struct gsp_snapshot serves(const char *chip, const char *fault, bool no_msi)
{
    open_with(chip, fault, no_msi);
    boots();
    serve_stop = serve_done = false;
    assert_non_null(fiber_spawn("serve", serve, NULL, FIBER_STACK_DEFAULT));
    rig_run(a_second, NULL);
    no_violation();
    return rig_snapshot(&rig);
}

static void xids_are_told(void **state)
{
    static const struct {
        const char *fault;
        uint32_t count, last;
        const char *text;
    } cases[] = {
        {"xid=13", 1, 13, "Graphics engine exception"},
        {"xid=31:after=20:channel=5:text=MMU Fault: ENGINE CE2, at 0x0:0x1000", 1, 31,
         "MMU Fault: ENGINE CE2, at 0x0:0x1000"},
        {"xid=154:after=500", 1, 154, "Recovery action changed"},
        {"ecc=uncorrectable:errors=2", 2, 63, "Row remapping event"},
        {"ecc=correctable:errors=7:after=3", 0, 0, ""},
        {"thermal=95:after=10", 0, 0, ""},
    };
    static const char *const on[] = {"ga102", "gb202"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases) * ARRAY_SIZE(on); i++) {
        const size_t c = i / ARRAY_SIZE(on);
        const struct gsp_snapshot s = serves(on[i % ARRAY_SIZE(on)], cases[c].fault, false);
        print_message("  %s: Xid %u: %s\n", cases[c].fault, s.last_xid, s.last_xid_text);
        assert_int_equal(s.state, GSP_READY);
        assert_int_equal(s.xid_count, cases[c].count);
        assert_int_equal(s.last_xid, cases[c].last);
        assert_string_equal(s.last_xid_text, cases[c].text);
        assert_true(rig_close(&rig));
    }
}

/* A task of the GSP dies: told as Xid 120, at once by interrupt and within a second without; its
 * report is in the log. */
static void crash_while_serving(void **state)
{
    static const char *const on[] = {"ga102", "tu102", "gh100", "gb202"};
    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_SIZE(on); i++) {
        const bool no_msi = i >= ARRAY_SIZE(on);
        const struct gsp_snapshot s =
            serves(on[i % ARRAY_SIZE(on)], "crash=up:after=200:cause=0xf", no_msi);
        uint64_t log[32], offset = 0, words = gsp_log_put(rig.gpu, GSP_LOG_INIT);
        bool report = false;
        print_message("  %s%s, after %u ms: %s\n", on[i % ARRAY_SIZE(on)],
                      no_msi ? " without interrupts" : "", (unsigned)serve_ms, s.fail.text);
        assert_int_equal(s.state, GSP_FAILED);
        assert_int_equal(s.fail.err, FL_EIO);
        assert_string_equal(s.fail.stage, "ready");
        assert_non_null(strstr(s.fail.text, "crashed"));
        assert_int_equal(s.xid_count, 1);
        assert_int_equal(s.last_xid, 120);
        assert_true(no_msi || serve_ms < 350); /* path B: 100 ms of it are a reset */
        /* 20 entries of three words at the start; the report is longer than that again. */
        assert_true(words > 100);
        for (size_t n;
             !report && (n = gsp_log_read(rig.gpu, GSP_LOG_INIT, &offset, log, sizeof(log))) > 0;) {
            for (size_t w = 0; w + 1 < n / sizeof(log[0]); w++) {
                report |= log[w] == 0xf && log[w + 1] == 0x5a1c40; /* cause, pc */
            }
        }
        assert_true(report);
        assert_false(model().wpr2_up || model().gsp_running);
        boots();
        assert_true(rig_close(&rig));
    }
}

static void link_lost_while_serving(void **state)
{
    (void)state;
    const struct gsp_snapshot s = serves("ga102", "linklost:after=300", true);
    assert_int_equal(s.state, GSP_FAILED);
    assert_int_equal(s.fail.err, FL_ELINKLOST);
    assert_string_equal(s.fail.stage, "ready");
    assert_int_equal(s.last_xid, 79);
    rig_power_cycle(&rig);
    boots();
    assert_true(rig_close(&rig));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boots_go_wrong),      cmocka_unit_test(crash_without_interrupts),
        cmocka_unit_test(core_does_not_stop),  cmocka_unit_test(xids_are_told),
        cmocka_unit_test(crash_while_serving), cmocka_unit_test(link_lost_while_serving),
    };
    host_ram_configure(HOST_RAM_HIGH_BYTES, HOST_RAM_HIGH_BYTES);
    if (ram_init(NULL) != FL_OK) {
        return 1;
    }
    log_set_level(LOG_DEBUG);
    host_log_to_stderr(getenv("RIG_LOG") != NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
