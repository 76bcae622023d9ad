/* SPDX-License-Identifier: MIT */
/*
 * HTTP over lwIP's raw TCP interface. Connections come from a fixed pool. Received data is copied
 * out of the stack's buffers at once; what the engine cannot take yet waits in memory of our own
 * and is acknowledged to TCP only when taken, so a client that sends faster than it reads is held
 * back by its window, and waiting data is never more than one window.
 *
 * How long a client has let us wait ("stalled") is measured from the start of what it is at, not
 * from its last byte: idle; sending a request; reading an answer, where what it has acknowledged
 * counts for it. While we work on its answer it does not let us wait. Each has a limit, and when
 * the pool is full the one that has stalled longest makes way for a newcomer.
 */
#include <stdio.h>
#include <string.h>

#include "arch/clock.h"
#include "arch/log.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"
#include "net/http/http_priv.h"
#include "net/http/tls.h"
#include "net/stack/netmain.h"
#include "net/stack/stack.h"

enum {
    PER_ADDRESS = 48,                /* NAT and QEMU's user network show many clients as one */
    POLL_HALF_SECONDS = 2,           /* tcp_poll interval */
    IDLE_LIMIT_US = 60 * 1000000,    /* keep-alive connection without a request */
    REQUEST_LIMIT_US = 10 * 1000000, /* from the first to the last byte of a request */
    ANSWER_LIMIT_US = 30 * 1000000,  /* behind the least pace of reading */
    LEAST_BYTES_PER_S = 4096,        /* that pace */
    MOMENT_US = 1000000,             /* whom nobody would call slow */
    ARRIVING_US = 100000,            /* from a connection to its first request */
    KEEP_BYTES = 4096,               /* an empty buffer of this size is kept for the next request */
};

enum phase { PHASE_IDLE, PHASE_HANDSHAKE, PHASE_REQUEST, PHASE_ANSWER, PHASE_WORK };

struct slot {
    struct tcp_pcb *pcb;    /* NULL = free slot */
    struct http_conn *conn; /* owned */
    struct tls_conn *tls;   /* owned; NULL: plain */
    struct text_buf in;     /* received, not yet taken by the engine */
    size_t in_off;          /* so much of it is taken */
    enum phase phase;
    uint64_t since_us; /* connected */
    uint64_t phase_us; /* when it began; while an answer is read, later by what was read */
    bool remote_closed;
};

static struct {
    struct slot slots[NET_CONNECTIONS_MAX];
} state;

static void release(struct slot *s)
{
    text_free(&s->in);
    tls_conn_free(s->tls);
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
        stack_tcp_closing();
        return ERR_OK;
    }
    tcp_abort(pcb);
    return ERR_ABRT;
}

/* --- how long a client lets us wait ----------------------------------------------------------- */

static bool all_acknowledged(const struct slot *s)
{
    return s->pcb->unsent == NULL && s->pcb->unacked == NULL;
}

static void follow_phase(struct slot *s)
{
    size_t len;
    const bool shaking = s->tls != NULL && tls_conn_shaking(s->tls);
    bool answering = http_conn_output(s->conn, &len) != NULL || !all_acknowledged(s);
    enum phase phase = shaking                         ? PHASE_HANDSHAKE
                       : answering                     ? PHASE_ANSWER
                       : http_conn_working(s->conn)    ? PHASE_WORK
                       : http_conn_in_request(s->conn) ? PHASE_REQUEST
                                                       : PHASE_IDLE;
    if (phase != s->phase) {
        s->phase = phase;
        s->phase_us = clock_now_us();
    }
}

static uint64_t stalled_us(const struct slot *s, uint64_t now_us)
{
    const bool ours = s->phase == PHASE_WORK || (s->tls != NULL && tls_conn_working(s->tls));
    return ours ? 0 : now_us - s->phase_us;
}

