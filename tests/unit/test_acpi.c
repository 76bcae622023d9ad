/* SPDX-License-Identifier: MIT */
/* ACPI tables, good ones and damaged ones. */
#include "tests/unit/acpi_tables.h"

static enum fl_err parse(struct acpi_info *out, struct fl_fail *fail)
{
    fl_fail_clear(fail);
    return acpi_parse(&reader, MEM_BASE + AT_RSDP, out, fail);
}

static void check_all(const struct acpi_info *a)
{
    assert_true(a->has_fadt);
    assert_false(a->hw_reduced);
    assert_int_equal(a->pm_timer.address, 0x608);
    assert_int_equal(a->pm_timer.space, ACPI_SPACE_IO);
    assert_true(a->pm_timer_32bit);
    assert_int_equal(a->pm1a_control.address, 0x604);
    assert_int_equal(a->pm1b_control.address, 0);
    assert_int_equal(a->pm1a_event.address, 0x600);
    assert_int_equal(a->pm1b_event.address, 0);
    assert_int_equal(a->pm1_event_bytes, 4);
    assert_true(a->power_button);
    assert_int_equal(a->reset.address, 0xcf9);
    assert_int_equal(a->reset_value, 0x0f);
    assert_int_equal(a->smi_command, 0xb2);
    assert_int_equal(a->acpi_enable, 2);
    assert_true(a->has_s5);
    assert_int_equal(a->s5_a, 5);
    assert_int_equal(a->s5_b, 1);
    assert_int_equal(a->cpus, 2);
    assert_int_equal(a->ioapic_count, 2);
    assert_int_equal(a->ioapic[0], 0xfec00000);
    assert_int_equal(a->ioapic[1], 0xfec40000);
    assert_int_equal(a->lapic_base, 0x1fee00000ull);
    assert_int_equal(a->hpet, 0xfed00000);
    assert_int_equal(a->ecam_count, 1);
    assert_int_equal(a->ecam[0].base.raw, 0xe0000000);
    assert_int_equal(a->ecam[0].bus_last, 255);
}

static void test_good(void **state)
{
    struct acpi_info a;
    struct fl_fail fail;
    (void)state;
    for (int rsdt = 0; rsdt < 2; rsdt++) {
        make_all(rsdt != 0);
        assert_int_equal(parse(&a, &fail), FL_OK);
        assert_int_equal(fail.err, FL_OK);
        check_all(&a);
    }
}

static void test_root_damaged(void **state)
{
    struct acpi_info a;
    struct fl_fail fail = {0};
    (void)state;
    make_all(false);
    assert_int_equal(acpi_parse(&reader, 0, &a, &fail), FL_ENOENT);
    assert_int_equal(a.cpus, 1);
    assert_int_equal(acpi_parse(&reader, MEM_BASE - 20, &a, &fail), FL_EBADDATA);
    assert_int_equal(acpi_parse(&reader, UINT64_MAX - 3, &a, &fail), FL_EBADDATA);
    mem.bytes[AT_RSDP + 10] ^= 1; /* neither sum is right */
    assert_int_equal(parse(&a, &fail), FL_EBADDATA);
    assert_string_equal(fail.what, "RSDP");
    make_all(false);
    mem.bytes[AT_RSDP + 33] ^= 4; /* only the long sum is wrong */
    assert_int_equal(parse(&a, &fail), FL_EBADDATA);
    make_all(true);
    mem.bytes[AT_RSDP + 10] ^= 1; /* ACPI 1.0: there is only the short sum */
    assert_int_equal(parse(&a, &fail), FL_EBADDATA);
    make_all(false);
    put_le32(mem.bytes + AT_RSDP + 20, 35);
    fix_sum(AT_RSDP, 36, 32);
    assert_int_equal(parse(&a, &fail), FL_EBADDATA);
    make_all(false);
    mem.bytes[AT_ROOT + 9] ^= 1;
    assert_int_equal(parse(&a, &fail), FL_EBADDATA);
    assert_string_equal(fail.what, "XSDT");
}

