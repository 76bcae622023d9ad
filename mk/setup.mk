# SPDX-License-Identifier: MIT
# The tool root: packages from apt; libraries, QEMU and firmware in the user's cache. The set-up
# writes build/deps.mk, which says where everything lies; make runs it by itself when it is missing
# or out of date, or when the cache has lost something.

CACHE_DIR := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/firstlight

ifneq ($(words $(CURDIR)),1)
$(error make cannot work below a directory whose name has spaces: $(CURDIR))
endif
ifeq ($(filter picolibc newlib,$(LIBC)),)
$(error LIBC=$(LIBC) is unknown; there are LIBC=picolibc and LIBC=newlib)
endif

GOALS := $(or $(MAKECMDGOALS),all)
# These build nothing of ours, so they set nothing up.
NO_SETUP := help clean distclean format test-other-debian debian-updates
# These start the virtual machine or need firmware; the rest does with the libraries.
MACHINE_GOALS := setup run test test-api test-newlib bench image
SETUP := images/toolroot/setup.sh
SETUP_FILES := $(SETUP) $(wildcard images/toolroot/*.py images/toolroot/*.list) \
    $(wildcard images/toolroot/patches/*.patch)

.PHONY: setup FORCE
FORCE:

ifneq ($(filter-out $(NO_SETUP),$(GOALS)),)
# Both files count as makefiles, so make brings them up to date first and then reads them anew.
include build/deps.mk
ifneq ($(filter $(MACHINE_GOALS),$(GOALS)),)
include build/.setup-machine
build/deps.mk build/.setup-machine &: $(SETUP_FILES)
	@mkdir -p build
	@$(SETUP) all
else
build/deps.mk: $(SETUP_FILES)
	@mkdir -p build
	@$(SETUP) light
endif

# picolibc is always set up; newlib only by a make that is asked for it, and then it stays.
LIBC_DIR := $(if $(filter newlib,$(LIBC)),$(NEWLIB_DIR),$(PICOLIBC_DIR))

# What deps.mk names but the cache has lost. FIRMWARE= replaces Debian's package.
ifneq ($(filter-out $(wildcard $(DEPS_LIGHT)),$(DEPS_LIGHT))$(if $(wildcard $(LIBC_DIR)),,libc),)
build/deps.mk: FORCE
endif
MACHINE_LOST := $(filter-out $(wildcard $(DEPS_MACHINE)),$(DEPS_MACHINE)) \
    $(if $(QEMU),,qemu) $(if $(FIRMWARE)$(FIRMWARE_DIR),,firmware)
ifneq ($(strip $(MACHINE_LOST)),)
build/.setup-machine: FORCE
endif
endif

setup: ## user: fetch and build what is needed (the other goals do it by themselves)
	@echo 'set up: $(CACHE_DIR)'

ifneq ($(FIRMWARE),)
FIRMWARE_DIR := $(FIRMWARE)
endif
