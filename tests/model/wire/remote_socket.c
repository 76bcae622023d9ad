/* SPDX-License-Identifier: MIT */
/* Listening, options, and reading exactly so many bytes. */
#include "tests/model/wire/remote_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/model/wire/serve.h"

enum {
    SOCKET_BUFFER_BYTES = 64 << 20 /* what clients set; the kernel takes what it likes of it */
};

static void set_option(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

void remote_socket_tune(int fd)
{
    set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(fd, SOL_SOCKET, SO_SNDBUF, SOCKET_BUFFER_BYTES);
    set_option(fd, SOL_SOCKET, SO_RCVBUF, SOCKET_BUFFER_BYTES);
}

int remote_socket_listen(uint16_t *port, char *err, size_t err_size)
{
    struct sockaddr_in addr = {
        .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0) {
        set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    }
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0 || listen(fd, 1) != 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) != 0) {
        snprintf(err, err_size, "cannot listen on 127.0.0.1:%u: %s", (unsigned)*port,
                 strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    *port = ntohs(addr.sin_port);
    serve_patience(fd);
    return fd;
}

bool remote_socket_receive(int fd, void *buf, size_t n, const volatile sig_atomic_t *stop)
{
    uint8_t *p = buf;

    while (n > 0) {
        const ssize_t r = recv(fd, p, n, 0);
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
