/* SPDX-License-Identifier: MIT */
/*
 * Bring-ups of the other families that go wrong: what is their own on path B (FSP, FMC) and by port
 * (Turing, GA100). After each failure it has a name, the GSP is stopped, WPR2 is down and a retry
 * works. What they share with GA102 is in test_bringup_faults.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/host/host.h"
#include "arch/log.h"
#include "mm/ram.h"
#include "tests/unit/rig_assert.h"

/* One of each way to boot. */
static const char *const chips[] = {"tu102", "ga100", "gh100", "gb100", "gb202"};

static void open_chip(const char *chip, const char *const *faults, enum model_strict strict)
{
    const struct rig_options opt = {.chip = chip, .faults = faults, .strict = strict};
    rig_open(&rig, &opt);
}

static void each_stage_fails(void **state)
{
    static const struct {
        const char *chip, *fault, *stage, *words;
        enum fl_err err;
        bool once; /* the fault happens once: the next boot works */
    } cases[] = {
        {"gh100", "read:NV_THERM_I2CS_SCRATCH_FSP_BOOT_COMPLETE:n=0:value=0", "devinit",
         "waited 50", FL_ETIMEDOUT, false},
        {"gb202", "read:NV_THERM_I2CS_SCRATCH_FSP_BOOT_COMPLETE_GB20X:n=0:value=0x11", "devinit",
         "0x00000011", FL_ETIMEDOUT, false},
        {"gb202", "read:NV_USABLE_FB_SIZE_IN_MB:n=1:value=0", "fb-layout", "VRAM", FL_EBADDATA,
         true},
        {"gb202", "fsp-error=0x9e", "chain-of-trust", "invalid state", FL_EIO, false},
        {"gh100", "fsp-error=0x12345678", "chain-of-trust", "0x12345678", FL_EIO, false},
        {"gb202", "fsp-silent", "chain-of-trust", "answer", FL_ETIMEDOUT, false},
        {"gb100", "read:NV_PFSP_QUEUE_HEAD(0):n=0:value=4", "chain-of-trust", "earlier",
         FL_ETIMEDOUT, false},
        {"gb202", "read:NV_PFSP_EMEMD(0):n=1:value=0", "chain-of-trust", "one packet", FL_EPROTO,
         true},
        {"gb202", "read:NV_PFSP_EMEMD(0):n=2:xor=0x01000000", "chain-of-trust", "header", FL_EPROTO,
         true},
        {"gb202", "read:NV_PFSP_EMEMD(0):n=4:xor=1", "chain-of-trust", "type 0x15", FL_EPROTO,
         true},
        {"gb202", "fmc-error=0xb", "lockdown", "0xb", FL_EIO, false},
        {"gh100", "fmc-locked", "lockdown", "still locked", FL_ETIMEDOUT, false},
        {"gb100", "read:NV_PFALCON_FALCON_HWCFG2@gsp:n=0:value=0xbadf4100", "lockdown",
         "keeps its registers", FL_ETIMEDOUT, false},
        {"gb202", "read:NV_PRISCV_RISCV_CPUCTL@gsp:n=0:value=0x10", "riscv", "crashed", FL_EIO,
         false},
        {"gb202", "gsp-hang", "init-done", "GSP_INIT_DONE", FL_ETIMEDOUT, false},
        {"gh100", "init-done-result=0x65", "init-done", "0x65", FL_EIO, false},
        {"gb202", "message:n=1:offset=0x38:xor=0x80000000", "init-done", "length", FL_EPROTO, true},
        {"tu102", "gfw-stuck", "devinit", "waited 4", FL_ETIMEDOUT, false},
        {"tu102", "read:NV_PFB_PRI_MMU_LOCAL_MEMORY_RANGE:n=1:value=0", "fb-layout", "VRAM",
         FL_EBADDATA, true},
        {"tu102", "read:NV_PFB_PRI_MMU_LOCAL_MEMORY_RANGE:n=1:value=0xbadf5108", "fb-layout",
         "VRAM", FL_EBADDATA, true},
        {"tu102", "fwsec-error=0x1234", "frts", "0x1234", FL_EIO, false},
        {"tu102", "read:NV_PFALCON_FALCON_DMACTL@gsp:n=0:value=2", "frts", "scrubbed", FL_ETIMEDOUT,
         false},
        {"tu102", "booter-mailbox=0x31", "booter", "0x00000031", FL_EIO, false},
        {"tu102", "read:NV_PRISCV_RISCV_CORE_SWITCH_RISCV_STATUS@gsp:n=0:value=0", "riscv",
         "crashed", FL_EIO, false},
        {"ga100", "read:NV_PFALCON_FALCON_DMACTL@gsp:n=0:value=2", "gsp-reset", "scrubbed",
         FL_ETIMEDOUT, false},
        {"ga100", "booter-mailbox=0x02", "booter", "0x00000002", FL_EIO, false},
        {"ga100", "gsp-hang", "sequencer", "script", FL_ETIMEDOUT, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *const faults[] = {cases[i].fault, NULL};
        open_chip(cases[i].chip, faults, MODEL_LENIENT);
        const enum fl_err err = rig_boot(&rig);
        const struct gsp_snapshot s = rig_snapshot(&rig);
        print_message("  %s %s: %s\n", cases[i].chip, cases[i].fault, s.fail.text);
        if (err != cases[i].err || strcmp(s.fail.stage, cases[i].stage) != 0 ||
            strstr(s.fail.text, cases[i].words) == NULL) {
            fail_msg("expected %s in %s (\"%s\"), got %s in %s: %s", fl_err_name(cases[i].err),
                     cases[i].stage, cases[i].words, fl_err_name(err), s.fail.stage, s.fail.text);
        }
        assert_int_equal(s.state, GSP_FAILED);
        assert_false(model().wpr2_up || model().gsp_running);
        if (cases[i].once) {
            boots();
            assert_int_equal(rig_unload(&rig), FL_OK);
            assert_false(model().wpr2_up || model().gsp_running);
        }
        assert_true(rig_close(&rig));
    }
}

/* Registers that the FSP keeps back for a while are no failure. */
static void masked_for_a_while(void **state)
{
    static const char *const faults[] = {"fmc-masked", NULL};
    (void)state;
    open_chip("gb202", faults, MODEL_STRICT);
    boots();
    assert_int_equal(rig_unload(&rig), FL_OK);
    no_violation();
    assert_true(rig_close(&rig));
}

/* A GSP that does not say goodbye on path B is taken down by a reset, and can be booted again. */
static void goodbye_unheard(void **state)
{
    (void)state;
    for (size_t i = 2; i < ARRAY_SIZE(chips); i++) {
        const char *const faults[] = {"read:NV_PFALCON_FALCON_MAILBOX0@gsp:n=0:value=0", NULL};
        open_chip(chips[i], faults, MODEL_LENIENT);
        boots();
        assert_int_equal(rig_unload(&rig), FL_ETIMEDOUT);
        assert_false(model().wpr2_up || model().gsp_running);
        boots();
        assert_true(rig_close(&rig));
    }
}

static void memory_runs_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(chips); i++) {
        struct starved_boot b;
        for (b.at = 1;; b.at++) {
            open_chip(chips[i], NULL, MODEL_STRICT);
            rig_run(boot_with_failing_allocation, &b);
            if (!b.failed) {
                assert_int_equal(b.err, FL_OK);
                assert_true(rig_close(&rig));
                break;
            }
            assert_int_equal(b.err, FL_ENOMEM);
            assert_false(model().wpr2_up || model().gsp_running);
            boots();
            no_violation();
            assert_true(rig_close(&rig));
        }
        print_message("  %s: %u allocations\n", chips[i], b.at - 1);
        assert_true(b.at > 10);
    }
}

