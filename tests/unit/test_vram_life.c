/* SPDX-License-Identifier: MIT */
/*
 * The memory of GPUs that are reset while it is worked with, and of two GPUs at once: every job and
 * call ends with a named error, nothing is left over, and all works after the next boot.
 */
#include "tests/unit/rig_assert.h"

#include "arch/host/host.h"
#include "arch/lockorder.h"
#include "arch/log.h"
#include "gsp/vram/vram_priv.h"
#include "mm/heap.h"

#define JOBS 40u

static struct fl_fail fail;

static void ok(enum fl_err err, const char *what)
{
    if (err != FL_OK) {
        fail_msg("%s: %s: %s", what, fl_err_name(err), fail.text);
    }
}
#define OK(call) (fl_fail_clear(&fail), ok((call), #call))

static void close_all(void)
{
    assert_int_equal(lockorder_inversions(), 0);
    assert_true(rig_close(&rig));
    assert_int_equal(heap_live(), 0);
}

static uint32_t alloc(struct gsp_vram_client *c, uint64_t bytes)
{
    uint32_t handle = 0;
    OK(gsp_vram_alloc(c, &(struct gsp_vram_request){.bytes = bytes}, &handle, &fail));
    return handle;
}

/* ---- a reset in the middle of a queue ---- */

static struct fence *fences[JOBS];

/* Jobs that wait for a fence of ours: nothing of them has run when the reset comes. */
static void submit_jobs(struct gsp_vram_client *c, uint32_t object, struct fence *gate)
{
    const struct vram_space *s = c->spaces;
    struct fl_fail why = {0};
    const struct vram_object *o = vram_object_find(c, object, &why);

    for (uint32_t i = 0; i < JOBS; i++) {
        const struct gpu_bind_op op = {
            .kind = GPU_BIND_MAP,
            .want = {.va = MIB(64) + i * MIB(2), .len = MIB(1), .object = o->gpu}};
        const struct gpu_bind bind = {.ops = &op, .op_count = 1, .in = &gate, .in_count = 1};
        OK(gpu_vm_bind(s->vm, &bind, &fences[i], &fail));
    }
}

static void reset_within(void *arg)
{
    const enum gsp_reset_kind kind = *(const enum gsp_reset_kind *)arg;
    struct gsp_vram_client *c = gsp_vram_open(rig.gpu, &fail);
    struct fence_context timeline;
    struct fence gate;
    struct fence *gate_ptr = &gate;
    uint32_t vm;
    unsigned failed = 0;

    assert_non_null(c);
    const uint32_t object = alloc(c, MIB(1));
    OK(gsp_vm_create(c, GSP_VM_ENGINES, 0, &vm, &fail));
    fence_context_init(&timeline, "gate");
    fence_init(&gate, &timeline, NULL);
    submit_jobs(c, object, gate_ptr);
    OK(gsp_order(rig.gpu, GSP_ORDER_RESET, kind, deadline_in_us(US_PER_S * 60), &fail));
    OK(fence_signal(&gate, FL_OK));
    (void)gpu_vm_run(c->spaces->vm);
    for (uint32_t i = 0; i < JOBS; i++) { /* all of them have ended, none well */
        assert_true(fence_signalled(fences[i]));
        failed += fence_error(fences[i]) == FL_ECANCELED;
        fence_put(fences[i]);
    }
    assert_int_equal(failed, JOBS);
    fence_put(&gate);
    gsp_vram_close(c);
    assert_int_equal(heap_live(), 0);
    OK(gsp_order(rig.gpu, GSP_ORDER_BOOT, GSP_RESET_AUTO, deadline_in_us(US_PER_S * 600), &fail));
    c = gsp_vram_open(rig.gpu, &fail);
    assert_non_null(c);
    OK(gsp_vm_create(c, GSP_VM_ENGINES, 0, &vm, &fail));
    struct gsp_vm_map m = {.object = alloc(c, MIB(1)), .len = MIB(1), .va = GSP_VM_ANYWHERE};
    OK(gsp_vm_map(c, vm, &m, NULL, &fail));
    gsp_vram_close(c);
}

