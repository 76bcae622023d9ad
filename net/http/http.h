/* SPDX-License-Identifier: MIT */
/*
 * HTTP/1.1 server. Two layers:
 *  - the engine: bytes in, bytes out, no sockets; parsing is llhttp's. It serves one request at a
 *    time per connection, in order, keep-alive and pipelined;
 *  - the lwIP side (http_lwip.c): listener, connections, time-outs, back pressure.
 * Handlers run in the network fiber and must not wait. Who has to wait calls http_defer() and lets
 * another fiber finish the answer; who has much to send gives it piece by piece (http_stream).
 *
 * Sources: RFC 9110, RFC 9112, RFC 9457 (problems), RFC 6454 (origin).
 */
#pragma once

#include "arch/base.h"
#include "arch/clock.h"
#include "arch/fail.h"
#include "arch/latency.h"
#include "net/http/json.h"

struct http_conn;  /* opaque: the engine's state of one connection */
struct http_later; /* opaque: a request whose answer comes later */

enum http_method {
    HTTP_METHOD_GET = 1,
    HTTP_METHOD_HEAD = 2,
    HTTP_METHOD_POST = 4,
    HTTP_METHOD_OPTIONS = 8,
    HTTP_METHOD_OTHER = 16,
    HTTP_METHOD_PUT = 32
};

#define HTTP_TARGET_MAX  2048 /* bytes of a request's target as sent, with query */
#define HTTP_PATH_MAX    256
#define HTTP_QUERY_MAX   1024
#define HTTP_HEADERS_MAX 8192          /* bytes up to the end of the headers, every one of them */
#define HTTP_BODY_MAX    (64 * 1024)   /* bytes of a request's body, unless the route says more */
#define HTTP_BODY_MOST   (1024 * 1024) /* what a route may say */
#define HTTP_CHUNKED_MAX (2 * HTTP_BODY_MAX) /* a body with what chunked coding adds, likewise */

/* Memory of all connections for answers, bodies and requests that wait: each buffer has the first
 * number of bytes to itself, so that small answers always find room; the rest is shared. Without
 * room the answer is 503. */
#define HTTP_MEMORY_OWN    KIB(16)
#define HTTP_MEMORY_SHARED MIB(4)

/* Header fields that somebody looks at; "" when the request has none. */
struct http_fields {
    char host[128];
    char origin[128];
    char authorization[192];
    char content_type[96];
    char accept[512]; /* Prometheus sends 240 */
    char accept_encoding[96];
    char range[64];
    char content_range[64];
    char if_none_match[96];
    char expect[24];
    char last_event_id[24];
};

struct http_request {
    enum http_method method;
    char path[HTTP_PATH_MAX];   /* decoded, without empty and dot segments, no '/' at the end */
    char query[HTTP_QUERY_MAX]; /* after '?', not decoded, "" when none */
    struct http_fields field;   /* host: of an absolute-form target, where there is one */
    bool http_1_0;
    const char *body; /* NULL when none; borrowed */
    size_t body_len;
    struct http_conn *conn; /* the engine's */
};

#define HTTP_LENGTH_UNKNOWN UINT64_MAX

/* A body that is made while it is sent. read() and close() are called by the network fiber and must
 * not wait. */
struct http_stream {
    /* Writes at most size bytes to buf and returns how many. *end: that was the last. 0 without the
     * end: nothing now, http_stream_ready() will be called. */
    size_t (*read)(void *ctx, void *buf, size_t size, bool *end);
    /* Goes on at byte offset of the body; NULL: it cannot, and ranges are not served. */
    void (*seek)(void *ctx, uint64_t offset);
    void (*close)(void *ctx); /* always called once, when sent or given up; may be NULL */
    void *ctx;
    uint64_t length; /* bytes in all, or HTTP_LENGTH_UNKNOWN */
    /* It goes on for as long as the client is there: a client that says it will send nothing more
     * has gone, and so does the connection. */
    bool live;
};

struct http_shared; /* a body that several answers send: freed with its last user */

struct http_response {
    int status;              /* 200 unless set */
    const char *type;        /* static; "application/json" unless set */
    const char *extra;       /* static further header lines, each ending in \r\n; NULL = none */
    const char *etag;        /* static, with its quotes; NULL = none: the answer is never kept */
    struct text_buf body;    /* what the handler wrote */
    const void *static_body; /* instead of body: constant bytes */
    size_t static_len;
    struct http_shared *shared; /* what static_body is in; NULL: nothing */
    struct http_stream stream;  /* instead of both, when read is not NULL */
    bool last;                  /* close the connection after it */
};

#define HTTP_ROUTES_MAX 64u

