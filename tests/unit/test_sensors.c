/* SPDX-License-Identifier: MIT */
/*
 * What a GPU measures, from the GSP to the reader: which groups are known with each firmware, that
 * values follow what the GPU does, and that whatever goes wrong with a sensor costs that sensor and
 * nothing else.
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
#include "arch/lockorder.h"
#include "gsp/gpu.h"
#include "gsp/rm/sensors.h"
#include "gsp/rm/sensors_page.h"
#include "gsp/watch.h"
#include "tests/unit/rig_assert.h"

#define AFE 0x20800afeu
#define AFF 0x20800affu

static struct gsp_sensors got;

static const struct gsp_sensor_value *value(enum gsp_sensor s) { return &got.sensor[s]; }

/* Whether anything of a group is known. */
static bool group_known(const char *group)
{
    for (unsigned i = 0; i < GSP_SENSOR_COUNT; i++) {
        if (got.sensor[i].known && strcmp(gsp_sensor_info((enum gsp_sensor)i)->group, group) == 0) {
            return true;
        }
    }
    return false;
}

static uint64_t refusals(uint32_t cmd, uint32_t *status)
{
    for (uint32_t i = 0; i < got.refusal_count; i++) {
        if (got.refusal[i].cmd == cmd) {
            *status = got.refusal[i].rm_status;
            return got.refusal[i].count;
        }
    }
    return 0;
}

/* ---- the bench ---- */

/* Something that goes on while the GPU is served; then it ends. */
static void (*meanwhile)(void);
static uint64_t serve_us;

static void body(void *arg)
{
    (void)arg;
    if (meanwhile != NULL) {
        meanwhile();
    }
    fiber_sleep_us(serve_us);
    gsp_get_sensors(rig.gpu, &got);
    serve_stop = true;
    while (!serve_done) {
        fiber_sleep_us(1000);
    }
}

/* Serves a GPU that has booted for so long; `got` is what was known just before the end. */
static void serves(uint64_t us)
{
    serve_us = us;
    serve_stop = serve_done = false;
    assert_non_null(fiber_spawn("serve", serve, NULL, FIBER_STACK_DEFAULT));
    rig_run(body, NULL);
}

static void opens(const char *chip, const char *version, const char *const *faults)
{
    const struct rig_options opt = {
        .chip = chip, .version = version, .strict = MODEL_STRICT, .faults = faults};
    meanwhile = NULL;
    rig_open(&rig, &opt);
    boots();
}

static void closes(void)
{
    assert_int_equal(rig_unload(&rig), FL_OK);
    no_violation();
    assert_int_equal(lockorder_inversions(), 0);
    assert_true(rig_close(&rig));
}

/* ---- what is known ---- */

static const char *const all_groups[] = {"temperature", "power", "clocks", "utilization", "pstate",
                                         "throttle",    "ecc",   "remap",  "pcie"};

static void nine_groups_on_r570(void **state)
{
    (void)state;
    opens("ad102", "570.144", NULL);
    serves(12 * US_PER_S);
    for (size_t i = 0; i < ARRAY_SIZE(all_groups); i++) {
        if (!group_known(all_groups[i])) {
            fail_msg("nothing is known of %s", all_groups[i]);
        }
    }
    assert_string_equal(got.source, "shared page");
    assert_int_equal(got.period_us, SENSORS_PERIOD_US);
    assert_in_range(got.samples, 10, 13);
    assert_in_range(value(GSP_SENSOR_TEMP_GPU)->value, 40000, 40100); /* it is asked now and then */
    assert_false(value(GSP_SENSOR_TEMP_MEMORY)->known);               /* GDDR */
    assert_int_equal(value(GSP_SENSOR_POWER_LIMIT_ENFORCED)->value, 450000);
    assert_int_equal(value(GSP_SENSOR_PSTATE)->value, 8);
    assert_int_equal(value(GSP_SENSOR_THROTTLE)->value, 1);
    assert_int_equal(value(GSP_SENSOR_CLOCK_GRAPHICS)->value, 210000000);
    assert_int_equal(value(GSP_SENSOR_REMAP_PENDING)->value, 0);
    assert_true(value(GSP_SENSOR_PCIE_SENT)->known);
    assert_int_equal(got.refusal_count, 0);
    assert_int_equal(got.torn + got.stale + got.backwards + got.out_of_range, 0);
    closes();
}

static void hbm_has_a_sensor(void **state)
{
    (void)state;
    opens("gh100", "570.144", NULL);
    serves(3 * US_PER_S);
    assert_int_equal(value(GSP_SENSOR_TEMP_MEMORY)->value, 40000);
    closes();
}