static bool has_stalled_too_long(const struct slot *s)
{
    static const uint64_t limits[] = {[PHASE_WORK] = 0, /* lets nobody wait */
                                      [PHASE_IDLE] = IDLE_LIMIT_US,
                                      [PHASE_HANDSHAKE] = TLS_HANDSHAKE_LIMIT_US,
                                      [PHASE_REQUEST] = REQUEST_LIMIT_US,
                                      [PHASE_ANSWER] = ANSWER_LIMIT_US};
    const uint64_t now_us = clock_now_us();
    /* All of a handshake counts, our part of it too: each byte of it makes work. */
    const uint64_t us = s->phase == PHASE_HANDSHAKE ? now_us - s->phase_us : stalled_us(s, now_us);
    return us > limits[s->phase];
}

/* At rest: idle, and not just connected with its request still on the way. */
static bool rests(const struct slot *s, uint64_t now_us)
{
    return s->phase == PHASE_IDLE && now_us - s->since_us > ARRIVING_US;
}

/* Whether a goes before b: the one that has stalled for longer; up to a moment all are as good, and
 * then those at rest go first, and of the others the one that has been here longest: a newcomer is
 * not pushed out by many that read just fast enough. */
static bool goes_before(const struct slot *a, const struct slot *b, uint64_t now_us)
{
    uint64_t a_us = stalled_us(a, now_us);
    uint64_t b_us = stalled_us(b, now_us);
    if (a_us > MOMENT_US ||
        b_us > MOMENT_US) { /* as good: not the one whose answer is on its way */
        return a_us != b_us ? a_us > b_us : a->phase < b->phase;
    }
    bool a_rests = rests(a, now_us);
    bool b_rests = rests(b, now_us);
    if (a_rests || b_rests) {
        return a_rests && b_rests ? a_us > b_us : a_rests;
    }
    return a->since_us < b->since_us;
}

/* The one to go: of all, or of those from one address. NULL when there is none. */
static struct slot *longest_stalled(const ip_addr_t *from)
{
    uint64_t now_us = clock_now_us();
    struct slot *worst = NULL;
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        struct slot *s = &state.slots[i];
        if (s->pcb == NULL || (from != NULL && !ip_addr_eq(&s->pcb->remote_ip, from))) {
            continue;
        }
        if (worst == NULL || goes_before(s, worst, now_us)) {
            worst = s;
        }
    }
    return worst;
}

/* --- bytes ------------------------------------------------------------------------------------ */

/* How many bytes one tcp_write() may take. It queues all or nothing, in segments that the peer may
 * have chosen to be tiny (lwIP: the MSS, or half of the largest window). */
static size_t writable(const struct tcp_pcb *pcb)
{
    size_t segment = min_u64(tcp_mss(pcb), pcb->snd_wnd_max / 2);
    size_t segments = TCP_SND_QUEUELEN - min_u64(TCP_SND_QUEUELEN, tcp_sndqueuelen(pcb));
    if (segment == 0) {
        segment = tcp_mss(pcb);
    }
    /* One buffer more is needed where the last segment is filled up first. */
    return segments < 2 ? 0 : min_u64(tcp_sndbuf(pcb), (segments - 1) * segment);
}

static void note_first_answer(void)
{
    struct http_stats *stats = http_stats_mut();
    if (stats->first_answer_us == 0) {
        stats->first_answer_us = clock_now_us();
        http_wake(); /* what follows from it does not keep it from the wire: http_collect() */
    }
}

/* What goes to TCP next: the answer, or records of it. NULL: nothing. */
static const void *output(struct slot *s, size_t *len)
{
    if (s->tls == NULL) {
        return http_conn_output(s->conn, len);
    }
    const void *out;
    size_t n, used = 1;
    while ((out = tls_conn_output(s->tls, len)) == NULL && used > 0) {
        const void *plain = http_conn_output(s->conn, &n);
        used = plain != NULL ? tls_conn_write(s->tls, plain, n) : 0;
        http_conn_sent(s->conn, used);
        if (used > 0) {
            note_first_answer();
        }
    }
    return out != NULL ? out : tls_conn_output(s->tls, len);
}