static volatile bool stop;
static void run_gpu(void *arg) { gsp_run(arg, &stop); }
static bool ready(void *arg) { return rig_snapshot(arg).state == GSP_READY; }

static void test_reset_in_a_queue(void **state)
{
    static const char *const chips[] = {"ga102", "gb202"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(chips); i++) {
        enum gsp_reset_kind kind = GSP_RESET_FUNCTION;
        stop = false;
        rig_open(&rig, &(struct rig_options){.chip = chips[i], .strict = MODEL_STRICT});
        assert_non_null(fiber_spawn("gpu", run_gpu, rig.gpu, KIB(128)));
        fiber_run(ready, &rig);
        rig_run(reset_within, &kind);
        stop = true;
        close_all();
    }
}

/* ---- a reset while a fiber copies ---- */

static enum fl_err copied;
static bool copying;
static void copy_long(void *arg)
{
    static uint8_t bytes[MIB(1)];
    struct gsp_vram_client *c = arg;
    struct fl_fail why = {0};
    const uint32_t object = alloc(c, MIB(1));

    copying = true;
    do {
        copied = gsp_vram_write(c, object, 0, bytes, sizeof(bytes), GSP_VRAM_BAR1, &why);
    } while (copied == FL_OK);
    copying = false;
}
static bool is_copying(void *arg)
{
    (void)arg;
    return copying;
}
static bool is_done(void *arg)
{
    (void)arg;
    return !copying;
}
static void reset_now(void *arg)
{
    (void)arg;
    OK(gsp_order(rig.gpu, GSP_ORDER_RESET, GSP_RESET_FUNCTION, deadline_in_us(US_PER_S * 60),
                 &fail));
}
static struct gsp_vram_client *opened;
static void open_client(void *arg)
{
    (void)arg;
    opened = gsp_vram_open(rig.gpu, &fail);
    assert_non_null(opened);
}
static void close_client(void *arg) { gsp_vram_close(arg); }

static void test_reset_while_copying(void **state)
{
    (void)state;
    stop = false;
    rig_open(&rig, &(struct rig_options){.strict = MODEL_STRICT});
    assert_non_null(fiber_spawn("gpu", run_gpu, rig.gpu, KIB(128)));
    fiber_run(ready, &rig);
    rig_run(open_client, NULL);
    assert_non_null(fiber_spawn("copy", copy_long, opened, KIB(128)));
    fiber_run(is_copying, NULL);
    rig_run(reset_now, NULL);
    fiber_run(is_done, NULL);
    assert_int_equal(copied, FL_ECANCELED);
    rig_run(close_client, opened);
    stop = true;
    close_all();
}

/* ---- a TLB that never ends ---- */

static void hangs(void *arg)
{
    struct gsp_vram_client *c = gsp_vram_open(rig.gpu, &fail);
    uint32_t vm;

    (void)arg;
    assert_non_null(c);
    struct gsp_vm_map m = {.object = alloc(c, MIB(1)), .len = MIB(1), .va = GSP_VM_ANYWHERE};
    OK(gsp_vm_create(c, GSP_VM_ENGINES, 0, &vm, &fail));
    fl_fail_clear(&fail);
    assert_int_equal(gsp_vm_map(c, vm, &m, NULL, &fail), FL_ETIMEDOUT);
    if (strstr(fail.text, "MMU_INVALIDATE") == NULL || strstr(fail.hint, "reset") == NULL) {
        fail_msg("%s [%s]", fail.text, fail.hint);
    }
    gsp_vram_close(c);
}

static void test_invalidate_hangs(void **state)
{
    static const char *const faults[] = {"busy=invalidate", NULL};
    (void)state;
    rig_open(&rig, &(struct rig_options){.faults = faults});
    assert_int_equal(rig_boot(&rig), FL_OK);
    rig_run(hangs, NULL);
    close_all();
}

/* ---- an address space that RM does not take ---- */

