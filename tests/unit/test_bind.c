/* SPDX-License-Identifier: MIT */
/* Bind jobs: what is refused, what is prepared, what is there afterwards. */
#include "tests/unit/vm_rig.h"

#include "mm/gpu/jobs_priv.h"

static const struct gpu_mmu_format *const formats[] = {&gpu_mmu_v2_turing, &gpu_mmu_v2, &gpu_mmu_v3,
                                                       &gpu_mmu_v3_blackwell};
static struct rig r;

static int setup(void **state)
{
    (void)state;
    rig_open(&r, &gpu_mmu_v2, false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rig_close(&r);
    return 0;
}

/* ---- refused ---- */

static void refused(struct gpu_bind_op op, enum fl_err err, const char *why)
{
    const uint64_t live = heap_live();
    const uint32_t pages = r.s.live;

    assert_int_equal(rig_bind_sync(&r, op), err);
    assert_non_null(strstr(r.s.fail.text, why));
    fl_fail_clear(&r.s.fail);
    assert_int_equal(heap_live(), live);
    assert_int_equal(r.s.live, pages);
    assert_int_equal(r.vm->stats.submitted, 0);
}

static void senseless_operations(void **state)
{
    const uint64_t end = UINT64_C(1) << 49;
    struct gpu_bind_op op;

    (void)state;
    refused(rig_unmap(0, 0), FL_EINVAL, "pages of 4 KiB");
    refused(rig_unmap(1, KIB(4)), FL_EINVAL, "pages of 4 KiB");
    refused(rig_unmap(0, KIB(4) + 1), FL_EINVAL, "pages of 4 KiB");
    refused(rig_unmap(end, KIB(4)), FL_EINVAL, "outside");
    refused(rig_unmap(end - KIB(4), KIB(8)), FL_EINVAL, "outside");
    refused(rig_unmap(KIB(4), UINT64_MAX - KIB(4) + 1), FL_EINVAL, "outside");
    refused(rig_map(&r, 0, KIB(4), 0, 1), FL_EINVAL, "the offset");
    refused(rig_map(&r, 0, KIB(4), 0, MIB(64)), FL_EINVAL, "beyond the object");
    refused(rig_map(&r, 0, KIB(8), 0, MIB(64) - KIB(4)), FL_EINVAL, "beyond the object");
    refused(rig_map(&r, 0, KIB(4), 0, UINT64_MAX - KIB(4) + 1), FL_EINVAL, "beyond the object");
    op = rig_map(&r, 0, KIB(4), 0, 0);
    op.kind = (enum gpu_bind_kind)2;
    refused(op, FL_EINVAL, "is none");
    op.kind = GPU_BIND_UNMAP;
    refused(op, FL_EINVAL, "takes no object");
    op = rig_map(&r, 0, KIB(4), 0, 0);
    op.want.how.largest = GPU_PAGE_COUNT;
    refused(op, FL_EINVAL, "page size");
    op = rig_map(&r, 0, KIB(4), 0, 0);
    op.want.how.attrs.aperture = GPU_PEER;
    refused(op, FL_EINVAL, "are the object's");
    op.want.how.attrs.aperture = GPU_VIDMEM;
    op.want.how.attrs.peer = 1;
    refused(op, FL_EINVAL, "are the object's");
    op = rig_map(&r, 0, KIB(4), 0, 0);
    op.want.how.attrs.kind = GPU_KIND_INVALID;
    refused(op, FL_EINVAL, "");
    op = rig_sparse(0, KIB(4));
    op.want.offset = KIB(4);
    refused(op, FL_EINVAL, "no offset");
}

static void senseless_jobs(void **state)
{
    const struct gpu_bind_op ops[2] = {rig_map(&r, 0, KIB(4), 0, 0), rig_unmap(1, 1)};
    struct fence *in[1] = {NULL};
    struct gpu_bind bind = {.ops = ops, .op_count = 0};

    (void)state;
    assert_int_equal(gpu_vm_bind(r.vm, &bind, NULL, NULL), FL_EINVAL);
    bind.op_count = GPU_BIND_OPS_MAX + 1;
    assert_int_equal(gpu_vm_bind(r.vm, &bind, NULL, NULL), FL_EINVAL);
    bind.op_count = 2; /* the second one is wrong */
    assert_int_equal(gpu_vm_bind(r.vm, &bind, NULL, NULL), FL_EINVAL);
    bind.op_count = 1;
    bind.in_count = GPU_BIND_IN_MAX + 1;
    assert_int_equal(gpu_vm_bind(r.vm, &bind, NULL, NULL), FL_EINVAL);
    bind.in = in;
    bind.in_count = 1;
    assert_int_equal(gpu_vm_bind(r.vm, &bind, NULL, NULL), FL_EINVAL);
    assert_int_equal(r.vm->stats.submitted, 0);
}

/* Memory that the format cannot name, somewhere in the middle of an object. */
static void memory_that_cannot_be_mapped(void **state)
{
    const struct gpu_extent e[3] = {
        {.pa = 0, .len = KIB(4)},
        {.pa = SPACE_VRAM - KIB(4), .len = KIB(8)},
        {.pa = UINT64_C(1) << 60, .len = KIB(4), .aperture = GPU_SYSMEM_COHERENT}};
    struct gpu_object *o = NULL;

    (void)state;
    assert_int_equal(gpu_object_create("bad", e, 3, &o, NULL), FL_OK);
    struct gpu_bind_op op = {.kind = GPU_BIND_MAP, .want = {.len = KIB(4), .object = o}};
    rig_do(&r, op);
    rig_do(&r, rig_unmap(0, KIB(4)));
    r.vm->stats.submitted = 0;
    op.want.len = KIB(12);
    refused(op, FL_EINVAL, "");
    op.want.len = KIB(4);
    op.want.offset = KIB(12);
    refused(op, FL_EINVAL, "");
    assert_int_equal(gpu_object_free(o, NULL), FL_OK);
}

static void limits_of_a_vm(void **state)
{
    struct gpu_vm *vm = NULL;
    struct gpu_vm_options o = {.name = "part", .va = {MIB(1), UINT64_C(1) << 49}};

    (void)state;
    assert_int_equal(gpu_vm_create(&r.s.mem, r.s.t, &o, &vm, NULL), FL_EINVAL);
    o.va = (struct range){1, MIB(1)};
    assert_int_equal(gpu_vm_create(&r.s.mem, r.s.t, &o, &vm, NULL), FL_EINVAL);
    o.va = (struct range){MIB(1), MIB(1)};
    (void)host_fail_alloc_at(1);
    assert_int_equal(gpu_vm_create(&r.s.mem, r.s.t, &o, &vm, NULL), FL_ENOMEM);
    o.worker = true;
    assert_int_equal(gpu_vm_create(&r.s.mem, r.s.t, &o, &vm, NULL), FL_OK);
    struct gpu_bind_op op = rig_map(&r, MIB(1) - KIB(4), KIB(8), 0, 0);
    const struct gpu_bind bind = {.ops = &op, .op_count = 1};
    const uint64_t live = heap_live();
    (void)host_fail_alloc_at(1); /* the fiber that would run it */
    assert_int_equal(gpu_vm_bind(vm, &bind, NULL, &r.s.fail), FL_ENOMEM);
    assert_non_null(strstr(r.s.fail.text, "no memory for a fiber"));
    fl_fail_clear(&r.s.fail);
    assert_int_equal(heap_live(), live);
    assert_int_equal(gpu_vm_bind_sync(vm, &bind, NULL), FL_EINVAL);
    op.want.va = MIB(2) - KIB(4);
    assert_int_equal(gpu_vm_bind_sync(vm, &bind, NULL), FL_EINVAL);
    op.want.va = MIB(2) - KIB(8);
    assert_int_equal(gpu_vm_bind_sync(vm, &bind, NULL), FL_OK);
    gpu_vm_destroy(vm);
    gpu_vm_destroy(NULL);
}

/* What lies in an adopted root is not ours. */
static void what_others_mapped(void **state)
{
    const struct gpu_vm_options o = {.name = "adopted"};
    struct gpu_tables *t = NULL;
    struct gpu_vm *vm = NULL;
    struct gpu_bind_op op = rig_unmap(MIB(2), MIB(4));
    const struct gpu_bind bind = {.ops = &op, .op_count = 1};

    (void)state;
    rig_do(&r, rig_map(&r, MIB(2), MIB(2), 0, 0));
    rig_do(&r, rig_map(&r, MIB(4), KIB(4), 2, 0));
    must_be(gpu_tables_create(&r.s.mem, &gpu_mmu_v2, &r.s.source, gpu_tables_root(r.s.t), false, &t,
                              &r.s.fail),
            FL_OK, &r.s.fail);
    struct gpu_tables *const ours = r.s.t;
    r.s.t = t; /* whose root is told to be invalidated; it is the same */
    must_be(gpu_vm_create(&r.s.mem, t, &o, &vm, &r.s.fail), FL_OK, &r.s.fail);
    assert_int_equal(gpu_vm_bind_sync(vm, &bind, NULL), FL_EBUSY);
    op.want.va = MIB(4);
    op.want.len = KIB(4);
    assert_int_equal(gpu_vm_bind_sync(vm, &bind, NULL), FL_EBUSY);
    op = rig_map(&r, MIB(4) + KIB(4), KIB(4), 4, 0);
    must_be(gpu_vm_bind_sync(vm, &bind, &r.s.fail), FL_OK, &r.s.fail);
    assert_true(gpu_vm_check(vm));
    assert_int_equal(rig_pa(&r, MIB(4) + KIB(4)), GIB(11) + KIB(12));
    gpu_vm_destroy(vm);
    gpu_tables_destroy(t);
    r.s.t = ours;
    assert_int_equal(rig_pa(&r, MIB(2)), GIB(8));
}

/* ---- prepared ---- */

static void the_worst_case_and_no_more(void **state)
{
    static const struct {
        uint64_t va, len;
    } places[] = {
        {0, KIB(4)},
        {MIB(2) - KIB(4), KIB(8)},
        {MIB(512) - KIB(4), KIB(8)},
        {GIB(256) - KIB(4), KIB(8)},
        {(UINT64_C(1) << 47) - KIB(4), KIB(8)},
        {MIB(2), MIB(32)},
        {MIB(1), MIB(32)},
    };

    (void)state;
    rig_close(&r);
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        rig_open(&r, formats[f], false);
        for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
            const struct gpu_table_need need =
                gpu_tables_worst(formats[f], places[i].va, places[i].len);
            const struct gpu_bind_op ops[2] = {
                rig_map(&r, places[i].va, places[i].len, 2, 0), /* 4K pages: all of it is used */
                rig_unmap(places[i].va, places[i].len)};
            const struct gpu_bind bind = {.ops = ops, .op_count = 2};
            must_be(gpu_vm_bind(r.vm, &bind, NULL, &r.s.fail), FL_OK, &r.s.fail);
            const struct gpu_job *job = r.vm->last;
            assert_int_equal(job->pool.directories.count, 2 * need.directories);
            assert_int_equal(job->pool.small.count, 2 * (need.tables - need.directories));
            assert_int_equal(job->pool.big.count, 2 * need.big);
            assert_int_equal(gpu_vm_run(r.vm), 1);
            assert_int_equal(r.s.live, r.root_pages);
            rig_do(&r, ops[0]);
            struct gpu_table_stats st;
            gpu_tables_get_stats(r.s.t, &st);
            assert_int_equal(st.tables - 1, need.tables); /* the worst case is real */
            rig_do(&r, ops[1]);
        }
        rig_close(&r);
    }
    rig_open(&r, &gpu_mmu_v2, false);
}

