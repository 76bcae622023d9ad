/* SPDX-License-Identifier: MIT */
/*
 * The layout at the top of VRAM against worked examples (spec boot.md 5.3) and three real boards
 * (measured.md 5), every line; heap sizes; the WPR2 rule against readings of real chips.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gsp/hw/fb_layout.h"
#include "gsp/rpc/version.h"

struct example {
    const char *name, *version;
    enum gsp_libos libos;
    uint64_t fb, vga, frts, bootloader_bytes, image_bytes; /* vga: start; frts: bytes */
    struct gsp_fb_layout want;
};

static const struct gsp_heap_rule *heap_of(const char *version, enum gsp_libos libos)
{
    return gsp_version_heap(gsp_version_find(version), libos);
}

static const struct example examples[] = {
    {"TU102 8 GiB r570",
     "570.144",
     GSP_LIBOS2,
     0x200000000,
     0x1fff00000,
     MIB(1),
     0x1000,
     0x1b34ea0,
     {.wpr_end = 0x1fff00000,
      .frts_start = 0x1ffe00000,
      .bootloader_start = 0x1ffdff000,
      .image_start = 0x1fe2c0000,
      .heap_start = 0x1f7900000,
      .heap_bytes = 0x6900000,
      .wpr_start = 0x1f7800000,
      .non_wpr_start = 0x1f7700000}},
    {"AD102 24 GiB r570",
     "570.144",
     GSP_LIBOS3,
     0x600000000,
     0x5fff00000,
     MIB(1),
     0x9000,
     0x3c99000,
     {.wpr_end = 0x5fff00000,
      .frts_start = 0x5ffe00000,
      .bootloader_start = 0x5ffdf7000,
      .image_start = 0x5fc150000,
      .heap_start = 0x5f4000000,
      .heap_bytes = 0x8100000,
      .wpr_start = 0x5f3f00000,
      .non_wpr_start = 0x5f3e00000}},
    {"GA102 10 GiB r570",
     "570.144",
     GSP_LIBOS3,
     0x280000000,
     0x27ff00000,
     MIB(1),
     0x6000,
     0x3c99000,
     {.wpr_end = 0x27ff00000,
      .frts_start = 0x27fe00000,
      .bootloader_start = 0x27fdfa000,
      .image_start = 0x27c160000,
      .heap_start = 0x274200000,
      .heap_bytes = 0x7f00000,
      .wpr_start = 0x274100000,
      .non_wpr_start = 0x274000000}},
    {"GA100 40 GiB r570",
     "570.144",
     GSP_LIBOS2,
     0xa00000000,
     0x9fff00000,
     0,
     0x1000,
     0x1b34ea0,
     {.wpr_end = 0x9fff00000,
      .frts_start = 0x9fff00000,
      .bootloader_start = 0x9ffeff000,
      .image_start = 0x9fe3c0000,
      .heap_start = 0x9f7700000,
      .heap_bytes = 0x6c00000,
      .wpr_start = 0x9f7600000,
      .non_wpr_start = 0x9f7500000}},
    {"TU102 8 GiB r535",
     "535.113.01",
     GSP_LIBOS2,
     0x200000000,
     0x1fff00000,
     MIB(1),
     0x1000,
     0x16a3350,
     {.wpr_end = 0x1fff00000,
      .frts_start = 0x1ffe00000,
      .bootloader_start = 0x1ffdff000,
      .image_start = 0x1fe750000,
      .heap_start = 0x1f7e00000,
      .heap_bytes = 0x6900000,
      .wpr_start = 0x1f7d00000,
      .non_wpr_start = 0x1f7c00000}},
    {"AD102 24 GiB r535",
     "535.113.01",
     GSP_LIBOS3,
     0x600000000,
     0x5fff00000,
     MIB(1),
     0x8000,
     0x2448000,
     {.wpr_end = 0x5fff00000,
      .frts_start = 0x5ffe00000,
      .bootloader_start = 0x5ffdf8000,
      .image_start = 0x5fd9b0000,
      .heap_start = 0x5f5a00000,
      .heap_bytes = 0x7f00000,
      .wpr_start = 0x5f5900000,
      .non_wpr_start = 0x5f5800000}},
    {"TU102 8 GiB r570, small VGA workspace",
     "570.144",
     GSP_LIBOS2,
     0x200000000,
     0x1fffe0000,
     MIB(1),
     0x1000,
     0x1b34ea0,
     {.wpr_end = 0x1fffe0000,
      .frts_start = 0x1ffee0000,
      .bootloader_start = 0x1ffedf000,
      .image_start = 0x1fe3a0000,
      .heap_start = 0x1f7a00000,
      .heap_bytes = 0x6900000,
      .wpr_start = 0x1f7900000,
      .non_wpr_start = 0x1f7800000}},
    /* real boards */
    {"RTX A4000 GA104 r570",
     "570.144",
     GSP_LIBOS3,
     0x3ff800000,
     0x3ff700000,
     MIB(1),
     0x6000,
     0x3c99000,
     {.wpr_end = 0x3ff700000,
      .frts_start = 0x3ff600000,
      .bootloader_start = 0x3ff5fa000,
      .image_start = 0x3fb960000,
      .heap_start = 0x3f3900000,
      .heap_bytes = 0x8000000,
      .wpr_start = 0x3f3800000,
      .non_wpr_start = 0x3f3700000}},
    {"GTX 1650 TU117 r570",
     "570.144",
     GSP_LIBOS2,
     0x100000000,
     0xfff00000,
     MIB(1),
     0x1000,
     0x1b34ea0,
     {.wpr_end = 0xfff00000,
      .frts_start = 0xffe00000,
      .bootloader_start = 0xffdff000,
      .image_start = 0xfe2c0000,
      .heap_start = 0xf7900000,
      .heap_bytes = 0x6900000,
      .wpr_start = 0xf7800000,
      .non_wpr_start = 0xf7700000}},
    {"RTX 4070 SUPER AD104 r535",
     "535.113.01",
     GSP_LIBOS3,
     0x2ffa00000,
     0x2ff900000,
     MIB(1),
     0x8000,
     0x2448000,
     {.wpr_end = 0x2ff900000,
      .frts_start = 0x2ff800000,
      .bootloader_start = 0x2ff7f8000,
      .image_start = 0x2fd3b0000,
      .heap_start = 0x2f5500000,
      .heap_bytes = MIB(126),
      .wpr_start = 0x2f5400000,
      .non_wpr_start = 0x2f5300000}},
};

