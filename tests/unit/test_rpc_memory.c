/* SPDX-License-Identifier: MIT */
/* memory.* over HTTP: objects, what stands in them, whose they are, and every refusal. */
#include "gsp/gpu.h"
#include "tests/unit/rpc_lab.h"

#define CALL_BYTES KIB(256) /* most that a call reads or writes */

static const struct rig_options strict = {.strict = MODEL_STRICT};

static uint64_t stat(const char *key) { return number_at(result("memory.stats", "{}"), key); }

/* ---- what is asked for wrongly ---- */

struct refusal {
    const char *method, *rest; /* object 1 is there, with 8 KiB */
    int code;
    const char *words;
};

static const struct refusal refusals[] = {
    {"memory.alloc", "", RPC_INVALID_PARAMS, "bytes is missing"},
    {"memory.alloc", ",\"bytes\":null", RPC_INVALID_PARAMS, "bytes is missing"},
    {"memory.alloc", ",\"bytes\":-1", RPC_INVALID_PARAMS, "bytes: expected a number"},
    {"memory.alloc", ",\"bytes\":1.5", RPC_INVALID_PARAMS, "bytes: expected a number"},
    {"memory.alloc", ",\"bytes\":\"0x\"", RPC_INVALID_PARAMS, "bytes: expected a number"},
    {"memory.alloc", ",\"bytes\":\" 1\"", RPC_INVALID_PARAMS, "bytes: expected a number"},
    {"memory.alloc", ",\"bytes\":\"1K\"", RPC_INVALID_PARAMS, "bytes: expected a number"},
    {"memory.alloc", ",\"bytes\":\"0x10000000000000000\"", RPC_INVALID_PARAMS, "bytes: expected"},
    {"memory.alloc", ",\"bytes\":1,\"contiguous\":1", RPC_INVALID_PARAMS,
     "contiguous: expected true"},
    {"memory.alloc", ",\"bytes\":1,\"clear\":\"yes\"", RPC_INVALID_PARAMS, "clear: expected true"},
    {"memory.alloc", ",\"bytes\":1,\"size\":1", RPC_INVALID_PARAMS, "has no parameter 'size'"},
    {"memory.alloc", ",\"bytes\":0", RPC_FAILED, "an object of 0x0 bytes"},
    {"memory.alloc", ",\"bytes\":\"0xffffffffffffffff\"", RPC_FAILED, "expected 1 to"},
    {"memory.alloc", ",\"bytes\":1,\"align\":3", RPC_FAILED, "alignment 0x3"},
    {"memory.alloc", ",\"bytes\":4096,\"min\":8192,\"max\":4096", RPC_FAILED, "no "},
    {"memory.alloc", ",\"bytes\":8192,\"min\":4096,\"max\":8192", RPC_FAILED, "no room"},
    {"memory.free", "", RPC_INVALID_PARAMS, "object is missing"},
    {"memory.free", ",\"object\":\"0x100000000\"", RPC_INVALID_PARAMS, "is more than 4294967295"},
    {"memory.free", ",\"object\":true", RPC_INVALID_PARAMS, "object: expected a number"},
    {"memory.free", ",\"object\":0", RPC_FAILED, "has no object 0"},
    {"memory.free", ",\"object\":77", RPC_FAILED, "has no object 77"},
    /* one place, and what goes with it */
    {"memory.read", ",\"bytes\":1", RPC_INVALID_PARAMS, "expected one of: object"},
    {"memory.read", ",\"bytes\":1,\"object\":1,\"address\":0", RPC_INVALID_PARAMS, "one of"},
    {"memory.read", ",\"bytes\":1,\"object\":1,\"vm\":1,\"va\":0", RPC_INVALID_PARAMS, "one of"},
    {"memory.read", ",\"bytes\":1,\"address\":0,\"vm\":1,\"va\":0", RPC_INVALID_PARAMS, "one of"},
    {"memory.read", ",\"bytes\":1,\"object\":1,\"vm\":1", RPC_INVALID_PARAMS, "one of"},
    {"memory.read", ",\"bytes\":1,\"vm\":1", RPC_INVALID_PARAMS, "one of"},
    {"memory.read", ",\"bytes\":1,\"va\":0", RPC_INVALID_PARAMS, "one of"},
    {"memory.read", ",\"bytes\":1,\"address\":0,\"offset\":1", RPC_INVALID_PARAMS, "offset"},
    {"memory.read", ",\"bytes\":1,\"vm\":1,\"va\":0,\"offset\":0", RPC_INVALID_PARAMS, "offset"},
    {"memory.read", ",\"bytes\":1,\"vm\":1,\"va\":0,\"through\":\"bar1\"", RPC_INVALID_PARAMS,
     "through"},
    {"memory.read", ",\"object\":1", RPC_INVALID_PARAMS, "bytes is missing"},
    {"memory.read", ",\"object\":1,\"bytes\":262145", RPC_INVALID_PARAMS, "more than 262144"},
    {"memory.read", ",\"object\":1,\"bytes\":1,\"through\":\"bar2\"", RPC_INVALID_PARAMS,
     "through: expected one of bar1, pramin"},
    {"memory.read", ",\"object\":1,\"bytes\":1,\"through\":7", RPC_INVALID_PARAMS,
     "through: expected a string"},
    {"memory.read", ",\"object\":1,\"bytes\":8193", RPC_FAILED, "object 1 has 0x2000 bytes"},
    {"memory.read", ",\"object\":1,\"bytes\":2,\"offset\":8191", RPC_FAILED, "object 1 has"},
    {"memory.read", ",\"object\":1,\"bytes\":2,\"offset\":\"0xffffffffffffffff\"", RPC_FAILED,
     "object 1 has"},
    {"memory.read", ",\"object\":77,\"bytes\":1", RPC_FAILED, "has no object 77"},
    {"memory.read", ",\"vm\":77,\"va\":4096,\"bytes\":1", RPC_FAILED, "has no address space 77"},
    {"memory.read", ",\"address\":\"0xffffffffffffffff\",\"bytes\":1", RPC_FAILED,
     "bytes of video memory"},
    {"memory.write", ",\"data\":\"AAAA\"", RPC_INVALID_PARAMS, "one of"},
    {"memory.write", ",\"object\":1", RPC_INVALID_PARAMS, "data is missing"},
    {"memory.write", ",\"object\":1,\"data\":7", RPC_INVALID_PARAMS, "data: expected a string"},
    {"memory.write", ",\"object\":1,\"data\":\"A\"", RPC_INVALID_PARAMS,
     "data: this is not base64"},
    {"memory.write", ",\"object\":1,\"data\":\"AA A\"", RPC_INVALID_PARAMS, "not base64"},
    {"memory.write", ",\"object\":1,\"data\":\"AAAA\",\"bytes\":3", RPC_INVALID_PARAMS,
     "has no parameter 'bytes'"},
    {"memory.write", ",\"object\":1,\"data\":\"AAAA\",\"offset\":8190", RPC_FAILED, "object 1 has"},
    {"memory.write", ",\"object\":77,\"data\":\"AAAA\"", RPC_FAILED, "has no object 77"},
    {"memory.write", ",\"object\":77,\"data\":\"\"", RPC_FAILED, "has no object 77"},
    {"memory.write", ",\"vm\":77,\"va\":4096,\"data\":\"AAAA\"", RPC_FAILED, "address space 77"},
    {"memory.write", ",\"address\":\"0xffffffffffffffff\",\"data\":\"AAAA\"", RPC_FAILED,
     "bytes of video memory"},
    {"memory.fill", ",\"object\":1,\"bytes\":1", RPC_INVALID_PARAMS, "pattern is missing"},
    {"memory.fill", ",\"object\":1,\"pattern\":\"AA==\"", RPC_INVALID_PARAMS, "bytes is missing"},
    {"memory.fill", ",\"bytes\":1,\"pattern\":\"AA==\"", RPC_INVALID_PARAMS, "object is missing"},
    {"memory.fill", ",\"object\":1,\"bytes\":1,\"pattern\":\"?\"", RPC_INVALID_PARAMS,
     "pattern: this is not base64"},
    {"memory.fill", ",\"object\":1,\"bytes\":1,\"pattern\":\"\"", RPC_FAILED,
     "a pattern of 0 bytes"},
    {"memory.fill", ",\"object\":1,\"bytes\":8193,\"pattern\":\"AA==\"", RPC_FAILED,
     "object 1 has"},
    {"memory.fill", ",\"object\":1,\"bytes\":1,\"offset\":8192,\"pattern\":\"AA==\"", RPC_FAILED,
     "object 1 has"},
    {"memory.fill", ",\"object\":77,\"bytes\":0,\"pattern\":\"AA==\"", RPC_FAILED, "no object 77"},
    {"memory.fill", ",\"object\":1,\"bytes\":1,\"pattern\":\"AA==\",\"through\":\"x\"",
     RPC_INVALID_PARAMS, "expected one of"},
};