static enum fl_err created;
static void create_one(void *arg)
{
    struct gsp_vram_client *c = gsp_vram_open(rig.gpu, &fail);
    uint32_t vm;

    (void)arg;
    assert_non_null(c);
    fl_fail_clear(&fail);
    created = gsp_vm_create(c, GSP_VM_ENGINES, 0, &vm, &fail);
    assert_int_equal(c->space_count, created == FL_OK);
    gsp_vram_close(c);
}

/* The reply to GSP_RM_ALLOC of FERMI_VASPACE_A does not come: that is said, and nothing of a space
 * that is left in RM, for there is none that we know of. */
static void test_create_fails(void **state)
{
    char spec[60];
    const char *const faults[] = {spec, NULL};
    uint64_t at = 0;
    unsigned n = 1;

    (void)state;
    for (created = FL_OK; created == FL_OK; n++) { /* those before it belong to the boot */
        assert_true(n < 20);
        snprintf(spec, sizeof(spec), "message:function=103:n=%u:drop", n);
        rig_open(&rig, &(struct rig_options){.faults = faults});
        log_set_level(LOG_WARN);
        for (struct log_entry old; log_read(&at, &old, NULL);) {
        }
        if (rig_boot(&rig) == FL_OK) {
            rig_run(create_one, NULL);
        }
        for (struct log_entry e; log_read(&at, &e, NULL);) {
            assert_null(strstr(e.text, "left in RM"));
        }
        close_all();
    }
    assert_int_equal(created, FL_ETIMEDOUT);
}

/* ---- a client that goes while another one sends its object away ---- */

static struct gsp_vram_client *leaves, *stays;
static bool evicted;

static uint64_t free_bytes(void)
{
    struct gsp_vram_stats s;
    gsp_vram_get_stats(rig.gpu, &s);
    return s.free_bytes;
}

static void make_room(void *arg)
{
    (void)arg;
    (void)alloc(stays, MIB(1));
    evicted = true;
}

static void goes_meanwhile(void *arg)
{
    (void)arg;
    leaves = gsp_vram_open(rig.gpu, &fail);
    stays = gsp_vram_open(rig.gpu, &fail);
    const uint64_t before = free_bytes();
    uint32_t rest;

    (void)alloc(leaves, MIB(2));
    OK(gsp_vram_alloc(stays, &(struct gsp_vram_request){.bytes = free_bytes(), .pinned = true},
                      &rest, &fail));
    evicted = false;
    assert_non_null(fiber_spawn("room", make_room, NULL, KIB(128)));
    while (leaves->v->evict_lock.owner == NULL) {
        fiber_yield();
    }
    assert_false(evicted);
    gsp_vram_close(leaves);
    while (!evicted) {
        fiber_sleep_us(100);
    }
    OK(gsp_vram_free(stays, rest, &fail));
    assert_int_equal(free_bytes(), before - MIB(1)); /* nothing of the other one is left */
    gsp_vram_close(stays);
}

static void test_goes_while_evicted(void **state)
{
    (void)state;
    rig_open(&rig, &(struct rig_options){.strict = MODEL_STRICT});
    assert_int_equal(rig_boot(&rig), FL_OK);
    rig_run(goes_meanwhile, NULL);
    close_all();
}

/* ---- no memory for a queued change ---- */

/* Every allocation of it fails once: an error then, and nothing is left over. */
static void no_memory(void *arg)
{
    struct gsp_vram_client *c = gsp_vram_open(rig.gpu, &fail);
    uint32_t vm, fence;
    unsigned n = 0;
    enum fl_err err;

    (void)arg;
    assert_non_null(c);
    const uint32_t o = alloc(c, MIB(1));
    OK(gsp_vm_create(c, GSP_VM_ENGINES, 0, &vm, &fail));
    OK(gsp_vm_fence_create(c, &fence, &fail));
    struct gsp_vm_when when = {.queued = true, .after = &fence, .after_count = 1};
    const uint64_t live = heap_live();
    const uint64_t bytes = free_bytes();
    struct gsp_vm_map m;
    do {
        m = (struct gsp_vm_map){.object = o, .len = MIB(1), .va = GSP_VM_ANYWHERE};
        (void)host_fail_alloc_at(++n);
        fl_fail_clear(&fail);
        err = gsp_vm_map(c, vm, &m, &when, &fail);
        if (err != FL_OK) {
            assert_int_equal(err, FL_ENOMEM);
            assert_int_equal(heap_live(), live);
            assert_int_equal(free_bytes(), bytes);
            fiber_yield(); /* a worker without work ends */
        }
    } while (err != FL_OK);
    (void)host_fail_alloc_at(0);
    assert_true(n > 5);
    OK(gsp_vm_fence_signal(c, fence, &fail));
    OK(gsp_vm_fence_wait(c, when.job, US_PER_S, &fail));
    struct gpu_walk w;
    OK(gsp_vm_walk(c, vm, m.va, &w, NULL, &fail));
    assert_int_equal(w.end, GPU_WALK_MAPPED);
    gsp_vram_close(c);
}