/* One damaged table: its part stays empty, the failure names it, the rest is used. */
static void test_one_damaged(void **state)
{
    static const struct {
        uint32_t at;
        const char *signature;
    } tables[] = {{AT_FADT, "FACP"},
                  {AT_MADT, "APIC"},
                  {AT_MCFG, "MCFG"},
                  {AT_HPET, "HPET"},
                  {AT_DSDT, "DSDT"}};
    static const uint32_t lengths[] = {0, 35, 40, MEM_BYTES, 0x400001, 0xffffffff};
    struct acpi_info a;
    struct fl_fail fail;
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
        make_all(false);
        mem.bytes[tables[i].at + 9] ^= 0x10;
        for (size_t k = 0; k <= ARRAY_SIZE(lengths); k++) {
            if (k > 0) {
                put_le32(mem.bytes + tables[i].at + 4, lengths[k - 1]);
                if (lengths[k - 1] >= HEADER && lengths[k - 1] < 100) {
                    fix_sum(tables[i].at, lengths[k - 1], 9);
                }
            }
            assert_int_equal(parse(&a, &fail), FL_OK);
            assert_int_equal(fail.err, FL_EBADDATA);
            assert_string_equal(fail.what, tables[i].signature);
            assert_int_equal(a.has_fadt, tables[i].at != AT_FADT);
            assert_int_equal(a.ecam_count, tables[i].at != AT_MCFG);
            assert_int_equal(a.hpet != 0, tables[i].at != AT_HPET);
            assert_int_equal(a.lapic_base != 0, tables[i].at != AT_MADT);
            assert_int_equal(a.has_s5, tables[i].at != AT_FADT && tables[i].at != AT_DSDT);
        }
    }
}

/* More I/O APICs than the list has room for: those that fit are known, the rest is named. */
static void test_many_ioapics(void **state)
{
    struct acpi_info a;
    struct fl_fail fail;
    (void)state;
    for (uint32_t over = 0; over < 2; over++) {
        uint32_t count = ACPI_IOAPIC_MAX + over;
        make_all(false);
        for (uint32_t i = 0; i < count; i++) {
            uint8_t *e = mem.bytes + AT_MADT + 44 + 12 * i;
            memset(e, 0, 12);
            e[0] = 1;
            e[1] = 12;
            put_le32(e + 4, 0xfec00000 + 0x1000 * i);
        }
        seal(AT_MADT, "APIC", 44 + 12 * count);
        assert_int_equal(parse(&a, &fail), FL_OK);
        assert_int_equal(fail.err, over == 0 ? FL_OK : FL_EBADDATA);
        assert_int_equal(a.ioapic_count, ACPI_IOAPIC_MAX);
        assert_int_equal(a.ioapic[ACPI_IOAPIC_MAX - 1],
                         0xfec00000 + 0x1000 * (ACPI_IOAPIC_MAX - 1));
    }
}

/* A length may be absurd although memory goes on. */
static void test_largest(void **state)
{
    struct acpi_info a;
    struct fl_fail fail;
    (void)state;
    for (uint32_t over = 0; over < 2; over++) {
        make_all(false);
        mem.endless = true;
        put_le32(mem.bytes + AT_HPET + 4, (uint32_t)MIB(4) + over);
        fix_sum(AT_HPET, MEM_BYTES - AT_HPET, 9);
        assert_int_equal(parse(&a, &fail), FL_OK);
        assert_int_equal(a.hpet != 0, over == 0);
        assert_int_equal(fail.err, over == 0 ? FL_OK : FL_EBADDATA);
    }
}

