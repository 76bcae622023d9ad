/* SPDX-License-Identifier: MIT */
/* The client's side of a PCI device over TCP, and a server to talk to (remote_client.h). */
#include "tests/unit/remote_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch/base.h"

static void die(const char *what, const char *why)
{
    fprintf(stderr, "remote: %s: %s\n", what, why);
    abort();
}

/* ---- the server ---- */

static volatile sig_atomic_t stop_requested;

static void on_signal(int number)
{
    (void)number;
    stop_requested = 1;
}

/* The child. Leaves by _exit: what the parent has open is not its to clean up. */
static void serve(struct rpci_server *rpci, const struct model_config *cfg, bool once,
                  struct remote_outcome *out)
{
    char err[256] = "";

    struct gpu_model *m = model_create(cfg, rpci_bus(rpci), err, sizeof(err));
    if (m == NULL || rpci_serve(rpci, m, &stop_requested, once, err, sizeof(err)) != 0) {
        fprintf(stderr, "remote server: %s\n", err);
        _exit(EXIT_FAILURE);
    }
    const struct model_verdict *v = model_first_violation(m);
    if (v != NULL) {
        snprintf(out->violation, sizeof(out->violation), "access %llu broke %s: %s",
                 (unsigned long long)v->access, v->rule, v->words);
    }
    model_get_stats(m, &out->model);
    rpci_get_stats(rpci, &out->wire);
    if (cfg->trace != NULL) {
        (void)fflush(cfg->trace);
    }
    model_destroy(m);
    rpci_close(rpci);
    out->finished = true;
    _exit(EXIT_SUCCESS);
}

