/* SPDX-License-Identifier: MIT */
/* ACPI and SMBIOS tables, good ones and damaged ones, built byte by byte in a small fake memory. */
#include "arch/acpi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The fake memory; reads outside of it fail as reads of unmapped memory do. */
#define MEM_BASE  0x7f000000ull
#define MEM_BYTES 0x8000u
enum {
    AT_RSDP = 0x0040,
    AT_ROOT = 0x0100,
    AT_FADT = 0x0400,
    AT_MADT = 0x0800,
    AT_MCFG = 0x1000,
    AT_HPET = 0x2000,
    AT_DSDT = 0x3000,
    AT_SMBIOS = 0x6000,
    AT_SMBIOS_TABLE = 0x6100
};
enum { HEADER = 36 };

static struct {
    uint8_t bytes[MEM_BYTES];
    uint32_t root_entries;
    bool rsdt;    /* the root has 4-byte entries */
    bool endless; /* zeros behind the end instead of nothing */
} mem;

static bool fake_read(void *ctx, uint64_t phys, void *buf, size_t len)
{
    (void)ctx;
    if (mem.endless && phys >= MEM_BASE + MEM_BYTES && phys < MEM_BASE + MIB(64)) {
        memset(buf, 0, len);
        return true;
    }
    if (phys < MEM_BASE || !range_ok(phys - MEM_BASE, len, MEM_BYTES)) {
        return false;
    }
    memcpy(buf, mem.bytes + (phys - MEM_BASE), len);
    return true;
}
static const struct phys_reader reader = {.read = fake_read};

static void fix_sum(uint32_t at, uint32_t bytes, uint32_t sum_at)
{
    uint8_t sum = 0;
    mem.bytes[at + sum_at] = 0;
    for (uint32_t i = 0; i < bytes; i++) {
        sum = (uint8_t)(sum + mem.bytes[at + i]);
    }
    mem.bytes[at + sum_at] = (uint8_t)-sum;
}

/* Header and sum of a table whose body is there already. */
static void seal(uint32_t at, const char *signature, uint32_t bytes)
{
    memcpy(mem.bytes + at, signature, 4);
    put_le32(mem.bytes + at + 4, bytes);
    fix_sum(at, bytes, 9);
}

static void seal_root(void)
{
    uint32_t width = mem.rsdt ? 4 : 8;
    seal(AT_ROOT, mem.rsdt ? "RSDT" : "XSDT", HEADER + width * mem.root_entries);
}

static void add_to_root(uint64_t address)
{
    uint8_t *e = mem.bytes + AT_ROOT + HEADER + mem.root_entries * (mem.rsdt ? 4 : 8);
    if (mem.rsdt) {
        put_le32(e, (uint32_t)address);
    } else {
        put_le64(e, address);
    }
    mem.root_entries++;
    seal_root();
}

static void make_root(bool rsdt)
{
    uint8_t *r = mem.bytes + AT_RSDP;
    memset(&mem, 0, sizeof(mem));
    mem.rsdt = rsdt;
    memcpy(r, "RSD PTR ", 8);
    r[15] = rsdt ? 0 : 2;
    put_le32(r + 16, rsdt ? (uint32_t)MEM_BASE + AT_ROOT : 0);
    put_le32(r + 20, 36);
    put_le64(r + 24, rsdt ? 0 : MEM_BASE + AT_ROOT);
    fix_sum(AT_RSDP, 20, 8);
    fix_sum(AT_RSDP, 36, 32);
    seal_root();
}

static void put_gas(uint32_t at, uint8_t space, uint64_t address)
{
    mem.bytes[at] = space;
    put_le64(mem.bytes + at + 4, address);
}

