/* SPDX-License-Identifier: MIT */
/* The GSP's word about the GPU: kept when it makes sense, refused when it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gsp/gpu.h"
#include "gsp/rm/static_info.h"

/* Offsets in r570's structure: rpc.md C3. */
enum {
    GID_LENGTH = 32,
    GID_DATA = 36,
    REGIONS = 344,
    REGION = 352,
    STRIDE = 48,
    FB_LENGTH = 1224,
    BUS_WIDTH = 1240,
    RAM_TYPE = 1244,
    NAME = 1260,
    SHORT_NAME = 1324,
    HANDLES = 1600,
    WPR_HEAP = 1640,
    WPR_FRTS = 1648,
    TOTAL = 1656
};

static struct gsp_gpu *g;
static uint8_t *info; /* exact size: ASan sees a byte too many */

static void put_region(unsigned i, uint64_t base, uint64_t limit, uint64_t reserved)
{
    uint8_t *r = info + REGION + i * STRIDE;
    memset(r, 0, STRIDE);
    put_le64(r, base);
    put_le64(r + 8, limit);
    put_le64(r + 16, reserved);
}

static int setup(void **state)
{
    (void)state;
    g = calloc(1, sizeof(*g));
    g->hw.label = "test";
    info = calloc(1, TOTAL);
    gsp_gpu_set_version(g, gsp_version_find("570.144"));
    g->hw.family = gsp_family_find(F_AD10X);
    g->fb.fb_bytes = 0x2ffa00000;
    strcpy((char *)info + NAME, "NVIDIA Something");
    strcpy((char *)info + SHORT_NAME, "AD104-A");
    put_le32(info + GID_LENGTH, 16);
    for (unsigned i = 0; i < 16; i++) {
        info[GID_DATA + i] = (uint8_t)(0x10 + i);
    }
    /* The list of a real AD104 (measured.md 8.5). */
    put_le32(info + REGIONS, 5);
    put_region(0, 0, 0x30fffff, 0x3100000);
    put_region(1, 0x3100000, 0x2f034ffff, 0);
    put_region(2, 0x2f0350000, 0x2f528ffff, 0x4f40000);
    put_region(3, 0x2f5290000, 0x2f52fffff, 0x70000);
    put_region(4, 0x2f5300000, 0x2ff9fffff, 0xa700000);
    put_le64(info + FB_LENGTH, 0x2ffa00000);
    put_le32(info + BUS_WIDTH, 192);
    put_le32(info + RAM_TYPE, 0x12);
    put_le32(info + HANDLES, 0xc2000005);
    put_le32(info + HANDLES + 8, 0xabcd2080);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    free(g);
    free(info);
    return 0;
}

static enum fl_err take(void)
{
    struct fl_fail fail = {0};
    const enum fl_err err = gsp_static_info_take(g, info, TOTAL, &fail);
    assert_int_equal(fail.err, err);
    return err;
}

static void real_list(void **state)
{
    (void)state;
    assert_int_equal(take(), FL_OK);
    assert_string_equal(g->name, "NVIDIA Something");
    assert_string_equal(g->short_name, "AD104-A");
    assert_string_equal(g->uuid, "GPU-10111213-1415-1617-1819-1a1b1c1d1e1f");
    assert_int_equal(g->fb_region_count, 5);
    assert_int_equal(g->fb_region[4].limit, 0x2ff9fffff);
    assert_int_equal(g->fb_region[2].reserved, 0x4f40000);
    assert_int_equal(g->fb_bus_width, 192);
    assert_int_equal(g->fb_ram_type, 0x12);
    assert_int_equal(g->internal_client, 0xc2000005);
    assert_int_equal(g->internal_subdevice, 0xabcd2080);
}