/* No page: temperature and P-state by control, and no power or clocks at all. */
static void r535_has_controls(void **state)
{
    (void)state;
    opens("ad102", "535.113.01", NULL);
    serves(7 * US_PER_S);
    assert_string_equal(got.source, "controls");
    assert_int_equal(got.period_us, SENSORS_ASK_US);
    assert_int_equal(value(GSP_SENSOR_TEMP_GPU)->value, 40000);
    assert_int_equal(value(GSP_SENSOR_PSTATE)->value, 8);
    assert_true(group_known("ecc") && group_known("remap") && group_known("pcie"));
    assert_false(group_known("power") || group_known("clocks") || group_known("throttle"));
    assert_int_equal(got.refusal_count, 0);
    closes();
}

/* Of an RTX 3060 it is known which controls it refuses. */
static void ga106_refuses(void **state)
{
    uint32_t status = 0;
    (void)state;
    opens("ga106", "570.144", NULL);
    serves(10 * US_PER_S);
    assert_int_equal(refusals(0x20801344, &status), 1);
    assert_int_equal(status, 0x56);
    assert_int_equal(refusals(0x20803400, &status), 1);
    assert_false(group_known("remap") || group_known("ecc"));
    assert_true(group_known("temperature"));
    serves(SENSORS_REFUSED_US); /* asked again, once */
    assert_int_equal(refusals(0x20801344, &status), 2);
    closes();
}

/* The first values are there within a second, and the next ones come each second. */
static void first_values_come_soon(void **state)
{
    (void)state;
    opens(NULL, "570.144", NULL);
    serves(US_PER_S);
    assert_true(value(GSP_SENSOR_TEMP_GPU)->known && value(GSP_SENSOR_POWER_MODULE)->known);
    assert_string_equal(got.source, "shared page");
    assert_int_equal(got.samples, 1);
    closes();
}

/* ---- values follow what the GPU does ---- */

static struct gsp_sensors busy;
static void works_hard(void)
{
    for (unsigned i = 0; i < 3000; i++) {
        for (unsigned k = 0; k < 30; k++) {
            uint32_t v;
            assert_int_equal(gsp_reg_read(rig.gpu, 0, &v, NULL), FL_OK);
        }
        fiber_sleep_us(1000);
    }
    gsp_get_sensors(rig.gpu, &busy);
}
static void load_shows(void **state)
{
    (void)state;
    opens(NULL, "570.144", NULL);
    const uint64_t generation = gsp_generation(rig.gpu);
    meanwhile = works_hard;
    serves(60 * US_PER_S);
    assert_true(busy.sensor[GSP_SENSOR_USE_GPU].value > 90);
    assert_int_equal(busy.sensor[GSP_SENSOR_PSTATE].value, 0);
    assert_true(busy.sensor[GSP_SENSOR_TEMP_GPU].value > 43000);
    assert_true(busy.sensor[GSP_SENSOR_POWER_MODULE_NOW].value > 300000);
    assert_true(busy.sensor[GSP_SENSOR_CLOCK_GRAPHICS].value > 1000000000);
    assert_int_equal(value(GSP_SENSOR_USE_GPU)->value, 0);
    assert_int_equal(value(GSP_SENSOR_PSTATE)->value, 8);
    assert_true(value(GSP_SENSOR_TEMP_GPU)->value < busy.sensor[GSP_SENSOR_TEMP_GPU].value);
    assert_int_equal(gsp_generation(rig.gpu), generation); /* no page is fetched anew for them */
    closes();
}

/* The same accesses at the same times, with the same seed, measure the same. */
static int64_t module_power(uint64_t seed)
{
    const struct rig_options opt = {.strict = MODEL_STRICT, .seed = seed};
    rig_open(&rig, &opt);
    boots();
    serves(4 * US_PER_S);
    closes();
    return value(GSP_SENSOR_POWER_MODULE_NOW)->value;
}
static void a_seed_gives_it_again(void **state)
{
    (void)state;
    const int64_t first = module_power(7);
    assert_true(first > 0);
    assert_int_equal(module_power(7), first);
    assert_int_not_equal(module_power(8), first);
}

/* ---- the page goes wrong ---- */

