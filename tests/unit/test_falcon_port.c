/* SPDX-License-Identifier: MIT */
/*
 * Loading by port (Turing, GA100), against a falcon that a test plays: which byte arrives where,
 * with which tag and which protection; and the descriptor of the generic bootloader, byte by byte
 * at the offsets of the specification (boot.md 3.6, 9.2).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/fiber.h"
#include "arch/host/host.h"
#include "gsp/boot/booter.h"
#include "gsp/boot/gen_bootloader.h"
#include "gsp/gpu.h"

enum { BASE = 0x110000, IMEMC = 0x180, IMEMD = 0x184, IMEMT = 0x188, DMEMC = 0x1c0, DMEMD = 0x1c4 };
enum { BOOTVEC = 0x104, DMACTL = 0x10c, TRANSCFG0 = 0x600, TRANSCFG4 = 0x610, FBIF_CTL = 0x624 };
#define AINCW  0x01000000u
#define SECURE 0x10000000u

static struct {
    uint8_t imem[0x10000], dmem[0x10000];
    uint16_t tag[256];
    bool secure[256], loaded[256];
    uint32_t imemc, imemt, dmemc, bootvec, transcfg[8], fbif_ctl;
    unsigned reads;
} dev;

static struct gsp_gpu *g;
static struct fl_fail fail;

static uint64_t dev_read(void *ctx, uint64_t off, unsigned size)
{
    (void)ctx;
    (void)size;
    dev.reads++;
    return off == BASE + FBIF_CTL ? dev.fbif_ctl : 0;
}

static void dev_write(void *ctx, uint64_t off, unsigned size, uint64_t value)
{
    const uint32_t v = (uint32_t)value, at = dev.imemc & 0xfffc;
    (void)ctx;
    (void)size;
    switch (off - BASE) {
    case IMEMC:
        dev.imemc = v;
        break;
    case IMEMT:
        dev.imemt = v;
        break;
    case IMEMD:
        assert_true((dev.imemc & AINCW) != 0);
        put_le32(dev.imem + at, v);
        if (at % 256 == 0) {
            dev.tag[at / 256] = (uint16_t)dev.imemt;
            dev.secure[at / 256] = (dev.imemc & SECURE) != 0;
            dev.loaded[at / 256] = true;
        }
        dev.imemc += 4;
        break;
    case DMEMC:
        dev.dmemc = v;
        break;
    case DMEMD:
        assert_true((dev.dmemc & AINCW) != 0);
        put_le32(dev.dmem + (dev.dmemc & 0xfffc), v);
        dev.dmemc += 4;
        break;
    case BOOTVEC:
        dev.bootvec = v;
        break;
    case FBIF_CTL:
        dev.fbif_ctl = v;
        break;
    case DMACTL:
        assert_int_equal(v, 0);
        break;
    default:
        assert_true(off >= BASE + TRANSCFG0 && off < BASE + TRANSCFG0 + 32);
        dev.transcfg[(off - BASE - TRANSCFG0) / 4] = v;
        break;
    }
}
static const struct mmio_ops ops = {dev_read, dev_write};

static uint8_t *payload; /* exact sizes: ASan sees a byte too many */
static uint8_t *code;

static int setup(void **state)
{
    (void)state;
    host_reset();
    memset(&dev, 0, sizeof(dev));
    g = calloc(1, sizeof(*g));
    g->hw.label = "test";
    assert_true(gsp_recorder_init(&g->hw.rec));
    g->hw.rec.family = F_TU;
    g->hw.io =
        (struct gsp_io){.bar0 = {.ops = &ops, .size = MIB(16)}, .rec = &g->hw.rec, .size = MIB(16)};
    fail = (struct fl_fail){0};
    gsp_io_begin(&g->hw.io, &fail);
    payload = malloc(0x900);
    for (unsigned i = 0; i < 0x900; i++) {
        payload[i] = (uint8_t)(i * 7 + i / 256);
    }
    code = malloc(0x180);
    memset(code, 0xc0, 0x180);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    dma_free(&g->mem.fwsec_sb);
    gsp_recorder_free(&g->hw.rec);
    free(g);
    free(payload);
    free(code);
    return 0;
}

static const struct gsp_falcon_program *job;
static enum fl_err result;
static bool done;
static void body(void *arg)
{
    (void)arg;
    result = gsp_falcon_load_port(&g->hw, &gsp_falcon_gsp, job, &fail);
    done = true;
}
static bool is_done(void *arg)
{
    (void)arg;
    return done;
}
static enum fl_err load(const struct gsp_falcon_program *p)
{
    job = p;
    done = false;
    fail = (struct fl_fail){0};
    assert_non_null(fiber_spawn("test", body, NULL, FIBER_STACK_DEFAULT));
    fiber_run(is_done, NULL);
    return result;
}

static const struct fw_booter booter_file = {
    .ns_offset = 0,
    .ns_size = 0x100,
    .app_offset = 0x100,
    .app_size = 0x500,
    .data_offset = 0x600,
    .data_size = 0x300,
};

static struct gsp_falcon_program booter(void)
{
    struct gsp_falcon_program p = {
        .name = "booter", .image = {0x1000}, .cpu = payload, .image_bytes = 0x900};
    gsp_booter_program_port(&booter_file, &p);
    return p;
}

