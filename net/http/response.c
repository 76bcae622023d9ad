/* SPDX-License-Identifier: MIT */
/* From what a handler left to bytes: head, validators, ranges, pieces of a stream (http_priv.h). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "net/http/http_priv.h"

static const struct {
    int status;
    const char *reason;
    size_t len;
} reasons[] = {
#define REASON(status, text) {status, text, sizeof(text) - 1}
    REASON(200, "OK"),
    REASON(202, "Accepted"),
    REASON(204, "No Content"),
    REASON(206, "Partial Content"),
    REASON(304, "Not Modified"),
    REASON(400, "Bad Request"),
    REASON(401, "Unauthorized"),
    REASON(403, "Forbidden"),
    REASON(404, "Not Found"),
    REASON(405, "Method Not Allowed"),
    REASON(409, "Conflict"),
    REASON(413, "Content Too Large"),
    REASON(414, "URI Too Long"),
    REASON(415, "Unsupported Media Type"),
    REASON(416, "Range Not Satisfiable"),
    REASON(417, "Expectation Failed"),
    REASON(421, "Misdirected Request"),
    REASON(429, "Too Many Requests"),
    REASON(431, "Request Header Fields Too Large"),
    REASON(500, "Internal Server Error"),
    REASON(501, "Not Implemented"),
    REASON(503, "Service Unavailable"),
    REASON(504, "Gateway Timeout"),
#undef REASON
};

static const char *find_reason(int status, size_t *len)
{
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
        if (reasons[i].status == status) {
            *len = reasons[i].len;
            return reasons[i].reason;
        }
    }
    static const char unknown[] = "Unknown";
    *len = sizeof(unknown) - 1;
    return unknown;
}

const char *http_reason(int status)
{
    size_t len;
    return find_reason(status, &len);
}

static void close_stream(struct http_response *res)
{
    if (res->stream.read != NULL && res->stream.close != NULL) {
        res->stream.close(res->stream.ctx);
    }
    res->stream = (struct http_stream){0};
}

/* ---- bodies that several answers send ---- */

struct http_shared {
    struct text_buf body; /* owned */
    unsigned users;
};

struct http_shared *http_share(struct text_buf *body)
{
    struct http_shared *s = body->failed ? NULL : malloc(sizeof(*s));
    if (s != NULL) {
        text_trim(body);
        *s = (struct http_shared){.body = *body, .users = 1};
        *body = (struct text_buf){.budget = body->budget};
    }
    return s;
}

void http_share_use(struct http_shared *s, struct http_response *res)
{
    s->users++;
    res->shared = s;
    res->static_body = s->body.data;
    res->static_len = s->body.len;
}

void http_share_release(struct http_shared *s)
{
    if (s != NULL && --s->users == 0) {
        text_free(&s->body);
        free(s);
    }
}

void http_response_drop(struct http_response *res)
{
    text_free(&res->body);
    if (res->shared != NULL) {
        http_share_release(res->shared);
        res->shared = NULL;
        res->static_body = NULL;
        res->static_len = 0;
    }
}

void http_error(struct http_response *res, int status, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    http_response_drop(res);
    close_stream(res);
    res->status = status;
    res->type = "application/problem+json";
    res->static_body = NULL;
    res->etag = NULL;
    struct jw j;
    jw_begin(&j, &res->body);
    jw_object(&j, NULL);
    jw_str(&j, "type", "about:blank");
    jw_str(&j, "title", http_reason(status));
    jw_u64(&j, "status", (uint64_t)status);
    jw_str(&j, "detail", text);
    jw_end_object(&j);
    text_append(&res->body, "\n", 1);
}

/* --- the head, by hand: printf is the dearest part of a small answer ------------------------- */

static void head_put(struct http_conn *c, const char *text, size_t n)
{
    if (n > sizeof(c->head) - c->head_len) {
        c->head_overflow = true;
        return;
    }
    memcpy(c->head + c->head_len, text, n);
    c->head_len += n;
}

static void head_add(struct http_conn *c, const char *text) { head_put(c, text, strlen(text)); }

/* Of a literal: its length is known. */
#define HEAD_ADD(c, text) head_put((c), "" text, sizeof(text) - 1)

static void head_add_number(struct http_conn *c, uint64_t value)
{
    char digits[21];
    size_t at = sizeof(digits) - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    head_put(c, digits + at, sizeof(digits) - 1 - at);
}

/* --- ranges (RFC 9110 14)
 * ------------------------------------------------------------------------- */

struct range {
    bool asked, possible;
    uint64_t first, last; /* inclusive */
};

static bool number(const char **p, uint64_t *out)
{
    uint64_t n = 0;
    const char *start = *p;
    for (; **p >= '0' && **p <= '9'; (*p)++) {
        n = n > UINT64_MAX / 16 ? n : n * 10 + (uint64_t)(**p - '0');
    }
    *out = n;
    return *p != start;
}

