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

#include "arch/clock.h"
#include "arch/log.h"
#include "gsp/gpu.h"
#include "gsp/hw/chips.h"
#include "gsp/hw/family.h"
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

/* Blackwell's registers stay away for up to 5 s after a reset, counted from its end. The reset
 * itself shows as a stretch in which nobody touches BAR0. */
#define RESET_TAKES_US (100 * US_PER_MS) /* at least: what PCI Express wants */
static struct mmio real_bar0;
static uint64_t last_us, back_us, away_for_us;
static uint64_t away_read(void *ctx, uint64_t off, unsigned size)
{
    (void)ctx;
    (void)size;
    const uint64_t now = clock_now_us();
    if (back_us == 0 && last_us != 0 && now - last_us >= RESET_TAKES_US) {
        back_us = now + away_for_us;
    }
    last_us = now;
    return now < back_us ? UINT32_MAX : mmio_read32(&real_bar0, off);
}
static void away_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
    (void)ctx;
    (void)size;
    mmio_write32(&real_bar0, off, (uint32_t)value);
}
static const struct mmio_ops away_ops = {away_read, away_write};

static void registers_come_back_late(void **state)
{
    static const struct {
        uint64_t away_us;
        enum fl_err err;
    } waits[] = {{0, FL_OK}, {4950 * US_PER_MS, FL_OK}, {5050 * US_PER_MS, FL_ELINKLOST}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(waits); i++) {
        const unsigned blackwell = ARRAY_SIZE(cases) - 1;
        assert_string_equal(cases[blackwell].chip, "gb202");
        leave_running(blackwell, false);
        real_bar0 = rig.gpu->hw.io.bar0;
        rig.gpu->hw.io.bar0 = (struct mmio){.ops = &away_ops, .size = real_bar0.size};
        last_us = back_us = 0;
        away_for_us = waits[i].away_us;
        assert_int_equal(rig_boot(&rig), waits[i].err);
        assert_true(back_us != 0);
        if (waits[i].err != FL_OK) {
            assert_string_equal(rig_snapshot(&rig).fail.stage, "wpr2-clear");
            assert_non_null(strstr(rig_snapshot(&rig).fail.text, "after a reset"));
        }
        assert_true(rig_close(&rig));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reset_takes_it_down),
        cmocka_unit_test(unload_programs_take_it_down),
        cmocka_unit_test(registers_come_back_late),
    };
    log_set_level(LOG_DEBUG);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
