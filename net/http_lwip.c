/* SPDX-License-Identifier: MIT */
/*
 * HTTP over lwIP's raw TCP interface. Connections come from a fixed pool; received data that the
 * engine cannot take yet stays in the pbuf queue and is acknowledged to TCP only when taken, so a
 * client that sends faster than it reads is held back by its window.
 */
#include <stdio.h>

#include "arch/clock.h"
#include "arch/log.h"
#include "lwip/tcp.h"
#include "net/http_priv.h"

enum {
    HTTP_PORT = 80,
    MAX_CONNECTIONS = 64,
    POLL_HALF_SECONDS = 2,           /* tcp_poll interval */
    IDLE_LIMIT_US = 60 * 1000000,    /* keep-alive connection without a request */
    REQUEST_LIMIT_US = 10 * 1000000, /* from the first to the last byte of a request */
    SEND_LIMIT_US = 30 * 1000000,    /* a client that does not read */
};

struct slot {
    struct tcp_pcb *pcb;    /* NULL = free slot */
    struct http_conn *conn; /* owned */
    struct pbuf *pending;   /* owned, not yet taken by the engine */
    size_t pending_off;
    uint64_t since_us; /* last progress */
    bool remote_closed;
};

static struct {
    struct slot slots[MAX_CONNECTIONS];
} state;

static void release(struct slot *s)
{
    if (s->pending != NULL) {
        pbuf_free(s->pending);
    }
    http_conn_free(s->conn);
    *s = (struct slot){0};
    http_stats_mut()->open--;
}

/* Closes or, when TCP has no memory for that, aborts. Returns ERR_ABRT in the second case:
 * callbacks of lwIP must pass it on. */
static err_t finish(struct slot *s, bool abort_it)
{
    struct tcp_pcb *pcb = s->pcb;
    tcp_arg(pcb, NULL);
    tcp_recv(pcb, NULL);
    tcp_sent(pcb, NULL);
    tcp_poll(pcb, NULL, 0);
    tcp_err(pcb, NULL);
    release(s);
    if (!abort_it && tcp_close(pcb) == ERR_OK) {
        return ERR_OK;
    }
    tcp_abort(pcb);
    return ERR_ABRT;
}

/* Sends what the engine has, feeds it what has come, until neither moves. */
static err_t pump(struct slot *s)
{
    struct http_stats *stats = http_stats_mut();
    for (;;) {
        bool moved = false;
        size_t len;
        const void *out;
        while ((out = http_conn_output(s->conn, &len)) != NULL) {
            u16_t n = (u16_t)min_u64(min_u64(len, tcp_sndbuf(s->pcb)), UINT16_MAX);
            if (n == 0 || tcp_write(s->pcb, out, n, TCP_WRITE_FLAG_COPY) != ERR_OK) {
                tcp_output(s->pcb);
                return ERR_OK; /* tcp_sent or tcp_poll brings us back */
            }
            http_conn_sent(s->conn, n);
            s->since_us = clock_now_us();
            moved = true;
        }
        if (stats->first_answer_us == 0 && moved) {
            stats->first_answer_us = clock_now_us();
            log_info("http", "first answer %llu us after hand-off",
                     (unsigned long long)stats->first_answer_us);
        }
        if (http_conn_closing(s->conn)) {
            tcp_output(s->pcb);
            return finish(s, false);
        }
        while (s->pending != NULL) {
            struct pbuf *p = s->pending;
            size_t used = http_conn_input(s->conn, (const char *)p->payload + s->pending_off,
                                          (size_t)p->len - s->pending_off);
            if (used == 0 && p->len > s->pending_off) {
                break; /* an answer is in the way */
            }
            moved = true;
            tcp_recved(s->pcb, (u16_t)used);
            s->pending_off += used;
            if (s->pending_off == p->len) {
                s->pending = p->next;
                s->pending_off = 0;
                if (p->next != NULL) {
                    pbuf_ref(p->next);
                }
                pbuf_free(p);
            }
        }
        if (!moved) {
            break;
        }
    }
    tcp_output(s->pcb);
    if (s->remote_closed && s->pending == NULL) {
        return finish(s, false);
    }
    return ERR_OK;
}

static err_t on_recv(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err)
{
    struct slot *s = arg;
    (void)pcb;
    if (err != ERR_OK || s == NULL) {
        if (p != NULL) {
            pbuf_free(p);
        }
        return ERR_OK;
    }
    if (p == NULL) {
        s->remote_closed = true;
    } else if (s->pending == NULL) {
        s->pending = p;
        s->pending_off = 0;
    } else {
        pbuf_cat(s->pending, p);
    }
    s->since_us = clock_now_us();
    return pump(s);
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
    (void)pcb;
    (void)len;
    struct slot *s = arg;
    if (s == NULL) {
        return ERR_OK;
    }
    size_t left;
    if (http_conn_output(s->conn, &left) == NULL && s->pending == NULL) {
        return ERR_OK; /* the usual case: everything was sent at once */
    }
    return pump(s);
}

static err_t on_poll(void *arg, struct tcp_pcb *pcb)
{
    (void)pcb;
    struct slot *s = arg;
    if (s == NULL) {
        return ERR_OK;
    }
    size_t left;
    bool sending = http_conn_output(s->conn, &left) != NULL;
    uint64_t limit = sending                         ? SEND_LIMIT_US
                     : http_conn_in_request(s->conn) ? REQUEST_LIMIT_US
                                                     : IDLE_LIMIT_US;
    if (clock_now_us() - s->since_us > limit) {
        http_stats_mut()->timeouts++;
        return finish(s, true);
    }
    return pump(s);
}

static void on_err(void *arg, err_t err)
{
    (void)err;
    if (arg != NULL) {
        release(arg); /* lwIP has freed the pcb */
    }
}

static err_t on_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    (void)arg;
    struct http_stats *stats = http_stats_mut();
    if (err != ERR_OK || pcb == NULL) {
        return ERR_VAL;
    }
    for (size_t i = 0; i < MAX_CONNECTIONS; i++) {
        struct slot *s = &state.slots[i];
        if (s->pcb != NULL) {
            continue;
        }
        struct http_conn *conn = http_conn_new();
        if (conn == NULL) {
            break;
        }
        *s = (struct slot){.pcb = pcb, .conn = conn, .since_us = clock_now_us()};
        stats->connections++;
        stats->open++;
        tcp_arg(pcb, s);
        tcp_recv(pcb, on_recv);
        tcp_sent(pcb, on_sent);
        tcp_err(pcb, on_err);
        tcp_poll(pcb, on_poll, POLL_HALF_SECONDS);
        tcp_nagle_disable(pcb); /* answers are written whole */
        return ERR_OK;
    }
    stats->refused_connections++;
    tcp_abort(pcb);
    return ERR_ABRT;
}

void http_start(void)
{
    struct tcp_pcb *pcb = tcp_new();
    if (pcb == NULL || tcp_bind(pcb, IP_ANY_TYPE, HTTP_PORT) != ERR_OK) {
        log_error("http", "cannot bind port %d: no memory for the listener", HTTP_PORT);
        return;
    }
    struct tcp_pcb *listener = tcp_listen(pcb);
    if (listener == NULL) {
        log_error("http", "cannot listen on port %d: out of memory", HTTP_PORT);
        return;
    }
    tcp_accept(listener, on_accept);
    log_info("http", "listening on port %d", HTTP_PORT);
}
