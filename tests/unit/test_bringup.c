/* SPDX-License-Identifier: MIT */
/*
 * Whole bring-ups of a GA102 against the model, in process, that go well: again and again, with and
 * without interrupts, with others running meanwhile; then a running GPU: events, controls from
 * several fibers, unload. Every other chip is in test_families.c, what goes wrong in
 * test_bringup_faults.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "arch/lockorder.h"
#include "arch/log.h"
#include "gsp/rpc/events.h"
#include "gsp/rpc/version.h"
#include "mm/dma.h"
#include "tests/unit/rig_assert.h"

static void flight(char *text, size_t size)
{
    uint64_t cursor = 0;
    size_t at = 0, n;
    while ((n = gsp_flight_read(rig.gpu, &cursor, text + at, size - at - 1)) > 0) {
        at += n;
    }
    text[at] = '\0';
}

/* ---- the good way ---- */

static void comes_up(void **state)
{
    (void)state;
    const struct rig_options opt = {.strict = MODEL_STRICT, .compare = true};
    rig_open(&rig, &opt);
    assert_int_equal(rig_snapshot(&rig).state, GSP_ABSENT);
    boots();
    no_violation();
    const struct gsp_snapshot s = rig_snapshot(&rig);
    assert_int_equal(s.state, GSP_READY);
    assert_int_equal(s.fail.err, FL_OK);
    assert_string_equal(s.chip, "ga102");
    assert_string_equal(s.firmware_version, "570.144");
    assert_true(s.name[0] != '\0' && s.short_name[0] != '\0' && s.vbios_version[0] != '\0');
    assert_int_equal(strncmp(s.uuid, "GPU-", 4), 0);
    assert_int_equal(strlen(s.uuid), 40);
    assert_true(s.vram_bytes > GIB(1) && s.fb_region_count > 0 && s.fb_bus_width > 0);
    assert_true(s.wpr2_lo != 0 && s.wpr2_hi > s.wpr2_lo && s.wpr2_hi < s.vram_bytes);
    for (uint32_t i = 0; i < s.stage_count; i++) {
        assert_int_equal(s.stage[i].state,
                         only_path_b(s.stage[i].name) ? GSP_STAGE_SKIPPED : GSP_STAGE_OK);
    }
    assert_true(s.rpc_sent >= 5 && s.rpc_received >= 3 && s.events >= 2);
    assert_int_equal(model().gsp_boots, 1);
    assert_true(model().wpr2_up && model().gsp_running);
    assert_int_equal(model().unmodelled_reads + model().unmodelled_writes, 0);
    assert_int_equal(lockorder_inversions(), 0);
    assert_true(gsp_log_put(rig.gpu, GSP_LOG_INIT) > 0);

    assert_int_equal(rig_unload(&rig), FL_OK);
    no_violation();
    assert_int_equal(rig_snapshot(&rig).state, GSP_UNLOADED);
    assert_false(model().wpr2_up || model().gsp_running);
    static char text[1 << 20];
    flight(text, sizeof(text));
    const char *release = strstr(text, "stage release");
    assert_non_null(release); /* the GPU no longer has an address of ours */
    assert_non_null(strstr(release, "W 100c10 NV_PFB_NISO_FLUSH_SYSMEM_ADDR 0x00000000"));
    assert_true(rig_close(&rig));
}

/* NVIDIA's own files, when FIRMWARE_DIR says where they are. */
static void real_files(void **state)
{
    const char *dir = getenv("FIRMWARE_DIR");
    (void)state;
    if (dir == NULL) {
        skip();
    }
    const struct rig_options opt = {.firmware_dir = dir, .strict = MODEL_STRICT};
    rig_open(&rig, &opt);
    boots();
    no_violation();
    const struct gsp_snapshot s = rig_snapshot(&rig);
    print_message("  %llu KiB of files, %llu bytes copied\n",
                  (unsigned long long)(s.firmware_bytes >> 10), (unsigned long long)s.copied_bytes);
    assert_true(s.firmware_bytes > MIB(60));
    assert_true(s.copied_bytes < KIB(256));
    assert_int_equal(rig_unload(&rig), FL_OK);
    assert_true(rig_close(&rig));
}

