/* SPDX-License-Identifier: MIT */
/* The HTTP engine: one request, a handler makes one answer now or later, repeat (http.h). */
#include "net/http/http.h"

#include <stdlib.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/log.h"
#include "arch/machine.h"
#include "net/http/http_priv.h"
#include "net/http/tls.h"

struct http_later {
    struct http_conn *conn; /* NULL: its client has gone */
    struct http_request req;
    struct http_response res;
    struct text_buf body_in; /* owned; what req.body points to */
};

static struct {
    struct served {
        const struct http_route *route;
        size_t literal; /* length of its path up to the first "{" */
        bool whole;     /* there is none */
    } served[HTTP_ROUTES_MAX];
    size_t served_count;
    bool (*gate)(const struct http_request *req, const struct http_route *route,
                 struct http_response *res);
    void (*wake)(void);
    struct http_conn *ready; /* those with something new to send */
    struct http_stats stats;
    struct text_budget memory;
    struct log_limit log;
    struct event first_answer;
    bool first_told;
} http = {.memory = {.own_bytes = HTTP_MEMORY_OWN, .shared_bytes = HTTP_MEMORY_SHARED}};

struct http_stats *http_stats_mut(void) { return &http.stats; }

void http_set_routes(const struct http_route *routes)
{
    http.served_count = 0;
    for (const struct http_route *r = routes; r != NULL && r->path != NULL; r++) {
        FL_ASSERT(http.served_count < HTTP_ROUTES_MAX);
        const size_t literal = strcspn(r->path, "{");
        http.served[http.served_count++] =
            (struct served){.route = r, .literal = literal, .whole = r->path[literal] == '\0'};
    }
}

void http_set_gate(bool (*gate)(const struct http_request *req, const struct http_route *route,
                                struct http_response *res))
{
    http.gate = gate;
}
void http_set_wake(void (*wake)(void)) { http.wake = wake; }
struct text_budget *http_memory(void) { return &http.memory; }

void http_get_stats(struct http_stats *out)
{
    *out = http.stats;
    out->memory_used = http.memory.shared_used;
    out->memory_peak = http.memory.shared_peak;
}

struct http_conn *http_conn_new(void)
{
    struct http_conn *c = calloc(1, sizeof(*c));
    if (c != NULL) {
        llhttp_init(&c->parser, HTTP_REQUEST, http_parser_settings());
        c->parser.data = c;
        c->body_in.budget = c->res.body.budget = &http.memory;
    }
    return c;
}

void http_conn_forbid(struct http_conn *c, const char *why) { c->forbidden = why; }

static void forget_ready(struct http_conn *c)
{
    for (struct http_conn **p = &http.ready; *p != NULL; p = &(*p)->next) {
        if (*p == c) {
            *p = c->next;
            break;
        }
    }
    c->ready = false;
}

void http_conn_free(struct http_conn *c)
{
    if (c == NULL) {
        return;
    }
    if (c->ready) {
        forget_ready(c);
    }
    if (c->later != NULL) {
        c->later->conn = NULL;
    }
    text_free(&c->body_in);
    http_response_free(c);
    free(c);
}

void http_conn_on_ready(struct http_conn *c, void (*ready)(void *ctx), void *ctx)
{
    c->on_ready = ready;
    c->ready_ctx = ctx;
}

/* ---- routes ---- */

/* The rest of a route's path, from its first "{" on, and of the request's. */
static bool rest_matches(const char *p, const char *path)
{
    while (*p != '\0' && (*p == *path || *p == '{')) {
        if (*p == '{') {
            const size_t n = strcspn(path, "/");
            if (n == 0) {
                return false;
            }
            path += n;
            p += strcspn(p, "/");
        } else {
            p++;
            path++;
        }
    }
    return *p == '\0' && *path == '\0';
}

/* Paths begin alike and differ in length: that is what is compared first. */
static bool route_matches(const struct served *r, const char *path, size_t len)
{
    if (r->whole ? r->literal != len : r->literal > len) {
        return false;
    }
    return memcmp(path, r->route->path, r->literal) == 0 &&
           (r->whole || rest_matches(r->route->path + r->literal, path + r->literal));
}

const struct http_route *http_find_route(const char *path, enum http_method method,
                                         unsigned *allowed)
{
    const unsigned want = method == HTTP_METHOD_HEAD ? HTTP_METHOD_GET : method;
    const struct http_route *found = NULL;
    *allowed = 0;
    const size_t len = strlen(path);
    for (const struct served *s = http.served; s < http.served + http.served_count; s++) {
        if (route_matches(s, path, len)) {
            *allowed |= s->route->methods;
            if (found == NULL && (s->route->methods & want) != 0) {
                found = s->route;
            }
        }
    }
    return found;
}

