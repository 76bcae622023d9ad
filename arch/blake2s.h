/* SPDX-License-Identifier: MIT */
/*
 * BLAKE2s (RFC 7693) with a digest of 32 bytes, keyed or not: the hash of the random pool. Pure.
 * Small and quick on a plain CPU, and keyed without further ado, which is why Linux mixes its pool
 * with it too.
 */
#pragma once

#include "arch/base.h"

#define BLAKE2S_BYTES       32u /* of a digest; of a key at most */
#define BLAKE2S_BLOCK_BYTES 64u

struct blake2s {
    uint32_t h[8];
    uint64_t total; /* bytes compressed so far */
    uint8_t block[BLAKE2S_BLOCK_BYTES];
    size_t used; /* bytes of block */
};

/* key_len: 0 (key may be NULL) to BLAKE2S_BYTES. */
void blake2s_init(struct blake2s *b, const void *key, size_t key_len);
void blake2s_add(struct blake2s *b, const void *data, size_t n);
/* The digest; b is wiped. */
void blake2s_end(struct blake2s *b, uint8_t out[BLAKE2S_BYTES]);
/* Overwrites n bytes, also where the compiler sees nobody read them again. */
void secret_wipe(void *p, size_t n);