static struct gsp_fb_request request_of(const struct example *e)
{
    return (struct gsp_fb_request){
        .fb_bytes = e->fb,
        .vga_start = e->vga,
        .frts_bytes = e->frts,
        .bootloader_bytes = e->bootloader_bytes,
        .image_bytes = e->image_bytes,
        .non_wpr_heap_bytes = MIB(1),
        .heap_bytes = gsp_heap_bytes(heap_of(e->version, e->libos), e->fb),
    };
}

static void worked_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
        const struct example *e = &examples[i];
        const struct gsp_fb_request req = request_of(e);
        struct gsp_fb_layout l;
        struct fl_fail fail = {0};

        print_message("  %s\n", e->name);
        assert_int_equal(gsp_fb_layout_make(&req, &l, &fail), FL_OK);
        assert_int_equal(l.wpr_end, e->want.wpr_end);
        assert_int_equal(l.frts_start, e->want.frts_start);
        assert_int_equal(l.bootloader_start, e->want.bootloader_start);
        assert_int_equal(l.image_start, e->want.image_start);
        assert_int_equal(l.heap_start, e->want.heap_start);
        assert_int_equal(l.heap_bytes, e->want.heap_bytes);
        assert_int_equal(l.wpr_start, e->want.wpr_start);
        assert_int_equal(l.non_wpr_start, e->want.non_wpr_start);
        assert_int_equal(l.vga_bytes, e->fb - e->vga);
    }
}

static void heap_table(void **state)
{
    static const struct {
        uint64_t gib, tu, ga_570, fsp_570, ga_535; /* MiB; boot.md 5.1 */
    } rows[] = {
        {8, 105, 127, 133, 125},   {10, 105, 127, 133, 125},  {16, 106, 128, 134, 126},
        {24, 107, 129, 135, 127},  {32, 107, 129, 135, 127},  {40, 108, 130, 136, 128},
        {48, 109, 131, 137, 129},  {80, 112, 134, 140, 132},  {96, 113, 135, 141, 133},
        {141, 118, 140, 146, 138}, {192, 122, 144, 150, 142},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        assert_int_equal(gsp_heap_bytes(heap_of("570.144", GSP_LIBOS2), GIB(rows[i].gib)),
                         MIB(rows[i].tu));
        assert_int_equal(gsp_heap_bytes(heap_of("570.144", GSP_LIBOS3), GIB(rows[i].gib)),
                         MIB(rows[i].ga_570));
        assert_int_equal(gsp_heap_bytes(heap_of("570.144", GSP_LIBOS3_FSP), GIB(rows[i].gib)),
                         MIB(rows[i].fsp_570));
        assert_int_equal(gsp_heap_bytes(heap_of("535.113.01", GSP_LIBOS3), GIB(rows[i].gib)),
                         MIB(rows[i].ga_535));
    }
    assert_null(heap_of("535.113.01", GSP_LIBOS3_FSP));
    /* GB205 laptop: 12227 MiB, 134 MiB asked for and accepted by a real FSP. */
    assert_int_equal(gsp_heap_bytes(heap_of("570.144", GSP_LIBOS3_FSP), MIB(12227)), MIB(134));
    /* Clamped at both ends: a tiny and a huge GPU. */
    assert_int_equal(gsp_heap_bytes(heap_of("570.144", GSP_LIBOS3), GIB(4096)), MIB(280));
}

