/* SPDX-License-Identifier: MIT */
/* The log by RFC 5424 over UDP (syslog.h). */
#include "net/stack/syslog.h"

#include <stdio.h>
#include <string.h>

#include "lwip/ip4.h"
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "lwip/timeouts.h"
#include "lwip/udp.h"

#include "arch/clock.h"
#include "arch/log.h"
#include "arch/text.h"
#include "arch/wallclock.h"

#define FACILITY_LOCAL0 16u /* RFC 5424, table 1 */
#define SEVERITY_WARN   4u
#define FIELD_MAX       48 /* APP-NAME; a host's name is cut where ours is */

static struct {
    const struct net_config *cfg;
    struct udp_pcb *pcb;
    uint64_t cursor; /* of the log */
    uint64_t unsaid; /* lost lines that no message has told */
    struct event_line {
        unsigned severity;
        uint64_t unix_us;
        char id[SYSLOG_ID_MAX], text[SYSLOG_TEXT_MAX];
    } events[SYSLOG_EVENTS];
    unsigned head, count;
    struct net_syslog_status status;
} state;

/* A field of the header: printable ASCII without blanks, "-" where there is none. */
static void put_field(struct text *t, const char *value, size_t max)
{
    char field[64];
    size_t n = 0;
    for (; value != NULL && value[n] != '\0' && n < max && n < sizeof(field) - 1; n++) {
        field[n] = value[n] > ' ' && value[n] <= '~' ? value[n] : '?';
    }
    field[n] = '\0';
    text_fmt(t, "%s ", n != 0 ? field : "-");
}

size_t syslog_format(char *out, size_t size, unsigned severity, uint64_t unix_us, const char *host,
                     const char *app, const char *id, const char *text)
{
    char time[WALLCLOCK_TEXT] = "-";
    struct text t = text_on(out, size);
    if (unix_us != 0) {
        wallclock_text(unix_us, time);
    }
    text_fmt(&t, "<%u>1 %s ", FACILITY_LOCAL0 * 8 + severity % 8, time);
    put_field(&t, host, NET_HOSTNAME_MAX - 1);
    put_field(&t, app, FIELD_MAX);
    put_field(&t, NULL, 0); /* PROCID: there are no processes */
    put_field(&t, id, SYSLOG_ID_MAX - 1);
    text_fmt(&t, "- ");
    const size_t head = strlen(out);
    text_fmt(&t, "%s", text);
    for (char *p = out + head; *p != '\0'; p++) {
        *p = *p >= ' ' && *p <= '~' ? *p : '?';
    }
    return strlen(out);
}

static void send_line(unsigned severity, uint64_t unix_us, const char *app, const char *id,
                      const char *text)
{
    char line[SYSLOG_BYTES + 1];
    const size_t n =
        syslog_format(line, sizeof(line), severity, unix_us, state.cfg->hostname, app, id, text);
    ip_addr_t to = IPADDR4_INIT(lwip_htonl(state.cfg->syslog_server));
    struct pbuf *p = pbuf_alloc(PBUF_TRANSPORT, (u16_t)n, PBUF_RAM);
    err_t err = ERR_MEM;
    if (p != NULL) {
        (void)pbuf_take(p, line, (u16_t)n);
        err = udp_sendto(state.pcb, p, &to, state.cfg->syslog_port);
        pbuf_free(p);
    }
    state.status.sent += err == ERR_OK;
    state.status.failed += err != ERR_OK;
}

/* error, warn, info, debug and trace as severities. */
static unsigned severity_of(enum log_level level)
{
    static const uint8_t severities[] = {[LOG_ERROR] = 3,
                                         [LOG_WARN] = SEVERITY_WARN,
                                         [LOG_INFO] = 6,
                                         [LOG_DEBUG] = 7,
                                         [LOG_TRACE] = 7};
    return (size_t)level < ARRAY_SIZE(severities) ? severities[level] : 7;
}

static void send_lost(void)
{
    char text[64];
    if (state.unsaid != 0) {
        snprintf(text, sizeof(text), "%llu lines were lost", (unsigned long long)state.unsaid);
        state.unsaid = 0;
        send_line(SEVERITY_WARN, wallclock_now_us(), "syslog", NULL, text);
    }
}

static void send_events(void)
{
    for (; state.count > 0; state.count--) {
        const struct event_line *e = &state.events[state.head];
        send_line(e->severity, e->unix_us, "event", e->id, e->text);
        state.head = (state.head + 1) % SYSLOG_EVENTS;
    }
}

static bool is_reachable(void)
{
    const ip4_addr_t to = {lwip_htonl(state.cfg->syslog_server)};
    const struct netif *lw = ip4_route(&to);
    return lw != NULL && !ip4_addr_isany_val(*netif_ip4_addr(lw));
}

static void tick(void *arg)
{
    struct log_entry e;
    uint64_t lost = 0;
    (void)arg;
    sys_timeout(SYSLOG_TICK_MS, tick, NULL);
    if (!is_reachable()) {
        return; /* the log keeps its lines until there is an address */
    }
    send_events();
    for (unsigned n = 0; n < SYSLOG_BURST && log_read(&state.cursor, &e, &lost); n++) {
        state.unsaid += lost;
        state.status.lost += lost;
        send_lost();
        if (!e.local) {
            send_line(severity_of(e.level), wallclock_at_us(e.time_us), e.module, NULL, e.text);
        }
    }
}

void syslog_start(const struct net_config *cfg)
{
    if (cfg->syslog_server == 0 || state.pcb != NULL) {
        return;
    }
    state.cfg = cfg;
    state.pcb = udp_new();
    if (state.pcb != NULL) {
        sys_timeout(SYSLOG_TICK_MS, tick, NULL);
    }
}

void syslog_event(unsigned severity, const char *id, const char *text)
{
    if (state.pcb == NULL) {
        return;
    }
    if (state.count == SYSLOG_EVENTS) {
        state.status.lost++;
        state.unsaid++;
        return;
    }
    struct event_line *e = &state.events[(state.head + state.count++) % SYSLOG_EVENTS];
    e->severity = severity;
    e->unix_us = wallclock_now_us();
    snprintf(e->id, sizeof(e->id), "%s", id);
    snprintf(e->text, sizeof(e->text), "%s", text);
}

void syslog_status(struct net_syslog_status *out) { *out = state.status; }
