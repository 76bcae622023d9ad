/* SPDX-License-Identifier: MIT */
/*
 * The GPU model by itself: configuration space, BARs, windows, falcons, a whole boot and unload by
 * a straight-line driver, RM objects and controls, interrupts, resets, faults, the report.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "gsp/hw/regs/regs.h"
#include "tests/unit/mini_driver.h"

static struct mini d;

static void no_rule_broken(void)
{
    const struct model_verdict *v = model_first_violation(d.m);
    if (v != NULL) {
        fail_msg("%s: %s (access %llu)", v->rule, v->words, (unsigned long long)v->access);
    }
}

static int close_it(void **state)
{
    (void)state;
    if (d.m != NULL) {
        mini_close(&d);
    }
    d.hook = NULL;
    return 0;
}

/* ---- bus ---- */

static uint16_t find_cap(uint8_t id)
{
    for (uint16_t at = (uint16_t)model_cfg_read(d.m, 0x34, 1), n = 0; at != 0 && n < 16; n++) {
        if (model_cfg_read(d.m, at, 1) == id) {
            return at;
        }
        at = (uint16_t)model_cfg_read(d.m, (uint16_t)(at + 1), 1);
    }
    return 0;
}

static void config_space(void **state)
{
    static const uint16_t chain[] = {0x100, 0x250, 0x258, 0x128, 0x420, 0x600,
                                     0x900, 0xbb0, 0xc1c, 0xd00, 0xe00, 0};
    (void)state;
    mini_open(&d, NULL, false);
    assert_int_equal(model_cfg_read(d.m, 0, 4), 0x220410de);
    assert_int_equal(model_cfg_read(d.m, 8, 4), 0x030000a1);
    assert_int_equal(find_cap(0x01), 0x60);
    assert_int_equal(find_cap(0x05), 0x68);
    assert_int_equal(find_cap(0x10), 0x78);
    assert_int_equal(find_cap(0x09), 0xb4);
    assert_int_equal(find_cap(0x11), 0); /* no MSI-X on display boards */
    assert_int_equal(model_msi_count(d.m), 1);
    assert_int_equal(model_msix_count(d.m), 0);
    uint16_t at = 0x100;
    for (size_t i = 0; i < ARRAY_SIZE(chain); i++) {
        assert_int_equal(at, chain[i]);
        at = at != 0 ? (uint16_t)(model_cfg_read(d.m, at, 4) >> 20) : 0;
    }
    /* Resizable BAR: three entries, BAR1 64 MiB to 32 GiB, now 256 MiB. */
    assert_int_equal(model_cfg_read(d.m, 0xbb8, 4) >> 5 & 7, 3);
    assert_int_equal(model_cfg_read(d.m, 0xbbc, 4), 0xffc00);
    assert_int_equal(model_cfg_read(d.m, 0xbc0, 4), 0x801);
    /* Identity cannot be written; narrow reads give the right lanes. */
    model_cfg_write(d.m, 0, 4, 0xffffffff);
    assert_int_equal(model_cfg_read(d.m, 0, 2), 0x10de);
    assert_int_equal(model_cfg_read(d.m, 3, 1), 0x22);
    /* The mirror in BAR0 is the same space. */
    assert_int_equal(mini_rd(&d, 0x88000), 0x220410de);
    assert_int_equal(mini_rd(&d, 0x88084), model_cfg_read(d.m, 0x84, 4));
}

static void bar_sizing(void **state)
{
    struct model_bar b;
    (void)state;
    mini_open(&d, NULL, false);
    for (uint16_t off = 0x10; off < 0x28; off = (uint16_t)(off + 4)) {
        model_cfg_write(d.m, off, 4, 0xffffffff);
    }
    assert_int_equal(model_cfg_read(d.m, 0x10, 4), 0xff000000);
    assert_int_equal(model_cfg_read(d.m, 0x14, 4), 0xf000000c);
    assert_int_equal(model_cfg_read(d.m, 0x18, 4), 0xffffffff);
    assert_int_equal(model_cfg_read(d.m, 0x1c, 4), 0xfe00000c);
    assert_int_equal(model_cfg_read(d.m, 0x24, 4), 0xffffff81);
    model_cfg_write(d.m, 0x30, 4, 0xfffff800);
    assert_int_equal(model_cfg_read(d.m, 0x30, 4), 0); /* no expansion ROM */
    model_bar_info(d.m, 0, &b);
    assert_int_equal(b.size, MIB(16));
    assert_false(b.is_64bit || b.prefetchable || b.is_io);
    model_bar_info(d.m, 1, &b);
    assert_true(b.size == MIB(256) && b.is_64bit && b.prefetchable);
    model_bar_info(d.m, 5, &b);
    assert_true(b.size == 128 && b.is_io);
    model_bar_info(d.m, 2, &b);
    assert_int_equal(b.size, 0);
}

