/* SPDX-License-Identifier: MIT */
/*
 * The GPU model by itself: falcons, a whole boot and unload by a straight-line driver, RM objects
 * and controls, queues.
 */
#include <stdlib.h>
#include <string.h>

#include "gsp/hw/regs/regs.h"
#include "tests/unit/mini_assert.h"

/* ---- falcon ---- */

static void falcon_transfers(void **state)
{
    (void)state;
    mini_open(&d, NULL, false);
    const uint64_t src = mini_alloc(&d, 0x1000);
    uint8_t *p = mini_ptr(&d, src);
    for (size_t i = 0; i < 0x1000; i++) {
        p[i] = (uint8_t)(i * 13 + (i >> 8));
    }
    mini_engine_reset(&d, NV_PSEC_BASE);
    mini_falcon_setup(&d, NV_PSEC_BASE);
    mini_dma(&d, NV_PSEC_BASE, src, 0x200, 0x1000, 0x400, 0x600);
    mini_wr(&d, NV_PSEC_BASE + 0x1c0, 1u << 25 | 0x1000); /* DMEM port, auto-increment on read */
    for (uint32_t i = 0; i < 0x400; i += 4) {
        assert_int_equal(mini_rd(&d, NV_PSEC_BASE + 0x1c4), get_le32(p + 0x200 + i));
    }
    /* Secure code cannot be read back, other code can. */
    mini_dma(&d, NV_PSEC_BASE, src, 0, 0, 0x100, 0x614);
    mini_dma(&d, NV_PSEC_BASE, src, 0, 0x100, 0x100, 0x610);
    mini_wr(&d, NV_PSEC_BASE + 0x180, 1u << 25);
    assert_int_equal(mini_rd(&d, NV_PSEC_BASE + 0x184), 0);
    mini_wr(&d, NV_PSEC_BASE + 0x180, 1u << 25 | 0x100);
    assert_int_equal(mini_rd(&d, NV_PSEC_BASE + 0x184), get_le32(p));
    /* Ports write; a reset scrubs. */
    mini_wr(&d, NV_PSEC_BASE + 0x1c0, 1u << 24);
    mini_wr(&d, NV_PSEC_BASE + 0x1c4, 0x11111111);
    mini_wr(&d, NV_PSEC_BASE + 0x1c4, 0x22222222);
    mini_wr(&d, NV_PSEC_BASE + 0x1c0, 4);
    assert_int_equal(mini_rd(&d, NV_PSEC_BASE + 0x1c4), 0x22222222);
    mini_engine_reset(&d, NV_PSEC_BASE);
    mini_wr(&d, NV_PSEC_BASE + 0x1c0, 4);
    assert_int_equal(mini_rd(&d, NV_PSEC_BASE + 0x1c4), 0);
    no_rule_broken();
}

static void empty_falcon_halts(void **state)
{
    (void)state;
    mini_open(&d, NULL, false);
    mini_engine_reset(&d, NV_PGSP_BASE);
    mini_wr(&d, NV_PGSP_BASE + 0x40, 0x1234);
    mini_wr(&d, NV_PGSP_BASE + 0x100, 2);
    assert_int_equal(mini_rd(&d, NV_PGSP_BASE + 0x100) & 0x10, 0); /* runs for a moment */
    assert_true(mini_poll(&d, NV_PGSP_BASE + 0x100, 0x10, 0x10, 100));
    assert_int_equal(mini_rd(&d, NV_PGSP_BASE + 0x40), 0x1234);
    no_rule_broken();
}

/* ---- boot ---- */

static void frts_sets_wpr2(void **state)
{
    (void)state;
    mini_open(&d, NULL, false);
    assert_true(mini_fwsec(&d, 0x15));
    const uint64_t end = d.frts + MIB(1);
    assert_int_equal(mini_rd(&d, NV_PFB_PRI_MMU_WPR2_ADDR_LO__OFFSET), d.frts >> 8);
    assert_int_equal(mini_rd(&d, NV_PFB_PRI_MMU_WPR2_ADDR_HI__OFFSET), (end - 0x20000) >> 8);
    no_rule_broken();
}

static void boots_and_unloads(const char *version, bool files)
{
    const struct model_config cfg = {.fw_version = version, .strict = MODEL_STRICT};
    struct model_stats st;
    mini_open(&d, &cfg, files);
    for (uint32_t i = 0; i < 2; i++) {
        assert_true(mini_boot(&d));
        model_get_stats(d.m, &st);
        assert_true(st.gsp_running && st.wpr2_up && st.gsp_boots == i + 1);
        const uint64_t lo = (uint64_t)mini_rd(&d, NV_PFB_PRI_MMU_WPR2_ADDR_LO__OFFSET) << 8;
        assert_true(lo == fw_get(mini_ptr(&d, d.meta), 256, d.l->GspFwWprMeta.gspFwWprStart));
        assert_true(fw_get(mini_ptr(&d, d.meta), 256, d.l->GspFwWprMeta.verified) ==
                    0xa0a0a0a0a0a0a0a0ull);
        assert_int_equal(mini_rd(&d, NV_PGSP_BASE + 0x1668), 0x111);
        assert_true(mini_unload(&d));
        model_get_stats(d.m, &st);
        assert_true(!st.gsp_running && !st.wpr2_up && st.gsp_unloads == i + 1);
        d.ram_used = 0; /* a new boot builds everything anew */
    }
    assert_true(st.image_pages_checked > 512);
    assert_int_equal(st.unmodelled_registers, 0);
    no_rule_broken();
    mini_close(&d);
}

