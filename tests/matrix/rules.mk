# SPDX-License-Identifier: MIT
# tests/matrix/: which driver brings which chip up, and at what cost. boot_trace is a bring-up of ours
# in one process.
BOOT_TRACE := build/host/tests/matrix/boot_trace
$(BOOT_TRACE): $(BOOT_TRACE).o $(addprefix build/host/lib,firstlight.a model.a synth.a support.a)
	$(call link,host)
ALL_OBJS += $(BOOT_TRACE).o

.PHONY: matrix differences boot-trace
boot-trace: $(BOOT_TRACE)

matrix: gpu-model build/linux/job $(BOOT_TRACE) ## driver: every chip with every driver on the GPU model: docs/matrix.md
	$(Q)python3 tests/matrix/matrix.py $(MATRIX)

differences: ## driver: explain every difference between the drivers' traces of make matrix: docs/differences.md
	$(Q)python3 tests/trace/differences.py $(DIFFERENCES)
