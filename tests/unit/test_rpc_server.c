/* SPDX-License-Identifier: MIT */
/* JSON-RPC without a GPU: the specification's own examples, errors, batches, parameters, access. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/fiber.h"
#include "arch/log.h"
#include "mm/ram.h"
#include "net/api/access.h"
#include "net/api/rpc/rpc.h"
#include "net/http/json_in.h"

#define TOKEN "0123456789abcdef0123456789abcdef"

static struct api_context ctx = {
    .version = "test",
    .config = "hostname = bench\n",
    .access = {.token = TOKEN, .hostname = "bench", .hosts = "gpu.lab x"}};
static struct pci_dev dev[2];
static char *answer; /* of the last request, head and body */

static bool answered(void *c)
{
    size_t n;
    http_collect();
    return http_conn_output(c, &n) != NULL;
}

/* Sends a request and waits for all of its answer, in virtual time. */
static const char *send_raw(const char *head, const char *body)
{
    struct http_conn *c = http_conn_new();
    struct text_buf out = {0}, in = {0};
    size_t n;
    const void *p;
    text_printf(&in, "%sContent-Length: %zu\r\n\r\n%s", head, strlen(body), body);
    for (size_t at = 0; at < in.len && !http_conn_closing(c);) {
        at += http_conn_input(c, in.data + at, in.len - at);
    }
    if (!answered(c)) {
        fiber_run(answered, c);
    }
    while ((p = http_conn_output(c, &n)) != NULL) {
        text_append(&out, p, n);
        http_conn_sent(c, n);
    }
    http_conn_free(c);
    text_free(&in);
    free(answer);
    answer = out.data;
    return answer;
}

#define HEAD "POST /rpc HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
#define AUTH "Authorization: Bearer " TOKEN "\r\n"

static const char *body_of(const char *text)
{
    const char *at = strstr(text, "\r\n\r\n");
    assert_non_null(at);
    return at + 4;
}

static const char *rpc(const char *body) { return body_of(send_raw(HEAD, body)); }

static void says(const char *request, const char *want)
{
    const char *got = rpc(request);
    if (strcmp(got, want) != 0) {
        fail_msg("request %s\n  answer %s\n  wanted %s", request, got, want);
    }
}

static void holds(const char *request, const char *part)
{
    const char *got = rpc(request);
    if (strstr(got, part) == NULL) {
        fail_msg("request %s\n  answer %s\n  wanted in it %s", request, got, part);
    }
}

/* --- the specification's section 7, with a method of ours in the place of its "subtract"
 * ---------- */

#define LISTED "{\"jsonrpc\":\"2.0\",\"result\":[],\"id\":"