static void again_and_again(void **state)
{
    (void)state;
    open_strict(NULL);
    boots();
    assert_int_equal(rig_unload(&rig), FL_OK);
    struct dma_stats first, now;
    dma_get_stats(&first);
    for (unsigned i = 0; i < 5; i++) {
        boots();
        assert_int_equal(rig_boot(&rig), FL_ESTATE); /* it is up already */
        assert_int_equal(rig_unload(&rig), FL_OK);
        assert_int_equal(rig_unload(&rig), FL_ESTATE);
        dma_get_stats(&now);
        assert_int_equal(now.live_bytes, first.live_bytes); /* the logs stay, nothing more */
    }
    no_violation();
    assert_int_equal(model().gsp_boots, 6);
    assert_int_equal(rig_snapshot(&rig).boots, 6);
    assert_int_equal(rig_snapshot(&rig).unloads, 6);
    assert_true(rig_close(&rig));
}

/* Reads cost 12 to 30 us under QEMU: the budget is a promise (nova-core makes several times as
 * many). */
static void register_budget(void **state)
{
    (void)state;
    uint64_t reads = 0, prom = 0;
    open_strict(NULL);
    boots();
    const struct gsp_snapshot s = rig_snapshot(&rig);
    for (uint32_t i = 0; i < s.stage_count; i++) {
        const bool is_prom =
            strcmp(s.stage[i].name, "vbios") == 0 || strcmp(s.stage[i].name, "unload-armed") == 0;
        print_message("  %-14s %6llu us %6u reads %6u writes\n", s.stage[i].name,
                      (unsigned long long)s.stage[i].us, s.stage[i].reg_reads,
                      s.stage[i].reg_writes);
        *(is_prom ? &prom : &reads) += s.stage[i].reg_reads;
    }
    print_message("  %llu reads and %llu of the PROM; %llu interrupts\n", (unsigned long long)reads,
                  (unsigned long long)prom, (unsigned long long)s.interrupts);
    assert_true(rig_stage(&rig, "identify").reg_reads <= 2);
    assert_true(rig_stage(&rig, "devinit").reg_reads <= 12); /* the model's board needs 3.5 ms */
    assert_true(rig_stage(&rig, "wpr2-clear").reg_reads <= 1);
    assert_true(rig_stage(&rig, "fb-layout").reg_reads <= 3);
    assert_int_equal(rig_stage(&rig, "memory").reg_reads + rig_stage(&rig, "rpc-queued").reg_reads,
                     0);
    assert_true(s.interrupts > 0);
    assert_int_equal(s.copied_bytes % 256,
                     0x50); /* the image is not copied but for its tail, see below */
    assert_true(s.copied_bytes < 256 * 1024 && s.firmware_bytes > MIB(2));
    assert_true(rig_close(&rig));
}

static void runs_without_interrupts(void **state)
{
    static const char *const faults[] = {"no-irq", NULL};
    (void)state;
    open_strict(faults);
    boots();
    assert_int_equal(rig_snapshot(&rig).interrupts, 0);
    assert_int_equal(rig_unload(&rig), FL_OK);
    no_violation();
    assert_true(rig_close(&rig));

    const struct rig_options opt = {.no_msi = true, .strict = MODEL_STRICT};
    rig_open(&rig, &opt);
    boots();
    assert_int_equal(rig_unload(&rig), FL_OK);
    no_violation();
    assert_true(rig_close(&rig));
}

static void image_off_a_page_boundary(void **state)
{
    (void)state;
    const struct rig_options opt = {
        .unaligned_image = true, .strict = MODEL_STRICT, .compare = true};
    rig_open(&rig, &opt);
    boots();
    no_violation();
    assert_true(rig_snapshot(&rig).copied_bytes > MIB(2)); /* then it is copied, and said */
    assert_true(rig_close(&rig));
}

/* ---- others run meanwhile ---- */

static unsigned ticks;
static bool tick_stop;
static void ticker(void *arg)
{
    (void)arg;
    while (!tick_stop) {
        ticks++;
        fiber_sleep_us(1000);
    }
}
static void nobody_blocks(void **state)
{
    (void)state;
    static const char *const faults[] = {"gsp-hang", NULL};
    open_strict(faults);
    ticks = 0;
    tick_stop = false;
    assert_non_null(fiber_spawn("ticker", ticker, NULL, FIBER_STACK_DEFAULT));
    assert_int_equal(rig_boot(&rig), FL_ETIMEDOUT);
    assert_true(ticks > 5000); /* ten seconds of waiting */
    tick_stop = true;
    assert_true(rig_close(&rig));
}