static void test_root_entries(void **state)
{
    struct acpi_info a;
    struct fl_fail fail;
    (void)state;
    make_all(false);
    add_to_root(0); /* some firmware leaves holes */
    assert_int_equal(parse(&a, &fail), FL_OK);
    assert_int_equal(fail.err, FL_OK);
    add_to_root(MEM_BASE + MEM_BYTES - 2); /* its signature would end outside */
    assert_int_equal(parse(&a, &fail), FL_OK);
    assert_int_equal(fail.err, FL_EBADDATA);
    check_all(&a);
    /* A root that lists itself, or the same table again, is no loop. */
    make_all(false);
    add_to_root(MEM_BASE + AT_ROOT);
    add_to_root(MEM_BASE + AT_HPET);
    assert_int_equal(parse(&a, &fail), FL_OK);
    check_all(&a);
    /* More tables than anyone has: bounded. */
    make_root(false);
    root.entries = 3000;
    seal_root();
    assert_int_equal(parse(&a, &fail), FL_OK);
    assert_non_null(strstr(fail.text, "too many tables"));
}

static void test_fadt(void **state)
{
    struct acpi_info a;
    struct fl_fail fail;
    uint8_t *f = mem.bytes + AT_FADT;
    (void)state;
    /* ACPI 1.0: 116 bytes, no reset register. */
    make_all(false);
    make_fadt(116);
    assert_int_equal(parse(&a, &fail), FL_OK);
    assert_int_equal(a.pm_timer.address, 0x608);
    assert_int_equal(a.reset.address, 0);
    /* The newer fields win where they are filled. */
    make_all(false);
    put_gas(AT_FADT + 208, ACPI_SPACE_MEMORY, 0xfd000000);
    put_gas(AT_FADT + 172, 10, 0x1234); /* a space we do not speak: the old field */
    seal(AT_FADT, "FACP", 244);
    assert_int_equal(parse(&a, &fail), FL_OK);
    assert_int_equal(a.pm_timer.address, 0xfd000000);
    assert_int_equal(a.pm_timer.space, ACPI_SPACE_MEMORY);
    assert_int_equal(a.pm1a_control.address, 0x604);
    /* Ports that do not exist. */
    make_all(false);
    put_le32(f + 64, 0x10000);
    put_le32(f + 48, 0x12345678);
    put_gas(AT_FADT + 116, ACPI_SPACE_IO, 0x10cf9);
    put_gas(AT_FADT + 208, ACPI_SPACE_PCI_CONFIG, 0x40);
    seal(AT_FADT, "FACP", 244);
    assert_int_equal(parse(&a, &fail), FL_OK);
    assert_int_equal(a.pm1a_control.address, 0);
    assert_int_equal(a.smi_command, 0);
    assert_int_equal(a.reset.address, 0);
    assert_int_equal(a.pm_timer.address, 0);
    /* No PM timer; reset register not supported. */
    make_all(false);
    f[91] = 0;
    put_le32(f + 112, 0);
    seal(AT_FADT, "FACP", 244);
    assert_int_equal(parse(&a, &fail), FL_OK);
    assert_int_equal(a.pm_timer.address, 0);
    assert_int_equal(a.reset.address, 0);
    assert_false(a.pm_timer_32bit);
    /* Hardware-reduced: the sleep register instead of PM1. */
    make_all(false);
    put_le32(f + 112, 1u << 20);
    put_gas(AT_FADT + 244, ACPI_SPACE_MEMORY, 0xfd100000);
    seal(AT_FADT, "FACP", 268);
    assert_int_equal(parse(&a, &fail), FL_OK);
    assert_true(a.hw_reduced);
    assert_int_equal(a.sleep_control.address, 0xfd100000);
    assert_int_equal(a.pm1a_control.address, 0);
    assert_int_equal(a.pm_timer.address, 0);
    /* The 64-bit DSDT pointer wins; a bad one is noted. */
    make_all(false);
    put_le64(f + 140, 0x100000000ull + AT_DSDT);
    seal(AT_FADT, "FACP", 244);
    assert_int_equal(parse(&a, &fail), FL_OK);
    assert_string_equal(fail.what, "DSDT");
    assert_false(a.has_s5);
}

