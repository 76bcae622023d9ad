/* SPDX-License-Identifier: MIT */
/* What the firmware left in memory about the machine: ACPI and SMBIOS, read once at start. */
#include <string.h>

#include "arch/log.h"
#include "arch/x86_64/x86_priv.h"

static struct {
    struct acpi_info acpi;
    char name[80];
} firmware;

/* Only memory that the firmware described is read, never devices. Ranges that are not RAM for us
 * (firmware's own, the first MiB) are mapped read-only when first needed. */
static bool read_memory(void *ctx, uint64_t phys, void *buf, size_t len)
{
    (void)ctx;
    if (phys < FL_PAGE_SIZE || len == 0 || phys > UINT64_MAX - len ||
        !x86_memory_is_readable(phys, len)) {
        return false;
    }
    uint64_t from = align_down_u64(phys, FL_PAGE_SIZE);
    uint64_t to = align_up_u64(phys + len, FL_PAGE_SIZE);
    if (!x86_is_mapped(from, to - from) && !x86_map(from, from, to - from, X86_MAP_RAM_READ)) {
        return false;
    }
    memcpy(buf, (const void *)(uintptr_t)phys, len);
    return true;
}

void x86_firmware_start(void)
{
    const struct phys_reader mem = {.read = read_memory};
    const struct fl_handoff *h = machine_handoff();
    struct fl_fail fail = {.err = FL_OK};

    enum fl_err err = acpi_parse(&mem, h->rsdp, &firmware.acpi, &fail);
    if (err == FL_ENOENT) {
        log_warn("acpi", "the firmware has no ACPI tables: no ECAM, no power-off");
    } else if (fail.err != FL_OK) {
        log_warn("acpi", "%s", fail.text);
    }
    if (smbios_machine_name(&mem, h->smbios, firmware.name, sizeof(firmware.name)) == FL_EBADDATA) {
        log_warn("smbios", "tables at 0x%llx are damaged; the machine has no name",
                 (unsigned long long)h->smbios);
    }
}

const struct acpi_info *machine_acpi(void) { return &firmware.acpi; }

const char *machine_name(void) { return firmware.name; }

size_t machine_ecam(struct machine_ecam *out, size_t max)
{
    for (size_t i = 0; i < firmware.acpi.ecam_count && i < max; i++) {
        out[i] = firmware.acpi.ecam[i];
    }
    return firmware.acpi.ecam_count;
}
