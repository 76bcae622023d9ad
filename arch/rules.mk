# SPDX-License-Identifier: MIT
# The letters on the screen, as C arrays.
build/gen/font.h: $(FONT_DIR)/ter-u16b.bdf $(FONT_DIR)/ter-u32b.bdf arch/gen_font.py
	@mkdir -p $(@D)
	$(Q)python3 arch/gen_font.py $(FONT_DIR)/ter-u16b.bdf $(FONT_DIR)/ter-u32b.bdf $@
GEN_HEADERS += build/gen/font.h
