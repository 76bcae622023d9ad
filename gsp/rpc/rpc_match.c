/* SPDX-License-Identifier: MIT */
/* Which call a reply belongs to (rpc_match.h). */
#include "gsp/rpc/rpc_match.h"

#include <string.h>

/* Forgets n from first on. */
static void drop(struct gsp_rpc_match *k, uint32_t first, uint32_t n)
{
    k->count -= n;
    memmove(&k->late[first], &k->late[first + n], (k->count - first) * sizeof(k->late[0]));
}

/* Whether the GSP gives numbers back, from a reply to a call that is open. */
static void learn(struct gsp_rpc_match *k, const struct gsp_msg *m, uint32_t function,
                  uint32_t sequence)
{
    bool open = m->function == function, same = open && m->sequence == sequence;

    for (uint32_t i = 0; i < k->count; i++) {
        if (k->late[i].function == m->function) {
            open = true;
            same = same || k->late[i].sequence == m->sequence;
        }
    }
    if (open) {
        k->echo = same ? GSP_RPC_ECHO_YES : GSP_RPC_ECHO_NO;
    }
}

enum gsp_rpc_fit gsp_rpc_match_reply(struct gsp_rpc_match *k, const struct gsp_msg *m,
                                     uint32_t function, uint32_t sequence)
{
    if (k->echo == GSP_RPC_ECHO_UNKNOWN) {
        learn(k, m, function, sequence);
    }
    const bool numbered = k->echo != GSP_RPC_ECHO_NO;
    for (uint32_t i = 0; i < k->count; i++) {
        if (k->late[i].function != m->function ||
            (numbered && k->late[i].sequence != m->sequence)) {
            continue;
        }
        if (numbered) {
            drop(k, i, 1);
        } else { /* in order: whoever was asked before will not be answered */
            drop(k, 0, i + 1);
        }
        return GSP_RPC_LATE;
    }
    if (function == 0 || m->function != function || (numbered && m->sequence != sequence)) {
        return GSP_RPC_FOREIGN;
    }
    if (!numbered) {
        k->count = 0;
    }
    return GSP_RPC_OURS;
}

enum gsp_rpc_fit gsp_rpc_match_record(const struct gsp_rpc_match *k, const struct gsp_msg *m,
                                      uint32_t sequence, uint32_t index)
{
    const bool ours = k->echo != GSP_RPC_ECHO_YES || m->sequence == sequence ||
                      m->sequence == sequence + index || m->sequence == 0;

    return ours ? GSP_RPC_OURS : GSP_RPC_FOREIGN;
}

void gsp_rpc_match_give_up(struct gsp_rpc_match *k, uint32_t function, uint32_t sequence)
{
    if (k->count == GSP_RPC_LATE_MAX) { /* by its number even a forgotten one answers nobody */
        drop(k, 0, 1);
    }
    k->late[k->count++] = (struct gsp_rpc_late){.function = function, .sequence = sequence};
}

bool gsp_rpc_match_full(const struct gsp_rpc_match *k)
{
    return k->count == GSP_RPC_LATE_MAX && k->echo != GSP_RPC_ECHO_YES;
}
