/* SPDX-License-Identifier: MIT */
/* The queue of bind jobs: fences in and out, order, cancelling, the end, and what a run stage is
 * not allowed to do. */
#include "tests/unit/vm_rig.h"

static struct rig r;
static struct fence_context other; /* somebody else's timeline */
static struct fence in[4];
static char heard[16];

static void begin(bool worker)
{
    rig_open(&r, &gpu_mmu_v3, worker);
    memset(heard, 0, sizeof(heard));
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

/* ---- order ---- */

struct listener {
    struct fence_callback cb;
    char name;
    uint32_t invalidates; /* there had been at the signal */
};

static void listen(struct fence_callback *cb, struct fence *f)
{
    struct listener *l = CONTAINER_OF(cb, struct listener, cb);
    const size_t n = strlen(heard);

    (void)f;
    heard[n] = l->name;
    heard[n + 1] = '\0';
    l->invalidates = r.s.invalidates;
}

static void hear(struct listener *l, char name, struct fence *f)
{
    l->name = name;
    fence_callback_init(&l->cb, listen);
    assert_int_equal(fence_add_callback(f, &l->cb), FL_OK);
}

static void jobs_run_in_order(void **state)
{
    struct listener l[3];
    struct fence *out[3];

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        out[i] = rig_queue(&r, page(i), i == 1 ? &in[0] : NULL);
        hear(&l[i], (char)('a' + i), out[i]);
    }
    assert_int_equal(rig_pa(&r, 0), 0); /* nothing has happened */
    assert_int_equal(gpu_vm_run(r.vm), 1);
    assert_string_equal(heard, "a"); /* the second one waits, and so does the third */
    assert_int_equal(rig_pa(&r, 0), GIB(10));
    assert_int_equal(rig_pa(&r, KIB(8)), 0);
    assert_int_equal(gpu_vm_run(r.vm), 0);
    signal(&in[0], FL_OK);
    assert_int_equal(gpu_vm_run(r.vm), 2);
    assert_string_equal(heard, "abc");
    for (uint32_t i = 0; i < 3; i++) {
        done(out[i], FL_OK);
        assert_int_equal(l[i].invalidates, i + 1); /* the signal comes after the invalidate */
    }
}

/* What is there when its turn comes counts, not what was there when it was submitted. */
static void a_job_finds_what_those_before_left(void **state)
{
    (void)state;
    struct fence *a = rig_queue(&r, rig_map(&r, 0, KIB(64), 2, 0), NULL);
    struct fence *b = rig_queue(&r, rig_unmap(KIB(16), KIB(16)), NULL);
    struct fence *c = rig_queue(&r, rig_map(&r, KIB(20), KIB(4), 1, 0), NULL);
    assert_int_equal(gpu_vm_run(r.vm), 3);
    done(a, FL_OK);
    done(b, FL_OK);
    done(c, FL_OK);
    assert_int_equal(rig_pa(&r, KIB(16)), 0);
    assert_int_equal(rig_pa(&r, KIB(20)), GIB(9));
    assert_int_equal(rig_pa(&r, KIB(32)), GIB(10) + KIB(64));
    rig_assert_agree(&r);
}

static void the_worker_runs_them(void **state)
{
    (void)state;
    struct fence *a = rig_queue(&r, page(0), &in[0]);
    struct fence *b = rig_queue(&r, page(1), NULL);
    assert_int_equal(fence_wait(b, deadline_in_us(1000)), FL_ETIMEDOUT);
    signal(&in[0], FL_OK);
    assert_int_equal(fence_wait(b, deadline_in_us(1000)), FL_OK);
    done(a, FL_OK);
    done(b, FL_OK);
    rig_do(&r, page(2)); /* here, with a worker that could */
    assert_int_equal(rig_pa(&r, KIB(8)), GIB(10));
}

static void waiting_runs_those_before(void **state)
{
    (void)state;
    struct fence *a = rig_queue(&r, page(0), NULL);
    rig_do(&r, page(1));
    done(a, FL_OK);
}

/* ---- in-fences ---- */

static void all_in_fences_count(void **state)
{
    struct gpu_bind_op op = page(0);
    struct fence *const all[4] = {&in[0], &in[1], &in[2], &in[0]};
    const struct gpu_bind bind = {.ops = &op, .op_count = 1, .in = all, .in_count = 4};
    struct fence *out = NULL;

    (void)state;
    signal(&in[0], FL_OK); /* before */
    assert_int_equal(gpu_vm_bind(r.vm, &bind, &out, NULL), FL_OK);
    assert_int_equal(gpu_vm_run(r.vm), 0);
    signal(&in[1], FL_OK);
    assert_int_equal(gpu_vm_run(r.vm), 0);
    signal(&in[2], FL_OK);
    assert_int_equal(gpu_vm_run(r.vm), 1);
    done(out, FL_OK);
}

