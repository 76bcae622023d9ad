/* SPDX-License-Identifier: MIT */
/*
 * The model over TCP and clients that go: anywhere in a request, without reading, while another one
 * waits; and their memory as the GPU sees it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "arch/base.h"
#include "tests/model/wire/remote_memory.h"
#include "tests/unit/remote_fixture.h"

#define SCRATCH        0x1400u /* NV_PBUS_SW_SCRATCH(0): plain memory */
#define VENDOR         0x10deu
#define PCI_COMMAND    0x04u
#define COMMAND_MASTER 4u

/* A session with one of everything that has a payload or data; returns its bytes. */
static size_t session(uint8_t *out)
{
    static const struct {
        struct remote_request q;
        size_t payload;
    } steps[] = {
        {{.command = RPCI_PROBE, .a1 = 16, .a2 = VENDOR}, 16},
        {{.command = RPCI_MAP_BAR}, 0},
        {{.command = RPCI_MMIO_WRITE, .a0 = SCRATCH, .a1 = 8}, 8},
        {{.command = RPCI_MAP_SYSMEM, .a0 = 8192}, 0},
        {{.command = RPCI_SYSMEM_WRITE, .a0 = 100, .a1 = 20}, 20},
        {{.command = RPCI_SYSMEM_READ, .a1 = 8192}, 0},
        {{.command = RPCI_CFG_WRITE, .a0 = PCI_COMMAND, .a1 = 2, .a2 = 6}, 0},
        {{.command = RPCI_MMIO_READ, .a1 = 4}, 0},
    };
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        remote_encode(&steps[i].q, out + n);
        n += RPCI_REQUEST_BYTES;
        memset(out + n, 0x5a, steps[i].payload);
        n += steps[i].payload;
    }
    return n;
}

/* Says that nothing more will come, and reads what does until the server hangs up. */
static void leave_in_order(void)
{
    uint8_t rest[4096];
    ssize_t n;

    assert_int_equal(shutdown(rf.client.fd, SHUT_WR), 0);
    while ((n = recv(rf.client.fd, rest, sizeof(rest), 0)) > 0) {
    }
    assert_int_equal(n, 0); /* and not: it waits for more than it will get */
}

static void a_client_dies_anywhere(void **state)
{
    uint8_t bytes[512];
    const size_t n = session(bytes);
    (void)state;
    for (size_t i = 0; i <= 2 * n + 1; i++) {
        assert_true(remote_send(&rf.client, bytes, i / 2));
        if (i % 2 == 0) {
            leave_in_order();
        }
        remote_disconnect(
            &rf.client); /* with replies unread this is a reset, which overtakes data */
        assert_true(remote_connect(&rf.client, rf.server.port));
        uint32_t command = 0;
        assert_int_equal(remote_cfg_read(&rf.client, PCI_COMMAND, 2, &command), REMOTE_OK);
        assert_int_equal(command & COMMAND_MASTER, 0);
        rf_refused((struct remote_request){.command = RPCI_MMIO_READ, .a1 = 4}, "not mapped");
        rf_refused((struct remote_request){.command = RPCI_SYSMEM_READ, .a1 = 1}, "handle 0");
        rf_map(0);
        assert_int_equal(rf_read32(SCRATCH), 0);
        remote_disconnect(&rf.client);
        assert_true(remote_connect(&rf.client, rf.server.port));
    }
}

/* One that asks for much and leaves without reading it. */
static void a_client_does_not_read(void **state)
{
    uint32_t h = 0;
    uint8_t q[RPCI_REQUEST_BYTES];
    (void)state;
    assert_int_equal(remote_map_sysmem(&rf.client, MIB(64), true, &h, NULL), REMOTE_OK);
    remote_encode(&(struct remote_request){.command = RPCI_SYSMEM_READ, .bar = h, .a1 = MIB(64)},
                  q);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(remote_send(&rf.client, q, sizeof(q)));
    }
    remote_disconnect(&rf.client);
    assert_true(remote_connect(&rf.client, rf.server.port));
    assert_int_equal(rf_call((struct remote_request){.command = RPCI_PING}), REMOTE_OK);
}

/* A second client waits until the first has gone. */
static void one_at_a_time(void **state)
{
    struct remote_client second;
    uint8_t q[RPCI_REQUEST_BYTES], reply[RPCI_REPLY_BYTES];
    (void)state;
    assert_int_equal(rf_call((struct remote_request){.command = RPCI_PING}), REMOTE_OK);
    assert_true(remote_connect(&second, rf.server.port));
    remote_encode(&(struct remote_request){.command = RPCI_MAP_BAR}, q);
    assert_true(remote_send(&second, q, sizeof(q)));
    rf_map(0);
    rf_write32(SCRATCH, 1); /* still ours */
    assert_int_equal(rf_read32(SCRATCH), 1);
    remote_disconnect(&rf.client);
    assert_true(remote_receive(&second, reply, sizeof(reply)));
    assert_int_equal(reply[0], 0);
    rf.client = second;
    assert_int_equal(rf_read32(SCRATCH), 0);
}

/* ---- memory as the GPU sees it ---- */

static void memory_from_the_bus(void **state)
{
    struct remote_memory *rm = remote_memory_create();
    uint32_t a = 0, b = 0, c = 0;
    size_t len = 100;
    (void)state;
    assert_non_null(rm);
    assert_null(remote_memory_bus(rm, RPCI_MEMORY_BASE, &len));
    assert_null(remote_memory_add(rm, 3 * 4096, false, &a));
    assert_null(remote_memory_add(rm, 2 * 4096, true, &b));
    assert_null(remote_memory_add(rm, 10, false, &c));
    for (uint32_t i = 0; i < 3; i++) { /* every page of the scattered one, each on its own */
        len = 2 * 4096;
        uint8_t *p = remote_memory_bus(rm, remote_memory_page(rm, a, i) + 5, &len);
        assert_ptr_equal(p, remote_memory_client(rm, a) + 4096 * i + 5);
        assert_int_equal(len, 4096 - 5);
    }
    len = 3 * 4096;
    assert_ptr_equal(remote_memory_bus(rm, remote_memory_page(rm, b, 0) + 1, &len),
                     remote_memory_client(rm, b) + 1);
    assert_int_equal(len, 2 * 4096 - 1);
    /* Nothing before, between and behind them. */
    len = 1;
    assert_null(remote_memory_bus(rm, RPCI_MEMORY_BASE - 1, &len));
    assert_null(remote_memory_bus(rm, RPCI_MEMORY_BASE + 3 * 4096, &len));
    assert_null(remote_memory_bus(rm, remote_memory_page(rm, b, 0) - 1, &len));
    assert_null(remote_memory_bus(rm, remote_memory_page(rm, b, 0) + 2 * 4096, &len));
    assert_null(remote_memory_bus(rm, remote_memory_page(rm, c, 0) + 4096, &len));
    assert_null(remote_memory_bus(rm, UINT64_MAX, &len));
    assert_null(remote_memory_bus(rm, 0, &len));
    remote_memory_clear(rm);
    assert_null(remote_memory_bus(rm, RPCI_MEMORY_BASE, &len));
    assert_int_equal(remote_memory_bytes(rm), 0);
    remote_memory_destroy(rm);
}

int main(void)
{
#define ON_A_SERVER(f) cmocka_unit_test_setup_teardown(f, rf_open, rf_close)
    const struct CMUnitTest tests[] = {
        ON_A_SERVER(a_client_dies_anywhere),
        ON_A_SERVER(a_client_does_not_read),
        ON_A_SERVER(one_at_a_time),
        cmocka_unit_test(memory_from_the_bus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
