/* SPDX-License-Identifier: MIT */
/* vm.* over HTTP: address spaces, mappings, walks, dumps, faults; two GPUs beside each other. */
#include "gsp/gpu.h"
#include "tests/unit/rpc_lab.h"

static const struct rig_options strict = {.strict = MODEL_STRICT};

static uint64_t hex_at(const json_t *v, const char *key)
{
    return strtoull(text_at(v, key), NULL, 16);
}

static bool is_true(const json_t *v, const char *key)
{
    return json_is_true(json_object_get(v, key));
}

static unsigned create(const char *rest)
{
    return (unsigned)number_at(result("vm.create", with_session(rest)), "vm");
}

/* ---- what is asked for wrongly ---- */

struct refusal {
    const char *method, *rest; /* object 1 has 64 KiB; space 2 is of engines, 3 of BAR1 (4 MiB) */
    int code;
    const char *words;
};

static const struct refusal refusals[] = {
    {"vm.create", ",\"kind\":\"x\"", RPC_INVALID_PARAMS, "kind: expected one of engines, bar1"},
    {"vm.create", ",\"kind\":7", RPC_INVALID_PARAMS, "kind: expected a string"},
    {"vm.create", ",\"bytes\":4096", RPC_INVALID_PARAMS, "for kind \"bar1\", and only then"},
    {"vm.create", ",\"kind\":\"engines\",\"bytes\":4096", RPC_INVALID_PARAMS, "only then"},
    {"vm.create", ",\"kind\":\"bar1\"", RPC_INVALID_PARAMS, "only then"},
    {"vm.create", ",\"kind\":\"bar1\",\"bytes\":0", RPC_FAILED, "no room for 0x0 bytes"},
    {"vm.create", ",\"kind\":\"bar1\",\"bytes\":\"0xffffffffffffffff\"", RPC_FAILED, "no room"},
    {"vm.destroy", "", RPC_INVALID_PARAMS, "vm is missing"},
    {"vm.destroy", ",\"vm\":77", RPC_FAILED, "no address space 77"},
    {"vm.destroy", ",\"vm\":1", RPC_FAILED, "no address space 1"}, /* an object is none */
    {"vm.jobs", "", RPC_INVALID_PARAMS, "vm is missing"},
    {"vm.jobs", ",\"vm\":\"0x100000000\"", RPC_INVALID_PARAMS, "more than"},
    {"vm.jobs", ",\"vm\":77", RPC_FAILED, "no address space 77"},
    {"vm.map", ",\"object\":1,\"bytes\":4096", RPC_INVALID_PARAMS, "vm is missing"},
    {"vm.map", ",\"vm\":2,\"bytes\":4096", RPC_INVALID_PARAMS, "object is missing"},
    {"vm.map", ",\"vm\":2,\"object\":1", RPC_INVALID_PARAMS, "bytes is missing"},
    {"vm.map", ",\"vm\":77,\"object\":1,\"bytes\":4096", RPC_FAILED, "no address space 77"},
    {"vm.map", ",\"vm\":2,\"object\":77,\"bytes\":4096", RPC_FAILED, "no object 77"},
    {"vm.map", ",\"vm\":2,\"object\":1,\"bytes\":0", RPC_FAILED, "multiples of 4 KiB"},
    {"vm.map", ",\"vm\":2,\"object\":1,\"bytes\":4095", RPC_FAILED, "multiples of 4 KiB"},
    {"vm.map", ",\"vm\":2,\"object\":1,\"bytes\":4096,\"offset\":1", RPC_FAILED, "multiples of"},
    {"vm.map", ",\"vm\":2,\"object\":1,\"bytes\":4096,\"offset\":65536", RPC_FAILED,
     "0x10000 bytes"},
    {"vm.map", ",\"vm\":2,\"object\":1,\"bytes\":69632", RPC_FAILED, "0x10000 bytes"},
    {"vm.map", ",\"vm\":2,\"object\":1,\"bytes\":4096,\"va\":0", RPC_FAILED, "expected within"},
    {"vm.map", ",\"vm\":2,\"object\":1,\"bytes\":4096,\"va\":4097", RPC_FAILED, ""},
    {"vm.map", ",\"vm\":2,\"object\":1,\"bytes\":4096,\"va\":\"0xffffffffffffffff\"",
     RPC_INVALID_PARAMS, "va: "},
    {"vm.map", ",\"vm\":2,\"object\":1,\"bytes\":4096,\"va\":\"0xfffffffffffff000\"", RPC_FAILED,
     "expected within"},
    {"vm.map", ",\"vm\":3,\"object\":0,\"bytes\":8388608", RPC_FAILED, "no free place"},
    {"vm.map", ",\"vm\":3,\"object\":1,\"bytes\":4096,\"va\":4096", RPC_FAILED, "expected within"},
    {"vm.map", ",\"vm\":2,\"object\":1,\"bytes\":4096,\"page\":\"3K\"", RPC_INVALID_PARAMS,
     "page: expected one of 4K, 64K, 2M, 512M, 256G"},
    {"vm.map", ",\"vm\":2,\"object\":1,\"bytes\":4096,\"kind\":16", RPC_INVALID_PARAMS,
     "kind: 16 is more than 15"},
    {"vm.map", ",\"vm\":2,\"object\":1,\"bytes\":4096,\"read_only\":1", RPC_INVALID_PARAMS,
     "read_only: expected true"},
    {"vm.unmap", ",\"vm\":2,\"bytes\":4096", RPC_INVALID_PARAMS, "va is missing"},
    {"vm.unmap", ",\"vm\":2,\"va\":4096", RPC_INVALID_PARAMS, "bytes is missing"},
    {"vm.unmap", ",\"vm\":77,\"va\":4096,\"bytes\":4096", RPC_FAILED, "no address space 77"},
    {"vm.unmap", ",\"vm\":2,\"va\":4096,\"bytes\":0", RPC_FAILED, "expected within"},
    {"vm.unmap", ",\"vm\":2,\"va\":4096,\"bytes\":4097", RPC_FAILED, ""},
    {"vm.unmap", ",\"vm\":2,\"va\":0,\"bytes\":4096", RPC_FAILED, "expected within"},
    {"vm.unmap", ",\"vm\":3,\"va\":0,\"bytes\":4096", RPC_FAILED, "expected within"},
    {"vm.walk", ",\"vm\":2", RPC_INVALID_PARAMS, "va is missing"},
    {"vm.walk", ",\"vm\":77,\"va\":0", RPC_FAILED, "no address space 77"},
    {"vm.walk", ",\"vm\":2,\"va\":\"0xffffffffffffffff\"", RPC_FAILED, ""},
    {"vm.dump", ",\"vm\":77", RPC_FAILED, "no address space 77"},
    {"vm.dump", ",\"vm\":2,\"va\":0", RPC_FAILED, "expected within"},
    {"vm.dump", ",\"vm\":2,\"va\":\"0xfffffffffffff000\"", RPC_FAILED, "expected within"},
    {"vm.dump", ",\"vm\":3,\"va\":0,\"bytes\":4096", RPC_FAILED, "expected within"},
    {"vm.dump", ",\"vm\":2,\"bytes\":\"0xffffffffffffffff\"", RPC_FAILED, "expected within"},
    {"memory.read", ",\"vm\":2,\"va\":4096,\"bytes\":0", RPC_FAILED, "expected within"},
    {"memory.read", ",\"vm\":2,\"va\":0,\"bytes\":1", RPC_FAILED, "expected within"},
    {"memory.read", ",\"vm\":2,\"va\":8192,\"bytes\":1", RPC_FAILED, "read of 0x2000"},
    {"memory.write", ",\"vm\":2,\"va\":8192,\"data\":\"AA==\"", RPC_FAILED, "write of 0x2000"},
};

