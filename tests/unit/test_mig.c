/* SPDX-License-Identifier: MIT */
/* MIG's mode, from the GSP to the reader (gsp/rm/sensors.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "gsp/sensors.h"
#include "tests/unit/rig_assert.h"

#define SERVE_US (7 * US_PER_S)

static struct gsp_sensors got;

static void body(void *arg)
{
    (void)arg;
    fiber_sleep_us(SERVE_US);
    gsp_get_sensors(rig.gpu, &got);
    serve_stop = true;
    while (!serve_done) {
        fiber_sleep_us(1000);
    }
}

static void serves(void)
{
    serve_stop = serve_done = false;
    assert_non_null(fiber_spawn("serve", serve, NULL, FIBER_STACK_DEFAULT));
    rig_run(body, NULL);
}

static uint64_t refusals(uint32_t cmd)
{
    for (uint32_t i = 0; i < got.refusal_count; i++) {
        if (got.refusal[i].cmd == cmd) {
            return got.refusal[i].count;
        }
    }
    return 0;
}

/* Each word of MIG's mode, on a chip that has it and on one that has not; a refusal costs it alone,
 * and is counted once. */
static void mig_mode(void **state)
{
    static const struct {
        const char *chip, *version, *fault;
        enum gsp_mig_mode mode;
        uint64_t out_of_range, refusals;
    } cases[] = {
        {"ga100", "570.144", NULL, GSP_MIG_DISABLED, 0, 0},
        {"ga100", "535.113.01", NULL, GSP_MIG_DISABLED, 0, 0},
        {"gh100", "570.144", NULL, GSP_MIG_DISABLED, 0, 0},
        {"ad102", "570.144", NULL, GSP_MIG_UNSUPPORTED, 0, 0},
        {"ga100", "570.144", "mig-mode=1", GSP_MIG_ENABLED, 0, 0},
        {"ga100", "570.144", "mig-mode=3", GSP_MIG_ENABLE_PENDING, 0, 0},
        {"ga100", "570.144", "mig-mode=4", GSP_MIG_DISABLE_PENDING, 0, 0},
        {"ga100", "570.144", "mig-mode=5", GSP_MIG_UNKNOWN, 1, 0},
        {"ga100", "570.144", "control=0x20800a4c:status=0x56", GSP_MIG_UNKNOWN, 0, 1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *const faults[] = {cases[i].fault, NULL};
        print_message("  %s %s %s\n", cases[i].chip, cases[i].version, cases[i].fault);
        const struct rig_options opt = {.chip = cases[i].chip,
                                        .version = cases[i].version,
                                        .strict = MODEL_STRICT,
                                        .faults = faults};
        rig_open(&rig, &opt);
        boots();
        serves();
        assert_int_equal(got.mig, cases[i].mode);
        assert_int_equal(got.out_of_range, cases[i].out_of_range);
        assert_int_equal(refusals(0x20800a4c), cases[i].refusals);
        assert_true(got.sensor[GSP_SENSOR_TEMP_GPU].known);
        assert_int_equal(rig_unload(&rig), FL_OK);
        gsp_get_sensors(rig.gpu, &got);
        assert_int_equal(got.mig, GSP_MIG_UNKNOWN);
        no_violation();
        assert_true(rig_close(&rig));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(mig_mode)};
    return cmocka_run_group_tests_name("mig", tests, NULL, NULL);
}
