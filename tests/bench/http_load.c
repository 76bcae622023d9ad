/* SPDX-License-Identifier: MIT */
/*
 * A bounded HTTP client for the bench, loopback only: keep-alive connections, either as fast as
 * answers come (closed loop) or one at a fixed rate. Prints one JSON object with the rate, the
 * bytes of bodies and the latency distribution.
 *
 *   http_load PORT PATH --requests N [--connections C]
 *   http_load PORT PATH --seconds S [--connections C]
 *   http_load PORT PATH --rate PER_SECOND --seconds S
 *   http_load PORT PATH --first SECONDS        new connections until one is answered: QEMU's user
 * network takes connections before the guest is up and retries too slowly
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SAMPLES = 1000000, MAX_CONNECTIONS = 64, TIMEOUT_S = 30, ANSWER_MAX = 65536 };

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* -1 with errno when nobody listens. */
static int dial(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct timeval tv = {.tv_sec = TIMEOUT_S};
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) != 0) {
        int e = errno;
        close(fd);
        errno = e;
        return -1;
    }
    return fd;
}

struct conn {
    int fd, status;
    char head[ANSWER_MAX]; /* until its end is known; then what comes is only counted */
    size_t have;
    uint64_t body, left; /* bytes of the body in all, and still to come */
    bool in_body;
    uint64_t since_ns; /* when its request was sent, or due */
};

static void ask(struct conn *c, const char *request, size_t len)
{
    if (send(c->fd, request, len, MSG_NOSIGNAL) != (ssize_t)len) {
        fprintf(stderr, "http_load: send: %s\n", strerror(errno));
        exit(1);
    }
    c->have = 0;
    c->in_body = false;
}

/* Reads what is there; true when the answer is whole. */
static bool take(struct conn *c)
{
    ssize_t r = recv(c->fd, c->head + c->have, sizeof(c->head) - 1 - c->have, 0);
    if (r <= 0) {
        fprintf(stderr, "http_load: no answer: %s\n",
                r == 0 ? "connection closed" : strerror(errno));
        exit(1);
    }
    uint64_t got = (uint64_t)r;
    if (!c->in_body) {
        c->have += (size_t)r;
        c->head[c->have] = '\0';
        const char *end = strstr(c->head, "\r\n\r\n");
        if (end == NULL) {
            return false;
        }
        const char *cl = strstr(c->head, "Content-Length: ");
        c->body = c->left = cl != NULL && cl < end ? strtoull(cl + 16, NULL, 10) : 0;
        c->status = atoi(c->head + 9);
        c->in_body = true;
        got = (uint64_t)(c->head + c->have - (end + 4));
        c->have = 0;
    }
    c->left -= got < c->left ? got : c->left;
    return c->left == 0;
}

/* Sends one request and reads one whole answer. Returns its status. */
static int exchange(struct conn *c, const char *request, size_t len)
{
    ask(c, request, len);
    while (!take(c)) {
    }
    return c->status;
}

/* All connections, each with its next request as soon as it has its answer, until so many are
 * answered or the time is over; how many were answered. */
static uint64_t as_fast_as_it_goes(struct conn *conns, unsigned count, const char *request,
                                   size_t len, uint64_t requests, uint64_t seconds,
                                   uint64_t *samples, uint64_t *ok, uint64_t *bytes)
{
    struct pollfd fds[MAX_CONNECTIONS];
    uint64_t start = now_ns(), sent = 0, answered = 0;
    for (unsigned i = 0; i < count; i++) {
        fds[i] = (struct pollfd){.fd = conns[i].fd, .events = POLLIN};
        conns[i].since_ns = now_ns();
        ask(&conns[i], request, len);
        sent++;
    }
    while (answered < sent) {
        if (poll(fds, count, TIMEOUT_S * 1000) <= 0) {
            fprintf(stderr, "http_load: no answer within %d s\n", TIMEOUT_S);
            exit(1);
        }
        for (unsigned i = 0; i < count; i++) {
            if (fds[i].revents == 0 || !take(&conns[i])) {
                continue;
            }
            uint64_t now = now_ns();
            samples[answered++] = now - conns[i].since_ns;
            *ok += conns[i].status == 200;
            *bytes += conns[i].body;
            if (sent < requests && (seconds == 0 || now - start < seconds * 1000000000ull)) {
                conns[i].since_ns = now;
                ask(&conns[i], request, len);
                sent++;
            }
        }
    }
    return answered;
}

/* One short-lived connection; true when it was answered within the patience. */
static bool knock(uint16_t port, const char *request, size_t len)
{
    enum { PATIENCE_US = 6000 };
    int fd = dial(port);
    if (fd < 0) {
        return false;
    }
    struct timeval tv = {.tv_usec = PATIENCE_US};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
    char byte;
    bool answered =
        send(fd, request, len, MSG_NOSIGNAL) == (ssize_t)len && recv(fd, &byte, 1, 0) == 1;
    close(fd);
    return answered;
}