static uint32_t spare_nodes(const struct job_op *op)
{
    uint32_t n = 0;
    for (const struct gpu_mapping *m = op->spare; m != NULL; m = m->next) {
        n++;
    }
    return n;
}

static void mappings_in_advance(void **state)
{
    (void)state;
    rig_do(&r, rig_map(&r, 0, KIB(64), 2, 0));
    fence_put(rig_queue(&r, rig_map(&r, KIB(16), KIB(16), 0, 0), NULL));
    assert_int_equal(spare_nodes(&r.vm->first->op[0]), 3);
    assert_int_equal(gpu_vm_run(r.vm), 1);
    assert_int_equal(r.vm->stats.remaps, 1);
    assert_int_equal(gpu_maps_count(&r.vm->maps), 3); /* all three were used */
    fence_put(rig_queue(&r, rig_unmap(KIB(20), KIB(4)), NULL));
    assert_int_equal(spare_nodes(&r.vm->first->op[0]), 2);
    assert_int_equal(gpu_vm_run(r.vm), 1);
    assert_int_equal(gpu_maps_count(&r.vm->maps), 4);
}

/* ---- there afterwards ---- */

static void a_life_of_one_mapping(void **state)
{
    struct gpu_mapped at = {0};
    struct gpu_vm_stats st;

    (void)state;
    rig_close(&r);
    for (size_t f = 0; f < ARRAY_SIZE(formats); f++) {
        rig_open(&r, formats[f], false);
        assert_false(gpu_vm_find(r.vm, MIB(4), &at));
        rig_do(&r, rig_map(&r, MIB(4), MIB(4), 0, MIB(2)));
        assert_int_equal(rig_pa(&r, MIB(4) + 5), GIB(8) + MIB(2) + 5);
        assert_true(gpu_vm_find(r.vm, MIB(8) - 1, &at));
        assert_true(at.va == MIB(4) && at.len == MIB(4) && at.object == r.object[0] &&
                    at.offset == MIB(2) && at.valid);
        struct fl_fail fail = {0};
        assert_int_equal(gpu_object_free(r.object[0], &fail), FL_EBUSY);
        assert_int_equal(r.object[0]->uses, 1);
        rig_do(&r, rig_unmap(MIB(5), KIB(4)));
        assert_int_equal(r.object[0]->uses, 2);
        assert_int_equal(rig_pa(&r, MIB(5)), 0);
        assert_int_equal(rig_pa(&r, MIB(5) + KIB(4)), GIB(8) + MIB(3) + KIB(4));
        rig_do(&r, rig_sparse(MIB(5), KIB(4)));
        assert_int_equal(rig_pa(&r, MIB(5)), 1);
        assert_true(gpu_vm_find(r.vm, MIB(5), &at) && at.object == NULL && at.valid);
        assert_true(gpu_vm_find_from(r.vm, 0, &at) && at.va == MIB(4));
        assert_true(gpu_vm_find_from(r.vm, at.va + at.len, &at) && at.va == MIB(5));
        assert_false(gpu_vm_find_from(r.vm, MIB(8), &at));
        rig_assert_agree(&r);
        rig_do(&r, rig_unmap(0, MIB(64)));
        assert_int_equal(r.object[0]->uses, 0);
        gpu_vm_get_stats(r.vm, &st);
        assert_true(st.maps == 2 && st.remaps == 1 && st.unmaps == 3 && st.done == 4 &&
                    st.mappings == 0 && st.waiting == 0 && st.failed == 0);
        rig_assert_empty(&r);
        rig_close(&r);
    }
    rig_open(&r, &gpu_mmu_v2, false);
}

