# SPDX-License-Identifier: MIT
# What a user may choose on the command line of make. `make help` prints this list: one line
# "## NAME: what it is", then the default.

VERSION := 0.1.0

## CHIP: make run: the GPU that the model plays, or several: "ga102 gb202"
CHIP ?= ga102
## FW: make run: firmware version to boot the GPU with
FW ?= 570.144
## GPUS: make run: how many of each
GPUS ?= 1
## NIC: make run: network card of the virtual machine
NIC ?= virtio
## HTTP_PORT: make run: where the appliance answers on this machine
HTTP_PORT ?= 8080
## HTTPS_PORT: make run: where it answers over TLS, such as 8443: that switches TLS on; none without
HTTPS_PORT ?=
## GDB: make run: 1 lets make gdb attach to the appliance
GDB ?=
## CHIPS: make image: the chips whose firmware goes on the stick, or "all"
CHIPS ?= ga102
## FIRMWARE: a directory of your own that holds nvidia/<chip>/gsp/*.bin; else Debian's package
FIRMWARE ?=
## LIBC: C library of the appliance: picolibc or newlib
LIBC ?= picolibc
## KERNEL_OPT: optimisation of the appliance
KERNEL_OPT ?= -Os
## FUZZ_SECONDS: seconds per fuzz target (make test: 5, make fuzz: 60)
FUZZ_SECONDS ?=
## WERROR: warnings are errors: 1, 0, or auto: with the compilers of mk/flags.mk and where CI=true
WERROR ?= auto
## PREFIX: where make install puts things
PREFIX ?= /usr/local
## DESTDIR: what stands in front of it, for packagers
DESTDIR ?=
## V: 1 shows whole command lines
V ?= 0

# Tools. gcc is the compiler of the kernel and the host programs; clang that of the boot stub and
# the fuzzers.
ifeq ($(origin CC),default)
CC := gcc
endif
CC ?= gcc
CLANG ?= clang
LLD_LINK ?= lld-link
LD := ld
AR := ar
OBJCOPY := objcopy

export FUZZ_SECONDS FIRMWARE LIBC

Q := $(if $(filter 1,$(V)),,@)
# $(call say,WHAT,file): one short line per command, unless the whole command is shown.
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)')

RUN_TESTS := python3 tests/run.py
