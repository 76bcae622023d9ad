# SPDX-License-Identifier: MIT
# The machine. arch/acpi*.c and arch/smbios.c are pure and arch/ioapic.c sees registers only through
# arch/mmio.h, so the host tests them.
KERNEL_SRCS += arch/x86_64/entry.S $(addprefix arch/x86_64/,start.c tables.c trap.c irq.c apic.c \
    paging.c memory.c clock.c firmware.c power.c machine.c serial.c console.c libc.c \
    libc_$(LIBC).c)
COMMON_SRCS += arch/acpi.c arch/acpi_aml.c arch/smbios.c arch/ioapic.c
UNIT_TESTS += tests/unit/test_acpi.c tests/unit/test_acpi_list.c tests/unit/test_smbios.c tests/unit/test_ioapic.c
FUZZ_TARGETS += tests/fuzz/fuzz_acpi.c