/* As QEMU's q35 with OVMF has it. */
static void make_fadt(uint32_t bytes)
{
    uint8_t *f = mem.bytes + AT_FADT;
    put_le32(f + 40, (uint32_t)MEM_BASE + AT_DSDT);
    put_le32(f + 48, 0xb2);
    f[52] = 2;
    put_le32(f + 64, 0x604);
    put_le32(f + 76, 0x608);
    f[91] = 4;
    put_le32(f + 112, 1u << 10 | 1u << 8);
    if (bytes > 116) {
        put_gas(AT_FADT + 116, ACPI_SPACE_IO, 0xcf9);
        f[128] = 0x0f;
    }
    seal(AT_FADT, "FACP", bytes);
}

static const uint8_t s5[] = {0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 5, 0x01, 0x00, 0x00};

static void make_dsdt(uint32_t at, const uint8_t *aml, size_t n, uint32_t bytes)
{
    memset(mem.bytes + AT_DSDT, 0xa3, bytes);
    memcpy(mem.bytes + AT_DSDT + at, aml, n);
    seal(AT_DSDT, "DSDT", bytes);
}

static uint32_t make_madt(void)
{
    static const uint8_t entries[] = {
        0,  8,  0, 0, 1, 0, 0,    0,                             /* LAPIC, enabled */
        0,  8,  1, 1, 0, 0, 0,    0,                             /* LAPIC, disabled */
        0,  8,  2, 2, 2, 0, 0,    0,                             /* LAPIC, may be enabled later */
        1,  12, 0, 0, 0, 0, 0xc0, 0xfe, 0,  0, 0, 0,             /* IOAPIC */
        1,  8,  9, 0, 0, 0, 0xcc, 0xfe,                          /* IOAPIC, cut short */
        1,  12, 1, 0, 0, 0, 0xc4, 0xfe, 24, 0, 0, 0,             /* another */
        9,  16, 0, 0, 0, 1, 0,    0,    1,  0, 0, 0, 0, 0, 0, 0, /* x2APIC, enabled */
        77, 3,  0,                                               /* unknown */
        5,  12, 0, 0, 0, 0, 0xe0, 0xfe, 1,  0, 0, 0,             /* local APIC address */
    };
    put_le32(mem.bytes + AT_MADT + 36, 0xfee00000);
    memcpy(mem.bytes + AT_MADT + 44, entries, sizeof(entries));
    seal(AT_MADT, "APIC", 44 + sizeof(entries));
    return 44 + sizeof(entries);
}

static void put_mcfg(uint32_t i, uint64_t base, uint16_t segment, uint8_t first, uint8_t last)
{
    uint8_t *e = mem.bytes + AT_MCFG + 44 + i * 16;
    put_le64(e, base);
    put_le16(e + 8, segment);
    e[10] = first;
    e[11] = last;
    seal(AT_MCFG, "MCFG", 44 + (i + 1) * 16);
}

static void make_hpet(void)
{
    put_gas(AT_HPET + 40, ACPI_SPACE_MEMORY, 0xfed00000);
    seal(AT_HPET, "HPET", 56);
}

