/* SPDX-License-Identifier: MIT */
/*
 * A bounded HTTP client for the bench, loopback only: one keep-alive connection, either as fast as
 * answers come (closed loop) or at a fixed rate. Prints one JSON object with the rate and the
 * latency distribution.
 *
 *   http_load PORT PATH --requests N
 *   http_load PORT PATH --rate PER_SECOND --seconds S
 *   http_load PORT PATH --first SECONDS        new connections until one is answered: QEMU's user
 * network takes connections before the guest is up and retries too slowly
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SAMPLES = 1000000, TIMEOUT_S = 30, ANSWER_MAX = 65536 };

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

/* Sends one request and reads one whole answer. Returns its status. */
static int exchange(int fd, const char *request, size_t len)
{
    static char answer[ANSWER_MAX];
    size_t have = 0, need = 0;
    if (send(fd, request, len, MSG_NOSIGNAL) != (ssize_t)len) {
        fprintf(stderr, "http_load: send: %s\n", strerror(errno));
        exit(1);
    }
    for (;;) {
        ssize_t r = recv(fd, answer + have, sizeof(answer) - 1 - have, 0);
        if (r <= 0) {
            fprintf(stderr, "http_load: no answer: %s\n",
                    r == 0 ? "connection closed" : strerror(errno));
            exit(1);
        }
        have += (size_t)r;
        answer[have] = '\0';
        if (need == 0) {
            const char *end = strstr(answer, "\r\n\r\n");
            const char *cl = strstr(answer, "Content-Length: ");
            if (end == NULL) {
                continue;
            }
            need = (size_t)(end + 4 - answer) + (cl != NULL ? strtoul(cl + 16, NULL, 10) : 0);
        }
        if (have >= need) {
            return atoi(answer + 9);
        }
    }
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
    uint64_t requests = 0, rate = 0, seconds = 0, first = 0;
    for (int i = 3; i + 1 < argc; i += 2) {
        uint64_t v = strtoull(argv[i + 1], NULL, 10);
        if (strcmp(argv[i], "--requests") == 0) {
            requests = v;
        } else if (strcmp(argv[i], "--rate") == 0) {
            rate = v;
        } else if (strcmp(argv[i], "--seconds") == 0) {
            seconds = v;
        } else if (strcmp(argv[i], "--first") == 0) {
            first = v;
        }
    }
    if (rate != 0) {
        requests = rate * seconds;
    }
    if (argc < 5 || (first == 0 && requests == 0) || requests > MAX_SAMPLES) {
        fprintf(stderr,
                "usage: http_load PORT PATH --requests N | --rate R --seconds S | --first S (at "
                "most %d requests)\n",
                MAX_SAMPLES);
        return 2;
    }
    char request[512];
    int len =
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", argv[2]);
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
    int fd = dial((uint16_t)atoi(argv[1]));
    if (fd < 0) {
        fprintf(stderr, "http_load: port %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    uint64_t ok = 0, start = now_ns();
    for (uint64_t i = 0; i < requests; i++) {
        if (rate !=
            0) { /* latency counts from when the request was due: a stall shows in all it delayed */
            uint64_t due = start + i * (1000000000ull / rate), now = now_ns();
            if (now < due) {
                struct timespec ts = {.tv_sec = (time_t)((due - now) / 1000000000ull),
                                      .tv_nsec = (long)((due - now) % 1000000000ull)};
                nanosleep(&ts, NULL);
            }
            ok += exchange(fd, request, (size_t)len) == 200;
            samples[i] = now_ns() - due;
        } else {
            uint64_t t = now_ns();
            ok += exchange(fd, request, (size_t)len) == 200;
            samples[i] = now_ns() - t;
        }
    }
    double elapsed = (double)(now_ns() - start) / 1e9;
    qsort(samples, requests, sizeof(*samples), by_value);
    printf("{\"requests\":%llu,\"ok\":%llu,\"seconds\":%.3f,\"per_second\":%.1f,\"p50_us\":%.1f,"
           "\"p90_us\":%.1f,"
           "\"p99_us\":%.1f,\"max_us\":%.1f}\n",
           (unsigned long long)requests, (unsigned long long)ok, elapsed,
           (double)requests / elapsed, us(samples, requests, 0.5), us(samples, requests, 0.9),
           us(samples, requests, 0.99), us(samples, requests, 1.0));
    close(fd);
    free(samples);
    return 0;
}
