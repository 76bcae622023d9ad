/* SPDX-License-Identifier: MIT */
/* ACPI tables: see acpi.h for the contract and the sources. */
#include "arch/acpi.h"

#include <string.h>

#include "arch/acpi_aml.h"

/* System description table header. */
enum { SDT_LENGTH = 4, SDT_HEADER_BYTES = 36 };
/* The largest tables seen are DSDTs of servers, below 1 MiB. */
#define TABLE_BYTES_MAX MIB(4)
#define TABLES_MAX      256u
#define CHUNK_BYTES     256u

/* RSDP */
enum { RSDP_REVISION = 15, RSDP_RSDT = 16, RSDP_LENGTH = 20, RSDP_XSDT = 24 };
enum { RSDP_V1_BYTES = 20, RSDP_V2_BYTES = 36, RSDP_BYTES_MAX = 256 };

struct table {
    uint64_t at;
    uint32_t bytes; /* header included; at least SDT_HEADER_BYTES */
};

struct parser {
    const struct phys_reader *mem;
    struct acpi_info *out;
    struct fl_fail *fail;
    uint64_t dsdt;
    bool s5_seen, s5_differs;
};

static bool read_phys(const struct phys_reader *mem, uint64_t at, void *buf, size_t len)
{
    return at != 0 && at <= UINT64_MAX - len && mem->read(mem->ctx, at, buf, len);
}

static void damaged(struct parser *p, const char *what, uint64_t at, const char *how)
{
    FL_FAIL(p->fail, FL_EBADDATA, what, "ACPI table %s at 0x%llx %s", what, (unsigned long long)at,
            how);
}

/* --- tables --- */

static uint8_t sum_bytes(const uint8_t *b, size_t n)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum = (uint8_t)(sum + b[i]);
    }
    return sum;
}

static bool checksum_ok(const struct phys_reader *mem, uint64_t at, uint64_t bytes)
{
    uint8_t chunk[CHUNK_BYTES];
    uint8_t sum = 0;
    for (uint64_t off = 0; off < bytes; off += sizeof(chunk)) {
        size_t n = (size_t)min_u64(sizeof(chunk), bytes - off);
        if (!read_phys(mem, at + off, chunk, n)) {
            return false;
        }
        sum = (uint8_t)(sum + sum_bytes(chunk, n));
    }
    return sum == 0;
}

/* A field of a header as text; tables are input, and people read it. */
static void to_text(char *out, const uint8_t *field, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (char)(field[i] >= ' ' && field[i] <= '~' ? field[i] : '?');
    }
    out[n] = '\0';
}

/* What the header at this address says; false when it does not lie in memory. what: its signature,
 * "?" when only the header knows. */
static bool look(struct parser *p, const char *what, uint64_t at, struct acpi_table *t)
{
    enum { REVISION = 8, OEM = 10, OEM_TABLE = 16 };
    uint8_t header[SDT_HEADER_BYTES];
    if (!read_phys(p->mem, at, header, sizeof(header))) {
        damaged(p, what, at, "does not lie in memory");
        return false;
    }
    *t = (struct acpi_table){
        .address = at, .bytes = get_le32(header + SDT_LENGTH), .revision = header[REVISION]};
    to_text(t->signature, header, sizeof(t->signature) - 1);
    to_text(t->oem, header + OEM, sizeof(t->oem) - 1);
    to_text(t->oem_table, header + OEM_TABLE, sizeof(t->oem_table) - 1);
    return true;
}

static void keep(struct acpi_info *out, const struct acpi_table *t)
{
    if (out->table_count < ACPI_TABLES_MAX) {
        out->table[out->table_count] = *t;
    }
    out->table_count++;
}

