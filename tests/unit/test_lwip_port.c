/* SPDX-License-Identifier: MIT */
/*
 * Initial sequence numbers of TCP (RFC 6528): the clock, and a hash of a secret and all four parts
 * of a connection.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <mbedtls/sha256.h>
#include <cmocka.h>

#include "arch/base.h"
#include "arch/host/host.h"
#include "arch/machine.h"
#include "lwip/ip_addr.h"
#include "net/stack/lwip/hooks.h"

enum { SEED = 7, SECRET_BYTES = 32 };

/* The secret is drawn once, for the first connection: what the machine gave then. */
static uint8_t secret[SECRET_BYTES];

static uint32_t isn(uint32_t local, uint16_t local_port, uint32_t remote, uint16_t remote_port)
{
    const ip_addr_t here = IPADDR4_INIT(local), there = IPADDR4_INIT(remote);
    host_clock_set(0);
    return net_tcp_isn(&here, local_port, &there, remote_port);
}

static int draw_secret(void **state)
{
    (void)state;
    host_reset();
    host_clock_set_step(0);
    host_random_seed(SEED);
    assert_int_equal(machine_random(secret, sizeof(secret)), FL_OK);
    host_random_seed(SEED);
    (void)isn(1, 2, 3, 4);
    return 0;
}

/* At time 0 the number is the hash alone: 32 bits of SHA-256 of the secret and the connection. */
static void test_the_hash(void **state)
{
    uint8_t in[SECRET_BYTES + 12], hash[32];
    (void)state;
    memcpy(in, secret, sizeof(secret));
    memcpy(in + SECRET_BYTES, "\x0a\x00\x02\x0f\x0a\x00\x02\x02\x50\x00\x39\x30", 12);
    assert_int_equal(mbedtls_sha256(in, sizeof(in), hash, 0), 0);
    assert_int_equal(isn(PP_HTONL(0x0a00020f), 80, PP_HTONL(0x0a000202), 12345), get_le32(hash));
}

static void test_each_part_matters(void **state)
{
    (void)state;
    const uint32_t numbers[] = {isn(10, 80, 20, 1000), isn(11, 80, 20, 1000),
                                isn(10, 81, 20, 1000), isn(10, 80, 21, 1000),
                                isn(10, 80, 20, 1001), isn(20, 1000, 10, 80)};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(numbers[i], numbers[j]);
        }
    }
    assert_int_equal(isn(10, 80, 20, 1000), numbers[0]); /* and nothing else does */
}

/* A connection that comes again starts above the old one: one step each 4 us. */
static void test_the_clock(void **state)
{
    const ip_addr_t here = IPADDR4_INIT(10), there = IPADDR4_INIT(20);
    (void)state;
    const uint32_t first = isn(10, 80, 20, 1000);
    host_clock_set(3999);
    assert_int_equal(net_tcp_isn(&here, 80, &there, 1000), first);
    host_clock_set(4000);
    assert_int_equal(net_tcp_isn(&here, 80, &there, 1000), (uint32_t)(first + 1));
    host_clock_set(1000000000);
    assert_int_equal(net_tcp_isn(&here, 80, &there, 1000), (uint32_t)(first + 250000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_hash),
        cmocka_unit_test(test_each_part_matters),
        cmocka_unit_test(test_the_clock),
    };
    return cmocka_run_group_tests_name("lwIP's platform", tests, draw_secret, NULL);
}
