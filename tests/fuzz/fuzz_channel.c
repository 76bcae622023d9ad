/* SPDX-License-Identifier: MIT */
/*
 * A guest with a channel: the input is a list of steps of 8 bytes, from a booted GPU with one copy
 * engine's channel that works. Pushbuffers of any words or of well-formed launches and semaphores,
 * page-table entries, invalidates, further channels, resets. The model must stand it: no crash, no
 * endless work, no more memory than its limit.
 *
 * A step: operation, two small numbers, a flag byte, a 32-bit value.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/base.h"
#include "gsp/hw/regs/regs.h"
#include "tests/model/gpu.h"
#include "tests/model/host/channel.h"
#include "tests/model/memory/vram.h"
#include "tests/model/model.h"
#include "tests/unit/mini_channel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEP_BYTES = 8, STEPS_MAX = 64, WORDS_MAX = 48, TURNS_MAX = 4, VRAM_LIMIT = 32 << 20 };
enum { OBJECT = 0x20018000, CLASS = 0xc7b5 }; /* SET_OBJECT of the copy engine */

static uint32_t words[WORDS_MAX], word_count;
static bool kicked; /* from now on the engine may have written anywhere, the queues too */

static void word(uint32_t w)
{
    if (word_count < WORDS_MAX) {
        words[word_count++] = w;
    }
}

/* An address that is mapped, mostly: one of 256 pages, or anything. */
static uint32_t address(uint32_t v) { return (v & 0xf) != 0 ? v & 0xfffff : v; }

static void launch(uint8_t a, uint8_t b, uint8_t flags, uint32_t v)
{
    static const uint32_t lengths[] = {0, 1, 4, 64, 4096, 0x10001, 0x7fffffff, UINT32_MAX};
    static const uint32_t lines[] = {0, 1, 2, 7, 1000, 0x10000, 0x7fffffff, UINT32_MAX};
    word(OBJECT);
    word(CLASS);
    word(0x200381c0); /* constants, SET_REMAP_COMPONENTS */
    word(v);
    word(~v);
    word(v);
    word(0x20048100); /* OFFSET_IN, OFFSET_OUT */
    word(flags >> 6);
    word(address(v * 2654435761u));
    word(flags >> 7);
    word(address(v));
    word(0x20048104); /* PITCH_IN, PITCH_OUT, LINE_LENGTH, LINE_COUNT */
    word(a & 0x80 ? v : 4096);
    word(b & 0x80 ? ~v : 4096);
    word(lengths[a & 7]);
    word(lines[b & 7]);
    word(0x20038090); /* SET_SEMAPHORE */
    word(0);
    word(CHAN_SEM_VA);
    word(b);
    word(0x200180c0); /* LAUNCH_DMA: pitch both, the rest as it comes */
    word(0x182 | (uint32_t)(flags & 0x3f) << 9 | (uint32_t)(a >> 3 & 0xf) << 3);
}

static void semaphore(uint8_t a, uint8_t b, uint32_t v)
{
    word(0x20050017);
    word(CHAN_SEM_VA + (uint32_t)(a & 0x3f) * 4);
    word(a >> 7);
    word(b);
    word(0);
    word((v & 0xff000000) | (b & 7) | (v & 1 ? 0x1000 : 0));
}

static void pass(struct mini *d, uint8_t turns)
{
    for (unsigned i = 0; i < turns % (TURNS_MAX + 1u); i++) {
        const uint64_t next = model_next_ns(d->m), copied = d->m->host->bytes_copied;
        if (next != UINT64_MAX) {
            d->now_ns = next > d->now_ns ? next : d->now_ns;
        }
        model_run(d->m);
        if (d->m->stats.vram_held > VRAM_LIMIT ||
            d->m->host->bytes_copied - copied > (uint64_t)HOST_TURN / HOST_COPY * FL_PAGE_SIZE) {
            abort();
        }
    }
}

static void step(struct mini *d, const uint8_t *s)
{
    const uint8_t a = s[1], b = s[2], flags = s[3];
    const uint32_t v = get_le32(s + 4);
    uint8_t raw[8];
    switch (s[0] % 16) {
    case 0:
        word(v);
        break;
    case 1: /* a header of any kind for a method of the host or the engine */
        word((uint32_t)(a & 7) << 29 | (uint32_t)(b & 0x1f) << 16 | (uint32_t)(flags & 0xc0) << 7 |
             (v & 0x3ff));
        break;
    case 2:
    case 3:
    case 4:
        launch(a, b, flags, v);
        break;
    case 5:
        semaphore(a, b, v);
        break;
    case 6: /* MEM_OP: invalidate */
        word(0x2001000d);
        word((uint32_t)(9 + (a & 1)) << 27);
        break;
    case 7:
    case 8:
        chan_kick_only(d, words, word_count);
        word_count = 0;
        kicked = true;
        pass(d, a);
        break;
    case 9: /* a page-table entry, or one above */
        put_le64(raw, (uint64_t)flags << 56 | (uint64_t)v << 4 | (b & 0xf));
        model_vram_write(d->m, (a & 0x80 ? CHAN_PD2 : CHAN_PT) + (uint64_t)(a & 0x7f) * 8, raw, 8);
        break;
    case 10: /* USERD and ring */
        put_le64(raw, (uint64_t)v << 32 | a);
        model_vram_write(d->m,
                         flags & 1 ? CHAN_USERD + 0x88u : CHAN_PAGES + CHAN_RING_VA + (b & 3) * 8u,
                         raw, 8);
        break;
    case 11:
        mini_wr(d, 0xbb0090, flags & 1 ? v : CHAN_RUNLIST << 16 | (CHAN_CHID + (a & 3)));
        break;
    case 12:
        pass(d, a);
        break;
    case 13: /* BAR1, and the registers that invalidate */
        model_bar_write(d->m, 1, v & 0xffffff8, 4, a);
        (void)model_bar_read(d->m, 1, v & 0xffffff8, 8);
        mini_wr(d, NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE__OFFSET, v);
        break;
    case 14:
        if (!kicked && chan_new(d, 32 + (a & 3), CHAN_CHID + 1 + (a & 3), 0) == 0) {
            (void)chan_schedule(d, 32 + (a & 3));
        }
        break;
    default:
        if ((flags & 7) == 0) {
            kicked = true;
            model_reset(d->m, (enum model_reset)(a % 4));
        }
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mini d;
    const struct model_config cfg = {.vram_limit = VRAM_LIMIT};
    mini_open(&d, &cfg, false);
    if (!chan_up(&d)) {
        abort();
    }
    word_count = 0;
    kicked = false;
    for (size_t i = 0; i < STEPS_MAX && (i + 1) * STEP_BYTES <= size; i++) {
        step(&d, data + i * STEP_BYTES);
    }
    chan_kick_only(&d, words, word_count);
    pass(&d, TURNS_MAX);
    mini_close(&d);
    return 0;
}