static void refusals_body(void *arg)
{
    static const char *const methods[] = {"vm.create", "vm.destroy", "vm.map", "vm.unmap",
                                          "vm.walk",   "vm.dump",    "vm.jobs"};
    (void)arg;
    until(GSP_READY);
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        fails(methods[i], "{}", RPC_INVALID_PARAMS, "session is missing");
    }
    fails("vm.create", "{\"session\":\"x\"}", RPC_NO_SESSION, "session.open");
    open_one("{}");
    assert_int_equal(make(",\"bytes\":65536"), 1);
    assert_int_equal(create(""), 2);
    assert_int_equal(create(",\"kind\":\"bar1\",\"bytes\":\"0x400000\""), 3);
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        const struct refusal *r = &refusals[i];
        fails(r->method, with_session(r->rest), r->code, r->words);
    }
    for (unsigned vm = 2; vm <= 3; vm++) { /* nothing of all that is mapped */
        const json_t *dump = result("vm.dump", with(",\"vm\":%u", vm));
        assert_true(is_true(dump, "complete"));
        assert_int_equal(json_array_size(json_object_get(dump, "runs")), 0);
    }
    assert_int_equal(number_at(json_array_get(result("memory.list", "{}"), 0), "uses"), 0);
    /* as many as may be */
    for (unsigned i = 2; i < GSP_VRAM_SPACES_MAX; i++) {
        (void)create(",\"kind\":\"bar1\",\"bytes\":4096");
    }
    fails("vm.create", with_session(""), RPC_FAILED, "16 address spaces");
    close_it();
    stops();
}

