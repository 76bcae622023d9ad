# SPDX-License-Identifier: MIT
#
# Firstlight: the one way in. `make help` lists what there is to do.
#
# The parts:  mk/config.mk  what a user may choose      mk/flags.mk  how our code is compiled
#             mk/setup.mk   the tool root               mk/build.mk  objects, libraries, programs
#             mk/work.mk    what helps while working on it
#             mk/install.mk the programs for the host in their places, and as packages
# Every room names its files in <room>/sources.mk and may add rules in <room>/rules.mk; mk/build.mk
# lists the variables that they add to.

MAKEFLAGS += --no-builtin-rules --no-builtin-variables
.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
.DEFAULT_GOAL := all

include mk/config.mk
include mk/setup.mk
include mk/flags.mk

ROOMS := arch pci mm gsp net boot client tests/model tests/synth tests/unit tests/fuzz tests/bench tests/campaign tests/linux \
    tests/boot tests/matrix tests/mutants
-include $(ROOMS:=/sources.mk)
-include $(ROOMS:=/rules.mk)

include mk/build.mk
include mk/work.mk
include mk/install.mk

.PHONY: all run test test-api test-page screenshots test-chips test-newlib test-other-debian debian-updates bench fuzz msan image check format tidy \
    setup clean distclean help

all: host efi client ## build the appliance, the GPU model, the client and the host libraries

run: efi gpu-model ## user: boot the appliance on the GPU model under QEMU; Ctrl-C ends it
	$(Q)python3 images/run.py --chip '$(CHIP)' --fw-version '$(FW)' --http-port '$(HTTP_PORT)' \
	    $(if $(HTTPS_PORT),--https-port '$(HTTPS_PORT)') --nic '$(NIC)' --gpus '$(GPUS)' --firmware-dir '$(FIRMWARE)' $(if $(GDB),--gdb) $(RUN_ARGS)

test: ## build everything and test it; the last line is "N passed, N failed"
	$(Q)$(RUN_TESTS) $(TEST_ARGS)

test-chips: efi gpu-model ## driver: boot every chip with every firmware version under QEMU; CHIPS_ARGS="tu104"
	$(Q)python3 tests/boot/test_chips.py $(or $(CHIPS_ARGS),--all)

debian-updates: ## ask Debian whether it has newer patches of the sources that we build (network)
	$(Q)python3 images/toolroot/debian_patches.py newer

test-other-debian: ## make run and make test in a bare root of the other Debian (needs root); DEBIAN_ARGS=
	$(Q)python3 tests/debian/bare.py $(DEBIAN_ARGS)

test-api: efi gpu-model ## programs of others judge the API's descriptions and call it (needs node, npm, network)
	$(Q)python3 tests/api/test_api.py

test-page: efi gpu-model ## the live page in a headless Chromium (needs it, node, npm, network); PAGE_ARGS=--no-live
	$(Q)python3 tests/api/test_page.py $(PAGE_ARGS)

screenshots: ## docs/page/*.png: the live page in all its scenes (needs Chromium, node, npm, network)
	$(Q)python3 tests/api/screenshots.py docs/page

test-newlib: ## run the boot tests with the appliance built with newlib
	$(Q)LIBC=newlib $(RUN_TESTS) --only boot $(TEST_ARGS)

bench: all benches ## run the benches: a table, and build/bench.json
	$(Q)python3 tests/bench/bench.py $(BENCH_ARGS)

fuzz: ## fuzz every target for FUZZ_SECONDS each (default 60); TARGET=name for one
	$(Q)$(RUN_TESTS) --only fuzz --fuzz-seconds $(or $(FUZZ_SECONDS),60) \
	    $(if $(TARGET),--target $(TARGET))

msan: ## the model's tests with MemorySanitizer: nothing unwritten leaves it
	$(Q)$(RUN_TESTS) --only msan

check: ## floors, licence lines, headers that stand alone, format
	$(Q)$(RUN_TESTS) --only checks

image: efi ## user: make build/image/firstlight.img: a disk image for a USB stick
	@mkdir -p build/image
	$(Q)python3 images/mkimage.py --out build/image/firstlight.img --efi $(BOOT_DIR)/BOOTX64.EFI \
	    --conf images/esp/firstlight.conf --firmware-dir '$(FIRMWARE_DIR)' --chips '$(CHIPS)' \
	    $(IMAGE_ARGS)

format: ## lay out our C files with clang-format (the pinned major version)
	$(Q)python3 tests/checks/format.py --write

tidy: ## clang-tidy over our host sources
	$(Q)clang-tidy --quiet $(filter %.c,$(COMMON_SRCS) $(HOST_SRCS) $(MODEL_SRCS)) -- \
	    $(HOST_CPPFLAGS) -std=c17

clean: ## user: remove build/ (the cache of tools and libraries stays)
	rm -rf build

distclean: clean ## user: remove build/ and the cache of tools and libraries
	rm -rf '$(CACHE_DIR)'

# "## text" behind a goal is its line here, "## user: text" and "## driver: text" put it into another
# group.
GOAL := ^\([a-z][a-z-]*\):.*\#\# 
help: ## user: this list
	@printf 'Firstlight %s\n' '$(VERSION)'
	@sed -n 's/$(GOAL)\(user\|driver\): \(.*\)/\2|\1|\3/p; s/$(GOAL)\(.*\)/work|\1|\2/p' \
	    $(MAKEFILE_LIST) | awk -F'|' -v groups='user:To use it;driver:For the developer of a driver;work:To work on it' \
	    '{ text[$$1] = text[$$1] sprintf("  make %-18s %s\n", $$2, $$3) } END { \
	       n = split(groups, g, ";"); for (i = 1; i <= n; i++) { split(g[i], t, ":"); \
	       printf "\n%s:\n%s", t[2], text[t[1]] } }'
	@printf '\nChoices, as in make run CHIP=ad102 (default in brackets):\n'
	@sed -n '/^## /{s///;N;s/: /|/;s/\n[A-Z_]* ?= */|/p}' mk/config.mk | \
	    awk -F'|' '{ printf "  %-18s %s%s\n", $$1, $$2, $$3 == "" ? "" : " [" $$3 "]" }'
