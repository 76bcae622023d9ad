/* SPDX-License-Identifier: MIT */
/* Between the files of the HTTP server. */
#pragma once

#include <llhttp.h>

#include "lwip/err.h"
#include "net/http/http.h"

#define HTTP_PIECE_BYTES 4096u /* of a stream at a time */
#define HTTP_HEAD_BYTES  768u

struct http_conn {
    llhttp_t parser;
    struct http_request req;
    struct text_buf body_in;
    char target[HTTP_TARGET_MAX];
    size_t target_len;
    /* The header field that is being read. */
    char name[24];
    size_t name_len, value_len;
    int known;         /* index of its row in request.c, or -1 */
    unsigned seen;     /* bits of the rows that this request has had */
    size_t head_bytes; /* taken since the last request, up to the piece that ended the headers */
    size_t rest_bytes; /* taken after that */
    size_t body_max;
    const struct http_route *route; /* where the target leads, once the headers are there */
    unsigned allowed;               /* methods that it takes */
    const char *forbidden;          /* why no request is served here, static; NULL: they are */
    int reject;                     /* status to answer instead of calling a handler; 0 = none */
    const char *why;                /* in words, static; NULL: what the status says */
    bool headers_done, complete, closing, keep_alive, interim, in_handler;
    struct http_later *later; /* owned by who answers; NULL: nobody is asked */

    char head[HTTP_HEAD_BYTES];
    size_t head_len, head_sent;
    bool head_overflow;
    struct http_response res;
    const char *payload; /* what follows the head */
    size_t payload_len, payload_sent;
    /* A stream's: pieces of it become the payload. */
    char *piece; /* HTTP_PIECE_BYTES and what frames them; owned */
    bool streaming, chunked;
    uint64_t stream_left; /* bytes still to come when the length is known */

    uint64_t began_us;
    bool ready;             /* in the list of those with something new */
    struct http_conn *next; /* in that list */
    void (*on_ready)(void *ctx);
    void *ready_ctx;
};

/* The counters. Never NULL. */
struct http_stats *http_stats_mut(void);

/* --- request.c: from llhttp's events to a request --- */

const llhttp_settings_t *http_parser_settings(void);
/* Takes target (len bytes) apart: path normalised, query, and the host of an absolute form. 0, or
 * the status that refuses it, with *why. */
int http_split_target(struct http_request *req, const char *target, size_t len, const char **why);

/* --- response.c: from what a handler left to bytes --- */

/* Head and payload of c->res. */
void http_response_make(struct http_conn *c);
/* The next piece of a stream becomes the payload; false: nothing now. */
bool http_response_more(struct http_conn *c);
/* Gives back its body, its own or a shared one. */
void http_response_drop(struct http_response *res);
/* Gives back what the answer held. */
void http_response_free(struct http_conn *c);

/* --- http.c --- */

/* The network fiber makes a round soon. */
void http_wake(void);

/* The route of a path that takes the method (HEAD as GET); NULL: none. *allowed gets the methods
 * that the path takes, 0 = there is no such path. */
const struct http_route *http_find_route(const char *path, enum http_method method,
                                         unsigned *allowed);

/* --- http_lwip.c --- */

struct tcp_pcb;
/* lwIP has a new connection. arg: http_secure for one that speaks TLS, else NULL. */
err_t http_accept(void *arg, struct tcp_pcb *pcb, err_t err);
extern const char http_secure[1];
