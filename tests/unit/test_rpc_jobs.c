/* SPDX-License-Identifier: MIT */
/* Queued bind jobs and fences over HTTP: order, in-fences of jobs and of clients, cancelling,
 * deadlines; what is wrong is refused. */
#include "tests/unit/jobs_lab.h"

/* ---- order, fences, steps ---- */

static void order_in(const char *kind)
{
    prepare(kind);
    const uint64_t at = hex_at(result("vm.jobs", with(",\"vm\":%u", vm)), "base") + VA;
    (void)result("vm.map", with(",\"vm\":%u,\"object\":%u,\"bytes\":4096,\"va\":%llu", vm, o,
                                (unsigned long long)at));
    const unsigned f = fence();
    const unsigned a = queue(at, 1, f); /* over the one that is there */
    const unsigned b = queue(at + 4096, 2, 0);
    const unsigned c = queue(at + 8192, 3, b);
    const unsigned d = queue_unmap(at + 4096, c);
    fiber_sleep_us(US_PER_S);
    assert_int_equal(page_at(at), 0); /* nothing has happened */
    assert_int_equal(page_at(at + 4096), -1);
    const json_t *j = job(a);
    assert_string_equal(text_at(j, "state"), "waiting");
    assert_string_equal(text_at(j, "op"), "map");
    assert_int_equal(number_at(j, "object"), o);
    assert_int_equal(hex_at(j, "offset"), 4096);
    assert_int_equal(hex_at(j, "bytes"), 4096);
    assert_int_equal(json_integer_value(json_array_get(json_object_get(j, "waits_for"), 0)), f);
    assert_true(json_is_null(json_object_get(j, "begun_us")));
    j = job(b);
    assert_string_equal(text_at(j, "state"), "queued");
    assert_int_equal(number_at(j, "behind"), a);
    assert_int_equal(json_array_size(json_object_get(j, "after")), 0);
    assert_int_equal(number_at(job(d), "behind"), c);
    signal_it(f);
    comes(d);
    assert_int_equal(page_at(at), 1);
    assert_int_equal(page_at(at + 4096), -1);
    assert_int_equal(page_at(at + 8192), 3);
    j = job(a);
    assert_string_equal(text_at(j, "state"), "done");
    assert_int_equal(step_of(j, "map"), 1);
    assert_int_equal(step_of(j, "unmap"), 1);
    assert_true(json_is_null(json_object_get(j, "error")));
    assert_true(number_at(j, "ended_us") >= number_at(j, "begun_us"));
    assert_int_equal(json_array_size(json_object_get(j, "waits_for")), 0);
    assert_int_equal(json_array_size(json_object_get(j, "after")), 1);
    j = job(d);
    assert_string_equal(text_at(j, "op"), "unmap");
    assert_int_equal(step_of(j, "unmap"), 1);
    fails("vm.fence.signal", with(",\"fence\":%u", f), RPC_FAILED, "is signalled already");
    fails("vm.fence.signal", with(",\"fence\":%u", a), RPC_FAILED, "the fence of a job");
    fails("vm.fence.destroy", with(",\"fence\":%u", a), RPC_FAILED, "the fence of a job");
    comes(f); /* again, and after the fact */
    /* synchronous, after a fence that is there, and after a job */
    const unsigned e = queue(at + 12288, 4, 0);
    (void)result("vm.map",
                 with(",\"vm\":%u,\"object\":%u,\"bytes\":4096,\"va\":%llu,\"after\":[%u,\"0x%x\"]",
                      vm, o, (unsigned long long)at + 16384, f, e));
    is_in(e, "done");
    /* two spaces: a job of one waits for a job of the other */
    const unsigned first = vm, g = fence();
    const unsigned h = queue(at, 5, g);
    vm = (unsigned)number_at(result("vm.create", with_session("")), "vm");
    const unsigned i = queue(VA, 6, h);
    is_in(i, "waiting");
    signal_it(g);
    comes(i);
    assert_int_equal(page_at(VA), 6);
    vm = first;
    is_in(h, "done");
    close_it();
}

static void order_body(void *arg)
{
    (void)arg;
    until(GSP_READY);
    order_in("");
    order_in(",\"kind\":\"bar1\",\"bytes\":\"0x1000000\"");
    stops();
}

static void test_order(void **state)
{
    (void)state;
    on_a_gpu(&strict, order_body);
}

/* ---- what fails leaves what was there ---- */

