# SPDX-License-Identifier: MIT
# client/: the program firstlight, which runs on another machine.
CLIENT_SRCS := $(addprefix client/,main.c options.c access.c client.c names.c output.c shows.c http_link.c \
    rpc_link.c tar.c digest.c cmd_rpc.c cmd_gpu.c cmd_registers.c cmd_fetch.c cmd_decode.c status.c status_table.c status_check.c cmd_status.c sse.c stop.c stream.c \
    cmd_events.c cmd_watch.c dns.c cmd_discover.c cmd_manual.c)
UNIT_TESTS += tests/unit/test_client_dns.c
FUZZ_TARGETS += tests/fuzz/fuzz_client_tar.c tests/fuzz/fuzz_client_net.c