/* Hands the answer to TCP; true when all of it is. */
static bool send_output(struct slot *s, bool *moved)
{
    size_t len;
    const void *out;
    while ((out = output(s, &len)) != NULL) {
        u16_t n = (u16_t)min_u64(min_u64(len, writable(s->pcb)), UINT16_MAX);
        if (n == 0 || tcp_write(s->pcb, out, n, TCP_WRITE_FLAG_COPY) != ERR_OK) {
            return false; /* tcp_sent or tcp_poll brings us back */
        }
        if (s->tls != NULL) {
            tls_conn_sent(s->tls, n);
        } else {
            http_conn_sent(s->conn, n);
            note_first_answer();
        }
        *moved = true;
    }
    return true;
}

/* What records held goes to the engine; false: an answer is in the way. */
static bool feed_plain(struct slot *s, bool *moved)
{
    size_t len;
    const char *plain;
    while ((plain = tls_conn_plain(s->tls, &len)) != NULL) {
        size_t used = http_conn_input(s->conn, plain, len);
        if (used == 0) {
            return false;
        }
        tls_conn_taken(s->tls, used);
        *moved = true;
    }
    return true;
}

/* Gives the engine what has come, until an answer is in the way. */
static void feed(struct slot *s, bool *moved)
{
    if (s->tls != NULL && !feed_plain(s, moved)) {
        return;
    }
    while (s->in_off < s->in.len) {
        const char *data = s->in.data + s->in_off;
        const size_t len = s->in.len - s->in_off;
        size_t used = s->tls != NULL ? tls_conn_input(s->tls, data, len)
                                     : http_conn_input(s->conn, data, len);
        if (used == 0) {
            return;
        }
        *moved = true;
        s->in_off += used;
        tcp_recved(s->pcb, (u16_t)used);
    }
    s->in.len = s->in_off = 0;
    if (s->in.room > KEEP_BYTES) {
        text_free(&s->in);
    }
}

/* Many clients send head and body apart, and keep the second until the first is acknowledged: a
 * part of a request is, at once. Everything else is acknowledged with the answer. */
static void acknowledge_part(struct slot *s)
{
    if (s->phase == PHASE_REQUEST && (s->pcb->flags & TF_ACK_DELAY) != 0) {
        tcp_ack_now(s->pcb);
        tcp_output(s->pcb);
    }
}

/* Nobody will ask for anything more. */
static bool is_last(const struct slot *s)
{
    if (http_conn_closing(s->conn)) {
        return true;
    }
    if (s->tls == NULL) {
        return s->remote_closed && s->in.len == 0;
    }
    return tls_conn_over(s->tls) || ((s->remote_closed || tls_conn_ended(s->tls)) &&
                                     s->in.len == 0 && !tls_conn_working(s->tls));
}

/* A client that listens, and hears no more. */
static bool has_left(const struct slot *s)
{
    return http_conn_live(s->conn) &&
           (s->remote_closed || (s->tls != NULL && tls_conn_ended(s->tls)));
}

/* Sends what the engine has, feeds it what has come, until neither moves. */
static err_t pump(struct slot *s)
{
    bool sent_all, moved;
    do {
        moved = false;
        sent_all = send_output(s, &moved);
        if (sent_all) {
            feed(s, &moved); /* closing: the engine takes and forgets */
        }
    } while (moved && sent_all);
    tcp_output(s->pcb);
    /* The slot is kept until the peer has everything: a closed connection holds no data, and does
     * not count among the others. */
    const bool over = s->tls != NULL && tls_conn_over(s->tls);
    const bool last =
        sent_all && (has_left(s) || (is_last(s) && (over || !http_conn_working(s->conn))));
    if (last && s->tls != NULL) {
        tls_conn_close(s->tls);
        sent_all = send_output(s, &moved);
        tcp_output(s->pcb);
    }
    if (last && sent_all && all_acknowledged(s)) {
        return finish(s, false);
    }
    follow_phase(s);
    acknowledge_part(s);
    return ERR_OK;
}

