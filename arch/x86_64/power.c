/* SPDX-License-Identifier: MIT */
/*
 * Power-off by ACPI, also by the machine's button; reset by whatever works.
 *
 * Sources: ACPI 6.5 sections 4.8.2.2.1 (power button), 4.8.3.1 (PM1 events), 4.8.3.2 (PM1
 * control), 4.8.3.7 (sleep control), 4.8.3.6 (reset register), 7.5 (waking and sleeping); reset
 * control port 0xcf9: any Intel PCH data sheet; keyboard controller command 0xfe: IBM PC AT
 * technical reference.
 */
#include "arch/clock.h"
#include "arch/fiber.h"
#include "arch/log.h"
#include "arch/mmio.h"
#include "arch/x86_64/x86_priv.h"

#define PM1_SCI_EN              (1u << 0)
#define PM1_SLP_TYP_SHIFT       10
#define PM1_SLP_TYP_MASK        (7u << PM1_SLP_TYP_SHIFT)
#define PM1_SLP_EN              (1u << 13)
#define PM1_PWRBTN              (1u << 8) /* PWRBTN_STS, PWRBTN_EN */
#define SLEEP_CONTROL_TYP_SHIFT 2
#define SLEEP_CONTROL_EN        (1u << 5)

#define ACPI_ENABLE_WAIT_US 300000u
#define POWER_WAIT_US       500000u
#define RESET_WAIT_US       50000u
#define BUTTON_LOOK_US      200000u /* nobody notices, and five reads of a port a second are nothing */

/* Waits without yielding: what comes after is the end. */
static void wait_us(uint32_t us)
{
    struct deadline d = deadline_in_us(us);
    while (!deadline_passed(d)) {
        clock_spin_us(10);
    }
}

static bool reg_read16(const struct acpi_reg *r, uint16_t *out)
{
    struct mmio m;
    if (r->address == 0 || r->space == ACPI_SPACE_PCI_CONFIG) {
        return false;
    }
    if (r->space == ACPI_SPACE_IO) {
        *out = cpu_in16((uint16_t)r->address);
        return true;
    }
    if (mmio_map((struct phys_addr){r->address}, sizeof(*out), MMIO_UNCACHED, &m) != FL_OK) {
        return false;
    }
    *out = mmio_read16(&m, 0);
    return true;
}

static void reg_write16(const struct acpi_reg *r, uint16_t v)
{
    struct mmio m;
    if (r->address == 0 || r->space == ACPI_SPACE_PCI_CONFIG) {
        return;
    }
    if (r->space == ACPI_SPACE_IO) {
        cpu_out16((uint16_t)r->address, v);
    } else if (mmio_map((struct phys_addr){r->address}, sizeof(v), MMIO_UNCACHED, &m) == FL_OK) {
        mmio_write16(&m, 0, v);
    }
}

static void reg_write8(const struct acpi_reg *r, uint8_t v)
{
    struct mmio m;
    if (r->address == 0) {
        return;
    }
    switch (r->space) {
    case ACPI_SPACE_IO:
        cpu_out8((uint16_t)r->address, v);
        break;
    case ACPI_SPACE_PCI_CONFIG:
        /* Bus 0; device in 47:32, function in 31:16, register in 15:0 (ACPI 6.5, table 5.1). */
        machine_pci_port_write(0,
                               (uint8_t)((r->address >> 32 & 0x1f) << 3 | (r->address >> 16 & 7)),
                               (uint16_t)r->address, sizeof(v), v);
        break;
    default:
        if (mmio_map((struct phys_addr){r->address}, sizeof(v), MMIO_UNCACHED, &m) == FL_OK) {
            mmio_write8(&m, 0, v);
        }
        break;
    }
}

static void sleep_write(const struct acpi_reg *r, uint8_t type)
{
    uint16_t v;
    if (!reg_read16(r, &v)) {
        return;
    }
    v = (uint16_t)((v & ~PM1_SLP_TYP_MASK) | (unsigned)type << PM1_SLP_TYP_SHIFT);
    reg_write16(r, v);
    reg_write16(r, (uint16_t)(v | PM1_SLP_EN));
}

