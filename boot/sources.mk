# SPDX-License-Identifier: MIT
# The boot room: the kernel's main program and its configuration; the UEFI stub that starts it.
KERNEL_SRCS += boot/kmain.c
COMMON_SRCS += boot/config.c boot/config_gpu.c boot/unpack_files.c boot/qr.c boot/panel_words.c boot/panel_layout.c boot/panel.c
STUB_SRCS += $(addprefix boot/stub/,main.c serial.c text.c memory.c files.c gpus.c machine.c seed.c \
    exit.c leave.c plan.c plan_memory.c sbat.c trampoline.S)
STUB_COMMON_SRCS += arch/text_fixed.c gsp/hw/chips.c gsp/files/unpack_name.c
HOST_SRCS += boot/stub/plan.c boot/stub/plan_memory.c
UNIT_TESTS += tests/unit/test_stub_plan.c tests/unit/test_stub_memory.c tests/unit/test_stub_exit.c
UNIT_TESTS += tests/unit/test_qr.c tests/unit/test_panel_words.c tests/unit/test_panel.c tests/unit/test_panel_fiber.c
FUZZ_TARGETS += tests/fuzz/fuzz_stub_elf.c
