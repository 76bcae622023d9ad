# SPDX-License-Identifier: MIT
COMMON_SRCS += pci/pci.c pci/caps.c pci/bars.c pci/msi.c pci/link.c pci/health.c pci/reset.c pci/ready.c pci/machine.c
UNIT_TESTS += tests/unit/test_pci.c tests/unit/test_pci_msi.c tests/unit/test_pci_reset.c tests/unit/test_pci_ready.c tests/unit/test_pci_link.c \
    tests/unit/test_pci_order.c tests/unit/test_pci_machine.c \
    tests/unit/test_pci_report.c tests/unit/test_pci_health.c
FUZZ_TARGETS += tests/fuzz/fuzz_pci.c
TEST_SUPPORT_SRCS += tests/unit/strict_card.c