static void test_refusals(void **state)
{
    (void)state;
    on_a_gpu(&strict, refusals_body);
}

/* ---- mappings ---- */

static const json_t *walk(unsigned vm, uint64_t va, const char *end)
{
    const json_t *w =
        result("vm.walk", with(",\"vm\":%u,\"va\":\"0x%llx\"", vm, (unsigned long long)va));
    assert_string_equal(text_at(w, "end"), end);
    assert_true(is_true(w, "shadow_agrees"));
    assert_int_equal(hex_at(w, "va"), va);
    assert_true(json_array_size(json_object_get(w, "levels")) > 0);
    return w;
}

static uint64_t map(unsigned vm, unsigned object, uint64_t bytes, const char *rest)
{
    return hex_at(result("vm.map", with(",\"vm\":%u,\"object\":%u,\"bytes\":%llu%s", vm, object,
                                        (unsigned long long)bytes, rest)),
                  "va");
}

static void mapping_in(const char *kind)
{
    const json_t *info = result("vm.create", with_session(kind));
    const unsigned vm = (unsigned)number_at(info, "vm");
    const uint64_t base = hex_at(info, "base");
    assert_string_equal(text_at(info, "format"), "MMU v2 (Ampere, Ada)");
    assert_int_equal(number_at(json_object_get(info, "jobs"), "waiting"), 0);
    const json_t *made =
        result("memory.alloc", with_session(",\"bytes\":8388608,\"align\":2097152"));
    const unsigned o = (unsigned)number_at(made, "object");
    const uint64_t pa = hex_at(json_array_get(json_object_get(made, "extents"), 0), "address");
    /* where it is said, and then where there is room: never over what is mapped */
    const uint64_t there = align_up_u64(base, MIB(2));
    char at[60];
    snprintf(at, sizeof(at), ",\"va\":\"0x%llx\"", (unsigned long long)there);
    assert_int_equal(map(vm, o, MIB(4), at), there);
    const json_t *w = walk(vm, there + MIB(2) + 5, "mapped");
    assert_int_equal(hex_at(w, "address"), pa + MIB(2) + 5);
    assert_string_equal(text_at(w, "page"), "2M");
    assert_true(json_is_null(json_object_get(w, "reason")));
    assert_string_equal(text_at(w, "aperture"), "video memory");
    assert_false(is_true(w, "read_only"));
    const uint64_t second = map(vm, o, MIB(2), ",\"offset\":4194304,\"page\":\"64K\"");
    assert_true(second >= there + MIB(4) || second + MIB(2) <= there);
    assert_string_equal(text_at(walk(vm, second, "mapped"), "page"), "64K");
    assert_int_equal(hex_at(walk(vm, there, "mapped"), "address"), pa);
    const uint64_t third =
        map(vm, o, KIB(64), ",\"page\":\"4K\",\"read_only\":true,\"kind\":\"0\"");
    w = walk(vm, third + 4096, "mapped");
    assert_string_equal(text_at(w, "page"), "4K");
    assert_true(is_true(w, "read_only"));
    assert_int_equal(hex_at(walk(vm, there, "mapped"), "address"), pa);
    /* by address, and by VA */
    (void)result("memory.write", with(",\"vm\":%u,\"va\":\"0x%llx\",\"data\":\"AQIDBA==\"", vm,
                                      (unsigned long long)there));
    assert_string_equal(
        text_at(result("memory.read", with(",\"object\":%u,\"bytes\":4", o)), "data"), "AQIDBA==");
    assert_string_equal(
        text_at(result("memory.read", with(",\"vm\":%u,\"va\":\"0x%llx\",\"bytes\":4", vm,
                                           (unsigned long long)third)),
                "data"),
        "AQIDBA==");
    fails("memory.free", with(",\"object\":%u", o), RPC_BUSY, "mapping");
    /* what a dump says of it */
    const json_t *dump = result("vm.dump", with(",\"vm\":%u", vm));
    assert_true(is_true(dump, "complete"));
    assert_int_equal(json_array_size(json_object_get(dump, "runs")), 3);
    dump = result("vm.dump", with(",\"vm\":%u,\"va\":\"0x%llx\",\"bytes\":8192", vm,
                                  (unsigned long long)third + 4096));
    const json_t *run = json_array_get(json_object_get(dump, "runs"), 0);
    assert_int_equal(json_array_size(json_object_get(dump, "runs")), 1);
    assert_int_equal(hex_at(run, "va"), third + 4096);
    assert_int_equal(hex_at(run, "bytes"), 8192);
    assert_int_equal(hex_at(run, "address"), pa + 4096);
    assert_true(is_true(run, "read_only"));
    /* sparse takes its place; unmapped is told */
    assert_int_equal(map(vm, 0, MIB(2), at), there);
    (void)walk(vm, there, "sparse");
    assert_int_equal(hex_at(walk(vm, there + MIB(2), "mapped"), "address"), pa + MIB(2));
    (void)result("vm.unmap", with(",\"vm\":%u,\"va\":\"0x%llx\",\"bytes\":4194304", vm,
                                  (unsigned long long)there));
    w = walk(vm, there, "unmapped");
    assert_true(strlen(text_at(w, "reason")) > 0);
    info = result("vm.jobs", with(",\"vm\":%u", vm));
    assert_true(number_at(json_object_get(info, "jobs"), "done") >= 5);
    (void)result("vm.destroy", with(",\"vm\":%u", vm));
    fails("vm.destroy", with(",\"vm\":%u", vm), RPC_FAILED, "no address space");
    (void)result("memory.free", with(",\"object\":%u", o));
}

