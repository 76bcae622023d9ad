/* SPDX-License-Identifier: MIT */
/* A server in a process of its own and a client connected to it, for tests of the wire. */
#pragma once

#include "tests/unit/remote_client.h"

struct remote_fixture {
    struct remote_server server;
    struct remote_client client;
    uint64_t expected_writes; /* what the model shall have seen in the end; 0: anything */
};
extern struct remote_fixture rf;

/* cmocka's set-up and teardown: a server of a GA102; it ended well and holds no memory. */
int rf_open(void **state);
int rf_close(void **state);
enum remote_status rf_call(struct remote_request q);
/* The request is refused with words that hold `words`, and the connection goes on. */
void rf_refused(struct remote_request q, const char *words);
void rf_map(uint32_t bar);
uint32_t rf_read32(uint64_t off); /* of BAR 0 */
void rf_write32(uint64_t off, uint32_t v);
