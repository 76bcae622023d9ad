/* SPDX-License-Identifier: MIT */
/*
 * What both servers of the model (vfio_user.c, remote_pci.c) do with their sockets: one client at a
 * time, one thread, and the model's delayed work between two messages.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/model/model.h"

#define SERVE_NS_PER_S UINT64_C(1000000000)

/* No wait on this socket, for a peer or for room, lasts longer than this without a look at *stop: a
 * signal that arrives between the look and the wait would else be missed. */
#define SERVE_PATIENCE_NS UINT64_C(100000000)
void serve_patience(int fd);
/* What errno says is that nothing came of it yet: try again, after a look at *stop. */
bool serve_again(int error);

/* The access of BARs that comes next: one of 4 bytes wherever it is possible. */
unsigned serve_access_bytes(uint64_t off, uint64_t left);

/* For struct model_bus: the machine's monotonic clock, in nanoseconds, which stands still while
 * serve_wait() lets the model work: what a GPU does takes as long as the model says. ctx is not
 * used. */
uint64_t serve_now_ns(void *ctx);

/* The next client's socket, with the patience that listen_fd has; -1 when *stop is set, or with a
 * sentence in err (err[0] != 0) when it can go on no more. where names the address in that
 * sentence. */
int serve_accept(int listen_fd, const volatile sig_atomic_t *stop, const char *where, char *err,
                 size_t err_size);

/* Lets the model work until fd has something to read. True: read now, which may block; false: *stop
 * is set. The model's DMA must not fall between messages that a client sends in one breath (an
 * unmap and the map that follows it), so a readable socket goes first, unless the model has waited
 * for too long. */
bool serve_wait(int fd, struct gpu_model *m, const volatile sig_atomic_t *stop);

/* Sends all n bytes. False: the client has gone, or *stop is set. */
bool serve_send(int fd, const void *buf, size_t n, const volatile sig_atomic_t *stop);