/* Firmware that still runs in legacy mode ignores the sleep type. */
static void acpi_mode(const struct acpi_info *acpi)
{
    uint16_t v;
    struct deadline d = deadline_in_us(ACPI_ENABLE_WAIT_US);
    if (acpi->smi_command == 0 || acpi->acpi_enable == 0 || !reg_read16(&acpi->pm1a_control, &v) ||
        (v & PM1_SCI_EN) != 0) {
        return;
    }
    cpu_out8((uint16_t)acpi->smi_command, acpi->acpi_enable);
    while (!deadline_passed(d) && reg_read16(&acpi->pm1a_control, &v) && (v & PM1_SCI_EN) == 0) {
        clock_spin_us(10);
    }
}

static void console_flush(void) { x86_console_emergency("", 0); }

void machine_power_off(void)
{
    const struct acpi_info *acpi = machine_acpi();
    if (!acpi->has_s5) {
        log_error("power",
                  "cannot power off: ACPI does not say how; switch the machine off by hand");
        return;
    }
    log_info("power", "power off");
    console_flush();
    if (acpi->hw_reduced) {
        reg_write8(&acpi->sleep_control,
                   (uint8_t)((unsigned)acpi->s5_a << SLEEP_CONTROL_TYP_SHIFT | SLEEP_CONTROL_EN));
    } else {
        acpi_mode(acpi);
        sleep_write(&acpi->pm1a_control, acpi->s5_a);
        sleep_write(&acpi->pm1b_control, acpi->s5_b);
    }
    wait_us(POWER_WAIT_US);
    log_error("power", "the machine is still on %u ms after power-off", POWER_WAIT_US / 1000);
}

/* --- the power button --- */

/* Whether it was pressed since the last look; a one written to the status clears it. */
static bool button_look(const struct acpi_reg *event)
{
    enum { NO_SUCH_PORT = 0xffff };
    uint16_t status;
    if (!reg_read16(event, &status) || status == NO_SUCH_PORT || (status & PM1_PWRBTN) == 0) {
        return false;
    }
    reg_write16(event, PM1_PWRBTN);
    return true;
}

static void button_enable(const struct acpi_info *acpi, struct acpi_reg event)
{
    uint16_t enabled;
    (void)button_look(&event); /* what was pressed before counts for nothing */
    if (event.address == 0) {
        return;
    }
    event.address += acpi->pm1_event_bytes / 2u;
    if (reg_read16(&event, &enabled)) {
        reg_write16(&event, (uint16_t)(enabled | PM1_PWRBTN));
    }
}

/* The event's interrupt (SCI) is shared with all that AML would answer for, so it stays masked and
 * the status is looked at. Nor is the machine switched to ACPI mode for this: in legacy mode the
 * firmware sees the button too, and may be quicker. */
static void button_fiber(void *arg)
{
    const struct acpi_info *acpi = machine_acpi();
    (void)arg;
    for (;;) {
        fiber_sleep_us(BUTTON_LOOK_US);
        const bool a = button_look(&acpi->pm1a_event), b = button_look(&acpi->pm1b_event);
        if (a || b) {
            log_warn("power", "the power button was pressed");
            machine_power_off();
        }
    }
}

void x86_power_button_start(void)
{
    const struct acpi_info *acpi = machine_acpi();
    if (!acpi->power_button) {
        log_info("power", "ACPI's tables show no power button: pressing it does nothing");
        return;
    }
    button_enable(acpi, acpi->pm1a_event);
    button_enable(acpi, acpi->pm1b_event);
    if (fiber_spawn("power", button_fiber, NULL, 0) == NULL) {
        log_error("power", "no memory for a fiber: the power button does nothing");
    }
}

void machine_reset(void)
{
    enum { RESET_PORT = 0xcf9, RESET_WARM = 0x02, RESET_COLD_GO = 0x0e };
    enum { KEYBOARD_COMMAND = 0x64, KEYBOARD_PULSE_RESET = 0xfe };
    const struct acpi_info *acpi = machine_acpi();

    log_info("power", "reset");
    console_flush();
    cpu_irq_off();
    reg_write8(&acpi->reset, acpi->reset_value);
    if (acpi->reset.address != 0) {
        wait_us(RESET_WAIT_US);
    }
    cpu_out8(RESET_PORT, RESET_WARM);
    cpu_out8(RESET_PORT, RESET_COLD_GO);
    wait_us(RESET_WAIT_US);
    cpu_out8(KEYBOARD_COMMAND, KEYBOARD_PULSE_RESET);
    wait_us(RESET_WAIT_US);
    /* An exception without a table to handle it: the CPU gives up and resets. */
    static const uint8_t no_table[10];
    __asm__ volatile("lidt %0\n\tint3" : : "m"(no_table) : "memory");
}
