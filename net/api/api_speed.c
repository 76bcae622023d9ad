/* SPDX-License-Identifier: MIT */
/*
 * /api/v1/speed: bytes that say nothing, as many as asked for, to measure the network between here
 * and a client. They cost nothing to make, so what is measured is the way.
 */
#include <stdlib.h>
#include <string.h>

#include "net/api/api_priv.h"

#define SPEED_DEFAULT_BYTES MIB(64)
#define SPEED_MAX_BYTES     GIB(64ull)

/* Zeros; which bytes of the body they are does not matter. */
static size_t read_zeros(void *ctx, void *buf, size_t size, bool *end)
{
    (void)ctx;
    (void)end; /* the engine counts: the length is known */
    memset(buf, 0, size);
    return size;
}

static void seek_anywhere(void *ctx, uint64_t offset)
{
    (void)ctx;
    (void)offset;
}

/* "bytes=N", decimal, and nothing else. */
static bool asked_bytes(const char *query, uint64_t *bytes)
{
    static const char name[] = "bytes=";
    if (query[0] == '\0') {
        *bytes = SPEED_DEFAULT_BYTES;
        return true;
    }
    const char *digits = query + strlen(name);
    if (strncmp(query, name, strlen(name)) != 0 || strspn(digits, "0123456789") != strlen(digits) ||
        digits[0] == '\0') {
        return false;
    }
    *bytes = strtoull(digits, NULL, 10); /* far too many: the largest number */
    return *bytes <= SPEED_MAX_BYTES;
}

void api_get_speed(const struct http_request *req, struct http_response *res)
{
    uint64_t bytes;
    if (!asked_bytes(req->query, &bytes)) {
        http_error(res, 400, "expected ?bytes=N with N from 0 to %llu, or nothing for %llu",
                   (unsigned long long)SPEED_MAX_BYTES, (unsigned long long)SPEED_DEFAULT_BYTES);
        return;
    }
    res->type = "application/octet-stream";
    res->stream = (struct http_stream){.read = read_zeros, .seek = seek_anywhere, .length = bytes};
}
