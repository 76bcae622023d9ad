/* SPDX-License-Identifier: MIT */
/* The GPU model of Hopper and Blackwell: faults of the FSP, MSI-X, the SHA-384 that it needs. */
#include <string.h>

#include "arch/base.h"
#include "tests/model/model.h"
#include "tests/unit/mini_assert.h"

static void faults(void **state)
{
    static const struct {
        const char *spec;
        uint32_t fsp_error, fmc_error;
        bool boots;
    } cases[] = {
        {"fsp-error=0x9f", 0x9f, 0, false}, {"fsp-silent", ~0u, 0, false},
        {"fmc-error=0xb", 0, 0xb, false},   {"fmc-locked", 0, 0, false},
        {"fmc-masked", 0, 0, true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const char *const specs[] = {cases[i].spec, NULL};
        const struct model_config cfg = {.chip = "gb202", .faults = specs};
        mini_open(&d, &cfg, false);
        assert_int_equal(mini_boot(&d), cases[i].boots);
        assert_int_equal(d.fsp_error, cases[i].fsp_error);
        assert_int_equal(d.fmc_error, cases[i].fmc_error);
        no_rule_broken();
        mini_close(&d);
    }
}

/* ---- interrupts: MSI-X when it is on, and no re-arm in configuration space ---- */

static void interrupts(void **state)
{
    (void)state;
    open_chip("gh100", false);
    mini_wr(&d, 0xb90020, 0xfee00000);
    assert_int_equal(mini_rd(&d, 0xb90020), 0xfee00000);
    mini_wr(&d, 0xb81210, 0x2);
    mini_wr(&d, 0xb81608, 0x4);
    mini_wr(&d, 0xb81640, 129);
    assert_int_equal(d.irqs, 0); /* neither is on */
    mini_wr(&d, 0xb81010, 0x2);
    model_cfg_write(d.m, 0x4a, 2, 1);
    mini_wr(&d, 0xb81640, 129);
    assert_true(d.irqs == 1 && d.last_vector == 0);
    mini_wr(&d, 0xb81640, 129);
    assert_int_equal(d.irqs, 1);
    mini_wr(&d, 0xb81610, 0x4); /* toggling re-arms */
    mini_wr(&d, 0xb81608, 0x4);
    assert_int_equal(d.irqs, 2);
    model_cfg_write(d.m, 0x4a, 2, 0);
    model_cfg_write(d.m, 0xb2, 2, 0x8000);
    mini_wr(&d, 0xb81010, 0x2);
    mini_wr(&d, 0xb81640, 129);
    assert_true(d.irqs == 3 && d.last_vector == 2);
    mini_wr(&d, 0xb8103c, 0); /* sixteen leaves */
    no_rule_broken();
}

int main(void)
{
#define T(f) cmocka_unit_test_teardown(f, close_it)
    const struct CMUnitTest tests[] = {
        T(faults),
        T(interrupts),
    };
    return cmocka_run_group_tests_name("model, FSP events", tests, NULL, NULL);
}
