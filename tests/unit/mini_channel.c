/* SPDX-License-Identifier: MIT */
/* A copy engine's channel (mini_channel.h). Sources: channels.md 5-8, mmu.md 2-3. */
#include "tests/unit/mini_channel.h"

#include <stdlib.h>
#include <string.h>

#include "arch/base.h"
#include "gsp_layout.h"
#include "tests/model/memory/vram.h"

enum {
    CLASS_CHANNEL_GA = 0xc56f,
    CLASS_COPY_GA = 0xc7b5,
    CTRL_SET_PAGE_DIRECTORY = 0x801813,
    FLAGS_FIXED_PRIVILEGED = 1 << 21 | 1 << 5,
    USERD_BYTES = 4096,
    GP_GET = 0x88,
    KICK_US = 200,
};
#define CTRL_BIND     0xa06f0104u
#define CTRL_SCHEDULE 0xa06f0103u

static uint32_t put_index;
static uint64_t push_used;

static void must(bool ok)
{
    if (!ok) {
        abort();
    }
}

void chan_put64(struct mini *d, uint64_t addr, uint64_t value)
{
    uint8_t b[8];
    put_le64(b, value);
    must(model_vram_write(d->m, addr, b, sizeof(b)));
}

uint32_t chan_get32(struct mini *d, uint64_t addr)
{
    uint8_t b[4];
    must(model_vram_read(d->m, addr, b, sizeof(b)));
    return get_le32(b);
}

void chan_put32(struct mini *d, uint64_t va, uint32_t word)
{
    uint8_t b[4];
    put_le32(b, word);
    must(model_vram_write(d->m, CHAN_PAGES + va, b, sizeof(b)));
}

uint64_t chan_tables(struct mini *d)
{
    chan_put64(d, CHAN_PD2, CHAN_PD1 >> 4 | 2);
    chan_put64(d, CHAN_PD1, CHAN_PD0 >> 4 | 2);
    chan_put64(d, CHAN_PD0, 0);
    chan_put64(d, CHAN_PD0 + 8, CHAN_PT >> 4 | 2);
    for (uint64_t i = 0; i < CHAN_PAGE_COUNT; i++) {
        chan_put64(d, CHAN_PT + 8 * i, (CHAN_PAGES + (i << 12)) >> 4 | 1);
    }
    return CHAN_PD2 >> 4 | 2;
}

uint32_t chan_alloc(struct mini *d, uint32_t parent, uint32_t handle, uint32_t cls,
                    const uint8_t *params, uint32_t size)
{
    return mini_alloc_with(d, MINI_CLIENT, parent, handle, cls, params, size);
}

uint32_t chan_new(struct mini *d, uint32_t handle, uint32_t chid, uint64_t ring)
{
    uint8_t p[512] = {0};
    const uint32_t size = d->l->NV_CHANNEL_ALLOC_PARAMS.total;
#define PUT(field, v) fw_put(p, size, d->l->NV_CHANNEL_ALLOC_PARAMS.field, v)
    PUT(gpFifoOffset, CHAN_RING_VA + ring);
    PUT(gpFifoEntries, CHAN_ENTRIES);
    PUT(flags, FLAGS_FIXED_PRIVILEGED | (chid & 7) << 8 | (chid >> 3) << 12);
    PUT(hVASpace, CHAN_SPACE);
    PUT(engineType, CHAN_ENGINE);
    PUT(userdMem_base, CHAN_USERD + (uint64_t)(chid - CHAN_CHID) * USERD_BYTES);
    PUT(userdMem_size, 0x200);
    PUT(userdMem_addressSpace, 2);
#undef PUT
    return chan_alloc(d, CHAN_DEVICE, handle, CLASS_CHANNEL_GA, p, size);
}

bool chan_schedule(struct mini *d, uint32_t handle)
{
    uint8_t p[4] = {CHAN_ENGINE};
    if (mini_control(d, MINI_CLIENT, handle, CTRL_BIND, p, 4) != 0) {
        return false;
    }
    p[0] = 1;
    return mini_control(d, MINI_CLIENT, handle, CTRL_SCHEDULE, p, 2) == 0;
}

bool chan_up(struct mini *d)
{
    uint8_t p[48] = {0};
    put_index = 0;
    push_used = 0;
    if (!mini_boot(d)) {
        return false;
    }
    chan_put64(d, CHAN_ROOT, chan_tables(d));
    if (mini_alloc_object(d, MINI_CLIENT, 0, MINI_CLIENT, 0, 120) != 0 ||
        mini_alloc_object(d, MINI_CLIENT, MINI_CLIENT, CHAN_DEVICE, 0x80, 56) != 0 ||
        mini_alloc_object(d, MINI_CLIENT, CHAN_DEVICE, CHAN_SUBDEVICE, 0x2080, 4) != 0) {
        return false;
    }
    put_le32(p + 4, 8);
    if (chan_alloc(d, CHAN_DEVICE, CHAN_SPACE, 0x90f1, p, 48) != 0) {
        return false;
    }
    memset(p, 0, sizeof(p));
    put_le64(p, CHAN_ROOT);
    put_le32(p + 8, 4);
    put_le32(p + 16, CHAN_SPACE);
    return mini_control(d, MINI_CLIENT, CHAN_DEVICE, CTRL_SET_PAGE_DIRECTORY, p, 32) == 0 &&
           chan_new(d, CHAN_CHANNEL, CHAN_CHID, 0) == 0 && chan_schedule(d, CHAN_CHANNEL) &&
           chan_alloc(d, CHAN_CHANNEL, CHAN_COPY, CLASS_COPY_GA, NULL, 0) == 0;
}

void chan_kick_only(struct mini *d, const uint32_t *words, uint32_t count)
{
    const uint64_t va = CHAN_PUSH_VA + push_used;
    for (uint32_t i = 0; i < count; i++) {
        chan_put32(d, va + 4 * i, words[i]);
    }
    push_used += 4 * (uint64_t)count;
    chan_put64(d, CHAN_PAGES + CHAN_RING_VA + 8 * (uint64_t)put_index, va | (uint64_t)count << 42);
    put_index = (put_index + 1) % CHAN_ENTRIES;
    chan_put64(d, CHAN_USERD + GP_GET,
               (uint64_t)put_index << 32 | chan_get32(d, CHAN_USERD + GP_GET));
    mini_wr(d, 0xbb0090, CHAN_RUNLIST << 16 | CHAN_CHID);
}

void chan_kick(struct mini *d, const uint32_t *words, uint32_t count)
{
    chan_kick_only(d, words, count);
    mini_pass(d, KICK_US);
}
