/* SPDX-License-Identifier: MIT */
/*
 * What the GSP finds in memory, byte by byte, at the offsets of the specification (boot.md 6 to 8,
 * rpc.md C1, C2) and not of the generated layouts; and the order of the writes that matter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gsp/boot/wpr.h"
#include "gsp/gpu.h"
#include "tests/unit/rig_assert.h"

static struct gsp_gpu *g;

static int setup(void **state)
{
    (void)state;
    open_strict(NULL);
    boots();
    g = rig.gpu;
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    return rig_close(&rig) ? 0 : -1;
}

static void libos_names(void **state)
{
    (void)state;
    assert_true(gsp_libos_id8("LOGINIT") == 0x4c4f47494e4954);
    assert_true(gsp_libos_id8("LOGINTR") == 0x4c4f47494e5452);
    assert_true(gsp_libos_id8("LOGRM") == 0x4c4f47524d);
    assert_true(gsp_libos_id8("RMARGS") == 0x524d41524753);
}

static void wpr_metadata(void **state)
{
    const uint8_t *m = g->mem.wpr_meta.cpu;
    const struct gsp_fb_layout *fb = &g->fb;
    (void)state;
    assert_true(get_le64(m) == 0xdc3aae21371a60b3);
    assert_int_equal(get_le64(m + 0x08), 1);
    assert_int_equal(get_le64(m + 0x10), g->mem.radix3.bus.raw);
    assert_int_equal(get_le64(m + 0x18), g->fw.gsp.image_bytes);
    assert_int_equal(get_le64(m + 0x20), g->mem.bootloader.bus.raw);
    assert_int_equal(get_le64(m + 0x28), g->fw.bootloader.payload_size);
    assert_int_equal(get_le64(m + 0x30), 0x1800); /* monitor code, the ga102 bootloader's */
    assert_int_equal(get_le64(m + 0x38), 0x800);  /* monitor data */
    assert_int_equal(get_le64(m + 0x40), 0);      /* manifest */
    assert_int_equal(get_le64(m + 0x48), g->mem.signature.bus.raw);
    assert_int_equal(get_le64(m + 0x50), 0x1000);
    assert_int_equal(get_le64(m + 0x58), fb->non_wpr_start);
    assert_int_equal(get_le64(m + 0x60), fb->non_wpr_start);
    assert_int_equal(get_le64(m + 0x68), 0x100000);
    assert_int_equal(get_le64(m + 0x70), fb->wpr_start);
    assert_int_equal(get_le64(m + 0x78), fb->heap_start);
    assert_int_equal(get_le64(m + 0x80), fb->heap_bytes);
    assert_int_equal(get_le64(m + 0x88), fb->image_start);
    assert_int_equal(get_le64(m + 0x90), fb->bootloader_start);
    assert_int_equal(get_le64(m + 0x98), fb->frts_start);
    assert_int_equal(get_le64(m + 0xa0), 0x100000);
    assert_int_equal(get_le64(m + 0xa8), fb->wpr_end);
    assert_int_equal(get_le64(m + 0xa8), get_le64(m + 0x98) + 0x100000); /* the nominal end */
    assert_int_equal(get_le64(m + 0xb0), g->vram_bytes);
    assert_int_equal(get_le64(m + 0xb8) + get_le64(m + 0xc0), g->vram_bytes);
    for (unsigned i = 0xc8; i < 0xf8; i++) {
        assert_int_equal(m[i], 0);
    }
}

static void libos_arguments(void **state)
{
    static const char *const names[] = {"LOGINIT", "LOGINTR", "LOGRM", "RMARGS"};
    const uint8_t *a = g->mem.libos_args.cpu;
    (void)state;
    for (unsigned i = 0; i < 4; i++, a += 32) {
        const struct dma_buf *buf = i < 3 ? &g->log[i] : &g->mem.rm_args;
        assert_true(get_le64(a) == gsp_libos_id8(names[i]));
        assert_int_equal(get_le64(a + 8), buf->bus.raw);
        assert_int_equal(get_le64(a + 16), i < 3 ? 0x10000 : 0x1000);
        assert_int_equal(a[24], 1); /* contiguous */
        assert_int_equal(a[25], 1); /* system memory */
    }
    assert_int_equal(get_le64(a), 0); /* the list ends */

    const uint8_t *r = g->mem.rm_args.cpu;
    assert_int_equal(get_le64(r), g->mem.queues.bus.raw);
    assert_int_equal(get_le32(r + 8), 129);
    assert_int_equal(get_le64(r + 0x10), 0x1000);
    assert_int_equal(get_le64(r + 0x18), 0x41000);
    assert_int_equal(get_le32(r + 0x20), 0); /* no resume */
    assert_int_equal(r[0x30], 1);            /* bDmemStack */
}

