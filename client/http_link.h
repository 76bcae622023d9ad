/* SPDX-License-Identifier: MIT */
/*
 * HTTP requests to the appliance, over libcurl: straight to it (no proxy, no redirect), within
 * limits of size and time that the other side cannot stretch.
 */
#pragma once

#include "client/client.h"

#define HTTP_DOWNLOAD_MOST MIB(64)
/* Of an answer that is JSON. jansson makes some 50 bytes of each byte of "[[],[],...", and the
 * appliance answers with 2 MiB at most (TEXT_BUF_MAX). */
#define HTTP_JSON_MOST MIB(8)

struct http_answer {
    long status;
    char *body; /* owned, NUL-terminated behind len bytes */
    size_t len;
};

/* Ready for requests; NULL: c has failed. */
struct http_link *http_open(struct client *c);
void http_close(struct http_link *l);

/* GET, or POST of JSON when body is not NULL. False: nothing usable has come, and c has failed
 * (EXIT_UNREACHABLE). what: "gpu.boot", for the line that says how long it has been going on, once
 * it takes longer than a second and standard error is a terminal. */
bool http_ask(struct client *c, const char *what, const char *path, const char *body, size_t most,
              double timeout_s, struct http_answer *out);
/* Makes c fail with what an answer that is no success says: a problem (RFC 9457), an error of
 * JSON-RPC, else its status. 401: EXIT_TOKEN, else EXIT_REFUSED. Returns c->status. */
int http_refused(struct client *c, const char *what, const struct http_answer *a);
