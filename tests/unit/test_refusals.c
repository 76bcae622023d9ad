/* SPDX-License-Identifier: MIT */
/*
 * Every control that the appliance sends of itself, collected from a boot with sampling, is refused
 * once with each of two codes, and answered once with half of its parameters. A control that the
 * boot cannot do without fails it by name; every other costs its own values, is counted, and the
 * GPU is served on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "gsp/gpu.h"
#include "gsp/rm/sensors.h"
#include "tests/unit/rig_assert.h"

#define SERVE_US (8 * US_PER_S)

/* What a boot needs: without the table of interrupt vectors the GSP's own is not known. Half of
 * that table is enough when the GSP's vector is in it. */
static const uint32_t essential[] = {0x20800a5c};
static const char essential_stage[] = "interrupts";

enum { CONTROLS_MAX = 32, FUNCTION_CONTROL = 76 };
static uint32_t sent[CONTROLS_MAX];
static size_t sent_count;
static struct gsp_sensors got;

static bool is_essential(uint32_t cmd)
{
    for (size_t i = 0; i < ARRAY_SIZE(essential); i++) {
        if (essential[i] == cmd) {
            return true;
        }
    }
    return false;
}

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
    assert_int_equal(rig_snapshot(&rig).state, GSP_READY);
}

static void opens(const char *version, const char *fault)
{
    const char *const faults[] = {fault, NULL};
    const struct rig_options opt = {
        .chip = "ad102", .version = version, .strict = MODEL_STRICT, .faults = faults};
    rig_open(&rig, &opt);
}

static void note(uint32_t cmd)
{
    for (size_t i = 0; i < sent_count; i++) {
        if (sent[i] == cmd) {
            return;
        }
    }
    assert_true(sent_count < CONTROLS_MAX);
    sent[sent_count++] = cmd;
}

/* A boot and some sampling, with the page or without it. */
static void collect(const char *version, const char *fault)
{
    struct gsp_rpc_record r;
    uint64_t cursor = 0;
    opens(version, fault);
    boots();
    serves();
    assert_int_equal(rig_unload(&rig), FL_OK);
    while (gsp_history_read(rig.gpu, &cursor, &r)) {
        if (r.function == FUNCTION_CONTROL) {
            note(r.cmd);
        }
    }
    assert_true(rig_close(&rig));
}

/* Number of known values. */
static unsigned known(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < GSP_SENSOR_COUNT; i++) {
        n += got.sensor[i].known;
    }
    return n;
}

static const struct gsp_refusal *refusal(uint32_t cmd)
{
    for (uint32_t i = 0; i < got.refusal_count; i++) {
        if (got.refusal[i].cmd == cmd) {
            return &got.refusal[i];
        }
    }
    return NULL;
}

static void refused_once(const char *version, uint32_t cmd, const char *how, uint32_t status)
{
    char fault[64];
    snprintf(fault, sizeof(fault), "control=0x%08x:%s", cmd, how);
    print_message("  %s %s\n", version, fault);
    opens(version, fault);
    if (is_essential(cmd) && strcmp(how, "short") != 0) {
        assert_int_not_equal(rig_boot(&rig), FL_OK);
        assert_string_equal(rig_snapshot(&rig).fail.stage, essential_stage);
        boots(); /* it was refused once */
        assert_int_equal(rig_unload(&rig), FL_OK);
        no_violation();
        assert_true(rig_close(&rig));
        return;
    }
    boots();
    serves();
    const struct gsp_refusal *r = refusal(cmd);
    /* Those of the boot are not the sampler's, and what the page tells it does not ask. */
    if (r != NULL) {
        assert_int_equal(r->count, 1);
        assert_int_equal(r->rm_status, status);
    }
    assert_true(known() > 0);
    assert_int_equal(rig_unload(&rig), FL_OK);
    no_violation();
    assert_true(rig_close(&rig));
}

static void sweep(const char *version)
{
    sent_count = 0;
    collect(version, NULL);
    collect(version, "rusd=refused");
    assert_true(sent_count >= 7);
    for (size_t i = 0; i < sent_count; i++) {
        refused_once(version, sent[i], "status=0x56", 0x56);
        refused_once(version, sent[i], "status=0x57", 0x57);
        refused_once(version, sent[i], "short", 0x2);
    }
    for (size_t i = 0; i < ARRAY_SIZE(essential); i++) {
        note(essential[i]); /* they are among those that were sent */
    }
    assert_true(sent_count <= CONTROLS_MAX);
}

static void of_570(void **state)
{
    (void)state;
    sweep("570.144");
}
static void of_535(void **state)
{
    (void)state;
    sweep("535.113.01");
}

/* Each question of the sampler, refused: what it alone gives is not known, the refusal is counted,
 * and it is not asked again before a minute has passed. */
static void each_question_alone(void **state)
{
    static const struct {
        const char *version;
        uint32_t cmd;
        enum gsp_sensor lost, stays;
    } rows[] = {
        {"535.113.01", 0x20808513, GSP_SENSOR_TEMP_GPU, GSP_SENSOR_PSTATE},
        {"535.113.01", 0x2080a068, GSP_SENSOR_PSTATE, GSP_SENSOR_TEMP_GPU},
        {"570.144", 0x20801813, GSP_SENSOR_PCIE_REPLAYS, GSP_SENSOR_PCIE_SENT},
        {"535.113.01", 0x20801819, GSP_SENSOR_PCIE_SENT, GSP_SENSOR_PCIE_REPLAYS},
        {"535.113.01", 0x20803400, GSP_SENSOR_ECC_CORRECTED_AGGREGATE, GSP_SENSOR_TEMP_GPU},
        {"535.113.01", 0x20801344, GSP_SENSOR_REMAP_PENDING, GSP_SENSOR_TEMP_GPU},
        {"570.144", 0x20800afe, GSP_SENSOR_POWER_MODULE, GSP_SENSOR_TEMP_GPU},
        {"570.144", 0x20800aff, GSP_SENSOR_POWER_MODULE, GSP_SENSOR_TEMP_GPU},
    };
    static const struct {
        const char *how;
        uint32_t status;
    } ways[] = {{"status=0x56", 0x56}, {"status=0x57", 0x57}, {"short", 0x2}};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
            char fault[64];
            /* The first version of the thermal interface is followed by the second. */
            const uint64_t times = rows[i].cmd == 0x20808513 ? 2 : 1;
            snprintf(fault, sizeof(fault), "control=0x%08x:n=0:%s", rows[i].cmd, ways[w].how);
            opens(rows[i].version, fault);
            boots();
            serves();
            const struct gsp_refusal *r = refusal(rows[i].cmd);
            if (r == NULL || r->count != times || r->rm_status != ways[w].status ||
                got.sensor[rows[i].lost].known || !got.sensor[rows[i].stays].known) {
                fail_msg("%s %s: count %llu, status 0x%x, %s %s, %s %s", rows[i].version, fault,
                         r != NULL ? (unsigned long long)r->count : 0, r != NULL ? r->rm_status : 0,
                         gsp_sensor_info(rows[i].lost)->key,
                         got.sensor[rows[i].lost].known ? "known" : "lost",
                         gsp_sensor_info(rows[i].stays)->key,
                         got.sensor[rows[i].stays].known ? "known" : "lost");
            }
            (void)rig_unload(&rig);
            no_violation();
            assert_true(rig_close(&rig));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_570),
        cmocka_unit_test(of_535),
        cmocka_unit_test(each_question_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