/* ---- a running GPU ---- */

static volatile bool serve_stop;
static bool serve_done;
static void serve(void *arg)
{
    (void)arg;
    gsp_serve(rig.gpu, &serve_stop);
    serve_done = true;
}
static void inject_xid(void *arg)
{
    uint8_t p[272] = {0};
    (void)arg;
    fiber_sleep_us(1000);
    put_le32(p, 79);
    put_le32(p + 8, 0xffffffff);
    strcpy((char *)p + 12, "GPU has fallen off the bus\n");
    model_inject_event(rig.model, 0x1006, p, sizeof(p), 0);
    model_inject_event(rig.model, 0x1fff, p, 8, 0); /* of no version: counted, no more */
    fiber_sleep_us(1000);
    serve_stop = true;
    while (!serve_done) {
        fiber_sleep_us(1000);
    }
}
static void serves_events(void **state)
{
    (void)state;
    open_strict(NULL);
    boots();
    const uint64_t generation = gsp_generation(rig.gpu), interrupts = rig_snapshot(&rig).interrupts;
    serve_stop = serve_done = false;
    assert_non_null(fiber_spawn("serve", serve, NULL, FIBER_STACK_DEFAULT));
    rig_run(inject_xid, NULL);
    const struct gsp_snapshot s = rig_snapshot(&rig);
    assert_int_equal(s.state, GSP_READY);
    assert_int_equal(s.xid_count, 1);
    assert_int_equal(s.last_xid, 79);
    assert_string_equal(s.last_xid_text, "GPU has fallen off the bus");
    assert_true(s.interrupts > interrupts);
    assert_true(gsp_generation(rig.gpu) != generation);
    no_violation();
    assert_true(rig_close(&rig));
}

static uint64_t unplugged_us;
static void unplug_later(void *arg)
{
    (void)arg;
    fiber_sleep_us(1000);
    model_unplug(rig.model);
    unplugged_us = clock_now_us();
    while (!serve_done) {
        fiber_sleep_us(1000);
    }
}
static void falls_off_while_serving(void **state)
{
    (void)state;
    open_strict(NULL);
    boots();
    serve_stop = serve_done = false;
    assert_non_null(fiber_spawn("serve", serve, NULL, FIBER_STACK_DEFAULT));
    rig_run(unplug_later, NULL);
    const struct gsp_snapshot s = rig_snapshot(&rig);
    assert_int_equal(s.state, GSP_FAILED);
    assert_int_equal(s.fail.err, FL_ELINKLOST);
    assert_string_equal(s.fail.stage, "ready");
    assert_true(s.fail.at_us - unplugged_us < 2 * US_PER_S);
    assert_true(rig_close(&rig));
}

/* ---- controls ---- */

#define CMD_GSP_GET_FEATURES 0x20803601u
#define CMD_UNKNOWN          0x20807fffu
static void controls_body(void *arg)
{
    uint8_t p[72] = {0};
    uint32_t status = 0xdead;
    struct fl_fail fail = {0};
    (void)arg;
    assert_int_equal(gsp_rm_control(rig.gpu, GSP_OBJECT_SUBDEVICE, CMD_GSP_GET_FEATURES, p,
                                    sizeof(p), US_PER_S, &status, &fail),
                     FL_OK);
    assert_int_equal(status, 0);
    assert_string_equal((const char *)p + 6, "570.144");
    assert_int_equal(
        gsp_rm_control(rig.gpu, GSP_OBJECT_SUBDEVICE, CMD_UNKNOWN, p, 4, US_PER_S, &status, &fail),
        FL_OK);
    assert_int_equal(status, 0x56);
    assert_int_equal(gsp_rm_control(rig.gpu, 0x12345678, CMD_GSP_GET_FEATURES, p, sizeof(p),
                                    US_PER_S, &status, &fail),
                     FL_OK);
    assert_int_not_equal(status, 0);
    assert_int_equal(fail.err, FL_OK);
}
static void controls(void **state)
{
    uint8_t p[4] = {0};
    uint32_t status;
    struct fl_fail fail = {0};
    (void)state;
    open_strict(NULL);
    assert_int_equal(
        gsp_rm_control(rig.gpu, GSP_OBJECT_SUBDEVICE, CMD_UNKNOWN, p, 4, US_PER_S, &status, &fail),
        FL_ESTATE);
    boots();
    rig_run(controls_body, NULL);
    no_violation();
    assert_true(rig_close(&rig));
}

