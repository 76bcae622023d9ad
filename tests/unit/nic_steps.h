/* SPDX-License-Identifier: MIT */
/* What the tests of the network card drivers do again and again. */
#pragma once

#include <string.h>

#include "arch/base.h"
#include "net/nic/nic.h"

/* Sends len bytes of seed, header and rest apart. */
static inline enum fl_err nic_send_frame(struct nic *nic, size_t len, uint8_t seed)
{
    uint8_t frame[NIC_FRAME_MAX + 1];
    memset(frame, seed, sizeof(frame));
    const struct nic_piece pieces[] = {{frame, 14}, {frame + 14, len - 14}};
    return nic->driver->send(nic, pieces, 2);
}

/* Polls until nothing is left; returns how many frames that were. */
static inline unsigned nic_poll_all(struct nic *nic)
{
    enum { BUDGET = 64 };
    unsigned n = 0, got;
    do {
        got = nic->driver->poll(nic, BUDGET);
        n += got;
    } while (got == BUDGET);
    return n;
}