static void vga_workspace(void **state)
{
    const uint64_t fb = GIB(8);
    (void)state;
    assert_int_equal(gsp_vga_workspace_start(fb, false, true, fb - KIB(256)),
                     fb - MIB(1)); /* no display */
    assert_int_equal(gsp_vga_workspace_start(fb, true, false, fb - KIB(256)),
                     fb - MIB(1)); /* not valid */
    assert_int_equal(gsp_vga_workspace_start(fb, true, true, fb - KIB(256)), fb - KIB(256));
    assert_int_equal(gsp_vga_workspace_start(fb, true, true, fb - MIB(1)), fb - MIB(1));
    assert_int_equal(gsp_vga_workspace_start(fb, true, true, fb - MIB(1) - KIB(64)),
                     fb - KIB(128)); /* too low */
    assert_int_equal(gsp_vga_workspace_start(fb, true, true, fb + MIB(1)),
                     fb - KIB(128)); /* outside VRAM */
}

static void refused(void **state)
{
    struct gsp_fb_layout l;
    const struct gsp_fb_request good = request_of(&examples[2]);
    struct gsp_fb_request r;
    (void)state;
#define REFUSED(change)                                                                            \
    do {                                                                                           \
        struct fl_fail fail = {0};                                                                 \
        r = good;                                                                                  \
        change;                                                                                    \
        assert_int_equal(gsp_fb_layout_make(&r, &l, &fail), FL_EBADDATA);                          \
        assert_int_equal(fail.err, FL_EBADDATA);                                                   \
        assert_int_equal(l.fb_bytes, 0);                                                           \
    } while (0)
    REFUSED(r.fb_bytes = 0);
    REFUSED(r.fb_bytes = MIB(0xffffffff)); /* what a lost link reads as */
    REFUSED(r.fb_bytes = MIB(511));
    REFUSED(r.fb_bytes += 1);
    REFUSED(r.vga_start = r.fb_bytes);
    REFUSED(r.image_bytes = 0);
    REFUSED(r.image_bytes = GIB(16));
    REFUSED(r.image_bytes = UINT64_MAX);
    REFUSED(r.bootloader_bytes = UINT64_MAX);
    REFUSED(r.heap_bytes = UINT64_MAX);
    REFUSED(r.frts_bytes = UINT64_MAX);
    REFUSED(r.non_wpr_heap_bytes = UINT64_MAX);
    REFUSED((r.fb_bytes = MIB(512), r.vga_start = MIB(511), r.image_bytes = MIB(450)));
}

static void wpr2_registers(void **state)
{
    static const struct {
        uint32_t lo, hi;
        uint64_t start, end;
    } read_off_boards[] = {
        /* measured.md 4 */
        {0x01ffe000, 0x01ffee00, 0x1ffe00000,
         0x1fff00000}, /* GA106, TU106, GA104 of 8 GiB, after FRTS */
        {0x02ff8000, 0x02ff8e00, 0x2ff800000, 0x2ff900000}, /* AD104 12 GiB, after FRTS */
        {0x02f54000, 0x02ff8e00, 0x2f5400000, 0x2ff900000}, /* AD104 after the booter */
        {0x00ffe000, 0x00ffee00, 0x0ffe00000, 0x0fff00000}, /* TU117 4 GiB */
        {0x01f77000, 0x01ffee00, 0x1f7700000, 0x1fff00000}, /* GA100 */
        {0x07f68000, 0x07fefe00, 0x7f6800000, 0x7ff000000}, /* A100D */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(read_off_boards); i++) {
        const struct gsp_wpr2 w = gsp_wpr2_decode(read_off_boards[i].lo, read_off_boards[i].hi);
        assert_true(w.up);
        assert_int_equal(w.start, read_off_boards[i].start);
        assert_int_equal(w.end, read_off_boards[i].end);
    }
    assert_false(gsp_wpr2_decode(0x1ffffe00, 0).up);   /* cold */
    assert_false(gsp_wpr2_decode(0x01ffe000, 0xf).up); /* only reserved bits of HI */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worked_examples), cmocka_unit_test(heap_table),
        cmocka_unit_test(vga_workspace),   cmocka_unit_test(refused),
        cmocka_unit_test(wpr2_registers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
