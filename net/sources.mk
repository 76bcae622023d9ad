# SPDX-License-Identifier: MIT
# The network room, lowest floor first.
COMMON_SRCS += $(addprefix net/nic/,virtio_pci.c virtio_queue.c virtio_net.c e1000e.c nic.c \
    drivers.c)
COMMON_SRCS += $(addprefix net/stack/,lwip_port.c stack.c stack_ip.c stack_tcp.c stack_assert.c netif.c \
    ipv6.c discovery.c netmain.c walltime.c syslog.c)
LWIP_SRCS += $(addprefix src/core/ipv6/,ethip6.c icmp6.c inet6.c ip6.c ip6_addr.c mld6.c nd6.c) \
    $(addprefix src/apps/mdns/,mdns.c mdns_domain.c mdns_out.c)
COMMON_SRCS += $(addprefix net/http/,json.c json_in.c request.c response.c http.c http_lwip.c listen.c \
    tls.c tls_conn.c tls_cert.c tls_port.c)
COMMON_SRCS += $(addprefix net/api/,api.c api_status.c api_metrics.c api_gpu.c api_memory.c api_net.c \
    api_acpi.c api_speed.c access.c report.c openapi.c health.c cache.c metrics_text.c metrics_dcgm.c \
    metrics_gpu.c metrics_sensors.c metrics_appliance.c accept.c pci_watch.c api_sensors.c events.c \
    event_ring.c event_stream.c status_smi.c api_sd.c page.c)
COMMON_SRCS += $(addprefix net/api/rpc/,server.c params.c discover.c gpu.c rm.c rm_params.c session.c \
    registers.c pci.c appliance.c memory.c vm.c vm_jobs.c)

UNIT_TESTS += $(addprefix tests/unit/,test_virtio_net.c test_e1000e.c test_netmain.c test_stack.c \
    test_stack_ip6.c test_ip6.c test_discovery.c test_lwip_port.c test_stack_tcp.c test_json.c test_http.c \
    test_http_conduct.c test_http_later.c test_http_lwip.c test_http_full.c test_tls.c test_tls_refused.c \
    test_tls_cert.c test_tls_lwip.c test_api.c test_api_gpu.c test_rpc_server.c test_rpc_gpu.c test_rpc_memory.c \
    test_rpc_vm.c test_rpc_jobs.c test_rpc_jobs_ends.c test_api_memory.c test_accept.c test_health.c \
    test_metrics.c test_metrics_judged.c test_events.c test_events_gpu.c test_events_lwip.c test_soak.c \
    test_status.c test_walltime.c test_syslog.c test_page.c)
TEST_SUPPORT_SRCS += tests/unit/fake_virtio.c tests/unit/wire.c
FUZZ_TARGETS += tests/fuzz/fuzz_virtio_net.c tests/fuzz/fuzz_http.c tests/fuzz/fuzz_rpc.c tests/fuzz/fuzz_tls.c \
    tests/fuzz/fuzz_events.c
BENCH_SRCS += tests/bench/bench_tls.c tests/bench/bench_api.c
LWIP_SRCS += src/apps/sntp/sntp.c
