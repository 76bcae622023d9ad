/* SPDX-License-Identifier: MIT */
/* BLAKE2s as RFC 7693 has it: section 2.6 (IV), 2.7 (SIGMA), 3.1 (G), 3.2 (F), 3.3 (padding). */
#include "arch/blake2s.h"

#include <string.h>

enum { ROUNDS = 10, WORDS = 16 };

static const uint32_t iv[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                               0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static const uint8_t sigma[ROUNDS][WORDS] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static uint32_t ror(uint32_t x, unsigned n) { return x >> n | x << (32 - n); }

static void mix(uint32_t *v, unsigned a, unsigned b, unsigned c, unsigned d, uint32_t x, uint32_t y)
{
    v[a] += v[b] + x;
    v[d] = ror(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = ror(v[b] ^ v[c], 12);
    v[a] += v[b] + y;
    v[d] = ror(v[d] ^ v[a], 8);
    v[c] += v[d];
    v[b] = ror(v[b] ^ v[c], 7);
}

static void compress(struct blake2s *b, bool last)
{
    uint32_t v[WORDS], m[WORDS];
    for (unsigned i = 0; i < 8; i++) {
        v[i] = b->h[i];
        v[i + 8] = iv[i];
    }
    v[12] ^= (uint32_t)b->total;
    v[13] ^= (uint32_t)(b->total >> 32);
    v[14] ^= last ? UINT32_MAX : 0;
    for (unsigned i = 0; i < WORDS; i++) {
        m[i] = get_le32(b->block + 4 * i);
    }
    for (unsigned r = 0; r < ROUNDS; r++) {
        const uint8_t *s = sigma[r];
        for (unsigned i = 0; i < 4; i++) { /* the columns */
            mix(v, i, i + 4, i + 8, i + 12, m[s[2 * i]], m[s[2 * i + 1]]);
        }
        for (unsigned i = 0; i < 4; i++) { /* the diagonals */
            mix(v, i, (i + 1) % 4 + 4, (i + 2) % 4 + 8, (i + 3) % 4 + 12, m[s[8 + 2 * i]],
                m[s[9 + 2 * i]]);
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        b->h[i] ^= v[i] ^ v[i + 8];
    }
    secret_wipe(m, sizeof(m));
    secret_wipe(v, sizeof(v));
}

void blake2s_init(struct blake2s *b, const void *key, size_t key_len)
{
    /* Parameter block: digest length, key length, fanout 1, depth 1 (RFC 7693, section 2.5). */
    const uint32_t parameters = 0x01010000u | (uint32_t)key_len << 8 | BLAKE2S_BYTES;
    *b = (struct blake2s){.used = 0};
    memcpy(b->h, iv, sizeof(iv));
    b->h[0] ^= parameters;
    if (key_len != 0) { /* a key is a block of its own in front */
        memcpy(b->block, key, key_len);
        b->used = BLAKE2S_BLOCK_BYTES;
    }
}

void blake2s_add(struct blake2s *b, const void *data, size_t n)
{
    const uint8_t *p = data;
    while (n > 0) {
        if (b->used ==
            BLAKE2S_BLOCK_BYTES) { /* not before there is more: the last one is special */
            b->total += BLAKE2S_BLOCK_BYTES;
            compress(b, false);
            b->used = 0;
        }
        size_t take = BLAKE2S_BLOCK_BYTES - b->used < n ? BLAKE2S_BLOCK_BYTES - b->used : n;
        memcpy(b->block + b->used, p, take);
        b->used += take;
        p += take;
        n -= take;
    }
}

void blake2s_end(struct blake2s *b, uint8_t out[BLAKE2S_BYTES])
{
    b->total += b->used;
    memset(b->block + b->used, 0, BLAKE2S_BLOCK_BYTES - b->used);
    compress(b, true);
    for (unsigned i = 0; i < 8; i++) {
        put_le32(out + 4 * i, b->h[i]);
    }
    secret_wipe(b, sizeof(*b));
}

void secret_wipe(void *p, size_t n)
{
    memset(p, 0, n);
    __asm__ volatile("" : : "r"(p) : "memory");
}
