/* SPDX-License-Identifier: MIT */
/* The HTTP engine: llhttp's events become one request, a handler makes one response, repeat. */
#include <llhttp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/log.h"
#include "net/http/http_priv.h"

struct http_conn {
    llhttp_t parser;
    struct http_request req;
    struct text_buf body_in;
    size_t url_len;
    char url[HTTP_PATH_MAX];
    size_t head_bytes; /* taken since the last request, up to the piece that ended the headers */
    size_t rest_bytes; /* taken after that */
    int reject;        /* status to answer instead of calling a handler; 0 = none */
    bool headers_done, complete, closing, keep_alive;

    char head[512];
    size_t head_len, head_sent;
    bool head_overflow;
    struct http_response res;
    const char *payload; /* what follows the head */
    size_t payload_len, payload_sent;
};

static struct {
    const struct http_route *routes;
    struct http_stats stats;
    struct text_budget memory;
    struct log_limit log;
} http = {.memory = {.own_bytes = HTTP_MEMORY_OWN, .shared_bytes = HTTP_MEMORY_SHARED}};

struct http_stats *http_stats_mut(void) { return &http.stats; }

void http_set_routes(const struct http_route *routes) { http.routes = routes; }
struct text_budget *http_memory(void) { return &http.memory; }

void http_get_stats(struct http_stats *out)
{
    *out = http.stats;
    out->memory_used = http.memory.shared_used;
    out->memory_peak = http.memory.shared_peak;
}

void http_error(struct http_response *res, int status, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    text_free(&res->body);
    res->status = status;
    res->type = "application/json";
    res->static_body = NULL;
    struct json j;
    json_begin(&j, &res->body);
    json_object(&j, NULL);
    json_object(&j, "error");
    json_u64(&j, "status", (uint64_t)status);
    json_str(&j, "message", text);
    json_end_object(&j);
    json_end_object(&j);
    text_append(&res->body, "\n", 1);
}

static const char *reason(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 204:
        return "No Content";
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 413:
        return "Content Too Large";
    case 414:
        return "URI Too Long";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 503:
        return "Service Unavailable";
    default:
        return "Unknown";
    }
}

/* ---- llhttp's events ---- */

static struct http_conn *conn_of(llhttp_t *p) { return p->data; }

static int on_begin(llhttp_t *p)
{
    struct http_conn *c = conn_of(p);
    c->url_len = 0;
    c->reject = 0;
    c->body_in.len = 0;
    return 0;
}

static int on_url(llhttp_t *p, const char *at, size_t len)
{
    struct http_conn *c = conn_of(p);
    if (len >= sizeof(c->url) - c->url_len) {
        c->reject = 414;
        return 0;
    }
    memcpy(c->url + c->url_len, at, len);
    c->url_len += len;
    return 0;
}

static int on_headers_complete(llhttp_t *p)
{
    conn_of(p)->headers_done = true;
    p->upgrade = 0; /* we speak HTTP/1.1 only: an offer to upgrade is ignored, as it may be */
    return 0;
}

static int on_body(llhttp_t *p, const char *at, size_t len)
{
    struct http_conn *c = conn_of(p);
    if (len > HTTP_BODY_MAX - c->body_in.len) {
        c->reject = 413;
        return HPE_USER;
    }
    text_append(&c->body_in, at, len);
    return 0;
}