static void link_lost(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(chips); i++) {
        unsigned cuts = 0;
        open_chip(chips[i], NULL, MODEL_LENIENT);
        boots();
        const uint64_t total = model().reads + model().writes;
        assert_true(rig_close(&rig));
        for (uint64_t n = 1; n < total; n += total / 30 + 1, cuts++) {
            open_chip(chips[i], NULL, MODEL_LENIENT);
            model_unplug_after(rig.model, n);
            const enum fl_err err = rig_boot(&rig);
            const struct gsp_snapshot s = rig_snapshot(&rig);
            if (err != FL_ELINKLOST || strstr(s.fail.text, "link lost") == NULL) {
                fail_msg("%s cut at %llu of %llu: %s in %s: %s", chips[i], (unsigned long long)n,
                         (unsigned long long)total, fl_err_name(err), s.fail.stage, s.fail.text);
            }
            model_reset(rig.model, MODEL_RESET_POWER);
            assert_true(rig_close(&rig));
        }
        print_message("  %s: %u cuts in %llu accesses\n", chips[i], cuts,
                      (unsigned long long)total);
    }
}

/* Whatever it is: the boot works, or fails with a name; nothing is left running; a retry works. */
static void one_wrong_access(void **state)
{
    static const char *const kinds[] = {
        "read:*:n=%u:value=0xbadf1100", "read:*:n=%u:value=0",
        "read:*:n=%u:xor=0x10",         "write:*:n=%u",
        "write:*:n=%u:xor=1",
    };
    unsigned failed = 0, worked = 0;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(chips); i++) {
        open_chip(chips[i], NULL, MODEL_LENIENT);
        boots();
        const struct gsp_snapshot good = rig_snapshot(&rig);
        uint64_t reads = 0, writes = 0, prom_from = 0, prom_to = 0;
        for (uint32_t k = 0; k < good.stage_count; k++) {
            if (strcmp(good.stage[k].name, "vbios") == 0) {
                prom_from = reads;
            }
            reads += good.stage[k].reg_reads;
            writes += good.stage[k].reg_writes;
            if (strcmp(good.stage[k].name, "unload-armed") == 0) {
                prom_to = reads;
            }
        }
        assert_true(rig_close(&rig));
        for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
            const bool is_read = kinds[k][0] == 'r';
            const uint64_t last = is_read ? reads : writes;
            for (uint64_t n = 1 + k % 3; n <= last; n += 2 + n % 3 + last / 20) {
                char fault[64];
                const char *const faults[] = {fault, NULL};
                if (is_read && n > prom_from && n <= prom_to) {
                    n = prom_to + 1;
                }
                snprintf(fault, sizeof(fault), kinds[k], (unsigned)n);
                open_chip(chips[i], faults, MODEL_LENIENT);
                const enum fl_err err = rig_boot(&rig);
                const struct gsp_snapshot s = rig_snapshot(&rig);
                if (err == FL_OK) {
                    worked++;
                } else {
                    failed++;
                    if (s.state != GSP_FAILED || s.fail.err != err || s.fail.stage[0] == '\0' ||
                        s.fail.text[0] == '\0' || model().wpr2_up || model().gsp_running) {
                        fail_msg("%s %s: %s in \"%s\": \"%s\", WPR2 %s, GSP %s", chips[i], fault,
                                 fl_err_name(err), s.fail.stage, s.fail.text,
                                 model().wpr2_up ? "up" : "down",
                                 model().gsp_running ? "running" : "stopped");
                    }
                    boots();
                }
                assert_true(rig_close(&rig));
            }
        }
    }
    print_message("  %u wrong accesses named, %u without consequence\n", failed, worked);
    assert_true(failed > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_stage_fails), cmocka_unit_test(masked_for_a_while),
        cmocka_unit_test(goodbye_unheard),  cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(link_lost),        cmocka_unit_test(one_wrong_access),
    };
    /* One stretch of RAM: a failure on purpose is then not made good by another stretch. Low, since
     * Turing wants its flush page below 2^40. */
    host_ram_configure(HOST_RAM_HIGH_BYTES, 0);
    if (ram_init(NULL) != FL_OK) {
        return 1;
    }
    log_set_level(LOG_DEBUG);
    host_log_to_stderr(getenv("RIG_LOG") != NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
