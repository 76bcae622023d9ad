/* SPDX-License-Identifier: MIT */
/*
 * RM clients of others: their objects are theirs and go with them, whatever happened to the GPU in
 * between; refusals; a GSP that hangs, or answers late, with several fibers calling.
 */
#include "tests/unit/rig_assert.h"

#include <stdlib.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "arch/lockorder.h"
#include "gsp/gpu.h"

#define CMD_GSP_GET_FEATURES 0x20803601u
#define CMD_CLIENT_UNKNOWN   0x00000999u /* of a client: there is none */
#define NV01_DEVICE_0        0x80u
#define NV20_SUBDEVICE_0     0x2080u
#define NO_CLASS             0x4711u
#define OWN_OBJECTS          3u /* that the appliance leaves at an unload, by design */

/* NV_STATUS (OGKM nvstatuscodes.h) */
enum { OK = 0, DUPLICATE = 0x19, NOT_SUPPORTED = 0x56, NOT_FOUND = 0x57 };

static struct fl_fail fail;

static void on_a_gpu(const char *const *faults, void (*body)(void *arg))
{
    open_strict(faults);
    boots();
    fl_fail_clear(&fail);
    rig_run(body, NULL);
    assert_int_equal(lockorder_inversions(), 0);
    no_violation();
    assert_true(rig_close(&rig));
}

static struct gsp_rm_session *opened(void)
{
    struct gsp_rm_session *s = gsp_rm_open(rig.gpu, US_PER_S, &fail);
    if (s == NULL) {
        fail_msg("%s", fail.text);
    }
    return s;
}
static uint32_t made(struct gsp_rm_session *s, uint32_t parent, uint32_t object, uint32_t cls)
{
    struct gsp_rm_call c = {
        .parent = parent, .object = object, .cls_or_cmd = cls, .timeout_us = US_PER_S};
    if (gsp_rm_session_alloc(s, &c, &fail) != FL_OK || c.rm_status != OK) {
        fail_msg("class 0x%x: 0x%x %s", cls, c.rm_status, fail.text);
    }
    return c.object;
}
static enum fl_err features(struct gsp_rm_session *s, uint32_t object, uint64_t timeout_us,
                            uint32_t *status)
{
    uint8_t p[72] = {0};
    struct gsp_rm_call c = {.object = object,
                            .cls_or_cmd = CMD_GSP_GET_FEATURES,
                            .params = p,
                            .size = sizeof(p),
                            .timeout_us = timeout_us,
                            .rm_status = 0xdead};
    const enum fl_err err = gsp_rm_session_control(s, &c, &fail);
    *status = c.rm_status;
    if (err == FL_OK && c.rm_status == OK) {
        assert_string_equal((const char *)p + 6, "570.144");
    }
    return err;
}
static uint32_t features_status(struct gsp_rm_session *s, uint32_t object)
{
    uint32_t status;
    assert_int_equal(features(s, object, US_PER_S, &status), FL_OK);
    return status;
}

/* ---- what belongs to whom ---- */

