/* SPDX-License-Identifier: MIT */
/* The listeners of the HTTP server, and its part of each round of the network fiber (http.h). */
#include "arch/log.h"
#include "lwip/tcp.h"
#include "net/http/http_priv.h"
#include "net/http/tls.h"
#include "net/stack/netmain.h"

enum { HTTP_PORT = 80, HTTPS_PORT = 443 };

static void open_port(u16_t port, const char *mark)
{
    struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);
    if (pcb == NULL || tcp_bind(pcb, IP_ANY_TYPE, port) != ERR_OK) {
        log_error("http", "cannot bind port %d: no memory for the listener", port);
        return;
    }
    struct tcp_pcb *listener = tcp_listen(pcb);
    if (listener == NULL) {
        log_error("http", "cannot listen on port %d: out of memory", port);
        return;
    }
    tcp_arg(listener, (void *)(uintptr_t)mark);
    tcp_accept(listener, http_accept);
    log_info("http", "listening on port %d", port);
}

void http_start(void)
{
    http_set_wake(net_wake);
    open_port(HTTP_PORT, NULL);
    if (tls_enabled()) {
        open_port(HTTPS_PORT, http_secure);
    }
}

void http_poll(void)
{
    http_collect();
    tls_collect();
}