static void uuids(void **state)
{
    (void)state;
    memset(info + GID_DATA, 0, 16); /* none */
    assert_int_equal(take(), FL_OK);
    assert_string_equal(g->uuid, "");
    info[GID_DATA] = 1; /* one byte is enough, the first or the last */
    assert_int_equal(take(), FL_OK);
    assert_string_equal(g->uuid, "GPU-01000000-0000-0000-0000-000000000000");
    info[GID_DATA] = 0;
    info[GID_DATA + 15] = 1;
    assert_int_equal(take(), FL_OK);
    assert_string_equal(g->uuid, "GPU-00000000-0000-0000-0000-000000000001");
    info[GID_DATA + 15] = 0;
    info[GID_DATA + 16] = 1; /* not of it any more */
    assert_int_equal(take(), FL_OK);
    assert_string_equal(g->uuid, "");
    info[GID_DATA + 16] = 0;
    info[GID_DATA] = 1;
    put_le32(info + GID_LENGTH, 15); /* too short */
    assert_int_equal(take(), FL_OK);
    assert_string_equal(g->uuid, "");
    put_le32(info + GID_LENGTH, 0xffffffff); /* nonsense: no UUID, no failure */
    info[GID_DATA] = 1;
    assert_int_equal(take(), FL_OK);
    assert_string_equal(g->uuid, "");
    strcpy((char *)info + GID_DATA, "GPU-0a0b0c0d-0102-0304-0506-070809101112");
    put_le32(info + GID_LENGTH, 41);
    assert_int_equal(take(), FL_OK);
    assert_string_equal(g->uuid, "GPU-0a0b0c0d-0102-0304-0506-070809101112");
    memset(info + GID_DATA, 'x', 256); /* a text without an end */
    memcpy(info + GID_DATA, "GPU-", 4);
    put_le32(info + GID_LENGTH, 256);
    assert_int_equal(take(), FL_OK);
    assert_int_equal(strlen(g->uuid), sizeof(g->uuid) - 1);
}

static void texts(void **state)
{
    (void)state;
    memcpy(info + NAME, "a\x01\x7f\xff", 5);
    assert_int_equal(take(), FL_OK);
    assert_string_equal(g->name, "a...");
    memset(info + NAME, 'x', 64); /* no end */
    assert_int_equal(take(), FL_EPROTO);
    info[NAME + 63] = '\0';
    assert_int_equal(take(), FL_OK);
    memset(info + SHORT_NAME, 'x', 64);
    assert_int_equal(take(), FL_EPROTO);
}

static void seventeen_regions(void)
{
    for (unsigned i = 0; i < 17; i++) {
        put_region(i, MIB(i), MIB(i + 1) - 1, 0);
    }
    put_le32(info + REGIONS, 16);
    assert_int_equal(take(), FL_OK);
    put_le32(info + REGIONS, 17);
}

static void bad_regions(void **state)
{
    (void)state;
#define BAD(change)                                                                                \
    do {                                                                                           \
        teardown(NULL);                                                                            \
        setup(NULL);                                                                               \
        change;                                                                                    \
        assert_int_equal(take(), FL_EPROTO);                                                       \
    } while (0)
    BAD(put_le32(info + REGIONS, 0));
    BAD(put_le32(info + REGIONS, 17));
    BAD(seventeen_regions()); /* each of them fine */
    BAD(put_le32(info + REGIONS, 0xffffffff));
    BAD(put_region(1, 0x30fffff, 0x2f034ffff, 0));     /* overlaps the one before */
    BAD(put_region(1, 0x3100000, 0x30fffff, 0));       /* ends before it begins */
    BAD(put_region(4, 0x2f5300000, 0x2ffa00000, 0));   /* one byte beyond VRAM */
    BAD(put_region(4, 0x2f5300000, UINT64_MAX, 0));    /* limit + 1 wraps */
    BAD(put_region(0, 0, 0x30fffff, 0x3100001));       /* more reserved than there is */
    BAD((put_region(0, 0x2f0000000, 0x2f0000fff, 0))); /* not ascending */
}

/* Path B: the firmware tells where it has put things; on path A nobody looks. */
static void places(void **state)
{
    (void)state;
    put_le64(info + WPR_HEAP, 0x2ffa00000); /* beyond VRAM */
    put_le64(info + WPR_FRTS, 0x2fd800000);
    assert_int_equal(take(), FL_OK);
    assert_int_equal(g->fb.frts_start, 0);
    g->hw.family = gsp_family_find(F_GB20X);
    g->fb.non_wpr_bytes = 0x220000;
    g->fb.frts_bytes = MIB(1);
    assert_int_equal(take(), FL_EPROTO);
    put_le64(info + WPR_HEAP, 0x2f3000000);
    assert_int_equal(take(), FL_OK);
    assert_int_equal(g->fb.non_wpr_start, 0x2f3000000);
    assert_int_equal(g->fb.frts_start, 0x2fd800000);
    put_le64(info + WPR_FRTS, 0x2ff900001); /* its last byte is one too far */
    assert_int_equal(take(), FL_EPROTO);
    put_le64(info + WPR_FRTS, UINT64_MAX);
    assert_int_equal(take(), FL_EPROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(real_list), T(uuids), T(texts), T(bad_regions), T(places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