static void mapping_body(void *arg)
{
    (void)arg;
    until(GSP_READY);
    open_one("{}");
    mapping_in("");
    mapping_in(",\"kind\":\"engines\"");
    mapping_in(",\"kind\":\"bar1\",\"bytes\":\"0x4000000\"");
    const json_t *stats = result("memory.stats", "{}");
    assert_int_equal(number_at(stats, "objects"), 0);
    assert_int_equal(number_at(stats, "address_spaces"), 0);
    close_it();
    stops();
}

static void test_mapping(void **state)
{
    (void)state;
    on_a_gpu(&strict, mapping_body);
}

/* Every other page: more stretches than one answer has, and the rest of them in the next. */
static void dump_body(void *arg)
{
    (void)arg;
    until(GSP_READY);
    open_one("{}");
    const unsigned o = make(",\"bytes\":4096"), vm = create("");
    for (unsigned i = 0; i < 1025; i++) {
        char at[40];
        snprintf(at, sizeof(at), ",\"va\":%u", (unsigned)(MIB(2) + i * KIB(8)));
        (void)map(vm, o, KIB(4), at);
    }
    const json_t *dump = result("vm.dump", with(",\"vm\":%u", vm));
    const json_t *runs = json_object_get(dump, "runs");
    assert_int_equal(json_array_size(runs), 1024);
    assert_false(is_true(dump, "complete"));
    dump = result("vm.dump", with(",\"vm\":%u,\"va\":%u", vm, (unsigned)(MIB(2) + 1000 * KIB(8))));
    assert_int_equal(json_array_size(json_object_get(dump, "runs")), 25);
    assert_true(is_true(dump, "complete"));
    /* and none is in the way of a place that is chosen */
    const uint64_t va = map(vm, o, KIB(4), "");
    assert_true(va < MIB(2) || va % KIB(8) != 0 || va >= MIB(2) + 1025 * KIB(8));
    close_it();
    stops();
}