struct http_route {
    const char *path; /* a segment in braces, "/gpus/{gpu}", stands for any one */
    unsigned methods; /* enum http_method, or'ed; HEAD and OPTIONS come by themselves */
    void (*handler)(const struct http_request *req, struct http_response *res);
    const char *summary; /* one line, for the list at /api/v1 and /openapi.json */
    unsigned flags;      /* the API's: what a client needs to be let in */
    size_t body_max;     /* 0 = HTTP_BODY_MAX; at most HTTP_BODY_MOST */
    /* For descriptions only: a name for programs, the type of a good answer, its JSON schema. */
    const char *id, *type, *schema;
};

/* The routes served, at most so many; static, ends with path NULL. Defined by the API (api.c), or
 * by a test. gate, unless NULL, is asked before every handler (route: NULL for an unknown path):
 * false = it has written the answer itself. */
void http_set_routes(const struct http_route *routes);
void http_set_gate(bool (*gate)(const struct http_request *req, const struct http_route *route,
                                struct http_response *res));

/* A problem in the one form that errors have (RFC 9457): {"type":"about:blank","title":"Not
 * Found","status":404,"detail":"..."}. Replaces what was written. */
void http_error(struct http_response *res, int status, const char *fmt, ...) FL_PRINTF(3, 4);
/* Takes over what stands in body, which is empty afterwards; the caller is its first user. NULL
 * when there is no memory, or body has failed: it stays as it is. */
struct http_shared *http_share(struct text_buf *body);
/* res sends it, instead of its body; one user more, until it is sent. */
void http_share_use(struct http_shared *s, struct http_response *res);
/* One user less. NULL is fine. */
void http_share_release(struct http_shared *s);
/* The part of a body of so many bytes that a request's Range asks for, as the answer will be cut;
 * all of it where none is. *bytes 0: it lies outside. */
void http_asked(const struct http_request *req, uint64_t length, uint64_t *first, uint64_t *bytes);
/* "Not Found"; "Unknown" for a status that this server does not use. */
const char *http_reason(int status);

/* ---- answers that come later ---- */

/* Called by a handler, which then returns without touching req and res again. NULL when there is no
 * memory: res is 503 then. */
struct http_later *http_defer(const struct http_request *req, struct http_response *res);
/* The request, body included, and the answer to be filled; both until http_later_done(). */
const struct http_request *http_later_request(const struct http_later *l);
struct http_response *http_later_response(struct http_later *l);
/* Whether the client is still there. */
bool http_later_wanted(const struct http_later *l);
/* The answer is whole; l is gone. Any fiber. Does not yield. */
void http_later_done(struct http_later *l);
/* A stream that had nothing has something now. conn: of the request that the stream answers. */
void http_stream_ready(struct http_conn *conn);

struct http_stats {
    uint64_t requests, connections, refused_connections, bad_requests, bytes_out, timeouts;
    uint64_t writes;      /* requests answered that may have changed something: POST, PUT */
    uint64_t evicted;     /* connections that made way for newer ones */
    uint64_t overloaded;  /* requests answered with 503 because the memory was used up */
    uint64_t memory_used; /* of HTTP_MEMORY_SHARED, now */
    uint64_t memory_peak;
    uint32_t open;
    uint32_t deferred;        /* requests that somebody works on, now */
    uint64_t first_answer_us; /* clock when the first answer was handed to TCP, 0 = none yet */
    uint64_t longest_us;      /* slowest handler */
    struct latency took;      /* from a whole request to its whole answer, all paths */
};
void http_get_stats(struct http_stats *out);
/* The memory that answers, bodies and requests share, for others who work on them. */
struct text_budget *http_memory(void);

/* ---- engine ---- */

/* NULL when memory is out. */
struct http_conn *http_conn_new(void);
void http_conn_free(struct http_conn *c);
/* ready, called by http_collect(): there is something to send again. */
void http_conn_on_ready(struct http_conn *c, void (*ready)(void *ctx), void *ctx);
/* Every request is answered with 403 and this text (static). */
void http_conn_forbid(struct http_conn *c, const char *why);
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
/* Somebody works on the answer, or on its next piece: the client waits for us. */
bool http_conn_working(const struct http_conn *c);
/* What is being sent is a stream that ends with the client (http_stream.live). */
bool http_conn_live(const struct http_conn *c);
/* Makes the answers that have become whole ready to be sent, and calls on_ready of their
 * connections. By the network fiber. */
void http_collect(void);
/* Waits until the first answer has been handed to TCP. FL_ETIMEDOUT at the deadline. For one
 * waiter: the main program, which lets it go before everything else. Yields. */
FL_MUST_CHECK enum fl_err http_wait_first_answer(struct deadline d);
/* What wakes the network fiber so that it collects; static, may be NULL. */
void http_set_wake(void (*wake)(void));

/* ---- lwIP side ---- */

/* Opens the listener on port 80 of every interface, and on port 443 where tls_enabled(). Called
 * once by the network fiber when lwIP is up. */
void http_start(void);
/* Sends what others have finished: answers, handshakes. Network fiber, in every round. */
void http_poll(void);