static void test_mcfg(void **state)
{
    struct acpi_info a;
    struct fl_fail fail;
    (void)state;
    make_all(false);
    put_mcfg(1, 0, 1, 0, 255);                                 /* no address */
    put_mcfg(2, 0xe0000000, 1, 9, 8);                          /* last before first */
    put_mcfg(3, 0xe0000800, 1, 0, 8);                          /* not aligned */
    put_mcfg(4, UINT64_MAX - 0xfffffff + 0x200000, 1, 0, 255); /* wraps around */
    put_mcfg(5, 0xd0000000, 0, 255, 255);                      /* bus of the first entry */
    put_mcfg(6, 0xd0000000, 1, 16, 31);                        /* good */
    assert_int_equal(parse(&a, &fail), FL_OK);
    assert_string_equal(fail.what, "MCFG");
    assert_int_equal(a.ecam_count, 2);
    assert_int_equal(a.ecam[1].segment, 1);
    assert_int_equal(a.ecam[1].bus_first, 16);
    assert_int_equal(a.ecam[1].bus_last, 31);
    for (uint16_t i = 0; i < ACPI_ECAM_MAX; i++) {
        put_mcfg(i, 0xe0000000, i, 0, 255);
    }
    assert_int_equal(parse(&a, &fail), FL_OK);
    assert_int_equal(a.ecam_count, ACPI_ECAM_MAX);
    assert_int_equal(fail.err, FL_OK);
    put_mcfg(ACPI_ECAM_MAX, 0xe0000000, 99, 0, 255);
    assert_int_equal(parse(&a, &fail), FL_OK);
    assert_int_equal(a.ecam_count, ACPI_ECAM_MAX);
    assert_non_null(strstr(fail.text, "too many"));
    /* A piece of an entry at the end is no entry. */
    put_mcfg(0, 0xe0000000, 0, 0, 255);
    seal(AT_MCFG, "MCFG", 44 + 15);
    assert_int_equal(parse(&a, &fail), FL_OK);
    assert_int_equal(a.ecam_count, 0);
}

static void test_madt_entry_length(void **state)
{
    struct acpi_info a;
    struct fl_fail fail;
    (void)state;
    for (uint8_t bad = 0; bad < 2; bad++) {
        make_all(false);
        uint32_t bytes = make_madt();
        mem.bytes[AT_MADT + 44 + 8 + 1] = bad; /* the second entry */
        seal(AT_MADT, "APIC", bytes);
        assert_int_equal(parse(&a, &fail), FL_OK);
        assert_string_equal(fail.what, "APIC");
        assert_int_equal(a.cpus, 1);
    }
    make_all(false);
    uint32_t bytes = make_madt();
    seal(AT_MADT, "APIC", bytes - 1); /* the last entry is cut */
    assert_int_equal(parse(&a, &fail), FL_OK);
    assert_string_equal(fail.what, "APIC");
    assert_int_equal(a.cpus, 2);
    assert_int_equal(a.lapic_base, 0xfee00000);
    /* The x2APIC entry is cut behind the part that is looked at. */
    make_all(false);
    (void)make_madt();
    seal(AT_MADT, "APIC", 44 + 3 * 8 + 12 + 14);
    assert_int_equal(parse(&a, &fail), FL_OK);
    assert_string_equal(fail.what, "APIC");
    assert_int_equal(a.cpus, 1);
    /* No CPU at all: at least one reads this. */
    make_all(false);
    seal(AT_MADT, "APIC", 44);
    assert_int_equal(parse(&a, &fail), FL_OK);
    assert_int_equal(a.cpus, 1);
}

/* A button of the PM1 blocks: not one of the DSDT, nor where the blocks are missing or too short.
 */