void remote_server_start(struct remote_server *s, const struct model_config *cfg, bool once)
{
    char err[256] = "";
    const struct sigaction sa = {.sa_handler = on_signal};
    sigset_t term, before;

    struct rpci_server *rpci = rpci_listen(0, err, sizeof(err));
    if (rpci == NULL) {
        die("listen", err);
    }
    *s = (struct remote_server){.port = rpci_port(rpci)};
    s->outcome =
        mmap(NULL, sizeof(*s->outcome), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s->outcome == MAP_FAILED) {
        die("mmap", strerror(errno));
    }
    (void)fflush(NULL); /* or the child would write it too */
    (void)sigemptyset(&term);
    (void)sigaddset(&term, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &term, &before); /* until the child has its handler */
    s->pid = fork();
    if (s->pid < 0) {
        die("fork", strerror(errno));
    }
    if (s->pid == 0) {
        (void)sigaction(SIGTERM, &sa, NULL); /* no SA_RESTART: waits must end */
        (void)sigprocmask(SIG_SETMASK, &before, NULL);
        serve(rpci, cfg, once, s->outcome);
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    rpci_close(rpci); /* our copy of the descriptor */
}

bool remote_server_stop(struct remote_server *s, struct remote_outcome *out)
{
    int status = 0;
    unsigned waited_ms = 0;
    bool asked = false;

    while (waitpid(s->pid, &status, WNOHANG) == 0) {
        /* A signal that comes just before a wait begins does not end it: say it again. A server
         * that serves once is given time to see its client leave. */
        if (waited_ms > 100 || !asked) {
            (void)kill(s->pid, SIGTERM);
            asked = true;
        }
        if (waited_ms > REMOTE_PATIENCE_S * 1000) {
            (void)kill(s->pid, SIGKILL);
            (void)waitpid(s->pid, &status, 0);
            break;
        }
        (void)usleep(1000);
        waited_ms++;
    }
    *out = *s->outcome;
    (void)munmap(s->outcome, sizeof(*s->outcome));
    return WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS && out->finished;
}

/* ---- the connection ---- */

bool remote_connect(struct remote_client *c, uint16_t port)
{
    const struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_sec = REMOTE_PATIENCE_S};
    const int one = 1;

    *c = (struct remote_client){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (c->fd < 0) {
        return false;
    }
    (void)setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(c->fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0) {
        remote_disconnect(c);
        return false;
    }
    return true;
}

void remote_disconnect(struct remote_client *c)
{
    if (c->fd >= 0) {
        (void)close(c->fd);
    }
    c->fd = -1;
}

bool remote_send(struct remote_client *c, const void *p, size_t n)
{
    const uint8_t *at = p;

    while (n > 0) {
        const ssize_t r = send(c->fd, at, n, MSG_NOSIGNAL);
        if (r <= 0) {
            return false;
        }
        at += r;
        n -= (size_t)r;
    }
    return true;
}

bool remote_receive(struct remote_client *c, void *p, size_t n)
{
    uint8_t *at = p;

    while (n > 0) {
        const ssize_t r = recv(c->fd, at, n, 0);
        if (r <= 0) {
            return false;
        }
        at += r;
        n -= (size_t)r;
    }
    return true;
}

bool remote_is_closed(struct remote_client *c)
{
    uint8_t byte;
    const ssize_t r = recv(c->fd, &byte, sizeof(byte), 0);

    return r == 0 || (r < 0 && errno == ECONNRESET);
}

void remote_encode(const struct remote_request *q, uint8_t out[RPCI_REQUEST_BYTES])
{
    out[0] = q->command;
    put_le32(out + 1, q->device);
    put_le32(out + 5, q->bar);
    put_le64(out + 9, q->a0);
    put_le64(out + 17, q->a1);
    put_le64(out + 25, q->a2);
}

enum remote_status remote_post(struct remote_client *c, const struct remote_request *q,
                               const void *payload, size_t payload_bytes)
{
    enum { TOGETHER_BYTES = 64 };
    uint8_t out[RPCI_REQUEST_BYTES + TOGETHER_BYTES];
    const size_t first = payload_bytes <= TOGETHER_BYTES ? payload_bytes : 0;

    c->requests++;
    remote_encode(q, out);
    if (first > 0) { /* small ones in one packet */
        memcpy(out + RPCI_REQUEST_BYTES, payload, first);
    }
    if (!remote_send(c, out, RPCI_REQUEST_BYTES + first) ||
        (first == 0 && payload_bytes > 0 && !remote_send(c, payload, payload_bytes))) {
        return REMOTE_GONE;
    }
    return REMOTE_OK;
}

enum remote_status remote_call(struct remote_client *c, const struct remote_request *q,
                               const void *payload, size_t payload_bytes, uint64_t *r0,
                               uint64_t *r1)
{
    uint8_t in[RPCI_REPLY_BYTES];

    c->error[0] = '\0';
    if (remote_post(c, q, payload, payload_bytes) != REMOTE_OK ||
        !remote_receive(c, in, sizeof(in))) {
        return REMOTE_GONE;
    }
    if (in[0] != 0) {
        const uint64_t len = get_le64(in + 1);
        if (len >= sizeof(c->error) || !remote_receive(c, c->error, (size_t)len)) {
            return REMOTE_GONE;
        }
        c->error[len] = '\0';
        return REMOTE_REFUSED;
    }
    if (r0 != NULL) {
        *r0 = get_le64(in + 1);
    }
    if (r1 != NULL) {
        *r1 = get_le64(in + 9);
    }
    return REMOTE_OK;
}

/* ---- commands ---- */

enum remote_status remote_map_bar(struct remote_client *c, uint32_t bar, uint64_t *address,
                                  uint64_t *size)
{
    const struct remote_request q = {.command = RPCI_MAP_BAR, .bar = bar};
    return remote_call(c, &q, NULL, 0, address, size);
}

enum remote_status remote_cfg_read(struct remote_client *c, uint64_t off, unsigned size,
                                   uint32_t *value)
{
    const struct remote_request q = {.command = RPCI_CFG_READ, .a0 = off, .a1 = size};
    uint64_t v = 0;
    const enum remote_status s = remote_call(c, &q, NULL, 0, &v, NULL);

    *value = (uint32_t)v;
    return s;
}

enum remote_status remote_cfg_write(struct remote_client *c, uint64_t off, unsigned size,
                                    uint32_t value)
{
    const struct remote_request q = {.command = RPCI_CFG_WRITE, .a0 = off, .a1 = size, .a2 = value};
    return remote_call(c, &q, NULL, 0, NULL, NULL);
}

/* A reply that announces another length than was asked for makes no sense. */
static enum remote_status call_for_data(struct remote_client *c, const struct remote_request *q,
                                        void *data, size_t n)
{
    uint64_t announced = 0;
    const enum remote_status s = remote_call(c, q, NULL, 0, &announced, NULL);

    if (s != REMOTE_OK) {
        return s;
    }
    return announced == n && remote_receive(c, data, n) ? REMOTE_OK : REMOTE_GONE;
}

enum remote_status remote_mmio_read(struct remote_client *c, uint32_t bar, uint64_t off, void *data,
                                    size_t n)
{
    const struct remote_request q = {.command = RPCI_MMIO_READ, .bar = bar, .a0 = off, .a1 = n};
    return call_for_data(c, &q, data, n);
}

enum remote_status remote_mmio_write(struct remote_client *c, uint32_t bar, uint64_t off,
                                     const void *data, size_t n)
{
    const struct remote_request q = {.command = RPCI_MMIO_WRITE, .bar = bar, .a0 = off, .a1 = n};
    return remote_post(c, &q, data, n);
}

enum remote_status remote_map_sysmem(struct remote_client *c, uint64_t size, bool contiguous,
                                     uint32_t *handle, uint64_t *pages)
{
    const struct remote_request q = {.command = RPCI_MAP_SYSMEM, .a0 = size, .a1 = contiguous};
    uint64_t bytes = 0, h = 0;
    const enum remote_status s = remote_call(c, &q, NULL, 0, &bytes, &h);

    if (s != REMOTE_OK) {
        return s;
    }
    if (bytes != align_up_u64(size, FL_PAGE_SIZE) / FL_PAGE_SIZE * sizeof(uint64_t)) {
        return REMOTE_GONE;
    }
    for (uint64_t i = 0; i < bytes / sizeof(uint64_t); i++) {
        uint8_t word[8];
        if (!remote_receive(c, word, sizeof(word))) {
            return REMOTE_GONE;
        }
        if (pages != NULL) {
            pages[i] = get_le64(word);
        }
    }
    *handle = (uint32_t)h;
    return REMOTE_OK;
}

enum remote_status remote_sysmem_read(struct remote_client *c, uint32_t handle, uint64_t off,
                                      void *data, size_t n)
{
    const struct remote_request q = {
        .command = RPCI_SYSMEM_READ, .bar = handle, .a0 = off, .a1 = n};
    return call_for_data(c, &q, data, n);
}

enum remote_status remote_sysmem_write(struct remote_client *c, uint32_t handle, uint64_t off,
                                       const void *data, size_t n)
{
    const struct remote_request q = {
        .command = RPCI_SYSMEM_WRITE, .bar = handle, .a0 = off, .a1 = n};
    return remote_post(c, &q, data, n);
}