static void own_objects_body(void *arg)
{
    uint32_t status = 0xdead;
    (void)arg;
    struct gsp_rm_session *a = opened(), *b = opened();
    assert_int_not_equal(gsp_rm_client(a), gsp_rm_client(b));
    assert_int_not_equal(gsp_rm_client(a), GSP_OBJECT_CLIENT);

    const uint32_t device = made(a, 0, 0, NV01_DEVICE_0);
    const uint32_t sub = made(a, device, 0, NV20_SUBDEVICE_0);
    assert_int_not_equal(device, sub);
    assert_int_equal(made(b, gsp_rm_client(b), 0x1234, NV01_DEVICE_0), 0x1234);
    assert_int_equal(features_status(a, sub), OK);
    assert_int_equal(features_status(b, sub), NOT_FOUND); /* not his */

    /* A handle to another's object; it has a life of its own. */
    struct gsp_rm_call dup = {.parent = 0x1234, .timeout_us = US_PER_S, .rm_status = 0xdead};
    assert_int_equal(gsp_rm_session_dup(b, gsp_rm_client(a), sub, &dup, &fail), FL_OK);
    assert_int_equal(dup.rm_status, OK);
    assert_int_equal(features_status(b, dup.object), OK);
    struct gsp_rm_call again = {.object = dup.object, .timeout_us = US_PER_S};
    assert_int_equal(gsp_rm_session_dup(b, GSP_OBJECT_CLIENT, GSP_OBJECT_DEVICE, &again, &fail),
                     FL_OK);
    assert_int_equal(again.rm_status, DUPLICATE);
    assert_int_equal(again.object, dup.object);
    struct gsp_rm_call other = {.timeout_us = US_PER_S}; /* below the client */
    assert_int_equal(gsp_rm_session_dup(b, GSP_OBJECT_CLIENT, GSP_OBJECT_DEVICE, &other, &fail),
                     FL_OK);
    assert_int_equal(other.rm_status, OK);
    assert_int_not_equal(other.object, dup.object);

    assert_int_equal(gsp_rm_session_free(a, device, US_PER_S, &status, &fail), FL_OK);
    assert_int_equal(status, OK);
    assert_int_equal(features_status(a, sub), NOT_FOUND); /* with what it was below */
    assert_int_equal(gsp_rm_session_free(a, device, US_PER_S, &status, &fail), FL_OK);
    assert_int_equal(status, NOT_FOUND);
    assert_int_equal(features_status(b, dup.object), OK);
    assert_int_equal(fail.err, FL_OK);

    gsp_rm_close(a);
    gsp_rm_close(NULL);
    assert_int_equal(features_status(b, dup.object), OK);
    gsp_rm_close(b);
    assert_null(rig.gpu->sessions);
    assert_int_equal(gsp_unload(rig.gpu), FL_OK);
    assert_int_equal(model().objects_left, OWN_OBJECTS);
}
static void own_objects(void **state)
{
    (void)state;
    on_a_gpu(NULL, own_objects_body);
}

static void refusals_body(void *arg)
{
    uint32_t status = 0xdead;
    (void)arg;
    struct gsp_rm_session *s = opened();
    struct gsp_rm_call c = {.cls_or_cmd = NO_CLASS, .timeout_us = US_PER_S};
    assert_int_equal(gsp_rm_session_alloc(s, &c, &fail), FL_OK);
    assert_int_equal(c.rm_status, NOT_SUPPORTED);
    c = (struct gsp_rm_call){.cls_or_cmd = CMD_CLIENT_UNKNOWN, .timeout_us = US_PER_S};
    assert_int_equal(gsp_rm_session_control(s, &c, &fail), FL_OK); /* object 0: the client */
    assert_int_equal(c.rm_status, NOT_SUPPORTED);
    struct gsp_rpc_record r;
    uint64_t at = rig.gpu->rpc.history.total;
    assert_true(gsp_history_read(rig.gpu, &at, &r));
    assert_int_equal(r.client, gsp_rm_client(s));
    assert_int_equal(r.object, gsp_rm_client(s));
    assert_int_equal(r.rm_status, NOT_SUPPORTED);
    assert_int_equal(fail.err, FL_OK);

    assert_int_equal(gsp_rm_session_free(s, gsp_rm_client(s), US_PER_S, &status, &fail), FL_EINVAL);
    assert_int_equal(gsp_rm_session_free(s, 0, US_PER_S, &status, &fail), FL_EINVAL);
    c = (struct gsp_rm_call){.size = (uint32_t)MIB(1), .timeout_us = US_PER_S};
    assert_int_equal(gsp_rm_session_control(s, &c, &fail), FL_EINVAL);
    assert_int_equal(gsp_rm_session_alloc(s, &c, &fail), FL_EINVAL);
    assert_int_equal(features_status(s, made(s, made(s, 0, 0, NV01_DEVICE_0), 0, NV20_SUBDEVICE_0)),
                     OK);
    gsp_rm_close(s);
}
static void refusals(void **state)
{
    (void)state;
    on_a_gpu(NULL, refusals_body);
}

/* rpc_result of the RPC layer; the checksum stays right, as it is an exclusive or of both halves.
 */
