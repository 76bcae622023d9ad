/* SPDX-License-Identifier: MIT */
/* Bind jobs seen from outside: where they stand, how they went, a queue that its owner ends, and
 * two queues over the same tables. */
#include "tests/unit/vm_rig.h"

static struct rig r;
static struct fence_context other; /* somebody else's timeline */
static struct fence in[4];

static void begin(bool worker)
{
    rig_open(&r, &gpu_mmu_v3, worker);
    fence_context_init(&other, "other");
    for (size_t i = 0; i < ARRAY_SIZE(in); i++) {
        fence_init(&in[i], &other, NULL);
    }
}

static int setup(void **state)
{
    (void)state;
    begin(false);
    return 0;
}

static int setup_worker(void **state)
{
    (void)state;
    begin(true);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    (void)fence_context_abandon(&other, FL_ECANCELED);
    for (size_t i = 0; i < ARRAY_SIZE(in); i++) {
        assert_int_equal(in[i].refs, 1); /* no job holds on to it */
    }
    rig_close(&r);
    return 0;
}

static struct gpu_bind_op page(uint32_t n) { return rig_map(&r, n * KIB(4), KIB(4), 2, 0); }

static void signal(struct fence *f, enum fl_err err)
{
    assert_int_equal(fence_signal(f, err), FL_OK);
}

static void done(struct fence *f, enum fl_err err)
{
    assert_true(fence_signalled(f));
    assert_int_equal(fence_error(f), err);
    fence_put(f);
}

/* ---- where jobs stand, and how they went ---- */

static struct fence *watched;
static enum gpu_job_state seen_running;
static void look_at_it(void *arg)
{
    (void)arg;
    seen_running = gpu_vm_job_state(r.vm, watched);
}

static struct fence *queue_reported(struct gpu_bind_op op, struct fence *gate,
                                    struct gpu_bind_report *report)
{
    struct fence *out = NULL;
    const struct gpu_bind bind = {
        .ops = &op, .op_count = 1, .in = &gate, .in_count = gate != NULL, .report = report};

    must_be(gpu_vm_bind(r.vm, &bind, &out, &r.s.fail), FL_OK, &r.s.fail);
    return out;
}

static void jobs_say_where_they_stand(void **state)
{
    struct gpu_bind_report report[3] = {{.maps = 0}};

    (void)state;
    struct fence *a = queue_reported(page(0), &in[0], &report[0]);
    struct fence *b = queue_reported(rig_map(&r, 0, KIB(16), 0, 0), NULL, &report[1]);
    struct fence *c = queue_reported(page(2), &in[1], &report[2]);
    assert_int_equal(gpu_vm_job_state(r.vm, a), GPU_JOB_WAITING);
    assert_int_equal(gpu_vm_job_state(r.vm, b), GPU_JOB_QUEUED);
    assert_int_equal(gpu_vm_job_state(r.vm, &in[0]), GPU_JOB_OVER);
    fiber_sleep_us(7);
    signal(&in[0], FL_OK);
    assert_int_equal(gpu_vm_job_state(r.vm, a), GPU_JOB_READY);
    assert_int_equal(report[0].begun_us, 0);
    watched = a;
    r.in_invalidate = look_at_it;
    r.slow_us = 5;
    assert_int_equal(gpu_vm_run(r.vm), 2);
    r.in_invalidate = NULL;
    assert_int_equal(seen_running, GPU_JOB_OVER); /* that was b's invalidate */
    signal(&in[1], FL_EIO);
    assert_int_equal(gpu_vm_run(r.vm), 1);
    assert_true(report[0].maps == 1 && report[0].unmaps == 0 && report[0].fail.err == FL_OK);
    assert_in_range(report[0].ended_us - report[0].begun_us, 5, 10); /* virtual time */
    assert_true(report[1].maps == 1 && report[1].unmaps == 1);
    assert_true(report[2].maps == 0 && report[2].begun_us == 0 && report[2].ended_us != 0);
    assert_int_equal(report[2].fail.err, FL_EIO);
    assert_non_null(strstr(report[2].fail.text, "has failed"));
    done(a, FL_OK);
    done(b, FL_OK);
    done(c, FL_EIO);
    watched = a = queue_reported(page(0), NULL, NULL);
    r.in_invalidate = look_at_it;
    assert_int_equal(gpu_vm_run(r.vm), 1);
    r.in_invalidate = NULL;
    assert_int_equal(seen_running, GPU_JOB_RUNNING);
    done(a, FL_OK);
}

