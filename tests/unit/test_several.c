/* SPDX-License-Identifier: MIT */
/*
 * Several GPUs at the same time, of different families: they come up side by side (in virtual time,
 * which only waits cost), and one that fails holds nobody up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/lockorder.h"
#include "arch/log.h"
#include "tests/unit/rig.h"

#define BENCHES 4

static struct rig bench[BENCHES];
static struct result {
    enum fl_err err;
    uint64_t end_us;
    bool done;
} result[BENCHES];

static void open_all(const char *const chips[BENCHES], unsigned count,
                     const char *const *faults_of_second)
{
    for (unsigned i = 0; i < count; i++) {
        const struct rig_options opt = {.chip = chips[i],
                                        .strict = MODEL_STRICT,
                                        .beside = i > 0,
                                        .faults = i == 1 ? faults_of_second : NULL};
        rig_open(&bench[i], &opt);
    }
}

static void close_all(unsigned count)
{
    while (count-- > 0) {
        assert_true(rig_close(&bench[count]));
    }
}

static void boot_one(void *arg)
{
    struct result *r = arg;
    r->err = gsp_boot(bench[r - result].gpu);
    r->end_us = clock_now_us();
    r->done = true;
}

static bool all_done(void *arg)
{
    const unsigned count = *(const unsigned *)arg;
    for (unsigned i = 0; i < count; i++) {
        if (!result[i].done) {
            return false;
        }
    }
    return true;
}

/* All at once; the time until the last one has ended. */
static uint64_t boot_all(unsigned count)
{
    const uint64_t begin = clock_now_us();

    memset(result, 0, sizeof(result));
    for (unsigned i = 0; i < count; i++) {
        assert_non_null(fiber_spawn("gpu", boot_one, &result[i], FIBER_STACK_DEFAULT * 2));
    }
    fiber_run(all_done, &count);
    uint64_t end = begin;
    for (unsigned i = 0; i < count; i++) {
        end = max_u64(end, result[i].end_us);
    }
    return end - begin;
}

static void content(unsigned i)
{
    const struct model_verdict *v = model_first_violation(bench[i].model);
    if (v != NULL) {
        fail_msg("GPU %u broke %s: %s", i, v->rule, v->words);
    }
}

static const char *const mixed[BENCHES] = {"tu102", "ga102", "gh100", "gb202"};

static void side_by_side(void **state)
{
    uint64_t longest = 0;
    (void)state;
    for (unsigned i = 0; i < BENCHES; i++) {
        const char *const alone[BENCHES] = {mixed[i]};
        open_all(alone, 1, NULL);
        longest = max_u64(longest, boot_all(1));
        assert_int_equal(result[0].err, FL_OK);
        close_all(1);
    }
    open_all(mixed, BENCHES, NULL);
    const uint64_t together = boot_all(BENCHES);
    for (unsigned i = 0; i < BENCHES; i++) {
        assert_int_equal(result[i].err, FL_OK);
        assert_string_equal(rig_snapshot(&bench[i]).chip, mixed[i]);
        content(i);
    }
    print_message("  %u GPUs: %llu us together, %llu us the slowest alone\n", BENCHES,
                  (unsigned long long)together, (unsigned long long)longest);
    assert_true(together < longest + longest / 2);
    assert_int_equal(lockorder_inversions(), 0);
    close_all(BENCHES);
}

static void one_that_fails_holds_nobody_up(void **state)
{
    static const char *const faults[] = {"gsp-hang", NULL};
    (void)state;
    open_all(mixed, BENCHES, faults);
    const uint64_t all = boot_all(BENCHES);
    assert_int_equal(result[1].err, FL_ETIMEDOUT);
    assert_string_equal(rig_snapshot(&bench[1]).fail.stage, "sequencer");
    for (unsigned i = 0; i < BENCHES; i++) {
        content(i);
        if (i != 1) {
            assert_int_equal(result[i].err, FL_OK);
            assert_true(result[i].end_us < result[1].end_us - all / 2);
            assert_int_equal(rig_unload(&bench[i]), FL_OK);
        }
    }
    close_all(BENCHES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(side_by_side),
        cmocka_unit_test(one_that_fails_holds_nobody_up),
    };
    log_set_level(LOG_DEBUG);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