static const char *const methods[] = {"memory.alloc", "memory.free", "memory.read", "memory.write",
                                      "memory.fill"};

/* Without a session, with one that is none, and without the token. */
static void no_session(void)
{
    static const char unknown[] = "{\"session\":\"0123456789abcdef0123456789abcdef\",\"bytes\":1,";
    static const char *const rest[] = {"\"min\":0}", NULL, "\"object\":1}", NULL, NULL};
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        fails(methods[i], "{}", RPC_INVALID_PARAMS, "session is missing");
        fails(methods[i], "{\"session\":7}", RPC_INVALID_PARAMS, "session: expected a string");
        fails(methods[i], "{\"session\":\"0123456789abcdef0123456789abcdef012\"}",
              RPC_INVALID_PARAMS, "session: longer than");
        if (rest[i] != NULL && i != 1) {
            char params[200];
            snprintf(params, sizeof(params), "%s%s", unknown, rest[i]);
            fails(methods[i], params, RPC_NO_SESSION, "session.open");
        }
    }
    fails("memory.alloc", "{\"session\":\"\",\"bytes\":1}", RPC_NO_SESSION, "session.open");
    fails("memory.free", "{\"session\":\"x\",\"object\":1}", RPC_NO_SESSION, "session.open");
    fails("memory.stats", "{\"gpu\":1}", RPC_INVALID_PARAMS, "gpu: there is none");
    fails("memory.list", "{\"gpu\":\"x\"}", RPC_INVALID_PARAMS, "gpu: there is none");
    fails("memory.stats", "[0,1]", RPC_INVALID_PARAMS, "at most 1 parameters");
    fails("memory.list", "{\"all\":true}", RPC_INVALID_PARAMS, "has no parameter 'all'");
}

