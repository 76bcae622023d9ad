/* SPDX-License-Identifier: MIT */
/*
 * SHA-384 (FIPS 180-4), the model's own: the hash of an FMC image must not be checked with the code
 * that a driver made it with.
 */
#include <string.h>

#include "tests/model/model_priv.h"

enum { BLOCK = 128, ROUNDS = 80, STATE = 8, LENGTH_AT = BLOCK - 16 };

/* The constants are the first 64 bits of the fractional parts of the cube roots of the first 80
 * primes; they are worked out once. */
struct constants {
    bool made;
    uint64_t k[ROUNDS];
};

static bool is_prime(uint32_t n)
{
    for (uint32_t d = 2; d * d <= n; d++) {
        if (n % d == 0) {
            return false;
        }
    }
    return n > 1;
}

/* Is (whole + frac / 2^64)^3 below n? Digits of 32 bits. */
static bool cube_fits(uint64_t whole, uint64_t frac, uint32_t n)
{
    const uint64_t x[4] = {frac & 0xffffffff, frac >> 32, whole, 0};
    uint64_t sq[8] = {0}, cube[12] = {0};
    for (size_t i = 0; i < 3; i++) {
        for (size_t j = 0; j < 3; j++) {
            uint64_t v = x[i] * x[j];
            for (size_t p = i + j; v != 0; p++) {
                v += sq[p];
                sq[p] = v & 0xffffffff;
                v >>= 32;
            }
        }
    }
    for (size_t i = 0; i < 7; i++) {
        for (size_t j = 0; j < 3; j++) {
            uint64_t v = sq[i] * x[j];
            for (size_t p = i + j; v != 0; p++) {
                v += cube[p];
                cube[p] = v & 0xffffffff;
                v >>= 32;
            }
        }
    }
    /* cube < n * 2^192, that is digit 6 (and above) < n; no prime is a cube. */
    return cube[7] == 0 && cube[8] == 0 && cube[6] < n;
}

static const uint64_t *constants(void)
{
    static struct constants c;
    uint32_t prime = 1;
    for (size_t i = 0; i < ROUNDS && !c.made; i++) {
        do {
            prime++;
        } while (!is_prime(prime));
        uint64_t whole = 1, frac = 0;
        while ((whole + 1) * (whole + 1) * (whole + 1) <= prime) {
            whole++;
        }
        for (uint64_t bit = 1ull << 63; bit != 0; bit >>= 1) {
            if (cube_fits(whole, frac | bit, prime)) {
                frac |= bit;
            }
        }
        c.k[i] = frac;
    }
    c.made = true;
    return c.k;
}

static uint64_t be64(const uint8_t *p)
{
    uint64_t v = 0;
    for (size_t i = 0; i < 8; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

static uint64_t ror(uint64_t v, unsigned n) { return v >> n | v << (64 - n); }

static void compress(uint64_t h[STATE], const uint8_t *block)
{
    const uint64_t *k = constants();
    uint64_t w[ROUNDS], s[STATE];
    memcpy(s, h, sizeof(s));
    for (size_t t = 0; t < ROUNDS; t++) {
        if (t < 16) {
            w[t] = be64(block + 8 * t);
        } else {
            const uint64_t a = w[t - 15], b = w[t - 2];
            w[t] = (ror(b, 19) ^ ror(b, 61) ^ b >> 6) + w[t - 7] +
                   (ror(a, 1) ^ ror(a, 8) ^ a >> 7) + w[t - 16];
        }
        const uint64_t t1 = s[7] + (ror(s[4], 14) ^ ror(s[4], 18) ^ ror(s[4], 41)) +
                            ((s[4] & s[5]) ^ (~s[4] & s[6])) + k[t] + w[t];
        const uint64_t t2 = (ror(s[0], 28) ^ ror(s[0], 34) ^ ror(s[0], 39)) +
                            ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof(s[0]));
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (size_t i = 0; i < STATE; i++) {
        h[i] += s[i];
    }
}

void model_sha384(const uint8_t *data, size_t len, uint8_t out[SHA384_BYTES])
{
    uint64_t h[STATE] = {0xcbbb9d5dc1059ed8ull, 0x629a292a367cd507ull, 0x9159015a3070dd17ull,
                         0x152fecd8f70e5939ull, 0x67332667ffc00b31ull, 0x8eb44a8768581511ull,
                         0xdb0c2e0d64f98fa7ull, 0x47b5481dbefa4fa4ull};
    uint8_t last[2 * BLOCK] = {0};
    size_t done = 0;
    for (; len - done >= BLOCK; done += BLOCK) {
        compress(h, data + done);
    }
    const size_t rest = len - done, tail = rest < LENGTH_AT ? BLOCK : 2 * BLOCK;
    if (rest != 0) {
        memcpy(last, data + done, rest);
    }
    last[rest] = 0x80;
    for (size_t i = 0; i < 8; i++) {
        last[tail - 1 - i] = (uint8_t)((uint64_t)len * 8 >> (8 * i));
    }
    for (size_t i = 0; i < tail; i += BLOCK) {
        compress(h, last + i);
    }
    for (size_t i = 0; i < SHA384_BYTES; i++) {
        out[i] = (uint8_t)(h[i / 8] >> (56 - 8 * (i % 8)));
    }
}
