/* SPDX-License-Identifier: MIT */
/* An object's memory goes and comes back, wherever it is mapped and whatever happens meanwhile. */
#include "tests/unit/bind_random.h"

static struct world w;
static struct rig *const r = &w.r;

static const struct gpu_extent elsewhere[2] = {
    {.pa = GIB(20), .len = MIB(32)},
    {.pa = GIB(2), .len = MIB(32), .aperture = GPU_SYSMEM_COHERENT}};

static int setup(void **state)
{
    (void)state;
    world_open(&w, &gpu_mmu_v2, 31);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

static bool valid_at(uint64_t va)
{
    struct gpu_mapped m = {0};
    return gpu_vm_find(r->vm, va, &m) && m.valid;
}

static void out_and_back(void **state)
{
    struct gpu_mapped m = {0};

    (void)state;
    rig_do(r, rig_map(r, 0, MIB(4), 0, MIB(30)));
    rig_do(r, rig_map(r, MIB(4), MIB(4), 2, 0));
    rig_do(r, rig_map(r, MIB(1), KIB(4), 2, 0)); /* splits the first one in two */
    const uint32_t invalidates = r->s.invalidates;
    (void)host_fail_alloc_at(1); /* nothing is allocated on the way out */
    assert_int_equal(gpu_object_evict(r->object[0], NULL), FL_OK);
    assert_int_equal(host_fail_alloc_at(0), 1);
    assert_int_equal(r->s.invalidates, invalidates + 1);
    assert_int_equal(rig_pa(r, 0), 0);
    assert_int_equal(rig_pa(r, MIB(2)), 0);
    assert_int_equal(rig_pa(r, MIB(1)), GIB(10));
    assert_true(gpu_vm_find(r->vm, 0, &m));
    assert_true(!m.valid && m.object == r->object[0] && m.offset == MIB(30));
    assert_true(valid_at(MIB(4)));
    assert_int_equal(gpu_object_free(r->object[0], NULL), FL_EBUSY); /* it is mapped, though */
    rig_assert_agree(r);
    assert_int_equal(gpu_object_evict(r->object[0], NULL), FL_OK); /* again: nothing to do */
    assert_int_equal(r->s.invalidates, invalidates + 1);
    must_be(gpu_object_restore(r->object[0], elsewhere, 2, &r->s.fail), FL_OK, &r->s.fail);
    assert_int_equal(rig_pa(r, 0), GIB(20) + MIB(30));
    assert_int_equal(rig_pa(r, MIB(2)), GIB(2)); /* the second extent */
    assert_int_equal(rig_pa(r, MIB(1)), GIB(10));
    assert_true(valid_at(0) && valid_at(MIB(2)));
    rig_assert_agree(r);
}

/* Moved without going out first: entries change from one place to the other. */
static void moved(void **state)
{
    (void)state;
    rig_do(r, rig_map(r, 0, MIB(4), 0, 0));
    must_be(gpu_object_restore(r->object[0], elsewhere, 2, &r->s.fail), FL_OK, &r->s.fail);
    assert_int_equal(rig_pa(r, MIB(3)), GIB(20) + MIB(3));
    rig_assert_agree(r);
    assert_int_equal(gpu_object_restore(r->object[0], elsewhere, 1, NULL), FL_EINVAL);
    assert_int_equal(rig_pa(r, MIB(3)), GIB(20) + MIB(3));
    assert_true(valid_at(0));
}

static void jobs_meanwhile(void **state)
{
    (void)state;
    rig_do(r, rig_map(r, 0, MIB(4), 0, 0));
    rig_do(r, rig_map(r, MIB(4), KIB(8), 2, 0));
    assert_int_equal(gpu_object_evict(r->object[0], NULL), FL_OK);
    rig_do(r, rig_unmap(MIB(1), MIB(1)));
    rig_do(r, rig_map(r, MIB(4), KIB(4), 0, 0)); /* takes the entry that was there out */
    assert_int_equal(rig_pa(r, MIB(4)), 0);
    assert_false(valid_at(MIB(4)));
    rig_do(r, rig_map(r, MIB(2), KIB(4), 0, MIB(2))); /* the same as before: nothing to keep */
    rig_assert_agree(r);
    struct gpu_vm_stats st;
    gpu_vm_get_stats(r->vm, &st);
    assert_int_equal(st.kept, 0);
    must_be(gpu_object_restore(r->object[0], elsewhere, 2, &r->s.fail), FL_OK, &r->s.fail);
    assert_int_equal(rig_pa(r, MIB(4)), GIB(20));
    assert_int_equal(rig_pa(r, MIB(2)), GIB(20) + MIB(2));
    assert_int_equal(rig_pa(r, MIB(1)), 0);
    rig_assert_agree(r);
}

/* ---- two address spaces ---- */

static struct rig second;

/* In a second one, object 0 from 2 MiB on at 1 GiB. */
static void open_second(void)
{
    const struct gpu_vm_options o = {.name = "second"};
    const struct gpu_bind_op op = rig_map(r, GIB(1), MIB(2), 0, MIB(2));
    const struct gpu_bind bind = {.ops = &op, .op_count = 1};

    second = (struct rig){.s.memory = malloc(SPACE_TABLE_BYTES)};
    second.s.mem = (struct gpu_mem){&rig_ops, &second.s, SPACE_VRAM};
    second.s.source = (struct gpu_table_source){rig_alloc, space_free, &second.s};
    must_be(gpu_tables_create(&second.s.mem, &gpu_mmu_v3, &second.s.source, 0, false, &second.s.t,
                              &r->s.fail),
            FL_OK, &r->s.fail);
    must_be(gpu_vm_create(&second.s.mem, second.s.t, &o, &second.vm, &r->s.fail), FL_OK,
            &r->s.fail);
    must_be(gpu_vm_bind_sync(second.vm, &bind, &r->s.fail), FL_OK, &r->s.fail);
}

static void close_second(void)
{
    assert_true(gpu_vm_check(second.vm));
    gpu_vm_destroy(second.vm);
    gpu_tables_destroy(second.s.t);
    free(second.s.memory);
}

static void in_every_vm(void **state)
{
    (void)state;
    open_second();
    rig_do(r, rig_map(r, 0, MIB(2), 0, 0));
    assert_int_equal(gpu_object_evict(r->object[0], NULL), FL_OK);
    assert_int_equal(rig_pa(r, 0), 0);
    assert_int_equal(rig_pa(&second, GIB(1)), 0);
    must_be(gpu_object_restore(r->object[0], elsewhere, 2, &r->s.fail), FL_OK, &r->s.fail);
    assert_int_equal(rig_pa(r, 0), GIB(20));
    assert_int_equal(rig_pa(&second, GIB(1)), GIB(20) + MIB(2));
    close_second();
    rig_assert_agree(r);
}

/* ---- failures ---- */

static void no_memory_on_the_way_back(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 8; i++) { /* in several regions, so that some are written by then */
        rig_do(r, rig_map(r, i * GIB(1), MIB(1), 0, i * MIB(1)));
    }
    assert_int_equal(gpu_object_evict(r->object[0], NULL), FL_OK);
    rig_assert_empty(r);
    uint32_t tried = 0;
    for (uint64_t n = 1;; n++, tried++) {
        const uint64_t live = heap_live();
        (void)host_fail_alloc_at(n);
        const enum fl_err err = gpu_object_restore(r->object[0], elsewhere, 2, &r->s.fail);
        if (host_fail_alloc_at(0) != 0) {
            must_be(err, FL_OK, &r->s.fail);
            break;
        }
        must_be(err, FL_ENOMEM, &r->s.fail);
        assert_int_equal(heap_live(), live);
        rig_assert_empty(r); /* none of it is back */
        rig_assert_agree(r);
    }
    assert_true(tried > 16);
    assert_int_equal(rig_pa(r, GIB(7)), GIB(20) + MIB(7));
    rig_assert_agree(r);
}