static void no_token(const char *method, int status_expected)
{
    struct http_conn *c = http_conn_new();
    struct text_buf in = {0};
    char body[100];
    int status;
    snprintf(body, sizeof(body), "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"id\":1}", method);
    text_printf(&in,
                "POST /rpc HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                "Content-Length: %zu\r\n\r\n%s",
                strlen(body), body);
    assert_int_equal(http_conn_input(c, in.data, in.len), in.len);
    text_free(&in);
    json_decref(end(c, &status));
    assert_int_equal(status, status_expected);
}

static void refusals_body(void *arg)
{
    static char data[CALL_BYTES / 3 * 4 + 9]; /* one more than may be */
    char pattern[402];
    (void)arg;
    until(GSP_READY);
    no_session();
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        no_token(methods[i], 401);
    }
    no_token("memory.stats", 200);
    no_token("memory.list", 200);
    open_one("{}");
    assert_int_equal(make(",\"bytes\":8192,\"pinned\":true"), 1);
    const uint64_t free_bytes = stat("free_bytes");
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        const struct refusal *r = &refusals[i];
        fails(r->method, with_session(r->rest), r->code, r->words);
    }
    memset(data, 'A', sizeof(data) - 1);
    struct text_buf params = {0};
    text_printf(&params, ",\"object\":1,\"data\":\"%s\"", data);
    fails("memory.write", with_session(params.data), RPC_INVALID_PARAMS, "data: longer than");
    text_free(&params);
    memset(pattern, 'A', 401);
    pattern[401] = '\0';
    fails("memory.fill", with(",\"object\":1,\"bytes\":1,\"pattern\":\"%.396s\"", pattern + 5),
          RPC_FAILED, "a pattern of 297 bytes");
    text_printf(&params, ",\"object\":1,\"bytes\":1,\"pattern\":\"%s\"", pattern);
    fails("memory.fill", with_session(params.data), RPC_INVALID_PARAMS, "pattern: longer than 400");
    text_free(&params);
    /* nothing of all that has left a trace */
    assert_int_equal(stat("objects"), 1);
    assert_int_equal(stat("free_bytes"), free_bytes);
    assert_int_equal(stat("evictions"), 0);
    close_it();
    stops();
}

static void test_refusals(void **state)
{
    (void)state;
    on_a_gpu(&strict, refusals_body);
}

/* ---- objects, and what stands in them ---- */

