/* SPDX-License-Identifier: MIT */
/*
 * ACPI tables: what the appliance needs of them, and no more. Pure functions over a "read physical
 * memory" callback, so the same code is tested and fuzzed on the host. The tables are input: every
 * byte is copied before it is looked at, every table's length and checksum is checked.
 *
 * Sources: ACPI 6.5 sections 5.2.5 (RSDP), 5.2.6 (header), 5.2.8 (XSDT), 5.2.9 (FADT), 5.2.12
 * (MADT), 7.4.2 (_Sx), 20.2 (AML grammar); PCI Firmware 3.3 section 4.1.2 (MCFG); IA-PC HPET 1.0a
 * section 3.2.4.
 */
#pragma once

#include "arch/base.h"
#include "arch/fail.h"
#include "arch/machine.h"

/* Physical memory to read from. */
struct phys_reader {
    /* Copies len bytes; false, and nothing read, when some of them are not memory. */
    bool (*read)(void *ctx, uint64_t phys, void *buf, size_t len);
    void *ctx; /* borrowed for the call */
};

/* Generic address structure, ACPI 6.5 table 5.1. address 0: absent. */
enum { ACPI_SPACE_MEMORY = 0, ACPI_SPACE_IO = 1, ACPI_SPACE_PCI_CONFIG = 2 };
struct acpi_reg {
    uint8_t space; /* ACPI_SPACE_*; absent registers have address 0 */
    uint64_t address;
};

#define ACPI_ECAM_MAX   32u
#define ACPI_IOAPIC_MAX 64u /* the largest servers have some 40 */

/* A table that the root or the FADT names, as its header says: for a person who reads a report. */
enum acpi_table_state { ACPI_TABLE_NOT_READ, ACPI_TABLE_USED, ACPI_TABLE_DAMAGED };
struct acpi_table {
    uint64_t address;
    uint32_t bytes;                          /* as the header says */
    char signature[5], oem[7], oem_table[9]; /* printable */
    uint8_t revision;
    enum acpi_table_state state; /* NOT_READ: of no use here, only the header was looked at */
};
#define ACPI_TABLES_MAX 64u

struct acpi_info {
    struct acpi_table table[ACPI_TABLES_MAX]; /* the first ones */
    uint32_t table_count;                     /* of all, may be more than ACPI_TABLES_MAX */
    /* MCFG */
    struct machine_ecam ecam[ACPI_ECAM_MAX];
    size_t ecam_count;
    /* MADT */
    uint64_t lapic_base;              /* 0: no MADT */
    uint32_t cpus;                    /* usable ones; 1 when there is no MADT */
    uint32_t ioapic[ACPI_IOAPIC_MAX]; /* physical addresses */
    uint32_t ioapic_count;
    /* HPET */
    uint64_t hpet; /* 0: none */
    /* FADT */
    bool has_fadt, hw_reduced;
    struct acpi_reg pm_timer, pm1a_control, pm1b_control, sleep_control, reset;
    /* PM1 event blocks: status in the first half of pm1_event_bytes, enable in the second. */
    struct acpi_reg pm1a_event, pm1b_event;
    uint8_t pm1_event_bytes;
    bool power_button; /* it is a bit of these blocks */
    bool pm_timer_32bit;
    uint8_t reset_value;
    uint32_t smi_command; /* port, 0 = none */
    uint8_t acpi_enable;  /* value that switches ACPI mode on */
    /* \_S5 of the DSDT or an SSDT: what to write to PM1a and PM1b control to power off, 0-7. False
     * where none was found, and where several differ. */
    bool has_s5;
    uint8_t s5_a, s5_b;
};

/* Fills *out from the root pointer. A table that is missing leaves its part empty; a damaged one
 * too, and is noted in *fail (the first one), while the others are still used. FL_OK when the root
 * was good, FL_ENOENT when rsdp is 0, FL_EBADDATA when the root is damaged. */
FL_MUST_CHECK enum fl_err acpi_parse(const struct phys_reader *mem, uint64_t rsdp,
                                     struct acpi_info *out, struct fl_fail *fail);

/* "Manufacturer Product" from SMBIOS (2.1 or 3.0 entry point), cut at size; printable ASCII only.
 * FL_ENOENT when there is none, FL_EBADDATA when it is damaged; *out is "" then. */
FL_MUST_CHECK enum fl_err smbios_machine_name(const struct phys_reader *mem, uint64_t entry,
                                              char *out, size_t size);