static void rpc_layer_body(void *arg)
{
    uint32_t status = 0xdead;
    (void)arg;
    struct gsp_rm_session *s = opened();
    struct gsp_rm_call c = {.cls_or_cmd = NV01_DEVICE_0, .timeout_us = US_PER_S};
    assert_int_equal(gsp_rm_session_alloc(s, &c, &fail), FL_EIO);
    assert_non_null(strstr(fail.text, "0xff100001 (RPC: unknown function)"));
    fl_fail_clear(&fail);
    assert_int_equal(gsp_rm_session_free(s, 1, US_PER_S, &status, &fail), FL_EIO);
    assert_int_equal(status, 0xdead);
    gsp_rm_close(s);
}
static void rpc_layer(void **state)
{
    /* The fifth: three objects of ours and the client come before. NOT_FOUND 0x57 becomes that. */
    static const char *const faults[] = {"message:n=5:function=103:offset=0x40:xor=0xff100001",
                                         "message:n=5:function=103:offset=0x44:xor=0xff100001",
                                         "message:n=1:function=10:offset=0x40:xor=0xff100056",
                                         "message:n=1:function=10:offset=0x44:xor=0xff100056",
                                         NULL};
    (void)state;
    on_a_gpu(faults, rpc_layer_body);
}

/* A refusal may be told in either place, and gives no parameters back. */
static void either_place_body(void *arg)
{
    uint32_t param = 7;
    (void)arg;
    struct gsp_rm_session *s = opened();
    for (unsigned i = 0; i < 3; i++) {
        struct gsp_rm_call c = {.cls_or_cmd = NO_CLASS,
                                .params = &param,
                                .size = sizeof(param),
                                .timeout_us = US_PER_S};
        assert_int_equal(gsp_rm_session_alloc(s, &c, &fail), FL_OK);
        assert_int_equal(c.rm_status, NOT_SUPPORTED);
        assert_int_equal(param, 7);
    }
    gsp_rm_close(s);
}
static void either_place(void **state)
{
    /* In turn: no rpc_result, no status, other parameters; the word at 0x44 means nothing. */
    static const char *const faults[] = {
        "message:n=5:function=103:offset=0x40:xor=0x56",
        "message:n=5:function=103:offset=0x44:xor=0x56",
        "message:n=6:function=103:offset=0x60:xor=0x56",
        "message:n=6:function=103:offset=0x44:xor=0x56",
        "message:n=7:function=103:offset=0x70:xor=1",
        "message:n=7:function=103:offset=0x44:xor=1",
        NULL,
    };
    (void)state;
    on_a_gpu(faults, either_place_body);
}

static void so_many_body(void *arg)
{
    struct gsp_rm_session *all[GSP_RM_SESSIONS_MAX];
    (void)arg;
    for (unsigned i = 0; i < GSP_RM_SESSIONS_MAX; i++) {
        all[i] = opened();
        for (unsigned k = 0; k < i; k++) {
            assert_int_not_equal(gsp_rm_client(all[i]), gsp_rm_client(all[k]));
        }
    }
    assert_null(gsp_rm_open(rig.gpu, US_PER_S, &fail));
    assert_int_equal(fail.err, FL_ENOSPC);
    const uint32_t was = gsp_rm_client(all[7]);
    gsp_rm_close(all[7]);
    all[7] = opened();
    assert_int_not_equal(gsp_rm_client(all[7]), was); /* never one that somebody had */
    /* After 65536 of them the numbers begin again, but not with those that are in use. */
    gsp_rm_close(all[0]);
    rig.gpu->clients_made = 0x10000;
    all[0] = opened();
    assert_int_equal(gsp_rm_client(all[0]), was - 7);
    gsp_rm_close(all[7]);
    all[7] = opened();
    assert_int_equal(gsp_rm_client(all[7]), was);
    for (unsigned i = 0; i < GSP_RM_SESSIONS_MAX; i++) {
        gsp_rm_close(all[i]);
    }
}
static void so_many(void **state)
{
    (void)state;
    on_a_gpu(NULL, so_many_body);
}

/* ---- the GPU goes ---- */

