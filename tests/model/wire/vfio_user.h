/* SPDX-License-Identifier: MIT */
/*
 * The vfio-user wire: a server that shows one GPU model to one client at a time (stock QEMU
 * >= 10.1). Only this file and its .c know the protocol. One thread: it answers an access at once
 * and lets the model do its delayed work between messages.
 *
 * Protocol: QEMU docs/interop/vfio-user.rst; behaviour of QEMU 11.1.3 as observed on the wire.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/model/model.h"

struct vfu_server;

struct vfu_stats {
    uint64_t clients, messages, region_reads, region_writes, rejected, dma_maps, interrupts,
        lost_interrupts;
    uint64_t prom_maps;   /* clients that were given the PROM window as memory */
    uint64_t lost_memory; /* transfers that met memory which the client had taken away */
    /* The first thing for which a client was refused or sent away, in words; "" = none. */
    char trouble[96];
};

/* Listens on a unix socket at path (vfio_socket.h). NULL with a sentence in err. */
struct vfu_server *vfu_listen(const char *path, char *err, size_t err_size);
/* The bus to create the model with; valid until vfu_close. */
const struct model_bus *vfu_bus(const struct vfu_server *s);
/* The GPU stays powered between clients: a new one finds it as the last has left it, after the
 * reset of its machine. Without this each client finds a GPU after power-on. */
void vfu_stay_powered(struct vfu_server *s);

/* Clients may map the PROM window (vfio_prom.h). Before vfu_serve(); not for a model that has to
 * see its reads (model_prom_watched). */
void vfu_map_prom(struct vfu_server *s);

/* Serves clients one after the other until *stop is set (by a signal handler; seen within
 * SERVE_PATIENCE_NS, whatever the client does) or, with once, until the first client has gone; one
 * that says nothing is none. Returns 0, or -1 with a sentence in err. */
int vfu_serve(struct vfu_server *s, struct gpu_model *m, const volatile sig_atomic_t *stop,
              bool once, char *err, size_t err_size);
void vfu_get_stats(const struct vfu_server *s, struct vfu_stats *out);
void vfu_close(struct vfu_server *s); /* also unlinks the socket */

/* Handles one message that has fully arrived (for tests and fuzzing): header and payload in msg,
 * fds owned by the callee. Writes the reply to reply (room for VFU_MAX_MESSAGE bytes) and returns
 * its length; 0 = no reply; -1 = the connection must be closed. */
#define VFU_MAX_MESSAGE (16u + 16u + (1u << 20))
long vfu_handle(struct vfu_server *s, struct gpu_model *m, const uint8_t *msg, size_t size,
                const int *fds, size_t fd_count, uint8_t *reply);
/* The descriptor that goes with the last reply, ours; -1: none does. */
int vfu_reply_fd(const struct vfu_server *s);
/* A server without a socket, for vfu_handle. */
struct vfu_server *vfu_create_detached(void);
/* What a lost connection does: maps and descriptors are dropped. m: whose client it was; NULL: it
 * is gone, too. */
void vfu_drop_client(struct vfu_server *s, struct gpu_model *m);
