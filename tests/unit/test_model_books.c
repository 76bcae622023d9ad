/* SPDX-License-Identifier: MIT */
/* The GPU model's resets, the link, faults, the report and the trace. */
#include <stdlib.h>
#include <string.h>

#include "gsp/hw/regs/regs.h"
#include "tests/unit/mini_assert.h"

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

/* Accesses to BAR1 are in the trace for who asks for them. */
static void trace_of_bars(void **state)
{
    (void)state;
    for (unsigned asked = 0; asked < 2; asked++) {
        char *text = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&text, &size);
        const struct model_config cfg = {.trace = f, .trace_bars = asked != 0};
        mini_open(&d, &cfg, false);
        model_bar_write(d.m, 1, 0x1000, 4, 0x12345678);
        (void)model_bar_read(d.m, 1, 0x1000, 8);
        mini_close(&d);
        fclose(f);
        assert_true((strstr(text, "# W BAR1 0x1000, 4 bytes = 0x12345678") != NULL) ==
                    (asked != 0));
        assert_true((strstr(text, "# R BAR1 0x1000, 8 bytes = 0x") != NULL) == (asked != 0));
        free(text);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, close_it)
    const struct CMUnitTest tests[] = {
        T(function_level_reset), T(link_lost),   T(faults),        T(effects_of_faults), T(books),
        T(books_in_numbers),     T(trace_lines), T(trace_of_bars),
    };
    return cmocka_run_group_tests_name("model books", tests, NULL, NULL);
}