static void mend(void)
{
    r->fail_at = 0;
    r->fail_more = 0;
    must_be(gpu_vm_revive(r->vm, &r->s.fail), FL_OK, &r->s.fail);
}

static void the_gpu_fails_on_either_way(void **state)
{
    uint32_t failed = 0;

    (void)state;
    rig_do(r, rig_map(r, 0, MIB(1), 2, 0));
    rig_do(r, rig_map(r, GIB(1), KIB(64), 2, MIB(1)));
    for (uint64_t n = 1; n < 200; n++) {
        r->fail_at = n;
        r->fail_more = UINT32_MAX;
        r->fail_err = FL_ELINKLOST;
        enum fl_err err = gpu_object_evict(r->object[2], &r->s.fail);
        if (r->fail_more != UINT32_MAX || r->fail_at == 0) {
            failed++;
            must_be(err, FL_ELINKLOST, &r->s.fail);
            assert_int_equal(gpu_vm_dead(r->vm, NULL), FL_ELINKLOST);
            mend();
            must_be(gpu_object_evict(r->object[2], &r->s.fail), FL_OK, &r->s.fail);
        }
        r->fail_at = 0;
        r->fail_more = 0;
        rig_assert_agree(r);
        rig_assert_empty(r);
        r->fail_at = n;
        r->fail_more = UINT32_MAX;
        err = gpu_object_restore(r->object[2], elsewhere, 2, &r->s.fail);
        if (r->fail_more != UINT32_MAX || r->fail_at == 0) {
            failed++;
            must_be(err, FL_ELINKLOST, &r->s.fail);
            mend();
            must_be(gpu_object_evict(r->object[2], &r->s.fail), FL_OK, &r->s.fail);
            rig_assert_agree(r);
            must_be(gpu_object_restore(r->object[2], elsewhere, 2, &r->s.fail), FL_OK, &r->s.fail);
        }
        r->fail_at = 0;
        r->fail_more = 0;
        rig_assert_agree(r);
        assert_int_equal(rig_pa(r, GIB(1)), GIB(20) + MIB(1));
    }
    assert_true(failed > 10);
}

/* ---- meanwhile, others ---- */

static bool evicted, vm_gone;