static void is_data(const json_t *r, const char *base64, uint64_t bytes)
{
    assert_string_equal(text_at(r, "data"), base64);
    assert_int_equal(number_at(r, "bytes"), bytes);
}

static void contents_body(void *arg)
{
    char address[24];
    (void)arg;
    until(GSP_READY);
    assert_true(json_is_false(json_object_get(result("memory.stats", "{}"), "managed")));
    assert_int_equal(json_array_size(result("memory.list", "{}")), 0);
    open_one("{}");
    /* numbers as people write them */
    const json_t *r =
        result("memory.alloc", with_session(",\"bytes\":\"0x1001\",\"align\":\"8192\""));
    assert_int_equal(number_at(r, "object"), 1);
    assert_int_equal(number_at(r, "bytes"), 8192);
    assert_int_equal(number_at(r, "uses"), 0);
    assert_int_equal(number_at(r, "extent_count"), 1);
    const json_t *extent = json_array_get(json_object_get(r, "extents"), 0);
    assert_int_equal(number_at(extent, "bytes"), 8192);
    snprintf(address, sizeof(address), "%s", text_at(extent, "address"));
    assert_int_equal(strtoull(address, NULL, 16) % 8192, 0);
    /* in by one way, out by the others */
    (void)result("memory.write",
                 with_session(",\"object\":\"0x1\",\"offset\":3,\"data\":\"AQIDBAU=\""));
    is_data(
        result("memory.read",
               with_session(",\"object\":1,\"offset\":\"3\",\"bytes\":5,\"through\":\"pramin\"")),
        "AQIDBAU=", 5);
    is_data(result("memory.read",
                   with(",\"address\":\"0x%llx\",\"bytes\":2", strtoull(address, NULL, 16) + 4)),
            "AgM=", 2);
    (void)result("memory.write",
                 with(",\"address\":\"%s\",\"data\":\"/w==\",\"through\":\"pramin\"", address));
    is_data(result("memory.read", with_session(",\"object\":1,\"bytes\":1,\"through\":\"bar1\"")),
            "/w==", 1);
    is_data(result("memory.read", with_session(",\"object\":1,\"bytes\":0")), "", 0);
    assert_int_equal(
        number_at(result("memory.write", with_session(",\"object\":1,\"data\":\"\"")), "bytes"), 0);
    (void)result("memory.fill",
                 with_session(",\"object\":1,\"offset\":1,\"bytes\":8,\"pattern\":\"AQID\""));
    is_data(result("memory.read", with_session(",\"object\":1,\"bytes\":9")), "/wECAwECAwEC", 9);
    /* zeros where zeros were asked for; what was there before is overwritten */
    (void)result("memory.free", with_session(",\"object\":1"));
    const unsigned clear = make(",\"bytes\":8192,\"clear\":true");
    is_data(result("memory.read", with(",\"object\":%u,\"bytes\":9", clear)), "AAAAAAAAAAAA", 9);
    /* as much as a call may, and no more than the object has */
    const unsigned large = make(",\"bytes\":262144,\"contiguous\":true");
    r = result("memory.read", with(",\"object\":%u,\"bytes\":262144", large));
    assert_int_equal(strlen(text_at(r, "data")), (CALL_BYTES + 2) / 3 * 4);
    struct text_buf params = {0};
    text_printf(&params, ",\"object\":%u,\"data\":\"%s\"", large, text_at(r, "data"));
    assert_int_equal(number_at(result("memory.write", with_session(params.data)), "bytes"),
                     CALL_BYTES);
    text_free(&params);
    /* where it lies */
    char inside[120];
    snprintf(inside, sizeof(inside),
             ",\"bytes\":4096,\"min\":\"0x40000000\",\"max\":\"0x40001000\",\"pinned\":true");
    r = result("memory.alloc", with_session(inside));
    assert_string_equal(text_at(json_array_get(json_object_get(r, "extents"), 0), "address"),
                        "0x40000000");
    fails("memory.alloc", with_session(inside), RPC_FAILED, "no room");
    const struct gsp_gpu *g = rig.gpu;
    assert_true(g->wpr2.up);
    fails("memory.read",
          with(",\"address\":\"0x%llx\",\"bytes\":2", (unsigned long long)g->wpr2.start - 1),
          RPC_FAILED, "WPR2");
    fails("memory.write",
          with(",\"address\":\"0x%llx\",\"data\":\"AA==\"", (unsigned long long)g->wpr2.end - 1),
          RPC_FAILED, "WPR2");
    close_it();
    assert_int_equal(stat("objects"), 0);
    assert_int_equal(stat("object_bytes"), 0);
    stops();
}