static void identity_and_sizes(void **state)
{
    (void)state;
    mini_open(&d, NULL, false);
    assert_int_equal(mini_rd(&d, 0), 0xb72000a1);
    assert_int_equal(mini_rd(&d, 0xa00), 0x172a1000);
    assert_int_equal(mini_rd(&d, NV_USABLE_FB_SIZE_IN_MB__OFFSET), 24 * 1024 - 8);
    assert_int_equal(mini_rd(&d, NV_PFB_PRI_MMU_WPR2_ADDR_LO__OFFSET), 0x1ffffe00);
    assert_int_equal(mini_rd(&d, NV_PFB_PRI_MMU_WPR2_ADDR_HI__OFFSET), 0);
    assert_int_equal(mini_rd(&d, NV_PGSP_BASE + 0xf4), 0x47f7);
    assert_int_equal(mini_rd(&d, NV_PSEC_BASE + 0xf4), 0x67b7);
    assert_int_equal(mini_rd(&d, NV_PGSP_BASE + 0x100), 0x10);
    assert_int_equal(mini_rd(&d, 0x824148), 1); /* SEC2 ucode 3 */
    assert_int_equal(mini_rd(&d, 0x8241e0), 1); /* GSP ucode 9 */
    assert_int_equal(mini_rd(&d, 0x300000) & 0xffff, 0xaa55);
    assert_int_equal(mini_rd(&d, 0x3ffffc), 0xffffffff); /* erased flash */
    mini_close(&d);
    const struct model_config cfg = {.vram_bytes = GIB(10)};
    mini_open(&d, &cfg, false);
    assert_int_equal(mini_rd(&d, NV_USABLE_FB_SIZE_IN_MB__OFFSET), 10 * 1024 - 8);
}

static void configuration_errors(void **state)
{
    char err[256];
    const struct model_bus bus = {0};
    const char *const bad_fault[] = {"read:NO_SUCH_REGISTER:n=1:value=0", NULL};
    const struct model_config wrong[] = {
        {.chip = "gp102"},
        {.board = "rtx9090"},
        {.vram_bytes = 12345},
        {.fw_version = "1.2.3"},
        {.firmware_dir = "/nonexistent"},
        {.faults = bad_fault},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        err[0] = '\0';
        assert_null(model_create(&wrong[i], &bus, err, sizeof(err)));
        assert_true(strlen(err) > 10);
    }
}

static void every_chip_listed_works(void **state)
{
    const char *chip;
    (void)state;
    for (size_t i = 0; (chip = model_chip_name(i)) != NULL; i++) {
        const struct model_config cfg = {.chip = chip};
        mini_open(&d, &cfg, false);
        assert_int_equal(mini_rd(&d, 0) >> 20 & 0x1ff, mini_rd(&d, 0xa00) >> 20 & 0x1ff);
        mini_close(&d);
    }
    for (size_t i = 0; (model_board_name(i, &chip)) != NULL; i++) {
        const struct model_config cfg = {.chip = chip, .board = model_board_name(i, NULL)};
        mini_open(&d, &cfg, false);
        mini_close(&d);
    }
}

static void windows(void **state)
{
    (void)state;
    mini_open(&d, NULL, false);
    mini_wr(&d, NV_PBUS_BAR0_WINDOW__OFFSET, 0x123);
    model_bar_write(d.m, 0, NV_PRAMIN_BASE + 0x10, 8, 0x1122334455667788ull);
    model_bar_write(d.m, 0, NV_PRAMIN_BASE + 0x11, 1, 0xaa);
    assert_true(model_bar_read(d.m, 0, NV_PRAMIN_BASE + 0x10, 8) == 0x112233445566aa88ull);
    assert_int_equal(model_bar_read(d.m, 1, 0x123 * 0x10000ull + 0x12, 2),
                     0x5566); /* BAR1, same memory */
    assert_int_equal(model_bar_read(d.m, 1, 0x5000, 4), 0);
    no_rule_broken();
}