/* Checks header and sum of a table that should have this signature and at least min bytes. */
static bool open_table(struct parser *p, uint64_t at, const char *signature, uint32_t min,
                       struct table *out)
{
    uint8_t header[SDT_HEADER_BYTES];
    if (!read_phys(p->mem, at, header, sizeof(header))) {
        damaged(p, signature, at, "does not lie in memory");
        return false;
    }
    if (memcmp(header, signature, 4) != 0) {
        damaged(p, signature, at, "has another signature");
        return false;
    }
    *out = (struct table){.at = at, .bytes = get_le32(header + SDT_LENGTH)};
    if (out->bytes < SDT_HEADER_BYTES || out->bytes < min || out->bytes > TABLE_BYTES_MAX) {
        damaged(p, signature, at, "has an impossible length");
        return false;
    }
    if (!checksum_ok(p->mem, at, out->bytes)) {
        damaged(p, signature, at, "has a wrong checksum");
        return false;
    }
    return true;
}

/* Copies n bytes at offset off of the table; false when the table is shorter. */
static bool table_read(const struct parser *p, const struct table *t, uint64_t off, void *buf,
                       size_t n)
{
    return range_ok(off, n, t->bytes) && read_phys(p->mem, t->at + off, buf, n);
}

/* --- MCFG --- */

static bool ecam_overlaps(const struct acpi_info *info, const struct machine_ecam *e)
{
    for (size_t i = 0; i < info->ecam_count; i++) {
        const struct machine_ecam *o = &info->ecam[i];
        if (o->segment == e->segment && o->bus_first <= e->bus_last &&
            e->bus_first <= o->bus_last) {
            return true;
        }
    }
    return false;
}

static void parse_mcfg(struct parser *p, const struct table *t)
{
    enum { ENTRIES = 44, ENTRY_BYTES = 16, BUS_SHIFT = 20 };
    uint8_t e[ENTRY_BYTES];
    for (uint64_t off = ENTRIES; table_read(p, t, off, e, sizeof(e)); off += sizeof(e)) {
        struct machine_ecam ecam = {.segment = get_le16(e + 8),
                                    .bus_first = e[10],
                                    .bus_last = e[11],
                                    .base = {get_le64(e)}};
        uint64_t span = (uint64_t)(ecam.bus_last + 1u) << BUS_SHIFT;
        if (ecam.base.raw == 0 || !is_aligned_u64(ecam.base.raw, 1ull << BUS_SHIFT) ||
            ecam.base.raw > UINT64_MAX - span || ecam.bus_last < ecam.bus_first) {
            damaged(p, "MCFG", t->at, "has an entry that makes no sense");
        } else if (ecam_overlaps(p->out, &ecam)) {
            damaged(p, "MCFG", t->at, "names the same buses twice");
        } else if (p->out->ecam_count == ACPI_ECAM_MAX) {
            damaged(p, "MCFG", t->at, "has too many entries");
            return;
        } else {
            p->out->ecam[p->out->ecam_count++] = ecam;
        }
    }
}

/* --- MADT --- */

static void parse_madt(struct parser *p, const struct table *t)
{
    enum { MADT_LAPIC = 36, MADT_ENTRIES = 44, ENTRY_BYTES_USED = 12 };
    enum { TYPE_LAPIC = 0, TYPE_IOAPIC = 1, TYPE_LAPIC_ADDRESS = 5, TYPE_X2APIC = 9 };
    enum { LAPIC_BYTES = 8, LAPIC_FLAGS = 4, X2APIC_BYTES = 16, X2APIC_FLAGS = 8 };
    enum { IOAPIC_ADDRESS = 4 };
    const uint32_t usable = 1; /* flag 0: enabled; "may be enabled later" does not count */
    uint8_t e[ENTRY_BYTES_USED];

    if (!table_read(p, t, MADT_LAPIC, e, 4)) {
        return;
    }
    p->out->lapic_base = get_le32(e);
    p->out->cpus = 0;
    for (uint64_t off = MADT_ENTRIES; off < t->bytes;) {
        memset(e, 0, sizeof(e));
        if (!table_read(p, t, off, e, 2) || e[1] < 2 || !range_ok(off, e[1], t->bytes) ||
            !table_read(p, t, off, e, (size_t)min_u64(e[1], sizeof(e)))) {
            damaged(p, "APIC", t->at, "has an entry of impossible length");
            break;
        }
        uint8_t type = e[0], bytes = e[1];
        if (type == TYPE_LAPIC && bytes >= LAPIC_BYTES) {
            p->out->cpus += get_le32(e + LAPIC_FLAGS) & usable;
        } else if (type == TYPE_X2APIC && bytes >= X2APIC_BYTES) {
            p->out->cpus += get_le32(e + X2APIC_FLAGS) & usable;
        } else if (type == TYPE_IOAPIC && bytes >= ENTRY_BYTES_USED) {
            if (p->out->ioapic_count == ACPI_IOAPIC_MAX) {
                damaged(p, "APIC", t->at, "has more I/O APICs than a machine can have");
            } else {
                p->out->ioapic[p->out->ioapic_count++] = get_le32(e + IOAPIC_ADDRESS);
            }
        } else if (type == TYPE_LAPIC_ADDRESS && bytes >= ENTRY_BYTES_USED) {
            p->out->lapic_base = get_le64(e + 4);
        }
        off += bytes;
    }
    if (p->out->cpus == 0) {
        p->out->cpus = 1; /* the one that reads this */
    }
}

