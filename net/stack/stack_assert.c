/* SPDX-License-Identifier: MIT */
/*
 * What an assertion of lwIP costs (docs/decisions/0005-lwip-assertions.md). Those in the list below
 * say that the books of one connection are wrong: the stack goes on, as it does where assertions
 * are compiled out, and the connection is aborted as soon as the stack has returned. All others say
 * that memory is not what it should be (pools, buffers, lists), or were never looked at: they stop
 * the machine.
 */
#include <string.h>

#include "lwip/priv/tcp_priv.h"

#include "arch/log.h"
#include "arch/machine.h"
#include "net/stack/stack.h"

/* Each was read in lwIP 2.2.1: what follows it neither follows a pointer that it forbids nor writes
 * where it should not, whatever the values. tests/checks/lwip_asserts.py looks whether they still
 * exist. */
static const char *const survivable[] = {
    /* tcp.c */
    "pcb->flags & TF_RXCLOSED",
    "tcp_slowtimr: persist ticking with in-flight data",
    "tcp_slowtimr: persist ticking with empty send buffer",
    /* tcp_in.c */
    "pcb->refused_data == NULL",
    "tcp_input: pcb->state != CLOSED",
    "pcb->snd_queuelen >= pbuf_clen(next->p)",
    "tcp_receive: valid queue length",
    "tcp_receive: wrong state",
    "tcp_receive: segment not trimmed correctly to rcv_wnd",
    "tcp_receive: segment not trimmed correctly to ooseq queue",
    "tcp_receive: tcplen > rcv_wnd",
    "tcp_receive: ooseq tcplen > rcv_wnd",
    "window not at default value",
    /* tcp_out.c */
    "tcp_write: pbufs on queue => at least one queue non-empty",
    "tcp_write: no pbufs on queue => both queues empty",
    "tcp_write: valid queue length",
    "Can't split segment into length 0",
    "split <= mss",
    "tcp_enqueue_flags: invalid queue length",
    "RST not expected here!",
};

#define CONDEMNED_MAX 8u /* more in one go: the machine stops */

static struct {
    enum stack_at at;
    struct tcp_pcb *pcb; /* STACK_OUTPUT */
    struct tcp_pcb *condemned[CONDEMNED_MAX];
    unsigned count;
    bool aborting;
    struct log_limit log;
} state;

void stack_enter(enum stack_at at, struct tcp_pcb *pcb)
{
    state.at = at;
    state.pcb = pcb;
}

static bool is_active(const struct tcp_pcb *wanted)
{
    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        if (pcb == wanted) {
            return true;
        }
    }
    return false;
}

void stack_leave(void)
{
    state.at = STACK_IDLE;
    state.pcb = NULL;
    state.aborting = true;
    for (unsigned i = 0; i < state.count; i++) {
        if (is_active(state.condemned[i])) { /* else the stack has freed it meanwhile */
            tcp_abort(state.condemned[i]);
        }
    }
    state.aborting = false;
    state.count = 0;
}

/* tcp_slowtmr() and tcp_fasttmr() mark each connection that they come to, from the head of the list
 * on: the last marked one is at hand. A new connection is put at the head, marked. */
static struct tcp_pcb *last_visited(void)
{
    struct tcp_pcb *at = tcp_active_pcbs;
    while (at != NULL && at->next != NULL && at->next->last_timer == tcp_active_pcbs->last_timer) {
        at = at->next;
    }
    return at;
}

static struct tcp_pcb *suspect(void)
{
    switch (state.at) {
    case STACK_INPUT: /* tcp_input() moves the connection of a segment to the head of the list */
        return tcp_input_pcb != NULL ? tcp_input_pcb : tcp_active_pcbs;
    case STACK_TIMERS:
        return last_visited();
    case STACK_OUTPUT:
        return state.pcb;
    case STACK_IDLE:
    default:
        return NULL;
    }
}

static bool is_survivable(const char *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(survivable); i++) {
        if (strcmp(text, survivable[i]) == 0) {
            return true;
        }
    }
    return false;
}

void net_lwip_assert(const char *text, const char *file, int line)
{
    struct tcp_pcb *pcb = suspect();

    for (unsigned i = 0; i < state.count; i++) {
        if (state.condemned[i] == pcb && is_survivable(text)) {
            return; /* what follows from the first one */
        }
    }
    if (!is_survivable(text) || pcb == NULL || state.aborting || state.count == CONDEMNED_MAX) {
        machine_panic("lwIP: %s at %s:%d", text, file, line);
    }
    state.condemned[state.count++] = pcb;
    stack_stats_mut()->assertions++;
    log_limited(&state.log, LOG_ERROR, "lwip", "%s at %s:%d: that connection is aborted", text,
                file, line);
}