static const char *allow_line(unsigned methods)
{
    const bool get = (methods & HTTP_METHOD_GET) != 0, post = (methods & HTTP_METHOD_POST) != 0;
    if ((methods & HTTP_METHOD_PUT) != 0) {
        return get ? "Allow: GET, HEAD, PUT, OPTIONS\r\n" : "Allow: PUT, OPTIONS\r\n";
    }
    return get && post ? "Allow: GET, HEAD, POST, OPTIONS\r\n"
           : post      ? "Allow: POST, OPTIONS\r\n"
                       : "Allow: GET, HEAD, OPTIONS\r\n";
}

static void route(struct http_conn *c)
{
    const struct http_route *r = c->route;
    const unsigned allowed = c->allowed;
    if (c->forbidden != NULL) {
        http_error(&c->res, 403, "%s", c->forbidden);
        return;
    }
    if (http.gate != NULL && !http.gate(&c->req, r, &c->res)) {
        return;
    }
    if (c->req.method == HTTP_METHOD_OPTIONS && (allowed != 0 || strcmp(c->req.path, "*") == 0)) {
        c->res.status = 204;
        c->res.extra = allow_line(allowed != 0 ? allowed : HTTP_METHOD_GET | HTTP_METHOD_POST);
    } else if (r != NULL) {
        r->handler(&c->req, &c->res);
    } else if (allowed != 0) {
        http_error(&c->res, 405, "%s does not take this method", c->req.path);
        c->res.extra = allow_line(allowed);
    } else {
        http_error(&c->res, 404, "nothing is at %s; /api/v1 lists what there is", c->req.path);
    }
}

/* ---- request to response ---- */

/* The answer stands: bytes of it. */
static void finish(struct http_conn *c)
{
    const bool overloaded = c->reject == 503 || c->res.body.failed;
    if (c->res.body.failed) {
        http_error(&c->res, 503, "no memory for the answer to %s now; try again", c->req.path);
        c->keep_alive = false;
    }
    if (c->res.body.failed) { /* not even for that */
        static const char text[] = "{\"type\":\"about:blank\",\"title\":\"Service "
                                   "Unavailable\",\"status\":503,\"detail\":\"no memory\"}\n";
        c->res.static_body = text;
        c->res.static_len = sizeof(text) - 1;
    }
    if (overloaded) {
        http.stats.overloaded++;
        c->res.extra = "Retry-After: 1\r\n";
    }
    http_response_make(c);
    text_free(&c->body_in);
    http.stats.requests++;
    http.stats.writes += (c->req.method & (HTTP_METHOD_POST | HTTP_METHOD_PUT)) != 0;
    const uint64_t took_us = clock_now_us() - c->began_us;
    http.stats.longest_us = max_u64(http.stats.longest_us, took_us);
    latency_add(&http.stats.took, took_us);
    log_limited(&http.log, LOG_DEBUG, "http", "%s %s -> %d, %zu bytes",
                llhttp_method_name((llhttp_method_t)c->parser.method), c->req.path, c->res.status,
                c->head_len + c->payload_len);
}

static const char *refusal(const struct http_conn *c)
{
    return c->why != NULL     ? c->why
           : c->reject == 431 ? "the headers are larger than 8 KiB"
           : c->reject == 413 ? "the body is larger than this path takes"
           : c->reject == 503 ? "out of memory for the request"
                              : "this is not an HTTP/1.1 request";
}

/* The request is there, or what will never be one. */
static void respond(struct http_conn *c)
{
    c->began_us = clock_now_us();
    c->res = (struct http_response){/* what the last answer held was given back when it was sent */
                                    .status = 200,
                                    .type = "application/json",
                                    .body = {.budget = &http.memory}};
    c->req.conn = c;
    c->req.body = c->body_in.len > 0 ? c->body_in.data : NULL;
    c->req.body_len = c->body_in.len;
    c->head_bytes = c->rest_bytes = 0;
    c->headers_done = false;
    if (c->reject == 0 && c->body_in.failed) {
        c->reject = 503;
    }
    c->in_handler = true;
    if (c->reject != 0) {
        http.stats.bad_requests++;
        http_error(&c->res, c->reject, "%s", refusal(c));
    } else {
        route(c);
    }
    c->in_handler = false;
    if (c->later == NULL) {
        finish(c);
    }
}

