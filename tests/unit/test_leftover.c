/* SPDX-License-Identifier: MIT */
/*
 * Over the remains of a run that was killed: for every family and firmware version the GSP that
 * still runs is recognised, named and taken down, by the card's reset or by the unload programs;
 * where neither can be, the boot fails with words and touches nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/log.h"
#include "gsp/chips.h"
#include "gsp/family.h"
#include "tests/unit/rig_assert.h"

static const struct {
    const char *chip, *version;
} cases[] = {
    {"tu102", "570.144"}, {"tu102", "535.113.01"}, {"ga100", "570.144"}, {"ga100", "535.113.01"},
    {"ga102", "570.144"}, {"ga102", "535.113.01"}, {"ad102", "570.144"}, {"ad102", "535.113.01"},
    {"gh100", "570.144"}, {"gb100", "570.144"},    {"gb202", "570.144"},
};

static bool path_a(const char *chip)
{
    return (gsp_family_find(gsp_chip_by_name(chip)->family)->parts & GSP_PART_BOOTER) != 0;
}

static bool logged(const char *words)
{
    struct log_entry e;
    uint64_t at = 0;
    while (log_read(&at, &e, NULL)) {
        if (strstr(e.text, words) != NULL) {
            return true;
        }
    }
    return false;
}

static void forget_log(void)
{
    for (unsigned i = 0; i < LOG_RING_LINES; i++) {
        log_info("test", "-");
    }
}

/* Boots, is killed; what the next run finds runs. */
static void leave_running(unsigned i, bool no_flr)
{
    const struct rig_options opt = {.chip = cases[i].chip,
                                    .version = cases[i].version,
                                    .strict = MODEL_STRICT,
                                    .no_flr = no_flr};
    rig_open(&rig, &opt);
    boots();
    rig_killed(&rig);
    assert_true(model().gsp_running);
    forget_log();
}

static void reset_takes_it_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        leave_running(i, false);
        boots();
        assert_true(logged(path_a(cases[i].chip) ? "WPR2 is up from an earlier boot"
                                                 : "the GSP still runs from an earlier boot"));
        assert_true(logged("function level reset done"));
        no_violation();
        assert_int_equal(rig_unload(&rig), FL_OK);
        assert_false(model().wpr2_up || model().gsp_running);
        boots(); /* nothing is left now */
        assert_int_equal(model().gsp_boots, 3);
        no_violation();
        assert_true(rig_close(&rig));
    }
}

/* The card has no reset, and no bridge of its own above it. */
static void unload_programs_take_it_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        leave_running(i, true);
        if (path_a(cases[i].chip)) {
            boots();
            assert_true(logged("WPR2 is up from an earlier boot"));
            assert_true(logged("unloaded by its own programs"));
            assert_int_equal(rig_unload(&rig), FL_OK);
            assert_false(model().wpr2_up);
        } else {
            assert_int_equal(rig_boot(&rig), FL_ENOTSUP);
            const struct gsp_snapshot s = rig_snapshot(&rig);
            assert_string_equal(s.fail.stage, "wpr2-clear");
            assert_non_null(strstr(s.fail.hint, "power the machine off"));
            assert_true(model().gsp_running);
        }
        no_violation();
        assert_true(rig_close(&rig));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reset_takes_it_down),
        cmocka_unit_test(unload_programs_take_it_down),
    };
    log_set_level(LOG_DEBUG);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
