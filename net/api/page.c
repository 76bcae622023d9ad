/* SPDX-License-Identifier: MIT */
/* GET /: the live page, which is kept compressed only, or a page of links for who does not take
 * gzip. Every browser does; one behind a proxy that hides it is known by asking for HTML. */
#include <string.h>
#include <strings.h>

#include "net/api/api_priv.h"
#include "web_page.h" /* generated from net/page/ */

#define POLICY "Content-Security-Policy: " WEB_PAGE_POLICY "\r\nVary: Accept-Encoding, Accept\r\n"

/* A coding's parameters, from its first semicolon: ";q=0", ";q=0.0", ... say that it is not wanted
 * (RFC 9110 12.4.2). */
static bool refused(const char *p, const char *end)
{
    while (p < end && (*p == ';' || *p == ' ' || *p == '\t')) {
        p++;
    }
    if (end - p < 3 || strncasecmp(p, "q=0", 3) != 0) {
        return false;
    }
    for (p += 3; p < end && (*p == '.' || *p == '0'); p++) {
    }
    return p == end || *p == ' ' || *p == '\t';
}

bool api_takes_gzip(const char *accept_encoding)
{
    bool any = false; /* what "*" says of codings without an entry of their own */
    const char *p = accept_encoding;
    while (*p != '\0') {
        p += strspn(p, ", \t");
        const char *end = p + strcspn(p, ",");
        const size_t name = strcspn(p, ",; \t");
        const bool wanted = !refused(p + name, end);
        if ((name == 4 && strncasecmp(p, "gzip", 4) == 0) ||
            (name == 6 && strncasecmp(p, "x-gzip", 6) == 0)) {
            return wanted;
        }
        any = name == 1 && *p == '*' ? wanted : any;
        p = end;
    }
    return any;
}

void api_get_page(const struct http_request *req, struct http_response *res)
{
    const struct http_fields *f = &req->field;
    res->type = "text/html; charset=utf-8";
    if (api_takes_gzip(f->accept_encoding) ||
        (f->accept_encoding[0] == '\0' && strstr(f->accept, "text/html") != NULL)) {
        res->extra = POLICY "Content-Encoding: gzip\r\n";
        res->etag = WEB_PAGE_ETAG;
        res->static_body = web_page_gzip;
        res->static_len = web_page_gzip_len;
        return;
    }
    res->extra = POLICY;
    res->static_body = web_page_plain;
    res->static_len = web_page_plain_len;
}
