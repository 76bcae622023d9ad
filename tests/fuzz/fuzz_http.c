/* SPDX-License-Identifier: MIT */
/* The HTTP engine on arbitrary bytes, cut into pieces that the input itself chooses. */
#include <stdint.h>
#include <stdlib.h>

#include "net/http/http.h"

static void echo(const struct http_request *req, struct http_response *res)
{
    text_printf(&res->body, "%s %s", req->path, req->query);
    text_append(&res->body, req->body, req->body_len);
}
static const struct http_route routes[] = {
    {"/*", HTTP_METHOD_GET | HTTP_METHOD_POST, echo, .summary = ""},
    {.path = NULL},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
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
    }
    if (stuck >= 3) {
        abort(); /* with nothing to send, input must always be taken */
    }
    http_conn_free(c);
    return 0;
}