static void test_contents(void **state)
{
    (void)state;
    on_a_gpu(&strict, contents_body);
}

/* ---- whose they are ---- */

/* All that a session has made goes with it: closed, or not used for so long. */
static void owners_body(void *arg)
{
    char first[SESSION_ID_TEXT];
    (void)arg;
    until(GSP_READY);
    open_one("{}");
    memcpy(first, session, sizeof(first));
    const unsigned a = make(",\"bytes\":4096,\"clear\":true");
    const uint64_t free_bytes = stat("free_bytes");
    const unsigned vm = (unsigned)number_at(result("vm.create", with_session("")), "vm");
    open_one("{\"idle_s\":10}");
    const unsigned b = make(",\"bytes\":1048576");
    assert_int_not_equal(a, b);
    /* the other one's handles are nothing here */
    static const char *const tries[][2] = {{"memory.free", ""},
                                           {"memory.read", ",\"bytes\":1"},
                                           {"memory.write", ",\"data\":\"/w==\""},
                                           {"memory.fill", ",\"bytes\":1,\"pattern\":\"/w==\""}};
    for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
        fails(tries[i][0], with(",\"object\":%u%s", a, tries[i][1]), RPC_FAILED, "has no object");
    }
    static const char *const vm_tries[][2] = {{"vm.destroy", ""},
                                              {"vm.jobs", ""},
                                              {"vm.dump", ""},
                                              {"vm.walk", ",\"va\":4096"},
                                              {"vm.unmap", ",\"va\":4096,\"bytes\":4096"},
                                              {"memory.read", ",\"va\":4096,\"bytes\":1"},
                                              {"memory.write", ",\"va\":4096,\"data\":\"AA==\""}};
    for (size_t i = 0; i < ARRAY_SIZE(vm_tries); i++) {
        fails(vm_tries[i][0], with(",\"vm\":%u%s", vm, vm_tries[i][1]), RPC_FAILED,
              "has no address space");
    }
    fails("vm.map", with(",\"vm\":%u,\"object\":%u,\"bytes\":4096", vm, b), RPC_FAILED,
          "has no address space");
    const unsigned own = (unsigned)number_at(result("vm.create", with_session("")), "vm");
    fails("vm.map", with(",\"vm\":%u,\"object\":%u,\"bytes\":4096", own, a), RPC_FAILED,
          "has no object");
    (void)result("vm.map", with(",\"vm\":%u,\"object\":%u,\"bytes\":4096", own, b));
    /* everybody sees which there are */
    const json_t *list = result("memory.list", "{}");
    assert_int_equal(json_array_size(list), 2);
    assert_int_equal(number_at(json_array_get(list, 0), "object"), a);
    assert_int_equal(number_at(json_array_get(list, 1), "object"), b);
    assert_int_equal(number_at(json_array_get(list, 1), "uses"), 1);
    assert_int_equal(stat("address_spaces"), 2);
    fiber_sleep_us(10 * US_PER_S + US_PER_MS);
    assert_int_equal(session_count(), 1);
    assert_int_equal(stat("objects"), 1);
    assert_int_equal(stat("address_spaces"), 1);
    fails("memory.free", with(",\"object\":%u", b), RPC_NO_SESSION, "session.open");
    memcpy(session, first, sizeof(first));
    is_data(result("memory.read", with(",\"object\":%u,\"bytes\":1", a)), "AA==", 1);
    (void)result("vm.destroy", with(",\"vm\":%u", vm));
    assert_int_equal(stat("free_bytes"), free_bytes);
    close_it();
    assert_int_equal(stat("objects"), 0);
    assert_int_equal(stat("free_bytes"), free_bytes + 4096);
    stops();
}

static void test_owners(void **state)
{
    (void)state;
    on_a_gpu(&strict, owners_body);
}

