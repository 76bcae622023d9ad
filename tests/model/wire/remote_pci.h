/* SPDX-License-Identifier: MIT */
/*
 * A PCI device over TCP: shows one GPU model to one client at a time, by the small protocol that
 * tinygrad's remote devices speak (system.py and serve.py of tinygrad, August 2026), so that a
 * user-space driver attaches without QEMU. Only this file and its .c know the protocol.
 *
 * The protocol hands out raw access and knows no password, so the server listens on 127.0.0.1 only.
 * It has no interrupts: a driver polls. One thread: a request is answered at once, and the model
 * does its delayed work between requests.
 *
 * Little endian. Request: u8 command, u32 device, u32 BAR or handle, u64 a0, a1, a2, then a payload
 * where the command has one. Reply: u8 status, u64 r0, r1, then data. Status 1: r0 is the length of
 * an error text that follows. MMIO_WRITE and SYSMEM_WRITE have no reply; a wrong one ends the
 * connection, and so does anything after which the start of the next request is not known.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/model/model.h"
#include "tests/model/wire/remote_memory.h"

enum rpci_command {
    RPCI_PROBE = 0,     /* a0 base class (0 any), a1 payload bytes, a2 vendor */
    RPCI_MAP_BAR = 1,   /* r0 bus address, r1 size */
    RPCI_MAP_FD = 2,    /* for servers on a unix socket; refused */
    RPCI_CFG_READ = 3,  /* a0 offset, a1 size; r0 value */
    RPCI_CFG_WRITE = 4, /* a0 offset, a1 size, a2 value */
    RPCI_RESET = 5,
    RPCI_MMIO_READ = 6,     /* a0 offset, a1 bytes; r0 bytes */
    RPCI_MMIO_WRITE = 7,    /* a0 offset, a1 bytes; no reply */
    RPCI_MAP_SYSMEM = 8,    /* a0 bytes, a1 contiguous; r0 bytes of data, r1 handle */
    RPCI_SYSMEM_READ = 9,   /* a0 offset, a1 bytes; r0 bytes */
    RPCI_SYSMEM_WRITE = 10, /* a0 offset, a1 bytes; no reply */
    RPCI_RESIZE_BAR = 11,
    RPCI_PING = 12,
    RPCI_COMMAND_COUNT
};

enum {
    RPCI_REQUEST_BYTES = 33,
    RPCI_REPLY_BYTES = 17,
    RPCI_DEFAULT_PORT = 6667,
    RPCI_PROBE_PAYLOAD_MAX = 4096, /* 512 pairs of mask and device id */
};

struct rpci_server;

struct rpci_stats {
    uint64_t clients, requests, refused,
        dropped;                      /* dropped: connections ended for a wrong request */
    uint64_t mmio_reads, mmio_writes; /* requests, not accesses */
    uint64_t memory_bytes;            /* mapped at this moment */
    uint64_t lost_interrupts;         /* raised by the GPU; there is no way to tell */
};

/* Listens on 127.0.0.1:port; port 0: any free one, see rpci_port(). NULL with a sentence in err. */
struct rpci_server *rpci_listen(uint16_t port, char *err, size_t err_size);
uint16_t rpci_port(const struct rpci_server *s);
/* The bus to create the model with; valid until rpci_close. */
const struct model_bus *rpci_bus(const struct rpci_server *s);
/* Serves clients one after the other until *stop is set (by a signal handler: the wait ends with
 * EINTR) or, with once, until the first client has gone. Returns 0, or -1 with a sentence in err.
 */
int rpci_serve(struct rpci_server *s, struct gpu_model *m, const volatile sig_atomic_t *stop,
               bool once, char *err, size_t err_size);
void rpci_get_stats(const struct rpci_server *s, struct rpci_stats *out);
void rpci_close(struct rpci_server *s);

/* ---- without a socket, for tests and fuzzing ---- */

/* Where requests come from and replies go to. Both move exactly n bytes or return false, which ends
 * the connection. */
struct rpci_stream {
    void *ctx;
    bool (*receive)(void *ctx, void *buf, size_t n);
    bool (*send)(void *ctx, const void *buf, size_t n);
};
struct rpci_server *rpci_create_detached(void);
/* What a new connection does: power-on reset, and what a PC's firmware does at start: addresses in
 * the BARs, memory decoding on. Bus mastering is off. */
void rpci_begin_client(struct rpci_server *s, struct gpu_model *m);
/* One request. False: the connection is over. */
bool rpci_one(struct rpci_server *s, struct gpu_model *m, const struct rpci_stream *io);
/* What a lost connection does: bus mastering off, memory gone. */
void rpci_drop_client(struct rpci_server *s, struct gpu_model *m);
