/* SPDX-License-Identifier: MIT */
/*
 * ACPI and SMBIOS tables from any bytes. The input is the memory at 1 MiB; the first byte chooses
 * whether checksums are mended first, so that mutations get past them.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/acpi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MEM_BASE MIB(1)
enum { RSDP_BYTES = 36, HEADER = 36, TABLES_MAX = 16 };

static struct {
    uint8_t *bytes;
    size_t size;
} mem;

static bool fake_read(void *ctx, uint64_t phys, void *buf, size_t len)
{
    (void)ctx;
    if (phys < MEM_BASE || !range_ok(phys - MEM_BASE, len, mem.size)) {
        return false;
    }
    memcpy(buf, mem.bytes + (phys - MEM_BASE), len);
    return true;
}

static void mend(uint64_t at, uint64_t bytes, uint64_t sum_at)
{
    uint8_t sum = 0;
    if (at < MEM_BASE || !range_ok(at - MEM_BASE, bytes, mem.size) || sum_at >= bytes) {
        return;
    }
    uint8_t *t = mem.bytes + (at - MEM_BASE);
    t[sum_at] = 0;
    for (uint64_t i = 0; i < bytes; i++) {
        sum = (uint8_t)(sum + t[i]);
    }
    t[sum_at] = (uint8_t)-sum;
}

static uint32_t length_at(uint64_t at)
{
    uint8_t header[HEADER];
    return fake_read(NULL, at, header, sizeof(header)) ? get_le32(header + 4) : 0;
}

/* Sums of root, tables and DSDT, in an order that leaves none broken by the next. */
static void mend_all(void)
{
    if (mem.size < RSDP_BYTES) {
        return;
    }
    memcpy(mem.bytes, "RSD PTR ", 8);
    uint64_t xsdt = get_le64(mem.bytes + 24);
    uint8_t e[8];
    for (uint64_t i = 0; i < TABLES_MAX; i++) {
        if (!fake_read(NULL, xsdt + HEADER + i * sizeof(e), e, sizeof(e))) {
            break;
        }
        uint8_t dsdt[8];
        if (fake_read(NULL, get_le64(e) + 140, dsdt, sizeof(dsdt))) {
            mend(get_le64(dsdt), length_at(get_le64(dsdt)), 9);
        }
        mend(get_le64(e), length_at(get_le64(e)), 9);
    }
    mend(xsdt, length_at(xsdt), 9);
    mend(MEM_BASE, 20, 8);
    mend(MEM_BASE, RSDP_BYTES, 32);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct phys_reader reader = {.read = fake_read};
    struct acpi_info info;
    struct fl_fail fail = {0};
    char name[40];

    if (size < 1) {
        return 0;
    }
    mem.size = size - 1;
    mem.bytes = malloc(mem.size + 1); /* of its own, so that a read beyond the end is seen */
    if (mem.bytes == NULL) {
        return 0;
    }
    memcpy(mem.bytes, data + 1, mem.size);
    if ((data[0] & 1) != 0) {
        mend_all();
    }
    if (acpi_parse(&reader, MEM_BASE, &info, &fail) == FL_OK) {
        if (info.ecam_count > ACPI_ECAM_MAX || info.ioapic_count > ACPI_IOAPIC_MAX ||
            info.cpus == 0 || info.s5_a > 7 || info.s5_b > 7) {
            abort();
        }
        for (size_t i = 0; i < info.ecam_count; i++) {
            if (info.ecam[i].bus_last < info.ecam[i].bus_first || info.ecam[i].base.raw == 0) {
                abort();
            }
        }
    }
    if ((data[0] & 2) != 0) {
        mend(MEM_BASE, 24, 5);
    }
    (void)!smbios_machine_name(&reader, MEM_BASE, name, sizeof(name));
    if (strlen(name) >= sizeof(name)) {
        abort();
    }
    free(mem.bytes);
    return 0;
}