static void timer_runs(void **state)
{
    (void)state;
    mini_open(&d, NULL, false);
    mini_wr(&d, NV_PTIMER_TIME_1__OFFSET, 7);
    mini_wr(&d, NV_PTIMER_TIME_0__OFFSET, 0x100);
    assert_int_equal(mini_rd(&d, NV_PTIMER_TIME_1__OFFSET), 7);
    const uint32_t before = mini_rd(&d, NV_PTIMER_TIME_0__OFFSET);
    mini_pass(&d, 1000);
    const uint32_t after = mini_rd(&d, NV_PTIMER_TIME_0__OFFSET);
    assert_in_range(after - before, 1000000, 1010000);
    assert_int_equal(after & 0x1f, 0);
}

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

/* ---- interrupts: interrupts.md 10 ---- */

static void interrupt_numbers(void **state)
{
    (void)state;
    mini_open(&d, NULL, false);
    model_cfg_write(d.m, 0x6a, 2, 1); /* MSI on */
    mini_wr(&d, 0xb81640, 129);
    assert_int_equal(mini_rd(&d, 0xb81010), 2);
    assert_int_equal(mini_rd(&d, 0xb81600), 0);
    mini_wr(&d, 0xb81210, 2);
    assert_int_equal(mini_rd(&d, 0xb81600), 4);
    assert_int_equal(d.irqs, 0);
    mini_wr(&d, 0xb81608, 4);
    assert_int_equal(d.irqs, 1);
    mini_wr(&d, 0xb81640, 129);
    assert_int_equal(d.irqs, 1); /* already pending */
    mini_wr(&d, 0xb81010, 2);
    mini_wr(&d, 0x88704, 0);
    mini_wr(&d, 0xb81640, 129);
    assert_int_equal(d.irqs, 2);
    /* Not re-armed: an edge is remembered and sent on re-arm. */
    mini_wr(&d, 0xb81010, 2);
    mini_wr(&d, 0xb81640, 129);
    assert_int_equal(d.irqs, 2);
    mini_wr(&d, 0x88704, 0);
    assert_int_equal(d.irqs, 3);
    mini_wr(&d, 0xb81640, 155);
    assert_int_equal(mini_rd(&d, 0xb81010), 0x08000002);
    assert_int_equal(mini_rd(&d, 0xb81410), 2); /* EN_CLEAR reads the enables */
    no_rule_broken();
}

static void messages_interrupt(void **state)
{
    (void)state;
    mini_open(&d, NULL, false);
    assert_true(mini_boot(&d));
    assert_int_equal(mini_rd(&d, NV_PGSP_BASE + 8) & 0x40, 0x40);
    model_cfg_write(d.m, 0x6a, 2, 1);
    mini_wr(&d, NV_PGSP_BASE + 4, 0x40);
    mini_wr(&d, 0xb81010, 0xffffffff);
    mini_wr(&d, 0xb81210, 0x08000000);
    mini_wr(&d, 0xb81608, 4);
    const uint32_t before = d.irqs;
    model_inject_event(d.m, 0x1006, "x", 1, 0);
    assert_int_equal(d.irqs, before + 1);
    mini_wr(&d, 0xb81010, 0x08000000); /* the leaf cleared, SWGEN0 not */
    mini_wr(&d, 0x88704, 0);
    model_inject_event(d.m, 0x1006, "x", 1, 0);
    assert_int_equal(d.irqs, before + 1); /* the latched cause blocks */
    mini_wr(&d, NV_PGSP_BASE + 0x3e8, 1); /* retrigger */
    assert_int_equal(d.irqs, before + 2);
    mini_wr(&d, 0xb81010, 0x08000000);
    mini_wr(&d, NV_PGSP_BASE + 4, 0x40);
    mini_wr(&d, 0x88704, 0);
    model_inject_event(d.m, 0x1006, "x", 1, 0);
    assert_int_equal(d.irqs, before + 3);
}

/* ---- resets, faults, books ---- */

