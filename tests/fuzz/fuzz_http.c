/* SPDX-License-Identifier: MIT */
/* The HTTP engine on arbitrary bytes, cut into pieces that the input itself chooses: answers at
 * once, later, and made while they are sent. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/api/accept.h"
#include "net/http/http.h"

#define STREAM_BYTES 9000u /* more than two pieces */

static struct http_later *later; /* somebody waits for it */
static size_t given;             /* bytes of the stream */
static unsigned open_streams;

static void echo(const struct http_request *req, struct http_response *res)
{
    if (strlen(req->path) >= HTTP_PATH_MAX || req->path[0] == '\0' ||
        (req->path[0] != '/' && strcmp(req->path, "*") != 0) || strstr(req->path, "//") != NULL ||
        strstr(req->path, "/../") != NULL) {
        abort(); /* what the server promises its handlers */
    }
    text_printf(&res->body, "%d ", accept_openmetrics(req->field.accept));
    text_printf(&res->body, "%s %s %s %s", req->path, req->query, req->field.host,
                req->field.authorization);
    text_append(&res->body, req->body, req->body_len);
}

static void fixed(const struct http_request *req, struct http_response *res)
{
    (void)req;
    res->static_body = "0123456789";
    res->static_len = 10;
    res->etag = "\"1\"";
}

static void wait_for_it(const struct http_request *req, struct http_response *res)
{
    later = http_defer(req, res);
}

static size_t give(void *ctx, void *buf, size_t size, bool *end)
{
    size_t n = STREAM_BYTES - given < size ? STREAM_BYTES - given : size;
    (void)ctx;
    memset(buf, 'x', n);
    given += n;
    *end = given == STREAM_BYTES;
    return n;
}

static void seek(void *ctx, uint64_t offset)
{
    (void)ctx;
    if (offset >= STREAM_BYTES) {
        abort();
    }
    given = (size_t)offset;
}

static void stream_closed(void *ctx)
{
    (void)ctx;
    open_streams--;
}

static void stream(const struct http_request *req, struct http_response *res)
{
    const bool known = strcmp(req->path, "/known") == 0;
    given = 0;
    open_streams++;
    res->stream = (struct http_stream){.read = give,
                                       .seek = known ? seek : NULL,
                                       .close = stream_closed,
                                       .length = known ? STREAM_BYTES : HTTP_LENGTH_UNKNOWN};
}

static const struct http_route routes[] = {
    {"/", HTTP_METHOD_GET | HTTP_METHOD_POST, echo, .summary = ""},
    {"/fixed", HTTP_METHOD_GET, fixed, .summary = ""},
    {"/later", HTTP_METHOD_GET | HTTP_METHOD_POST, wait_for_it, .summary = ""},
    {"/stream", HTTP_METHOD_GET, stream, .summary = ""},
    {"/known", HTTP_METHOD_GET, stream, .summary = ""},
    {"/{a}", HTTP_METHOD_GET | HTTP_METHOD_POST, echo, .summary = "", .body_max = 1000},
    {"/{a}/{b}", HTTP_METHOD_GET | HTTP_METHOD_POST, echo, .summary = ""},
    {.path = NULL},
};

static void answer(void)
{
    struct http_later *l = later;
    later = NULL;
    if (l != NULL) {
        text_printf(&http_later_response(l)->body, "%zu", http_later_request(l)->body_len);
        http_later_done(l);
        http_collect();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_stats s;
    if (size < 1) {
        return 0;
    }
    http_set_routes(routes);
    struct http_conn *c = http_conn_new();
    if (c == NULL) {
        return 0;
    }
    size_t step = 1 + data[0];
    size_t at = 1, stuck = 0;
    while (at < size && stuck < 3) {
        size_t n = size - at < step ? size - at : step;
        size_t used = http_conn_input(c, (const char *)data + at, n);
        if (used > n) {
            abort();
        }
        at += used;
        stuck = used == 0 ? stuck + 1 : 0;
        size_t len;
        while (http_conn_output(c, &len) != NULL) {
            http_conn_sent(c, len < step ? len : step);
        }
        if (stuck > 0) {
            answer();
        }
    }
    if (stuck >= 3) {
        abort(); /* with nothing to send and nobody at work, input must always be taken */
    }
    http_conn_free(c);
    answer(); /* nobody is there any more */
    http_get_stats(&s);
    if (open_streams != 0 || s.memory_used != 0 || s.deferred != 0) {
        abort();
    }
    return 0;
}