/* One range of bytes. Anything else (several, another unit, nonsense) is as if none were asked. */
static struct range parse_range(const char *text, uint64_t length)
{
    struct range r = {0};
    static const char unit[] = "bytes=";
    if (strncasecmp(text, unit, sizeof(unit) - 1) != 0) {
        return r;
    }
    const char *p = text + sizeof(unit) - 1;
    uint64_t first, last = UINT64_MAX;
    const bool has_first = number(&p, &first);
    if (*p++ != '-') {
        return r;
    }
    const bool has_last = number(&p, &last);
    if (*p != '\0' || (!has_first && !has_last) || (has_first && has_last && first > last)) {
        return r;
    }
    r.asked = true;
    if (!has_first) { /* the last so many bytes */
        r.possible = last > 0 && length > 0;
        r.first = length - min_u64(last, length);
        r.last = length - 1;
        return r;
    }
    r.possible = first < length;
    r.first = first;
    r.last = has_last ? min_u64(last, length - 1) : length - 1;
    return r;
}

void http_asked(const struct http_request *req, uint64_t length, uint64_t *first, uint64_t *bytes)
{
    const struct range r =
        req->method == HTTP_METHOD_GET ? parse_range(req->field.range, length) : (struct range){0};
    *first = r.asked ? r.first : 0;
    *bytes = !r.asked ? length : r.possible ? r.last - r.first + 1 : 0;
}

static void add_content_range(struct http_conn *c, const struct range *r, uint64_t length)
{
    HEAD_ADD(c, "Content-Range: bytes ");
    if (r->possible) {
        head_add_number(c, r->first);
        HEAD_ADD(c, "-");
        head_add_number(c, r->last);
    } else {
        HEAD_ADD(c, "*");
    }
    HEAD_ADD(c, "/");
    head_add_number(c, length);
    HEAD_ADD(c, "\r\n");
}

/* --- validators
 * ----------------------------------------------------------------------------------- */

/* If-None-Match: "*", or a list that holds the tag; weak ones compare equal (RFC 9110 13.1.2). */
static bool matches(const char *list, const char *etag)
{
    if (strcmp(list, "*") == 0) {
        return true;
    }
    const char *at = strstr(list, etag); /* the quotes are part of it */
    return at != NULL;
}

/* --- the whole answer
 * ----------------------------------------------------------------------------- */

static void start_stream(struct http_conn *c, uint64_t bytes)
{
    c->streaming = true;
    c->stream_left = bytes;
    c->payload_len = 0;
}

/* Length of what is sent: UNKNOWN for a stream that does not know. Sets the payload. */
static uint64_t body_length(struct http_conn *c)
{
    const struct http_response *res = &c->res;
    if (res->stream.read != NULL) {
        c->payload = NULL;
        return res->stream.length;
    }
    c->payload = res->static_body != NULL ? res->static_body : res->body.data;
    return res->static_body != NULL ? res->static_len : res->body.len;
}

static bool can_seek(const struct http_response *res)
{
    return res->status == 200 && (res->stream.read == NULL || res->stream.seek != NULL) &&
           (res->stream.read == NULL || res->stream.length != HTTP_LENGTH_UNKNOWN);
}

/* Turns the answer into a part of itself, or into a refusal, if a part was asked for. */
static struct range apply_range(struct http_conn *c, uint64_t *length)
{
    struct range r = {0};
    if (!can_seek(&c->res) || c->req.method != HTTP_METHOD_GET || c->req.field.range[0] == '\0') {
        return r;
    }
    r = parse_range(c->req.field.range, *length);
    if (!r.asked) {
        return r;
    }
    if (!r.possible) {
        http_error(&c->res, 416, "the range is outside of the %llu bytes that there are",
                   (unsigned long long)*length);
        *length = body_length(c);
        return r;
    }
    c->res.status = 206;
    *length = r.last - r.first + 1;
    if (c->res.stream.read != NULL) {
        c->res.stream.seek(c->res.stream.ctx, r.first);
    } else {
        c->payload += r.first;
    }
    return r;
}

static void add_length(struct http_conn *c, uint64_t length)
{
    if (c->res.status == 204 || c->res.status == 304) {
        return;
    }
    if (length != HTTP_LENGTH_UNKNOWN) {
        HEAD_ADD(c, "Content-Length: ");
        head_add_number(c, length);
        HEAD_ADD(c, "\r\n");
    } else if (c->req.http_1_0) {
        c->keep_alive = false; /* the end of the connection is the end of the body */
    } else {
        c->chunked = true;
        HEAD_ADD(c, "Transfer-Encoding: chunked\r\n");
    }
}

static void add_status(struct http_conn *c, int status)
{
    size_t n;
    const char *reason = find_reason(status, &n);
    HEAD_ADD(c, "HTTP/1.1 ");
    head_add_number(c, (uint64_t)status);
    HEAD_ADD(c, " ");
    head_put(c, reason, n);
    HEAD_ADD(c, "\r\n");
}

