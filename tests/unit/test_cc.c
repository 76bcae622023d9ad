/* SPDX-License-Identifier: MIT */
/*
 * Confidential computing against the model: what is known of each mode on each family that has it,
 * that only a mode that is on refuses the boot, that others are named when a boot fails, and that
 * the families before never look at either register.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/rig_assert.h"

#define HOPPER_REGISTER    "NV_PGC6_AON_SECURE_SCRATCH_GROUP_20"
#define BLACKWELL_REGISTER "NV_PMC_SCRATCH_RESET_2_CC"

static const char *const with_cc[] = {"gh100", "gb100", "gb202"};

static void open_chip(const char *chip, const char *fault, const char *second)
{
    const char *const faults[] = {fault, second, NULL};
    const struct rig_options opt = {.chip = chip, .strict = MODEL_STRICT, .faults = faults};

    rig_open(&rig, &opt);
}

static void closes(void)
{
    no_violation();
    assert_true(rig_close(&rig));
}

static void each_mode_of_each_family(void **state)
{
    static const struct {
        const char *fault, *chip; /* NULL: all three */
        enum gsp_cc_mode mode;
        bool ppcie, firewall;
    } cases[] = {
        {NULL, NULL, GSP_CC_OFF, false, false},
        {"cc-mode=2", NULL, GSP_CC_INVALID, false, false},
        {"cc-mode=3", NULL, GSP_CC_DEVTOOLS, false, false},
        {"cc-mode=0xffffff98", "gh100", GSP_CC_OFF, false, false}, /* other bits; 6:5 = 0 */
        {"cc-mode=0x20", "gh100", GSP_CC_OFF, true, false},
        {"cc-mode=0x60", "gh100", GSP_CC_OFF, false, false}, /* 6:5 = 3 is not 1 */
        {"cc-mode=0x20", "gb100", GSP_CC_OFF, false, false},
        {"cc-mode=4", "gb202", GSP_CC_OFF, false, true},
        {"cc-mode=4", "gh100", GSP_CC_OFF, false, false},
        {"cc-mode=0xbadf5108", NULL, GSP_CC_UNKNOWN, false, false},
        {"cc-mode=0xbadf5126", NULL, GSP_CC_UNKNOWN, false, false},
        {"cc-mode=0xffffffff", NULL, GSP_CC_UNKNOWN, false, false},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        for (size_t c = 0; c < ARRAY_SIZE(with_cc); c++) {
            if (cases[i].chip != NULL && strcmp(cases[i].chip, with_cc[c]) != 0) {
                continue;
            }
            open_chip(with_cc[c], cases[i].fault, NULL);
            boots();
            const struct gsp_snapshot s = rig_snapshot(&rig);
            print_message("  %s %s\n", with_cc[c], cases[i].fault);
            assert_int_equal(s.cc.mode, cases[i].mode);
            assert_int_equal(s.cc.protected_pcie, cases[i].ppcie);
            assert_int_equal(s.cc.bar0_firewall, cases[i].firewall);
            assert_int_equal(rig_unload(&rig), FL_OK);
            closes();
        }
    }
}

/* Before anything of the boot is done: no file is looked at, no memory given. */
static void on_is_refused_by_name(void **state)
{
    (void)state;
    for (size_t c = 0; c < ARRAY_SIZE(with_cc); c++) {
        open_chip(with_cc[c], "cc-mode=1", NULL);
        assert_int_equal(rig_boot(&rig), FL_ENOTSUP);
        const struct gsp_snapshot s = rig_snapshot(&rig);
        assert_int_equal(s.state, GSP_FAILED);
        assert_int_equal(s.cc.mode, GSP_CC_ON);
        assert_string_equal(s.fail.stage, "devinit");
        assert_string_equal(s.fail.what, "confidential computing");
        assert_non_null(strstr(s.fail.text, "encrypted"));
        assert_non_null(strstr(s.fail.hint, "off"));
        assert_int_equal(rig_stage(&rig, "firmware").state, GSP_STAGE_SKIPPED);
        assert_int_equal(model().gsp_boots, 0);
        closes();
    }
}

/* A failure names the mode, and what it says itself stays. */
static void failures_name_the_mode(void **state)
{
    static const struct {
        const char *chip, *fault, *words;
    } cases[] = {
        {"gh100", "cc-mode=3", "devtools"},    {"gb202", "cc-mode=3", "devtools"},
        {"gb100", "cc-mode=2", "invalid"},     {"gh100", "cc-mode=0x20", "protected PCIe"},
        {"gb202", "cc-mode=4", "firewall"},    {"gb202", "cc-mode=0", NULL},
        {"gb202", "cc-mode=0xbadf5108", NULL}, {"ga102", "cc-mode=3", NULL},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        open_chip(cases[i].chip, cases[i].fault, "init-done-result=0x65");
        assert_int_equal(rig_boot(&rig), FL_EIO);
        const struct gsp_snapshot s = rig_snapshot(&rig);
        print_message("  %s %s: %s\n", cases[i].chip, cases[i].fault, s.fail.hint);
        assert_string_equal(s.fail.stage, "init-done");
        assert_non_null(strstr(s.fail.hint, "another firmware version"));
        if (cases[i].words != NULL) {
            assert_non_null(strstr(s.fail.hint, cases[i].words));
            assert_non_null(strstr(s.fail.hint, "likely the cause"));
        } else {
            assert_null(strstr(s.fail.hint, "likely the cause"));
        }
        assert_true(rig_close(&rig));
    }
}

static void each_family_reads_its_own_register(void **state)
{
    static const struct {
        const char *chip;
        bool hopper, blackwell;
    } cases[] = {
        {"tu102", false, false}, {"ga100", false, false}, {"ga102", false, false},
        {"ad102", false, false}, {"gh100", true, false},  {"gb100", false, true},
        {"gb202", false, true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char *text = NULL;
        size_t size = 0;
        FILE *trace = open_memstream(&text, &size);
        const struct rig_options opt = {
            .chip = cases[i].chip, .strict = MODEL_STRICT, .trace = trace};
        rig_open(&rig, &opt);
        boots();
        assert_int_equal(rig_snapshot(&rig).cc.mode,
                         cases[i].hopper || cases[i].blackwell ? GSP_CC_OFF : GSP_CC_UNKNOWN);
        assert_int_equal(rig_unload(&rig), FL_OK);
        closes();
        fclose(trace);
        assert_int_equal(strstr(text, HOPPER_REGISTER " ") != NULL, cases[i].hopper);
        assert_int_equal(strstr(text, BLACKWELL_REGISTER " ") != NULL, cases[i].blackwell);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mode_of_each_family),
        cmocka_unit_test(on_is_refused_by_name),
        cmocka_unit_test(failures_name_the_mode),
        cmocka_unit_test(each_family_reads_its_own_register),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
