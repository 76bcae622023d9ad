/* SPDX-License-Identifier: MIT */
/*
 * Sessions of clients of the network: who allocates objects does it in one, and they go when it is
 * closed or has not been used for as long as it asked for. One session works on one GPU.
 */
#pragma once

#include "gsp/vram.h"
#include "net/api/rpc/rpc.h"

#define SESSIONS_MAX          16u
#define SESSION_ID_BYTES      16u
#define SESSION_ID_TEXT       (2 * SESSION_ID_BYTES + 1u)
#define SESSION_IDLE_S        300u
#define SESSION_IDLE_S_MOST   86400u
#define SESSION_RM_TIMEOUT_US (5 * US_PER_S)

struct session;
/* The session of an id, held against its end until session_leave(). NULL: the call has failed. It
 * sets c->gpu and c->gpu_index to its GPU. */
struct session *session_enter(struct rpc_call *c, const char *id);
void session_leave(struct session *s);
struct gsp_rm_session *session_rm(struct session *s);
/* Calls fn with the memory on the GPU of the session that the first parameter names, made when it
 * is first asked for: one call at a time. Otherwise the call has failed. Yields. */
void session_with_memory(struct rpc_call *c,
                         void (*fn)(struct rpc_call *c, struct gsp_vram_client *m));
/* The same beside calls that are under way, for what does not yield, or waits for a fence; memory
 * that was not used yet is not made. */
void session_beside(struct rpc_call *c, void (*fn)(struct rpc_call *c, struct gsp_vram_client *m));
uint32_t session_count(void);
/* The GPU of a session; false: there is no such session. */
bool session_gpu(const char *id, uint32_t *gpu);
