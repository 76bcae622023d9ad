# SPDX-License-Identifier: MIT
# The web page as a C array.
build/gen/web_page.h: net/page/index.html net/page/gen.py
	@mkdir -p $(@D)
	$(Q)python3 net/page/gen.py net/page/index.html $@
GEN_HEADERS += build/gen/web_page.h
