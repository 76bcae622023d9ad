/* SPDX-License-Identifier: MIT */
/* Queued bind jobs and fences over HTTP: calls that wait, sessions that end, how many there may be,
 * and a GPU that is reset in the middle. */
#include "tests/unit/jobs_lab.h"

/* ---- calls that wait, and what goes on beside them ---- */

static void beside_body(void *arg)
{
    struct http_conn *c[RPC_FENCES_MAX], *sync;
    int status;
    (void)arg;
    until(GSP_READY);
    prepare("");
    /* a synchronous map behind a job: the session can still say that the fence has come */
    const unsigned f = fence(), a = queue(VA, 1, f);
    sync = begin_call("vm.map", with(",\"vm\":%u,\"object\":%u,\"bytes\":4096,\"va\":%llu", vm, o,
                                     (unsigned long long)VA));
    fiber_sleep_us(US_PER_S);
    assert_true(http_conn_working(sync));
    is_in(a, "waiting");
    /* as many waits as may be; what they wait for, and the GPU, are free meanwhile */
    for (unsigned i = 0; i < RPC_FENCES_MAX; i++) {
        c[i] = begin_call("vm.fence.wait", with(",\"fence\":%u", i % 2 != 0 ? f : a));
    }
    fiber_sleep_us(US_PER_MS);
    json_decref(end(begin_call("vm.fence.wait", with(",\"fence\":%u", a)), &status));
    assert_int_equal(status, 503);
    assert_string_equal(text_at(result("gpu.status", "{}"), "state"), "ready");
    (void)result("session.open", "{}"); /* waits for the GPU */
    char other[SESSION_ID_TEXT];
    snprintf(other, sizeof(other), "%s", text_at(json_object_get(last, "result"), "session"));
    signal_it(f);
    for (unsigned i = 0; i < RPC_FENCES_MAX; i++) {
        ends_with(c[i], NULL);
    }
    ends_with(sync, NULL);
    assert_int_equal(page_at(VA), 0);
    /* the same, cancelled: by name, and by the end of the session */
    const unsigned g = fence(), b = queue(VA, 1, g);
    c[0] = begin_call("vm.fence.wait", with(",\"fence\":%u,\"timeout_ms\":60000", b));
    c[1] = begin_call("vm.fence.wait", with(",\"fence\":%u,\"timeout_ms\":60000", g));
    sync = begin_call("vm.map", with(",\"vm\":%u,\"object\":%u,\"bytes\":4096,\"va\":%llu", vm, o,
                                     (unsigned long long)VA));
    char own[SESSION_ID_TEXT];
    memcpy(own, session, sizeof(own));
    memcpy(session, other, sizeof(other));
    fails("vm.fence.signal", with(",\"fence\":%u", g), RPC_FAILED, "has used no memory yet");
    o = make(",\"bytes\":4096,\"pinned\":true");
    vm = (unsigned)number_at(result("vm.create", with_session("")), "vm");
    fails("vm.fence.signal", with(",\"fence\":%u", g), RPC_FAILED, "no fence or job");
    fails("vm.fence.destroy", with(",\"fence\":%u", g), RPC_FAILED, "no fence or job");
    fails("vm.cancel", with(",\"job\":%u", b), RPC_FAILED, "has no job");
    const unsigned d = queue(VA, 0, g), e = queue(VA + 4096, 0, b); /* of the other session */
    struct http_conn *mine = begin_call("vm.fence.wait", with(",\"fence\":%u", g));
    fiber_sleep_us(US_PER_MS);
    memcpy(session, own, sizeof(own));
    const uint64_t before_us = clock_now_us();
    close_it();
    ends_with(c[0], "the session that it belonged to has ended");
    ends_with(c[1], "the session that it belonged to has ended");
    ends_with(sync, "the session that it belonged to has ended");
    ends_with(mine, "the session that it belonged to has ended");
    assert_true(clock_now_us() - before_us < US_PER_S); /* virtual time: nobody's deadline */
    memcpy(session, other, sizeof(other));
    fails("vm.fence.wait", with(",\"fence\":%u", d), RPC_FAILED, "has failed (canceled)");
    fails("vm.fence.wait", with(",\"fence\":%u", e), RPC_FAILED, "has failed (canceled)");
    fails("vm.fence.wait", with(",\"fence\":%u", g), RPC_FAILED, "there is no fence");
    assert_int_equal(session_count(), 1);
    close_it();
    stops();
}

static void test_beside(void **state)
{
    (void)state;
    on_a_gpu(&strict, beside_body);
}

/* ---- who is idle, and how many ---- */