static void a_failed_in_fence_fails_the_job(void **state)
{
    (void)state;
    struct fence *a = rig_queue(&r, page(0), &in[0]);
    struct fence *b = rig_queue(&r, page(1), NULL);
    signal(&in[0], FL_EIO);
    struct fence *c = rig_queue(&r, page(2), &in[0]); /* signalled already */
    assert_int_equal(gpu_vm_run(r.vm), 3);
    done(a, FL_EIO);
    done(b, FL_OK);
    done(c, FL_EIO);
    assert_int_equal(rig_pa(&r, 0), 0);
    assert_int_equal(gpu_vm_dead(r.vm, NULL), FL_OK);
}

static void in_fences_have_a_deadline(void **state)
{
    struct gpu_bind_op op = page(3);
    struct fence *const one = &in[1];
    const struct gpu_bind bind = {.ops = &op, .op_count = 1, .in = &one, .in_count = 1};

    (void)state;
    struct fence *a = rig_queue(&r, page(0), &in[0]);
    struct fence *b = rig_queue(&r, page(1), NULL);
    assert_int_equal(fence_wait(b, deadline_in_us(GPU_BIND_IN_FENCE_US - US_PER_MS)), FL_ETIMEDOUT);
    assert_int_equal(fence_wait(b, deadline_in_us(2 * US_PER_MS)), FL_OK);
    done(a, FL_ETIMEDOUT);
    done(b, FL_OK);
    assert_int_equal(gpu_vm_bind_sync(r.vm, &bind, &r.s.fail), FL_ETIMEDOUT);
    assert_non_null(strstr(r.s.fail.text, "1 of its 1 in-fences did not come"));
    fl_fail_clear(&r.s.fail);
}

/* ---- cancelling, and the end ---- */

static enum fl_err cancelled_while_running;
static struct fence *to_cancel;

static void cancel_now(void *arg)
{
    (void)arg;
    cancelled_while_running = gpu_vm_cancel(r.vm, to_cancel);
}

static void cancelling(void **state)
{
    struct listener l[3];

    (void)state;
    struct fence *a = rig_queue(&r, page(0), &in[0]);
    struct fence *b = rig_queue(&r, page(1), NULL);
    struct fence *c = rig_queue(&r, page(2), NULL);
    hear(&l[0], 'a', a);
    hear(&l[1], 'b', b);
    hear(&l[2], 'c', c);
    assert_int_equal(gpu_vm_cancel(r.vm, b), FL_OK);
    assert_string_equal(heard, ""); /* signals are in order */
    assert_int_equal(gpu_vm_cancel(r.vm, a), FL_OK);
    to_cancel = c;
    cancelled_while_running = FL_OK;
    r.in_invalidate = cancel_now;
    assert_int_equal(gpu_vm_run(r.vm), 3); /* nobody waits for the in-fence any more */
    r.in_invalidate = NULL;
    assert_int_equal(cancelled_while_running, FL_EBUSY);
    assert_string_equal(heard, "abc");
    assert_int_equal(gpu_vm_cancel(r.vm, c), FL_ENOENT);
    assert_int_equal(gpu_vm_cancel(r.vm, &in[0]), FL_ENOENT);
    done(a, FL_ECANCELED);
    done(b, FL_ECANCELED);
    done(c, FL_OK);
    assert_int_equal(rig_pa(&r, KIB(4)), 0);
    assert_int_equal(rig_pa(&r, KIB(8)), GIB(10));
    struct gpu_vm_stats st;
    gpu_vm_get_stats(r.vm, &st);
    assert_true(st.cancelled == 2 && st.done == 1 && st.waiting == 0);
}

static void cancelling_wakes_the_worker(void **state)
{
    (void)state;
    struct fence *a = rig_queue(&r, page(0), &in[0]);
    fiber_yield();
    assert_int_equal(gpu_vm_cancel(r.vm, a), FL_OK);
    assert_int_equal(fence_wait(a, deadline_in_us(1000)), FL_OK);
    done(a, FL_ECANCELED);
}

/* The first one is at its invalidate, the second waits for a fence, the third for the second. */
static void the_end_in_the_middle(void **state)
{
    struct listener l[3];
    struct fence *out[3];

    (void)state;
    r.slow_us = 500;
    for (uint32_t i = 0; i < 3; i++) {
        out[i] = rig_queue(&r, page(i), i == 1 ? &in[0] : NULL);
        hear(&l[i], (char)('a' + i), out[i]);
    }
    fiber_sleep_us(100);
    assert_false(fence_signalled(out[0]));
    gpu_vm_destroy(r.vm);
    r.vm = NULL;
    assert_string_equal(heard, "abc");
    /* Fences outlive the vm; the tables are there, and their root. */
    assert_int_equal(heap_live(), r.live + 2 * RIG_OBJECTS + 3 + 2);
    done(out[0], FL_OK);
    done(out[1], FL_ECANCELED);
    done(out[2], FL_ECANCELED);
    assert_int_equal(rig_pa(&r, 0), 0);
}

static enum fl_err submitted_late;

static void submit_late(struct fence_callback *cb, struct fence *f)
{
    const struct gpu_bind_op op = rig_unmap(0, KIB(4));
    const struct gpu_bind bind = {.ops = &op, .op_count = 1};

    (void)cb;
    (void)f;
    submitted_late = gpu_vm_bind(r.vm, &bind, NULL, NULL);
}

