/* SPDX-License-Identifier: MIT */
/* What is thought to be behind each kind of failed boot, and what is ruled out by then. */
#include "tests/unit/rig_assert.h"

#include <stdio.h>

#include "gsp/gpu.h"

static const struct {
    const char *chip, *fault;
    const char *likely;    /* the first; NULL: none */
    const char *ruled_out; /* among these; NULL: not asked */
    const char *hint;      /* words of the advice; NULL: any */
} rows[] = {
    {"ga102", "linklost:n=20", "card", NULL, "cables"},
    {"gb202", "linklost:n=5", "card", NULL, NULL},
    {"ga102", "gfw-stuck=0x3", "board-firmware", "gsp-firmware", NULL},
    {"ga102", "read:0x300000:n=0:value=0xffffffff", "rom", "board-firmware", "flash"},
    {"tu102", "read:0x300000:n=0:value=0xffffffff", "rom", "leftover", "flash"},
    {"ga102", "read:0x3027c8:n=0:value=0", "rom", "gsp-firmware", NULL},
    {"ga102", "dma:address=0:size=0xffffffffffff", "memory-access", "board-firmware", "IOMMU"},
    {"tu117", "dma:address=0:size=0xffffffffffff", "memory-access", "leftover", "IOMMU"},
    {"ga102", "read:0x301bac:n=1:xor=0x100", "rom", "board-firmware", NULL},
    {"tu102", "read:NV_PFB_PRI_MMU_LOCAL_MEMORY_RANGE:n=1:value=0", "card", "board-firmware", NULL},
    {"gb202", "read:NV_PMC_BOOT_42:n=1:value=0", "card", NULL, NULL},
    {"ga102", "booter-mailbox=0xa", "files", "memory-access", "copy the files"},
    {"ga102", "booter-mailbox=0xa", "files", "rom", NULL},
    {"gb202", "fmc-error=0xb", "files", "board-firmware", NULL},
    {"gh100", "fsp-error=0x6", "files", "gsp-firmware", NULL},
    {"gb202", "fsp-silent", "memory-access", "gsp-firmware", NULL},
    {"ga102", "init-done-result=0x59", "files", "memory-access", NULL},
    {"ga102", "crash=init:after=5", "gsp-firmware", "memory-access", NULL},
    {"gb202", "crash=start", "gsp-firmware", "memory-access", NULL},
    {"ga102", "stuck=init:n=1", "gsp-firmware", "rom", NULL},
    {"ga102", "stuck=command:n=1", "gsp-firmware", "files", NULL},
    {"ga102", "falcon-hang=gsp", "memory-access", "board-firmware", NULL},
};

static const struct gsp_cause *find(const struct gsp_causes *c, const char *name)
{
    for (uint32_t i = 0; i < c->count; i++) {
        if (strcmp(c->row[i].name, name) == 0) {
            return &c->row[i];
        }
    }
    return NULL;
}

static void each_failure_has_its_causes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *const faults[] = {rows[i].fault, NULL};
        const struct rig_options opt = {.chip = rows[i].chip, .faults = faults};
        rig_open(&rig, &opt);
        assert_int_equal(gsp_get_causes(rig.gpu)->count, 0);
        assert_int_not_equal(rig_boot(&rig), FL_OK);
        const struct gsp_causes *c = gsp_get_causes(rig.gpu);
        const struct gsp_snapshot s = rig_snapshot(&rig);
        const struct gsp_cause *out = find(c, rows[i].ruled_out != NULL ? rows[i].ruled_out : "");
        if (c->count == 0 || strcmp(c->row[0].name, rows[i].likely) != 0 ||
            c->row[0].verdict != GSP_LIKELY) {
            fail_msg("%s %s: first is %s (%s)", rows[i].chip, rows[i].fault,
                     c->count > 0 ? c->row[0].name : "none", s.fail.text);
        }
        if (rows[i].ruled_out != NULL && (out == NULL || out->verdict != GSP_RULED_OUT)) {
            fail_msg("%s %s: %s is not ruled out", rows[i].chip, rows[i].fault, rows[i].ruled_out);
        }
        if (s.fail.hint[0] == '\0' ||
            (rows[i].hint != NULL && strstr(s.fail.hint, rows[i].hint) == NULL)) {
            fail_msg("%s %s: the advice is \"%s\"", rows[i].chip, rows[i].fault, s.fail.hint);
        }
        for (uint32_t k = 0; k < c->count; k++) { /* likely ones first, each with its words */
            assert_true(k == 0 || c->row[k].verdict >= c->row[k - 1].verdict);
            assert_true(c->row[k].because[0] != '\0' && c->row[k].advice[0] != '\0');
            assert_int_not_equal(c->row[k].verdict, GSP_UNKNOWN);
        }
        (void)rig_close(&rig);
    }
}

/* They are those of the last boot: a good one has none, and an older log is no evidence. */
static void causes_are_of_the_last_boot(void **state)
{
    static const char *const faults[] = {"crash=init:after=5", "read:*:n=9000:value=0", NULL};
    (void)state;
    open_strict(faults);
    assert_int_not_equal(rig_boot(&rig), FL_OK);
    assert_non_null(find(gsp_get_causes(rig.gpu), "gsp-firmware"));
    boots();
    assert_int_equal(gsp_get_causes(rig.gpu)->count, 0);
    assert_int_equal(rig_unload(&rig), FL_OK);
    model_unplug(rig.model); /* early: what the log holds is of the boot before */
    assert_int_equal(rig_boot(&rig), FL_ELINKLOST);
    assert_string_equal(gsp_get_causes(rig.gpu)->row[0].name, "card");
    assert_null(find(gsp_get_causes(rig.gpu), "memory-access"));
    (void)rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failure_has_its_causes),
        cmocka_unit_test(causes_are_of_the_last_boot),
    };
    return cmocka_run_group_tests_name("causes", tests, NULL, NULL);
}