static void failures_body(void *arg)
{
    (void)arg;
    until(GSP_READY);
    prepare("");
    (void)result("vm.map", with(",\"vm\":%u,\"object\":%u,\"bytes\":4096,\"va\":%llu", vm, o,
                                (unsigned long long)VA));
    /* a fence that is never signalled: the deadline of who waits, and of the job */
    unsigned f = fence();
    unsigned a = queue(VA, 1, f);
    const unsigned b = queue(VA + 4096, 2, a);
    const json_t *why = fails("vm.fence.wait", with(",\"fence\":%u,\"timeout_ms\":2000", a),
                              RPC_FAILED, "was not signalled within 2000 ms");
    assert_non_null(strstr(text_at(why, "hint"), "vm.jobs"));
    is_in(a, "waiting");
    why = fails("vm.fence.wait", with(",\"fence\":%u,\"timeout_ms\":20000", a), RPC_FAILED,
                "1 of its 1 in-fences did not come");
    assert_int_equal(number_at(why, "waited_us"), GPU_BIND_IN_FENCE_US);
    is_in(a, "failed");
    assert_string_equal(text_at(json_object_get(job(a), "error"), "text"),
                        "1 of its 1 in-fences did not come");
    fails("vm.fence.wait", with(",\"fence\":%u", b), RPC_FAILED,
          "what the job waited for has failed");
    assert_int_equal(page_at(VA), 0);
    assert_int_equal(page_at(VA + 4096), -1);
    assert_int_equal(step_of(job(a), "map"), 0);
    signal_it(f); /* too late, and no harm */
    /* a fence that is given up */
    f = fence();
    a = queue(VA, 1, f);
    (void)result("vm.fence.destroy", with(",\"fence\":%u", f));
    fails("vm.fence.wait", with(",\"fence\":%u", a), RPC_FAILED, "(canceled)");
    is_in(a, "cancelled");
    fails("vm.fence.wait", with(",\"fence\":%u", f), RPC_FAILED, "there is no fence");
    assert_int_equal(page_at(VA), 0);
    /* cancelled while it waits; while it is behind another; when it is over */
    f = fence();
    a = queue(VA, 1, f);
    const unsigned c = queue(VA, 2, 0), d = queue(VA + 4096, 3, 0);
    is_true("vm.cancel", with(",\"job\":%u", c), "cancelled");
    is_in(c, "queued");
    (void)result("vm.cancel", with(",\"job\":%u", a));
    fails("vm.fence.wait", with(",\"fence\":%u", a), RPC_FAILED, "the job was cancelled");
    fails("vm.fence.wait", with(",\"fence\":%u", c), RPC_FAILED, "the job was cancelled");
    comes(d);
    assert_int_equal(page_at(VA), 0);
    assert_int_equal(page_at(VA + 4096), 3);
    fails("vm.cancel", with(",\"job\":%u", d), RPC_FAILED, "is over (ok)");
    fails("vm.cancel", with(",\"job\":%u", a), RPC_FAILED, "is over (canceled)");
    const json_t *jobs = json_object_get(result("vm.jobs", with(",\"vm\":%u", vm)), "jobs");
    assert_int_equal(number_at(jobs, "waiting"), 0);
    assert_int_equal(number_at(jobs, "cancelled"), 3 + 0);
    /* destroyed with jobs in it */
    a = queue(VA, 1, fence());
    (void)result("vm.destroy", with(",\"vm\":%u", vm));
    fails("vm.fence.wait", with(",\"fence\":%u", a), RPC_FAILED, "the job was cancelled");
    (void)result("memory.free", with(",\"object\":%u", o));
    close_it();
    stops();
}

static void test_failures(void **state)
{
    (void)state;
    on_a_gpu(&strict, failures_body);
}

/* ---- a TLB that never ends: a job runs until its own deadline ---- */

static void hangs_body(void *arg)
{
    (void)arg;
    until(GSP_READY);
    open_one("{}");
    o = make(",\"bytes\":65536");
    vm = (unsigned)number_at(result("vm.create", with_session("")), "vm");
    const unsigned a = queue(VA, 1, 0), b = queue(VA, 2, a);
    fiber_sleep_us(US_PER_S);
    is_in(a, "running");
    is_in(b, "queued");
    fails("vm.cancel", with(",\"job\":%u", a), RPC_BUSY, "runs, and will finish");
    fails("vm.fence.wait", with(",\"fence\":%u", a), RPC_FAILED, "MMU_INVALIDATE");
    is_in(a, "failed");
    assert_int_equal(number_at(result("vm.jobs", with(",\"vm\":%u", vm)), "mappings"), 0);
    fails("vm.fence.wait", with(",\"fence\":%u", b), RPC_FAILED, "MMU_INVALIDATE");
    is_in(b, "failed");
    close_it();
    stops();
}