static void is_over(struct gsp_rm_session *s)
{
    uint32_t status = 0xdead;
    struct gsp_rm_call c = {.cls_or_cmd = NV01_DEVICE_0, .timeout_us = US_PER_S};
    fl_fail_clear(&fail);
    assert_int_equal(features(s, 0, US_PER_S, &status), FL_ESTATE);
    assert_non_null(strstr(fail.text, "the session is over"));
    assert_int_equal(gsp_rm_session_alloc(s, &c, NULL), FL_ESTATE);
    assert_int_equal(gsp_rm_session_dup(s, GSP_OBJECT_CLIENT, GSP_OBJECT_DEVICE, &c, NULL),
                     FL_ESTATE);
    assert_int_equal(gsp_rm_session_free(s, 1, US_PER_S, &status, NULL), FL_ESTATE);
    fl_fail_clear(&fail);
}

static void over_lives_body(void *arg)
{
    (void)arg;
    struct gsp_rm_session *s = opened();
    made(s, 0, 0, NV01_DEVICE_0);
    assert_int_equal(gsp_unload(rig.gpu), FL_OK);
    is_over(s);
    assert_null(gsp_rm_open(rig.gpu, US_PER_S, &fail));
    assert_int_equal(fail.err, FL_ESTATE);
    fl_fail_clear(&fail);
    assert_int_equal(gsp_boot(rig.gpu), FL_OK);
    is_over(s); /* another life */
    struct gsp_rm_session *t = opened();
    const uint64_t calls = rig.gpu->rpc.history.total;
    gsp_rm_close(s);
    assert_int_equal(rig.gpu->rpc.history.total, calls); /* there is nothing to free */
    assert_int_equal(features_status(t, made(t, made(t, 0, 0, NV01_DEVICE_0), 0, NV20_SUBDEVICE_0)),
                     OK);
    gsp_rm_close(t);
    /* Suspended and back: objects are as they were. */
    s = opened();
    const uint32_t sub = made(s, made(s, 0, 0, NV01_DEVICE_0), 0, NV20_SUBDEVICE_0);
    assert_int_equal(gsp_suspend(rig.gpu), FL_OK);
    is_over(s);
    rig_power_cycle(&rig);
    assert_int_equal(gsp_resume(rig.gpu), FL_OK);
    assert_int_equal(features_status(s, sub), OK);
    gsp_rm_close(s);
}
static void over_lives(void **state)
{
    (void)state;
    on_a_gpu(NULL, over_lives_body);
}

static void outlives_the_gpu_body(void *arg)
{
    (void)arg;
    struct gsp_rm_session *s = opened(), *t = opened();
    const uint32_t client = gsp_rm_client(s);
    gsp_rm_close(t);
    gsp_destroy(rig.gpu);
    rig.gpu = NULL;
    is_over(s);
    assert_int_equal(gsp_rm_client(s), client);
    gsp_rm_close(s);
}
static void outlives_the_gpu(void **state)
{
    (void)state;
    on_a_gpu(NULL, outlives_the_gpu_body);
}

/* ---- a GSP that hangs ---- */

static struct caller {
    struct gsp_rm_session *s;
    uint32_t sub, status;
    uint64_t timeout_us, us;
    enum fl_err err;
} callers[3];
static unsigned left;
static void calls(void *arg)
{
    struct caller *c = arg;
    const uint64_t start = clock_now_us();
    c->err = features(c->s, c->sub, c->timeout_us, &c->status);
    c->us = clock_now_us() - start;
    left--;
}
static void open_callers(void)
{
    left = ARRAY_SIZE(callers);
    for (unsigned i = 0; i < ARRAY_SIZE(callers); i++) {
        struct gsp_rm_session *s = opened();
        callers[i] = (struct caller){
            .s = s,
            .sub = made(s, made(s, 0, 0, NV01_DEVICE_0), 0, NV20_SUBDEVICE_0),
            .timeout_us = (3 - i) * 100 * US_PER_MS,
        };
    }
}
static void start_callers(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(callers); i++) {
        assert_non_null(fiber_spawn("caller", calls, &callers[i], FIBER_STACK_DEFAULT));
    }
}
static void each_at_its_own_deadline(void)
{
    while (left > 0) {
        fiber_sleep_us(1000);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(callers); i++) {
        assert_int_equal(callers[i].err, FL_ETIMEDOUT);
        assert_in_range(callers[i].us, callers[i].timeout_us,
                        callers[i].timeout_us + 20 * US_PER_MS); /* virtual time */
    }
}

