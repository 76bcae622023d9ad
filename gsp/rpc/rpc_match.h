/* SPDX-License-Identifier: MIT */
/*
 * Which call a reply belongs to. A call that was given up may still be answered, in front of the
 * next one's reply: that answer must reach nobody.
 *
 * Requests carry rpc.sequence, a number that no other call has. Whether GSP-RM gives it back is
 * written nowhere: no open driver looks (OGKM, nouveau, nova, tinygrad match by function alone;
 * nouveau numbers its waiting calls, the others send 0). So it is learnt from each boot's first
 * reply:
 *   it echoes        only a reply with the call's own number answers it;
 *   it does not      the ring keeps its order: a reply answers the oldest call of its function that
 *                    nobody has answered, given up or not.
 * Continuation records follow their first message without anything between (rpc.md A9); numbers
 * seen in them are the call's own, counted up (nouveau's way of sending) or 0.
 */
#pragma once

#include "arch/base.h"
#include "gsp/rpc/queue.h"

#define GSP_RPC_LATE_MAX 64u

enum gsp_rpc_echo { GSP_RPC_ECHO_UNKNOWN, GSP_RPC_ECHO_YES, GSP_RPC_ECHO_NO };

struct gsp_rpc_match {
    enum gsp_rpc_echo echo;
    uint32_t count;
    struct gsp_rpc_late {
        uint32_t function, sequence;
    } late[GSP_RPC_LATE_MAX]; /* given up and not answered, oldest first */
};

enum gsp_rpc_fit {
    GSP_RPC_OURS,    /* of the call that waits */
    GSP_RPC_LATE,    /* of one that was given up */
    GSP_RPC_FOREIGN, /* of none */
};

/* The first (or only) message of a reply. function, sequence: of the call that waits; function 0:
 * nobody does. */
enum gsp_rpc_fit gsp_rpc_match_reply(struct gsp_rpc_match *k, const struct gsp_msg *m,
                                     uint32_t function, uint32_t sequence);
/* A continuation record, the index-th (from 1) of the reply to call `sequence`. */
enum gsp_rpc_fit gsp_rpc_match_record(const struct gsp_rpc_match *k, const struct gsp_msg *m,
                                      uint32_t sequence, uint32_t index);
/* A call was sent, and given up before any answer came. */
void gsp_rpc_match_give_up(struct gsp_rpc_match *k, uint32_t function, uint32_t sequence);
/* No further call's reply could be told from those still to come. */
bool gsp_rpc_match_full(const struct gsp_rpc_match *k);