/* As many objects as a session may have, and a list of them in pieces. */
static void many_body(void *arg)
{
    char last_one[60] = "{}";
    unsigned count = 0;
    uint64_t before = 0;
    (void)arg;
    until(GSP_READY);
    open_one("{}");
    for (unsigned i = 0; i < GSP_VRAM_OBJECTS_MAX; i++) {
        (void)make(",\"bytes\":1");
    }
    fails("memory.alloc", with_session(",\"bytes\":1"), RPC_FAILED, "1024 objects");
    for (;;) {
        const json_t *list = result("memory.list", last_one);
        const size_t n = json_array_size(list);
        assert_in_range(n, 0, 256);
        for (size_t i = 0; i < n; i++) {
            assert_true(number_at(json_array_get(list, i), "object") > before);
            before = number_at(json_array_get(list, i), "object");
        }
        count += (unsigned)n;
        if (n < 256) {
            break;
        }
        snprintf(last_one, sizeof(last_one), "{\"after\":%llu}", (unsigned long long)before);
    }
    assert_int_equal(count, GSP_VRAM_OBJECTS_MAX);
    close_it();
    assert_int_equal(stat("objects"), 0);
    stops();
}

static void test_many(void **state)
{
    (void)state;
    on_a_gpu(&strict, many_body);
}

/* ---- the GPU goes ---- */

static unsigned object, space;

static void use_memory(void)
{
    open_one("{}");
    object = make(",\"bytes\":2097152");
    space = (unsigned)number_at(result("vm.create", with_session("")), "vm");
    (void)result("vm.map",
                 with(",\"vm\":%u,\"object\":%u,\"bytes\":2097152,\"va\":2097152", space, object));
    (void)result("memory.write", with(",\"vm\":%u,\"va\":2097152,\"data\":\"AAAA\"", space));
}

static void all_fail(void)
{
    static const char gone[] = "was unloaded or reset";
    const json_t *why = fails("memory.alloc", with_session(",\"bytes\":1"), RPC_FAILED, gone);
    assert_non_null(strstr(text_at(why, "hint"), "session"));
    fails("memory.read", with(",\"object\":%u,\"bytes\":1", object), RPC_FAILED, gone);
    fails("memory.read", with_session(",\"address\":0,\"bytes\":1"), RPC_FAILED, gone);
    fails("memory.write", with(",\"object\":%u,\"data\":\"AA==\"", object), RPC_FAILED, gone);
    fails("memory.fill", with(",\"object\":%u,\"bytes\":1,\"pattern\":\"AA==\"", object),
          RPC_FAILED, gone);
    fails("memory.free", with(",\"object\":%u", object), RPC_FAILED, gone);
    fails("vm.create", with_session(""), RPC_FAILED, gone);
    fails("vm.map", with(",\"vm\":%u,\"object\":%u,\"bytes\":4096", space, object), RPC_FAILED,
          gone);
    fails("vm.unmap", with(",\"vm\":%u,\"va\":2097152,\"bytes\":4096", space), RPC_FAILED, gone);
    fails("vm.walk", with(",\"vm\":%u,\"va\":2097152", space), RPC_FAILED, gone);
    fails("vm.dump", with(",\"vm\":%u", space), RPC_FAILED, gone);
    assert_int_equal(number_at(result("vm.jobs", with(",\"vm\":%u", space)), "vm"), space);
    fails("vm.destroy", with(",\"vm\":%u", space), RPC_FAILED, gone);
    fails("memory.read", with(",\"vm\":%u,\"va\":2097152,\"bytes\":1", space), RPC_FAILED, gone);
}

static void ends_body(void *arg)
{
    static const char *const orders[] = {"gpu.unload", "gpu.reset"};
    (void)arg;
    until(GSP_READY);
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        use_memory();
        (void)result(orders[i], "{}");
        all_fail();
        assert_true(json_is_false(json_object_get(result("memory.stats", "{}"), "managed")));
        assert_int_equal(json_array_size(result("memory.list", "{}")), 0);
        fails("session.open", "{}", RPC_FAILED, "");
        (void)result("gpu.boot", "{}");
        all_fail(); /* a session is of one life */
        char old[SESSION_ID_TEXT];
        memcpy(old, session, sizeof(old));
        use_memory();
        assert_int_equal(stat("objects"), 1);
        close_it();
        memcpy(session, old, sizeof(old));
        close_it();
        assert_int_equal(stat("objects"), 0);
    }
    stops();
}

static void test_ends(void **state)
{
    (void)state;
    on_a_gpu(&strict, ends_body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_contents),
        cmocka_unit_test(test_owners),   cmocka_unit_test(test_many),
        cmocka_unit_test(test_ends),
    };
    api_init(&ctx);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
