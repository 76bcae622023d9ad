/* SPDX-License-Identifier: MIT */
/* The random pool; see the header. */
#include "arch/random.h"

#include <string.h>

#include <mbedtls/platform_util.h>
#include <mbedtls/sha256.h>

enum { SHA256_BYTES = 32, SHA256_BLOCK_BYTES = 64 };
_Static_assert(RANDOM_KEY_BYTES == SHA256_BYTES, "a digest is the next key");

/* What a hash is for: no two uses ever hash the same bytes. */
enum tag { TAG_WORD = 'w', TAG_TICKS = 't', TAG_SEED = 's', TAG_OUT = 'o', TAG_NEXT = 'n' };
/* Words of the CPU and looks at the clock, at the start and before each draw. */
enum { START_WORDS = 8, START_LOOKS = 64, DRAW_WORDS = 1, DRAW_LOOKS = 1 };

/* One of the two hashes of RFC 2104: of the key, mixed with a constant and filled up to a block,
 * and of two pieces. out may be what was hashed. mbedTLS's own HMAC asks for memory, and the first
 * word is drawn before there is any. */
static void hmac_pass(const struct random_pool *p, uint8_t pad, const void *a, size_t a_bytes,
                      const void *b, size_t b_bytes, uint8_t out[SHA256_BYTES])
{
    mbedtls_sha256_context sha; /* its functions fail for no input */
    uint8_t block[SHA256_BLOCK_BYTES];
    memset(block, pad, sizeof(block));
    for (size_t i = 0; i < sizeof(p->key); i++) {
        block[i] ^= p->key[i];
    }
    mbedtls_sha256_init(&sha);
    (void)mbedtls_sha256_starts(&sha, 0);
    (void)mbedtls_sha256_update(&sha, block, sizeof(block));
    (void)mbedtls_sha256_update(&sha, a, a_bytes);
    (void)mbedtls_sha256_update(&sha, b, b_bytes);
    (void)mbedtls_sha256_finish(&sha, out);
    mbedtls_sha256_free(&sha);
    mbedtls_platform_zeroize(block, sizeof(block));
}

static void hash(const struct random_pool *p, enum tag tag, const void *data, size_t n,
                 uint8_t out[SHA256_BYTES])
{
    enum { INNER_PAD = 0x36, OUTER_PAD = 0x5c };
    const uint8_t t = (uint8_t)tag;
    uint8_t inner[SHA256_BYTES];
    hmac_pass(p, INNER_PAD, &t, sizeof(t), data, n, inner);
    hmac_pass(p, OUTER_PAD, inner, sizeof(inner), NULL, 0, out);
    mbedtls_platform_zeroize(inner, sizeof(inner));
}

static void add(struct random_pool *p, enum tag tag, const void *data, size_t n, size_t bits)
{
    hash(p, tag, data, n, p->key);
    p->bits = (unsigned)min_u64(p->bits + bits, RANDOM_FULL_BITS);
}

static void look_at_sources(struct random_pool *p, unsigned words, unsigned looks)
{
    uint64_t seen[START_LOOKS], word[START_WORDS];
    size_t got = 0, bits = 0;
    for (unsigned i = 0; i < looks; i++) {
        seen[i] = p->from->ticks();
    }
    add(p, TAG_TICKS, seen, looks * sizeof(*seen), 0);
    while (got < words && p->from->word(&word[got])) {
        /* The same word twice in a row is how a broken source looks: mixed in, not counted. */
        bits += word[got] != p->last ? 8 * sizeof(*word) : 0;
        p->last = word[got++];
    }
    add(p, TAG_WORD, word, got * sizeof(*word), bits);
    mbedtls_platform_zeroize(word, sizeof(word));
}

void random_init(struct random_pool *p, const struct random_sources *from)
{
    *p = (struct random_pool){.from = from};
    look_at_sources(p, START_WORDS, START_LOOKS);
}

void random_add_seed(struct random_pool *p, const void *seed, size_t n)
{
    const uint8_t *b = seed;
    bool varied = false;
    for (size_t i = 1; i < n; i++) {
        varied |= b[i] != b[0];
    }
    add(p, TAG_SEED, seed, n, varied ? 8 * n : 0);
}

enum fl_err random_draw(struct random_pool *p, void *out, size_t n)
{
    uint8_t *to = out, block[SHA256_BYTES];
    look_at_sources(p, DRAW_WORDS, DRAW_LOOKS);
    if (p->bits < RANDOM_FULL_BITS) {
        memset(out, 0, n);
        return FL_ENOTSUP;
    }
    for (uint64_t i = 0; n > 0; i++) {
        size_t take = n < sizeof(block) ? n : sizeof(block);
        hash(p, TAG_OUT, &i, sizeof(i), block);
        memcpy(to, block, take);
        to += take;
        n -= take;
    }
    mbedtls_platform_zeroize(block, sizeof(block));
    hash(p, TAG_NEXT, NULL, 0, p->key);
    return FL_OK;
}
