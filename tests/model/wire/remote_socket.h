/* SPDX-License-Identifier: MIT */
/* The TCP socket of the remote server: 127.0.0.1 only. */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Listens on *port, which becomes the one that it got (0: any free one). -1 with a sentence in err.
 */
int remote_socket_listen(uint16_t *port, char *err, size_t err_size);
void remote_socket_tune(int fd); /* a client's: only speed depends on it */
/* Exactly n bytes. False: the connection is over, or *stop was set. */
bool remote_socket_receive(int fd, void *buf, size_t n, const volatile sig_atomic_t *stop);
