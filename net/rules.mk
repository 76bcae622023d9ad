# SPDX-License-Identifier: MIT
# The web page as C arrays.
build/gen/web_page.h: $(wildcard net/page/*.html net/page/*.css net/page/*.js) net/page/gen.py
	@mkdir -p $(@D)
	$(Q)python3 net/page/gen.py net/page $@
GEN_HEADERS += build/gen/web_page.h

# What every frame and every byte of an answer passes; the rest is as small as can be.
$(addprefix $(KERNEL_DIR)/,$(addprefix net/stack/,lwip_port.o netif.o netmain.o stack.o stack_ip.o stack_tcp.o) \
    net/nic/%.o net/http/json.o net/http/http_lwip.o arch/text.o): EXTRA_CFLAGS := -O2
$(addprefix $(KERNEL_DIR)/third/lwip/src/,$(addprefix core/,inet_chksum.o mem.o memp.o netif.o pbuf.o tcp.o tcp_in.o \
    tcp_out.o timeouts.o ipv4/etharp.o ipv4/ip4.o) netif/ethernet.o): EXTRA_CFLAGS := -O2
# The hash behind random numbers and sequence numbers, which a boot and every connection wait for.
$(KERNEL_DIR)/third/mbedtls/library/sha256.o: EXTRA_CFLAGS := -O2
