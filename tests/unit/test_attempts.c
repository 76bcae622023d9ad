/* SPDX-License-Identifier: MIT */
/*
 * Boots in several attempts: a fault that strikes once, one that stays, causes that no reset
 * changes, cards without a reset; and the record of each attempt.
 */
#include "tests/unit/rig_assert.h"

#include <stdlib.h>

#include "arch/fiber.h"
#include "arch/host/host.h"
#include "arch/log.h"

static struct gsp_attempt record[GSP_MAX_ATTEMPTS];
static uint64_t total;
static volatile bool stop;
static bool ended;

static void opens(const char *fault, const struct rig_options *more, uint32_t attempts)
{
    const char *const faults[] = {fault, NULL};
    struct rig_options opt = more != NULL ? *more : (struct rig_options){0};

    opt.strict = MODEL_STRICT;
    opt.faults = fault != NULL ? faults : NULL;
    rig_open(&rig, &opt);
    rig.gsp_options.attempts = attempts;
    rig_new_gpu(&rig);
}

static void runs(void *arg)
{
    (void)arg;
    gsp_run(rig.gpu, &stop);
    ended = true;
}
/* Until the boot has ended, well or badly. */
static void boot_ends(void *arg)
{
    (void)arg;
    stop = ended = false;
    assert_non_null(fiber_spawn("gpu", runs, NULL, FIBER_STACK_DEFAULT * 2));
    while (rig_snapshot(&rig).state != GSP_READY && rig_snapshot(&rig).state != GSP_FAILED) {
        fiber_sleep_us(1000);
    }
    stop = true;
    while (!ended) {
        fiber_sleep_us(1000);
    }
}
static struct gsp_snapshot after_run(void)
{
    rig_run(boot_ends, NULL);
    const uint32_t n = gsp_get_attempts(rig.gpu, record, GSP_MAX_ATTEMPTS, &total);
    assert_int_equal(n, total < GSP_MAX_ATTEMPTS ? total : GSP_MAX_ATTEMPTS);
    return rig_snapshot(&rig);
}

static void second_works(void **state)
{
    static const struct {
        const char *fault, *chip, *stage;
        enum fl_err err;
    } once[] = {
        {"stuck=init:n=1", "ga102", "init-done", FL_ETIMEDOUT},
        {"read:0x300000:n=1:value=0x12345678", "ga102", "vbios", FL_EBADDATA},
        {"message:n=1:offset=0x50:xor=1", "tu102", "sequencer", FL_EPROTO},
        {"stuck=init:n=1", "gb202", "init-done", FL_ETIMEDOUT},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(once); i++) {
        print_message("  %s\n", once[i].fault);
        opens(once[i].fault, &(struct rig_options){.chip = once[i].chip}, 0);
        const struct gsp_snapshot s = after_run();
        assert_int_equal(s.state, GSP_READY);
        assert_int_equal(s.fail.err, FL_OK);
        assert_int_equal(s.attempt, 2);
        assert_int_equal(s.attempts, 3); /* by default */
        assert_int_equal(total, 2);
        assert_int_equal(record[0].number, 1);
        assert_int_equal(record[0].result, once[i].err);
        assert_int_equal(record[0].fail.err, once[i].err);
        assert_string_equal(record[0].fail.stage, once[i].stage);
        assert_false(record[0].was_reset);
        assert_int_equal(record[1].number, 2);
        assert_int_equal(record[1].result, FL_OK);
        assert_int_equal(record[1].fail.err, FL_OK);
        assert_true(record[1].was_reset);
        assert_int_equal(record[1].reset_before, GSP_RESET_FUNCTION);
        assert_true(record[0].us > 0 && record[1].us > 0);
        assert_true(record[1].start_us > record[0].start_us + record[0].us); /* the reset */
        no_violation();
        assert_true(rig_close(&rig));
    }
}

static void through_the_bridge(void **state)
{
    (void)state;
    opens("stuck=init:n=1", &(struct rig_options){.bridge = true, .no_flr = true}, 2);
    assert_int_equal(after_run().state, GSP_READY);
    assert_int_equal(total, 2);
    assert_true(record[1].was_reset);
    assert_int_equal(record[1].reset_before, GSP_RESET_BUS);
    assert_int_equal(rig.bus_resets, 1);
    no_violation();
    assert_true(rig_close(&rig));
}

