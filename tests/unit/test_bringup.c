/* SPDX-License-Identifier: MIT */
/*
 * Whole bring-ups against the model, in process: the good way, every stage failing once, the link
 * lost at every kind of access, memory running out at every allocation, and back again. After each
 * of them the GPU must boot once more, WPR2 must have come down, and no memory may be left over.
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
#include "mm/dma.h"
#include "tests/unit/rig.h"

static struct rig rig;

static void no_violation(void)
{
    const struct model_verdict *v = model_first_violation(rig.model);
    if (v != NULL) {
        fail_msg("access %llu broke %s: %s (%s)", (unsigned long long)v->access, v->rule, v->words, v->source);
    }
}

static void boots(void)
{
    if (rig_boot(&rig) != FL_OK) {
        const struct gsp_snapshot s = rig_snapshot(&rig);
        fail_msg("boot failed in stage %s (%s): %s [%s]", s.fail.stage, fl_err_name(s.fail.err), s.fail.text, s.fail.hint);
    }
}

static struct model_stats model(void)
{
    struct model_stats m;
    model_get_stats(rig.model, &m);
    return m;
}

static void open_strict(const char *const *faults)
{
    const struct rig_options opt = { .strict = MODEL_STRICT, .faults = faults };
    rig_open(&rig, &opt);
}

/* ---- the good way ---- */