static void examples(void **state)
{
    (void)state;
    says("{\"jsonrpc\": \"2.0\", \"method\": \"gpu.list\", \"params\": [], \"id\": 1}",
         LISTED "1}\n");
    says("{\"jsonrpc\": \"2.0\", \"method\": \"gpu.list\", \"params\": {}, \"id\": \"x\"}",
         LISTED "\"x\"}\n");
    /* notifications */
    assert_non_null(strstr(send_raw(HEAD, "{\"jsonrpc\": \"2.0\", \"method\": \"gpu.list\", "
                                          "\"params\": []}"),
                           "HTTP/1.1 204 No Content\r\n"));
    assert_string_equal(body_of(answer), "");
    assert_string_equal(rpc("{\"jsonrpc\": \"2.0\", \"method\": \"foobar\"}"), "");
    /* a method that is not there */
    holds("{\"jsonrpc\": \"2.0\", \"method\": \"foobar\", \"id\": \"1\"}",
          "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32601,\"message\":");
    holds("{\"jsonrpc\": \"2.0\", \"method\": \"foobar\", \"id\": \"1\"}", "\"id\":\"1\"}");
    /* invalid JSON */
    holds("{\"jsonrpc\": \"2.0\", \"method\": \"foobar, \"params\": \"bar\", \"baz]",
          "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":");
    holds("{\"jsonrpc\": \"2.0\", \"method\": \"foobar, \"params\": \"bar\", \"baz]",
          "\"id\":null}");
    /* an invalid request object */
    holds("{\"jsonrpc\": \"2.0\", \"method\": 1, \"params\": \"bar\"}", "\"code\":-32600");
    holds("{\"jsonrpc\": \"2.0\", \"method\": 1, \"params\": \"bar\"}", "\"id\":null}");
    /* batches */
    holds("[{\"jsonrpc\": \"2.0\", \"method\": \"gpu.list\", \"id\": \"1\"},"
          "{\"jsonrpc\": \"2.0\", \"method\"]",
          "\"code\":-32700");
    const char *empty = rpc("[]");
    assert_int_equal(empty[0], '{');
    assert_non_null(strstr(empty, "\"code\":-32600"));
    holds("[1]", "[{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,");
    const char *three = rpc("[1,2,3]");
    unsigned errors = 0;
    for (const char *p = three; (p = strstr(p, "-32600")) != NULL; p++) {
        errors++;
    }
    assert_int_equal(errors, 3);
    const char *mixed =
        rpc("[{\"jsonrpc\": \"2.0\", \"method\": \"gpu.list\", \"params\": [], \"id\": \"1\"},"
            "{\"jsonrpc\": \"2.0\", \"method\": \"gpu.list\", \"params\": []},"
            "{\"jsonrpc\": \"2.0\", \"method\": \"gpu.list\", \"id\": \"2\"},"
            "{\"foo\": \"boo\"},"
            "{\"jsonrpc\": \"2.0\", \"method\": \"foo.get\", \"params\": {\"name\": \"myself\"}, "
            "\"id\": \"5\"},"
            "{\"jsonrpc\": \"2.0\", \"method\": \"config.get\", \"id\": \"9\"}]");
    json_t *v = json_loads(mixed, 0, NULL);
    assert_non_null(v);
    assert_int_equal(json_array_size(v), 5);
    static const char *const ids[] = {"1", "2", NULL, "5", "9"};
    for (size_t i = 0; i < 5; i++) {
        const json_t *id = json_object_get(json_array_get(v, i), "id");
        assert_true(ids[i] != NULL ? strcmp(json_string_value(id), ids[i]) == 0 : json_is_null(id));
    }
    json_decref(v);
    assert_string_equal(rpc("[{\"jsonrpc\": \"2.0\", \"method\": \"gpu.list\"},"
                            "{\"jsonrpc\": \"2.0\", \"method\": \"gpu.list\"}]"),
                        "");
    assert_non_null(strstr(answer, "204 No Content"));
}

static void requests(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "{\"method\":\"gpu.list\",\"id\":1}",
        "{\"jsonrpc\":2.0,\"method\":\"gpu.list\",\"id\":1}",
        "{\"jsonrpc\":\"1.0\",\"method\":\"gpu.list\",\"id\":1}",
        "{\"jsonrpc\":\"2.0\",\"id\":1}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"gpu.list\",\"params\":1,\"id\":1}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"gpu.list\",\"params\":null,\"id\":1}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"gpu.list\",\"id\":[]}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"gpu.list\",\"id\":1.5}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"gpu.list\",\"id\":true}",
        "\"text\"",
        "1",
        "null"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        holds(wrong[i], "\"code\":-32600");
    }
    says("{\"jsonrpc\":\"2.0\",\"method\":\"gpu.list\",\"id\":null}", LISTED "null}\n");
    says("{\"jsonrpc\":\"2.0\",\"method\":\"gpu.list\",\"id\":-9223372036854775808}",
         LISTED "-9223372036854775808}\n");
    says("{\"jsonrpc\":\"2.0\",\"method\":\"gpu.list\",\"id\":\"\\u00e4\\\"\"}",
         LISTED "\"\xc3\xa4\\\"\"}\n");
    /* what two readers could read differently is not read at all */
    holds("{\"jsonrpc\":\"2.0\",\"method\":\"gpu.list\",\"method\":\"gpu.boot\",\"id\":1}",
          "\"code\":-32700");
    holds("", "\"code\":-32700");
    struct text_buf b = {0};
    for (size_t i = 0; i < 40; i++) {
        text_append(&b, "[", 1);
    }
    holds(b.data, "\"code\":-32700");
    text_free(&b);
    for (unsigned n = RPC_BATCH_MAX; n <= RPC_BATCH_MAX + 1; n++) {
        text_append(&b, "[", 1);
        for (unsigned i = 0; i < n; i++) {
            text_printf(&b, "%s{\"jsonrpc\":\"2.0\",\"method\":\"gpu.list\",\"id\":%u}",
                        i > 0 ? "," : "", i);
        }
        text_append(&b, "]", 1);
        holds(b.data, n == RPC_BATCH_MAX ? "\"id\":63}]" : "\"code\":-32600");
        text_free(&b);
    }
    assert_int_equal(json_in_memory(), 0); /* all of it went back */
}

