/* SPDX-License-Identifier: MIT */
/*
 * The other end of tests/model/wire/remote_pci.h: a client of the protocol, and a server in a
 * process of its own for it to talk to. Everything blocks; a wait that lasts longer than
 * REMOTE_PATIENCE_S ends the call with REMOTE_GONE.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/model/model.h"
#include "tests/model/wire/remote_pci.h"

#define REMOTE_PATIENCE_S 10
#define REMOTE_ERROR_MAX  512

/* ---- a server ---- */

/* What the server knows in the end; in memory that both processes share. */
struct remote_outcome {
    bool finished; /* it came to its end by itself */
    struct rpci_stats wire;
    struct model_stats model;
    char violation[512]; /* the first broken rule, "" */
};
struct remote_server {
    pid_t pid;
    uint16_t port;
    struct remote_outcome *outcome; /* owned mapping */
};
/* Forks a server that serves clients until remote_server_stop, or one client with once. Aborts with
 * words when that cannot be done. cfg: borrowed for the call. */
void remote_server_start(struct remote_server *s, const struct model_config *cfg, bool once);
/* Ends it (waits for it, when it serves once). True when it died of nothing else: its outcome is in
 * *out. */
bool remote_server_stop(struct remote_server *s, struct remote_outcome *out);

/* ---- a client ---- */

struct remote_client {
    int fd;
    uint64_t requests;
    char error[REMOTE_ERROR_MAX]; /* what the server said when it refused last */
};
enum remote_status {
    REMOTE_OK = 0,
    REMOTE_REFUSED = 1, /* the words are in error; the connection goes on */
    REMOTE_GONE = 2,    /* no connection any more, or none that makes sense */
};
struct remote_request {
    uint8_t command;
    uint32_t device, bar; /* bar: or a handle */
    uint64_t a0, a1, a2;
};

bool remote_connect(struct remote_client *c, uint16_t port);
void remote_disconnect(struct remote_client *c);
void remote_encode(const struct remote_request *q, uint8_t out[RPCI_REQUEST_BYTES]);
/* Sends bytes as they are. */
bool remote_send(struct remote_client *c, const void *p, size_t n);
bool remote_receive(struct remote_client *c, void *p, size_t n);
/* True when the server has closed the connection; data that is still there counts as no. */
bool remote_is_closed(struct remote_client *c);

/* A request and its reply; r0, r1 may be NULL. Data behind the reply is left to the caller. */
enum remote_status remote_call(struct remote_client *c, const struct remote_request *q,
                               const void *payload, size_t payload_bytes, uint64_t *r0,
                               uint64_t *r1);
/* A request without a reply. */
enum remote_status remote_post(struct remote_client *c, const struct remote_request *q,
                               const void *payload, size_t payload_bytes);

/* The commands that tests use most; device 0. */
enum remote_status remote_map_bar(struct remote_client *c, uint32_t bar, uint64_t *address,
                                  uint64_t *size);
enum remote_status remote_cfg_read(struct remote_client *c, uint64_t off, unsigned size,
                                   uint32_t *value);
enum remote_status remote_cfg_write(struct remote_client *c, uint64_t off, unsigned size,
                                    uint32_t value);
enum remote_status remote_mmio_read(struct remote_client *c, uint32_t bar, uint64_t off, void *data,
                                    size_t n);
enum remote_status remote_mmio_write(struct remote_client *c, uint32_t bar, uint64_t off,
                                     const void *data, size_t n);
/* pages: room for one address per page, or NULL to throw them away. */
enum remote_status remote_map_sysmem(struct remote_client *c, uint64_t size, bool contiguous,
                                     uint32_t *handle, uint64_t *pages);
enum remote_status remote_sysmem_read(struct remote_client *c, uint32_t handle, uint64_t off,
                                      void *data, size_t n);
enum remote_status remote_sysmem_write(struct remote_client *c, uint32_t handle, uint64_t off,
                                       const void *data, size_t n);