static void make_all(bool rsdt)
{
    make_root(rsdt);
    make_fadt(244);
    make_dsdt(200, s5, sizeof(s5), 600);
    make_madt();
    put_mcfg(0, 0xe0000000, 0, 0, 255);
    make_hpet();
    add_to_root(MEM_BASE + AT_FADT);
    add_to_root(MEM_BASE + AT_MADT);
    add_to_root(MEM_BASE + AT_MCFG);
    add_to_root(MEM_BASE + AT_HPET);
}

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
    mem.root_entries = 3000;
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
    /* Cut at the end of the table: found while both numbers are there. */
    for (uint32_t n = 1; n <= sizeof(s5); n++) {
        assert_int_equal(s5_found(s5, n, 300, 300 + n, &a), n >= 11);
    }
    static const uint8_t root_and_widths[] = {0x08, 0x5c, '_',  'S', '5', '_', 0x12, 0xc9, 0, 0,
                                              0,    0x02, 0x0c, 7,   0,   0,   0,    0x0b, 3, 0};
    assert_true(s5_found(root_and_widths, sizeof(root_and_widths), 100, 400, &a));
    assert_int_equal(a.s5_a, 7);
    assert_int_equal(a.s5_b, 3);
    /* Not what we can use: too large, too few, not a constant, not a package, another name. */
    static const uint8_t bad[][13] = {
        {0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 8, 0x01, 0x00, 0x00},
        {0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x01, 0x0a, 5, 0x01, 0x00, 0x00},
        {0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0d, 5, 0x01, 0x00, 0x00},
        {0x08, '_', 'S', '5', '_', 0x11, 0x06, 0x04, 0x0a, 5, 0x01, 0x00, 0x00},
        {0x08, '_', 'S', '4', '_', 0x12, 0x06, 0x04, 0x0a, 5, 0x01, 0x00, 0x00},
        {0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0c, 5, 0x00, 0x00, 0x01},
        {0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x0a, 5, 0x0a, 8, 0x00},
        {0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x06, 5, 0x01, 0x00, 0x00},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_false(s5_found(bad[i], sizeof(bad[i]), 64, 400, &a));
    }
}

/* --- SMBIOS --- */

static const uint8_t smbios_good[] = "\x00\x18\x00\x00zzzzzzzzzzzzzzzzzzzz"
                                     "EDK II\0"
                                     "1.0\0\0"
                                     "\x20\x04\x05\x00\0\0" /* a structure without strings */
                                     "\x01\x1b\x01\x00\x02\x03zzzzzzzzzzzzzzzzzzzzz"
                                     "pc-q35\0"
                                     "QEMU\0"
                                     "Standard PC\0\0"
                                     "\x7f\x04\x02\x00\0";

static void make_smbios(bool v3, const void *table, uint32_t bytes)
{
    uint8_t *e = mem.bytes + AT_SMBIOS;
    memset(e, 0, 32);
    memcpy(mem.bytes + AT_SMBIOS_TABLE, table, bytes);
    if (v3) {
        memcpy(e, "_SM3_", 5);
        e[6] = 24;
        put_le32(e + 12, bytes);
        put_le64(e + 16, MEM_BASE + AT_SMBIOS_TABLE);
        fix_sum(AT_SMBIOS, 24, 5);
    } else {
        memcpy(e, "_SM_", 4);
        e[5] = 31;
        put_le16(e + 22, (uint16_t)bytes);
        put_le32(e + 24, (uint32_t)MEM_BASE + AT_SMBIOS_TABLE);
        fix_sum(AT_SMBIOS, 31, 4);
    }
}

static enum fl_err name(char *out, size_t size)
{
    memset(out, 'x', size);
    return smbios_machine_name(&reader, MEM_BASE + AT_SMBIOS, out, size);
}

static void test_smbios(void **state)
{
    char out[64];
    (void)state;
    memset(&mem, 0, sizeof(mem));
    for (int v3 = 0; v3 < 2; v3++) {
        make_smbios(v3 != 0, smbios_good, sizeof(smbios_good));
        assert_int_equal(name(out, sizeof(out)), FL_OK);
        assert_string_equal(out, "QEMU Standard PC");
        /* Cut, and terminated, at every size. */
        for (size_t size = 2; size < 17; size++) {
            assert_int_equal(name(out, size), FL_OK);
            assert_memory_equal(out, "QEMU Standard PC", size - 1 == 5 ? 4 : size - 1);
            assert_true(strlen(out) < size);
        }
        mem.bytes[AT_SMBIOS + 12] ^= 1;
        assert_int_equal(name(out, sizeof(out)), FL_EBADDATA);
        assert_string_equal(out, "");
    }
    assert_int_equal(smbios_machine_name(&reader, 0, out, sizeof(out)), FL_ENOENT);
    assert_int_equal(smbios_machine_name(&reader, 0x1000, out, sizeof(out)), FL_EBADDATA);
    assert_int_equal(smbios_machine_name(&reader, UINT64_MAX - 4, out, sizeof(out)), FL_EBADDATA);
}