/* --- HPET --- */

static void parse_hpet(struct parser *p, const struct table *t)
{
    enum { HPET_GAS = 40 };
    uint8_t gas[12];
    if (table_read(p, t, HPET_GAS, gas, sizeof(gas)) && gas[0] == ACPI_SPACE_MEMORY) {
        p->out->hpet = get_le64(gas + 4);
    }
}

/* --- FADT --- */

enum {
    FADT_DSDT = 40,
    FADT_SMI_CMD = 48,
    FADT_ACPI_ENABLE = 52,
    FADT_PM1A_EVT = 56,
    FADT_PM1B_EVT = 60,
    FADT_PM1A_CNT = 64,
    FADT_PM1B_CNT = 68,
    FADT_PM_TMR = 76,
    FADT_PM1_EVT_LEN = 88,
    FADT_PM_TMR_LEN = 91,
    FADT_FLAGS = 112,
    FADT_RESET_REG = 116,
    FADT_RESET_VALUE = 128,
    FADT_X_DSDT = 140,
    FADT_X_PM1A_EVT = 148,
    FADT_X_PM1B_EVT = 160,
    FADT_X_PM1A_CNT = 172,
    FADT_X_PM1B_CNT = 184,
    FADT_X_PM_TMR = 208,
    FADT_SLEEP_CONTROL = 244,
    FADT_BYTES_USED = 256,
    FADT_BYTES_MIN = 116,
};
#define FADT_PWR_BUTTON    (1u << 4) /* the button is a device of the DSDT, or there is none */
#define FADT_TMR_VAL_EXT   (1u << 8)
#define FADT_RESET_REG_SUP (1u << 10)
#define FADT_HW_REDUCED    (1u << 20)
#define PORTS              0x10000u
#define PM1_EVT_LEN_MIN    4u

/* A register by its 12-byte structure; absent when that is empty or in a space we do not speak. */
static struct acpi_reg gas_reg(const uint8_t *gas)
{
    struct acpi_reg r = {.space = gas[0], .address = get_le64(gas + 4)};
    if (r.space > ACPI_SPACE_PCI_CONFIG || (r.space == ACPI_SPACE_IO && r.address >= PORTS)) {
        r.address = 0;
    }
    return r;
}

/* A register that has an old field (a port) and a newer one (any address), which wins. */
static struct acpi_reg fadt_reg(const uint8_t *f, size_t old_at, size_t gas_at)
{
    struct acpi_reg r = gas_reg(f + gas_at);
    uint32_t port = get_le32(f + old_at);
    if (r.address == 0 && port < PORTS) {
        r = (struct acpi_reg){.space = ACPI_SPACE_IO, .address = port};
    }
    return r;
}