/* --- parameters
 * ------------------------------------------------------------------------------------ */

static void refused(const char *params, const char *why)
{
    char text[400];
    snprintf(text, sizeof(text),
             "{\"jsonrpc\":\"2.0\",\"method\":\"pci.config.read\",\"params\":%s,\"id\":1}", params);
    const char *got = rpc(text);
    if (strstr(got, "\"code\":-32602") == NULL || strstr(got, why) == NULL) {
        fail_msg("%s\n  answer %s\n  wanted %s", params, got, why);
    }
}

static void one_gpu(void)
{
    ctx.gpu_count = 1;
    ctx.gpus[0].pci = &dev[0];
    (void)FL_FAIL(&ctx.gpus[0].fail, FL_EIO, "BAR0", "reads as all ones");
}

static void parameters(void **state)
{
    (void)state;
    refused("{\"offset\":0}", "this machine has 0 GPUs");
    ctx.gpu_count = 2;
    refused("{\"offset\":0}", "this machine has 2 GPUs; say which");
    refused("{\"gpu\":2,\"offset\":0}", "gpu: there is none");
    refused("{\"gpu\":\"GPU-1\",\"offset\":0}", "gpu: there is none");
    refused("{\"gpu\":[],\"offset\":0}", "gpu: there is none");
    one_gpu();
    refused("{}", "offset is missing: bytes from the start");
    refused("[0]", "offset is missing");
    refused("{\"offset\":null}", "offset is missing");
    refused("{\"offset\":-1}", "offset: expected a number");
    refused("{\"offset\":\"0x\"}", "offset: expected a number");
    refused("{\"offset\":\"12z\"}", "offset: expected a number");
    refused("{\"offset\":\" 1\"}", "offset: expected a number");
    refused("{\"offset\":\"99999999999999999999\"}", "offset: expected a number");
    refused("{\"offset\":true}", "offset: expected a number");
    refused("{\"offset\":4096}", "offset: 4096 is more than 4095");
    refused("{\"offset\":0,\"colour\":1}", "has no parameter 'colour'");
    refused("[0,0,4,1,9]", "takes at most 4 parameters");
    refused("{\"offset\":1}", "width: 1, 2 or 4, and a divisor");
    refused("{\"offset\":0,\"width\":3}", "width: 1, 2 or 4");
    refused("{\"offset\":4092,\"count\":2}", "ends at 0x1000");
    refused("{\"offset\":0,\"count\":0}", "ends at 0x1000");
    holds("{\"jsonrpc\":\"2.0\",\"method\":\"logs.read\",\"params\":{\"log\":\"x\"},\"id\":1}",
          "reads as all ones"); /* of a GPU that could not be created: why */
    holds("{\"jsonrpc\":\"2.0\",\"method\":\"gpu.status\",\"params\":[0],\"id\":1}",
          "\"state\":\"failed\"");
    holds("{\"jsonrpc\":\"2.0\",\"method\":\"gpu.status\",\"params\":[\"0000:00:00.0\"],\"id\":1}",
          "\"index\":0");
    holds("{\"jsonrpc\":\"2.0\",\"method\":\"gpu.status\",\"params\":[\"00:00.0\"],\"id\":1}",
          "\"index\":0");
    holds("{\"jsonrpc\":\"2.0\",\"method\":\"gpu.status\",\"params\":[\"0x0\"],\"id\":1}",
          "\"index\":0");
    ctx.gpu_count = 0;
}

/* --- access
 * ----------------------------------------------------------------------------------------- */

#define BOOT "{\"jsonrpc\":\"2.0\",\"method\":\"appliance.power\",\"params\":[\"x\"],\"id\":1}"
#define LIST "{\"jsonrpc\":\"2.0\",\"method\":\"gpu.list\",\"id\":1}"

static void is_status(const char *head, const char *body, int status)
{
    const char *got = send_raw(head, body);
    if (atoi(got + strlen("HTTP/1.1 ")) != status) {
        fail_msg("%s%s\n  answer %s\n  wanted %d", head, body, got, status);
    }
}