static void test_dump(void **state)
{
    (void)state;
    on_a_gpu(&strict, dump_body);
}

/* ---- faults: the model counts each as a broken rule ---- */

static void faults_body(void *arg)
{
    (void)arg;
    until(GSP_READY);
    open_one("{}");
    const unsigned o = make(",\"bytes\":65536,\"clear\":true");
    const json_t *info = result("vm.create", with_session(",\"kind\":\"bar1\",\"bytes\":4194304"));
    const unsigned vm = (unsigned)number_at(info, "vm");
    const unsigned long long base = hex_at(info, "base");
    const json_t *why =
        fails("memory.read", with(",\"vm\":%u,\"va\":\"0x%llx\",\"bytes\":4", vm, base), RPC_FAILED,
              "read of 0x");
    assert_string_equal(text_at(why, "what"), "MMU fault");
    assert_non_null(strstr(text_at(why, "hint"), "vm.map"));
    (void)fails("memory.write", with(",\"vm\":%u,\"va\":\"0x%llx\",\"data\":\"AA==\"", vm, base),
                RPC_FAILED, "write of 0x");
    const unsigned long long va = map(vm, o, KIB(64), ",\"read_only\":true");
    assert_string_equal(
        text_at(result("memory.read", with(",\"vm\":%u,\"va\":\"0x%llx\",\"bytes\":3", vm, va)),
                "data"),
        "AAAA");
    (void)fails("memory.write", with(",\"vm\":%u,\"va\":\"0x%llx\",\"data\":\"/w==\"", vm, va),
                RPC_FAILED, "the page is read-only");
    assert_string_equal(
        text_at(result("memory.read", with(",\"object\":%u,\"bytes\":3", o)), "data"), "AAAA");
    /* the GPU goes on */
    assert_string_equal(text_at(result("gpu.status", "{}"), "state"), "ready");
    close_it();
    stops();
}

static void test_faults(void **state)
{
    static const struct rig_options lenient = {0};
    (void)state;
    broken_rule = "bar.fault";
    on_a_gpu(&lenient, faults_body);
    broken_rule = NULL;
}

/* ---- a call that is under way when the GPU goes ---- */

static void meanwhile_body(void *arg)
{
    struct text_buf body = {0};
    int status;
    (void)arg;
    until(GSP_READY);
    open_one("{}");
    const unsigned o = make(",\"bytes\":16777216");
    text_printf(&body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"memory.fill\",\"params\":%s}",
                with(",\"object\":%u,\"bytes\":16777216,\"pattern\":\"AQ==\"", o));
    struct http_conn *c = begin(body.data);
    text_free(&body);
    fiber_sleep_us(US_PER_MS);
    assert_true(http_conn_working(c));
    (void)result("gpu.unload", "{}");
    json_t *v = end(c, &status);
    assert_non_null(
        strstr(text_at(json_object_get(v, "error"), "message"), "was unloaded or reset"));
    json_decref(v);
    close_it();
    stops();
}

