# SPDX-License-Identifier: MIT
# docs/adding-a-chip.md, done: one row more in each table (driver, model, synthetic files), nothing else.
# The objects come before the libraries, which then have nothing left to give of these files.
NEW_CHIP := build/asan/new-chip
$(NEW_CHIP)/driver.c: gsp/hw/chips.c tests/unit/rules.mk
	@mkdir -p $(@D)
	$(Q)sed '/AMPERE_ADA("ga107"/a AMPERE_ADA("ga108", 0x178, F_GA10X, "ga10x", "ga102", "ga102"),' $< > $@
$(NEW_CHIP)/model.c: tests/model/chips.c tests/unit/rules.mk
	@mkdir -p $(@D)
	$(Q)sed '/GA10X("ga107", 7)/a GA10X("ga108", 8),' $< > $@
$(NEW_CHIP)/synth.c: tests/synth/synth.c tests/unit/rules.mk
	@mkdir -p $(@D)
	$(Q)sed '/{"ga107", SYNTH_AMPERE/i {"ga108", SYNTH_AMPERE, false},' $< > $@
$(NEW_CHIP)/%.o: $(NEW_CHIP)/%.c build/asan/.flags | $(GEN_HEADERS)
	$(call say,CC,$@)
	$(Q)$(asan_CC) $(HOST_CPPFLAGS) $(HOST_CFLAGS) $(asan_INSTR) -MMD -MP -c -o $@ $<
build/asan/tests/unit/test_new_chip: $(NEW_CHIP)/driver.o $(NEW_CHIP)/model.o $(NEW_CHIP)/synth.o
-include $(wildcard $(NEW_CHIP)/*.d)

# Runs the program that lies beside it.
build/asan/tests/unit/test_model_program: | build/asan/gpu-model

# Sensors that measure what a test says.
$(addprefix build/asan/tests/unit/test_,metrics metrics_judged health status events_gpu): private asan_INSTR += -Wl,--wrap=gsp_get_sensors
build/asan/tests/unit/test_events_gpu: private asan_INSTR += -Wl,--wrap=gsp_sensor_samples

# A day of virtual time; make test lets a few minutes pass.
.PHONY: soak
soak: build/asan/tests/unit/test_soak ## a GPU, a client that polls and one that listens, for a day of virtual time
	$(Q)SOAK_MINUTES=$(or $(SOAK_MINUTES),1440) build/asan/tests/unit/test_soak