static void comes_up(void **state)
{
    (void)state;
    open_strict(NULL);
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
        assert_int_equal(s.stage[i].state, GSP_STAGE_OK);
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

/* Reads cost 12 to 30 us under QEMU: the budget is a promise (nova-core makes several times as many). */
static void register_budget(void **state)
{
    (void)state;
    uint64_t reads = 0, prom = 0;
    open_strict(NULL);
    boots();
    const struct gsp_snapshot s = rig_snapshot(&rig);
    for (uint32_t i = 0; i < s.stage_count; i++) {
        const bool is_prom = strcmp(s.stage[i].name, "vbios") == 0 || strcmp(s.stage[i].name, "unload-armed") == 0;
        print_message("  %-14s %6llu us %6u reads %6u writes\n", s.stage[i].name, (unsigned long long)s.stage[i].us,
                      s.stage[i].reg_reads, s.stage[i].reg_writes);
        *(is_prom ? &prom : &reads) += s.stage[i].reg_reads;
    }
    print_message("  %llu reads and %llu of the PROM; %llu interrupts\n", (unsigned long long)reads,
                  (unsigned long long)prom, (unsigned long long)s.interrupts);
    assert_true(rig_stage(&rig, "identify").reg_reads <= 2);
    assert_true(rig_stage(&rig, "devinit").reg_reads <= 2);
    assert_true(rig_stage(&rig, "wpr2-clear").reg_reads <= 1);
    assert_true(rig_stage(&rig, "fb-layout").reg_reads <= 3);
    assert_int_equal(rig_stage(&rig, "memory").reg_reads + rig_stage(&rig, "rpc-queued").reg_reads, 0);
    assert_true(s.interrupts > 0);
    assert_int_equal(s.copied_bytes % 256, 0x50); /* the image is not copied but for its tail, see below */
    assert_true(s.copied_bytes < 256 * 1024 && s.firmware_bytes > MIB(2));
    assert_true(rig_close(&rig));
}

static void runs_without_interrupts(void **state)
{
    static const char *const faults[] = { "no-irq", NULL };
    (void)state;
    open_strict(faults);
    boots();
    assert_int_equal(rig_snapshot(&rig).interrupts, 0);
    assert_int_equal(rig_unload(&rig), FL_OK);
    no_violation();
    assert_true(rig_close(&rig));

    const struct rig_options opt = { .no_msi = true, .strict = MODEL_STRICT };
    rig_open(&rig, &opt);
    boots();
    assert_int_equal(rig_unload(&rig), FL_OK);
    no_violation();
    assert_true(rig_close(&rig));
}

static void image_off_a_page_boundary(void **state)
{
    (void)state;
    const struct rig_options opt = { .unaligned_image = true, .strict = MODEL_STRICT };
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
    static const char *const faults[] = { "gsp-hang", NULL };
    open_strict(faults);
    ticks = 0;
    tick_stop = false;
    assert_non_null(fiber_spawn("ticker", ticker, NULL, FIBER_STACK_DEFAULT));
    assert_int_equal(rig_boot(&rig), FL_ETIMEDOUT);
    assert_true(ticks > 5000); /* ten seconds of waiting */
    tick_stop = true;
    assert_true(rig_close(&rig));
}

/* ---- failures, stage by stage ---- */

static void failed_in(const char *stage, enum fl_err err, const char *words)
{
    const enum fl_err got = rig_boot(&rig);
    const struct gsp_snapshot s = rig_snapshot(&rig);

    if (got != err || strcmp(s.fail.stage, stage) != 0 || (words != NULL && strstr(s.fail.text, words) == NULL)) {
        fail_msg("expected %s in %s (\"%s\"), got %s in %s: %s", fl_err_name(err), stage, words != NULL ? words : "",
                 fl_err_name(got), s.fail.stage, s.fail.text);
    }
    assert_int_equal(s.state, GSP_FAILED);
    assert_int_equal(s.fail.err, err);
    bool after = false;
    for (uint32_t i = 0; i < s.stage_count; i++) {
        if (strcmp(s.stage[i].name, stage) == 0) {
            assert_int_equal(s.stage[i].state, GSP_STAGE_FAILED);
            after = true;
        } else {
            assert_int_equal(s.stage[i].state, after ? GSP_STAGE_SKIPPED : GSP_STAGE_OK);
        }
    }
    assert_true(after);
}

static void each_stage_fails(void **state)
{
    static const struct {
        const char *fault, *stage, *words;
        enum fl_err err;
    } cases[] = {
        { "read:NV_PMC_BOOT_42:n=1:value=0x1ff00000", "identify", "not a chip", FL_ENOTSUP },
        { "read:NV_PMC_BOOT_42:n=1:value=0xbadf1100", "identify", "no such register", FL_ENOTSUP },
        { "gfw-stuck", "devinit", "waited 4", FL_ETIMEDOUT },
        { "read:0x300000:n=1:value=0x12345678", "vbios", NULL, FL_EBADDATA },
        { "read:NV_USABLE_FB_SIZE_IN_MB:n=1:value=0", "fb-layout", "VRAM", FL_EBADDATA },
        { "read:NV_USABLE_FB_SIZE_IN_MB:n=1:value=0xbadf5108", "fb-layout", "VRAM", FL_EBADDATA },
        { "fwsec-error=0x1234", "frts", "0x1234", FL_EIO },
        { "booter-mailbox=0x31", "booter", "0x00000031", FL_EIO },
        { "read:NV_PRISCV_RISCV_CPUCTL@gsp:n=0:value=0x10", "riscv", "RISCV_CPUCTL", FL_ETIMEDOUT },
        { "gsp-hang", "sequencer", "script", FL_ETIMEDOUT },
        { "init-done-result=0x59", "init-done", "0x59", FL_EIO },
        { "message:n=1:offset=0x50:xor=1", "sequencer", "checksum", FL_EPROTO },
        { "message:n=1:offset=0x38:xor=0x80000000", "sequencer", "length", FL_EPROTO },
        { "message:n=1:twice", "init-done", "sequence", FL_EPROTO },
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *const faults[] = { cases[i].fault, NULL };
        print_message("  %s\n", cases[i].fault);
        open_strict(faults);
        failed_in(cases[i].stage, cases[i].err, cases[i].words);
        assert_false(model().wpr2_up);
        assert_false(model().gsp_running);
        assert_true(rig_close(&rig));
    }
}

/* A fault that happens once: the next boot works, on the same model and GPU. */
static void a_retry_works(void **state)
{
    static const char *const once[] = {
        "read:NV_PMC_BOOT_42:n=1:value=0x1ff00000", "read:0x300000:n=1:value=0x12345678",
        "message:n=1:offset=0x50:xor=1", "message:n=2:offset=0x3c:xor=4", "message:n=3:drop",
        "read:NV_PFALCON_FALCON_MAILBOX0@sec2:n=1:value=0x31",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(once); i++) {
        const char *const faults[] = { once[i], NULL };
        print_message("  %s\n", once[i]);
        open_strict(faults);
        assert_int_not_equal(rig_boot(&rig), FL_OK);
        assert_int_equal(rig_snapshot(&rig).state, GSP_FAILED);
        boots();
        assert_int_equal(rig_snapshot(&rig).state, GSP_READY);
        assert_int_equal(rig_snapshot(&rig).fail.err, FL_OK);
        assert_true(rig_close(&rig));
    }
}

static void files_that_are_wrong(void **state)
{
    static const char *const kinds[] = { "gsp", "bootloader", "booter_load", "booter_unload" };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        open_strict(NULL);
        struct fl_file *f = rig_file(&rig, kinds[i]);
        f->state = FL_FILE_MISSING;
        failed_in("firmware", FL_ENOENT, NULL);
        f->state = FL_FILE_TRUNCATED;
        f->size /= 2;
        failed_in("firmware", FL_ETRUNCATED, NULL);
        f->size = f->dir_size;
        f->state = FL_FILE_OK;
        boots(); /* the user brought the right stick */
        assert_true(rig_close(&rig));
    }
}