static void tokens(void **state)
{
    (void)state;
    struct access_stats before, after;
    access_get_stats(&before);
    is_status(HEAD, BOOT, 401);
    assert_non_null(strstr(answer, "WWW-Authenticate: Bearer"));
    assert_non_null(strstr(answer, "\"code\":-32001"));
    is_status(HEAD AUTH, BOOT, 200);
    assert_non_null(strstr(answer, "\"code\":-32602")); /* let in, and nonsense */
    is_status(HEAD, "[" LIST "," BOOT "]", 200);
    assert_non_null(strstr(answer, "\"code\":-32001"));
    is_status(HEAD, "{\"jsonrpc\":\"2.0\",\"method\":\"appliance.power\",\"params\":[\"off\"]}",
              204); /* a notification, and nothing was done */
    /* a wrong token is answered late, and never let in */
    static const char *const wrong[] = {
        "Authorization: Bearer 0123456789abcdef0123456789abcdee\r\n",
        "Authorization: Bearer 0123456789abcdef0123456789abcde\r\n",
        "Authorization: Bearer " TOKEN "0\r\n",
        "Authorization: Bearer\r\n",
        "Authorization: Basic " TOKEN "\r\n",
        "Authorization: " TOKEN "\r\n"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        char head[400];
        const uint64_t begin = clock_now_us();
        snprintf(head, sizeof(head), "%s%s", HEAD, wrong[i]);
        is_status(head, LIST, 401);
        assert_true(clock_now_us() - begin >= ACCESS_GUESS_GAP_US);
    }
    is_status(HEAD "authorization: bearer   " TOKEN " \r\n", BOOT, 200);
    access_get_stats(&after);
    assert_int_equal(after.wrong_tokens, before.wrong_tokens + ARRAY_SIZE(wrong));
    /* no message has it, and the log that the API serves has no line with it */
    log_local("test", "token: %s", TOKEN);
    log_info("test", "a line for all");
    const char *log = send_raw("GET /api/v1/log HTTP/1.1\r\nHost: bench\r\n", "");
    assert_non_null(strstr(log, "a line for all"));
    assert_null(strstr(log, TOKEN));
    assert_null(strstr(rpc("{\"jsonrpc\":\"2.0\",\"method\":\"config.get\",\"id\":1}"), TOKEN));
}

/* Nobody has a token: nobody is let in, with an empty one neither. */
static void no_token(void **state)
{
    (void)state;
    ctx.access.token = "";
    is_status(HEAD, BOOT, 401);
    is_status(HEAD "Authorization: Bearer \r\n", BOOT, 401);
    is_status(HEAD "Authorization: Bearer x\r\n", BOOT, 401);
    ctx.access.token = NULL;
    is_status(HEAD "Authorization: Bearer x\r\n", BOOT, 401);
    ctx.access.token = TOKEN;
}

static void many_guess(void **state)
{
    (void)state;
    struct http_conn *c[ACCESS_GUESSES_MAX + 1];
    static const char request[] =
        "GET /healthz HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer x\r\n\r\n";
    size_t n;
    for (size_t i = 0; i <= ACCESS_GUESSES_MAX; i++) {
        c[i] = http_conn_new();
        (void)http_conn_input(c[i], request, strlen(request));
        assert_true((http_conn_output(c[i], &n) == NULL) == (i < ACCESS_GUESSES_MAX));
    }
    assert_non_null(strstr(http_conn_output(c[ACCESS_GUESSES_MAX], &n), "HTTP/1.1 429"));
    assert_true(http_conn_closing(c[ACCESS_GUESSES_MAX]));
    http_conn_free(c[3]); /* one loses patience */
    const uint64_t begin = clock_now_us();
    fiber_run(answered, c[ACCESS_GUESSES_MAX - 1]);
    assert_true(clock_now_us() - begin >= ACCESS_GUESSES_MAX * ACCESS_GUESS_GAP_US);
    for (size_t i = 0; i <= ACCESS_GUESSES_MAX; i++) {
        if (i != 3) {
            http_conn_free(c[i]);
        }
    }
    is_status("GET /healthz HTTP/1.1\r\nHost: bench\r\n", "", 200);
}

static void readers(void **state)
{
    (void)state;
    ctx.access.read_token = true;
    is_status("GET /api/v1/status HTTP/1.1\r\nHost: bench\r\n", "", 401);
    is_status("GET /metrics HTTP/1.1\r\nHost: bench\r\n", "", 401);
    is_status("GET /nothing HTTP/1.1\r\nHost: bench\r\n", "", 401);
    is_status("GET /healthz HTTP/1.1\r\nHost: bench\r\n", "", 200);
    is_status("GET / HTTP/1.1\r\nHost: bench\r\n", "", 200);
    is_status(HEAD, LIST, 401);
    is_status("GET /metrics HTTP/1.1\r\nHost: bench\r\n" AUTH, "", 200);
    is_status(HEAD AUTH, LIST, 200);
    ctx.access.read_token = false;
    is_status("GET /metrics HTTP/1.1\r\nHost: bench\r\n", "", 200);
}