static void first_messages(void **state)
{
    const uint8_t *slot = (const uint8_t *)g->mem.queues.cpu + 0x2000;
    const uint8_t *p = slot + 80;
    (void)state;
    assert_int_equal(get_le32(slot + 0x3c), 72);
    assert_int_equal(get_le32(slot + 0x38), 32 + 928);
    assert_int_equal(get_le64(p), rig.dev->bar[0].address);
    assert_int_equal(get_le64(p + 8), rig.dev->bar[1].address);
    assert_int_equal(get_le64(p + 16), rig.dev->bar[3].address);
    assert_int_equal(get_le64(p + 32), (uint64_t)rig.dev->bus << 8 | rig.dev->devfn);
    assert_true(get_le64(p + 72) == 0x7ffffffff000);
    assert_int_equal(get_le32(p + 80), 0x88000);
    assert_int_equal(get_le32(p + 84), 0x1000);
    assert_int_equal(get_le32(p + 88), (uint32_t)rig.dev->device << 16 | 0x10de);
    assert_int_equal(get_le32(p + 92), (uint32_t)rig.dev->subdevice << 16 | rig.dev->subvendor);
    assert_int_equal(get_le32(p + 96), rig.dev->revision);

    slot += 4096; /* worked example 2 of rpc.md A4, bit for bit */
    assert_int_equal(get_le32(slot + 0x3c), 73);
    assert_int_equal(get_le32(slot + 0x38), 0x95);
    assert_int_equal(get_le32(slot + 0x24), 1);
    assert_int_equal(get_le32(slot + 0x20), 0x72384998);
}

static void log_pages(void **state)
{
    (void)state;
    for (unsigned i = 0; i < GSP_LOG_COUNT; i++) {
        const uint8_t *log = g->log[i].cpu;
        const uint64_t put = get_le64(log);
        /* What the firmware has not overwritten yet still lists the buffer's pages. */
        for (uint64_t page = put < 16 ? put : 16; page < 16; page++) {
            assert_int_equal(get_le64(log + 8 * (1 + page)), g->log[i].bus.raw + 4096 * page);
        }
    }
}

/* The writes that hardware insists on, in their order. */
static void order_of_writes(void **state)
{
    static char text[1 << 20];
    static const char *const wanted[] = {
        "stage flush-page",
        "W 100c40",
        "W 100c10", /* high word first */
        "stage frts",
        "W 1103c0",
        "W 1103c0",
        "W 111668",
        "W 110084 NV_PFALCON_FALCON_RM@gsp 0xb72000a1",
        "W 110624",
        "W 11010c",
        "W 110600 NV_PFALCON_FBIF_TRANSCFG(0)@gsp 0x00000005",
        "0x00000614",
        "0x00000600",
        "W 111210",
        "W 11119c",
        "W 111198",
        "W 111180",
        "W 110104",
        "W 110040",
        "W 110100",
        "R 001438",
        "R 1fa828",
        "R 1fa824",
        "stage gsp-reset",
        "W 1103c0",
        "W 111668 NV_PRISCV_RISCV_BCR_CTRL@gsp 0x00000111",
        "W 110040",
        "W 110044",
        "stage msi",
        "W b81610",
        "W b81210",
        "W b81608",
        "W 088704",
        "stage rpc-queued",
        "send  GSP_SET_SYSTEM_INFO",
        "send  SET_REGISTRY",
        "stage booter",
        "W 8403c0",
        "W 841668",
        "W 840084",
        "W 840600",
        "0x00000614",
        "0x00000600",
        "W 841210",
        "W 84119c",
        "W 841198",
        "W 841180",
        "W 840040",
        "W 840044",
        "W 840100",
        "stage riscv",
        "W 110080",
        "R 111388",
        "recv  GSP_RUN_CPU_SEQUENCER",
        "recv  GSP_INIT_DONE",
        "send  GET_GSP_STATIC_INFO",
        "recv  GET_GSP_STATIC_INFO",
        "stage ready",
    };
    uint64_t cursor = 0;
    size_t at = 0, n;
    (void)state;
    while ((n = gsp_flight_read(g, &cursor, text + at, sizeof(text) - at - 1)) > 0) {
        at += n;
    }
    text[at] = '\0';
    const char *from = text;
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        const char *hit = strstr(from, wanted[i]);
        if (hit == NULL) {
            fail_msg("\"%s\" does not follow \"%s\"", wanted[i],
                     i > 0 ? wanted[i - 1] : "the start");
        }
        from = hit + strlen(wanted[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libos_names),     cmocka_unit_test(wpr_metadata),
        cmocka_unit_test(libos_arguments), cmocka_unit_test(first_messages),
        cmocka_unit_test(log_pages),       cmocka_unit_test(order_of_writes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