/* Its owner ends a queue: what runs finishes, the rest has the words that were given. */
static struct fl_fail last_words;
static void kill_now(void *arg)
{
    (void)arg;
    gpu_vm_kill(r.vm, &last_words);
}

static void a_queue_is_ended(void **state)
{
    struct gpu_bind_report report[2] = {{.maps = 0}};

    (void)state;
    fl_fail_clear(&last_words);
    (void)FL_FAIL(&last_words, FL_ECANCELED, "gpu", "it was reset");
    struct fence *a = queue_reported(page(0), NULL, &report[0]);
    struct fence *b = queue_reported(page(1), &in[0], &report[1]);
    r.in_invalidate = kill_now;
    r.slow_us = 5;
    assert_int_equal(fence_wait(b, deadline_in_us(1000)), FL_OK); /* the worker is woken */
    r.in_invalidate = NULL;
    done(a, FL_OK);
    done(b, FL_ECANCELED);
    assert_string_equal(report[1].fail.text, "it was reset");
    const struct gpu_bind_op op = page(2);
    const struct gpu_bind bind = {.ops = &op, .op_count = 1};
    assert_int_equal(gpu_vm_bind(r.vm, &bind, NULL, &r.s.fail), FL_ECANCELED);
    assert_string_equal(r.s.fail.text, "it was reset");
    fl_fail_clear(&r.s.fail);
    assert_int_equal(gpu_vm_bind_sync(r.vm, &bind, NULL), FL_ECANCELED);
}

/* Two vms over the same tables: one that waits holds the other up at nothing; their jobs take
 * turns at the tables. */
static struct gpu_vm *second;
static struct fence *of_second;
static uint64_t seen_of_second;
static unsigned begun, ended;
static void *count_begin(void *ctx)
{
    assert_ptr_equal(ctx, &r.s);
    begun++;
    return &begun;
}
static void count_end(void *ctx, void *token)
{
    assert_true(ctx == &r.s && token == &begun);
    ended++;
}

static void look_at_second(void *arg)
{
    (void)arg;
    fiber_sleep_us(50); /* its worker had time */
    seen_of_second = rig_pa(&r, GIB(1));
    r.in_invalidate = NULL;
}

static void two_vms_take_turns(void **state)
{
    const struct gpu_vm_options o = {.name = "second",
                                     .va = {GIB(1), GIB(1)},
                                     .worker = true,
                                     .begin = count_begin,
                                     .end = count_end,
                                     .beside = r.vm};
    const struct gpu_bind_op op = rig_map(&r, GIB(1), KIB(4), 0, 0);
    const struct gpu_bind bind = {.ops = &op, .op_count = 1};

    (void)state;
    begun = ended = 0;
    must_be(gpu_vm_create(&r.s.mem, r.s.t, &o, &second, &r.s.fail), FL_OK, &r.s.fail);
    struct fence *a = rig_queue(&r, page(0), &in[0]);
    assert_int_equal(gpu_vm_bind(second, &bind, &of_second, NULL), FL_OK);
    assert_int_equal(fence_wait(of_second, deadline_in_us(1000)), FL_OK);
    done(of_second, FL_OK); /* a waits, and is in nobody's way */
    assert_int_equal(rig_pa(&r, GIB(1)), GIB(8));
    assert_true(begun == 1 && ended == 1);
    const struct gpu_bind_op gone = rig_unmap(GIB(1), KIB(4));
    const struct gpu_bind unbind = {.ops = &gone, .op_count = 1};
    assert_int_equal(gpu_vm_bind_sync(second, &unbind, NULL), FL_OK);
    seen_of_second = 1;
    r.in_invalidate = look_at_second;
    signal(&in[0], FL_OK);
    fiber_yield(); /* a is in the middle of its run stage */
    assert_int_equal(gpu_vm_bind(second, &bind, &of_second, NULL), FL_OK);
    assert_int_equal(fence_wait(of_second, deadline_in_us(1000)), FL_OK);
    assert_int_equal(seen_of_second, 0);
    done(of_second, FL_OK);
    done(a, FL_OK);
    must_be(gpu_tables_compare(r.s.t, &r.s.fail), FL_OK, &r.s.fail);
    gpu_vm_destroy(second);
    rig_assert_agree(&r);
    assert_int_equal(rig_pa(&r, GIB(1)), 0);
    assert_int_equal(rig_pa(&r, 0), GIB(10));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(jobs_say_where_they_stand, setup, teardown),
        cmocka_unit_test_setup_teardown(a_queue_is_ended, setup_worker, teardown),
        cmocka_unit_test_setup_teardown(two_vms_take_turns, setup_worker, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
