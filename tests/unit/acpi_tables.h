/* SPDX-License-Identifier: MIT */
/* Good ACPI tables, built byte by byte as QEMU's q35 with OVMF has them. */
#pragma once

#include "tests/unit/phys_mem.h"

enum {
    AT_RSDP = 0x0040,
    AT_ROOT = 0x0100,
    AT_FADT = 0x0400,
    AT_MADT = 0x0800,
    AT_MCFG = 0x1000,
    AT_HPET = 0x2000,
    AT_DSDT = 0x3000,
    AT_SSDT = 0x5000
};
enum { HEADER = 36 };

static struct {
    uint32_t entries;
    bool rsdt; /* 4-byte entries */
} root;

/* Header and sum of a table whose body is there already. */
static inline void seal(uint32_t at, const char *signature, uint32_t bytes)
{
    memcpy(mem.bytes + at, signature, 4);
    put_le32(mem.bytes + at + 4, bytes);
    fix_sum(at, bytes, 9);
}

static inline void seal_root(void)
{
    uint32_t width = root.rsdt ? 4 : 8;
    seal(AT_ROOT, root.rsdt ? "RSDT" : "XSDT", HEADER + width * root.entries);
}

static inline void add_to_root(uint64_t address)
{
    uint8_t *e = mem.bytes + AT_ROOT + HEADER + root.entries * (root.rsdt ? 4 : 8);
    if (root.rsdt) {
        put_le32(e, (uint32_t)address);
    } else {
        put_le64(e, address);
    }
    root.entries++;
    seal_root();
}

static inline void make_root(bool rsdt)
{
    uint8_t *r = mem.bytes + AT_RSDP;
    memset(&mem, 0, sizeof(mem));
    root.entries = 0;
    root.rsdt = rsdt;
    memcpy(r, "RSD PTR ", 8);
    r[15] = rsdt ? 0 : 2;
    put_le32(r + 16, rsdt ? (uint32_t)MEM_BASE + AT_ROOT : 0);
    put_le32(r + 20, 36);
    put_le64(r + 24, rsdt ? 0 : MEM_BASE + AT_ROOT);
    fix_sum(AT_RSDP, 20, 8);
    fix_sum(AT_RSDP, 36, 32);
    seal_root();
}

static inline void put_gas(uint32_t at, uint8_t space, uint64_t address)
{
    mem.bytes[at] = space;
    put_le64(mem.bytes + at + 4, address);
}

/* As QEMU's q35 with OVMF has it. */
static inline void make_fadt(uint32_t bytes)
{
    uint8_t *f = mem.bytes + AT_FADT;
    put_le32(f + 40, (uint32_t)MEM_BASE + AT_DSDT);
    put_le32(f + 48, 0xb2);
    f[52] = 2;
    put_le32(f + 56, 0x600);
    put_le32(f + 64, 0x604);
    f[88] = 4;
    put_le32(f + 76, 0x608);
    f[91] = 4;
    put_le32(f + 112, 1u << 10 | 1u << 8);
    if (bytes > 116) {
        put_gas(AT_FADT + 116, ACPI_SPACE_IO, 0xcf9);
        f[128] = 0x0f;
    }
    seal(AT_FADT, "FACP", bytes);
}

static const uint8_t s5[] = {0x08, '_', 'S', '5', '_', 0x12, 0x07, 0x04, 0x0a, 5, 0x01, 0x00, 0x00};

static inline void make_dsdt(uint32_t at, const uint8_t *aml, size_t n, uint32_t bytes)
{
    memset(mem.bytes + AT_DSDT, 0xa3, bytes);
    memcpy(mem.bytes + AT_DSDT + at, aml, n);
    seal(AT_DSDT, "DSDT", bytes);
}

static inline uint32_t make_madt(void)
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

static inline void put_mcfg(uint32_t i, uint64_t base, uint16_t segment, uint8_t first,
                            uint8_t last)
{
    uint8_t *e = mem.bytes + AT_MCFG + 44 + i * 16;
    put_le64(e, base);
    put_le16(e + 8, segment);
    e[10] = first;
    e[11] = last;
    seal(AT_MCFG, "MCFG", 44 + (i + 1) * 16);
}

static inline void make_hpet(void)
{
    put_gas(AT_HPET + 40, ACPI_SPACE_MEMORY, 0xfed00000);
    seal(AT_HPET, "HPET", 56);
}

static inline void make_all(bool rsdt)
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
