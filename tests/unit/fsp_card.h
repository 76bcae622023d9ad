/* SPDX-License-Identifier: MIT */
/*
 * A GPU with an FSP, register by register: its queues, its answers, the lockdown of the GSP. One
 * per program.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/host/host.h"
#include "gsp/boot/fmc.h"
#include "gsp/gpu.h"
#include "gsp/hw/fsp.h"

/* Absolute offsets, written out: registers.md 7.2, 8. */
enum {
    FSP_EMEMC = 0x8f2ac0,
    FSP_EMEMD = 0x8f2ac4,
    FSP_QHEAD = 0x8f2c00,
    FSP_QTAIL = 0x8f2c04,
    FSP_MHEAD = 0x8f2c80,
    FSP_MTAIL = 0x8f2c84,
    GSP_MAILBOX0 = 0x110040,
    GSP_MAILBOX1 = 0x110044,
    GSP_HWCFG2 = 0x1100f4,
    GSP_RISCV_CPUCTL = 0x111388,
};
#define AINCW 0x01000000u
#define AINCR 0x02000000u

/* The FSP and the GSP behind it. */
static struct {
    uint8_t emem[1024];
    uint32_t ememc, qhead, qtail, mhead, mtail;
    uint8_t message[1024]; /* as it was when the FSP was told */
    uint32_t message_bytes, messages;
    uint32_t answer[8], answer_bytes, answer_at;
    bool mute, deaf; /* does not answer; does not even take the message */
    /* What HWCFG2, MAILBOX0, MAILBOX1 read, look by look; the last one stays. */
    struct look {
        uint32_t hwcfg2, mailbox0, mailbox1;
    } look[8];
    unsigned looks, at;
    uint32_t cpuctl[4];
    unsigned cpuctl_count, cpuctl_at;
    unsigned reads;
} dev;

static struct gsp_gpu *g;
static struct fl_fail fail;

static inline void answer(uint32_t type, uint32_t command, uint32_t error)
{
    dev.answer[0] = 0xc0000000;
    dev.answer[1] = type << 24 | 0x10de7e;
    dev.answer[2] = 0;
    dev.answer[3] = command;
    dev.answer[4] = error;
    dev.answer_bytes = 20;
    dev.answer_at = 0;
}

static inline void told(void)
{
    dev.messages++;
    if (dev.deaf) {
        return;
    }
    dev.message_bytes = dev.qtail - dev.qhead + 4;
    memcpy(dev.message, dev.emem, sizeof(dev.message));
    dev.qhead = dev.qtail;
    if (!dev.mute) {
        memcpy(dev.emem + dev.answer_at, dev.answer, sizeof(dev.answer));
        dev.mhead = dev.answer_at;
        dev.mtail = dev.answer_at + dev.answer_bytes - 4;
    }
}

static inline uint64_t dev_read(void *ctx, uint64_t off, unsigned size)
{
    uint32_t v;
    (void)ctx;
    assert_int_equal(size, 4);
    dev.reads++;
    switch (off) {
    case FSP_QHEAD:
        return dev.qhead;
    case FSP_QTAIL:
        return dev.qtail;
    case FSP_MHEAD:
        return dev.mhead;
    case FSP_MTAIL:
        return dev.mtail;
    case FSP_EMEMD:
        assert_true((dev.ememc & AINCR) != 0 && (dev.ememc & 0xffff) < sizeof(dev.emem));
        v = get_le32(dev.emem + (dev.ememc & 0xfffc));
        dev.ememc += 4;
        return v;
    case GSP_HWCFG2:
        if (dev.at + 1 < dev.looks) {
            dev.at++;
        }
        return dev.look[dev.at].hwcfg2;
    case GSP_MAILBOX0:
        return dev.look[dev.at].mailbox0;
    case GSP_MAILBOX1:
        return dev.look[dev.at].mailbox1;
    case GSP_RISCV_CPUCTL:
        v = dev.cpuctl[dev.cpuctl_at];
        dev.cpuctl_at += dev.cpuctl_at + 1 < dev.cpuctl_count;
        return v;
    default:
        return 0;
    }
}

