/* SPDX-License-Identifier: MIT */
/* What the firmware's ACPI tables said of this machine, for the report. */
#include "arch/acpi.h"
#include "net/api/api_priv.h"

static void put_reg(struct jw *j, const char *key, const struct acpi_reg *r)
{
    static const char *const spaces[] = {"memory", "io", "pci"};
    if (r->address == 0) {
        jw_null(j, key);
        return;
    }
    jw_fmt(j, key, "%s:0x%llx", r->space < ARRAY_SIZE(spaces) ? spaces[r->space] : "?",
           (unsigned long long)r->address);
}

static void put_address(struct jw *j, const char *key, uint64_t address)
{
    if (address == 0) {
        jw_null(j, key);
        return;
    }
    jw_fmt(j, key, "0x%llx", (unsigned long long)address);
}

static void put_tables(struct jw *j, const struct acpi_info *a)
{
    static const char *const states[] = {"not read", "used", "damaged"};
    jw_u64(j, "table_count", a->table_count);
    jw_array(j, "tables");
    for (uint32_t i = 0; i < a->table_count && i < ACPI_TABLES_MAX; i++) {
        const struct acpi_table *t = &a->table[i];
        jw_object(j, NULL);
        jw_str(j, "signature", t->signature);
        put_address(j, "address", t->address);
        jw_u64(j, "bytes", t->bytes);
        jw_u64(j, "revision", t->revision);
        jw_str(j, "oem", t->oem);
        jw_str(j, "oem_table", t->oem_table);
        jw_str(j, "state", states[t->state]);
        jw_end_object(j);
    }
    jw_end_array(j);
}

static void put_buses(struct jw *j, const struct acpi_info *a)
{
    jw_array(j, "ecam");
    for (size_t i = 0; i < a->ecam_count; i++) {
        const struct machine_ecam *e = &a->ecam[i];
        jw_object(j, NULL);
        jw_u64(j, "segment", e->segment);
        jw_u64(j, "bus_first", e->bus_first);
        jw_u64(j, "bus_last", e->bus_last);
        put_address(j, "base", e->base.raw);
        jw_end_object(j);
    }
    jw_end_array(j);
    jw_array(j, "ioapics");
    for (uint32_t i = 0; i < a->ioapic_count; i++) {
        put_address(j, NULL, a->ioapic[i]);
    }
    jw_end_array(j);
}

void api_put_acpi(struct jw *j, const char *key)
{
    const struct acpi_info *a = machine_acpi();
    jw_object(j, key);
    put_tables(j, a);
    jw_u64(j, "cpus", a->cpus);
    put_address(j, "local_apic", a->lapic_base);
    put_address(j, "hpet", a->hpet);
    put_buses(j, a);
    jw_bool(j, "hardware_reduced", a->hw_reduced);
    put_reg(j, "pm_timer", &a->pm_timer);
    put_reg(j, "reset_register", &a->reset);
    jw_bool(j, "power_off", a->has_s5);
    jw_bool(j, "power_button", a->power_button);
    jw_end_object(j);
}