static void each_page_fault_is_noticed(void **state)
{
    static const struct {
        const char *spec;
        size_t counter;   /* in struct gsp_sensors */
        bool temperature; /* known at the end, by control */
        const char *source;
    } rows[] = {
        {"rusd=torn:n=1", offsetof(struct gsp_sensors, torn), true, "shared page"},
        {"rusd=stuck:n=1", offsetof(struct gsp_sensors, torn), true, "controls"},
        {"rusd=stuck:n=9", offsetof(struct gsp_sensors, stale), true, "controls"},
        {"rusd=stale:n=9", offsetof(struct gsp_sensors, stale), true, "controls"},
        {"rusd=backwards:n=9", offsetof(struct gsp_sensors, backwards), true, "controls"},
        {"rusd=range:n=1", offsetof(struct gsp_sensors, out_of_range), false, "shared page"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *const faults[] = {rows[i].spec, NULL};
        uint64_t n;
        opens(NULL, "570.144", faults);
        serves(20 * US_PER_S);
        memcpy(&n, (const char *)&got + rows[i].counter, sizeof(n));
        if (n == 0) {
            fail_msg("%s was not noticed", rows[i].spec);
        }
        if (value(GSP_SENSOR_TEMP_GPU)->known != rows[i].temperature) {
            fail_msg("%s: the temperature is %s", rows[i].spec,
                     rows[i].temperature ? "not known" : "known");
        }
        /* A page that says nothing, or nothing any more, is not what values are from. */
        assert_string_equal(got.source, rows[i].source);
        for (unsigned s = 0; s < GSP_SENSOR_COUNT; s++) { /* what a torn copy would show */
            assert_int_not_equal(got.sensor[s].value, 0xeeeeeeee);
        }
        closes();
    }
}

static void a_refused_page_is_replaced_by_controls(void **state)
{
    static const char *const faults[] = {"rusd=refused", NULL};
    uint32_t status = 0;
    (void)state;
    opens("ad102", "570.144", faults);
    serves(7 * US_PER_S);
    assert_int_equal(refusals(AFE, &status), 1);
    assert_int_equal(status, 0x56);
    assert_string_equal(got.source, "controls");
    assert_true(group_known("temperature") && group_known("pstate") && group_known("ecc"));
    assert_false(group_known("power"));
    closes();
}

/* A GSP that writes once more after the page was taken back finds it still there. */
static void a_late_write_hits_the_page(void **state)
{
    static const char *const faults[] = {"rusd=late", NULL};
    (void)state;
    opens(NULL, "570.144", faults);
    serves(3 * US_PER_S);
    closes();
}

/* ---- the end ---- */

static uint32_t goodbye[8], goodbyes;
static void note_goodbye(void)
{
    struct gsp_rpc_record r;
    uint64_t cursor = 0;
    goodbyes = 0;
    while (gsp_history_read(rig.gpu, &cursor, &r)) {
        if ((r.cmd == AFE || r.cmd == AFF || r.function == 47) && goodbyes < ARRAY_SIZE(goodbye)) {
            goodbye[goodbyes++] = r.cmd;
        }
    }
}

/* afe, aff(0), aff(all) at the start; aff(0), afe(0) before the GSP is told to go; nothing is known
 * of a GPU that is down. */
static void the_page_is_taken_back(void **state)
{
    static const uint32_t expected[] = {AFE, AFF, AFF, AFF, AFE, 0};
    (void)state;
    opens(NULL, "570.144", NULL);
    serves(2 * US_PER_S);
    assert_int_equal(rig_unload(&rig), FL_OK);
    note_goodbye();
    assert_int_equal(goodbyes, ARRAY_SIZE(expected));
    assert_memory_equal(goodbye, expected, sizeof(expected));
    gsp_get_sensors(rig.gpu, &got);
    for (size_t i = 0; i < ARRAY_SIZE(all_groups); i++) {
        assert_false(group_known(all_groups[i]));
    }
    assert_int_equal(got.period_us, 0);
    assert_true(got.samples > 0);
    boots(); /* and again */
    serves(2 * US_PER_S);
    assert_true(group_known("temperature"));
    closes();
}

/* A reset takes the page away without a word to the GSP; the next life has one of its own. */
static volatile bool run_stop;
static bool run_done;
static void run(void *arg)
{
    (void)arg;
    gsp_run(rig.gpu, &run_stop);
    run_done = true;
}
static void reset_and_boot(void *arg)
{
    struct fl_fail fail = {0};
    const struct deadline d = deadline_in_us(60 * US_PER_S);
    (void)arg;
    fiber_sleep_us(3 * US_PER_S);
    for (unsigned i = 0; i < 2; i++) {
        gsp_get_sensors(rig.gpu, &got);
        assert_true(group_known("power"));
        assert_int_equal(gsp_order(rig.gpu, GSP_ORDER_RESET, GSP_RESET_AUTO, d, &fail), FL_OK);
        gsp_get_sensors(rig.gpu, &got);
        assert_false(group_known("power"));
        assert_int_equal(got.period_us, 0);
        fiber_sleep_us(3 * US_PER_S);
        assert_int_equal(gsp_order(rig.gpu, GSP_ORDER_BOOT, GSP_RESET_AUTO, d, &fail), FL_OK);
        fiber_sleep_us(3 * US_PER_S);
    }
    run_stop = true;
    while (!run_done) {
        fiber_sleep_us(1000);
    }
}
static void a_reset_amid_sampling(void **state)
{
    const struct rig_options opt = {.strict = MODEL_STRICT};
    (void)state;
    rig_open(&rig, &opt);
    run_stop = run_done = false;
    assert_non_null(fiber_spawn("run", run, NULL, FIBER_STACK_DEFAULT * 2));
    rig_run(reset_and_boot, NULL);
    closes();
}

/* Over a suspend the page is taken back, and given anew. */
static void do_suspend(void *arg) { *(enum fl_err *)arg = gsp_suspend(rig.gpu); }
static void do_resume(void *arg) { *(enum fl_err *)arg = gsp_resume(rig.gpu); }
static void a_suspend_between(void **state)
{
    enum fl_err err = FL_EIO;
    (void)state;
    opens(NULL, "570.144", NULL);
    serves(2 * US_PER_S);
    rig_run(do_suspend, &err);
    assert_int_equal(err, FL_OK);
    gsp_get_sensors(rig.gpu, &got);
    assert_false(group_known("power"));
    rig_run(do_resume, &err);
    assert_int_equal(err, FL_OK);
    serves(2 * US_PER_S);
    assert_true(group_known("power"));
    closes();
}

/* Values do not outlive the one who samples. */
static void values_age(void **state)
{
    (void)state;
    opens(NULL, "570.144", NULL);
    serves(2 * US_PER_S);
    assert_true(group_known("power"));
    const uint64_t stale = got.stale;
    meanwhile = NULL;
    host_clock_advance((SENSORS_PERIODS_MAX + 1) * SENSORS_PERIOD_US * NS_PER_US);
    gsp_get_sensors(rig.gpu, &got);
    assert_false(group_known("power"));
    assert_true(got.stale > stale);
    closes();
}

/* ---- a GSP that does not answer ---- */

static void a_silent_gsp_is_left_alone(void **state)
{
    (void)state;
    opens(NULL, "535.113.01", NULL);
    rig.gpu->rpc.queue.doorbell = NULL; /* it does not hear */
    serves(20 * US_PER_S);
    assert_int_equal(rig_snapshot(&rig).state, GSP_READY);
    assert_false(group_known("temperature"));
    struct gsp_rpc_record r;
    uint64_t cursor = 0, unanswered = 0;
    while (gsp_history_read(rig.gpu, &cursor, &r)) {
        unanswered += r.end == GSP_RPC_TIMED_OUT;
    }
    /* One question of the sensors; the others are for a sign of life. */
    assert_in_range(unanswered, 2, 1 + 20 * US_PER_S / GSP_WATCH_PERIOD_US);
    (void)rig_unload(&rig);
    assert_true(rig_close(&rig));
}

/* One that crashes while it is asked ends as while it is not. */
static void a_crash_under_a_question(void **state)
{
    static const char *const faults[] = {"crash=command:n=12", NULL};
    (void)state;
    opens(NULL, "570.144", faults);
    serves(10 * US_PER_S);
    assert_int_equal(rig_snapshot(&rig).state, GSP_FAILED);
    assert_false(group_known("temperature"));
    assert_true(rig_close(&rig));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nine_groups_on_r570),
        cmocka_unit_test(hbm_has_a_sensor),
        cmocka_unit_test(r535_has_controls),
        cmocka_unit_test(ga106_refuses),
        cmocka_unit_test(first_values_come_soon),
        cmocka_unit_test(load_shows),
        cmocka_unit_test(a_seed_gives_it_again),
        cmocka_unit_test(each_page_fault_is_noticed),
        cmocka_unit_test(a_refused_page_is_replaced_by_controls),
        cmocka_unit_test(a_late_write_hits_the_page),
        cmocka_unit_test(the_page_is_taken_back),
        cmocka_unit_test(a_reset_amid_sampling),
        cmocka_unit_test(a_suspend_between),
        cmocka_unit_test(values_age),
        cmocka_unit_test(a_silent_gsp_is_left_alone),
        cmocka_unit_test(a_crash_under_a_question),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
