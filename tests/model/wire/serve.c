/* SPDX-License-Identifier: MIT */
/* Sockets of the model's servers (serve.h). */
#include "tests/model/wire/serve.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

#include "arch/base.h"
#include "tests/model/bus/border.h"

enum { RUN_PATIENCE_NS = 10000000 }; /* the model's own work may wait this long for a busy client */

static uint64_t spent_ns; /* of the machine's time, on the model's own work */
static bool working;
static uint64_t began_ns;

static uint64_t machine_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * SERVE_NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t serve_now_ns(void *ctx)
{
    (void)ctx;
    return (working ? began_ns : machine_ns()) - spent_ns;
}

/* Comparing a firmware image takes the model far longer than it says that booting takes, and on a
 * busy machine longer than a driver waits. */
static void work(struct gpu_model *m)
{
    began_ns = machine_ns();
    working = true;
    model_run(m);
    working = false;
    spent_ns += machine_ns() - began_ns;
}

void serve_patience(int fd)
{
    const struct timeval tv = {.tv_usec = (suseconds_t)(SERVE_PATIENCE_NS / 1000)};

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)); /* accept() too */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

bool serve_again(int error) { return error == EINTR || error == EAGAIN || error == EWOULDBLOCK; }

unsigned serve_access_bytes(uint64_t off, uint64_t left)
{
    if ((off & 3) == 0 && left >= 4) {
        return 4;
    }
    return (off & 1) == 0 && left >= 2 ? 2 : 1;
}

int serve_accept(int listen_fd, const volatile sig_atomic_t *stop, const char *where, char *err,
                 size_t err_size)
{
    err[0] = '\0';
    while (!*stop) {
        const int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            serve_patience(fd);
            return fd;
        }
        if (!serve_again(errno) && errno != ECONNABORTED) {
            snprintf(err, err_size, "accept on %s: %s", where, strerror(errno));
            return -1;
        }
    }
    return -1;
}

bool serve_wait(int fd, struct gpu_model *m, const volatile sig_atomic_t *stop)
{
    while (!*stop) {
        const uint64_t next = model_next_ns(m);
        if (next == UINT64_MAX) {
            return true; /* the read blocks */
        }
        const uint64_t now = serve_now_ns(NULL);
        const uint64_t wait = min_u64(next > now ? next - now : 0, SERVE_PATIENCE_NS);
        const struct timespec ts = {.tv_sec = (time_t)(wait / SERVE_NS_PER_S),
                                    .tv_nsec = (long)(wait % SERVE_NS_PER_S)};
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        const int r = ppoll(&pfd, 1, &ts, NULL);
        if (r > 0 && now < next + RUN_PATIENCE_NS) {
            return true;
        }
        if (r >= 0) {
            work(m);
            if (r > 0) {
                return true;
            }
        }
    }
    return false;
}

bool serve_send(int fd, const void *buf, size_t n, const volatile sig_atomic_t *stop)
{
    const uint8_t *p = buf;

    MODEL_LEAVES(buf, n);
    while (n > 0) {
        const ssize_t r = send(fd, p, n, MSG_NOSIGNAL);
        if (r < 0 && serve_again(errno) && !*stop) {
            continue;
        }
        if (r <= 0) {
            return false;
        }
        p += r;
        n -= (size_t)r;
    }
    return true;
}
