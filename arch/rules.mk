# SPDX-License-Identifier: MIT
# The letters on the screen, as a C array.
build/gen/font.h: $(FONT_DIR)/ter-u16b.bdf arch/x86_64/gen_font.py
	@mkdir -p $(@D)
	$(Q)python3 arch/x86_64/gen_font.py $< $@
GEN_HEADERS += build/gen/font.h
