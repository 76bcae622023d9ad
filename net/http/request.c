/* SPDX-License-Identifier: MIT */
/* From llhttp's events to a request: target, header fields, body (http_priv.h). */
#include <string.h>
#include <strings.h>

#include "net/http/http_priv.h"

static struct http_conn *conn_of(llhttp_t *p) { return p->data; }

static void reject(struct http_conn *c, int status, const char *why)
{
    if (c->reject == 0) {
        c->reject = status;
        c->why = why;
    }
}

/* --- the target ---------------------------------------------------------------------------------
 */

static int hex_digit(char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }
    ch = (char)(ch | 0x20);
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}

/* One character of a path, decoded. An encoded slash or control character is no part of any path
 * here, and would read differently for whoever decodes a second time. */
static bool decode(const char **p, const char *end, char *out)
{
    if (**p != '%') {
        *out = *(*p)++;
        return true;
    }
    if (end - *p < 3) {
        return false;
    }
    const int hi = hex_digit((*p)[1]), lo = hex_digit((*p)[2]);
    const int code = hi * 16 + lo;
    *p += 3;
    *out = (char)code;
    return hi >= 0 && lo >= 0 && code >= ' ' && code != 0x7f && code != '/';
}

/* Writes p to end as a path without empty and dot segments (RFC 3986 5.2.4). */
static int normalise(char *out, const char *p, const char *end, const char **why)
{
    size_t n = 0; /* of whole segments, each with its '/' in front */
    while (p < end) {
        p++; /* '/' */
        size_t len = n;
        out[len++] = '/';
        while (p < end && *p != '/') {
            if (len >= HTTP_PATH_MAX - 1) {
                *why = "the path is longer than 255 bytes";
                return 414;
            }
            if (!decode(&p, end, &out[len++])) {
                *why = "the path has a wrong percent-encoding";
                return 400;
            }
        }
        const char *name = out + n + 1;
        const size_t name_len = len - n - 1;
        if (name_len == 2 && memcmp(name, "..", 2) == 0) {
            while (n > 0 && out[--n] != '/') {
            }
        } else if (name_len > 0 && !(name_len == 1 && *name == '.')) {
            n = len;
        }
    }
    if (n == 0) {
        out[n++] = '/';
    }
    out[n] = '\0';
    return 0;
}

/* "http://host[:port]" of an absolute form; returns where the path begins, NULL: it has none. */
static const char *authority(struct http_request *req, const char *p, const char *end,
                             const char **why)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        const size_t n = strlen(schemes[i]);
        if ((size_t)(end - p) <= n || strncasecmp(p, schemes[i], n) != 0) {
            continue;
        }
        p += n;
        size_t len = 0;
        while (p + len < end && strchr("/?", p[len]) == NULL) {
            len++;
        }
        if (len == 0 || len >= sizeof(req->field.host) || memchr(p, '@', len) != NULL) {
            break;
        }
        memcpy(req->field.host, p, len);
        req->field.host[len] = '\0';
        return p + len;
    }
    *why = "the target is neither a path nor an http URL";
    return NULL;
}

int http_split_target(struct http_request *req, const char *target, size_t len, const char **why)
{
    const char *p = target, *end = target + len;
    req->path[0] = req->query[0] = '\0';
    if (len == 1 && *p == '*' && req->method == HTTP_METHOD_OPTIONS) {
        memcpy(req->path, "*", 2);
        return 0;
    }
    if (len == 0 || *p != '/') {
        p = authority(req, p, end, why);
        if (p == NULL) {
            return 400;
        }
    }
    const char *question = memchr(p, '?', (size_t)(end - p));
    const char *path_end = question != NULL ? question : end;
    if (question != NULL) {
        const size_t n = (size_t)(end - question - 1);
        if (n >= sizeof(req->query)) {
            *why = "the query is longer than 1023 bytes";
            return 414;
        }
        memcpy(req->query, question + 1, n);
        req->query[n] = '\0';
    }
    return normalise(req->path, p, path_end, why);
}

/* --- header fields ------------------------------------------------------------------------------
 */

/* Those that are kept. once: twice is an error, or one of two could be taken for the other. must:
 * too long is an error; else it counts as absent. */
static const struct {
    const char *name;
    size_t name_len, off, size;
    bool once, must;
} fields[] = {
#define FIELD(text, member, once, must)                                                            \
    {text,                                                                                         \
     sizeof(text) - 1,                                                                             \
     offsetof(struct http_fields, member),                                                         \
     sizeof(((struct http_fields *)0)->member),                                                    \
     once,                                                                                         \
     must}
    FIELD("host", host, true, true),
    FIELD("origin", origin, true, true),
    FIELD("authorization", authorization, true, true),
    FIELD("content-type", content_type, true, true),
    FIELD("accept", accept, false, false),
    FIELD("accept-encoding", accept_encoding, false, false),
    FIELD("range", range, true, false),
    FIELD("content-range", content_range, true, true),
    FIELD("if-none-match", if_none_match, false, false),
    FIELD("expect", expect, false, false),
    FIELD("last-event-id", last_event_id, false, false),
#undef FIELD
};

static int on_begin(llhttp_t *p)
{
    struct http_conn *c = conn_of(p);
    c->target_len = 0;
    c->reject = 0;
    c->why = NULL;
    c->body_in.len = 0;
    c->name_len = 0;
    c->seen = 0;
    c->body_max = HTTP_BODY_MAX;
    memset(&c->req.field, 0, sizeof(c->req.field));
    return 0;
}