static void test_power_button(void **state)
{
    struct acpi_info a;
    struct fl_fail fail;
    (void)state;
    for (unsigned c = 0; c < 5; c++) {
        make_all(false);
        uint8_t *f = mem.bytes + AT_FADT;
        put_le32(f + 112, get_le32(f + 112) | (c == 1 ? 1u << 4 : 0) | (c == 4 ? 1u << 20 : 0));
        put_le32(f + 56, c == 2 ? 0 : 0x600);
        f[88] = c == 3 ? 3 : 4;
        seal(AT_FADT, "FACP", 244);
        assert_int_equal(parse(&a, &fail), FL_OK);
        assert_int_equal(a.power_button, c == 0);
    }
    /* The newer fields win, and there may be two blocks. */
    make_all(false);
    put_gas(AT_FADT + 148, ACPI_SPACE_MEMORY, 0xfed80800);
    put_gas(AT_FADT + 160, ACPI_SPACE_IO, 0x620);
    seal(AT_FADT, "FACP", 244);
    assert_int_equal(parse(&a, &fail), FL_OK);
    assert_int_equal(a.pm1a_event.space, ACPI_SPACE_MEMORY);
    assert_int_equal(a.pm1a_event.address, 0xfed80800);
    assert_int_equal(a.pm1b_event.address, 0x620);
}

static bool s5_found(const uint8_t *aml, size_t n, uint32_t at, uint32_t bytes, struct acpi_info *a)
{
    struct fl_fail fail;
    make_all(false);
    make_dsdt(at, aml, n, bytes);
    assert_int_equal(parse(a, &fail), FL_OK);
    assert_int_equal(fail.err != FL_OK, !a->has_s5);
    return a->has_s5;
}

static void test_s5(void **state)
{
    struct acpi_info a;
    (void)state;
    /* Anywhere, also across the borders of the pieces that are read at a time. */
    for (uint32_t at = HEADER; at <= HEADER + 600; at++) {
        assert_true(s5_found(s5, sizeof(s5), at, HEADER + 600 + sizeof(s5), &a));
        assert_int_equal(a.s5_a, 5);
        assert_int_equal(a.s5_b, 1);
    }
    /* Cut at the end of the table: the package does not lie in it. */
    for (uint32_t n = 1; n <= sizeof(s5); n++) {
        assert_int_equal(s5_found(s5, n, 300, 300 + n, &a), n == sizeof(s5));
    }
    static const uint8_t root_and_widths[] = {0x08, 0x5c, '_',  'S', '5', '_', 0x12, 0xcd, 0, 0,
                                              0,    0x02, 0x0c, 7,   0,   0,   0,    0x0b, 3, 0};
    /* The longest form: both numbers of four bytes. At a border none of its bytes may be missed. */
    static const uint8_t longest[] = {0x08, 0x5c, '_', 'S', '5', '_', 0x12, 0xcf, 0, 0, 0,
                                      0x02, 0x0c, 6,   0,   0,   0,   0x0c, 2,    0, 0, 0};
    for (uint32_t at = HEADER; at <= HEADER + 600; at++) {
        assert_true(s5_found(longest, sizeof(longest), at, HEADER + 600 + sizeof(longest), &a));
        assert_int_equal(a.s5_a, 6);
        assert_int_equal(a.s5_b, 2);
    }
    assert_true(s5_found(root_and_widths, sizeof(root_and_widths), 100, 400, &a));
    assert_int_equal(a.s5_a, 7);
    assert_int_equal(a.s5_b, 3);
    /* Not what we can use: too large, too few, not a constant, not a package, another name; a
     * package that ends before its second number, or in its length; bits that must be zero. */
    static const uint8_t bad[][13] = {
        {0x08, '_', 'S', '5', '_', 0x12, 0x07, 0x04, 0x0a, 8, 0x01, 0x00, 0x00},
        {0x08, '_', 'S', '5', '_', 0x12, 0x07, 0x01, 0x0a, 5, 0x01, 0x00, 0x00},
        {0x08, '_', 'S', '5', '_', 0x12, 0x07, 0x04, 0x0d, 5, 0x01, 0x00, 0x00},
        {0x08, '_', 'S', '5', '_', 0x11, 0x07, 0x04, 0x0a, 5, 0x01, 0x00, 0x00},
        {0x08, '_', 'S', '4', '_', 0x12, 0x07, 0x04, 0x0a, 5, 0x01, 0x00, 0x00},
        {0x08, '_', 'S', '5', '_', 0x12, 0x07, 0x04, 0x0c, 5, 0x00, 0x00, 0x01},
        {0x08, '_', 'S', '5', '_', 0x12, 0x07, 0x04, 0x0a, 5, 0x0a, 8, 0x00},
        {0x08, '_', 'S', '5', '_', 0x12, 0x07, 0x04, 0x06, 5, 0x01, 0x00, 0x00},
        {0x07, '_', 'S', '5', '_', 0x12, 0x07, 0x04, 0x0a, 5, 0x01, 0x00, 0x00},
        {0x08, '_', 'S', '5', '_', 0x12, 0x04, 0x04, 0x0a, 5, 0x01, 0x00, 0x00},
        {0x08, '_', 'S', '5', '_', 0x12, 0x00, 0x04, 0x0a, 5, 0x01, 0x00, 0x00},
        {0x08, '_', 'S', '5', '_', 0x12, 0x57, 0x00, 0x04, 0x01, 0x01, 0x00, 0x00},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_false(s5_found(bad[i], sizeof(bad[i]), 64, 400, &a));
    }
    /* The longest package that still lies in the table, and one byte more. */
    for (uint32_t length = 330; length <= 331; length++) {
        const uint8_t wide[] = {0x08,
                                '_',
                                'S',
                                '5',
                                '_',
                                0x12,
                                (uint8_t)(0x40 | (length & 0xf)),
                                (uint8_t)(length >> 4),
                                0x04,
                                0x01,
                                0x0a,
                                5};
        assert_int_equal(s5_found(wide, sizeof(wide), 64, 64 + 6 + 330, &a), length == 330);
    }
}

