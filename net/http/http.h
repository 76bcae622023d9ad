/* SPDX-License-Identifier: MIT */
/*
 * HTTP/1.1 server. Two layers:
 *  - the engine (http.c): bytes in, bytes out, no sockets; parsing is llhttp's. It serves one
 * request at a time per connection, in order, keep-alive and pipelined;
 *  - the lwIP side (http_lwip.c): listener, connections, time-outs, back pressure.
 * Handlers run in the network fiber and must not wait.
 *
 * Sources: RFC 9110, RFC 9112.
 */
#pragma once

#include "arch/base.h"
#include "net/http/json.h"

struct http_conn; /* opaque: the engine's state of one connection */

enum http_method {
    HTTP_METHOD_GET = 1,
    HTTP_METHOD_HEAD = 2,
    HTTP_METHOD_POST = 4,
    HTTP_METHOD_OTHER = 8
};

#define HTTP_PATH_MAX    256
#define HTTP_HEADERS_MAX 8192        /* bytes up to the end of the headers, every one of them */
#define HTTP_BODY_MAX    (64 * 1024) /* bytes of a request's body */
#define HTTP_CHUNKED_MAX (2 * HTTP_BODY_MAX) /* the same with what chunked coding adds */

/* Memory of all connections for answers, bodies and requests that wait: each buffer has the first
 * number of bytes to itself, so that small answers always find room; the rest is shared. Without
 * room the answer is 503. */
#define HTTP_MEMORY_OWN    KIB(16)
#define HTTP_MEMORY_SHARED MIB(4)

struct http_request {
    enum http_method method;
    char path[HTTP_PATH_MAX];  /* without the query, NUL-terminated, not decoded */
    char query[HTTP_PATH_MAX]; /* after '?', "" when none */
    const char *body;          /* NULL when none; borrowed */
    size_t body_len;
};

struct http_response {
    int status;              /* 200 unless set */
    const char *type;        /* static; "application/json" unless set */
    const char *extra;       /* static further header lines, each ending in \r\n; NULL = none */
    struct text_buf body;    /* what the handler wrote */
    const void *static_body; /* instead of body: constant bytes */
    size_t static_len;
};

struct http_route {
    const char *path; /* exact, or ending in '*': any path that starts so */
    unsigned methods; /* enum http_method, or'ed; HEAD comes with GET */
    void (*handler)(const struct http_request *req, struct http_response *res);
    const char *summary; /* one line, for the list at /api/v1 */
};

/* The routes served; static, ends with path NULL. Defined by the API (api.c), or by a test. */
void http_set_routes(const struct http_route *routes);

/* A problem as the API shows it: {"error":{"status":404,"message":"..."}}. */
void http_error(struct http_response *res, int status, const char *fmt, ...) FL_PRINTF(3, 4);

struct http_stats {
    uint64_t requests, connections, refused_connections, bad_requests, bytes_out, timeouts;
    uint64_t evicted;     /* connections that made way for newer ones */
    uint64_t overloaded;  /* requests answered with 503 because the memory was used up */
    uint64_t memory_used; /* of HTTP_MEMORY_SHARED, now */
    uint64_t memory_peak;
    uint32_t open;
    uint64_t first_answer_us; /* clock when the first answer was handed to TCP, 0 = none yet */
    uint64_t longest_us;      /* slowest handler */
};
void http_get_stats(struct http_stats *out);

/* ---- engine ---- */

/* NULL when memory is out. */
struct http_conn *http_conn_new(void);
void http_conn_free(struct http_conn *c);
/* Takes bytes off the wire; returns how many it used. Fewer than len: call again with the rest as
 * soon as http_conn_output() is empty; none: an answer has to go out first. */
size_t http_conn_input(struct http_conn *c, const char *data, size_t len);
/* What is to be sent next; len 0 = nothing. Valid until http_conn_sent(). */
const void *http_conn_output(struct http_conn *c, size_t *len);
/* The first n bytes of the output have been taken over by TCP (copied). */
void http_conn_sent(struct http_conn *c, size_t n);
/* Close after the output is out: the client asked for it, or sent something unusable. */
bool http_conn_closing(const struct http_conn *c);
/* The first byte of a request has come (be it an empty line), its answer is not made yet. */
bool http_conn_in_request(const struct http_conn *c);

/* ---- lwIP side ---- */

/* Opens the listener on port 80 of every interface. Called once by the network fiber when lwIP is
 * up. */
void http_start(void);
