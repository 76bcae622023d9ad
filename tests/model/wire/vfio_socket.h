/* SPDX-License-Identifier: MIT */
/*
 * The unix socket of the vfio-user server: where it lies, whose it is, and bytes with descriptors
 * from it. It is made for its owner only (mode 0600): who may connect may do with the model's
 * process what a client may.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

enum { VFIO_SOCKET_FDS = 16 }; /* descriptors with one message */

struct vfio_socket {
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    dev_t dev; /* of the file that was made */
    ino_t ino;
};

/* Listens at path. A socket that nobody listens on is replaced; one that somebody does, or anything
 * else, is not. The descriptor, or -1 with a sentence in err. */
int vfio_socket_listen(struct vfio_socket *s, const char *path, char *err, size_t err_size);
/* Removes the file, if it is still the one that was made. */
void vfio_socket_unlink(const struct vfio_socket *s);

/* Receives want bytes. 1: all are there; 0: the client has gone, or *stop is set. Descriptors that
 * come with the bytes are added to fds (room for VFIO_SOCKET_FDS; more are closed): the beginning
 * of a message, and -1 says that nothing came so far. fds NULL: the rest of one. */
int vfio_socket_receive(int fd, uint8_t *buf, size_t want, int *fds, size_t *fd_count,
                        const volatile sig_atomic_t *stop);
/* serve_send() with a descriptor, which stays ours; -1: without. */
bool vfio_socket_send(int fd, const void *buf, size_t n, int passed,
                      const volatile sig_atomic_t *stop);
/* 1: the client has sent something; 0: it has gone without a word; -1: neither so far. */
int vfio_socket_spoke(int fd);
