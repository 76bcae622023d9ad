# SPDX-License-Identifier: MIT
# The programs for the host in the places of a system, and as Debian packages.

.PHONY: install install-client install-gpu-model deb

# $(call put,mode,file,place below PREFIX)
put = $(Q)install -D -m $(1) $(2) '$(DESTDIR)$(PREFIX)/$(3)'

# The tables of commands and options make both (client/cmd_manual.c).
build/host/firstlight.1: build/host/firstlight
	$(Q)$< man > $@
build/host/firstlight.bash: build/host/firstlight
	$(Q)$< completion bash > $@

install: install-client install-gpu-model ## user: firstlight and gpu-model into PREFIX (DESTDIR= in front)

install-client: build/host/firstlight build/host/firstlight.1 build/host/firstlight.bash
	$(call put,755,build/host/firstlight,bin/firstlight)
	$(call put,644,build/host/firstlight.1,share/man/man1/firstlight.1)
	$(call put,644,build/host/firstlight.bash,share/bash-completion/completions/firstlight)

install-gpu-model: gpu-model
	$(call put,755,build/host/gpu-model,bin/gpu-model)

deb: client gpu-model ## user: build/deb/*.deb: firstlight and firstlight-gpu-model for Debian
	$(Q)python3 images/deb.py --version '$(VERSION)' --programs build/host --out build/deb
