/* SPDX-License-Identifier: MIT */
/*
 * /api/v1/events as a program of bytes: events come, clients listen from ids that they make up,
 * read in pieces, leave, time passes. What a stream says must be events whose ids rise one by one,
 * but for what a gap accounts for; what a list says must be JSON.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/host/host.h"
#include "net/api/api.h"
#include "net/api/event_ring.h"
#include "net/api/events.h"
#include "net/http/http.h"
#include "net/http/json_in.h"

#define CLIENTS 24u
#define LINE    4096u

static struct api_context ctx = {.version = "fuzz"};

struct ear {
    struct http_conn *conn; /* NULL: nobody */
    bool body;              /* the head is over */
    char line[LINE];
    size_t len;
    uint64_t id;   /* of the last event, 0: none yet */
    uint64_t lost; /* by a gap since then */
    bool any;      /* a gap that may begin anywhere */
};
static struct ear ears[CLIENTS];

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static bool is_json(const char *text)
{
    json_t *v = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    json_decref(v);
    return v != NULL;
}

static void line(struct ear *e)
{
    e->line[e->len] = '\0';
    e->len = 0;
    if (!e->body) {
        e->body = strcmp(e->line, "\r") == 0;
        return;
    }
    const char *l = e->line;
    if (strncmp(l, "id: ", 4) == 0) {
        const uint64_t id = strtoull(l + 4, NULL, 10);
        must(id > event_ring_base() && id < event_ring_next());
        must(e->any || e->id == 0 || id == e->id + e->lost + 1);
        e->id = id;
        e->lost = 0;
        e->any = false;
    } else if (strncmp(l, "data: ", 6) == 0) {
        must(is_json(l + 6));
        const char *lost = strstr(l, "\"lost\":");
        if (lost != NULL) {
            e->lost += strtoull(lost + 7, NULL, 10);
            e->any |= strstr(l, "started again") != NULL;
        }
    } else {
        must(l[0] == '\0' || l[0] == ':' || strncmp(l, "event: ", 7) == 0 ||
             strcmp(l, "retry: 2000") == 0);
    }
}

static void hear(struct ear *e, size_t at_most)
{
    const char *p;
    size_t n;
    while (at_most > 0 && (p = http_conn_output(e->conn, &n)) != NULL) {
        n = min_u64(n, at_most);
        at_most -= n;
        for (size_t i = 0; i < n; i++) {
            must(e->len < LINE - 1);
            if (p[i] == '\n') {
                line(e);
            } else {
                e->line[e->len++] = p[i];
            }
        }
        http_conn_sent(e->conn, n);
    }
}

static void leave(struct ear *e)
{
    http_conn_free(e->conn);
    memset(e, 0, sizeof(*e));
}

/* what: "GET %s" of a query, or a field. */
static void listens(struct ear *e, bool field, const char *text, size_t len)
{
    char request[1400];
    leave(e);
    e->conn = http_conn_new();
    if (e->conn == NULL) {
        return;
    }
    const int n = field
                      ? snprintf(request, sizeof(request),
                                 "GET /api/v1/events HTTP/1.0\r\nHost: localhost\r\nLast-Event-ID: "
                                 "%.*s\r\n\r\n",
                                 (int)len, text)
                      : snprintf(request, sizeof(request),
                                 "GET /api/v1/events?%.*s HTTP/1.0\r\nHost: localhost\r\n\r\n",
                                 (int)len, text);
    http_conn_input(e->conn, request, (size_t)n);
    const char *p = http_conn_output(e->conn, &len);
    if (p == NULL || strstr(p, "text/event-stream") == NULL) { /* refused, or a list */
        leave(e);
    }
}

static void add(uint8_t len)
{
    char data[300];
    const int n =
        snprintf(data, sizeof(data), "{\"text\":\"%.*s\"}", (int)len,
                 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    must(event_ring_add("note", data, (size_t)n));
}

static void list(uint64_t after)
{
    struct text_buf all = {0};
    events_put_json(&all, after);
    must(is_json(all.data));
    text_free(&all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_stats s;
    struct event_stats es;
    size_t at = 0;
    host_clock_set_unix(size > 0 && data[0] % 2 != 0 ? 1790000000 : 0);
    api_init(&ctx);
    while (at + 2 < size) {
        const uint8_t op = data[at] % 8, arg = data[at + 1];
        struct ear *e = &ears[arg % CLIENTS];
        at += 2;
        switch (op) {
        case 0:
            add(arg);
            break;
        case 1: /* many */
            for (unsigned i = 0; i < 8u * arg; i++) {
                add(0);
            }
            break;
        case 2:
        case 3: {
            const size_t len = min_u64(data[at], size - at - 1);
            listens(e, op == 3, (const char *)data + at + 1, len);
            at += 1 + len;
            break;
        }
        case 4:
            if (e->conn != NULL) {
                hear(e, 1 + (size_t)data[at] * 64);
            }
            at++;
            break;
        case 5:
            leave(e);
            break;
        case 6:
            host_clock_advance((uint64_t)arg * US_PER_S / 2 * NS_PER_US);
            break;
        default:
            list(arg < 8 ? arg : event_ring_next() - arg);
            break;
        }
        events_poll();
        must(events_due_us() > 0);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        leave(&ears[i]);
    }
    http_get_stats(&s);
    events_get_stats(&es);
    must(s.memory_used == 0 && es.streams == 0);
    return 0;
}
