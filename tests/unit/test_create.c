/* SPDX-License-Identifier: MIT */
/* What is refused before anything of a GPU is changed, in words: a GPU that the machine's firmware
 * did not place, a firmware version that does not run on it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "arch/log.h"
#include "tests/unit/rig_assert.h"

static void refused(struct pci_bar bar, const char *words)
{
    struct fl_fail fail = {0};
    const int at = pci_mem_bar(rig.dev, 0);
    const struct pci_bar was = rig.dev->bar[at];

    rig.dev->bar[at] = bar;
    assert_null(gsp_create(rig.dev, &rig.gsp_options, &fail));
    assert_int_equal(fail.err, FL_EBADDATA);
    assert_non_null(strstr(fail.text, words));
    assert_non_null(strstr(fail.hint, "above 4G decoding"));
    rig.dev->bar[at] = was;
}

static void a_bar_without_a_place(void **state)
{
    (void)state;
    open_strict(NULL);
    struct pci_bar bar = rig.dev->bar[pci_mem_bar(rig.dev, 0)];
    bar.address = 0;
    refused(bar, "at 0x0");
    /* OVMF leaves this in a 64-bit BAR that its window cannot hold. */
    bar.kind = PCI_BAR_MEM64;
    bar.address = UINT64_MAX - bar.size + 1;
    refused(bar, "at 0xffffffffff000000");
    boots(); /* nothing of the GPU was touched */
    assert_true(rig_close(&rig));
}

/* The older version exists, but not for what the FSP boots. */
static void a_version_of_other_families(void **state)
{
    static const char *const chips[] = {"gh100", "gb100", "gb202"};
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(chips); i++) {
        const struct rig_options opt = {.chip = chips[i], .strict = MODEL_STRICT};
        rig_open(&rig, &opt);
        rig.gsp_options.force_version = "535.113.01";
        rig_new_gpu(&rig);
        assert_int_equal(rig_boot(&rig), FL_ENOTSUP);
        const struct gsp_snapshot s = rig_snapshot(&rig);
        assert_string_equal(s.fail.stage, "firmware");
        assert_non_null(strstr(s.fail.text, "535.113.01 does not run on"));
        assert_non_null(strstr(s.fail.hint, "firstlight.conf"));
        no_violation();
        assert_true(rig_close(&rig));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bar_without_a_place),
        cmocka_unit_test(a_version_of_other_families),
    };
    log_set_level(LOG_DEBUG);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
