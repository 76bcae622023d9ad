/* SPDX-License-Identifier: MIT */
/*
 * A copy engine's channel on the mini driver: the objects, an address space whose first MiB is
 * mapped to video memory, a ring and a pushbuffer. Addresses and handles are fixed, so that a test
 * can write a pushbuffer as words.
 */
#pragma once

#include "tests/unit/mini_driver.h"

enum { /* in video memory */
       CHAN_ROOT = 0x1000000,
       CHAN_PD2 = 0x4000000,
       CHAN_PD1 = 0x4001000,
       CHAN_PD0 = 0x4002000,
       CHAN_PT = 0x4003000,
       CHAN_PAGES = 0x4100000, /* what virtual address 0 is */
       CHAN_PAGE_COUNT = 256,
       CHAN_USERD = 0x5000000, /* 4 KiB for each channel, by chid */
};
enum { /* virtual addresses */
       CHAN_RING_VA = 0x10000,
       CHAN_PUSH_VA = 0x20000,
       CHAN_SEM_VA = 0x30000,
       CHAN_BUS_VA = 0x40000,
};
enum { /* handles and numbers */
       CHAN_DEVICE = 2,
       CHAN_SUBDEVICE = 3,
       CHAN_SPACE = 4,
       CHAN_CHANNEL = 5,
       CHAN_COPY = 6,
       CHAN_ENTRIES = 4, /* of a ring: few, so that it wraps soon */
       CHAN_CHID = 5,
       CHAN_RUNLIST = 1,
       CHAN_ENGINE = 0xb, /* COPY2 */
};

/* Video memory; aborts outside of it. */
void chan_put64(struct mini *d, uint64_t addr, uint64_t value);
uint32_t chan_get32(struct mini *d, uint64_t addr);
void chan_put32(struct mini *d, uint64_t va, uint32_t word); /* at a virtual address */

/* Tables for the first 2 MiB of an address space below a root entry; returns that entry. */
uint64_t chan_tables(struct mini *d);
/* GSP_RM_ALLOC with parameters: the status. */
uint32_t chan_alloc(struct mini *d, uint32_t parent, uint32_t handle, uint32_t cls,
                    const uint8_t *params, uint32_t size);
/* A channel on CHAN_ENGINE's runlist, its ring at CHAN_RING_VA + ring. */
uint32_t chan_new(struct mini *d, uint32_t handle, uint32_t chid, uint64_t ring);
bool chan_schedule(struct mini *d, uint32_t handle); /* bound to CHAN_ENGINE and enabled */

/* A booted GPU's channel CHAN_CHID, ready to be kicked, with a copy object. */
bool chan_up(struct mini *d);
/* Words into the next part of the pushbuffer, an entry into CHAN_CHID's ring, the doorbell, 200 us.
 */
void chan_kick(struct mini *d, const uint32_t *words, uint32_t count);
/* The same without letting time pass. */
void chan_kick_only(struct mini *d, const uint32_t *words, uint32_t count);