/* Copies what has come; false when there is no memory for it. It is at most a window. */
static bool keep(struct slot *s, const struct pbuf *p)
{
    if (s->in_off > 0 && p->tot_len > 0) {
        s->in.len -= s->in_off;
        memmove(s->in.data, s->in.data + s->in_off, s->in.len);
        s->in_off = 0;
    }
    for (const struct pbuf *q = p; q != NULL; q = q->next) {
        text_append(&s->in, q->payload, q->len);
    }
    return !s->in.failed;
}

/* --- callbacks of lwIP ------------------------------------------------------------------------ */

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
        return pump(s);
    }
    bool kept = keep(s, p);
    pbuf_free(p); /* always, and at once: the pool belongs to all */
    if (!kept) {
        http_stats_mut()->overloaded++;
        return finish(s, true);
    }
    return pump(s);
}

static err_t on_sent(void *arg, struct tcp_pcb *pcb, u16_t len)
{
    (void)pcb;
    struct slot *s = arg;
    if (s == NULL) {
        return ERR_OK;
    }
    if (s->phase == PHASE_ANSWER) { /* nothing is saved up: who reads fast is not owed a rest */
        s->phase_us = min_u64(s->phase_us + len * US_PER_S / LEAST_BYTES_PER_S, clock_now_us());
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
    if (has_stalled_too_long(s)) {
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

/* Somebody has finished what this client waits for. */
static void on_ready(void *ctx)
{
    (void)pump(ctx); /* not in a callback of lwIP: nobody asks whether the connection is gone */
}

static void evict(struct slot *s)
{
    if (s != NULL) {
        http_stats_mut()->evicted++;
        (void)finish(s, true); /* not the connection whose callback this is */
    }
}

/* A slot for a new connection from there. NULL never comes while there are slots. */
static struct slot *make_room(const ip_addr_t *from)
{
    struct slot *free_slot = NULL;
    unsigned same = 0;
    for (size_t i = 0; i < NET_CONNECTIONS_MAX; i++) {
        struct slot *s = &state.slots[i];
        if (s->pcb == NULL) {
            free_slot = s;
        } else if (ip_addr_eq(&s->pcb->remote_ip, from)) {
            same++;
        }
    }
    if (same >= PER_ADDRESS || free_slot == NULL) {
        struct slot *gone = longest_stalled(same >= PER_ADDRESS ? from : NULL);
        evict(gone);
        return gone;
    }
    return free_slot;
}

const char http_secure[1];

err_t http_accept(void *arg, struct tcp_pcb *pcb, err_t err)
{
    const bool secure = arg == http_secure;
    struct http_stats *stats = http_stats_mut();
    if (err != ERR_OK || pcb == NULL) {
        return ERR_VAL;
    }
    struct slot *s = make_room(&pcb->remote_ip);
    struct http_conn *conn = s != NULL ? http_conn_new() : NULL;
    struct tls_conn *tls = conn != NULL && secure ? tls_conn_new(on_ready, s) : NULL;
    if (conn == NULL || (secure && tls == NULL)) {
        http_conn_free(conn);
        stats->refused_connections++;
        tcp_abort(pcb);
        return ERR_ABRT;
    }
    uint64_t now_us = clock_now_us();
    *s = (struct slot){.pcb = pcb,
                       .conn = conn,
                       .tls = tls,
                       .in = {.budget = http_memory()},
                       .since_us = now_us,
                       .phase_us = now_us};
    http_conn_on_ready(conn, on_ready, s);
    if (!secure && tls_only()) {
        http_conn_forbid(conn, "TLS only: ask with https://");
    }
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