/* All fail: the GPU's failure is the last one's, each keeps its own. */
static void all_fail(void **state)
{
    static const uint32_t asked[] = {0, 1, 4, 77};
    static const uint32_t made[] = {3, 1, 4, GSP_MAX_ATTEMPTS};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(asked); i++) {
        opens("booter-mailbox=0x31", NULL, asked[i]);
        const struct gsp_snapshot s = after_run();
        assert_int_equal(s.state, GSP_FAILED);
        assert_int_equal(s.attempt, made[i]);
        assert_int_equal(s.attempts, made[i]);
        assert_int_equal(s.boots, made[i]);
        assert_int_equal(total, made[i]);
        for (uint32_t k = 0; k < made[i]; k++) {
            assert_int_equal(record[k].number, k + 1);
            assert_int_equal(record[k].result, FL_EIO);
            assert_string_equal(record[k].fail.stage, "booter");
            assert_non_null(strstr(record[k].fail.text, "0x00000031"));
            assert_int_equal(record[k].was_reset, k > 0);
        }
        assert_int_equal(s.fail.at_us, record[made[i] - 1].fail.at_us);
        no_violation();
        assert_true(rig_close(&rig));
    }
}

/* Differently: the first cause is not lost, and no second boot hides it. */
static void fail_differently(void **state)
{
    static const char *const faults[] = {"stuck=riscv:n=1", "init-done-result=0x59", NULL};
    (void)state;
    rig_open(&rig, &(struct rig_options){.strict = MODEL_STRICT, .faults = faults});
    rig.gsp_options.attempts = 2;
    rig_new_gpu(&rig);
    const struct gsp_snapshot s = after_run();
    assert_int_equal(s.state, GSP_FAILED);
    assert_string_equal(s.fail.stage, "init-done");
    assert_int_equal(total, 2);
    assert_string_equal(record[0].fail.stage, "riscv");
    assert_string_equal(record[1].fail.stage, "init-done");
    assert_true(rig_close(&rig));
}

static void one_attempt(const char *stage, enum fl_err err)
{
    const struct gsp_snapshot s = after_run();
    assert_int_equal(s.state, GSP_FAILED);
    assert_string_equal(s.fail.stage, stage);
    assert_int_equal(s.fail.err, err);
    assert_int_equal(total, 1);
    assert_int_equal(record[0].fail.err, err);
    assert_int_equal(s.attempt, 1);
    assert_int_equal(s.attempts, 3);
}

static unsigned fail_at;
static void run_without_memory(void *arg)
{
    host_fail_alloc_at(fail_at);
    boot_ends(arg);
    host_fail_alloc_at(0);
}
static void no_reset_can_help(void **state)
{
    (void)state;
    opens("read:NV_PMC_BOOT_42:n=1:value=0x1ff00000", NULL, 0);
    one_attempt("identify", FL_ENOTSUP);
    assert_true(rig_close(&rig));

    opens(NULL, NULL, 0);
    rig_file(&rig, "gsp")->state = FL_FILE_MISSING;
    one_attempt("firmware", FL_ENOENT);
    assert_true(rig_close(&rig));

    opens(NULL, NULL, 0);
    struct fl_file *f = rig_file(&rig, "booter_load");
    f->state = FL_FILE_TRUNCATED;
    f->size /= 2;
    one_attempt("firmware", FL_ETRUNCATED);
    assert_true(rig_close(&rig));

    opens(NULL, NULL, 0); /* a file that is whole and wrong */
    f = rig_file(&rig, "booter_load");
    memset((void *)(uintptr_t)f->address, 0xa5, 64);
    one_attempt("firmware", FL_EBADDATA);
    assert_true(rig_close(&rig));

    opens(NULL, NULL, 0);
    fail_at = 3; /* behind the fiber's own */
    rig_run(run_without_memory, NULL);
    assert_int_equal(gsp_get_attempts(rig.gpu, record, 1, &total), 1);
    assert_int_equal(record[0].result, FL_ENOMEM);
    assert_int_equal(total, 1);
    assert_true(rig_close(&rig));
}