static inline void dev_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
    const uint32_t v = (uint32_t)value;
    (void)ctx;
    assert_int_equal(size, 4);
    switch (off) {
    case FSP_EMEMC:
        dev.ememc = v;
        break;
    case FSP_EMEMD:
        assert_true((dev.ememc & AINCW) != 0 && (dev.ememc & 0xffff) < sizeof(dev.emem));
        put_le32(dev.emem + (dev.ememc & 0xfffc), v);
        dev.ememc += 4;
        break;
    case FSP_QTAIL:
        dev.qtail = v;
        break;
    case FSP_QHEAD:
        dev.qhead = v;
        told();
        break;
    case FSP_MTAIL:
        dev.mtail = v;
        break;
    case FSP_MHEAD:
        dev.mhead = v;
        break;
    default:
        fail_msg("a write to 0x%llx", (unsigned long long)off);
    }
}
static const struct mmio_ops ops = {dev_read, dev_write};

static uint8_t image[0x1234], hash[48], key[384], signature[384];

static inline void as_chip(enum chip_family family, uint32_t key_bytes, uint32_t signature_bytes)
{
    g->hw.family = gsp_family_find(family);
    g->fw.fmc = (struct fw_fmc){.image = image,
                                .image_bytes = sizeof(image),
                                .hash = hash,
                                .key = key,
                                .key_bytes = key_bytes,
                                .signature = signature,
                                .signature_bytes = signature_bytes};
}

static inline int setup(void **state)
{
    (void)state;
    host_reset();
    memset(&dev, 0, sizeof(dev));
    memset(image, 0x11, sizeof(image));
    memset(hash, 0x22, sizeof(hash));
    memset(key, 0x33, sizeof(key));
    memset(signature, 0x44, sizeof(signature));
    g = calloc(1, sizeof(*g));
    g->hw.label = "test";
    assert_true(gsp_recorder_init(&g->hw.rec));
    g->hw.rec.family = F_GH100;
    g->hw.io =
        (struct gsp_io){.bar0 = {.ops = &ops, .size = MIB(16)}, .rec = &g->hw.rec, .size = MIB(16)};
    fail = (struct fl_fail){0};
    gsp_io_begin(&g->hw.io, &fail);
    gsp_gpu_set_version(g, gsp_version_find("570.144"));
    as_chip(F_GH100, 384, 384);
    g->mem.wpr_meta.bus.raw = 0x123456000;
    g->mem.libos_args.bus.raw = 0x234567000;
    g->mem.fmc_params.bus.raw = 0x1555aa000;
    answer(0x15, 0x14, 0);
    dev.looks = 1;
    dev.cpuctl_count = 1;
    return 0;
}
static inline int teardown(void **state)
{
    (void)state;
    dma_free(&g->mem.fmc_image);
    if (g->mem.fmc_params.cpu != NULL) {
        dma_free(&g->mem.fmc_params);
    }
    gsp_recorder_free(&g->hw.rec);
    free(g);
    return 0;
}

/* ---- running in a fiber: waits need one ---- */

static enum fl_err (*job)(void);
static enum fl_err result;
static bool done;
static inline void body(void *arg)
{
    (void)arg;
    result = job();
    done = true;
}
static inline bool is_done(void *arg)
{
    (void)arg;
    return done;
}
static inline enum fl_err run(enum fl_err (*fn)(void))
{
    job = fn;
    done = false;
    fail = (struct fl_fail){0};
    assert_non_null(fiber_spawn("test", body, NULL, FIBER_STACK_DEFAULT));
    fiber_run(is_done, NULL);
    assert_int_equal(fail.err, result);
    return result;
}
static inline enum fl_err start(void) { return gsp_fmc_start(g, &fail); }
static inline enum fl_err release(void) { return gsp_fmc_wait_release(g, &fail); }
static inline enum fl_err take_down(void) { return gsp_fmc_take_down(g, true, &fail); }
static inline enum fl_err call8(void)
{
    static const uint8_t p[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    return gsp_fsp_call(&g->hw, 0x20, p, sizeof(p), &fail);
}
