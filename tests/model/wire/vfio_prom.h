/* SPDX-License-Identifier: MIT */
/*
 * The PROM window as memory that the client maps: its reads there never become messages. The memory
 * is shared, so a client can write to it, too: what it leaves there is looked at and put right
 * whenever the card changes and when the client goes.
 *
 * QEMU waits for the answer to each write to a device of which it has mapped anything; so this is
 * for drivers that read much of the PROM and write little. Source: QEMU hw/vfio-user/device.c
 * (vfio_user_get_region_info).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct gpu_model;

struct vfio_prom {
    bool wanted;    /* false: nothing is ever mapped */
    int fd;         /* a memfd that cannot change its size; -1: nobody has it */
    uint8_t *bytes; /* the window in it; mapped while fd >= 0 */
    bool unplugged; /* it shows a card that was pulled out */
};

void vfio_prom_init(struct vfio_prom *p);
/* Makes the memory, unless it is there. The descriptor, which stays ours; -1: not wanted, or errno
 * says why not (its reads are messages then). The window lies at its offset in BAR0. */
int vfio_prom_share(struct vfio_prom *p, struct gpu_model *m);
/* Shows the card as it is now: pulled out, or there. Costs nothing while that stays. */
void vfio_prom_follow(struct vfio_prom *p, struct gpu_model *m);
/* The client has gone: the next one gets memory of its own. */
void vfio_prom_drop(struct vfio_prom *p, struct gpu_model *m);
