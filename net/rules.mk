# SPDX-License-Identifier: MIT
# The web page as C arrays.
build/gen/web_page.h: $(wildcard net/page/*.html net/page/*.css net/page/*.js) net/page/gen.py
	@mkdir -p $(@D)
	$(Q)python3 net/page/gen.py net/page $@
GEN_HEADERS += build/gen/web_page.h
