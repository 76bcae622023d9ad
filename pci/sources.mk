# SPDX-License-Identifier: MIT
COMMON_SRCS += pci/pci.c pci/caps.c pci/bars.c pci/msi.c pci/link.c pci/reset.c pci/machine.c
UNIT_TESTS += tests/unit/test_pci.c
FUZZ_TARGETS += tests/fuzz/fuzz_pci.c