/* Two that say the same are one; two that differ are none, whichever tables they are in. */
static void test_s5_again(void **state)
{
    struct acpi_info a;
    struct fl_fail fail;
    (void)state;
    for (unsigned c = 0; c < 4; c++) {
        const bool differs = (c & 1) != 0, in_ssdt = (c & 2) != 0;
        make_all(false);
        const uint32_t table = in_ssdt ? AT_SSDT : AT_DSDT;
        memset(mem.bytes + AT_SSDT, 0xa3, 300);
        memcpy(mem.bytes + table + 250, s5, sizeof(s5));
        mem.bytes[table + 250 + 9] = differs ? 4 : 5;
        seal(AT_DSDT, "DSDT", 600);
        seal(AT_SSDT, "SSDT", 300);
        add_to_root(MEM_BASE + AT_SSDT);
        assert_int_equal(parse(&a, &fail), FL_OK);
        assert_int_equal(a.has_s5, !differs);
        assert_int_equal(fail.err != FL_OK, differs);
        if (differs) {
            assert_non_null(strstr(fail.text, "another \\_S5"));
        }
    }
    /* Only in an SSDT. */
    make_all(false);
    make_dsdt(200, s5, 0, 600);
    memset(mem.bytes + AT_SSDT, 0xa3, 300);
    memcpy(mem.bytes + AT_SSDT + 100, s5, sizeof(s5));
    seal(AT_SSDT, "SSDT", 300);
    add_to_root(MEM_BASE + AT_SSDT);
    assert_int_equal(parse(&a, &fail), FL_OK);
    assert_int_equal(fail.err, FL_OK);
    assert_true(a.has_s5);
    assert_int_equal(a.s5_a, 5);
    /* A damaged one does not count. */
    mem.bytes[AT_SSDT + 200] ^= 1;
    assert_int_equal(parse(&a, &fail), FL_OK);
    assert_false(a.has_s5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_root_damaged),
        cmocka_unit_test(test_one_damaged),
        cmocka_unit_test(test_many_ioapics),
        cmocka_unit_test(test_largest),
        cmocka_unit_test(test_root_entries),
        cmocka_unit_test(test_fadt),
        cmocka_unit_test(test_mcfg),
        cmocka_unit_test(test_madt_entry_length),
        cmocka_unit_test(test_power_button),
        cmocka_unit_test(test_s5),
        cmocka_unit_test(test_s5_again),
    };
    return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
