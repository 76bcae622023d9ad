/* SPDX-License-Identifier: MIT */
/*
 * Bind jobs when something fails: the n-th allocation of a submission, the n-th access to the GPU,
 * or the GPU as a whole. What was mapped before stays mapped, and nothing is lost.
 */
#include "tests/unit/bind_random.h"

static struct world w;

static int setup(void **state)
{
    (void)state;
    world_open(&w, &gpu_mmu_v2, 11);
    return 0;
}

static int setup_v3(void **state)
{
    (void)state;
    world_open(&w, &gpu_mmu_v3, 12);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

static enum fl_err sync_job(const struct job *j)
{
    const struct gpu_bind bind = {.ops = j->ops, .op_count = j->count};

    fl_fail_clear(&w.r.s.fail);
    return gpu_vm_bind_sync(w.r.vm, &bind, &w.r.s.fail);
}

/* ---- no memory ---- */

static void every_allocation_fails_once(void **state)
{
    uint64_t tried = 0;

    (void)state;
    for (uint32_t i = 0; i < 200; i++) {
        const struct job j = job_random(&w);
        for (uint64_t n = 1;; n++, tried++) {
            const uint64_t live = heap_live();
            const uint32_t pages = w.r.s.live;
            struct gpu_vm_stats before, after;

            gpu_vm_get_stats(w.r.vm, &before);
            (void)host_fail_alloc_at(n);
            const enum fl_err err = sync_job(&j);
            if (host_fail_alloc_at(0) != 0) {
                must_be(err, FL_OK, &w.r.s.fail); /* all allocations are behind us */
                break;
            }
            assert_int_equal(err, FL_ENOMEM);
            assert_int_equal(w.r.s.fail.err, FL_ENOMEM);
            assert_int_equal(heap_live(), live);
            assert_int_equal(w.r.s.live, pages);
            gpu_vm_get_stats(w.r.vm, &after);
            assert_memory_equal(&before, &after, sizeof(after));
            if (n == 1 + i % 16) {
                world_compare(&w); /* the oracle does not know the job yet */
            }
        }
        job_done(&w, &j);
    }
    world_compare(&w);
    assert_true(tried > 2000);
}

/* ---- the GPU's memory ---- */

/* Fails at the n-th access, `more` accesses after it as well. */
static enum fl_err with_fault(const struct job *j, uint64_t n, uint32_t more, enum fl_err what,
                              bool *happened)
{
    w.r.fail_at = n;
    w.r.fail_more = more;
    w.r.fail_err = what;
    const enum fl_err err = sync_job(j);
    *happened = w.r.fail_at == 0 || (more != 0 && w.r.fail_more != more);
    w.r.fail_at = 0;
    w.r.fail_more = 0;
    return err;
}

/* A failure that passes: the job is taken back, the queue lives on. */
static void every_access_fails_once(void **state)
{
    uint64_t tried = 0;

    (void)state;
    for (uint32_t i = 0; i < 40; i++) {
        const struct job j = job_random(&w);
        bool happened = true;
        for (uint64_t n = 1; happened; n++, tried++) {
            const enum fl_err err = with_fault(&j, n, 0, FL_EIO, &happened);
            if (!happened) {
                must_be(err, FL_OK, &w.r.s.fail);
                break;
            }
            assert_int_equal(err, FL_EIO);
            assert_int_equal(gpu_vm_dead(w.r.vm, NULL), FL_OK);
            if (n % 16 == i % 16) {
                world_compare(&w);
            }
        }
        job_done(&w, &j);
        world_compare(&w);
    }
    assert_true(tried > 600);
    assert_int_equal(w.r.vm->stats.parked, 0);
}

/* The link is lost at the n-th access and stays lost: the job fails, and all that wait; then it
 * comes back. */
static void the_gpu_goes_at_every_access(void **state)
{
    uint64_t tried = 0;

    (void)state;
    for (uint32_t i = 0; i < 24; i++) {
        const struct job j = job_random(&w);
        bool happened = true;
        for (uint64_t n = 1; happened; n++) {
            const enum fl_err err = with_fault(&j, n, UINT32_MAX, FL_ELINKLOST, &happened);
            if (!happened) {
                must_be(err, FL_OK, &w.r.s.fail);
                break;
            }
            assert_int_equal(err, FL_ELINKLOST);
            assert_int_equal(w.r.s.fail.err, FL_ELINKLOST);
            if (gpu_vm_dead(w.r.vm, NULL) == FL_OK) {
                continue; /* it was while submitting: nothing was queued */
            }
            tried++;
            assert_int_equal(sync_job(&j), FL_ELINKLOST); /* nothing is taken */
            if (n % 8 == i % 8) {
                assert_true(gpu_vm_check(w.r.vm)); /* the shadow is as before */
            }
            w.r.fail_at = 1;
            w.r.fail_err = FL_ETIMEDOUT;
            const enum fl_err still = gpu_vm_revive(w.r.vm, NULL);
            const bool needed = w.r.fail_at == 0;
            w.r.fail_at = 0;
            if (needed) {
                assert_int_equal(still, FL_ETIMEDOUT);
                assert_int_equal(gpu_vm_dead(w.r.vm, NULL), FL_ELINKLOST);
                must_be(gpu_vm_revive(w.r.vm, &w.r.s.fail), FL_OK, &w.r.s.fail);
            }
            assert_int_equal(w.r.vm->stats.parked, 0);
            if (n % 8 == i % 8) {
                world_compare(&w);
            }
        }
        job_done(&w, &j);
        world_compare(&w);
    }
    assert_true(tried > 200);
}

/* What waits is signalled in order, with the error; what the GPU may still see stays in use. */
static void what_waits_fails_too(void **state)
{
    struct rig *r = &w.r;
    struct fl_fail fail = {0};

    (void)state;
    struct fence *a = rig_queue(r, rig_map(r, 0, MIB(1), 2, 0), NULL);
    struct fence *b = rig_queue(r, rig_map(r, MIB(8), KIB(4), 4, 0), NULL);
    struct fence *c = rig_queue(r, rig_unmap(0, KIB(4)), b);
    r->fail_at = 3;
    r->fail_more = UINT32_MAX;
    r->fail_err = FL_ELINKLOST;
    assert_int_equal(gpu_vm_run(r->vm), 3);
    assert_int_equal(fence_error(a), FL_ELINKLOST);
    assert_int_equal(fence_error(b), FL_ELINKLOST);
    assert_int_equal(fence_error(c), FL_ELINKLOST);
    assert_int_equal(gpu_vm_dead(r->vm, &fail), FL_ELINKLOST);
    assert_non_null(strstr(fail.text, "the test says so"));
    assert_int_equal(r->vm->stats.parked, 1);
    assert_int_equal(gpu_object_free(r->object[2], NULL), FL_EBUSY);
    assert_int_equal(r->object[4]->uses, 0); /* that job never ran */
    r->fail_at = 0;
    assert_int_equal(gpu_vm_revive(r->vm, NULL), FL_OK);
    assert_int_equal(r->object[2]->uses, 0);
    rig_assert_agree(r);
    rig_do(r, rig_map(r, 0, MIB(1), 2, 0));
    rig_do(r, rig_unmap(0, MIB(1)));
    fence_put(a);
    fence_put(b);
    fence_put(c);
}

/* What is taken back leaves nothing where a mapping has no entries. */
static void undone_over_evicted_memory(void **state)
{
    const struct job j = {.ops = {rig_map(&w.r, 0, KIB(8), 0, 0)}, .count = 1};
    uint32_t failed = 0;
    bool happened = true;

    (void)state;
    rig_do(&w.r, rig_map(&w.r, 0, KIB(8), 2, 0));
    assert_int_equal(gpu_object_evict(w.r.object[2], NULL), FL_OK);
    for (uint64_t n = 1; happened; n++) {
        if (with_fault(&j, n, 0, FL_EIO, &happened) == FL_OK) {
            break;
        }
        failed++;
        assert_int_equal(rig_pa(&w.r, 0), 0);
        rig_assert_agree(&w.r);
    }
    assert_true(failed > 3);
}

/* Error without words, at the invalidate of both the job and its undoing: dead all the same. */
static void a_vm_dies_while_it_is_dead(void **state)
{
    struct rig *r = &w.r;

    (void)state;
    rig_do(r, rig_map(r, 0, KIB(8), 2, 0));
    struct fence *a = rig_queue(r, rig_unmap(0, KIB(4)), NULL);
    r->fail_at = 1;
    r->fail_more = UINT32_MAX;
    r->fail_err = FL_ETIMEDOUT;
    assert_int_equal(gpu_vm_run(r->vm), 1);
    assert_int_equal(fence_error(a), FL_ETIMEDOUT);
    assert_int_equal(gpu_vm_dead(r->vm, NULL), FL_ETIMEDOUT);
    fence_put(a);
    r->fail_at = 0;
    assert_int_equal(gpu_vm_revive(r->vm, NULL), FL_OK);
    assert_int_equal(gpu_vm_revive(r->vm, NULL), FL_OK);
    assert_int_equal(rig_pa(r, 0), GIB(10));
    r->fail_at = 1; /* and in the end: the vm goes, what is left in the tables goes with them */
    r->fail_more = UINT32_MAX;
    gpu_vm_destroy(r->vm);
    r->vm = NULL;
    r->fail_at = 0;
    assert_int_equal(gpu_tables_commit(r->s.t, NULL), FL_OK);
    struct gpu_table_pool none = {0};
    gpu_tables_release(r->s.t, &none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_allocation_fails_once, setup, teardown),
        cmocka_unit_test_setup_teardown(every_allocation_fails_once, setup_v3, teardown),
        cmocka_unit_test_setup_teardown(every_access_fails_once, setup, teardown),
        cmocka_unit_test_setup_teardown(every_access_fails_once, setup_v3, teardown),
        cmocka_unit_test_setup_teardown(the_gpu_goes_at_every_access, setup, teardown),
        cmocka_unit_test_setup_teardown(the_gpu_goes_at_every_access, setup_v3, teardown),
        cmocka_unit_test_setup_teardown(what_waits_fails_too, setup, teardown),
        cmocka_unit_test_setup_teardown(undone_over_evicted_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(a_vm_dies_while_it_is_dead, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