static void test_no_memory(void **state)
{
    (void)state;
    rig_open(&rig, &(struct rig_options){.strict = MODEL_STRICT});
    assert_int_equal(rig_boot(&rig), FL_OK);
    rig_run(no_memory, NULL);
    close_all();
}

/* ---- two GPUs at once ---- */

static struct rig other;

struct worker {
    struct rig *rig;
    uint8_t seed;
    bool done;
};

static void work(void *arg)
{
    static uint8_t in[2][MIB(1) / 4], out[2][MIB(1) / 4];
    struct worker *w = arg;
    struct fl_fail why = {0};
    struct gsp_vram_client *c = gsp_vram_open(w->rig->gpu, &why);
    uint32_t object, vm;

    assert_non_null(c);
    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(
            gsp_vram_alloc(c, &(struct gsp_vram_request){.bytes = MIB(3)}, &object, &why), FL_OK);
        assert_int_equal(gsp_vm_create(c, GSP_VM_ENGINES, 0, &vm, &why), FL_OK);
        struct gsp_vm_map m = {
            .object = object, .len = MIB(3), .va = GSP_VM_ANYWHERE, .largest = GPU_PAGE_64K};
        assert_int_equal(gsp_vm_map(c, vm, &m, NULL, &why), FL_OK);
        memset(out[w->seed], (int)(w->seed + round * 16), sizeof(out[0]));
        assert_int_equal(
            gsp_vm_write(c, vm, m.va + MIB(2) - 99, out[w->seed], sizeof(out[0]), &why), FL_OK);
        fiber_yield();
        assert_int_equal(
            gsp_vram_read(c, object, MIB(2) - 99, in[w->seed], sizeof(in[0]), GSP_VRAM_BAR1, &why),
            FL_OK);
        assert_memory_equal(in[w->seed], out[w->seed], sizeof(in[0]));
        assert_int_equal(gsp_vm_destroy(c, vm, &why), FL_OK);
        assert_int_equal(gsp_vram_free(c, object, &why), FL_OK);
    }
    gsp_vram_close(c);
    w->done = true;
}
static bool both_done(void *arg)
{
    const struct worker *w = arg;
    return w[0].done && w[1].done;
}

static void test_two_gpus(void **state)
{
    struct worker w[2] = {{&rig, 0, false}, {&other, 1, false}};
    (void)state;
    rig_open(&rig, &(struct rig_options){.chip = "ga102", .strict = MODEL_STRICT});
    rig_open(&other,
             &(struct rig_options){.chip = "gb202", .strict = MODEL_STRICT, .beside = true});
    assert_int_equal(rig_boot(&rig), FL_OK);
    assert_int_equal(rig_boot(&other), FL_OK);
    assert_non_null(fiber_spawn("one", work, &w[0], KIB(128)));
    assert_non_null(fiber_spawn("two", work, &w[1], KIB(128)));
    fiber_run(both_done, w);
    assert_true(w[0].done && w[1].done);
    assert_true(rig_close(&other));
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reset_in_a_queue),   cmocka_unit_test(test_reset_while_copying),
        cmocka_unit_test(test_invalidate_hangs),   cmocka_unit_test(test_create_fails),
        cmocka_unit_test(test_goes_while_evicted), cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_two_gpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