static void operations_of_a_job_follow_each_other(void **state)
{
    const struct gpu_bind_op ops[4] = {rig_map(&r, 0, KIB(64), 1, 0), rig_unmap(KIB(4), KIB(4)),
                                       rig_map(&r, KIB(4), KIB(4), 2, KIB(8)),
                                       rig_unmap(KIB(32), KIB(32))};
    const struct gpu_bind bind = {.ops = ops, .op_count = 4};

    (void)state;
    const uint32_t invalidates = r.s.invalidates;
    must_be(gpu_vm_bind_sync(r.vm, &bind, &r.s.fail), FL_OK, &r.s.fail);
    assert_int_equal(r.s.invalidates, invalidates + 1); /* one for all */
    assert_int_equal(rig_pa(&r, 0), GIB(9));
    assert_int_equal(rig_pa(&r, KIB(4)), GIB(10) + KIB(16));
    assert_int_equal(rig_pa(&r, KIB(8)), GIB(9) + KIB(8));
    assert_int_equal(rig_pa(&r, KIB(32)), 0);
    rig_assert_agree(&r);
}

/* The second half is there already: its entries are not written again, unless anything differs. */
static void entries_that_stay(void **state)
{
    struct gpu_vm_stats st;
    struct gpu_bind_op op = rig_map(&r, 0, MIB(4), 2, 0);

    (void)state;
    rig_do(&r, rig_map(&r, MIB(2), MIB(2), 2, MIB(2)));
    const uint32_t writes = r.s.writes;
    rig_do(&r, op);
    const uint32_t half = r.s.writes - writes;
    gpu_vm_get_stats(r.vm, &st);
    assert_int_equal(st.kept, 1);
    op.want.how.attrs.read_only = true;
    rig_do(&r, op);
    assert_true(r.s.writes - writes - half > half / 2);
    gpu_vm_get_stats(r.vm, &st);
    assert_int_equal(st.kept, 1);
    rig_assert_agree(&r);
}

