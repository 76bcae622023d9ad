/* SPDX-License-Identifier: MIT */
/*
 * CRC-32 and SHA-384, plain and small: they run once per boot over at most a few hundred KiB.
 * Source: FIPS 180-4 sections 5.3.4, 6.4, 6.5; IEEE 802.3 clause 3.2.9 (reflected form).
 */
#include "gsp/files/digest.h"

#include <string.h>

#define CRC32_POLYNOMIAL_REFLECTED 0xedb88320u

uint32_t digest_crc32(const void *data, size_t size)
{
    const uint8_t *p = data;
    uint32_t table[16];
    /* Four bits at a time: a table of 16 words made on the spot is quick enough. */
    for (uint32_t i = 0; i < ARRAY_SIZE(table); i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 4; bit++) {
            c = (c & 1u) != 0 ? c >> 1 ^ CRC32_POLYNOMIAL_REFLECTED : c >> 1;
        }
        table[i] = c;
    }
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size; i++) {
        crc ^= p[i];
        crc = crc >> 4 ^ table[crc & 0xf];
        crc = crc >> 4 ^ table[crc & 0xf];
    }
    return ~crc;
}

/* The first 64 bits of the fractional parts of the cube roots of the first 80 primes. */
static const uint64_t sha512_k[80] = {
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
};
/* ... and of the square roots of the ninth to sixteenth primes: SHA-384's start value. */
static const uint64_t sha384_start[8] = {
    0xcbbb9d5dc1059ed8, 0x629a292a367cd507, 0x9159015a3070dd17, 0x152fecd8f70e5939,
    0x67332667ffc00b31, 0x8eb44a8768581511, 0xdb0c2e0d64f98fa7, 0x47b5481dbefa4fa4,
};

enum { SHA512_BLOCK = 128, SHA512_ROUNDS = 80, SHA512_LENGTH_BYTES = 16 };

static uint64_t rotr(uint64_t v, unsigned n) { return v >> n | v << (64 - n); }

static uint64_t get_be64(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) {
        v = v << 8 | p[i];
    }
    return v;
}

static void put_be64(uint8_t *p, uint64_t v)
{
    for (int i = 7; i >= 0; i--) {
        p[i] = (uint8_t)v;
        v >>= 8;
    }
}

static void sha512_block(uint64_t h[8], const uint8_t *p)
{
    uint64_t w[SHA512_ROUNDS];
    for (int t = 0; t < 16; t++) {
        w[t] = get_be64(p + 8 * t);
    }
    for (int t = 16; t < SHA512_ROUNDS; t++) {
        uint64_t s0 = rotr(w[t - 15], 1) ^ rotr(w[t - 15], 8) ^ w[t - 15] >> 7;
        uint64_t s1 = rotr(w[t - 2], 19) ^ rotr(w[t - 2], 61) ^ w[t - 2] >> 6;
        w[t] = w[t - 16] + s0 + w[t - 7] + s1;
    }
    uint64_t v[8]; /* a..h of the standard */
    memcpy(v, h, sizeof(v));
    for (int t = 0; t < SHA512_ROUNDS; t++) {
        uint64_t big1 = rotr(v[4], 14) ^ rotr(v[4], 18) ^ rotr(v[4], 41);
        uint64_t choose = (v[4] & v[5]) ^ (~v[4] & v[6]);
        uint64_t t1 = v[7] + big1 + choose + sha512_k[t] + w[t];
        uint64_t big0 = rotr(v[0], 28) ^ rotr(v[0], 34) ^ rotr(v[0], 39);
        uint64_t majority = (v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]);
        memmove(&v[1], &v[0], 7 * sizeof(v[0]));
        v[4] += t1;
        v[0] = t1 + big0 + majority;
    }
    for (int i = 0; i < 8; i++) {
        h[i] += v[i];
    }
}

void digest_sha384(const void *data, size_t size, uint8_t out[DIGEST_SHA384_BYTES])
{
    const uint8_t *p = data;
    uint64_t h[8];
    memcpy(h, sha384_start, sizeof(h));
    size_t left = size;
    for (; left >= SHA512_BLOCK; left -= SHA512_BLOCK, p += SHA512_BLOCK) {
        sha512_block(h, p);
    }
    uint8_t tail[2 * SHA512_BLOCK] = {0};
    if (left != 0) {
        memcpy(tail, p, left);
    }
    tail[left] = 0x80;
    size_t padded =
        left + 1 + SHA512_LENGTH_BYTES <= SHA512_BLOCK ? SHA512_BLOCK : 2 * SHA512_BLOCK;
    put_be64(tail + padded - 8, (uint64_t)size << 3);
    put_be64(tail + padded - 16, (uint64_t)size >> 61);
    sha512_block(h, tail);
    if (padded > SHA512_BLOCK) {
        sha512_block(h, tail + SHA512_BLOCK);
    }
    for (int i = 0; i < 6; i++) {
        put_be64(out + 8 * i, h[i]);
    }
}