static void make_head(struct http_conn *c, const struct range *r, uint64_t whole, uint64_t length,
                      bool seekable)
{
    const struct http_response *res = &c->res;
    add_status(c, res->status);
    if (res->status != 204 && res->status != 304) {
        HEAD_ADD(c, "Content-Type: ");
        head_add(c, res->type);
        HEAD_ADD(c, "\r\n");
    }
    add_length(c, length);
    if (r->asked) {
        add_content_range(c, r, whole);
    } else if (seekable) {
        HEAD_ADD(c, "Accept-Ranges: bytes\r\n");
    }
    if (res->etag != NULL) {
        HEAD_ADD(c, "ETag: ");
        head_add(c, res->etag);
        HEAD_ADD(c, "\r\nCache-Control: no-cache\r\n");
    } else {
        HEAD_ADD(c, "Cache-Control: no-store\r\n");
    }
    HEAD_ADD(c, "X-Content-Type-Options: nosniff\r\n");
    if (res->extra != NULL) {
        head_add(c, res->extra);
    }
    if (!c->keep_alive) {
        HEAD_ADD(c, "Connection: close\r\n");
    } else if (c->req.http_1_0) {
        HEAD_ADD(c, "Connection: keep-alive\r\n");
    }
    HEAD_ADD(c, "\r\n");
}

void http_response_make(struct http_conn *c)
{
    struct http_response *res = &c->res;
    c->head_len = c->head_sent = c->payload_sent = 0;
    c->head_overflow = c->streaming = c->chunked = false;
    if (res->etag != NULL && res->status == 200 && matches(c->req.field.if_none_match, res->etag) &&
        (c->req.method & (HTTP_METHOD_GET | HTTP_METHOD_HEAD)) != 0) {
        res->status = 304;
    }
    if (res->stream.read == NULL) {
        text_trim(&res->body);
    }
    c->keep_alive = c->keep_alive && !res->last;
    uint64_t length = body_length(c);
    const uint64_t whole = length;
    const bool seekable = can_seek(res) && c->req.method != HTTP_METHOD_POST;
    const struct range r = apply_range(c, &length);
    make_head(c, &r, whole, length, seekable);
    const bool no_body =
        c->req.method == HTTP_METHOD_HEAD || res->status == 204 || res->status == 304;
    if (c->head_overflow) {
        c->head_len = 0; /* a handler's extra lines are too long: close instead of sending half */
    }
    c->closing = !c->keep_alive || c->head_len == 0;
    c->payload_len = (size_t)length;
    if (no_body || c->head_len == 0) {
        c->payload_len = 0;
        close_stream(res);
    } else if (res->stream.read != NULL) {
        start_stream(c, length);
    } else if (c->payload_len > 0 && c->payload_len <= sizeof(c->head) - c->head_len) {
        /* Both in one piece: it costs half of two. */
        memcpy(c->head + c->head_len, c->payload, c->payload_len);
        c->head_len += c->payload_len;
        c->payload_len = 0;
    }
}

/* --- pieces of a stream
 * --------------------------------------------------------------------------- */

/* Before a chunk: its size in hexadecimal and CRLF, written so that it ends where the data begins.
 */
#define FRAME_BYTES 10u
#define FRAME_TAIL  7u /* CRLF, and "0 CRLF CRLF" after the last */

static void frame(struct http_conn *c, size_t n, bool end)
{
    char *data = c->piece + FRAME_BYTES, *start = data;
    size_t len = n;
    if (c->chunked) {
        if (n > 0) {
            char head[FRAME_BYTES + 1];
            const int h = snprintf(head, sizeof(head), "%zx\r\n", n);
            start -= h;
            memcpy(start, head, (size_t)h);
            memcpy(data + n, "\r\n", 2);
            len += (size_t)h + 2;
        }
        if (end) {
            memcpy(start + len, "0\r\n\r\n", 5);
            len += 5;
        }
    }
    c->payload = start;
    c->payload_len = len;
    c->payload_sent = 0;
}

/* The stream cannot go on as promised: who reads must see that the answer is not whole. */
static void break_off(struct http_conn *c)
{
    c->streaming = false;
    c->payload_len = c->payload_sent = 0;
    c->closing = true;
    close_stream(&c->res);
}

bool http_response_more(struct http_conn *c)
{
    if (!c->streaming) {
        return false;
    }
    if (c->piece == NULL) {
        c->piece = malloc(FRAME_BYTES + HTTP_PIECE_BYTES + FRAME_TAIL);
    }
    if (c->piece == NULL) {
        break_off(c);
        return false;
    }
    bool end = c->stream_left == 0;
    const size_t room = (size_t)min_u64(HTTP_PIECE_BYTES, c->stream_left);
    const size_t n =
        end ? 0 : c->res.stream.read(c->res.stream.ctx, c->piece + FRAME_BYTES, room, &end);
    if (c->stream_left != HTTP_LENGTH_UNKNOWN) {
        c->stream_left -= n;
        if (end && c->stream_left != 0) {
            break_off(c);
            return false;
        }
        end = c->stream_left == 0;
    }
    if (n == 0 && !end) {
        return false;
    }
    frame(c, n, end);
    if (end) {
        c->streaming = false;
        close_stream(&c->res);
    }
    return c->payload_len > 0;
}

void http_response_free(struct http_conn *c)
{
    close_stream(&c->res);
    http_response_drop(&c->res);
    free(c->piece);
    c->piece = NULL;
}
