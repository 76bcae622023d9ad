/* SPDX-License-Identifier: MIT */
/*
 * CRC-32, small: it runs once per boot over at most a few hundred KiB. SHA-384 is mbedTLS's.
 * Source: IEEE 802.3 clause 3.2.9 (reflected form); docs/decisions/0007-hashes.md.
 */
#include "gsp/files/digest.h"

#include <mbedtls/sha512.h>

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

void digest_sha384(const void *data, size_t size, uint8_t out[DIGEST_SHA384_BYTES])
{
    /* It fails only for a flag that is neither 0 nor 1. */
    (void)mbedtls_sha512(data, size, out, 1);
}