static void test_hangs(void **state)
{
    static const char *const faults[] = {"busy=invalidate", NULL};
    static const struct rig_options slow = {.faults = faults};
    (void)state;
    on_a_gpu(&slow, hangs_body);
}

/* ---- what is asked for wrongly ---- */

static void refusals_body(void *arg)
{
    static const struct {
        const char *method, *rest;
        int code;
        const char *words;
    } wrong[] = {
        {"vm.map", ",\"vm\":2,\"object\":1,\"bytes\":4096,\"queued\":1", RPC_INVALID_PARAMS,
         "queued: expected true"},
        {"vm.map", ",\"vm\":2,\"object\":1,\"bytes\":4096,\"after\":3", RPC_INVALID_PARAMS,
         "after: expected an array of at most 32"},
        {"vm.map", ",\"vm\":2,\"object\":1,\"bytes\":4096,\"after\":[3,true]", RPC_INVALID_PARAMS,
         "after[1]: expected a number"},
        {"vm.map", ",\"vm\":2,\"object\":1,\"bytes\":4096,\"after\":[\"0x100000000\"]",
         RPC_INVALID_PARAMS, "after[0]: expected a number"},
        {"vm.map",
         ",\"vm\":2,\"object\":1,\"bytes\":4096,\"after\":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
         "1,1,1,1,1,1,1,1,1,1,1,1,1]",
         RPC_INVALID_PARAMS, "at most 32"},
        {"vm.map", ",\"vm\":2,\"object\":1,\"bytes\":4096,\"after\":[77]", RPC_FAILED,
         "there is no fence 77"},
        {"vm.map", ",\"vm\":2,\"object\":1,\"bytes\":4096,\"after\":[1]", RPC_FAILED,
         "there is no fence 1"}, /* an object is none */
        {"vm.unmap", ",\"vm\":2,\"va\":4096,\"bytes\":4096,\"queued\":true,\"after\":[77]",
         RPC_FAILED, "there is no fence 77"},
        {"vm.cancel", "", RPC_INVALID_PARAMS, "job is missing"},
        {"vm.cancel", ",\"job\":77", RPC_FAILED, "has no job 77"},
        {"vm.cancel", ",\"job\":3", RPC_FAILED, "has no job 3"}, /* a fence is none */
        {"vm.fence.signal", ",\"fence\":77", RPC_FAILED, "no fence or job 77"},
        {"vm.fence.destroy", ",\"fence\":77", RPC_FAILED, "no fence or job 77"},
        {"vm.fence.wait", ",\"fence\":77", RPC_FAILED, "there is no fence 77"},
        {"vm.fence.wait", ",\"fence\":3,\"timeout_ms\":60001", RPC_INVALID_PARAMS,
         "more than 60000"},
        {"vm.fence.wait", ",\"fence\":3,\"timeout_ms\":0", RPC_FAILED, "within 0 ms"},
    };
    static const char *const methods[] = {"vm.cancel", "vm.fence.create", "vm.fence.signal",
                                          "vm.fence.wait", "vm.fence.destroy"};
    (void)arg;
    until(GSP_READY);
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        fails(methods[i], "{}", RPC_INVALID_PARAMS, "session is missing");
        fails(methods[i], i == 1 ? "[\"x\"]" : "[\"x\",1]", RPC_NO_SESSION, "session.open");
    }
    open_one("{}");
    assert_int_equal(make(",\"bytes\":65536"), 1);
    assert_int_equal(number_at(result("vm.create", with_session("")), "vm"), 2);
    assert_int_equal(fence(), 3);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        fails(wrong[i].method, with_session(wrong[i].rest), wrong[i].code, wrong[i].words);
    }
    vm = 2;
    const json_t *info = result("vm.jobs", with_session(",\"vm\":2"));
    assert_int_equal(json_array_size(json_object_get(info, "queue")), 0);
    assert_int_equal(number_at(info, "mappings"), 0);
    (void)result("memory.free", with_session(",\"object\":1"));
    close_it();
    stops();
}

static void test_refusals(void **state)
{
    (void)state;
    on_a_gpu(&strict, refusals_body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_hangs),
        cmocka_unit_test(test_refusals),
    };
    api_init(&ctx);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
