/* SPDX-License-Identifier: MIT */
/*
 * Bring-ups that go wrong, against the model: every stage failing once, the link lost at every kind
 * of access, memory running out at every allocation, single accesses answered wrongly, WPR2 left by
 * an earlier life. After each the failure has a name, WPR2 is down, a retry works and no memory is
 * left over.
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
#include "arch/log.h"
#include "mm/ram.h"
#include "tests/unit/rig_assert.h"

/* ---- failures, stage by stage ---- */

static void failed_in(const char *stage, enum fl_err err, const char *words)
{
    const enum fl_err got = rig_boot(&rig);
    const struct gsp_snapshot s = rig_snapshot(&rig);

    if (got != err || strcmp(s.fail.stage, stage) != 0 ||
        (words != NULL && strstr(s.fail.text, words) == NULL)) {
        fail_msg("expected %s in %s (\"%s\"), got %s in %s: %s", fl_err_name(err), stage,
                 words != NULL ? words : "", fl_err_name(got), s.fail.stage, s.fail.text);
    }
    assert_int_equal(s.state, GSP_FAILED);
    assert_int_equal(s.fail.err, err);
    bool after = false;
    for (uint32_t i = 0; i < s.stage_count; i++) {
        if (strcmp(s.stage[i].name, stage) == 0) {
            assert_int_equal(s.stage[i].state, GSP_STAGE_FAILED);
            after = true;
        } else {
            assert_int_equal(s.stage[i].state, after || only_path_b(s.stage[i].name)
                                                   ? GSP_STAGE_SKIPPED
                                                   : GSP_STAGE_OK);
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
        {"read:NV_PMC_BOOT_42:n=1:value=0x1ff00000", "identify", "not a chip", FL_ENOTSUP},
        {"read:NV_PMC_BOOT_42:n=1:value=0xbadf1100", "identify", "no such register", FL_ENOTSUP},
        {"gfw-stuck", "devinit", "waited 4", FL_ETIMEDOUT},
        {"read:0x300000:n=1:value=0x12345678", "vbios", NULL, FL_EBADDATA},
        {"read:NV_USABLE_FB_SIZE_IN_MB:n=1:value=0", "fb-layout", "VRAM", FL_EBADDATA},
        {"read:NV_USABLE_FB_SIZE_IN_MB:n=1:value=0xbadf5108", "fb-layout", "VRAM", FL_EBADDATA},
        {"fwsec-error=0x1234", "frts", "0x1234", FL_EIO},
        {"read:NV_PFB_PRI_MMU_WPR2_ADDR_LO:n=1:value=0x1234560", "frts", "WPR2", FL_EIO},
        {"booter-mailbox=0x31", "booter", "0x00000031", FL_EIO},
        {"read:NV_PRISCV_RISCV_CPUCTL@gsp:n=0:value=0x10", "riscv", "crashed", FL_EIO},
        {"gsp-hang", "sequencer", "script", FL_ETIMEDOUT},
        {"init-done-result=0x59", "init-done", "0x59", FL_EIO},
        {"message:n=1:offset=0x50:xor=1", "sequencer", "checksum", FL_EPROTO},
        {"message:n=1:offset=0x38:xor=0x80000000", "sequencer", "length", FL_EPROTO},
        /* The script takes longer than one turn of reading, so the next stage meets the second
           copy. */
        {"message:n=1:twice", "init-done", "sequence", FL_EPROTO},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *const faults[] = {cases[i].fault, NULL};
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
        "read:NV_PMC_BOOT_42:n=1:value=0x1ff00000",
        "read:0x300000:n=1:value=0x12345678",
        "message:n=1:offset=0x50:xor=1",
        "message:n=2:offset=0x3c:xor=4",
        "message:n=3:drop",
        "read:NV_PFALCON_FALCON_MAILBOX0@sec2:n=1:value=0x31",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(once); i++) {
        const char *const faults[] = {once[i], NULL};
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
    static const char *const kinds[] = {"gsp", "bootloader", "booter_load", "booter_unload"};
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
    struct starved_boot b;
    (void)state;
    for (b.at = 1;; b.at++) {
        open_strict(NULL);
        rig_run(boot_with_failing_allocation, &b);
        if (!b.failed) {
            assert_int_equal(b.err, FL_OK);
            assert_true(rig_close(&rig));
            break;
        }
        const struct gsp_snapshot s = rig_snapshot(&rig);
        if (b.err != FL_ENOMEM || s.fail.text[0] == '\0') {
            fail_msg("allocation %u: %s: %s", b.at, fl_err_name(b.err), s.fail.text);
        }
        assert_false(model().wpr2_up);
        boots();
        assert_true(rig_close(&rig));
    }
    print_message("  %u allocations\n", b.at - 1);
    assert_true(b.at > 10);
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
        if (err != FL_ELINKLOST || s.fail.err != FL_ELINKLOST ||
            strstr(s.fail.text, "link lost") == NULL) {
            fail_msg("cut at access %llu of %llu: %s in %s: %s", (unsigned long long)n,
                     (unsigned long long)total, fl_err_name(err), s.fail.stage, s.fail.text);
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
    static const char *const faults[] = {"gsp-hang", NULL};
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
    static const char *const faults[] = {"write:NV_PFALCON_FALCON_CPUCTL@sec2:n=3", NULL};
    (void)state;
    const struct rig_options opt = {.faults = faults};
    rig_open(&rig, &opt);
    boots();
    assert_int_equal(rig_unload(&rig), FL_EIO);
    assert_int_equal(rig_snapshot(&rig).state, GSP_FAILED);
    assert_true(model().wpr2_up);
    /* It may still write: it was cut off before its buffers were given back. */
    assert_int_equal(model_cfg_read(rig.model, 4, 2) & 4, 0);
    boots(); /* by way of a function level reset */
    assert_int_equal(rig_unload(&rig), FL_OK);
    assert_false(model().wpr2_up);
    assert_true(rig_close(&rig));
}

/* ---- one access answered wrongly ---- */

/* Whatever it is: the boot works, or fails with a name; WPR2 is not left up; a retry works. */
static void one_wrong_access(void **state)
{
    static const char *const kinds[] = {
        "read:*:n=%u:value=0xffffffff",
        "read:*:n=%u:value=0xbadf1100",
        "read:*:n=%u:value=0",
        "read:*:n=%u:xor=0x10",
        "write:*:n=%u",
        "write:*:n=%u:xor=1",
    };
    uint64_t before_prom = 0, prom = 0, reads = 0, writes = 0;
    unsigned failed = 0, worked = 0;
    (void)state;
    open_strict(NULL);
    boots();
    const struct gsp_snapshot good = rig_snapshot(&rig);
    for (uint32_t i = 0; i < good.stage_count; i++) {
        reads += good.stage[i].reg_reads;
        writes += good.stage[i].reg_writes;
        if (strcmp(good.stage[i].name, "vbios") == 0) {
            before_prom = reads;
        } else if (strcmp(good.stage[i].name, "unload-armed") == 0) {
            prom = reads - before_prom;
        }
    }
    assert_true(rig_close(&rig));
    for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
        const bool is_read = kinds[k][0] == 'r';
        for (uint64_t n = 1 + k % 3; n <= (is_read ? reads : writes);
             n += 1 + n % 5 + (n > 20 ? 4u : 0u)) {
            char fault[64];
            const char *const faults[] = {fault, NULL};
            if (is_read && n > before_prom && n < before_prom + prom) {
                n += prom; /* the PROM's content is test_vbios's */
            }
            snprintf(fault, sizeof(fault), kinds[k], (unsigned)n);
            const struct rig_options opt = {.faults = faults};
            rig_open(&rig, &opt);
            const enum fl_err err = rig_boot(&rig);
            const struct gsp_snapshot s = rig_snapshot(&rig);
            if (err != FL_OK) {
                failed++;
                if (s.state != GSP_FAILED || s.fail.err != err || s.fail.stage[0] == '\0' ||
                    s.fail.text[0] == '\0' || model().wpr2_up) {
                    fail_msg("%s: %s in \"%s\": \"%s\", WPR2 %s", fault, fl_err_name(err),
                             s.fail.stage, s.fail.text, model().wpr2_up ? "up" : "down");
                }
                boots();
            } else {
                worked++;
            }
            assert_true(rig_close(&rig));
        }
    }
    print_message("  %u wrong accesses named, %u without consequence\n", failed, worked);
    assert_true(failed > 50);
}

/* ---- what is left to look at ---- */

static void record_and_logs(void **state)
{
    static char text[1 << 20];
    static const char *const faults[] = {"init-done-result=0x59", NULL};
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
    assert_non_null(strstr(text, "recv  GSP_INIT_DONE (0x1001), 0 bytes"));
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
        cmocka_unit_test(each_stage_fails),
        cmocka_unit_test(a_retry_works),
        cmocka_unit_test(files_that_are_wrong),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(link_lost),
        cmocka_unit_test(link_lost_while_waiting),
        cmocka_unit_test(wpr2_left_up),
        cmocka_unit_test(one_wrong_access),
        cmocka_unit_test(record_and_logs),
    };
    /* One stretch of RAM: a failure on purpose is then not made good by another stretch. */
    host_ram_configure(0, HOST_RAM_HIGH_BYTES);
    if (ram_init(NULL) != FL_OK) {
        return 1;
    }
    log_set_level(LOG_DEBUG);
    host_log_to_stderr(getenv("RIG_LOG") != NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