static void parse_fadt(struct parser *p, const struct table *t)
{
    uint8_t f[FADT_BYTES_USED] = {0}; /* an older, shorter table has zeros for what it lacks */
    struct acpi_info *out = p->out;
    if (!table_read(p, t, 0, f, (size_t)min_u64(t->bytes, sizeof(f)))) {
        return;
    }
    uint32_t flags = get_le32(f + FADT_FLAGS);
    out->has_fadt = true;
    out->hw_reduced = (flags & FADT_HW_REDUCED) != 0;
    if (!out->hw_reduced) {
        out->pm1a_control = fadt_reg(f, FADT_PM1A_CNT, FADT_X_PM1A_CNT);
        out->pm1b_control = fadt_reg(f, FADT_PM1B_CNT, FADT_X_PM1B_CNT);
        out->pm1a_event = fadt_reg(f, FADT_PM1A_EVT, FADT_X_PM1A_EVT);
        out->pm1b_event = fadt_reg(f, FADT_PM1B_EVT, FADT_X_PM1B_EVT);
        out->pm1_event_bytes = f[FADT_PM1_EVT_LEN];
        out->power_button = (flags & FADT_PWR_BUTTON) == 0 && out->pm1a_event.address != 0 &&
                            out->pm1_event_bytes >= PM1_EVT_LEN_MIN;
        if (f[FADT_PM_TMR_LEN] == 4) { /* 0: there is no PM timer */
            out->pm_timer = fadt_reg(f, FADT_PM_TMR, FADT_X_PM_TMR);
            out->pm_timer_32bit = (flags & FADT_TMR_VAL_EXT) != 0;
            if (out->pm_timer.space == ACPI_SPACE_PCI_CONFIG) {
                out->pm_timer.address = 0;
            }
        }
        uint32_t smi = get_le32(f + FADT_SMI_CMD);
        out->smi_command = smi < PORTS ? smi : 0;
        out->acpi_enable = f[FADT_ACPI_ENABLE];
    } else {
        out->sleep_control = gas_reg(f + FADT_SLEEP_CONTROL);
    }
    if ((flags & FADT_RESET_REG_SUP) != 0) {
        out->reset = gas_reg(f + FADT_RESET_REG);
        out->reset_value = f[FADT_RESET_VALUE];
    }
    p->dsdt = get_le64(f + FADT_X_DSDT);
    if (p->dsdt == 0) {
        p->dsdt = get_le32(f + FADT_DSDT);
    }
}

/* --- DSDT and SSDTs: \_S5 --- */

/* Looks at every byte of a table of AML. Strings, buffers and the code of methods could imitate the
 * pattern, and what that could do is write a wrong sleep type on power-off: so two that differ are
 * none (docs/decisions/0008-acpica.md). */
static void find_s5(struct parser *p, const struct table *t, const char *signature)
{
    uint8_t window[CHUNK_BYTES + ACPI_S5_BYTES_MAX - 1];
    uint32_t type[2];
    for (uint64_t off = SDT_HEADER_BYTES; off < t->bytes; off += CHUNK_BYTES) {
        size_t n = (size_t)min_u64(sizeof(window), t->bytes - off);
        if (!table_read(p, t, off, window, n)) {
            return;
        }
        for (size_t i = 0; i < n && i < CHUNK_BYTES; i++) {
            if (window[i] != ACPI_AML_NAME ||
                !acpi_aml_s5(window + i, n - i, t->bytes - off - i, type)) {
                continue;
            }
            if (p->s5_seen && (type[0] != p->out->s5_a || type[1] != p->out->s5_b)) {
                damaged(p, signature, t->at, "has another \\_S5 again: power-off will not work");
                p->s5_differs = true;
                return;
            }
            p->s5_seen = true;
            p->out->s5_a = (uint8_t)type[0];
            p->out->s5_b = (uint8_t)type[1];
        }
    }
}

static void parse_ssdt(struct parser *p, const struct table *t) { find_s5(p, t, "SSDT"); }

/* --- root --- */