/* Nothing can reset it: another attempt would find what the first one left. */
static void card_without_a_reset(void **state)
{
    (void)state;
    opens("booter-mailbox=0x31", &(struct rig_options){.no_flr = true}, 0);
    one_attempt("booter", FL_EIO);
    assert_true(rig_close(&rig));
}

/* The card is gone: the reset says so at once, and the first failure stays the GPU's. */
static void card_that_is_gone(void **state)
{
    (void)state;
    opens("linklost:n=300", NULL, 0);
    const struct gsp_snapshot s = after_run();
    assert_int_equal(s.state, GSP_FAILED);
    assert_int_equal(s.fail.err, FL_ELINKLOST);
    assert_int_equal(total, 1);
    assert_non_null(strstr(s.fail.text, "link lost"));
    model_reset(rig.model, MODEL_RESET_POWER);
    assert_true(rig_close(&rig));
}

static void log_flood_out(void)
{
    for (unsigned i = 0; i < LOG_RING_LINES; i++) {
        log_info("test", "-");
    }
}
/* Between two attempts it looks like one boot, and ends with the GPU. */
static void destroyed_between(void *arg)
{
    (void)arg;
    ended = stop = false;
    assert_non_null(fiber_spawn("gpu", runs, NULL, FIBER_STACK_DEFAULT * 2));
    while (gsp_get_attempts(rig.gpu, record, 1, NULL) == 0) {
        fiber_sleep_us(1000);
    }
    assert_int_equal(rig_snapshot(&rig).state, GSP_BOOTING);
    const uint32_t boots = rig_snapshot(&rig).boots;
    gsp_destroy(rig.gpu);
    rig.gpu = NULL;
    fiber_yield();
    assert_true(ended);
    assert_int_equal(boots, 1);
    struct log_entry e;
    for (uint64_t at = 0; log_read(&at, &e, NULL);) { /* nor was a second one begun after that */
        assert_null(strstr(e.text, "being destroyed"));
    }
}
static void ends_between(void **state)
{
    (void)state;
    opens("booter-mailbox=0x31", NULL, 0);
    log_flood_out();
    rig_run(destroyed_between, NULL);
    no_violation();
    assert_true(rig_close(&rig));
}

/* The ring of records near its end: the oldest go, numbers and the total stay. */
static void records_wrap(void **state)
{
    struct gsp_attempt last[2];
    (void)state;
    opens("booter-mailbox=0x31", NULL, 0);
    for (unsigned i = 0; i < GSP_MAX_ATTEMPTS + 3; i++) {
        assert_int_equal(rig_boot(&rig), FL_EIO);
    }
    assert_int_equal(gsp_get_attempts(rig.gpu, record, GSP_MAX_ATTEMPTS, &total), GSP_MAX_ATTEMPTS);
    assert_int_equal(total, GSP_MAX_ATTEMPTS + 3);
    for (unsigned i = 1; i < GSP_MAX_ATTEMPTS; i++) {
        assert_true(record[i].start_us > record[i - 1].start_us);
        assert_int_equal(record[i].number, 1); /* gsp_boot makes one */
    }
    assert_int_equal(gsp_get_attempts(rig.gpu, last, 2, NULL), 2);
    assert_int_equal(last[0].start_us, record[GSP_MAX_ATTEMPTS - 2].start_us);
    assert_int_equal(last[1].start_us, record[GSP_MAX_ATTEMPTS - 1].start_us);
    assert_int_equal(rig_snapshot(&rig).attempts, 1);
    assert_true(rig_close(&rig));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(second_works),      cmocka_unit_test(through_the_bridge),
        cmocka_unit_test(all_fail),          cmocka_unit_test(fail_differently),
        cmocka_unit_test(no_reset_can_help), cmocka_unit_test(card_without_a_reset),
        cmocka_unit_test(card_that_is_gone), cmocka_unit_test(ends_between),
        cmocka_unit_test(records_wrap),
    };
    host_log_to_stderr(getenv("RIG_LOG") != NULL);
    return cmocka_run_group_tests_name("attempts", tests, NULL, NULL);
}
