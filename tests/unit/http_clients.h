/* SPDX-License-Identifier: MIT */
/*
 * The HTTP server on a wire, and clients that stall, flood, or take without reading. One server per
 * program.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "lwip/opt.h"
#include "lwip/stats.h"
#include "net/http/http.h"
#include "net/stack/stack.h"
#include "tests/unit/wire.h"

#define HOSTS  (WIRE_PEER + 20) /* addresses from here on */
#define ANSWER 300000u          /* bytes of /big and /heap */

static inline void hello(const struct http_request *req, struct http_response *res)
{
    (void)req;
    text_append(&res->body, "hello\n", 6);
}

static inline void big(const struct http_request *req, struct http_response *res)
{
    (void)req;
    static const char block[ANSWER] = {'x'};
    res->static_body = block;
    res->static_len = sizeof(block);
}

static inline void heap(const struct http_request *req, struct http_response *res)
{
    (void)req;
    char *at = text_reserve(&res->body, ANSWER);
    if (at != NULL) {
        memset(at, 'x', ANSWER);
        res->body.len += ANSWER;
    }
}

/* As much as there still is, to a kilobyte. */
static inline void rest(const struct http_request *req, struct http_response *res)
{
    struct http_stats s;
    (void)req;
    http_get_stats(&s);
    size_t n = HTTP_MEMORY_OWN + HTTP_MEMORY_SHARED - s.memory_used - 1;
    char *at = text_reserve(&res->body, n);
    if (at != NULL) {
        memset(at, 'x', n);
        res->body.len += n;
    }
}

static inline void body(const struct http_request *req, struct http_response *res)
{
    text_printf(&res->body, "got %zu\n", req->body_len);
}

static const struct http_route routes[] = {
    {"/hello", HTTP_METHOD_GET, hello, .summary = ""},
    {"/big", HTTP_METHOD_GET, big, .summary = ""},
    {"/heap", HTTP_METHOD_GET, heap, .summary = ""},
    {"/rest", HTTP_METHOD_GET, rest, .summary = ""},
    {"/body", HTTP_METHOD_POST, body, .summary = ""},
    {.path = NULL},
};

static struct wire_peer clients[80];

static inline struct http_stats stats(void)
{
    struct http_stats s;
    http_get_stats(&s);
    return s;
}

static inline uint64_t buffers_used(void) { return lwip_stats.memp[MEMP_PBUF_POOL]->used; }

static inline int reset(void **state)
{
    (void)state;
    wire_reset();
    assert_int_equal(stats().open, 0);
    assert_int_equal(stats().memory_used, 0); /* nothing is kept by nobody */
    return 0;
}

/* count clients, each from an address of its own, or all from one. */
static inline void connect_clients(size_t count, bool one_address)
{
    for (size_t i = 0; i < count; i++) {
        wire_peer_init(&clients[i], HOSTS + (one_address ? 0 : (uint32_t)i));
        assert_true(wire_connect(&clients[i]));
    }
}

static inline size_t count_in(int state, size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        n += (int)clients[i].state == state;
    }
    return n;
}

static inline int group_setup(void **state)
{
    (void)state;
    wire_start();
    http_set_routes(routes);
    http_start();
    return 0;
}