static void parse_table(struct parser *p, uint64_t at)
{
    static const struct {
        char signature[5];
        uint32_t min;
        void (*parse)(struct parser *p, const struct table *t);
    } known[] = {
        {"FACP", FADT_BYTES_MIN, parse_fadt},
        {"APIC", 44, parse_madt},
        {"MCFG", 44, parse_mcfg},
        {"HPET", 52, parse_hpet},
        {"SSDT", SDT_HEADER_BYTES, parse_ssdt},
    };
    struct acpi_table seen;
    struct table t;
    if (!look(p, "?", at, &seen)) {
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (strcmp(seen.signature, known[i].signature) != 0) {
            continue;
        }
        seen.state = ACPI_TABLE_DAMAGED;
        if (open_table(p, at, known[i].signature, known[i].min, &t)) {
            seen.state = ACPI_TABLE_USED;
            known[i].parse(p, &t);
        }
        break;
    }
    keep(p->out, &seen);
}

/* The FADT names it, not the root. */
static void parse_dsdt(struct parser *p)
{
    struct acpi_table seen;
    struct table t;
    if (p->dsdt == 0 || !look(p, "DSDT", p->dsdt, &seen)) {
        return;
    }
    seen.state = ACPI_TABLE_DAMAGED;
    if (open_table(p, p->dsdt, "DSDT", 0, &t)) {
        seen.state = ACPI_TABLE_USED;
        find_s5(p, &t, "DSDT");
        if (!p->s5_seen) {
            damaged(p, "DSDT", t.at, "has no \\_S5: power-off will not work");
        }
    }
    keep(p->out, &seen);
}

/* Each table that the root lists; entries are 8 bytes (XSDT) or 4 (RSDT). */
static void parse_root(struct parser *p, const struct table *root, size_t entry_bytes)
{
    uint64_t count = (root->bytes - SDT_HEADER_BYTES) / entry_bytes;
    if (count > TABLES_MAX) {
        damaged(p, "XSDT", root->at, "lists too many tables; the first ones are used");
        count = TABLES_MAX;
    }
    for (uint64_t i = 0; i < count; i++) {
        uint8_t e[8] = {0};
        if (!table_read(p, root, SDT_HEADER_BYTES + i * entry_bytes, e, entry_bytes)) {
            return;
        }
        if (get_le64(e) != 0) {
            parse_table(p, get_le64(e));
        }
    }
}

enum fl_err acpi_parse(const struct phys_reader *mem, uint64_t rsdp, struct acpi_info *out,
                       struct fl_fail *fail)
{
    uint8_t r[RSDP_V2_BYTES] = {0};
    struct parser p = {.mem = mem, .out = out, .fail = fail};
    struct table t;

    memset(out, 0, sizeof(*out));
    out->cpus = 1;
    if (rsdp == 0) {
        return FL_ENOENT;
    }
    if (!read_phys(mem, rsdp, r, RSDP_V1_BYTES) || memcmp(r, "RSD PTR ", 8) != 0 ||
        sum_bytes(r, RSDP_V1_BYTES) != 0) {
        damaged(&p, "RSDP", rsdp, "is damaged");
        return FL_EBADDATA;
    }
    bool v2 = r[RSDP_REVISION] >= 2;
    if (v2) {
        if (!read_phys(mem, rsdp, r, RSDP_V2_BYTES) || get_le32(r + RSDP_LENGTH) < RSDP_V2_BYTES ||
            get_le32(r + RSDP_LENGTH) > RSDP_BYTES_MAX ||
            !checksum_ok(mem, rsdp, get_le32(r + RSDP_LENGTH))) {
            damaged(&p, "RSDP", rsdp, "is damaged");
            return FL_EBADDATA;
        }
    }
    uint64_t xsdt = v2 ? get_le64(r + RSDP_XSDT) : 0;
    if (xsdt != 0 ? !open_table(&p, xsdt, "XSDT", 0, &t)
                  : !open_table(&p, get_le32(r + RSDP_RSDT), "RSDT", 0, &t)) {
        return FL_EBADDATA;
    }
    parse_root(&p, &t, xsdt != 0 ? 8 : 4);
    parse_dsdt(&p);
    out->has_s5 = p.s5_seen && !p.s5_differs;
    return FL_OK;
}