static void memory_runs_out(void **state)
{
    unsigned n = 1;
    (void)state;
    for (;; n++) {
        open_strict(NULL);
        host_fail_alloc_at(n);
        const enum fl_err err = rig_boot(&rig);
        const struct gsp_snapshot s = rig_snapshot(&rig);
        const bool happened = host_fail_alloc_at(0) == 0;
        if (!happened) {
            assert_int_equal(err, FL_OK);
            assert_true(rig_close(&rig));
            break;
        }
        if (err != FL_ENOMEM || s.fail.text[0] == '\0') {
            fail_msg("allocation %u: %s: %s", n, fl_err_name(err), s.fail.text);
        }
        assert_false(model().wpr2_up);
        boots();
        assert_true(rig_close(&rig));
    }
    print_message("  %u allocations\n", n - 1);
    assert_true(n > 10);
}

/* ---- the link ---- */

static void link_lost(void **state)
{
    uint64_t total;
    unsigned cuts = 0;
    (void)state;
    open_strict(NULL);
    boots();
    total = model().reads + model().writes;
    assert_true(rig_close(&rig));
    /* Densely at the start, where each access is another register, then in steps. */
    for (uint64_t n = 1; n < total; n += n < 40 ? 1 : total / 150 + 1, cuts++) {
        open_strict(NULL);
        model_unplug_after(rig.model, n);
        const enum fl_err err = rig_boot(&rig);
        const struct gsp_snapshot s = rig_snapshot(&rig);
        if (err != FL_ELINKLOST || s.fail.err != FL_ELINKLOST || strstr(s.fail.text, "link lost") == NULL) {
            fail_msg("cut at access %llu of %llu: %s in %s: %s", (unsigned long long)n, (unsigned long long)total,
                     fl_err_name(err), s.fail.stage, s.fail.text);
        }
        assert_int_not_equal(s.fail.stage[0], '\0');
        model_reset(rig.model, MODEL_RESET_POWER);
        assert_true(rig_close(&rig));
    }
    print_message("  %u cuts in %llu accesses\n", cuts, (unsigned long long)total);
}

/* Lost while only memory is looked at: noticed within half a second. */
static void cut_in_silence(void *arg)
{
    (void)arg;
    while (rig_stage(&rig, "sequencer").state != GSP_STAGE_RUNNING) {
        fiber_sleep_us(50);
    }
    model_unplug(rig.model);
}
static void link_lost_while_waiting(void **state)
{
    static const char *const faults[] = { "gsp-hang", NULL };
    (void)state;
    open_strict(faults);
    assert_non_null(fiber_spawn("cut", cut_in_silence, NULL, FIBER_STACK_DEFAULT));
    failed_in("sequencer", FL_ELINKLOST, "link lost");
    assert_true(rig_stage(&rig, "sequencer").us < 500 * US_PER_MS);
    assert_true(rig_close(&rig));
}

/* ---- WPR2 from an earlier life ---- */