static int on_complete(llhttp_t *p)
{
    conn_of(p)->complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t *settings(void)
{
    static llhttp_settings_t s;
    static bool ready;
    if (!ready) {
        llhttp_settings_init(&s);
        s.on_message_begin = on_begin;
        s.on_url = on_url;
        s.on_headers_complete = on_headers_complete;
        s.on_body = on_body;
        s.on_message_complete = on_complete;
        ready = true;
    }
    return &s;
}

struct http_conn *http_conn_new(void)
{
    struct http_conn *c = calloc(1, sizeof(*c));
    if (c != NULL) {
        llhttp_init(&c->parser, HTTP_REQUEST, settings());
        c->parser.data = c;
        c->body_in.budget = c->res.body.budget = &http.memory;
    }
    return c;
}

void http_conn_free(struct http_conn *c)
{
    if (c != NULL) {
        text_free(&c->body_in);
        text_free(&c->res.body);
        free(c);
    }
}

/* ---- request to response ---- */

static enum http_method method_of(const llhttp_t *p)
{
    switch (p->method) {
    case HTTP_GET:
        return HTTP_METHOD_GET;
    case HTTP_HEAD:
        return HTTP_METHOD_HEAD;
    case HTTP_POST:
        return HTTP_METHOD_POST;
    default:
        return HTTP_METHOD_OTHER;
    }
}

static bool route_matches(const struct http_route *r, const char *path)
{
    size_t n = strlen(r->path);
    if (n > 0 && r->path[n - 1] == '*') {
        return strncmp(r->path, path, n - 1) == 0;
    }
    return strcmp(r->path, path) == 0;
}

static void route(struct http_conn *c)
{
    unsigned allowed = 0;
    unsigned want = c->req.method == HTTP_METHOD_HEAD ? HTTP_METHOD_GET : c->req.method;
    for (const struct http_route *r = http.routes; r != NULL && r->path != NULL; r++) {
        if (!route_matches(r, c->req.path)) {
            continue;
        }
        allowed |= r->methods;
        if ((r->methods & want) != 0) {
            r->handler(&c->req, &c->res);
            return;
        }
    }
    if (allowed != 0) {
        http_error(&c->res, 405, "%s does not take this method", c->req.path);
        c->res.extra = (allowed & HTTP_METHOD_POST) != 0
                           ? ((allowed & HTTP_METHOD_GET) != 0 ? "Allow: GET, HEAD, POST\r\n"
                                                               : "Allow: POST\r\n")
                           : "Allow: GET, HEAD\r\n";
    } else {
        http_error(&c->res, 404, "nothing is at %s; /api/v1 lists what there is", c->req.path);
    }
}

/* The head by hand: printf is the dearest part of a small answer. */
static void head_add(struct http_conn *c, const char *text)
{
    size_t n = strlen(text);
    if (n > sizeof(c->head) - c->head_len) {
        c->head_overflow = true;
        return;
    }
    memcpy(c->head + c->head_len, text, n);
    c->head_len += n;
}

static void head_add_number(struct http_conn *c, uint64_t value)
{
    char digits[21];
    size_t at = sizeof(digits) - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    head_add(c, digits + at);
}

static void make_head(struct http_conn *c)
{
    c->head_len = 0;
    c->head_overflow = false;
    head_add(c, "HTTP/1.1 ");
    head_add_number(c, (uint64_t)c->res.status);
    head_add(c, " ");
    head_add(c, reason(c->res.status));
    head_add(c, "\r\nContent-Type: ");
    head_add(c, c->res.type);
    head_add(c, "\r\nContent-Length: ");
    head_add_number(c, c->payload_len);
    head_add(c, "\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
    head_add(c, c->res.extra != NULL ? c->res.extra : "");
    head_add(c, c->keep_alive ? "\r\n" : "Connection: close\r\n\r\n");
    if (c->head_overflow) {
        c->head_len = 0; /* a handler's extra lines are too long: close instead of sending half */
    }
}

/* Cuts c->url at '?' into path and query, both shorter than HTTP_PATH_MAX as the url is. */
static void split_url(struct http_conn *c)
{
    size_t len = min_u64(c->url_len, sizeof(c->url) - 1);
    const char *question = memchr(c->url, '?', len);
    size_t path_len = question != NULL ? (size_t)(question - c->url) : len;
    size_t query_len = question != NULL ? len - path_len - 1 : 0;
    memcpy(c->req.path, c->url, path_len);
    c->req.path[path_len] = '\0';
    if (query_len > 0) {
        memcpy(c->req.query, question + 1, query_len);
    }
    c->req.query[query_len] = '\0';
}

static void respond(struct http_conn *c)
{
    uint64_t start_us = clock_now_us();
    text_free(&c->res.body);
    c->res = (struct http_response){
        .status = 200, .type = "application/json", .body = {.budget = &http.memory}};
    split_url(c);
    c->req.method = method_of(&c->parser);
    c->req.body = c->body_in.len > 0 ? c->body_in.data : NULL;
    c->req.body_len = c->body_in.len;

    if (c->reject == 0 && c->body_in.failed) {
        c->reject = 503;
    }
    if (c->reject != 0) {
        http.stats.bad_requests++;
        http_error(&c->res, c->reject, "%s",
                   c->reject == 414   ? "the path is longer than 255 bytes"
                   : c->reject == 431 ? "the headers are larger than 8 KiB"
                   : c->reject == 413 ? "the body is larger than 64 KiB"
                   : c->reject == 503 ? "out of memory for the request"
                                      : "this is not an HTTP/1.1 request");
        c->keep_alive = c->keep_alive && c->reject == 414;
    } else {
        route(c);
    }
    bool overloaded = c->reject == 503 || c->res.body.failed;
    if (c->res.body.failed) {
        http_error(&c->res, 503, "no memory for the answer to %s now; try again", c->req.path);
        c->keep_alive = false;
    }
    if (c->res.body.failed) { /* not even for that */
        static const char text[] = "{\"error\":{\"status\":503,\"message\":\"no memory\"}}\n";
        c->res.static_body = text;
        c->res.static_len = sizeof(text) - 1;
    }
    if (overloaded) {
        http.stats.overloaded++;
        c->res.extra = "Retry-After: 1\r\n";
    }
    text_trim(&c->res.body);
    c->payload = c->res.static_body != NULL ? c->res.static_body : c->res.body.data;
    c->payload_len = c->res.static_body != NULL ? c->res.static_len : c->res.body.len;
    make_head(c);
    c->head_sent = c->payload_sent = 0;
    if (c->req.method == HTTP_METHOD_HEAD || c->head_len == 0) {
        c->payload_len = 0;
    }
    c->closing = !c->keep_alive || c->head_len == 0;
    c->head_bytes = c->rest_bytes = 0;
    c->headers_done = false;
    text_free(&c->body_in);
    http.stats.requests++;
    uint64_t us = clock_now_us() - start_us;
    if (us > http.stats.longest_us) {
        http.stats.longest_us = us;
    }
    log_limited(&http.log, LOG_DEBUG, "http", "%s %s -> %d, %zu bytes",
                llhttp_method_name((llhttp_method_t)c->parser.method), c->req.path, c->res.status,
                c->payload_len);
}

static bool output_left(const struct http_conn *c)
{
    return c->head_sent < c->head_len || c->payload_sent < c->payload_len;
}

size_t http_conn_input(struct http_conn *c, const char *data, size_t len)
{
    if (c->closing) {
        return len; /* whatever else comes is not read */
    }
    if (output_left(c) || len == 0) {
        return 0;
    }
    size_t *count = c->headers_done ? &c->rest_bytes : &c->head_bytes;
    size_t room = (c->headers_done ? HTTP_CHUNKED_MAX : HTTP_HEADERS_MAX) - *count;
    if (room == 0) {
        c->reject = c->reject != 0 ? c->reject : c->headers_done ? 413 : 431;
        c->keep_alive = false;
        respond(c);
        return len;
    }
    len = min_u64(len, room);
    *count += len;
    llhttp_errno_t e = llhttp_execute(&c->parser, data, len);
    if (e == HPE_OK) {
        return len;
    }
    size_t used = len;
    if (e == HPE_PAUSED && c->complete) {
        const char *at = llhttp_get_error_pos(&c->parser);
        used = at >= data && at <= data + len ? (size_t)(at - data) : len;
        c->complete = false;
        c->keep_alive = llhttp_should_keep_alive(&c->parser) != 0;
        respond(c);
        llhttp_resume(&c->parser);
    } else {
        if (c->reject == 0) {
            c->reject = 400;
        }
        c->keep_alive = false;
        respond(c);
    }
    return used;
}

const void *http_conn_output(struct http_conn *c, size_t *len)
{
    if (c->head_sent < c->head_len) {
        *len = c->head_len - c->head_sent;
        return c->head + c->head_sent;
    }
    *len = c->payload_len - c->payload_sent;
    return *len > 0 ? c->payload + c->payload_sent : NULL;
}

void http_conn_sent(struct http_conn *c, size_t n)
{
    size_t head = min_u64(n, c->head_len - c->head_sent);
    c->head_sent += head;
    c->payload_sent += n - head;
    http.stats.bytes_out += n;
    if (!output_left(c)) {
        text_free(&c->res.body);
    }
}

bool http_conn_closing(const struct http_conn *c) { return c->closing; }
bool http_conn_in_request(const struct http_conn *c) { return c->head_bytes > 0; }
