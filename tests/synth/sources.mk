# SPDX-License-Identifier: MIT
SYNTH_SRCS += tests/synth/synth.c tests/synth/synth_vbios.c tests/synth/synth_shapes.c tests/synth/synth_fw.c \
    tests/synth/synth_elf.c
