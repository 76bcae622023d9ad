/* SPDX-License-Identifier: MIT */
/* Queued bind jobs and fences over HTTP, for the tests of them. */
#pragma once

#include "gsp/gpu.h"
#include "mm/gpu/jobs.h"
#include "tests/unit/rpc_lab.h"

static const struct rig_options strict = {.strict = MODEL_STRICT};

#define VA UINT64_C(0x200000)

static unsigned o, vm; /* what a test works with: an object of 16 pages, and a space */

static inline uint64_t hex_at(const json_t *v, const char *key)
{
    return strtoull(text_at(v, key), NULL, 16);
}

/* A session with an object of 16 pages, each with its number in it, and a space in which the first
 * page is mapped at VA. */
static inline void prepare(const char *kind)
{
    open_one("{}");
    o = make(",\"bytes\":65536,\"clear\":true");
    vm = (unsigned)number_at(result("vm.create", with_session(kind)), "vm");
    for (unsigned i = 0; i < 16; i++) {
        (void)result("memory.fill",
                     with(",\"object\":%u,\"offset\":%u,\"bytes\":4096,\"pattern\":\"%cA==\"", o,
                          i * 4096, (int)('A' + i)));
    }
}

static inline unsigned fence(void)
{
    return (unsigned)number_at(result("vm.fence.create", with_session("")), "fence");
}

static inline void is_true(const char *method, const char *params, const char *key)
{
    const json_t *v = json_object_get(result(method, params), key);
    assert_true(json_is_true(v));
}

static inline void signal_it(unsigned f)
{
    is_true("vm.fence.signal", with(",\"fence\":%u", f), "signalled");
}

/* Queues a map of page `page` of the object at va, after a fence (0: none). */
static inline unsigned queue(uint64_t va, unsigned page, unsigned after)
{
    char list[40] = "";
    if (after != 0) {
        snprintf(list, sizeof(list), ",\"after\":[%u]", after);
    }
    const json_t *r =
        result("vm.map", with(",\"vm\":%u,\"object\":%u,\"bytes\":4096,\"offset\":%u,\"va\":%llu,"
                              "\"queued\":true%s",
                              vm, o, page * 4096, (unsigned long long)va, list));
    assert_int_equal(hex_at(r, "va"), va);
    assert_int_equal(number_at(r, "fence"), number_at(r, "job"));
    return (unsigned)number_at(r, "job");
}

static inline unsigned queue_unmap(uint64_t va, unsigned after)
{
    return (unsigned)number_at(
        result("vm.unmap", with(",\"vm\":%u,\"va\":%llu,\"bytes\":4096,\"queued\":true,"
                                "\"after\":[%u]",
                                vm, (unsigned long long)va, after)),
        "job");
}

static inline void comes(unsigned f) { (void)result("vm.fence.wait", with(",\"fence\":%u", f)); }

/* Which page of the object va leads to, by what the tables in video memory say; -1: none. */
static inline int page_at(uint64_t va)
{
    const json_t *w = result("vm.walk", with(",\"vm\":%u,\"va\":%llu", vm, (unsigned long long)va));
    assert_true(json_is_true(json_object_get(w, "shadow_agrees")));
    if (strcmp(text_at(w, "end"), "mapped") != 0) {
        return -1;
    }
    const char *data = text_at(result("memory.read", with(",\"vm\":%u,\"va\":%llu,\"bytes\":1", vm,
                                                          (unsigned long long)va)),
                               "data");
    return (data[0] - 'A');
}

/* The job as vm.jobs has it; valid until the next call. */
static inline const json_t *job(unsigned number)
{
    const json_t *list = json_object_get(result("vm.jobs", with(",\"vm\":%u", vm)), "queue");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *j = json_array_get(list, i);
        if (number_at(j, "job") == number) {
            return j;
        }
    }
    return NULL;
}

static inline void is_in(unsigned number, const char *state)
{
    const json_t *j = job(number);
    assert_non_null(j);
    assert_string_equal(text_at(j, "state"), state);
}

static inline uint64_t step_of(const json_t *j, const char *kind)
{
    return number_at(json_object_get(j, "steps"), kind);
}

static inline struct http_conn *begin_call(const char *method, const char *params)
{
    struct text_buf body = {0};
    text_printf(&body, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", method,
                params);
    struct http_conn *c = begin(body.data);
    text_free(&body);
    return c;
}

static inline void ends_with(struct http_conn *c, const char *words)
{
    int status;
    json_t *v = end(c, &status);
    const json_t *e = json_object_get(v, "error");
    if (words == NULL) {
        assert_null(e);
    } else {
        assert_non_null(e);
        if (strstr(text_at(e, "message"), words) == NULL) {
            fail_msg("%s; expected %s", text_at(e, "message"), words);
        }
    }
    json_decref(v);
}