/* Two fibers call while a third serves events: each gets its own answer. */
static unsigned calls_left;
static void caller(void *arg)
{
    const uint32_t object = *(const uint32_t *)arg;
    for (unsigned i = 0; i < 50; i++) {
        uint8_t p[72] = {0};
        uint32_t status = 0xdead;
        struct fl_fail fail = {0};
        if (gsp_rm_control(rig.gpu, object, CMD_GSP_GET_FEATURES, p, sizeof(p), US_PER_S, &status,
                           &fail) != FL_OK ||
            (status == 0) != (object == GSP_OBJECT_SUBDEVICE)) {
            print_message("call %u: status 0x%x, %s\n", i, status, fail.text);
            return; /* calls_left stays */
        }
    }
    calls_left--;
}
static void until_called(void *arg)
{
    (void)arg;
    for (unsigned i = 0; calls_left > 0 && i < 1000; i++) {
        fiber_sleep_us(1000);
    }
    assert_int_equal(calls_left, 0);
    assert_int_equal(gsp_unload(rig.gpu), FL_OK); /* under the feet of the one that serves */
    for (unsigned i = 0; !serve_done && i < 1000; i++) {
        fiber_sleep_us(1000);
    }
    assert_true(serve_done);
}
static void many_callers(void **state)
{
    static const uint32_t good = GSP_OBJECT_SUBDEVICE, bad = 0x12345678;
    (void)state;
    open_strict(NULL);
    boots();
    calls_left = 2;
    serve_stop = serve_done = false;
    assert_non_null(fiber_spawn("serve", serve, NULL, FIBER_STACK_DEFAULT));
    assert_non_null(fiber_spawn("good", caller, (void *)(uintptr_t)&good, FIBER_STACK_DEFAULT));
    assert_non_null(fiber_spawn("bad", caller, (void *)(uintptr_t)&bad, FIBER_STACK_DEFAULT));
    rig_run(until_called, NULL);
    assert_int_equal(rig_snapshot(&rig).state, GSP_UNLOADED);
    assert_int_equal(rig_snapshot(&rig).fail.err, FL_OK);
    assert_int_equal(lockorder_inversions(), 0);
    no_violation();
    assert_true(rig_close(&rig));
}

/* Unload while others call: whoever comes too late is told so, and touches nothing. */
static unsigned callers_alive, refused_calls;
static void stubborn_caller(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < 200; i++) {
        uint8_t p[72] = {0};
        uint32_t status;
        const enum fl_err err = gsp_rm_control(rig.gpu, GSP_OBJECT_SUBDEVICE, CMD_GSP_GET_FEATURES,
                                               p, sizeof(p), US_PER_S, &status, NULL);
        if (err != FL_OK) {
            refused_calls += err == FL_ESTATE || err == FL_ECANCELED;
            break;
        }
    }
    callers_alive--;
}
static void unload_amid_calls(void *arg)
{
    (void)arg;
    fiber_sleep_us(500);
    const uint64_t start = clock_now_us();
    assert_int_equal(gsp_unload(rig.gpu), FL_OK);
    while (callers_alive > 0) {
        fiber_sleep_us(100);
    }
    assert_true(clock_now_us() - start < US_PER_S); /* nobody waited for a reply that never comes */
}
static void unload_under_calls(void **state)
{
    (void)state;
    open_strict(NULL);
    boots();
    callers_alive = 3;
    refused_calls = 0;
    for (unsigned i = 0; i < 3; i++) {
        assert_non_null(fiber_spawn("caller", stubborn_caller, NULL, FIBER_STACK_DEFAULT));
    }
    rig_run(unload_amid_calls, NULL);
    assert_int_equal(refused_calls, 3);
    no_violation();
    assert_true(rig_close(&rig));
}