/* A large page is not left across the border of two mappings. */
static void no_page_in_two_mappings(void **state)
{
    struct gpu_vm_stats st;

    (void)state;
    rig_do(&r, rig_map(&r, 0, MIB(4), 0, 0));
    rig_do(&r, rig_map(&r, MIB(1), MIB(4), 0, MIB(1))); /* lines up, cuts a page of 2M */
    gpu_vm_get_stats(r.vm, &st);
    assert_int_equal(st.kept, 0);
    rig_do(&r, rig_map(&r, MIB(2), MIB(8), 0, MIB(2))); /* lines up, cuts none */
    gpu_vm_get_stats(r.vm, &st);
    assert_int_equal(st.kept, 1);
    rig_assert_agree(&r);
    assert_int_equal(gpu_object_evict(r.object[0], NULL), FL_OK); /* splits nothing */
    rig_assert_agree(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(senseless_operations, setup, teardown),
        cmocka_unit_test_setup_teardown(senseless_jobs, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_that_cannot_be_mapped, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_of_a_vm, setup, teardown),
        cmocka_unit_test_setup_teardown(what_others_mapped, setup, teardown),
        cmocka_unit_test_setup_teardown(the_worst_case_and_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(mappings_in_advance, setup, teardown),
        cmocka_unit_test_setup_teardown(a_life_of_one_mapping, setup, teardown),
        cmocka_unit_test_setup_teardown(operations_of_a_job_follow_each_other, setup, teardown),
        cmocka_unit_test_setup_teardown(entries_that_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(no_page_in_two_mappings, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