static void names(void **state)
{
    (void)state;
    static const char *const ours[] = {"bench",       "BENCH:80",     "bench.local", "bench.",
                                       "localhost",   "127.0.0.1:80", "10.0.2.15",   "[::1]",
                                       "[fe80::1]:8", "gpu.lab",      "x",           ""};
    static const char *const others[] = {"evil.example", "bench.evil.example",
                                         "benc",         "bench.loca",
                                         "1.2.3.4.evil", "xx",
                                         "gpu",          "[evil]",
                                         "lab",          "evil.example:80",
                                         "[]",           "localhost.evil"};
    char head[200];
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++) {
        snprintf(head, sizeof(head), "GET /healthz HTTP/1.1\r\nHost: %s\r\n", ours[i]);
        is_status(head, "", 200);
    }
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        snprintf(head, sizeof(head), "GET /healthz HTTP/1.1\r\nHost: %s\r\n", others[i]);
        is_status(head, "", 421);
        snprintf(head, sizeof(head), "GET http://%s/healthz HTTP/1.1\r\nHost: bench\r\n",
                 others[i]);
        is_status(head, "", 421);
    }
    ctx.access.hostname = NULL;
    is_status("GET /healthz HTTP/1.1\r\nHost: bench\r\n", "", 421);
    is_status("GET /healthz HTTP/1.1\r\nHost: 10.0.2.15\r\n", "", 200);
    ctx.access.hostname = "bench";
}

/* A page of another site, and a form that any page can send. */
static void other_sites(void **state)
{
    (void)state;
    is_status(HEAD "Origin: http://bench\r\n", LIST, 200);
    is_status(HEAD "Origin: https://bench\r\n", LIST, 200);
    is_status(HEAD "Origin: http://evil.example\r\n", LIST, 403);
    is_status(HEAD "Origin: http://bench:81\r\n", LIST, 403);
    is_status(HEAD "Origin: null\r\n", LIST, 403);
    is_status("POST /rpc HTTP/1.1\r\nHost: bench\r\n", LIST, 415);
    is_status("POST /rpc HTTP/1.1\r\nHost: bench\r\nContent-Type: text/plain\r\n", LIST, 415);
    is_status("POST /rpc HTTP/1.1\r\nHost: bench\r\nContent-Type: application/jsonx\r\n", LIST,
              415);
    is_status("POST /rpc HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json; "
              "charset=utf-8\r\n",
              LIST, 200);
    is_status("GET /rpc HTTP/1.1\r\nHost: bench\r\n", "", 405);
}

/* Each method is described, and nothing else is. */
static void description(void **state)
{
    (void)state;
    json_t *v =
        json_loads(rpc("{\"jsonrpc\":\"2.0\",\"method\":\"rpc.discover\",\"id\":1}"), 0, NULL);
    const json_t *doc = json_object_get(v, "result");
    const json_t *methods = json_object_get(doc, "methods");
    assert_string_equal(json_string_value(json_object_get(doc, "openrpc")), "1.3.2");
    size_t n = 0;
    while (rpc_method_at(n) != NULL) {
        const struct rpc_method *m = rpc_method_at(n);
        const json_t *d = json_array_get(methods, n++);
        assert_string_equal(json_string_value(json_object_get(d, "name")), m->name);
        assert_non_null(json_object_get(json_object_get(d, "result"), "schema"));
        size_t params = 0;
        while (m->params != NULL && m->params[params].name != NULL) {
            params++;
        }
        assert_true(params < RPC_PARAMS_MAX);
        assert_int_equal(json_array_size(json_object_get(d, "params")), params);
        assert_ptr_equal(rpc_method_find(m->name), m); /* no name twice */
    }
    assert_int_equal(json_array_size(methods), n);
    json_decref(v);
}

static int group_setup(void **state)
{
    struct fl_fail fail;
    (void)state;
    assert_int_equal(ram_init(&fail), FL_OK);
    api_init(&ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),    cmocka_unit_test(requests), cmocka_unit_test(parameters),
        cmocka_unit_test(tokens),      cmocka_unit_test(no_token), cmocka_unit_test(many_guess),
        cmocka_unit_test(readers),     cmocka_unit_test(names),    cmocka_unit_test(other_sites),
        cmocka_unit_test(description),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