static void nothing_is_taken_at_the_end(void **state)
{
    struct fence_callback cb;

    (void)state;
    struct fence *a = rig_queue(&r, page(0), &in[0]);
    fence_callback_init(&cb, submit_late);
    assert_int_equal(fence_add_callback(a, &cb), FL_OK);
    gpu_vm_destroy(r.vm);
    r.vm = NULL;
    assert_int_equal(submitted_late, FL_ESTATE);
    done(a, FL_ECANCELED);
}

/* ---- others meanwhile ---- */

struct submitter {
    uint32_t page;
    enum fl_err err;
    bool done;
};

static void submit_sync(void *arg)
{
    struct submitter *s = arg;
    const struct gpu_bind_op op = page(s->page);
    const struct gpu_bind bind = {.ops = &op, .op_count = 1};

    s->err = gpu_vm_bind_sync(r.vm, &bind, NULL);
    s->done = true;
}

static void many_fibers_submit(void **state)
{
    struct submitter s[8];

    (void)state;
    r.slow_us = 20;
    for (uint32_t i = 0; i < ARRAY_SIZE(s); i++) {
        s[i] = (struct submitter){.page = i};
        assert_non_null(fiber_spawn("submits", submit_sync, &s[i], 0));
    }
    fiber_sleep_us(5000);
    for (uint32_t i = 0; i < ARRAY_SIZE(s); i++) {
        assert_true(s[i].done);
        assert_int_equal(s[i].err, FL_OK);
        assert_int_equal(rig_pa(&r, i * KIB(4)), GIB(10));
    }
    rig_assert_agree(&r);
}

/* ---- what a run stage must not do ---- */

static LOCK_CLASS(bad_class, "bad lock");
static struct mutex bad_lock;

static void allocate(void *arg)
{
    (void)arg;
    heap_free(heap_zalloc(1));
}

static void take_bad_lock(void *arg)
{
    (void)arg;
    mutex_lock(&bad_lock);
    mutex_unlock(&bad_lock);
}

static void wait_for_other(void *arg)
{
    (void)arg;
    assert_int_equal(fence_wait(&in[0], deadline_never()), FL_OK);
}

static void reported(void (*what)(void *arg), const char *words)
{
    assert_int_equal(lockorder_inversions(), 0);
    rig_do(&r, rig_unmap(0, KIB(4))); /* what changes nothing has nothing to invalidate */
    r.in_invalidate = what;
    rig_do(&r, page(0));
    r.in_invalidate = NULL;
    assert_true(lockorder_inversions() > 0);
    assert_non_null(strstr(lockorder_first(), words));
    lockorder_reset();
}

static void run_stages_are_watched(void **state)
{
    (void)state;
    mutex_init(&bad_lock, &bad_class);
    reported(allocate, "in a section without allocation, begun at mm/gpu/jobs.c");
    signal(&in[0], FL_OK);
    reported(wait_for_other, "waits for a \"fence\"");
    take_bad_lock(NULL);
    mutex_lock(&bad_lock);
    allocate(NULL);
    mutex_unlock(&bad_lock);
    reported(take_bad_lock, "\"bad lock\" before \"alloc\" at mm/heap.c");
    mutex_lock(&bad_lock);
    wait_for_other(NULL);
    mutex_unlock(&bad_lock);
    reported(take_bad_lock, "\"bad lock\" before \"fence\" at tests/unit/test_bind_queue.c");
    /* Submitting under a lock that the run stage takes: the vm's own stands for all of them. */
    take_bad_lock(NULL);
    r.in_invalidate = take_bad_lock;
    rig_do(&r, rig_unmap(0, KIB(4)));
    r.in_invalidate = NULL;
    assert_int_equal(lockorder_inversions(), 0);
    mutex_lock(&bad_lock);
    fence_put(rig_queue(&r, page(1), NULL));
    mutex_unlock(&bad_lock);
    assert_true(lockorder_inversions() > 0);
    assert_int_equal(gpu_vm_run(r.vm), 1);
    lockorder_reset();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(jobs_run_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(a_job_finds_what_those_before_left, setup, teardown),
        cmocka_unit_test_setup_teardown(the_worker_runs_them, setup_worker, teardown),
        cmocka_unit_test_setup_teardown(waiting_runs_those_before, setup, teardown),
        cmocka_unit_test_setup_teardown(all_in_fences_count, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_in_fence_fails_the_job, setup, teardown),
        cmocka_unit_test_setup_teardown(in_fences_have_a_deadline, setup_worker, teardown),
        cmocka_unit_test_setup_teardown(cancelling, setup, teardown),
        cmocka_unit_test_setup_teardown(cancelling_wakes_the_worker, setup_worker, teardown),
        cmocka_unit_test_setup_teardown(the_end_in_the_middle, setup_worker, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_taken_at_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(many_fibers_submit, setup_worker, teardown),
        cmocka_unit_test_setup_teardown(many_fibers_submit, setup, teardown),
        cmocka_unit_test_setup_teardown(run_stages_are_watched, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
