/* SPDX-License-Identifier: MIT */
/* What is kept of ACPI tables for a person who reads a report. */
#include "tests/unit/acpi_tables.h"

static enum fl_err parse(struct acpi_info *out, struct fl_fail *fail)
{
    fl_fail_clear(fail);
    return acpi_parse(&reader, MEM_BASE + AT_RSDP, out, fail);
}

/* A report lists what the root names and the DSDT, with what was made of each. */
static void test_tables_listed(void **state)
{
    struct acpi_info a;
    struct fl_fail fail;
    uint8_t *stranger = mem.bytes + AT_SSDT + 0x100;
    (void)state;
    make_all(false);
    assert_int_equal(parse(&a, &fail), FL_OK);
    const uint32_t before = a.table_count;
    assert_true(before >= 5);
    const struct acpi_table *dsdt = &a.table[before - 1]; /* the FADT names it, so it is the last */
    assert_string_equal(dsdt->signature, "DSDT");
    assert_int_equal(dsdt->address, MEM_BASE + AT_DSDT);
    assert_int_equal(dsdt->state, ACPI_TABLE_USED);

    memset(stranger, 0, HEADER);
    memcpy(stranger, "DM\x9b\n", 4);
    put_le32(stranger + 4, 0x1234);
    stranger[8] = 7;
    memcpy(stranger + 10,
           "ABC\x1b"
           "EF",
           6);
    memcpy(stranger + 16, "TABLE ID", 8);
    add_to_root(MEM_BASE + AT_SSDT + 0x100);
    mem.bytes[AT_HPET + 20] ^= 1;
    mem.bytes[AT_DSDT + 20] ^= 1;
    assert_int_equal(parse(&a, &fail), FL_OK);
    assert_int_equal(a.table_count, before + 1);
    const struct acpi_table *t = &a.table[before - 1];
    assert_string_equal(t->signature, "DM??"); /* what a screen would obey is shown as '?' */
    assert_string_equal(t->oem, "ABC?EF");
    assert_string_equal(t->oem_table, "TABLE ID");
    assert_int_equal(t->bytes, 0x1234);
    assert_int_equal(t->revision, 7);
    assert_int_equal(t->state, ACPI_TABLE_NOT_READ);
    assert_int_equal(a.table[before].state, ACPI_TABLE_DAMAGED);
    for (uint32_t i = 0; i < before - 1; i++) {
        assert_int_equal(a.table[i].state, strcmp(a.table[i].signature, "HPET") == 0
                                               ? ACPI_TABLE_DAMAGED
                                               : ACPI_TABLE_USED);
    }

    /* More than are kept: counted, the first ones kept, the rest still used. */
    make_root(false);
    for (uint32_t i = 0; i < ACPI_TABLES_MAX; i++) {
        add_to_root(MEM_BASE + AT_SSDT + 0x100);
    }
    memcpy(mem.bytes + AT_SSDT + 0x100, "NONE", 4);
    put_le32(mem.bytes + AT_MCFG + 36, 0);
    seal(AT_MCFG, "MCFG", 44);
    add_to_root(MEM_BASE + AT_MCFG);
    assert_int_equal(parse(&a, &fail), FL_OK);
    assert_int_equal(fail.err, FL_OK);
    assert_int_equal(a.table_count, ACPI_TABLES_MAX + 1);
    assert_string_equal(a.table[ACPI_TABLES_MAX - 1].signature, "NONE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
