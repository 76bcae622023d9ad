# SPDX-License-Identifier: MIT
COMMON_SRCS += net/lwip_port.c net/stack.c net/stack_tcp.c \
    net/stack_assert.c net/netif.c net/netmain.c net/nic.c net/virtio_pci.c \
    net/virtio_queue.c net/virtio_net.c net/e1000e.c
UNIT_TESTS += tests/unit/test_virtio_net.c tests/unit/test_e1000e.c \
    tests/unit/test_netmain.c tests/unit/test_stack.c tests/unit/test_stack_tcp.c
TEST_SUPPORT_SRCS += tests/unit/fake_virtio.c tests/unit/wire.c
FUZZ_TARGETS += tests/fuzz/fuzz_virtio_net.c