static void evict_fiber(void *arg)
{
    (void)arg;
    assert_int_equal(gpu_object_evict(r->object[0], NULL), FL_OK);
    evicted = true;
}

static void destroy_fiber(void *arg)
{
    (void)arg;
    gpu_vm_destroy(r->vm);
    vm_gone = true;
}

/* It waits until the job that runs is done, and takes that job's entries out as well. */
static void behind_a_job_that_runs(void **state)
{
    (void)state;
    evicted = false;
    r->slow_us = 100;
    rig_do(r, rig_map(r, 0, MIB(1), 0, 0));
    struct fence *out = rig_queue(r, rig_map(r, MIB(1), MIB(1), 0, 0), NULL);
    assert_non_null(fiber_spawn("evicts", evict_fiber, NULL, 0));
    assert_int_equal(gpu_vm_run(r->vm), 1);
    fence_put(out);
    fiber_sleep_us(1000);
    assert_true(evicted);
    assert_int_equal(rig_pa(r, 0), 0);
    assert_int_equal(rig_pa(r, MIB(1)), 0);
    rig_assert_agree(r);
}

static bool restored;

static void restore_fiber(void *arg)
{
    (void)arg;
    must_be(gpu_object_restore(r->object[0], elsewhere, 2, &r->s.fail), FL_OK, &r->s.fail);
    restored = true;
}

/* While it waits in one vm, a mapping in the other that it has not seen yet is cut in two. */
static void cut_meanwhile(void **state)
{
    (void)state;
    const struct gpu_bind_op op = rig_unmap(GIB(1) + KIB(512), KIB(512));
    const struct gpu_bind bind = {.ops = &op, .op_count = 1};

    restored = false;
    open_second();
    rig_do(r, rig_map(r, 0, MIB(1), 0, 0)); /* the first of the object's list */
    assert_int_equal(gpu_object_evict(r->object[0], NULL), FL_OK);
    r->slow_us = 100;
    assert_non_null(fiber_spawn("restores", restore_fiber, NULL, 0));
    fiber_sleep_us(50);
    assert_false(restored);
    must_be(gpu_vm_bind_sync(second.vm, &bind, &r->s.fail), FL_OK, &r->s.fail);
    fiber_sleep_us(1000);
    assert_true(restored);
    assert_int_equal(rig_pa(r, 0), GIB(20));
    assert_int_equal(rig_pa(&second, GIB(1)), GIB(20) + MIB(2));
    assert_int_equal(rig_pa(&second, GIB(1) + KIB(512)), 0);
    assert_int_equal(rig_pa(&second, GIB(1) + MIB(1)), GIB(20) + MIB(3));
    close_second();
    rig_assert_agree(r);
}

static void a_vm_goes_after_its_guests(void **state)
{
    (void)state;
    evicted = vm_gone = false;
    rig_do(r, rig_map(r, 0, MIB(1), 0, 0));
    r->slow_us = 100;
    assert_non_null(fiber_spawn("evicts", evict_fiber, NULL, 0));
    assert_non_null(fiber_spawn("destroys", destroy_fiber, NULL, 0));
    fiber_sleep_us(50);
    assert_false(evicted || vm_gone);
    fiber_sleep_us(1000);
    assert_true(evicted && vm_gone);
    r->vm = NULL;
}

static void at_random(void **state)
{
    static struct gpu_extent back[MIB(64) / KIB(64)];

    (void)state;
    for (uint32_t n = 0; n < ARRAY_SIZE(back); n++) {
        back[n] = (struct gpu_extent){.pa = GIB(30) + n * KIB(128), .len = KIB(64)};
    }
    for (uint32_t i = 0; i < 1500; i++) {
        const struct job j = job_random(&w);
        const struct gpu_bind bind = {.ops = j.ops, .op_count = j.count};
        struct gpu_object *o = r->object[prng_below(RIG_OBJECTS)];

        must_be(gpu_vm_bind_sync(r->vm, &bind, &r->s.fail), FL_OK, &r->s.fail);
        const uint32_t what = prng_below(8);
        if (what == 0) {
            must_be(gpu_object_evict(o, &r->s.fail), FL_OK, &r->s.fail);
        } else if (what == 1) {
            const bool first = prng_below(2) == 0;
            must_be(gpu_object_restore(o, first ? elsewhere : back,
                                       first ? 2 : (uint32_t)ARRAY_SIZE(back), &r->s.fail),
                    FL_OK, &r->s.fail);
        }
        if (i % 25 == 0) {
            rig_assert_agree(r);
        }
    }
    rig_assert_agree(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(out_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(moved, setup, teardown),
        cmocka_unit_test_setup_teardown(jobs_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(in_every_vm, setup, teardown),
        cmocka_unit_test_setup_teardown(no_memory_on_the_way_back, setup, teardown),
        cmocka_unit_test_setup_teardown(the_gpu_fails_on_either_way, setup, teardown),
        cmocka_unit_test_setup_teardown(behind_a_job_that_runs, setup, teardown),
        cmocka_unit_test_setup_teardown(cut_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(a_vm_goes_after_its_guests, setup, teardown),
        cmocka_unit_test_setup_teardown(at_random, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