static void boot_570(void **state)
{
    (void)state;
    boots_and_unloads("570.144", true);
}
static void boot_570_without_files(void **state)
{
    (void)state;
    boots_and_unloads("570.144", false);
}
static void boot_535(void **state)
{
    (void)state;
    boots_and_unloads("535.113.01", true);
}

static void two_element_sequencer(void **state)
{
    (void)state;
    mini_open(&d, NULL, false);
    assert_true(mini_to_running(&d));
    uint8_t info[1024], reg[8] = {8};
    mini_system_info(&d, info);
    mini_send(&d, 72, info, d.l->GspSystemInfo.total);
    mini_send(&d, 73, reg, sizeof(reg));
    assert_true(mini_wait(&d, 0x1002));
    const uint32_t n = get_le32(d.msg + 84);
    assert_int_equal(get_le32(d.msg + 0x28), 2); /* slots */
    assert_int_equal(d.msg_len, 40 + 4 * n);     /* ends with the last command */
    assert_true(get_le32(d.msg + 80) > n && n > 1000);
}

static void logs_are_written(void **state)
{
    (void)state;
    mini_open(&d, NULL, false);
    assert_true(mini_boot(&d));
    const uint64_t put = get_le64(mini_ptr(&d, d.logs));
    assert_true(put >= 60);
    assert_true(get_le64((uint8_t *)mini_ptr(&d, d.logs) + 8) != d.logs); /* over the page words */
    assert_int_equal((get_le64((uint8_t *)mini_ptr(&d, d.logs) + 16) & 0xffff0000), 0x20010000);
}

static void static_info(void **state)
{
    const struct model_config cfg = {.name = "A Board Of Our Own", .seed = 5};
    (void)state;
    mini_open(&d, &cfg, false);
    assert_true(mini_boot(&d));
    const struct gsp_layout *l = d.l;
    const uint32_t n = l->GspStaticConfigInfo.total;
    uint8_t *zero = calloc(1, n);
    mini_send(&d, 65, zero, n);
    free(zero);
    assert_true(mini_wait(&d, 65));
    assert_int_equal(d.msg_len, n);
    const uint8_t *p = d.msg + 80;
    assert_string_equal((const char *)p + l->GspStaticConfigInfo.gpuNameString.off,
                        "A Board Of Our Own");
    assert_true(fw_get(p, n, l->GspStaticConfigInfo.fb_length) == d.fb_size);
    assert_int_equal(fw_get(p, n, l->GspStaticConfigInfo.hInternalClient), MINI_INTERNAL_CLIENT);
    const uint32_t regions =
        (uint32_t)fw_get(p, n, l->GspStaticConfigInfo.fbRegionInfoParams_numFBRegions);
    uint64_t next = 0;
    assert_int_equal(regions, 5);
    for (uint32_t i = 0; i < regions; i++) { /* contiguous, up to the end of memory */
        assert_true(fw_get_at(p, n, l->GspStaticConfigInfo.fbRegionInfoParams_fbRegion_base, i) ==
                    next);
        next = fw_get_at(p, n, l->GspStaticConfigInfo.fbRegionInfoParams_fbRegion_limit, i) + 1;
    }
    assert_true(next == d.fb_size);
    uint8_t any = 0;
    for (uint32_t i = 0; i < 16; i++) {
        any |= p[l->GspStaticConfigInfo.gidInfo_data.off + i];
    }
    assert_int_not_equal(any, 0);
    no_rule_broken();
}