static int on_url(llhttp_t *p, const char *at, size_t len)
{
    struct http_conn *c = conn_of(p);
    if (len > sizeof(c->target) - c->target_len) {
        reject(c, 414, "the target is longer than 2 KiB");
        return 0;
    }
    memcpy(c->target + c->target_len, at, len);
    c->target_len += len;
    return 0;
}

static int on_field(llhttp_t *p, const char *at, size_t len)
{
    struct http_conn *c = conn_of(p);
    if (c->headers_done) {
        return 0; /* a trailer: means nothing here */
    }
    const size_t room = sizeof(c->name) - min_u64(c->name_len, sizeof(c->name));
    memcpy(c->name + sizeof(c->name) - room, at, min_u64(len, room));
    c->name_len += len;
    return 0;
}

/* name: of a row, so lower-case letters and hyphens. text: what the parser takes for a name, in
 * which no control character is, so that only "-" is folded to one. */
static bool is_name(const char *name, const char *text, size_t len)
{
    enum { LOWER = 0x20 };
    for (size_t i = 0; i < len; i++) {
        if ((text[i] | LOWER) != name[i]) {
            return false;
        }
    }
    return true;
}

static int on_field_complete(llhttp_t *p)
{
    struct http_conn *c = conn_of(p);
    c->known = -1;
    c->value_len = 0;
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        if (c->name_len == fields[i].name_len && is_name(fields[i].name, c->name, c->name_len)) {
            c->known = (int)i;
            if (fields[i].once && (c->seen & 1u << i) != 0) {
                reject(c, 400, "a header field that may come once comes twice");
            }
            c->seen |= 1u << i;
        }
    }
    c->name_len = 0;
    return 0;
}

static char *value_of(struct http_conn *c) { return (char *)&c->req.field + fields[c->known].off; }

static int on_value(llhttp_t *p, const char *at, size_t len)
{
    struct http_conn *c = conn_of(p);
    if (c->known >= 0) {
        const size_t room = fields[c->known].size - 1;
        if (c->value_len < room) {
            memcpy(value_of(c) + c->value_len, at, min_u64(len, room - c->value_len));
        }
        c->value_len += len;
    }
    return 0;
}

static int on_value_complete(llhttp_t *p)
{
    struct http_conn *c = conn_of(p);
    if (c->known < 0) {
        return 0;
    }
    char *value = value_of(c);
    if (c->value_len >= fields[c->known].size) {
        c->value_len = 0;
        if (fields[c->known].must) {
            reject(c, 431, "a header field is too long");
        }
    }
    while (c->value_len > 0 && strchr(" \t", value[c->value_len - 1]) != NULL) {
        c->value_len--;
    }
    value[c->value_len] = '\0';
    return 0;
}

static enum http_method method_of(const llhttp_t *p)
{
    switch (p->method) {
    case HTTP_GET:
        return HTTP_METHOD_GET;
    case HTTP_HEAD:
        return HTTP_METHOD_HEAD;
    case HTTP_POST:
        return HTTP_METHOD_POST;
    case HTTP_PUT:
        return HTTP_METHOD_PUT;
    case HTTP_OPTIONS:
        return HTTP_METHOD_OPTIONS;
    default:
        return HTTP_METHOD_OTHER;
    }
}

/* RFC 9112 3.2: a request of HTTP/1.1 has one Host, be it empty. */
static void check_host(struct http_conn *c)
{
    if ((c->seen & 1u) == 0 && !c->req.http_1_0) {
        reject(c, 400, "an HTTP/1.1 request needs a Host field");
    }
}

static int on_headers_complete(llhttp_t *p)
{
    struct http_conn *c = conn_of(p);
    c->headers_done = true;
    p->upgrade = 0; /* we speak HTTP/1.1 only: an offer to upgrade is ignored, as it may be */
    c->req.method = method_of(p);
    c->req.http_1_0 = p->http_major == 1 && p->http_minor == 0;
    check_host(c);
    if (c->reject == 0) {
        const char *why = NULL;
        const int status = http_split_target(&c->req, c->target, c->target_len, &why);
        if (status != 0) {
            reject(c, status, why);
        }
    }
    c->route = NULL;
    if (c->reject == 0) {
        c->route = http_find_route(c->req.path, c->req.method, &c->allowed);
    }
    if (c->route != NULL && c->route->body_max != 0) {
        c->body_max = c->route->body_max;
    }
    c->interim = c->reject == 0 && strcasecmp(c->req.field.expect, "100-continue") == 0;
    return 0;
}

static int on_body(llhttp_t *p, const char *at, size_t len)
{
    struct http_conn *c = conn_of(p);
    c->interim = false;
    if (len > c->body_max - c->body_in.len) {
        reject(c, 413, "the body is larger than this path takes");
        return HPE_USER;
    }
    text_append(&c->body_in, at, len);
    return 0;
}

static int on_complete(llhttp_t *p)
{
    conn_of(p)->complete = true;
    conn_of(p)->interim = false;
    return HPE_PAUSED;
}

const llhttp_settings_t *http_parser_settings(void)
{
    static llhttp_settings_t s;
    static bool ready;
    if (!ready) {
        llhttp_settings_init(&s);
        s.on_message_begin = on_begin;
        s.on_url = on_url;
        s.on_header_field = on_field;
        s.on_header_field_complete = on_field_complete;
        s.on_header_value = on_value;
        s.on_header_value_complete = on_value_complete;
        s.on_headers_complete = on_headers_complete;
        s.on_body = on_body;
        s.on_message_complete = on_complete;
        ready = true;
    }
    return &s;
}