static int wait_first(uint16_t port, const char *request, size_t len, uint64_t seconds)
{
    uint64_t start = now_ns(), tries = 0;
    while (now_ns() - start < seconds * 1000000000ull) {
        tries++;
        if (knock(port, request, len)) {
            printf("{\"tries\":%llu,\"seconds\":%.4f}\n", (unsigned long long)tries,
                   (double)(now_ns() - start) / 1e9);
            return 0;
        }
        struct timespec ts = {.tv_nsec = 1000000};
        nanosleep(&ts, NULL);
    }
    fprintf(stderr, "http_load: no answer within %llu s\n", (unsigned long long)seconds);
    return 1;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static double us(const uint64_t *samples, size_t n, double quantile)
{
    size_t i = (size_t)(quantile * (double)(n - 1));
    return (double)samples[i] / 1000.0;
}

int main(int argc, char **argv)
{
    uint64_t requests = 0, rate = 0, seconds = 0, first = 0, connections = 1;
    for (int i = 3; i + 1 < argc; i += 2) {
        uint64_t v = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--requests") == 0) {
            requests = v;
        } else if (strcmp(argv[i], "--rate") == 0) {
            rate = v;
        } else if (strcmp(argv[i], "--seconds") == 0) {
            seconds = v;
        } else if (strcmp(argv[i], "--connections") == 0) {
            connections = v;
        } else if (strcmp(argv[i], "--first") == 0) {
            first = v;
        }
    }
    if (rate != 0) {
        requests = rate * seconds;
    } else if (requests == 0 && seconds != 0) {
        requests = MAX_SAMPLES;
    }
    if (argc < 5 || (first == 0 && requests == 0) || requests > MAX_SAMPLES || connections == 0 ||
        connections > MAX_CONNECTIONS || connections > requests + first ||
        (rate != 0 && connections != 1)) {
        fprintf(stderr,
                "usage: http_load PORT PATH --requests N [--connections C] | --seconds S "
                "[--connections C] | --rate R --seconds S | --first S (at most %d requests, %d "
                "connections)\n",
                MAX_SAMPLES, MAX_CONNECTIONS);
        return 2;
    }
    char request[512];
    int len =
        snprintf(request, sizeof(request),
                 "GET %s HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n", argv[2]);
    if (len <= 0 || (size_t)len >= sizeof(request)) {
        return 2;
    }
    if (first != 0) {
        return wait_first((uint16_t)atoi(argv[1]), request, (size_t)len, first);
    }
    uint64_t *samples = calloc(requests, sizeof(*samples));
    if (samples == NULL) {
        return 2;
    }
    static struct conn conns[MAX_CONNECTIONS];
    for (unsigned i = 0; i < connections; i++) {
        conns[i].fd = dial((uint16_t)atoi(argv[1]));
        if (conns[i].fd < 0) {
            fprintf(stderr, "http_load: port %s: %s\n", argv[1], strerror(errno));
            return 1;
        }
    }
    uint64_t ok = 0, bytes = 0, start = now_ns();
    if (rate == 0) {
        requests = as_fast_as_it_goes(conns, (unsigned)connections, request, (size_t)len, requests,
                                      seconds, samples, &ok, &bytes);
    }
    for (uint64_t i = 0; rate != 0 && i < requests; i++) {
        /* latency counts from when the request was due: a stall shows in all it delayed */
        uint64_t due = start + i * (1000000000ull / rate), now = now_ns();
        if (now < due) {
            struct timespec ts = {.tv_sec = (time_t)((due - now) / 1000000000ull),
                                  .tv_nsec = (long)((due - now) % 1000000000ull)};
            nanosleep(&ts, NULL);
        }
        ok += exchange(&conns[0], request, (size_t)len) == 200;
        bytes += conns[0].body;
        samples[i] = now_ns() - due;
    }
    double elapsed = (double)(now_ns() - start) / 1e9;
    qsort(samples, requests, sizeof(*samples), by_value);
    printf("{\"requests\":%llu,\"ok\":%llu,\"bytes\":%llu,\"seconds\":%.3f,\"per_second\":%.1f,"
           "\"p50_us\":%.1f,"
           "\"p90_us\":%.1f,"
           "\"p99_us\":%.1f,\"max_us\":%.1f}\n",
           (unsigned long long)requests, (unsigned long long)ok, (unsigned long long)bytes, elapsed,
           (double)requests / elapsed, us(samples, requests, 0.5), us(samples, requests, 0.9),
           us(samples, requests, 0.99), us(samples, requests, 1.0));
    free(samples);
    return 0;
}
