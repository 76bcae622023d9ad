# SPDX-License-Identifier: MIT
# Chips, registers, VBIOS and firmware containers. The boot room gives chips.c to the stub too.
COMMON_SRCS += gsp/regs/regs.c gsp/chips.c gsp/digest.c gsp/vbios.c gsp/vbios_fwsec.c gsp/fwbin.c \
    gsp/fwelf.c gsp/radix3.c gsp/fwset.c build/gen/gsp_layout.c

UNIT_TESTS += tests/unit/test_regs.c tests/unit/test_chips.c tests/unit/test_vbios.c \
    tests/unit/test_fwbin.c tests/unit/test_fwelf.c tests/unit/test_radix3.c tests/unit/test_fwset.c \
    tests/unit/test_synth.c tests/unit/test_real_firmware.c
FUZZ_TARGETS += tests/fuzz/fuzz_vbios.c tests/fuzz/fuzz_containers.c tests/fuzz/fuzz_fwset.c