static void loads_a_booter(void **state)
{
    const struct gsp_falcon_program p = booter();
    (void)state;
    assert_int_equal(load(&p), FL_OK);
    assert_int_equal(memcmp(dev.imem, payload, 0x600), 0);
    assert_int_equal(memcmp(dev.dmem, payload + 0x600, 0x300), 0);
    for (unsigned i = 0; i < 6; i++) {
        assert_true(dev.loaded[i]);
        assert_int_equal(dev.tag[i], i);
        assert_int_equal(dev.secure[i], i >= 1);
    }
    assert_false(dev.loaded[6]);
    assert_int_equal(dev.bootvec, 0);
    assert_int_equal(dev.fbif_ctl & 0x80, 0x80);
    assert_int_equal(dev.transcfg[4], 0); /* it fetches nothing itself */
    assert_true(dev.reads <= 1);
}

static void refuses_what_does_not_fit(void **state)
{
    (void)state;
#define BAD(change)                                                                                \
    do {                                                                                           \
        struct gsp_falcon_program p = booter();                                                    \
        change;                                                                                    \
        assert_int_equal(load(&p), FL_EBADDATA);                                                   \
        assert_int_equal(g->hw.io.writes, 0);                                                      \
    } while (0)
    BAD(p.plain.bytes = 0);
    BAD(p.plain.bytes = 0x80);
    BAD(p.plain.target = 0x10000);
    BAD(p.plain.source = 0x900);
    BAD(p.imem.bytes = 0x10000);
    BAD(p.imem.target = 0xff00);
    BAD(p.imem.tag = 0x20);
    BAD(p.dmem.bytes = 0x302);
    BAD(p.dmem.source = 0x604);
    BAD(p.dmem.target = 0xfffffffc);
    BAD(p.image_bytes = 0x8ff);
}

/* FWSEC of a real TU117 in miniature: its data are no multiple of 256 (measured.md 11). */
static void generic_bootloader(void **state)
{
    const uint64_t loader = 0x200 + 0x100;
    struct gsp_falcon_program p = {.name = "FWSEC-SB"};
    (void)state;
    g->fwsec = (struct vbios_fwsec){.desc_version = 2,
                                    .imem_bytes = 0x1000,
                                    .dmem_bytes = 0x420,
                                    .ns_bytes = 0x400,
                                    .sec_offset = 0x400,
                                    .sec_bytes = 0xc00};
    g->fw.loader = (struct fw_loader){.code = code, .code_size = 0x180, .start_tag = 0xfd};
    assert_int_equal(gsp_gen_bootloader_bytes(&g->fw.loader), loader);
    assert_int_equal(dma_alloc(&g->mem.fwsec_sb, 0x1500 + loader, FL_PAGE_SIZE, 47, "test"), FL_OK);
    const struct dma_buf *buf = &g->mem.fwsec_sb;
    memset(buf->cpu, 0xee, (size_t)buf->size);
    p.image = buf->bus;
    p.cpu = buf->cpu;
    p.image_bytes = buf->size;
    assert_int_equal(gsp_gen_bootloader_program(g, buf, &p, &fail), FL_OK);
    assert_int_equal(load(&p), FL_OK);

    assert_int_equal(memcmp(dev.imem + 0xfe00, code, 0x180), 0); /* up to the end of 64 KiB */
    assert_true(dev.imem[0xff80] == 0 && dev.imem[0xffff] == 0);
    assert_true(dev.loaded[0xfe] && dev.loaded[0xff] && !dev.loaded[0xfd]);
    assert_true(!dev.secure[0xfe] && !dev.secure[0xff]);
    assert_int_equal(dev.tag[0xfe], 0xfd);
    assert_int_equal(dev.tag[0xff], 0xfe);
    assert_int_equal(dev.bootvec, 0xfd00);
    assert_int_equal(dev.transcfg[4], 5);

    const uint8_t *d = dev.dmem;
    for (unsigned i = 0; i < 0x20; i++) {
        assert_int_equal(d[i], 0);
    }
    assert_int_equal(get_le32(d + 0x20), 4);
    assert_int_equal(get_le64(d + 0x24), buf->bus.raw);
    assert_int_equal(get_le32(d + 0x2c), 0);
    assert_int_equal(get_le32(d + 0x30), 0x400);
    assert_int_equal(get_le32(d + 0x34), 0x400);
    assert_int_equal(get_le32(d + 0x38), 0xc00);
    assert_int_equal(get_le32(d + 0x3c), 0);
    assert_int_equal(get_le64(d + 0x40), buf->bus.raw + 0x1000);
    assert_int_equal(get_le32(d + 0x48), 0x420);
    assert_int_equal(get_le64(d + 0x4c), 0);
    assert_int_equal(dev.dmemc & 0xffff, 84);
    /* FWSEC itself is not touched. */
    assert_int_equal(((const uint8_t *)buf->cpu)[0x14ff], 0xee);

    /* Sizes that are not even words: data lie on the next block, the size is told as it is. */
    g->fwsec.imem_bytes = 0xff3;
    g->fwsec.dmem_bytes = 0x421;
    assert_int_equal(gsp_gen_bootloader_program(g, buf, &p, &fail), FL_OK);
    d = (const uint8_t *)buf->cpu + p.dmem.source;
    assert_int_equal(get_le64(d + 0x40), buf->bus.raw + 0x1000);
    assert_int_equal(get_le32(d + 0x48), 0x421);

    g->fw.loader.code_size = (uint32_t)buf->size;
    assert_int_equal(gsp_gen_bootloader_program(g, buf, &p, &fail), FL_EBADDATA);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(loads_a_booter),
        T(refuses_what_does_not_fit),
        T(generic_bootloader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
