/* SPDX-License-Identifier: MIT */
/* The GPU model as the bus sees it: configuration space, BARs, windows, the timer, interrupts. */
#include <string.h>

#include "gsp/hw/regs/regs.h"
#include "tests/unit/mini_assert.h"

/* ---- bus ---- */

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
        {.vram_bytes = MIB(1023)},
        {.vram_bytes = GIB(1024) + MIB(1)},
        {.vram_bytes = GIB(2) + KIB(4)},
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
    assert_int_equal(d.last_vector, 0); /* MSI has one */
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
        T(interrupt_numbers),
        T(messages_interrupt),
    };
    return cmocka_run_group_tests_name("model on the bus", tests, NULL, NULL);
}