/* An event that is shorter than its structure ends the GPU's service, by name. */
static void inject_short(void *arg)
{
    const uint8_t p[64] = {0};
    (void)arg;
    fiber_sleep_us(1000);
    model_inject_event(rig.model, 0x1006, p, sizeof(p), 0);
    for (unsigned i = 0; !serve_done && i < 1000; i++) {
        fiber_sleep_us(1000);
    }
}
static void malformed_event(void **state)
{
    (void)state;
    open_strict(NULL);
    boots();
    serve_stop = serve_done = false;
    assert_non_null(fiber_spawn("serve", serve, NULL, FIBER_STACK_DEFAULT));
    rig_run(inject_short, NULL);
    const struct gsp_snapshot s = rig_snapshot(&rig);
    assert_int_equal(s.state, GSP_FAILED);
    assert_int_equal(s.fail.err, FL_EPROTO);
    assert_string_equal(s.fail.what, "OS_ERROR_LOG");
    assert_false(model().wpr2_up);
    boots(); /* and comes back */
    assert_true(rig_close(&rig));
}

/* The model is not told which firmware comes; the driver is not told what the model expects. */
static void model_recognises_the_firmware(void **state)
{
    static const struct {
        const char *chip, *version;
        bool compare;
    } cases[] = {
        {"ga102", "570.144", false}, {"ga102", "535.113.01", false}, {"tu102", "535.113.01", false},
        {"ga100", "570.144", false}, {"ad102", "535.113.01", false}, {"ga102", "535.113.01", true},
        {"tu102", "570.144", true},  {"gb202", "570.144", false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct rig_options opt = {.chip = cases[i].chip,
                                        .version = cases[i].version,
                                        .compare = cases[i].compare,
                                        .strict = MODEL_STRICT,
                                        .untold = true};
        rig_open(&rig, &opt);
        boots();
        no_violation();
        assert_string_equal(rig_snapshot(&rig).firmware_version, cases[i].version);
        assert_int_equal(rig_unload(&rig), FL_OK);
        no_violation();
        assert_true(rig_close(&rig));
    }
}

static const struct gsp_event_info *event_of(const char *version, uint32_t number)
{
    return gsp_event_find(&gsp_version_find(version)->events, number);
}

/* From 0x101b on the numbers differ (rpc.md B3). */
static void event_numbers(void **state)
{
    (void)state;
    assert_int_equal(event_of("570.144", 0x101c)->event, GSP_EV_LOCKDOWN_NOTICE);
    assert_int_equal(event_of("535.113.01", 0x101d)->event, GSP_EV_LOCKDOWN_NOTICE);
    assert_int_equal(event_of("570.144", 0x1020)->event, GSP_EV_POST_NOCAT_RECORD);
    assert_null(event_of("535.113.01", 0x1020));
    assert_string_equal(event_of("535.113.01", 0x101b)->name, "GSP_SEND_USER_SHARED_DATA");
    assert_string_equal(event_of("570.144", 0x101b)->name, "NVLINK_FAULT_UP");
    assert_int_equal(event_of("570.144", 0x1002)->event, GSP_EV_RUN_CPU_SEQUENCER);
    assert_int_equal(event_of("535.113.01", 0x1001)->event, GSP_EV_INIT_DONE);
    assert_null(event_of("570.144", 0x1023));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_up),
        cmocka_unit_test(real_files),
        cmocka_unit_test(again_and_again),
        cmocka_unit_test(register_budget),
        cmocka_unit_test(runs_without_interrupts),
        cmocka_unit_test(image_off_a_page_boundary),
        cmocka_unit_test(nobody_blocks),
        cmocka_unit_test(serves_events),
        cmocka_unit_test(falls_off_while_serving),
        cmocka_unit_test(controls),
        cmocka_unit_test(many_callers),
        cmocka_unit_test(unload_under_calls),
        cmocka_unit_test(model_recognises_the_firmware),
        cmocka_unit_test(malformed_event),
        cmocka_unit_test(event_numbers),
    };
    log_set_level(LOG_DEBUG);
    host_log_to_stderr(getenv("RIG_LOG") != NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