static void objects_and_controls(void **state)
{
    struct model_stats st;
    uint8_t p[4096] = {0};
    (void)state;
    mini_open(&d, NULL, false);
    assert_true(mini_boot(&d));
    assert_int_equal(mini_alloc_object(&d, MINI_CLIENT, 0, MINI_CLIENT, 0, 120), 0);
    assert_int_equal(mini_alloc_object(&d, MINI_CLIENT, 0, MINI_CLIENT, 0, 120), 0x19);
    assert_int_equal(mini_alloc_object(&d, MINI_CLIENT, 77, 2, 0x80, 56), 0x36);
    assert_int_equal(mini_alloc_object(&d, 99, MINI_CLIENT, 2, 0x80, 56), 0x23);
    assert_int_equal(mini_alloc_object(&d, MINI_CLIENT, MINI_CLIENT, 2, 0x80, 56), 0);
    assert_int_equal(mini_alloc_object(&d, MINI_CLIENT, 2, 3, 0x2080, 4), 0);
    assert_int_equal(mini_alloc_object(&d, MINI_CLIENT, 3, 4, 0xa0bc, 8),
                     0x56); /* refused, listed */
    put_le32(p, 0);
    assert_int_equal(mini_control(&d, MINI_CLIENT, 3, 0x20803601, p, 72), 0);
    assert_string_equal((char *)p + 6, "570.144");
    assert_int_equal(mini_control(&d, MINI_CLIENT, 4, 0x20803601, p, 72), 0x57);
    assert_int_equal(mini_control(&d, MINI_CLIENT, 3, 0x2080ffff, p, 4), 0x56);
    assert_int_equal(mini_control(&d, MINI_CLIENT, 3, 0x20800a5c, p, 2068),
                     0x1b); /* internal only */
    assert_int_equal(
        mini_control(&d, MINI_INTERNAL_CLIENT, MINI_INTERNAL_SUBDEVICE, 0x20800a5c, p, 2068), 0);
    assert_int_equal(get_le16(p + 4), 50);
    assert_int_equal(get_le32(p + 12), 155);
    memset(p, 0, sizeof(p));
    put_le32(p, 2);
    put_le32(p + 4, 0);
    put_le32(p + 12, 1);
    assert_int_equal(mini_control(&d, MINI_CLIENT, 3, 0x20800810, p, 124), 0);
    assert_int_equal(get_le32(p + 8), 0x94024b00);
    assert_int_equal(get_le32(p + 16), 0x0b);
    /* Freeing a device takes the subdevice along. */
    uint8_t f[16] = {0};
    put_le32(f, MINI_CLIENT);
    put_le32(f + 8, 2);
    mini_send(&d, 10, f, sizeof(f));
    assert_true(mini_wait(&d, 10));
    assert_int_equal(d.msg_result, 0);
    assert_int_equal(mini_control(&d, MINI_CLIENT, 3, 0x20803601, p, 72), 0x57);
    mini_send(&d, 150, f, sizeof(f));
    assert_true(mini_wait(&d, 150));
    assert_int_equal(d.msg_result, 0xff100001);
    model_get_stats(d.m, &st);
    assert_int_equal(st.refused, 3);
    no_rule_broken();
}

static void large_request(void **state)
{
    enum { BIG = 200000, FIRST = 65456 };
    (void)state;
    mini_open(&d, NULL, false);
    assert_true(mini_boot(&d));
    uint8_t *p = calloc(1, BIG);
    put_le32(p, MINI_INTERNAL_CLIENT);
    put_le32(p + 4, MINI_INTERNAL_SUBDEVICE);
    put_le32(p + 8, 0x2080fffe);
    put_le32(p + 16, BIG - 24);
    for (uint32_t i = 24; i < BIG; i++) {
        p[i] = (uint8_t)(i * 31);
    }
    for (uint32_t done = 0; done < BIG; done += FIRST) {
        mini_send(&d, done == 0 ? 76 : 71, p + done, BIG - done < FIRST ? BIG - done : FIRST);
        mini_pass(&d, 100);
    }
    uint32_t got = 0;
    while (got < BIG) { /* the answer comes in the same pieces */
        assert_true(mini_wait(&d, got == 0 ? 76 : 71));
        if (got == 0) {
            assert_int_equal(get_le32(d.msg + 80 + 12), 0x56);
            put_le32(p + 12, 0x56);
        }
        assert_memory_equal(d.msg + 80, p + got, d.msg_len);
        got += d.msg_len;
    }
    assert_int_equal(got, BIG);
    free(p);
    no_rule_broken();
}

/* More messages than slots: pointers wrap, and what has no space waits. */
static void queues_wrap_and_fill(void **state)
{
    (void)state;
    mini_open(&d, NULL, false);
    assert_true(mini_boot(&d));
    uint8_t p[72] = {0};
    for (uint32_t i = 0; i < 150; i++) {
        assert_int_equal(
            mini_control(&d, MINI_INTERNAL_CLIENT, MINI_INTERNAL_SUBDEVICE, 0x20803601, p, 72), 0);
    }
    uint8_t *big = calloc(1, 16384);
    for (uint32_t i = 0; i < 100; i++) { /* hundreds of slots of events while nobody reads */
        put_le32(big, i);
        model_inject_event(d.m, 0x1006, big, 4500 + i % 3 * 4096, 0);
    }
    free(big);
    for (uint32_t i = 0; i < 100; i++) {
        assert_true(mini_wait(&d, 0x1006));
        assert_int_equal(get_le32(d.msg + 80), i);
    }
    no_rule_broken();
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, close_it)
    const struct CMUnitTest tests[] = {
        T(falcon_transfers),
        T(empty_falcon_halts),
        T(frts_sets_wpr2),
        T(boot_570),
        T(boot_570_without_files),
        T(boot_535),
        T(two_element_sequencer),
        T(logs_are_written),
        T(static_info),
        T(objects_and_controls),
        T(large_request),
        T(queues_wrap_and_fill),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