/* ---- answers that come later ---- */

struct http_later *http_defer(const struct http_request *req, struct http_response *res)
{
    struct http_conn *c = req->conn;
    struct http_later *l = calloc(1, sizeof(*l));
    if (l == NULL) {
        http_error(res, 503, "no memory for the request now; try again");
        res->extra = "Retry-After: 1\r\n";
        return NULL;
    }
    *l = (struct http_later){.conn = c, .req = *req, .res = *res, .body_in = c->body_in};
    res->body = (struct text_buf){.budget = &http.memory};
    c->body_in = (struct text_buf){.budget = &http.memory};
    c->later = l;
    http.stats.deferred++;
    return l;
}

const struct http_request *http_later_request(const struct http_later *l) { return &l->req; }
struct http_response *http_later_response(struct http_later *l) { return &l->res; }
bool http_later_wanted(const struct http_later *l) { return l->conn != NULL; }

void http_wake(void)
{
    if (http.wake != NULL) {
        http.wake();
    }
}

static void announce(struct http_conn *c)
{
    if (!c->ready) {
        c->ready = true;
        c->next = http.ready;
        http.ready = c;
    }
    http_wake();
}

void http_later_done(struct http_later *l)
{
    struct http_conn *c = l->conn;
    text_free(&l->body_in);
    http.stats.deferred--;
    if (c != NULL) {
        c->res = l->res;
        c->later = NULL;
        if (!c->in_handler) {
            finish(c);
            announce(c);
        }
    } else {
        if (l->res.stream.read != NULL && l->res.stream.close != NULL) {
            l->res.stream.close(l->res.stream.ctx);
        }
        http_response_drop(&l->res);
    }
    free(l);
}

void http_stream_ready(struct http_conn *conn)
{
    if (conn->streaming) {
        announce(conn);
    }
}

/* A certificate that is yet to be made has waited for this, and so has whoever starts the machine.
 */
static void after_first_answer(void)
{
    http.first_told = true;
    log_info("http", "first answer %llu us after hand-off",
             (unsigned long long)http.stats.first_answer_us);
    tls_may_make_certificate();
    event_signal(&http.first_answer);
}

enum fl_err http_wait_first_answer(struct deadline d) { return event_wait(&http.first_answer, d); }

void http_collect(void)
{
    if (http.stats.first_answer_us != 0 && !http.first_told) {
        after_first_answer();
    }
    while (http.ready != NULL) {
        struct http_conn *c = http.ready;
        forget_ready(c);
        if (c->on_ready != NULL) {
            c->on_ready(c->ready_ctx);
        }
    }
}

/* ---- bytes ---- */

static bool output_left(const struct http_conn *c)
{
    return c->head_sent < c->head_len || c->payload_sent < c->payload_len;
}

bool http_conn_working(const struct http_conn *c) { return c->later != NULL || c->streaming; }
bool http_conn_live(const struct http_conn *c) { return c->streaming && c->res.stream.live; }

/* An interim answer: the client waits for it before it sends the body. */
static void go_ahead(struct http_conn *c)
{
    static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
    memcpy(c->head, text, sizeof(text) - 1);
    c->head_len = sizeof(text) - 1;
    c->head_sent = c->payload_len = c->payload_sent = 0;
    c->interim = false;
}

size_t http_conn_input(struct http_conn *c, const char *data, size_t len)
{
    if (c->closing) {
        return len; /* whatever else comes is not read */
    }
    if (output_left(c) || http_conn_working(c) || len == 0) {
        return 0;
    }
    size_t *count = c->headers_done ? &c->rest_bytes : &c->head_bytes;
    size_t room =
        (c->headers_done ? max_u64(HTTP_CHUNKED_MAX, 2 * c->body_max) : HTTP_HEADERS_MAX) - *count;
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
        if (c->interim) {
            go_ahead(c);
        }
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
    if (c->payload_sent == c->payload_len && !http_response_more(c)) {
        *len = 0;
        return NULL;
    }
    *len = c->payload_len - c->payload_sent;
    return c->payload + c->payload_sent;
}

void http_conn_sent(struct http_conn *c, size_t n)
{
    size_t head = min_u64(n, c->head_len - c->head_sent);
    c->head_sent += head;
    c->payload_sent += n - head;
    http.stats.bytes_out += n;
    if (!output_left(c) && !c->streaming) {
        http_response_free(c);
    }
}

bool http_conn_closing(const struct http_conn *c) { return c->closing; }
bool http_conn_in_request(const struct http_conn *c) { return c->head_bytes > 0; }