static void wpr2_left_up(void **state)
{
    /* SEC2's third start, booter_unload's, vanishes: WPR2 stays. */
    static const char *const faults[] = { "write:NV_PFALCON_FALCON_CPUCTL@sec2:n=3", NULL };
    (void)state;
    const struct rig_options opt = { .faults = faults };
    rig_open(&rig, &opt);
    boots();
    assert_int_equal(rig_unload(&rig), FL_EIO);
    assert_int_equal(rig_snapshot(&rig).state, GSP_FAILED);
    assert_true(model().wpr2_up);
    boots(); /* by way of a function level reset */
    assert_int_equal(rig_unload(&rig), FL_OK);
    assert_false(model().wpr2_up);
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
    uint8_t p[272] = { 0 };
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

static void unplug_later(void *arg)
{
    (void)arg;
    fiber_sleep_us(1000);
    model_unplug(rig.model);
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
    assert_true(rig_close(&rig));
}

/* ---- controls ---- */

#define CMD_GSP_GET_FEATURES 0x20803601u
#define CMD_UNKNOWN 0x20807fffu
static void controls_body(void *arg)
{
    uint8_t p[72] = { 0 };
    uint32_t status = 0xdead;
    struct fl_fail fail = { 0 };
    (void)arg;
    assert_int_equal(gsp_rm_control(rig.gpu, GSP_OBJECT_SUBDEVICE, CMD_GSP_GET_FEATURES, p, sizeof(p), US_PER_S, &status, &fail), FL_OK);
    assert_int_equal(status, 0);
    assert_string_equal((const char *)p + 6, "570.144");
    assert_int_equal(gsp_rm_control(rig.gpu, GSP_OBJECT_SUBDEVICE, CMD_UNKNOWN, p, 4, US_PER_S, &status, &fail), FL_OK);
    assert_int_equal(status, 0x56);
    assert_int_equal(gsp_rm_control(rig.gpu, 0x12345678, CMD_GSP_GET_FEATURES, p, sizeof(p), US_PER_S, &status, &fail), FL_OK);
    assert_int_not_equal(status, 0);
    assert_int_equal(fail.err, FL_OK);
}
static void controls(void **state)
{
    uint8_t p[4] = { 0 };
    uint32_t status;
    struct fl_fail fail = { 0 };
    (void)state;
    open_strict(NULL);
    assert_int_equal(gsp_rm_control(rig.gpu, GSP_OBJECT_SUBDEVICE, CMD_UNKNOWN, p, 4, US_PER_S, &status, &fail), FL_ESTATE);
    boots();
    rig_run(controls_body, NULL);
    no_violation();
    assert_true(rig_close(&rig));
}

/* ---- what is left to look at ---- */

static void record_and_logs(void **state)
{
    static char text[1 << 20];
    static const char *const faults[] = { "init-done-result=0x59", NULL };
    uint64_t cursor = 0, offset = 0;
    size_t at = 0, n;
    uint8_t log[1024];
    (void)state;
    open_strict(faults);
    assert_int_equal(rig_boot(&rig), FL_EIO);
    while ((n = gsp_flight_read(rig.gpu, &cursor, text + at, sizeof(text) - at - 1)) > 0) {
        at += n;
    }
    text[at] = '\0';
    assert_non_null(strstr(text, "stage booter"));
    assert_non_null(strstr(text, "NV_PFALCON_FALCON_CPUCTL@sec2"));
    assert_non_null(strstr(text, "recv  GSP_INIT_DONE (0x1001)"));
    assert_non_null(strstr(text, "result 0x59"));
    /* The logs of a boot that failed are what one needs. */
    assert_true(gsp_log_put(rig.gpu, GSP_LOG_INIT) > 0);
    uint64_t total = 0;
    while ((n = gsp_log_read(rig.gpu, GSP_LOG_RM, &offset, log, sizeof(log))) > 0) {
        total += n;
    }
    assert_int_equal(total, KIB(64));
    assert_true(rig_close(&rig));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_up), cmocka_unit_test(again_and_again), cmocka_unit_test(register_budget),
        cmocka_unit_test(runs_without_interrupts), cmocka_unit_test(image_off_a_page_boundary),
        cmocka_unit_test(nobody_blocks), cmocka_unit_test(each_stage_fails), cmocka_unit_test(a_retry_works),
        cmocka_unit_test(files_that_are_wrong), cmocka_unit_test(memory_runs_out), cmocka_unit_test(link_lost),
        cmocka_unit_test(link_lost_while_waiting), cmocka_unit_test(wpr2_left_up), cmocka_unit_test(serves_events),
        cmocka_unit_test(falls_off_while_serving), cmocka_unit_test(controls), cmocka_unit_test(record_and_logs),
    };
    log_set_level(LOG_DEBUG);
    host_log_to_stderr(getenv("RIG_LOG") != NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