static void function_level_reset(void **state)
{
    (void)state;
    mini_open(&d, NULL, false);
    assert_true(mini_boot(&d));
    model_cfg_write(d.m, 0x80, 2, 0x8000);
    assert_int_equal(model_cfg_read(d.m, 0x80, 2) & 0x8000, 0);
    assert_int_equal(model_cfg_read(d.m, 4, 2), 0);
    assert_int_equal(model_cfg_read(d.m, 0x10, 4), 0);
    assert_int_equal(mini_rd(&d, NV_PFB_PRI_MMU_WPR2_ADDR_HI__OFFSET), 0);
    assert_int_equal(mini_rd(&d, 0x118234), 1);
    assert_int_equal(mini_rd(&d, NV_USABLE_FB_SIZE_IN_MB__OFFSET), 0xbadf5108);
    assert_true(mini_poll(&d, 0x118234, 0xffffffff, 0x3ff, 1000000));
    /* Always-on scratch survives an FLR, not a bus reset. */
    assert_int_not_equal(mini_rd(&d, 0x1180f8), 0);
    model_reset(d.m, MODEL_RESET_BUS);
    assert_int_equal(mini_rd(&d, 0x1180f8), 0);
    model_cfg_write(d.m, 0x10, 4, 0x90000000);
    model_cfg_write(d.m, 0x18, 4, 0x40);
    model_cfg_write(d.m, 0x1c, 4, 0x10000000);
    model_cfg_write(d.m, 0x20, 4, 0x40);
    model_cfg_write(d.m, 4, 2, 6);
    d.ram_used = 0;
    assert_true(mini_boot(&d));
    no_rule_broken();
}

static void link_lost(void **state)
{
    (void)state;
    mini_open(&d, NULL, false);
    model_unplug_after(d.m, 3);
    assert_int_not_equal(mini_rd(&d, 0), 0xffffffff);
    assert_int_not_equal(mini_rd(&d, 0), 0xffffffff);
    assert_int_equal(mini_rd(&d, 0), 0xffffffff);
    assert_int_equal(model_cfg_read(d.m, 0, 4), 0xffffffff);
    assert_int_equal(model_cfg_read(d.m, 0, 2), 0xffff);
    assert_true(model_next_ns(d.m) == UINT64_MAX);
    model_reset(d.m, MODEL_RESET_POWER);
    assert_int_equal(model_cfg_read(d.m, 0, 2), 0x10de);
}

static void faults(void **state)
{
    const char *const specs[] = {"read:NV_PMC_BOOT_42:n=2:value=0x1",
                                 "read:NV_PFALCON_FALCON_CPUCTL@sec2:n=0:xor=1",
                                 "write:0x1400:n=1",
                                 "read:NV_PBUS_SW_SCRATCH(3):n=1:value=7",
                                 "init-done-result=0x65",
                                 NULL};
    const struct model_config cfg = {.faults = specs};
    (void)state;
    mini_open(&d, &cfg, false);
    assert_int_equal(mini_rd(&d, 0xa00), 0x172a1000);
    assert_int_equal(mini_rd(&d, 0xa00), 1);
    assert_int_equal(mini_rd(&d, 0xa00), 0x172a1000);
    assert_int_equal(mini_rd(&d, NV_PSEC_BASE + 0x100), 0x11);
    assert_int_equal(mini_rd(&d, NV_PSEC_BASE + 0x100), 0x11);
    assert_int_equal(mini_rd(&d, NV_PGSP_BASE + 0x100), 0x10);
    mini_wr(&d, 0x1400, 5);
    assert_int_equal(mini_rd(&d, 0x1400), 0);
    mini_wr(&d, 0x1400, 5);
    assert_int_equal(mini_rd(&d, 0x1400), 5);
    assert_int_equal(mini_rd(&d, 0x140c), 7);
    assert_int_equal(mini_rd(&d, 0x140c), 0);
    assert_false(mini_boot(&d));
    assert_int_equal(d.msg_function, 0x1001);
    assert_int_equal(d.msg_result, 0x65);
}

static void effects_of_faults(void **state)
{
    static const struct {
        const char *spec;
        uint32_t off, value;
    } cases[] = {
        {"booter-mailbox=0x31", NV_PSEC_BASE + 0x40, 0x31},
        {"fwsec-error=0xbeef", 0x1438, 0xbeef0000},
        {"gfw-stuck", 0x118234, 1},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *const specs[] = {cases[i].spec, NULL};
        const struct model_config cfg = {.faults = specs};
        mini_open(&d, &cfg, false);
        assert_false(mini_boot(&d));
        assert_int_equal(mini_rd(&d, cases[i].off), cases[i].value);
        mini_close(&d);
    }
    const char *const hang[] = {"gsp-hang", NULL};
    const struct model_config cfg = {.faults = hang};
    mini_open(&d, &cfg, false);
    assert_true(mini_to_running(&d));
    assert_false(mini_wait(&d, 0x1002));
}

