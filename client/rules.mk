# SPDX-License-Identifier: MIT
# firstlight stands on Debian's libcurl and jansson, not on the libraries that the appliance is built
# with: it does not see their configuration.
CLIENT_OBJS := $(foreach v,host asan,$(CLIENT_SRCS:%.c=build/$(v)/%.o))
$(CLIENT_OBJS): HOST_CPPFLAGS := -I. -D_GNU_SOURCE
$(CLIENT_OBJS): client/rules.mk
ALL_OBJS += $(CLIENT_OBJS)

build/host/firstlight: $(CLIENT_SRCS:%.c=build/host/%.o)
	$(call link,host,-lcurl -ljansson)
# The same program under the sanitizers, for the tests.
build/asan/firstlight: $(CLIENT_SRCS:%.c=build/asan/%.o)
	$(call link,asan,-lcurl -ljansson)

build/fuzz/tests/fuzz/fuzz_client_tar: build/fuzz/client/tar.o
build/fuzz/tests/fuzz/fuzz_client_net: build/fuzz/client/dns.o build/fuzz/client/sse.o
build/asan/tests/unit/test_client_dns: build/asan/client/dns.o
ALL_OBJS += $(addprefix build/fuzz/client/,tar.o dns.o sse.o)

.PHONY: client client-asan
client: build/host/firstlight ## user: build/host/firstlight, for another machine: docs/client.md
client-asan: build/asan/firstlight