static void test_smbios_damaged(void **state)
{
    char out[64];
    uint8_t t[sizeof(smbios_good)];
    (void)state;
    memset(&mem, 0, sizeof(mem));
    /* Cut anywhere: never an answer from beyond the end. */
    for (uint32_t n = 0; n < sizeof(smbios_good); n++) {
        make_smbios(true, smbios_good, n);
        memset(mem.bytes + AT_SMBIOS_TABLE + n, 0x01, 64);
        enum fl_err err = name(out, sizeof(out));
        assert_true(err == FL_OK || err == FL_ENOENT || err == FL_EBADDATA);
        assert_non_null(strstr("QEMU Standard PC", out));
    }
    /* A structure shorter than its header, one longer than the table. */
    static const uint8_t short_one[] = "\x20\x02\0\0\x01\x06\0\0\x01\0Acme\0";
    make_smbios(true, short_one, sizeof(short_one));
    assert_int_equal(name(out, sizeof(out)), FL_EBADDATA);
    static const uint8_t long_one[] = "\x01\xff\0\0\x01\0Acme\0";
    make_smbios(true, long_one, sizeof(long_one));
    assert_int_equal(name(out, sizeof(out)), FL_EBADDATA);
    /* An entry point of another length. */
    make_smbios(true, smbios_good, sizeof(smbios_good));
    mem.bytes[AT_SMBIOS + 6] = 23;
    fix_sum(AT_SMBIOS, 24, 5);
    assert_int_equal(name(out, sizeof(out)), FL_EBADDATA);
    /* Strings longer than what is read at a time, in the wrong order. */
    static uint8_t far_back[400];
    memset(far_back, 'L', sizeof(far_back));
    memcpy(far_back, "\x01\x06\0\0\x02\x01", 6);
    memcpy(far_back + sizeof(far_back) - 8, "\0Acme\0", 7);
    make_smbios(true, far_back, sizeof(far_back));
    assert_int_equal(name(out, sizeof(out)), FL_OK);
    assert_memory_equal(out, "Acme LLL", 8);
    /* Strings that are not there, and characters that are not printable. */
    memcpy(t, smbios_good, sizeof(t));
    uint8_t *system = NULL;
    for (size_t i = 0; i + 4 < sizeof(t); i++) {
        if (memcmp(t + i, "\x01\x1b\x01\x00", 4) == 0) {
            system = t + i;
        }
    }
    assert_non_null(system);
    system[4] = 9;
    system[27 + 7] = 0x1b; /* first character of the second string */
    make_smbios(true, t, sizeof(t));
    assert_int_equal(name(out, sizeof(out)), FL_OK);
    assert_string_equal(out, "Standard PC");
    system[4] = 2;
    system[5] = 0;
    make_smbios(true, t, sizeof(t));
    assert_int_equal(name(out, sizeof(out)), FL_OK);
    assert_string_equal(out, "?EMU");
    system[4] = 0;
    make_smbios(true, t, sizeof(t));
    assert_int_equal(name(out, sizeof(out)), FL_ENOENT);
    /* A table that says to be larger than memory. */
    make_smbios(true, smbios_good, sizeof(smbios_good));
    put_le64(mem.bytes + AT_SMBIOS + 16, MEM_BASE + MEM_BYTES - 8);
    put_le32(mem.bytes + AT_SMBIOS + 12, 0xffffffff);
    fix_sum(AT_SMBIOS, 24, 5);
    assert_int_equal(name(out, sizeof(out)), FL_ENOENT);
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
        cmocka_unit_test(test_s5),
        cmocka_unit_test(test_smbios),
        cmocka_unit_test(test_smbios_damaged),
    };
    return cmocka_run_group_tests_name("acpi", tests, NULL, NULL);
}
