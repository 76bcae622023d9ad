/* SPDX-License-Identifier: MIT */
/*
 * The memory that a remote client shares with the GPU: buffers that it asked for, each at bus
 * addresses of the server's choice. Nothing is freed before the connection ends: the protocol has
 * no request for it.
 *
 * The pages of a buffer that was not asked to be contiguous are handed out in falling order, so
 * that a driver that believes they follow each other is found out. A page that is nobody's lies
 * between any two buffers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RPCI_BUFFERS_MAX = 1024 }; /* of one connection */
/* Memory of one connection. It appears to the GPU from RPCI_MEMORY_BASE on, which is below 2 GiB
 * and where a native test can map its copy at the same address beside the sanitizers. */
#define RPCI_MEMORY_BASE      UINT64_C(0x40000000)
#define RPCI_MEMORY_MAX_BYTES (UINT64_C(512) << 20)

struct remote_memory;

struct remote_memory *remote_memory_create(void);
void remote_memory_destroy(struct remote_memory *rm);
void remote_memory_clear(struct remote_memory *rm); /* the connection is over */

/* A zeroed buffer. Returns NULL and *handle, or a static sentence on why not. */
const char *remote_memory_add(struct remote_memory *rm, uint64_t size, bool contiguous,
                              uint32_t *handle);
/* Where its n-th page lies on the bus. The page must exist. */
uint64_t remote_memory_page(const struct remote_memory *rm, uint32_t handle, uint64_t page);
/* Bytes that the client may use: what it asked for. False: no such handle. */
bool remote_memory_size(const struct remote_memory *rm, uint32_t handle, uint64_t *size);
/* The client's view of a buffer, in order. NULL: no such handle. */
uint8_t *remote_memory_client(struct remote_memory *rm, uint32_t handle);
/* The GPU's view of bus address addr: shortens *len where pages stop to follow each other. NULL:
 * nothing is there. */
void *remote_memory_bus(struct remote_memory *rm, uint64_t addr, size_t *len);
uint64_t remote_memory_bytes(const struct remote_memory *rm); /* in all buffers */
