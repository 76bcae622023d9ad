/* SPDX-License-Identifier: MIT */
/*
 * Digests that firmware containers carry: CRC-32 (IEEE 802.3, the one of zlib) and SHA-384
 * (FIPS 180-4). The FMC has a CRC-32 of each section and a SHA-384 of its image. Nothing here is a
 * security boundary, the hardware checks signatures: this finds damaged files early and in words.
 */
#pragma once

#include "arch/base.h"

uint32_t digest_crc32(const void *data, size_t size);

#define DIGEST_SHA384_BYTES 48u
void digest_sha384(const void *data, size_t size, uint8_t out[DIGEST_SHA384_BYTES]);