/* The first, the one that waits longest, is never answered; the others never come to their turn. */
static void hangs_body(void *arg)
{
    (void)arg;
    open_callers();
    start_callers();
    each_at_its_own_deadline();
    unsigned timed_out = 0;
    struct gsp_rpc_record r;
    for (uint64_t at = 0; gsp_history_read(rig.gpu, &at, &r);) {
        timed_out += r.end == GSP_RPC_TIMED_OUT;
    }
    assert_int_equal(timed_out, 3);
    const uint64_t start = clock_now_us();
    gsp_rm_close(callers[0].s); /* nobody is there to free it */
    assert_in_range(clock_now_us() - start, 5 * US_PER_S, 5 * US_PER_S + 20 * US_PER_MS);
    assert_int_not_equal(gsp_unload(rig.gpu), FL_OK);
    is_over(callers[1].s);
    gsp_rm_close(callers[1].s);
    gsp_rm_close(callers[2].s);
    assert_null(rig.gpu->sessions);
}
static void hangs(void **state)
{
    /* After five commands of the boot and nine of the three sessions. */
    static const char *const faults[] = {"stuck=command:n=15", NULL};
    (void)state;
    on_a_gpu(faults, hangs_body);
}

/* It is only slow: its late answer is nobody's, and the next call has its own. */
static void late_body(void *arg)
{
    (void)arg;
    open_callers();
    start_callers();
    each_at_its_own_deadline();
    assert_int_equal(features_status(callers[1].s, 0x4712), NOT_FOUND); /* not the late "OK" */
    assert_int_equal(rig.gpu->rpc.late, 1);
    assert_int_equal(features_status(callers[2].s, callers[2].sub), OK);
    for (unsigned i = 0; i < ARRAY_SIZE(callers); i++) {
        gsp_rm_close(callers[i].s);
    }
}
static void late(void **state)
{
    /* The two commands before the start count here. */
    static const char *const faults[] = {"command:n=17:delay=500", NULL};
    (void)state;
    on_a_gpu(faults, late_body);
}

/* Closed while another fiber is in a call with it: the close waits, and nothing is used after. */
static void closed_amid_a_call_body(void *arg)
{
    (void)arg;
    open_callers();
    callers[0].timeout_us = 8 * US_PER_S; /* longer than a close waits for its own answer */
    start_callers();
    fiber_sleep_us(US_PER_MS);
    gsp_rm_close(callers[0].s);
    assert_int_equal(left, 0);
    each_at_its_own_deadline();
    gsp_rm_close(callers[1].s);
    gsp_rm_close(callers[2].s);
}
static void closing(void *arg)
{
    gsp_rm_close(arg);
    left--;
}
static void refused_while_closing_body(void *arg)
{
    uint32_t status;
    (void)arg;
    struct gsp_rm_session *s = opened();
    left = 1;
    assert_non_null(fiber_spawn("close", closing, s, FIBER_STACK_DEFAULT));
    fiber_yield(); /* it waits for the answer to FREE */
    assert_int_equal(left, 1);
    assert_int_equal(features(s, 0, US_PER_S, &status), FL_ESTATE);
    assert_non_null(strstr(fail.text, "being closed"));
    while (left > 0) {
        fiber_sleep_us(100);
    }
}
static void closed_amid_a_call(void **state)
{
    static const char *const faults[] = {"command:n=17:drop", NULL};
    (void)state;
    on_a_gpu(faults, closed_amid_a_call_body);
    on_a_gpu(NULL, refused_while_closing_body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_objects),
        cmocka_unit_test(refusals),
        cmocka_unit_test(rpc_layer),
        cmocka_unit_test(either_place),
        cmocka_unit_test(so_many),
        cmocka_unit_test(over_lives),
        cmocka_unit_test(outlives_the_gpu),
        cmocka_unit_test(hangs),
        cmocka_unit_test(late),
        cmocka_unit_test(closed_amid_a_call),
    };
    host_log_to_stderr(getenv("RIG_LOG") != NULL);
    return cmocka_run_group_tests_name("rm session", tests, NULL, NULL);
}
