/* SPDX-License-Identifier: MIT */
/* The unix socket of the vfio-user server (vfio_socket.h). */
#include "tests/model/wire/vfio_socket.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/model/bus/border.h"
#include "tests/model/wire/serve.h"

/* Whether somebody listens there. A full backlog (EAGAIN) is somebody's, too. */
static bool is_live(const struct sockaddr_un *addr)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return true;
    }
    const int r = connect(fd, (const struct sockaddr *)addr, sizeof(*addr));
    const bool live = r == 0 || errno != ECONNREFUSED;
    close(fd);
    return live;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Makes way for a new socket. False with a sentence in err. */
static bool make_way(const struct sockaddr_un *addr, char *err, size_t err_size)
{
    struct stat st, again;
    if (lstat(addr->sun_path, &st) != 0) {
        return true; /* nothing there, or bind() says what is wrong */
    }
    if (!S_ISSOCK(st.st_mode)) {
        snprintf(err, err_size, "%s exists and is not a socket: choose another path",
                 addr->sun_path);
        return false;
    }
    if (is_live(addr)) {
        snprintf(err, err_size,
                 "somebody listens on %s already: end that program or choose another path",
                 addr->sun_path);
        return false;
    }
    if (lstat(addr->sun_path, &again) == 0 && same_file(&st, &again)) {
        unlink(addr->sun_path);
    }
    return true;
}

int vfio_socket_listen(struct vfio_socket *s, const char *path, char *err, size_t err_size)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct stat st;
    if (strlen(path) >= sizeof(addr.sun_path)) {
        snprintf(err, err_size, "socket path is longer than %zu bytes: %s",
                 sizeof(addr.sun_path) - 1, path);
        return -1;
    }
    memcpy(addr.sun_path, path, strlen(path) + 1);
    if (!make_way(&addr, err, err_size)) {
        return -1;
    }
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const mode_t mask = umask(S_IXUSR | S_IRWXG | S_IRWXO); /* bind() makes the file */
    const bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0;
    const int why = errno;
    umask(mask);
    if (!bound || listen(fd, 1) != 0 || lstat(path, &st) != 0) {
        snprintf(err, err_size, "cannot listen on %s: %s", path, strerror(bound ? errno : why));
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    memcpy(s->path, path, strlen(path) + 1);
    s->dev = st.st_dev;
    s->ino = st.st_ino;
    serve_patience(fd);
    return fd;
}

void vfio_socket_unlink(const struct vfio_socket *s)
{
    struct stat st;
    if (lstat(s->path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino) {
        unlink(s->path);
    }
}

static void take_descriptors(struct msghdr *mh, int *fds, size_t *fd_count)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c != NULL; c = CMSG_NXTHDR(mh, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        const size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int got;
            memcpy(&got, CMSG_DATA(c) + i * sizeof(int), sizeof(got));
            if (*fd_count < VFIO_SOCKET_FDS) {
                fds[(*fd_count)++] = got;
            } else {
                close(got);
            }
        }
    }
}

int vfio_socket_receive(int fd, uint8_t *buf, size_t want, int *fds, size_t *fd_count,
                        const volatile sig_atomic_t *stop)
{
    size_t have = 0;
    while (have < want) {
        union {
            struct cmsghdr align;
            char room[CMSG_SPACE(VFIO_SOCKET_FDS * sizeof(int))];
        } control;
        struct iovec iov = {.iov_base = buf + have, .iov_len = want - have};
        struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
        if (fds != NULL) {
            mh.msg_control = control.room;
            mh.msg_controllen = sizeof(control.room);
        }
        const ssize_t r = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC);
        if (r < 0 && serve_again(errno)) {
            if (have == 0 && fds != NULL) {
                return -1;
            }
            if (*stop) {
                return 0;
            }
            continue;
        }
        if (r <= 0) {
            return 0;
        }
        if (fds != NULL) {
            take_descriptors(&mh, fds, fd_count);
        }
        have += (size_t)r;
    }
    return 1;
}

bool vfio_socket_send(int fd, const void *buf, size_t n, int passed,
                      const volatile sig_atomic_t *stop)
{
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = n};
    struct msghdr mh = {.msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control.room,
                        .msg_controllen = sizeof(control.room)};
    if (passed < 0) {
        return serve_send(fd, buf, n, stop);
    }
    MODEL_LEAVES(buf, n);
    struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &passed, sizeof(passed));
    ssize_t r = -1;
    do {
        r = sendmsg(fd, &mh, MSG_NOSIGNAL); /* it goes with the first byte */
    } while (r < 0 && serve_again(errno) && !*stop);
    return r > 0 && serve_send(fd, (const uint8_t *)buf + r, n - (size_t)r, stop);
}

int vfio_socket_spoke(int fd)
{
    uint8_t b;
    const ssize_t r = recv(fd, &b, 1, MSG_PEEK);
    return r < 0 && serve_again(errno) ? -1 : r > 0;
}