/* Who asked goes in the middle, with his connection or his session: so does the call. */
static void gone_body(void *arg)
{
    struct text_buf body = {0};
    int status;
    (void)arg;
    until(GSP_READY);
    for (unsigned closes = 0; closes < 2; closes++) {
        open_one("{}");
        const unsigned o = make(",\"bytes\":67108864");
        text_free(&body);
        text_printf(&body,
                    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"memory.fill\",\"params\":%s}",
                    with(",\"object\":%u,\"bytes\":67108864,\"pattern\":\"AQ==\"", o));
        struct http_conn *c = begin(body.data);
        fiber_sleep_us(US_PER_MS);
        assert_true(http_conn_working(c));
        if (closes != 0) {
            close_it();
            json_t *v = end(c, &status);
            assert_non_null(strstr(text_at(json_object_get(v, "error"), "message"),
                                   "who asked for it has gone"));
            json_decref(v);
            continue;
        }
        http_conn_free(c);
        const json_t *r =
            result("memory.read", with(",\"object\":%u,\"offset\":67108860,\"bytes\":3", o));
        assert_string_equal(text_at(r, "data"), "AAAA"); /* it has not come so far */
        r = result("memory.fill", with(",\"object\":%u,\"bytes\":65536,\"pattern\":\"AQ==\"", o));
        assert_true(is_true(r, "complete"));
        assert_int_equal(number_at(r, "bytes"), 65536);
        close_it();
    }
    text_free(&body);
    stops();
}

static void test_gone(void **state)
{
    (void)state;
    on_a_gpu(&strict, gone_body);
}

static void test_meanwhile(void **state)
{
    (void)state;
    on_a_gpu(&strict, meanwhile_body);
}

/* ---- two GPUs ---- */

static struct rig other;
static bool other_ended;

static void other_fiber(void *arg)
{
    gsp_run(arg, &stop);
    other_ended = true;
}

static void two_body(void *arg)
{
    char first[SESSION_ID_TEXT], second[SESSION_ID_TEXT];
    (void)arg;
    assert_non_null(fiber_spawn("gpu 1", other_fiber, other.gpu, FIBER_STACK_DEFAULT * 2));
    until(GSP_READY);
    while (rig_snapshot(&other).state != GSP_READY) {
        fiber_sleep_us(1000);
    }
    fails("session.open", "{}", RPC_INVALID_PARAMS, "this machine has 2 GPUs");
    open_one("{\"gpu\":0}");
    memcpy(first, session, sizeof(first));
    const unsigned a = make(",\"bytes\":4096,\"clear\":true");
    open_one("{\"gpu\":1}");
    memcpy(second, session, sizeof(second));
    const unsigned b = make(",\"bytes\":8192");
    assert_int_equal(a, b); /* the same number, another object */
    (void)result("memory.write", with(",\"object\":%u,\"data\":\"/w==\"", b));
    assert_int_equal(number_at(result("memory.stats", "{\"gpu\":0}"), "object_bytes"), 4096);
    assert_int_equal(number_at(result("memory.stats", "{\"gpu\":1}"), "object_bytes"), 8192);
    memcpy(session, first, sizeof(first));
    assert_string_equal(
        text_at(result("memory.read", with(",\"object\":%u,\"bytes\":1", a)), "data"), "AA==");
    (void)result("gpu.reset", "{\"gpu\":1}");
    assert_string_equal(
        text_at(result("memory.read", with(",\"object\":%u,\"bytes\":1", a)), "data"), "AA==");
    close_it();
    memcpy(session, second, sizeof(second));
    fails("memory.read", with(",\"object\":%u,\"bytes\":1", b), RPC_FAILED,
          "was unloaded or reset");
    close_it();
    stops();
    while (!other_ended) {
        fiber_sleep_us(1000);
    }
}

static void other_close(void)
{
    assert_null(model_first_violation(other.model));
    assert_true(rig_close(&other));
}

static void other_open(void)
{
    rig_open(&other,
             &(struct rig_options){.chip = "gh100", .strict = MODEL_STRICT, .beside = true});
    other_ended = false;
    ctx.gpus[1] = (struct api_gpu){.gpu = other.gpu, .pci = other.dev};
    ctx.gpu_count = 2;
}

static void test_two(void **state)
{
    (void)state;
    beside_open = other_open;
    beside_close = other_close;
    on_a_gpu(&strict, two_body);
    beside_open = beside_close = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),  cmocka_unit_test(test_mapping),
        cmocka_unit_test(test_dump),      cmocka_unit_test(test_faults),
        cmocka_unit_test(test_meanwhile), cmocka_unit_test(test_gone),
        cmocka_unit_test(test_two),
    };
    api_init(&ctx);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