static void limits_body(void *arg)
{
    (void)arg;
    until(GSP_READY);
    open_one("{\"idle_s\":3}");
    fails("vm.jobs", with_session(",\"vm\":1"), RPC_FAILED, "has used no memory yet");
    o = make(",\"bytes\":65536");
    vm = (unsigned)number_at(result("vm.create", with_session("")), "vm");
    unsigned f = fence(), oldest = 0, b = 0;
    const json_t *list;
    for (unsigned i = 1; i < GSP_VM_FENCES_MAX; i++) {
        (void)fence();
    }
    fails("vm.fence.create", with_session(""), RPC_FAILED, "64 fences");
    const unsigned a = queue(VA, 1, f);
    for (unsigned i = 1; i < GSP_VM_JOBS_MAX; i++) {
        b = queue(VA + i * 4096u, 1, 0);
    }
    fails("vm.map", with(",\"vm\":%u,\"object\":%u,\"bytes\":4096,\"queued\":true", vm, o),
          RPC_FAILED, "128 jobs of this session are not over");
    fails("vm.unmap", with(",\"vm\":%u,\"va\":4096,\"bytes\":4096,\"queued\":true", vm), RPC_FAILED,
          "128 jobs");
    signal_it(f);
    comes(b);
    list = json_object_get(result("vm.jobs", with(",\"vm\":%u", vm)), "queue");
    assert_int_equal(json_array_size(list), GSP_VM_JOBS_MAX); /* until the next that is asked for */
    b = queue(VA, 1, b);
    comes(b);
    list = json_object_get(result("vm.jobs", with(",\"vm\":%u", vm)), "queue");
    assert_int_equal(json_array_size(list), GSP_VM_JOBS_KEPT + 1);
    for (size_t i = 0; i < json_array_size(list); i++) { /* by number, and the last ones */
        assert_true(number_at(json_array_get(list, i), "job") > oldest);
        oldest = (unsigned)number_at(json_array_get(list, i), "job");
    }
    assert_int_equal(oldest, b);
    fails("vm.fence.wait", with(",\"fence\":%u", a), RPC_FAILED, "there is no fence");
    fails("vm.map",
          with(",\"vm\":%u,\"object\":%u,\"bytes\":4096,\"queued\":true,\"after\":[%u]", vm, o, a),
          RPC_FAILED, "there is no fence");
    (void)result("vm.fence.destroy", with(",\"fence\":%u", f));
    f = fence();
    /* an object that a job will map is not freed; a place that one will map is not chosen */
    const json_t *r = result(
        "vm.map",
        with(",\"vm\":%u,\"object\":%u,\"bytes\":4096,\"queued\":true,\"after\":[%u]", vm, o, f));
    const uint64_t chosen = hex_at(r, "va");
    const unsigned g = (unsigned)number_at(r, "job");
    fails("memory.free", with(",\"object\":%u", o), RPC_BUSY, "");
    const unsigned h = queue(chosen + 4096, 1, 0);
    const uint64_t next = hex_at(
        result("vm.map", with(",\"vm\":%u,\"object\":%u,\"bytes\":4096,\"queued\":true", vm, o)),
        "va");
    assert_true(next != chosen && next != chosen + 4096);
    /* and is free again when the job has failed */
    (void)result("vm.cancel", with(",\"job\":%u", g));
    (void)result("vm.cancel", with(",\"job\":%u", h));
    fiber_sleep_us(US_PER_S);
    assert_int_equal(
        hex_at(result("vm.map", with(",\"vm\":%u,\"object\":%u,\"bytes\":8192", vm, o)), "va"),
        chosen);
    /* jobs and fences do not keep a session that nobody uses */
    (void)queue(VA, 1, f);
    fiber_sleep_us(4 * US_PER_S);
    assert_int_equal(session_count(), 0);
    stops();
}

static void test_limits(void **state)
{
    (void)state;
    on_a_gpu(&strict, limits_body);
}

/* ---- the GPU goes in the middle ---- */

static void gone_body(void *arg)
{
    static const char *const orders[] = {"gpu.reset", "gpu.unload"};
    static const char gone[] = "was unloaded or reset";
    unsigned j[4];
    (void)arg;
    until(GSP_READY);
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        prepare(i == 0 ? "" : ",\"kind\":\"bar1\",\"bytes\":\"0x1000000\"");
        const uint64_t at = hex_at(result("vm.jobs", with(",\"vm\":%u", vm)), "base");
        const unsigned f = fence();
        for (unsigned k = 0; k < 4; k++) {
            j[k] = queue(at + k * 4096u, k, k < 2 ? f : j[k - 1]);
        }
        struct http_conn *c =
            begin_call("vm.fence.wait", with(",\"fence\":%u,\"timeout_ms\":60000", j[3]));
        struct http_conn *own = begin_call("vm.fence.wait", with(",\"fence\":%u", f));
        fiber_sleep_us(US_PER_MS);
        (void)result(orders[i], "{}");
        ends_with(c, gone);
        ends_with(own, gone);
        for (unsigned k = 0; k < 4; k++) {
            is_in(j[k], "cancelled");
            assert_non_null(strstr(text_at(json_object_get(job(j[k]), "error"), "text"), gone));
        }
        fails("vm.map", with(",\"vm\":%u,\"object\":%u,\"bytes\":4096,\"queued\":true", vm, o),
              RPC_FAILED, gone);
        fails("vm.fence.create", with_session(""), RPC_FAILED, gone);
        fails("vm.fence.signal", with(",\"fence\":%u", f), RPC_FAILED, "signalled already");
        (void)result("gpu.boot", "{}");
        is_in(j[0], "cancelled");
        close_it();
    }
    prepare("");
    comes(queue(VA, 1, 0));
    assert_int_equal(page_at(VA), 1);
    close_it();
    stops();
}

static void test_gone(void **state)
{
    (void)state;
    on_a_gpu(&strict, gone_body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beside),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_gone),
    };
    api_init(&ctx);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