static char *report(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    model_report(d.m, f);
    fclose(f);
    return text;
}

static void books(void **state)
{
    struct model_stats st;
    (void)state;
    mini_open(&d, NULL, false);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(mini_rd(&d, 0x122134), 0); /* not modelled: stable, counted */
    }
    mini_wr(&d, 0x00abcc, 0x55);
    assert_int_equal(mini_rd(&d, 0x00abcc), 0);
    for (uint32_t i = 0; i < 600; i++) {
        mini_rd(&d, 0x900000 + i * 4); /* the table grows */
    }
    mini_pass(&d, 5000);
    for (uint32_t i = 0; i < 10001; i++) {
        mini_rd(&d, NV_PGSP_BASE + 0x100);
    }
    model_get_stats(d.m, &st);
    assert_true(st.unmodelled_registers >= 602);
    assert_int_equal(st.unmodelled_writes, 1);
    char *text = report();
    assert_non_null(strstr(text, "no rule broken"));
    assert_non_null(strstr(text, "0x122134"));
    assert_true(strstr(text, "0x122134") < strstr(text, "0x00abcc")); /* ranked */
    assert_non_null(strstr(text, "spinning: 10001 reads of NV_PFALCON_FALCON_CPUCTL@gsp"));
    free(text);
}

/* Each register counts once, the PROM's window does not; the report for programs says the same. */
static void books_in_numbers(void **state)
{
    struct model_stats before, st;
    char *text = NULL;
    size_t size = 0;
    (void)state;
    mini_open(&d, NULL, false);
    model_get_stats(d.m, &before);
    assert_true(before.registers_known > 300);
    for (uint32_t i = 0; i < 3; i++) {
        mini_rd(&d, NV_PMC_BOOT_42__OFFSET);
        mini_wr(&d, 0x00abcc, i);
        mini_rd(&d, NV_PROM_BASE + 4 * i);
    }
    mini_wr(&d, NV_PMC_BOOT_42__OFFSET, 7); /* read-only */
    model_get_stats(d.m, &st);
    assert_int_equal(st.registers_touched, before.registers_touched + 2);
    FILE *f = open_memstream(&text, &size);
    model_report_json(d.m, f);
    fclose(f);
    assert_int_equal(text[0], '{');
    assert_string_equal(text + size - 2, "}\n");
    assert_non_null(strstr(text, "\"chip\":\"ga102\""));
    assert_non_null(strstr(text, "\"verdict\":{\"rule\":\"register.read-only\",\"words\":\"wrote "
                                 "0x00000007 to NV_PMC_BOOT_42"));
    assert_non_null(strstr(text, "\"broken\":{\"register.read-only\":1}"));
    char want[64];
    snprintf(want, sizeof(want), "\"touched\":%u,", st.registers_touched);
    assert_non_null(strstr(text, want));
    assert_non_null(
        strstr(text, "\"offset\":43980,\"name\":\"0x00abcc\",\"reads\":0,\"writes\":3}"));
    free(text);
}

static void trace_lines(void **state)
{
    char *text = NULL;
    size_t size = 0;
    (void)state;
    FILE *f = open_memstream(&text, &size);
    const struct model_config cfg = {.trace = f};
    mini_open(&d, &cfg, false);
    for (uint32_t i = 0; i < 4; i++) {
        mini_rd(&d, NV_PGSP_BASE + 0x100);
    }
    mini_wr(&d, 0x1234c, 1);
    mini_close(&d);
    fclose(f);
    assert_non_null(strstr(
        text, "R NV_PFALCON_FALCON_CPUCTL@gsp 0x110100 = 0x00000010 HALTED=1\n    ... 3 more"));
    assert_non_null(strstr(text, "W 0x01234c 0x01234c"));
    free(text);
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, close_it)
    const struct CMUnitTest tests[] = {
        T(config_space),
        T(bar_sizing),
        T(identity_and_sizes),
        T(configuration_errors),
        T(every_chip_listed_works),
        T(windows),
        T(timer_runs),
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
        T(interrupt_numbers),
        T(messages_interrupt),
        T(function_level_reset),
        T(link_lost),
        T(faults),
        T(effects_of_faults),
        T(books),
        T(books_in_numbers),
        T(trace_lines),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
