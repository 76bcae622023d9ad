/* SPDX-License-Identifier: MIT */
/*
 * A chip of a known family is one row in the driver and one in the model (docs/adding-a-chip.md).
 * This program is linked with tables that have such a row for a chip "ga108", made from the real
 * ones by tests/unit/rules.mk, and boots it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gsp/hw/chips.h"
#include "tests/unit/rig.h"
#include "tests/unit/rig_assert.h"

enum { GA108_BOOT_42 = 0x178a1000 };

static void boots_and_boots_again(void **state)
{
    static const char *const versions[] = {"570.144", "535.113.01"};
    (void)state;
    for (size_t v = 0; v < ARRAY_SIZE(versions); v++) {
        const struct rig_options opt = {
            .chip = "ga108", .version = versions[v], .strict = MODEL_STRICT, .compare = true};
        rig_open(&rig, &opt);
        for (unsigned n = 0; n < 2; n++) {
            boots();
            assert_int_equal(rig_unload(&rig), FL_OK);
        }
        no_violation();
        assert_int_equal(model().gsp_boots, 2);
        assert_int_equal(model().unmodelled_reads + model().unmodelled_writes, 0);
        assert_true(rig_close(&rig));
    }
}

static void is_found(void **state)
{
    (void)state;
    const struct gsp_chip *c = gsp_chip_find(GA108_BOOT_42);
    assert_non_null(c);
    assert_string_equal(c->name, "ga108");
    assert_ptr_equal(gsp_chip_by_name("GA108"), c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_found),
        cmocka_unit_test(boots_and_boots_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
