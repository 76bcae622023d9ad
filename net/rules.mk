# SPDX-License-Identifier: MIT
# The web page as C arrays.
build/gen/web_page.h: $(wildcard net/page/*.html net/page/*.css net/page/*.js) net/page/gen.py
	@mkdir -p $(@D)
	$(Q)python3 net/page/gen.py net/page $@
GEN_HEADERS += build/gen/web_page.h

# What every frame and every byte of an answer passes; the rest is as small as can be.
$(addprefix $(KERNEL_DIR)/,net/stack/%.o net/nic/%.o net/http/json.o net/http/http_lwip.o arch/text.o): \
    EXTRA_CFLAGS := -O2
$(KERNEL_DIR)/third/lwip/%.o: EXTRA_CFLAGS := -O2
