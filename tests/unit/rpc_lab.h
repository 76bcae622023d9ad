/* SPDX-License-Identifier: MIT */
/*
 * The API over the HTTP engine with a GPU that boots beside it: calls, their answers and failures,
 * a session. One such GPU, or several, per program.
 */
#pragma once

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "arch/fiber.h"
#include "arch/host/host.h"
#include "arch/lockorder.h"
#include "mm/heap.h"
#include "net/api/access.h"
#include "net/api/rpc/rpc.h"
#include "net/api/rpc/session.h"
#include "net/http/json_in.h"
#include "tests/unit/rig_assert.h"

#define TOKEN "0123456789abcdef0123456789abcdef"

static struct api_context ctx = {.version = "test", .access = {.token = TOKEN}};
static volatile bool stop;
static bool ended;
static json_t *last; /* the last answer, parsed */
/* A rule of the model that a test breaks on purpose, before all others; NULL: none is broken. */
static const char *broken_rule;
/* What another bench needs that stands beside it; NULL: there is none. */
static void (*beside_open)(void), (*beside_close)(void);

/* --- a client
 * --------------------------------------------------------------------------------------- */

/* A request with the token; headers: further lines, each with its CRLF. */
static inline struct http_conn *begin_request(const char *line, const char *headers,
                                              const char *body, size_t len)
{
    struct http_conn *c = http_conn_new();
    struct text_buf in = {0};
    text_printf(&in,
                "%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " TOKEN
                "\r\n%sContent-Length: %zu\r\n\r\n",
                line, headers, len);
    text_append(&in, body, len);
    for (size_t at = 0; at < in.len;) {
        at += http_conn_input(c, in.data + at, in.len - at);
    }
    text_free(&in);
    return c;
}

static inline struct http_conn *begin(const char *body)
{
    return begin_request("POST /rpc", "Content-Type: application/json\r\n", body, strlen(body));
}

/* The answer, waited for; its status goes to *status. */
static inline json_t *end(struct http_conn *c, int *status)
{
    struct text_buf out = {0};
    size_t n;
    const void *p;
    while (http_conn_output(c, &n) == NULL) {
        fiber_sleep_us(100);
        http_collect();
    }
    while ((p = http_conn_output(c, &n)) != NULL) {
        text_append(&out, p, n);
        http_conn_sent(c, n);
    }
    http_conn_free(c);
    *status = atoi(out.data + strlen("HTTP/1.1 "));
    json_t *v = json_loads(strstr(out.data, "\r\n\r\n") + 4, 0, NULL);
    text_free(&out);
    assert_non_null(v);
    return v;
}

static inline const json_t *answer(const char *method, const char *params, const char *member)
{
    struct text_buf body = {0};
    int status;
    text_printf(&body, "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":%s,\"id\":7}", method,
                params);
    json_decref(last);
    last = end(begin(body.data), &status);
    text_free(&body);
    const json_t *v = json_object_get(last, member);
    if (v == NULL) {
        fail_msg("%s %s has no %s: %s", method, params, member,
                 json_string_value(json_object_get(json_object_get(last, "error"), "message")));
    }
    return v;
}

static inline const json_t *result(const char *method, const char *params)
{
    return answer(method, params, "result");
}

static inline const char *text_at(const json_t *v, const char *key)
{
    const char *text = json_string_value(json_object_get(v, key));
    assert_non_null(text);
    return text;
}

/* It fails with this code; its message holds the words. */
static inline const json_t *fails(const char *method, const char *params, int code,
                                  const char *words)
{
    const json_t *e = answer(method, params, "error");
    const char *message = text_at(e, "message");
    if (json_integer_value(json_object_get(e, "code")) != code || strstr(message, words) == NULL) {
        fail_msg("%s %s: %lld %s; expected %d, %s", method, params,
                 json_integer_value(json_object_get(e, "code")), message, code, words);
    }
    return json_object_get(e, "data");
}

/* --- a GPU
 * -------------------------------------------------------------------------------------------- */

static inline void gpu_fiber(void *arg)
{
    gsp_run(arg, &stop);
    ended = true;
}

static inline enum gsp_state state_now(void) { return rig_snapshot(&rig).state; }

static inline void on_a_gpu(const struct rig_options *opt, void (*body)(void *arg))
{
    rig_open(&rig, opt);
    if (opt->faults !=
        NULL) { /* what goes wrong is to be seen, and not mended by another attempt */
        rig.gsp_options.attempts = 1;
        rig_new_gpu(&rig);
    }
    stop = ended = false;
    ctx.gpu_count = 1;
    ctx.gpus[0] = (struct api_gpu){.gpu = rig.gpu, .pci = rig.dev};
    if (beside_open != NULL) {
        beside_open();
    }
    assert_non_null(fiber_spawn("gpu", gpu_fiber, rig.gpu, FIBER_STACK_DEFAULT * 2));
    rig_run(body, NULL);
    json_decref(last);
    last = NULL;
    assert_int_equal(session_count(), 0);
    assert_int_equal(json_in_memory(), 0);
    assert_int_equal(lockorder_inversions(), 0);
    if (broken_rule == NULL) {
        no_violation();
    } else {
        assert_non_null(model_first_violation(rig.model));
        assert_string_equal(model_first_violation(rig.model)->rule, broken_rule);
    }
    ctx.gpu_count = 0;
    if (beside_close != NULL) {
        beside_close();
    }
    assert_true(rig_close(&rig));
    assert_int_equal(heap_live(), 0);
}

static inline void until(enum gsp_state s)
{
    const uint64_t begin_us = clock_now_us();
    while (state_now() != s) {
        fiber_sleep_us(1000);
        assert_true(clock_now_us() - begin_us < 600 * US_PER_S);
    }
}

static inline void stops(void)
{
    stop = true;
    while (!ended) {
        fiber_sleep_us(1000);
    }
}

/* --- a session
 * ---------------------------------------------------------------------------------------- */

static char session[SESSION_ID_TEXT];

/* The parameters of a call in the session; valid until the next. */
static inline const char *with_session(const char *rest)
{
    static struct text_buf text;
    text_free(&text);
    text_printf(&text, "{\"session\":\"%s\"%s}", session, rest);
    return text.data;
}

static inline void open_one(const char *params)
{
    snprintf(session, sizeof(session), "%s", text_at(result("session.open", params), "session"));
}

/* Parameters of a call in the session, put together. */
static inline const char *with(const char *fmt, ...) FL_PRINTF(1, 2);
static inline const char *with(const char *fmt, ...)
{
    static char rest[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(rest, sizeof(rest), fmt, ap);
    va_end(ap);
    return with_session(rest);
}

static inline uint64_t number_at(const json_t *v, const char *key)
{
    assert_true(json_is_integer(json_object_get(v, key)));
    return (uint64_t)json_integer_value(json_object_get(v, key));
}

/* An object. */
static inline unsigned make(const char *rest)
{
    return (unsigned)number_at(result("memory.alloc", with_session(rest)), "object");
}

static inline void close_it(void) { (void)result("session.close", with_session("")); }
