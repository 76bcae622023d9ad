/* SPDX-License-Identifier: MIT */
/* A server and a client of it for each case. */
#include "tests/unit/remote_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/base.h"

struct remote_fixture rf;

int rf_open(void **state)
{
    const struct model_config cfg = {.chip = "ga102", .strict = MODEL_STRICT, .seed = 1};
    (void)state;
    rf.expected_writes = 0;
    remote_server_start(&rf.server, &cfg, false);
    return remote_connect(&rf.client, rf.server.port) ? 0 : -1;
}

int rf_close(void **state)
{
    struct remote_outcome out;
    (void)state;
    remote_disconnect(&rf.client);
    if (!remote_server_stop(&rf.server, &out)) {
        print_message("the server did not end well\n");
        return -1;
    }
    if (rf.expected_writes != 0 && out.model.writes != rf.expected_writes) {
        print_message("%llu writes reached the model, expected %llu\n",
                      (unsigned long long)out.model.writes, (unsigned long long)rf.expected_writes);
        return -1;
    }
    if (out.wire.memory_bytes != 0) {
        print_message("memory of a client that has left: %llu bytes\n",
                      (unsigned long long)out.wire.memory_bytes);
        return -1;
    }
    return 0;
}

enum remote_status rf_call(struct remote_request q)
{
    return remote_call(&rf.client, &q, NULL, 0, NULL, NULL);
}

/* The request is refused with words that hold `words`, and the connection goes on. */
void rf_refused(struct remote_request q, const char *words)
{
    assert_int_equal(rf_call(q), REMOTE_REFUSED);
    if (strstr(rf.client.error, words) == NULL) {
        fail_msg("refused with '%s', expected '%s'", rf.client.error, words);
    }
    assert_int_equal(rf_call((struct remote_request){.command = RPCI_PING}), REMOTE_OK);
}

void rf_map(uint32_t bar)
{
    assert_int_equal(remote_map_bar(&rf.client, bar, NULL, NULL), REMOTE_OK);
}

uint32_t rf_read32(uint64_t off)
{
    uint8_t word[4];
    assert_int_equal(remote_mmio_read(&rf.client, 0, off, word, sizeof(word)), REMOTE_OK);
    return get_le32(word);
}

void rf_write32(uint64_t off, uint32_t v)
{
    uint8_t word[4];
    put_le32(word, v);
    assert_int_equal(remote_mmio_write(&rf.client, 0, off, word, sizeof(word)), REMOTE_OK);
}
